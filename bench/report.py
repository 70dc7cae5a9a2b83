"""Figures out: the tables on screen, results/latest.json, and the block in README.md."""

import json
import os
import sys
import time
from statistics import median

from goals import BARS, cost, goal_lines, good_runs, median_seconds, rates, ratio

REFERENCES = ("R1", "R2", "R3")
BEGIN_MARK = "<!-- figures: begin (written by bench/run) -->"
END_MARK = "<!-- figures: end -->"


def say(message):
    print(f"{time.strftime('%H:%M:%S')} {message}", file=sys.stderr, flush=True)


def _seconds_cell(result, contender):
    found = median_seconds(result, contender)
    if found:
        return ("~" if found[1] else "") + f"{found[0]:.2f} s"
    failed = any(m.contender == contender and m.faults for m in result["measurements"])
    return "**WRONG**" if failed else "-"


def _ratio_cell(result, reference):
    found = ratio(result, reference)
    wanted = result["workload"].goals.get(reference)
    goal = f" (goal {wanted:g})" if wanted else ""
    if not found:
        return f"-{goal}"
    value, estimated = found
    verdict = f", {'met' if value >= wanted else 'missed'}" if wanted else ""
    return f"{'~' if estimated else ''}{value:.2f} ×{goal}{verdict}"


def table(results):
    """The streamed workloads against R1 to R3; None when there is none of them."""
    head = ["", "load", "R1", "R2", "R3", "pgchronicle", "against R1", "against R2", "against R3"]
    rows = [[result["workload"].name, result["workload"].title]
            + [_seconds_cell(result, c) for c in (*REFERENCES, "pgchronicle")]
            + [_ratio_cell(result, c) for c in REFERENCES]
            for result in results if "R1" in result["workload"].contenders]
    return [head] + rows if rows else None


def other_goals(results):
    """Every goal that is no ratio to R1, R2 or R3."""
    titles = {result["workload"].name: result["workload"].title for result in results}
    rows = [[line.workload, titles[line.workload], line.what, line.measured, line.goal,
             {True: "met", False: "missed", None: "-"}[line.met]]
            for line in goal_lines(results)
            if line.what not in [f"rate against {r}" for r in REFERENCES]]
    head = ["", "load", "what", "measured", "goal", ""]
    return [head] + rows if rows else None


def markdown(rows):
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]

    def line(cells):
        return "| " + " | ".join(c.ljust(w) for c, w in zip(cells, widths)) + " |"
    ruler = "|" + "|".join("-" * (w + 2) for w in widths) + "|"
    return "\n".join([line(rows[0]), ruler, *map(line, rows[1:])])


def bars(results, width=50):
    """Changes a second as bars, one scale a workload."""
    lines = []
    for result in results:
        found = rates(result) if len(result["workload"].contenders) > 1 else {}
        if not found:
            continue
        top = max(rate for rate, _ in found.values())
        lines.append(f"{result['workload'].name}  changes a second")
        for contender, (rate, estimated) in found.items():
            bar = "#" * max(1, round(width * rate / top))
            mark = "~" if estimated else " "
            lines.append(f"  {contender:<12}{bar:<{width}} {mark}{rate:>9,.0f}")
    return "\n".join(lines)


def faults(results):
    return [f"{r['workload'].name} {m.contender} run {m.run}: {fault}"
            for r in results for m in r["measurements"] for fault in m.faults]


def _our_note(name, runs):
    times = [m.seconds for m in runs]
    extras = [m.extra for m in runs]
    starts = [e["before_stream_seconds"] for e in extras
              if e.get("before_stream_seconds") is not None]
    start = f", {median(starts):.2f} s of it before the stream began" if starts else ""
    return (f"{name}: pgchronicle {min(times):.2f} to {max(times):.2f} s in {len(runs)} runs"
            f"{start}; resident memory at most {max(e['memory_max_mib'] for e in extras):.0f} MiB; "
            f"CPU {median(e['cpu_user_seconds'] for e in extras):.2f} s user and "
            f"{median(e['cpu_system_seconds'] for e in extras):.2f} s system.")


def _latency_note(name, runs):
    def middle(key):
        return median(m.extra[key] for m in runs)

    return (f"{name}: {middle('achieved_per_second'):.1f} transactions a second were reached "
            f"({middle('sent_late_p99_ms'):.1f} ms late at p99). From COMMIT's return to the "
            f"target's commit: p50 {middle('p50_ms'):.2f}, p99 {middle('p99_ms'):.2f}, max "
            f"{max(m.extra['max_ms'] for m in runs):.1f} ms; from the time in the source's commit "
            f"record: p50 {middle('from_commit_record_p50_ms'):.2f}, p99 "
            f"{middle('from_commit_record_p99_ms'):.2f} ms. A reader of the target saw one in 25 "
            f"of them after p50 {middle('reader_p50_ms'):.2f}, p99 {middle('reader_p99_ms'):.2f}, "
            f"max {max(m.extra['reader_max_ms'] for m in runs):.1f} ms (the same ones by the "
            f"target's commit: p50 {middle('same_ticks_p50_ms'):.2f}, p99 "
            f"{middle('same_ticks_p99_ms'):.2f} ms). Resident memory at most "
            f"{max(m.extra['memory_max_mib'] for m in runs):.0f} MiB; CPU of all rounds "
            f"{runs[0].extra['cpu_user_seconds']:.2f} s user and "
            f"{runs[0].extra['cpu_system_seconds']:.2f} s system.")


def footnotes(results):
    """What the cells cannot hold: our memory and CPU, the spread, the estimates."""
    notes = []
    for result in results:
        name, ours = result["workload"].name, list(good_runs(result, "pgchronicle").values())
        if ours:
            note = _latency_note if "p50_ms" in ours[0].extra else _our_note
            notes.append(note(name, ours))
        for m in result["measurements"]:
            if m.estimated:
                notes.append(
                    f"{name}: R3 was stopped after {m.extra['capped_at_seconds']:.0f} s with "
                    f"{m.extra['changes_at_cap']:,} changes applied; its time is extrapolated "
                    f"(at its mean rate so far it would be {m.extra['linear_seconds']:.0f} s).")
    return notes


def machine_line(machine):
    return (f"{machine['date']}; {machine['cpu']}, {machine['cores']} cores, "
            f"{machine['memory_gib']} GiB, {machine['system']}, "
            f"PostgreSQL {machine['postgresql']}; {machine['pgchronicle'] or 'no pgchronicle'}, "
            f"commit {machine['commit']}; load average {machine['load_average_at_start']} "
            "at the start.")


def text(results, machine, settings):
    parts = [machine_line(machine),
             f"Replica identity {settings['identity'].upper()}, {settings['runs']} interleaved "
             "runs; seconds are medians, ratios the median of the rounds' ratios."]
    parts += [markdown(rows) for rows in (table(results), other_goals(results)) if rows]
    notes = footnotes(results)
    if notes:
        parts.append("\n".join(f"* {note}" for note in notes))
    wrong = faults(results)
    if wrong:
        parts.append("\n".join(f"* **WRONG** {fault}" for fault in wrong))
    drawn = bars(results)
    if drawn:
        parts.append(f"```\n{drawn}\n```")
    return "\n\n".join(parts)


def as_json(results, machine, settings):
    def one(result):
        work = result["workload"]
        return {
            "name": work.name, "title": work.title, "changes": work.changes,
            "rows_before": work.rows_before, "end_lsn": result.get("end_lsn"),
            "wal_bytes": result.get("wal_bytes"),
            "initial_copy_seconds": result.get("copy_seconds"),
            "goals": work.goals,
            "median_seconds": {c: (median_seconds(result, c) or [None])[0]
                               for c in BARS if c in work.contenders},
            "ratios": {c: (ratio(result, c) or [None])[0]
                       for c in BARS if c in work.contenders and c.startswith("R")},
            "cost": cost(result),
            "lines": [vars(line) for line in goal_lines([result])],
            "runs": [vars(m) for m in result["measurements"]],
        }
    return {"machine": machine, "settings": settings, "workloads": [one(r) for r in results]}


def write_json(folder, document):
    path = os.path.join(folder, "latest.json")
    with open(path + ".new", "w") as out:
        json.dump(document, out, indent=2)
        out.write("\n")
    os.replace(path + ".new", path)
    return path


def refresh_readme(path, block):
    with open(path) as file:
        before, rest = file.read().split(BEGIN_MARK)
    after = rest.split(END_MARK)[1]
    with open(path, "w") as out:
        out.write(f"{before}{BEGIN_MARK}\n\n{block}\n\n"
                  f"![changes a second, and the other goals](results.svg)\n\n{END_MARK}{after}")

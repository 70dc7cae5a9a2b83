"""Figures out: the table on screen, results/latest.json, and the block in README.md."""

import json
import os
from statistics import median

REFERENCES = ("R1", "R2", "R3")
BEGIN_MARK = "<!-- figures: begin (written by bench/run) -->"
END_MARK = "<!-- figures: end -->"


def good_runs(result, contender):
    return {m.run: m for m in result["measurements"]
            if m.contender == contender and m.seconds is not None and not m.faults}


def median_seconds(result, contender):
    """(seconds, estimated) of the contender's good runs, or None."""
    runs = good_runs(result, contender)
    if not runs:
        return None
    return (median(m.seconds for m in runs.values()),
            any(m.estimated for m in runs.values()))


def ratio(result, reference):
    """How many times the reference's rate pgchronicle reaches: (ratio, estimated), or None.

    Each round gives one ratio from two neighbouring runs, so that drift of the machine cancels;
    the median of the rounds is the figure. A reference that ran in fewer rounds counts in those.
    """
    ours, theirs = good_runs(result, "pgchronicle"), good_runs(result, reference)
    rounds = sorted(set(ours) & set(theirs))
    if not rounds:
        return None
    return (median(theirs[r].seconds / ours[r].seconds for r in rounds),
            any(theirs[r].estimated for r in rounds))


def _seconds_cell(result, contender):
    found = median_seconds(result, contender)
    if found:
        return ("~" if found[1] else "") + f"{found[0]:.2f} s"
    failed = any(m.contender == contender and m.faults for m in result["measurements"])
    return "**WRONG**" if failed else "-"


def _ratio_cell(result, reference):
    found = ratio(result, reference)
    goal = f"(goal {result['workload'].goals[reference]:g})"
    if not found:
        return f"- {goal}"
    value, estimated = found
    verdict = "met" if value >= result["workload"].goals[reference] else "missed"
    return f"{'~' if estimated else ''}{value:.2f} × {goal}, {verdict}"


def table(results):
    head = ["", "load", "R1", "R2", "R3", "pgchronicle", "against R1", "against R2", "against R3"]
    rows = [[result["workload"].name, result["workload"].title]
            + [_seconds_cell(result, c) for c in (*REFERENCES, "pgchronicle")]
            + [_ratio_cell(result, c) for c in REFERENCES]
            for result in results]
    return [head] + rows


def markdown(rows):
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]

    def line(cells):
        return "| " + " | ".join(c.ljust(w) for c, w in zip(cells, widths)) + " |"
    ruler = "|" + "|".join("-" * (w + 2) for w in widths) + "|"
    return "\n".join([line(rows[0]), ruler, *map(line, rows[1:])])


def plot(results, width=50):
    """Changes a second as bars, one scale a workload."""
    lines = []
    for result in results:
        changes = result["workload"].changes
        rates = {}
        for contender in (*REFERENCES, "pgchronicle"):
            found = median_seconds(result, contender)
            if found:
                rates[contender] = (changes / found[0], found[1])
        if not rates:
            continue
        top = max(rate for rate, _ in rates.values())
        lines.append(f"{result['workload'].name}  changes a second")
        for contender, (rate, estimated) in rates.items():
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
    starts = [e["before_stream_seconds"] for e in extras if e["before_stream_seconds"] is not None]
    start = f", {median(starts):.2f} s of it before the stream began" if starts else ""
    return (f"{name}: pgchronicle {min(times):.2f} to {max(times):.2f} s in {len(runs)} runs"
            f"{start}; resident memory at most {max(e['memory_max_mib'] for e in extras):.0f} MiB; "
            f"CPU {median(e['cpu_user_seconds'] for e in extras):.2f} s user and "
            f"{median(e['cpu_system_seconds'] for e in extras):.2f} s system.")


def footnotes(results):
    """What the cells cannot hold: our memory and CPU, the spread, the estimates."""
    notes = []
    for result in results:
        name, ours = result["workload"].name, list(good_runs(result, "pgchronicle").values())
        if ours:
            notes.append(_our_note(name, ours))
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
             "runs; seconds are medians, ratios the median of the rounds' ratios.",
             markdown(table(results))]
    notes = footnotes(results)
    if notes:
        parts.append("\n".join(f"* {note}" for note in notes))
    wrong = faults(results)
    if wrong:
        parts.append("\n".join(f"* **WRONG** {fault}" for fault in wrong))
    bars = plot(results)
    if bars:
        parts.append(f"```\n{bars}\n```")
    return "\n\n".join(parts)


def as_json(results, machine, settings):
    def one(result):
        work = result["workload"]
        return {
            "name": work.name, "title": work.title, "changes": work.changes,
            "rows_before": work.rows_before, "end_lsn": result["end_lsn"],
            "wal_bytes": result["wal_bytes"], "initial_copy_seconds": result["copy_seconds"],
            "goals": work.goals,
            "median_seconds": {c: (median_seconds(result, c) or [None])[0]
                               for c in (*REFERENCES, "pgchronicle")},
            "ratios": {c: (ratio(result, c) or [None])[0] for c in REFERENCES},
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
        out.write(f"{before}{BEGIN_MARK}\n\n{block}\n\n{END_MARK}{after}")

"""What was measured of each goal: ratios of rates, costs, memory, rows a second, latency."""

from dataclasses import dataclass
from statistics import median

RATIO_REFERENCES = ("R1", "R2", "R3", "R4")
BARS = (*RATIO_REFERENCES, "base", "pgchronicle")


@dataclass(frozen=True)
class GoalLine:
    """One goal: what it speaks of, what was measured, what was wanted; `met` is None without."""
    workload: str
    what: str
    measured: str
    goal: str
    met: bool
    share: float = None   # of the goal; above 1 is better than wanted


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


def rates(result):
    """{contender: (changes a second, estimated)}, in the order of the bars."""
    found = {}
    for contender in BARS:
        runs = list(good_runs(result, contender).values())
        if runs:
            changes = runs[0].extra.get("changes", result["workload"].changes)
            found[contender] = (changes / median(m.seconds for m in runs),
                                any(m.estimated for m in runs))
    return found


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


def cost(result):
    """What a change costs us, in costs of a change of "base": the median of the rounds."""
    ours, base = good_runs(result, "pgchronicle"), good_runs(result, "base")
    rounds = sorted(set(ours) & set(base))
    if not rounds:
        return None
    return median(ours[r].seconds / ours[r].extra["changes"]
                  / (base[r].seconds / base[r].extra["changes"]) for r in rounds)


def _at_least(work, what, value, goal, unit, digits=2):
    if value is None:
        return GoalLine(work.name, what, "-", f"≥ {goal:,g}{unit}", None)
    return GoalLine(work.name, what, f"{value:,.{digits}f}{unit}", f"≥ {goal:,g}{unit}",
                    value >= goal, value / goal)


def _at_most(work, what, value, goal, unit, digits=2):
    if value is None:
        return GoalLine(work.name, what, "-", f"≤ {goal:,g}{unit}", None)
    return GoalLine(work.name, what, f"{value:,.{digits}f}{unit}", f"≤ {goal:,g}{unit}",
                    value <= goal, goal / value if value > 0 else None)


def _lines_of(result):
    work, wanted = result["workload"], result["workload"].goals
    ours = list(good_runs(result, "pgchronicle").values())

    def median_extra(key):
        return median(m.extra[key] for m in ours) if ours else None

    for reference in RATIO_REFERENCES:
        if reference in wanted:
            found = ratio(result, reference)
            line = _at_least(work, f"rate against {reference}", found and found[0],
                             wanted[reference], " ×")
            if found and found[1]:
                line = GoalLine(line.workload, line.what, "~" + line.measured, line.goal,
                                line.met, line.share)
            yield line
    if "cost" in wanted:
        yield _at_most(work, f"cost of a change against {work.base_title}", cost(result),
                       wanted["cost"], " ×")
    if "memory_mib" in wanted:
        yield _at_most(work, "resident memory at most",
                       max(m.extra["memory_max_mib"] for m in ours) if ours else None,
                       wanted["memory_mib"], " MiB", 0)
    if "rows_a_second" in wanted:
        yield _at_least(work, "rows a second", rates(result).get("pgchronicle", (None,))[0],
                        wanted["rows_a_second"], "", 0)
    for key, what in (("p50_ms", "commit to visible, p50"), ("p99_ms", "commit to visible, p99")):
        if key in wanted:
            yield _at_most(work, what, median_extra(key), wanted[key], " ms")


def goal_lines(results):
    return [line for result in results for line in _lines_of(result)]

"""The table of a campaign, in docs/reliability.md and as JSON."""

import dataclasses
import json
import statistics
import subprocess
from datetime import datetime, timezone
from pathlib import Path

from ..pgchronicle import FAILPOINTS, REPO
from .kills import AT_RANDOM

DOCUMENT = REPO / "docs" / "reliability.md"
BEGIN, END = "<!-- campaign begin -->", "<!-- campaign end -->"
COLUMNS = ["fault", "tries", "outcome", "recovers in s, median", "max", "differences"]


def _cells(name, tally):
    if tally.skipped:
        return [name, 0, f"skipped: {tally.skipped}", "", "", ""]
    outcome = tally.outcome if not tally.failures else f"**FAILED** {len(tally.failures)} times"
    seconds = tally.seconds
    return [name, tally.tries, outcome,
            f"{statistics.median(seconds):.1f}" if seconds else "",
            f"{max(seconds):.1f}" if seconds else "", tally.differences]


def table(tallies):
    rows = [COLUMNS, ["---"] * len(COLUMNS)]
    rows += [_cells(name, tally) for name, tally in tallies.items() if tally.tries or tally.skipped]
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in rows)


def _machine():
    model = next((line.split(":")[1].strip() for line in
                  Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), "?")
    cores = sum(line.startswith("processor") for line in
                Path("/proc/cpuinfo").read_text().splitlines())
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / (1 << 20)
    return f"{model}, {cores} cores, {memory:.1f} GiB"


def _commit():
    said = subprocess.run(["git", "-C", str(REPO), "describe", "--always", "--dirty"],
                          capture_output=True, text=True)
    return said.stdout.strip() or "unknown"


def _kills(tallies):
    """(the fewest at one of the failpoints, at random moments)"""
    names = [f"kill -9 at `{point}`" for point in FAILPOINTS]
    return min(tallies[name].tries for name in names), tallies[f"kill -9 at {AT_RANDOM}"].tries


def facts(campaign, seconds, servers):
    """Everything about a run, as plain values."""
    tried = [t for t in campaign.tallies.values() if t.tries]
    return {
        "seed": campaign.seed, "date": datetime.now(timezone.utc).date().isoformat(),
        "kills": _kills(campaign.tallies),
        "machine": _machine(), "commit": _commit(), "servers": servers,
        "seconds": round(seconds), "batches": campaign.batches,
        "tries": sum(t.tries for t in tried), "kinds": len(tried),
        "differences": sum(t.differences for t in campaign.tallies.values()),
        "failed": campaign.failed, "transactions": campaign.transactions,
        "versions": campaign.versions, "points": campaign.points, "samples": campaign.samples,
        "tallies": {name: dataclasses.asdict(t) for name, t in campaign.tallies.items()},
    }


def summary(facts):
    return (f"{facts['date']}, {facts['machine']}; commit {facts['commit']}; source on PostgreSQL "
            f"{facts['servers'][0]}, target on {facts['servers'][1]}; seed {facts['seed']}; "
            f"{facts['seconds']:,} s. {facts['tries']:,} faults of {facts['kinds']} kinds, at each "
            f"failpoint {facts['kills'][0]} kills or more, {facts['kills'][1]} at random moments; "
            f"{facts['transactions']:,} transactions, {facts['versions']:,} versions, "
            f"{facts['points']:,} as-of points, {facts['samples']:,} samples of the watcher; "
            f"{facts['differences']} differences.")


def write(campaign, facts, folder, document=DOCUMENT):
    """The JSON into `folder`, the table between the document's markers."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "campaign.json").write_text(json.dumps(facts, indent=1) + "\n")
    text = document.read_text()
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    document.write_text(f"{before}{BEGIN}\n{summary(facts)}\n\n{table(campaign.tallies)}\n"
                        f"{END}{after}")

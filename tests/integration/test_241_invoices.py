"""examples/invoices: `make invoices` from nothing, its risk models, and what it leaves."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from support.pgchronicle import binary

REPO = Path(__file__).resolve().parents[2]
EXAMPLE = REPO / "examples" / "invoices"


def run(*command, input_text=None, **variables):
    return subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True,
                          timeout=240, check=False, input=input_text)


def processes_of(folder):
    """Processes whose command line names the folder: `make invoices` must leave none."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if folder in words:
            found.append(words)
    return found


@pytest.fixture(scope="module")
def invoices():
    return run(str(REPO / "scripts" / "invoices"), PGCHRONICLE_BIN=binary())


def test_make_invoices_runs_from_nothing_and_leaves_nothing(invoices):
    assert invoices.returncode == 0, invoices.stdout[-3000:] + invoices.stderr[-3000:]
    assert "nothing is left running" in invoices.stdout
    assert processes_of("/tmp/pgchronicle-invoices.") == []
    assert list(Path("/tmp").glob("pgchronicle-invoices.*")) == []


def test_each_invoice_is_assessed_once_by_sql_and_at_least_once_by_the_program(invoices):
    assert re.search(r"^new invoices 31, assessed exactly once by the function 31, "
                     r"by the program 31$", invoices.stdout, re.M), invoices.stdout[-2000:]


def test_a_new_invoice_is_assessed_within_a_second(invoices):
    taken = [int(ms) for ms in re.findall(r"^assessed by .* after (\d+) ms$", invoices.stdout,
                                          re.M)]
    assert len(taken) == 3
    assert min(taken[0], taken[1] + taken[2]) < 1000, taken


def test_the_questions_are_answered(invoices):
    words = invoices.stdout
    assert re.search(r"^ +602 .* Cedar Foods +4 +Dogwood Press +61000\.00 +high", words, re.M)
    assert re.search(r"^unrated +1 +0 +\d+ +[\d.]+$", words, re.M)
    assert re.search(r"^ +602 +Cedar Foods +61000\.00 +\d+\.\d\d +high$", words, re.M)
    assert len(re.findall(r"^\d{4}-\d\d +[1-5] +\w", words, re.M)) == 10


def test_the_program_adds_a_verdict_once(tmp_path):
    change = json.dumps({"position": "0/1/1", "values": {"invoice_id": 7, "amount_usd": 90_000}})
    path = tmp_path / "verdicts"
    for _ in range(2):
        result = run(str(EXAMPLE / "assess-invoice"), input_text=change, RISK_FILE=str(path))
        assert (result.returncode, result.stderr) == (0, "")
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {"position": "0/1/1", "invoice_id": 7, "verdict": "high"}]

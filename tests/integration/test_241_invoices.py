"""examples/invoices: `make invoices` from nothing, its risk models, and what it leaves."""

import fcntl
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from support.example_script import assert_ran_and_left_nothing, run_example
from support.pgchronicle import REPO
from support.waiting import wait_until

EXAMPLE = REPO / "examples" / "invoices"


@pytest.fixture(scope="module")
def invoices():
    return run_example("invoices")


def test_make_invoices_runs_from_nothing_and_leaves_nothing(invoices):
    assert_ran_and_left_nothing(invoices, "invoices")


def test_each_invoice_is_assessed_once_by_sql_and_at_least_once_by_the_program(invoices):
    assert re.search(r"^new invoices 31, assessed exactly once by the function 31, "
                     r"by the program 31$", invoices.stdout, re.M), invoices.stdout[-2000:]


def test_an_invoice_that_is_entered_again_is_assessed_again(invoices):
    assert "invoice 602 was entered 3 times, and assessed 3 times\n" in invoices.stdout
    assert len(re.findall(r"^ +602 .* Dogwood Press ", invoices.stdout, re.M)) == 1
    assert len(re.findall(r"^ +602 +Cedar Foods +61000", invoices.stdout, re.M)) == 1


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
        result = subprocess.run([EXAMPLE / "assess-invoice"], input=change, text=True,
                                env={**os.environ, "RISK_FILE": str(path)}, capture_output=True,
                                timeout=60, check=False)
        assert (result.returncode, result.stderr) == (0, "")
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {"position": "0/1/1", "invoice_id": 7, "verdict": "high"}]


def waiting_for(path):
    """How many processes wait for a lock of the file."""
    inode = f":{path.stat().st_ino} "
    return sum("->" in line and inode in line
               for line in Path("/proc/locks").read_text().splitlines())


def test_programs_at_the_same_time_add_a_verdict_once(tmp_path):
    """As with `watch --jobs`, and with a second run of a change while the first still writes."""
    path = tmp_path / "verdicts"
    change = {"position": "0/1/1", "values": {"invoice_id": 7, "amount_usd": 1}}
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        started = []
        for _ in range(3):
            started.append(subprocess.Popen(
                [str(EXAMPLE / "assess-invoice")], stdin=subprocess.PIPE, text=True,
                env={**os.environ, "RISK_FILE": str(path)}))
            started[-1].stdin.write(json.dumps(change))
            started[-1].stdin.close()
        wait_until(lambda: waiting_for(path) == 3, 20, "all of them to wait for the file")
    assert [process.wait(20) for process in started] == [0, 0, 0]
    assert [json.loads(line)["invoice_id"] for line in path.read_text().splitlines()] == [7]

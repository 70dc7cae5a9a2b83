"""examples/layers: `make layers` from nothing, its timer, and checks that find what is wrong."""

import csv
import os
import re
import shutil
import subprocess

import pytest
from support.example_script import assert_ran_and_left_nothing, run_example
from support.finance import Finance, psql
from support.pgchronicle import EXIT_DONE, REPO

EXAMPLE = REPO / "examples" / "layers"
CHECKS = sorted(path.stem for path in (EXAMPLE / "reports").glob("check_*.sql"))
REPORTS = sorted(path.stem for path in (EXAMPLE / "reports").glob("*.sql"))


@pytest.fixture(scope="module")
def layers(tmp_path_factory):
    """One run of it, and the folder with its reports."""
    out = tmp_path_factory.mktemp("layers") / "reports"
    return run_example("layers", PGCHRONICLE_LAYERS_OUT=str(out)), out


def test_make_layers_runs_from_nothing_and_leaves_nothing(layers):
    assert_ran_and_left_nothing(layers[0], "layers")


def test_checks_say_fail_for_the_fault_and_pass_without_it(layers):
    output = layers[0].stdout
    faulty, mended = output.split("its items are entered at the source")
    verdicts = [{name: verdict for verdict, name in re.findall(r"(?m)^(PASS|FAIL) +(\w+)", part)}
                for part in (faulty, mended)]
    fine = dict.fromkeys(CHECKS, "PASS")
    assert verdicts == [{**fine, "check_orders_have_items": "FAIL"}, fine]
    assert re.search(r"^FAIL +check_orders_have_items: 1 rows;", faulty, re.M)
    assert f"quality: {len(CHECKS) - 1} passed, 1 failed\n" in faulty
    assert "exit code 1\n" in faulty


def test_every_report_is_written_once_with_its_header(layers):
    _, out = layers
    names = sorted(path.name for path in out.iterdir())
    assert [re.sub(r"_result_.*\.csv$", "", name) for name in names] == REPORTS
    headers = {}
    for path in out.glob("*.csv"):
        with path.open(newline="") as file:
            rows = list(csv.reader(file))
        headers[re.sub(r"_result_.*", "", path.name)] = rows[0]
        assert all(len(row) == len(rows[0]) for row in rows), path.name
        if path.name.startswith("check_"):
            assert len(rows) == 1, path.name
    assert headers["open_orders"] == ["delivery_date", "status", "open_order_count"]
    assert headers["top_customers"] == ["customer_id", "customer_name", "open_order_count",
                                        "without_items"]


def test_a_check_that_cannot_be_made_is_no_pass(tmp_path):
    """A program that fails stands in for a target that is away."""
    broken = tmp_path / "pgchronicle"
    broken.write_text("#!/bin/sh\necho 'could not connect' >&2\nexit 4\n")
    broken.chmod(0o755)
    result = subprocess.run([EXAMPLE / "scheduled-reports", tmp_path / "out"],
                            env={**os.environ, "PGCHRONICLE": str(broken)},
                            capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 2
    assert "PASS" not in result.stdout
    assert "could not be made" in result.stderr
    assert not (tmp_path / "out").exists()


def test_what_a_comparison_has_removed_fails_no_check(factory, tmp_path):
    """A version that the source does not know gets a RECONCILE tombstone."""
    finance = Finance(factory.create("layers_source", "source").start(),
                      factory.create("layers_target", "target").start(), tmp_path)
    assert finance.start_streaming().stop() == EXIT_DONE
    finance.target.execute("update analytics.orders_history set order_id = 99999"
                           " where is_current and order_id ="
                           " (select min(order_id) from analytics.orders_current)")
    result = finance.run("repair", "reseed", "operations.orders", "--reason", "the test wants it")
    assert result.returncode == EXIT_DONE, result.stderr
    service = finance.start_streaming()
    finance.catch_up(service)
    assert service.stop() == EXIT_DONE
    psql(finance.target.cluster, "analytics_db", EXAMPLE / "layers.sql", user="analytics_user")
    assert finance.target.query("select operation, lsn_to = lsn from raw.orders where order_id ="
                                " 99999 order by lsn")[-1] == ("RECONCILE", True)
    check = (EXAMPLE / "reports" / "check_state_follows_log.sql").read_text()
    assert finance.target.query(check) == []
    # A version that was closed with nothing in its place is found all the same.
    finance.target.execute("update analytics.orders_history set is_current = false,"
                           " valid_to = now(), lsn_to = 'F/0' where order_id ="
                           " (select max(order_id) from analytics.orders_current)")
    assert len(finance.target.query(check)) == 1
    finance.close()


@pytest.mark.parametrize("unit", sorted((EXAMPLE / "systemd").iterdir()), ids=os.path.basename)
def test_systemd_accepts_the_units(unit, tmp_path):
    """With the program's path replaced: systemd looks whether the file is there."""
    assert shutil.which("systemd-analyze"), "run scripts/install-deps"
    for path in (EXAMPLE / "systemd").iterdir():
        text = path.read_text().replace("/usr/share/pgchronicle/layers", str(EXAMPLE))
        (tmp_path / path.name).write_text(
            text.replace("Documentation=file:///usr/share/doc/pgchronicle/README.md\n", ""))
    result = subprocess.run(["systemd-analyze", "verify", "--man=no", tmp_path / unit.name],
                            capture_output=True, text=True, timeout=60, check=False)
    assert (result.returncode, result.stderr) == (0, "")


def test_the_units_run_what_the_example_runs():
    service = (EXAMPLE / "systemd" / "pgchronicle-reports.service").read_text()
    assert "\nExecStart=/usr/share/pgchronicle/layers/scheduled-reports " \
        "/var/lib/pgchronicle-reports\n" in service
    assert "\nOnCalendar=*:0/10\n" in (
        EXAMPLE / "systemd" / "pgchronicle-reports.timer").read_text()

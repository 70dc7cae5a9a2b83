"""The northwind example runs from nothing, for two days, and its own check passes."""

import csv
import json
import os
import subprocess
from pathlib import Path

import pytest

from support.pgchronicle import REPO

GIVEN = REPO.parent / "shared" / "data"  # The user's own data, where it is.
TABLES = {"categories", "customer_customer_demo", "customer_demographics", "customers",
          "employee_territories", "employees", "orders", "products", "region", "shippers",
          "suppliers", "territories", "us_states"}


def northwind(program, folder, **env):
    result = subprocess.run(
        [REPO / "scripts" / "northwind"], capture_output=True, text=True, timeout=280,
        env={**{k: v for k, v in os.environ.items() if not k.startswith("PG")},
             "PGCHRONICLE_BIN": program, "NORTHWIND_KEEP": str(folder), **env})
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-4000:]
    return result.stdout


def details(path):
    with path.open(newline="", encoding="utf-8") as file:
        return [(int(r["order_id"]), int(r["product_id"]), int(r["quantity"]))
                for r in csv.DictReader(file)]


def check_files(folder, given):
    for day in ("2026-03-01", "2026-03-02"):
        found = {path.parent.parent.name for path in folder.glob(f"postgres/*/{day}/_SUCCESS")}
        assert found == {f"public.{table}" for table in TABLES}
        for manifest in folder.glob(f"postgres/*/{day}/manifest.json"):
            said = json.loads(manifest.read_text())
            with (manifest.parent / said["file"]).open(newline="", encoding="utf-8") as file:
                assert sum(1 for _ in csv.reader(file)) == said["rows"] + 1, manifest
        assert (folder / f"csv/order_details/{day}/_SUCCESS").exists()
    result = folder / "result" / "2026-03-01" / "orders_with_details.csv"
    assert details(result) == sorted(details(given))
    assert not [path for path in folder.rglob(".*") if path.is_dir()]


def test_the_example_runs_from_nothing_and_its_check_passes(program, tmp_path):
    said = northwind(program, tmp_path)
    assert "13 tables, 6 details, two days" in said
    check_files(tmp_path, REPO / "examples" / "northwind" / "data" / "order_details.csv")


@pytest.mark.skipif(not (GIVEN / "northwind.sql").is_file(), reason="the user's data is not here")
def test_it_runs_on_the_data_that_was_given(program, tmp_path):
    said = northwind(program, tmp_path, NORTHWIND_SQL=str(GIVEN / "northwind.sql"),
                     NORTHWIND_CSV=str(GIVEN / "order_details.csv"))
    assert "13 tables, 2155 details, two days" in said
    check_files(tmp_path, GIVEN / "order_details.csv")


def test_steps_say_how_they_are_used(program):
    pipeline = REPO / "examples" / "northwind" / "pipeline"
    for arguments, code, part in ((["--help"], 0, "extract-postgres DAY"), ([], 2, "pipeline all"),
                                  (["load", "yesterday"], 2, "like 2026-03-03")):
        result = subprocess.run([pipeline, *arguments], capture_output=True, text=True, timeout=20)
        assert (result.returncode, part in result.stdout + result.stderr) == (code, True)
    assert Path(pipeline).stat().st_mode & 0o111

"""The northwind example runs from nothing, for two days, and its own check passes."""

import csv
import json
import os
import subprocess
from datetime import datetime, timedelta, timezone

import pytest

from support.example_script import assert_ran_and_left_nothing, run_example
from support.finance import Existing, psql
from support.pgchronicle import REPO

EXAMPLE = REPO / "examples" / "northwind"

GIVEN = REPO.parent / "shared" / "data"  # The user's own data, where it is.
TABLES = {"categories", "customer_customer_demo", "customer_demographics", "customers",
          "employee_territories", "employees", "orders", "products", "region", "shippers",
          "suppliers", "territories", "us_states"}


def northwind(folder, **variables):
    result = run_example("northwind", timeout=280, NORTHWIND_KEEP=str(folder), **variables)
    assert_ran_and_left_nothing(result, "northwind")
    return result.stdout


def details(path):
    with path.open(newline="", encoding="utf-8") as file:
        return [(int(r["order_id"]), int(r["product_id"]), int(r["quantity"]))
                for r in csv.DictReader(file)]


def check_files(folder, given):
    for day in ("2026-03-01", "2026-03-02"):
        found = {path.parent.parent.name for path in folder.glob(f"postgres/*/{day}/_SUCCESS")}
        # One has joined on the second day: the first is loaded without it.
        joined = {"reviews"} if day == "2026-03-02" else set()
        assert found == {f"public.{table}" for table in TABLES | joined}
        listed = (folder / f"extracted/{day}/tables").read_text().split()
        assert listed == sorted(found)
        for manifest in folder.glob(f"postgres/*/{day}/manifest.json"):
            said = json.loads(manifest.read_text())
            with (manifest.parent / said["file"]).open(newline="", encoding="utf-8") as file:
                assert sum(1 for _ in csv.reader(file)) == said["rows"] + 1, manifest
        assert (folder / f"csv/order_details/{day}/_SUCCESS").exists()
    result = folder / "result" / "2026-03-01" / "orders_with_details.csv"
    assert details(result) == sorted(details(given))
    assert not [path for path in folder.rglob(".*") if path.is_dir()]


def test_the_example_runs_from_nothing_and_its_check_passes(tmp_path):
    said = northwind(tmp_path)
    assert "13 tables, 6 details, two days" in said
    check_files(tmp_path, REPO / "examples" / "northwind" / "data" / "order_details.csv")


class Shop:
    """The example's two servers, and its steps."""

    def __init__(self, factory, program, folder):
        source = factory.create("shop_source", "source").start()
        target = factory.create("shop_target", "target").start()
        psql(source, "postgres", EXAMPLE / "source" / "01_roles.sql")
        for name in ("02_schema", "03_rows", "04_publication"):
            psql(source, "northwind", EXAMPLE / "source" / f"{name}.sql")
        psql(target, "postgres", EXAMPLE / "target" / "01_roles.sql")
        self.source, self.target = Existing(source, "northwind"), Existing(target, "warehouse")
        self.data = folder / "data"
        self.env = {
            **os.environ, "PGCHRONICLE_BIN": program, "NORTHWIND_DATA": str(self.data),
            "SOURCE_HOST": "127.0.0.1", "SOURCE_PORT": str(source.port), "SOURCE_PASSWORD": "1234",
            "TARGET_HOST": "127.0.0.1", "TARGET_PORT": str(target.port), "TARGET_PASSWORD": "1234"}

    def step(self, *arguments, code=0):
        result = subprocess.run([EXAMPLE / "pipeline", *arguments], env=self.env, text=True,
                                capture_output=True, timeout=60, check=False)
        assert result.returncode == code, result.stdout + result.stderr
        return result.stdout + result.stderr

    def make_older(self, days):
        """All that the history holds happened so many days before."""
        for table in self.target.query("select target_schema, target_table from"
                                       " pgchronicle.table_state"):
            self.target.execute(
                "update {}.{} set valid_from = valid_from - interval '{} days',"
                " valid_to = valid_to - interval '{} days'".format(*table, days, days))
        self.target.execute(
            f"update pgchronicle.table_state set seam_time = seam_time - interval '{days} days';"
            "update pgchronicle.checkpoint set last_commit_time = last_commit_time"
            f" - interval '{days} days'")

    def noted(self, day):
        return (self.data / "moments" / day).read_text().strip()

    def extracted_city(self, day):
        """Where the first order of that day's file goes."""
        self.step("extract-postgres", day)
        with (self.data / "postgres/public.orders" / day / "public.orders.csv").open() as file:
            return next(csv.DictReader(file))["ship_city"]


@pytest.fixture(name="shop")
def make_shop(factory, program, tmp_path):
    shop = Shop(factory, program, tmp_path)
    yield shop
    for database in (shop.source, shop.target):
        database.connection.close()
        database.cluster.destroy()


def move_first_order(shop, city):
    shop.source.execute("update orders set ship_city = %s where order_id ="
                        " (select min(order_id) from orders)", (city,))


def test_a_past_day_stands_at_its_end_whenever_it_is_first_run(shop):
    today = datetime.now(timezone.utc).date()
    day = {back: str(today - timedelta(days=back)) for back in range(-1, 10)}
    assert "still to come" in shop.step("replicate", day[-1], code=3)
    shop.step("replicate", day[9])  # Before the history: where it stands now.
    for city in ("Then", "Later"):
        move_first_order(shop, city)
        shop.step("replicate", day[9])
        shop.make_older(3)
    # "Then" was six days ago, "Later" three.
    said = shop.step("replicate", day[2])
    assert said.startswith(f"{day[2]} stands at {shop.noted(day[2])}\n")
    move_first_order(shop, "Now")
    for back in (0, 1, 3, 4, 5, 6, 8):
        shop.step("replicate", day[back])
    assert {back: shop.extracted_city(day[back]) for back in (0, 1, 2, 3, 4, 5, 6, 8)} == {
        8: "Now", 6: "Then", 5: "Then", 4: "Then", 3: "Later", 2: "Later", 1: "Later", 0: "Now"}
    assert not [path for path in shop.data.rglob(".*")]


@pytest.mark.skipif(not (GIVEN / "northwind.sql").is_file(), reason="the user's data is not here")
def test_it_runs_on_the_data_that_was_given(tmp_path):
    said = northwind(tmp_path, NORTHWIND_SQL=str(GIVEN / "northwind.sql"),
                     NORTHWIND_CSV=str(GIVEN / "order_details.csv"))
    assert "13 tables, 2155 details, two days" in said
    check_files(tmp_path, GIVEN / "order_details.csv")


def test_a_folder_that_a_killed_run_set_aside_is_put_back(tmp_path):
    folder = tmp_path / "csv" / "order_details"
    env = {**os.environ, "NORTHWIND_DATA": str(tmp_path)}
    command = [EXAMPLE / "pipeline", "extract-csv", "2026-03-01"]
    subprocess.run(command, env=env, check=True, timeout=20, stdout=subprocess.DEVNULL)
    written = (folder / "2026-03-01" / "order_details.csv").stat().st_ino
    (folder / "2026-03-01").rename(folder / ".2026-03-01.before")
    result = subprocess.run(command, env=env, check=True, timeout=20, capture_output=True, text=True)
    assert "is there already" in result.stdout
    assert (folder / "2026-03-01" / "order_details.csv").stat().st_ino == written
    # One that has not succeeded is no such day: another takes its place.
    (folder / "2026-03-01" / "_SUCCESS").unlink()
    subprocess.run(command, env=env, check=True, timeout=20, stdout=subprocess.DEVNULL)
    assert (folder / "2026-03-01" / "order_details.csv").stat().st_ino != written
    assert [path.name for path in folder.iterdir()] == ["2026-03-01"]


def test_steps_say_how_they_are_used():
    pipeline = EXAMPLE / "pipeline"
    for arguments, code, part in ((["--help"], 0, "extract-postgres DAY"), ([], 2, "pipeline all"),
                                  (["load", "yesterday"], 2, "like 2026-03-03")):
        result = subprocess.run([pipeline, *arguments], capture_output=True, text=True, timeout=20)
        assert (result.returncode, part in result.stdout + result.stderr) == (code, True)
    assert pipeline.stat().st_mode & 0o111

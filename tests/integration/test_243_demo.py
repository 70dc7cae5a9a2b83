"""`make demo`, the finance example from nothing: it comes to its end, and leaves nothing."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from support.pgchronicle import REPO

TABLES = ("customers", "products", "orders", "order_items")
VIEWS = ("open_orders_by_delivery_date_status", "top_delivery_dates_open_orders",
         "open_pending_items_by_product", "top_customers_with_pending_orders")


def processes_of(folder):
    """Processes whose command line names the folder: `make demo` must leave none."""
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
def demo(program):
    return subprocess.run(
        [REPO / "scripts" / "demo"], capture_output=True, text=True, timeout=120, check=False,
        env={**{k: v for k, v in os.environ.items() if not k.startswith("PG")},
             "PGCHRONICLE_BIN": program, "PGCHRONICLE_DEMO_SECONDS": "1"})


def test_it_comes_to_its_end_and_leaves_nothing(demo):
    assert demo.returncode == 0, demo.stdout[-3000:] + demo.stderr[-3000:]
    assert "nothing is left running" in demo.stdout
    assert processes_of("/tmp/pgchronicle-demo.") == []
    assert list(Path("/tmp").glob("pgchronicle-demo.*")) == []


def test_the_history_is_shown_and_equals_the_source(demo):
    for table in TABLES:
        assert re.search(rf"^    {table}: [1-9]\d* rows, current versions equal to the source's$",
                         demo.stdout, re.M), table
    versions = demo.stdout.split("==> one order:")[1]
    told = re.findall(r"^ (INSERT|UPDATE|DELETE) +\| (\w+) +\| f ", versions, re.M)
    assert told == [("INSERT", "PENDING"), ("UPDATE", "PROCESSING"), ("UPDATE", "COMPLETED"),
                    ("DELETE", "COMPLETED")]
    assert re.search(r"^operations\.orders, order_id = \d+: 4 versions$", versions, re.M)
    assert re.search(r"^ +\d+ \| PROCESSING$", versions, re.M)


def test_views_reports_and_status_are_shown(demo):
    for view in VIEWS:
        assert re.search(rf"^analytics\.{view}\n .*\n-[-+]+\n .*\d", demo.stdout, re.M), view
    assert re.search(r"^customer_id +customer_name +pending_order_count\n +\d", demo.stdout, re.M)
    assert re.search(r"^delivery_date,status,open_order_count\n\d{4}-\d\d-\d\d,\w+,\d+$",
                     demo.stdout, re.M)
    assert re.search(r"^health +green$", demo.stdout, re.M)

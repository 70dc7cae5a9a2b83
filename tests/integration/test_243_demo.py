"""`make demo`, the finance example from nothing: it comes to its end, and leaves nothing."""

import re

import pytest

from support.example_script import assert_ran_and_left_nothing, run_example

TABLES = ("customers", "products", "orders", "order_items")
VIEWS = ("open_orders_by_delivery_date_status", "top_delivery_dates_open_orders",
         "open_pending_items_by_product", "top_customers_with_pending_orders")


@pytest.fixture(scope="module")
def demo():
    return run_example("demo", timeout=120, PGCHRONICLE_DEMO_SECONDS="1")


def test_it_comes_to_its_end_and_leaves_nothing(demo):
    assert_ran_and_left_nothing(demo, "demo")


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

"""The finance example's reports on a live pipeline, against the same questions to the source."""

import csv
import json

import pytest
from support.finance import EXAMPLE
from support.pgchronicle import EXIT_CHECK_FAILED, EXIT_DONE, EXIT_USAGE

OPEN = "status in ('OPEN', 'PENDING')"
STATUSES = {"open": OPEN, "all": "true", "pending": "status = 'PENDING'",
            "completed": "status = 'COMPLETED'", "cancelled": "status = 'CANCELLED'"}


@pytest.fixture(scope="module")
def finance(live_finance):
    """Traffic of hours, then rows of each kind that a report tells apart; and the stream behind."""
    made = live_finance
    for call in ("upsert_customers(3)", "upsert_products(3)", "place_orders(30, 4)", "churn(2)"):
        made.source.execute(f"call operations.{call}")
    made.source.execute("""
        insert into operations.orders (order_date, delivery_date, customer_id, status)
        select current_date - 1, current_date + 1 + n % 7, 1 + n * n % 7,
               (array['OPEN', 'PENDING', 'COMPLETED', 'CANCELLED', 'PROCESSING'])[1 + n % 5]
        from generate_series(1, 40) n;
        insert into operations.order_items (order_id, product_id, quanity)
        select order_id, 1 + order_id % 9, 10 + order_id % 3 from operations.orders
        where order_id % 4 > 0;
        insert into operations.order_items (order_id, product_id, quanity)
        values (900001, 1, 5), (900001, 2, 6), (900002, 1, 7);
        insert into operations.products (product_name, barcode, unity_price)
        values ('Not counted yet', '0', 1);
        insert into operations.order_items (order_id, product_id, quanity)
        select min(order_id), currval('operations.products_product_id_seq'), null
        from operations.orders where status = 'PENDING'""")
    made.catch_up(made.service)
    made.create_views()
    return made


def reported(finance, name, **parameters):
    """The report's rows as tuples, and its column names."""
    options = [f"--{key}={value}" for key, value in parameters.items()]
    result = finance.run("report", name, *options, "--format", "json")
    assert result.returncode == EXIT_DONE, result.stderr
    rows = json.loads(result.stdout)
    return list(rows[0]) if rows else None, [tuple(row.values()) for row in rows]


def asked(finance, sql):
    """The source's answer, as JSON has it: dates as text, sums as integers."""
    with finance.source.connection.cursor() as cursor:
        cursor.execute(sql)
        names = [column.name for column in cursor.description]
        return names, [tuple(value if isinstance(value, (int, str, type(None))) else str(value)
                             for value in row) for row in cursor.fetchall()]


@pytest.mark.parametrize("status", STATUSES)
def test_orders(finance, status):
    wanted = asked(finance, f"""
        select delivery_date, status, count(*) open_order_count from operations.orders
        where {STATUSES[status]} group by 1, 2 order by 1, 2""")
    assert wanted[1] and reported(finance, "orders", status=status) == wanted
    if status == "open":
        assert reported(finance, "orders") == wanted == reported(finance, "open_orders")


@pytest.mark.parametrize("limit", [1, 3, 5])
def test_orders_top(finance, limit):
    wanted = asked(finance, f"""
        select delivery_date, count(*) open_order_count from operations.orders where {OPEN}
        group by 1 order by 2 desc, 1 limit {limit}""")
    assert len(wanted[1]) == limit
    assert reported(finance, "orders_top", limit=limit) == wanted
    assert reported(finance, "top_dates", limit=limit) == wanted


def test_orders_product(finance):
    wanted = asked(finance, """
        select i.product_id, product_name, sum(quanity)::bigint pending_item_count
        from operations.order_items i join operations.orders o using (order_id)
        join operations.products p using (product_id)
        where status in ('PENDING', 'PROCESSING', 'REPROCESSING')
        group by 1, 2 order by 3 desc nulls last, 1""")
    assert len(wanted[1]) > 5 and reported(finance, "orders_product") == wanted
    assert wanted[1][-1][1:] == ("Not counted yet", None)
    assert finance.target.query(
        "select * from analytics.open_pending_items_by_product") == wanted[1]
    assert reported(finance, "pending_items") == asked(finance, """
        select product_id, sum(quanity)::bigint pending_item_count
        from operations.order_items join operations.orders using (order_id)
        where status = 'PENDING' group by 1 order by 2 desc nulls last, 1""")


@pytest.mark.parametrize("status", STATUSES)
def test_orders_customers(finance, status):
    wanted = asked(finance, f"""
        select customer_id, customer_name, count(*) pending_order_count
        from operations.customers join operations.orders using (customer_id)
        where {STATUSES[status]} group by 1, 2 order by 3 desc, 1 limit 4""")
    assert wanted[1] and reported(finance, "orders_customers", status=status, limit=4) == wanted


def test_top_customers_have_the_most_pending_orders(finance):
    wanted = asked(finance, """
        select customer_id, count(*) pending_order_count from operations.orders
        where status = 'PENDING' group by 1 order by 2 desc, 1 limit 3""")
    assert reported(finance, "top_customers") == wanted


def test_the_analytics_run(finance):
    assert reported(finance, "top_customers_by_orders", limit=5) == asked(finance, """
        select customer_id, customer_name, count(*) order_count from operations.customers
        join operations.orders using (customer_id) group by 1, 2 order by 3 desc, 1 limit 5""")
    assert reported(finance, "top_products_by_quantity", limit=5) == asked(finance, """
        select product_id, product_name, sum(quanity)::bigint quantity_ordered
        from operations.products join operations.order_items using (product_id)
        group by 1, 2 order by 3 desc nulls last, 1 limit 5""")
    assert reported(finance, "orders_by_status") == asked(finance, """
        select status, count(*) order_count from operations.orders group by 1 order by 2 desc, 1""")
    names, rows = reported(finance, "customers_over_time", moments=4)
    assert names == ["moment", "customer_count"] and len(rows) == 4
    assert rows == sorted(rows, key=lambda row: row[0])
    for moment, count in rows:
        assert count == finance.target.value(
            "select count(*) from analytics.customers_as_of(%s)", (moment,))
    assert rows[-1][1] == finance.source.value("select count(*) from operations.customers")


def test_data_quality(finance):
    wanted = asked(finance, """
        select order_id, status, order_date, customer_id from operations.orders o
        where not exists (select from operations.order_items i where i.order_id = o.order_id)
        order by 1""")
    assert wanted[1] and reported(finance, "orders_without_items") == wanted
    assert {(900001, 2), (900002, 1)} <= {
        row[:2] for row in reported(finance, "items_without_order")[1]}
    unmatched = finance.target.query("select * from analytics.orders_and_items_unmatched")
    assert {row[0] for row in unmatched if row[0]} == {row[0] for row in wanted[1]}
    assert {row[1] for row in unmatched if row[1]} >= {900001, 900002}


def test_historic_and_current_views_part_the_orders(finance):
    counts = finance.target.query("""
        select (select count(*) from analytics.orders_historic),
               (select count(*) from analytics.orders_today),
               (select count(*) from analytics.orders_historic_and_today)""")[0]
    total = finance.source.value("select count(*) from operations.orders")
    assert counts[0] + counts[1] == counts[2] == total and counts[0] >= 40
    for part, count in (("historic", counts[0]), ("today", counts[1]), ("all", total)):
        assert sum(row[2] for row in reported(finance, "orders_by_age", part=part)[1]) == count


@pytest.mark.parametrize("arguments", [
    ["orders_top", "--limit", "0"], ["orders_top", "--limit", "-3"],
    ["orders_customers", "--limit", "0"], ["orders_customers", "--status", "closed"],
    ["orders", "--status", "OPEN"], ["orders", "--status", ""], ["orders", "--limit", "1"],
])
def test_wrong_parameters_are_refused(finance, arguments):
    result = finance.run("report", *arguments)
    assert result.returncode == EXIT_USAGE and "DETAIL:  It " in result.stderr


def test_every_report_is_exported(finance, tmp_path):
    result = finance.run("report", "--all", "--export", str(tmp_path))
    assert result.returncode == EXIT_DONE, result.stderr
    names = {path.stem for path in (EXAMPLE / "reports").glob("*.sql")}
    files = {path.name.split("_result_")[0]: path for path in tmp_path.iterdir()}
    assert set(files) == names and len(names) == 15
    for query in ("top_customers", "pending_items", "top_dates", "open_orders"):
        with files[query].open(newline="") as file:
            head, *rows = csv.reader(file)
        told = reported(finance, query)
        assert (head, [tuple(row) for row in rows]) == (
            told[0], [tuple("" if value is None else str(value) for value in row)
                      for row in told[1]])


def test_a_report_follows_the_source(finance):
    """Live: an order counts as soon as its transaction is in the history."""
    before = dict(reported(finance, "orders_by_status")[1])
    finance.source.execute("update operations.orders set status = 'CANCELLED'"
                           " where status = 'COMPLETED'")
    finance.catch_up(finance.service)
    after = dict(reported(finance, "orders_by_status")[1])
    assert "COMPLETED" not in after
    assert after["CANCELLED"] == before["CANCELLED"] + before["COMPLETED"]


def test_without_the_history_a_report_says_what_is_missing(finance):
    result = finance.run("report", "orders", env={"TARGET_PORT": "1"})
    assert result.returncode > EXIT_CHECK_FAILED and "Connection refused" in result.stderr

"""Every endpoint of the first document, with right and wrong parameters, on live data."""

import pytest
from support.waiting import wait_until
from support.web import Web

STATUSES = {"open": "status in ('OPEN', 'PENDING')", "all": "true",
            "pending": "status = 'PENDING'", "completed": "status = 'COMPLETED'",
            "cancelled": "status = 'CANCELLED'"}


@pytest.fixture(scope="module")
def finance(live_finance):
    made = live_finance
    made.web = Web(made.port)
    made.source.execute("""
        insert into operations.orders (order_date, delivery_date, customer_id, status)
        select current_date - 1, current_date + 1 + n % 5, 1 + n * n % 7,
               (array['OPEN', 'PENDING', 'COMPLETED', 'CANCELLED', 'PROCESSING'])[1 + n % 5]
        from generate_series(1, 40) n""")
    made.catch_up(made.service)
    return made


def rows(finance, sql):
    """The source's answer as JSON has it."""
    with finance.source.connection.cursor() as cursor:
        cursor.execute(sql)
        names = [column.name for column in cursor.description]
        return [{name: value if isinstance(value, (int, str, type(None))) else
                 (int(value) if name.endswith("count") else str(value))
                 for name, value in zip(names, row)} for row in cursor.fetchall()]


def fresh(finance):
    """What to ask for to see all that the source has by now."""
    return finance.source.value("select pg_current_wal_lsn()::text")


@pytest.mark.parametrize("status", [None, *STATUSES])
def test_orders_by_status(finance, status):
    given = {"status": status} if status else {}
    found = finance.web.get("/orders", min_lsn=fresh(finance), **given)
    assert found == rows(finance, f"""
        select delivery_date, status, count(*) as open_order_count from operations.orders
        where {STATUSES[status or "open"]} group by 1, 2 order by 1, 2""")
    if status != "cancelled":
        assert found


@pytest.mark.parametrize("limit", [None, 1, 3, 1000, 1_000_000_000_000])
def test_top_delivery_dates(finance, limit):
    given = {"limit": limit} if limit else {}
    assert finance.web.get("/orders/top", **given) == rows(finance, f"""
        select delivery_date, count(*) as open_order_count from operations.orders
        where {STATUSES["open"]} group by 1 order by 2 desc, 1 limit {limit or 3}""")


def test_items_by_product(finance):
    assert finance.web.get("/orders/product") == rows(finance, """
        select i.product_id, p.product_name, sum(i.quanity) as pending_item_count
        from operations.order_items i join operations.orders o using (order_id)
        join operations.products p using (product_id)
        where o.status in ('PENDING', 'PROCESSING', 'REPROCESSING')
        group by 1, 2 order by 3 desc, 1""")


@pytest.mark.parametrize("status", [None, *STATUSES])
def test_customers(finance, status):
    given = {"status": status, "limit": 2} if status else {}
    assert finance.web.get("/orders/customers", **given) == rows(finance, f"""
        select c.customer_id, c.customer_name, count(*) as pending_order_count
        from operations.customers c join operations.orders o using (customer_id)
        where {STATUSES[status or "pending"]} group by 1, 2 order by 3 desc, 1
        limit {2 if status else 3}""")


@pytest.mark.parametrize("path", ["/orders/top", "/orders/customers"])
@pytest.mark.parametrize("limit", ["0", "-1", "three", "", "1.5", "1;drop table x",
                                   "99999999999999999999"])
def test_a_wrong_limit_is_400_with_a_message(finance, path, limit):
    assert "limit" in finance.web.refused(path, 400, limit=limit)


@pytest.mark.parametrize("path", ["/orders", "/orders/customers"])
@pytest.mark.parametrize("status", ["unknown", "OPEN", "", "open'--", "open\u00a0"])
def test_a_wrong_status_is_400_with_a_message(finance, path, status):
    assert "status" in finance.web.refused(path, 400, status=status)


def test_parameters_that_are_unknown_or_twice_are_400(finance):
    web = finance.web
    for path in ("/orders", "/orders/top", "/orders/product", "/orders/customers"):
        assert "colour" in web.refused(path, 400, colour="red")
    web.refused("/orders", 400, status=["open", "all"])
    web.refused("/orders/product", 400, limit="3")
    web.refused("/orders/nothing", 404)


def test_the_documentation_names_every_endpoint(finance):
    paths = finance.web.get("/openapi.json")["paths"]
    for path in ("/orders", "/orders/top", "/orders/product", "/orders/customers"):
        assert paths[path]["get"]["responses"]["400"]
    status, least = paths["/orders"]["get"]["parameters"]
    assert (status["name"], status["schema"]["enum"], status["schema"]["default"]) == (
        "status", ["open", "pending", "completed", "cancelled", "all"], "open")
    assert least["name"] == "min_lsn"
    limit = paths["/orders/top"]["get"]["parameters"][0]["schema"]
    assert (limit["type"], limit["minimum"], limit["default"]) == ("integer", 1, 3)
    assert finance.web.ask("/docs").status == 200
    assert finance.web.get("/health")["health"] == "green"


def test_one_s_own_write_is_seen_with_min_lsn(finance):
    finance.source.execute("insert into operations.orders (order_date, delivery_date, customer_id, "
                           "status) values (current_date, date '2099-01-01', 1, 'OPEN')")
    found = finance.web.get("/orders", min_lsn=fresh(finance))
    assert {"delivery_date": "2099-01-01", "status": "OPEN", "open_order_count": 1} in found


def test_an_unreachable_database_is_503(finance):
    """The last scene of this module: the target is stopped, and started again."""
    cluster = finance.target.cluster
    cluster.stop("immediate")
    wait_until(lambda: finance.web.ask("/orders").status == 503, 20, "the end to be noticed")
    answer = finance.web.ask("/orders")
    assert (answer.status, answer.error) == (503, "could not ask the target")
    wait_until(lambda: finance.web.ask("/health").status == 503, 20, "health to be red")
    assert "limit" in finance.web.refused("/orders/top", 400, limit="0")
    cluster.start()
    wait_until(lambda: finance.web.ask("/orders").status == 200, 30, "an answer again")

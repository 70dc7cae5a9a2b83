"""However much there is to read, the service holds a bounded part of it."""

import json

import pytest

from support.pgchronicle import EXIT_DONE
from support.web import serve

VERSIONS = 200_000
VERSION_BYTES = 1_000
# The service by itself, one answer, and its JSON.
MEMORY_MAX = 160 << 20
REPORTS = {
    "small": "SELECT n FROM generate_series(1, 3) n",
    "large": "SELECT repeat('x', 1000) AS text "
             "FROM generate_series(1, 1000000) n",
}


@pytest.fixture
def shop(scene, tmp_path):
    scene.source.execute("create table operations.items (id bigint primary key, v text);"
                         "alter table operations.items replica identity full")
    scene.publish()
    folder = tmp_path / "reports"
    folder.mkdir()
    for name, sql in REPORTS.items():
        (folder / f"{name}.sql").write_text(
            f"-- name: {name}\n-- path: /reports/{name}\n-- description: Rows.\n{sql}\n")
    scene.configure(reports={"dir": str(folder)})
    scene.service, scene.web = serve(scene, statement_timeout="60s")
    return scene


def many_versions(scene, count, size):
    """A row with that many closed versions, written as the writer does."""
    scene.source.execute("insert into operations.items values (1, 'last')")
    scene.catch_up(scene.service)
    scene.target.execute(
        "insert into analytics.items_history (id, v, valid_from, valid_to, is_current, "
        "operation_type, lsn_from, lsn_to, change_seq) "
        f"select 1, rpad(n::text, {size}, 'x'), now() - interval '1 day', "
        "now() - interval '1 day', false, 'UPDATE', '0/1'::pg_lsn + n, '0/2'::pg_lsn + n, n "
        f"from generate_series(1, {count}) n")


def pages(web, **parameters):
    after = {}
    while True:
        page = web.get("/tables/items/history", key="1", **parameters, **after)
        yield page
        if page["next"] is None:
            return
        after = {"after": page["next"]}


def test_a_history_comes_in_pages(shop):
    many_versions(shop, 9, 1)
    whole = shop.web.get("/tables/items/history", key="1")
    assert (len(whole["versions"]), whole["next"]) == (10, None)
    for limit in (1, 3, 5, 9, 10):
        found = list(pages(shop.web, limit=limit))
        assert [version for page in found for version in page["versions"]] == whole["versions"]
        assert len(found) == -(-10 // limit)
    # Of a page's first version, too, it is known what it changed.
    assert [version["changed"] for version in whole["versions"]] == [[]] + 9 * [["v"]]
    web = shop.web
    web.refused("/tables/items/history", 400, key="1", limit=0)
    web.refused("/tables/items/history", 400, key="1", limit=10_001)
    web.refused("/tables/items/history", 400, key="1", after="x")
    token = web.get("/tables/items/as-of", limit=1)["next"]
    assert token is None
    shop.source.execute("insert into operations.items values (2, 'other')")
    shop.catch_up(shop.service)
    token = web.get("/tables/items/as-of", limit=1)["next"]
    web.refused("/tables/items/history", 400, key="1", after=token)
    command = shop.pipeline.run("history", "operations.items", "1", "--format", "json")
    assert command.returncode == EXIT_DONE, command.stderr
    assert json.loads(command.stdout)["versions"] == whole["versions"]


def test_a_long_history_does_not_fill_the_memory(shop):
    many_versions(shop, VERSIONS, VERSION_BYTES)
    page = shop.web.get("/tables/items/history", key="1")
    assert (len(page["versions"]), bool(page["next"])) == (1000, True)
    second = shop.web.get("/tables/items/history", key="1", after=page["next"])
    assert second["versions"][0]["change_seq"] == page["versions"][-1]["change_seq"] + 1
    assert shop.service.rss_peak() < MEMORY_MAX


def test_what_is_too_large_is_refused(shop):
    web = shop.web
    answer = web.ask("/reports/large", timeout=60)
    assert (answer.status, answer.json) == (400, {"error": {
        "code": "too_large", "message": "the answer is too large",
        "detail": "More than 32 MiB are not held for one.",
        "hint": "Ask for less through the report's parameters, or use \"pgchronicle report\", "
                "which has no limit."}})
    assert shop.service.rss_peak() < MEMORY_MAX
    # The same connections go on.
    assert web.get("/reports/small") == [{"n": 1}, {"n": 2}, {"n": 3}]
    shop.source.execute("insert into operations.items select n, repeat('y', 100000) "
                        "from generate_series(1, 400) n")
    shop.catch_up(shop.service)
    assert "too large" in web.refused("/tables/items/as-of", 400, limit=1000)
    assert len(web.get("/tables/items/as-of", limit=100)["rows"]) == 100
    shop.target.execute(
        "insert into analytics.items_history (id, v, valid_from, valid_to, is_current, "
        "operation_type, lsn_from, lsn_to, change_seq) "
        "select 1, repeat('z', 100000), now(), now(), false, 'UPDATE', '0/1', '0/2', n "
        "from generate_series(1, 400) n")
    assert "too large" in web.refused("/tables/items/history", 400, key="1")

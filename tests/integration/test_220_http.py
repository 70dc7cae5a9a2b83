"""The history over HTTP: endpoints on live data, pages, caching, and how they end."""

import json
import re
import shutil
import subprocess
import time

import pytest

from support.cluster import free_port
from support.pgchronicle import EXIT_DONE, EXIT_USAGE, REPO, merge
from support.roles import READER, READER_PASSWORD
from support.waiting import wait_until
from support.web import Raw, Web, answers, serve, wait_ready


@pytest.fixture
def shop(scene):
    """Ten items, of which one has changed and one is gone."""
    scene.source.execute(
        "create table operations.items (id bigint primary key, name text, price numeric, "
        "data jsonb, active boolean);"
        "alter table operations.items replica identity full;"
        "create table operations.pairs (region text, number integer, v text, "
        "primary key (region, number));"
        "create table operations.bag (v text);"
        "alter table operations.bag replica identity full;")
    scene.publish()
    scene.service, scene.web = serve(scene)
    scene.source.execute(
        "insert into operations.items select n, 'item ' || n, n + 0.50, '{\"a\": [1, null]}', "
        "n % 2 = 0 from generate_series(1, 10) n;"
        "insert into operations.pairs values ('EU', 1, 'a'), ('EU', 2, 'b'), ('US', 1, 'c');")
    scene.source.execute("update operations.items set price = 99 where id = 7")
    scene.source.execute("delete from operations.items where id = 8")
    scene.catch_up(scene.service)
    return scene


def written(scene):
    """Where the source is: what is asked for with that as min_lsn shows all it has by now."""
    return scene.source.value("select pg_current_wal_lsn()::text")


def test_what_the_service_says_of_itself(shop):
    web = shop.web
    health = web.get("/health")
    assert (health["healthy"], health["health"], health["state"], health["target"],
            health["source"], health["gaps"]) == (True, "green", "streaming", True, True, 0)
    assert web.get("/ready")["ready"] is True
    status = web.get("/status")
    assert {table["source"] for table in status["tables"]} == {
        "operations.items", "operations.pairs", "operations.bag"}
    assert status["slot"]["name"] == shop.slot
    # Versions and closes: where a version begins and ends in one batch, they are one.
    wait_until(lambda: 15 <= web.metric("rows_total") <= 17, 10, "each row to be counted")
    assert web.metric("transactions_total") >= 3
    assert web.metric("healthy") == 1
    assert web.metric('slot_wal_status{pipeline="%s",wal_status="reserved"' % shop.name) == 1
    assert web.metric("resident_memory_bytes") > 1e6
    samples = wait_until(lambda: web.get("/metrics/history"), 10, "a sample")
    assert sorted(samples[0]) == ["lag_bytes", "lag_seconds", "rows_per_second", "t"]
    assert web.get("/metrics/history", since=samples[-1]["t"] + 3600) == []
    web.refused("/metrics/history", 400, since="yesterday")


def test_tables_with_rows_versions_and_keys(shop):
    tables = {table["name"]: table for table in shop.web.get("/tables")}
    assert sorted(tables) == ["operations.bag", "operations.items", "operations.pairs"]
    items = tables["operations.items"]
    assert (items["history"], items["state"], items["row_key"], items["rows"],
            items["versions"]) == ("analytics.items_history", "copied", ["id"], 9, 12)
    assert items["columns"][:3] == [{"name": "id", "type": "bigint"},
                                    {"name": "name", "type": "text"},
                                    {"name": "price", "type": "numeric"}]
    assert items["consistent_from"]
    web = shop.web
    assert web.get("/tables/pairs/keys", prefix="EU") == {
        "keys": [{"region": "EU", "number": 1}, {"region": "EU", "number": 2}]}
    assert web.get("/tables/pairs/keys", prefix="EU,2")["keys"] == [{"region": "EU", "number": 2}]
    assert web.get("/tables/items/keys", limit=2)["keys"] == [{"id": 1}, {"id": 2}]
    # The key of a row that is gone is found as well.
    assert web.get("/tables/items/keys", prefix="8")["keys"] == [{"id": 8}]
    assert web.get("/tables/items/keys", prefix="%")["keys"] == []
    assert "has no key" in web.refused("/tables/bag/keys", 400)


def test_keys_of_many_types_are_found(scene):
    scene.source.execute(
        "create collation operations.loose (provider = icu, locale = 'und-u-ks-level2', "
        "deterministic = false);"
        "create table operations.numbers (id integer primary key);"
        "create table operations.prices (price numeric primary key);"
        "create table operations.words (word text collate operations.loose primary key);"
        "create table operations.codes (code char(5), uid uuid, primary key (code, uid));"
        "create table operations.days (day date primary key);")
    scene.publish()
    service, web = serve(scene)
    scene.source.execute(
        "insert into operations.numbers select n from generate_series(-2000, 13000) n;"
        "insert into operations.prices values (12), (12.5), (120.25), (13), (-1.5), (0.5);"
        "insert into operations.words values ('Abc'), ('abd'), ('b'), ('a,b');"
        "insert into operations.codes values "
        "('A1', '0a000000-0000-0000-0000-000000000001'), "
        "('A1', '0b000000-0000-0000-0000-000000000001'), "
        "('B', '0a000000-0000-0000-0000-000000000001');"
        "insert into operations.days values ('2026-11-22'), ('2025-01-01');")
    scene.catch_up(service)

    def found(table, prefix, limit=20):
        return [list(key.values()) for key in
                web.get(f"/tables/{table}/keys", prefix=prefix, limit=limit)["keys"]]

    assert found("numbers", "129", 12) == [[129], *([n] for n in range(1290, 1300)), [12900]]
    assert found("numbers", "-199") == [*([n] for n in range(-1999, -1989)), [-199]]
    assert found("numbers", "0") == [[0]]
    assert found("numbers", "99999999999") == []
    assert found("prices", "12") == [[12], [12.5], [120.25]]
    assert (found("prices", "12."), found("prices", "-1")) == ([[12.5]], [[-1.5]])
    assert (found("words", "ab"), found("words", "Ab")) == ([["abd"]], [["Abc"]])
    assert found("words", "a,") == [["a,b"]]
    first, second = "0a000000-0000-0000-0000-000000000001", "0b000000-0000-0000-0000-000000000001"
    assert [uid for _, uid in found("codes", "A")] == [first, second]
    assert [uid for _, uid in found("codes", "A1,0b")] == [second]
    assert found("days", "2026-1") == [["2026-11-22"]]
    assert service.stop() == EXIT_DONE


def test_the_versions_of_a_row(shop):
    row = shop.web.get("/tables/operations.items/history", key="7")
    assert (row["table"], row["key"]) == ("operations.items", {"id": 7})
    first, second = row["versions"]
    assert first["values"] == {"id": 7, "name": "item 7", "price": 7.50, "data": {"a": [1, None]},
                               "active": False}
    assert (second["operation_type"], second["changed"], second["is_current"]) == (
        "UPDATE", ["price"], True)
    assert second["lsn_from"] == first["lsn_to"]
    assert shop.web.get("/tables/pairs/history", key=["EU", "2"])["key"] == {
        "region": "EU", "number": 2}
    assert shop.web.get("/tables/items/history", key="12345")["versions"] == []


def test_requests_that_cannot_be_answered(shop):
    web = shop.web
    assert "unknown parameter \"limit\"" in web.refused("/tables", 400, limit=1)
    web.refused("/tables/items/history", 400)
    web.refused("/tables/items/history", 400, key="seven")
    web.refused("/tables/items/history", 400, key=["1", "2"])
    web.refused("/tables/nothing/history", 404, key="1")
    web.refused("/tables/items/as-of", 400, lsn="x")
    web.refused("/tables/items/as-of", 400, at="then")
    web.refused("/tables/items/as-of", 400, at="2020-01-01")  # Before there is a history.
    web.refused("/tables/items/as-of", 400, limit="0")
    web.refused("/tables/items/as-of", 400, limit="10001")
    web.refused("/tables/items/as-of", 400, after="x")
    web.refused("/tables/items/as-of", 400, lsn="0/1", at="now")
    web.refused("/tables/items/keys", 400, limit="-1")
    web.refused("/nothing", 404)
    web.refused("/tables", 400, min_lsn="x")


def test_pages_of_a_moment_are_of_one_moment(shop):
    web = shop.web
    first = web.ask("/tables/items/as-of", parameters={"limit": 4})
    page = first.json
    assert (first.headers["X-Pgchronicle-Final"], page["final"]) == ("false", False)
    assert [row["id"] for row in page["rows"]] == [1, 2, 3, 4]
    # What happens between two pages is not seen by the second.
    shop.source.execute("delete from operations.items where id >= 5; "
                        "insert into operations.items values (11, 'new')")
    shop.catch_up(shop.service)
    rest, after = [], page["next"]
    while after:
        page = web.get("/tables/items/as-of", limit=4, after=after)
        rest += [row["id"] for row in page["rows"]]
        after = page["next"]
    assert rest == [5, 6, 7, 9, 10]
    now = web.get("/tables/items/as-of", min_lsn=written(shop))
    assert [row["id"] for row in now["rows"]] == [1, 2, 3, 4, 11]
    # The token is of that table only.
    token = web.get("/tables/pairs/as-of", limit=1)["next"]
    web.refused("/tables/items/as-of", 400, after=token)


def test_pages_of_wide_rows_have_short_tokens(shop):
    """Longer ones would not fit a request."""
    shop.source.execute("create table operations.wide (a integer, k text, primary key (k, a))")
    chance = "(select string_agg(md5(n::text || m), '') from generate_series(1, 150) m)"
    shop.source.execute(
        f"insert into operations.bag select {chance} from generate_series(1, 4) n;"
        f"insert into operations.bag select 'begins the same ' || repeat('x', 5000) || n % 3"
        " from generate_series(1, 5) n;")
    long_key = "'key ' || repeat('y', 2000) || n % 3"
    shop.source.execute(
        f"insert into operations.wide select n, {long_key} from generate_series(1, 7) n;"
        "insert into operations.wide values (1, 'short'), (2, 'short'), (3, '')")
    shop.catch_up(shop.service)
    wait_until(lambda: shop.target.value("select count(*) from pgchronicle.table_state"
                                         " where state = 'copied'") == 4, 30, "it to be copied")
    for table, count in (("bag", 9), ("wide", 10)):
        every = shop.web.get(f"/tables/{table}/as-of")["rows"]
        assert len(every) == count
        for limit in (1, 2, 3):
            rows, after = [], {}
            while after is not None:
                page = shop.web.get(f"/tables/{table}/as-of", limit=limit, **after)
                rows += page["rows"]
                after = {"after": page["next"]} if page["next"] else None
                assert len(page["next"] or "") < 500
            assert rows == every


def test_pages_of_imported_tables_are_of_one_moment(shop, tmp_path):
    """Files that come at one position are told apart by their time."""
    path = tmp_path / "goods.csv"
    assert shop.service.stop() == EXIT_DONE

    def import_(name):
        path.write_text("id,name\n" + "".join(f"{n},{name}\n" for n in range(5)))
        result = shop.run("import", str(path), "--table", "goods", "--key", "id")
        assert result.returncode == EXIT_DONE, result.stderr

    import_("one")
    shop.service, shop.web = serve(shop)
    for parameters in ({}, {"at": "2100-01-01"}, {"lsn": "FFFF/0"}):
        page = shop.web.get("/tables/goods/as-of", limit=2, **parameters)
        before = page["rows"][0]["name"]
        import_(before + "+")
        rows = page["rows"]
        while page["next"]:
            page = shop.web.get("/tables/goods/as-of", limit=2, after=page["next"])
            rows += page["rows"]
        assert {row["name"] for row in rows} == {before} and len(rows) == 5


def test_an_answer_knows_its_lsn(shop):
    web = shop.web
    first = web.ask("/tables/items/as-of")
    tag, lsn = first.headers["ETag"], first.headers["X-Pgchronicle-LSN"]
    same = web.ask("/tables/items/as-of", headers={"If-None-Match": f'"x", {tag}'})
    if same.headers["ETag"] == tag:
        assert (same.status, same.body) == (304, b"")
    else:  # An idle position was stored in between.
        assert (same.status, same.json["rows"]) == (200, first.json["rows"])
    shop.source.execute("update operations.items set name = 'other' where id = 1")
    goal = written(shop)
    changed = web.ask("/tables/items/as-of", parameters={"min_lsn": goal},
                      headers={"If-None-Match": tag})
    assert changed.status == 200
    assert changed.headers["X-Pgchronicle-LSN"] != lsn
    assert changed.json["rows"][0]["name"] == "other"


def test_min_lsn_waits_and_gives_up(shop):
    answer = shop.web.ask("/tables", parameters={"min_lsn": "FFFF/0"})
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    assert answer.json["error"]["code"] == "not_reached"


def test_min_lsn_where_the_history_has_been_set_back(shop):
    """As a replay does it: what had been reached is waited for again, and not for ever."""
    reached = shop.web.ask("/tables", parameters={"min_lsn": written(shop)}) \
        .headers["X-Pgchronicle-LSN"]
    assert shop.service.stop() == EXIT_DONE
    service = shop.pipeline.start(command="serve")
    service.wait_for(lambda: answers(shop.web, "/ready"), 20, "serve to be ready")
    assert shop.web.ask("/tables", parameters={"min_lsn": reached}).status == 200
    shop.target.execute(
        f"update pgchronicle.checkpoint set position = '0/10' where pipeline = '{shop.name}'")
    start = time.monotonic()
    answer = shop.web.ask("/tables/items/history", timeout=20,
                          parameters={"key": "7", "min_lsn": reached})
    assert (answer.status, answer.json["error"]["code"]) == (503, "not_reached")
    assert answer.json["error"]["detail"] == "It is at 0/10."
    assert 9 < time.monotonic() - start < 13
    assert service.stop() == EXIT_DONE


def test_compression_head_options_and_methods(shop):
    web = shop.web
    shop.source.execute("insert into operations.items select n, repeat('x', 100) "
                        "from generate_series(100, 200) n")
    shop.catch_up(shop.service)
    plain = web.ask("/tables/items/as-of", parameters={"min_lsn": written(shop)})
    small = web.ask("/tables/items/as-of", headers={"Accept-Encoding": "gzip"})
    assert small.headers["Content-Encoding"] == "gzip"
    assert len(small.raw) < len(plain.raw) / 5
    assert small.json["rows"] == plain.json["rows"]
    head = web.ask("/tables/items/as-of", method="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert int(head.headers["Content-Length"]) == len(plain.raw)
    options = web.ask("/tables", method="OPTIONS")
    assert (options.status, options.headers["Allow"]) == (204, "GET, HEAD, OPTIONS")
    for method in ("POST", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT"):
        refused = web.ask("/tables", method=method)
        assert (refused.status, refused.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")
    for path in ("/tables", "/", "/docs", "/nothing", "/metrics"):
        headers = web.ask(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'self'" in headers["Content-Security-Policy"]
        assert headers["Access-Control-Allow-Origin"] is None


def test_other_origins_read_where_that_is_allowed(scene):
    scene.source.execute("create table operations.t (id integer primary key)")
    scene.publish()
    service, web = serve(scene, cors_origins=["https://a.example"])
    allowed = web.ask("/tables", headers={"Origin": "https://a.example"})
    assert allowed.headers["Access-Control-Allow-Origin"] == "https://a.example"
    other = web.ask("/tables", headers={"Origin": "https://b.example"})
    assert other.headers["Access-Control-Allow-Origin"] is None
    preflight = web.ask("/tables", method="OPTIONS", headers={
        "Origin": "https://a.example", "Access-Control-Request-Method": "GET"})
    assert preflight.headers["Access-Control-Allow-Methods"] == "GET, HEAD, OPTIONS"
    assert service.stop() == EXIT_DONE


def test_a_name_that_is_led_here_is_refused(scene):
    """DNS rebinding: to the browser, the page that asks is of this origin."""
    scene.source.execute("create table operations.t (id integer primary key)")
    scene.publish()
    service, web = serve(scene, hosts=["history.example"])
    for host in ("evil.example", "evil.example:8000", "127.0.0.1.evil.example", ""):
        for path in ("/tables", "/", "/metrics", "/nothing", "/changes"):
            refused = web.ask(path, headers={"Host": host})
            assert (refused.status, refused.json["error"]["code"]) == (421, "wrong_host")
            assert refused.error == "the request is for another host"
    for host in ("localhost", "127.0.0.1:8000", "[::1]:1", "history.example", "History.Example:80"):
        assert web.ask("/tables", headers={"Host": host}).status == 200
    assert service.stop() == EXIT_DONE


def test_many_equal_requests_are_one_question(shop):
    """Within the cache's time the target hears of one of them."""
    web = shop.web
    before = web.metric("http_cache_hits_total")
    for _ in range(50):
        web.get("/tables/items/history", key="3")
    assert web.metric("http_cache_hits_total") - before >= 40


def test_the_openapi_document_is_valid_and_complete(shop, tmp_path):
    document = shop.web.get("/openapi.json")
    assert document["openapi"].startswith("3.")
    for path in ("/tables", "/tables/{table}/history", "/tables/{table}/as-of", "/changes",
                 "/health", "/metrics", "/openapi.json"):
        assert "get" in document["paths"][path], path
    if not shutil.which("npm"):
        pytest.skip("no npm")
    installed = subprocess.run(
        ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(tmp_path),
         "@seriousme/openapi-schema-validator@2"], capture_output=True, text=True, timeout=120)
    assert installed.returncode == 0, installed.stderr

    def validate(content):
        (tmp_path / "openapi.json").write_text(json.dumps(content))
        return subprocess.run(
            [str(tmp_path / "node_modules/.bin/validate-api"), str(tmp_path / "openapi.json")],
            capture_output=True, text=True, timeout=60)

    valid = validate(document)
    assert valid.returncode == 0, valid.stdout + valid.stderr
    # The validator tells faults.
    del document["paths"]["/tables"]["get"]["responses"]
    assert validate(document).returncode != 0


def test_serve_reads_with_a_role_that_may_do_nothing_else(shop):
    shop.service.stop()
    port = free_port()
    config = merge(shop.pipeline.config, {
        "http": {"listen": f"127.0.0.1:{port}",
                 "dsn": shop.target_cluster.dsn(shop.target.name, READER),
                 "password": READER_PASSWORD},
        "target": {"dsn": "host=127.0.0.1 port=1 dbname=nowhere"}})
    shop.pipeline.set_config(config)
    service = shop.pipeline.start(command="serve")
    web = Web(port)
    service.wait_for(lambda: answers(web, "/ready"), 20, "serve to be ready")
    assert web.get("/status")["state"] == "stopped"
    assert len(web.get("/tables/items/as-of")["rows"]) == 9
    assert "pgchronicle_rows_total" not in web.ask("/metrics").body.decode()
    assert shop.target.query("select 1 from pg_locks where locktype = 'advisory' "
                             "and mode = 'ExclusiveLock' and database = "
                             "(select oid from pg_database where datname = current_database())") \
        == []
    assert service.stop() == EXIT_DONE


def test_serve_needs_to_know_where(scene):
    done = scene.run("serve")
    assert (done.returncode, "http.listen is not set" in done.stderr) == (EXIT_USAGE, True)
    scene.configure(http={"listen": "192.0.2.1:8000"})
    done = scene.run("serve")
    assert (done.returncode, "could not listen on" in done.stderr) == (EXIT_USAGE, True)


def test_an_address_in_use_does_not_stop_replication(shop):
    """A second instance waits for the lock, as ever; when the first has gone, it serves, too."""
    second = shop.start()
    second.wait_event("http_not_listening")
    second.wait_event("lock_waiting")
    assert shop.service.stop() == EXIT_DONE
    second.wait_event("http_listening")
    second.wait_event("stream_started")
    wait_ready(shop.web)
    assert second.stop() == EXIT_DONE


def test_an_unreachable_target_is_503_and_comes_back(make_scene, source_cluster, new_cluster):
    target = new_cluster("lost_target")
    scene = make_scene(source_cluster, target)
    scene.source.execute("create table operations.t (id integer primary key)")
    scene.publish()
    service, web = serve(scene, cache_time="0s")
    target.stop("immediate")
    answer = wait_until(lambda: (found := web.ask("/tables")).status == 503 and found, 20,
                        "the target's end to be noticed")
    assert answer.json["error"]["code"] == "unavailable"
    assert str(target.port) not in answer.body.decode()
    wait_until(lambda: web.ask("/health").status == 503, 20, "health to be red")
    assert web.ask("/docs").status == 200
    # What can be judged without the target still is.
    web.refused("/tables/t/as-of", 400, limit="x")
    target.start()
    wait_until(lambda: web.ask("/tables").status == 200, 30, "an answer again")
    wait_ready(web, 60)
    assert service.stop() == EXIT_DONE


def test_a_stop_answers_what_was_asked(shop):
    """The request waits for an LSN that never comes; SIGTERM answers it, and ends the process."""
    raw = Raw(shop.web.port, timeout=20)
    raw.send("GET /tables?min_lsn=FFFF/0 HTTP/1.1\r\nHost: localhost\r\n\r\n")
    idle = Raw(shop.web.port, timeout=20)
    idle.send("GET /ready HTTP/1.1\r\nHost: localhost\r\n\r\n")
    idle.until(b"}")
    assert shop.service.stop() == EXIT_DONE
    assert b" 503 " in raw.rest()
    assert idle.rest().strip() == b""


def test_who_listens_for_everybody_says_so(scene):
    port = free_port()
    scene.configure(http={"listen": f"0.0.0.0:{port}"})
    scene.source.execute("create table operations.t (id integer primary key)")
    scene.publish()
    service = scene.start()
    assert service.wait_event("http_public").level == "warn"
    assert service.stop() == EXIT_DONE


def test_the_dashboard_asks_for_metrics_that_are_there(shop):
    dashboard = json.loads((REPO / "packaging" / "grafana-dashboard.json").read_text())
    text = shop.web.ask("/metrics").body.decode()
    known = set(re.findall(r"^(pgchronicle_\w+)", text, re.M))
    known |= set(re.findall(r"^# TYPE (pgchronicle_\w+)", text, re.M))
    asked = set(re.findall(r"pgchronicle_\w+", " ".join(
        target["expr"] for panel in dashboard["panels"] for target in panel["targets"])))
    assert asked and asked <= known, asked - known


def test_a_key_is_answered_as_the_server_writes_it(shop):
    shop.source.execute(
        "create table operations.keys (n numeric primary key, b boolean not null, d date not null);"
        "alter table operations.keys drop constraint keys_pkey, add primary key (n, b, d);"
        "insert into operations.keys values (1.5, true, '2026-01-02')")
    position = written(shop)
    web = shop.web
    for key in (["01.5", "true", "20260102"], ["1.50", "yes", "2026-1-2"], ["1.5", "t", "2026-01-02"]):
        found = web.get("/tables/keys/history", key=key, min_lsn=position)
        assert found["key"] == {"n": 1.5, "b": True, "d": "2026-01-02"}
        assert len(found["versions"]) == 1
    assert web.get("/tables/keys/history", key=["007", "off", "epoch"])["key"] == {
        "n": 7, "b": False, "d": "1970-01-01"}
    shown = shop.run("history", "items", "07", "--format", "json")
    assert json.loads(shown.stdout)["key"] == {"id": 7}


def test_a_document_has_a_tag_of_each_form(shop):
    plain = shop.web.ask("/openapi.json")
    small = shop.web.ask("/openapi.json", headers={"Accept-Encoding": "gzip"})
    assert small.headers["Content-Encoding"] == "gzip" and small.body == plain.body
    assert small.headers["ETag"] != plain.headers["ETag"]


def test_a_target_may_be_in_absolute_form(shop):
    """RFC 9112, section 3.2.2: a server has to take it."""
    path = "/tables/items/history?key=7"
    for target in (f"http://localhost{path}", f"HTTP://other:1{path}"):
        assert shop.web.ask(target, headers={"Host": "localhost"}).json == shop.web.ask(path).json
    assert shop.web.ask("http://localhost").status == 200
    assert shop.web.ask("https://localhost/").status == 400


def test_the_plus_of_a_time_need_not_be_escaped(shop):
    time = shop.target.value(
        "select to_char(last_commit_time at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US') "
        "from pgchronicle.checkpoint where pipeline = %s", (shop.name,))
    asked = {zone: shop.web.ask(f"/tables/items/as-of?at={time}{zone}").json["rows"]
             for zone in ("%2B00:00", "+00:00", "+00")}
    assert len(asked["+00"]) == 9
    assert asked["%2B00:00"] == asked["+00:00"] == asked["+00"]

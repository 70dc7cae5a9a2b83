"""/changes: new versions as server-sent events; resuming, heartbeat, slow readers."""

import contextlib
import time

import pytest

from support.pgchronicle import EXIT_DONE
from support.waiting import wait_until
from support.web import serve

MIB = 1 << 20


@pytest.fixture
def live(scene):
    scene.source.execute(
        "create table operations.items (id bigint primary key, v text);"
        "create table operations.others (id bigint primary key, v text);"
        "insert into operations.items values (1, 'before');")
    scene.publish()
    scene.service, scene.web = serve(scene)
    return scene


def put(scene, *ids, table="items"):
    for one in ids:
        scene.source.execute(f"insert into operations.{table} values (%s, %s)", (one, f"v{one}"))


def ids_of(events):
    return [data["values"]["id"] for _, data in events]


def test_a_change_is_an_event(live):
    events = live.web.events()
    assert events.status == 200
    assert "content-type: text/event-stream" in events.head.lower()
    assert events.block() == "retry: 1000\n\n"
    put(live, 7)
    name, data = events.next()
    row = live.history("items", columns="lsn_from::text, change_seq", where="id = 7")[0]
    assert name.startswith("/".join(str(part) for part in row))
    assert (data["table"], data["op"], data["lsn"], data["seq"], data["key"], data["values"]) == (
        "operations.items", "INSERT", *row, {"id": 7}, {"id": 7, "v": "v7"})
    live.source.execute("update operations.items set v = 'x' where id = 7")
    live.source.execute("delete from operations.items where id = 7")
    assert [data["op"] for _, data in events.take(2)] == ["UPDATE", "DELETE"]


def test_whoever_comes_again_misses_nothing_and_sees_nothing_twice(live):
    """Cut off after each event; the next connection names the last one it saw."""
    first = live.web.events()
    put(live, *range(100, 110))
    seen = [first.next()]
    first.close()
    while len(seen) < 10:
        again = live.web.events(headers={"Last-Event-ID": seen[-1][0]})
        seen.append(again.next())
        again.close()
    assert ids_of(seen) == list(range(100, 110))
    # From the same place by parameter; the header wins over it.
    from_third = live.web.events("/changes", **{"from": seen[2][0]})
    assert ids_of(from_third.take(2)) == [103, 104]
    header_wins = live.web.events("/changes", headers={"Last-Event-ID": seen[7][0]},
                                  **{"from": seen[2][0]})
    assert ids_of(header_wins.take(1)) == [108]


def test_versions_of_one_transaction_are_resumed_within_it(live):
    start = live.web.events()
    live.source.execute("insert into operations.items select n, 'n' from generate_series(1, 999) n "
                        "where n > 200")
    half = start.take(400)
    start.close()
    rest = live.web.events(headers={"Last-Event-ID": half[-1][0]}).take(399)
    assert ids_of(half + rest) == list(range(201, 1000))


def test_only_what_is_asked_for(live):
    deletes = live.web.events(op="delete")
    items = live.web.events(table="operations.items", op=["INSERT", "Update"])
    put(live, 50, table="others")
    put(live, 51)
    live.source.execute("delete from operations.items where id = 51")
    live.source.execute("update operations.items set v = 'y' where id = 1")
    assert [(d["op"], d["values"]["id"]) for _, d in items.take(2)] == [
        ("INSERT", 51), ("UPDATE", 1)]
    assert [(d["op"], d["values"]["id"]) for _, d in deletes.take(1)] == [("DELETE", 51)]


def test_from_the_beginning_comes_what_was_copied(live):
    put(live, 60)
    live.catch_up(live.service)
    events = live.web.events(table="items", **{"from": "beginning"})
    assert [(d["op"], d["values"]["id"]) for _, d in events.take(2)] == [
        ("SNAPSHOT", 1), ("INSERT", 60)]


def test_what_was_copied_goes_on_coming_after_a_break(scene):
    scene.source.execute("create table operations.items (id bigint primary key, v text);"
                         "insert into operations.items select g, 'x' from generate_series(1, 9) g")
    scene.publish()
    service, web = serve(scene)
    put(scene, 60)
    scene.catch_up(service)
    events = web.events(table="items", **{"from": "beginning"})
    seen = events.take(3)
    events.close()
    again = web.events(table="items", headers={"Last-Event-ID": seen[-1][0]},
                       **{"from": "beginning"})
    assert ids_of(seen + again.take(7)) == [*range(1, 10), 60]


def test_a_table_that_grows_goes_on_being_followed(live):
    """Beyond 1 MiB it takes an index, which the first who follows has made."""
    events = live.web.events(timeout=60)
    put(live, 70)
    assert ids_of(events.take(1)) == [70]
    live.source.execute("insert into operations.items select g, repeat(md5(g::text), 20) from"
                        " generate_series(1001, 4000) g")
    assert ids_of(events.take(3000)) == list(range(1001, 4001))
    put(live, 71)
    assert ids_of(events.take(1)) == [71]
    assert ids_of(live.web.events(table="items", **{"from": "beginning"}).take(2)) == [1, 70]
    wait_until(lambda: live.target.query(
        "select indisvalid from pg_index where indexrelid ="
        " to_regclass('analytics.items_history_changes')") == [(True,)], 20, "the index")


def test_whoever_waits_asks_the_target_seldom(live):
    """Also when it has seen more than the server has noticed by itself."""
    put(live, 80)
    live.catch_up(live.service)
    events = live.web.events(table="items", **{"from": "beginning"})
    assert ids_of(events.take(2)) == [1, 80]

    def transactions():
        return live.target.value("select xact_commit from pg_stat_database where datname = %s",
                                 (live.target.name,))

    before, began = transactions(), time.monotonic()
    wait_until(lambda: time.monotonic() - began > 4, 10, "four seconds", interval=0.5)
    assert transactions() - before < 4 * 150


def test_a_silent_history_has_a_heartbeat(live):
    events = live.web.events(timeout=40)
    start = time.monotonic()
    while not events.comments:
        block = events.block()
        events.comments += block.startswith(":")
    assert time.monotonic() - start < 25


def test_wrong_requests_are_refused_as_everywhere(live):
    web = live.web
    web.refused("/changes", 400, op="MERGE")
    web.refused("/changes", 400, **{"from": "yesterday"})
    web.refused("/changes", 400, unknown="1")
    web.refused("/changes", 400, snapshot="maybe")
    web.refused("/changes", 404, table="operations.nothing")
    web.refused("/changes", 404, cursor="nobody")
    answer = web.ask("/changes", headers={"Last-Event-ID": "x"})
    assert (answer.status, answer.json["error"]["code"]) == (400, "bad_request")


def test_a_reader_that_does_not_read_holds_little_and_is_cut_off(scene):
    """140 MB are written; the process holds a page of them, and others follow on."""
    scene.source.execute("create table operations.items (id bigint primary key, v text)")
    scene.publish()
    scene.configure(memory_limit="32MiB", batch={"max_bytes": "1MiB"})
    live = scene
    live.service, live.web = serve(scene)
    slow = live.web.events(timeout=60)
    slow.raw.socket.setsockopt(1, 8, 4096)  # SO_RCVBUF
    rss = live.service.rss()
    quick = live.web.events(timeout=60)
    for part in range(14):
        live.source.execute(
            "insert into operations.items select 1000 + 100 * %s + n, repeat('x', 100000) "
            "from generate_series(0, 99) n", (part,))
    assert ids_of(quick.take(1400)) == list(range(1000, 2400))
    assert live.service.rss() - rss < 200 * MIB
    wait_until(lambda: live.web.metric("http_followers") == 1, 60, "the slow one to be cut off",
               interval=0.5)


def test_followers_survive_the_end_of_the_targets_connections(live):
    events = live.web.events(timeout=60)
    put(live, 70)
    assert ids_of(events.take(1)) == [70]
    live.terminate_writer()
    put(live, 71)
    assert ids_of(events.take(1)) == [71]
    assert live.service.stop() == EXIT_DONE
    with contextlib.suppress(EOFError):
        events.next()
        raise AssertionError("the stream goes on after the end of the process")

"""`watch`: changes in order, once each, resumed exactly; programs; cursors."""

import json
import random
import signal
import subprocess
import time

import pytest

from support.pgchronicle import EXIT_DONE, EXIT_OPERATOR, EXIT_USAGE
from support.roles import READER, READER_PASSWORD, TARGET_USER
from support.waiting import stays_true, wait_until
from support.watching import Watching, watch_all

TABLES = ("create table operations.orders (id integer primary key, v text)",
          "create table operations.items (id integer primary key, n numeric)")

ROWS_OF_A_PAGE = 1000


def begin(scene, *ddl):
    for statement in ddl or TABLES:
        scene.source.execute(statement)
    scene.publish()
    return scene.start_streaming()


def told(change):
    """What of a change can be known beforehand."""
    return (change["table"].split(".")[1], change["op"], change["seq"], change["key"].get("id"),
            change["values"].get("v", change["values"].get("n")))


def cursor_position(scene, name):
    return scene.target.value("select position from pgchronicle.cursor where pipeline = %s"
                              " and name = %s", (scene.name, name))


def write_story(scene):
    with scene.source.transaction() as cursor:
        cursor.execute("insert into operations.orders values (1, 'a'), (2, 'b')")
        cursor.execute("insert into operations.items values (1, 1.50)")
        cursor.execute("update operations.orders set id = 0, v = 'c' where id = 1")
        cursor.execute("insert into operations.items values (2, 'NaN')")
    scene.source.execute("delete from operations.orders where id = 2")
    scene.source.execute("truncate operations.items")


STORY = [
    ("orders", "INSERT", 1, 1, "a"), ("orders", "INSERT", 2, 2, "b"),
    ("items", "INSERT", 3, 1, 1.5), ("orders", "REKEY", 4, 1, "a"),
    ("orders", "UPDATE", 4, 0, "c"), ("items", "INSERT", 5, 2, "NaN"),
    ("orders", "DELETE", 1, 2, "b"),
    ("items", "TRUNCATE", 1, 1, 1.5), ("items", "TRUNCATE", 1, 2, "NaN"),
]


def test_changes_come_in_order_and_resume_exactly_after_any(scene):
    scene.source.execute(TABLES[0])
    scene.source.execute("insert into operations.orders values (9, 'copied'), (8, 'copied')")
    service = begin(scene, TABLES[1])
    write_story(scene)
    scene.catch_up(service)
    copied = [("orders", "SNAPSHOT", 0, key, "copied") for key in (8, 9)]
    all_of_it = watch_all(scene, "--from", "beginning")
    assert [told(change) for change in all_of_it] == copied + STORY
    begins = all_of_it[2]
    assert begins == {
        "table": "operations.orders", "op": "INSERT", "lsn": begins["lsn"], "seq": 1,
        "position": begins["lsn"] + "/1", "valid_from": begins["valid_from"],
        "key": {"id": 1}, "values": {"id": 1, "v": "a"}}
    assert [change["position"].split("/", 2)[2] for change in all_of_it[:2]] == ["0+1", "0"]
    for i, change in enumerate(all_of_it):
        rest = watch_all(scene, "--from", change["position"], "--snapshot")
        assert rest == all_of_it[i + 1:], change["position"]
    # An LSN alone is behind everything that is visible there; copied rows come when asked for.
    assert watch_all(scene, "--from", begins["lsn"]) == all_of_it[8:]
    assert [told(c) for c in watch_all(scene, "--from", "0/0")] == STORY
    # Only some of them.
    assert [told(c) for c in watch_all(scene, "--from", "0/0", "--table", "items", "--op",
                                       "insert")] == [STORY[2], STORY[5]]
    assert [told(c) for c in watch_all(scene, "--from", "0/0", "--table", "operations.o*",
                                       "--op", "DELETE", "--op", "REKEY")] == [STORY[3], STORY[6]]
    assert watch_all(scene) == []
    assert service.stop() == EXIT_DONE


def test_more_changes_of_one_statement_than_a_page_holds(scene):
    rows = 2 * ROWS_OF_A_PAGE + 345
    service = begin(scene, "create table operations.t (id integer primary key, v text)",
                    "create table operations.bare (v text)")
    scene.source.execute("alter table operations.bare replica identity full")
    scene.source.execute("insert into operations.t select g, repeat('x', 50) from"
                         f" generate_series(1, {rows}) g")
    scene.source.execute("insert into operations.bare select mod(g, 7)::text from"
                         f" generate_series(1, {rows}) g")
    scene.source.execute("truncate operations.bare, operations.t")
    scene.catch_up(service)
    ended = watch_all(scene, "--from", "0/0", "--op", "TRUNCATE")
    assert len(ended) == 2 * rows and len({c["position"] for c in ended}) == 2 * rows
    assert [c["values"] for c in ended if c["table"] == "operations.t"] == [
        {"id": i, "v": "x" * 50} for i in range(1, rows + 1)]
    for i in (0, 998, 999, 1000, rows - 1, rows, rows + 7, 2 * rows - 1):
        rest = watch_all(scene, "--from", ended[i]["position"], "--op", "TRUNCATE")
        assert rest == ended[i + 1:], i
    assert service.stop() == EXIT_DONE


def test_a_connection_that_breaks_within_such_changes_is_made_again(scene, tmp_path):
    rows = ROWS_OF_A_PAGE + 200
    scene.configure(retry={"delay_min": "20ms", "delay_max": "50ms"})
    service = begin(scene)
    scene.source.execute("insert into operations.orders select g, 'x' from"
                         f" generate_series(1, {rows}) g")
    scene.source.execute("truncate operations.orders")
    scene.catch_up(service)
    log = tmp_path / "seen"
    with Watching(scene.pipeline, "--from", "0/0", "--op", "TRUNCATE", "--cursor", "c", "--exec",
                  f"cat >> {log}") as watching:
        watching.wait_for(lambda: log.exists() and log.read_text().count("\n") >= 50, 30, "some")
        assert scene.target.query("select pg_terminate_backend(pid) from pg_stat_activity where"
                                  " application_name = 'pgchronicle watch' and datname = %s",
                                  (scene.target.name,)) == [(True,)]
        watching.wait_for(lambda: log.read_text().count("\n") >= rows, 60, "all")
        assert watching.stop() == EXIT_DONE
    assert "connection to target is lost" in watching.errors()
    seen = [json.loads(line) for line in log.read_text().splitlines()]
    assert seen == watch_all(scene, "--from", "0/0", "--op", "TRUNCATE")
    assert service.stop() == EXIT_DONE


def test_rows_that_were_read_when_the_connection_broke_are_read_again(scene, tmp_path):
    """It breaks between two tables of one TRUNCATE: a page is of several questions."""
    scene.configure(retry={"delay_min": "20ms", "delay_max": "50ms"})
    service = begin(scene)
    scene.source.execute("insert into operations.items select g, g from generate_series(1, 1200) g;"
                         "insert into operations.orders select g, 'x' from generate_series(1, 50)"
                         " g")
    scene.source.execute("truncate operations.items, operations.orders")
    scene.catch_up(service)
    log, go = tmp_path / "seen", tmp_path / "go"
    of_watch = "from pg_stat_activity where application_name = 'pgchronicle watch' and datname = %s"
    with Watching(scene.pipeline, "--from", "0/0", "--op", "TRUNCATE", "--exec",
                  f"until test -e {go}; do sleep 0.05; done; cat >> {log}") as watching:
        # The first page, of one table alone, is in hand.
        watching.wait_for(lambda: scene.target.query(
            f"select 1 {of_watch} and state = 'idle' and query like 'FETCH%%'",
            (scene.target.name,)), what="the first page")
        with scene.target.transaction() as cursor:
            cursor.execute("lock table analytics.orders_history in access exclusive mode")
            go.touch()
            watching.wait_for(lambda: scene.target.query(
                f"select pg_terminate_backend(pid) {of_watch} and wait_event_type = 'Lock'",
                (scene.target.name,)), what="the next table to be waited for")
        watching.wait_for(lambda: '"orders"' in log.read_text().replace("operations.", "")
                          and log.read_text().count('operations.orders') >= 50, 60, "the end")
        assert watching.stop() == EXIT_DONE
    seen = [json.loads(line) for line in log.read_text().splitlines()]
    assert seen == watch_all(scene, "--from", "0/0", "--op", "TRUNCATE")
    assert len(seen) == 1250
    assert service.stop() == EXIT_DONE


def test_until_current_ends_while_more_keeps_coming(scene, tmp_path):
    service = begin(scene)
    for i in range(5):
        scene.source.execute("insert into operations.orders values (%s, 'x')", (i,))
    scene.catch_up(service)
    log, i = tmp_path / "seen", 5
    with Watching(scene.pipeline, "--from", "0/0", "--until-current", "--exec",
                  f"sleep 0.1; cat >> {log}") as watching:
        until = time.monotonic() + 20
        while watching.alive and time.monotonic() < until:
            scene.source.execute("insert into operations.orders values (%s, 'x')", (i,))
            i += 1
            time.sleep(0.02)  # Faster than the program, and no more.
        assert not watching.alive, "it follows what came after it began"
        assert watching.wait() == EXIT_DONE
    assert len(log.read_text().splitlines()) >= 5
    assert service.stop() == EXIT_DONE


def test_a_history_that_is_set_back_while_it_is_read_loses_nothing(scene):
    service = begin(scene)
    scene.source.execute("insert into operations.orders values (1, 'a'), (2, 'b')")
    scene.catch_up(service)
    assert service.stop() == EXIT_DONE
    scene.target.execute("create table public.kept as select * from analytics.orders_history;"
                         "create table public.kept_checkpoint as select position from"
                         " pgchronicle.checkpoint")
    with scene.target.transaction() as cursor:
        cursor.execute("lock table analytics.orders_history in access exclusive mode")
        watching = Watching(scene.pipeline, "--from", "0/0")
        watching.wait_for(lambda: scene.target.query(
            "select 1 from pg_stat_activity where application_name = 'pgchronicle watch' and"
            " datname = %s and wait_event_type = 'Lock'", (scene.target.name,)), what="the wait")
        # As a replay does it: the history and the checkpoint in one transaction.
        cursor.execute("delete from analytics.orders_history;"
                       "update pgchronicle.checkpoint set position = '0/1'")
    with watching:
        stays_true(lambda: watching.alive and not watching.changes(), 0.5, "nothing being shown")
        scene.target.execute("insert into analytics.orders_history select * from public.kept;"
                             "update pgchronicle.checkpoint set position ="
                             " (select position from public.kept_checkpoint)")
        assert [c["key"]["id"] for c in watching.wait_changes(2)] == [1, 2]
        assert watching.stop() == EXIT_DONE


def test_a_large_table_is_followed_by_an_index_that_is_made_once(scene):
    service = begin(scene, "create table operations.t (id integer primary key, v text)")
    scene.source.execute("insert into operations.t select g, repeat('x', 500) from"
                         " generate_series(1, 4000) g")
    scene.catch_up(service)

    def indexes():
        return scene.target.query("select indexrelid::regclass::text from pg_index where indrelid ="
                                  " 'analytics.t_history'::regclass order by 1")

    before = indexes()
    first = scene.run("watch", "--from", "0/0", "--until-current")
    assert len(first.stdout.splitlines()) == 4000 and "making the index" in first.stderr
    assert indexes() == sorted([*before, ("analytics.t_history_changes",)])
    again = scene.run("watch", "--from", "0/0", "--until-current")
    assert again.stdout == first.stdout and again.stderr == ""
    plan = "\n".join(row[0] for row in scene.target.query(
        "explain select * from analytics.t_history h where (lsn_from, change_seq) >"
        " ('0/1', 5) order by lsn_from, change_seq limit 1000"))
    assert "t_history_changes" in plan, plan
    assert service.stop() == EXIT_DONE


def test_new_changes_come_within_a_second(scene):
    service = begin(scene)
    with Watching(scene.pipeline, "--cursor", "quick") as watching:
        watching.wait_for(lambda: cursor_position(scene, "quick"), what="the new cursor")
        delays = []
        for i in range(10):
            scene.source.execute("insert into operations.orders values (%s, 'x')", (i,))
            began = time.monotonic()
            watching.wait_for(lambda: len(watching.changes()) > i, 20, f"change {i}")
            delays.append(time.monotonic() - began)
        assert watching.stop() == EXIT_DONE
    assert sorted(delays)[5] < 1, delays
    assert service.stop() == EXIT_DONE


@pytest.fixture
def slow_disk_scene(make_scene, new_cluster, source_cluster, program):
    """A target whose WAL writer takes its time, so that commits wait for the disk."""
    target = new_cluster("slow_target", fresh=True, wal_writer_delay="10s",
                         wal_writer_flush_after="0", autovacuum="off")
    return make_scene(source_cluster, target)


def keeps_back(watching, number, flushed):
    """Whether a row that is not on disk was not shown for ten times the time between two looks;
    false where it came on disk meanwhile."""
    until = time.monotonic() + 0.5
    while time.monotonic() < until:
        shown = len(watching.changes())
        if flushed():
            return False
        assert shown < number, "it was shown before it was on disk"
    return True


def test_what_a_crash_of_the_target_may_take_back_is_not_shown(slow_disk_scene):
    scene = slow_disk_scene
    service = begin(scene)
    scene.target.execute("revoke execute on function pg_logical_emit_message(boolean, text, text)"
                         " from public")
    seen = scene.target.value
    with Watching(scene.pipeline, "--from", "0/0") as watching:
        for number in range(1, 20):
            scene.source.execute("insert into operations.orders values (%s, 'x')", (number,))
            wait_until(lambda: seen("select count(*) from analytics.orders_history") == number,
                       20, "the row in the history")
            written = seen("select pg_current_wal_insert_lsn()::text")
            if keeps_back(watching, number, lambda: seen(
                    "select pg_current_wal_flush_lsn() >= %s::pg_lsn", (written,))):
                break
        else:
            raise AssertionError("every row was on disk at once")
        scene.target.execute("checkpoint")
        watching.wait_changes(number)
        assert watching.stop() == EXIT_DONE
    assert service.stop() == EXIT_DONE


@pytest.mark.parametrize("waits", ["state = 'pending'", "compare_as = 'RECONCILE'"])
def test_nothing_is_shown_while_something_may_come_before_it(scene, waits):
    service = begin(scene)
    scene.source.execute("insert into operations.orders values (1, 'a')")
    scene.catch_up(service)
    assert service.stop() == EXIT_DONE
    row = "where source_table = 'items'"
    scene.target.execute(f"update pgchronicle.table_state set {waits} {row}")
    with Watching(scene.pipeline, "--from", "0/0") as watching:
        stays_true(lambda: not watching.changes(), 0.5, "nothing shown")
        # Another table alone has nothing to wait for.
        assert len(watch_all(scene, "--from", "0/0", "--table", "orders")) == 1
        scene.target.execute("update pgchronicle.table_state set state = 'copied',"
                             f" compare_as = null {row}")
        watching.wait_changes(1)
        assert watching.stop() == EXIT_DONE


def test_what_was_shown_is_there_after_a_crash_of_the_target(slow_disk_scene):
    scene = slow_disk_scene
    service = begin(scene)
    with Watching(scene.pipeline, "--from", "0/0") as watching:
        for number in range(1, 31):
            scene.source.execute("insert into operations.orders values (%s, 'x')", (number,))
        watching.wait_changes(25)
        service.kill9()
        scene.target_cluster.kill()
        shown = {change["key"]["id"] for change in watching.changes()}
    scene.target_cluster.start()
    kept = {row[0] for row in scene.target.query("select id from analytics.orders_history")}
    assert shown <= kept, shown - kept
    # The program goes on where the target is, and so does who follows.
    service = scene.start_streaming()
    scene.catch_up(service)
    everything = watch_all(scene, "--from", "0/0")
    assert [change["key"]["id"] for change in everything] == list(range(1, 31))
    assert service.stop() == EXIT_DONE


def test_a_role_that_only_reads_follows_small_tables_and_is_told_of_large_ones(scene):
    service = begin(scene)
    written = scene.pipeline.config
    as_reader = {"dsn": scene.target_cluster.dsn(scene.target.name, READER),
                 "password": READER_PASSWORD}
    scene.source.execute("insert into operations.orders values (1, 'a')")
    scene.catch_up(service)
    scene.configure(target=as_reader)
    with Watching(scene.pipeline, "--from", "0/0") as watching:
        watching.wait_changes(1)
        scene.source.execute("insert into operations.orders values (2, 'b')")
        assert [told(c) for c in watching.wait_changes(2)] == [
            ("orders", "INSERT", 1, 1, "a"), ("orders", "INSERT", 1, 2, "b")]
        assert watching.stop() == EXIT_DONE
    scene.source.execute("insert into operations.orders select g, repeat('x', 500) from"
                         " generate_series(3, 4000) g")
    scene.catch_up(service)
    refused = scene.run("watch", "--from", "0/0", "--until-current")
    assert refused.returncode == EXIT_OPERATOR
    assert 'table "operations.orders" has no index to follow it by' in refused.stderr
    printed = refused.stderr.split("Its owner may: ")[1].strip()
    scene.target.execute(printed)
    assert len(watch_all(scene, "--from", "0/0")) == 4000
    scene.pipeline.set_config(written)
    assert service.stop() == EXIT_DONE


def test_a_program_that_is_killed_with_its_watch_misses_nothing(scene, tmp_path):
    service = begin(scene)
    log = tmp_path / "seen"
    # Two steps, so that a kill may come between them.
    arguments = ("--cursor", "risk", "--from", "0/0", "--exec",
                 f"line=$(cat); sleep 0.01; printf '%s\\n' \"$line\" >> {log}")
    total = 200
    chance = random.Random(232)
    for i in range(total):
        scene.source.execute("insert into operations.orders values (%s, 'x')" if i % 3 else
                             "insert into operations.items values (%s, 1)", (i,))
    kills = 0
    for _ in range(10):
        before = len(log.read_text().splitlines()) if log.exists() else 0
        with Watching(scene.pipeline, *arguments) as watching:
            goal = before + chance.randrange(1, 12)
            watching.wait_for(
                lambda: log.exists() and len(log.read_text().splitlines()) >= goal,
                30, "some more")
            time.sleep(chance.random() / 50)  # Anywhere in the next ones.
            watching.kill9()
            kills += 1
    scene.catch_up(service)
    finished = scene.run("watch", "--until-current", *arguments, timeout=60)
    assert finished.returncode == EXIT_DONE, finished.stderr
    seen = [json.loads(line) for line in log.read_text().splitlines()]
    everything = watch_all(scene, "--from", "0/0")
    assert len(everything) == total
    order = {change["position"]: i for i, change in enumerate(everything)}
    places = [order[change["position"]] for change in seen]
    # Nothing is missed; what comes again is the one that was in hand.
    assert sorted(set(places)) == list(range(total))
    assert all(after in (before, before + 1) for before, after in zip(places, places[1:]))
    assert len(places) - total <= kills
    assert service.stop() == EXIT_DONE


def test_a_failing_program_is_run_again_until_it_succeeds(scene, tmp_path):
    scene.configure(retry={"delay_min": "20ms", "delay_max": "50ms"})
    service = begin(scene)
    scene.source.execute("insert into operations.orders values (1, 'a'), (2, 'b')")
    scene.catch_up(service)
    log, mends = tmp_path / "seen", tmp_path / "mended"
    with Watching(scene.pipeline, "--cursor", "c", "--from", "0/0", "--exec",
                  f"cat >> {log}; test -e {mends}") as watching:
        watching.wait_for(lambda: watching.errors().count("trying again") >= 3, what="failures")
        assert cursor_position(scene, "c") is None
        mends.touch()
        watching.wait_for(lambda: '"id":2' in log.read_text(), what="the second change")
        assert watching.stop() == EXIT_DONE
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [c["key"]["id"] for c in lines] == [1] * (len(lines) - 1) + [2] and len(lines) > 3
    assert cursor_position(scene, "c") == lines[-1]["position"]
    refused = scene.run("watch", "--from", "0/0", "--exec", "/no/such/program")
    assert refused.returncode == EXIT_OPERATOR
    assert "pgchronicle: error: program cannot be run\n" in refused.stderr, refused.stderr
    assert service.stop() == EXIT_DONE


def test_several_programs_at_a_time_keep_the_order_of_each_row(scene, tmp_path):
    service = begin(scene)
    with scene.source.transaction() as cursor:
        cursor.execute("insert into operations.orders select g, '0' from generate_series(1, 8) g")
        for step in range(1, 6):
            cursor.execute("update operations.orders set v = %s", (str(step),))
    scene.catch_up(service)
    log = tmp_path / "seen"
    result = scene.run("watch", "--cursor", "c", "--from", "0/0", "--until-current", "--jobs", "4",
                       "--exec", f"line=$(cat); sleep 0.0$(($$ % 5)); echo \"$line\" >> {log}")
    assert result.returncode == EXIT_DONE, result.stderr
    seen = [json.loads(line) for line in log.read_text().splitlines()]
    assert len(seen) == 48
    for key in range(1, 9):
        values = [c["values"]["v"] for c in seen if c["key"]["id"] == key]
        assert values == ["0", "1", "2", "3", "4", "5"], key
    assert cursor_position(scene, "c") == watch_all(scene, "--from", "0/0")[-1]["position"]
    assert service.stop() == EXIT_DONE


def test_one_cursor_has_one_watch(scene):
    scene.configure(target={"lock_timeout": "300ms"})
    service = begin(scene)
    with Watching(scene.pipeline, "--cursor", "mine") as first:
        first.wait_for(lambda: cursor_position(scene, "mine"), what="the new cursor")
        second = scene.run("watch", "--cursor", "mine")
        assert second.returncode == EXIT_OPERATOR
        assert 'cursor "mine" is in use' in second.stderr
        assert '"pgchronicle watch"' in second.stderr
        assert scene.run("watch", "--cursor", "other", "--until-current").returncode == EXIT_DONE
        first.kill9()
    # Nothing is lost that came while nobody followed, and the new one need not be told where.
    scene.source.execute("insert into operations.orders values (1, 'a')")
    scene.catch_up(service)
    assert [told(c) for c in watch_all(scene, "--cursor", "mine", "--from", "beginning")] == [
        ("orders", "INSERT", 1, 1, "a")]
    assert watch_all(scene, "--cursor", "mine") == []
    assert service.stop() == EXIT_DONE


def test_sigterm_finishes_the_change_in_hand(scene, tmp_path):
    service = begin(scene)
    scene.source.execute("insert into operations.orders values (1, 'a'), (2, 'b')")
    scene.catch_up(service)
    begun, ended, go = tmp_path / "begun", tmp_path / "ended", tmp_path / "go"
    with Watching(scene.pipeline, "--cursor", "c", "--from", "0/0", "--exec",
                  f"touch {begun}; until test -e {go}; do sleep 0.05; done; cat >> {ended}"
                  ) as watching:
        watching.wait_for(begun.exists, what="the program")
        watching.process.send_signal(signal.SIGTERM)
        stays_true(lambda: watching.alive, 0.5, "watch waiting for its program")
        go.touch()
        assert watching.wait() == EXIT_DONE
    lines = [json.loads(line) for line in ended.read_text().splitlines()]
    assert [c["key"]["id"] for c in lines] == [1]
    assert cursor_position(scene, "c") == lines[0]["position"]
    assert service.stop() == EXIT_DONE


def test_it_ends_quietly_when_nobody_reads_any_more(scene):
    service = begin(scene)
    scene.source.execute("insert into operations.orders values (1, 'a')")
    scene.catch_up(service)
    watch = subprocess.Popen(scene.pipeline.arguments("watch", "--from", "0/0"),
                             env=scene.pipeline.environment(), cwd=scene.pipeline.workdir,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert json.loads(watch.stdout.readline())["key"] == {"id": 1}
        watch.stdout.close()
        assert watch.wait(20) == EXIT_DONE
        assert watch.stderr.read() == ""
    finally:
        watch.kill()
        watch.stderr.close()
    assert service.stop() == EXIT_DONE


def test_a_restart_of_the_target_is_survived(make_scene, new_cluster, source_cluster, program):
    scene = make_scene(source_cluster, new_cluster("watched_target"))
    scene.configure(retry={"delay_min": "50ms", "delay_max": "200ms"})
    service = begin(scene)
    with Watching(scene.pipeline, "--cursor", "c", "--from", "0/0") as watching:
        scene.source.execute("insert into operations.orders values (1, 'a')")
        watching.wait_changes(1)
        scene.target.cluster.restart()
        scene.source.execute("insert into operations.orders values (2, 'b')")
        changes = watching.wait_changes(2, timeout=60)
        assert [told(c) for c in changes] == [("orders", "INSERT", 1, 1, "a"),
                                              ("orders", "INSERT", 1, 2, "b")]
        assert "connection to target is lost" in watching.errors()
        assert watching.stop() == EXIT_DONE
    assert cursor_position(scene, "c") == changes[1]["position"]
    assert service.stop() == EXIT_DONE


@pytest.mark.parametrize(("arguments", "words"), [
    (("--table", "nothing"), 'follows no table "nothing"'),
    (("--from", "yesterday"), 'invalid position "yesterday"'),
    (("--op", "MERGE"), "--op"),
    (("--jobs", "2"), "--exec"),
    (("--cursor", ""), "--cursor"),
    (("--exec", ""), "--exec"),
])
def test_what_cannot_be_followed_is_refused(scene, arguments, words):
    service = begin(scene)
    refused = scene.run("watch", "--until-current", *arguments)
    assert refused.returncode == EXIT_USAGE
    assert words in refused.stderr
    assert service.stop() == EXIT_DONE


def test_before_the_first_run_there_is_nothing_to_follow(scene):
    refused = scene.run("watch", "--until-current")
    assert refused.returncode == EXIT_OPERATOR
    assert "has no history yet" in refused.stderr
    assert TARGET_USER not in refused.stdout

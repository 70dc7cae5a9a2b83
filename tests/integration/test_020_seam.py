"""Where the initial copy and the stream meet."""

import random
import threading

import psycopg2
import pytest

from support.lsn import parse_lsn
from support.oracle import table_spec
from support.waiting import wait_until

TABLE = ("create table operations.t (id integer primary key, v text, big text);"
         "alter table operations.t alter big set storage external;")


def _tables(identity, rows):
    return (TABLE + f"alter table operations.t replica identity {identity};"
            "insert into operations.t select g, 'old', repeat('b', 3000) "
            f"from generate_series(1, {rows}) g")


def _finish(scene, service, oracle, *specs, **options):
    scene.catch_up(service, timeout=120)
    assert service.stop() == 0, service.tail()
    return scene.set_v(oracle, *specs, **options).assert_holds()


def _as_of_is_refused(scene, table, lsn):
    try:
        scene.target.query(f"select * from analytics.{table}_as_of_lsn(%s::pg_lsn)", (lsn,))
        return False
    except psycopg2.Error:
        return True


@pytest.mark.parametrize("identity", ["full", "default"])
def test_changes_that_waited_in_the_slot_are_history_as_are_rows_from_before_it(scene, identity):
    source = scene.source
    source.execute(_tables(identity, 10))
    scene.publish()
    oracle = scene.oracle("t")
    scene.create_slot()
    for statement in ["insert into operations.t values (100, 'waited', 'x')",
                      "update operations.t set v = 'waited' where id in (1, 2)",
                      "update operations.t set v = 'waited again' where id in (2, 100)",
                      "delete from operations.t where id = 3",
                      "insert into operations.t values (3, 'reborn', null)",
                      "delete from operations.t where id = 4",
                      "update operations.t set id = 50 where id = 5",
                      "update operations.t set big = 'new' where id = 6"]:
        source.execute(statement)
    service = scene.start_streaming()
    scene.catch_up(service)
    source.execute("update operations.t set v = 'after' where id in (1, 6, 7, 50, 100)")
    source.execute("delete from operations.t where id in (2, 8)")
    _finish(scene, service, oracle, scene.spec("t"))

    start = scene.checkpoint()["slot_start"]
    versions = {}
    for key, op, value, lsn in scene.history("t", columns="id, operation_type, v, lsn_from::text"):
        versions.setdefault(key, []).append((op, value, lsn == start))
    assert versions[100] == [("INSERT", "waited", False), ("UPDATE", "waited again", False),
                             ("UPDATE", "after", False)]
    assert versions[9] == [("SNAPSHOT", "old", versions[9][0][2])]
    if identity == "full":
        # The old tuple tells what the row was since the slot began.
        assert versions[2] == [("SNAPSHOT", "old", True), ("UPDATE", "waited", False),
                               ("UPDATE", "waited again", False),
                               ("DELETE", "waited again", False)]
        assert versions[5] == [("SNAPSHOT", "old", True), ("REKEY", "old", False)]
    else:
        assert versions[2] == [("UPDATE", "waited", False), ("UPDATE", "waited again", False),
                               ("DELETE", "waited again", False)]
        assert [op for op, _, _ in versions[4]] == ["DELETE"]
    assert scene.target.value("select every(big is not null) from analytics.t_current "
                              "where id <> 3")

    begin = scene.target.value("select consistent_from::text from pgchronicle.table_state")
    assert _as_of_is_refused(scene, "t", scene.target.value(
        "select (%s::pg_lsn - 1)::text", (begin,)))
    assert not _as_of_is_refused(scene, "t", begin)


@pytest.mark.parametrize("function, early, late", [
    ("as_of_lsn", "'0/1'::pg_lsn", "'7FF/0'::pg_lsn"),
    ("as_of", "'1999-01-01'::timestamptz", "'infinity'::timestamptz")])
def test_a_read_before_the_seam_is_told_since_when_the_history_is_complete(
        scene, function, early, late):
    scene.source.execute(_tables("full", 2))
    scene.publish()
    scene.start_streaming().stop()

    def read(at):
        return scene.target.query(f"select id from analytics.t_{function}({at}) order by id")
    assert read(late) == [(1,), (2,)]
    assert read("null") == []
    with pytest.raises(psycopg2.Error, match='"analytics.t_history" is not known at') as refused:
        read(early)
    since = scene.target.value("select format('It is complete from %%s on.', case %s when "
                               "'as_of' then seam_time::text else consistent_from::text end) "
                               "from pgchronicle.table_state", (function,))
    assert refused.value.diag.message_detail == since
    scene.target.execute("update pgchronicle.table_state set state = 'pending'")
    with pytest.raises(psycopg2.Error, match='"analytics.t_history" is not complete yet'):
        read(late)


def test_values_that_nobody_can_know_are_null_and_recorded_as_a_gap(scene):
    source = scene.source
    source.execute(_tables("default", 4))
    scene.publish()
    oracle = scene.oracle("t")
    scene.create_slot()
    # Row 1: the out-of-line value was not sent and is overwritten before the first copy.
    source.execute("update operations.t set v = 'first' where id = 1")
    source.execute("update operations.t set big = 'overwritten' where id = 1")
    # Row 2: not sent either, but the copy still finds it.
    source.execute("update operations.t set v = 'first' where id = 2")
    # Row 3: gone before the copy; its key is all that was sent.
    source.execute("delete from operations.t where id = 3")
    service = scene.start_streaming()
    _finish(scene, service, oracle, scene.spec("t"))
    assert scene.history("t", columns="operation_type, big is null", where="id = 1") \
        == [("UPDATE", True), ("UPDATE", False)]
    assert scene.history("t", columns="operation_type, big is null", where="id = 2") \
        == [("UPDATE", False)]
    assert scene.history("t", columns="operation_type, v", where="id = 3") == [("DELETE", None)]
    assert scene.target.value("select count(*) from pgchronicle.gap where pipeline = %s "
                              "and source_table = 't'", (scene.name,)) >= 1


def test_what_the_copy_knows_is_not_given_to_the_row_that_had_the_key_before(scene):
    source = scene.source
    source.execute(TABLE + "insert into operations.t select g, 'old', repeat(g::text, 3000) "
                   "from generate_series(1, 4) g")
    scene.publish()
    oracle = scene.oracle("t")
    scene.create_slot()
    # Nobody has seen the rows 1 and 3, which end; 2 and 4 take their keys and keep their values.
    for statement in ["delete from operations.t where id = 1",
                      "update operations.t set id = 1 where id = 2",
                      "update operations.t set v = 'heir' where id = 1",
                      "update operations.t set id = 5 where id = 3",
                      "update operations.t set id = 3 where id = 4"]:
        source.execute(statement)
    service = scene.start_streaming()
    _finish(scene, service, oracle, scene.spec("t"))
    known = {key: scene.history("t", columns="operation_type, v, left(big, 1)", where=f"id = {key}")
             for key in (1, 3, 5)}
    assert known == {
        1: [("DELETE", None, None), ("UPDATE", "old", "2"), ("UPDATE", "heir", "2")],
        3: [("REKEY", None, None), ("UPDATE", "old", "4")],
        5: [("UPDATE", "old", "3")]}
    # What 1 and 3 were, and what 2 and 4 were as such.
    assert scene.target.value("select detail from pgchronicle.gap where source_table = 't'") \
        .startswith("4 versions hold NULL")


@pytest.mark.parametrize("identity", ["full", "default"])
def test_a_truncate_that_waited_ends_what_the_stream_knew(scene, identity):
    source = scene.source
    source.execute(_tables(identity, 5))
    scene.publish()
    oracle = scene.oracle("t")
    scene.create_slot()
    source.execute("update operations.t set v = 'waited', big = 'x' where id = 1")
    source.execute("truncate operations.t")
    source.execute("insert into operations.t values (1, 'reborn', 'y'), (2, 'reborn', 'y')")
    source.execute("delete from operations.t where id = 2")
    service = scene.start_streaming()
    _finish(scene, service, oracle, scene.spec("t"))
    assert scene.target.query("select id, v from analytics.t_current") == [(1, "reborn")]


def test_rows_of_a_table_without_a_key_are_copied_and_counted(scene):
    source = scene.source
    source.execute("create table operations.t (v text, n integer);"
                   "alter table operations.t replica identity full;"
                   "insert into operations.t select 'same', 1 from generate_series(1, 5)")
    scene.publish()
    oracle = scene.oracle("t")
    scene.create_slot()
    one = "ctid = (select min(ctid) from operations.t where v = 'same')"
    source.execute(f"delete from operations.t where {one}")
    source.execute(f"update operations.t set n = 2 where {one}")
    source.execute("insert into operations.t values ('same', 1)")
    service = scene.start_streaming()
    scene.catch_up(service)
    source.execute(f"delete from operations.t where {one}")
    _finish(scene, service, oracle, scene.spec("t"))
    assert scene.target.query("select n, count(*) from analytics.t_current group by n "
                              "order by n") == [(1, 3), (2, 1)]


@pytest.mark.parametrize("identity", ["full", "default"])
def test_a_table_that_changed_its_shape_while_changes_waited_is_read_right(scene, identity):
    source = scene.source
    source.execute("create table operations.t (id integer primary key, v text, gone text);"
                   f"alter table operations.t replica identity {identity};"
                   "insert into operations.t values (1, 'old', 'g'), (2, 'old', 'g'), "
                   "(3, 'old', 'g')")
    scene.publish()
    scene.create_slot()
    # Decoded with the shape of its time; the catalog already has the last one.
    source.execute("insert into operations.t values (4, 'waited', 'g')")
    source.execute("update operations.t set v = 'waited' where id = 1")
    source.execute("alter table operations.t add status text not null default 'new'")
    source.execute("update operations.t set v = 'waited' where id = 2")
    source.execute("alter table operations.t drop gone")
    source.execute("insert into operations.t values (5, 'waited', 'paid')")
    service = scene.start_streaming()
    scene.catch_up(service)
    source.execute("update operations.t set v = 'after' where id in (1, 3)")
    scene.catch_up(service)
    assert service.stop() == 0, service.tail()
    assert scene.target.query("select id, v, status from analytics.t_current order by id") == [
        (1, "after", "new"), (2, "waited", "new"), (3, "after", "new"), (4, "waited", "new"),
        (5, "waited", "paid")]
    assert scene.history("t", columns="operation_type, v, gone", where="id = 4") \
        == [("INSERT", "waited", "g")]


class Writer(threading.Thread):
    """Updates, deletes, re-inserts and renumbers rows of its own share of the keys."""

    def __init__(self, database, table, share, shares, rows, seed):
        super().__init__(daemon=True)
        self.database, self.table = database, table
        self.keys = [key for key in range(1, rows + 1) if key % shares == share]
        self.random = random.Random(seed * 1000 + share)
        self.commits = 0
        self.next_key = 10_000_000 + share * 1_000_000
        self.stopping = threading.Event()
        self.error = None

    def run(self):
        try:
            connection = self.database.connect(autocommit=False)
            with connection.cursor() as cursor:
                while not self.stopping.is_set():
                    self._transaction(cursor)
                    connection.commit()
                    self.commits += 1
            connection.close()
        except Exception as error:  # noqa: BLE001 - told to the test in finish().
            self.error = error

    def _transaction(self, cursor):
        for _ in range(self.random.randrange(1, 4)):
            key = self.random.choice(self.keys)
            kind = self.random.random()
            table = f"operations.{self.table}"
            if kind < 0.5:
                cursor.execute(f"update {table} set v = %s where id = %s",
                               (f"w{self.commits}", key))
            elif kind < 0.65:
                cursor.execute(f"delete from {table} where id = %s", (key,))
            elif kind < 0.85:
                cursor.execute(f"insert into {table} values (%s, 'reborn', %s) on conflict "
                               "do nothing", (key, "r" * self.random.choice([10, 3000])))
            elif kind < 0.95:
                cursor.execute(f"update {table} set big = %s where id = %s",
                               ("c" * self.random.choice([10, 3000]), key))
            else:
                self.next_key += 1
                cursor.execute(f"update {table} set id = %s where id = %s", (self.next_key, key))

    def finish(self):
        self.stopping.set()
        self.join(30)
        if self.error:
            raise self.error


def _writers(scene, table, rows, count=3, seed=7):
    writers = [Writer(scene.source, table, share, count, rows, seed) for share in range(count)]
    for writer in writers:
        writer.start()
    wait_until(lambda: all(writer.commits > 5 or writer.error for writer in writers), 30,
               "the writers to write")
    return writers


def _big_table(identity, name="t", rows=200_000):
    return (f"create table operations.{name} (id integer primary key, v text, big text);"
            f"alter table operations.{name} alter big set storage external;"
            f"alter table operations.{name} replica identity {identity};"
            f"insert into operations.{name} select g, 'old', "
            f"repeat('b', case when g % 50 = 0 then 3000 else 60 end) "
            f"from generate_series(1, {rows}) g")


@pytest.mark.parametrize("identity", ["full", "default"])
def test_rows_changed_while_the_copy_runs_are_right(scene, identity):
    rows = 200_000 if identity == "full" else 100_000
    scene.source.execute(_big_table(identity, rows=rows))
    scene.publish()
    scene.configure(copy={"workers": 2, "chunk": "2MiB"})
    oracle = scene.oracle("t")
    scene.create_slot()
    writers = _writers(scene, "t", rows)
    before = sum(writer.commits for writer in writers)
    service = scene.start()
    service.wait_event("copy_started", 60)
    service.wait_event("copy_done", 120)
    during = sum(writer.commits for writer in writers)
    assert during > before, "nothing was written while the copy ran"
    service.wait_event("stream_started", 60)
    after = during + 100
    wait_until(lambda: sum(writer.commits for writer in writers) > after, 30, "more commits")
    for writer in writers:
        writer.finish()
    _finish(scene, service, oracle, scene.spec("t"), as_of_samples=20)


def test_a_truncate_behind_the_snapshot_does_not_empty_the_copy(scene):
    """TRUNCATE is not MVCC-safe: a snapshot taken before it sees an empty table after it."""
    source = scene.source
    source.execute(_big_table("full", "a_big"))
    source.execute("create table operations.b_small (id integer primary key, v text);"
                   "alter table operations.b_small replica identity full;"
                   "insert into operations.b_small select g, 'old' from generate_series(1, 9) g")
    scene.publish()
    # One worker: the small table waits for the big one.
    scene.configure(copy={"workers": 1, "chunk": "1MiB"})
    oracle = scene.oracle("a_big", "b_small")
    service = scene.start()
    service.wait_event("copy_started", 60, count=1)

    def change_and_truncate():
        for statement in ("update operations.b_small set v = 'before' where id < 4",
                          "truncate operations.b_small",
                          "insert into operations.b_small values (1, 'reborn')"):
            source.cluster.execute(statement, dbname=source.name)
    # It may have to wait for the copy, so not in this thread.
    writer = threading.Thread(target=change_and_truncate, daemon=True)
    writer.start()
    service.wait_event("copy_done", 120)
    writer.join(60)
    service.wait_for(lambda: scene.streams(service), 60, "the stream")
    _finish(scene, service, oracle, scene.spec("a_big"), scene.spec("b_small"), as_of_samples=5)


def test_a_kill_during_the_copy_resumes_and_finished_tables_are_not_copied_again(scene):
    rows = 150_000
    scene.source.execute(_big_table("full", "b_big", rows))
    scene.source.execute("create table operations.a_small (id integer primary key, v text);"
                         "insert into operations.a_small values (1, 'a'), (2, 'b')")
    scene.publish()
    scene.configure(copy={"workers": 2, "chunk": "2MiB"})
    oracle = scene.oracle("a_small", "b_big")
    service = scene.start()

    def small_done():
        service.fail_if_dead()
        return any("a_small" in str(event.fields) for event in service.events("copy_table_done"))
    wait_until(small_done, 60, "the small table to be copied", interval=0.01)
    service.kill9()
    states = dict(scene.target.query("select source_table, state from pgchronicle.table_state"))
    assert states == {"a_small": "copied", "b_big": "pending"}, "the kill came too late"
    copied_at = scene.target.value("select copied_at from pgchronicle.table_state "
                                   "where source_table = 'a_small'")

    writers = _writers(scene, "b_big", rows)
    scene.source.execute("update operations.a_small set v = 'while down' where id = 1")
    service = scene.start()
    service.wait_event("copy_done", 120)
    service.wait_event("stream_started", 60)
    for writer in writers:
        writer.finish()
    _finish(scene, service, oracle, scene.spec("a_small"), scene.spec("b_big"), as_of_samples=10)
    assert not [event for event in service.events("copy_table_done")
                if "a_small" in str(event.fields)]
    assert copied_at == scene.target.value("select copied_at from pgchronicle.table_state "
                                           "where source_table = 'a_small'")


def test_kills_at_random_moments_of_the_first_run_leave_no_trace(scene):
    rows = 50_000
    scene.source.execute(_big_table("default", rows=rows))
    scene.publish()
    scene.configure(copy={"workers": 2, "chunk": "1MiB"})
    oracle = scene.oracle("t")
    scene.create_slot()
    writers = _writers(scene, "t", rows)
    chance = random.Random(11)
    for _ in range(6):
        service = scene.start()
        service.wait_event("starting", 20)
        # A random moment is the point here, not a synchronisation.
        threading.Event().wait(chance.uniform(0.05, 1.0))
        service.kill9()
    service = scene.start_streaming(timeout=120)
    for writer in writers:
        writer.finish()
    _finish(scene, service, oracle, scene.spec("t"), as_of_samples=20)


def test_a_table_that_joins_the_publication_later_gets_its_own_seam(scene):
    source = scene.source
    source.execute("create table operations.a (id integer primary key, v text)")
    source.execute(_big_table("full", "later", 20_000))
    scene.publish("table operations.a")
    oracle = scene.oracle("a", "later")
    service = scene.start_streaming()
    source.execute("insert into operations.a values (1, 'a')")
    source.execute("update operations.later set v = 'not published yet' where id < 10")
    scene.catch_up(service)
    source.execute("alter publication cdc_publication add table operations.later")
    joined = parse_lsn(source.lsn())
    writers = _writers(scene, "later", 20_000)
    source.execute("update operations.a set v = 'goes on' where id = 1")

    def copied():
        return ("later", "copied") in scene.target.query(
            "select source_table, state from pgchronicle.table_state")
    service.wait_for(copied, 90, "the later table to be copied")
    count = sum(writer.commits for writer in writers)
    wait_until(lambda: sum(w.commits for w in writers) > count + 50, 30, "more commits")
    for writer in writers:
        writer.finish()
    assert service.alive

    def published(table, lsn):
        return table[1] == "a" or (table[1] == "later" and lsn > joined)
    _finish(scene, service, oracle, scene.spec("a"),
            table_spec(source, "operations", "later", published_from=joined),
            published=published, as_of_samples=20)
    seams = dict(scene.target.query("select source_table, seam::text "
                                    "from pgchronicle.table_state"))
    assert parse_lsn(seams["later"]) >= joined


def test_without_a_snapshot_an_unknown_key_is_opened(scene):
    source = scene.source
    source.execute("create table operations.t (id integer primary key, v text);"
                   "insert into operations.t values (1, 'old'), (2, 'old')")
    scene.publish()
    scene.configure(snapshot="never")
    scene.create_slot()
    source.execute("update operations.t set v = 'new' where id = 1")
    service = scene.start_streaming()
    scene.catch_up(service)
    assert service.stop() == 0, service.tail()
    assert scene.history("t", columns="id, operation_type, v, is_current") \
        == [(1, "UPDATE", "new", True)]


def test_the_first_run_makes_the_slot_where_it_is_told_to_and_stores_its_start(scene):
    scene.source.execute("create table operations.t (id integer primary key);"
                         "insert into operations.t values (1)")
    scene.publish()
    service = scene.start_streaming()
    assert service.events("slot_created") and service.events("first_run")
    scene.catch_up(service)
    assert service.stop() == 0
    row = scene.checkpoint()
    assert row["slot"] == scene.slot and row["database_name"] == scene.source.name
    assert row["publications"] == ["cdc_publication"]
    assert row["system_identifier"] == str(scene.source.value(
        "select system_identifier from pg_control_system()"))


@pytest.mark.parametrize("table", ["full", "default", "without a key"])
def test_changes_that_waited_find_their_rows_by_the_index(scene, table):
    """Each change below the seam looks up the row's newest version, among those of all others."""
    rows = 500 if table == "without a key" else 3000
    scene.source.execute(_tables("default" if table == "default" else "full", rows))
    if table == "without a key":
        scene.source.execute("alter table operations.t drop constraint t_pkey")
    scene.publish()
    oracle = scene.oracle("t")
    scene.create_slot()
    for number in range(3):
        scene.source.execute(f"update operations.t set v = 'waited {number}'")
    service = scene.start_streaming()
    scene.catch_up(service)
    assert service.stop() == 0, service.tail()

    def reads():
        written, read = scene.target.query(
            "select n_tup_ins, seq_tup_read from pg_stat_all_tables "
            "where relid = 'analytics.t_history'::regclass")[0]
        return read if written >= 3 * rows else None
    # One look at each of the others would be millions.
    assert wait_until(reads, 30, "the statistics") < 20 * rows
    scene.set_v(oracle, scene.spec("t"), as_of_samples=2).assert_holds()

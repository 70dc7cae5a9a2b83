"""What is large or slow: memory stays bounded, the walsender is not lost, and what was one
transaction on the source is one on the target.

PGCHRONICLE_LARGE_ROWS: rows of the one transaction (default 200000; the full form is 5000000).
PGCHRONICLE_LARGE_VALUE_MB: megabytes of the one value (default 20; the full form is 200).
PGCHRONICLE_SLOW_SECONDS: how long an apply takes (default 6; the full form is 600).
"""

import os
import signal
import threading
import time

import pytest

from support.pgchronicle import EXIT_DONE, merge
from support.roles import TARGET_USER, create_roles
from support.scene import SOURCE_USER

ROWS = int(os.environ.get("PGCHRONICLE_LARGE_ROWS", "200000"))
VALUE_MB = int(os.environ.get("PGCHRONICLE_LARGE_VALUE_MB", "20"))
SECONDS = float(os.environ.get("PGCHRONICLE_SLOW_SECONDS", "6"))
SAVEPOINTS = 10_000
MIB = 1 << 20
MEMORY_LIMIT = 64 * MIB
TIMEOUT_MESSAGE = "terminating walsender process due to replication timeout"


@pytest.fixture(scope="module")
def servers(factory):
    """Two of these tests' own; the source gives up a reader that is silent for five seconds."""
    source = factory.create("large_source", "source", wal_sender_timeout="5s", max_wal_size="8GB",
                            logical_decoding_work_mem="64kB", autovacuum="off").start()
    target = factory.create("large_target", "target", max_wal_size="8GB").start()
    for cluster in (source, target):
        create_roles(cluster)
    yield source, target
    for cluster in (source, target):
        cluster.destroy()


@pytest.fixture
def scene(make_scene, servers, program):
    made = make_scene(*servers)
    made.pipeline.set_config(merge(made.pipeline.config, {
        "memory_limit": f"{MEMORY_LIMIT // MIB}MiB", "batch": {"max_bytes": "8MiB"}}))
    return made


class Unbroken:
    """Watches that one walsender serves the slot all the time, and measures."""

    def __init__(self, scene, service):
        self.scene, self.service = scene, service
        self.walsenders = []
        self.samples = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self):
        self.log_mark = self.scene.source_cluster.log_mark()
        self.sessions = len(self.service.events("stream_started"))
        self.began = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.seconds = time.monotonic() - self.began
        self._done.set()
        self._thread.join(10)

    def _watch(self):
        connection = self.scene.source.connect()
        with connection.cursor() as cursor:
            while not self._done.is_set():
                cursor.execute("select active_pid from pg_replication_slots where slot_name = %s",
                               (self.scene.slot,))
                pid, = cursor.fetchone()
                self.samples += 1
                if pid not in self.walsenders:
                    self.walsenders.append(pid)
                self._done.wait(0.05)
        connection.close()

    def check(self, what, row_bytes=0):
        """It went on unbroken, within memory_limit and three times the largest row."""
        peak = self.service.rss_peak()
        print(f"{what}: {self.seconds:.1f} s, peak {peak / MIB:.0f} MiB, {self.samples} samples")
        assert len(self.walsenders) == 1 and None not in self.walsenders, self.walsenders
        assert TIMEOUT_MESSAGE not in self.scene.source_cluster.log_since(self.log_mark)
        assert len(self.service.events("stream_started")) == self.sessions
        assert not self.service.events("reconnecting")
        bound = MEMORY_LIMIT + 3 * row_bytes
        assert peak <= bound, f"{peak / MIB:.0f} MiB resident, {bound / MIB:.0f} allowed"


def target_transactions(scene, where="true"):
    """How many transactions of the target wrote these versions."""
    return scene.target.value("select count(distinct xmin::text) from analytics.t_history "
                              f"where {where}")


def test_a_transaction_of_very_many_rows(scene):
    scene.source.execute("create table operations.t (id bigint primary key, n integer, v text)")
    scene.publish()
    service = scene.start_streaming()
    with Unbroken(scene, service) as unbroken:
        scene.source.execute("insert into operations.t select g, g %% 1000, md5(g::text) "
                             "from generate_series(1, %s) g", (ROWS,))
        scene.catch_up(service, timeout=60 + ROWS // 5_000)
    unbroken.check(f"{ROWS:,} rows")
    assert service.stop() == EXIT_DONE, service.tail()
    assert scene.target.query(
        "select count(*), count(distinct lsn_from), max(change_seq), bool_and(is_current) "
        "from analytics.t_history") == [(ROWS, 1, ROWS, True)]
    assert target_transactions(scene) == 1
    digest = "select md5(string_agg(md5((id, n, v)::text), '' order by id)) from "
    assert scene.target.value(digest + "analytics.t_history") \
        == scene.source.value(digest + "operations.t")


@pytest.mark.parametrize("identity", ["default", "full"])
def test_a_very_large_value(scene, identity):
    scene.source.execute("create table operations.t (id integer primary key, n integer, v bytea);"
                         "alter table operations.t alter v set storage external;"
                         f"alter table operations.t replica identity {identity}")
    scene.publish()
    service = scene.start_streaming()
    with Unbroken(scene, service) as unbroken:
        scene.source.execute(
            "insert into operations.t select 1, 0, decode(string_agg(half_a_megabyte, ''), 'hex') "
            "from (select repeat(md5(g::text), 32768) from generate_series(1, %s) g) "
            "as part (half_a_megabyte)", (2 * VALUE_MB,))
        for statement in ["update operations.t set n = 1", "update operations.t set n = 2",
                          "delete from operations.t"]:
            scene.source.execute(statement)
        scene.catch_up(service, timeout=60 + 5 * VALUE_MB)
    size = VALUE_MB * MIB
    unbroken.check(f"a value of {VALUE_MB} MB, {identity}", size)
    assert service.stop() == EXIT_DONE, service.tail()
    assert scene.history("t", columns="n, operation_type, length(v), is_current") == [
        (0, "INSERT", size, False), (1, "UPDATE", size, False), (2, "UPDATE", size, False),
        (2, "DELETE", size, False)]
    assert scene.target.value("select count(distinct md5(v)) from analytics.t_history") == 1
    # What ends a version and what follows it were written at once.
    assert target_transactions(scene, "lsn_to = (select max(lsn_to) from analytics.t_history)") == 1


def savepoints():
    """SQL of one transaction: rows kept and rows rolled back in turn, some of them nested."""
    statements = ["begin"]
    for n in range(0, SAVEPOINTS, 4):
        row = "insert into operations.t values ({}, 'kept');".format
        gone = "insert into operations.t values ({}, 'rolled back');".format
        statements.append(
            f"savepoint a; {row(n)} release a;"
            f"savepoint b; {gone(n + 1)} update operations.t set v = 'rolled back' where id = {n};"
            "rollback to b;"
            f"savepoint c; {row(n + 2)} savepoint d; {gone(n + 3)} rollback to d; release c")
    return "; ".join([*statements, "commit"])


@pytest.mark.parametrize("streaming", ["off", "on"])
def test_ten_thousand_savepoints_half_of_them_rolled_back(scene, streaming):
    scene.source.execute("create table operations.t (id integer primary key, v text)")
    scene.publish()
    scene.configure(source={"streaming": streaming})
    oracle = scene.oracle("t")
    service = scene.start_streaming()
    with Unbroken(scene, service) as unbroken:
        scene.source.execute(savepoints())
        scene.catch_up(service, timeout=120)
    unbroken.check(f"{SAVEPOINTS:,} savepoints, streaming {streaming}")
    streamed = scene.source.value("select stream_txns > 0 from pg_stat_replication_slots "
                                  "where slot_name = %s", (scene.slot,))
    assert bool(streamed) == (streaming == "on")
    assert service.stop() == EXIT_DONE, service.tail()
    assert scene.target.query("select v, count(*) from analytics.t_history group by v") == [
        ("kept", SAVEPOINTS // 2)]
    assert target_transactions(scene) == 1
    scene.set_v(oracle, scene.spec("t"), as_of_samples=2).assert_holds()


# -- an apply that takes its time ----------------------------------------------------------------

class Locked:
    """Somebody holds a lock on the history table."""

    def __init__(self, scene):
        self.connection = scene.target.connect(autocommit=False)

    def __enter__(self):
        with self.connection.cursor() as cursor:
            cursor.execute("lock table analytics.t_history in share row exclusive mode")

    def __exit__(self, *_):
        self.connection.rollback()
        self.connection.close()


class Frozen:
    """The target's server side of the writer stands still; the others do not."""

    def __init__(self, scene):
        self.pid, = [pid for pid, in scene.target.query(
            "select pid from pg_stat_activity where datname = current_database() "
            "and usename = %s and pid in (select pid from pg_locks where locktype = 'advisory')",
            (TARGET_USER,))]

    def __enter__(self):
        os.kill(self.pid, signal.SIGSTOP)

    def __exit__(self, *_):
        os.kill(self.pid, signal.SIGCONT)


ROW_BYTES = 64 * 1024
LARGE_ROWS = 300


def write_rows(scene, first, last):
    """Rows of 64 KiB in one transaction; they compress well, which spares the servers' disks."""
    scene.source.execute("insert into operations.t select g, repeat(md5(g::text), %s) "
                         "from generate_series(%s, %s) g", (ROW_BYTES // 32, first, last))


@pytest.mark.parametrize("slow", [Locked, Frozen])
def test_an_apply_that_takes_very_long(scene, slow):
    scene.source.execute("create table operations.t (id bigint primary key, v text)")
    scene.source.execute(f"alter role {SOURCE_USER} in database \"{scene.source.name}\" "
                         "set wal_sender_timeout = '1s'")
    scene.publish()
    service = scene.start_streaming()
    scene.source.execute("insert into operations.t values (0, 'before')")
    scene.catch_up(service)
    with Unbroken(scene, service) as unbroken:
        with slow(scene):
            until = time.monotonic() + SECONDS
            # One transaction of several batches, and then several times what may be held.
            write_rows(scene, 1, LARGE_ROWS)
            written = LARGE_ROWS
            while time.monotonic() < until:
                rows = 20 if written * ROW_BYTES < 4 * MEMORY_LIMIT else 1
                write_rows(scene, written + 1, written + rows)
                written += rows
                threading.Event().wait(0 if rows > 1 else min(1.0, SECONDS / 20))
            service.fail_if_dead()
            stored = scene.target.value("select count(*) from analytics.t_history")
        assert stored == 1, "the apply was not slow"
        assert written * ROW_BYTES >= 2 * MEMORY_LIMIT, "there was not much to wait"
        scene.catch_up(service, timeout=120)
    unbroken.check(f"{slow.__name__} for {SECONDS:g} s", ROW_BYTES)
    assert service.stop() == EXIT_DONE, service.tail()
    assert target_transactions(scene, f"id between 1 and {LARGE_ROWS}") == 1
    digest = "select count(*), md5(string_agg(md5((id, v)::text), '' order by id)) from "
    assert scene.target.query(digest + "analytics.t_history") \
        == scene.source.query(digest + "operations.t")

"""Between the snapshot of the initial copy and its locks."""

import contextlib
import os
import signal
import threading

from support.stream_proxy import StreamProxy, pgoutput_tag
from support.waiting import wait_until


def _wait_for_snapshot_slot(scene, created):
    """Waits until the temporary slot of the copy is being made, or is made."""
    wait_until(lambda: scene.source.query(
        "select from pg_replication_slots where temporary and slot_name like 'pgchronicle_copy%%' "
        "and (confirmed_flush_lsn is not null) = %s", (created,)), 30, "the snapshot's slot")


def _finish(scene, service, oracle):
    scene.catch_up(service)
    assert service.stop() == 0, service.tail()
    scene.set_v(oracle, scene.spec("t"), as_of_samples=5).assert_holds()


def _table(scene):
    scene.source.execute("create table operations.t (id integer primary key, v text);"
                         "create table operations.other (id integer);"
                         "insert into operations.t select g, 'old' from generate_series(1, 9) g")
    scene.publish()
    oracle = scene.oracle("t")
    scene.create_slot()
    return oracle


class _Held:
    """`run` with its snapshot made, and its connections frozen before they lock anything."""

    def __init__(self, scene):
        self.source = scene.source
        running = self.source.connect(autocommit=False)
        running.cursor().execute("insert into operations.other values (1)")
        self.service = scene.start()
        _wait_for_snapshot_slot(scene, created=False)
        self.backends = [pid for pid, in self.source.query(
            "select pid from pg_stat_activity where application_name like 'pgchronicle %%' "
            "and backend_type = 'client backend'")]
        self._signal(signal.SIGSTOP)
        running.commit()
        running.close()
        _wait_for_snapshot_slot(scene, created=True)

    def _signal(self, number):
        for pid in self.backends:
            os.kill(pid, number)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._signal(signal.SIGCONT)


def test_a_running_transaction_that_locks_the_table_later_does_not_wait_for_the_snapshot(scene):
    """The snapshot waits for the transaction; were the table locked already, both would wait."""
    oracle = _table(scene)
    running = scene.source.connect(autocommit=False)
    with running.cursor() as cursor:
        cursor.execute("insert into operations.other values (1)")
        service = scene.start()
        _wait_for_snapshot_slot(scene, created=False)
        cursor.execute("set lock_timeout = '5s'; truncate operations.t;"
                       "insert into operations.t values (1, 'reborn')")
        running.commit()
    running.close()
    service.wait_event("copy_done", 30)
    assert not service.events("reconnecting")
    _finish(scene, service, oracle)


def test_a_table_truncated_between_snapshot_and_lock_is_copied_with_another_snapshot(scene):
    """TRUNCATE is not MVCC-safe: for the older snapshot, too, the table is empty after it."""
    oracle = _table(scene)
    with _Held(scene) as held:
        scene.source.execute("update operations.t set v = 'before' where id < 4")
        scene.source.execute("truncate operations.t")
        scene.source.execute("insert into operations.t values (1, 'reborn')")
    service = held.service
    service.wait_event("copy_done", 30)
    again = service.events("reconnecting", sqlstate="40001")
    assert len(again) == 1 and "operations.t" in again[0].fields["detail"]
    _finish(scene, service, oracle)


def test_partitions_that_come_or_go_between_snapshot_and_lock_are_noticed(scene):
    source = scene.source
    source.execute(
        "create table operations.t (id integer primary key, v text) partition by range (id);"
        "create table operations.t_low partition of operations.t for values from (0) to (10);"
        "create table operations.loose (id integer primary key, v text);"
        "create table operations.other (id integer);"
        "insert into operations.t values (1, 'low');"
        "insert into operations.loose values (11, 'x')")
    source.execute("create publication cdc_publication for table operations.t "
                   "with (publish_via_partition_root = true)")
    scene.create_slot()
    with _Held(scene) as held:
        source.execute("alter table operations.t attach partition operations.loose "
                       "for values from (10) to (20)")
    service = held.service
    service.wait_event("copy_done", 30)
    assert len(service.events("reconnecting", sqlstate="40001")) == 1
    scene.catch_up(service)
    assert service.stop() == 0, service.tail()
    assert scene.history("t", columns="id, v", order="id") == [(1, "low"), (11, "x")]


def test_an_alter_table_that_waits_for_the_copy_is_not_waited_for_for_ever(scene):
    """The copy's locks are held until the stream is at the seam. Where the stream brings a shape
    that has to be looked up, the catalog query would wait behind the ALTER TABLE, which waits for
    the locks: a circle that PostgreSQL cannot see, and in which every writer stands."""
    oracle = _table(scene)
    scene.source.execute("insert into operations.t values (10, 'shape of the past')")
    scene.source.execute("alter table operations.t add c integer")
    altered = []

    def alter():
        with contextlib.closing(scene.source.connect()) as connection:
            connection.cursor().execute("alter table operations.t add d integer")
        altered.append(True)
    waiting = threading.Thread(target=alter, daemon=True)

    def queue_first(tag, payload, whole):
        if pgoutput_tag(tag, payload) == b"R" and not waiting.ident:
            waiting.start()
            with contextlib.closing(scene.source.connect()) as connection:
                wait_until(lambda: _waits_for_table(connection), 20, "ALTER TABLE to wait")
        return whole

    with StreamProxy(scene.source_cluster.port) as proxy:
        proxy.rewrite = queue_first
        scene.configure(source={"dsn": proxy.dsn_through(scene.pipeline.config["source"]["dsn"])})
        service = scene.start()
        wait_until(lambda: altered, 20, "ALTER TABLE to be done")
        waiting.join()
        service.wait_event("copy_done", 30)
        assert service.events("reconnecting", sqlstate="55P03")
        scene.source.execute("insert into operations.t values (11, 'new', 1, 2)")
        _finish(scene, service, oracle)


def _waits_for_table(connection):
    with connection.cursor() as cursor:
        cursor.execute("select from pg_locks where relation = 'operations.t'::regclass "
                       "and not granted")
        return cursor.fetchall()

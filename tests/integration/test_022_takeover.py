"""Who may copy: the process that holds the pipeline's lock, into tables of its own."""

import os
import signal

from support.roles import TARGET_USER, grant_target
from support.sql_checks import run_checks
from support.waiting import wait_until


def _table(rows, filler=60):
    return ("create table operations.t (id integer primary key, v text, filler text);"
            "alter table operations.t replica identity full;"
            f"insert into operations.t select g, 'old', repeat('f', {filler}) "
            f"from generate_series(1, {rows}) g")


def _freeze_while_copying(scene, service):
    """Stops the program, not its backends, in the middle of a COPY; the backends' process ids."""
    def frozen():
        service.fail_if_dead()
        if not _copying(scene, service):
            return None
        os.kill(service.pid, signal.SIGSTOP)
        # What was sent already is read; a COPY that still runs then has not got its end.
        wait_until(lambda: not scene.target.query(
            "select from pg_stat_activity where datname = %s and application_name like %s "
            "and state = 'active' and wait_event is distinct from 'ClientRead'",
            (scene.target.name, f"pgchronicle % {service.pid}")), 30, "the backends to wait")
        found = _copying(scene, service)
        if not found:
            os.kill(service.pid, signal.SIGCONT)
        return found
    return wait_until(frozen, 60, "a COPY into the target", interval=0.01)


def _copying(scene, service):
    return [pid for pid, in scene.target.query(
        "select pid from pg_stat_activity where datname = %s and application_name like %s "
        "and state = 'active' and query like 'COPY %% FROM STDIN%%'",
        (scene.target.name, f"pgchronicle % {service.pid}"))]


def _waits_for_lock(scene, service):
    return scene.target.query(
        "select from pg_stat_activity where application_name like %s and wait_event_type = 'Lock'",
        (f"pgchronicle % {service.pid}",))


def _terminate_lock_holder(scene):
    """Only the connection that holds the pipeline's lock, as a network could break it."""
    scene.target.query(
        "select pg_terminate_backend(pid) from pg_locks l join pg_database d on d.oid = l.database "
        "where l.locktype = 'advisory' and d.datname = %s", (scene.target.name,))


def _survivor(*services):
    """The process that goes on. Both try again, and the lock is free in between: any may get it."""
    ended = wait_until(lambda: [each for each in services if not each.alive], 60, "one to stop")
    assert [each.returncode for each in ended] == [3], ended[0].tail()
    return next(each for each in services if each.alive)


def test_a_copy_that_was_frozen_writes_nothing_behind_its_successor(scene):
    """The lock is the writing connection's, which is idle meanwhile: the copy has to look."""
    # Each COPY lasts longer than it takes to see it, also where the processors are busy with it.
    scene.source.execute(_table(100_000, filler=1000))
    scene.publish()
    scene.configure(copy={"workers": 2, "chunk": "16MiB"}, target={"lock_timeout": "1s"})
    oracle = scene.oracle("t")
    scene.create_slot()
    frozen = scene.start()
    backends = _freeze_while_copying(scene, frozen)
    _terminate_lock_holder(scene)
    successor = scene.start()
    waits = successor.wait_event("reconnecting", sqlstate="55P03")
    assert any(f"process {pid} " in waits.fields["detail"] for pid in backends)
    os.kill(frozen.pid, signal.SIGCONT)
    survivor = _survivor(frozen, successor)
    assert frozen.events("reconnecting", sqlstate="08003")
    scene.source.execute("update operations.t set v = 'after' where id % 1000 = 0")
    scene.catch_up(survivor, timeout=120)
    assert survivor.stop() == 0, survivor.tail()
    scene.set_v(oracle, scene.spec("t"), as_of_samples=5).assert_holds()


def test_a_copy_that_ends_just_after_the_lock_was_lost_counts(scene):
    """It looked who holds the lock while that was right, and its commit comes late."""
    scene.source.execute(_table(100_000))
    scene.publish()
    scene.configure(copy={"workers": 1, "chunk": "1MiB"}, target={"lock_timeout": "1s"})
    oracle = scene.oracle("t")
    scene.create_slot()
    frozen = scene.start()
    frozen.wait_event("copy_started", 60)
    with scene.target.transaction() as cursor:
        cursor.execute("lock table analytics.t_history in row exclusive mode")
        frozen.wait_for(lambda: _waits_for_lock(scene, frozen), 60, "the index to be held up")
        os.kill(frozen.pid, signal.SIGSTOP)
    _terminate_lock_holder(scene)
    successor = scene.start()
    successor.wait_for(lambda: _waits_for_lock(scene, successor), 60, "the successor to wait")
    os.kill(frozen.pid, signal.SIGCONT)
    survivor = _survivor(frozen, successor)
    assert successor.events("reconnecting", sqlstate="40001")
    seam, = {event.fields["seam"] for event in frozen.events("copy_started")}
    assert seam == scene.target.value("select seam::text from pgchronicle.table_state")
    scene.source.execute("update operations.t set v = 'after' where id % 1000 = 0")
    scene.catch_up(survivor, timeout=120)
    assert survivor.stop() == 0, survivor.tail()
    scene.set_v(oracle, scene.spec("t"), as_of_samples=5).assert_holds()


def test_pipelines_from_clones_of_one_source_share_no_table_in_the_target(
        scene, make_scene, source_cluster, target_cluster):
    """A clone's tables have the same OIDs."""
    rows = 200_000  # More than sockets hold: what was sent when the first one stops is not all.
    other = make_scene(source_cluster, target_cluster)
    other.source.drop()
    scene.source.execute(_table(rows))
    scene.publish()
    scene.source._connection.close()
    source_cluster.execute(
        f'create database "{other.source.name}" template "{scene.source.name}"')
    other.source.execute("update operations.t set v = 'clone'")
    other.configure(target={"dsn": target_cluster.dsn(scene.target.name, TARGET_USER),
                            "schema": "analytics_of_clone"})
    grant_target(scene.target, schema="analytics_of_clone")
    for each in (scene, other):
        each.configure(copy={"workers": 1})
        each.create_slot()
        # The history is not empty, so that the copy takes a table of its own.
        each.source.execute("delete from operations.t where id = 1")
    first = scene.start()
    _freeze_while_copying(scene, first)
    second = other.start()
    second.wait_for(lambda: second.events("copy_done") or _waits_for_lock(scene, second),
                    60, "the other one to copy, or to wait")
    os.kill(first.pid, signal.SIGCONT)
    for service in (first, second):
        service.wait_event("copy_done", 60)
        assert service.stop() == 0, service.tail()
    for schema, value in (("analytics", "old"), ("analytics_of_clone", "clone")):
        assert scene.target.query(f"select v, count(*) from {schema}.t_current group by v") \
            == [(value, rows - 1)]


def test_a_comparison_that_was_frozen_does_not_undo_what_its_successor_streams(scene):
    """It looked who holds the lock before it compared, and compares when it wakes."""
    scene.source.execute(_table(100_000))
    scene.publish()
    scene.configure(copy={"workers": 1, "chunk": "1MiB"}, target={"lock_timeout": "1s"})
    frozen = scene.start_streaming()
    scene.source.execute("alter table operations.t add u uuid default gen_random_uuid()")
    scene.source.execute("update operations.t set v = 'shown' where id = 1")
    frozen.wait_event("copy_started", 60, count=2)
    with scene.target.transaction() as cursor:
        cursor.execute("lock table analytics.t_history in row exclusive mode")
        frozen.wait_for(lambda: _waits_for_lock(scene, frozen), 60, "the comparison to be held up")
        os.kill(frozen.pid, signal.SIGSTOP)
    _terminate_lock_holder(scene)
    scene.source.execute("update operations.t set v = 'meanwhile' where id % 100 = 0")
    scene.source.execute("delete from operations.t where id % 100 = 1")
    successor = scene.start()
    successor.wait_event("reconnecting", sqlstate="55P03")
    os.kill(frozen.pid, signal.SIGCONT)
    survivor = _survivor(frozen, successor)
    survivor.wait_for(lambda: scene.streams(survivor), 60, "the comparison to be done")
    scene.catch_up(survivor)
    assert survivor.stop() == 0, survivor.tail()
    assert scene.target.query("select id, v, u from analytics.t_current order by id") \
        == scene.source.query("select id, v, u from operations.t order by id")
    assert run_checks(scene.target.connection, scene.spec("t"), scene.name) == []

"""An idle pipeline lets the source remove its WAL, and never says more than it has stored."""

import os
import time

from support.lsn import parse_lsn
from support.waiting import wait_until
from support.watcher import Watcher

TRANSACTIONS = int(os.environ.get("PGCHRONICLE_IDLE_TRANSACTIONS", "1000"))
MIB = 1 << 20


def _retained(scene):
    return int(scene.source.value(
        "select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), restart_lsn) "
        "from pg_replication_slots where slot_name = %s", (scene.slot,)))


def test_a_busy_table_that_is_excluded_does_not_pile_up_wal(make_scene, new_cluster,
                                                            target_cluster, program):
    source = new_cluster("idle_source")
    scene = make_scene(source, target_cluster)
    scene.configure(tables={"exclude": ["operations.noise"]}, acknowledge=None)
    scene.source.execute("create table operations.t (id integer primary key);"
                         "create table operations.noise (id bigserial, v text);"
                         "alter table operations.noise alter v set storage plain")
    scene.publish()
    service = scene.start_streaming()
    scene.catch_up(service)
    before = parse_lsn(scene.source.lsn())
    with Watcher(scene.source, scene.target, scene.slot, scene.name) as watcher:
        connection = scene.source.connect(synchronous_commit="off")
        with connection.cursor() as cursor:
            for _ in range(TRANSACTIONS):
                cursor.execute("insert into operations.noise (v) "
                               "select repeat('x', 1000) from generate_series(1, 1000)")
        connection.close()
        written = parse_lsn(scene.source.lsn()) - before
        began = time.monotonic()
        service.wait_for(lambda: _retained(scene) < 64 * MIB, 30,
                         "less than 64 MB of WAL to be retained")
        took = time.monotonic() - began
    print(f"{written / MIB:.0f} MiB written, retained under 64 MiB after {took:.1f} s, "
          f"{watcher.samples} samples")
    if TRANSACTIONS >= 1000:
        assert written >= 1000 * MIB
    assert service.alive
    assert scene.target.value("select count(*) from analytics.t_history") == 0
    assert service.stop() == 0


def test_an_idle_position_is_stored_before_it_is_acknowledged(scene):
    scene.source.execute("create table operations.t (id integer primary key)")
    scene.publish("table operations.t")
    scene.source.execute("create table operations.unpublished (id integer)")
    service = scene.start_streaming()
    with Watcher(scene.source, scene.target, scene.slot, scene.name):
        for _ in range(3):
            scene.source.execute("insert into operations.unpublished "
                                 "select g from generate_series(1, 1000) g")
            end = scene.catch_up(service)
            service.wait_for(lambda end=end: parse_lsn(scene.confirmed()) >= end, 20,
                             "the position to be acknowledged")
    assert scene.target.value("select last_commit_end <= slot_start "
                              "from pgchronicle.checkpoint"), "nothing of ours was committed"
    assert service.stop() == 0


def test_the_last_commit_of_a_quiet_source_is_acknowledged(scene):
    scene.source.execute("create table operations.t (id integer primary key)")
    scene.publish()
    service = scene.start_streaming()
    scene.source.execute("insert into operations.t values (1)")
    end = parse_lsn(scene.source.lsn())
    wait_until(lambda: scene.target.value("select count(*) from analytics.t_history") == 1, 10,
               "the row")
    service.wait_for(lambda: parse_lsn(scene.confirmed()) >= end, 20,
                     "the commit to be acknowledged")
    assert service.stop() == 0

"""One side stands still while the other goes on: no timeout, bounded memory, no restart.

PGCHRONICLE_STALL_SECONDS: how long the target stands still (default 20; the full form is 120).
The source then stands still for half as long.
"""

import os
import threading
import time

from support.pgchronicle import merge
from support.waiting import WaitTimeout, wait_until
from support.watcher import Watcher

SECONDS = float(os.environ.get("PGCHRONICLE_STALL_SECONDS", "20"))
MIB = 1 << 20
MEMORY_LIMIT = 32 * MIB
TIMEOUT_MESSAGE = "terminating walsender process due to replication timeout"


def _marker_arrives(scene, number, within):
    """A row written now is in the history within that many seconds."""
    scene.source.execute("insert into operations.marker values (%s)", (number,))
    try:
        wait_until(lambda: scene.target.value(
            "select count(*) from analytics.marker_history where id = %s", (number,)),
            within, "the marker", interval=0.02)
        return True
    except WaitTimeout:
        return False


def _lag_recovers(scene, service, first_marker, timeout=60):
    """Seconds until a new row arrives within one second."""
    began = time.monotonic()
    number = first_marker
    while time.monotonic() - began < timeout:
        service.fail_if_dead()
        if _marker_arrives(scene, number, 1.0):
            return time.monotonic() - began
        number += 1
    raise WaitTimeout(f"lag did not come under one second within {timeout} s\n{service.tail()}")


def _write(scene, transactions, stop, over_seconds):
    """1,000 rows of about 1 KB a transaction, spread over the time."""
    connection = scene.source.connect()
    began = time.monotonic()
    with connection.cursor() as cursor:
        for number in range(transactions):
            if stop.is_set():
                break
            cursor.execute("insert into operations.t select %s::bigint * 1000 + g, "
                           "repeat(md5(g::text || clock_timestamp()::text), 32) "
                           "from generate_series(1, 1000) g", (number,))
            due = began + over_seconds * (number + 1) / transactions
            stop.wait(max(0.0, due - time.monotonic()))
    connection.close()


def test_a_target_and_then_a_source_that_stand_still_are_waited_for(make_scene, new_cluster,
                                                                     program):
    source = new_cluster("stalled_source", wal_sender_timeout="5s", max_wal_size="2GB")
    target = new_cluster("stalled_target")
    scene = make_scene(source, target)
    scene.pipeline.set_config(merge(scene.pipeline.config, {
        "memory_limit": "32MiB", "batch": {"max_bytes": "4MiB"}}))
    scene.source.execute("create table operations.t (id bigint primary key, v text);"
                         "create table operations.marker (id bigint primary key)")
    scene.publish()
    oracle = scene.oracle("t", "marker")
    service = scene.start_streaming()
    pid = service.pid
    scene.catch_up(service)
    transactions = 4 * MEMORY_LIMIT // MIB + 8
    stop = threading.Event()

    with Watcher(scene.source, scene.target, scene.slot, scene.name, pid_of=lambda: pid,
                 rss_limit=MEMORY_LIMIT + 64 * MIB) as watcher:
        writer = threading.Thread(target=_write, daemon=True,
                                  args=(scene, transactions, stop, SECONDS * 0.9))
        with target.frozen():
            writer.start()
            # Standing still for a given time is the fault that is injected.
            threading.Event().wait(SECONDS)
        stop.set()
        writer.join(60)
        after_target = _lag_recovers(scene, service, 1)
        written = scene.source.value("select sum(length(v)) from operations.t")
        assert written >= 4 * MEMORY_LIMIT

        with source.frozen():
            threading.Event().wait(SECONDS / 2)
        after_source = _lag_recovers(scene, service, 10_000)
        peak = service.rss_peak()
    print(f"lag under 1 s {after_target:.1f} s after the target's return and "
          f"{after_source:.1f} s after the source's; peak {peak / MIB:.0f} MiB, "
          f"{watcher.samples} samples")
    assert peak <= MEMORY_LIMIT + 64 * MIB
    assert service.alive and service.pid == pid
    assert TIMEOUT_MESSAGE not in source.log_text()
    scene.catch_up(service)
    assert service.stop() == 0, service.tail()
    scene.set_v(oracle, scene.spec("t"), scene.spec("marker"), as_of_samples=5).assert_holds()


def test_one_transaction_larger_than_the_memory_limit_stays_within_it(scene):
    scene.pipeline.set_config(merge(scene.pipeline.config, {
        "memory_limit": "32MiB", "batch": {"max_bytes": "4MiB"}}))
    scene.source.execute("create table operations.t (id bigint primary key, v text)")
    scene.publish()
    service = scene.start_streaming()
    scene.source.execute("insert into operations.t select g, repeat(md5(g::text), 32) "
                         "from generate_series(1, 160000) g")
    scene.catch_up(service, timeout=120)
    assert service.rss_peak() <= MEMORY_LIMIT + 64 * MIB
    assert scene.target.query("select count(*), count(distinct lsn_from) "
                              "from analytics.t_history") == [(160000, 1)]
    assert service.stop() == 0

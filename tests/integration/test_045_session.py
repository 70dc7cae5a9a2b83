"""One stretch of streaming: ends of bursts, stops in the middle, streams that say what no server
should, errors that come again and again, and memory that is given back."""

import contextlib
import os
import signal
import subprocess
import threading
import time

import pytest

from support.lsn import parse_lsn
from support.pgchronicle import EXIT_DONE, EXIT_OPERATOR, EXIT_RETRIES
from support.stream_proxy import StreamProxy, pgoutput_tag
from support.waiting import stays_true, wait_until

MIB = 1 << 20
KEYED = "create table operations.t (id integer primary key, v text)"


def begin(scene, ddl=KEYED, **configuration):
    scene.source.execute(ddl)
    scene.publish()
    scene.configure(**configuration)
    service = scene.start_streaming()
    scene.catch_up(service)
    return service


def ids(scene):
    return [number for number, in scene.history("t", columns="id")]


def all_sent(scene):
    """Waits until the source has sent everything that is committed by now."""
    end = parse_lsn(scene.source.lsn())
    wait_until(lambda: parse_lsn(scene.source.value(
        "select sent_lsn::text from pg_stat_replication r join pg_replication_slots s "
        "on s.active_pid = r.pid where slot_name = %s", (scene.slot,))) >= end, 20,
        "the source to have sent everything")


@contextlib.contextmanager
def locked_history(scene, service):
    """The writer waits for a lock while the block runs; it has one row to write, number 1."""
    blocker = scene.target.connect(autocommit=False)
    blocker.cursor().execute("lock table analytics.t_history in access exclusive mode")
    scene.source.execute("insert into operations.t values (1, 'first')")
    service.wait_for(lambda: scene.target.value(
        "select count(*) from pg_locks where not granted and relation = "
        "'analytics.t_history'::regclass"), 20, "the writer to wait")
    yield
    blocker.rollback()
    blocker.close()


# -- the end of a burst --------------------------------------------------------------------------

def test_the_tail_of_a_burst_is_stored_though_nothing_follows(scene):
    service = begin(scene, batch={"max_rows": 10})
    service.signal(signal.SIGSTOP)
    # The third batch is begun in the turn that hands over the second one.
    for number in range(25):
        scene.source.execute("insert into operations.t values (%s, 'a')", (number,))
    end = parse_lsn(scene.source.lsn())
    all_sent(scene)
    service.signal(signal.SIGCONT)
    service.wait_for(lambda: ids(scene) == list(range(25)), 10, "the whole burst")
    service.wait_for(lambda: parse_lsn(scene.confirmed()) >= end, 10, "its acknowledgement")
    assert service.stop() == EXIT_DONE


# -- streams that say what no server should ------------------------------------------------------

@pytest.fixture
def proxy(scene):
    with StreamProxy(scene.source_cluster.port) as between:
        dsn = scene.pipeline.config["source"]["dsn"]
        scene.configure(source={"dsn": between.dsn_through(dsn)})
        yield between


def test_a_transaction_that_begins_inside_another_stops(scene, proxy):
    service = begin(scene)
    scene.source.execute("insert into operations.t values (0, 'described')")
    scene.catch_up(service)
    seen = {"begin": b"", "rows": 0}

    def begin_again(tag, payload, passed):
        kind = pgoutput_tag(tag, payload)
        if kind == b"B":
            seen["begin"] = passed
        seen["rows"] += kind == b"I"
        return seen["begin"] + passed if kind == b"I" and seen["rows"] == 2 else passed
    proxy.rewrite = begin_again
    scene.source.execute("insert into operations.t values (1, 'lost'), (2, 'kept')")
    assert service.wait(20) == EXIT_OPERATOR, service.tail()
    assert ids(scene) == [0]
    assert "replication stream is out of order" in service.log_text()

"""Transactions that come in pieces, that are prepared, and what else a stream may hold."""

import random
import signal
import time

import pytest

from support.lsn import parse_lsn
from support.pgchronicle import failpoint_env
from support.story import KEYED, begin, each, finish
from support.versions import needs

LARGE = 5_000  # Rows: well over the smallest logical_decoding_work_mem.


@pytest.fixture
def small_decoding_memory(scene):
    """The server streams a transaction as soon as it holds 64 kB."""
    scene.source.execute("alter system set logical_decoding_work_mem = '64kB'")
    scene.source.execute("select pg_reload_conf()")
    yield
    scene.source.execute("alter system reset logical_decoding_work_mem")
    scene.source.execute("select pg_reload_conf()")


def _streamed(scene):
    return scene.source.value("select coalesce(sum(stream_txns), 0) from pg_stat_replication_slots "
                              "where slot_name = %s", (scene.slot,))


@pytest.mark.parametrize("streaming", ["on", "parallel"])
def test_streamed_transactions_with_savepoints_are_as_if_they_had_come_whole(
        scene, small_decoding_memory, streaming):
    if streaming == "parallel":
        needs(scene.source, 16, "parallel streaming")
    oracle, service = begin(scene, KEYED, "t", source={"streaming": streaming})
    one, two = (scene.source.connect(autocommit=False) for _ in range(2))
    with one.cursor() as first, two.cursor() as second:
        first.execute(f"insert into operations.t select g, 'one' from generate_series(1, {LARGE}) g;"
                      "savepoint a; update operations.t set v = 'lost' where id % 2 = 0;"
                      f"insert into operations.t select g, 'lost' from generate_series({LARGE} + 1,"
                      f" {LARGE} + 5000) g; rollback to a;"
                      "savepoint b; update operations.t set v = 'kept' where id % 3 = 0; release b")
        second.execute(f"insert into operations.t select -g, 'two' from generate_series(1, {LARGE})"
                       " g; delete from operations.t where id < -1000")
        scene.source.execute("insert into operations.t values (1000000, 'between')")
        two.commit()
        first.execute("update operations.t set v = v || '!' where id <= 10")
        one.commit()
        second.execute(f"insert into operations.t select 2000000 + g, 'x' from "
                       f"generate_series(1, {LARGE}) g")
        two.rollback()
    each(scene, "truncate operations.t", "insert into operations.t values (1, 'last')")
    finish(scene, service, oracle, scene.spec("t"), as_of_samples=10)
    assert _streamed(scene) >= 2, "nothing was streamed"


def test_a_large_stream_is_spilled_and_survives_a_kill(scene, small_decoding_memory, tmp_path):
    oracle, service = begin(scene, KEYED, "t", source={"streaming": "on"},
                            memory_limit="32MiB", batch={"max_bytes": "8MiB"},
                            spool_dir=str(tmp_path))
    text = "x" * 200
    connection = scene.source.connect(autocommit=False)
    with connection.cursor() as cursor:
        cursor.execute(f"insert into operations.t select g, '{text}' from "
                       "generate_series(1, 100000) g")
        connection.commit()
        cursor.execute(f"update operations.t set v = '{text}y'")
    scene.catch_up(service)
    service.kill9()
    service = scene.start(env=failpoint_env("between_close_and_open", 2, tmp_path / "log"))
    connection.commit()
    connection.close()
    assert service.wait(60) == -signal.SIGKILL
    service = scene.start_streaming()
    scene.catch_up(service)
    assert service.rss_peak() < (32 + 96) << 20
    finish(scene, service, oracle, scene.spec("t"), as_of_samples=3)


def test_ddl_in_a_rolled_back_part_of_a_stream_leaves_nothing(scene, small_decoding_memory):
    _, service = begin(scene, KEYED, "t", source={"streaming": "on"})
    connection = scene.source.connect(autocommit=False)
    with connection.cursor() as cursor:
        cursor.execute(f"insert into operations.t select g, 'a' from generate_series(1, {LARGE}) g;"
                       "savepoint s; alter table operations.t add phantom text;"
                       f"update operations.t set phantom = 'p'; rollback to s;"
                       "alter table operations.t add real text;"
                       f"update operations.t set real = 'r'")
        connection.commit()
        cursor.execute("alter table operations.t add never text; update operations.t set never = 'n'")
        connection.rollback()
    connection.close()
    each(scene, "update operations.t set v = 'b' where id = 1")
    scene.catch_up(service)
    assert service.stop() == 0
    columns = [name for name, in scene.target.query(
        "select attname::text from pg_attribute where attrelid = 'analytics.t_history'::regclass "
        "and attnum > 0 and not attisdropped")]
    assert "real" in columns and "phantom" not in columns and "never" not in columns
    assert scene.target.value("select count(*) from analytics.t_current where real = 'r'") == LARGE


@pytest.fixture
def prepared_transactions(scene):
    if scene.source.value("show max_prepared_transactions") == "0":
        pytest.fail("the test's server must allow prepared transactions")


def _prepare(scene, gid, *statements):
    connection = scene.source.connect()
    with connection.cursor() as cursor:
        cursor.execute("begin")
        for statement in statements:
            cursor.execute(statement)
        cursor.execute(f"prepare transaction '{gid}'")
    connection.close()


@pytest.mark.parametrize("two_phase", [True, False])
@pytest.mark.parametrize("streaming", ["off", "on"])
def test_prepared_transactions_are_history_from_their_commit_on(
        scene, prepared_transactions, small_decoding_memory, two_phase, streaming):
    if two_phase:
        needs(scene.source, 15, "prepared transactions in pgoutput")
    oracle, service = begin(scene, KEYED, "t",
                            source={"two_phase": two_phase, "streaming": streaming})
    each(scene, "insert into operations.t values (1, 'a'), (2, 'b')")
    _prepare(scene, "gid one", "insert into operations.t values (10, 'one')",
             "update operations.t set v = 'one' where id = 1", "savepoint s",
             "delete from operations.t where id = 10", "rollback to s")
    _prepare(scene, "gid two", "insert into operations.t values (20, 'never')")
    _prepare(scene, "gid large",
             f"insert into operations.t select g, 'l' from generate_series(100, {LARGE}) g")
    each(scene, "insert into operations.t values (3, 'between')")
    scene.catch_up(service)
    assert scene.target.value("select count(*) from analytics.t_history where id >= 10") == 0
    # Their content was sent and not acknowledged: a restart gets it again.
    service.kill9()
    service = scene.start_streaming()
    each(scene, "commit prepared 'gid large'", "rollback prepared 'gid two'",
         "insert into operations.t values (4, 'later')")
    scene.catch_up(service)
    assert service.stop() == 0, service.tail()
    each(scene, "commit prepared 'gid one'")
    service = scene.start_streaming()
    finish(scene, service, oracle, scene.spec("t"), as_of_samples=5)


def test_a_prepared_transaction_holds_back_the_acknowledgement_alone(scene, prepared_transactions):
    needs(scene.source, 15, "prepared transactions in pgoutput")
    oracle, service = begin(scene, KEYED, "t", source={"two_phase": True})
    _prepare(scene, "held", "insert into operations.t values (1, 'a')")
    before = scene.source.lsn()
    each(scene, *[f"insert into operations.t values ({i}, 'x')" for i in range(10, 20)])
    scene.catch_up(service)
    held = scene.source.value("select confirmed_flush_lsn <= %s from pg_replication_slots "
                              "where slot_name = %s", (before, scene.slot))
    assert held
    each(scene, "commit prepared 'held'")
    scene.catch_up(service)
    service.wait_for(lambda: scene.source.value(
        "select confirmed_flush_lsn > %s from pg_replication_slots where slot_name = %s",
        (before, scene.slot)), 30, "the acknowledgement to go on")
    finish(scene, service, oracle, scene.spec("t"))


def _confirmed(scene):
    return scene.source.value("select confirmed_flush_lsn from pg_replication_slots "
                              "where slot_name = %s", (scene.slot,))


def test_a_committed_prepared_transaction_may_come_again_without_its_content(
        scene, prepared_transactions):
    """The slot stands between its PREPARE and its COMMIT PREPARED, for another one is pending."""
    needs(scene.source, 15, "prepared transactions in pgoutput")
    oracle, service = begin(scene, KEYED, "t", source={"two_phase": True})
    _prepare(scene, "first", "insert into operations.t values (1, 'a')")
    between = scene.source.lsn()
    _prepare(scene, "second", "insert into operations.t values (2, 'b')")
    each(scene, "commit prepared 'first'", "insert into operations.t values (3, 'c')")
    scene.catch_up(service)
    service.wait_for(lambda: parse_lsn(_confirmed(scene)) >= parse_lsn(between), 30,
                     "the acknowledgement to pass the first PREPARE")
    assert service.stop() == 0
    service = scene.start_streaming()
    each(scene, "commit prepared 'second'")
    finish(scene, service, oracle, scene.spec("t"))


def test_a_prepared_transaction_is_held_until_its_commit_is_stored(scene, prepared_transactions):
    """A kill between the arrival of COMMIT PREPARED and its storing: the content comes again."""
    needs(scene.source, 15, "prepared transactions in pgoutput")
    oracle, service = begin(scene, KEYED, "t", source={"two_phase": True})
    _prepare(scene, "held", "insert into operations.t values (1, 'a')")
    each(scene, "insert into operations.t values (2, 'b')")
    scene.catch_up(service)
    blocker = scene.target.connect(autocommit=False)
    with blocker.cursor() as cursor:
        cursor.execute("lock table analytics.t_history in access exclusive mode")
    each(scene, "commit prepared 'held'")
    arrived = scene.source.lsn()
    # Once the source hears that it has come, it hears no more than that.
    service.wait_for(lambda: scene.source.value(
        "select bool_or(write_lsn >= %s) from pg_stat_replication", (arrived,)), 30,
        "COMMIT PREPARED to arrive")
    service.kill9()
    blocker.close()
    service = scene.start_streaming()
    finish(scene, service, oracle, scene.spec("t"))


def test_a_source_that_shuts_down_does_not_wait_for_what_is_prepared(
        new_cluster, make_scene, target_cluster):
    source = new_cluster("prepared_source")
    scene = make_scene(source, target_cluster)
    needs(scene.source, 15, "prepared transactions in pgoutput")
    oracle, service = begin(scene, KEYED, "t", source={"two_phase": True})
    _prepare(scene, "held", "insert into operations.t values (1, 'a')")
    each(scene, "insert into operations.t values (2, 'b')")
    scene.catch_up(service)
    began = time.monotonic()
    source.stop("fast")
    assert time.monotonic() - began < 10
    source.start()
    service.wait_event("stream_started", count=2)
    each(scene, "commit prepared 'held'")
    finish(scene, service, oracle, scene.spec("t"))


def test_messages_origins_and_empty_transactions_are_passed_over(scene):
    oracle, service = begin(scene, KEYED, "t")
    source = scene.source
    each(scene, "select pg_logical_emit_message(true, 'x', 'in a transaction')",
         "select pg_logical_emit_message(false, 'x', 'outside')",
         "insert into operations.t values (1, 'a');"
         "select pg_logical_emit_message(false, 'x', 'inside');"
         "select pg_logical_emit_message(true, 'x', 'inside'); "
         "insert into operations.t values (2, 'b')",
         "create table operations.later (id integer)", "create temp table nobody (id integer)",
         "update operations.t set v = v where false")
    connection = source.connect(autocommit=False)
    with connection.cursor() as cursor:
        cursor.execute("select pg_replication_origin_create('elsewhere');"
                       "select pg_replication_origin_session_setup('elsewhere');"
                       "select pg_replication_origin_xact_setup('0/1234', now());"
                       "insert into operations.t values (3, 'from elsewhere')")
        connection.commit()
        cursor.execute("select pg_replication_origin_session_reset();"
                       "select pg_replication_origin_drop('elsewhere')")
        connection.commit()
    connection.close()
    finish(scene, service, oracle, scene.spec("t"))


def test_random_transactions_are_the_same_streamed_and_whole(scene, small_decoding_memory):
    """Several sessions at once, savepoints of every fate, streamed; set V tells."""
    oracle, service = begin(scene, KEYED, "t", source={"streaming": "on"})
    chance = random.Random(7)
    sessions = [scene.source.connect(autocommit=False) for _ in range(3)]
    for number in range(40):
        own = chance.randrange(3)
        with sessions[own].cursor() as cursor:
            low = own * 100_000 + chance.randrange(0, 2000)
            rows = chance.choice([1, 50, 1500])
            cursor.execute("savepoint s")
            cursor.execute(f"insert into operations.t select g, '{number}' from generate_series"
                           f"({low}, {low + rows}) g on conflict (id) do update set v = excluded.v")
            if chance.random() < 0.3:
                cursor.execute("rollback to s")
            if chance.random() < 0.2:
                cursor.execute(f"delete from operations.t where id between {low} and {low + 20}")
        fate = chance.random()
        if fate < 0.35:
            sessions[own].commit()
        elif fate < 0.45:
            sessions[own].rollback()
    for session in sessions:
        session.commit()
        session.close()
    finish(scene, service, oracle, scene.spec("t"), as_of_samples=20)

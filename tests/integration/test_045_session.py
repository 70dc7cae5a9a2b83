"""One stretch of streaming: ends of bursts, stops in the middle, streams that say what no server
should, errors that come again and again, and memory that is given back."""

import contextlib
import os
import signal
import subprocess
import time

import pytest

from support.lsn import parse_lsn
from support.pgchronicle import EXIT_DONE, EXIT_OPERATOR, EXIT_RETRIES
from support.roles import SOURCE_USER
from support.stream_proxy import StreamProxy, error, keepalive, pgoutput_tag, warning
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


# -- stops ---------------------------------------------------------------------------------------

SHORT_ROWS = "insert into operations.t select g, 'v' from generate_series(10, 20000) g"
LARGE = {
    "in memory": (SHORT_ROWS, {}),
    "streamed": (SHORT_ROWS, {"source": {"streaming": "on"}}),
    "spilled": ("insert into operations.t select g, repeat(md5(g::text), 32) "
                "from generate_series(10, 20000) g",
                {"memory_limit": "32MiB", "batch": {"max_bytes": "1MiB"}}),
}


@pytest.mark.parametrize("where", LARGE)
def test_a_stop_leaves_out_a_transaction_that_fills_batches_and_stores_what_is_before_it(scene,
                                                                                        where):
    statement, configuration = LARGE[where]
    scene.source.execute(f'alter role {SOURCE_USER} in database "{scene.source.name}" '
                         "set logical_decoding_work_mem = '64kB'")
    service = begin(scene, batch={"max_rows": 1000})
    service.stop()
    scene.configure(**configuration)
    service = scene.start_streaming()
    oracle = scene.oracle("t")
    with locked_history(scene, service):
        scene.source.execute("insert into operations.t values (2, 'whole')")
        scene.source.execute(statement)
        all_sent(scene)
        service.signal(signal.SIGTERM)
    began = time.monotonic()
    assert service.wait(20) == EXIT_DONE, service.tail()
    assert time.monotonic() - began < 5
    assert ids(scene) == [1, 2]
    service = scene.start_streaming()
    scene.catch_up(service)
    assert service.stop() == EXIT_DONE
    scene.set_v(oracle, scene.spec("t")).assert_holds()


def test_a_stop_finishes_a_transaction_that_shares_its_batch_with_others(scene):
    service = begin(scene, KEYED + "; insert into operations.t "
                    "select g, 'v' from generate_series(10, 900) g", batch={"max_rows": 1000})
    oracle = scene.oracle("t")
    with locked_history(scene, service):
        scene.source.execute("insert into operations.t values (2, 'whole')")
        # A changed key makes three rows: more than two batches, out of less than one of changes.
        scene.source.execute("update operations.t set id = id + 10000 where id >= 10")
        all_sent(scene)
        service.signal(signal.SIGTERM)
    began = time.monotonic()
    assert service.wait(20) == EXIT_DONE, service.tail()
    assert time.monotonic() - began < 5
    assert scene.target.value("select count(*) from analytics.t_history "
                              "where operation_type = 'REKEY'") == 891
    scene.set_v(oracle, scene.spec("t")).assert_holds()


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


@pytest.mark.parametrize("text", ['skipped loading publication "cdc_publication"',
                                  'Laden der Publikation »cdc_publication« übersprungen'])
def test_nothing_after_the_warning_about_a_skipped_publication_is_believed(scene, proxy, text):
    service = begin(scene, acknowledge={"interval": "10ms"})
    beyond = parse_lsn(scene.source.lsn()) + 16 * MIB
    # Both are read in one turn: the position lies behind changes that were left out.
    proxy.say(warning("55000", text) + keepalive(beyond))
    assert service.wait(20) == EXIT_OPERATOR, service.tail()
    assert scene.position() < beyond
    assert text in service.log_text() and "repair skip" in service.log_text()


def test_another_warning_is_only_a_warning(scene, proxy):
    service = begin(scene)
    proxy.say(warning("01000", "skipped loading publication"))
    scene.source.execute("insert into operations.t values (1, 'a')")
    scene.catch_up(service)
    assert service.stop() == EXIT_DONE


# -- errors with a code that means something else elsewhere --------------------------------------

def fail_writes(scene, sqlstate):
    """Every statement that inserts into the history fails so."""
    scene.target.execute(
        "create function analytics.fail(bigint) returns boolean language plpgsql as $$ begin "
        f"raise exception 'made to fail' using errcode = '{sqlstate}'; end $$;"
        "alter table analytics.t_history add constraint fail "
        "check (analytics.fail(change_seq)) not valid")


@pytest.mark.parametrize("sqlstate, never_said", [("42704", "repair skip"), ("55000", "is lost")])
def test_an_error_of_the_target_says_nothing_of_the_slot(scene, sqlstate, never_said):
    service = begin(scene)
    fail_writes(scene, sqlstate)
    scene.source.execute("insert into operations.t values (1, 'a')")
    assert service.wait(20) == EXIT_OPERATOR, service.tail()
    said = service.log_text().partition("pgchronicle: error: ")[2]
    assert said.startswith("made to fail\n")
    assert never_said not in said


def test_a_stream_in_the_wrong_state_is_not_taken_for_a_lost_slot(scene, proxy):
    service = begin(scene)
    proxy.say(error("55000", "this slot is being synchronized"))
    assert service.wait(20) == EXIT_OPERATOR, service.tail()
    assert "pgchronicle: error: this slot is being synchronized" in service.log_text()
    assert "is lost" not in service.log_text()


def test_a_publication_that_is_unknown_to_old_changes_is_passed_by_repair_skip(scene, proxy):
    service = begin(scene)
    proxy.say(error("42704", 'publication "cdc_publication" does not exist'))
    assert service.wait(20) == EXIT_OPERATOR, service.tail()
    assert "replication slot cannot be read" in service.log_text()
    assert "repair skip" in service.log_text()


def test_a_publication_that_is_gone_is_named_as_gone(scene):
    service = begin(scene)
    scene.source.execute("drop publication cdc_publication;"
                         "insert into operations.t values (1, 'a')")
    assert service.wait(30) == EXIT_OPERATOR, service.tail()
    assert 'error: publication "cdc_publication"' in service.log_text()
    assert "Create it again" in service.log_text()


# -- errors that come again and again ------------------------------------------------------------

def test_retries_of_a_target_that_is_full_come_slower_and_end(scene):
    service = begin(scene, retry={"delay_min": "50ms", "delay_max": "5s", "max_elapsed": "3s"})
    fail_writes(scene, "53100")
    scene.source.execute("insert into operations.t values (1, 'a')")
    assert service.wait(30) == EXIT_RETRIES, service.tail()
    delays = [int(event.fields["delay_ms"]) for event in service.events("reconnecting")]
    assert max(delays) >= 400, delays


def test_retries_of_a_copy_end_although_each_one_streams_first(scene):
    service = begin(scene)
    scene.source.execute("insert into operations.t values (1, 'a')")
    scene.catch_up(service)
    assert service.stop() == EXIT_DONE
    # It is to be copied once more, and each attempt stores the position of its own snapshot first.
    scene.target.execute("update pgchronicle.table_state set state = 'pending';"
                         "truncate analytics.t_history")
    fail_writes(scene, "53100")
    scene.configure(retry={"delay_min": "50ms", "delay_max": "200ms", "max_elapsed": "2s"})
    service = scene.start()
    assert service.wait(30) == EXIT_RETRIES, service.tail()
    assert len(service.events("copy_started")) > 2


def test_retries_do_not_add_up_while_something_is_stored_in_between(scene):
    service = begin(scene, retry={"delay_min": "20ms", "delay_max": "100ms", "max_elapsed": "2s"})
    ends = time.monotonic() + 5
    number = 0
    while time.monotonic() < ends:
        number += 1
        seen = len(service.events("stream_started"))
        assert scene.terminate_walsender()
        service.wait_event("stream_started", 20, count=seen + 1)
        scene.source.execute("insert into operations.t values (%s, 'a')", (number,))
        scene.catch_up(service)
    assert service.stop() == EXIT_DONE
    assert ids(scene) == list(range(1, number + 1))


def test_a_stream_that_is_idle_for_long_counts_as_healthy(make_scene, new_cluster, program,
                                                         target_cluster):
    # A third of the time-out is how soon a silent server is asked where it is.
    source = new_cluster("idle_source", wal_sender_timeout="2s", autovacuum="off")
    scene = make_scene(source, target_cluster)
    with StreamProxy(source.port) as proxy:
        scene.configure(source={"dsn": proxy.dsn_through(scene.pipeline.config["source"]["dsn"])})
        service = begin(scene, retry={"delay_min": "20ms", "delay_max": "100ms",
                                      "max_elapsed": "3s"})
        service.wait_for(lambda: scene.position() == parse_lsn(scene.source.lsn()), 30,
                         "the checkpoint to hold all there is")
        for _ in range(3):
            seen = len(service.events("stream_started"))
            proxy.cut()
            service.wait_event("stream_started", 20, count=seen + 1)
            stays_true(lambda: service.alive, 4, "the service's life")
        assert service.stop() == EXIT_DONE


# -- the spool folder ----------------------------------------------------------------------------

def large_transaction(scene):
    scene.source.execute("insert into operations.t select g, repeat(md5(g::text), 32) "
                         "from generate_series(1, 20000) g")


SMALL_MEMORY = {"memory_limit": "32MiB", "batch": {"max_bytes": "4MiB"}}


def test_a_spool_folder_that_cannot_be_used_is_an_error_like_any_other(scene):
    service = begin(scene, spool_dir="/nonexistent/spool", **SMALL_MEMORY)
    large_transaction(scene)
    assert service.wait(30) == EXIT_OPERATOR, service.tail()
    said = service.log_text()
    assert ('pgchronicle: error: could not create a file in spool_dir "/nonexistent/spool": '
            "No such file or directory\n") in said
    assert "\nDETAIL:  " in said and "\nHINT:  " in said


def test_a_spool_folder_that_is_full_is_waited_for(scene, tmp_path):
    spool = tmp_path / "spool"
    spool.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o"]
    if os.geteuid() != 0 or subprocess.run([*mount, "size=1m", "tmpfs", str(spool)],
                                           check=False).returncode != 0:
        pytest.skip("no file system of its own can be mounted")
    try:
        service = begin(scene, spool_dir=str(spool), retry={"delay_max": "500ms"}, **SMALL_MEMORY)
        large_transaction(scene)
        service.wait_event("reconnecting", 30, count=2, sqlstate="53100")
        subprocess.run([*mount, "remount,size=100m", str(spool)], check=True)
        scene.catch_up(service)
        assert scene.target.value("select count(*) from analytics.t_history") == 20000
        assert service.stop() == EXIT_DONE
    finally:
        subprocess.run(["umount", "--lazy", str(spool)], check=True)


# -- memory --------------------------------------------------------------------------------------

@pytest.mark.parametrize("identity", ["default", "full"])
def test_memory_that_a_huge_row_took_is_given_back(scene, identity):
    row = 48 * MIB
    key = "primary key" if identity == "default" else ""
    service = begin(scene, f"create table operations.t (id integer {key}, v text);"
                    f"alter table operations.t replica identity {identity}", **SMALL_MEMORY)
    before = service.rss()
    scene.source.execute("insert into operations.t values (1, repeat('x', %s))", (row,))
    if identity == "full":
        scene.source.execute("delete from operations.t")
    for number in range(2, 6):
        scene.source.execute("insert into operations.t values (%s, 'small')", (number,))
        scene.catch_up(service, timeout=120)
    # libpq keeps what its input buffer has grown to for as long as the connection lives.
    kept = service.rss() - before
    print(f"{kept / MIB:.0f} MiB more than before, at most {service.rss_peak() / MIB:.0f} MiB")
    assert kept < 1.5 * row
    assert service.stop() == EXIT_DONE

"""A large transaction goes to the target while it comes, for its end is read from the WAL before.

Batches hold 1,000 rows here, so that 30,000 are many.
"""

import signal
import struct
import threading
import time

import pytest

from support.lsn import parse_lsn
from support.pgchronicle import EXIT_DONE, failpoint_env
from support.scene import SOURCE_USER
from support.stream_proxy import StreamProxy, pgoutput_tag

ROWS = 30_000
WAL_BLOCK, PAGE_HEADER = 8192, 24
MESSAGE_RECORD = 54  # Bytes of a logical message's record beside its text.
LOAD = f"insert into operations.t select g, md5(g::text) from generate_series(1, {ROWS}) g"


def begin(scene, **configuration):
    """The running service and an oracle that sees what is written from now on."""
    scene.source.execute("create table operations.t (id integer primary key, v text);"
                         "insert into operations.t values (0, 'before')")
    scene.publish()
    scene.configure(log={"level": "debug"}, batch={"max_rows": 1000}, **configuration)
    service = scene.start_streaming()
    scene.catch_up(service)
    return service, scene.oracle("t")


def in_one_transaction(scene, *statements):
    connection = scene.source.connect(autocommit=False)
    with connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    connection.close()


def ends(service):
    """(start, end) of the commit records that were read ahead."""
    return [(parse_lsn(event.fields["commit"]), parse_lsn(event.fields["end"]))
            for event in service.events("large_transaction")]


def assert_exact(scene, service, oracle):
    scene.catch_up(service)
    assert service.stop() == EXIT_DONE
    scene.set_v(oracle, scene.spec("t")).assert_holds()


SAVEPOINTS = ("do $$ begin for n in 1..1000 loop begin "
              "update operations.t set v = v || n where id = n; exception when division_by_zero "
              "then null; end; end loop; end $$")
TRANSACTIONS = {
    "rows alone": [LOAD],
    "savepoints": [LOAD, SAVEPOINTS],
    "other tables made and dropped": [
        "create table operations.other (id integer primary key)", LOAD,
        "create index on operations.t (v)", "drop table operations.other"],
    "a temporary table": ["create temporary table scratch (v text) on commit drop", LOAD],
    "a truncate": ["truncate operations.t", LOAD, "truncate operations.t", LOAD],
    "a column in the middle": [
        LOAD, "alter table operations.t add column w text",
        "update operations.t set v = 'changed', w = v where id <= 15000"],
    "keys that move": [LOAD, f"update operations.t set id = id + 2 * {ROWS}"],
}


@pytest.mark.parametrize("kind", TRANSACTIONS)
def test_a_large_transaction_is_written_while_it_comes(scene, kind):
    service, oracle = begin(scene)
    in_one_transaction(scene, *TRANSACTIONS[kind])
    assert_exact(scene, service, oracle)
    assert len(ends(service)) == 1
    assert scene.target.value("select count(distinct lsn_from) from analytics.t_history "
                              "where operation_type <> 'SNAPSHOT'") == 1
    assert scene.target.value("select max(lsn_from)::text from analytics.t_history "
                              "where operation_type <> 'SNAPSHOT'") == oracle_end(ends(service))


def oracle_end(read):
    (_, end), = read
    return f"{end >> 32:X}/{end & 0xFFFFFFFF:X}"


def test_it_is_one_transaction_of_the_target(scene):
    service, oracle = begin(scene)
    in_one_transaction(scene, LOAD)
    scene.catch_up(service)
    # What was cut into statements shares no command counter, but one transaction.
    assert scene.target.query(
        "select count(distinct xmin::text), count(distinct cmin::text) > 10 "
        "from analytics.t_history where operation_type = 'INSERT'") == [(1, True)]
    assert_exact(scene, service, oracle)


def test_small_transactions_before_and_after_it_keep_their_order(scene):
    service, oracle = begin(scene)
    for number in range(1, 4):
        scene.source.execute(f"update operations.t set v = 'before {number}' where id = 0")
    in_one_transaction(scene, LOAD, "update operations.t set v = 'within' where id = 0")
    for number in range(1, 4):
        scene.source.execute(f"update operations.t set v = 'after {number}' where id = 0")
    assert_exact(scene, service, oracle)
    assert len(ends(service)) == 1


def test_a_commit_that_comes_from_elsewhere_ends_where_it_was_read_to_end(scene):
    service, oracle = begin(scene)
    scene.source.execute("select pg_replication_origin_create('elsewhere')")
    in_one_transaction(
        scene, "select pg_replication_origin_session_setup('elsewhere')",
        "select pg_replication_origin_xact_setup('0/123', now())", LOAD)
    assert_exact(scene, service, oracle)
    assert len(ends(service)) == 1


def test_commit_records_that_cross_a_page_end_where_they_were_read_to_end(scene):
    service, oracle = begin(scene)
    rows = 15_000
    for attempt in range(6):
        first = attempt * rows + 1
        connection = scene.source.connect(autocommit=False)
        with connection, connection.cursor() as cursor:
            cursor.execute("insert into operations.t select g, '' from "
                           f"generate_series({first}, {first + rows - 1}) g")
            cursor.execute("select pg_current_wal_insert_lsn()::text")
            room = -parse_lsn(cursor.fetchone()[0]) % WAL_BLOCK - 8 * attempt
            if room < 500:
                room += WAL_BLOCK - PAGE_HEADER
            # Behind this record, the commit record begins 8 * attempt bytes before a page's end.
            cursor.execute("select pg_logical_emit_message(true, '', repeat('x', %s))",
                           (room - MESSAGE_RECORD,))
        connection.close()
        scene.catch_up(service)
    assert_exact(scene, service, oracle)
    read = ends(service)
    assert read and any(start // WAL_BLOCK != end // WAL_BLOCK for start, end in read), read


# -- where the end cannot be read ----------------------------------------------------------------

def test_a_server_that_refuses_sends_it_whole_as_before(scene):
    service, oracle = begin(scene)
    # Who is there already stays.
    scene.source.execute(f"alter role {SOURCE_USER} nologin")
    try:
        in_one_transaction(scene, LOAD)
        assert_exact(scene, service, oracle)
    finally:
        scene.source.execute(f"alter role {SOURCE_USER} login")
    assert not ends(service)


@pytest.fixture
def proxy(scene):
    with StreamProxy(scene.source_cluster.port) as between:
        dsn = scene.pipeline.config["source"]["dsn"]
        scene.configure(source={"dsn": between.dsn_through(dsn)})
        yield between


def test_an_end_that_proves_wrong_is_never_stored_and_not_trusted_again(scene, proxy):
    service, oracle = begin(scene)
    frame_header = 1 + 3 * 8
    commit, rows, lengthened = None, 0, []

    def lengthen(tag, payload, passed):
        """The commit record says that it is longer than it is."""
        nonlocal commit, rows
        kind = pgoutput_tag(tag, payload)
        rows += kind == b"I"
        if kind == b"I" and rows == ROWS // 2:
            service.wait_event("large_transaction", 20)
        if kind == b"B":
            commit = payload[frame_header + 1:frame_header + 9]
        elif payload[:1] == b"w" and payload[1:9] == commit:
            length, = struct.unpack_from("<I", payload, frame_header)
            lengthened.append(length)
            at = len(passed) - len(payload) + frame_header
            return passed[:at] + struct.pack("<I", length + 64) + passed[at + 4:]
        return passed
    proxy.rewrite = lengthen
    in_one_transaction(scene, LOAD)
    service.wait_event("reconnecting", 30)
    assert "a commit record ends elsewhere than it was read to end" in service.log_text()
    assert_exact(scene, service, oracle)
    assert len(lengthened) == 1 and len(ends(service)) == 1


# -- ends in the middle --------------------------------------------------------------------------

class Held:
    """Lets the stream go on to the middle of the transaction only."""

    def __init__(self, proxy):
        self.reached, self._released = threading.Event(), threading.Event()
        self._rows = 0
        proxy.rewrite = self._hold

    def _hold(self, tag, payload, passed):
        if pgoutput_tag(tag, payload) == b"I":
            self._rows += 1
            if self._rows == ROWS // 2:
                self.reached.set()
                self._released.wait(60)
        return passed

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._released.set()


def open_in_target(scene):
    return scene.target.value("select count(*) from pg_stat_activity where datname = "
                              "current_database() and state = 'idle in transaction'")


def test_a_kill_in_the_middle_leaves_nothing_of_it_and_it_comes_again(scene, proxy, tmp_path):
    service, oracle = begin(scene)
    assert service.stop() == EXIT_DONE
    log = tmp_path / "failpoints"
    service = scene.start_streaming(env=failpoint_env("mid_transaction", ROWS * 3 // 4, log))
    with Held(proxy) as held:
        in_one_transaction(scene, LOAD)
        assert held.reached.wait(30)
        service.wait_for(lambda: open_in_target(scene), 20, "the target to hold half of it")
    assert service.wait(60) == -signal.SIGKILL
    assert len(ends(service)) == 1
    assert scene.target.value("select count(*) from analytics.t_history") == 1
    assert_exact(scene, scene.start_streaming(), oracle)


def test_a_stop_in_the_middle_leaves_it_to_the_next_start(scene, proxy):
    service, oracle = begin(scene)
    with Held(proxy) as held:
        in_one_transaction(scene, LOAD)
        assert held.reached.wait(30)
        service.wait_for(lambda: open_in_target(scene), 20, "the target to hold half of it")
        began = time.monotonic()
        assert service.stop() == EXIT_DONE
        assert time.monotonic() - began < 5
    assert len(ends(service)) == 1
    assert scene.target.value("select count(*) from analytics.t_history") == 1
    assert_exact(scene, scene.start_streaming(), oracle)


@pytest.mark.parametrize("side", ["source", "target"])
def test_a_connection_lost_in_the_middle_begins_it_anew(scene, proxy, side):
    service, oracle = begin(scene, retry={"delay_max": "500ms"})
    with Held(proxy) as held:
        in_one_transaction(scene, LOAD)
        assert held.reached.wait(30)
        service.wait_for(lambda: open_in_target(scene), 20, "the target to hold half of it")
        assert scene.terminate_writer() if side == "target" else scene.terminate_walsender()
    service.wait_event("reconnecting", 30)
    assert ends(service)
    assert_exact(scene, service, oracle)


def test_the_source_hears_from_us_while_it_comes_slowly(make_scene, new_cluster, target_cluster):
    source = new_cluster("slow_source", wal_sender_timeout="2s", autovacuum="off")
    scene = make_scene(source, target_cluster)
    with StreamProxy(source.port) as between:
        scene.configure(source={"dsn": between.dsn_through(scene.pipeline.config["source"]["dsn"])})
        service, oracle = begin(scene)
        rows = 0

        def slow(tag, payload, passed):
            nonlocal rows
            rows += pgoutput_tag(tag, payload) == b"I"
            if rows > 5_000 and rows % 300 == 0:
                time.sleep(0.05)  # What is measured: 80 pauses make more than two time-outs.
            return passed
        between.rewrite = slow
        in_one_transaction(scene, LOAD)
        assert_exact(scene, service, oracle)
    assert not service.events("reconnecting")
    assert len(ends(service)) == 1

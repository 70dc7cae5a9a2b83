"""Start, stop, reload, notify; servers that restart; the commands that look."""

import contextlib
import os
import random
import signal
import socket
import threading
import time

import pytest

from support.lsn import parse_lsn
from support.pgchronicle import EXIT_DONE, EXIT_OPERATOR, EXIT_RETRIES
from support.scene import SOURCE_PASSWORD
from support.traffic import Traffic
from support.waiting import wait_until
from support.watcher import Watcher

KEYED = "create table operations.t (id integer primary key, v text)"


def begin(scene, ddl=KEYED):
    scene.source.execute(ddl)
    scene.publish()
    oracle = scene.oracle("t")
    return oracle, scene.start_streaming()


# -- stopping ------------------------------------------------------------------------------------

@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_acknowledges_the_last_commit_and_exits_0(scene, number):
    _, service = begin(scene)
    scene.source.execute("insert into operations.t values (1, 'a')")
    wait_until(lambda: scene.target.value("select count(*) from analytics.t_history") == 1, 20,
               "the row")
    end = scene.target.value("select max(lsn_from)::text from analytics.t_history")
    service.signal(number)
    assert service.wait(10) == EXIT_DONE, service.tail()
    assert service.events("stopping") and service.events("stopped")
    assert parse_lsn(scene.confirmed()) >= parse_lsn(end)
    wait_until(lambda: scene.source.value("select active from pg_replication_slots where "
                                          "slot_name = %s", (scene.slot,)) is False, 5,
               "the slot to be free")


def test_a_stop_under_load_is_quick_and_leaves_whole_transactions(scene):
    oracle, service = begin(scene)
    counter = iter(range(1, 10_000_000))

    def step(cursor, chance):
        base = next(counter) * 10
        cursor.execute("insert into operations.t select %s + g, 'v' from generate_series(0, 9) g",
                       (base,))
    with Traffic(scene.source, [step], 1):
        wait_until(lambda: scene.target.value("select count(*) from analytics.t_history") > 500,
                   30, "traffic to arrive")
        began = time.monotonic()
        assert service.stop() == EXIT_DONE
        assert time.monotonic() - began < 10
    assert scene.target.value("select count(*) % 10 from analytics.t_history") == 0
    service = scene.start_streaming()
    scene.catch_up(service)
    assert service.stop() == EXIT_DONE
    scene.set_v(oracle, scene.spec("t")).assert_holds()


def test_a_stop_during_the_copy_exits_0_and_the_next_start_goes_on(scene):
    scene.source.execute(KEYED + "; insert into operations.t select g, repeat('x', 200) "
                         "from generate_series(1, 200000) g")
    scene.publish()
    scene.configure(copy={"workers": 1, "chunk": "1MiB"})
    oracle = scene.oracle("t")
    service = scene.start()
    service.wait_event("copy_started", 60)
    assert service.stop(15) == EXIT_DONE, service.tail()
    service = scene.start_streaming(timeout=120)
    scene.catch_up(service)
    assert service.stop() == EXIT_DONE
    scene.set_v(oracle, scene.spec("t"), as_of_samples=5).assert_holds()


def test_a_stop_while_it_waits_for_a_server_exits_0(make_scene, new_cluster, target_cluster,
                                                    program):
    source = new_cluster("absent_source")
    scene = make_scene(source, target_cluster)
    _, service = begin(scene)
    source.stop()
    service.wait_event("reconnecting", 30)
    assert service.stop(10) == EXIT_DONE, service.tail()


def test_a_stop_while_it_waits_for_the_lock_exits_0(scene):
    _, first = begin(scene)
    scene.configure(target={"lock_timeout": "60s"})
    second = scene.start()
    second.wait_event("lock_waiting")
    assert second.stop(10) == EXIT_DONE, second.tail()
    assert first.stop() == EXIT_DONE


def test_a_stop_while_a_history_table_is_locked_is_bounded(scene):
    _, service = begin(scene)
    scene.source.execute("insert into operations.t values (1, 'a')")
    scene.catch_up(service)
    blocker = scene.target.connect(autocommit=False)
    blocker.cursor().execute("lock table analytics.t_history in access exclusive mode")
    scene.source.execute("insert into operations.t values (2, 'b')")
    wait_until(lambda: scene.target.value(
        "select count(*) from pg_locks where not granted and relation = "
        "'analytics.t_history'::regclass") > 0, 20, "the writer to wait")
    code = service.stop(15)
    blocker.rollback()
    blocker.close()
    assert code == EXIT_DONE, service.tail()
    service = scene.start_streaming()
    scene.catch_up(service)
    assert service.stop() == EXIT_DONE
    assert scene.target.value("select count(*) from analytics.t_history") == 2


def test_retries_end_when_the_configuration_says_so(scene):
    scene.source.execute(KEYED)
    scene.publish()
    dsn = scene.pipeline.config["source"]["dsn"].replace(
        f"port={scene.source_cluster.port}", "port=1")
    scene.configure(source={"dsn": dsn}, retry={"delay_min": "50ms", "delay_max": "100ms",
                                                "max_elapsed": "1s"})
    result = scene.run("run", timeout=30)
    assert result.returncode == EXIT_RETRIES, result.stderr
    assert "127.0.0.1" in result.stderr


# -- until ---------------------------------------------------------------------------------------

def test_until_current_copies_streams_and_stops(scene):
    scene.source.execute(KEYED + "; insert into operations.t values (1, 'old')")
    scene.publish()
    oracle = scene.oracle("t")
    scene.create_slot()
    scene.source.execute("insert into operations.t values (2, 'waited')")
    result = scene.run("run", "--until-current", timeout=60)
    assert result.returncode == EXIT_DONE, result.stderr
    assert "until_reached" in result.stderr
    scene.source.execute("update operations.t set v = 'next' where id = 1")
    result = scene.run("run", "--until-current", timeout=60)
    assert result.returncode == EXIT_DONE, result.stderr
    scene.set_v(oracle, scene.spec("t")).assert_holds()


def test_until_current_on_an_idle_source_stops_at_once(scene):
    scene.source.execute(KEYED)
    scene.publish()
    for _ in range(2):
        began = time.monotonic()
        result = scene.run("run", "--until-current", timeout=60)
        assert result.returncode == EXIT_DONE, result.stderr
        assert time.monotonic() - began < 20


def test_until_lsn_has_every_commit_up_to_it_and_none_after(scene):
    scene.source.execute(KEYED)
    scene.publish()
    scene.run("run", "--until-current", timeout=60)
    scene.source.execute("insert into operations.t values (1, 'in')")
    end = scene.source.lsn()
    scene.source.execute("insert into operations.t values (2, 'out')")
    result = scene.run("run", "--until-lsn", end, timeout=60)
    assert result.returncode == EXIT_DONE, result.stderr
    assert scene.target.query("select id from analytics.t_history") == [(1,)]
    assert scene.position() <= parse_lsn(end)
    result = scene.run("run", "--until-current", timeout=60)
    assert scene.target.query("select id from analytics.t_history order by 1") == [(1,), (2,)]


# -- signals and systemd -------------------------------------------------------------------------

def test_a_reload_keeps_the_process_and_takes_the_log_level(scene):
    _, service = begin(scene)
    scene.configure(log={"level": "debug"})
    before = len(service.log_text())
    service.signal(signal.SIGHUP)
    wait_until(lambda: len(service.log_text()) > before, 20, "the reload to be logged")
    scene.source.execute("insert into operations.t values (1, 'a')")
    scene.catch_up(service)
    wait_until(lambda: any(event.level == "debug" for event in service.events()), 20,
               "a debug line")
    # A reload with a broken file is refused and says so; the service goes on as it was.
    scene.pipeline.write_text("nonsense: [")
    service.signal(signal.SIGHUP)
    wait_until(lambda: "pgchronicle.yaml" in service.log_text()[before:], 20,
               "the broken file to be named")
    scene.source.execute("insert into operations.t values (2, 'b')")
    scene.catch_up(service)
    assert service.stop() == EXIT_DONE


class NotifySocket:
    """What systemd would listen on."""

    def __init__(self, path):
        self.path = str(path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(0.2)
        self.messages = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        while not self._stopping.is_set():
            with contextlib.suppress(socket.timeout):
                data = self.socket.recv(4096).decode()
                self.messages += [(time.monotonic(), line) for line in data.splitlines()]

    def count(self, prefix):
        return sum(line.startswith(prefix) for _, line in self.messages)

    def close(self):
        self._stopping.set()
        self._thread.join(5)
        self.socket.close()


def test_systemd_is_told_ready_watchdog_and_stopping(scene):
    scene.source.execute(KEYED)
    scene.publish()
    # Paths of sockets are short; pytest's folders are not.
    notify = NotifySocket(f"/tmp/pgchronicle-notify-{os.getpid()}")
    try:
        service = scene.start(env={"NOTIFY_SOCKET": notify.path, "WATCHDOG_USEC": "1000000"})
        service.wait_event("stream_started", 60)
        wait_until(lambda: notify.count("READY=1") == 1, 10, "READY=1")
        wait_until(lambda: notify.count("WATCHDOG=1") >= 4, 10, "WATCHDOG=1")
        beats = [at for at, line in notify.messages if line == "WATCHDOG=1"]
        assert max(b - a for a, b in zip(beats, beats[1:])) < 1.0
        assert service.stop() == EXIT_DONE
        wait_until(lambda: notify.count("STOPPING=1") == 1, 5, "STOPPING=1")
    finally:
        notify.close()
        os.unlink(notify.path)


def test_the_watchdog_is_fed_while_the_target_stands_still(make_scene, new_cluster, program,
                                                           source_cluster):
    target = new_cluster("watchdog_target")
    scene = make_scene(source_cluster, target)
    scene.source.execute(KEYED)
    scene.publish()
    notify = NotifySocket(f"/tmp/pgchronicle-notify-{os.getpid()}")
    try:
        service = scene.start(env={"NOTIFY_SOCKET": notify.path, "WATCHDOG_USEC": "1000000"})
        service.wait_event("stream_started", 60)
        with target.frozen():
            scene.source.execute("insert into operations.t values (1, 'a')")
            seen = notify.count("WATCHDOG=1")
            wait_until(lambda: notify.count("WATCHDOG=1") >= seen + 6, 10, "WATCHDOG=1")
        scene.catch_up(service)
        assert service.stop() == EXIT_DONE
    finally:
        notify.close()
        os.unlink(notify.path)


# -- servers that restart ------------------------------------------------------------------------

def _list_append(cursor, chance):
    """Each transaction appends to one to four keys: every version is its predecessor plus one."""
    keys = chance.sample(range(1, 41), chance.randrange(1, 5))
    cursor.execute("update operations.t set v = v || %s where id = any(%s)",
                   (f"{chance.randrange(1000)},", sorted(keys)))


@pytest.mark.parametrize("side", ["source", "target"])
@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_server_that_restarts_under_traffic_loses_nothing(make_scene, new_cluster, program,
                                                            source_cluster, target_cluster, side,
                                                            mode):
    own = new_cluster(f"restarted_{side}")
    scene = make_scene(own if side == "source" else source_cluster,
                       own if side == "target" else target_cluster)
    scene.configure(retry={"delay_min": "50ms", "delay_max": "500ms"})
    oracle, service = begin(scene, KEYED + "; insert into operations.t "
                            "select g, '' from generate_series(1, 40) g")
    pid = service.pid
    with Watcher(scene.source, scene.target, scene.slot, scene.name, may_go_back=True):
        for round_number in range(3):
            with Traffic(scene.source, [_list_append] * 2, round_number, pause=0.005) as traffic:
                wait_until(lambda t=traffic: t.commits > 100, 30, "traffic")
                if side == "source":
                    traffic.stop()  # Its connections would end with the server.
                    own.restart(mode)
                else:
                    own.restart(mode)
                    wait_until(lambda t=traffic, c=traffic.commits: t.commits > c + 50, 30,
                               "traffic")
        scene.catch_up(service)
    assert service.pid == pid and service.alive
    assert service.events("reconnecting")
    assert service.stop() == EXIT_DONE
    scene.set_v(oracle, scene.spec("t")).assert_holds()


def test_a_target_that_commits_asynchronously_and_crashes_loses_nothing(make_scene, new_cluster,
                                                                       program, source_cluster):
    target = new_cluster("async_target", synchronous_commit="off", wal_writer_delay="10s")
    scene = make_scene(source_cluster, target)
    scene.configure(retry={"delay_min": "50ms", "delay_max": "500ms"})
    oracle, service = begin(scene, KEYED + "; insert into operations.t "
                            "select g, '' from generate_series(1, 40) g")
    with Watcher(scene.source, scene.target, scene.slot, scene.name, may_go_back=True):
        for round_number in range(3):
            with Traffic(scene.source, [_list_append] * 2, round_number, pause=0.002) as traffic:
                wait_until(lambda t=traffic: t.commits > 300, 30, "traffic")
                target.restart("immediate")
        scene.catch_up(service)
    assert service.stop() == EXIT_DONE
    scene.set_v(oracle, scene.spec("t")).assert_holds()


@pytest.mark.parametrize("whose", ["walsender", "writer"])
def test_a_terminated_connection_is_made_again(scene, whose):
    oracle, service = begin(scene)
    chance = random.Random(5)
    for number in range(5):
        scene.source.execute("insert into operations.t values (%s, 'a')", (number,))
        if chance.random() < 0.5:
            scene.catch_up(service)
        seen = len(service.events("reconnecting"))
        terminate = {"walsender": scene.terminate_walsender, "writer": scene.terminate_writer}
        # There may be nothing to end while it still reconnects from the last time.
        wait_until(terminate[whose], 20, "a connection to end")
        service.wait_event("reconnecting", 20, count=seen + 1)
    scene.catch_up(service)
    assert service.stop() == EXIT_DONE
    scene.set_v(oracle, scene.spec("t")).assert_holds()


def test_a_locked_history_table_is_waited_for(make_scene, new_cluster, target_cluster, program):
    source = new_cluster("contended_source", wal_sender_timeout="2s")
    scene = make_scene(source, target_cluster)
    oracle, service = begin(scene)
    scene.source.execute("insert into operations.t values (1, 'a')")
    scene.catch_up(service)
    mark = source.log_mark()
    blocker = scene.target.connect(autocommit=False)
    blocker.cursor().execute("lock table analytics.t_history in access exclusive mode")
    scene.source.execute("update operations.t set v = 'b'")
    # Longer than wal_sender_timeout: the fault is the wait itself.
    threading.Event().wait(6)
    blocker.rollback()
    blocker.close()
    scene.catch_up(service)
    assert "replication timeout" not in source.log_since(mark)
    assert service.stop() == EXIT_DONE
    scene.set_v(oracle, scene.spec("t")).assert_holds()


def test_a_role_that_loses_its_password_stops_after_a_few_tries(make_scene, new_cluster, program,
                                                               target_cluster):
    source = new_cluster("rotated_source")
    scene = make_scene(source, target_cluster)
    scene.configure(retry={"delay_min": "50ms", "delay_max": "200ms"})
    _, service = begin(scene)
    source.execute("alter role cdc_user password 'rotated'")
    scene.terminate_walsender()
    assert service.wait(60) == EXIT_OPERATOR, service.tail()
    assert SOURCE_PASSWORD not in service.log_text()

"""`run` is killed at random moments and at twelve chosen points; the history stays exact.

PGCHRONICLE_KILL_SECONDS (default 60) is how long the traffic lasts at least.
"""

import os
import random
import signal
import time

import pytest

from support.pgchronicle import FAILPOINTS, Supervisor, failpoint_env
from support.traffic import (FINANCE_TABLES, Traffic, finance_steps, first_finance_rows,
                             load_finance)
from support.waiting import wait_until
from support.watcher import Watcher

SECONDS = float(os.environ.get("PGCHRONICLE_KILL_SECONDS", "60"))
RANDOM_KILLS = 10
KILLS_PER_POINT = 3
CONNECTING = ("after_connect", "during_reconnect")
MIB = 1 << 20


class Killer:
    """Lets each start of `run` end by the next planned kill, until the plan is done."""

    def __init__(self, scene, failpoint_log, seed):
        self.scene = scene
        self.log = failpoint_log
        self.chance = random.Random(seed)
        # A connection is made once and broken rarely; the other points are passed all the time.
        plan = [(name, 1 if name in CONNECTING else hit)
                for name in FAILPOINTS for hit in range(1, KILLS_PER_POINT + 1)]
        plan += [("random", None)] * RANDOM_KILLS
        self.chance.shuffle(plan)
        self.plan = plan
        self.given = []
        self.supervisor = Supervisor(scene.pipeline, self._next_env)

    def _next_env(self):
        if len(self.given) == len(self.plan):
            return None
        name, hit = self.plan[len(self.given)]
        self.given.append((name, hit))
        return None if name == "random" else failpoint_env(name, hit, self.log)

    def fired(self):
        """{point: how often it killed}, from what the points themselves wrote."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        counts = dict.fromkeys(FAILPOINTS, 0)
        for line in lines:
            counts[line.split()[0]] += 1
        return counts

    def run_plan(self):
        self.supervisor.start()
        for number, (name, hit) in enumerate(self.plan, 1):
            self.supervisor.wait_started(number, 60)
            service = self.supervisor.current
            if name == "random":
                self._kill_at_random(service)
            else:
                self.scene.wait_for_kill(service, name, hit)
                self.supervisor.check()
            assert service.returncode == -signal.SIGKILL
        self.supervisor.wait_started(len(self.plan) + 1, 60)

    def _kill_at_random(self, service):
        # The random moment is the fault that is injected.
        time.sleep(self.chance.uniform(0.02, 1.5))
        service.kill9()


def test_kills_at_random_and_at_every_failpoint_leave_the_history_exact(scene, tmp_path):
    seed = int(os.environ.get("PGCHRONICLE_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"seed {seed}")
    load_finance(scene)
    scene.publish()
    oracle = scene.oracle(*FINANCE_TABLES)
    first_finance_rows(scene)
    scene.configure(
        tables={"include": ["operations.*"],
                "overrides": {"operations.order_items": {"rename": {"quanity": "quantity"}}}},
        # Small batches: more commits for the points around them to be hit at.
        batch={"max_delay": "20ms", "max_rows": 2000, "max_bytes": "8MiB"},
        memory_limit="64MiB",
        target={"lock_timeout": "20s"})
    killer = Killer(scene, tmp_path / "failpoints.log", seed)
    began = time.monotonic()
    with Traffic(scene.source, finance_steps(), seed, pause=0.05) as traffic, \
            Watcher(scene.source, scene.target, scene.slot, scene.name,
                    pid_of=lambda: killer.supervisor.current and killer.supervisor.current.pid,
                    rss_limit=(64 + 64) * MIB):
        killer.run_plan()
        wait_until(lambda: time.monotonic() - began >= SECONDS or traffic.errors, SECONDS + 1,
                   "the traffic's time to be over", interval=0.2)
        traffic.stop()
        service = killer.supervisor.current
        killer.supervisor.check()
        scene.catch_up(service, timeout=120)
        assert killer.supervisor.stop() == 0, service.tail()
    assert killer.fired() == dict.fromkeys(FAILPOINTS, KILLS_PER_POINT)
    assert killer.supervisor.starts == len(killer.plan) + 1
    assert traffic.commits > 100
    specs = [scene.spec(table) for table in FINANCE_TABLES[:3]]
    specs.append(scene.spec("order_items", rename={"quanity": "quantity"}))
    model = scene.set_v(oracle, *specs, seed=seed).assert_holds()
    print(f"{len(model.commits)} commits, {len(killer.plan)} kills")


@pytest.mark.parametrize("point", ["commit_sent_no_reply", "after_commit_before_ack"])
def test_a_transaction_whose_commit_was_not_answered_is_written_once(scene, tmp_path, point):
    scene.source.execute("create table operations.t (id integer primary key, v text)")
    scene.publish()
    oracle = scene.oracle("t")
    scene.start_streaming().stop()
    scene.source.execute("insert into operations.t select g, 'a' from generate_series(1, 100) g")
    log = tmp_path / "failpoint.log"
    service = scene.start(env=failpoint_env(point, 1, log))
    assert service.wait(30) == -signal.SIGKILL
    assert log.read_text().startswith(point)
    scene.source.execute("update operations.t set v = 'b'")
    service = scene.start_streaming()
    scene.catch_up(service)
    assert service.stop() == 0
    scene.set_v(oracle, scene.spec("t")).assert_holds()


def test_a_frozen_process_that_wakes_cannot_write_behind_its_successor(scene, tmp_path):
    """The lock is held by the connection that writes: who lost it has lost the right to write."""
    scene.source.execute("create table operations.t (id integer primary key, v text)")
    scene.publish()
    oracle = scene.oracle("t")
    scene.start_streaming().stop()
    scene.source.execute("insert into operations.t select g, 'a' from generate_series(1, 100) g")
    frozen = scene.start(env=failpoint_env("after_rows_before_checkpoint", 1,
                                           tmp_path / "failpoint.log", action="pause"))
    wait_until(lambda: (tmp_path / "failpoint.log").exists(), 30, "the process to freeze")
    # An administrator, or a broken network, ends its connections; another one takes over.
    scene.terminate_writer()
    scene.terminate_walsender()
    successor = scene.start_streaming()
    scene.catch_up(successor)
    os.kill(frozen.pid, signal.SIGCONT)
    scene.source.execute("update operations.t set v = 'b'")
    scene.catch_up(successor)
    assert frozen.wait(60) == 3, frozen.tail()
    assert successor.stop() == 0
    scene.set_v(oracle, scene.spec("t")).assert_holds()

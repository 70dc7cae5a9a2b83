"""Where faults happen: two servers of one's own, a load, the program, a watcher, a judge."""

import contextlib
import re
import time
from pathlib import Path

from ..campaign import MIB, Campaign, arithmetic
from ..pgchronicle import EXIT_OPERATOR, Pipeline, merge
from ..roles import create_roles
from ..scene import Scene
from ..waiting import wait_until
from ..watcher import Watcher
from ..workloads import WORKLOADS
from .judge import FaultV
from .load import Load

WALSENDER_TIMEOUT_SECONDS = 3
MEMORY_LIMIT_MIB = 64
WORKLOADS_RUN = ["list-append", "bank", "toggle"]
# Then another pair of databases is taken: set V is about all of a history, after every fault.
VERSIONS_MAX = 60_000
RECOVERY_SECONDS_MAX = 90
# Short, so that what waits for a timeout waits for seconds.
CONFIG = {
    "source": {"receive_timeout": "3s", "tcp_user_timeout": "3s"},
    "target": {"tcp_user_timeout": "3s", "lock_timeout": "20s"},
    "retry": {"delay_min": "50ms", "delay_max": "500ms"},
}


class _Prepared(Campaign):
    """Tables, publication, oracle, copy and judge are those of the workloads' campaign."""

    judge_kind = FaultV


class World:
    """Use as a context manager, in the main thread: it starts servers and the program."""

    def __init__(self, factory, workdir, seed, pause=0.08):
        self.factory = factory
        self.workdir = Path(workdir)
        self.seed = seed
        self.pause = pause
        self.scene = self.service = self.load = self.watcher = self.judge = None
        self.scenes = 0
        self.transactions = self.versions = self.points = self.samples = 0  # of what is over
        self._suffix = len(factory._clusters)

    def __enter__(self):
        self.source_cluster = self.factory.create(
            f"faults{self._suffix}_source", "source",
            wal_sender_timeout=f"{WALSENDER_TIMEOUT_SECONDS}s").start()
        self.target_cluster = self.factory.create(f"faults{self._suffix}_target", "target").start()
        for cluster in (self.source_cluster, self.target_cluster):
            create_roles(cluster)
        self.renew()
        return self

    def __exit__(self, kind, *_):
        with contextlib.suppress(Exception):
            self._end_scene()
        for cluster in (self.source_cluster, self.target_cluster):
            cluster.destroy()

    # -- the scene ---------------------------------------------------------------------------

    def renew(self):
        """Databases, slot and pipeline, and the load that fills them."""
        self._end_scene()
        self.scenes += 1
        scene = Scene(self.source_cluster, self.target_cluster,
                      self.workdir / f"scene{self.scenes}")
        scene.pipeline.set_config(merge(scene.pipeline.config, CONFIG))
        self.scene = scene
        self.workloads = [WORKLOADS[name]() for name in WORKLOADS_RUN]
        prepared = _Prepared(scene, self.workloads, streaming=self.scenes % 2 == 0,
                             seed=f"{self.seed}/{self.scenes}", points_per_round=6)
        self.judge = prepared.prepare().judge
        histories = [f"analytics.{table}_history" for w in self.workloads for table in w.tables]
        for table in histories:  # For W5, which asks for the latest versions all the time.
            scene.target.execute(f"create index on {table} (lsn_from)")
        self.service = scene.start_streaming()
        self.watcher = Watcher(scene.source, scene.target, scene.slot, scene.name,
                               pid_of=lambda: self.service and self.service.pid,
                               rss_limit=(MEMORY_LIMIT_MIB + 64) * MIB, histories=histories)
        self.watcher.start()
        self.load = Load(scene.source, self.workloads, f"{self.seed}/{self.scenes}", self.pause)
        self.load.start()

    def _end_scene(self):
        if self.scene is None:
            return
        scene, self.scene = self.scene, None
        if self.judge:
            self.transactions += self.judge.transactions
            self.versions += self.judge.versions
            self.points += self.judge.points_compared
            self.judge = None
        if self.watcher:
            self.watcher.stop()
            self.samples += self.watcher.samples
            self.watcher = None
        load, self.load = self.load, None
        try:
            if load:
                load.stop()
        finally:
            scene.close()

    # -- the program -------------------------------------------------------------------------

    def start(self, env=None, wait=True):
        self.service = self.scene.start(env=env)
        if wait:
            self.wait_streaming()
        return self.service

    def wait_streaming(self, timeout=60):
        self.service.wait_for(lambda: self.scene.streams(self.service), timeout, "the stream")

    def stop(self):
        assert self.service.stop() == 0, self.service.tail()

    def restart_with(self, **changes):
        """The same program with another configuration."""
        if self.service.alive:
            self.stop()
        self.scene.configure(**changes)
        self.start()

    @contextlib.contextmanager
    def another(self, **changes):
        """A second instance of the same pipeline with changes to its configuration."""
        pipeline = Pipeline(self.workdir / f"scene{self.scenes}" / "another",
                            merge(self.scene.pipeline.config, changes), self.scene.pipeline.env)
        try:
            yield pipeline
        finally:
            pipeline.close()

    @contextlib.contextmanager
    def reconnecting(self, timeout=30):
        """What is done within makes it connect anew."""
        seen = len(self.service.events("reconnecting"))
        yield
        self.service.wait_event("reconnecting", timeout, count=seen + 1)

    def recover(self):
        """Seconds until everything that was committed by now is stored."""
        began = time.monotonic()
        self.scene.catch_up(self.service, RECOVERY_SECONDS_MAX)
        return time.monotonic() - began

    # -- judging -----------------------------------------------------------------------------

    def stops_with(self, said, may_advance=False):
        """It has to end with exit code 3 and say this (a pattern); and so does a further start,
        which neither writes nor acknowledges."""
        assert self.service.wait(60) == EXIT_OPERATOR, self.service.tail()
        text = self.service.log_text()
        assert re.search(said, text), f"it did not say {said!r}:\n{text[-3000:]}"
        before = self._stored()
        again = self.scene.run("run", "--until-current", timeout=60)
        assert again.returncode == EXIT_OPERATOR, again.stderr[-3000:]
        if not may_advance:
            assert self._stored() == before, "it wrote or acknowledged although it had to stop"

    def _stored(self):
        scene = self.scene
        counts = [scene.target.query(
            "select count(*), max(lsn_from)::text from "
            + f"(select lsn_from from analytics.{table}_history) as h")
            for w in self.workloads for table in w.tables
            if scene.target.value("select to_regclass(%s)::text",
                                  (f"analytics.{table}_history",))]
        with contextlib.suppress(Exception):  # The source may be the one that is not there.
            counts.append(scene.confirmed())
        return counts

    def judged(self):
        """Nobody writes, everything is stored, set V and the watcher say what is wrong."""
        self.load.stop()
        self.load.points.clear()
        self.load.witness()
        self.scene.catch_up(self.service, RECOVERY_SECONDS_MAX)
        problems = self.judge.judge(self.watcher, self.load.points)
        with contextlib.closing(self.scene.target.connect()) as connection:
            problems += [f"workload: not so: {claim}: {rows}"
                         for claim, rows in arithmetic(connection, self.workloads)]
        problems += self.watcher.violations[:5]
        self.watcher.violations.clear()
        wait_until(lambda: self._walsenders() == 1, 20, "exactly one active walsender")
        self.load.start()
        return problems

    def renew_if_full(self):
        """Between two faults, neither of which knows of the other's databases."""
        if self.judge.versions > VERSIONS_MAX:
            self.renew()

    def _walsenders(self):
        return self.scene.source.value(
            "select count(*) from pg_replication_slots s join pg_stat_replication r "
            "on r.pid = s.active_pid where slot_name = %s", (self.scene.slot,))

    def keep_logs(self, folder, name, text):
        """What a failure leaves behind."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.txt").write_text(text)
        (folder / f"{name}.pgchronicle.log").write_text(self.scene.pipeline.whole_log())
        for cluster in (self.source_cluster, self.target_cluster):
            (folder / f"{name}.{cluster.name}.log").write_text(cluster.log_text()[-200_000:])

"""A campaign: workloads write, the program under test is killed now and then, set V judges."""

import contextlib
import random
import time
from dataclasses import dataclass, field

from .pgchronicle import Supervisor, failpoint_env, nudge, position, tables_to_copy
from .lsn import parse_lsn
from .rolling import RollingV
from .waiting import wait_until
from .watcher import Watcher
from .workloads.drive import Drive

MIB = 1 << 20
# So little that the server streams what is larger, or spills it where streaming is off.
DECODING_MEMORY = "64kB"


@dataclass
class Outcome:
    transactions: int = 0
    versions: int = 0
    points: int = 0
    kills: int = 0
    streamed: int = 0
    seconds: float = 0.0
    problems: list = field(default_factory=list)


class Campaign:
    """One scene, some workloads in its database, and rounds of transactions."""

    judge_kind = RollingV

    def __init__(self, scene, workloads, *, streaming, seed, failpoints=(),
                 points_per_round=25, witnesses_per_round=10):
        self.scene = scene
        self.workloads = workloads
        self.streaming = streaming
        self.seed = seed
        self.failpoints = list(failpoints)  # (name, hit) of the kills, one for each start
        self.failpoint_log = scene.pipeline.workdir / "failpoints.log"
        self.points_per_round = points_per_round
        self.witnesses_per_round = witnesses_per_round
        self.chance = random.Random(f"{seed}/campaign")
        self.outcome = Outcome()
        self.judge = None
        self._armed = False

    # -- the parts of a run --------------------------------------------------------------------

    def prepare(self):
        """Tables, publication, oracle, the initial copy, and the judge."""
        source = self.scene.source
        for workload in self.workloads:
            with source.transaction() as cursor:
                workload.prepare(cursor)
        source.execute(f'alter database "{source.name}" set logical_decoding_work_mem = '
                       f"'{DECODING_MEMORY}'")
        self.scene.configure(source={"streaming": "on" if self.streaming else "off"},
                             batch={"max_delay": "20ms", "max_rows": 2000, "max_bytes": "8MiB"},
                             memory_limit="64MiB", target={"lock_timeout": "20s"})
        self.scene.publish()
        oracle = self.scene.oracle(*(t for w in self.workloads for t in w.tables))
        service = self.scene.start_streaming()
        assert service.stop() == 0, service.tail()
        self.judge = self._judge(oracle).begin()
        return self

    def _judge(self, oracle):
        specs, unmodelled, fates = [], [], {}
        for workload in self.workloads:
            for table in workload.tables:
                options = {"key": []} if table in workload.unkeyed else {}
                kind = unmodelled if table in workload.unmodelled else specs
                kind.append(self.scene.spec(table, **options))
                fates[table] = workload.fate_column
        return self.judge_kind(
            self.scene.source, self.scene.target, oracle, specs, self.scene.name,
            unmodelled=unmodelled, fates=fates, seed=self.seed,
            points_per_round=self.points_per_round)

    def run(self, transactions, rounds, *, kill_each_round=False, forget=True):
        """`transactions` of each workload in so many rounds. The outcome holds what is wrong."""
        began = time.monotonic()
        self.prepare()
        drive = Drive(self.scene.source, self.workloads, self.seed)
        starts = iter(self.failpoints)
        supervisor = Supervisor(self.scene.pipeline, lambda: self._next_env(starts))
        supervisor.start()
        with Watcher(self.scene.source, self.scene.target, self.scene.slot, self.scene.name,
                     pid_of=lambda: supervisor.current and supervisor.current.pid,
                     rss_limit=(64 + 64) * MIB):
            for number in range(rounds):
                if number:
                    drive.settle()
                    if number % 2 == 0:
                        # Otherwise what a swap leaves to be copied is copied under load.
                        self._catch_up(supervisor)
                events = [(self.chance.random(), lambda: self._kill(supervisor))] \
                    if kill_each_round else []
                drive.points.clear()
                share = transactions * (number + 1) // rounds - transactions * number // rounds
                drive.run(share, self.witnesses_per_round, events)
                self._catch_up(supervisor)
                self.judge.check_round(drive.points, forget)
        assert supervisor.stop() == 0, supervisor.current.tail()
        self.judge.check_end()
        self._arithmetic()
        return self._finish(drive, supervisor, time.monotonic() - began)

    def _finish(self, drive, supervisor, seconds):
        outcome = self.outcome
        outcome.transactions = sum(drive.committed.values())
        if self.judge.transactions != outcome.transactions + drive.settled:
            self.judge.problems.append(
                f"oracle: {self.judge.transactions} transactions decoded instead of "
                f"{outcome.transactions} and {drive.settled} between rounds")
        outcome.versions = self.judge.versions
        outcome.points = self.judge.points_compared
        outcome.kills = supervisor.starts - 1
        outcome.streamed = int(self.scene.source.value(
            "select coalesce(sum(stream_txns), 0) from pg_stat_replication_slots "
            "where slot_name = %s", (self.scene.slot,)))
        outcome.seconds = seconds
        outcome.problems = self.judge.problems
        return outcome

    # -- kills -------------------------------------------------------------------------------

    def _next_env(self, starts):
        point = next(starts, None)
        self._armed = point is not None
        return point and failpoint_env(*point, self.failpoint_log)

    def _kill(self, supervisor):
        supervisor.wait_started(1)
        if not self._armed:  # It is killed where it was told to be.
            supervisor.current.kill9()

    def fired(self):
        """The failpoints that killed, in order."""
        text = self.failpoint_log.read_text() if self.failpoint_log.exists() else ""
        return [line.split()[0] for line in text.splitlines()]

    # -- between rounds ----------------------------------------------------------------------

    def _catch_up(self, supervisor, timeout=180):
        source, target, name = self.scene.source, self.scene.target, self.scene.name
        end = parse_lsn(source.lsn())
        nudge(source)

        def reached():
            supervisor.check()
            return position(target, name) >= end and tables_to_copy(target, name) == 0
        wait_until(reached, timeout, "the checkpoint to reach the source's end")

    def _arithmetic(self):
        """What the workloads themselves say of their history."""
        with contextlib.closing(self.scene.target.connect()) as connection:
            for claim, rows in arithmetic(connection, self.workloads):
                self.judge.problems.append(f"workload: not so: {claim}: {rows}")


def arithmetic(connection, workloads):
    """[(claim, first rows that contradict it)] of the workloads."""
    broken = []
    with connection.cursor() as cursor:
        for workload in workloads:
            for claim, sql in workload.checks().items():
                cursor.execute(sql)
                rows = cursor.fetchmany(3)
                if rows:
                    broken.append((f"{workload.name}: {claim}", rows))
    return broken

"""Runs faults: a first sweep over every kind, batches of kills between them, then again and again.

Whatever goes wrong with one is noted with its logs, and the next one gets servers of its own.
"""

import contextlib
import random
import tempfile
import time
import traceback
from dataclasses import dataclass, field

from . import KINDS, kills
from .world import World

KILLS_PER_POINT, KILLS_AT_RANDOM = 2, 25  # in one batch
BATCHES_AN_HOUR = 12  # At least; none is left out because something else took long.
BATCH_EVERY_SECONDS = 270  # So there are fourteen, if nothing does.
RECOVERS, STOPS = "goes on by itself", "stops with exit code 3, goes on once cleared"
STOPS_FOR_GOOD = "stops with exit code 3, the history stays"


@dataclass
class Tally:
    """What is known of one kind."""

    outcome: str
    tries: int = 0
    seconds: list = field(default_factory=list)  # until everything committed before was stored
    differences: int = 0
    failures: list = field(default_factory=list)
    skipped: str = ""


def attempt(world, fault):
    """One try from beginning to end: (seconds to recover or None, what is wrong)."""
    if fault.ends_scene:
        return _last_attempt(world, fault)
    try:
        seconds = _struck(world, fault)
        world.load.wait_more(30)
        problems = world.judged()
    except Exception:
        with contextlib.suppress(Exception):  # What went wrong first is what counts.
            fault.finish(world)
        raise
    with contextlib.suppress(Exception) if problems else contextlib.nullcontext():
        fault.finish(world)
    return seconds, problems


def _struck(world, fault):
    """The fault, and how long it took until everything was stored afterwards."""
    world.load.wait_more(30)
    world.watcher.may_go_back = fault.may_go_back
    with contextlib.nullcontext() if fault.watched else world.watcher.away():
        fault.inject(world)
        if fault.stops:
            world.stops_with(fault.stops, fault.at_a_transaction)
        fault.clear(world)
        began = time.monotonic()
        if fault.stops:
            world.start()
        world.recover()
        return time.monotonic() - began


def _last_attempt(world, fault):
    """The history has to be right before, and to stay as it was."""
    world.load.wait_more(30)
    problems = world.judged()
    with world.watcher.away():
        fault.inject(world)
        world.stops_with(fault.stops)
        fault.clear(world)
    world.renew()
    return None, problems


class FaultCampaign:
    """Use as a context manager. `tallies` is what the table is made of."""

    def __init__(self, factory, seed, logs, kinds=None, say=print):
        self.factory = factory
        self.seed = seed
        self.logs = logs
        self.say = say
        self.kinds = list(KINDS if kinds is None else kinds)
        names = [f"kill -9 at `{point}`" for point in kills.FAILPOINTS]
        self.tallies = {name: Tally(RECOVERS) for name in [*names, "kill -9 at a random moment"]}
        for kind in self.kinds:
            self.tallies[kind.name] = Tally(
                STOPS_FOR_GOOD if kind.ends_scene else STOPS if kind.stops else RECOVERS)
        self.world = None
        self.batches = self.transactions = self.versions = self.points = self.samples = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._end_world()

    def run(self, seconds):
        """A sweep over all kinds at least, and as many as fit into the time."""
        began = time.monotonic()
        for number, kind in enumerate(self._order()):
            passed = time.monotonic() - began
            if number >= len(self.kinds) and passed >= seconds:
                break
            if self.batches * BATCH_EVERY_SECONDS <= passed:
                self.kill()
            self.try_once(kind)
        while self.batches < BATCHES_AN_HOUR * seconds / 3600:
            self.kill()

    def _order(self):
        """All kinds in random order, again and again."""
        order = random.Random(self.seed)
        while True:
            kinds = list(self.kinds)
            order.shuffle(kinds)
            yield from kinds

    def try_once(self, kind):
        tally = self.tallies[kind.name]
        fault = kind(f"{self.seed}/{tally.tries}")
        began = time.monotonic()
        with self._noting([tally]) as world:
            tally.skipped = fault.missing(world) or ""
            if tally.skipped:
                self.say(f"skipped: {kind.name}: {tally.skipped}")
                return
            tally.tries += 1
            seconds, problems = attempt(world, fault)
            self._note([tally], problems)
            if seconds is not None:
                tally.seconds.append(seconds)
            if not problems:
                world.renew_if_full()
            self.say(f"{time.monotonic() - began:5.1f} s  {kind.name}"
                     + (f": {seconds:.1f} s to recover" if seconds is not None else ""))

    def kill(self, per_point=KILLS_PER_POINT, at_random=KILLS_AT_RANDOM):
        """One batch of kills, then set V."""
        seed = f"{self.seed}/{self.batches}"
        self.batches += 1
        began = time.monotonic()
        all_points = list(self.tallies.values())[:len(kills.FAILPOINTS) + 1]
        with self._noting(all_points) as world:
            world.load.wait_more(30)
            done = kills.run(world, seed, per_point, at_random)
            for point, seconds in done:
                tally = self.tallies[f"kill -9 at {point}" if point == kills.AT_RANDOM
                                     else f"kill -9 at `{point}`"]
                tally.tries += 1
                tally.seconds += [] if seconds is None else [seconds]
            world.recover()
            world.load.wait_more(30)
            problems = world.judged()
            self._note(all_points, problems)
            if not problems:
                world.renew_if_full()
        self.say(f"{time.monotonic() - began:5.1f} s  batch {self.batches} of kills: {len(done)}")

    # -- notes -------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _noting(self, tallies):
        """The servers; if what is done to them goes wrong, that is noted and they are given up."""
        try:
            yield self._world()
        except Exception:  # noqa: BLE001 - the others are tried all the same.
            self._fail(tallies, traceback.format_exc())

    def _note(self, tallies, problems):
        if problems:
            for tally in tallies:
                tally.differences += len(problems)
            self._fail(tallies, "\n".join(problems))

    def _fail(self, tallies, text):
        number = sum(len(tally.failures) for tally in self.tallies.values())
        for tally in tallies:
            tally.failures.append(text)
        self.say(f"FAILED, seed {self.seed}:\n{text}")
        if self.world and self.world.scene:
            self.world.keep_logs(self.logs, f"failure{number}", text)
        self._end_world()

    def _world(self):
        if self.world is None:
            self._folder = tempfile.TemporaryDirectory(prefix="pgchronicle-faults-")
            self.world = World(self.factory, self._folder.name, self.seed)
            self.world.__enter__()
        return self.world

    def _end_world(self):
        world, self.world = self.world, None
        if world is None:
            return
        world.__exit__(None)
        self.transactions += world.transactions
        self.versions += world.versions
        self.points += world.points
        self.samples += world.samples
        self._folder.cleanup()

    def servers(self):
        """The versions of source and target."""
        world = self._world()
        return [cluster.query("show server_version")[0][0].split()[0]
                for cluster in (world.source_cluster, world.target_cluster)]

    @property
    def failed(self):
        return [name for name, tally in self.tallies.items() if tally.failures]

"""Faults of the program itself."""

import os
import signal
import time

from ..pgchronicle import EXIT_DONE, EXIT_OPERATOR
from ..scene import PUBLICATION
from ..waiting import wait_until
from .base import Fault, lasting
from .world import WALSENDER_TIMEOUT_SECONDS


class Frozen(Fault):
    name = "we stand still for longer than wal_sender_timeout (SIGSTOP)"

    def inject(self, world):
        os.kill(world.service.pid, signal.SIGSTOP)
        lasting(1.7 * WALSENDER_TIMEOUT_SECONDS)

    def clear(self, world):
        os.kill(world.service.pid, signal.SIGCONT)


class Terminated(Fault):
    name = "SIGTERM under load"

    def inject(self, world):
        began = time.monotonic()
        assert world.service.stop() == EXIT_DONE, world.service.tail()
        assert time.monotonic() - began < 10

    def clear(self, world):
        world.start(wait=False)


class SecondInstance(Fault):
    name = "a second instance on the same host"

    def inject(self, world):
        first = world.service.pid
        with world.another(target={"lock_timeout": "1s"}) as another:
            ended = another.run("run", timeout=30)
        assert ended.returncode == EXIT_OPERATOR, ended.stderr[-3000:]
        assert "is run by another process" in ended.stderr, ended.stderr[-3000:]
        assert world.service.alive and world.service.pid == first


class Swapped(Fault):
    """The next one waits for the lock already when this one is killed."""

    name = "instances swapped, eight times"
    times = 8

    def inject(self, world):
        for _ in range(self.times):
            successor = world.scene.start()
            successor.wait_event("lock_waiting")
            world.service.kill9()
            world.service = successor
            world.wait_streaming()
            world.load.wait_more(self.chance.randint(1, 20))


class Woken(Fault):
    """What it holds of the stream is not written: its connections are another one's by now."""

    name = "an instance wakes up after another one has taken over"

    def inject(self, world):
        self.sleeper = world.service
        os.kill(self.sleeper.pid, signal.SIGSTOP)
        wait_until(world.scene.terminate_writer, 20, "a backend of the one that sleeps")
        world.start()
        world.load.wait_more(100)

    def clear(self, world):
        os.kill(self.sleeper.pid, signal.SIGCONT)
        self.sleeper.wait_event("lock_waiting")

    def finish(self, world):
        if hasattr(self, "sleeper"):
            self.sleeper.kill9()


class Reloaded(Fault):
    name = "SIGHUP under load, twenty times"
    times = 20

    def inject(self, world):
        pid = world.service.pid
        for _ in range(self.times):
            os.kill(pid, signal.SIGHUP)
            world.load.wait_more(self.chance.randint(1, 10))
        world.service.wait_event("reloaded")
        assert world.service.alive and world.service.pid == pid


class SlotTaken(Fault):
    name = "another client reads from the slot (55006)"

    def inject(self, world):
        world.stop()
        self.other = world.source_cluster.connect_replication(world.scene.source.name)
        self.other.cursor().start_replication(
            slot_name=world.scene.slot,
            options={"proto_version": "1", "publication_names": PUBLICATION})
        holder = world.scene.source.value(
            "select active_pid from pg_replication_slots where slot_name = %s",
            (world.scene.slot,))
        world.start(wait=False)
        world.service.wait_for(lambda: str(holder) in world.service.log_text(), 30,
                               "the holder to be named")

    def clear(self, world):
        self.other.close()
        world.wait_streaming()


KINDS = [Frozen, Terminated, SecondInstance, Swapped, Woken, Reloaded, SlotTaken]

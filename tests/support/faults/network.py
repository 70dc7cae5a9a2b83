"""Faults of the network, made by a proxy that the program is led through."""

from .base import Fault, lasting
from .link import Link


class _Network(Fault):
    side = "source"

    def inject(self, world):
        cluster = world.source_cluster if self.side == "source" else world.target_cluster
        self.direct = world.scene.pipeline.config[self.side]["dsn"]
        self.link = Link(cluster.port, self.chance.random()).__enter__()
        world.restart_with(**{self.side: {"dsn": self.link.dsn_through(self.direct)}})
        self.strike(world)

    def strike(self, world):
        raise NotImplementedError

    def clear(self, world):
        self.link.cut()

    def finish(self, world):
        if hasattr(self, "link"):
            world.restart_with(**{self.side: {"dsn": self.direct}})
            self.link.__exit__()


class CommitReplyLost(_Network):
    name, side = "the reply to COMMIT lost, ten times", "target"
    times = 10

    def strike(self, world):
        self.link.commits_to_lose = self.times
        world.service.wait_for(lambda: self.link.commits_lost == self.times, 60,
                               "the replies to be lost")


class SourceToServer(_Network):
    name = "half-open connection: what we send to the source is lost"

    def strike(self, world):
        with world.reconnecting():
            self.link.lose_to_server()


class SourceToClient(_Network):
    name = "half-open connection: what the source sends is lost"

    def strike(self, world):
        with world.reconnecting():
            self.link.lose_to_client()


class TargetToServer(_Network):
    name, side = "half-open connection: what we send to the target is lost", "target"

    def strike(self, world):
        with world.reconnecting():
            self.link.lose_to_server()
        # The target's server side has noticed, too; it held the pipeline's lock.
        self.link.end_servers()


class TargetToClient(_Network):
    """Something between us goes on acknowledging what we send, so nothing but the end of the fault
    can be noticed: the connection is then reset."""

    name, side = "half-open connection: what the target sends is lost", "target"

    def strike(self, world):
        self.link.lose_to_client()
        lasting(4)
        world.service.fail_if_dead()


class SourceResets(_Network):
    name = "connections to the source reset at random bytes, twelve times"
    times = 12

    def strike(self, world):
        self.link.resets_left = self.times
        self.link.cut()
        world.service.wait_for(lambda: self.link.resets_left <= 0, 90, "the resets")


class TargetResets(SourceResets):
    name, side = "connections to the target reset at random bytes, twelve times", "target"


class Pieces(_Network):
    name = "the stream arrives byte by byte"

    def strike(self, world):
        self.link.piece_bytes = 1
        self.link.cut()
        world.load.wait_more(300)
        world.recover()

    def clear(self, world):
        self.link.piece_bytes = None


class SlowLink(_Network):
    name = "slow link from the source, 20 kB/s"

    def strike(self, world):
        self.link.bytes_per_second = 20_000
        lasting(5)
        world.service.fail_if_dead()

    def clear(self, world):
        self.link.bytes_per_second = None


class Latency(_Network):
    name, side = "40 ms of latency to the target", "target"

    def strike(self, world):
        self.link.delay_seconds = 0.02
        self.link.cut()
        world.load.wait_more(300)
        world.recover()

    def clear(self, world):
        self.link.delay_seconds = 0


KINDS = [CommitReplyLost, SourceToServer, SourceToClient, TargetToServer, TargetToClient,
         SourceResets, TargetResets, Pieces, SlowLink, Latency]

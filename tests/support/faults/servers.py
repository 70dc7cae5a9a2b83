"""Servers that stop, crash or stand still."""

from ..waiting import wait_until
from .base import Fault, lasting


class _Stopped(Fault):
    side = mode = ""

    def inject(self, world):
        self.server(world).stop(self.mode)
        lasting(self.chance.uniform(0.1, 2))

    def clear(self, world):
        self.server(world).start()

    def server(self, world):
        return world.target_cluster if self.side == "target" else world.source_cluster


class TargetCrashes(_Stopped):
    name, side, mode = "target stopped, immediate", "target", "immediate"
    may_go_back = True


class AsynchronousTargetCrashes(TargetCrashes):
    name = "target with synchronous_commit = off stopped, immediate"

    def inject(self, world):
        world.target_cluster.reload(synchronous_commit="off", wal_writer_delay="10s")
        wait_until(world.scene.terminate_writer, 20, "a backend of ours")
        world.load.wait_more(200)
        super().inject(world)

    def finish(self, world):
        world.target_cluster.reload(synchronous_commit=None, wal_writer_delay=None)


class TargetStops(_Stopped):
    name, side, mode = "target stopped, fast", "target", "fast"


class SourceCrashes(_Stopped):
    name, side, mode = "source stopped, immediate", "source", "immediate"


class SourceStops(_Stopped):
    name, side, mode = "source stopped, fast", "source", "fast"


class BothCrash(Fault):
    name = "both servers stopped at once, immediate"
    may_go_back = True

    def inject(self, world):
        self.both = [world.source_cluster, world.target_cluster]
        self.chance.shuffle(self.both)
        for server in self.both:
            server.stop("immediate")

    def clear(self, world):
        for server in self.both:
            server.start()


class _Frozen(_Stopped):
    def inject(self, world):
        self.server(world).sigstop()
        lasting(self.chance.uniform(3, 6))

    def clear(self, world):
        self.server(world).sigcont()


class TargetFrozen(_Frozen):
    name, side = "target stands still (SIGSTOP)", "target"


class SourceFrozen(_Frozen):
    name, side = "source stands still (SIGSTOP)", "source"


KINDS = [TargetCrashes, AsynchronousTargetCrashes, TargetStops, SourceCrashes, SourceStops,
         BothCrash, TargetFrozen, SourceFrozen]

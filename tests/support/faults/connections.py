"""Connections that are ended or refused by a server."""

import psycopg2

from ..scene import SOURCE_PASSWORD, SOURCE_USER, TARGET_PASSWORD, TARGET_USER
from ..waiting import wait_until
from .base import Fault

ROLES = {"source": SOURCE_USER, "target": TARGET_USER}
REFUSED = "password authentication failed"


def end_ours(world, side):
    """Ends what we have open there. There may be nothing while it still reconnects."""
    end = {"source": world.scene.terminate_walsender, "target": world.scene.terminate_writer}
    wait_until(end[side], 20, f"a connection of ours to the {side}")


def wait_refused(world, said):
    world.service.wait_for(lambda: said in world.service.log_text(), 20, "the refusal")


class _Terminated(Fault):
    side = ""

    def inject(self, world):
        for _ in range(5):
            with world.reconnecting():
                end_ours(world, self.side)
            world.load.wait_more(self.chance.randint(1, 20))


class BackendTerminated(_Terminated):
    name = "our backend on the target terminated, five times"
    side = "target"


class WalsenderTerminated(_Terminated):
    name = "our walsender terminated, five times"
    side = "source"


class _RoleAltered(Fault):
    """Our role is not what it was when we connect again."""

    side = does = undoes = ""
    refusal = None  # What the log says while it tries on.

    def inject(self, world):
        self._alter(world, self.does)
        end_ours(world, self.side)
        if self.refusal:
            wait_refused(world, self.refusal)

    def clear(self, world):
        self._alter(world, self.undoes)

    def _alter(self, world, how):
        cluster = getattr(world, f"{self.side}_cluster")
        cluster.execute(f"alter role {ROLES[self.side]} {how}")


class _Full(_RoleAltered):
    does, undoes = "connection limit 0", "connection limit -1"
    refusal = "too many connections"


class TargetFull(_Full):
    name = "too many connections on the target (53300)"
    side = "target"


class SourceFull(_Full):
    name = "too many connections on the source (53300)"
    side = "source"


class SourcePasswordRotated(_RoleAltered):
    name = "password rotated on the source"
    stops = REFUSED
    side = "source"
    does, undoes = "password 'rotated'", f"password '{SOURCE_PASSWORD}'"


class TargetPasswordRotated(_RoleAltered):
    name = "password rotated on the target"
    stops = REFUSED
    side = "target"
    does, undoes = "password 'rotated'", f"password '{TARGET_PASSWORD}'"


class SourceRoleDisabled(_RoleAltered):
    name = "our role on the source may not log in any more"
    stops = "is not permitted to log in"
    side = "source"
    does, undoes = "nologin", "login"


class ReplicationTaken(_RoleAltered):
    name = "REPLICATION taken from our role on the source (42501)"
    stops = "must be superuser or replication role|permission denied to start WAL sender"
    side = "source"
    does, undoes = "noreplication", "replication"


class TargetReadOnly(Fault):
    name = "target read-only (25006)"

    def inject(self, world):
        world.target_cluster.execute(f'alter database "{world.scene.target.name}" '
                                     "set default_transaction_read_only = on")
        end_ours(world, "target")
        wait_refused(world, "read-only transaction")

    def clear(self, world):
        with world.scene.target.connect(default_transaction_read_only="off") as connection:
            connection.cursor().execute(f'alter database "{world.scene.target.name}" '
                                        "reset default_transaction_read_only")
        connection.close()
        end_ours(world, "target")  # The session is read-only still.


class TargetRefuses(Fault):
    name = "pg_hba.conf of the target refuses us"
    stops = "rejects connection"

    def inject(self, world):
        self.rules = world.target_cluster.data / "pg_hba.conf"
        self.before = self.rules.read_text()
        self.rules.write_text(f"host all {TARGET_USER} all reject\n{self.before}")
        world.target_cluster.reload()
        end_ours(world, "target")

    def clear(self, world):
        self.rules.write_text(self.before)
        world.target_cluster.reload()


class WalsendersUsedUp(Fault):
    name = "no walsender left on the source (53300)"

    def inject(self, world):
        self.others = []

        def used_up():
            try:
                while True:
                    self.others.append(
                        world.source_cluster.connect_replication(world.scene.source.name))
            except psycopg2.OperationalError:  # That was the last one.
                world.scene.terminate_walsender()
            return "max_wal_senders" in world.service.log_text()
        wait_until(used_up, 30, "the refusal")

    def clear(self, world):
        for other in self.others:
            other.close()


KINDS = [BackendTerminated, WalsenderTerminated, TargetFull, SourceFull, WalsendersUsedUp,
         TargetReadOnly, SourcePasswordRotated, TargetPasswordRotated, SourceRoleDisabled,
         ReplicationTaken, TargetRefuses]

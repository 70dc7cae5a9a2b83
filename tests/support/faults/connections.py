"""Connections that are ended or refused by a server."""

import psycopg2

from ..scene import SOURCE_PASSWORD, SOURCE_USER, TARGET_PASSWORD, TARGET_USER
from ..waiting import wait_until
from .base import Fault

REFUSED = "password authentication failed"


class BackendTerminated(Fault):
    name = "our backend on the target terminated, five times"

    def inject(self, world):
        for _ in range(5):
            with world.reconnecting():
                # There may be none while it still reconnects from the last time.
                wait_until(world.scene.terminate_writer, 20, "a backend of ours")
            world.load.wait_more(self.chance.randint(1, 20))


class WalsenderTerminated(Fault):
    name = "our walsender terminated, five times"

    def inject(self, world):
        for _ in range(5):
            with world.reconnecting():
                wait_until(world.scene.terminate_walsender, 20, "a walsender of ours")
            world.load.wait_more(self.chance.randint(1, 20))


class TargetFull(Fault):
    name = "too many connections on the target (53300)"

    def inject(self, world):
        world.target_cluster.execute(f"alter role {TARGET_USER} connection limit 0")
        wait_until(world.scene.terminate_writer, 20, "a backend of ours")
        world.service.wait_for(lambda: "too many connections" in world.service.log_text(), 20,
                               "the refusal")

    def clear(self, world):
        world.target_cluster.execute(f"alter role {TARGET_USER} connection limit -1")


class SourceFull(Fault):
    name = "too many connections on the source (53300)"

    def inject(self, world):
        world.source_cluster.execute(f"alter role {SOURCE_USER} connection limit 0")
        wait_until(world.scene.terminate_walsender, 20, "a walsender of ours")
        world.service.wait_for(lambda: "too many connections" in world.service.log_text(), 20,
                               "the refusal")

    def clear(self, world):
        world.source_cluster.execute(f"alter role {SOURCE_USER} connection limit -1")


class TargetReadOnly(Fault):
    name = "target read-only (25006)"

    def inject(self, world):
        world.target_cluster.execute(f'alter database "{world.scene.target.name}" '
                                     "set default_transaction_read_only = on")
        wait_until(world.scene.terminate_writer, 20, "a backend of ours")
        world.service.wait_for(lambda: "read-only transaction" in world.service.log_text(), 20,
                               "the refusal")

    def clear(self, world):
        with world.scene.target.connect(default_transaction_read_only="off") as connection:
            connection.cursor().execute(f'alter database "{world.scene.target.name}" '
                                        "reset default_transaction_read_only")
        connection.close()
        wait_until(world.scene.terminate_writer, 20, "the session that is read-only")


class SourcePasswordRotated(Fault):
    name = "password rotated on the source"
    stops = REFUSED

    def inject(self, world):
        world.source_cluster.execute(f"alter role {SOURCE_USER} password 'rotated'")
        wait_until(world.scene.terminate_walsender, 20, "a walsender of ours")

    def clear(self, world):
        world.source_cluster.execute(f"alter role {SOURCE_USER} password '{SOURCE_PASSWORD}'")


class TargetPasswordRotated(Fault):
    name = "password rotated on the target"
    stops = REFUSED

    def inject(self, world):
        world.target_cluster.execute(f"alter role {TARGET_USER} password 'rotated'")
        wait_until(world.scene.terminate_writer, 20, "a backend of ours")

    def clear(self, world):
        world.target_cluster.execute(f"alter role {TARGET_USER} password '{TARGET_PASSWORD}'")


class SourceRoleDisabled(Fault):
    name = "our role on the source may not log in any more"
    stops = "is not permitted to log in"

    def inject(self, world):
        world.source_cluster.execute(f"alter role {SOURCE_USER} nologin")
        wait_until(world.scene.terminate_walsender, 20, "a walsender of ours")

    def clear(self, world):
        world.source_cluster.execute(f"alter role {SOURCE_USER} login")


class ReplicationTaken(Fault):
    name = "REPLICATION taken from our role on the source (42501)"
    stops = "must be superuser or replication role|permission denied to start WAL sender"

    def inject(self, world):
        world.source_cluster.execute(f"alter role {SOURCE_USER} noreplication")
        wait_until(world.scene.terminate_walsender, 20, "a walsender of ours")

    def clear(self, world):
        world.source_cluster.execute(f"alter role {SOURCE_USER} replication")


class TargetRefuses(Fault):
    name = "pg_hba.conf of the target refuses us"
    stops = "rejects connection"

    def inject(self, world):
        self.rules = world.target_cluster.data / "pg_hba.conf"
        self.before = self.rules.read_text()
        self.rules.write_text(f"host all {TARGET_USER} all reject\n{self.before}")
        world.target_cluster.reload()
        wait_until(world.scene.terminate_writer, 20, "a backend of ours")

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

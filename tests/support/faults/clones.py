"""Another server stands where the source was: restored from a backup, or a standby, promoted."""

import contextlib

from .. import standby
from ..lsn import parse_lsn
from ..pgchronicle import EXIT_DONE, EXIT_OPERATOR
from ..waiting import wait_until
from .base import Fault

OTHER_TIMELINE = r"The checkpoint's timeline is \d+, the source's is \d+\."
WHY = ("--reason", "the standby was promoted")


class _Clone(Fault):
    """The program is led to a copy of the source, and back."""

    watched = False

    def inject(self, world):
        source = world.source_cluster
        self.clone = self.made_of(world, source)
        self.follow(world)
        world.load.wait_more(100)
        world.recover()
        world.stop()
        self.arrive(world)
        self.direct = world.scene.pipeline.config["source"]["dsn"]
        world.scene.configure(source={"dsn": self.direct.replace(
            f"port={source.port}", f"port={self.clone.port}")})
        world.start(wait=False)

    def made_of(self, world, source):
        return standby.backup_of(world.factory, source)

    def follow(self, world):
        """The copy's life until the switch."""

    def arrive(self, world):
        """The copy becomes what the program meets."""

    def slot_in_clone(self, world):
        with contextlib.closing(self.clone.connect(world.scene.source.name)) as connection:
            connection.cursor().execute(
                "select pg_create_logical_replication_slot(%s, 'pgoutput')", (world.scene.slot,))

    def clear(self, world):
        world.scene.configure(source={"dsn": self.direct})

    def finish(self, world):
        if hasattr(self, "clone"):
            self.clone.destroy()


class Restored(_Clone):
    name = "source restored from a backup"
    stops = "checkpoint is ahead of the source"

    def arrive(self, world):
        self.clone.start()
        self.slot_in_clone(world)


class RestoredWithoutSlot(_Clone):
    name = "source restored from a backup, without the slot"
    stops = "does not exist"

    def arrive(self, world):
        self.clone.start()


class _Standby(_Clone):
    def made_of(self, world, source):
        return standby.standby_of(world.factory, source)


class StandbyWithoutSlot(_Standby):
    name = "standby promoted, without the slot"
    stops = OTHER_TIMELINE

    def follow(self, world):
        self.clone.start()

    def arrive(self, world):
        standby.wait_replayed(self.clone, world.scene.position())
        standby.promote(self.clone)


class StandbyBehind(_Standby):
    """It goes on until it has written more than the history knows; that changes nothing."""

    name = "standby promoted that is behind our checkpoint"
    stops = OTHER_TIMELINE

    def arrive(self, world):
        self.clone.configure(primary_conninfo=None)
        self.clone.start()
        standby.promote(self.clone)
        self.slot_in_clone(world)

        def ahead():
            [(_, end)] = self.clone.query("select pg_logical_emit_message(false, 'filler', ''), "
                                          "pg_switch_wal()::text")
            return parse_lsn(end) > world.scene.position()
        wait_until(ahead, 30, "the standby to write on")

    def clear(self, world):
        refused = world.scene.run("repair", "accept-source", *WHY)
        assert refused.returncode == EXIT_OPERATOR, refused.stdout + refused.stderr
        assert "has left the history's timeline" in refused.stderr, refused.stderr
        super().clear(world)


class FailedOver(Fault):
    """The primary crashes and a standby, to which the slots were synchronised, takes its place."""

    name = "failover to a standby that has the slot, accepted by an operator"
    stops = OTHER_TIMELINE

    def missing(self, world):
        if world.scene.source.connection.server_version < 170000:
            return "failover slots came with PostgreSQL 17"
        return None

    def inject(self, world):
        primary = world.source_cluster
        self.slots = [world.scene.slot, world.judge.oracle.slot]
        self._mark_for_failover(world)
        primary.execute("select pg_create_physical_replication_slot('the_standby', true)")
        self.standby = standby.standby_of(
            world.factory, primary, world.scene.source.name, primary_slot_name="'the_standby'",
            hot_standby_feedback="on", sync_replication_slots="on").start()
        # From here on nothing is decoded that the standby has not.
        primary.reload(synchronized_standby_slots="'the_standby'")
        wait_until(lambda: self._synchronised(world), 60, "the slots on the standby", 0.2)
        world.load.wait_more(100)
        primary.stop("immediate")
        standby.promote(self.standby)
        primary.configure(synchronized_standby_slots=None)
        standby.take_place(primary, self.standby)

    def _mark_for_failover(self, world):
        """A slot that was copied is not; nobody may use it while it is changed."""
        world.stop()
        with contextlib.closing(world.source_cluster.connect_replication(
                world.scene.source.name)) as connection:
            for slot in self.slots:
                connection.cursor().execute(f"ALTER_REPLICATION_SLOT {slot} (FAILOVER true)")
        world.start()

    def _synchronised(self, world):
        """A slot is kept on the standby once the primary's has moved on; that takes a record of the
        running transactions, and a reader."""
        world.source_cluster.execute("checkpoint")
        world.load.wait_more(10)
        world.judge.feed()
        [(ready,)] = self.standby.query(
            "select count(*) from pg_replication_slots where slot_name = any (%s) and synced "
            "and not temporary and invalidation_reason is null", (self.slots,))
        return ready == len(self.slots)

    def clear(self, world):
        accepted = world.scene.run("repair", "accept-source", *WHY)
        assert accepted.returncode == EXIT_DONE, accepted.stdout + accepted.stderr

    def finish(self, world):
        if hasattr(self, "standby"):
            self.standby.destroy()


KINDS = [Restored, RestoredWithoutSlot, StandbyWithoutSlot, StandbyBehind, FailedOver]

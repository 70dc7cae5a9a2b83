"""The slot, or its publication, is not what it was; a target that is behind the slot."""

import subprocess

import psycopg2

from ..waiting import wait_until
from .base import Fault

AHEAD = "slot is ahead of the checkpoint"


class _Slot(Fault):
    """A copy of the slot is kept, from which it is made again."""

    watched = False

    def keep(self, world):
        world.scene.source.execute("select pg_copy_logical_replication_slot(%s, %s)",
                                   (world.scene.slot, world.scene.slot + "_kept"))

    def drop(self, world, slot):
        world.scene.source.execute("select pg_drop_replication_slot(%s)", (slot,))

    def clear(self, world):
        slot = world.scene.slot
        if world.scene.confirmed():
            self.drop(world, slot)
        world.scene.source.execute("select pg_copy_logical_replication_slot(%s, %s)",
                                   (slot + "_kept", slot))
        self.drop(world, slot + "_kept")


class Dropped(_Slot):
    name = "slot dropped while it streams"
    stops = "does not exist"

    def inject(self, world):
        self.keep(world)

        def dropped():
            world.scene.terminate_walsender()
            try:
                self.drop(world, world.scene.slot)
            except psycopg2.errors.ObjectInUse:
                return False  # The walsender is still there, or the next one already.
            return True
        wait_until(dropped, 30, "the slot to be dropped")


class MadeAgain(_Slot):
    name = "slot dropped and made again by somebody"
    stops = AHEAD

    def inject(self, world):
        world.stop()
        self.keep(world)
        self.drop(world, world.scene.slot)
        world.load.wait_more(50)
        world.scene.create_slot()
        world.start(wait=False)


class Advanced(_Slot):
    name = "slot advanced by somebody"
    stops = AHEAD

    def inject(self, world):
        world.stop()
        self.keep(world)
        world.load.wait_more(50)
        world.scene.source.execute("select pg_replication_slot_advance(%s, pg_current_wal_lsn())",
                                   (world.scene.slot,))
        world.start(wait=False)


class TargetRestored(Fault):
    """As from a backup, or as a standby that lagged."""

    name = "target restored to an earlier state"
    stops = AHEAD
    watched = False

    def inject(self, world):
        target = world.target_cluster
        world.stop()
        target.stop()
        self.later = target.data.with_name(target.data.name + "_later")
        subprocess.run(["cp", "-a", "--reflink=auto", str(target.data), str(self.later)],
                       check=True)
        target.start()
        world.start()
        world.load.wait_more(100)
        world.recover()
        world.stop()
        target.stop()
        self._swap(target)
        target.start()
        world.start(wait=False)

    def _swap(self, target):
        aside = target.data.with_name(target.data.name + "_aside")
        target.data.rename(aside)
        self.later.rename(target.data)
        aside.rename(self.later)

    def clear(self, world):
        world.target_cluster.stop()
        self._swap(world.target_cluster)
        world.target_cluster.start()

    def finish(self, world):
        if hasattr(self, "later"):
            subprocess.run(["rm", "-rf", str(self.later)], check=True)


class LostItsWal(Fault):
    """Nothing can go on from there: the history has to stay as it is."""

    name = "slot invalidated by max_slot_wal_keep_size"
    stops = "is lost"
    watched = False
    ends_scene = True
    settings, usual = {"max_slot_wal_keep_size": "'1MB'"}, {"max_slot_wal_keep_size": "-1"}

    def inject(self, world):
        source = world.scene.source
        world.stop()
        world.source_cluster.reload(**self.settings)

        def lost():
            source.execute("select pg_logical_emit_message(false, 'filler', ''), pg_switch_wal()")
            source.execute("checkpoint")
            return source.value("select wal_status from pg_replication_slots where slot_name = %s",
                                (world.scene.slot,)) == "lost"
        wait_until(lost, 60, "the slot to be lost", 0.3)
        world.start(wait=False)

    def clear(self, world):
        world.source_cluster.reload(**self.usual)


class LostByIdling(LostItsWal):
    name = "slot invalidated by idle_replication_slot_timeout"
    settings = {"idle_replication_slot_timeout": "'1s'"}
    usual = {"idle_replication_slot_timeout": "0"}

    def missing(self, world):
        if world.scene.source.connection.server_version < 180000:
            return "slots are invalidated for being idle from PostgreSQL 18 on"
        return None


class _Publication(Fault):
    """Nobody writes meanwhile: what is decoded without its publication is gone."""

    does = ""
    undoes = ""

    def inject(self, world):
        world.load.stop()
        world.recover()
        world.scene.source.execute(self.does)

    def clear(self, world):
        world.scene.source.execute(self.undoes)
        world.load.start()


class PublicationNarrowed(_Publication):
    name = "publication narrowed to INSERT"
    stops = "does not publish every operation"
    does = "alter publication cdc_publication set (publish = 'insert')"
    undoes = "alter publication cdc_publication set (publish = 'insert, update, delete, truncate')"


class PublicationDropped(_Publication):
    name = "publication dropped"
    stops = 'publication "cdc_publication"'
    does = "drop publication cdc_publication"
    undoes = "create publication cdc_publication for all tables"


KINDS = [Dropped, MadeAgain, Advanced, TargetRestored, LostItsWal, LostByIdling,
         PublicationNarrowed, PublicationDropped]

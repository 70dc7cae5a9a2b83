"""Faults inside of the target: locks and errors."""

import contextlib
import threading
import time

from ..pgchronicle import EXIT_DONE
from ..scene import TARGET_USER
from ..waiting import wait_until
from .base import Fault, lasting
from .world import WALSENDER_TIMEOUT_SECONDS

WAITING = ("select count(*) from pg_locks l join pg_stat_activity a using (pid) "
           f"where not l.granted and a.usename = '{TARGET_USER}' and l.locktype = 'relation'")


class Locked(Fault):
    name = "a history table locked for longer than wal_sender_timeout"
    table = "analytics.bank_a_history"

    def inject(self, world):
        self.blocker = world.scene.target.connect(autocommit=False)
        self.blocker.cursor().execute(f"lock table {self.table}")
        wait_until(lambda: world.scene.target.value(WAITING), 20, "the writer to wait")
        self.meanwhile(world)

    def meanwhile(self, world):
        mark = world.source_cluster.log_mark()
        lasting(1.7 * WALSENDER_TIMEOUT_SECONDS)
        assert "replication timeout" not in world.source_cluster.log_since(mark)

    def clear(self, world):
        self.blocker.close()


class CheckpointLocked(Locked):
    name = "the checkpoint locked for longer than wal_sender_timeout"
    table = "pgchronicle.checkpoint"


class LockedAndTerminated(Locked):
    name = "SIGTERM while a history table is locked"

    def meanwhile(self, world):
        began = time.monotonic()
        assert world.service.stop() == EXIT_DONE, world.service.tail()
        assert time.monotonic() - began < 10

    def clear(self, world):
        super().clear(world)
        world.start(wait=False)


class Deadlock(Fault):
    """We are the one who looks for the circle first, and so the one who has to give way."""

    name = "deadlock (40P01)"
    tries = 60

    def inject(self, world):
        seen = len(self._ours(world))
        tables = [f"analytics.{table}_history" for w in world.workloads for table in w.tables]
        for _ in range(self.tries):
            if self._circle(world, self.chance.choice(tables)):
                break
        world.service.wait_for(lambda: len(self._ours(world)) > seen, 10, "the deadlock to be ours")

    @staticmethod
    def _ours(world):
        return world.service.events("reconnecting", sqlstate="40P01")

    def _circle(self, world, table):
        target = world.scene.target
        with contextlib.closing(target.connect(autocommit=False, deadlock_timeout="60s")) as other:
            cursor = other.cursor()
            cursor.execute(f"lock table {table}")
            wait_until(lambda: target.value(WAITING), 20, "the writer to wait")
            held = target.query(
                "select l.relation::regclass::text from pg_locks l "
                "join pg_stat_activity a using (pid) join pg_class c on c.oid = l.relation "
                f"where l.granted and a.usename = '{TARGET_USER}' and l.mode = 'RowExclusiveLock' "
                "and c.relkind = 'r' and right(c.relname, 8) = '_history' "
                "and l.relation <> %s::regclass", (table,))
            if not held:
                return False
            closing = threading.Thread(
                target=cursor.execute, args=(f"lock table {held[0][0]}",), daemon=True)
            closing.start()
            closing.join(20)
            assert not closing.is_alive(), "the circle was not broken"
            return True


class _Raised(Fault):
    """A constraint of a history table raises an error of this SQLSTATE for every version."""

    sqlstate = ""

    def inject(self, world):
        with world.reconnecting():
            world.scene.target.execute(
                "create function public.planted() returns boolean language plpgsql as $$ begin "
                f"raise exception 'planted' using errcode = '{self.sqlstate}'; end $$;"
                "alter table analytics.la_a_history add constraint planted "
                "check (public.planted()) not valid")
        lasting(self.chance.uniform(0, 2))

    def clear(self, world):
        world.scene.target.execute("drop function public.planted() cascade")


class Serialization(_Raised):
    name, sqlstate = "serialization failure (40001)", "40001"


class StatementTimeout(_Raised):
    name, sqlstate = "statement timeout (57014)", "57014"


class OutOfMemory(_Raised):
    name, sqlstate = "target out of memory (53200)", "53200"


class Cancelled(Fault):
    name = "our statements on the target cancelled, 200 times"

    def inject(self, world):
        for _ in range(200):
            world.scene.target.execute(
                "select pg_cancel_backend(pid) from pg_stat_activity "
                f"where usename = '{TARGET_USER}' and datname = current_database()")
            lasting(self.chance.uniform(0, 0.02))


class Maintenance(Fault):
    name = "VACUUM FULL, REINDEX, CREATE INDEX and a reader with an old snapshot"

    def inject(self, world):
        tables = [f"analytics.{table}_history" for w in world.workloads for table in w.tables]
        self.reader = world.scene.target.connect(autocommit=False)
        self.reader.set_session(isolation_level="REPEATABLE READ")
        self.reader.cursor().execute(f"select count(*) from {tables[0]}")
        self.reader.commit()
        self.reader.cursor().execute("select 1")
        for table in self.chance.sample(tables, 4):
            for statement in ("vacuum full", "reindex table", "analyze"):
                world.scene.target.execute(f"{statement} {table}")
            world.scene.target.execute(f"create index planted on {table} (change_seq)")
            world.scene.target.execute("drop index analytics.planted")

    def clear(self, world):
        self.reader.close()


KINDS = [Locked, CheckpointLocked, LockedAndTerminated, Deadlock, Serialization, StatementTimeout,
         OutOfMemory, Cancelled, Maintenance]

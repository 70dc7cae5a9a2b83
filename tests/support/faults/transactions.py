"""Transactions of the source that last: open, prepared, or large, with kills meanwhile."""

from ..pgchronicle import EXIT_DONE
from .base import Fault, lasting

PREPARED = "planted"
ROWS = 5000  # More than fit into a batch.


class OpenTransaction(Fault):
    """What the slot has to decode again begins with the oldest transaction that is open."""

    name = "a transaction open on the source for long, kills -9 behind it"

    def inject(self, world):
        self.begin(world)
        for _ in range(3):
            world.load.wait_more(100)
            world.service.kill9()
            world.start()
            world.recover()

    def begin(self, world):
        self.open = world.scene.source.connect(autocommit=False)
        self.open.cursor().execute("select pg_current_xact_id()")

    def clear(self, world):
        self.open.close()


class PreparedTransaction(OpenTransaction):
    """It is history from its COMMIT PREPARED on."""

    name = "a prepared transaction for long, kills -9 behind it"

    def begin(self, world):
        # A list of its own, which the workload leaves alone.
        world.scene.source.execute(
            "begin;"
            "with new as (select nextval('operations.la_number') as number) "
            "insert into operations.la_a select 1000 + number, number || '/1' from new;"
            f"prepare transaction '{PREPARED}'")

    def clear(self, world):
        world.scene.source.execute(f"commit prepared '{PREPARED}'")


class LargeTransactions(Fault):
    """It reaches the target in several parts, and is seen whole or not at all (W5)."""

    name = "two large transactions, five kills -9 in each"
    statements = (
        "with new as materialized (select nextval('operations.la_number') as number), "
        "last as (select greatest(max(k), 1000) as k from operations.la_c) "
        f"insert into operations.la_c select new.number || '/{ROWS}', last.k + g "
        f"from new, last, generate_series(1, {ROWS}) g",
        "delete from operations.la_c where k > 1000")

    def inject(self, world):
        for statement in self.statements:
            assert world.service.stop() == EXIT_DONE, world.service.tail()
            world.scene.source.execute(statement)
            for _ in range(5):
                world.start(wait=False)
                lasting(self.chance.uniform(0.1, 0.6))
                world.service.kill9()
            world.start()
            world.recover()


KINDS = [OpenTransaction, PreparedTransaction, LargeTransactions]

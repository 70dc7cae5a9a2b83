"""What a workload that checks itself consists of."""

import json

from ..decoding import SHAPE_PREFIX

HISTORY = "analytics.{}_history"
TOMBSTONE = "operation_type in ('DELETE', 'TRUNCATE', 'REKEY')"


class Workload:
    """Some tables, what writers do to them, and arithmetic that only the history is needed for.

    Every table lies in the schema `operations`, its names begin with the workload's own letters,
    so all workloads fit into one database. What a writer does depends on its `random.Random`.
    """

    name = ""
    tables = []
    unkeyed = []  # of these the whole row is the key, and rows may repeat
    unmodelled = []  # tables whose versions the reference model does not tell
    fate_column = None  # says `aborted` in rows that must not be in the history
    writers = 4

    def prepare(self, cursor):
        """Creates the tables, and rows that only the initial copy can know."""
        raise NotImplementedError

    def step(self, cursor, chance):
        """One transaction; True commits it. Who loses a race, or found nothing to write, says
        False."""
        raise NotImplementedError

    def settle(self, cursor):
        """One transaction between two rounds, while nobody writes; True if it wrote."""
        return False

    def checks(self):
        """{claim: SQL over the history that returns no row while the claim holds}"""
        raise NotImplementedError


def entered_and_left(table, columns, where="true"):
    """SQL for (lsn, columns, n): n = 1 where a version begins to be visible, -1 where it ends.

    Superseded versions and tombstones have an empty interval: nobody ever sees them.
    """
    history = HISTORY.format(table)
    return (f"select lsn_from as lsn, {columns}, 1 as n from {history} "
            f"where lsn_to is distinct from lsn_from and {where} "
            f"union all select lsn_to, {columns}, -1 from {history} "
            f"where lsn_to <> lsn_from and {where}")


def streamed(lsn, *tables):
    """SQL: this commit came by the stream and not with a table's copy."""
    copied = " union all ".join(f"select lsn_from from {HISTORY.format(t)} "
                                "where operation_type = 'SNAPSHOT'" for t in tables)
    return f"{lsn} not in ({copied})"


def tell_shape(cursor, table, **shape):
    """Says to the oracle what becomes of a table's columns, which decoding does not show."""
    cursor.execute("select pg_logical_emit_message(true, %s, %s)",
                   (SHAPE_PREFIX, json.dumps({"table": ["operations", table], **shape})))

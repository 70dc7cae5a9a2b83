"""The oracle: a second slot that decodes with test_decoding, made before the slot under test."""

import contextlib

from .decoding import SLOT_OPTIONS, parse_rows
from .model import Model, TableSpec
from .rows import fetch_text, primary_key, qualified, replica_identity, table_columns


def table_spec(database, schema, name, **options):
    """A TableSpec read from the source's catalog as it is now."""
    with contextlib.closing(database.connect()) as connection:
        excluded = options.get("excluded", [])
        columns = [c for c in table_columns(connection, schema, name) if c not in excluded]
        return TableSpec(schema, name, columns,
                         key=options.pop("key", primary_key(connection, schema, name)),
                         full=replica_identity(connection, schema, name) == "f", **options)


class Oracle:
    """Holds what the source committed since it was made.

    Make it while the tables are quiet: the rows that exist then are read right after the slot.
    """

    def __init__(self, database, tables=(), slot=None):
        self.root_of = {}  # (schema, partition) -> (schema, the table that it is published as)
        self.database = database
        self.slot = slot or f"oracle_{database.name}"
        self.transactions = []
        self._taken = 0  # The end of the last transaction that was decoded.
        self.start = database.value(
            "select lsn::text from pg_create_logical_replication_slot(%s, 'test_decoding')",
            (self.slot,))
        self.initial = {table: self._rows(*table) for table in tables}

    def _rows(self, schema, name):
        with contextlib.closing(self.database.connect()) as connection:
            columns = table_columns(connection, schema, name)
            return [dict(zip(columns, row))
                    for row in fetch_text(connection, qualified(schema, name), columns)]

    def drain(self):
        """Takes over what was committed since the last call."""
        options = ", ".join(f"'{option}'" for option in SLOT_OPTIONS)
        with contextlib.closing(self.database.connect()) as connection:
            with connection.cursor() as cursor:
                cursor.execute("select lsn::text, data from pg_logical_slot_get_changes"
                               f"(%s, null, null, {options})", (self.slot,))
                piece = []
                parse_rows(cursor, piece)
        for transaction in piece:
            for change in transaction.changes:
                change.tables = self._published_as(change)
        self.transactions += self._new(piece)
        return self.transactions

    def _new(self, piece):
        """Without what a crash of the server has taken the slot back to."""
        new = [transaction for transaction in piece if transaction.end_lsn > self._taken]
        self._taken = max([self._taken, *(transaction.end_lsn for transaction in new)])
        return new

    def _published_as(self, change):
        """A TRUNCATE names root and partitions, and is sent of the root alone."""
        if change.action == "TRUNCATE":
            return [table for table in change.tables if table not in self.root_of]
        return [self.root_of.get(table, table) for table in change.tables]

    def take(self, changes_at_once=50_000):
        """The same in pieces that fit into memory, given away and not kept."""
        options = ", ".join(f"'{option}'" for option in SLOT_OPTIONS)
        # Enough to decode without spilling, whatever the database says for the slot under test.
        with contextlib.closing(self.database.connect(logical_decoding_work_mem="64MB")) as c:
            with c.cursor() as cursor:
                while True:
                    cursor.execute("select lsn::text, data from pg_logical_slot_get_changes"
                                   f"(%s, null, %s, {options})", (self.slot, changes_at_once))
                    piece = []
                    parse_rows(cursor, piece)
                    if not piece:
                        return
                    yield self._new(piece)

    def model(self, specs, **options):
        """The expected history of everything decoded so far."""
        return Model(specs, self.initial, **options).run(self.drain())

    def drop(self):
        self.database.execute("select pg_drop_replication_slot(%s)", (self.slot,))

"""One database of a throw-away cluster, for one test."""

import contextlib
import time

import psycopg2


def connection_lost(error):
    """Whether the connection, not the statement, failed. psycopg2 raises a bare DatabaseError
    without SQLSTATE when the server is gone in the middle."""
    return error.pgcode is None or error.pgcode.startswith(("08", "57P"))


class Database:
    """One database of a cluster, for one test."""

    def __init__(self, cluster, name):
        self.cluster = cluster
        self.name = name
        cluster.execute(f'create database "{name}"')
        self._connection = None

    def make_again(self, options):
        """The same, empty, with other options of CREATE DATABASE."""
        if self._connection is not None:
            self._connection.close()
        self.cluster.execute(f'drop database "{self.name}"')
        self.cluster.execute(f'create database "{self.name}" {options}')

    def connect(self, autocommit=True, **options):
        return self.cluster.connect(self.name, autocommit, **options)

    @property
    def connection(self):
        """A lasting connection for short statements of the main thread."""
        if self._connection is None or self._connection.closed:
            self._connection = self.connect()
        return self._connection

    def _run(self, sql, parameters):
        for attempt in (1, 2):
            cursor = self.connection.cursor()
            try:
                cursor.execute(sql, parameters)
                return cursor
            except psycopg2.Error as error:
                # The server was restarted since: once more on a new connection.
                if not connection_lost(error) or attempt == 2:
                    raise
                self._connection.close()
        raise AssertionError("unreachable")

    def execute(self, sql, parameters=None):
        with self._run(sql, parameters):
            pass

    def query(self, sql, parameters=None):
        with self._run(sql, parameters) as cursor:
            return cursor.fetchall()

    def value(self, sql, parameters=None):
        rows = self.query(sql, parameters)
        return rows[0][0] if rows else None

    @contextlib.contextmanager
    def transaction(self):
        """A cursor inside one transaction, committed at the end."""
        connection = self.connect(autocommit=False)
        try:
            with connection.cursor() as cursor:
                yield cursor
            connection.commit()
        finally:
            connection.close()

    def lsn(self):
        """Where the next record would be written."""
        return self.value("select pg_current_wal_insert_lsn()::text")

    def slots(self):
        return self.query("select slot_name, active_pid from pg_replication_slots "
                          "where database = %s and not temporary", (self.name,))

    def drop(self):
        if self._connection is not None:
            self._connection.close()
        if not self.cluster.running:
            return
        deadline = time.monotonic() + 10
        while True:
            slots = self.slots_by_admin()
            if not slots or time.monotonic() > deadline:
                break
            for slot, pid in slots:
                with contextlib.suppress(psycopg2.Error):
                    if pid:
                        self.cluster.query("select pg_terminate_backend(%s)", (pid,))
                    self.cluster.query("select pg_drop_replication_slot(%s)", (slot,))
        with contextlib.suppress(psycopg2.Error):
            self.cluster.execute(f'drop database if exists "{self.name}" with (force)')

    def slots_by_admin(self):
        return self.cluster.query("select slot_name, active_pid from pg_replication_slots "
                                  "where database = %s", (self.name,))

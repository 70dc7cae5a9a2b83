"""The stage of a workload: the source's rows, the recorded load, and its end LSN."""

import bisect
import os

from servers import BenchError

PUBLICATION = "bench_publication"


def lsn_value(text):
    high, low = text.split("/")
    return (int(high, 16) << 32) | int(low, 16)


class Progress:
    """How many changes of the load lie at or below an LSN, noted while it was written."""

    def __init__(self, start_lsn):
        self._lsns = [lsn_value(start_lsn)]
        self._changes = [0]

    def note(self, lsn, changes):
        self._lsns.append(lsn_value(lsn))
        self._changes.append(changes)

    def at(self, lsn):
        """Interpolated between the two notes around it, which are a hundredth apart."""
        wanted = lsn_value(lsn)
        right = bisect.bisect_left(self._lsns, wanted)
        if right == 0:
            return 0
        if right == len(self._lsns):
            return self._changes[-1]
        low, high = self._lsns[right - 1], self._lsns[right]
        share = (wanted - low) / (high - low)
        return int(self._changes[right - 1]
                   + share * (self._changes[right] - self._changes[right - 1]))


class Stage:
    """One workload set up on both servers: database, rows before, load, end LSN.

    `prepare`, then the contenders make their templates and slots, then `load`.
    """

    def __init__(self, servers, workload, identity):
        self.source = servers.source
        self.target = servers.target
        self.folder = servers.folder
        self.workload = workload
        self.table = workload.table
        self.identity = identity
        self.database = workload.name.lower()
        self.rows_file = os.path.join(servers.folder, self.database + ".rows")
        self.end_lsn = None
        self.progress = None
        self.copy_seconds = None   # of the initial copy that made the template

    def prepare(self):
        self.source.execute(f"CREATE DATABASE {self.database}")
        execute, work = self.source_execute, self.workload
        execute(self.table.create_sql)
        execute(self.table.load_sql(work.key))
        execute("CREATE EXTENSION pg_walinspect")
        execute(f"ALTER TABLE {self.table.source} REPLICA IDENTITY {self.identity.upper()}")
        if work.rows_before:
            transactions = max(1, work.rows_before // 1000)
            execute("CALL bench.load_inserts(1, %s, %s)",
                    (transactions, work.rows_before // transactions))
        # ANALYZE alone would leave the first load to set the hint bits of every row.
        execute(f"VACUUM ANALYZE {self.table.source}")
        execute(f"CREATE PUBLICATION {PUBLICATION} FOR TABLE {self.table.source}")

    def source_execute(self, sql, args=None):
        return self.source.execute(sql, args, self.database)

    def dump_rows(self):
        """Writes the source's rows to a file in COPY's text form; templates and checks read it."""
        connection = self.source.connect(self.database)
        try:
            with open(self.rows_file, "wb") as out, connection.cursor() as cursor:
                cursor.copy_expert(
                    f"COPY {self.table.source} ({self.table.column_list}) TO STDOUT", out)
        finally:
            connection.close()

    def load(self):
        """Writes the load that all contenders read, and learns the end LSN of its last commit."""
        self.source.execute("CHECKPOINT")
        connection = self.source.connect(self.database)
        try:
            with connection.cursor() as cursor:
                # How fast the source writes is not measured.
                cursor.execute("SET synchronous_commit = off")
                cursor.execute("SELECT setseed(0.42)")
                self._write_chunks(cursor)
                self.end_lsn = self.last_commit_end(cursor)
        finally:
            connection.close()
        self.source.execute("CHECKPOINT")
        self.dump_rows()

    def _write_chunks(self, cursor):
        def position():
            cursor.execute("SELECT pg_current_wal_insert_lsn()")
            return cursor.fetchone()[0]

        work = self.workload
        self.progress = Progress(position())
        chunks = min(100, work.transactions)
        done = 0
        for chunk in range(1, chunks + 1):
            transactions = work.transactions * chunk // chunks - done
            if work.kind == "insert":
                cursor.execute("CALL bench.load_inserts(%s, %s, %s)",
                               (done * work.per_transaction + 1, transactions,
                                work.per_transaction))
            else:
                cursor.execute("CALL bench.load_updates(%s, %s, %s)",
                               (work.keys, transactions, work.per_transaction))
            done += transactions
            self.progress.note(position(), done * work.per_transaction)

    @staticmethod
    def last_commit_end(cursor):
        # The insert position can lie behind the last commit (a page header, a record of the
        # background writer), and no subscription ever reports such a position as applied. So
        # the end is read from the commit record itself.
        cursor.execute("SELECT pg_current_wal_insert_lsn()")
        after = cursor.fetchone()[0]
        cursor.execute("SET synchronous_commit = on")
        cursor.execute("SELECT pg_logical_emit_message(true, 'bench', 'flush')")
        # The last MiB is enough: few records come behind the commit. Reading all of a large
        # transaction's would take minutes.
        cursor.execute(
            "SELECT max(end_lsn)::text FROM pg_get_wal_records_info(%s::pg_lsn - 1048576, %s)"
            " WHERE resource_manager = 'Transaction' AND record_type = 'COMMIT'", (after, after))
        end_lsn = cursor.fetchone()[0]
        if end_lsn is None:
            raise BenchError("the load's last commit was not found in the WAL")
        return end_lsn

    def drop(self):
        self.source.execute(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
            " WHERE database = %s AND NOT active", (self.database,))
        self.source.execute(f"DROP DATABASE {self.database} WITH (FORCE)")
        if os.path.exists(self.rows_file):
            os.unlink(self.rows_file)

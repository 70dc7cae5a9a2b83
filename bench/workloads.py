"""The workloads: what the source holds before, and the load that every contender then reads.

The table is `operations.orders` of the finance example: nine columns, about 110 bytes a row.
"""

import bisect
import os
from dataclasses import dataclass, field

from servers import BenchError

COLUMNS = ("order_id", "order_date", "delivery_date", "customer_id", "status",
           "updated_at", "updated_by", "created_at", "created_by")
COLUMN_LIST = ", ".join(COLUMNS)
PUBLICATION = "bench_publication"

# One definition for the source and for the plain tables of R2 and R3, so they cannot differ.
TABLE_SQL = """
CREATE SCHEMA operations;
CREATE TABLE operations.orders (
    order_id      bigint PRIMARY KEY,
    order_date    date,
    delivery_date date,
    customer_id   bigint,
    status        varchar,
    updated_at    timestamp(3) DEFAULT current_timestamp,
    updated_by    bigint,
    created_at    timestamp(3) DEFAULT current_timestamp,
    created_by    bigint
);
"""

LOAD_SQL = """
CREATE PROCEDURE operations.load_inserts(first bigint, transactions int, per_transaction int)
LANGUAGE plpgsql AS $$
BEGIN
    FOR n IN 0 .. transactions - 1 LOOP
        INSERT INTO operations.orders
        SELECT id, current_date, current_date + 10, 1 + id % 50000, 'PENDING',
               clock_timestamp(), 1, clock_timestamp(), 1
          FROM generate_series(first + n::bigint * per_transaction,
                               first + (n + 1)::bigint * per_transaction - 1) AS id;
        COMMIT;
    END LOOP;
END $$;

CREATE PROCEDURE operations.load_updates(keys bigint, transactions int, per_transaction int)
LANGUAGE plpgsql AS $$
DECLARE
    statuses CONSTANT varchar[] := '{PROCESSING,COMPLETED,REPROCESSING}';
    key bigint;
BEGIN
    FOR t IN 1 .. transactions LOOP
        FOR n IN 1 .. per_transaction LOOP
            -- A variable, because random() inside WHERE would forbid the index.
            key := 1 + floor(random() * keys)::bigint;
            UPDATE operations.orders
               SET status = statuses[1 + (t + n) % 3], updated_at = clock_timestamp(),
                   updated_by = n
             WHERE order_id = key;
        END LOOP;
        COMMIT;
    END LOOP;
END $$;
"""


@dataclass(frozen=True)
class Workload:
    name: str
    title: str
    kind: str             # 'insert' | 'update'
    rows_before: int      # rows that source and target hold when the load begins
    transactions: int
    per_transaction: int
    keys: int             # updates choose among the keys 1 .. keys
    goals: dict = field(default_factory=dict)

    @property
    def changes(self):
        return self.transactions * self.per_transaction

    @property
    def rows_after(self):
        return self.rows_before + (self.changes if self.kind == "insert" else 0)

    @property
    def versions_after(self):
        """Each insert makes one version, and so does each update."""
        return self.rows_before + self.changes


def all_workloads(rows):
    """W1 to W4 of the goals, at `rows` (1,000,000 is full size)."""
    def shown(n):
        return f"{n:,}"

    made = [
        Workload("W1", f"{shown(rows)} inserts, 1,000 a transaction",
                 "insert", 0, max(1, rows // 1000), 1000, 0,
                 {"R1": 0.8, "R2": 1.8, "R3": 4.5}),
        Workload("W2", f"{shown(rows)} updates of random keys among {shown(rows)}, "
                       "100 a transaction",
                 "update", rows, rows // 100, 100, rows, {"R1": 0.45, "R2": 1.7, "R3": 4.5}),
        Workload("W3", f"{shown(rows)} updates of 1,000 hot keys, 100 a transaction",
                 "update", rows, rows // 100, 100, min(1000, rows),
                 {"R1": 0.75, "R2": 2.5, "R3": 50}),
        Workload("W4", f"{shown(rows // 5)} single-row transactions, random keys",
                 "update", rows, rows // 5, 1, rows, {"R1": 0.65, "R2": 1.7, "R3": 5}),
    ]
    return {workload.name: workload for workload in made}


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
        self.identity = identity
        self.database = workload.name.lower()
        self.rows_file = os.path.join(servers.folder, self.database + ".rows")
        self.end_lsn = None
        self.progress = None
        self.copy_seconds = None   # of the initial copy that made the template

    def prepare(self):
        self.source.execute(f"CREATE DATABASE {self.database}")
        execute = self._source_execute
        execute(TABLE_SQL)
        execute(LOAD_SQL)
        execute("CREATE EXTENSION pg_walinspect")
        execute(f"ALTER TABLE operations.orders REPLICA IDENTITY {self.identity.upper()}")
        rows = self.workload.rows_before
        if rows:
            transactions = max(1, rows // 1000)
            execute("CALL operations.load_inserts(1, %s, %s)",
                    (transactions, rows // transactions))
        # ANALYZE alone would leave the first load to set the hint bits of every row.
        execute("VACUUM ANALYZE operations.orders")
        execute(f"CREATE PUBLICATION {PUBLICATION} FOR TABLE operations.orders")
        self.dump_rows()

    def _source_execute(self, sql, args=None):
        return self.source.execute(sql, args, self.database)

    def dump_rows(self):
        """Writes the source's rows to a file in COPY's text form; templates and checks read it."""
        connection = self.source.connect(self.database)
        try:
            with open(self.rows_file, "wb") as out, connection.cursor() as cursor:
                cursor.copy_expert(
                    f"COPY (SELECT {COLUMN_LIST} FROM operations.orders) TO STDOUT", out)
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
                before_last = self._write_chunks(cursor)
                self.end_lsn = self._last_commit_end(cursor, before_last)
        finally:
            connection.close()
        self.source.execute("CHECKPOINT")
        self.dump_rows()

    def _write_chunks(self, cursor):
        def position():
            cursor.execute("SELECT pg_current_wal_insert_lsn()")
            return cursor.fetchone()[0]

        work = self.workload
        start = position()
        self.progress = Progress(start)
        chunks = min(100, work.transactions)
        done = 0
        for chunk in range(1, chunks + 1):
            transactions = work.transactions * chunk // chunks - done
            if work.kind == "insert":
                cursor.execute("CALL operations.load_inserts(%s, %s, %s)",
                               (done * work.per_transaction + 1, transactions,
                                work.per_transaction))
            else:
                cursor.execute("CALL operations.load_updates(%s, %s, %s)",
                               (work.keys, transactions, work.per_transaction))
            done += transactions
            before_last, start = start, position()
            self.progress.note(start, done * work.per_transaction)
        return before_last

    @staticmethod
    def _last_commit_end(cursor, before_last):
        # The insert position can lie behind the last commit (a page header, a record of the
        # background writer), and no subscription ever reports such a position as applied. So
        # the end is read from the commit record itself.
        cursor.execute("SELECT pg_current_wal_insert_lsn()")
        after = cursor.fetchone()[0]
        cursor.execute("SET synchronous_commit = on")
        cursor.execute("SELECT pg_logical_emit_message(true, 'bench', 'flush')")
        cursor.execute(
            "SELECT max(end_lsn)::text FROM pg_get_wal_records_info(%s, %s)"
            " WHERE resource_manager = 'Transaction' AND record_type = 'COMMIT'",
            (before_last, after))
        end_lsn = cursor.fetchone()[0]
        if end_lsn is None:
            raise BenchError("the load's last commit was not found in the WAL")
        return end_lsn

    def drop(self):
        self.source.execute(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
            " WHERE database = %s AND NOT active", (self.database,))
        self.source.execute(f"DROP DATABASE {self.database} WITH (FORCE)")
        os.unlink(self.rows_file)

"""Runs the writers of workloads, and takes the source's digest while all of them stand still."""

import contextlib
import random
import threading
import time

import psycopg2

from ..lsn import parse_lsn
from ..rows import digest_sql, qualified, table_columns
from ..waiting import WaitTimeout

# Each transaction holds it shared, so who holds it alone sees the source between two commits.
LOCK = 7000
# Commits are not waited for: the source is not what is tested. A circle is found soon.
SETTINGS = {"synchronous_commit": "off", "deadlock_timeout": "50ms"}
STANDSTILL_SECONDS = 60
_RETRIED = (psycopg2.errors.DeadlockDetected, psycopg2.errors.UniqueViolation,
            psycopg2.errors.SerializationFailure, psycopg2.errors.UndefinedColumn)


class Drive:
    """So many transactions of each workload, by its own writers, all workloads at once."""

    def __init__(self, database, workloads, seed):
        self.database = database
        self.workloads = workloads
        self.seed = seed
        self.committed = dict.fromkeys((w.name for w in workloads), 0)
        self.settled = 0  # transactions between rounds
        self.points = []  # (LSN, {table: digest}) of the source itself
        self._rounds = 0
        self._errors = []
        self._lock = threading.Lock()
        self._progress = threading.Event()
        self._seen, self._seen_at = -1, 0.0

    def run(self, transactions, witnesses=10, events=()):
        """One round of `transactions` each; returns when nobody writes any more.

        `events` are pairs of a share of the round, 0 to 1, and what to call when it is done.
        """
        self._rounds += 1
        self._seen = -1
        goals = {name: done + transactions for name, done in self.committed.items()}
        threads = [threading.Thread(target=self._write, args=(workload, number, goals),
                                    name=f"{workload.name} {number}", daemon=True)
                   for workload in self.workloads for number in range(workload.writers)]
        before = sum(self.committed.values())
        for thread in threads:
            thread.start()
        looks = [((n + 1) / (witnesses + 1), self._witness) for n in range(witnesses)]
        for share, happens in sorted([*events, *looks], key=lambda event: event[0]):
            self._wait(before + transactions * len(self.workloads) * share)
            happens()
        for thread in threads:
            while thread.is_alive():
                thread.join(1)
                self._see_that_it_moves()
        if self._errors:
            raise self._errors[0]

    def settle(self):
        """Lets each workload do what it does between two rounds."""
        for workload in self.workloads:
            with self.database.transaction() as cursor:
                self.settled += bool(workload.settle(cursor))

    def _wait(self, total):
        while sum(self.committed.values()) < total and not self._errors:
            self._progress.wait(1)
            self._progress.clear()
            self._see_that_it_moves()

    def _see_that_it_moves(self):
        """Nothing that reads a database may stop those who write it."""
        total = sum(self.committed.values())
        if total != self._seen:
            self._seen, self._seen_at = total, time.monotonic()
        elif time.monotonic() > self._seen_at + STANDSTILL_SECONDS:
            waiting = self.database.query(
                "select pid, usename, pg_blocking_pids(pid), left(query, 200) "
                "from pg_stat_activity where wait_event_type = 'Lock'")
            raise WaitTimeout(f"no writer has moved for {STANDSTILL_SECONDS} s: {waiting}")

    def _write(self, workload, number, goals):
        chance = random.Random(f"{self.seed}/{workload.name}/{number}/{self._rounds}")
        try:
            with contextlib.closing(self.database.connect(autocommit=False, **SETTINGS)) as c:
                while self._claim(workload, goals):
                    if not self._transaction(c, workload, chance):
                        with self._lock:
                            self.committed[workload.name] -= 1
        except Exception as error:  # noqa: BLE001 - raised by run().
            self._errors.append(error)
        finally:
            self._progress.set()

    def _claim(self, workload, goals):
        """Counts a transaction before it is tried, so that no writer does one too many."""
        with self._lock:
            if self._errors or self.committed[workload.name] >= goals[workload.name]:
                return False
            self.committed[workload.name] += 1
        self._progress.set()
        return True

    @staticmethod
    def _transaction(connection, workload, chance):
        try:
            with connection.cursor() as cursor:
                cursor.execute("select pg_advisory_xact_lock_shared(%s)", (LOCK,))
                if workload.step(cursor, chance):
                    connection.commit()
                    return True
        except _RETRIED:  # Writers met; the next round goes on.
            pass
        connection.rollback()
        return False

    def _witness(self):
        with contextlib.closing(self.database.connect(autocommit=False)) as connection:
            with connection.cursor() as cursor:
                cursor.execute(f"select pg_advisory_xact_lock({LOCK})")
                # Every commit record so far ends at or before this position.
                cursor.execute("select pg_current_wal_insert_lsn()::text")
                lsn = parse_lsn(cursor.fetchone()[0])
                digests = {}
                for workload in self.workloads:
                    for table in workload.tables:
                        columns = table_columns(connection, "operations", table)
                        cursor.execute(digest_sql(qualified("operations", table), columns))
                        count, total = cursor.fetchone()
                        digests["operations", table] = int(count), int(total)
            self.points.append((lsn, digests))

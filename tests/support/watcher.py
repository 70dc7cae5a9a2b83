"""Watches a running pipeline from outside, twenty times a second.

W1 the slot's confirmed position is never after the checkpoint stored in the target
W2 the checkpoint never goes back
W3 at most one walsender streams to the program
W4 the process stays within its memory limit
W5 the source's transactions that can be seen in the history are a prefix of the order in which they
   committed, and end with the checkpoint's. The order is known later: prefix_violations()
"""

import bisect
import contextlib
import threading
from pathlib import Path

import psycopg2

from .database import connection_lost
from .lsn import format_lsn, parse_lsn
from .scene import SOURCE_USER

# Somebody who locks several tables may meet the watcher, who looks into all of them.
UNSEEN = ("57014", "40P01")  # query_canceled, deadlock_detected: a sample that was not taken


class Watcher(threading.Thread):
    """Use as a context manager; leaving it raises the first violations."""

    def __init__(self, source, target, slot, pipeline, pid_of=None, rss_limit=None,
                 may_go_back=False, interval=0.05, histories=(), user=SOURCE_USER):
        super().__init__(name="watcher", daemon=True)
        self.source, self.target = source, target
        self.slot, self.pipeline = slot, pipeline
        self.pid_of, self.rss_limit = pid_of, rss_limit
        # A target that crashes may lose a commit that it showed before it was flushed.
        self.may_go_back = may_go_back
        self.interval = interval
        self.histories = list(histories)  # Quoted names of the tables that W5 looks into.
        self.user = user
        self.violations = []
        self.seen = []  # W5: (after this commit, up to this one, LSNs of the versions between)
        self.samples = 0
        self.rss_peak = 0
        self._checkpoint = 0
        self._seen_to = None
        self._looking = threading.Lock()
        self._stopping = threading.Event()
        self._connections = {}

    def __enter__(self):
        self.start()
        return self

    def stop(self):
        self._stopping.set()
        self.join(30)

    def __exit__(self, kind, *_):
        self.stop()
        if kind is None:
            self.assert_clean()

    def assert_clean(self):
        assert not self.violations, "\n".join(self.violations[:5])
        assert self.samples > 0, "the watcher took no sample"

    @contextlib.contextmanager
    def away(self):
        """Does not look, and then begins anew: for who changes the checkpoint or the slot."""
        with self._looking:
            yield
            self._checkpoint, self._seen_to = 0, None

    def prefix_violations(self, commits):
        """W5 of all samples since the last call; `commits` are the ends, in order, of the
        transactions that write at least one version."""
        seen, self.seen = self.seen, []
        found = []
        for after, last, lsns in seen:
            expected = set(commits[bisect.bisect(commits, after):bisect.bisect(commits, last)])
            for what, ends in (("without", expected - lsns), ("with", lsns - expected)):
                if ends:
                    found.append(f"W5: the history up to {format_lsn(last)} was visible {what} "
                                 f"{len(ends)} transactions: {format_lsn(min(ends))}")
        return found

    def run(self):
        try:
            while not self._stopping.wait(self.interval):
                try:
                    with self._looking:
                        self._sample()
                except psycopg2.Error as error:
                    if not connection_lost(error) and error.pgcode not in UNSEEN:
                        raise
                    self._disconnect()  # A server is down; the scenario may want it so.
        except Exception as error:  # noqa: BLE001 - a watcher that died must not look clean.
            self.violations.append(f"the watcher failed: {error!r}")
        finally:
            self._disconnect()

    def _query(self, database, sql, parameters):
        connection = self._connections.get(database)
        if connection is None:
            # A frozen server must not freeze the watcher for ever.
            connection = database.connect(statement_timeout="20s")
            self._connections[database] = connection
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return cursor.fetchall()

    def _disconnect(self):
        for connection in self._connections.values():
            with contextlib.suppress(psycopg2.Error):
                connection.close()
        self._connections = {}

    def _sample(self):
        self._sample_memory()
        # The source first: an advance between the two looks can then not raise a false alarm.
        slots = self._query(
            self.source, "select confirmed_flush_lsn::text, "
            "(select count(*) from pg_stat_replication r join pg_stat_activity a using (pid) "
            "where a.datname = current_database() and r.usename = %s "
            "and r.state in ('catchup', 'streaming')) "
            "from pg_replication_slots s where slot_name = %s", (self.user, self.slot))
        stored = self._stored_position()
        if stored is None:
            return
        self.samples += 1
        if stored < self._checkpoint and not self.may_go_back:
            self.violations.append(f"W2: the checkpoint went back from "
                                   f"{format_lsn(self._checkpoint)} to {format_lsn(stored)}")
        self._checkpoint = stored
        for confirmed, walsenders in slots:
            if confirmed and parse_lsn(confirmed) > stored:
                self.violations.append(f"W1: confirmed {confirmed} is after the stored position "
                                       f"{format_lsn(stored)}")
            if walsenders > 1:
                self.violations.append(f"W3: {walsenders} walsenders stream to {self.user}")

    def _stored_position(self):
        try:
            rows = self._query(self.target, "select position::text, last_commit_end::text, "
                               f"{self._versions_sql()} from pgchronicle.checkpoint "
                               "where pipeline = %s", (self.pipeline,))
        except (psycopg2.errors.UndefinedTable, psycopg2.errors.InvalidSchemaName):
            return None  # Before the first run has made it.
        if not rows or not rows[0][0]:
            return None
        self._see(parse_lsn(rows[0][1]), rows[0][2] or [])
        return parse_lsn(rows[0][0])

    def _versions_sql(self):
        """The LSNs of versions after the last sample's, in the same snapshot as the checkpoint."""
        if not self.histories or self._seen_to is None:
            return "null"
        versions = " union ".join(
            f"select lsn_from::text from {table} where operation_type <> 'SNAPSHOT' "
            f"and lsn_from > '{format_lsn(self._seen_to)}'" for table in self.histories)
        return f"(select array_agg(lsn_from) from ({versions}) as version)"

    def _see(self, last, lsns):
        if self._seen_to is not None and (lsns or last > self._seen_to):
            self.seen.append((self._seen_to, last, {parse_lsn(lsn) for lsn in lsns}))
        # Without histories nothing is remembered.
        self._seen_to = last if self.histories else None

    def _sample_memory(self):
        pid = self.pid_of() if self.pid_of else None
        if pid is None:
            return
        with contextlib.suppress(OSError, ValueError):
            for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    peak = int(line.split()[1]) * 1024
                    self.rss_peak = max(self.rss_peak, peak)
                    if self.rss_limit and peak > self.rss_limit:
                        self.violations.append(f"W4: {peak} bytes resident, limit "
                                               f"{self.rss_limit}")

"""Watches a running pipeline from outside, twenty times a second.

W1 the slot's confirmed position is never after the checkpoint stored in the target
W2 the checkpoint never goes back
W3 at most one walsender streams from the slot
W4 the process stays within its memory limit
"""

import contextlib
import threading
from pathlib import Path

import psycopg2

from .database import connection_lost
from .lsn import format_lsn, parse_lsn

QUERY_CANCELED = "57014"


class Watcher(threading.Thread):
    """Use as a context manager; leaving it raises the first violations."""

    def __init__(self, source, target, slot, pipeline, pid_of=None, rss_limit=None,
                 may_go_back=False, interval=0.05):
        super().__init__(name="watcher", daemon=True)
        self.source, self.target = source, target
        self.slot, self.pipeline = slot, pipeline
        self.pid_of, self.rss_limit = pid_of, rss_limit
        # A target that crashes may lose a commit that it showed before it was flushed.
        self.may_go_back = may_go_back
        self.interval = interval
        self.violations = []
        self.samples = 0
        self.rss_peak = 0
        self._checkpoint = 0
        self._stopping = threading.Event()
        self._connections = {}

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, *_):
        self._stopping.set()
        self.join(30)
        if kind is None:
            self.assert_clean()

    def assert_clean(self):
        assert not self.violations, "\n".join(self.violations[:5])
        assert self.samples > 0, "the watcher took no sample"

    def run(self):
        try:
            while not self._stopping.wait(self.interval):
                try:
                    self._sample()
                except psycopg2.Error as error:
                    if not connection_lost(error) and error.pgcode != QUERY_CANCELED:
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
            "(select count(*) from pg_stat_replication r where r.pid = s.active_pid) "
            "from pg_replication_slots s where slot_name = %s", (self.slot,))
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
                self.violations.append(f"W3: {walsenders} walsenders on slot {self.slot}")

    def _stored_position(self):
        try:
            rows = self._query(self.target, "select position::text from pgchronicle.checkpoint "
                               "where pipeline = %s", (self.pipeline,))
        except (psycopg2.errors.UndefinedTable, psycopg2.errors.InvalidSchemaName):
            return None  # Before the first run has made it.
        return parse_lsn(rows[0][0]) if rows and rows[0][0] else None

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

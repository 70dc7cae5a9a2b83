"""Throw-away PostgreSQL servers: one source, one target, gone when the benchmark ends."""

import ctypes
import glob
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import psycopg2

SUPERUSER = "bench"

# Equal memory, WAL and durability on both; and nothing in the background of runs of seconds.
COMMON_SETTINGS = {
    "shared_buffers": "1GB",
    "max_wal_size": "8GB",
    "fsync": "on",
    # Used segments are kept for reuse, so that no run pays for creating WAL files.
    "min_wal_size": "4GB",
    # Each run starts with a CHECKPOINT of its own; a timed one would hit one contender only.
    "checkpoint_timeout": "1h",
    "autovacuum": "off",
    # A subscription's worker may start at once, not 5 s after the last one.
    "wal_retrieve_retry_interval": "100ms",
    "max_replication_slots": "100",
    "max_wal_senders": "20",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "timezone": "UTC",
}


class BenchError(Exception):
    """Something that ends the benchmark with one line for the person."""


def find_bindir(wanted):
    """The server programs: the folder asked for, else the newest release of the distribution."""
    if wanted:
        if not os.access(os.path.join(wanted, "initdb"), os.X_OK):
            raise BenchError(f'no initdb in "{wanted}"')
        return wanted
    found = []
    for path in glob.glob("/usr/lib/postgresql/*/bin/initdb"):
        release = re.search(r"/(\d+)/bin/", path)
        if release and int(release.group(1)) >= 15:
            found.append((int(release.group(1)), os.path.dirname(path)))
    if not found:
        raise BenchError("no PostgreSQL server of release 15 or newer was found; use --bindir")
    return max(found)[1]


def run_as_postgres():
    """Arguments for subprocess: initdb and postgres refuse to run as root."""
    if os.geteuid() != 0:
        return {}
    return {"user": "postgres", "group": "postgres", "extra_groups": []}


def clean_environment():
    """The environment without PG*, so that the caller's defaults reach no contender."""
    return {k: v for k, v in os.environ.items() if not k.startswith("PG")}


_LIBC = ctypes.CDLL(None)


def end_with_parent():
    """For preexec_fn: even a benchmark killed by SIGKILL leaves no process behind."""
    _LIBC.prctl(1, signal.SIGQUIT)   # PR_SET_PDEATHSIG; an immediate shutdown to postgres


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """One postmaster with its own data folder, reached over TCP on the loopback address."""

    def __init__(self, name, bindir, folder, extra_settings):
        self.name = name
        self.bindir = bindir
        self.data = os.path.join(folder, name)
        self.log_path = os.path.join(folder, name + ".log")
        self.folder = folder
        self.settings = {**COMMON_SETTINGS, **extra_settings}
        self.port = None
        self.process = None

    def program(self, name):
        return os.path.join(self.bindir, name)

    def dsn(self, database="postgres"):
        return f"host=127.0.0.1 port={self.port} dbname={database} user={SUPERUSER}"

    def start(self):
        created = subprocess.run(
            [self.program("initdb"), "-D", self.data, "-U", SUPERUSER, "-A", "trust",
             "-E", "UTF8", "--locale=C", "--no-sync"],
            cwd=self.folder, capture_output=True, text=True, env=clean_environment(),
            **run_as_postgres())
        if created.returncode != 0:
            raise BenchError(f"initdb of the {self.name} failed: {created.stderr.strip()}")
        self.port = _free_port()
        self._run()

    def _run(self):
        options = [f"-c{key}={value}" for key, value in self.settings.items()]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [self.program("postgres"), "-D", self.data, f"-cport={self.port}", *options],
                cwd=self.folder, stdout=log, stderr=log, env=clean_environment(),
                start_new_session=True, preexec_fn=end_with_parent, **run_as_postgres())
        self._wait_until_ready()

    def _wait_until_ready(self):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                self.connect().close()
                return
            except psycopg2.OperationalError:
                time.sleep(0.05)
        raise BenchError(f"the {self.name} server did not start:\n{self.log_tail()}")

    def log_tail(self, lines=15):
        try:
            with open(self.log_path, errors="replace") as log:
                return "".join(log.readlines()[-lines:])
        except OSError:
            return ""

    def restart(self, extra_settings):
        """For a setting that only a start can change; nobody may be connected."""
        self.settings.update(extra_settings)
        self.process.send_signal(signal.SIGINT)   # a fast shutdown
        self.process.wait(60)
        self._run()

    def stop(self):
        if self.process is None or self.process.poll() is not None:
            return
        # Immediate shutdown: the data folder goes anyway, so it needs no last checkpoint.
        self.process.send_signal(signal.SIGQUIT)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def connect(self, database="postgres"):
        connection = psycopg2.connect(self.dsn(database))
        connection.autocommit = True
        return connection

    def execute(self, sql, args=None, database="postgres"):
        """Runs one statement on a connection of its own; its rows, or an empty list."""
        connection = self.connect(database)
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql, args)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def value(self, sql, args=None, database="postgres"):
        return self.execute(sql, args, database)[0][0]


class ServerPair:
    """Source and target in one temporary folder. As a context manager it always cleans up."""

    def __init__(self, bindir, parent_folder, wal_warm_mib):
        self.folder = tempfile.mkdtemp(prefix="pgchronicle-bench-", dir=parent_folder)
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
        self.source = Server("source", bindir, self.folder, {"wal_level": "logical"})
        self.target = Server("target", bindir, self.folder, {})
        self.wal_warm_mib = wal_warm_mib

    def __enter__(self):
        try:
            self.source.start()
            self.target.start()
            self._warm_target_wal()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def _warm_target_wal(self):
        # The first user of a new server would pay for creating its WAL files, later ones would
        # reuse them. Writing some now and recycling them makes the first run like the others.
        self.target.execute(
            "SELECT count(pg_logical_emit_message(false, 'warm', repeat('x', 1 << 20)))"
            " FROM generate_series(1, %s)", (self.wal_warm_mib,))
        self.target.execute("CHECKPOINT")

    def close(self):
        self.target.stop()
        self.source.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

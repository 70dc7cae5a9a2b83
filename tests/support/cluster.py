"""Throw-away PostgreSQL clusters.

One initdb for each side, copied for every further cluster. A server refuses to run as root, so
under root it runs as the user `postgres`. Servers die with the test process, whatever ends that.

  PGCHRONICLE_TEST_FOLDER     where the data folders are made, /tmp unless said
  PGCHRONICLE_TEST_TEMPLATES  a folder for what initdb made, which several sessions share; it is
                              theirs who say it. Without it each session runs initdb itself.
"""

import atexit
import contextlib
import fcntl
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from pathlib import Path

import psycopg2
import psycopg2.extras

from .waiting import wait_until

SERVER_USER = "postgres"

# Every session that compares text pins what decides how a value is printed.
PINNED = {
    "client_encoding": "UTF8",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "extra_float_digits": "1",
    "bytea_output": "hex",
}

DEFAULT_SETTINGS = {
    "wal_level": "logical",
    "max_replication_slots": "20",
    "max_wal_senders": "20",
    "max_connections": "100",
    "max_prepared_transactions": "5",
    "shared_buffers": "64MB",
    "max_wal_size": "4GB",
    "log_line_prefix": "'%m [%p] %a '",
    "log_min_messages": "info",
    "lc_messages": "C",
    "timezone": "UTC",
    "autovacuum_naptime": "10s",
    # Compiling the oracles' queries takes longer than running them.
    "jit": "off",
    # What a killed process has written stays; only a machine that fails would lose it.
    "fsync": "off",
}


def _installed():
    """The newest server that the distribution's packages have put here, or None."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"),
                   key=lambda path: int(path.parent.parent.name))
    return found[-1].parent if found else None


def pg_bin(side):
    """The folder with the programs of the server of one side, "source" or "target"."""
    chosen = (os.environ.get(f"PGCHRONICLE_TEST_{side.upper()}_PG_BIN")
              or os.environ.get("PGCHRONICLE_TEST_PG_BIN"))
    found = Path(chosen) if chosen else _installed()
    if not found:
        raise RuntimeError("no PostgreSQL server found: install postgresql, "
                           "or name its bin folder in PGCHRONICLE_TEST_PG_BIN")
    return found


def client(name):
    """A client program: psql, pg_recvlogical. Servers from elsewhere come without them."""
    for folder in (pg_bin("source"), pg_bin("target"), _installed()):
        if folder and (folder / name).exists():
            return str(folder / name)
    found = shutil.which(name)
    if not found:
        raise RuntimeError(f"{name} not found")
    return found


def _as_server_user(command):
    """The command, run as the user a server may run as, and killed when this process dies."""
    if os.geteuid() == 0:
        # setpriv execs, so the pid that we get is the server's own; runuser would fork.
        return ["setpriv", "--reuid", SERVER_USER, "--regid", SERVER_USER, "--init-groups",
                "--reset-env", "--pdeathsig", "QUIT", *command]
    return list(command)


def _own(path):
    if os.geteuid() == 0:
        entry = pwd.getpwnam(SERVER_USER)
        os.chown(path, entry.pw_uid, entry.pw_gid)


def free_port():
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def children_of(pid):
    """Direct children of a process, by /proc."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            stat = Path("/proc", entry, "stat").read_text()
        except OSError:
            continue
        # The command name may hold spaces and parentheses; the parent follows the last one.
        if int(stat.rsplit(")", 1)[1].split()[1]) == pid:
            found.append(int(entry))
    return found


class ClusterFactory:
    """Makes clusters below one temporary folder and removes them all at the end."""

    def __init__(self):
        self.base = Path(tempfile.mkdtemp(prefix="pgchronicle-test-",
                                          dir=os.environ.get("PGCHRONICLE_TEST_FOLDER", "/tmp")))
        self.base.chmod(0o755)
        self._templates = Path(os.environ.get("PGCHRONICLE_TEST_TEMPLATES",
                                              self.base / "templates"))
        self._templates.mkdir(mode=0o755, exist_ok=True)
        self._clusters = []
        self._lock = threading.Lock()
        atexit.register(self.close)

    def _initdb(self, path, programs):
        path.mkdir(mode=0o700)
        _own(path)
        subprocess.run(
            _as_server_user([str(programs / "initdb"), "-D", str(path), "-U", SERVER_USER,
                             "--encoding=UTF8", "--locale=C", "--no-sync", "--data-checksums",
                             "--auth-local=trust", "--auth-host=scram-sha-256"]),
            check=True, stdout=subprocess.DEVNULL, cwd="/")

    def _template(self, side, programs):
        """What initdb makes for a side, made by the first that asks."""
        name = "-".join([side, *programs.parts[1:]])
        path = self._templates / name
        with (self._templates / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not path.exists():
                half = self._templates / f"{name}.half"
                shutil.rmtree(half, ignore_errors=True)
                self._initdb(half, programs)
                half.rename(path)
        return path

    def create(self, name, side, fresh=False, **settings):
        """A cluster that is not started yet, of the version that its side has.

        The clusters of a side share their system identifier; `fresh` makes one of its own.
        """
        programs = pg_bin(side)
        with self._lock:
            data = self.base / name
            if fresh:
                self._initdb(data, programs)
            else:
                subprocess.run(["cp", "-a", "--reflink=auto",
                                str(self._template(side, programs)), str(data)], check=True)
            cluster = Cluster(name, data, self.base, programs, settings)
            self._clusters.append(cluster)
            return cluster

    def copy_of(self, cluster, name, copy):
        """A cluster that is not started yet, of the data that copy(cluster, folder) makes."""
        copied = Cluster(name, copy(cluster, self.base / name), self.base, cluster.programs,
                         cluster.settings)
        self._clusters.append(copied)
        return copied

    def close(self):
        for cluster in self._clusters:
            with contextlib.suppress(Exception):
                cluster.destroy()
        self._clusters.clear()
        if os.environ.get("PGCHRONICLE_TEST_KEEP"):
            return
        shutil.rmtree(self.base, ignore_errors=True)


class Cluster:
    """One server. `start` has to be called from the main thread: the server dies with it."""

    def __init__(self, name, data, base, programs, settings):
        self.name = name
        self.data = data
        self.programs = programs
        self.socket_dir = base / f"s{name}"
        self.socket_dir.mkdir()
        _own(self.socket_dir)
        self.log_path = base / f"{name}.log"
        self.port = free_port()
        self.settings = {**DEFAULT_SETTINGS, **settings}
        self.environment = {}  # The server's; it counts from the next start.
        self._process = None
        self._stopped = []

    # -- life --------------------------------------------------------------------------------

    def configure(self, **settings):
        """Changes settings; they count from the next start or reload. None removes one."""
        for key, value in settings.items():
            if value is None:
                self.settings.pop(key, None)
            else:
                self.settings[key] = value
        self._write_settings()

    def _write_settings(self):
        lines = [f"{key} = {value}" for key, value in self.settings.items()]
        lines += [f"port = {self.port}", "listen_addresses = '127.0.0.1'",
                  f"unix_socket_directories = '{self.socket_dir}'"]
        path = self.data / "pgchronicle_test.conf"
        path.write_text("\n".join(lines) + "\n")
        _own(path)
        main = self.data / "postgresql.conf"
        if path.name not in main.read_text():
            with main.open("a") as out:
                out.write(f"\ninclude '{path.name}'\n")

    @property
    def running(self):
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self):
        return self._process.pid

    def start(self, timeout=60):
        assert not self.running, f"{self.name} runs already"
        assert threading.current_thread() is threading.main_thread()
        self._write_settings()
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                _as_server_user(["env", *(f"{k}={v}" for k, v in self.environment.items()),
                                 str(self.programs / "postgres"), "-D", str(self.data)]),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
                start_new_session=True)  # Ctrl-C is for the tests, which then stop it in order.
        try:
            wait_until(self._accepts, timeout, f"server {self.name} to accept connections")
        except BaseException:
            self.kill()
            raise
        return self

    def _accepts(self):
        if self._process.poll() is not None:
            raise RuntimeError(f"server {self.name} ended:\n{self.log_text()[-3000:]}")
        try:
            self.connect("postgres").close()
            return True
        except psycopg2.OperationalError:
            return False

    def stop(self, mode="fast", timeout=60):
        """Stops the server: smart, fast or immediate."""
        if not self.running:
            return
        self.sigcont()
        self._process.send_signal({"smart": signal.SIGTERM, "fast": signal.SIGINT,
                                   "immediate": signal.SIGQUIT}[mode])
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def restart(self, mode="fast"):
        self.stop(mode)
        self.start()

    def kill(self):
        if self._process is None:
            return
        self.sigcont()
        children = children_of(self._process.pid) if self.running else []
        for pid in [self._process.pid, *children]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()

    def destroy(self):
        if self.running:
            try:
                self.stop("immediate", timeout=10)
            except subprocess.TimeoutExpired:
                self.kill()
        if not os.environ.get("PGCHRONICLE_TEST_KEEP"):
            shutil.rmtree(self.data, ignore_errors=True)

    def reload(self, **settings):
        """Returns when new connections have them."""
        self.configure(**settings)
        loaded = "select pg_conf_load_time()"
        before = self.query(loaded)
        self._process.send_signal(signal.SIGHUP)
        wait_until(lambda: self.query(loaded) != before, 20, f"{self.name} to reload")

    def sigstop(self):
        """Freezes every process of the server; its sockets stay open and nothing answers."""
        self._stopped = [self._process.pid]
        os.kill(self._process.pid, signal.SIGSTOP)  # First: it must not fork while we look.
        for pid in children_of(self._process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                self._stopped.append(pid)

    def sigcont(self):
        for pid in reversed(self._stopped):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self._stopped = []

    @contextlib.contextmanager
    def frozen(self):
        self.sigstop()
        try:
            yield
        finally:
            self.sigcont()

    # -- use ---------------------------------------------------------------------------------

    def connect(self, dbname="postgres", autocommit=True, user=SERVER_USER, **options):
        """A superuser's connection through the socket, with everything pinned."""
        settings = {**PINNED, **options}
        connection = psycopg2.connect(
            host=str(self.socket_dir), port=self.port, dbname=dbname, user=user,
            application_name="pgchronicle_test", connect_timeout=10,
            options=" ".join(f"-c {key}={value.replace(' ', chr(92) + ' ')}"
                             for key, value in settings.items()))
        connection.autocommit = autocommit
        return connection

    def connect_replication(self, dbname):
        """A superuser's connection on which START_REPLICATION can be said."""
        return psycopg2.connect(
            host=str(self.socket_dir), port=self.port, dbname=dbname, user=SERVER_USER,
            connection_factory=psycopg2.extras.LogicalReplicationConnection)

    def execute(self, sql, parameters=None, dbname="postgres"):
        with contextlib.closing(self.connect(dbname)) as connection:
            with connection.cursor() as cursor:
                cursor.execute(sql, parameters)

    def query(self, sql, parameters=None, dbname="postgres"):
        with contextlib.closing(self.connect(dbname)) as connection:
            with connection.cursor() as cursor:
                cursor.execute(sql, parameters)
                return cursor.fetchall()

    def log_text(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def log_mark(self):
        """A place in the log; pass it to log_since."""
        return self.log_path.stat().st_size

    def log_since(self, mark):
        with self.log_path.open("rb") as log:
            log.seek(mark)
            return log.read().decode(errors="replace")

    def dsn(self, dbname, user):
        """The conninfo the program under test uses: TCP, where passwords are asked for."""
        return f"host=127.0.0.1 port={self.port} dbname={dbname} user={user}"

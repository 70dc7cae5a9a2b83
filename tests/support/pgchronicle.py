"""Runs the program under test: its configuration file, its commands, and `run` in background."""

import atexit
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import weakref
from datetime import datetime
from pathlib import Path

from .lsn import parse_lsn
from .waiting import WaitTimeout, wait_until

REPO = Path(__file__).resolve().parents[2]

FAILPOINTS = [
    "after_connect", "mid_row_frame", "after_begin", "mid_transaction", "before_target_begin",
    "between_close_and_open", "after_rows_before_checkpoint", "after_checkpoint_before_commit",
    "commit_sent_no_reply", "after_commit_before_ack", "ack_sent_not_flushed", "during_reconnect",
]

EXIT_DONE, EXIT_CHECK_FAILED, EXIT_USAGE, EXIT_OPERATOR, EXIT_RETRIES = range(5)


def binary():
    path = Path(os.environ.get("PGCHRONICLE_BIN", REPO / "build" / "dev" / "pgchronicle"))
    # A name without a slash is looked up in PATH.
    found = shutil.which(str(path))
    if not found:
        raise FileNotFoundError(f"{path} does not exist: build it, or name it in PGCHRONICLE_BIN")
    return str(Path(found).resolve())


# -- configuration -------------------------------------------------------------------------------

_PLAIN = re.compile(r"\$\{\w+\}|[A-Za-z0-9_./][A-Za-z0-9_./-]*")


def _scalar(value):
    if isinstance(value, str):
        return value if _PLAIN.fullmatch(value) and not _looks_typed(value) else json.dumps(value)
    return json.dumps(value)


def _looks_typed(text):
    return text.lower() in ("true", "false", "null", "yes", "no", "on", "off") \
        or text.replace(".", "").isdigit()


def to_yaml(value, indent=0):
    """Block YAML of dicts; lists and scalars on one line. Enough for a configuration."""
    lines = []
    for key, item in value.items():
        name = _scalar(str(key))
        if isinstance(item, dict) and item:
            lines.append(" " * indent + f"{name}:")
            lines.append(to_yaml(item, indent + 2).rstrip("\n"))
        elif isinstance(item, list):
            lines.append(" " * indent + f"{name}: [{', '.join(map(_scalar, item))}]")
        else:
            lines.append(" " * indent + f"{name}: {_scalar(item)}")
    return "\n".join(lines) + "\n"


def merge(base, changes):
    """A deep merge; None removes a key."""
    result = dict(base)
    for key, value in changes.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merge(result[key], value)
        else:
            result[key] = value
    return result


# -- log lines -----------------------------------------------------------------------------------

_LINE = re.compile(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z)\s+(\w+)\s+"
                   r"([a-z][a-z0-9_]*)(?:\s+(.*))?$")
_FIELD = re.compile(r'([A-Za-z_][\w.]*)=("(?:[^"\\]|\\.)*"|\S*)')


class Event:
    def __init__(self, time_text, level, name, fields):
        self.time = datetime.fromisoformat(time_text.replace("Z", "+00:00"))
        self.level = level
        self.name = name
        self.fields = fields

    def __repr__(self):
        return f"<{self.name} {self.fields}>"


def parse_log_line(line):
    """An Event, or None for a line that is no event."""
    if line.startswith("{"):
        with contextlib.suppress(ValueError):
            fields = json.loads(line)
            return Event(fields.pop("time"), fields.pop("level"), fields.pop("event"), fields)
        return None
    match = _LINE.match(line)
    if not match:
        return None
    fields = {}
    for key, value in _FIELD.findall(match.group(4) or ""):
        if value.startswith('"'):
            try:
                value = json.loads(value)
            except ValueError:
                value = value[1:-1]
        fields[key] = value
    return Event(match.group(1), match.group(2), match.group(3), fields)


# -- the process ---------------------------------------------------------------------------------

_running = weakref.WeakSet()


@atexit.register
def _kill_leftovers():
    for service in list(_running):
        service.kill9()


class Service:
    """`pgchronicle run` in the background; what it says goes to a file."""

    def __init__(self, arguments, env, log_path, cwd):
        self.log_path = log_path
        with log_path.open("ab") as log:
            self.log_start = log.tell()
            # Killed with the thread that started it, whatever ends that; setpriv execs, so the
            # pid is the program's.
            self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *arguments],
                                            env=env, cwd=cwd, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
        _running.add(self)

    @property
    def pid(self):
        return self.process.pid

    @property
    def alive(self):
        return self.process.poll() is None

    @property
    def returncode(self):
        return self.process.poll()

    def log_text(self):
        """What this process wrote; earlier ones may have written to the same file."""
        with self.log_path.open("rb") as log:
            log.seek(self.log_start)
            return log.read().decode(errors="replace")

    def events(self, name=None, **fields):
        found = []
        for line in self.log_text().splitlines():
            event = parse_log_line(line)
            if event and (name is None or event.name == name) and all(
                    str(event.fields.get(key)) == str(value) for key, value in fields.items()):
                found.append(event)
        return found

    def fail_if_dead(self):
        if not self.alive:
            raise AssertionError(f"pgchronicle ended with {self.returncode}:\n{self.tail()}")

    def tail(self, size=4000):
        return self.log_text()[-size:]

    def wait_event(self, name, timeout=30, count=1, **fields):
        """Waits for the count-th such event and returns it."""
        def seen():
            found = self.events(name, **fields)
            if len(found) >= count:
                return found[count - 1]
            self.fail_if_dead()
            return None
        try:
            return wait_until(seen, timeout, f"event {name} {fields or ''}")
        except WaitTimeout as late:
            raise WaitTimeout(f"{late}\n{self.tail()}") from None

    def wait_for(self, condition, timeout=30, what="the condition"):
        """Waits for a condition, but not after the process has died."""
        def checked():
            result = condition()
            if not result:
                self.fail_if_dead()
            return result
        try:
            return wait_until(checked, timeout, what)
        except WaitTimeout as late:
            raise WaitTimeout(f"{late}\n{self.tail()}") from None

    def wait(self, timeout=30):
        """The exit code."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise WaitTimeout(f"pgchronicle did not end within {timeout} s:\n"
                              f"{self.tail()}") from None

    def signal(self, number):
        self.process.send_signal(number)

    def kill9(self):
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
        self.process.wait()

    def stop(self, timeout=30):
        """SIGTERM, and its exit code."""
        if self.alive:
            self.signal(signal.SIGTERM)
        return self.wait(timeout)

    def _status_kib(self, field):
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
        return None

    def rss_peak(self):
        """The largest resident size so far, in bytes."""
        return self._status_kib("VmHWM")

    def rss(self):
        return self._status_kib("VmRSS")


class Pipeline:
    """One configuration file and what is run with it."""

    def __init__(self, workdir, config, env=None):
        self.workdir = Path(workdir)
        self.workdir.mkdir(parents=True, exist_ok=True)
        self.config_path = self.workdir / "pgchronicle.yaml"
        self.log_path = self.workdir / "pgchronicle.log"
        self.env = dict(env or {})
        self.services = []
        self.set_config(config)

    def set_config(self, config):
        self.config = config
        self.write_text(to_yaml(config))

    def write_text(self, text):
        self.config_path.write_text(text)
        self.config_path.chmod(0o600)

    def environment(self, extra=None):
        """Ours without libpq's variables, which would be taken as the configuration's."""
        env = {key: value for key, value in os.environ.items()
               if not key.startswith("PG")}
        env.update(self.env)
        env.update(extra or {})
        return {key: value for key, value in env.items() if value is not None}

    def arguments(self, command, *arguments):
        return [binary(), command, *arguments, "--config", str(self.config_path)]

    def run(self, command, *arguments, **options):
        """Runs a command with the configuration to its end."""
        return self.run_plain(*self.arguments(command, *arguments)[1:], **options)

    def run_plain(self, *arguments, timeout=60, env=None, input_text=None):
        """The same with these arguments alone."""
        return subprocess.run([binary(), *arguments], env=self.environment(env),
                              cwd=self.workdir, timeout=timeout, capture_output=True, text=True,
                              input=input_text if input_text is not None else "")

    def start(self, *arguments, env=None, command="run"):
        service = Service(self.arguments(command, *arguments), self.environment(env),
                          self.log_path, self.workdir)
        self.services.append(service)
        return service

    def close(self):
        for service in self.services:
            service.kill9()

    def whole_log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""


class Supervisor(threading.Thread):
    """Restarts `run` whenever a signal killed it, as an init system would.

    `next_env` gives each start its environment, so that a start can carry a failpoint. An exit of
    the program's own (any code) is not restarted: it is kept in `gave_up` for the test to judge.
    """

    def __init__(self, pipeline, next_env=lambda: None):
        super().__init__(name="supervisor", daemon=True)
        self.pipeline = pipeline
        self.next_env = next_env
        self.current = None
        self.starts = 0
        self.gave_up = None
        self._stopping = threading.Event()

    def run(self):
        while not self._stopping.is_set():
            self.current = self.pipeline.start(env=self.next_env())
            self.starts += 1
            self.current.process.wait()
            if self.current.returncode >= 0:
                self.gave_up = self.current.returncode
                return

    def wait_started(self, count, timeout=30):
        wait_until(lambda: self.starts >= count or self.gave_up is not None, timeout,
                   f"start number {count}")
        self.check()

    def check(self):
        if self.gave_up is not None and not self._stopping.is_set():
            raise AssertionError(f"pgchronicle ended by itself with {self.gave_up}:\n"
                                 f"{self.current.tail()}")

    def stop(self, timeout=30):
        """SIGTERM to the process in hand; its exit code."""
        self._stopping.set()
        code = self.current.stop(timeout)
        self.join(timeout)
        return code


def failpoint_env(name, hit, log_path, action=None):
    """The environment that kills the process at the hit-th pass of a failpoint."""
    point = f"{name}:{hit}" + (f":{action}" if action else "")
    return {"PGCHRONICLE_FAILPOINT": point, "PGCHRONICLE_FAILPOINT_LOG": str(log_path)}


# -- catching up ---------------------------------------------------------------------------------

def checkpoint(target, pipeline):
    """The checkpoint row as a dict, or None."""
    if target.value("select to_regclass('pgchronicle.checkpoint')::text") is None:
        return None
    rows = target.query("select row_to_json(c) from pgchronicle.checkpoint c where pipeline = %s",
                        (pipeline,))
    return rows[0][0] if rows else None


def position(target, pipeline):
    row = checkpoint(target, pipeline)
    return parse_lsn(row["position"]) if row and row.get("position") else 0


def nudge(source):
    """Commits something that pgoutput leaves out, so that the server's flush position passes
    everything before it: an idle server may not have flushed its last records."""
    source.value("select pg_logical_emit_message(true, 'pgchronicle_test', '')::text")


def tables_to_copy(target, pipeline):
    """How many tables still wait for their copy, or a comparison, and are not left behind; None
    before the first run has listed them."""
    if target.value("select to_regclass('pgchronicle.table_state')::text") is None:
        return None
    return target.value("select case when count(*) > 0 then "
                        "count(*) filter (where (state = 'pending' or compare_as is not null) and "
                        "not exists (select from pgchronicle.quarantine q where q.pipeline = "
                        "t.pipeline and q.relation_id = t.relation_id and released_at is null)) "
                        "end from pgchronicle.table_state t where pipeline = %s", (pipeline,))


def catch_up(service, source, target, pipeline, timeout=60):
    """Waits until the checkpoint's position has reached the source's end as it is now, and no
    table waits for its copy: below the seam the stream is ahead of the copied rows."""
    end = parse_lsn(source.lsn())
    nudge(source)
    service.wait_for(lambda: position(target, pipeline) >= end
                     and tables_to_copy(target, pipeline) == 0, timeout,
                     f"the checkpoint to reach {end >> 32:X}/{end & 0xFFFFFFFF:X}")
    return end

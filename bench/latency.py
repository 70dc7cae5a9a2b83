"""W7: how long a commit on the source takes until readers of the target see it.

Both servers and this program read the same clock. The target keeps commit timestamps, so each
version tells when its transaction committed there (`pg_xact_commit_timestamp(xmin)`), which costs
nothing while the load runs. Each tick has a key of its own, because closing a version would give
it another xmin. The cross-check is a reader that asks for every 25th change until it sees it.
"""

import os
import signal
import subprocess
import sys
import time

import psycopg2

import checks
from chronicle import usage_of, write_config
from contenders import Measurement, drop_database, last_lines
from paced_writer import key_of
from report import say
from servers import BenchError, clean_environment, end_with_parent
from stage import Stage

SLOT = "w7"
DATABASE = "w7_history"
HERE = os.path.dirname(os.path.abspath(__file__))
# Every so many ticks the reader looks for one: 20 a second, some hundred short queries.
PROBE_EVERY = 25
PROBE_PAUSE_SECONDS = 0.0005
WAIT_SECONDS_MAX = 60


def run(servers, workload, options):
    servers.target.restart({"track_commit_timestamp": "on"})
    stage = Stage(servers, workload, options.identity)
    measurements = []
    try:
        stage.prepare()
        servers.target.execute(f"CREATE DATABASE {DATABASE}")
        log_path = os.path.join(options.log_folder, "W7-pgchronicle.log")
        with RunningChronicle(stage, options, log_path) as chronicle:
            # One second that nobody counts: connections, caches and plans are warm then.
            _write(stage, chronicle, 0, workload.per_second)
            first = workload.per_second
            for round_number in range(1, options.runs + 1):
                measured = _round(stage, chronicle, round_number, first)
                say(f"  round {round_number}  pgchronicle {_describe(measured)}")
                measurements.append(measured)
                first += workload.ticks
            faults = _finish(stage, chronicle, first)
            for measured in measurements:
                measured.extra.update(usage_of(chronicle.usage))
                measured.faults += faults   # one history: none of its rounds counts
            if faults:
                say("  WRONG: " + "; ".join(faults))
    except (BenchError, psycopg2.Error) as error:
        measurements.append(Measurement("pgchronicle", 0, faults=[str(error).strip()]))
    drop_database(stage, DATABASE)
    stage.drop()
    servers.target.restart({"track_commit_timestamp": "off"})
    return {"workload": workload, "measurements": measurements}


class RunningChronicle:
    """A `run` that goes on until it is told to stop, every setting at its default."""

    def __init__(self, stage, options, log_path):
        self.log_path = log_path
        self.usage = None
        self.code = None
        config = write_config(stage, SLOT, DATABASE, create_slot="if_missing")
        with open(log_path, "wb") as log:
            self.process = subprocess.Popen(
                [options.binary, "run", "--config", config], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, env=clean_environment(), preexec_fn=end_with_parent)

    def __enter__(self):
        try:
            wait_until(self._streams, "pgchronicle did not begin to stream")
        except BaseException:
            self.__exit__()
            raise
        return self

    def _streams(self):
        if self._ended():
            raise BenchError(f"pgchronicle ended by itself: {last_lines(self.log_path)}")
        with open(self.log_path, errors="replace") as log:
            return " stream_started" in log.read()

    def _ended(self):
        if self.code is None:
            pid, status, usage = os.wait4(self.process.pid, os.WNOHANG)
            if pid:
                self.code, self.usage = os.waitstatus_to_exitcode(status), usage
                self.process.returncode = self.code
        return self.code is not None

    def stop(self):
        """SIGTERM: it finishes what it has in hand. The exit code."""
        self.process.send_signal(signal.SIGTERM)
        wait_until(self._ended, "pgchronicle did not stop")
        return self.code

    def __exit__(self, *_):
        if not self._ended():
            self.process.kill()
            wait_until(self._ended, "pgchronicle cannot be killed")


def wait_until(condition, complaint):
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while not condition():
        if time.monotonic() > deadline:
            raise BenchError(f"{complaint} within {WAIT_SECONDS_MAX} s")
        time.sleep(0.02)


def _write(stage, chronicle, first, ticks):
    """Lets the writer run; {tick: (late, committed)} and {tick: seen} of the probed ones."""
    work = stage.workload
    start = time.time() + 2.0   # the writer connects meanwhile
    writer = subprocess.Popen(
        [sys.executable, "-B", os.path.join(HERE, "paced_writer.py"),
         "--dsn", stage.source.dsn(stage.database), "--first", str(first), "--ticks", str(ticks),
         "--per-second", str(work.per_second), "--keys", str(work.rows_before),
         "--start", repr(start)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, env=clean_environment(),
        preexec_fn=end_with_parent)
    try:
        seen = _probe(stage, range(first, first + ticks, PROBE_EVERY), first, start)
        lines = writer.communicate(timeout=WAIT_SECONDS_MAX)[0].splitlines()
    except subprocess.TimeoutExpired as error:
        raise BenchError("the paced writer did not end") from error
    finally:
        if writer.poll() is None:
            writer.kill()
            writer.wait()
    if writer.returncode != 0:
        raise BenchError("the paced writer failed; see the message above")
    commits = {}
    for line in lines:
        tick, late, committed = line.split()
        commits[int(tick)] = (float(late), float(committed))
    _wait_for_checkpoint(stage)
    return commits, seen


def _probe(stage, ticks, first, start):
    """{tick: the moment when a reader of the target first had its version in hand}."""
    work = stage.workload
    seen = {}
    connection = stage.target.connect(DATABASE)
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                f"PREPARE probe AS SELECT 1 FROM {stage.table.history}"
                f" WHERE {stage.table.key} = $1 AND operation_type = 'UPDATE'")
            for tick in ticks:
                due = start + (tick - first) / work.per_second
                time.sleep(max(0.0, due - time.time()))
                deadline = due + WAIT_SECONDS_MAX
                key = key_of(tick, work.rows_before)
                while True:
                    cursor.execute(f"EXECUTE probe({key})")
                    if cursor.fetchone():
                        seen[tick] = time.time()
                        break
                    if time.time() > deadline:
                        raise BenchError(f"a change was not seen within {WAIT_SECONDS_MAX} s")
                    time.sleep(PROBE_PAUSE_SECONDS)
    finally:
        connection.close()
    return seen


def _wait_for_checkpoint(stage):
    connection = stage.source.connect(stage.database)
    try:
        with connection.cursor() as cursor:
            stage.end_lsn = stage.last_commit_end(cursor)
    finally:
        connection.close()
    wait_until(lambda: stage.target.value(
        "SELECT last_commit_end >= %s FROM pgchronicle.checkpoint", (stage.end_lsn,), DATABASE),
        "the checkpoint did not reach the writer's last commit")


def _round(stage, chronicle, round_number, first):
    work = stage.workload
    commits, seen = _write(stage, chronicle, first, work.ticks)
    visible = {tick: (committed, recorded) for tick, committed, recorded in stage.target.execute(
        "SELECT updated_by, extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8,"
        f" extract(epoch FROM valid_from)::float8 FROM {stage.table.history}"
        " WHERE operation_type = 'UPDATE' AND updated_by >= %s AND updated_by < %s",
        (first, first + work.ticks), DATABASE)}
    measured = Measurement("pgchronicle", round_number, float(work.seconds))
    if set(visible) != set(commits):
        measured.seconds = None
        measured.faults.append(f"{len(commits)} transactions were committed,"
                               f" {len(visible)} versions of them are in the history")
        return measured
    latencies = sorted(1000 * (visible[t][0] - commits[t][1]) for t in commits)
    from_record = sorted(1000 * (visible[t][0] - visible[t][1]) for t in commits)
    reader = sorted(1000 * (seen[t] - commits[t][1]) for t in seen)
    same = sorted(1000 * (visible[t][0] - commits[t][1]) for t in seen)
    late = sorted(1000 * late for late, _ in commits.values())
    moments = [moment for _, moment in commits.values()]
    measured.extra = {
        "transactions": len(commits),
        "achieved_per_second": round((len(commits) - 1) / (max(moments) - min(moments)), 1),
        "sent_late_p99_ms": percentile(late, 99), "sent_late_max_ms": round(late[-1], 3),
        "p50_ms": percentile(latencies, 50), "p99_ms": percentile(latencies, 99),
        "max_ms": round(latencies[-1], 3),
        "from_commit_record_p50_ms": percentile(from_record, 50),
        "from_commit_record_p99_ms": percentile(from_record, 99),
        "reader_samples": len(reader),
        "reader_p50_ms": percentile(reader, 50), "reader_p99_ms": percentile(reader, 99),
        "reader_max_ms": round(reader[-1], 3),
        "same_ticks_p50_ms": percentile(same, 50), "same_ticks_p99_ms": percentile(same, 99)}
    return measured


def percentile(ordered, percent):
    """The smallest value that `percent` % of the ordered ones do not exceed."""
    return round(ordered[max(0, -(-len(ordered) * percent // 100) - 1)], 3)


def _finish(stage, chronicle, ticks):
    """Stops pgchronicle; what is wrong with its end and with its history."""
    code = chronicle.stop()
    if code != 0:
        return [f"exit code {code} after SIGTERM: {last_lines(chronicle.log_path)}"]
    stage.dump_rows()
    rows = stage.workload.rows_before
    return checks.history_faults(stage, DATABASE, rows + ticks, rows)


def _describe(measured):
    if measured.faults:
        return "WRONG: " + "; ".join(measured.faults)
    extra = measured.extra
    return (f"p50 {extra['p50_ms']:.1f} ms, p99 {extra['p99_ms']:.1f} ms, max "
            f"{extra['max_ms']:.1f} ms; a reader saw p50 {extra['reader_p50_ms']:.1f} ms; "
            f"{extra['achieved_per_second']:.0f} transactions a second")

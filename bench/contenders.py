"""Who reads the recorded WAL: R1, R2, R3 and pgchronicle.

Every contender makes a template database once (the state of the target when the load begins) and
one slot per run before the load. A run starts from a copy of the template and a CHECKPOINT.
"""

import os
import subprocess
import threading
import time
from dataclasses import dataclass, field

import psycopg2

import checks
from servers import BenchError, clean_environment, end_with_parent
from stage import PUBLICATION

# A contender that takes longer than this has stopped for good.
RUN_SECONDS_MAX = 900


@dataclass
class Measurement:
    """One run. `seconds` is None when it failed; `faults` say what was wrong with its result."""
    contender: str
    run: int
    seconds: float = None
    estimated: bool = False       # capped: `seconds` is extrapolated
    faults: list = field(default_factory=list)
    extra: dict = field(default_factory=dict)


def template_name(contender):
    return contender.lower() + "_base"


def make_template(stage, contender, fill):
    """Creates the contender's template database and fills it with `fill(cursor)`."""
    database = template_name(contender)
    stage.target.execute(f"CREATE DATABASE {database}")
    connection = stage.target.connect(database)
    try:
        with connection.cursor() as cursor:
            fill(cursor)
    finally:
        connection.close()


def finish_template(stage, contender):
    # Vacuumed alike: nobody sets another one's hint bits, every planner has statistics.
    stage.target.execute("VACUUM (FREEZE, ANALYZE)", database=template_name(contender))


def copy_template(stage, contender):
    """A database in the template's state, all written out, as every run finds it."""
    database = contender.lower() + "_run"
    stage.target.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
    # The other strategy would write S1's gigabytes into the WAL.
    strategy = "STRATEGY FILE_COPY" if stage.workload.stored_versions else ""
    deadline = time.monotonic() + 30
    while True:
        try:
            stage.target.execute(
                f"CREATE DATABASE {database} TEMPLATE {template_name(contender)} {strategy}")
            break
        except psycopg2.errors.ObjectInUse:   # a backend of the template is still leaving
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
    stage.target.execute("CHECKPOINT")
    return database


def drop_database(stage, database):
    stage.target.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")


def wait_until_slot_is_free(stage, slot):
    deadline = time.monotonic() + 30
    while stage.source.value(
            "SELECT active FROM pg_replication_slots WHERE slot_name = %s", (slot,)):
        if time.monotonic() > deadline:
            raise BenchError(f'replication slot "{slot}" stays active')
        time.sleep(0.05)


def run_process(arguments, log_path, seconds_max=RUN_SECONDS_MAX):
    """Runs a program to its end: (exit code, seconds, resource usage).

    The wait blocks, since the pause between two looks would be measured as well.
    """
    with open(log_path, "wb") as log:
        started = time.monotonic()
        process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                   env=clean_environment(), preexec_fn=end_with_parent)
        watchdog = threading.Timer(seconds_max, process.kill)
        watchdog.start()
        try:
            # wait4, because only it tells the peak memory of this one child.
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.monotonic() - started
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            watchdog.cancel()
            if process.returncode is None:
                process.kill()
                process.wait()
    return process.returncode, seconds, usage


def last_lines(path, count=3):
    with open(path, errors="replace") as log:
        return " | ".join(line.strip() for line in log.readlines()[-count:])


class Contender:
    name = ""

    def __init__(self, options):
        self.options = options

    def slot(self, run):
        return f"{self.name.lower()}_{run}"

    def prepare(self, stage):
        """Makes the template. Called when the source holds the rows before the load."""

    def make_slots(self, stage, runs):
        for run in range(1, runs + 1):
            stage.source.execute(
                "SELECT pg_create_logical_replication_slot(%s, 'pgoutput')",
                (self.slot(run),), stage.database)

    def measure(self, stage, run):
        raise NotImplementedError

    def log_path(self, stage, run):
        return os.path.join(self.options.log_folder,
                            f"{stage.workload.name}-{self.name}-{run}.log")

    def finish(self, stage):
        drop_database(stage, template_name(self.name))


class ReceiveOnly(Contender):
    """R1: pg_recvlogical into /dev/null."""

    name = "R1"

    def measure(self, stage, run):
        stage.target.execute("CHECKPOINT")
        log = self.log_path(stage, run)
        code, seconds, _ = run_process(
            [stage.source.program("pg_recvlogical"), "-d", stage.source.dsn(stage.database),
             "-S", self.slot(run), "--start", "--no-loop", "--endpos", stage.end_lsn,
             "-o", "proto_version=1", "-o", f"publication_names={PUBLICATION}",
             "-o", "binary=true", "-f", "/dev/null"], log)
        if code != 0:
            return Measurement(self.name, run, faults=[f"exit code {code}: {last_lines(log)}"])
        return Measurement(self.name, run, seconds)


class Subscription(Contender):
    """R2: PostgreSQL's subscription into a plain table."""

    name = "R2"

    def prepare(self, stage):
        make_template(stage, self.name, lambda cursor: self.fill(stage, cursor))
        finish_template(stage, self.name)

    def fill(self, stage, cursor):
        table = stage.table
        cursor.execute(table.create_sql)
        with open(stage.rows_file, "rb") as rows:
            cursor.copy_expert(f"COPY {table.source} ({table.column_list}) FROM STDIN", rows)

    def cap_seconds(self, stage):
        return None

    def measure(self, stage, run):
        database = copy_template(stage, self.name)
        subscription = self.slot(run)
        source = stage.source.dsn(stage.database)
        connection = stage.target.connect(database)
        try:
            with connection.cursor() as cursor:
                cursor.execute(
                    f"CREATE SUBSCRIPTION {subscription} CONNECTION '{source}'"
                    f" PUBLICATION {PUBLICATION} WITH (binary = true, create_slot = false,"
                    f" slot_name = '{self.slot(run)}', enabled = false, copy_data = false)")
                measured = self._stream(stage, run, cursor, subscription)
                cursor.execute(f"ALTER SUBSCRIPTION {subscription} DISABLE")
                wait_until_slot_is_free(stage, self.slot(run))
                if measured.seconds is not None and not measured.estimated:
                    measured.faults += self.result_faults(stage, cursor)
                cursor.execute(f"ALTER SUBSCRIPTION {subscription} SET (slot_name = NONE)")
                cursor.execute(f"DROP SUBSCRIPTION {subscription}")
        finally:
            connection.close()
        drop_database(stage, database)
        return measured

    def _stream(self, stage, run, cursor, subscription):
        """Enables the subscription and waits until it has applied the end LSN, or for the cap."""
        cap = self.cap_seconds(stage)
        samples = []
        cursor.execute("SELECT 'pg_' || oid FROM pg_subscription WHERE subname = %s",
                       (subscription,))
        origin = cursor.fetchone()[0]
        started = time.monotonic()
        cursor.execute(f"ALTER SUBSCRIPTION {subscription} ENABLE")
        while True:
            cursor.execute(
                "SELECT remote_lsn, remote_lsn >= %s FROM pg_replication_origin_status"
                " WHERE external_id = %s", (stage.end_lsn, origin))
            row = cursor.fetchone()
            seconds = time.monotonic() - started
            if row and row[1]:
                return Measurement(self.name, run, seconds)
            if cap and seconds >= cap:
                applied = stage.progress.at(row[0]) if row else 0
                samples.append((seconds, applied))
                return extrapolate(self.name, run, samples, stage.workload.changes)
            if seconds > RUN_SECONDS_MAX:
                return Measurement(self.name, run, faults=[
                    f"not caught up after {RUN_SECONDS_MAX} s: {stage.target.log_tail(3)}"])
            if cap and row and seconds >= (len(samples) + 1) * cap / 30:
                samples.append((seconds, stage.progress.at(row[0])))
            # One look costs the contender some 50 us of the two cores: half a percent.
            time.sleep(0.01)

    def result_faults(self, stage, cursor):
        """A reference that did not do its work is no reference."""
        return checks.row_count_faults(cursor, stage.table.source, stage.workload.rows_after)


def extrapolate(contender, run, samples, changes):
    """Seconds for all changes, from samples (seconds, changes applied) of a capped run.

    The cost of a change grows with the versions its key has, so time is a*n + b*n^2 in the
    changes n; both are fitted (least squares, neither below zero). `linear_seconds` beside it
    takes the mean rate of the capped part: a lower bound where the rate falls.
    """
    seconds_at_cap, applied = samples[-1]
    if applied == 0:
        return Measurement(contender, run,
                           faults=[f"nothing was applied within {seconds_at_cap:.0f} s"])
    linear = seconds_at_cap * changes / applied
    # In shares of the load, so that the sums stay well-conditioned.
    points = [(n / changes, t) for t, n in samples if n]
    s2, s3, s4 = (sum(x ** power for x, _ in points) for power in (2, 3, 4))
    t1 = sum(x * t for x, t in points)
    t2 = sum(x * x * t for x, t in points)
    determinant = s2 * s4 - s3 * s3
    estimate = linear
    if len(points) >= 5 and determinant > 0:
        a = (t1 * s4 - t2 * s3) / determinant
        b = (t2 * s2 - t1 * s3) / determinant
        if a < 0:
            a, b = 0.0, t2 / s4
        if b > 0:
            estimate = a + b
    return Measurement(contender, run, estimate, estimated=True, extra={
        "capped_at_seconds": round(seconds_at_cap, 1), "changes_at_cap": applied,
        "linear_seconds": round(linear, 1)})


R3_HISTORY_SQL = """
CREATE SCHEMA analytics;
CREATE TABLE analytics.orders_history (
    LIKE operations.orders,
    valid_from timestamptz NOT NULL,
    valid_to timestamptz,
    is_current boolean NOT NULL,
    operation_type text NOT NULL
);
ALTER TABLE analytics.orders_history ALTER order_id DROP NOT NULL;
INSERT INTO analytics.orders_history
SELECT o.*, now(), NULL, true, 'SNAPSHOT' FROM operations.orders o;
CREATE INDEX ON analytics.orders_history (order_id);

CREATE FUNCTION analytics.keep_orders_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        UPDATE analytics.orders_history SET valid_to = now(), is_current = false
         WHERE order_id = OLD.order_id AND is_current;
    END IF;
    IF TG_OP = 'DELETE' THEN
        INSERT INTO analytics.orders_history SELECT OLD.*, now(), now(), false, TG_OP;
    ELSE
        INSERT INTO analytics.orders_history SELECT NEW.*, now(), NULL, true, TG_OP;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER keep_history AFTER INSERT OR UPDATE OR DELETE ON operations.orders
    FOR EACH ROW EXECUTE FUNCTION analytics.keep_orders_history();
-- ALWAYS, since the subscription's worker fires no ordinary trigger.
ALTER TABLE operations.orders ENABLE ALWAYS TRIGGER keep_history;
"""


class SubscriptionWithTrigger(Subscription):
    """R3: the subscription and a row trigger that writes the history table in PL/pgSQL."""

    name = "R3"

    def fill(self, stage, cursor):
        super().fill(stage, cursor)
        cursor.execute(R3_HISTORY_SQL)

    def cap_seconds(self, stage):
        return self.options.r3_cap_seconds or None

    def result_faults(self, stage, cursor):
        return (super().result_faults(stage, cursor)
                + checks.row_count_faults(cursor, stage.table.history,
                                          stage.workload.versions_after)
                + checks.open_version_faults(cursor, stage.table, stage.workload.rows_after))

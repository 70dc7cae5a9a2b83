"""W6: the initial copy into an empty target, against psql piped into psql (R4)."""

import os
import subprocess
import threading
import time

import psycopg2

import checks
from chronicle import usage_of, write_config
from contenders import Measurement, drop_database, last_lines, run_process, wait_until_slot_is_free
from report import say
from servers import BenchError, clean_environment, end_with_parent
from stage import Stage
from streaming import describe

# 100 M rows at a tenth of the rate that is wanted.
COPY_SECONDS_MAX = 6000


def run(servers, workload, options):
    stage = Stage(servers, workload, options.identity)
    stage.prepare()
    expected = _digest(stage, stage.source, stage.database, stage.table.source)
    if expected[0] != workload.rows_before:
        raise BenchError(f"the source holds {expected[0]:,} rows, not {workload.rows_before:,}")
    say(f"  the source holds {expected[0]:,} rows")
    contenders = [name for name in workload.contenders if options.takes_part(name)]
    measurements = []
    for round_number in range(1, options.runs + 1):
        turn = (round_number - 1) % max(1, len(contenders))
        for name in contenders[turn:] + contenders[:turn]:
            measured = _measure(name, stage, options, round_number, expected)
            say(f"  round {round_number}  {name:<12}{describe(measured)}")
            measurements.append(measured)
    stage.drop()
    return {"workload": workload, "measurements": measurements}


def _measure(name, stage, options, run_number, expected):
    database = name.lower() + "_run"
    log = os.path.join(options.log_folder, f"{stage.workload.name}-{name}-{run_number}.log")
    try:
        stage.target.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
        stage.target.execute(f"CREATE DATABASE {database}")
        measured = CONTENDERS[name](stage, options, run_number, database, log)
        if not measured.faults:
            measured.faults += _result_faults(stage, name, database, expected)
        return measured
    except (BenchError, psycopg2.Error) as error:
        return Measurement(name, run_number, faults=[str(error).strip()])
    finally:
        drop_database(stage, database)


def _r4(stage, options, run_number, database, log):
    """A table with the source's columns and an index on its key, there before the rows are."""
    table = stage.table
    for statement in ("CREATE SCHEMA operations",
                      f"CREATE TABLE {table.source} ({_plain(table.create)})",
                      f"CREATE INDEX ON {table.source} ({table.key})", "CHECKPOINT"):
        stage.target.execute(statement, database=database)
    started = time.monotonic()
    codes = _pipe(
        [stage.source.program("psql"), "-XqAt", "-v", "ON_ERROR_STOP=1",
         "-d", stage.source.dsn(stage.database),
         "-c", f"COPY {table.source} TO STDOUT (FORMAT binary)"],
        [stage.target.program("psql"), "-XqAt", "-v", "ON_ERROR_STOP=1",
         "-d", stage.target.dsn(database),
         "-c", f"COPY {table.source} FROM STDIN (FORMAT binary)"], log)
    seconds = time.monotonic() - started
    if any(codes):
        return Measurement("R4", run_number, faults=[f"exit codes {codes}: {last_lines(log)}"])
    return Measurement("R4", run_number, seconds)


def _plain(create):
    """Our history's index is not unique; this one is not either."""
    return create.replace(" PRIMARY KEY", "")


def _pipe(reading, writing, log_path):
    """Runs `reading | writing` to the end: both exit codes."""
    with open(log_path, "wb") as log:
        left = subprocess.Popen(reading, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=log, env=clean_environment(), preexec_fn=end_with_parent)
        right = subprocess.Popen(writing, stdin=left.stdout, stdout=log, stderr=log,
                                 env=clean_environment(), preexec_fn=end_with_parent)
        left.stdout.close()   # so that the left one notices when the right one ends
        watchdog = threading.Timer(COPY_SECONDS_MAX, left.kill)
        watchdog.start()
        try:
            return left.wait(), right.wait()
        finally:
            watchdog.cancel()
            for process in (left, right):
                if process.poll() is None:
                    process.kill()
                    process.wait()


def _pgchronicle(stage, options, run_number, database, log):
    """`run --until-current` from nothing: slot, tables, copy, index, checkpoint and all."""
    slot = f"w6_{run_number}"
    config = write_config(stage, slot, database, create_slot="if_missing")
    stage.target.execute("CHECKPOINT")
    code, seconds, usage = run_process(
        [options.binary, "run", "--config", config, "--until-current"], log, COPY_SECONDS_MAX)
    wait_until_slot_is_free(stage, slot)
    stage.source.execute("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
                         " WHERE slot_name = %s", (slot,))
    if code != 0:
        return Measurement("pgchronicle", run_number,
                           faults=[f"exit code {code}: {last_lines(log)}"])
    return Measurement("pgchronicle", run_number, seconds, extra=usage_of(usage))


CONTENDERS = {"R4": _r4, "pgchronicle": _pgchronicle}


def _digest(stage, server, database, relation, where="true"):
    connection = server.connect(database)
    try:
        with connection.cursor() as cursor:
            return checks.digest(cursor, stage.table, relation, where)
    finally:
        connection.close()


def _result_faults(stage, name, database, expected):
    """R4's rows, or our open versions, are the source's; and each row has one version."""
    if name == "R4":
        found = _digest(stage, stage.target, database, stage.table.source)
        return [] if found == expected else [f"rows and digest are {found}, not {expected}"]
    history = stage.table.history
    faults = []
    found = _digest(stage, stage.target, database, history, "is_current")
    if found != expected:
        faults.append(f"open versions and their digest are {found}, not {expected}")
    others = stage.target.value(
        f"SELECT count(*) FROM {history} WHERE NOT is_current OR valid_to IS NOT NULL"
        " OR operation_type <> 'SNAPSHOT'", database=database)
    if others:
        faults.append(f"{others} versions are not those of a copy")
    copied = stage.target.value("SELECT count(*) FROM pgchronicle.table_state"
                                " WHERE state = 'copied'", database=database)
    if copied != 1:
        faults.append("the table is not marked as copied")
    return faults

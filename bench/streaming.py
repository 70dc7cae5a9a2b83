"""W1 to W5, W8, S1 and S2: every contender streams the same recorded load, round by round."""

import psycopg2

from chronicle import Base, Chronicle
from contenders import Measurement, ReceiveOnly, Subscription, SubscriptionWithTrigger
from report import say
from servers import BenchError
from stage import Stage, lsn_value

CONTENDERS = {made.name: made for made in (ReceiveOnly, Subscription, SubscriptionWithTrigger,
                                           Base, Chronicle)}


def describe(measured):
    if measured.faults:
        return "WRONG: " + "; ".join(measured.faults)
    return f"{'~' if measured.estimated else ''}{measured.seconds:.2f} s"


def runs_of(contender, workload, options):
    if contender.name == "R3" and workload.name == "W3":
        return min(options.runs, options.r3_w3_runs)
    return options.runs


def run(servers, workload, options):
    """Sets the stage, lets every contender run in every round; returns the result."""
    contenders = [CONTENDERS[name](options) for name in workload.contenders
                  if options.takes_part(name)]
    measurements = []
    based = [contender for contender in contenders if contender.name == "base" and workload.base]
    entries, stage, wal_bytes = _set_stage(
        servers, workload, [c for c in contenders if c not in based], options, measurements)
    stages = [stage]
    if based:
        more, base_stage, _ = _set_stage(servers, workload.base, based, options, measurements)
        entries += more
        stages.append(base_stage)
    for round_number in range(1, options.runs + 1):
        # Another contender begins each round, so that no one always follows the same one.
        turn = (round_number - 1) % max(1, len(entries))
        for contender, read in entries[turn:] + entries[:turn]:
            if round_number > runs_of(contender, workload, options):
                continue
            measured = _measure(contender, read, round_number)
            say(f"  round {round_number}  {contender.name:<12}{describe(measured)}")
            measurements.append(measured)
    for contender, read in entries:
        contender.finish(read)
    for each in stages:
        each.drop()
    return {"workload": workload, "measurements": measurements, "end_lsn": stage.end_lsn,
            "wal_bytes": wal_bytes, "copy_seconds": stage.copy_seconds}


def _set_stage(servers, workload, contenders, options, measurements):
    """The contenders that are ready with the stage they read, the stage, and its load's size."""
    stage = Stage(servers, workload, options.identity)
    stage.prepare()
    stage.dump_rows()
    ready = []
    for contender in contenders:
        try:
            contender.prepare(stage)
            contender.make_slots(stage, options.runs)
            ready.append((contender, stage))
        except (BenchError, psycopg2.Error) as error:
            say(f"  {contender.name} could not be prepared: {error}")
            measurements.append(Measurement(contender.name, 0, faults=[str(error).strip()]))
    before = servers.source.value("SELECT pg_current_wal_lsn()")
    stage.load()
    wal_bytes = lsn_value(stage.end_lsn) - lsn_value(before)
    say(f"  loaded {workload.changes:,} changes, {wal_bytes / 1048576:.0f} MiB of WAL, "
        f"up to {stage.end_lsn}")
    return ready, stage, wal_bytes


def _measure(contender, stage, round_number):
    try:
        return contender.measure(stage, round_number)
    except (BenchError, psycopg2.Error) as error:
        # One contender's failure must not cost the figures of the others.
        return Measurement(contender.name, round_number, faults=[str(error).strip()])

"""Runs the workloads against every contender, interleaved, and reports (see README.md)."""

import argparse
import os
import signal
import sys
import time

import psycopg2

import machine
import report
from chronicle import Chronicle
from contenders import Measurement, ReceiveOnly, Subscription, SubscriptionWithTrigger
from servers import BenchError, ServerPair, find_bindir
from workloads import Stage, all_workloads, lsn_value

HERE = os.path.dirname(os.path.abspath(__file__))
FULL_ROWS = 1_000_000
QUICK_ROWS = 100_000
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
CONTENDERS = {"r1": ReceiveOnly, "r2": Subscription, "r3": SubscriptionWithTrigger,
              "pgchronicle": Chronicle}


def parse_arguments():
    parser = argparse.ArgumentParser(
        prog="bench/run",
        description="Measures pgchronicle against pg_recvlogical (R1), a subscription (R2) and "
                    "a subscription with a history trigger (R3) on the same recorded WAL.")

    def names(known):
        def parse(text):
            wanted = [name.strip().lower() for name in text.split(",") if name.strip()]
            unknown = [name for name in wanted if name not in known]
            if unknown or not wanted:
                raise argparse.ArgumentTypeError(f"choose from {', '.join(known)}")
            return wanted
        return parse

    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true",
                      help=f"{QUICK_ROWS:,} rows instead of {FULL_ROWS:,}: minutes, rough figures")
    size.add_argument("--rows", type=int, metavar="N",
                      help="another size, a multiple of 1,000")
    known = [name.lower() for name in all_workloads(FULL_ROWS)]
    parser.add_argument("--workloads", type=names(known), default=known, metavar="LIST",
                        help="default: " + ",".join(known))
    parser.add_argument("--contenders", type=names(CONTENDERS), default=list(CONTENDERS),
                        metavar="LIST", help="default: " + ",".join(CONTENDERS))
    parser.add_argument("--runs", type=int, default=3, help="interleaved runs of each (default 3)")
    parser.add_argument("--r3-cap-seconds", type=float, default=60, metavar="S",
                        help="stop R3 after S seconds and extrapolate, marked ~ (default 60; "
                             "0: never)")
    parser.add_argument("--r3-w3-runs", type=int, default=1, metavar="N",
                        help="rounds in which R3 runs W3, where it is slowest (default 1)")
    parser.add_argument("--identity", choices=("default", "full"), default="default",
                        help="replica identity of the source table (default: default)")
    parser.add_argument("--binary", default=os.environ.get(
        "PGCHRONICLE_BIN", os.path.join(os.path.dirname(HERE), "build", "release", "pgchronicle")),
        help="the pgchronicle to measure (default: build/release/pgchronicle)")
    parser.add_argument("--bindir", help="folder of the PostgreSQL server programs")
    parser.add_argument("--dir", help="where the servers' temporary folder is made")
    parser.add_argument("--results", default=os.path.join(HERE, "results"),
                        help="folder of latest.json and the logs (default: bench/results)")
    parser.add_argument("--readme", action=argparse.BooleanOptionalAction, default=None,
                        help="write the figures into README.md (default: when everything ran at "
                             "full size)")
    options = parser.parse_args()
    options.size = options.rows or (QUICK_ROWS if options.quick else FULL_ROWS)
    if options.size < 1000 or options.size % 1000 or options.runs < 1:
        parser.error("--rows must be a multiple of 1,000, and --runs at least 1")
    return options


def say(message):
    print(f"{time.strftime('%H:%M:%S')} {message}", file=sys.stderr, flush=True)


def describe(measured):
    if measured.faults:
        return "WRONG: " + "; ".join(measured.faults)
    return f"{'~' if measured.estimated else ''}{measured.seconds:.2f} s"


def runs_of(contender, workload, options):
    if contender.name == "R3" and workload.name == "W3":
        return min(options.runs, options.r3_w3_runs)
    return options.runs


def run_workload(servers, workload, options):
    """Sets the stage, lets every contender run in every round; returns the result."""
    say(f"{workload.name}: {workload.title}")
    contenders = [CONTENDERS[name](options) for name in CONTENDERS if name in options.contenders]
    stage = Stage(servers, workload, options.identity)
    stage.prepare()
    measurements = []
    for contender in list(contenders):
        try:
            contender.prepare(stage)
            contender.make_slots(stage, options.runs)
        except (BenchError, psycopg2.Error) as error:
            say(f"  {contender.name} could not be prepared: {error}")
            measurements.append(Measurement(contender.name, 0, faults=[str(error).strip()]))
            contenders.remove(contender)
    before = servers.source.value("SELECT pg_current_wal_lsn()")
    stage.load()
    wal_bytes = lsn_value(stage.end_lsn) - lsn_value(before)
    say(f"  loaded {workload.changes:,} changes, {wal_bytes / 1048576:.0f} MiB of WAL, "
        f"up to {stage.end_lsn}")
    for round_number in range(1, options.runs + 1):
        # Another contender begins each round, so that no one always follows the same one.
        turn = (round_number - 1) % max(1, len(contenders))
        for contender in contenders[turn:] + contenders[:turn]:
            if round_number > runs_of(contender, workload, options):
                continue
            measured = measure(contender, stage, round_number)
            say(f"  round {round_number}  {contender.name:<12}{describe(measured)}")
            measurements.append(measured)
    for contender in contenders:
        contender.finish(stage)
    stage.drop()
    return {"workload": workload, "measurements": measurements, "end_lsn": stage.end_lsn,
            "wal_bytes": wal_bytes, "copy_seconds": stage.copy_seconds}


def measure(contender, stage, round_number):
    try:
        return contender.measure(stage, round_number)
    except (BenchError, psycopg2.Error) as error:
        # One contender's failure must not cost the figures of the others.
        return Measurement(contender.name, round_number, faults=[str(error).strip()])


def is_complete(options, results):
    return (options.size == FULL_ROWS and len(options.contenders) == len(CONTENDERS)
            and len(results) == len(all_workloads(FULL_ROWS)) and options.runs >= 3
            and not report.faults(results))


def bench(options):
    if "pgchronicle" not in options.contenders:
        options.binary = None
    elif not os.access(options.binary, os.X_OK):
        raise BenchError(f'could not find "{options.binary}"\nHINT:  Build the release preset '
                         "first, or measure only the references with --contenders r1,r2,r3.")
    else:
        options.binary = os.path.abspath(options.binary)
    bindir = find_bindir(options.bindir)
    options.log_folder = os.path.join(options.results, "logs")
    os.makedirs(options.log_folder, exist_ok=True)
    facts = machine.facts(bindir, options.binary)
    settings = {"rows": options.size, "runs": options.runs, "identity": options.identity,
                "r3_cap_seconds": options.r3_cap_seconds, "contenders": options.contenders}
    if facts["load_average_at_start"] > facts["cores"] / 2:
        say(f"warning: the load average is {facts['load_average_at_start']}: others are using "
            "the machine, so expect noise")
    wanted = [w for n, w in all_workloads(options.size).items() if n.lower() in options.workloads]
    results = []
    with ServerPair(bindir, options.dir, 2048 if options.size >= FULL_ROWS else 256) as servers:
        for workload in wanted:
            results.append(run_workload(servers, workload, options))
            # Written after each, so that an interrupted benchmark keeps what it has.
            json_path = report.write_json(
                options.results, report.as_json(results, facts, settings))
    block = report.text(results, facts, settings)
    print("\n" + block)
    say(f"wrote {json_path}")
    if options.readme or (options.readme is None and is_complete(options, results)):
        report.refresh_readme(os.path.join(HERE, "README.md"), block)
        say("refreshed the figures in bench/README.md")
    return 1 if report.faults(results) else 0


def on_stop_signal(number, _):
    """Ends by an exception, so that the context manager stops the servers."""
    for other in STOP_SIGNALS:   # a second Ctrl-C must not interrupt the cleaning up
        signal.signal(other, signal.SIG_IGN)
    sys.exit(128 + number)


def main():
    for number in STOP_SIGNALS:
        signal.signal(number, on_stop_signal)
    options = parse_arguments()
    try:
        return bench(options)
    except BenchError as error:
        print(f"bench/run: error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())

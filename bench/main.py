"""Runs the workloads against every contender, interleaved, and reports (see README.md)."""

import argparse
import os
import signal
import sys

import psycopg2

import initial_copy
import latency
import machine
import plot
import report
import streaming
from contenders import Measurement
from report import say
from servers import BenchError, ServerPair, find_bindir
from workloads import CopyWorkload, PacedWorkload, Workload, all_workloads

HERE = os.path.dirname(os.path.abspath(__file__))
FULL_ROWS = 1_000_000
QUICK_ROWS = 60_000
QUICK_RUNS = 1
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
CONTENDERS = ("r1", "r2", "r3", "r4", "pgchronicle")
RUNNERS = {Workload: streaming.run, CopyWorkload: initial_copy.run, PacedWorkload: latency.run}


def parse_arguments():
    parser = argparse.ArgumentParser(
        prog="bench/run",
        description="Measures pgchronicle against pg_recvlogical (R1), a subscription (R2) and "
                    "a subscription with a history trigger (R3) on the same recorded WAL, its "
                    "initial copy against psql piped into psql (R4), and its latency.")

    def names(known):
        def parse(text):
            wanted = [name.strip().lower() for name in text.split(",") if name.strip()]
            # "w8" stands for w8a, w8b and w8c.
            group = {name: name[:-1] if name[-2:-1].isdigit() else name for name in known}
            found = [name for name in known if name in wanted or group[name] in wanted]
            if not wanted or set(wanted) - set(found) - {group[name] for name in found}:
                raise argparse.ArgumentTypeError(f"choose from {', '.join(known)}")
            return found
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
    parser.add_argument("--runs", type=int, default=None,
                        help="interleaved runs of each (default 3, with --quick 1)")
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
    options.runs = options.runs or (QUICK_RUNS if options.quick else 3)
    if options.size < 1000 or options.size % 1000 or options.runs < 1:
        parser.error("--rows must be a multiple of 1,000, and --runs at least 1")
    # "base" is pgchronicle itself, on another load or another history.
    options.takes_part = lambda name: name.lower().replace("base", "pgchronicle") \
        in options.contenders
    return options


def is_complete(options, results):
    return (options.size == FULL_ROWS and len(options.contenders) == len(CONTENDERS)
            and len(results) == len(all_workloads(FULL_ROWS)) and options.runs >= 3
            and not report.faults(results))


def run_workload(servers, workload, options):
    try:
        return RUNNERS[type(workload)](servers, workload, options)
    except (BenchError, psycopg2.Error) as error:
        # One workload's failure must not cost the figures of the others.
        say(f"  {workload.name} failed: {error}")
        return {"workload": workload, "measurements": [
            Measurement("pgchronicle", 0, faults=[str(error).strip()])]}


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
    wanted = [w for n, w in all_workloads(options.size, options.runs).items()
              if n.lower() in options.workloads and any(map(options.takes_part, w.contenders))]
    if not wanted:
        raise BenchError("none of these contenders takes part in any of these workloads")
    results = []
    with ServerPair(bindir, options.dir, 2048 if options.size >= FULL_ROWS else 256) as servers:
        for workload in wanted:
            say(f"{workload.name}: {workload.title}")
            results.append(run_workload(servers, workload, options))
            # Written after each, so that an interrupted benchmark keeps what it has.
            json_path = report.write_json(
                options.results, report.as_json(results, facts, settings))
    block = report.text(results, facts, settings)
    print("\n" + block)
    svg_path = plot.write(options.results, results, facts)
    say(f"wrote {json_path} and {svg_path}")
    if options.readme or (options.readme is None and is_complete(options, results)):
        report.refresh_readme(os.path.join(HERE, "README.md"), block)
        plot.write(HERE, results, facts)
        say("refreshed the figures in bench/README.md and bench/results.svg")
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

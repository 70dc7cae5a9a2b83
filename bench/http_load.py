#!/usr/bin/python3
"""What serving HTTP under load gives, and what it takes from the replication.

Runs wrk against a report of a small table, and measures how long the replication takes to drain a
backlog of changes, without load and with it, in turns. Prints one line of JSON.

usage: http_load.py [--seconds 30] [--connections 64] [--rows 500000] [--rounds 20]
"""

import argparse
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
os.environ.setdefault("PGCHRONICLE_BIN", str(REPO / "build" / "release" / "pgchronicle"))
sys.path.insert(0, str(REPO / "tests"))

from support.cluster import ClusterFactory, free_port  # noqa: E402
from support.pgchronicle import checkpoint  # noqa: E402
from support.roles import create_roles  # noqa: E402
from support.scene import Scene  # noqa: E402
from support.waiting import wait_until  # noqa: E402
from support.web import Web, answers  # noqa: E402

REQUESTS_PER_SECOND_GOAL = 2000
SLOWER_MAX = 0.10
REPORT = """-- name: orders
-- path: /orders
-- description: Orders by status.
-- param: status text = all
SELECT status, count(*) AS orders FROM analytics.orders_current
WHERE :status = 'all' OR status = :status GROUP BY status ORDER BY status;
"""


def wrk(port, connections, seconds, script=()):
    return subprocess.Popen(
        ["wrk", "-t2", f"-c{connections}", f"-d{seconds}s", "--latency", *script,
         f"http://127.0.0.1:{port}/orders?status=all"], stdout=subprocess.PIPE, text=True)


def numbers_of(output):
    """What wrk says: requests a second, the 99th percentile, and errors of any kind."""
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", output).group(1))
    slow = re.search(r"99%\s+([\d.]+\w+)", output).group(1)
    wrong = sum(int(number) for line in output.splitlines()
                if "Socket errors" in line or "Non-2xx" in line
                for number in re.findall(r"\d+", line.split(":", 1)[1]))
    return {"requests_per_second": rate, "p99": slow, "errors": wrong}


def backlog(scene, rows):
    """Changes that wait in the slot, in transactions of a hundred rows."""
    scene.source.execute(
        "do $$ begin for part in 1..%s loop insert into operations.load (v) "
        "select md5(n::text) from generate_series(1, 100) n; commit; end loop; end $$"
        % (rows // 100))
    return scene.source.value("select pg_current_wal_lsn()")


def drain(scene, rows, load=None):
    """Seconds from the start of the process, when it has the lock, to the backlog's end."""
    goal = backlog(scene, rows)
    service = scene.start()
    web = Web(int(scene.pipeline.config["http"]["listen"].rsplit(":", 1)[1]))
    running = None
    if load:
        service.wait_for(lambda: answers(web, "/orders"), 30, "HTTP")
        running = load()
    event = service.wait_event("stream_started", 60)
    wait_until(lambda: scene.target.value(
        "select position >= %s::pg_lsn from pgchronicle.checkpoint where pipeline = %s",
        (goal, scene.name)), 600, "the backlog to be stored", interval=0.02)
    ended = time.time()
    rate = None
    if running:
        running.send_signal(signal.SIGINT)  # It says what it did until then.
        rate = numbers_of(running.communicate()[0])["requests_per_second"]
    service.stop()
    return ended - event.time.timestamp(), rate


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--rounds", type=int, default=20)
    given = parser.parse_args()
    if not shutil.which("wrk"):
        sys.exit("error: wrk is not installed (Debian package wrk)")
    factory = ClusterFactory()
    with tempfile.TemporaryDirectory() as folder:
        clusters = [factory.create(f"bench_{side}", side).start() for side in ("source", "target")]
        for cluster in clusters:
            create_roles(cluster)
        scene = Scene(*clusters, Path(folder))
        try:
            result = measure(scene, given)
        finally:
            scene.close()
            factory.close()
    print(json.dumps(result))
    return 0 if result["reached"] else 1


def measure(scene, given):
    port = free_port()
    reports = scene.pipeline.workdir / "reports"
    reports.mkdir()
    (reports / "orders.sql").write_text(REPORT)
    scene.source.execute(
        "create table operations.orders (id bigserial primary key, status text);"
        "create table operations.load (id bigserial primary key, v text);"
        "insert into operations.orders (status) select (array['OPEN', 'PENDING', 'DONE'])[1 + n % 3]"
        " from generate_series(1, 1000) n")
    scene.publish()
    scene.configure(http={"listen": f"127.0.0.1:{port}"}, reports={"dir": str(reports)})
    service = scene.start_streaming()
    load = wrk(port, given.connections, given.seconds)
    served = numbers_of(load.communicate()[0])
    service.stop()
    drain(scene, given.rows)  # The first one creates files, and warms caches.
    # As many as the goal says, and a quarter more: what goes beyond takes what is left of the
    # machine, and on one machine that is the replication's.
    pace = scene.pipeline.workdir / "pace.lua"
    pace.write_text("function delay() return %d end\n"
                    % (1000 * given.connections / (1.25 * REQUESTS_PER_SECOND_GOAL)))
    alone, loaded, rates = [], [], []
    for _ in range(given.rounds):
        alone.append(drain(scene, given.rows)[0])
        seconds, rate = drain(scene, given.rows, lambda: wrk(
            port, given.connections, 600, ["-s", str(pace)]))
        loaded.append(seconds)
        rates.append(rate)
    # A backlog takes one to four seconds, rising over some rounds and falling back, whether there is
    # load or not; so many rounds, and all of them.
    slower = statistics.mean(loaded) / statistics.mean(alone) - 1
    assert checkpoint(scene.target, scene.name)
    return {
        **served, "drain_seconds_alone": [round(one, 2) for one in alone],
        "drain_seconds_under_load": [round(one, 2) for one in loaded],
        "requests_per_second_meanwhile": [round(one) for one in rates], "slower": round(slower, 3),
        "reached": served["errors"] == 0 and slower <= SLOWER_MAX
                   and served["requests_per_second"] >= REQUESTS_PER_SECOND_GOAL}


if __name__ == "__main__":
    sys.exit(main())

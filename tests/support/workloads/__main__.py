"""The long form of the workloads; `scripts/workloads` says how to call it.

Each workload has a pair of servers' databases for itself, once with streaming off and once on, and
the program is killed once in every round. Prints a row for each and exits with 1 on a difference.
"""

import math
import os
import random
import sys
import tempfile
from pathlib import Path

from ..campaign import Campaign
from ..cluster import ClusterFactory
from ..roles import create_roles
from ..scene import Scene
from . import WORKLOADS

ROUND = 1500  # Transactions between two comparisons: what is held in memory at once.
POINTS_MIN = 100
WITNESSES_PER_ROUND = 4

COLUMNS = ["workload", "server", "streaming", "transactions", "versions", "streamed", "kills",
           "as-of points", "differences", "seconds"]


def _campaigns(clusters, seed, transactions):
    names = os.environ.get("WORKLOADS", " ".join(WORKLOADS)).split()
    settings = os.environ.get("STREAMING", "off on").split()
    each = math.ceil(transactions / (len(names) * len(settings)))
    rounds = math.ceil(each / ROUND)
    for name in names:
        for streaming in settings:
            with tempfile.TemporaryDirectory(prefix="pgchronicle-workload-") as workdir:
                scene = Scene(*clusters, Path(workdir))
                campaign = Campaign(
                    scene, [WORKLOADS[name]()], streaming=streaming == "on",
                    seed=f"{seed}/{name}/{streaming}",
                    points_per_round=math.ceil(POINTS_MIN / rounds),
                    witnesses_per_round=WITNESSES_PER_ROUND)
                try:
                    yield name, streaming, campaign.run(each, rounds, kill_each_round=True)
                except BaseException:
                    print(scene.pipeline.whole_log()[-6000:], file=sys.stderr)
                    raise
                finally:
                    scene.close()


def _row(cells):
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def main():
    transactions = int(os.environ.get("TRANSACTIONS", "100000"))
    seed = os.environ.get("PGCHRONICLE_SEED", str(random.SystemRandom().randrange(1 << 32)))
    factory = ClusterFactory()
    total, wrong = 0, []
    try:
        clusters = [factory.create(side, side, fresh=True).start() for side in ("source", "target")]
        for cluster in clusters:
            create_roles(cluster)
        servers = [cluster.query("show server_version")[0][0].split()[0] for cluster in clusters]
        print(f"seed {seed}, source {servers[0]}, target {servers[1]}\n", flush=True)
        _row(COLUMNS)
        _row(["---"] * len(COLUMNS))
        for name, streaming, outcome in _campaigns(clusters, seed, transactions):
            total += outcome.transactions
            wrong += outcome.problems
            _row([name, servers[0].split(".")[0], streaming, outcome.transactions, outcome.versions,
                  outcome.streamed, outcome.kills, outcome.points, len(outcome.problems),
                  f"{outcome.seconds:.0f}"])
            if name == "savepoint" and streaming == "on" and not outcome.streamed:
                wrong.append("savepoint: nothing was streamed")
    finally:
        factory.close()
    print(f"\n{total} transactions, {len(wrong)} differences", flush=True)
    print("\n".join(wrong[:50]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

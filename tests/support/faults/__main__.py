"""The fault campaign; `scripts/campaign` says how to call it."""

import argparse
import os
import random
import re
import signal
import sys
import time
from pathlib import Path

from ..cluster import ClusterFactory
from ..pgchronicle import REPO
from . import KINDS, report
from .campaign import FaultCampaign


def _arguments():
    parser = argparse.ArgumentParser(prog="scripts/campaign")
    parser.add_argument("seconds", type=float, nargs="?", default=3600)
    parser.add_argument("--only", help="kinds whose name matches this, once; no document")
    parser.add_argument("--no-document", action="store_true")
    parser.add_argument("--list", action="store_true", help="the kinds of fault")
    return parser.parse_args()


def _say(text):
    print(text, flush=True)


def _interrupt(number, frame):
    raise KeyboardInterrupt


def _run(campaign, arguments):
    """Whether somebody ended it early."""
    try:
        if arguments.only is not None:
            for kind in campaign.kinds:
                campaign.try_once(kind)
        else:
            campaign.run(arguments.seconds)
    except KeyboardInterrupt:
        _say("interrupted; what was tried until now:")
        return True
    return False


def main():
    arguments = _arguments()
    signal.signal(signal.SIGTERM, _interrupt)  # Cleans up as Ctrl-C does.
    if arguments.list:
        _say("\n".join(kind.name for kind in KINDS))
        return 0
    seed = int(os.environ.get("PGCHRONICLE_SEED", random.SystemRandom().randrange(1 << 32)))
    folder = Path(os.environ.get("CAMPAIGN_FOLDER", REPO / "build" / "campaign"))
    kinds = [kind for kind in KINDS if re.search(arguments.only or "", kind.name)]
    _say(f"seed {seed}, {len(kinds)} kinds of fault beside kills")
    factory = ClusterFactory()
    began = time.monotonic()
    try:
        with FaultCampaign(factory, seed, folder, kinds, _say) as campaign:
            servers = campaign.servers()
            interrupted = _run(campaign, arguments)
    finally:
        factory.close()
    facts = report.facts(campaign, time.monotonic() - began, servers)
    if arguments.only is not None or arguments.no_document or interrupted:
        _say("\n" + report.table(campaign.tallies))
    else:
        report.write(campaign, facts, folder)
    _say("\n" + report.summary(facts))
    if campaign.failed:
        _say(f"failed, seed {seed}, logs in {folder}: " + "; ".join(campaign.failed))
    return 1 if campaign.failed or interrupted else 0


if __name__ == "__main__":
    sys.exit(main())

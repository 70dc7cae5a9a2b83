"""The fault campaign in its short form: a batch of kills, and some of each family of faults.

All kinds, and each of them many times, is `make campaign`.
"""

import os
import random

import pytest

from support.faults import (checkpoint, history, kills, network, process, servers, slot, target,
                            transactions)
from support.faults.base import Fault
from support.faults.campaign import FaultCampaign
from support.pgchronicle import FAILPOINTS

SEED = int(os.environ.get("PGCHRONICLE_SEED", random.SystemRandom().randrange(1 << 32)))
SHORT = [
    process.SecondInstance, transactions.LargeTransactions, servers.TargetCrashes,
    servers.SourceCrashes, network.CommitReplyLost, network.SourceToServer, target.Deadlock,
    history.CurrentRowDeleted, history.RowsChanged, checkpoint.DeletedMeanwhile, slot.Dropped,
    slot.Advanced,
]


@pytest.fixture(scope="module")
def campaign(factory, program, tmp_path_factory):
    print(f"seed {SEED}")
    with FaultCampaign(factory, SEED, tmp_path_factory.mktemp("logs")) as campaign:
        yield campaign


def _tried(campaign, kind):
    campaign.try_once(kind)
    return campaign.tallies[kind.name]


def test_a_batch_of_kills_at_every_failpoint_leaves_the_history_exact(campaign):
    campaign.kill(per_point=1, at_random=6)
    for point in FAILPOINTS:
        tally = campaign.tallies[f"kill -9 at `{point}`"]
        assert not tally.failures, f"seed {SEED}\n{tally.failures[0]}"
        assert tally.tries == 1
    assert campaign.tallies[f"kill -9 at {kills.AT_RANDOM}"].tries == 6


@pytest.mark.parametrize("kind", SHORT, ids=lambda kind: kind.__name__)
def test_a_fault_leaves_the_history_exact(campaign, kind):
    tally = _tried(campaign, kind)
    assert not tally.failures, f"seed {SEED}\n{tally.failures[0]}"
    if tally.skipped:
        pytest.skip(tally.skipped)
    assert tally.tries == 1


class VersionLost(Fault):
    name = "planted: a closed version is lost"

    def inject(self, world):
        world.recover()
        world.scene.target.execute(
            "delete from analytics.bank_a_history where ctid = (select ctid from analytics."
            "bank_a_history where not is_current and lsn_to > lsn_from limit 1)")


class AcknowledgedTooFar(slot.Advanced):
    name = "planted: the slot is ahead while the watcher looks"
    watched = True


class SaysSomethingElse(checkpoint.OtherSlot):
    name = "planted: it does not say why it stops"
    stops = "the moon is full"


@pytest.mark.parametrize("kind, seen", [
    (VersionLost, "V8 bank_a"), (AcknowledgedTooFar, "W1: confirmed"),
    (SaysSomethingElse, "did not say 'the moon is full'")])
def test_what_a_fault_does_is_seen(factory, program, tmp_path, kind, seen):
    """The campaign itself can fail, keeps the logs then, and goes on with servers of its own."""
    with FaultCampaign(factory, SEED, tmp_path, [kind]) as campaign:
        tally = _tried(campaign, kind)
        assert len(tally.failures) == 1
        assert seen in tally.failures[0], tally.failures[0]
        assert campaign.failed == [kind.name]
        assert list(tmp_path.glob("failure0.*pgchronicle.log"))
        assert campaign.world is None

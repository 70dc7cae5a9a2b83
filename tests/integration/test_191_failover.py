"""The source fails over: whether a promoted standby can go on is decided by what it has of the WAL.

The first test is one kind of the fault campaign and needs failover slots, which came with 17.
"""

import os
import random

import pytest

from support.faults.campaign import FaultCampaign
from support.faults.clones import WHY, FailedOver
from support.lsn import format_lsn, parse_lsn
from support.pgchronicle import EXIT_DONE, EXIT_OPERATOR
from support.standby import promote, standby_of, take_place, wait_replayed
from support.versions import needs
from support.waiting import wait_until

SEED = int(os.environ.get("PGCHRONICLE_SEED", random.SystemRandom().randrange(1 << 32)))


def test_a_failover_with_the_slot_leaves_the_history_exact(factory, source_cluster, program,
                                                           tmp_path):
    needs(source_cluster, 17, "failover slots")
    print(f"seed {SEED}")
    with FaultCampaign(factory, SEED, tmp_path, [FailedOver]) as campaign:
        for tries in (1, 2):  # The second one fails over from what took the first one's place.
            campaign.try_once(FailedOver)
            tally = campaign.tallies[FailedOver.name]
            assert not tally.failures, f"seed {SEED}\n{tally.failures[0]}"
            assert tally.tries == tries


@pytest.fixture
def pair(make_scene, new_cluster, factory, target_cluster, program):
    """A pipeline that has stored three rows and stopped, its source, and a standby of that, which
    has them as well and hears nothing of what follows."""
    primary = new_cluster("primary_source", fresh=True)
    scene = make_scene(primary, target_cluster)
    scene.source.execute("create table operations.t (id integer primary key, v text)")
    scene.publish()
    service = scene.start_streaming()
    standby = standby_of(factory, primary).start()
    scene.source.execute("insert into operations.t select g, 'v' from generate_series(1, 3) g")
    scene.catch_up(service)
    assert service.stop() == EXIT_DONE, service.tail()
    wait_replayed(standby, scene.position())
    standby.stop()
    standby.configure(primary_conninfo=None)
    yield scene, primary, standby
    standby.destroy()


def _fail_over(primary, standby):
    primary.stop("immediate")
    standby.start()
    promote(standby)
    take_place(primary, standby)


def _stops(scene, said):
    result = scene.run("run", "--until-current")
    assert result.returncode == EXIT_OPERATOR and said in result.stderr, result.stderr[-3000:]


def _accept(scene):
    return scene.run("repair", "accept-source", *WHY)


def _grow(scene, end):
    """The source writes on until it is after this position."""
    def after():
        [(_, position)] = scene.source.query(
            "select pg_logical_emit_message(false, 'filler', ''), pg_switch_wal()::text")
        return parse_lsn(position) > end
    wait_until(after, 30, f"the source to write beyond {format_lsn(end)}")


def test_a_promoted_standby_without_the_slot_goes_on_only_past_a_gap(pair):
    scene, primary, standby = pair
    _fail_over(primary, standby)
    _stops(scene, "The checkpoint's timeline is 1, the source's is 2.")
    accepted = _accept(scene)
    assert accepted.returncode == EXIT_DONE, accepted.stderr
    assert scene.checkpoint()["timeline"] == 2
    # It is configured to make slots that are missing; one beside a history is not its to make.
    _stops(scene, "does not exist")
    scene.create_slot()
    _stops(scene, "slot is ahead of the checkpoint")
    skipped = scene.run("repair", "skip", *WHY, "--yes")
    assert skipped.returncode == EXIT_DONE, skipped.stdout + skipped.stderr
    service = scene.start_streaming()
    scene.source.execute("insert into operations.t values (4, 'since')")
    scene.catch_up(service)
    assert service.stop() == EXIT_DONE
    assert [row[0] for row in scene.history("t", "id", "id", "is_current")] == [1, 2, 3, 4]
    assert scene.target.value("select count(*) from pgchronicle.gap") == 1
    assert scene.target.query("select action from pgchronicle.audit order by id") == [
        ("repair accept-source",), ("repair skip",)]


def test_a_promoted_standby_that_lacks_a_commit_is_refused_however_far_it_has_gone(pair):
    scene, primary, standby = pair
    service = scene.start_streaming()
    scene.source.execute("insert into operations.t values (4, 'known to the history alone')")
    scene.catch_up(service)
    assert service.stop() == EXIT_DONE
    before = scene.checkpoint()
    _fail_over(primary, standby)
    scene.create_slot()
    for end in (0, scene.position()):
        _grow(scene, end)
        refused = _accept(scene)
        assert refused.returncode == EXIT_OPERATOR, refused.stdout
        assert "the source has left the history's timeline before the checkpoint" \
            in refused.stderr, refused.stderr
        _stops(scene, "timeline")
    assert scene.checkpoint() == before
    assert scene.target.value("select count(*) from pgchronicle.audit") == 0


def test_a_promoted_standby_that_lacks_no_commit_takes_an_idle_position_back(pair):
    scene, primary, standby = pair
    service = scene.start_streaming()
    end = parse_lsn(scene.source.value(
        "select pg_logical_emit_message(false, 'filler', '')::text"))
    primary.execute("checkpoint")  # Writes to the disk what nobody waits for.
    service.wait_for(lambda: scene.position() > end, 30, "an idle position")
    assert service.stop() == EXIT_DONE
    before = scene.checkpoint()
    _fail_over(primary, standby)
    _grow(scene, scene.position())
    accepted = _accept(scene)
    assert accepted.returncode == EXIT_DONE, accepted.stderr
    assert f"set back from {before['position']}" in accepted.stdout
    # Where the standby was promoted, which is after all that the history holds.
    assert parse_lsn(before["last_commit_end"]) <= scene.position() < end
    assert scene.checkpoint()["last_commit_end"] == before["last_commit_end"]

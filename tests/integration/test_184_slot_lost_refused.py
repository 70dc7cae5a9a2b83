"""What a new slot would not mend stops with exit code 3, and leaves slot and history alone."""

import contextlib
import signal

import pytest

from support.lost_slot import (RECONCILE, Loss, assert_equal_now, behind_comparison,
                               drop_slot)
from support.lsn import parse_lsn
from support.pgchronicle import EXIT_DONE, EXIT_OPERATOR, EXIT_USAGE
from support.replay_scene import KEYED, WHY, insert, streaming
from support.story import each
from support.waiting import wait_until


def stopped(scene):
    service = streaming(scene, **RECONCILE)
    insert(scene, service, 1, 3)
    assert service.stop() == EXIT_DONE, service.tail()


def slots(scene):
    return scene.source.query("select slot_name, plugin, confirmed_flush_lsn::text "
                              "from pg_replication_slots where database = %s or database is null",
                              (scene.source.name,))


def refused(scene, *named):
    """`run` stops, names each of these, and changes nothing on either side."""
    def state():
        return (slots(scene), scene.checkpoint(),
                scene.target.value("select count(*) from analytics.t_history"),
                scene.target.value("select count(*) from pgchronicle.gap"),
                scene.target.value("select count(*) from pgchronicle.audit"))
    before = state()
    result = scene.run("run", "--until-current", timeout=60)
    assert result.returncode == EXIT_OPERATOR, result.stderr
    for name in named:
        assert name in result.stderr, f"{name} is not named in:\n{result.stderr}"
    assert state() == before


def test_by_default_it_stops_and_names_the_way_on(scene):
    stopped(scene)
    scene.configure(source={"on_slot_lost": "stop"})
    drop_slot(scene)
    each(scene, "insert into operations.t values (4, 'missed')")
    refused(scene, "does not exist", "on_slot_lost: reconcile")
    scene.create_slot()
    refused(scene, "slot is ahead of the checkpoint", "on_slot_lost: reconcile")


def test_another_slot_and_skip_go_on_without_a_comparison(scene):
    stopped(scene)
    scene.configure(source={"on_slot_lost": "stop"})
    drop_slot(scene)
    each(scene, "insert into operations.t values (4, 'missed')")
    scene.create_slot()
    skipped = scene.run("repair", "skip", *WHY)
    assert skipped.returncode == EXIT_DONE, skipped.stdout + skipped.stderr
    each(scene, "insert into operations.t values (5, 'seen')")
    service = scene.start_streaming()
    scene.catch_up(service)
    assert service.stop() == EXIT_DONE, service.tail()
    assert scene.target.query("select id from analytics.t_current order by id") \
        == [(1,), (2,), (3,), (5,)]
    assert scene.target.value("select count(*) from pgchronicle.gap") == 1


@pytest.mark.parametrize("change, named", [
    ("position = '7FF/0'", "checkpoint is ahead of the source"),
    ("system_identifier = '7'", "belongs to another source"),
    ("timeline = 7", "belongs to another source"),
    ("database_name = 'elsewhere'", "belongs to another source"),
    ("publications = array['cdc_publication', 'more']", "is not configured any more")])
def test_a_checkpoint_that_is_not_this_source_s_comes_first(scene, change, named):
    stopped(scene)
    drop_slot(scene)
    scene.target.execute(f"update pgchronicle.checkpoint set {change}")
    refused(scene, named)


def test_a_publication_that_is_missing_comes_first(scene):
    stopped(scene)
    drop_slot(scene)
    scene.source.execute("drop publication cdc_publication")
    refused(scene, 'publication "cdc_publication" does not exist')


def test_a_slot_of_another_kind_is_left_alone(scene):
    stopped(scene)
    drop_slot(scene)
    scene.source.execute("select pg_create_logical_replication_slot(%s, 'test_decoding')",
                         (scene.slot,))
    refused(scene, "cannot be read", "test_decoding")


def test_a_slot_that_somebody_reads_is_waited_for(scene):
    stopped(scene)
    each(scene, "insert into operations.t values (9, 'missed')")
    scene.source.value("select pg_replication_slot_advance(%s, pg_current_wal_lsn())::text",
                       (scene.slot,))
    each(scene, "insert into operations.t values (4, 'waits')")
    before = slots(scene)
    with contextlib.closing(scene.source_cluster.connect_replication(scene.source.name)) as other:
        with contextlib.closing(other.cursor()) as reader:
            reader.start_replication(slot_name=scene.slot, options={
                "proto_version": "1", "publication_names": "cdc_publication"})
            service = scene.start()
            pid = scene.source.value("select active_pid from pg_replication_slots "
                                     "where slot_name = %s", (scene.slot,))
            service.wait_for(lambda: any(f"Process {pid}" in event.fields.get("detail", "")
                                         for event in service.events("reconnecting")),
                             30, "the reader to be named")
            assert slots(scene) == before
            assert scene.target.value("select count(*) from pgchronicle.gap") == 0
    behind_comparison(scene, service, 60)
    scene.catch_up(service)
    assert service.stop() == EXIT_DONE
    Loss(scene)
    assert_equal_now(scene, "t")


def test_without_logical_wal_nothing_is_made(make_scene, new_cluster, target_cluster, program):
    source = new_cluster("replica_source")
    scene = make_scene(source, target_cluster)
    stopped(scene)
    drop_slot(scene)
    source.configure(wal_level="replica")
    source.restart()
    refused(scene, "wal_level", "replica")
    source.configure(wal_level="logical")
    source.restart()
    each(scene, "update operations.t set v = 'missed' where id = 1")
    service = scene.start_streaming()
    scene.catch_up(service)
    assert service.stop() == EXIT_DONE
    Loss(scene)
    assert_equal_now(scene, "t")


def test_a_replay_comes_first(scene):
    service = streaming(scene, **RECONCILE)
    insert(scene, service, 1, 3)
    assert scene.run("bookmark", "add", "b").returncode == EXIT_DONE
    insert(scene, service, 4, 9)
    assert service.stop() == EXIT_DONE
    killed = scene.run("replay", "--from", "b", *WHY, env=scene.failpoint("after_connect"))
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    own = scene.target.value("select slot from pgchronicle.replay")
    wait_until(lambda: not scene.source.value(
        "select active from pg_replication_slots where slot_name = %s", (own,)), 20,
        "the killed one's walsender to end")
    scene.source.execute("select pg_drop_replication_slot(slot_name) from pg_replication_slots "
                         "where slot_name in (%s, %s)", (own, scene.slot))
    refused(scene, "of the replay is gone")
    # The bookmark's slot is still there: the replay can be begun again, and makes no other slot.
    again = scene.run("replay", "--from", "b", *WHY)
    assert again.returncode == EXIT_DONE, again.stderr
    assert scene.target.value("select count(*) from analytics.t_current") == 9
    assert scene.confirmed() is None
    # That does `run`, here as a copy of the bookmark's.
    service = scene.start_streaming()
    assert service.events("slot_restored")
    insert(scene, service, 10, 10)
    assert service.stop() == EXIT_DONE
    assert scene.target.value("select count(*) from analytics.t_history") == 10


@pytest.mark.parametrize("point", ["reconciliation_begun", "after_connect"])
def test_a_slot_lost_again_before_the_comparison_stops(scene, point):
    stopped(scene)
    drop_slot(scene)
    each(scene, "update operations.t set v = 'missed' where id = 1")
    service = scene.start(env=scene.failpoint(point, action="pause"))
    wait_until(lambda: (scene.pipeline.workdir / "failpoints.log").exists(), 30, "the pause")
    drop_slot(scene)
    each(scene, "update operations.t set v = 'missed again' where id = 2")
    service.signal(signal.SIGCONT)
    assert service.wait() == EXIT_OPERATOR, service.tail()
    assert "does not exist once more" in service.log_text()
    assert scene.confirmed() is None
    # Started once more, it goes on; both ranges are on record.
    service = scene.start_streaming()
    scene.catch_up(service)
    assert service.stop() == EXIT_DONE
    assert_equal_now(scene, "t")
    first, second = [tuple(map(parse_lsn, gap)) for gap in scene.target.query(
        "select from_lsn::text, to_lsn::text from pgchronicle.gap order by id")]
    assert first[0] < second[0] <= first[1] <= second[1]


def test_without_snapshots_it_is_no_configuration(scene):
    scene.source.execute(KEYED)
    scene.publish()
    scene.configure(**RECONCILE, snapshot="never")
    result = scene.run("run", "--until-current")
    assert result.returncode == EXIT_USAGE
    assert "source.on_slot_lost" in result.stderr and "snapshot" in result.stderr

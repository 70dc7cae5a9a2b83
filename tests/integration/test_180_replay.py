"""Bookmarks, acknowledge.hold_back, and replay: what is streamed again is what was there."""

import os
import random
import time

import pytest

from support.lsn import format_lsn, parse_lsn
from support.pgchronicle import EXIT_DONE, EXIT_OPERATOR, EXIT_USAGE, nudge
from support.replay_scene import (SEED, WHY, SchemaWithoutRewrites, acknowledge, add_bookmark,
                                  confirmed, insert, past_bookmark, refused, slots, streaming,
                                  wait_unlocked, wal)
from support.waiting import stays_true, wait_until
from support.whole_history import differences, whole_history
from support.workloads import Bank, Savepoint, Toast, Toggle
from support.workloads.drive import Drive

TRANSACTIONS = int(os.environ.get("PGCHRONICLE_REPLAY_TRANSACTIONS", "1500"))
PATIENCE = 300 + TRANSACTIONS // 50  # seconds
WORKLOADS = [Bank, Toggle, Toast, Savepoint, SchemaWithoutRewrites]


def audited(scene, action):
    return scene.target.query("select reason, from_lsn::text, to_lsn::text from pgchronicle.audit "
                              "where pipeline = %s and action = %s order by id",
                              (scene.name, action))


# -- bookmarks -----------------------------------------------------------------------------------

def test_a_bookmark_keeps_wal_is_listed_and_dropped(scene):
    service = streaming(scene)
    insert(scene, service, 1, 3)
    position, slot = add_bookmark(scene, "before-june")
    assert slot.startswith("pgchronicle_bookmark_") and slot in slots(scene)
    row = scene.target.query(
        "select b.last_commit_end = h.lsn_from and b.last_commit_time = h.valid_from from "
        "pgchronicle.bookmark b, analytics.t_history h where h.id = 3")
    assert row == [(True,)]
    wal(scene, 3)
    insert(scene, service, 4, 4)
    scene.source.execute("checkpoint")
    listed = scene.run("bookmark", "list")
    assert listed.returncode == EXIT_DONE, listed.stderr
    line = next(line for line in listed.stdout.splitlines() if line.startswith("before-june"))
    assert position in line and slot in line and "reserved" in line and "MiB" in line
    assert parse_lsn(scene.source.value(
        "select restart_lsn::text from pg_replication_slots where slot_name = %s",
        (slot,))) <= parse_lsn(position)
    refused(scene, ("bookmark", "add", "before-june"), "exists already", code=EXIT_USAGE)
    dropped = scene.run("bookmark", "drop", "before-june", *WHY)
    assert dropped.returncode == EXIT_DONE, dropped.stderr
    assert slots(scene) == [scene.slot]
    assert "no bookmarks" in scene.run("bookmark", "list").stdout
    assert audited(scene, "bookmark drop") == [(WHY[1], position, position)]
    assert service.stop() == EXIT_DONE


def test_bookmarks_that_cannot_be_are_refused(scene):
    nothing = scene.run("bookmark", "add", "early")
    assert nothing.returncode == EXIT_OPERATOR and "no checkpoint" in nothing.stderr
    service = streaming(scene)
    refused(scene, ("bookmark", "add", "16/B374D848"), "invalid bookmark name", code=EXIT_USAGE)
    refused(scene, ("bookmark", "drop", "none", *WHY), "does not exist", code=EXIT_USAGE)
    add_bookmark(scene, "b")
    refused(scene, ("bookmark", "drop", "b", "--reason", " "), "a reason is needed",
            code=EXIT_USAGE)
    assert service.stop() == EXIT_DONE


def test_a_bookmark_that_was_not_finished_is_listed_and_can_be_dropped(scene):
    service = streaming(scene)
    _, slot = add_bookmark(scene, "half")
    # As a kill between the copy of the slot and the row's completion leaves it, and one before.
    scene.target.execute("update pgchronicle.bookmark set position = null")
    scene.target.execute("insert into pgchronicle.bookmark (pipeline, name, slot) "
                         "values (%s, 'nothing', 'pgchronicle_bookmark_nothing')", (scene.name,))
    assert scene.run("bookmark", "list").stdout.count("unfinished: drop it") == 2
    assert service.stop() == EXIT_DONE
    refused(scene, ("replay", "--from", "half", *WHY), "was never finished")
    for name in ("half", "nothing"):
        assert scene.run("bookmark", "drop", name, *WHY).returncode == EXIT_DONE
    assert slot not in slots(scene)


# -- acknowledge.hold_back -----------------------------------------------------------------------

def test_a_window_of_bytes_is_held_back_and_follows_the_position(scene):
    window = 2 << 20
    service = streaming(scene, acknowledge={"hold_back": "2MiB"})
    insert(scene, service, 1, 2)
    start = confirmed(scene)
    wal(scene, 1)
    insert(scene, service, 3, 3)
    stays_true(lambda: confirmed(scene) == start, 1.5, "nothing to be confirmed")
    wal(scene, 4)
    insert(scene, service, 4, 4)
    service.wait_for(lambda: start < confirmed(scene), 15, "the window to move")
    assert confirmed(scene) <= scene.position() - window
    service.wait_for(lambda: confirmed(scene) >= scene.position() - 2 * window, 15,
                     "the window to follow")
    # The guard holds, and what comes again is dropped.
    service.kill9()
    service = scene.start_streaming()
    insert(scene, service, 5, 5)
    assert scene.target.value("select count(*) from analytics.t_history") == 5
    assert "hold" in scene.run("status").stdout and "2MiB" in scene.run("status").stdout
    assert service.stop() == EXIT_DONE


def test_a_window_of_time_is_held_back_across_a_restart_and_released(scene):
    service = streaming(scene, acknowledge={"hold_back": "4s"})
    start = confirmed(scene)
    began = time.monotonic()
    insert(scene, service, 1, 3)
    end = scene.position()
    assert service.stop() == EXIT_DONE
    service = scene.start_streaming()
    assert confirmed(scene) == start or time.monotonic() - began >= 4
    service.wait_for(lambda: confirmed(scene) >= end, 30, "the window to be over")
    assert time.monotonic() - began >= 4
    marks = scene.target.value("select count(*) from pgchronicle.position_mark")
    assert 1 <= marks <= 80
    assert service.stop() == EXIT_DONE


def test_a_source_that_shuts_down_does_not_wait_for_what_is_held_back(new_cluster, make_scene,
                                                                      target_cluster, program):
    source = new_cluster("held_source")
    scene = make_scene(source, target_cluster)
    service = streaming(scene, acknowledge={"hold_back": "1GiB"})
    insert(scene, service, 1, 3)
    began = time.monotonic()
    source.stop("fast")
    assert time.monotonic() - began < 10
    source.start()
    service.wait_event("stream_started", count=2)
    insert(scene, service, 4, 4)
    assert service.stop() == EXIT_DONE


# -- replay --------------------------------------------------------------------------------------

def replay(scene, *arguments, timeout=600, **options):
    return scene.run("replay", *arguments, *WHY, timeout=timeout, **options)


def test_a_replay_refuses_while_the_pipeline_runs_and_names_the_holder(scene):
    service = streaming(scene)
    add_bookmark(scene, "b")
    insert(scene, service, 1, 1)
    result = replay(scene, "--from", "b")
    assert result.returncode == EXIT_OPERATOR
    assert "is running" in result.stderr and f"{service.pid}" in result.stderr
    assert service.stop() == EXIT_DONE


@pytest.mark.parametrize("stream_large", ["off", "on"])
def test_a_replay_leaves_exactly_what_was_there_in_spite_of_kills(scene, stream_large):
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    workloads = [kind() for kind in WORKLOADS]
    for workload in workloads:
        with scene.source.transaction() as cursor:
            workload.prepare(cursor)
    scene.source.execute(f'alter database "{scene.source.name}" set logical_decoding_work_mem = '
                         "'64kB'")
    scene.publish()
    scene.configure(source={"streaming": stream_large}, target={"lock_timeout": "20s"},
                    batch={"max_rows": 2000})
    service = scene.start_streaming()
    drive = Drive(scene.source, workloads, SEED)
    share = TRANSACTIONS // len(workloads)
    drive.run(share // 4, witnesses=0)
    scene.catch_up(service, PATIENCE)
    position, _ = add_bookmark(scene, "here")
    workloads[-1].changed.clear()
    drive.run(share - share // 4, witnesses=0)
    scene.catch_up(service, PATIENCE)
    assert service.stop() == EXIT_DONE, service.tail()
    begin, end = parse_lsn(position), scene.position()
    before = whole_history(scene.target, scene.name)
    shapes = scene.target.value("select count(*) from pgchronicle.relation_shape where lsn > %s",
                                (position,))
    assert shapes > 3 and before["relation_shape"][0] > shapes

    def done():
        return (scene.position() - begin) / (end - begin)

    began = time.monotonic()
    killed = replay(scene, "--from", "here", timeout=PATIENCE, env=scene.failpoint(
        "after_rows_before_checkpoint", chance.randint(1, 4)))
    assert killed.returncode == -9, killed.stderr
    kills = [done()]
    assert kills[0] < 1
    assert scene.run("status").stdout.count("set back to " + position) == 1
    # Once more, killed at any moment, about midway.
    again = scene.pipeline.start(env=None)
    again.wait_event("replay_streams")
    again.wait_for(lambda: done() >= 0.4, PATIENCE, "half of the replay")
    again.kill9()
    wait_unlocked(scene)
    kills.append(done())
    result = replay(scene, "--from", "here", timeout=PATIENCE)
    assert result.returncode == EXIT_DONE, result.stderr[-4000:]
    print(f"{sum(drive.committed.values())} transactions, "
          f"{sum(rows for rows, _ in before.values())} rows, {shapes} shapes; killed at "
          f"{', '.join(f'{kill:.0%}' for kill in kills)}; {time.monotonic() - began:.0f} s")
    assert differences(before, whole_history(scene.target, scene.name)) == {}, f"seed {SEED}"
    assert scene.position() >= end

    # The bookmark is still of use, and the pipeline's slot goes on.
    assert [name for name in slots(scene) if "replay" in name] == []
    assert "here" in scene.run("bookmark", "list").stdout
    service = scene.start_streaming()
    scene.catch_up(service)
    assert service.stop() == EXIT_DONE, service.tail()
    assert differences(before, whole_history(scene.target, scene.name)) == {}
    assert [row[:2] for row in audited(scene, "replay")][0] == (WHY[1], position)


@pytest.mark.parametrize("point", ["after_connect", "after_commit_before_ack",
                                   "replay_without_slot"])
def test_run_finishes_a_replay_that_was_killed(scene, point):
    past_bookmark(scene, (1, 5), (3, 9))
    before = whole_history(scene.target, scene.name)
    killed = replay(scene, "--from", "b", env=scene.failpoint(point))
    assert killed.returncode == -9, killed.stderr
    scene.source.execute("insert into operations.t values (10, 'meanwhile')")
    service = scene.start_streaming()
    service.wait_event("replay_done")
    scene.catch_up(service)
    scene.source.execute("delete from operations.t where id = 10")
    scene.catch_up(service)
    assert service.stop() == EXIT_DONE
    assert scene.target.query("select operation_type from analytics.t_history where id = 10 "
                              "order by lsn_from") == [("INSERT",), ("DELETE",)]
    scene.target.execute("delete from analytics.t_history where id = 10")
    after = whole_history(scene.target, scene.name)
    assert differences(before, after).keys() <= {"checkpoint"}
    assert slots(scene) == sorted([scene.slot, *[s for s in slots(scene) if "bookmark" in s]])
    assert scene.target.value("select count(*) from pgchronicle.replay") == 0


def test_what_a_replay_rebuilds_is_what_was_damaged(scene):
    past_bookmark(scene, (1, 5), (3, 9))
    before = whole_history(scene.target, scene.name)
    scene.target.execute("delete from analytics.t_history where id = 7;"
                         "update analytics.t_history set v = 'wrong' where id = 3 and is_current")
    assert differences(before, whole_history(scene.target, scene.name)) != {}
    assert replay(scene, "--from", "b").returncode == EXIT_DONE
    assert differences(before, whole_history(scene.target, scene.name)) == {}


def test_the_recorded_times_come_again_although_the_clock_has_stepped_back(scene):
    service = streaming(scene)
    insert(scene, service, 1, 2)
    assert service.stop() == EXIT_DONE
    # As the source's clock, set back by an hour, would leave it.
    scene.target.execute("update pgchronicle.checkpoint set last_commit_time = "
                         "last_commit_time + interval '1 hour'")
    service = scene.start_streaming()
    add_bookmark(scene, "b")
    insert(scene, service, 2, 4)
    assert service.stop() == EXIT_DONE
    assert scene.target.value("select count(distinct valid_from) from analytics.t_history "
                              "where valid_from > now() + interval '50 minutes'") == 1
    before = whole_history(scene.target, scene.name)
    assert replay(scene, "--from", "b").returncode == EXIT_DONE
    assert differences(before, whole_history(scene.target, scene.name)) == {}
    # The same from an LSN: the time is that of the versions made there.
    third = scene.target.value("select lsn_from::text from analytics.t_history where id = 3")
    assert replay(scene, "--from", third).returncode == EXIT_DONE
    assert differences(before, whole_history(scene.target, scene.name)) == {}


def test_columns_that_changed_since_are_what_they_were(scene):
    scene.source.execute("create table operations.t (id integer primary key, a varchar(5), b text,"
                         " c text)")
    scene.publish()
    service = scene.start_streaming()
    scene.source.execute("insert into operations.t select g, 'a', 'b', 'c' "
                         "from generate_series(1, 4) g")
    scene.catch_up(service)
    add_bookmark(scene, "b")
    for number, change in enumerate([
            "rename a to x", "rename b to a", "alter x type varchar(9)", "add d text default 'dd'",
            "rename d to e", "drop c", "add g text", "add f text", "drop e"]):
        scene.source.execute(f"alter table operations.t {change};"
                             "update operations.t set id = id where id = 1")
        scene.source.execute("update operations.t set id = id where id = %s", (2 + number % 2,))
        scene.catch_up(service)
    assert service.stop() == EXIT_DONE
    before = whole_history(scene.target, scene.name)
    rows = scene.history("t", "id, lsn_from, change_seq")
    result = replay(scene, "--from", "b")
    assert result.returncode == EXIT_DONE, result.stderr
    assert scene.history("t", "id, lsn_from, change_seq") == rows
    assert differences(before, whole_history(scene.target, scene.name)) == {}


def test_an_lsn_is_rounded_down_to_the_last_transaction_that_left_versions(scene):
    service = streaming(scene, acknowledge={"hold_back": "1GiB"})
    insert(scene, service, 1, 4)
    assert service.stop() == EXIT_DONE
    before = whole_history(scene.target, scene.name)
    third, fourth = [parse_lsn(lsn) for lsn, in scene.target.query(
        "select lsn_from::text from analytics.t_history where id in (3, 4) order by id")]
    # No bookmark: with hold_back the pipeline's own slot reaches back far enough.
    # Nor a reason, which only repair asks for.
    result = scene.run("replay", "--from", format_lsn(fourth - 1))
    assert result.returncode == EXIT_DONE, result.stderr
    assert [row[0] for row in audited(scene, "replay")] == ["none given"]
    assert f"to {format_lsn(third)};" in result.stdout
    assert differences(before, whole_history(scene.target, scene.name)) == {}
    assert slots(scene) == [scene.slot]


# -- what cannot be replayed ---------------------------------------------------------------------

def test_what_no_slot_keeps_any_more_is_refused_and_what_can_be_replayed_is_said(scene):
    service = streaming(scene)
    insert(scene, service, 1, 3)
    acknowledge(scene, service)
    first = scene.target.value("select lsn_from::text from analytics.t_history where id = 1")
    position, _ = add_bookmark(scene, "later")
    insert(scene, service, 4, 6)
    assert service.stop() == EXIT_DONE
    refused(scene, ("replay", "--from", first, *WHY), "not kept any more",
            f'bookmark "later" from {position}')
    refused(scene, ("replay", "--from", "7FF/0", *WHY), "reaches only up to", code=EXIT_USAGE)
    refused(scene, ("replay", "--from", "nonsense", *WHY), "neither a bookmark nor an LSN",
            code=EXIT_USAGE)
    refused(scene, ("replay", "--from", "later", "--reason", ""), "a reason is needed",
            code=EXIT_USAGE)
    scene.source.execute("select pg_drop_replication_slot(slot_name) from pg_replication_slots "
                         "where slot_name like 'pgchronicle_bookmark%%' and database = %s",
                         (scene.source.name,))
    assert "slot is gone" in scene.run("bookmark", "list").stdout
    refused(scene, ("replay", "--from", "later", *WHY), "not kept any more")


def test_a_table_that_was_copied_since_is_not_in_the_wal(scene):
    service = streaming(scene)
    add_bookmark(scene, "b")
    scene.source.execute("create table operations.u (id integer primary key);"
                         "insert into operations.u values (1); insert into operations.u values (2)")
    scene.catch_up(service)
    service.wait_event("copy_table_done", table="operations.u")
    scene.catch_up(service)
    assert service.stop() == EXIT_DONE
    seam = scene.target.value("select seam::text from pgchronicle.table_state "
                              "where source_table = 'u'")
    refused(scene, ("replay", "--from", "b", *WHY), "not everything is in the WAL",
            "operations.u", seam)


def test_a_comparison_since_is_not_in_the_wal(scene):
    service = streaming(scene)
    insert(scene, service, 1, 2)
    add_bookmark(scene, "b")
    scene.source.execute("alter table operations.t add d double precision default random();"
                         "update operations.t set v = 'x' where id = 1")
    wait_until(lambda: scene.target.value("select count(*) from analytics.t_history where "
                                          "operation_type = 'REWRITE'"), 30, "the REWRITE")
    scene.catch_up(service)
    assert service.stop() == EXIT_DONE
    refused(scene, ("replay", "--from", "b", *WHY), "not everything is in the WAL", "operations.t")


def test_a_range_that_an_operator_skipped_stays_skipped(scene):
    service = streaming(scene)
    add_bookmark(scene, "b")
    insert(scene, service, 1, 2)
    assert service.stop() == EXIT_DONE
    scene.source.execute("insert into operations.t values (3, 'skipped')")
    nudge(scene.source)
    to = scene.source.value("select pg_current_wal_flush_lsn()::text")
    skipped = scene.run("repair", "skip", "--to", to, "--yes", *WHY)
    assert skipped.returncode == EXIT_DONE, skipped.stderr
    refused(scene, ("replay", "--from", "b", *WHY), "skipped by an operator", to)


def test_a_replay_whose_slot_is_gone_says_what_to_do_and_can_be_begun_again(scene):
    position, _ = past_bookmark(scene, (1, 2), (3, 4))
    before = whole_history(scene.target, scene.name)
    killed = replay(scene, "--from", "b", env=scene.failpoint("after_connect"))
    assert killed.returncode == -9
    slot = scene.target.value("select slot from pgchronicle.replay")
    wait_until(lambda: (slot, None) in scene.source.slots(), 10, "the slot to be free")
    scene.source.execute("select pg_drop_replication_slot(%s)", (slot,))
    gone = scene.run("run", "--until-current")
    assert gone.returncode == EXIT_OPERATOR
    assert slot in gone.stderr and position in gone.stderr and "Replay once more" in gone.stderr
    assert replay(scene, "--from", "b").returncode == EXIT_DONE
    assert differences(before, whole_history(scene.target, scene.name)) == {}

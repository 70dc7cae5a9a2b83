"""`on_slot_lost: reconcile`: another slot, and every table compared with the source.

The model knows the changes that no slot kept, and what the comparison must make of them; set V
holds every version against it.
"""

import json
import signal

import pytest

from support.lost_slot import (RECONCILE, Loss, assert_equal_now, behind_comparison, drop_slot,
                               finish, invalidate_slot, limited, reconciled)
from support.lsn import format_lsn, parse_lsn
from support.pgchronicle import EXIT_DONE, EXIT_OPERATOR, EXIT_USAGE, tables_to_copy
from support.quarantined import (QUARANTINE, assert_stands_at, gaps, release, wait_left_behind)
from support.replay_scene import acknowledge
from support.roles import TARGET_USER
from support.story import each
from support.traffic import Traffic
from support.verified import assert_equal, verify
from support.versions import needs
from support.waiting import wait_until

TABLES = """
create table operations.t (id integer primary key, v text, big text);
alter table operations.t alter big set storage external;
insert into operations.t select g, 'v' || g, repeat(g::text, 3000) from generate_series(1, 9) g;
create table operations.f (a text, b integer, v numeric, primary key (b, a));
alter table operations.f replica identity full;
insert into operations.f select 'a' || g, g, g from generate_series(1, 6) g;
create table operations.n (a integer, b text);
alter table operations.n replica identity full;
insert into operations.n values (1, 'x'), (1, 'x'), (1, 'x'), (2, 'y'), (3, null);
create table operations.u (id integer primary key, v text);
insert into operations.u values (1, 'a'), (2, 'b'), (3, 'c');
"""
NAMES = ("t", "f", "n", "u")

BEFORE = ("update operations.t set v = 'seen' where id in (1, 3, 6)",
          "insert into operations.t values (12, 'again', null)",
          "delete from operations.t where id = 12",
          "delete from operations.f where b = 6", "insert into operations.n values (4, 'z')")

# What nobody sees.
MISSED = ("update operations.t set v = 'once' where id = 1",
          "update operations.t set v = 'twice' where id = 1",
          "update operations.t set v = 'there' where id = 2",
          "update operations.t set v = 'v2' where id = 2",
          "delete from operations.t where id = 3",
          "update operations.t set id = 40 where id = 4",
          "update operations.t set big = repeat('n', 4000) where id = 5",
          "update operations.t set v = 'beside TOAST' where id = 6",
          "delete from operations.t where id = 7",
          "insert into operations.t values (7, 'another', null)",
          "insert into operations.t values (10, 'new', repeat('t', 3000)), (11, 'gone', null), "
          "(12, 'again', null)",
          "update operations.f set v = v + 1 where b < 3", "delete from operations.f where b = 3",
          "insert into operations.f values ('new', 10, null), ('gone', 11, 1)",
          "delete from operations.n where ctid = (select min(ctid) from operations.n where a = 1)",
          "update operations.n set b = 'yy' where a = 2",
          "insert into operations.n values (3, null), (9, 'gone')",
          "truncate operations.u",
          "insert into operations.u values (1, 'a'), (2, 'other'), (4, 'd')")

# Of rows that the history knows wrong, or not at all.
MEETING = ("update operations.t set v = 'met' where id in (1, 5, 6, 10)",
           "insert into operations.t values (3, 'back', 'x')",
           "delete from operations.t where id in (7, 11, 12)",
           "insert into operations.t values (4, 'back', null)",
           "delete from operations.t where id = 4",
           "update operations.f set v = 0 where b in (1, 10)",
           "delete from operations.f where b in (2, 11)",
           "delete from operations.n where a = 9", "insert into operations.n values (1, 'x')")

AFTER = ("update operations.t set v = 'after' where id in (5, 6, 10, 40)",
         "delete from operations.t where id = 2", "insert into operations.t values (20, 'n', 'x')",
         "update operations.f set v = -1", "delete from operations.n where a = 2",
         "insert into operations.u values (3, 'c')", "truncate operations.u")


def begin(scene, **configuration):
    """Four tables of every identity, streaming; some versions; the oracle."""
    scene.source.execute(TABLES)
    scene.configure(**RECONCILE)
    scene.configure(**configuration)
    scene.publish()
    oracle = scene.oracle(*NAMES)
    service = scene.start_streaming()
    each(scene, *BEFORE)
    scene.catch_up(service)
    return oracle, service


def stopped(scene, **configuration):
    oracle, service = begin(scene, **configuration)
    assert service.stop() == EXIT_DONE, service.tail()
    return oracle


def status(scene):
    return json.loads(scene.run("status", "--json").stdout)


# -- lost, and gone on ---------------------------------------------------------------------------

@pytest.mark.parametrize("running", [False, True])
def test_after_a_dropped_slot_the_difference_is_history_and_the_rest_a_gap(scene, running):
    oracle, service = begin(scene)
    if not running:
        assert service.stop() == EXIT_DONE
    if running:
        service.signal(signal.SIGSTOP)  # Else it would be back before anything is missed.
    at = scene.position()
    drop_slot(scene)
    each(scene, *MISSED)
    inside = scene.source.lsn()
    if running:
        service.signal(signal.SIGCONT)
        behind_comparison(scene, service)
    else:
        checked = scene.run("check")
        assert checked.returncode == EXIT_DONE and "compares every table" in checked.stdout
        service = scene.start_streaming()
    each(scene, *AFTER)
    loss = finish(scene, service, oracle, *NAMES)

    assert at <= loss.after < parse_lsn(inside) < loss.to
    assert loss.why == f'replication slot "{scene.slot}" does not exist'
    assert loss.who.startswith(f"pgchronicle {scene.name} ")
    assert loss.who.endswith(f" as {TARGET_USER}")
    # What was changed back, or not at all, makes no version; what was changed twice makes one.
    assert reconciled(scene, "t") == [(1, False), (3, True), (4, True), (5, False), (6, False),
                                      (7, False), (10, False), (11, False), (12, False),
                                      (40, False)]
    assert scene.history("t", where="id = 6 and operation_type = 'RECONCILE'",
                         columns="v, big") == [("beside TOAST", "6" * 3000)]
    assert reconciled(scene, "u", "id, v") == [(2, "other", False), (3, "c", True),
                                               (4, "d", False)]
    # What was truncated unseen is no rewrite that is still to be found.
    assert scene.target.value("select source_file from pgchronicle.table_state "
                              "where source_table = 'u'") in (None, scene.source.value(
                                  "select pg_relation_filenode('operations.u')"))
    # Inside, a read tells what was known: the rows as they were before.
    assert scene.target.value("select v from analytics.t_as_of_lsn(%s::pg_lsn) where id = 1",
                              (inside,)) == "seen"


def test_a_slot_that_is_gone_when_the_stream_is_asked_for_is_made_again(scene):
    oracle = stopped(scene)
    why = ("--reason", "a copy that can be held up")
    assert scene.run("repair", "reseed", "operations.u", *why).returncode == EXIT_DONE
    with scene.source.transaction() as cursor:
        cursor.execute("select pg_current_xact_id()")  # The copy's snapshot waits for its end.
        service = scene.start()
        service.wait_for(lambda: scene.source.value(
            "select count(*) from pg_replication_slots where slot_name like 'pgchronicle_copy_%%' "
            "and active"), 30, "the copy's slot")
        drop_slot(scene)
        each(scene, *MISSED)
    service.wait_event("reconnecting", sqlstate="42704")
    behind_comparison(scene, service)
    each(scene, *AFTER)
    finish(scene, service, oracle, *NAMES)


@pytest.mark.parametrize("running", [False, True])
def test_a_slot_that_lost_its_wal_is_made_again(make_scene, new_cluster, target_cluster, running):
    source = new_cluster("lost_source", **limited())
    scene = make_scene(source, target_cluster)
    oracle, service = begin(scene)
    if running:
        service.signal(signal.SIGSTOP)  # It acknowledges nothing, and its walsender is ended.
    else:
        assert service.stop() == EXIT_DONE
    each(scene, *MISSED)
    invalidate_slot(scene, oracle)
    if running:
        service.signal(signal.SIGCONT)
        behind_comparison(scene, service)
    else:
        checked = scene.run("check")
        assert checked.returncode == EXIT_DONE and "is lost" in checked.stdout
        service = scene.start_streaming()
    each(scene, *AFTER)
    loss = finish(scene, service, oracle, *NAMES)
    assert loss.why.startswith(f'replication slot "{scene.slot}" is lost')
    assert source.query("select wal_status from pg_replication_slots where slot_name = %s",
                        (scene.slot,)) == [("reserved",)]


@pytest.mark.parametrize("how", ["made again", "advanced"])
def test_what_waits_in_a_slot_that_is_ahead_is_history(scene, how):
    """Changes behind its position are not compared but streamed, also those of rows that the
    history knows wrong or not at all."""
    oracle = stopped(scene)
    if how == "made again":
        drop_slot(scene)
    each(scene, *MISSED)
    if how == "made again":
        scene.create_slot()
    else:
        scene.source.value("select pg_replication_slot_advance(%s, pg_current_wal_lsn())::text",
                           (scene.slot,))
    goes_on = parse_lsn(scene.confirmed())
    each(scene, *MEETING)
    checked = scene.run("check")
    assert checked.returncode == EXIT_DONE and "has confirmed" in checked.stdout
    service = scene.start_streaming()
    each(scene, *AFTER)
    loss = finish(scene, service, oracle, *NAMES)
    assert loss.to == goes_on
    assert not service.events("slot_created")
    ended = scene.history("t", where="id = 3 and v = 'seen'", columns="lsn_to::text")
    assert ended == scene.history("t", where="id = 3 and v = 'back'", columns="lsn_from::text")


def test_a_source_that_is_written_all_the_time_is_met_where_it_is(scene):
    oracle, service = begin(scene)
    scene.source.execute("insert into operations.f select 'f', g, 0 from generate_series(100, 400)"
                         " g")

    def step(cursor, chance):
        b = chance.randrange(100, 500)
        cursor.execute(chance.choice([
            f"insert into operations.f values ('f', {b}, 1) on conflict do nothing",
            f"update operations.f set v = v + 1 where b = {b}",
            f"delete from operations.f where b = {b}",
            f"insert into operations.n values ({b % 7}, 'x')",
            f"delete from operations.n where ctid in (select ctid from operations.n "
            f"where a = {b % 7} limit 1)"]))

    with Traffic(scene.source, [step, step], seed=scene.number) as traffic:
        for loss in range(2):
            goal = traffic.commits + 200
            wait_until(lambda: traffic.commits > goal, 30, "changes")
            if loss == 0:
                drop_slot(scene)
        behind_comparison(scene, service, 60)
        goal = traffic.commits + 200
        wait_until(lambda: traffic.commits > goal, 30, "changes behind the comparison")
    finish(scene, service, oracle, *NAMES)


@pytest.mark.parametrize("point", ["lost_slot_dropped", "lost_slot_made", "reconciliation_begun",
                                   "table_copied", "after_connect"])
def test_a_kill_in_between_leaves_one_gap_and_the_same_history(scene, point):
    oracle = stopped(scene, copy={"workers": 1})
    drop_slot(scene)
    each(scene, *MISSED)
    killed = scene.start(env=scene.failpoint(point))
    assert killed.wait() == -signal.SIGKILL, killed.tail()
    # A part of them is missed, or not, with the point where it was killed.
    each(scene, *MEETING)
    service = scene.start_streaming()
    each(scene, *AFTER)
    loss = finish(scene, service, oracle, *NAMES)
    assert len(set(loss.seams.values())) == (2 if point == "table_copied" else 1)
    assert tables_to_copy(scene.target, scene.name) == 0


def test_a_table_that_was_still_being_copied_is_compared_with_what_the_stream_has_left(scene):
    scene.source.execute("".join(
        f"create table operations.{table} (id integer primary key, v text, big text);"
        f"alter table operations.{table} alter big set storage external;"
        f"insert into operations.{table} select g, 'old', repeat('b', 3000) "
        "from generate_series(1, 8) g;" for table in ("t", "u"))
        + "create table operations.w (id integer primary key)")
    scene.configure(**RECONCILE, copy={"workers": 1})
    scene.publish()
    scene.create_slot()
    for table in ("t", "u"):
        each(scene, f"update operations.{table} set v = 'waited' where id in (1, 2, 3)",
             f"insert into operations.{table} values (20, 'waited', null)",
             f"delete from operations.{table} where id = 4")
    killed = scene.start(env=scene.failpoint("table_copied"))
    assert killed.wait() == -signal.SIGKILL, killed.tail()
    assert tables_to_copy(scene.target, scene.name) == 2
    drop_slot(scene)
    for table in ("t", "u"):
        each(scene, f"update operations.{table} set v = 'missed' where id in (1, 5)",
             f"delete from operations.{table} where id in (2, 20)",
             f"update operations.{table} set big = 'missed' where id = 3")
    scene.source.execute("insert into operations.w values (1)")
    service = scene.start_streaming()
    scene.catch_up(service)
    Loss(scene)
    assert_equal_now(scene, "t", "u", "w")
    assert_equal(scene)
    assert service.stop() == EXIT_DONE
    # What waited for a copy that came too late: nobody knows what it was.
    assert scene.target.value("select count(*) from pgchronicle.pending_value") == 0
    assert [state for state, in scene.target.query(
        "select bool_and(big is null) from analytics.u_history where operation_type = 'UPDATE' "
        "union all select bool_and(big is not null) from analytics.t_history "
        "where operation_type = 'UPDATE'")] == [True, True]
    # Of t, it is what the row deleted unseen was; of u, what else was not sent.
    assert scene.target.query("select source_table, split_part(detail, ' ', 1) "
                              "from pgchronicle.gap where reason = 'value_unknown' order by 1") \
        == [("t", "1"), ("u", "4")]


def test_a_table_in_quarantine_stays_there_and_has_a_gap_of_its_own(scene):
    oracle, service = begin(scene, **QUARANTINE)
    scene.target.execute("alter table analytics.u_history add constraint planted "
                         "check (v <> 'bad') not valid")
    each(scene, "insert into operations.u values (9, 'bad')")
    stands_at, _ = wait_left_behind(scene, service, "u")
    assert service.stop() == EXIT_DONE
    drop_slot(scene)
    each(scene, *MISSED)
    service = scene.start_streaming()
    each(scene, *AFTER)
    loss = finish(scene, service, oracle, "t", "f", "n")
    assert set(loss.seams) == {("operations", table) for table in ("t", "f", "n")}
    assert_stands_at(scene, oracle, scene.spec("u"), stands_at)
    scene.target.execute("alter table analytics.u_history drop constraint planted")
    assert release(scene, "u").returncode == EXIT_DONE
    service = scene.start_streaming()
    scene.catch_up(service)
    assert service.stop() == EXIT_DONE
    assert_equal_now(scene, *NAMES)
    [(begins, ends, repaired)] = gaps(scene, "u")
    assert begins == stands_at and ends > loss.end and repaired
    # What was compared long after it does not make the gap of all tables longer.
    assert scene.target.value("select to_lsn::text from pgchronicle.gap "
                              "where reason = 'slot_lost'") == format_lsn(loss.end)


def test_tables_that_changed_meanwhile_are_followed(scene):
    scene.source.execute("".join(
        f"create table operations.{table} (id integer primary key, v text);"
        f"insert into operations.{table} values (1, 'a'), (2, 'b');"
        for table in ("added", "dropped", "renamed", "anew")))
    scene.configure(**RECONCILE)
    scene.publish()
    assert scene.start_streaming().stop() == EXIT_DONE
    drop_slot(scene)
    each(scene, "alter table operations.added add w integer default 7",
         "update operations.added set w = 8 where id = 2",
         "update operations.dropped set v = 'missed'", "drop table operations.dropped",
         "update operations.renamed set v = 'missed' where id = 1",
         "alter table operations.renamed rename to moved",
         "drop table operations.anew",
         "create table operations.anew (id integer primary key, v text)",
         "insert into operations.anew values (2, 'b'), (3, 'c')",
         "create table operations.joined (id integer primary key)",
         "insert into operations.joined values (1)")
    service = scene.start_streaming()
    each(scene, "update operations.moved set v = 'after'", "delete from operations.anew")
    scene.catch_up(service)
    assert service.stop() == EXIT_DONE
    Loss(scene)
    assert_equal_now(scene, "added", "moved", "anew", "joined")
    assert reconciled(scene, "added", "id, w") == [(2, 8, False)]
    # What nobody said the end of stays as it was seen last, and waits for no comparison.
    assert scene.target.query("select v from analytics.dropped_current order by id") \
        == [("a",), ("b",)]
    assert tables_to_copy(scene.target, scene.name) == 0


def test_where_a_bookmark_reaches_back_nothing_is_missing(scene):
    oracle, service = begin(scene)
    assert scene.run("bookmark", "add", "old").returncode == EXIT_DONE
    each(scene, "update operations.t set v = 'between' where id = 1")
    scene.catch_up(service)
    acknowledge(scene, service)  # Else both may stand where "old" does.
    assert scene.run("bookmark", "add", "new").returncode == EXIT_DONE
    copied = scene.target.value("select slot from pgchronicle.bookmark where name = 'new'")
    assert service.stop() == EXIT_DONE
    drop_slot(scene)
    each(scene, *MISSED)
    killed = scene.start(env=scene.failpoint("lost_slot_dropped"))
    assert killed.wait() == -signal.SIGKILL, killed.tail()
    service = scene.start_streaming()
    each(scene, *AFTER)
    assert service.events("slot_restored", copy_of=copied) and not service.events("reconciling")
    scene.catch_up(service)
    assert service.stop() == EXIT_DONE
    scene.set_v(oracle, *map(scene.spec, NAMES)).assert_holds()
    assert scene.target.query("select action, detail from pgchronicle.audit order by id") == 2 * [
        ("restore slot", f'slot "{scene.slot}", a copy of "{copied}"')]
    assert scene.target.value("select count(*) from pgchronicle.gap") == 0


def test_a_two_phase_slot_is_two_phase_again(scene):
    needs(scene.source, 15, "two_phase")
    oracle = stopped(scene, source={"two_phase": True})
    each(scene, "begin; update operations.t set v = 'prepared' where id = 8; "
                f"prepare transaction 'lost_{scene.number}'")
    # Advanced past the PREPARE: its content would not come any more.
    scene.source.value("select pg_replication_slot_advance(%s, pg_current_wal_lsn())::text",
                       (scene.slot,))
    each(scene, f"commit prepared 'lost_{scene.number}'", *MISSED)
    service = scene.start_streaming()
    each(scene, *AFTER)
    finish(scene, service, oracle, *NAMES)
    assert scene.source.value("select two_phase from pg_replication_slots where slot_name = %s",
                              (scene.slot,))


# -- what is seen of it --------------------------------------------------------------------------

def test_status_is_red_until_somebody_knows_of_the_gap(scene):
    stopped(scene)
    assert status(scene)["health"] == "green"
    drop_slot(scene)
    each(scene, *MISSED)
    service = scene.start_streaming()
    scene.catch_up(service)
    assert service.stop() == EXIT_DONE
    loss = Loss(scene)
    seen = status(scene)
    assert seen["health"] == "red"
    assert [(gap["id"], gap["table"], gap["reason"], gap["detail"]) for gap in seen["gaps"]] \
        == [(loss.id, None, "slot_lost", loss.why)]
    assert "health     red" in scene.run("status").stdout
    why = ("--reason", "the reports of that day are marked")
    for wrong in (("999",), (str(loss.id), "999")):
        refused = scene.run("repair", "accept-gap", *wrong, *why)
        assert refused.returncode == EXIT_USAGE and "has no open gap 999" in refused.stderr
    assert scene.run("repair", "accept-gap", str(loss.id)).returncode == EXIT_USAGE
    assert status(scene)["health"] == "red"
    accepted = scene.run("repair", "accept-gap", str(loss.id), *why)
    assert accepted.returncode == EXIT_DONE, accepted.stderr
    assert (status(scene)["health"], status(scene)["gaps"]) == ("green", [])
    assert scene.target.query("select reason from pgchronicle.audit "
                              "where action = 'repair accept-gap'") == [(why[1],)]
    Loss(scene)  # It stays on record.


def test_a_gap_that_was_compared_excuses_no_difference(scene):
    stopped(scene)
    drop_slot(scene)
    each(scene, *MISSED)
    service = scene.start_streaming()
    scene.catch_up(service)
    assert_equal(scene)
    scene.target.execute("update analytics.t_history set v = 'planted' "
                         "where id = 8 and is_current")
    assert {str(key) for key in verify(scene).keys()} == {"8"}
    assert service.stop() == EXIT_DONE
    refused = scene.run("replay", "--from", scene.checkpoint()["slot_start"], "--reason", "try")
    assert refused.returncode == EXIT_OPERATOR

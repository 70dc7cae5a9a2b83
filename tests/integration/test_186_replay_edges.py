"""What lies beside a replay: other bookmarks, slots that run out, prepared transactions, a catalog
that is far ahead, tables that came, went or are left out; and what says so."""

import contextlib
import json

import psycopg2

from support.pgchronicle import EXIT_DONE, EXIT_OPERATOR, EXIT_RETRIES
from support.replay_scene import (WHY, acknowledge, add_bookmark, insert, past_bookmark, refused,
                                  slots, streaming, wait_unlocked)
from support.roles import grant_target
from support.versions import needs
from support.waiting import wait_until
from support.whole_history import differences, whole_history


def replay(scene, start, *arguments, **options):
    return scene.run("replay", "--from", start, *arguments, *WHY, timeout=120, **options)


def same_after_replay(scene, start="b"):
    """The pipeline is stopped; a replay leaves what was there. Returns what it said."""
    before = whole_history(scene.target, scene.name)
    result = replay(scene, start)
    assert result.returncode == EXIT_DONE, result.stderr[-4000:]
    assert differences(before, whole_history(scene.target, scene.name)) == {}
    assert not [name for name in slots(scene) if "replay" in name]
    return result.stdout


def killed_replay(scene, start="b", point="after_connect", *arguments):
    result = replay(scene, start, *arguments, env=scene.failpoint(point))
    assert result.returncode == -9, result.stderr
    slot = scene.target.value("select slot from pgchronicle.replay")
    wait_until(lambda: (slot, None) in scene.source.slots(), 10, "the slot to be free")
    wait_unlocked(scene)
    return slot


def drop_slot(scene, slot):
    scene.source.execute("select pg_drop_replication_slot(%s)", (slot,))


@contextlib.contextmanager
def no_slot_left(scene):
    made = []
    try:
        while True:
            name = f"filler_{len(made)}"
            try:
                scene.source.execute("select pg_create_physical_replication_slot(%s)", (name,))
            except psycopg2.errors.ConfigurationLimitExceeded:
                break
            made.append(name)
        yield
    finally:
        for name in made:
            drop_slot(scene, name)


# -- slots ---------------------------------------------------------------------------------------

def test_without_a_slot_to_spare_nothing_is_begun(scene):
    service = streaming(scene)
    insert(scene, service, 1, 3)
    add_bookmark(scene, "b")
    insert(scene, service, 4, 5)
    with no_slot_left(scene):
        full = scene.run("bookmark", "add", "c")
        assert full.returncode == EXIT_RETRIES and "replication slots" in full.stderr
        assert service.stop() == EXIT_DONE
        refused(scene, ("replay", "--from", "b", *WHY), "all replication slots are in use",
                "max_replication_slots", code=EXIT_RETRIES)
    assert scene.target.query("select name from pgchronicle.bookmark") == [("b",)]
    assert scene.target.value("select count(*) from pgchronicle.replay") == 0
    same_after_replay(scene)


def test_of_two_bookmarks_each_is_of_use_after_a_replay_from_the_other(scene):
    service = streaming(scene)
    insert(scene, service, 1, 3)
    first, _ = add_bookmark(scene, "first")
    insert(scene, service, 2, 5)
    acknowledge(scene, service)
    second, kept = add_bookmark(scene, "second")
    insert(scene, service, 4, 7)
    assert service.stop() == EXIT_DONE
    for start in ("first", "second", "first"):
        said = same_after_replay(scene, start)
        assert f"to {first if start == 'first' else second};" in said
    # Where a later slot reaches back far enough, it is the one to be read.
    assert scene.target.query(
        "select detail like %s from pgchronicle.audit where action = 'replay' order by id",
        (f"%{kept}%",)) == [(False,), (True,), (False,)]
    assert scene.run("bookmark", "drop", "first", *WHY).returncode == EXIT_DONE
    refused(scene, ("replay", "--from", first, *WHY), "not kept any more",
            f'What can be replayed: slot "{scene.slot}" from', f'bookmark "second" from {second}')
    same_after_replay(scene, "second")


def test_a_slot_that_was_dropped_is_made_again_from_a_bookmark(scene):
    _, kept = past_bookmark(scene, (1, 3), (3, 6))
    drop_slot(scene, scene.slot)
    scene.source.execute("insert into operations.t values (7, 'meanwhile')")
    assert "does not exist" in scene.run("run", "--until-current").stderr
    scene.source.execute("select pg_copy_logical_replication_slot(%s, %s)", (kept, scene.slot))
    service = scene.start_streaming()
    insert(scene, service, 8, 8)
    assert service.stop() == EXIT_DONE
    assert scene.target.value("select count(*) from analytics.t_current") == 8
    same_after_replay(scene)


def test_a_prepared_transaction_that_is_pending_at_both_ends_is_kept(scene):
    needs(scene.source, 15, "prepared transactions in pgoutput")

    def prepare(gid, number):
        connection = scene.source.connect()
        with connection.cursor() as cursor:
            cursor.execute(f"begin; insert into operations.t values ({number}, 'prepared');"
                           f"prepare transaction '{gid}'")
        connection.close()

    service = streaming(scene, source={"two_phase": True})
    insert(scene, service, 1, 2)
    prepare("across", 10)
    insert(scene, service, 2, 3)
    add_bookmark(scene, "b")
    insert(scene, service, 3, 4)
    scene.source.execute("commit prepared 'across'")
    prepare("beyond", 20)
    insert(scene, service, 4, 5)
    assert service.stop() == EXIT_DONE
    same_after_replay(scene)
    assert scene.target.query("select id from analytics.t_current where v = 'prepared'") == [(10,)]
    scene.source.execute("commit prepared 'beyond'")
    service = scene.start_streaming()
    insert(scene, service, 6, 6)
    assert service.stop() == EXIT_DONE
    assert scene.target.query("select id from analytics.t_current where v = 'prepared' "
                              "order by id") == [(10,), (20,)]
    same_after_replay(scene)


# -- a catalog that is far ahead -----------------------------------------------------------------

def test_what_the_catalog_does_not_say_any_more_comes_again(scene):
    scene.source.execute("""
        create type operations.mood as enum ('sad', 'glad');
        create domain operations.small as integer;
        create table operations.e (id integer primary key, m operations.mood, n operations.small);
        create table operations.i (id integer not null, a text);
        create unique index i_id on operations.i (id);
        alter table operations.i replica identity using index i_id;
        create table operations.s (id integer primary key, a text);
        create table operations.p (id integer not null, a text);
        alter table operations.p replica identity full;
        create table operations.root (id integer not null, a text) partition by range (id);
        alter table operations.root replica identity full""")
    scene.publish("all tables with (publish_via_partition_root = true)")
    service = scene.start_streaming()
    source = scene.source
    source.execute("insert into operations.e values (1, 'sad', 1)")
    source.execute("insert into operations.i values (1, 'a')")
    source.execute("insert into operations.s values (1, 'a')")
    source.execute("insert into operations.p values (1, 'a')")
    scene.catch_up(service)
    add_bookmark(scene, "b")
    source.execute("insert into operations.e values (2, 'glad', 7);"
                   "update operations.e set n = 9 where id = 1")
    source.execute("update operations.i set a = 'b'; insert into operations.i values (2, 'c')")
    source.execute("insert into operations.p values (2, 'b'); update operations.p set a = 'c'")
    scene.catch_up(service)
    source.execute("drop table operations.e;"
                   "drop type operations.mood; drop domain operations.small")
    source.execute("drop index operations.i_id;"
                   "alter table operations.i add primary key (id);"
                   "alter table operations.i replica identity default")
    source.execute("update operations.i set a = 'd' where id = 1")
    source.execute("alter table operations.root attach partition operations.p "
                   "for values from (1) to (9)")
    # Three shapes in one transaction, each with a row of its own.
    source.execute("""
        update operations.s set a = 'before' where id = 1;
        alter table operations.s add b text default 'one';
        update operations.s set b = 'two' where id = 1;
        alter table operations.s rename b to c;
        alter table operations.s add d text default 'dd';
        insert into operations.s values (2, 'x', 'y', 'z');
        alter table operations.s drop a;
        update operations.s set c = 'end' where id = 2""")
    source.execute("update operations.s set d = 'later' where id = 1")
    scene.catch_up(service)
    assert service.stop() == EXIT_DONE
    assert scene.target.value("select jsonb_array_length(earlier) from pgchronicle.relation_shape "
                              "where source_table = 's' and earlier is not null") == 2
    same_after_replay(scene)
    assert scene.target.query("select id, n, m from analytics.e_current order by id") \
        == [(1, 9, "sad"), (2, 7, "glad")]


def test_shapes_of_one_transaction_that_differ_in_a_type_only_are_told_apart(scene):
    scene.source.execute("create table operations.s (id integer primary key)")
    service = streaming(scene)
    add_bookmark(scene, "b")
    scene.source.execute("""
        alter table operations.s add v varchar(3) default 'one';
        insert into operations.s values (1, 'a');
        alter table operations.s alter v type varchar(9);
        insert into operations.s values (2, 'longer');
        alter table operations.s alter v type varchar(20);
        insert into operations.s values (3, 'longer than nine')""")
    scene.source.execute("alter table operations.s alter v type text;"
                         "insert into operations.s values (4, 'longer than all of these')")
    scene.catch_up(service)
    assert service.stop() == EXIT_DONE
    types = ("select c->>'type' from pgchronicle.relation_shape, jsonb_path_query("
             "coalesce(earlier, '[]'), '$[*].columns[1]') as c where source_table = 's' and "
             "lsn = (select min(lsn) from pgchronicle.relation_shape where earlier is not null)")
    assert scene.target.query(types) == [("character varying(3)",), ("character varying(9)",)]
    same_after_replay(scene)


def test_a_table_that_was_dropped_before_it_was_copied_is_in_nobodys_way(scene):
    service = streaming(scene)
    insert(scene, service, 1, 2)
    assert service.stop() == EXIT_DONE
    scene.source.execute("create table operations.gone (id integer primary key)")
    scene.source.execute("insert into operations.gone values (1)")
    scene.source.execute("drop table operations.gone")
    service = scene.start("--until-current")
    assert service.wait() == EXIT_DONE, service.tail()
    assert scene.target.value("select state from pgchronicle.table_state "
                              "where source_table = 'gone'") == "pending"
    add_bookmark(scene, "b")
    service = scene.start()
    service.wait_event("stream_started")
    scene.source.execute("insert into operations.t values (3, 'x')")
    service.wait_for(lambda: scene.target.value(
        "select count(*) from analytics.t_history") == 3, 30, "the row")
    assert service.stop() == EXIT_DONE
    same_after_replay(scene)


# -- tables that come, and tables that are left out ----------------------------------------------

def test_a_table_that_came_while_nobody_looked_is_copied_behind_the_replay(scene):
    past_bookmark(scene, (1, 2), (3, 4))
    scene.source.execute("create table operations.late (id integer primary key);"
                         "insert into operations.late values (1)")
    scene.source.execute("insert into operations.t values (5, 'later')")
    before = whole_history(scene.target, scene.name)
    assert replay(scene, "b").returncode == EXIT_DONE
    after = whole_history(scene.target, scene.name)
    assert scene.target.value("select count(*) from analytics.late_history") == 0
    assert {name for name in differences(before, after) if isinstance(name, str)} \
        <= {"table_state", "relation_shape"}
    assert before["analytics", "t_history"] == after["analytics", "t_history"]
    service = scene.start_streaming()
    scene.catch_up(service)
    assert service.stop() == EXIT_DONE
    assert scene.target.query("select id, operation_type from analytics.late_history") == \
        [(1, "INSERT")]
    assert scene.target.value("select count(*) from analytics.t_current") == 5


def test_a_table_that_is_excluded_since_is_left_as_it_is(scene):
    scene.source.execute("create table operations.aside (id integer primary key)")
    service = streaming(scene)
    insert(scene, service, 1, 2)
    scene.source.execute("insert into operations.aside values (1)")
    scene.catch_up(service)
    add_bookmark(scene, "b")
    scene.source.execute("delete from operations.aside; insert into operations.aside values (2)")
    insert(scene, service, 3, 4)
    assert service.stop() == EXIT_DONE
    scene.configure(tables={"exclude": ["operations.aside"]})
    service = scene.start_streaming()
    insert(scene, service, 5, 5)
    assert service.stop() == EXIT_DONE
    assert 'table "operations.aside" is excluded' in same_after_replay(scene)
    assert scene.target.value("select count(*) from analytics.aside_history") == 3
    grant_target(scene.target, schema="proof")
    copied = replay(scene, "b", "--into", "proof")
    assert copied.returncode == EXIT_DONE and '"operations.aside" is excluded' in copied.stdout
    assert scene.target.query("select tablename from pg_tables where schemaname = 'proof'") \
        == [("t_history",)]


def test_a_column_that_is_excluded_since_is_not_lost(scene):
    past_bookmark(scene, (1, 2), (3, 4))
    scene.configure(tables={"overrides": {"operations.t": {"exclude": ["v"]}}})
    refused(scene, ("replay", "--from", "b", *WHY),
            'column "v" of table "operations.t" is excluded now', 'Take it out of "exclude"')
    scene.configure(tables=None)
    same_after_replay(scene)


# -- what is refused -----------------------------------------------------------------------------

def test_a_table_that_is_to_be_compared_is_compared_first(scene):
    past_bookmark(scene, (1, 2), (3, 4))
    assert scene.run("repair", "reseed", "operations.t", *WHY).returncode == EXIT_DONE
    refused(scene, ("replay", "--from", "b", *WHY), "still to be copied",
            'Let "pgchronicle run" finish')
    service = scene.start_streaming()
    insert(scene, service, 5, 5)
    later, _ = add_bookmark(scene, "later")
    insert(scene, service, 6, 6)
    assert service.stop() == EXIT_DONE
    said = refused(scene, ("replay", "--from", "b", *WHY), "not everything is in the WAL",
                   f'bookmark "later" from {later}')
    assert 'bookmark "b" from' not in said
    same_after_replay(scene, "later")


def test_a_publication_that_did_not_exist_then_is_noticed_before_anything_is_set_back(scene):
    past_bookmark(scene, (1, 2), (3, 4))
    scene.source.execute("create publication another")
    scene.configure(source={"publication": ["cdc_publication", "another"]})
    refused(scene, ("replay", "--from", "b", *WHY), "cannot be decoded for the publications")
    assert scene.target.value("select count(*) from pgchronicle.replay") == 0
    scene.configure(source={"publication": "cdc_publication"})
    same_after_replay(scene)


def test_repairs_leave_a_replay_alone_as_long_as_it_can_go_on(scene):
    service = streaming(scene)
    insert(scene, service, 1, 2)
    position, kept = add_bookmark(scene, "b")
    insert(scene, service, 3, 4)
    acknowledge(scene, service)
    assert service.stop() == EXIT_DONE
    slot = killed_replay(scene)
    for command in (("repair", "skip", "--yes"), ("repair", "reseed", "operations.t")):
        refused(scene, (*command, *WHY), "a replay is under way", position, slot)
    halfway = scene.run("bookmark", "add", "c")
    assert halfway.returncode == EXIT_OPERATOR and "replay" in halfway.stderr
    # Nothing keeps the range any more: what an operator may decide then is to do without it.
    for lost in (slot, kept):
        drop_slot(scene, lost)
    refused(scene, ("replay", "--from", "b", *WHY), "not kept any more")
    skipped = scene.run("repair", "skip", "--yes", *WHY)
    assert skipped.returncode == EXIT_DONE, skipped.stderr
    assert scene.target.value("select count(*) from pgchronicle.replay") == 0
    service = scene.start_streaming()
    insert(scene, service, 5, 5)
    assert service.stop() == EXIT_DONE
    assert scene.target.query("select id from analytics.t_current order by id") \
        == [(1,), (2,), (5,)]
    assert scene.target.value("select from_lsn::text from pgchronicle.gap") == position


# -- what says so --------------------------------------------------------------------------------

def status(scene):
    return json.loads(scene.run("status", "--json").stdout)


def test_status_and_check_tell_what_keeps_wal(scene):
    position, kept = past_bookmark(scene, (1, 2), (3, 4))
    [told] = status(scene)["kept"]
    assert told["retained_bytes"] > 0
    assert {**told, "retained_bytes": 0} == {
        "purpose": "bookmark", "name": "b", "slot": kept, "state": "reserved",
        "position": position, "retained_bytes": 0}
    assert "bookmark b" in scene.run("status").stdout
    assert "bookmark" not in scene.run("check").stdout
    # A replay that was killed, and a copy.
    slot = killed_replay(scene)
    assert [entry["purpose"] for entry in status(scene)["kept"]] == ["bookmark", "replay"]
    checked = scene.run("check")
    assert checked.returncode == EXIT_DONE, checked.stdout
    assert f"a replay from {position} is under way" in checked.stdout
    drop_slot(scene, slot)
    checked = scene.run("check")
    assert checked.returncode != EXIT_DONE and f'slot "{slot}" of the replay is gone' in \
        checked.stdout
    assert replay(scene, "b").returncode == EXIT_DONE
    scene.target.execute("create schema proof; grant all on schema proof to public")
    copy = killed_replay(scene, "b", "after_connect", "--into", "proof")
    assert [(entry["purpose"], entry["name"]) for entry in status(scene)["kept"]] == \
        [("bookmark", "b"), ("copy", "proof")]
    checked = scene.run("check").stdout
    assert 'copy of the history in schema "proof" is not finished' in checked
    assert f"pg_drop_replication_slot('{copy}')" in checked
    drop_slot(scene, copy)
    assert "is not finished" not in scene.run("check").stdout
    # A bookmark whose slot is gone, and a slot whose bookmark is.
    scene.source.execute("select pg_copy_logical_replication_slot(%s, %s)",
                         (kept, f"pgchronicle_bookmark_{scene.name}_x_12345678"))
    drop_slot(scene, kept)
    assert [entry["state"] for entry in status(scene)["kept"] if entry["name"] == "b"] == ["gone"]
    checked = scene.run("check").stdout
    assert 'bookmark "b" is of no use any more' in checked and "bookmark drop b" in checked
    assert "_x_12345678\" is of no bookmark or replay here" in checked

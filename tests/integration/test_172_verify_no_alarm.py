"""`verify` gives no alarm without a reason: columns, types, keys, partitions and filters of every
kind; what the source never sends is found, and what is known to be missing is said to be.
"""

from support.story import each
from support.type_values import GROUPS, USER_TYPE_DDL, USER_TYPES, set_hostile
from support.verified import BAG, KEYED, QUICK, assert_equal, follow, verify
from support.versions import needs

import pytest

# -- no false alarm ------------------------------------------------------------------------------

def test_renamed_excluded_and_untracked_columns_give_no_alarm(scene):
    follow(
        scene, "create table operations.t (id integer primary key, quanity integer, secret text,"
        " seen integer, v text); insert into operations.t values (1, 1, 's', 1, 'a')",
        "insert into operations.t values (2, 2, 's', 1, 'b')",
        "update operations.t set secret = 'changed'",
        "update operations.t set seen = seen + 1", "update operations.t set quanity = 5",
        "update operations.t set seen = seen + 1",
        tables={"overrides": {"operations.t": {"rename": {"quanity": "quantity"},
                                               "exclude": ["secret"],
                                               "track": ["quanity", "v"]}}})
    table = assert_equal(scene).table("t")
    assert [column["column"] for column in table["columns_not_compared"]] == ["seen"]
    scene.target.execute("update analytics.t_history set quantity = 6 where id = 2 and is_current")
    assert verify(scene).table("t")["keys"][0]["columns"] == ["quantity"]


def test_our_columns_may_have_other_names(scene):
    follow(scene, "create table operations.t (id integer primary key, valid_from text, lsn_from "
            "text); insert into operations.t values (1, 'a', 'b')",
            "update operations.t set valid_from = 'c'", "delete from operations.t",
            "insert into operations.t values (2, 'x', 'y')",
            tables={"history_columns": {"valid_from": "begins", "lsn_from": "begins_lsn"}})
    assert_equal(scene)
    scene.target.execute("update analytics.t_history set begins_lsn = begins_lsn + 1 "
                         "where operation_type = 'DELETE'")
    assert "v04_no_hole" in verify(scene).labels()


def test_a_change_of_shape_that_no_row_has_shown_yet_gives_no_alarm(scene):
    service = follow(scene, "create table operations.t (id integer primary key, v text, w text,"
                      " gone text); insert into operations.t values (1, 'a', 'b', 'c')")
    each(scene, "alter table operations.t rename v to called",
         "alter table operations.t add added integer default 7",
         "alter table operations.t drop gone")
    table = assert_equal(scene).table("t")
    assert [column["column"] for column in table["columns_not_compared"]] == ["added"]
    each(scene, "insert into operations.t values (2, 'x', 'y', 8)")
    scene.catch_up(service)
    assert assert_equal(scene).table("t")["columns_not_compared"] == []
    scene.target.execute("update analytics.t_history set added = null where id = 1")
    assert verify(scene).table("t")["keys"][0]["columns"] == ["added"]


def test_row_filters_and_column_lists_are_the_publications(scene):
    needs(scene.source, 15, "row filters")
    scene.source.execute(
        "create table operations.t (id integer primary key, v text, hidden text);"
        "alter table operations.t replica identity full;"
        "insert into operations.t select g, 'v', 'h' from generate_series(1, 20) g;"
        "create table operations.u (id integer primary key, v text, hidden text);"
        "insert into operations.u values (1, 'a', 'h')")
    scene.publish("table operations.t where (id > 10), operations.u (id, v)")
    scene.configure(**QUICK)
    scene.start_streaming()
    each(scene, "update operations.t set id = id - 100 where id in (11, 12)",
         "update operations.t set id = id + 100 where id in (3, 4)", "delete from operations.t "
         "where id = 20", "insert into operations.u values (2, 'b', 'h')",
         "update operations.u set v = 'c'")
    tables = assert_equal(scene).tables
    assert {name: table["rows"] for name, table in tables.items()} == {
        "operations.t": 9, "operations.u": 2}


PARTITIONS = ("create table operations.p (id integer primary key, v text) partition by range (id);"
              "create table operations.p1 partition of operations.p for values from (0) to (100);"
              "create table operations.p2 partition of operations.p for values from (100) to (200);"
              "insert into operations.p select g, 'v' from generate_series(90, 110) g")


@pytest.mark.parametrize("root", [False, True], ids=["leaves", "root"])
def test_partitions_are_compared_as_they_are_published(scene, root):
    scene.source.execute(PARTITIONS)
    scene.publish(f"all tables with (publish_via_partition_root = {str(root).lower()})")
    scene.configure(**QUICK)
    scene.start_streaming()
    each(scene, "update operations.p set id = id + 50 where id = 95",
         "update operations.p set v = 'w' where id > 105")
    tables = assert_equal(scene).tables
    assert {name: table["rows"] for name, table in tables.items()} == (
        {"operations.p": 21} if root else {"operations.p1": 9, "operations.p2": 12})


def test_odd_tables_and_keys_give_no_alarm(scene):
    """Rows without a key, names, generated columns, no columns, keys written in several ways."""
    follow(scene, BAG + "; insert into operations.bag values ('a'), ('a'), (null), ('');"
           'create table operations."Odd ""T\n" ("k 1" integer, "{{history}}" text, '
           'primary key ("{{history}}", "k 1"));'
           "create table operations.g (id integer primary key, twice integer generated always as "
           "(id * 2) stored);"
           "create table operations.none ();"
           "alter table operations.none replica identity full;"
           "insert into operations.none default values;"
           "insert into operations.none default values;"
           "create table operations.keys (n numeric, c char(5), f float8, i interval, "
           "primary key (n, c, f, i)); insert into operations.keys values (1.0, 'a', 0, '24:00');"
           "create table operations.wide (k text primary key, v text);"
           "insert into operations.wide values (repeat('w', 100000), 'v')",
           "insert into operations.bag values ('a'), (null), ('')",
           "delete from operations.bag where ctid = (select min(ctid) from operations.bag)",
           "update operations.bag set v = 'b' where ctid = (select max(ctid) from operations.bag)",
           'insert into operations."Odd ""T\n" values (1, \'a\'), (2, \'b\')',
           'update operations."Odd ""T\n" set "k 1" = 3 where "k 1" = 2',
           "insert into operations.g values (1), (2)",
           "insert into operations.none default values",
           "update operations.keys set n = 1.00", "update operations.keys set f = '-0'",
           "update operations.keys set i = '1 day'",
           "insert into operations.keys values (2, 'b', 1, '0')",
           "update operations.wide set v = 'w'")
    verdict = assert_equal(scene)
    assert {name: table["rows"] for name, table in verdict.tables.items()} == {
        'operations.Odd "T\n': 2, "operations.bag": 6, "operations.g": 2, "operations.keys": 2,
        "operations.none": 3, "operations.wide": 1}
    sample = assert_equal(scene, "--table", "keys", "--sample", "50%")
    assert sample.table("keys")["invariants"] == 18
    scene.target.execute("update analytics.wide_history set v = 'x' where is_current")
    [key] = verify(scene).table("wide")["keys"]
    assert key == {"kind": "differs", "key": {"k": "w" * 500}, "count": 1, "columns": ["v"]}


def test_servers_of_different_encodings_are_compared(make_scene, source_cluster, target_cluster,
                                                     program):
    scene = make_scene(source_cluster, target_cluster)
    scene.source.make_again("template template0 encoding 'LATIN1' locale 'C'")
    scene.add_schema("operations")
    follow(scene, KEYED + "; insert into operations.t values (1, 'äöü')",
            "insert into operations.t values (2, 'ß')", "update operations.t set v = v || 'é'")
    assert_equal(scene)
    scene.target.execute("update analytics.t_history set v = 'äöüe' where id = 1 and is_current")
    verdict = verify(scene)
    assert verdict.keys() == {"1"} and verdict.labels() == {"differs"}


def test_no_type_gives_an_alarm_however_the_servers_print_it(scene):
    set_hostile(scene.source, scene.target)
    scene.source.execute("create table operations.named (id integer primary key);" + USER_TYPE_DDL)
    types = {kind: values for group in (*GROUPS.values(), USER_TYPES)
             for kind, values in group.items()}
    for number, (kind, values) in enumerate(types.items()):
        table = f"operations.m{number}"
        scene.source.execute(f"create table {table} (id integer primary key, v {kind})")
        rows = []
        for place, value in enumerate([*values, "null"]):
            head, _, tail = value.partition(" from ")
            rows.append(f"insert into {table} select {place}, ({head})::{kind}"
                        + (f" from {tail}" if tail else ""))
        scene.source.execute(";".join(rows))
    scene.publish()
    scene.configure(**QUICK)
    scene.start_streaming(timeout=120)
    for number in range(len(types)):
        scene.source.execute(f"insert into operations.m{number} select id + 100, v from "
                             f"operations.m{number}; update operations.m{number} set v = v "
                             "where id % 2 = 0")
    tables = assert_equal(scene).tables
    assert len(tables) == len(types) + 1 and all(t["rows"] for n, t in tables.items()
                                                 if not n.endswith("named"))


# -- how rows begin and end, beside test_171_verify_planted.py -----------------------------------

def test_rows_that_begin_with_a_change_give_no_alarm_where_that_is_allowed(scene):
    service = follow(scene, KEYED, "insert into operations.t select g, 'a' from "
                     "generate_series(1, 4) g",
                     tables={"overrides": {"operations.t": {"on_unknown_key": "open"}}})
    scene.catch_up(service)
    scene.target.execute("delete from analytics.t_history where id in (1, 2)")
    each(scene, "update operations.t set v = 'b' where id = 1",
         "update operations.t set id = 11 where id = 1", "delete from operations.t where id = 2")
    assert_equal(scene)
    assert service.stop() == 0
    scene.configure(tables={"overrides": {"operations.t": {"on_unknown_key": "stop"}}})
    service = scene.start_streaming()
    scene.catch_up(service)
    assert verify(scene).labels() == {"v04_chain_begins", "v04_tombstone_alone"}
    assert service.stop() == 0
    assert scene.run("repair", "reseed", "operations.t", "--reason", "on_unknown_key").returncode \
        == 0
    service = scene.start_streaming()
    scene.catch_up(service)
    assert_equal(scene)


MOVES = [
    "update operations.t set id = 100 where id = 1; update operations.t set id = 1 where id = 2;"
    "update operations.t set id = 2 where id = 100",
    "update operations.t set id = 103 where id = 3; insert into operations.t values (3, 'new');"
    "update operations.t set v = 'moved' where id = 103",
    "update operations.t set id = 104 where id = 4; delete from operations.t where id = 104",
    "update operations.t set v = 'last'; delete from operations.t where id in (5, 6)",
    "delete from operations.t where id = 7; insert into operations.t values (7, 'again')",
    "insert into operations.t values (50, 'x'); update operations.t set id = 51 where id = 50",
    "update operations.t set v = 'before'; truncate operations.t;"
    "insert into operations.t values (8, 'after')",
]


@pytest.mark.parametrize("identity", ["default", "full"])
def test_keys_that_move_within_a_transaction_give_no_alarm(scene, identity):
    rows = "insert into operations.t select g, 'a' from generate_series(1, 9) g"
    service = follow(scene, f"{KEYED}; {rows}; alter table operations.t replica identity "
                     f"{identity}", tables={"intra_transaction": "collapse"})
    each(scene, *(f"begin; {move}; commit" for move in MOVES))
    assert_equal(scene)
    assert service.stop() == 0
    scene.configure(tables={"intra_transaction": "keep"})
    scene.start_streaming()
    each(scene, rows + " on conflict do nothing", *(f"begin; {move}; commit" for move in MOVES))
    verdict = verify(scene)
    # As sql/checks/README.md says: 3 was used again where 103 had come from.
    assert verdict.labels() == {"v04_chain_begins"} and verdict.keys() == {"103"}, verdict


def test_last_values_that_the_source_shows_otherwise_give_no_alarm(scene):
    """Labels that are renamed, and columns that come and go."""
    follow(scene, "create type operations.mood as enum ('sad', 'ok');"
           "create table operations.t (id integer primary key, m operations.mood, v text, w text);"
           "alter table operations.t replica identity full",
           "insert into operations.t select g, 'sad', 'v', 'w' from generate_series(1, 5) g",
           "alter type operations.mood rename value 'sad' to 'blue'",
           "delete from operations.t where id = 1", "alter table operations.t drop w",
           "delete from operations.t where id = 2", "alter table operations.t add w text",
           "alter table operations.t add x integer default 7",
           "delete from operations.t where id = 3", "alter table operations.t rename v to u",
           "delete from operations.t where id = 4", "delete from operations.t")
    assert_equal(scene)


# -- what the source never sends, and what is known to be missing --------------------------------

def test_rows_that_vanish_with_their_partition_are_found(scene):
    scene.source.execute(PARTITIONS + "; create table operations.p3 partition of operations.p "
                         "for values from (200) to (300);"
                         "insert into operations.p values (201, 'x'), (202, 'y')")
    scene.publish("all tables with (publish_via_partition_root = true)")
    scene.configure(**QUICK)
    scene.start_streaming()
    assert_equal(scene)
    scene.source.execute("truncate operations.p1")
    truncated = verify(scene)
    assert truncated.keys() == {str(i) for i in range(90, 100)}
    assert truncated.labels() == {"not in source"}
    scene.source.execute("drop table operations.p1; alter table operations.p detach partition "
                         "operations.p3")
    assert verify(scene, "--table", "p").keys() == {*map(str, range(90, 100)), "201", "202"}


def test_what_cannot_be_compared_is_said_and_the_rest_is(scene):
    names = ("lost", "gone", "unlogged", "taken", "kept")
    service = follow(scene, ";".join(f"create table operations.{name} (id integer primary key, "
                                     f"v text); insert into operations.{name} values (1, 'a')"
                                     for name in names))
    scene.catch_up(service)
    scene.target.execute("alter table analytics.lost_history drop v cascade;"
                         "drop table analytics.gone_history cascade")
    each(scene, "alter table operations.unlogged set unlogged",
         "insert into operations.unlogged values (2, 'b')",
         "drop table operations.taken; create table operations.taken (id integer primary key)",
         "insert into operations.kept values (2, 'b')")
    verdict = verify(scene)
    assert verdict.code == 1 and set(verdict.tables) == {f"operations.{name}" for name in names}
    assert verdict.table("kept")["equal"] and verdict.table("kept")["rows"] == 2
    assert {name: verdict.table(name)["why"] for name in names[:3]} == {
        "lost": 'its history has lost column "v"', "gone": "its history table is gone",
        "unlogged": "it is unlogged now, and not published any more"}
    # Unless `run` has looked already, as it does every ten seconds.
    assert verdict.table("taken")["equal"] or verdict.table("taken")["why"] in (
        "another table has taken its name, which the history has not followed yet",
        '"run" is still to compare its rows with the source\'s once more')
    text = scene.run("verify")
    assert "operations.gone: not compared, its history table is gone" in text.stdout
    assert "operations.kept" in text.stdout and " tables not compared in " in text.stdout


def test_what_a_table_in_quarantine_lacks_is_a_difference(scene):
    service = follow(scene, KEYED + "; create table operations.kept (id integer primary key)",
                     "insert into operations.t values (1, 'a')",
                     tables={"on_error": "quarantine"})
    scene.catch_up(service)
    scene.target.execute("alter table analytics.t_history add check (v <> 'refused')")
    each(scene, "insert into operations.t values (2, 'refused')", "delete from operations.t "
         "where id = 1", "insert into operations.kept values (1)")
    service.wait_event("table_quarantined", timeout=60)
    since = scene.target.value("select from_lsn::text from pgchronicle.quarantine")
    verdict = verify(scene)
    table = verdict.table("t")
    assert verdict.code == 1 and verdict.keys() == {"1", "2"}
    assert (table["differences"], table["gaps"], table["why"]) == (
        2, 0, f"it is in quarantine, and its history ends at {since}")
    assert verdict.table("kept")["equal"]
    text = scene.run("verify")
    assert text.returncode == 1 and "NOT equal: 2 differences in" in text.stdout
    scene.target.execute("drop table analytics.t_history cascade")
    verdict = verify(scene)
    table = verdict.table("t")
    assert verdict.code == 1 and (table["outcome"], table["why"]) == (
        "unknown",
        f"it is in quarantine, and its history ends at {since}; its history table is gone")


def test_a_dropped_table_is_found(scene):
    follow(scene, KEYED + "; create table operations.kept (id integer primary key)",
            "insert into operations.t values (1, 'a'), (2, 'b')", "delete from operations.t "
            "where id = 2", "drop table operations.t")
    verdict = verify(scene)
    assert verdict.table("t")["outcome"] == "dropped" and verdict.keys() == {"1"}
    assert verdict.table("kept")["equal"]


def test_a_rewrite_that_nobody_has_seen_yet_is_found(scene):
    scene.configure(snapshot="never")  # Else `run` would compare the table by itself, and soon.
    follow(scene, KEYED, "insert into operations.t values (1, 'a')",
            "alter table operations.t alter v type text using v || '!'")
    verdict = verify(scene)
    assert verdict.keys() == {"1"} and verdict.table("t")["keys"][0]["columns"] == ["v"]


def test_a_gap_that_is_recorded_is_no_difference(scene):
    service = follow(scene, KEYED, *(f"insert into operations.t values ({i}, 'a')"
                                      for i in range(1, 4)))
    scene.catch_up(service)
    [(first, last)] = scene.target.query("select min(lsn_from)::text, max(lsn_from)::text "
                                         "from analytics.t_history")
    scene.target.execute("delete from analytics.t_history where id = 2")
    assert verify(scene).keys() == {"2"}
    scene.target.execute("insert into pgchronicle.gap (pipeline, from_lsn, to_lsn, reason) "
                         "values (%s, %s, %s, 'skipped by an operator')", (scene.name, first, last))
    table = assert_equal(scene).table("t")
    assert (table["gaps"], table["differences"]) == (1, 0)
    each(scene, "insert into operations.t values (9, 'later')")
    scene.catch_up(service)
    scene.target.execute("update analytics.t_history set v = 'x' where id = 9")
    assert verify(scene).keys() == {"9"}, "what was written behind a gap has to be right"


def test_a_gap_may_have_swallowed_what_was_between_two_tombstones(scene):
    service = follow(scene, KEYED, "insert into operations.t values (1, 'a'), (2, 'b')",
                     "delete from operations.t where id = 1",
                     "insert into operations.t values (1, 'c')",
                     "delete from operations.t where id = 1")
    scene.catch_up(service)
    scene.target.execute("delete from analytics.t_history where id = 1 and v = 'c' "
                         "and operation_type = 'INSERT'")
    assert verify(scene).labels() == {"v04_tombstone_follows"}
    [(lsn,)] = scene.target.query("select min(lsn_from)::text from analytics.t_history "
                                  "where operation_type = 'DELETE'")
    scene.target.execute("insert into pgchronicle.gap (pipeline, from_lsn, to_lsn, reason) values "
                         "(%s, %s, %s::pg_lsn + 1, 'skipped by an operator')",
                         (scene.name, lsn, lsn))
    assert assert_equal(scene).table("t")["gaps"] == 1
    scene.target.execute("update pgchronicle.gap set from_lsn = '0/1', to_lsn = '0/2'")
    assert verify(scene).labels() == {"v04_tombstone_follows"}, "the gap is somewhere else"


def test_a_comparison_ends_what_a_gap_explains(scene):
    service = follow(scene, KEYED, "insert into operations.t values (1, 'a'), (2, 'b')")
    scene.catch_up(service)
    assert service.stop() == 0
    scene.target.execute("delete from analytics.t_history where id = 2")
    end = scene.target.value("select position::text from pgchronicle.checkpoint")
    scene.target.execute("insert into pgchronicle.gap (pipeline, from_lsn, to_lsn, reason) values "
                         "(%s, %s, %s, 'skipped by an operator')", (scene.name, end, end))
    assert scene.run("repair", "reseed", "operations.t", "--reason", "a gap").returncode == 0
    service = scene.start_streaming()
    scene.catch_up(service)
    assert assert_equal(scene).table("t")["gaps"] == 0
    scene.target.execute("delete from analytics.t_history where id = 1")
    assert verify(scene).keys() == {"1"}


def test_a_value_that_nobody_knows_is_a_gap_where_that_is_recorded(scene):
    needs(scene.source, 15, "row filters")
    scene.source.execute(
        "create table operations.t (id integer primary key, k integer, big text, v text);"
        "alter table operations.t alter big set storage external;"
        "create unique index t_k on operations.t (id, k);"
        "alter table operations.t alter k set not null;"
        "alter table operations.t replica identity using index t_k;"
        "insert into operations.t select g, g, repeat('x', 10000), 'v' "
        "from generate_series(1, 4) g")
    scene.publish("table operations.t where (k > 100)")
    scene.configure(**QUICK)
    service = scene.start_streaming()
    each(scene, "update operations.t set k = k + 100 where id in (1, 2)")
    scene.catch_up(service)
    assert scene.target.value("select count(*) from pgchronicle.gap where reason = "
                              "'value_unknown'") > 0
    table = assert_equal(scene).table("t")
    assert (table["gaps"], table["differences"]) == (2, 0)
    scene.target.execute("update analytics.t_history set v = 'w' where id = 1")
    verdict = verify(scene)
    assert verdict.keys() == {"1"} and verdict.table("t")["gaps"] == 1


def test_rows_that_were_never_copied_are_no_differences(scene):
    scene.configure(snapshot="never")
    follow(scene, KEYED + "; insert into operations.t values (1, 'a'), (2, 'b')",
            "update operations.t set v = 'c' where id = 2")
    table = assert_equal(scene).table("t")
    assert (table["unseen"], table["versions"], table["differences"]) == (1, 1, 0)
    scene.target.execute("update analytics.t_history set v = 'd'")
    assert verify(scene).keys() == {"2"}
    scene.target.execute("update analytics.t_history set is_current = false, "
                         "valid_to = valid_from, lsn_to = lsn_from, operation_type = 'DELETE'")
    verdict = verify(scene)
    assert verdict.labels() == {"missing in history"} and verdict.keys() == {"2"}, "it was seen"
    assert verdict.table("t")["unseen"] == 1



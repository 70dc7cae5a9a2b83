"""Replica identities that change or name nothing, messages and origins, partitions that are
truncated and deleted from, column lists and row filters.

A line of an expected log is (commit, change_seq, operation, columns ..., commit that ended it).
"""

import dataclasses

import psycopg2
import pytest

from support.pgchronicle import EXIT_OPERATOR
from support.story import KEYED, begin, each, finish
from support.version_log import log_of, logs
from support.versions import needs
from support.waiting import wait_until

TABLE = ("create table operations.t (id integer primary key, code text not null, v text, big text);"
         "create unique index t_code on operations.t (code);"
         "alter table operations.t alter big set storage external;")
BIG = "repeat('b', 5000)"


def _identity(kind, table="t"):
    return f"alter table operations.{table} replica identity {kind}"


def _stopped(scene, service):
    scene.catch_up(service)
    assert service.stop() == 0, service.tail()


# -- identities -------------------------------------------------------------------------------

def test_under_identity_nothing_inserts_are_kept_and_the_source_refuses_the_rest(scene):
    oracle, service = begin(
        scene, "create table operations.t (id integer primary key, v text);"
        + _identity("nothing") + "; create table operations.u (v text);"
        "insert into operations.t values (1, 'old'); insert into operations.u values ('old')",
        "t", "u")
    each(scene, "insert into operations.t values (2, 'a'); insert into operations.u values ('a')")
    for change in ("update operations.t set v = 'b'", "delete from operations.t",
                   "update operations.u set v = 'b'"):
        with pytest.raises(psycopg2.Error, match="replica identity"):
            scene.source.execute(change)
    each(scene, "truncate operations.t, operations.u", "insert into operations.t values (2, 'c')")
    finish(scene, service, oracle, scene.spec("t"), scene.spec("u"))
    assert log_of(scene, "t", "id, v") == [
        (1, 0, "SNAPSHOT", 1, "old", 3), (2, 1, "INSERT", 2, "a", 3),
        (3, 1, "TRUNCATE", 1, "old", 3), (3, 1, "TRUNCATE", 2, "a", 3),
        (4, 1, "INSERT", 2, "c", None)]


def test_an_identity_may_change_between_the_key_and_full_and_nothing(scene):
    oracle, service = begin(scene, TABLE, "t")
    each(scene, f"insert into operations.t select g, 'c' || g, 'a', {BIG} from "
                "generate_series(1, 4) g")
    for n, kind in enumerate(["full", "default", "full", "nothing", "default", "nothing", "full"]):
        each(scene, _identity(kind))
        if kind == "nothing":
            each(scene, f"insert into operations.t values ({10 + n}, 'c{10 + n}', 'n', {BIG})")
            continue
        each(scene, f"update operations.t set v = '{n} {kind}' where id < 3",
             f"update operations.t set id = id + 100 where id % 100 = 4;"
             f"delete from operations.t where id = 3; insert into operations.t values (3, 'c3', "
             f"'{n}', {BIG}); update operations.t set v = v || '.' where id = 3")
        if n % 2:
            scene.catch_up(service)
    finish(scene, service, oracle, scene.spec("t"))
    assert [row[2:5] for row in log_of(scene, "t", "id, v") if row[3] == 1] == [
        ("INSERT", 1, "a"), ("UPDATE", 1, "0 full"), ("UPDATE", 1, "1 default"),
        ("UPDATE", 1, "2 full"), ("UPDATE", 1, "4 default"), ("UPDATE", 1, "6 full")]
    assert scene.target.value("select min(length(big)) from analytics.t_history") == 5000


def test_an_identity_may_change_to_an_index_of_the_same_key_and_back(scene):
    oracle, service = begin(scene, TABLE + "create unique index t_id on operations.t (id)", "t")
    each(scene, f"insert into operations.t values (1, 'one', 'a', {BIG}), (2, 'two', 'a', {BIG})")
    kinds = ["full", "using index t_id", "nothing", "using index t_id", "full", "default"]
    for n, kind in enumerate(kinds):
        each(scene, _identity(kind))
        if kind != "nothing":
            each(scene, f"update operations.t set v = '{n}' where id = 1",
                 f"update operations.t set id = {n} + 100 where code = 'two'")
        each(scene, f"insert into operations.t values ({10 + n}, 'c{n}', 'n', {BIG})")
        scene.catch_up(service)
    each(scene, "delete from operations.t where code = 'two'")
    finish(scene, service, oracle, scene.spec("t"))
    assert [row[2:5] for row in log_of(scene, "t", "id, v") if row[3] == 1] == [
        ("INSERT", 1, "a"), ("UPDATE", 1, "0"), ("UPDATE", 1, "1"), ("UPDATE", 1, "3"),
        ("UPDATE", 1, "4"), ("UPDATE", 1, "5")]


@pytest.mark.parametrize("before, after", [("default", "using index t_code"),
                                           ("using index t_code", "default"),
                                           ("using index t_code", "full")])
def test_an_identity_that_makes_another_key_stops_with_nothing_written(scene, before, after):
    _, service = begin(scene, TABLE + _identity(before), "t")
    each(scene, f"insert into operations.t values (1, 'one', 'a', {BIG})")
    scene.catch_up(service)
    written = log_of(scene, "t", "id, code, v")
    each(scene, _identity(after), "update operations.t set code = 'uno', v = 'b'")
    assert service.wait(30) == EXIT_OPERATOR, service.tail()
    assert "row key of table" in service.tail() and "HINT" in service.tail()
    assert log_of(scene, "t", "id, code, v") == written


def test_an_identity_that_changed_while_nobody_looked_is_read_as_it_was(scene):
    oracle, service = begin(scene, TABLE, "t")
    each(scene, f"insert into operations.t select g, 'c' || g, 'a', {BIG} from "
                "generate_series(1, 4) g")
    _stopped(scene, service)
    each(scene, "update operations.t set v = 'default' where id = 1", _identity("full"),
         "update operations.t set v = 'full' where id < 3; delete from operations.t where id = 3",
         _identity("default"), "update operations.t set id = 40 where id = 4")
    service = scene.start_streaming()
    finish(scene, service, oracle, scene.spec("t"))
    assert [row[2:] for row in log_of(scene, "t", "id, v") if row[0] > 1] == [
        ("UPDATE", 1, "default", 3), ("UPDATE", 2, "full", None), ("UPDATE", 1, "full", None),
        ("DELETE", 3, "a", 3), ("REKEY", 4, "a", 4), ("UPDATE", 40, "a", None)]


@pytest.mark.parametrize("change", ["add column extra text", "drop column v"])
def test_without_a_key_rows_are_found_by_the_index_after_a_change_of_shape(scene, change):
    rows = 500
    oracle, service = begin(
        scene, "create table operations.t (id integer, v text, w text);" + _identity("full")
        + f"; insert into operations.t select i, 'a', 'a' from generate_series(1, {rows}) i", "t")
    each(scene, f"alter table operations.t {change}", "update operations.t set w = 'b'",
         "update operations.t set w = 'c'")
    _stopped(scene, service)

    def reads():
        written, read = scene.target.query(
            "select n_tup_ins, seq_tup_read from pg_stat_all_tables "
            "where relid = 'analytics.t_history'::regclass")[0]
        return read if written >= 3 * rows else None
    # One look at each of the others would be half a million.
    assert wait_until(reads, 30, "the statistics") < 20 * rows
    finish(scene, scene.start_streaming(), oracle, scene.spec("t"))



# -- messages and origins ---------------------------------------------------------------------

def test_messages_take_no_number_and_leave_nothing(scene):
    oracle, service = begin(scene, KEYED, "t")
    message = "select pg_logical_emit_message({}, 'prefix', {})"
    each(scene, message.format("true", "'alone'"), message.format("false", "'alone'"),
         "insert into operations.t values (1, 'a');" + message.format("true", "repeat('m', 100000)")
         + "; update operations.t set v = 'b';" + message.format("false", "'inside'::bytea")
         + "; update operations.t set v = 'c'")
    connection = scene.source.connect(autocommit=False)
    with connection.cursor() as cursor:
        cursor.execute("insert into operations.t values (2, 'never');"
                       + message.format("false", "'stays though it is rolled back'"))
        connection.rollback()
    connection.close()
    finish(scene, service, oracle, scene.spec("t"))
    assert log_of(scene, "t", "id, v") == [
        (1, 1, "INSERT", 1, "a", 1), (1, 2, "UPDATE", 1, "b", 1), (1, 3, "UPDATE", 1, "c", None)]


def test_rows_that_came_from_another_origin_are_rows(scene):
    oracle, service = begin(scene, KEYED + "; insert into operations.t values (0, 'old')", "t")
    name = f"origin \"'{scene.number}"
    connection = scene.source.connect(autocommit=False)
    with connection.cursor() as cursor:
        cursor.execute("select pg_replication_origin_create(%s)", (name,))
        cursor.execute("select pg_replication_origin_session_setup(%s)", (name,))
        connection.commit()
        for number in (1, 2):
            cursor.execute("select pg_replication_origin_xact_setup(%s, '2001-02-03 04:05:06+00')",
                           (f"0/{number}000",))
            cursor.execute("insert into operations.t values (%s, 'from elsewhere')", (number,))
            connection.commit()
        cursor.execute("select pg_replication_origin_session_reset()")
        cursor.execute("select pg_replication_origin_drop(%s)", (name,))
        connection.commit()
    connection.close()
    each(scene, "update operations.t set v = 'ours' where id = 1")
    finish(scene, service, oracle, scene.spec("t"))
    assert log_of(scene, "t", "id, v") == [
        (1, 0, "SNAPSHOT", 0, "old", None), (2, 1, "INSERT", 1, "from elsewhere", 4),
        (3, 1, "INSERT", 2, "from elsewhere", None), (4, 1, "UPDATE", 1, "ours", None)]
    # Such a commit has the time of its origin, and the recorded times do not go back to it.
    assert scene.target.query("select count(distinct valid_from)::integer from analytics.t_history "
                              "where lsn_from < (select max(lsn_from) from analytics.t_history)") \
        == [(1,)]


# -- partitions -------------------------------------------------------------------------------

# Two levels: p -> p1 (a leaf), p2 -> p21 and p22.
TREE = """
create table operations.p (id integer, part integer, v text, primary key (id, part))
    partition by range (part);
create table operations.p1 partition of operations.p for values from (0) to (10);
create table operations.p2 partition of operations.p for values from (10) to (30)
    partition by range (part);
create table operations.p21 partition of operations.p2 for values from (10) to (20);
create table operations.p22 partition of operations.p2 for values from (20) to (30);
"""
LEAVES = ["p1", "p21", "p22"]
ROWS = "insert into operations.p values (1, 1, 'a'), (2, 11, 'b'), (3, 21, 'c')"


LEVELS = {"p": LEAVES, "p2": ["p21", "p22"], "p21": ["p21"]}


def test_leaves_end_what_is_deleted_or_truncated_at_any_level(scene):
    oracle, service = begin(scene, TREE, *LEAVES)
    expected = {leaf: [] for leaf in LEAVES}
    commit = 0
    for level, ended in LEVELS.items():
        rest = [leaf for leaf in LEAVES if leaf not in ended]
        for how, operation in (("delete from", "DELETE"), ("truncate", "TRUNCATE")):
            each(scene, ROWS, f"{how} operations.{level}", "delete from operations.p")
            for row, leaf in enumerate(LEAVES, 1):
                # A TRUNCATE takes one number, whatever it names.
                end, place, by = (commit + 2, ended.index(leaf) + 1, operation) \
                    if leaf in ended else (commit + 3, rest.index(leaf) + 1, "DELETE")
                expected[leaf] += [(commit + 1, row, "INSERT", row, end),
                                   (end, 1 if by == "TRUNCATE" else place, by, row, end)]
            commit += 3 if rest else 2
    finish(scene, service, oracle, *map(scene.spec, LEAVES))
    assert logs(scene, **dict.fromkeys(LEAVES, "id")) == expected


def test_the_root_ends_what_is_deleted_at_any_level(scene):
    each(scene, TREE)
    scene.publish("all tables with (publish_via_partition_root = true)")
    oracle = scene.oracle("p")
    oracle.root_of = {("operations", leaf): ("operations", "p") for leaf in [*LEAVES, "p2"]}
    service = scene.start_streaming()
    for level in LEVELS:
        each(scene, ROWS, f"delete from operations.{level}", "delete from operations.p")
    finish(scene, service, oracle, scene.spec("p"))
    assert [row[:4] for row in log_of(scene, "p", "id") if row[2] == "DELETE"] == [
        (2, 1, "DELETE", 1), (2, 2, "DELETE", 2), (2, 3, "DELETE", 3),
        (4, 1, "DELETE", 2), (4, 2, "DELETE", 3), (5, 1, "DELETE", 1),
        (7, 1, "DELETE", 2), (8, 1, "DELETE", 1), (8, 2, "DELETE", 3)]


def test_a_truncate_is_sent_of_the_root_alone_where_the_root_is_published(scene):
    """As the README says: a TRUNCATE of one partition is not sent, and its rows stay open."""
    each(scene, TREE)
    scene.publish("all tables with (publish_via_partition_root = true)")
    service = scene.start_streaming()
    each(scene, ROWS, "truncate operations.p21", "truncate operations.p2",
         "insert into operations.p values (4, 1, 'd')")
    scene.catch_up(service)
    inserted = [(1, 1, "INSERT", 1), (1, 2, "INSERT", 2), (1, 3, "INSERT", 3), (2, 1, "INSERT", 4)]
    assert log_of(scene, "p", "id") == [(*row, None) for row in inserted]
    each(scene, "truncate operations.p")
    _stopped(scene, service)
    assert log_of(scene, "p", "id") == [(*row, 3) for row in inserted] \
        + [(3, 1, "TRUNCATE", row, 3) for row in (1, 2, 3, 4)]


@pytest.mark.parametrize("root, leaf", [
    ("full", "default"), ("default", "full"), ("full", "full")])
def test_a_partition_may_have_another_identity_than_its_root(scene, root, leaf):
    each(scene, TREE.replace("v text,", "v text, big text,"),
         *(f"alter table operations.{name} alter big set storage external" for name in LEAVES),
         _identity(root, "p"), *(_identity(leaf, name) for name in LEAVES))
    scene.publish("all tables with (publish_via_partition_root = true)")
    oracle = scene.oracle("p")
    oracle.root_of = {("operations", name): ("operations", "p") for name in [*LEAVES, "p2"]}
    service = scene.start_streaming()
    each(scene, f"insert into operations.p select g, g, 'a', {BIG} from generate_series(9, 12) g",
         "update operations.p set v = 'b' where id = 9",
         "update operations.p set id = 100 where id = 10",
         "update operations.p set part = 25 where id = 11", "delete from operations.p where "
         "id = 12")
    finish(scene, service, oracle, scene.spec("p"))
    assert [row[2:] for row in log_of(scene, "p", "id, part, v, length(big)") if row[0] > 1] == [
        ("UPDATE", 9, 9, "b", 5000, None), ("REKEY", 10, 10, "a", 5000, 3),
        ("UPDATE", 100, 10, "a", 5000, None), ("DELETE", 11, 11, "a", 5000, 4),
        ("INSERT", 11, 25, "a", 5000, None), ("DELETE", 12, 12, "a", 5000, 5)]


# -- column lists and row filters -------------------------------------------------------------

@pytest.mark.parametrize("identity", ["default", "index"])
def test_columns_outside_a_column_list_are_not_in_the_history(scene, identity):
    needs(scene.source, 15, "column lists")
    each(scene, TABLE, _identity("using index t_code" if identity == "index" else "default"),
         f"insert into operations.t values (1, 'one', 'old', {BIG})")
    key = "code" if identity == "index" else "id"
    scene.publish("table operations.t (id, code, big)")
    oracle = scene.oracle("t")
    service = scene.start_streaming()
    each(scene, f"insert into operations.t values (2, 'two', 'a', {BIG})",
         "update operations.t set v = 'b'",  # The source writes the row, so it is sent.
         "update operations.t set big = 'small' where id = 1",
         "update operations.t set code = 'uno', id = 10 where id = 1",
         "delete from operations.t where id = 2")
    spec = scene.spec("t", key=[key])
    finish(scene, service, oracle, dataclasses.replace(spec, columns=["id", "code", "big"]))
    assert log_of(scene, "t", "id, code, length(big)") == [
        (1, 0, "SNAPSHOT", 1, "one", 5000, 3),
        (2, 1, "INSERT", 2, "two", 5000, 3),
        (3, 1, "UPDATE", 1, "one", 5000, 4),
        (3, 2, "UPDATE", 2, "two", 5000, 6),
        (4, 1, "UPDATE", 1, "one", 5, 5),
        (5, 1, "REKEY", 1, "one", 5, 5),
        (5, 1, "UPDATE", 10, "uno", 5, None),
        (6, 1, "DELETE", 2, "two", 5000, 6),
    ]
    assert scene.target.query("select attname::text from pg_attribute where attrelid = "
                              "'analytics.t_history'::regclass and attname = 'v'") == []


def test_a_row_filter_over_the_key_makes_new_keys_enter_and_leave(scene):
    needs(scene.source, 15, "row filters")
    row_filter = ("id < 100", lambda row: int(row["id"]) < 100)
    each(scene, KEYED, "insert into operations.t values (1, 'in'), (200, 'out')")
    scene.publish("table operations.t where (id < 100)")
    oracle = scene.oracle("t")
    service = scene.start_streaming()
    each(scene, "update operations.t set id = id + 100", "update operations.t set id = id - 100 "
         "where id = 101; update operations.t set id = 7, v = 'entered' where id = 300",
         "update operations.t set v = 'x', id = id + 1; insert into operations.t values (500, 'o')",
         "truncate operations.t")
    finish(scene, service, oracle, scene.spec("t", row_filter=row_filter))
    assert log_of(scene, "t", "id, v") == [
        (1, 0, "SNAPSHOT", 1, "in", 2), (2, 1, "DELETE", 1, "in", 2),
        (3, 1, "INSERT", 1, "in", 4), (3, 2, "INSERT", 7, "entered", 4),
        (4, 1, "REKEY", 1, "in", 4), (4, 1, "UPDATE", 2, "x", 5),
        (4, 2, "REKEY", 7, "entered", 4), (4, 2, "UPDATE", 8, "x", 5),
        (5, 1, "TRUNCATE", 2, "x", 5), (5, 1, "TRUNCATE", 8, "x", 5)]


def test_a_row_filter_and_a_column_list_hold_for_the_copy_too(scene):
    needs(scene.source, 15, "row filters")
    row_filter = ("id % 2 = 0", lambda row: int(row["id"]) % 2 == 0)
    each(scene, TABLE, f"insert into operations.t select g, 'c' || g, 'v', {BIG} from "
                       "generate_series(1, 4) g")
    scene.publish("table operations.t (id, code) where (id % 2 = 0)")
    oracle = scene.oracle("t")
    scene.create_slot()
    each(scene, "update operations.t set id = 5 where id = 4", "delete from operations.t "
         "where id < 2", "update operations.t set code = 'x' where id = 2")  # Below the seam.
    service = scene.start_streaming()
    spec = scene.spec("t", row_filter=row_filter)
    finish(scene, service, oracle, dataclasses.replace(spec, columns=["id", "code"]))
    assert [row[2:] for row in log_of(scene, "t", "id, code")] == [
        ("DELETE", 4, None, 1), ("UPDATE", 2, "x", None)]

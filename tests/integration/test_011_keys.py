"""Row keys of every kind, tables without one, and names that are hard to handle."""

import pytest

from support.story import KEYED, begin, each, finish


def test_identical_rows_without_a_key_stand_side_by_side(scene):
    oracle, service = begin(
        scene, "create table operations.t (v text, n numeric); "
        "alter table operations.t replica identity full", "t")
    one = "ctid = (select min(ctid) from operations.t where v = 'same')"
    each(scene,
         "insert into operations.t values ('same', 1), ('same', 1), ('same', 1), (null, null)",
         f"delete from operations.t where {one}",
         "insert into operations.t values ('same', 1); insert into operations.t values ('same', 1)",
         f"delete from operations.t where {one}; update operations.t set n = 2 where {one}",
         "delete from operations.t where v is null")
    scene.catch_up(service)
    each(scene,
         f"update operations.t set v = v where {one}",
         f"delete from operations.t where {one}",
         "insert into operations.t values ('other', 'NaN'); truncate operations.t;"
         "insert into operations.t values ('same', 1)")
    finish(scene, service, oracle, scene.spec("t"))


KEY_TYPES = {
    "numeric": ("numeric", "1.0", "1.00", "2.0", lambda text: text.rstrip("0")),
    "char": ("char(5)", "a", "a    ", "b", lambda text: text.rstrip(" ")),
    "float": ("double precision", "0", "-0", "1", lambda text: text.replace("-0", "0")),
}


@pytest.mark.parametrize("kind", KEY_TYPES)
@pytest.mark.parametrize("identity", ["default", "full"])
def test_a_key_that_is_written_differently_but_equal_is_no_new_key(scene, kind, identity):
    type_sql, first, equal, other, canonical = KEY_TYPES[kind]
    oracle, service = begin(
        scene, f"create table operations.t (id {type_sql} primary key, v text);"
        f"alter table operations.t replica identity {identity}", "t")
    each(scene,
         f"insert into operations.t values ('{first}', 'a')",
         f"update operations.t set id = '{equal}', v = 'b'",
         f"update operations.t set id = '{first}', v = 'c'; update operations.t set v = 'd'",
         f"update operations.t set id = '{other}'")
    scene.catch_up(service)
    each(scene, f"update operations.t set id = '{equal}'", "delete from operations.t")
    finish(scene, service, oracle, scene.spec("t", key_text={"id": canonical}))
    assert scene.target.value("select count(*) from analytics.t_history "
                              "where operation_type = 'REKEY'") == 2


def test_keys_are_swapped_and_shifted(scene):
    oracle, service = begin(
        scene, KEYED + "; alter table operations.t alter v set storage external", "t")
    each(scene,
         # Largest first, so that id + 1 never meets a key that is still taken.
         "insert into operations.t select g, repeat('v' || g, 1000) "
         "from generate_series(300, 1, -1) g",
         "update operations.t set id = -1 where id = 1; update operations.t set id = 1 "
         "where id = 2; update operations.t set id = 2 where id = -1")
    scene.catch_up(service)
    each(scene, "update operations.t set id = id + 1 where id > 2",
         "update operations.t set id = -id; update operations.t set id = -id + 1000 "
         "where id > -100")
    finish(scene, service, oracle, scene.spec("t"))


def test_a_composite_key_in_another_order_than_the_columns(scene):
    oracle, service = begin(
        scene, 'create table operations.t (v text, "B ""x" text, a integer, c timestamptz, '
        'primary key (c, a, "B ""x"))', "t")
    each(scene,
         "insert into operations.t values ('1', 'b', 1, 'epoch'), ('2', '', 2, 'infinity')",
         "update operations.t set v = '3' where a = 1",
         "update operations.t set a = 7 where a = 2", "delete from operations.t where a = 7")
    finish(scene, service, oracle, scene.spec("t"))


def test_the_index_of_a_replica_identity_is_the_key(scene):
    oracle, service = begin(
        scene, "create table operations.t (id integer primary key, code text not null, v text);"
        "create unique index t_code on operations.t (code);"
        "alter table operations.t replica identity using index t_code", "t")
    each(scene,
         "insert into operations.t values (1, 'one', 'a'), (2, 'two', 'b')",
         "update operations.t set id = 10 where code = 'one'",
         "update operations.t set code = 'uno' where id = 10",
         "delete from operations.t where code = 'two'")
    finish(scene, service, oracle, scene.spec("t", key=["code"]))


def test_tables_of_one_name_in_two_schemas_go_to_two_schemas(scene):
    scene.add_schema("other")
    scene.configure(target={"schema": "{schema}_hist"})
    oracle, service = begin(
        scene, KEYED + "; create table other.t (id integer primary key, v text)", "t")
    oracle.initial[("other", "t")] = []
    each(scene, "insert into operations.t values (1, 'a'); insert into other.t values (1, 'z')",
         "update other.t set v = 'y'; delete from operations.t")
    finish(scene, service, oracle, scene.spec("t", target_schema="operations_hist"),
           scene.spec("t", schema="other", target_schema="other_hist"))


def test_names_of_our_columns_can_be_changed(scene):
    scene.configure(tables={"history_columns": {"valid_from": "known_from",
                                                "operation_type": "operation"}})
    _, service = begin(
        scene, "create table operations.t (id integer primary key, valid_from date, "
        "operation_type text)", "t")
    each(scene, "insert into operations.t values (1, '2020-02-29', 'mine')")
    scene.catch_up(service)
    service.stop()
    assert scene.target.query(
        "select id, valid_from::text, operation_type, operation, known_from is not null "
        "from analytics.t_history") == [(1, "2020-02-29", "mine", "INSERT", True)]


def test_names_of_63_bytes_and_odd_ones_are_kept_apart(scene):
    long_a, long_b = "l" * 62 + "a", "l" * 62 + "b"
    odd = 'O"d; d-- \'rop\\ ünï'
    quoted = '"' + odd.replace('"', '""') + '"'
    _, service = begin(
        scene, f"create table operations.{long_a} (id integer primary key);"
        f"create table operations.{long_b} (id integer primary key);"
        f"create table operations.{quoted} (id integer primary key, {quoted} text, \"select\" int)")
    each(scene, f"insert into operations.{long_a} values (1); insert into operations.{long_b} "
         f"values (2); insert into operations.{quoted} values (3, 'x', 4)",
         f"update operations.{quoted} set {quoted} = 'y'")
    scene.catch_up(service)
    service.stop()
    states = dict(scene.target.query(
        "select source_table, target_table from pgchronicle.table_state"))
    assert set(states) == {long_a, long_b, odd}
    assert states[long_a] != states[long_b]
    for table, expected in ((long_a, 1), (long_b, 2), (odd, 3)):
        name = states[table].replace('"', '""')
        assert len(states[table].encode()) <= 63
        assert scene.target.query(f'select id from analytics."{name}" where is_current') \
            == [(expected,)]

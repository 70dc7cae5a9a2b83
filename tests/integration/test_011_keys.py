"""Row keys of every kind, tables without one, and names that are hard to handle."""

import random
import re
import string

import pytest

from support.story import KEYED, begin, each, finish
from support.versions import needs_lz4


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


def _wide(seed, size=2680):
    """A text that is legal as a key by itself, and too wide for an index entry with our columns;
    random, so that it cannot be compressed."""
    chance = random.Random(seed)
    return "".join(chance.choice(string.ascii_letters + string.digits) for _ in range(size))


def _key_index(scene, table):
    return scene.target.value(
        "select indexdef from pg_indexes where schemaname = 'analytics' and indexname = %s",
        (f"{table}_history_key",))


def _plans(log, statement):
    """Plans in a server's log, of statements that begin so."""
    plans = re.split(r"(?m)^(?=\d{4}-\d\d-\d\d )", log)
    return [plan for plan in plans if f"Query Text: {statement}" in plan]


def _log_plans(scene):
    """The target's log holds the plan of every statement from now on."""
    for setting in ("session_preload_libraries = 'auto_explain'",
                    "auto_explain.log_min_duration = 0"):
        scene.target.execute(f"alter database {scene.target.name} set {setting}")


@pytest.mark.parametrize("identity", ["default", "full"])
def test_keys_too_wide_for_an_index_entry_are_found_by_hash(scene, identity):
    # As the user of a wide key has it: one table meets it while streaming, one while being copied.
    ddl = ("create table operations.{0} (id text, n numeric, v text, primary key (id, n));"
           "alter table operations.{0} alter v set storage external;"
           f"alter table operations.{{0}} replica identity {identity};"
           "insert into operations.{0} select 'key ' || g, 1.0, repeat('v', 3000) "
           "from generate_series(1, 2000) g;")
    _log_plans(scene)
    first, second, third = _wide(1), _wide(2), _wide(3)
    oracle, service = begin(
        scene, ddl.format("t") + ddl.format("copied") +
        f"insert into operations.copied values ('{first}', 2.0, repeat('w', 3000))", "t", "copied")
    assert "hash" not in _key_index(scene, "t")
    assert "hash" in _key_index(scene, "copied")
    each(scene,
         "update operations.t set n = 1.00 where id = 'key 7'",
         f"insert into operations.t values ('{first}', 2.0, repeat('w', 3000)), ('key', 1, 'x')",
         f"insert into operations.t values ('{second}', 1, 'x'); delete from operations.t "
         f"where id = '{second}'; update operations.t set id = 'key 2001' where id = 'key 1'")
    scene.catch_up(service)
    assert "hash" in _key_index(scene, "t")
    mark = scene.target_cluster.log_mark()
    for table in ("t", "copied"):
        each(scene,
             f"update operations.{table} set n = 2.00 where id = '{first}'",
             f"update operations.{table} set id = '{third}' where id = '{first}'",
             f"update operations.{table} set id = 'key 3001' where id = 'key 3'",
             f"update operations.{table} set v = v || '.' where id = '{third}';"
             f"delete from operations.{table} where id in ('{third}', 'key 5')")
    canonical = {"n": KEY_TYPES["numeric"][4]}
    finish(scene, service, oracle, scene.spec("t", key_text=canonical),
           scene.spec("copied", key_text=canonical))
    assert len(service.events("reconnecting")) == 1
    # Once it knows the key it finds it: by hash, and without reading the table.
    for table in ("t", "copied"):
        scene.target.execute(f"analyze analytics.{table}_history")
        result = scene.run("history", f"operations.{table}", first, "2.000")
        assert result.returncode == 0 and result.stdout.count("REKEY") == 1, result.stderr
    log = scene.target_cluster.log_since(mark)
    for table in ("t", "copied"):
        closes = _plans(log, f'UPDATE "analytics"."{table}_history"')
        fills = _plans(log, f'INSERT INTO "analytics"."{table}_history"')
        assert closes and bool(fills) == (identity == "default")
        for plan in closes + fills:
            assert not re.search("Seq Scan on (?!pgchronicle_stage)|Sort", plan), plan
            assert re.search(r"Index Scan Backward using \w+_history_key.*\n.*"
                             r"Index Cond: \(hash_record_extended", plan), plan
    reads = _plans(log, 'SELECT "valid_from"')
    assert len(reads) == 2
    for plan in reads:
        assert re.search(r"_history_key.*\n.*Index Cond: \(hash_record_extended", plan), plan


def test_wide_keys_of_other_types_are_found_by_hash_too(scene):
    # Each is as wide as an index entry may be, and has no room for our columns beside it.
    bits = "".join(f"{byte:08b}" for byte in random.Random(4).randbytes(2680))
    _wide_keys(scene, {"bytea": f"'\\x{random.Random(5).randbytes(2680).hex()}'",
                       "varbit": f"B'{bits}'", "text[]": f"array['{_wide(6, 2656)}']",
                       "jsonb": f"'\"{_wide(7, 2672)}\"'"})


def test_a_key_that_only_the_source_can_compress_is_found_by_hash(scene):
    needs_lz4(scene.source)
    # What somebody has set stays, and pglz gives up at the value's beginning.
    scene.target.execute(f"alter database {scene.target.name} set default_toast_compression = pglz")
    _wide_keys(scene, {"bytea compression lz4": f"'\\x{random.Random(8).randbytes(1100).hex()}' || "
                                                "decode(repeat('61', 9000), 'hex')"})


def _wide_keys(scene, keys):
    tables = [f"t{number}" for number in range(len(keys))]
    oracle, service = begin(scene, "".join(
        f"create table operations.{table} (id {kind} primary key, v integer);"
        for table, kind in zip(tables, keys)), *tables)
    for table, key in zip(tables, keys.values()):
        each(scene, f"insert into operations.{table} values ({key}, 1)",
             f"update operations.{table} set v = 2; update operations.{table} set v = 3")
    scene.catch_up(service)
    for table in tables:
        assert "hash" in _key_index(scene, table)
        each(scene, f"update operations.{table} set v = 4", f"delete from operations.{table}")
    finish(scene, service, oracle, *(scene.spec(table) for table in tables))


def test_wide_keys_below_the_seam_are_found_by_hash_too(scene):
    _log_plans(scene)
    scene.source.execute("create table operations.t (id text primary key, v integer)")
    scene.publish()
    scene.create_slot()
    scene.configure(batch={"max_rows": 100})
    oracle = scene.oracle("t")
    # Several batches of new rows come first, which need no index.
    each(scene, f"insert into operations.t values ('{_wide(1)}', 0)",
         *(f"insert into operations.t select 'key ' || g, 0 from generate_series({n}, {n + 499}) g"
           for n in range(1, 2000, 500)),
         *(f"update operations.t set v = {n} where id = 'key {n}'" for n in range(1, 150)))
    mark = scene.target_cluster.log_mark()
    service = scene.start_streaming()
    finish(scene, service, oracle, scene.spec("t"))
    closes = _plans(scene.target_cluster.log_since(mark), 'UPDATE "analytics"."t_history"')
    assert closes
    for plan in closes:
        assert re.search(r"Index Scan Backward using \w+_history_key.*\n.*"
                         r"Index Cond: \(hash_record_extended", plan), plan

"""Tables of no column and of 1,600, names that are hard to write, values of many megabytes."""

import os

import pytest

from support.pgchronicle import EXIT_CHECK_FAILED, EXIT_OPERATOR
from support.story import begin, each, finish
from support.version_log import log_of

# -- wide and narrow --------------------------------------------------------------------------


def test_rows_of_no_column_are_counted(scene):
    oracle, service = begin(
        scene, "create table operations.t (); alter table operations.t replica identity full;"
        "insert into operations.t default values", "t")
    one = "ctid = (select min(ctid) from operations.t)"
    each(scene, "insert into operations.t default values", f"delete from operations.t where {one}",
         "insert into operations.t select from generate_series(1, 3)", "truncate operations.t",
         "insert into operations.t default values")
    finish(scene, service, oracle, scene.spec("t"), as_of_samples=0)
    assert scene.target.query(
        "select operation_type, count(*)::integer, count(*) filter (where is_current)::integer "
        "from analytics.t_history group by 1 order by 1") == [
        ("DELETE", 1, 0), ("INSERT", 5, 1), ("SNAPSHOT", 1, 0), ("TRUNCATE", 4, 0)]


@pytest.mark.parametrize("ddl, key", [
    ("create table operations.t (v integer)", []),
    ("create table operations.t (v integer primary key)", ["v"])])
def test_a_table_of_one_column_is_kept(scene, ddl, key):
    oracle, service = begin(
        scene, f"{ddl}; alter table operations.t replica identity full;"
        "insert into operations.t values (1), (2)", "t")
    each(scene, "update operations.t set v = v where v = 1", "update operations.t set v = 3 "
         "where v = 1", "delete from operations.t where v = 2")
    finish(scene, service, oracle, scene.spec("t"))
    assert scene.spec("t").key == key


def _columns(count, kind="integer"):
    return ", ".join(f"c{number} {kind}" for number in range(count))


def test_a_history_has_room_for_1593_columns_of_the_source(scene):
    oracle, service = begin(
        scene, f"create table operations.t (id integer primary key, {_columns(1592)});"
        "insert into operations.t (id, c0, c1591) values (1, 10, 20)", "t")
    each(scene, "insert into operations.t (id, c1591) values (2, 30)",
         "update operations.t set c800 = 5", "delete from operations.t where id = 1")
    finish(scene, service, oracle, scene.spec("t"), as_of_samples=0)
    assert log_of(scene, "t", "id, c0, c800, c1591") == [
        (1, 0, "SNAPSHOT", 1, 10, None, 20, 3), (2, 1, "INSERT", 2, None, None, 30, 3),
        (3, 1, "UPDATE", 1, 10, 5, 20, 4), (3, 2, "UPDATE", 2, None, 5, 30, None),
        (4, 1, "DELETE", 1, 10, 5, 20, 4)]


@pytest.mark.parametrize("count", [1594, 1600])
def test_a_table_without_room_for_our_columns_is_refused(scene, count):
    each(scene, f"create table operations.t (id integer primary key, {_columns(count - 1)})",
         "create table operations.u (id integer primary key)")
    scene.publish()
    result = scene.run("check")
    assert result.returncode == EXIT_CHECK_FAILED
    assert 'table "operations.t" has too many columns' in result.stdout + result.stderr
    assert f"{count} + 7" in result.stdout + result.stderr
    service = scene.start()
    assert service.wait(30) == EXIT_OPERATOR, service.tail()
    # The way out that is named.
    scene.configure(tables={"include": ["operations.*"], "overrides": {
        "operations.t": {"exclude": [f"c{n}" for n in range(20)]}}})
    assert scene.run("check").returncode == 0
    service = scene.start_streaming()
    each(scene, "insert into operations.t (id, c1, c99) values (1, 2, 3)")
    scene.catch_up(service)
    assert service.stop() == 0, service.tail()
    assert scene.history("t", columns="id, c99") == [(1, 3)]


@pytest.mark.parametrize("way", ["copied", "streamed"])
def test_a_row_that_has_no_room_for_our_columns_on_its_page_stops(scene, way):
    """Fixed-width values cannot go out of line: 8,120 bytes fit a page, and not beside ours."""
    each(scene, f"create table operations.t (id bigint primary key, {_columns(1013, 'bigint')})")
    scene.publish()
    fits = "insert into operations.t (id, c0) values (1, 1)"
    full = f"insert into operations.t values (2{', 7' * 1013})"
    each(scene, fits)
    if way == "copied":
        each(scene, full)
        service = scene.start()
    else:
        service = scene.start_streaming()
        each(scene, full)
    assert service.wait(30) == EXIT_OPERATOR, service.tail()
    assert "row is too big" in service.tail()
    assert scene.history("t", columns="id") == ([] if way == "copied" else [(1,)])
    # The way out: fewer columns.
    scene.configure(tables={"include": ["operations.*"], "overrides": {
        "operations.t": {"exclude": [f"c{n}" for n in range(900, 1013)]}}})
    service = scene.start_streaming()
    scene.catch_up(service)
    assert service.stop() == 0, service.tail()
    assert scene.target.query("select id, c0, c899 from analytics.t_current order by id") \
        == [(1, 1, None), (2, 7, 7)]


def test_dropped_columns_between_others_are_passed_over(scene):
    oracle, service = begin(
        scene, "create table operations.t (gone1 text, id integer, gone2 numeric, v text, gone3 "
        "integer[], primary key (id));"
        "alter table operations.t drop gone1, drop gone2, drop gone3, add w text default 'w';"
        "insert into operations.t values (1, 'a')", "t")
    each(scene, "insert into operations.t values (2, 'b', 'x')", "update operations.t set v = 'c'",
         "alter table operations.t replica identity full", "update operations.t set w = 'y'",
         "delete from operations.t where id = 1")
    finish(scene, service, oracle, scene.spec("t"))


# -- names ------------------------------------------------------------------------------------

NAMES = ['a"b', "''", "new\nline", "tab\t", "😀", "select", "order", "%s", "%", "{}", "$1", "back\\",
         "n" * 63, "ü" * 31, "U&\"x\"", "-- c", "; drop table x", "\u202eevil", "\u00a0", " ",
         "CamelCase", "old", "new", "ctid_", "row", "user", "null", "key_columns", "rows", "lsn"]


def _quoted(name):
    return '"' + name.replace('"', '""') + '"'


def test_columns_and_tables_have_any_name(scene):
    columns = ", ".join(f"{_quoted(name)} text" for name in NAMES)
    key = ", ".join(_quoted(name) for name in NAMES[:16])
    values = ", ".join(["'x'"] * len(NAMES))
    tables = [name for name in NAMES if len(name.encode()) <= 55]
    wide = ["default", "full"]  # Named after their identities.
    oracle, service = begin(
        scene, "".join(f"create table operations.{_quoted(name)} (id integer primary key, "
                       f"{_quoted(name)} integer);" for name in tables)
        + "".join(f'create table operations."{name}" ({columns}, primary key ({key}));'
                  f'alter table operations."{name}" replica identity {name};'
                  f'insert into operations."{name}" values ({values});' for name in wide),
        *wide, *tables)
    each(scene, *(f"insert into operations.{_quoted(name)} values (1, 1);"
                  f"update operations.{_quoted(name)} set {_quoted(name)} = 2" for name in tables))
    for table in wide:
        each(scene, *(f"""update operations."{table}" set {_quoted(name)} = 'y'"""
                      for name in NAMES), f'delete from operations."{table}"')
    finish(scene, service, oracle, *map(scene.spec, [*wide, *tables]), as_of_samples=5)


def test_every_name_of_ours_can_be_the_sources_too(scene):
    ours = ["valid_from", "valid_to", "is_current", "operation_type", "lsn_from", "lsn_to",
            "change_seq"]
    scene.configure(tables={"history_columns": {name: f"our_{name}" for name in ours}})
    _, service = begin(scene, "create table operations.t (id integer primary key, "
                       + ", ".join(f"{name} text" for name in ours) + "); insert into "
                       "operations.t values (1, 'a', 'b', 'c', 'd', 'e', 'f', 'g')", "t")
    each(scene, "update operations.t set is_current = 'C'", "delete from operations.t")
    scene.catch_up(service)
    assert service.stop() == 0, service.tail()
    assert scene.target.query(
        "select our_operation_type, our_is_current, our_change_seq::integer, valid_from, "
        "is_current, change_seq from analytics.t_history order by our_lsn_from, "
        "our_is_current, our_operation_type desc") == [
        ("SNAPSHOT", False, 0, "a", "c", "g"), ("UPDATE", False, 1, "a", "C", "g"),
        ("DELETE", False, 1, "a", "C", "g")]
    assert scene.run("check").returncode == 0


# -- large values -----------------------------------------------------------------------------

# The full form is 100 MB, 83,886,080 bits (the most there can be), and 268 MB that doubles when
# it is escaped; it takes minutes and gigabytes.
FULL_FORM = "PGCHRONICLE_LARGE_VALUES" in os.environ
MEGABYTE = 1 << 20
TEXT = 100 * MEGABYTE if FULL_FORM else 4 * MEGABYTE
BITS = 83_886_080 if FULL_FORM else 8_388_608
ESCAPED = 256 * MEGABYTE - 1 if FULL_FORM else 3 * MEGABYTE


@pytest.mark.parametrize("form, identity", [("binary", "default"), ("text", "full")])
def test_large_values_arrive_whole(scene, form, identity):
    values = {
        "text": f"repeat('lang ', {TEXT // 5})",
        "bytea": f"decode(repeat('00ff5c27', {TEXT // 4}), 'hex')",
        f"bit({BITS})": f"repeat('10', {BITS // 2})::bit({BITS})",
        "varchar": f"repeat(E'\\n', {ESCAPED})",
        "json": f"('\"' || repeat('\\\\', {TEXT // 2}) || '\"')::json",
        "jsonb": f"to_jsonb(repeat('j', {TEXT // 2}))",
    }
    column = ", r regtype" if form == "text" else ""
    each(scene, *(f"create table operations.t{n} (id integer primary key, v {kind}, n integer"
                  f"{column}); alter table operations.t{n} replica identity {identity};"
                  f"alter table operations.t{n} alter v set storage external"
                  for n, kind in enumerate(values)))
    scene.publish()
    each(scene, *(f"insert into operations.t{n} select 1, {value}, 1"
                  for n, value in enumerate(values.values())))
    service = scene.start_streaming(timeout=300)
    for n, value in enumerate(values.values()):
        each(scene, f"insert into operations.t{n} select 2, {value}, 1",
             f"update operations.t{n} set n = 2")
    scene.catch_up(service, timeout=600)
    peak = service.rss_peak()
    assert service.stop() == 0, service.tail()
    assert service.events("stream_started")[-1].fields["form"] == form
    for n in range(len(values)):
        want = scene.source.query(f"select id, n, md5(v::text) from operations.t{n} "
                                  "order by id")
        have = scene.target.query("select id, n, md5(v::text) from "
                                  f"analytics.t{n}_current order by id")
        assert have == want and len(have) == 2
        assert scene.target.value(f"select count(*) from analytics.t{n}_history") == 4
    # Configured memory, and a few times the largest row.
    largest = max(TEXT * 2, ESCAPED * 2, BITS)
    assert peak < (256 + 64) * MEGABYTE + 4 * largest, peak

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


def _one_by_one(scene, service, *statements):
    """Each is stored before the next is made: what it leaves out only the target knows."""
    for statement in statements:
        each(scene, statement)
        scene.catch_up(service)


def _wide(count, key=0, identity="default"):
    """A table of that many columns: `key` of them its key, one out of line, one that only travels
    as text."""
    keys = [f"k{number}" for number in range(key)]
    columns = ["big text", "kind regtype", *(f"{name} integer default 1" for name in keys)]
    if key:
        columns.append(f"primary key ({', '.join(keys)})")
    return (f"create table operations.t ({_columns(count - 2 - key)}, {', '.join(columns)});"
            "alter table operations.t alter big set storage external;"
            f"alter table operations.t replica identity {identity};")


BIG = "repeat('big ', 2000)"


@pytest.mark.parametrize("key, count", [
    (1, 1590), (1, 1591), (1, 1593), (32, 1559), (32, 1560), (32, 1593)])
def test_the_target_completes_rows_of_every_width(scene, key, count):
    oracle, service = begin(
        scene, _wide(count, key) + "insert into operations.t (k0, c0, big, kind) "
        f"values (1, 10, {BIG}, 'integer'), (2, 20, {BIG}, null)", "t")
    _one_by_one(
        scene, service, "update operations.t set c1 = 11 where k0 = 1",
        "update operations.t set k0 = 3 where k0 = 1", "delete from operations.t where k0 = 3",
        "update operations.t set c2 = 22, kind = 'text'", "update operations.t set k0 = 4, c0 = 21",
        "truncate operations.t")
    finish(scene, service, oracle, scene.spec("t"), as_of_samples=0)
    assert service.events("stream_started")[-1].fields["form"] == "text"
    assert log_of(scene, "t", "k0, c0, c1, c2, length(big), kind::text") == [
        (1, 0, "SNAPSHOT", 1, 10, None, None, 8000, "integer", 2),
        (1, 0, "SNAPSHOT", 2, 20, None, None, 8000, None, 5),
        (2, 1, "UPDATE", 1, 10, 11, None, 8000, "integer", 3),
        (3, 1, "REKEY", 1, 10, 11, None, 8000, "integer", 3),
        (3, 1, "UPDATE", 3, 10, 11, None, 8000, "integer", 4),
        (4, 1, "DELETE", 3, 10, 11, None, 8000, "integer", 4),
        (5, 1, "UPDATE", 2, 20, None, 22, 8000, "text", 6),
        (6, 1, "REKEY", 2, 20, None, 22, 8000, "text", 6),
        (6, 1, "UPDATE", 4, 21, None, 22, 8000, "text", 7),
        (7, 1, "TRUNCATE", 4, 21, None, 22, 8000, "text", 7)]


@pytest.mark.parametrize("count", [1591, 1592, 1593])
def test_rows_of_every_width_without_a_key_are_closed(scene, count):
    oracle, service = begin(
        scene, _wide(count, identity="full") + "insert into operations.t (c0, big, kind) "
        f"select g / 2, {BIG}, 'integer' from generate_series(1, 4) g", "t")
    one = "ctid = (select max(ctid) from operations.t where c0 = 1)"
    _one_by_one(
        scene, service, f"delete from operations.t where {one}",
        f"update operations.t set c1 = 5 where {one}",
        "update operations.t set c2 = 6, big = 'small' where c0 < 2",
        "insert into operations.t (c0) values (7), (7), (7)",
        "delete from operations.t where c0 > 1")
    finish(scene, service, oracle, scene.spec("t"), as_of_samples=0)
    assert scene.target.query(
        "select c0, c1, c2, operation_type, count(*)::integer from analytics.t_history "
        "where operation_type = 'DELETE' or is_current group by 1, 2, 3, 4 order by 1, 4, 2, 3") \
        == [(0, None, 6, "UPDATE", 1), (1, None, None, "DELETE", 1), (1, 5, 6, "UPDATE", 1),
            (2, None, None, "DELETE", 1), (7, None, None, "DELETE", 3)]


@pytest.mark.parametrize("key, identity", [
    (1, "default"), (1, "full"), (32, "default"), (32, "full"), (0, "full")])
def test_changes_of_the_widest_rows_wait_in_the_slot(scene, key, identity):
    c = "k0" if key else "c0"
    each(scene, _wide(1593, key, identity) + f"insert into operations.t ({c}, c1, big) "
         f"select g, 10, {BIG} from generate_series(1, 6) g")
    scene.publish()
    oracle = scene.oracle("t")
    scene.create_slot()
    each(scene, f"update operations.t set c2 = 1 where {c} = 1",
         f"update operations.t set c2 = 1 where {c} = 2",
         f"update operations.t set big = 'small' where {c} = 2",
         f"delete from operations.t where {c} = 3",
         f"update operations.t set {c} = 9, c2 = 9 where {c} = 4",
         f"insert into operations.t ({c}, c3) values (3, 33)")
    service = scene.start_streaming()
    _one_by_one(scene, service, f"update operations.t set c4 = 4 where {c} in (1, 9)",
                f"delete from operations.t where {c} in (2, 5)")
    finish(scene, service, oracle, scene.spec("t"), as_of_samples=0)
    assert scene.target.query(
        f"select {c}, c1, c2, c3, c4, length(big) from analytics.t_current order by 1") == [
        (1, 10, 1, None, 4, 8000), (3, None, None, 33, None, None), (6, 10, None, None, None, 8000),
        (9, 10, 9, None, 4, 8000)]
    # Where the old row is sent, it is known what was there since the slot began.
    assert scene.target.value("select count(*) from analytics.t_history where operation_type = "
                              "'SNAPSHOT' and not is_current and length(big) = 8000") \
        == (5 if identity == "full" else 1)


@pytest.mark.parametrize("key", [1, 32])
def test_of_the_widest_rows_only_tracked_columns_make_versions(scene, key):
    _, service = begin(
        scene, _wide(1593, key) + "insert into operations.t (k0, c0, c1, big) "
        f"values (1, 10, 11, {BIG}), (2, 10, 11, {BIG})", "t",
        tables={"overrides": {"operations.t": {"track": ["c0"]}}})
    _one_by_one(
        scene, service, "update operations.t set c1 = 12, c1500 = 13",
        "update operations.t set c0 = 20 where k0 = 1",
        "update operations.t set c2 = 14 where k0 = 1", "update operations.t set k0 = 3, c2 = 15 "
        "where k0 = 1", "delete from operations.t where k0 = 3")
    assert service.stop() == 0, service.tail()
    assert log_of(scene, "t", "k0, c0, c1, c2, c1500, length(big)") == [
        (1, 0, "SNAPSHOT", 1, 10, 12, None, 13, 8000, 2),
        (1, 0, "SNAPSHOT", 2, 10, 12, None, 13, 8000, None),
        (2, 1, "UPDATE", 1, 20, 12, 14, 13, 8000, 3),
        (3, 1, "REKEY", 1, 20, 12, 14, 13, 8000, 3),
        (3, 1, "UPDATE", 3, 20, 12, 15, 13, 8000, 4),
        (4, 1, "DELETE", 3, 20, 12, 15, 13, 8000, 4)]


def test_of_the_widest_rows_a_change_of_excluded_columns_is_no_version(scene):
    _, service = begin(
        scene, _wide(1600, 1) + f"insert into operations.t (k0, big) values (1, {BIG})",
        "t", tables={"overrides": {"operations.t": {"exclude": [f"c{n}" for n in range(7)]}}})
    _one_by_one(scene, service, "update operations.t set c0 = 1", "update operations.t set c7 = 2",
                "update operations.t set c1 = 3", "delete from operations.t")
    assert service.stop() == 0, service.tail()
    assert log_of(scene, "t", "k0, c7, length(big)") == [
        (1, 0, "SNAPSHOT", 1, None, 8000, 2), (2, 1, "UPDATE", 1, 2, 8000, 3),
        (3, 1, "DELETE", 1, 2, 8000, 3)]


@pytest.mark.parametrize("key, identity", [(1, "default"), (32, "default"), (0, "full")])
def test_the_widest_rows_are_compared_with_the_source(scene, key, identity):
    c = "k0" if key else "c0"
    each(scene, _wide(1593, key, identity), f"insert into operations.t ({c}, c1, big) values "
         f"(1, 1, {BIG}), (2, 1, {BIG}), (3, 1, {BIG}), (4, 1, null)",
         "create table operations.u (id integer primary key)",
         "create publication cdc_publication for table operations.t, operations.u")
    service = scene.start_streaming()
    assert service.stop() == 0, service.tail()
    each(scene, "alter publication cdc_publication drop table operations.t",
         f"update operations.t set c1 = 2 where {c} = 2", f"delete from operations.t where {c} = 3",
         f"insert into operations.t ({c}, c1, big) values (5, 1, {BIG})",
         "alter publication cdc_publication add table operations.t")
    service = scene.start_streaming()
    _one_by_one(scene, service, f"update operations.t set c2 = 2 where {c} = 2",
                f"delete from operations.t where {c} = 1")
    assert service.stop() == 0, service.tail()
    assert scene.target.query(f"select {c}, c1, c2, operation_type, length(big) from "
                              "analytics.t_current order by 1") == [
        (2, 2, 2, "UPDATE", 8000), (4, 1, None, "SNAPSHOT", None), (5, 1, None, "RECONCILE", 8000)]
    # Without a key, a row that was changed is one that is gone and another that came.
    assert scene.history("t", order=c, columns=c, where="operation_type = 'RECONCILE' and "
                         "valid_from = valid_to") == ([(3,)] if key else [(2,), (3,)])


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

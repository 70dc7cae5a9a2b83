"""Every type in every place: as a value, in an array, a domain, a composite, and in a key.

The places are made from the type, so that a type in `support/type_values.py` is in all of them.
"""

import psycopg2
import pytest

from support.story import begin, each, finish
from support.type_values import (GROUPS, POSTGIS_TYPES, USER_TYPE_DDL, USER_TYPES,
                                 make_extensions, set_hostile)
from support.versions import kept_as_text

# Types that PostgreSQL cannot sort, so that they cannot be a key.
WITHOUT_ORDER = {
    "json", "jsonpath", "xml", "xid", "cid", "aclitem", "pg_snapshot", "txid_snapshot", "point",
    "line", "lseg", "box", "box[]", "path", "polygon", "circle", "refcursor", "ext.lquery",
    "ext.ltxtquery", "ext.query_int", "ext.box2d", "ext.box3d", "ext.raster",
}

# Kept as text, so that one of them makes the whole stream text.
NAMES = {"regclass", "regtype", "regproc", "regprocedure", "regrole", "regnamespace",
         "regcollation", "regconfig", "regdictionary", "regoper", "regoperator", "aclitem",
         "oidvector", "int2vector"}


class Places:
    """The tables of one type: values in all places, and a key of all of them."""

    def __init__(self, scene, number, type_sql, values, binary):
        self.source = scene.source
        self.type = type_sql
        self.values = [v for v in values if "20000" not in v] + ["null"]
        is_array = type_sql.endswith("[]")
        domain, composite = f"operations.d{number}", f"operations.c{number}"
        # column -> its type and the value x in it
        self.columns = {"v": (type_sql, "x")}
        if not is_array:
            self.columns["a"] = (f"{type_sql}[]", "array[x, null]")
        self.key = ["v"]
        if not binary:  # One of these, or an array in a key, and the whole stream is text.
            scene.source.execute(f"create domain {domain} as {type_sql};"
                                 f"create type {composite} as (x {type_sql}, t text)")
            self.key = ["d", "v", "c"] + ["a"] * (not is_array)
            self.columns.update({
                "d": (domain, "x"),
                "da": (f"{domain}[]", f"array[x::{domain}, null]"),
                "c": (composite, "row(x, 't')"),
                "ca": (f"{composite}[]", f"array[row(x, 't')::{composite}, null]")})
        self.tables = [f"m{number}"]
        self._create(self.tables[0], "id integer primary key", "")
        self.sorts = self._sorts()
        if self.sorts and not (binary and is_array):
            self.tables.append(f"k{number}")
            self._create(self.tables[1], "n integer", f", primary key ({', '.join(self.key)})")

    def _create(self, table, before, after):
        columns = ", ".join(f"{name} {kind}" for name, (kind, _) in self.columns.items())
        self.source.execute(f"create table operations.{table} ({before}, {columns}, tail text"
                            f"{after})")

    def _sorts(self):
        """Whether the type can be a key. An index over arrays of anything can be made, and refuses
        a second entry where the elements cannot be compared."""
        value = f"({self.values[0]})::{self.type}"
        try:
            self.source.execute(f"create temp table probe (v {self.type} primary key);"
                                f"insert into probe values ({value}), ({value})")
        except psycopg2.errors.UniqueViolation:
            return True
        except (psycopg2.errors.UndefinedObject, psycopg2.errors.UndefinedFunction):
            return False
        raise AssertionError(f"{self.type}: equal values are no key twice")

    def row(self, number, value):
        head, _, tail = value.partition(" from ")
        places = ", ".join(f"({sql})::{kind}" for kind, sql in self.columns.values())
        return (f"with one as materialized (select ({head})::{self.type} as x"
                f"{' from ' + tail if tail else ''}) select {number}, {places}, 'tail' from one")

    def fill(self, table, first):
        """Inserts every value that fits; a key may be too wide, or equal to another."""
        inserted = 0
        for place, value in enumerate(self.values):
            try:
                self.source.execute(f"insert into operations.{table} "
                                    + self.row(first + place, value))
                inserted += 1
            except (psycopg2.errors.ProgramLimitExceeded, psycopg2.errors.UniqueViolation,
                    psycopg2.errors.NotNullViolation):
                if table in self.tables[:1]:
                    raise
        assert inserted > 0, (self.type, table)

    def change(self):
        """One transaction each: INSERT; UPDATE of and beside the value; DELETE; and under FULL."""
        source, (values, *keys) = self.source, self.tables
        self.fill(values, 100)
        names = ", ".join(self.columns)
        table = f"operations.{values}"
        swap = (f"update {table} m set ({names}) = (select {names} from {table} o where o.id = "
                f"100 + (m.id + {{}}) % {len(self.values)}) where id < 100;")
        source.execute(swap.format(1) + swap.format(0))
        source.execute(f"update {table} set tail = 'unchanged'; delete from {table} where "
                       "id < 100 and id % 2 = 0")
        source.execute(f"alter table {table} replica identity full")
        source.execute(f"update {table} set tail = 'full'; delete from {table} where id % 2 = 0")
        for key in keys:
            self._change_key(f"operations.{key}")

    def _change_key(self, table):
        names = ", ".join(self.columns)
        self.source.execute(f"update {table} set tail = 'updated'")
        # One row takes the key of another that is gone.
        self.source.execute(
            f"create temp table gone as select * from {table} order by n limit 1;"
            f"delete from {table} where n = (select n from gone);"
            f"update {table} set ({names}) = (select {names} from gone) where n = "
            f"(select max(n) from {table}); drop table gone")
        self.source.execute(f"alter table {table} replica identity full")
        self.source.execute(f"update {table} set tail = 'full'")
        self.source.execute(f"delete from {table} where n % 2 = 0")


def _all_places(scene, types, binary, expected_form):
    places = [Places(scene, number, type_sql, values, binary)
              for number, (type_sql, values) in enumerate(types.items())]
    assert {p.type for p in places if not p.sorts} == WITHOUT_ORDER & types.keys()
    for place in places:
        for table in place.tables:
            place.fill(table, 0)
    scene.publish()
    tables = [table for place in places for table in place.tables]
    oracle = scene.oracle(*tables)
    service = scene.start_streaming(timeout=120)
    for place in places:
        place.change()
    scene.catch_up(service, timeout=120)
    assert service.stop() == 0, service.tail()
    assert service.events("stream_started")[-1].fields["form"] == expected_form
    scene.set_v(oracle, *map(scene.spec, tables), as_of_samples=4).assert_holds()


@pytest.mark.parametrize("form", ["binary", "text"])
@pytest.mark.parametrize("group", GROUPS)
def test_a_built_in_type_arrives_in_every_place(scene, group, form):
    set_hostile(scene.source, scene.target)
    scene.source.execute("create table operations.named (id integer primary key)")
    text_only = (*NAMES, *kept_as_text(scene.source, scene.target))
    types = {name: values for name, values in GROUPS[group].items()
             if form == "text" or not name.startswith(text_only)}
    _all_places(scene, types, form == "binary", form)


def test_a_type_of_ones_own_arrives_in_every_place(scene):
    set_hostile(scene.source, scene.target)
    scene.source.execute(USER_TYPE_DDL)
    _all_places(scene, USER_TYPES, False, "text")


@pytest.mark.parametrize("target_has_them", [False, True], ids=["kept as text", "kept as such"])
def test_an_extensions_type_arrives_in_every_place(scene, target_has_them):
    set_hostile(scene.source, scene.target)
    types, missing = make_extensions(scene.source)
    if missing:
        pytest.skip(f"this server has no {', '.join(sorted(missing))}")
    if target_has_them:
        make_extensions(scene.target)
    _all_places(scene, types, False, "text")
    kept = {type_sql for (type_sql,) in scene.target.query(
        "select distinct format_type(atttypid, atttypmod) from pg_attribute a "
        "join pg_class c on c.oid = a.attrelid where c.relname ~ '_history$' and a.attname = 'v'")}
    # lo is a domain over oid; arrays, and types without a binary form, are text in any case.
    assert kept - {"text", "oid"} == (
        {name for name in kept if name.startswith("ext.")} if target_has_them else set())
    assert {"ext.citext", "ext.hstore", "ext.ltree"} <= kept or not target_has_them


def test_a_type_of_postgis_arrives_in_every_place(scene):
    if not scene.source.query("select from pg_available_extensions where name = 'postgis_raster'"):
        pytest.skip("this server has no PostGIS")
    set_hostile(scene.source, scene.target)
    scene.source.execute("create schema ext; grant usage on schema ext to public; create extension "
                         "postgis schema ext; create extension postgis_raster schema ext")
    scene.configure(tables={"include": ["operations.*"]})
    _all_places(scene, POSTGIS_TYPES, False, "text")


@pytest.mark.parametrize("base, value", [
    ("regclass", "'operations.named'"), ("regclass[]", "'{operations.named}'"),
    ("regtype", "'operations.named'"), ("aclitem", "'=r/postgres'")])
def test_a_domain_over_a_type_that_names_objects_is_kept_as_text(scene, base, value):
    oracle, service = begin(
        scene, "create table operations.named (id integer primary key);"
        f"create domain operations.name_of as {base};"
        "create table operations.t (id integer primary key, v operations.name_of);"
        f"insert into operations.t values (1, {value})", "t")
    each(scene, f"insert into operations.t values (2, {value})", "update operations.t set v = v")
    finish(scene, service, oracle, scene.spec("t"))


@pytest.mark.parametrize("kind", ["oidvector", "int2vector"])
def test_an_empty_vector_arrives(scene, kind):
    oracle, service = begin(
        scene, f"create table operations.t (id integer primary key, v {kind});"
        "insert into operations.t values (1, '')", "t")
    each(scene, "insert into operations.t values (2, '')", "update operations.t set v = v")
    finish(scene, service, oracle, scene.spec("t"))


def test_null_is_possible_where_a_domain_forbids_it(scene):
    """A tombstone of a row that nobody has seen knows its key only."""
    each(scene, "create domain operations.never_null as text not null;"
         "create table operations.t (id integer primary key, v operations.never_null);"
         "insert into operations.t values (1, 'a'), (2, 'b')")
    scene.publish()
    oracle = scene.oracle("t")
    scene.create_slot()
    each(scene, "delete from operations.t where id = 1")
    service = scene.start_streaming()
    each(scene, "update operations.t set v = 'c'")
    finish(scene, service, oracle, scene.spec("t"))
    assert scene.history("t", columns="operation_type, v", where="id = 1") == [("DELETE", None)]

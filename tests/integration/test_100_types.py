"""Every type arrives as it left: by copy, insert, update and delete, as a value and as a key.

Both databases are set to print dates, floats, intervals and bytes in unusual ways: only a program
that pins its sessions gets them right. Values are compared as the text of pinned sessions.
"""

import pytest

from support.type_values import (GROUPS, GROUPS_SINCE, USER_TYPE_DDL, USER_TYPES, make_extensions,
                                 set_hostile)
from support.versions import needs

KEYS = {
    "numeric": ["1.10", "-5", "'NaN'", "12345678901234567890.5"],
    "text": ["''", "'it''s'", "E'a\\nb\\\\'", "'NULL'", "repeat('k', 1000)"],
    "char(6)": ["'ab'", "''", "'abcdef'"],
    "bytea": ["''", "'\\x00ff5c27'"],
    "uuid": ["'00000000-0000-0000-0000-000000000000'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'"],
    "date": ["'infinity'", "'0044-03-15 BC'", "'2024-02-29'"],
    "timestamptz": ["'-infinity'", "'2024-02-29 12:34:56.789+05:30'"],
    "double precision": ["'NaN'", "'-Infinity'", "0.1"],
    "boolean": ["true", "false"],
    "integer[]": ["'{}'", "'{1,NULL}'", "'[0:1]={1,2}'"],
    "inet": ["'192.168.1.5/24'", "'::1'"],
    "int4range": ["'empty'", "'[1,5)'"],
    "interval": ["'1 mon'", "'-3 days'"],
    "jsonb": ["'{\"a\": 1}'", "'null'"],
    "varbit": ["B''", "B'101'"],
    "operations.mood": ["'sad'", "'it''s \"ok\"'"],
    "operations.positive": ["1", "2"],
    "operations.pair": ["'(1,x)'", "'(2,)'"],
    '"char"': ["'x'", "'y'"],
    "name": ["'n'"],
    "pg_lsn": ["'0/0'", "'1/2'"],
    "time": ["'24:00:00'", "'00:00'"],
}


def _run(scene, tables, changes, spec_options=None):
    """Copy, then changes, then set V over all tables. `changes(table, rows)` yields SQL."""
    oracle = scene.oracle(*tables)
    service = scene.start_streaming(timeout=120)
    for statement in changes:
        scene.source.execute(statement)
    scene.catch_up(service, timeout=120)
    assert service.stop() == 0, service.tail()
    specs = [scene.spec(table, **(spec_options or {})) for table in tables]
    scene.set_v(oracle, *specs, as_of_samples=10).assert_holds()
    return service


def _value_tables(scene, types):
    """One table for each type, holding every value and NULL; returns {table: expressions}."""
    tables = {}
    for number, (type_sql, values) in enumerate(types.items()):
        table = f"v{number}"
        scene.source.execute(f"create table operations.{table} "
                             f"(id integer primary key, v {type_sql}, after text)")
        tables[table] = [*values, "null"]
        for place, value in enumerate(tables[table]):
            scene.source.execute(_insert(f"operations.{table}", place, value))
    return tables


def _insert(table, number, value):
    """A row with the value and a text after it; an expression may bring its own FROM."""
    if " from " in value:
        head, tail = value.split(" from ", 1)
        return f"insert into {table} select {number}, {head}, 'tail' from {tail}"
    return f"insert into {table} values ({number}, {value}, 'tail')"


def _value_changes(tables):
    for table, values in tables.items():
        name = f"operations.{table}"
        for place, value in enumerate(values):
            yield _insert(name, 100 + place, value)
        # Each copied row takes the next value and then its own again.
        for shift in (1, 0):
            for place in range(len(values)):
                yield (f"update {name} set v = (select v from {name} where id = "
                       f"{100 + (place + shift) % len(values)}) where id = {place}")
        yield f"update {name} set after = 'v is unchanged'"
        yield f"delete from {name} where id < 100"
        yield f"alter table {name} replica identity full"
        yield f"update {name} set after = 'under full'"
        yield f"delete from {name} where id % 2 = 0"


@pytest.mark.parametrize("group", [*GROUPS, *GROUPS_SINCE])
def test_values_of_built_in_types_arrive_as_they_left(scene, group):
    if group in GROUPS_SINCE:
        needs(scene.source, group, "these values")
    set_hostile(scene.source, scene.target)
    scene.source.execute("create table operations.named (id integer primary key)")
    tables = _value_tables(scene, {**GROUPS, **GROUPS_SINCE}[group])
    scene.publish()
    _run(scene, tables, _value_changes(tables))


def test_values_of_user_defined_types_arrive_as_they_left(scene):
    set_hostile(scene.source, scene.target)
    scene.source.execute(USER_TYPE_DDL)
    tables = _value_tables(scene, USER_TYPES)
    scene.publish()
    _run(scene, tables, _value_changes(tables))


def test_values_of_extension_types_arrive_as_they_left(scene):
    set_hostile(scene.source, scene.target)
    types, missing = make_extensions(scene.source)
    if missing:
        pytest.skip(f"this server has no {', '.join(sorted(missing))}")
    tables = _value_tables(scene, types)
    scene.publish()
    _run(scene, tables, _value_changes(tables))


def test_every_type_with_an_order_can_be_a_key(scene):
    set_hostile(scene.source, scene.target)
    scene.source.execute(USER_TYPE_DDL)
    tables = {}
    for number, (type_sql, values) in enumerate(KEYS.items()):
        table = f"k{number}"
        tables[table] = values
        scene.source.execute(f"create table operations.{table} (v {type_sql} primary key, n int)")
        for place, value in enumerate(values[:-1]):
            scene.source.execute(f"insert into operations.{table} values ({value}, {place})")
    scene.publish()

    def changes():
        for table, values in tables.items():
            name = f"operations.{table}"
            last = values[-1]
            yield f"insert into {name} values ({last}, 99)"
            yield f"update {name} set n = n + 1"
            yield f"delete from {name} where n = 100"
            if len(values) > 1:
                yield f"update {name} set v = {last} where n = 1"
                yield f"update {name} set n = n + 1"
                yield f"update {name} set v = {values[0]}, n = 0 where n = 2"
            yield f"alter table {name} replica identity full"
            yield f"update {name} set n = -n"
            yield f"delete from {name}"
    _run(scene, tables, changes())


def test_a_key_too_wide_for_an_index_is_kept(scene):
    # Under FULL the source needs no index over it.
    scene.source.execute("create table operations.wide (v text, n integer);"
                         "alter table operations.wide replica identity full;"
                         "alter table operations.wide alter v set storage external;"
                         "insert into operations.wide values (repeat('w', 20000), 1)")
    scene.publish()
    _run(scene, ["wide"], [
        "insert into operations.wide values (repeat('x', 20000), 1), (repeat('x', 20000), 2)",
        "update operations.wide set n = 3 where n = 2", "delete from operations.wide where n = 1"])


def test_identity_and_generated_columns_become_plain_or_are_left_out(scene):
    scene.source.execute(
        "create table operations.t (id integer generated always as identity primary key, "
        "d integer generated by default as identity, v integer not null default 7, "
        "twice integer generated always as (v * 2) stored)")
    scene.publish()
    _run(scene, ["t"], ["insert into operations.t default values",
                        "update operations.t set v = 8", "delete from operations.t"])
    plain = scene.target.query(
        "select column_name from information_schema.columns where table_name = 't_history' and "
        "(is_identity = 'YES' or is_generated = 'ALWAYS' or column_default is not null or "
        "(is_nullable = 'NO' and column_name in ('id', 'd', 'v')))")
    assert plain == []


def test_a_label_added_to_an_enum_while_streaming_arrives(scene):
    scene.source.execute("create type operations.state as enum ('new', 'done');"
                         "create table operations.t (id integer primary key, v operations.state)")
    scene.publish()
    _run(scene, ["t"], ["insert into operations.t values (1, 'new')",
                        "alter type operations.state add value 'late' before 'done'",
                        "update operations.t set v = 'late'",
                        "insert into operations.t values (2, 'done')"])


def test_a_table_with_hundreds_of_columns_arrives(scene):
    columns = ", ".join(f"c{number} integer" for number in range(800))
    scene.source.execute(f"create table operations.t (id integer primary key, {columns});"
                         "alter table operations.t drop c400, drop c401")
    scene.publish()
    _run(scene, ["t"], ["insert into operations.t (id, c0, c799) values (1, 2, 3)",
                        "update operations.t set c402 = 5", "delete from operations.t"])

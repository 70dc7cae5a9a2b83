"""Every type arrives as it left: by copy, insert, update and delete, as a value and as a key.

Both databases are set to print dates, floats, intervals and bytes in unusual ways: only a program
that pins its sessions gets them right. Values are compared as the text of pinned sessions.
"""

import pytest

from support.versions import needs

HOSTILE = ["datestyle = 'SQL, DMY'", "intervalstyle = 'sql_standard'",
           "timezone = 'Asia/Kolkata'", "extra_float_digits = -15", "bytea_output = 'escape'",
           "xmloption = 'document'"]

# type -> SQL expressions. Each table takes one type; NULL is added to all.
NUMBERS = {
    "smallint": ["-32768", "32767", "0", "-1"],
    "integer": ["-2147483648", "2147483647", "0"],
    "bigint": ["-9223372036854775808", "9223372036854775807", "0"],
    "numeric": ["'NaN'", "'Infinity'", "'-Infinity'", "0", "0.00", "0.000", "-1.50",
                "('9' || repeat('1', 131071))::numeric", "1e-16383",
                "12345678901234567890.12345678901234567890", "1e1000"],
    "numeric(10,2)": ["1.5", "-99999999.99", "'NaN'"],
    "real": ["'NaN'", "'Infinity'", "'-Infinity'", "'-0'", "1e-45", "3.4028235e38", "0.1",
             "16777217"],
    "double precision": ["'NaN'", "'Infinity'", "'-Infinity'", "'-0'", "4.9e-324",
                         "1.7976931348623157e308", "0.1::float8 + 0.2::float8", "1e23"],
    "money": ["'-92233720368547758.08'", "'1234.11'", "0"],
    "boolean": ["true", "false"],
    "oid": ["0", "4294967295"],
    "xid": ["'0'", "'4294967295'"],
    "xid8": ["'18446744073709551615'"],
    "cid": ["'4294967295'"],
    "tid": ["'(4294967295,65535)'", "'(0,1)'"],
    "pg_lsn": ["'0/0'", "'FFFFFFFF/FFFFFFFF'"],
    "pg_snapshot": ["'10:20:10,14,15'"],
    "txid_snapshot": ["'10:20:10,14,15'"],
}

NUMBERS_SINCE_15 = {
    "numeric(3,-2)": ["12345", "-100"],
    "numeric(3,5)": ["0.00123", "-0.00999"],
}

TEXTS = {
    "text": ["''", "'   '", "'it''s'", "E'back\\\\slash \\\\N \\\\.'", "E'line\\r\\n\\ttab'",
             "'\\N'", "'NULL'", "U&'\\+10FFFF'", "U&'e\\0301'", "U&'\\202Eabc'",
             "repeat('lang ', 20000)", "E'\\x7f\\x02'", "'\"quoted\", {braces} (parens)'"],
    "varchar(40)": ["'a  '", "''", "repeat('ä', 40)"],
    "char(10)": ["'ab'", "''", "'0123456789'"],
    "char": ["'x'", "''"],
    '"char"': ["'x'", "''"],
    "name": ["'n'", "repeat('n', 63)", "''"],
    "bytea": ["''", "'\\x00ff5c27'", "decode(string_agg(lpad(to_hex(g), 2, '0'), ''), 'hex') "
              "from generate_series(0, 255) g", "decode(repeat('00ff', 50000), 'hex')"],
    "uuid": ["'00000000-0000-0000-0000-000000000000'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'"],
    "bit(3)": ["B'101'", "B'000'"],
    "bit": ["B'1'"],
    "varbit": ["B''", "B'10101'", "repeat('10', 500)::varbit"],
    "json": ["'{\"a\":1,  \"a\":2}'", "'[ 1 ]'", "'null'", "'\"\\ud83d\\ude00\"'",
             "('{\"n\": ' || repeat('1', 1000) || '}')::json"],
    "jsonb": ["'{\"b\": 1, \"a\": [null, true, \"x\"]}'", "'1.000'", "'\"\"'", "'{}'"],
    "jsonpath": ["'$.a[*] ? (@ > 1)'", "'strict $'"],
    "xml": ["'<a b=\"c\">d</a>'", "xmlparse(content '<a/>text<b/>')"],
    "tsvector": ["'a:1A b:2,16383 ''it''''s'':3B'", "''"],
    "tsquery": ["'a & !b | (c <-> d)'", "'''it''''s'':*A'"],
}

TIMES = {
    "date": ["'infinity'", "'-infinity'", "'4714-11-24 BC'", "'0044-03-15 BC'", "'1582-10-15'",
             "'5874897-12-31'", "'12345-06-07'", "'2024-02-29'", "'epoch'"],
    "timestamp": ["'infinity'", "'-infinity'", "'4714-11-24 00:00:00 BC'",
                  "'294276-12-31 23:59:59.999999'", "'2024-02-29 12:34:56.000001'", "'epoch'"],
    "timestamptz": ["'infinity'", "'-infinity'", "'4714-11-24 00:00:00+00 BC'",
                    "'294276-12-31 23:59:59.999999+00'", "'2026-03-29 02:30:00+01'",
                    "'0001-01-01 00:00:00+00'", "'54321-01-01 00:00:00+00'"],
    "timestamp(0)": ["'2024-02-29 12:34:56'"],
    "timestamptz(3)": ["'2024-02-29 12:34:56.789+05:30'"],
    "time": ["'00:00'", "'24:00:00'", "'23:59:59.999999'"],
    "time(2)": ["'12:34:56.78'"],
    "timetz": ["'24:00:00+15:59'", "'00:00:00-15:59:59'", "'12:34:56.789+05:30'"],
    "interval": ["'178000000 years'", "'-1 mon +2 days -3:04:05.678901'", "'0'",
                 "'-178000000 years'", "'1 year 2 mons -3 days'"],
    "interval day to second(3)": ["'1 02:03:04.567'"],
    "interval year to month": ["'1 year 2 months'"],
}

TIMES_SINCE_17 = {
    "interval": ["'infinity'", "'-infinity'"],
    "interval[]": ["'{infinity,-infinity,NULL,1 day}'"],
}

OTHERS = {
    "integer[]": ["'{}'", "'{1,NULL,3}'", "'{{1,2},{3,4}}'", "'[0:2]={1,2,3}'",
                  "'[-5:-4]={1,2}'", "'{{{{{{1}}}}}}'"],
    "text[]": ["'{\"\",\"NULL\",NULL,\"a,b\",\"{x}\",\"q\\\"q\",\"b\\\\\\\\s\"}'", "'{}'"],
    "numeric[]": ["'{1.00,NaN,-Infinity}'"],
    "timestamptz[]": ["array['infinity', '0044-03-15 12:00:00+00 BC']::timestamptz[]"],
    "bytea[]": ["array['\\x00'::bytea, '\\x5c'::bytea]"],
    "box[]": ["'{(1,1),(0,0);(3,3),(2,2)}'"],
    "float8[]": ["array[0.1::float8 + 0.2::float8, 'NaN', '-0']"],
    "point": ["'(1.5,-2)'", "'(NaN,Infinity)'", "'(0.1,0.2)'"],
    "line": ["'{1,-1,0.5}'"],
    "lseg": ["'[(0,0),(1,1)]'"],
    "box": ["'(1,1),(0,0)'", "'(0,0),(1,1)'"],
    "path": ["'[(0,0),(1,1),(2,0)]'", "'((0,0),(1,1),(2,0))'"],
    "polygon": ["'((0,0),(1,1),(2,0))'"],
    "circle": ["'<(0.1,0.2),3>'"],
    "inet": ["'192.168.1.5/24'", "'0.0.0.0/0'", "'::ffff:1.2.3.4'", "'2001:db8::1/64'"],
    "cidr": ["'10.0.0.0/8'", "'::/0'"],
    "macaddr": ["'08:00:2b:01:02:03'"],
    "macaddr8": ["'08:00:2b:01:02:03:04:05'"],
    "int4range": ["'empty'", "'(,)'", "'[1,5]'", "'(,3)'"],
    "int8range": ["'[-9223372036854775808,9223372036854775807)'"],
    "numrange": ["'[1.00,2.0)'", "'(,NaN]'"],
    "tsrange": ["'[-infinity,infinity]'", "'[2024-02-29 00:00,)'"],
    "tstzrange": ["'[2024-02-29 00:00+05:30,infinity)'"],
    "daterange": ["'[2024-02-29,2024-03-01]'", "'(,infinity)'"],
    "int4multirange": ["'{}'", "'{[1,3),[5,7)}'"],
    "nummultirange": ["'{[1.0,2.00]}'"],
    "tstzmultirange": ["'{[2024-01-01 00:00+00,2024-02-01 00:00+00)}'"],
    "int4range[]": ["'{\"[1,2)\",empty}'"],
    "regclass": ["'pg_catalog.pg_class'", "'operations.named'"],
    "regtype": ["'integer'", "'timestamp with time zone'"],
    "regproc": ["'pg_catalog.now'"],
    "regprocedure": ["'pg_catalog.abs(integer)'"],
    "regrole": ["'cdc_user'"],
    "regnamespace": ["'operations'"],
    "aclitem": ["'=r/postgres'"],
}

USER_TYPES = {
    "operations.mood": ["'sad'", "'it''s \"ok\"'", "repeat('l', 63)::operations.mood"],
    "operations.mood[]": ["array['sad', 'it''s \"ok\"']::operations.mood[]"],
    'operations."Odd ]: ""type"': ["'a b'"],
    "operations.positive": ["1", "2147483647"],
    "operations.short_text": ["'abc'", "''"],
    "operations.int_list": ["'{1,2}'", "'{}'"],
    "operations.pair": ["'(1,\"x,y\")'", "'(,)'", "'(2,\"\"\"q\"\"\")'"],
    "operations.nested": ["'(\"(1,x)\",\"{1,2}\")'"],
    "operations.pair[]": ["array[row(1, 'x')::operations.pair, null]"],
    "operations.float_range": ["'[0.1,0.3)'", "'empty'"],
}
USER_TYPE_DDL = """
create type operations.mood as enum ('sad', 'it''s "ok"', '{label}');
create type operations."Odd ]: ""type" as enum ('a b');
create domain operations.positive as integer check (value > 0);
create domain operations.short_text as varchar(5);
create domain operations.int_list as integer[];
create type operations.pair as (a integer, b text);
create type operations.nested as (p operations.pair, n integer[]);
create type operations.float_range as range (subtype = float8);
""".replace("{label}", "l" * 63)

EXTENSION_TYPES = {
    "citext": ["'MiXed'", "''"],
    "hstore": ["'a=>1, b=>NULL, \"q\\\"\"=>\"x\"'", "''"],
    "ltree": ["'a.b.c'", "''"],
}

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


def _hostile(scene):
    for database in (scene.source, scene.target):
        for setting in HOSTILE:
            database.execute(f'alter database "{database.name}" set {setting}')


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


GROUPS = {"numbers": NUMBERS, "texts": TEXTS, "times": TIMES, "others": OTHERS}
GROUPS_SINCE = {15: NUMBERS_SINCE_15, 17: TIMES_SINCE_17}


@pytest.mark.parametrize("group", [*GROUPS, *GROUPS_SINCE])
def test_values_of_built_in_types_arrive_as_they_left(scene, group):
    if group in GROUPS_SINCE:
        needs(scene.source, group, "these values")
        needs(scene.target, group, "these values")
    _hostile(scene)
    scene.source.execute("create table operations.named (id integer primary key)")
    tables = _value_tables(scene, {**GROUPS, **GROUPS_SINCE}[group])
    scene.publish()
    _run(scene, tables, _value_changes(tables))


def test_values_of_user_defined_types_arrive_as_they_left(scene):
    _hostile(scene)
    scene.source.execute(USER_TYPE_DDL)
    tables = _value_tables(scene, USER_TYPES)
    scene.publish()
    _run(scene, tables, _value_changes(tables))


def test_values_of_extension_types_arrive_as_they_left(scene):
    have = {name for name, in scene.source.query("select name from pg_available_extensions")}
    missing = EXTENSION_TYPES.keys() - have
    if missing:
        pytest.skip(f"this server has no {', '.join(sorted(missing))}")
    _hostile(scene)
    # In a schema of their own, not in the search path's.
    scene.source.execute("create schema ext; grant usage on schema ext to public")
    for name in EXTENSION_TYPES:
        scene.source.execute(f"create extension {name} schema ext")
    types = {f"ext.{name}": values for name, values in EXTENSION_TYPES.items()}
    tables = _value_tables(scene, types)
    scene.publish()
    _run(scene, tables, _value_changes(tables))


def test_every_type_with_an_order_can_be_a_key(scene):
    _hostile(scene)
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

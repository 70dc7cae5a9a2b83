"""Values of every type, as SQL expressions: what tests of types put into their tables.

NULL is added to all. An expression may end in a FROM of its own.
"""

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
                "12345678901234567890.12345678901234567890", "1e1000", "'-0'",
                "('0.' || repeat('9', 16383))::numeric"],
    "numeric(10,2)": ["1.5", "-99999999.99", "'NaN'"],
    "real": ["'NaN'", "'Infinity'", "'-Infinity'", "'-0'", "1e-45", "3.4028235e38", "0.1",
             "16777217"],
    "double precision": ["'NaN'", "'Infinity'", "'-Infinity'", "'-0'", "4.9e-324",
                         "1.7976931348623157e308", "0.1::float8 + 0.2::float8", "1e23"],
    "money": ["'-92233720368547758.08'", "'1234.11'", "0"],
    "boolean": ["true", "false"],
    "oidvector": ["'1 2 4294967295'"],
    "int2vector": ["'-32768 32767'"],
    "oid": ["0", "4294967295"],
    "xid": ["'0'", "'4294967295'"],
    "xid8": ["'18446744073709551615'"],
    "cid": ["'4294967295'"],
    "tid": ["'(4294967295,65535)'", "'(0,1)'"],
    "pg_lsn": ["'0/0'", "'FFFFFFFF/FFFFFFFF'"],
    "pg_snapshot": ["'10:20:10,14,15'"],
    "txid_snapshot": ["'10:20:10,14,15'"],
}

TEXTS = {
    "text": ["''", "'   '", "'it''s'", "E'back\\\\slash \\\\N \\\\.'", "E'line\\r\\n\\ttab'",
             "'\\N'", "'NULL'", "U&'\\+10FFFF'", "U&'e\\0301'", "U&'\\202Eabc'",
             "repeat('lang ', 20000)", "E'\\x7f\\x02'", "'\"quoted\", {braces} (parens)'"],
    "varchar(40)": ["'a  '", "''", "repeat('ä', 40)"],
    "char(10)": ["'ab'", "''", "'0123456789'"],
    "char": ["'x'", "''"],
    '"char"': ["'x'", "''"],
    "name": ["'n'", "repeat('n', 63)", "''", "repeat('ß', 31)"],
    "refcursor": ["'a \"cursor\"'"],
    "bytea": ["''", "'\\x00ff5c27'", "decode(string_agg(lpad(to_hex(g), 2, '0'), ''), 'hex') "
              "from generate_series(0, 255) g", "decode(repeat('00ff', 50000), 'hex')"],
    "uuid": ["'00000000-0000-0000-0000-000000000000'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'"],
    "bit(3)": ["B'101'", "B'000'"],
    "bit": ["B'1'"],
    "varbit": ["B''", "B'10101'", "repeat('10', 500)::varbit"],
    "json": ["'{\"a\":1,  \"a\":2}'", "'[ 1 ]'", "'null'", "'\"\\ud83d\\ude00\"'",
             # Neither can be a jsonb: half a pair, and U+0000.
             "'\"\\ud800\"'", "'\"\\u0000\"'", "(repeat('[', 6000) || repeat(']', 6000))::json",
             "('{\"n\": ' || repeat('1', 1000) || '}')::json"],
    "jsonb": ["'{\"b\": 1, \"a\": [null, true, \"x\"]}'", "'1.000'", "'\"\"'", "'{}'",
              "(repeat('[', 6000) || repeat(']', 6000))::jsonb",
              "jsonb_object_agg('key ' || g, repeat('v', g % 50)) from "
              "generate_series(1, 20000) g"],
    "jsonpath": ["'$.a[*] ? (@ > 1)'", "'strict $'"],
    "xml": ["'<a b=\"c\">d</a>'", "xmlparse(content '<a/>text<b/>')",
            "xmlparse(content '<!-- c --><![CDATA[<&]]>&lt;')"],
    "tsvector": ["'a:1A b:2,16383 ''it''''s'':3B'", "''"],
    "tsquery": ["'a & !b | (c <-> d)'", "'''it''''s'':*A'"],
}

TIMES = {
    "date": ["'infinity'", "'-infinity'", "'4714-11-24 BC'", "'0044-03-15 BC'", "'1582-10-04'",
             "'1582-10-15'", "'5874897-12-31'", "'12345-06-07'", "'2024-02-29'", "'epoch'"],
    "timestamp": ["'infinity'", "'-infinity'", "'4714-11-24 00:00:00 BC'",
                  "'294276-12-31 23:59:59.999999'", "'2024-02-29 12:34:56.000001'", "'epoch'"],
    "timestamptz": ["'infinity'", "'-infinity'", "'4714-11-24 00:00:00+00 BC'",
                    "'294276-12-31 23:59:59.999999+00'", "'2026-03-29 02:30:00+01'",
                    "'0001-01-01 00:00:00+00'", "'54321-01-01 00:00:00+00'",
                    "'2026-10-25 02:30:00 Europe/Berlin'", "'2016-12-31 23:59:60+00'",
                    "'2024-02-29 12:34:56.0000005+00'"],
    "timestamp(0)": ["'2024-02-29 12:34:56'"],
    "timestamptz(3)": ["'2024-02-29 12:34:56.789+05:30'"],
    "time": ["'00:00'", "'24:00:00'", "'23:59:59.999999'", "'23:59:60'"],
    "time(2)": ["'12:34:56.78'"],
    "timetz": ["'24:00:00+15:59'", "'00:00:00-15:59:59'", "'12:34:56.789+05:30'"],
    "interval": ["'178000000 years'", "'-1 mon +2 days -3:04:05.678901'", "'0'",
                 "'-178000000 years'", "'1 year 2 mons -3 days'"],
    "interval day to second(3)": ["'1 02:03:04.567'"],
    "interval year to month": ["'1 year 2 months'"],
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
    "point": ["'(1.5,-2)'", "'(NaN,Infinity)'", "'(0.1,0.2)'", "'(-0,1e-300)'"],
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
    "int8multirange": ["'{(,)}'"],
    "datemultirange": ["'{[2024-02-29,2024-03-01],(2025-01-01,infinity)}'"],
    "tsmultirange": ["'{[-infinity,2024-02-29 00:00]}'"],
    "int4multirange[]": ["array['{[1,3)}', '{}']::int4multirange[]"],
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
    "regcollation": ["'pg_catalog.\"C\"'"],
    "regconfig": ["'pg_catalog.simple'"],
    "regdictionary": ["'pg_catalog.simple'"],
    "regoper": ["'pg_catalog.||/'"],
    "aclitem": ["'=r/postgres'"],
    "regoperator": ["'pg_catalog.+(integer,integer)'"],
}

USER_TYPES = {
    "operations.mood": ["'sad'", "'it''s \"ok\"'", "repeat('l', 63)::operations.mood"],
    "operations.many": ["repeat('ü', 31)::operations.many", "'😀'"],
    "other.mood": ["'other''s own'", "'sad'"],
    "operations.text_range": ["'[a,\"b,c\")'", "'(,)'", "'[\"\",\"\\\"\"]'"],
    "operations.text_multirange": ["'{[a,b),[\"x y\",)}'"],
    "operations.long_text": ["'abc'", "repeat('x', 100000)"],
    "operations.pairs": ["array[row(1, 'x')::operations.pair]::operations.pairs"],
    "operations.all_null": ["row(null, null)::operations.all_null"],
    "operations.dropped": ["row(1, 'after')::operations.dropped"],
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
create type operations.many as enum ('sad', '{umlauts}', '😀');
create schema other;
grant usage on schema other to public;
create type other.mood as enum ('other''s own', 'sad');
create type operations.text_range as range (subtype = text, collation = "C",
    multirange_type_name = operations.text_multirange);
create domain operations.text_domain as text default 'x' check (length(value) > 1);
create domain operations.long_text as operations.text_domain;
create domain operations.pairs as operations.pair[];
create type operations.all_null as (a integer, b text);
create type operations.dropped as (a integer, gone date, b text);
alter type operations.dropped drop attribute gone;
""".replace("{label}", "l" * 63).replace("{umlauts}", "ü" * 31)

# extension -> its types
EXTENSION_TYPES = {
    "citext": {"citext": ["'MiXed'", "''"], "citext[]": ["array['A', 'a']::ext.citext[]"]},
    "hstore": {"hstore": ["'a=>1, b=>NULL, \"q\\\"\"=>\"x\"'", "''"]},
    "ltree": {"ltree": ["'a.b.c'", "''"],
              "lquery": ["'Top.*{0,2}.sport*@.!football|tennis'", "'*'"],
              "ltxtquery": ["'Europe & Russia*@ & !Transportation'"]},
    "isn": {"ean13": ["'978-0-393-04002-9'"], "isbn13": ["'978-0-393-04002-9'"],
            "ismn13": ["'979-0-060-11561-5'"], "issn13": ["'977-0317-847-00-1'"],
            "isbn": ["'978-0-393-04002-9'"], "ismn": ["'M-060-11561-5'"],
            "issn": ["'0317-8471'"], "upc": ["'220356483481'"]},
    "cube": {"cube": ["'(1, -2.5), (3, 4)'", "'(0.1)'", "'()'",
                      "ext.cube(array[0.1::float8 + 0.2::float8])"]},
    "seg": {"seg": ["'1.50 .. 3'", "'< 5'", "'~6.25'", "'1.5(+-)0.3'"]},
    "intarray": {"query_int": ["'1 & (2 | !3)'"]},
    "lo": {"lo": ["4294967295"]},
}
# Large, and not everywhere.
POSTGIS_TYPES = {
    "ext.geometry": ["'SRID=4326;POINT ZM (1 2 3 4)'", "'POINT EMPTY'",
                     "'CIRCULARSTRING(0 0,1 1,2 0)'",
                     "'SRID=3857;POLYGON((0 0,1 0,1 1,0 0),(0.1 0.1,0.2 0.1,0.2 0.2,0.1 0.1))'",
                     "'GEOMETRYCOLLECTION M (POINT M (1 2 3),LINESTRING M EMPTY)'"],
    "ext.geometry(PointZ,4326)": ["'SRID=4326;POINT Z (0.1 0.2 1e-300)'"],
    "ext.geography": ["'SRID=4326;POINT(-71.060316 48.432044)'"],
    "ext.raster": ["ext.ST_MakeEmptyRaster(10, 10, 0.5, -0.5, 1, -1, 0, 0, 4326)",
                   "'0100000100000000000000F03F000000000000F0BF000000000000E03F000000000000E0BF"
                   "00000000000000000000000000000000E6100000020002004A003C1CC6CDCCCC3DCDCCCC3D"
                   "CDCCCC3DCDCCCC3D'"],  # One band of 0.1, with a value for no data.
    "ext.box2d": ["'BOX(0 0.1,1 1)'"],
    "ext.box3d": ["'BOX3D(0 0 0,1 1 0.1)'"],
}
# No values: gtrgm (pg_trgm), gbtreekey* (btree_gist), ghstore, ltree_gist and intbig_gkey are keys
# inside an index, whose input functions refuse; earth (earthdistance) is a domain over cube.

GROUPS = {"numbers": NUMBERS, "texts": TEXTS, "times": TIMES, "others": OTHERS}
# By the first version of the server that takes them.
GROUPS_SINCE = {
    15: {"numeric(3,-2)": ["12345", "-100"], "numeric(3,5)": ["0.00123", "-0.00999"]},
    17: {"interval": ["'infinity'", "'-infinity'", "'1 day'"],
         "interval[]": ["'{infinity,-infinity,NULL,1 day}'"],
         "jsonpath": ["'$.a.bigint()'", "'$.a.datetime(\"HH24\").string()'"]},
}


def set_hostile(*databases):
    """Both sides print in unusual ways."""
    for database in databases:
        for setting in HOSTILE:
            database.execute(f'alter database "{database.name}" set {setting}')


def make_extensions(database):
    """Every extension in a schema of its own, which is not in the search path. Returns
    {type: values}, and the names of those that this server does not have."""
    have = {name for name, in database.query("select name from pg_available_extensions")}
    database.execute("create schema ext; grant usage on schema ext to public")
    types = {}
    for extension in EXTENSION_TYPES.keys() & have:
        database.execute(f"create extension {extension} schema ext")
        types.update({f"ext.{name}": values
                      for name, values in EXTENSION_TYPES[extension].items()})
    return types, EXTENSION_TYPES.keys() - have

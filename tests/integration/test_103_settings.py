"""Databases and roles that are set up in hostile ways, other locales, other encodings."""

import shutil
import subprocess

import pytest

from support.pgchronicle import EXIT_OPERATOR
from support.roles import SOURCE_USER, TARGET_USER, grant_target
from support.story import KEYED, begin, each, finish
from support.type_values import HOSTILE
from support.versions import kept_as_text, major

# -- settings ---------------------------------------------------------------------------------

# Whoever looks a name up in this schema gets a wrong answer, or none.
EVIL = """
create schema evil; grant usage on schema evil to public;
create type evil.text as (evil integer);
create table evil.pg_class (oid oid, relname name);
create table evil.t (id integer, v evil.text);
create operator evil.= (leftarg = integer, rightarg = integer, function = int4ne);
create operator evil.= (leftarg = pg_catalog.text, rightarg = pg_catalog.text, function = textne);
"""
# name(arguments) -> its type and what it says there
EVIL_FUNCTIONS = {
    "now()": ("timestamptz", "'1999-01-01'"), "current_database()": ("name", "'evil'"),
    "format_type(oid, integer)": ("pg_catalog.text", "'evil'"),
    "md5(pg_catalog.text)": ("pg_catalog.text", "'evil'"),
    "pg_current_wal_flush_lsn()": ("pg_lsn", "'0/1'"),
    "to_regclass(pg_catalog.text)": ("regclass", "null"),
    "set_config(pg_catalog.text, pg_catalog.text, boolean)": ("pg_catalog.text", "'evil'"),
    "quote_ident(pg_catalog.text)": ("pg_catalog.text", "'evil'"),
    "pg_try_advisory_lock(bigint)": ("boolean", "false"),
    "array_length(anyarray, integer)": ("integer", "0"),
}
SETTINGS = [
    *HOSTILE, "search_path = 'evil', 'pg_catalog'", "standard_conforming_strings = off",
    "default_transaction_isolation = 'serializable'", "row_security = off", "array_nulls = off",
    "quote_all_identifiers = on", "backslash_quote = off", "client_encoding = 'LATIN1'",
    "check_function_bodies = off", "transform_null_equals = on",
    "default_toast_compression = 'pglz'", "enable_indexscan = off", "enable_bitmapscan = off",
]
OURS = ["search_path = 'public'", "standard_conforming_strings = on", "array_nulls = on",
        "transform_null_equals = off", "quote_all_identifiers = off"]  # Of the test's own sessions.


def _lay_traps(database, role, where):
    database.execute(EVIL)
    for function, (kind, answer) in EVIL_FUNCTIONS.items():
        database.execute(f"create function evil.{function} returns {kind} language sql as "
                         f"$$ select {answer}::{kind} $$")
    subject = f'database "{database.name}"' if where == "database" \
        else f'role {role} in database "{database.name}"'
    for setting in SETTINGS:
        database.cluster.execute(f"alter {subject} set {setting}")
    for setting in OURS:
        database.cluster.execute(f'alter role postgres in database "{database.name}" '
                                 f"set {setting}")
    database._connection.close()


@pytest.mark.parametrize("where, form", [("database", "text"), ("role", "text"),
                                         ("role", "binary")])
def test_defaults_of_databases_and_roles_change_nothing(scene, where, form):
    row = ("'it''s \\ ü', '2024-02-03 04:05:06.789', 0.1::float8 + 0.2::float8, '-1 mon 2 days', "
           "'\\x00ff', '2024-02-03', '{1,NULL}', '{NULL,\"NULL\"}'")
    column = ""
    if form == "text":
        column, row = ", r regclass", row + ", 'operations.u'"
    scene.source.execute(
        "create table operations.u (v text, f float8);"
        "create table operations.t (id integer primary key, v text, at timestamptz, f float8, "
        f"i interval, b bytea, d date, n integer[], tn text[]{column});"
        "alter table operations.u replica identity full;"
        f"insert into operations.t values (1, {row}), (2, {row});"
        "insert into operations.u values ('u', 1e-300)")
    scene.configure(tables={"include": ["operations.*"]})
    scene.publish()
    _lay_traps(scene.source, SOURCE_USER, where)
    _lay_traps(scene.target, TARGET_USER, where)
    oracle = scene.oracle("t", "u")
    service = scene.start_streaming()
    each(scene, f"insert into operations.t values (3, {row})",
         "update operations.t set v = v || '.' where id = 1; update operations.u set v = 'w'",
         "update operations.t set id = 4 where id = 2; delete from operations.t where id = 3",
         "alter table operations.t add x interval default '1 mon'",
         "update operations.t set id = 5 where id = 4")
    finish(scene, service, oracle, scene.spec("t", fast_defaults={"x": "1 mon"}), scene.spec("u"),
           as_of_samples=0)  # The past shows the default, too.
    if kept_as_text(scene.source, scene.target):
        form = "text"  # For the intervals.
    assert service.events("stream_started")[0].fields["form"] == form
    assert not service.events("reconnecting")
    # Its readers are not led astray either.
    with scene.target.transaction() as cursor:
        cursor.execute("set local search_path = evil, pg_catalog")
        cursor.execute("select id, v from analytics.t_as_of_lsn(%s::pg_lsn) order by id",
                       (scene.checkpoint()["position"],))
        assert cursor.fetchall() == [(1, "it's \\ ü."), (5, "it's \\ ü")]
    result = scene.run("check")
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.fixture(scope="session")
def german(factory):
    """A folder with the locale de_DE; LOCPATH shows it to a server."""
    folder = factory.base / "locales"
    folder.mkdir(mode=0o755)
    definition = shutil.which("localedef")
    made = definition and subprocess.run(
        [definition, "-i", "de_DE", "-f", "UTF-8", str(folder / "de_DE.utf8")],
        capture_output=True)
    if not made or not (folder / "de_DE.utf8" / "LC_MONETARY").exists():
        pytest.skip("localedef or the sources of the locale de_DE are not installed")
    return folder


@pytest.mark.parametrize("form", ["binary", "text"])
def test_money_is_the_same_number_where_the_source_writes_it_in_german(
        make_scene, new_cluster, target_cluster, program, german, form):
    cluster = new_cluster("german_source")
    cluster.stop()
    cluster.environment = {"LOCPATH": german}
    cluster.configure(lc_monetary="'de_DE.utf8'")
    cluster.start()
    scene = make_scene(cluster, target_cluster)
    scene.source.execute(
        f"create table operations.t (id integer primary key, v money, vs money[]"
        f"{', c regtype' if form == 'text' else ''});"
        "insert into operations.t values (1, 1234.11::numeric::money, array[0.05::numeric::money])")
    assert scene.source.value("select v::text from operations.t").startswith("1.234,11")
    scene.publish()
    service = scene.start_streaming()
    each(scene, "insert into operations.t values (2, (-1234567.89)::numeric::money, '{}')",
         "update operations.t set v = v * 2 where id = 1")
    scene.catch_up(service)
    assert service.stop() == 0, service.tail()
    assert service.events("stream_started")[-1].fields["form"] == form
    numbers = "id, v::numeric, (vs[1])::numeric"
    assert scene.target.query(f"select {numbers} from analytics.t_current order by id") \
        == scene.source.query(f"select {numbers} from operations.t order by id")


# -- encodings --------------------------------------------------------------------------------

def _in_encoding(scene, side, encoding):
    database = getattr(scene, side)
    database.make_again(f"template template0 encoding '{encoding}' locale 'C'")
    if side == "source":
        scene.add_schema(scene.schema)
    else:
        grant_target(database)


@pytest.mark.parametrize("form", ["binary", "text"])
def test_a_latin1_source_arrives_in_a_utf8_target(scene, form):
    _in_encoding(scene, "source", "LATIN1")
    kind = "operations.size" if form == "text" else "text"
    oracle, service = begin(
        scene, "create type operations.size as enum ('größer');"
        f'create table operations."Straße" ("Größe" text primary key, v {kind}, n name, c char(3), '
        """j json); insert into operations."Straße" values
        ('ÿ£', 'größer', 'ö', 'ü', '{"é": "\\u00e9"}')""", "Straße")
    each(scene, """insert into operations."Straße" values ('ß', 'größer', 'ö', 'ü', '"é"')""",
         """update operations."Straße" set "Größe" = 'ÿ' where "Größe" = 'ÿ£'""",
         """delete from operations."Straße" where "Größe" = 'ß'""")
    finish(scene, service, oracle, scene.spec("Straße"))
    assert service.events("stream_started")[-1].fields["form"] == form
    assert scene.source.value("show server_encoding") == "LATIN1"


@pytest.mark.parametrize("form", ["binary", "text"])
def test_what_a_latin1_target_cannot_hold_stops_and_the_rest_arrives(scene, form):
    _in_encoding(scene, "target", "LATIN1")
    oracle, service = begin(
        scene, f"create table operations.t (id integer primary key, v text"
        f"{', r regtype' if form == 'text' else ''});"
        "insert into operations.t values (1, 'müßig')", "t")
    each(scene, "insert into operations.t values (2, 'ÿ')", "update operations.t set v = 'é'")
    scene.catch_up(service)
    before = scene.history("t")
    each(scene, "insert into operations.t values (3, '€')")
    assert service.wait(30) == EXIT_OPERATOR, service.tail()
    assert "LATIN1" in service.tail()
    assert scene.history("t") == before
    # Nor does the copy put anything else in its place.
    each(scene, "delete from operations.t where id = 3",
         "create table operations.u (id integer primary key, v text);"
         "insert into operations.u values (1, '€')")
    service = scene.start()
    assert service.wait(30) == EXIT_OPERATOR, service.tail()


@pytest.mark.parametrize("way", ["copied", "streamed"])
def test_bytes_that_are_no_utf8_stop(scene, way):
    """A database in SQL_ASCII takes any bytes, and says they are what the client asks for."""
    _in_encoding(scene, "source", "SQL_ASCII")
    each(scene, KEYED)
    scene.publish()
    wrong = "insert into operations.t values (1, convert_from('\\xff41', 'SQL_ASCII'))"
    if way == "copied":
        each(scene, wrong)
        service = scene.start()
    else:
        service = scene.start_streaming()
        each(scene, "insert into operations.t values (2, 'right')")
        scene.catch_up(service)
        each(scene, wrong)
    assert service.wait(30) == EXIT_OPERATOR, service.tail()
    assert "UTF8" in service.tail()
    rows = 0 if way == "copied" else 1
    assert scene.target.value("select count(*) from analytics.t_history") == rows


@pytest.mark.parametrize("form", ["binary", "text"])
def test_a_byte_that_is_no_character_arrives_in_the_type_char_or_stops(scene, form):
    scene.source.execute('create table operations.t (id integer primary key, v "char"'
                         f"{', r regtype' if form == 'text' else ''});"
                         'insert into operations.t values (1, (-56)::"char")')
    scene.publish()
    service = scene.start()
    service.wait_for(lambda: scene.streams(service), 60, "the stream")
    each(scene, 'insert into operations.t values (2, (-1)::"char")')
    if form == "text" and major(scene.source) < 15:  # It prints the byte itself.
        assert service.wait(60) == EXIT_OPERATOR, service.tail()
        return
    scene.catch_up(service)
    assert service.stop() == 0, service.tail()
    assert scene.target.query('select id, v::integer from analytics.t_current order by id') \
        == [(1, -56), (2, -1)]

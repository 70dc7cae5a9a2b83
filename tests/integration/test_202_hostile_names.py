"""Names that a source's owner chooses go through every statement, the log and the output unharmed.

Columns and tables alone are in test_104; here are schemas, types, labels, defaults, publications
and the pipeline, through every command, with the target's own record of what it executed.
"""

import json
import re

import pytest
import yaml

from support.pgchronicle import EXIT_CHECK_FAILED, EXIT_DONE, EXIT_USAGE, parse_log_line
from support.roles import SOURCE_PASSWORD, SOURCE_USER, grant_source
from support.replay_scene import WHY, add_bookmark
from support.statements import executed, foreign
from support.whole_history import differences, whole_history

MARKER = "pwned"
DROP = "drop table public.canary"
NAMES = [
    'pwned"', 'pwned""x', "pwned'x", f"pwned'; {DROP}; --", f'pwned"; {DROP}; --', "pwned;--",
    "$$pwned$$", "$1 pwned $b$", "pwned\\", "pwned\\'", "pwned\n\\! touch x",
    "pwned\n2026-01-01T00:00:00.000Z error forged", "pwned\r\nFATAL:  forged", "%s %n pwned %",
    "{pwned} {}", "\u202epwned", "pwned" + "ü" * 29, "select", "\u00a0", 'Quoted_"" . pwned"',
    "pwned/*", "E'pwned", "pwned\u2028x", "pwned\x1b[2J", "pwned\u009b2J",
]
PUBLICATIONS = [f"pwned'; {DROP}; --", 'pwned", "x', "pwned {} %s \\"]
PIPELINE = f"pwned'\"; {DROP}; -- {{}} %s \\"
COPY = f'pwned\'"; {DROP}; -- {{}} %s \\'
# Controls, and what ends a line or turns the direction of writing, but for the line feed.
UNPRINTABLE = re.compile("[\0-\t\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def literal(text):
    return "'" + text.replace("'", "''") + "'"


@pytest.fixture
def hostile(scene):
    """Every name at every place; the target records what it executes, and has a canary that the
    program's role may drop."""
    for database in (scene.source, scene.target):
        database.execute("create table public.canary (v text); insert into canary values ('sings');"
                         "grant all on canary to public")
    scene.target.execute("alter table public.canary owner to analytics_user; "
                         f"alter database \"{scene.target.name}\" set log_statement = 'all'")
    for name in NAMES:
        q, kind, domain = quoted(name), quoted("k" + name[:30]), quoted("d" + name[:30])
        scene.source.execute(
            f"create schema {q}; create type {q}.{kind} as enum ({literal(name)}, 'other');"
            f"create domain {q}.{domain} as text default {literal(name)};"
            f"create table {q}.{q} (id integer primary key, {q} text default {literal(name)}, "
            f"kind {q}.{kind}, d {q}.{domain});"
            f"alter table {q}.{q} alter d set storage external;"
            f"comment on table {q}.{q} is {literal(name)}; insert into {q}.{q} "
            f"values (0, {literal(name)}, {literal(name)}, repeat('x', 5000))")
        grant_source(scene.source, schema=name)
    for publication in PUBLICATIONS:
        scene.source.execute(f"create publication {quoted(publication)} for all tables")
    scene.configure(source={"publication": PUBLICATIONS}, pipeline=PIPELINE,
                    target={"schema": "{schema}_h"},
                    tables={"exclude": ["public.*", "operations.*"]}, log={"level": "trace"})
    scene.name = PIPELINE
    return scene


def _is_one_line_an_event(text):
    for line in text.splitlines():
        assert parse_log_line(line), repr(line)
    assert not UNPRINTABLE.search(text)


def _says(scene, *command, code=EXIT_DONE, timeout=120):
    """What the command prints: nothing that a terminal obeys, no line that a name has begun."""
    result = scene.run(*command, timeout=timeout)
    assert result.returncode == code, result.stdout + result.stderr
    assert not UNPRINTABLE.search(result.stdout + result.stderr), repr(result.stdout)
    assert not [line for line in result.stdout.splitlines()
                if line.startswith(("FATAL:  forged", "2026-01-01T", "\\!"))], result.stdout
    return result.stdout


def _change(scene):
    """Inserts, updates, deletes, key changes; columns and labels that come or are renamed."""
    for name in NAMES:
        q = quoted(name)
        new, kind = quoted("n" + name[:30]), quoted("k" + name[:30])
        scene.source.execute(
            f"insert into {q}.{q} (id, kind, d) values (1, 'other', repeat('y', 5000));"
            f"update {q}.{q} set kind = {literal(name)} where id = 1")
        scene.source.execute(f"update {q}.{q} set id = 10, {q} = 'other key' where id = 0")
        scene.source.execute(f"alter type {q}.{kind} add value {literal('v' + name[:30])}")
        scene.source.execute(
            f"alter table {q}.{q} rename {q} to {new};"
            f"alter table {q}.{q} add {q} {q}.{kind} default {literal('v' + name[:30])}")
        scene.source.execute(
            f"update {q}.{q} set kind = 'other' where id = 10; delete from {q}.{q} where id = 1;"
            f"insert into {q}.{q} (id, {new}) values (2, {literal(name)})")


def test_names_go_through_everything_unharmed(hostile):
    scene = hostile
    mark = scene.target_cluster.log_mark()
    _says(scene, "check")
    service = scene.start_streaming(timeout=120)
    _change(scene)
    scene.catch_up(service, timeout=120)
    status = json.loads(scene.run("status", "--json").stdout)
    assert status["pipeline"] == PIPELINE
    assert {table["source"] for table in status["tables"]} == {f"{name}.{name}" for name in NAMES}
    _says(scene, "status")
    _says(scene, "verify")
    report = json.loads(scene.run("verify", "--json").stdout)
    assert {table["source"] for table in report["tables"]} == {f"{name}.{name}" for name in NAMES}
    add_bookmark(scene, "b")
    _says(scene, "bookmark", "list")
    for name in NAMES:
        q = quoted(name)
        scene.source.execute(f"insert into {q}.{q} (id, kind) values (3, {literal(name)});"
                             f"delete from {q}.{q} where id = 3")
    scene.catch_up(service, timeout=120)
    assert service.stop() == 0, service.tail()
    _is_one_line_an_event(service.log_text())
    before = whole_history(scene.target, PIPELINE)
    _says(scene, "replay", "--into", COPY, "--from", "b", *WHY)
    assert scene.target.value("select count(*) from pg_class c where relkind = 'r' and "
                              "relnamespace = (select oid from pg_namespace where nspname = %s)",
                              (COPY,)) == len(NAMES)
    _says(scene, "replay", "--from", "b", *WHY)
    assert differences(before, whole_history(scene.target, PIPELINE)) == {}

    for name in NAMES:
        q, h = quoted(name), quoted(name + "_h") if len(name.encode()) < 62 else None
        state = scene.target.query(
            "select target_schema, target_table from pgchronicle.table_state where source_schema = "
            "%s and source_table = %s and pipeline = %s", (name, name, PIPELINE))
        assert len(state) == 1, name
        schema, table = state[0]
        assert h is None or quoted(schema) == h
        columns = ["id", name, "n" + name[:30], "kind", "d"]
        listing = ", ".join(f"{quoted(column)}::text" for column in columns)
        assert scene.target.query(
            f"select {listing} from {quoted(schema)}.{quoted(table)} where is_current order by 1") \
            == scene.source.query(f"select {listing} from {q}.{q} order by 1"), name
        assert scene.target.value(
            f"select count(*) from {quoted(schema)}.{quoted(table)} "
            "where operation_type in ('DELETE', 'REKEY')") == 3
        _says(scene, "history", f"{name}.{name}", "2")

    scene.source.execute(f"delete from {quoted(NAMES[0])}.{quoted(NAMES[0])}")
    _says(scene, "repair", "skip", "--to", scene.source.lsn(), "--reason", NAMES[3], "--yes")
    _says(scene, "repair", "reseed", f"{NAMES[11]}.{NAMES[11]}", "--reason", NAMES[11])
    assert scene.target.query("select pipeline, reason from pgchronicle.audit order by id") \
        == [(PIPELINE, reason) for reason in (WHY[1], WHY[1], NAMES[3], NAMES[11])]
    for database in (scene.source, scene.target):
        assert database.query("select v from public.canary") == [("sings",)]
    statements = executed(scene.target_cluster.log_since(mark))
    assert len(statements) > 500, "the target's log does not show what was executed"
    problems = foreign(statements, MARKER)
    assert not problems, problems[:3]


def test_the_log_and_refusals_hold_every_name_on_one_line(hostile):
    scene = hostile
    scene.configure(log={"format": "json"})
    service = scene.start_streaming(timeout=120)
    scene.source.execute(f"alter table {quoted(NAMES[3])}.{quoted(NAMES[3])} add w integer")
    scene.source.execute(f"insert into {quoted(NAMES[3])}.{quoted(NAMES[3])} (id) values (7)")
    scene.catch_up(service)
    assert service.stop() == 0, service.tail()
    for line in service.log_text().splitlines():
        json.loads(line)
    # A target that does not fit is told with the names, and still line by line.
    forged = NAMES[11]
    state = scene.target.query("select target_schema, target_table from pgchronicle.table_state "
                               "where source_table = %s", (forged,))[0]
    scene.target.execute(f"alter table {quoted(state[0])}.{quoted(state[1])} drop column valid_to "
                         "cascade")
    scene.source.execute(f"alter table {quoted(forged)}.{quoted(forged)} add w integer")
    scene.source.execute(f"insert into {quoted(forged)}.{quoted(forged)} (id) values (7)")
    result = scene.run("run", "--until-current")
    assert result.returncode != EXIT_DONE
    for line in result.stderr.splitlines():
        json.loads(line)
    scene.configure(log={"format": "text"})
    result = scene.run("run", "--until-current")
    said = [line for line in result.stderr.splitlines() if not parse_log_line(line)]
    assert [line.split(" ")[0] for line in said] == ["pgchronicle:", "DETAIL:", "HINT:"], said
    assert "forged" in said[0] and not UNPRINTABLE.search(result.stderr)
    _says(scene, "check", code=EXIT_CHECK_FAILED)


def test_init_writes_names_that_are_read_back(hostile):
    scene = hostile
    dsn = scene.source_cluster.dsn(scene.source.name, SOURCE_USER)
    result = scene.pipeline.run_plain("init", dsn, env={"PGPASSWORD": SOURCE_PASSWORD})
    assert result.returncode == EXIT_DONE, result.stderr
    config = yaml.safe_load(result.stdout)
    assert config["source"]["publication"] in PUBLICATIONS
    schemas = {pattern.replace("$$", "$") for pattern in config["tables"]["include"]}
    assert {f"{name}.*" for name in NAMES} <= schemas


@pytest.mark.parametrize("name", [*NAMES, "pg_catalog", ""])
def test_a_slot_s_name_that_the_server_would_not_take_is_a_configuration_error(scene, name):
    if name in ("select", "pg_catalog"):
        pytest.skip("a slot may have this name")
    scene.configure(source={"slot": name.replace("$", "$$")})
    result = scene.run("check")
    assert result.returncode == EXIT_USAGE, result.stdout + result.stderr
    assert not [line for line in result.stderr.splitlines() if line.startswith("2026-")]


def test_the_record_finds_a_statement_that_is_not_ours(scene):
    """The audit of the scenes above is seen to fail."""
    scene.target.execute(f"alter database \"{scene.target.name}\" set log_statement = 'all'")
    mark = scene.target_cluster.log_mark()
    connection = scene.target.connect()
    with connection.cursor() as cursor:
        cursor.execute("set application_name = 'pgchronicle planted'")
        cursor.execute("CREATE TABLE t (v text); INSERT INTO t VALUES ('pwned ''; --'); "
                       "INSERT INTO t SELECT v AS pwned FROM t")
        cursor.execute("DROP TABLE t")
    connection.close()
    statements = executed(scene.target_cluster.log_since(mark))
    assert [part for part, _ in foreign(statements, MARKER)] == [
        "INSERT INTO t SELECT v AS pwned FROM t", "DROP TABLE t"]

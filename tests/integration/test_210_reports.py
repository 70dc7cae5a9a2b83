"""Reports: definitions in files, parameters, and values that never become SQL."""

import json

import pytest
from support.pgchronicle import EXIT_DONE, EXIT_OPERATOR, EXIT_USAGE
from support.reports import Reports, csv_rows

PLAYERS = """-- name: players
-- path: /players
-- description: Who has scored.
-- param: team text = all -- of which team; all: of any
-- param: least number = 0 min 0 -- with so many points or more
-- param: limit integer = 2 min 1 max 10
SELECT name, team, points, points > 10 AS good, NULL::date AS retired
FROM public.players
WHERE (:team = 'all' OR team = :team) AND points >= :least
ORDER BY points DESC, name LIMIT :limit;
"""


@pytest.fixture
def reports(scene, tmp_path):
    made = Reports(scene, tmp_path / "reports")
    scene.target.execute("create table public.players (name text, team text, points numeric);"
                         "grant select on public.players to public")
    scene.target.execute("insert into public.players values ('Ann', 'red', 12.50),"
                         " ('Bob \"B\", jr', 'blue', 7), ('Cé', 'red', 3)")
    made.write("players", PLAYERS)
    return made


def test_a_report_is_a_table_csv_or_json(reports):
    table = reports.run("players")
    assert (table.returncode, table.stdout, table.stderr) == (EXIT_DONE, (
        "name         team  points  good  retired\n"
        "Ann          red    12.50  t     NULL\n"
        "Bob \"B\", jr  blue       7  f     NULL\n"
        "(2 rows)\n"), "")
    assert reports.run("players", "--format", "csv").stdout.splitlines() == [
        "name,team,points,good,retired", "Ann,red,12.50,t,", "\"Bob \"\"B\"\", jr\",blue,7,f,"]
    assert reports.run("players", "--format", "json").stdout == (
        '[{"name":"Ann","team":"red","points":12.50,"good":true,"retired":null},'
        '{"name":"Bob \\"B\\", jr","team":"blue","points":7,"good":false,"retired":null}]\n')
    assert reports.rows("players", "--team", "nobody's") == []
    assert reports.run("players", "--team", "x", "--format", "csv").stdout == (
        "name,team,points,good,retired\n")


def test_parameters_are_options_of_the_command(reports):
    def names(*arguments):
        return [row["name"] for row in reports.rows("players", *arguments)]

    assert names("--limit", "1") == ["Ann"]
    assert names("--limit=3", "--team", "red") == ["Ann", "Cé"]
    assert names("--param", "team=red", "--param", "least=3.5") == ["Ann"]
    assert names("--least", "12.5", "--param", "limit=1") == ["Ann"]


@pytest.mark.parametrize(("arguments", "said"), [
    (["--limit", "0"], 'value "0" of parameter "limit" is out of range\n'
                       "DETAIL:  It is an integer from 1 to 10.\n"),
    (["--limit", "11"], 'value "11" of parameter "limit" is out of range\n'
                        "DETAIL:  It is an integer from 1 to 10.\n"),
    (["--limit", "-1"], 'value "-1" of parameter "limit" is out of range\n'
                        "DETAIL:  It is an integer from 1 to 10.\n"),
    (["--limit", "two"], 'value "two" of parameter "limit" is not an integer\n'
                         "DETAIL:  It is an integer from 1 to 10.\n"),
    (["--least", "1e3"], 'value "1e3" of parameter "least" is not a number\n'
                         "DETAIL:  It is a number of 0 or more, such as 12.5.\n"),
    (["--limits", "1"], 'report "players" has no parameter "limits"\n'
                        "DETAIL:  It has: team, least, limit.\n"),
    (["--limit"], "--limit has no value\n"),
    (["--limit", "1", "--param", "limit=2"], 'parameter "limit" is given twice\n'),
    (["--param", "limit"], '--param "limit" has no value\nHINT:  Write --param name=value.\n'),
    (["7"], 'argument "7" is not understood\nHINT:  A parameter is given as --name value.\n'),
    (["--format", "table", "--export", "x"],
     "a file is CSV or JSON\nHINT:  Leave --format out, or say --format json.\n"),
])
def test_what_does_not_fit_is_refused(reports, arguments, said):
    result = reports.run("players", *arguments)
    assert (result.returncode, result.stdout, result.stderr) == (
        EXIT_USAGE, "", "pgchronicle: error: " + said)


def test_an_unknown_report_is_refused_with_those_that_are_there(reports):
    reports.write("second", "SELECT 1 AS one")
    result = reports.run("playres")
    assert (result.returncode, result.stderr) == (
        EXIT_USAGE, 'pgchronicle: error: there is no report "playres"\n'
                    "DETAIL:  There are: players, second.\n")
    late = reports.run("--limit", "3", "players")
    assert late.returncode == EXIT_USAGE
    assert late.stderr.endswith("HINT:  The report's name comes before its parameters.\n")
    assert reports.run("players", "--format", "xml").returncode == EXIT_USAGE


def test_without_a_name_they_are_listed(reports):
    reports.write("a", "SELECT 1 AS one")
    head, rows = csv_rows(reports.run("--format", "csv").stdout)
    assert head == ["report", "parameters", "path", "description"]
    assert rows == [["a", "", "", ""],
                    ["players", "--team=all --least=0 --limit=2", "/players", "Who has scored."]]
    assert "--limit=2" in reports.run().stdout
    reports.scene.configure(reports=None)
    result = reports.run("players")
    assert result.returncode == EXIT_USAGE
    assert result.stderr == (
        'pgchronicle: error: there is no report "players"\nDETAIL:  There are none.\n'
        "HINT:  The key reports.dir of the configuration names their folder.\n")


def test_help_of_a_report_tells_its_parameters(reports):
    path = reports.write("every", "-- path: /every/one\n"
                         "-- param: a text = '' one of '', 'b c' -- what\n-- param: d date\n"
                         "SELECT :a, :d")
    told = reports.run("every", "--help")
    line = "{:9}  {:17}  {:26}  {}".format
    assert (told.returncode, told.stdout.splitlines(), told.stderr) == (EXIT_DONE, [
        "every", "",
        line("parameter", "default", "is", "description"),
        line("--a", "''", "one of '', b c", "what"),
        line("--d", "(has to be given)", "a date, such as 2026-11-21", "").rstrip(), "",
        "path  /every/one", f"file  {path}"], "")
    # Nothing runs, so that no value is looked at.
    assert "integer from 1 to 10" in reports.run("players", "-h", "--limit", "99").stdout
    general = reports.run("--help")
    assert general.returncode == EXIT_DONE and "--param" in general.stdout
    assert "Usage: pgchronicle report [OPTIONS] [name]" in general.stdout


HOSTILE = ["'; DROP TABLE public.players; --", "' OR '1'='1", "\\'; SELECT 1; --", "$1", ":limit",
           "red' UNION SELECT rolname, '', 1, true, NULL FROM pg_roles --", "%s", "$$ x $$",
           "\x1b[31mred", "é" * 4096, "NULL", "red\nblue"]


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_value_is_only_ever_a_value(reports, value):
    assert reports.rows("players", f"--team={value}") == []
    assert reports.rows("players", "--param", f"team={value}") == []
    # And where it is the value that is asked for, it is found.
    reports.scene.target.execute("insert into public.players values ('Eve', %s, 99)", (value,))
    assert [row["team"] for row in reports.rows("players", "--team", value)] == [value]
    table = reports.run("players", "--team", value)
    assert "\x1b" not in table.stdout and len(table.stdout.splitlines()) == 3
    assert reports.scene.target.value("select count(*) from public.players") == 4


def test_a_value_that_is_no_text_is_refused(reports):
    result = reports.run("players", "--team", b"\xff".decode("utf-8", "surrogateescape"))
    assert result.returncode == EXIT_USAGE
    assert 'of parameter "team" is not UTF-8 text' in result.stderr
    assert 'parameter "team" is too long' in reports.run("players", "--team", "x" * 8193).stderr


def test_a_report_cannot_write(reports):
    for name, sql in {
        "deletes": "WITH d AS (DELETE FROM public.players RETURNING 1) SELECT * FROM d",
        "counts": "SELECT nextval('public.n')",
        "sets": "SELECT set_config('default_transaction_read_only', 'off', false)",
    }.items():
        reports.write(name, sql)
    reports.scene.target.execute(
        "create sequence public.n; grant all on sequence public.n to public;"
        "grant all on public.players to public")
    for name in ("deletes", "counts"):
        result = reports.run(name)
        assert result.returncode == EXIT_OPERATOR, (name, result.stdout)
        assert "read-only transaction" in result.stderr
    reports.run("sets")
    assert reports.scene.target.value("select count(*) from public.players") == 3


def test_sql_that_cannot_run_names_the_report_and_its_file(reports):
    path = reports.write("broken", "-- name: broken\nSELECT * FROM nowhere.nothing")
    result = reports.run("broken")
    assert (result.returncode, result.stdout, result.stderr) == (
        EXIT_OPERATOR, "",
        'pgchronicle: error: report "broken" cannot run: relation "nowhere.nothing" does not'
        f" exist\nHINT:  Its SQL stands in {path}.\n")


def test_faults_of_definitions_are_told_with_file_and_line(reports):
    bad = reports.write("bad", "-- nmae: x\n-- param: a txt\nSELECT\n  :b;\n")
    twin = reports.write("twin", "-- name: players\n-- path: /players\nSELECT 1")
    result = reports.run("players")
    assert result.returncode == EXIT_USAGE
    lines = [line for line in result.stderr.splitlines()
             if not line.startswith(("DETAIL:", "HINT:"))]
    assert lines == [
        f'{bad}:1: unknown word "nmae" in the definition',
        f'{bad}:2: unknown type "txt"',
        f'{bad}:4: parameter "b" is not declared',
        f'{twin}:1: report "players" exists already',
        f"{twin}:2: path /players is taken already",
    ]
    reports.scene.configure(reports={"dir": "no/such"})
    missing = reports.run("players")
    assert missing.returncode == EXIT_USAGE
    assert "could not read the folder of reports" in missing.stderr


def test_types_reach_the_server_as_they_are_declared(reports):
    reports.write("types", """-- param: d date = 2026-11-21
-- param: at timestamp = 2026-11-21T12:00:00+02
-- param: b boolean = true
-- param: n number = 1.50
-- param: i integer = -7
-- param: t text = '::x'
SELECT pg_typeof(:d) || ' ' || :d::text AS d, pg_typeof(:at) || ' ' || :at::text AS at,
       pg_typeof(:b) || ' ' || :b::text AS b, pg_typeof(:n) || ' ' || :n::text AS n,
       pg_typeof(:i) || ' ' || :i::text AS i, pg_typeof(:t) || ' ' || :t AS t,
       ':d' AS quoted, $$:d$$ AS dollar /* :d */ -- :d
""")
    assert reports.rows("types") == [{
        "d": "date 2026-11-21", "at": "timestamp with time zone 2026-11-21 10:00:00+00",
        "b": "boolean true", "n": "numeric 1.50", "i": "bigint -7", "t": "text ::x",
        "quoted": ":d", "dollar": ":d"}]


def test_a_json_column_is_json(reports):
    reports.write("j", """SELECT '{"a": [1, null]}'::jsonb AS b, E'{\\n"a":1}'::json AS j,
                          'NaN'::float8 AS n, ARRAY[1, 2] AS l""")
    text = reports.run("j", "--format", "json").stdout
    assert text == '[{"b":{"a": [1, null]},"j":{ "a":1},"n":"NaN","l":"{1,2}"}]\n'
    json.loads(text)

"""Files that reports are written to, formats and colours of those that read, completion, man."""

import csv
import io
import json
import os
import pty
import re
import subprocess

import pytest
from support.pgchronicle import EXIT_DONE, EXIT_OPERATOR, EXIT_USAGE, binary
from support.reports import Reports, csv_rows

KEYED = "create table operations.t (id integer primary key, v text, n integer)"


@pytest.fixture
def reports(scene, tmp_path):
    made = Reports(scene, tmp_path / "reports")
    made.write("one", "-- param: n integer = 1\nSELECT :n AS one, 'a,b' AS text")
    made.write("two", "SELECT now() AS at, NULL AS nothing, '' AS empty")
    return made


def exported(folder):
    return {path.name: path.read_bytes().decode() for path in sorted(folder.iterdir())}


def test_an_export_is_a_file_with_name_and_time(reports, tmp_path):
    folder = tmp_path / "deep" / "out"
    result = reports.run("one", "--n", "5", "--export", str(folder))
    assert result.returncode == EXIT_DONE, result.stderr
    (name, text), = exported(folder).items()
    assert re.fullmatch(r"one_result_\d{8}T\d{6}Z\.csv", name)
    assert text == 'one,text\r\n5,"a,b"\r\n'
    assert result.stdout == f"{folder / name}\n"
    # Others may read it, as any file that a program makes.
    assert (folder / name).stat().st_mode & 0o777 == 0o666 & ~current_umask()
    # Within the same second, too, nothing is overwritten.
    for _ in range(4):
        assert reports.run("one", "--export", str(folder)).returncode == EXIT_DONE
    assert len(exported(folder)) == 5
    as_json = reports.run("one", "--export", str(folder), "--format", "json")
    assert as_json.stdout.endswith(".json\n")
    assert json.loads(open(as_json.stdout.strip()).read()) == [{"one": 1, "text": "a,b"}]


def current_umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_all_reports_are_of_one_moment(reports, tmp_path):
    reports.write("three", "SELECT now() AS at")
    result = reports.run("--all", "--export", str(tmp_path / "out"))
    assert result.returncode == EXIT_DONE, result.stderr
    files = exported(tmp_path / "out")
    assert [name.split("_result_")[0] for name in files] == ["one", "three", "two"]
    at = {name.split("_")[0]: csv_rows(text)[1][0][0] for name, text in files.items()}
    assert at["two"] == at["three"]
    assert next(text for name, text in files.items() if name.startswith("two")).endswith(',,""\r\n')


def test_of_all_reports_none_is_written_where_one_fails(reports, tmp_path):
    reports.write("zero", "SELECT 1 / 0 AS x")
    folder = tmp_path / "out"
    result = reports.run("--all", "--export", str(folder))
    assert result.returncode == EXIT_OPERATOR
    assert 'report "zero" cannot run: division by zero' in result.stderr
    assert not folder.exists()


def test_of_all_reports_one_that_needs_a_value_is_passed_over(reports, tmp_path):
    reports.write("zero", "-- param: x integer\nSELECT :x AS x")
    folder = tmp_path / "out"
    result = reports.run("--all", "--export", str(folder))
    assert (result.returncode, result.stderr) == (
        EXIT_DONE, 'pgchronicle: warning: report "zero" is passed over\n'
                   'DETAIL:  Its parameter "x" has no default.\n'
                   "HINT:  pgchronicle report zero --x VALUE --export\n")
    assert [name.split("_result_")[0] for name in exported(folder)] == ["one", "two"]


@pytest.mark.parametrize("arguments", [
    ["--all"], ["--all", "one", "--export", "x"], ["--all", "--export", "x", "--n", "1"],
    ["--export", "x", "--n", "1"],
])
def test_what_makes_no_sense_is_refused(reports, arguments):
    result = reports.run(*arguments)
    assert result.returncode == EXIT_USAGE and result.stderr, result.stdout


def test_a_folder_that_cannot_be_written_is_an_error(reports, tmp_path):
    (tmp_path / "file").write_text("")
    result = reports.run("one", "--export", str(tmp_path / "file" / "below"))
    assert result.returncode == EXIT_OPERATOR
    assert re.search(r'could not create folder ".*/file/below": Not a directory', result.stderr)


@pytest.fixture
def versions(scene):
    scene.source.execute(KEYED)
    scene.publish()
    service = scene.start_streaming()
    for statement in ("insert into operations.t values (1, 'a,b', 5)",
                      "update operations.t set v = null where id = 1",
                      "delete from operations.t where id = 1"):
        scene.source.execute(statement)
    scene.catch_up(service)
    assert service.stop() == EXIT_DONE
    return scene


def test_history_as_json_and_csv(versions):
    told = json.loads(versions.run("history", "t", "1", "--format", "json").stdout)
    position = versions.target.value("select position::text from pgchronicle.checkpoint")
    stored = versions.history("t", columns="valid_from::text, valid_to::text, is_current,"
                              " operation_type, lsn_from::text, lsn_to::text, change_seq")
    names = ["valid_from", "valid_to", "is_current", "operation_type", "lsn_from", "lsn_to",
             "change_seq"]
    changes = [([], {"id": 1, "v": "a,b", "n": 5}), (["v"], {"id": 1, "v": None, "n": 5}),
               ([], {"id": 1, "v": None, "n": 5})]
    assert told == {
        "table": "operations.t", "key": {"id": 1}, "position": position,
        "versions": [{**dict(zip(names, row)), "changed": changed, "values": values}
                     for row, (changed, values) in zip(stored, changes)]}
    head, rows = csv_rows(versions.run("history", "t", "1", "--format", "csv").stdout)
    assert head == [*names, "id", "v", "n"]
    assert [row[3] for row in rows] == ["INSERT", "UPDATE", "DELETE"]
    assert [row[7:] for row in rows] == [["1", "a,b", "5"], ["1", "", "5"], ["1", "", "5"]]


def test_a_target_made_by_an_older_version_can_be_read(versions):
    whole = versions.run("history", "t", "1").stdout
    versions.target.execute("drop table pgchronicle.quarantine")
    told = versions.run("history", "t", "1")
    assert (told.returncode, told.stdout) == (EXIT_DONE, whole), told.stderr


def test_history_before_the_first_run_knows_no_table(scene):
    told = scene.run("history", "t", "1", "--format", "json")
    assert (told.returncode, told.stdout) == (EXIT_USAGE, "")
    assert 'keeps no history of "t"' in told.stderr


def test_status_as_csv_has_the_names_of_the_json(versions):
    assert versions.run("status", "--json").stdout == versions.run(
        "status", "--format", "json").stdout
    told = json.loads(versions.run("status", "--json").stdout)
    head, rows = csv_rows(versions.run("status", "--format", "csv").stdout)
    assert head == ["name", "value"]
    for name, value in rows:
        if name != "retained_bytes":
            assert value == ("" if told[name] is None else str(told[name])) or "." in value, name
    assert dict(rows)["state"] == "stopped"


def on_terminal(scene, *arguments, **environment):
    """What the program writes when standard output is a terminal."""
    master, slave = pty.openpty()
    env = {**os.environ, **scene.pipeline.env, "TERM": "xterm", **environment}
    env = {key: value for key, value in env.items() if value is not None}
    command = [binary(), *arguments, "--config", str(scene.pipeline.config_path)]
    with subprocess.Popen(command, stdout=slave, stderr=subprocess.PIPE, env=env) as process:
        os.close(slave)
        text = b""
        while True:
            try:
                piece = os.read(master, 65536)
            except OSError:  # The other end is closed.
                break
            if not piece:
                break
            text += piece
        errors = process.stderr.read()
    os.close(master)
    assert process.returncode == EXIT_DONE, errors
    return text.decode().replace("\r\n", "\n")


def test_colours_are_for_terminals(versions):
    command = ("history", "operations.t", "1")
    plain = versions.run(*command).stdout
    assert "\x1b" not in plain
    coloured = on_terminal(versions, *command, NO_COLOR=None)
    assert "\x1b[31mDELETE\x1b[0m" in coloured and "\x1b[32mINSERT\x1b[0m" in coloured
    assert "\x1b[33m*NULL\x1b[0m" in coloured
    assert re.sub(r"\x1b\[\d*m", "", coloured) == plain
    assert on_terminal(versions, *command, NO_COLOR="1") == plain
    assert on_terminal(versions, *command, TERM="dumb", NO_COLOR=None) == plain
    assert "\x1b[32mgreen\x1b[0m" in on_terminal(versions, "status", NO_COLOR=None)
    csv_text = on_terminal(versions, *command, "--format", "csv", NO_COLOR=None)
    assert "\x1b" not in csv_text and list(csv.reader(io.StringIO(csv_text)))


def run(*arguments):
    result = subprocess.run([binary(), *arguments], capture_output=True, text=True, check=False)
    assert result.returncode == EXIT_DONE, result.stderr
    return result.stdout


def complete(*words):
    """What bash offers after these words, the last of which is being typed."""
    script = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _pgchronicle; '
              'printf "%s\\n" "${COMPREPLY[@]}"')
    result = subprocess.run(["bash", "-euc", script, "bash", "/dev/stdin", "pgchronicle", *words],
                            input=run("completion", "bash"), capture_output=True, text=True,
                            check=False)
    assert result.returncode == 0 and not result.stderr, result.stderr
    return result.stdout.split()


def test_bash_completes_commands_options_and_values(program):
    assert {"run", "report", "repair", "--config"} <= set(complete(""))
    assert complete("hist") == ["history"]
    assert complete("repair", "re") == ["reseed", "release"]
    assert complete("history", "--fo") == ["--format"]
    assert complete("report", "--format", "") == ["table", "csv", "json"]
    assert complete("completion", "z") == ["zsh"]
    assert complete("run", "--config", "") == []
    assert "--reason" in complete("repair", "reseed", "--")


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_are_told_every_command_and_option(program, shell):
    script = run("completion", shell)
    names = set(re.findall(r"--?([a-z][a-z-]+)", run("report", "--help")))
    for name in names | {"history", "accept-source"}:
        assert name in script, name
    assert subprocess.run([binary(), "completion", "tcsh"], capture_output=True,
                          check=False).returncode == EXIT_USAGE


def test_the_manual_page_tells_of_every_command_in_valid_roff(program):
    page = run("man")
    commands = re.findall(r"^  ([a-z]+)\s", run("--help").split("Subcommands:")[1], re.M)
    assert len(commands) > 10
    for command in commands:
        assert re.search(rf"^\.SS {command}\b", page, re.M), command
    for option in ("until\\-lsn", "format", "param", "reason"):
        assert f"\\-\\-{option}" in page
    formatted = subprocess.run(["groff", "-man", "-Tascii", "-ww"], input=page, text=True,
                               capture_output=True, check=False)
    assert (formatted.returncode, formatted.stderr) == (0, "")
    shown = re.sub(r".\x08|\x1b\[\d*m", "", formatted.stdout)
    assert "pgchronicle report [NAME] [--param PARAM]" in " ".join(shown.split())

"""A wrong configuration stops with exit code 2, file, line and key. Secrets stay secret."""

import json
import re
import subprocess

import pytest

from support.pgchronicle import EXIT_OPERATOR, EXIT_USAGE, binary
from support.roles import SOURCE_PASSWORD, TARGET_PASSWORD

GOOD = """\
source:
  dsn: host=127.0.0.1 port=1 dbname=x user=y
  slot: s
  publication: p
target:
  dsn: postgresql://y@127.0.0.1:1/x
  schema: analytics
pipeline: finance
"""

# What replaces a line of GOOD (or follows it), the line that is named, and the words beside it.
WRONG = {
    "an unknown key": (GOOD + "snapshoot: initial\n", 9, ["snapshoot"]),
    "an unknown key inside a section": (GOOD.replace("  slot: s\n", "  slot: s\n  slott: s\n"), 4,
                                        ["slott"]),
    "an unknown key of a table": (
        GOOD + "tables:\n  overrides:\n    operations.t: {exclud: [a]}\n", 11, ["exclud"]),
    "a number that is none": (GOOD + "batch: {max_rows: many}\n", 9, ["max_rows"]),
    "a duration without a unit that exists": (GOOD + "batch: {max_delay: 5parsecs}\n", 9,
                                              ["max_delay"]),
    "a size that is negative": (GOOD + "memory_limit: -1MiB\n", 9, ["memory_limit"]),
    "a word that is not one of the allowed": (GOOD + "snapshot: sometimes\n", 9,
                                              ["snapshot", "initial", "never"]),
    "a list where a text belongs": (GOOD.replace("slot: s", "slot: [a, b]"), 3, ["slot"]),
    "a text where a section belongs": (GOOD + "batch: fast\n", 9, ["batch"]),
    "an unset variable": (GOOD.replace("slot: s", "slot: ${PGCHRONICLE_TEST_UNSET}"), 3,
                          ["PGCHRONICLE_TEST_UNSET"]),
    "a missing required key": (GOOD.replace("  slot: s\n", ""), None, ["slot"]),
    "a key given twice": (GOOD + "pipeline: again\n", 9, ["pipeline"]),
    "a password file that does not exist": (
        GOOD.replace("  slot: s\n", "  password_file: /nonexistent/secret\n  slot: s\n"), 3,
        ["/nonexistent/secret"]),
    "malformed YAML": (GOOD + "batch: {max_rows: 1\n", None, []),
    "an unclosed quote": (GOOD.replace("slot: s", 'slot: "s'), None, []),
}


def run_with(tmp_path, text, command="check", env=None):
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    path.chmod(0o600)
    result = subprocess.run([binary(), command, "--config", str(path)], capture_output=True,
                            text=True, timeout=20, cwd=tmp_path, env=env)
    return path, result


@pytest.mark.parametrize("case", WRONG, ids=lambda name: name.replace(" ", "_"))
def test_a_wrong_configuration_names_file_line_and_key(tmp_path, program, case):
    text, line, words = WRONG[case]
    for command in ("check", "run"):
        path, result = run_with(tmp_path, text, command)
        assert result.returncode == EXIT_USAGE, result.stderr
        place = rf"{re.escape(str(path))}:{line if line else chr(92) + 'd+'}\b"
        assert re.search(place, result.stderr), f"{place} is not in\n{result.stderr}"
        for word in words:
            assert word in result.stderr, result.stderr


def test_every_problem_is_told_at_once(tmp_path, program):
    _, result = run_with(tmp_path, GOOD + "snapshoot: x\nmemory_limit: lots\nlog: {level: loud}\n")
    assert result.returncode == EXIT_USAGE
    for word in ("snapshoot", "memory_limit", "level"):
        assert word in result.stderr


def test_a_missing_file_is_named(tmp_path, program):
    result = subprocess.run([binary(), "check", "--config", str(tmp_path / "none.yaml")],
                            capture_output=True, text=True, timeout=20)
    assert result.returncode == EXIT_USAGE
    assert str(tmp_path / "none.yaml") in result.stderr


@pytest.mark.parametrize("arguments", [
    [], ["walk"], ["run", "--unknown"], ["run", "--until-lsn", "nonsense"],
    ["run", "--until-lsn", "0/1", "--until-current"], ["repair"], ["history"],
    ["repair", "skip", "--to", "x", "--reason", "r"]])
def test_wrong_usage_exits_2(tmp_path, program, arguments):
    config = tmp_path / "pgchronicle.yaml"
    config.write_text(GOOD)
    result = subprocess.run([binary(), *arguments], capture_output=True, text=True, timeout=20,
                            cwd=tmp_path)
    assert result.returncode == EXIT_USAGE, (result.stdout, result.stderr)
    assert result.stderr


def test_help_and_version_exit_0(program):
    for arguments in (["--help"], ["--version"], ["run", "--help"], ["check", "--help"],
                      ["init", "--help"], ["status", "--help"], ["history", "--help"],
                      ["repair", "skip", "--help"]):
        result = subprocess.run([binary(), *arguments], capture_output=True, text=True, timeout=20)
        assert result.returncode == 0, (arguments, result.stderr)
        assert result.stdout
        # Every command says how it finds its configuration, but the one that writes it.
        assert ("--config" in result.stdout) == (arguments[0] not in ("--version", "init"))


def test_secrets_are_told_nowhere(scene):
    scene.source.execute("create table operations.t (id integer primary key)")
    scene.publish()
    scene.configure(log={"level": "trace"})
    service = scene.start_streaming()
    scene.source.execute("insert into operations.t values (1)")
    scene.catch_up(service)
    said = [open(f"/proc/{service.pid}/cmdline").read()]
    for command in (["status"], ["status", "--json"], ["check"], ["history", "operations.t", "1"]):
        result = scene.run(*command)
        said += [result.stdout, result.stderr]
    scene.terminate_walsender()
    service.wait_event("reconnecting", 20)
    assert service.stop() == 0
    # A wrong password: the error must not repeat it.
    wrong = "canary-wrong-77aa"
    for side in ("SOURCE_PASSWORD", "TARGET_PASSWORD"):
        result = scene.run("check", env={side: wrong})
        assert result.returncode == 1, result.stdout + result.stderr
        said += [result.stdout, result.stderr]
    # A password that the dsn spells out, and an unusable dsn around it.
    dsn = scene.pipeline.config["source"]["dsn"]
    for broken in (f"{dsn} password={SOURCE_PASSWORD}",
                   f"postgresql://cdc_user:{SOURCE_PASSWORD}@127.0.0.1:1/nothing",
                   f"{dsn} password='{SOURCE_PASSWORD}", f"{dsn} pass={SOURCE_PASSWORD}"):
        config = {**scene.pipeline.config, "source": {
            key: value for key, value in scene.pipeline.config["source"].items()
            if key != "password"}}
        config["source"]["dsn"] = broken
        scene.pipeline.set_config(config)
        for command in ("check", "status"):
            result = scene.run(command)
            said += [result.stdout, result.stderr]
    said.append(scene.pipeline.whole_log())
    for secret in (SOURCE_PASSWORD, TARGET_PASSWORD, wrong):
        for text in said:
            assert secret not in text, text
    assert len(scene.pipeline.whole_log()) > 200


def test_secrets_come_from_files_and_the_file_is_not_told(scene, tmp_path):
    scene.source.execute("create table operations.t (id integer primary key)")
    scene.publish()
    files = {}
    for side, password in (("source", SOURCE_PASSWORD), ("target", TARGET_PASSWORD)):
        files[side] = tmp_path / f"{side}.password"
        files[side].write_text(password + "\n")
        files[side].chmod(0o400)
    scene.configure(source={"password": None, "password_file": str(files["source"])},
                    target={"password": None, "password_file": str(files["target"])})
    scene.pipeline.env = {}
    service = scene.start_streaming()
    scene.catch_up(service)
    assert service.stop() == 0
    assert SOURCE_PASSWORD not in scene.pipeline.whole_log()


def test_json_logs_are_one_object_a_line(scene):
    scene.source.execute("create table operations.t (id integer primary key)")
    scene.publish()
    scene.configure(log={"format": "json"})
    service = scene.start_streaming()
    scene.catch_up(service)
    assert service.stop() == 0
    lines = [json.loads(line) for line in service.log_text().splitlines()]
    assert {"starting", "stream_started", "stopped"} <= {line["event"] for line in lines}
    assert all({"time", "level", "event"} <= line.keys() for line in lines)


def test_an_error_is_said_once_and_in_the_log_s_form(scene):
    scene.source.execute("create table operations.t (id integer primary key, v text)")
    scene.publish()
    scene.create_slot()
    scene.source.execute("insert into operations.t select g, repeat('x', 1000) "
                         "from generate_series(1, 100) g")
    # A transaction that is too large for memory needs a folder that is not there.
    scene.configure(snapshot="never", spool_dir="/nonexistent/spool", memory_limit="24KiB",
                    batch={"max_bytes": "8KiB"})
    said = {}
    for form in ("text", "json"):
        scene.configure(log={"format": form})
        result = scene.run("run", "--until-current")
        assert result.returncode == EXIT_OPERATOR and not result.stdout
        said[form] = result.stderr
        assert result.stderr.count("/nonexistent/spool") == 1, result.stderr
    lines = [json.loads(line) for line in said["json"].splitlines()]
    assert "/nonexistent/spool" in lines[-1]["message"] and lines[-1]["level"] == "error"


def test_check_tells_what_run_warns_of(scene):
    scene.source.execute("create table operations.t (id integer primary key)")
    scene.publish()
    scene.configure(target={"password": TARGET_PASSWORD})
    scene.pipeline.config_path.chmod(0o644)
    result = scene.run("check")
    assert result.returncode == 0, result.stdout
    assert re.search(r"^WARNING:  .*pgchronicle.yaml: holds a password", result.stdout, re.M)
    assert re.search(r"^OK: 0 fatal, 1 warnings", result.stdout, re.M), result.stdout

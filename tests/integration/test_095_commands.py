"""The commands that look: `status`, `history`, `init`; and the log."""

import json
import re
import time

from support.pgchronicle import EXIT_CHECK_FAILED, EXIT_DONE, EXIT_USAGE
from support.scene import SOURCE_PASSWORD
from support.traffic import Traffic
from support.waiting import wait_until

KEYED = "create table operations.t (id integer primary key, v text)"


def begin(scene, ddl=KEYED):
    scene.source.execute(ddl)
    scene.publish()
    return scene.start_streaming()


def test_status_tells_state_lag_slot_tables_and_gaps(scene):
    service = begin(scene)
    scene.source.execute("insert into operations.t values (1, 'a')")
    scene.catch_up(service)
    text = scene.run("status")
    assert text.returncode == EXIT_DONE, text.stderr
    for word in (scene.name, scene.slot, "t_history"):
        assert word in text.stdout
    result = scene.run("status", "--json")
    assert result.returncode == EXIT_DONE, result.stderr
    told = json.loads(result.stdout)
    flat = json.dumps(told)
    assert scene.name in flat and scene.slot in flat and "t_history" in flat
    assert "lag_bytes" in flat and "gap" in flat
    assert service.stop() == EXIT_DONE
    stopped = scene.run("status", "--json")
    assert stopped.returncode == EXIT_DONE
    assert json.loads(stopped.stdout) != told


def test_status_measures_rows_per_second(scene):
    service = begin(scene, "create table operations.t (id serial primary key, v text)")
    assert json.loads(scene.run("status", "--json").stdout)["rows_per_second"] == 0

    def step(cursor, random):
        cursor.execute("insert into operations.t (v) select 'x' from generate_series(1, 10)")

    with Traffic(scene.source, [step], seed=1, pause=0.02) as traffic:
        wait_until(lambda: traffic.commits > 20, 20, "traffic")
        before = traffic.commits, time.monotonic()
        told = [json.loads(scene.run("status", "--json").stdout)["rows_per_second"]
                for _ in range(3)]
        text = scene.run("status").stdout
        true_rate = 10 * (traffic.commits - before[0]) / (time.monotonic() - before[1])
    # One of them may have met a busy moment of this machine.
    assert true_rate / 2 < sorted(told)[1] < true_rate * 2, (told, true_rate)
    assert re.search(r"^rate +[1-9]\d* rows/s$", text, re.M), text
    scene.catch_up(service)
    assert service.stop() == EXIT_DONE
    # Nobody writes, so there is nothing to measure.
    assert json.loads(scene.run("status", "--json").stdout)["rows_per_second"] is None


def test_status_before_the_first_run_says_so(scene):
    scene.source.execute(KEYED)
    scene.publish()
    result = scene.run("status")
    assert result.returncode == EXIT_DONE, result.stderr
    assert result.stdout
    json.loads(scene.run("status", "--json").stdout)


def test_history_shows_every_version_of_one_row(scene):
    service = begin(scene)
    for statement in ("insert into operations.t values (1, 'first'), (2, 'other')",
                      "update operations.t set v = 'second' where id = 1",
                      "delete from operations.t where id = 1"):
        scene.source.execute(statement)
    scene.catch_up(service)
    assert service.stop() == EXIT_DONE
    result = scene.run("history", "operations.t", "1")
    assert result.returncode == EXIT_DONE, result.stderr
    for word in ("INSERT", "UPDATE", "DELETE", "first", "second"):
        assert word in result.stdout, result.stdout
    assert "other" not in result.stdout
    missing = scene.run("history", "operations.t", "77")
    assert missing.returncode == EXIT_CHECK_FAILED
    assert "INSERT" not in missing.stdout
    unknown = scene.run("history", "operations.nothing", "1")
    assert unknown.returncode == EXIT_USAGE and "nothing" in unknown.stderr
    for values in ([], ["1", "2"], ["x"]):
        unfit = scene.run("history", "operations.t", *values)
        assert unfit.returncode == EXIT_USAGE and "key" in unfit.stderr, unfit.stderr


def test_history_of_a_table_without_a_key_says_where_to_look(scene):
    service = begin(scene, "create table operations.n (v text);"
                    "alter table operations.n replica identity full")
    scene.source.execute("insert into operations.n values ('a')")
    scene.catch_up(service)
    assert service.stop() == EXIT_DONE
    for values in ([], ["a"]):
        result = scene.run("history", "operations.n", *values)
        assert result.returncode == EXIT_USAGE
        assert 'table "operations.n" has no key' in result.stderr
        query = re.search(r"^HINT:.*?(SELECT .*);$", result.stderr, re.M).group(1)
        assert len(scene.target.query(query.replace("...", "v = 'a'"))) == 1


def test_history_finds_a_row_by_a_composite_key(scene):
    scene.source.execute("create table operations.c (a integer, b text, v text, "
                         "primary key (b, a))")
    service = begin(scene)
    scene.source.execute("insert into operations.c values (1, 'x y', 'found'), (2, 'x', 'no')")
    scene.catch_up(service)
    assert service.stop() == EXIT_DONE
    result = scene.run("history", "operations.c", "x y", "1")
    assert result.returncode == EXIT_DONE, result.stderr
    assert "found" in result.stdout


def test_init_writes_a_configuration_that_check_accepts(scene):
    scene.source.execute(KEYED)
    scene.publish()
    scene.create_slot()
    made = scene.pipeline.workdir / "made.yaml"
    result = scene.pipeline.run_plain("init", scene.pipeline.config["source"]["dsn"],
                                      "--target", scene.pipeline.config["target"]["dsn"],
                                      "--output", str(made), env={"PGPASSWORD": SOURCE_PASSWORD})
    assert result.returncode == EXIT_DONE, result.stdout + result.stderr
    text = made.read_text()
    assert SOURCE_PASSWORD not in text
    # It found what is there, and every line that can be changed is explained.
    assert "cdc_publication" in text and scene.slot in text and "#" in text
    scene.pipeline.write_text(text)
    result = scene.run("check")
    assert result.returncode == EXIT_DONE, text + result.stdout + result.stderr
    result = scene.run("run", "--until-current")
    assert result.returncode == EXIT_DONE, result.stderr


def test_init_takes_no_configuration(scene):
    path = scene.pipeline.workdir / "new.yaml"
    result = scene.pipeline.run_plain("init", scene.pipeline.config["source"]["dsn"],
                                      "--config", str(path), env={"PGPASSWORD": SOURCE_PASSWORD})
    assert result.returncode == EXIT_USAGE and "--output" in result.stderr, result.stderr
    assert not result.stdout and not path.exists()


def test_init_does_not_overwrite_a_file(scene):
    path = scene.pipeline.config_path
    before = path.read_text()
    result = scene.pipeline.run_plain("init", scene.pipeline.config["source"]["dsn"], "--output",
                                      str(path), env={"PGPASSWORD": SOURCE_PASSWORD})
    assert result.returncode != EXIT_DONE
    assert path.read_text() == before


def test_log_lines_cannot_be_forged_by_names(scene):
    scene.source.execute('create table operations."a\n2026-01-01T00:00:00.000Z info stopped x=" '
                         "(id integer primary key)")
    service = begin(scene)
    scene.catch_up(service)
    assert not service.events("stopped")
    assert service.stop() == EXIT_DONE
    assert len(service.events("stopped")) == 1

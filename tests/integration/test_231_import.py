"""`import`: a CSV file as what a table holds now; differences become versions."""

import gzip
import hashlib
import json
import os
import signal
import subprocess
import threading

import pytest

from support.pgchronicle import (EXIT_CHECK_FAILED, EXIT_DONE, EXIT_OPERATOR, EXIT_USAGE,
                                 failpoint_env)
from support.replay_scene import WHY
from support.waiting import wait_until

FIRST = "id,name,price\n1,one,1.0\n2,\"t,wo\",2\n3,,3\n"
SECOND = "id,name,price\n1,one,1.00\n3,,3\n4,\"\",4\n"
KEY = ["--table", "goods", "--key", "id", "--types", "id=integer,price=numeric"]


@pytest.fixture
def shop(scene):
    """A streaming pipeline with one table of the source."""
    scene.source.execute("create table operations.t (id integer primary key, v text)")
    scene.publish()
    scene.service = scene.start_streaming()
    scene.source.execute("insert into operations.t values (1, 'a')")
    scene.catch_up(scene.service)
    return scene


def write(path, text):
    path.write_text(text)
    return path


def import_(scene, path, *arguments, **options):
    return scene.run("import", str(path), *(arguments or KEY), **options)


def imported(scene, path, *arguments, **options):
    result = import_(scene, path, *arguments, **options)
    assert result.returncode == EXIT_DONE, result.stderr
    return result.stdout


def versions(scene, table="goods"):
    return scene.history(table, columns="id, name, price::text, operation_type, is_current, "
                                        "lsn_from = lsn_to, valid_from = valid_to")


def everything(scene):
    """Every table and row that an import may write."""
    tables = scene.target.query("select table_schema, table_name from information_schema.tables "
                                "where table_schema in ('analytics', 'pgchronicle') "
                                "and table_name not in ('checkpoint', 'position_mark')")
    return {(schema, name): sorted(map(str, scene.target.query(
        f'select t::text from "{schema}"."{name}" t'))) for schema, name in tables}


def current(scene, table="goods"):
    return scene.target.query(f"select id, name, price::text from analytics.{table}_current "
                              "order by id")


def test_differences_become_versions_at_the_checkpoint(shop, tmp_path):
    path = write(tmp_path / "goods.csv", FIRST)
    assert "3 inserted, 0 updated, 0 deleted of 3 rows" in imported(shop, path)
    before = shop.position()
    assert current(shop) == [(1, "one", "1.0"), (2, "t,wo", "2"), (3, None, "3")]
    assert "nothing to write" in imported(shop, path)
    shop.source.execute("insert into operations.t values (2, 'b')")
    shop.catch_up(shop.service)
    write(path, SECOND)
    assert "1 inserted, 1 updated, 1 deleted of 3 rows" in imported(shop, path)
    assert "nothing to write" in imported(shop, path)
    by_key = sorted(versions(shop), key=lambda row: row[0])
    assert [row[:5] for row in by_key] == [
        (1, "one", "1.0", "INSERT", False), (1, "one", "1.00", "UPDATE", True),
        (2, "t,wo", "2", "INSERT", False), (2, "t,wo", "2", "DELETE", False),
        (3, None, "3", "INSERT", True), (4, "", "4", "INSERT", True)]
    lsns = shop.target.query("select distinct lsn_from::text from analytics.goods_history "
                             "order by 1")
    assert len(lsns) == 2
    assert shop.target.value("select count(*) from pgchronicle.import") == 2
    assert shop.target.query(
        "select source_schema, source_table, file, row_count, inserted, updated, deleted, digest "
        "from pgchronicle.import order by id desc limit 1") == [
        ("imported", "goods", "goods.csv", 3, 1, 1, 1, hashlib.sha256(SECOND.encode()).hexdigest())]
    assert shop.target.query("select imported, state, row_key, consistent_from <= '%X/%X' from "
                             "pgchronicle.table_state where source_table = 'goods'"
                             % (before >> 32, before & 0xFFFFFFFF)) == [
        (True, "copied", ["id"], True)]
    at = shop.target.value("select recorded_at::text from pgchronicle.import order by id limit 1")
    assert shop.target.query("select id, price::text from analytics.goods_as_of(%s) order by id",
                             (at,)) == [(1, "1.0"), (2, "2"), (3, "3")]
    shop.source.execute("insert into operations.t values (3, 'c')")
    shop.catch_up(shop.service)
    assert shop.target.value("select count(*) from analytics.t_history where is_current") == 3
    assert shop.service.stop() == EXIT_DONE


def test_imports_at_one_position_follow_each_other(shop, tmp_path):
    assert shop.service.stop() == EXIT_DONE
    path = tmp_path / "goods.csv"
    for i in range(4):
        imported(shop, write(path, f"id,name,price\n1,n{i},{i}\n{i + 10},x,0\n"))
    rows = shop.history("goods", where="id = 1", columns="name, operation_type, is_current, "
                                                         "lsn_from::text, change_seq")
    assert [row[:3] for row in rows] == [
        ("n0", "INSERT", False), ("n1", "UPDATE", False), ("n2", "UPDATE", False),
        ("n3", "UPDATE", True)]
    assert len({row[3] for row in rows}) == 1
    times = shop.target.query("select recorded_at from pgchronicle.import order by id")
    for i, (at,) in enumerate(times):
        assert shop.target.query("select name from analytics.goods_as_of(%s) where id = 1",
                                 (at,)) == [(f"n{i}",)]
    service = shop.start_streaming()
    verified = shop.run("verify", "--json")
    assert verified.returncode == EXIT_DONE, verified.stdout + verified.stderr
    assert service.stop() == EXIT_DONE


def test_other_commands_know_imported_tables(shop, tmp_path):
    imported(shop, write(tmp_path / "goods.csv", FIRST))
    lsn = shop.source.lsn()
    shop.source.execute("insert into operations.t values (7, 'x')")
    shop.catch_up(shop.service)
    imported(shop, write(tmp_path / "goods.csv", SECOND))
    verified = shop.run("verify", "--json")
    assert verified.returncode == EXIT_DONE, verified.stdout + verified.stderr
    tables = {table.get("source", table.get("table")): table
              for table in json.loads(verified.stdout)["tables"]}
    assert "its rows come from files" in json.dumps(tables["imported.goods"])
    shop.target.execute("update analytics.goods_history set is_current = true where id = 2")
    assert shop.run("verify").returncode == EXIT_CHECK_FAILED
    shop.target.execute("update analytics.goods_history set is_current = false where id = 2")
    status = json.loads(shop.run("status", "--json").stdout)
    assert [t["state"] for t in status["tables"] if t["source"] == "imported.goods"] == [
        "imported"]
    assert shop.run("check").returncode == EXIT_DONE
    history = shop.run("history", "goods", "1")
    assert history.returncode == EXIT_DONE and "UPDATE" in history.stdout
    everything_ = tmp_path / "all"
    result = shop.run("export", "--dir", str(everything_), "--lsn", lsn, "--wait", "20")
    assert result.returncode == EXIT_DONE, result.stderr
    assert [path.name for path in everything_.iterdir()] == ["operations.t"]
    assert shop.service.stop() == EXIT_DONE
    shop.run("bookmark", "add", "here")
    replay = shop.run("replay", "--from", lsn, *WHY)
    assert replay.returncode == EXIT_OPERATOR
    assert "imported.goods" in replay.stderr and "imported" in replay.stderr
    service = shop.start_streaming()
    shop.source.execute("insert into operations.t values (8, 'x')")
    shop.catch_up(service)
    assert len(current(shop)) == 3
    assert service.stop() == EXIT_DONE


def test_a_past_import_is_exported_the_same_again(shop, tmp_path):
    path = write(tmp_path / "goods.csv", FIRST)
    imported(shop, path)
    at = shop.target.value("select recorded_at::text from pgchronicle.import")
    wait_until(lambda: shop.source.value(
        "select clock_timestamp() > %s::timestamptz + interval '50 ms'", (at,)), 5, "time")

    def export(folder):
        result = shop.run("export", "--dir", str(folder), "--as-of", at, "--day", "2026-01-01",
                          "--table", "imported.goods", "--wait", "20")
        assert result.returncode == EXIT_DONE, result.stderr
        return {p.name: p.read_bytes() for p in folder.rglob("*") if p.is_file()}

    before = export(tmp_path / "before")
    assert before["imported.goods.csv"].decode() == FIRST
    imported(shop, write(path, "id,name,price,extra\n9,x,1,y\n"))
    assert export(tmp_path / "after") == before
    assert shop.service.stop() == EXIT_DONE


WRONG = [
    ("id,name\n1,a\n2,b\n1,c\n2,d\n", KEY[:4], 1,
     ["x.csv, line 4: duplicate key", "(id)=(1) is on lines 2 and 4", "lines 3 and 5"]),
    ("id,name\n1,a\n,b\n", KEY[:4], 1, ["x.csv, line 3, column 1: key column \"id\""]),
    ("id,name\n1,a\n2,\"b\n", KEY[:4], 1, ["x.csv, line 3, column 3: quote is never closed"]),
    ("id,name\n1,a,b\n", KEY[:4], 1, ["x.csv, line 2, column 5: line has 3 fields"]),
    ("id,name\n1,a\n2\n", KEY[:4], 1, ["x.csv, line 3, column 1: line has 1 fields"]),
    ("id,id\n", KEY[:4], 1, ["x.csv, line 1, column 4: column \"id\" appears twice"]),
    ("id,\n", KEY[:4], 1, ["x.csv, line 1, column 4: column without a name"]),
    ("", KEY[:4], 1, ["is empty"]),
    ("id,n\n1,2\n\"a\nb\",3\n4,x\n", [*KEY[:4], "--types", "n=integer"], 1,
     ["x.csv, line 5, column 3: ", "\"x\"", "type integer"]),
    ("id,n\n1,2026-02-30\n", [*KEY[:4], "--types", "n=date"], 1, ["x.csv, line 2, column 3: "]),
    ("a,b\n1,2\n", KEY[:4], 2, ["key column \"id\" is not in the file", "a, b"]),
    ("id,valid_from\n1,2\n", KEY[:4], 2, ["column \"valid_from\" has the name of one"]),
    ("id,n\n1,2\n", [*KEY[:4], "--types", "n=nosuch"], 2, ["type \"nosuch\" of column \"n\""]),
    ("id,n\n1,2\n", [*KEY[:4], "--types", "n=int); drop table x; --"], 2, ["is not known"]),
    ("id,n\n1,2\n", [*KEY[:4], "--types", "m=integer"], 2, ["column \"m\" of --types"]),
    ("id,n\n1,2\n", ["--table", "operations.t", "--key", "id"], 2, ["is not an imported one"]),
    ("id,n\n1,2\n", [*KEY[:4], "--day", "2026-02-30"], 2, ["invalid day"]),
    ("id,n\n1,2\n", [*KEY[:4], "--day", "2026-02-28"], 3, ["has not succeeded", "_SUCCESS"]),
]


def test_what_cannot_be_imported_says_where_and_writes_nothing(shop, tmp_path):
    before = everything(shop)
    for text, arguments, code, said in WRONG:
        result = import_(shop, write(tmp_path / "x.csv", text), *arguments)
        assert (result.returncode, [part for part in said if part not in result.stderr]) == (
            code, []), (text, result.stderr)
        assert everything(shop) == before, text


def test_a_table_keeps_its_columns_and_its_key(shop, tmp_path):
    path = write(tmp_path / "goods.csv", FIRST)
    imported(shop, path)
    before = everything(shop)
    less = import_(shop, write(tmp_path / "less.csv", "id,name\n1,a\n"), *KEY[:4])
    assert less.returncode == EXIT_CHECK_FAILED
    assert "column \"price\" is missing in the file" in less.stderr
    other = import_(shop, path, "--table", "goods", "--key", "id,name")
    assert other.returncode == EXIT_USAGE and "kept by (id)" in other.stderr
    narrower = import_(shop, path, *KEY[:4], "--types", "price=integer")
    assert narrower.returncode == EXIT_OPERATOR and "price" in narrower.stderr
    assert everything(shop) == before
    imported(shop, write(tmp_path / "more.csv", "more,price,name,id\nx,2,two,2\n"), *KEY[:4])
    assert shop.target.query("select id, name, price::text, more from analytics.goods_current") == [
        (2, "two", "2", "x")]
    assert shop.service.stop() == EXIT_DONE


def test_a_source_table_does_not_take_an_imported_one_over(shop, tmp_path):
    imported(shop, write(tmp_path / "goods.csv", FIRST), "--table", "operations.goods", "--key",
             "id", "--types", "id=integer,price=numeric")
    before = shop.history("goods")
    shop.source.execute("create table operations.goods (id integer primary key);"
                        "insert into operations.goods values (1)")
    assert shop.service.wait(60) == EXIT_OPERATOR
    assert "belongs to an imported table" in shop.service.log_text()
    assert shop.history("goods") == before


def test_days_wait_for_their_inputs_and_go_on_only(shop, tmp_path):
    folder = tmp_path / "csv" / "2026-01-02"
    folder.mkdir(parents=True)
    path = write(folder / "goods.csv", FIRST)
    day = [*KEY, "--day", "2026-01-02"]
    assert import_(shop, path, *day).returncode == EXIT_OPERATOR
    write(folder / "_SUCCESS", "")
    orders = tmp_path / "orders"
    missing = import_(shop, path, *day, "--after", f"{orders}/")
    assert missing.returncode == EXIT_OPERATOR and "has not succeeded for 2026-01-02" in missing.stderr
    (orders / "2026-01-02").mkdir(parents=True)
    write(orders / "2026-01-02" / "_SUCCESS", "")
    late = import_(shop, path, *day, "--after", f"{orders}/", "--after", "suppliers")
    assert late.returncode == EXIT_OPERATOR and "was not imported for 2026-01-02" in late.stderr
    imported(shop, path, "--table", "suppliers", "--key", "id", "--day", "2026-01-02")
    assert "3 inserted" in imported(shop, path, *day, "--after", f"{orders}/", "--after",
                                    "suppliers")
    before = everything(shop)
    imported(shop, path, *day)
    assert everything(shop) == before
    later = [*KEY, "--day", "2026-01-03"]
    write(path, SECOND)
    imported(shop, path, *later)
    before = everything(shop)
    write(path, FIRST)
    assert "nothing to write" in imported(shop, path, *day)
    write(path, FIRST + "5,new,5\n")
    past = import_(shop, path, *day)
    assert past.returncode == EXIT_OPERATOR and "a later day was imported" in past.stderr
    assert everything(shop) == before
    assert shop.service.stop() == EXIT_DONE


def test_a_file_without_a_day_is_of_the_day_that_it_came_on(shop, tmp_path):
    write(tmp_path / "_SUCCESS", "")
    path = write(tmp_path / "goods.csv", FIRST)
    imported(shop, path, *KEY, "--day", "2026-01-02")
    imported(shop, write(path, SECOND))
    today = shop.target.value("select to_char(now() at time zone 'UTC', 'YYYY-MM-DD')")
    before = everything(shop)
    write(path, FIRST + "5,new,5\n")
    past = import_(shop, path, *KEY, "--day", "2026-01-03")
    assert past.returncode == EXIT_OPERATOR and "a later day was imported" in past.stderr
    assert today in past.stderr
    assert everything(shop) == before
    imported(shop, path, *KEY, "--day", today)
    assert len(current(shop)) == 4
    assert shop.service.stop() == EXIT_DONE


def test_the_same_file_with_wider_types_widens_the_columns(shop, tmp_path):
    path = write(tmp_path / "goods.csv", FIRST)
    imported(shop, path)
    before = versions(shop)
    wider = [*KEY[:4], "--types", "id=bigint,price=numeric"]
    imported(shop, path, *wider)
    kind = ("select format_type(atttypid, atttypmod) from pg_attribute where attname = 'id'"
            " and attrelid = 'analytics.goods_history'::regclass")
    assert shop.target.value(kind) == "bigint"
    assert versions(shop) == before
    everything_then = everything(shop)
    imported(shop, path, *wider)
    assert everything(shop) == everything_then
    assert shop.service.stop() == EXIT_DONE


CLOCK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/time.h>
int gettimeofday(struct timeval* now, void* zone) {
    int (*real)(struct timeval*, void*) = dlsym(RTLD_NEXT, "gettimeofday");
    int result = real(now, zone);
    now->tv_sec -= 3600;
    return result;
}
"""


def test_a_moment_is_over_when_the_targets_clock_is_past_it_too(
        make_scene, source_cluster, new_cluster, tmp_path):
    """Files get the target's time."""
    slow = new_cluster("slow_target")
    library = slow.socket_dir / "slow_clock.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", str(library), "-ldl"],
                   input=CLOCK, text=True, check=True)
    slow.stop()
    slow.environment["LD_PRELOAD"] = str(library)
    slow.start()
    scene = make_scene(source_cluster, slow)
    scene.source.execute("create table operations.t (id integer primary key)")
    scene.publish()
    service = scene.start_streaming()
    scene.source.execute("insert into operations.t values (1)")
    scene.catch_up(service)
    imported(scene, write(tmp_path / "goods.csv", FIRST))
    at = scene.source.value("select clock_timestamp()::text")
    assert scene.target.value("select clock_timestamp() < %s::timestamptz", (at,))

    def export(table):
        return scene.run("export", "--dir", str(tmp_path / "out"), "--as-of", at, "--day",
                         "2026-01-01", "--wait", "8", "--table", table)

    early = export("goods")
    assert early.returncode == EXIT_OPERATOR, early.stdout
    assert "By its own clock the target is not past that moment yet." in early.stderr
    # What comes from the source is of then, whatever the target's clock says.
    assert export("operations.t").returncode == EXIT_DONE
    scene.source.execute("insert into operations.t values (2)")
    scene.catch_up(service)
    assert export("goods").returncode == EXIT_DONE  # No file gets an earlier time any more.
    assert service.stop() == EXIT_DONE


def test_before_the_first_run_there_is_nothing_to_import_into(scene, tmp_path):
    result = import_(scene, write(tmp_path / "x.csv", FIRST))
    assert result.returncode == EXIT_OPERATOR and "has no history yet" in result.stderr
    assert scene.target.value("select to_regclass('pgchronicle.checkpoint')::text") is None


def test_while_the_history_is_set_back_nothing_is_imported(shop, tmp_path):
    assert shop.service.stop() == EXIT_DONE
    shop.target.execute("insert into pgchronicle.replay (pipeline, slot, from_lsn) "
                        f"values ('{shop.name}', 'x', '0/1')")
    before = everything(shop)
    result = import_(shop, write(tmp_path / "x.csv", FIRST))
    assert result.returncode == EXIT_OPERATOR and "a replay of pipeline" in result.stderr
    assert everything(shop) == before


def test_forms_of_a_file(shop, tmp_path):
    (tmp_path / "x.csv.gz").write_bytes(gzip.compress(FIRST.encode()))
    assert "3 inserted" in imported(shop, tmp_path / "x.csv.gz")
    same = write(tmp_path / "x.csv", "\ufeff" + FIRST.replace("\n", "\r\n") + "\r\n")
    assert "0 inserted" in imported(shop, same) or "nothing to write" in imported(shop, same)
    other = write(tmp_path / "y.csv", "id;name;price\n1;one;1.0\n2;t,wo;2\n3;;3\n")
    assert "nothing to write" in imported(shop, other, *KEY, "--delimiter", ";")
    assert shop.target.value("select count(*) from analytics.goods_history") == 3
    missing = import_(shop, tmp_path / "none.csv")
    assert missing.returncode == EXIT_OPERATOR and "none.csv" in missing.stderr
    assert import_(shop, tmp_path).returncode == EXIT_OPERATOR
    hostile = 'a"; drop table x; --'
    quoted = hostile.replace('"', '""')
    imported(shop, write(tmp_path / "h.csv", f'"{quoted}"\n1\n'), "--table", hostile, "--key",
             hostile)
    assert shop.target.value(
        f'select count(*) from analytics."{quoted}_history"') == 1
    assert shop.service.stop() == EXIT_DONE


@pytest.mark.parametrize("point", ["import_copied", "import_written", "import_committed"])
def test_a_killed_import_leaves_nothing_or_everything(shop, tmp_path, point):
    path = write(tmp_path / "goods.csv", FIRST)
    before = everything(shop)
    killed = import_(shop, path, env=failpoint_env(point, 1, tmp_path / "log"))
    assert killed.returncode == -signal.SIGKILL
    wait_until(lambda: shop.target.value(
        "select count(*) from pg_stat_activity where application_name = 'pgchronicle import'") == 0,
        20, "the backend to end")
    after = everything(shop)
    assert (after == before) == (point != "import_committed")
    assert ("nothing to write" in imported(shop, path)) == (point == "import_committed")
    assert len(versions(shop)) == 3
    assert shop.service.stop() == EXIT_DONE


def paused_import(scene, path, log):
    """An import that has written everything, and has not committed."""
    process = subprocess.Popen(
        scene.pipeline.arguments("import", str(path), *KEY), stdout=subprocess.DEVNULL,
        env=scene.pipeline.environment(failpoint_env("import_written", 1, log, "pause")))
    wait_until(lambda: log.exists() and "import_written" in log.read_text(), 30, "the pause")
    return process


def resume(process):
    os.kill(process.pid, signal.SIGCONT)
    assert process.wait(30) == EXIT_DONE


def test_nothing_later_is_stored_before_an_import_is_seen(shop, tmp_path):
    """Who follows the history by LSN would never see versions behind what he has seen."""
    process = paused_import(shop, write(tmp_path / "goods.csv", FIRST), tmp_path / "log")
    try:
        shop.source.execute("insert into operations.t values (50, 'later')")
        wait_until(lambda: shop.target.value(
            "select count(*) from pg_stat_activity where datname = current_database() "
            "and wait_event_type = 'Lock' and application_name <> 'pgchronicle import'") > 0,
            30, "the pipeline to wait")
        assert shop.history("t", where="id = 50") == []
    finally:
        resume(process)
    shop.catch_up(shop.service)
    assert shop.target.value(
        "select (select lsn_from from analytics.t_history where id = 50) > "
        "(select max(lsn_from) from analytics.goods_history)")
    assert shop.service.stop() == EXIT_DONE


def test_an_export_of_a_moment_waits_for_imports_that_belong_to_it(shop, tmp_path):
    imported(shop, write(tmp_path / "goods.csv", FIRST))
    process = paused_import(shop, write(tmp_path / "goods.csv", SECOND), tmp_path / "log")
    try:
        at = shop.source.value("select clock_timestamp()::text")
        export = subprocess.Popen(
            shop.pipeline.arguments("export", "--dir", str(tmp_path / "out"), "--as-of", at,
                                    "--day", "2026-01-01", "--table", "goods", "--wait", "30"),
            env=shop.pipeline.environment(), stdout=subprocess.DEVNULL)
        # It has its moment when the source's clock has passed it, and then the import's lock; or a
        # position that is stored only when the import lets go of the checkpoint.
        wait_until(lambda: export.poll() is not None or shop.target.value(
            "select count(*) from pg_stat_activity where application_name = 'pgchronicle export' "
            "and wait_event = 'advisory'") or shop.source.value(
                "select clock_timestamp() > %s::timestamptz + interval '5 s'", (at,)), 30, "it")
        assert export.poll() is None
    finally:
        resume(process)
    assert export.wait(60) == EXIT_DONE
    rows = tmp_path / "out" / "imported.goods" / "2026-01-01" / "imported.goods.csv"
    assert rows.read_text() == SECOND
    assert shop.service.stop() == EXIT_DONE


def test_imports_killed_at_random_moments_beside_a_running_pipeline(shop, tmp_path):
    """A big file, killed after more and more time; the pipeline goes on, verify agrees."""
    rows = 60_000
    path = tmp_path / "goods.csv"
    path.write_text("id,name,price\n" + "".join(f"{i},n{i % 7},{i}.5\n" for i in range(rows)))
    stop = threading.Event()

    def traffic():
        number = 100
        connection = shop.source.connect()
        with connection.cursor() as cursor:
            while not stop.wait(0.02):
                number += 1
                cursor.execute(f"insert into operations.t values ({number}, 'x')")
        connection.close()

    thread = threading.Thread(target=traffic)
    thread.start()
    try:
        delay, killed = 0.05, 0
        while True:
            process = subprocess.Popen(
                shop.pipeline.arguments("import", str(path), *KEY),
                env=shop.pipeline.environment(), stdout=subprocess.DEVNULL)
            try:
                process.wait(delay)
            except subprocess.TimeoutExpired:
                os.kill(process.pid, signal.SIGKILL)
                process.wait()
            if process.returncode == 0:
                break
            assert process.returncode == -signal.SIGKILL
            killed += 1
            if shop.target.value("select to_regclass('analytics.goods_history')::text"):
                # It was killed between the commit and its own end: all of it is there.
                assert shop.target.value("select count(*) from pgchronicle.import") == 1
                assert shop.target.value("select count(*) from analytics.goods_history") == rows
                break
            delay += 0.1
        assert killed >= 3
        parallel = [subprocess.Popen(shop.pipeline.arguments("import", str(path), *KEY),
                                     env=shop.pipeline.environment(), stdout=subprocess.DEVNULL)
                    for _ in range(2)]
        assert [process.wait(60) for process in parallel] == [0, 0]
    finally:
        stop.set()
        thread.join()
    assert shop.target.value("select count(*) from analytics.goods_history") == rows
    shop.catch_up(shop.service)
    verified = shop.run("verify")
    assert verified.returncode == EXIT_DONE, verified.stdout
    assert shop.service.stop() == EXIT_DONE


def test_big_tables_go_out_and_in_with_little_memory(shop, tmp_path):
    """80 MB, and no more than 48 MiB of memory of its own for the program."""
    shop.source.execute("insert into operations.t select i, repeat(md5(i::text), 64) "
                        "from generate_series(100, 40099) i")
    shop.catch_up(shop.service)

    def run(command, *arguments):
        result = subprocess.run(
            ["prlimit", f"--data={48 << 20}", *shop.pipeline.arguments(command, *arguments)],
            env=shop.pipeline.environment(), capture_output=True, text=True, timeout=120)
        assert result.returncode == EXIT_DONE, result.stderr
        return result.stdout

    for form in ("jsonl", "csv"):
        run("export", "--dir", str(tmp_path / "out"), "--lsn", shop.source.lsn(), "--day",
            "2026-01-01", "--format", form, "--wait", "30")
    path = tmp_path / "out" / "operations.t" / "2026-01-01" / "operations.t.csv"
    assert path.stat().st_size > 80_000_000
    arguments = [str(path), "--table", "copied", "--key", "id", "--types", "id=integer"]
    assert "40001 inserted" in run("import", *arguments)
    assert "nothing to write" in run("import", *arguments)
    assert shop.target.value("select count(*) from analytics.copied_current a full join "
                             "analytics.t_current b using (id, v) where a is null or b is null") == 0
    assert shop.service.stop() == EXIT_DONE

"""`export`: tables as of a moment as files, each day's folder as a whole and the same each time."""

import csv
import gzip
import hashlib
import io
import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from support.pgchronicle import (EXIT_DONE, EXIT_OPERATOR, EXIT_USAGE, failpoint_env)
from support.waiting import wait_until

TABLE = """
create table operations.t (id integer primary key, name text, price numeric(10,2), paid boolean,
    at timestamptz, tags text[], doc json, note varchar(40));
alter table operations.t replica identity full;
create table operations.bare (v text);
alter table operations.bare replica identity full
"""
ROWS = """
insert into operations.t values
    (2, 'b,c', 1.50, true, '2026-01-02 03:04:05.678+02', '{x,"y z"}', '{"a": 1,\n "b": "\\n"}', ''),
    (10, 'quote " and \\ tab \t', 'NaN', null, 'infinity', null, null, null),
    (1, E'two\\nlines', -0.10, false, null, '{}', '[]', 'ü\\N');
insert into operations.bare values ('z'), ('a'), ('a')
"""


@pytest.fixture
def shop(scene):
    """A scene with two tables that hold rows, streaming."""
    scene.source.execute(TABLE)
    scene.publish()
    scene.service = scene.start_streaming()
    scene.source.execute(ROWS)
    scene.catch_up(scene.service)
    return scene


def moment(scene):
    """A time that is past on both servers, before any later commit."""
    text = scene.source.value("select clock_timestamp()::text")
    wait_until(lambda: scene.source.value(
        "select clock_timestamp() > %s::timestamptz + interval '50 ms'", (text,)), 5, "time")
    return text


def today(scene):
    return scene.source.value("select to_char(now() at time zone 'UTC', 'YYYY-MM-DD')")


def export(scene, folder, *arguments, **options):
    return scene.run("export", "--dir", str(folder), *arguments, **options)


def exported(scene, folder, *arguments, **options):
    result = export(scene, folder, *arguments, **options)
    assert result.returncode == EXIT_DONE, result.stderr
    return result


@pytest.fixture
def out(tmp_path):
    """An empty folder, apart from the scene's."""
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def tree(folder):
    """Every file below as its bytes."""
    return {str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(Path(folder).rglob("*")) if path.is_file()}


def test_a_table_as_csv_with_manifest_and_marker(shop, out):
    at = moment(shop)
    exported(shop, out, "--as-of", at, "--wait", "20")
    day = out / "operations.t" / today(shop)
    assert sorted(path.name for path in day.iterdir()) == [
        "_SUCCESS", "manifest.json", "operations.t.csv"]
    data = (day / "operations.t.csv").read_bytes()
    assert list(csv.reader(io.StringIO(data.decode(), newline=""))) == [
        ["id", "name", "price", "paid", "at", "tags", "doc", "note"],
        ["1", "two\nlines", "-0.10", "f", "", "{}", "[]", "ü\\N"],
        ["2", "b,c", "1.50", "t", "2026-01-02 01:04:05.678+00", '{x,"y z"}',
         '{"a": 1,\n "b": "\\n"}', ""],
        ["10", 'quote " and \\ tab \t', "NaN", "", "infinity", "", "", ""]]
    assert data.splitlines()[-1].endswith(b",NaN,,infinity,,,")  # NULL and '' differ.
    assert b' ""b"": ""\\n""}",""\n' in data
    manifest = json.loads((day / "manifest.json").read_text())
    lsn = shop.target.value("select max(lsn_from)::text from analytics.t_history")
    asked = datetime.fromisoformat(at.replace("+00", "+00:00")).astimezone(timezone.utc)
    assert manifest == {
        "table": "operations.t", "pipeline": shop.name, "day": today(shop),
        "as_of": asked.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), "lsn": lsn,
        "file": "operations.t.csv", "format": "csv", "compression": None, "rows": 3,
        "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), "row_key": ["id"],
        "columns": [{"name": name, "type": kind} for name, kind in [
            ("id", "integer"), ("name", "text"), ("price", "numeric(10,2)"), ("paid", "boolean"),
            ("at", "timestamp with time zone"), ("tags", "text[]"), ("doc", "json"),
            ("note", "character varying(40)")]],
        "gaps": []}
    bare = (out / "operations.bare" / today(shop) / "operations.bare.csv").read_text()
    assert bare == "v\na\na\nz\n"
    assert shop.service.stop() == EXIT_DONE


def test_a_past_moment_gives_the_same_bytes_whatever_came_after(shop, out):
    at = moment(shop)
    lsn = shop.source.lsn()
    for name, arguments in (("time", ["--as-of", at]), ("lsn", ["--lsn", lsn]),
                            ("json", ["--as-of", at, "--format", "jsonl", "--gzip"])):
        exported(shop, out / name, *arguments, "--wait", "20")
    before = tree(out)
    assert len(before) == 18
    shop.source.execute(
        "update operations.t set name = 'later', id = id + 100;"
        "delete from operations.t where id = 102; delete from operations.bare;"
        "insert into operations.t (id) values (7)")
    shop.source.execute("alter table operations.t add column extra integer default 7")
    shop.source.execute("alter table operations.t rename column note to remark")
    shop.source.execute("insert into operations.t (id) values (8); truncate operations.bare")
    shop.source.execute("create table operations.late (id integer primary key);"
                        "insert into operations.late values (1)")
    shop.catch_up(shop.service)
    wait_until(lambda: shop.target.value(
        "select count(*) from pgchronicle.table_state where state = 'copied'") == 3, 30, "late")
    for name, arguments in (("time", ["--as-of", at]), ("lsn", ["--lsn", lsn]),
                            ("json", ["--as-of", at, "--format", "jsonl", "--gzip"])):
        result = exported(shop, out / name, *arguments)
        assert "\"operations.late\" is left out: its history begins later" in result.stderr
    assert tree(out) == before
    exported(shop, out / "new", "--lsn", shop.source.lsn(), "--wait", "20")
    new = (out / "new" / "operations.t" / today(shop) / "operations.t.csv").read_text()
    assert new.splitlines()[0] == "id,name,price,paid,at,tags,doc,remark,extra"
    assert shop.service.stop() == EXIT_DONE


def test_a_renamed_table_stays_in_exports_of_before(shop, out):
    """Also where it was empty: nothing of its own tells when that ended."""
    shop.source.execute("create table operations.empty (id integer primary key)")
    wait_until(lambda: shop.target.value(
        "select count(*) from pgchronicle.table_state where state = 'copied'") == 3, 30, "empty")
    shop.source.execute("update operations.t set name = 'once more'")
    shop.catch_up(shop.service)
    at, lsn = moment(shop), shop.source.lsn()
    requests = (("time", ["--as-of", at]), ("lsn", ["--lsn", lsn]))
    for name, arguments in requests:
        exported(shop, out / name, *arguments, "--wait", "20")
    before = tree(out)
    assert len(before) == 18
    shop.source.execute("alter table operations.t rename to other;"
                        "insert into operations.other (id) values (20)")
    shop.source.execute("alter table operations.empty rename to still;"
                        "insert into operations.still values (1)")
    shop.catch_up(shop.service)
    for name, arguments in requests:
        result = exported(shop, out / name, *arguments)
        assert sorted(line.split('"')[1] for line in result.stderr.splitlines()) == [
            "operations.other", "operations.still"]
    assert tree(out) == before
    exported(shop, out / "named", "--lsn", lsn, "--table", "operations.t")
    assert {path: data for path, data in tree(out).items() if path.startswith("named/")} == {
        path.replace("lsn/", "named/"): data for path, data in before.items()
        if path.startswith("lsn/operations.t/")}
    rows = "select count(*) from analytics.t_as_of(%s)", (at,)
    assert shop.target.value(*rows) == 3
    now = shop.source.lsn()
    exported(shop, out / "now", "--lsn", now, "--wait", "20")
    assert sorted(path.name for path in (out / "now").iterdir()) == [
        "operations.bare", "operations.other", "operations.still"]
    # A name that ends before its rows were copied was never known.
    shop.target.execute("update pgchronicle.table_state set consistent_from = null, seam_time ="
                        " null where source_table = 't'")
    result = exported(shop, out / "unknown", "--lsn", lsn)
    assert '"operations.t" is left out: it has been renamed, and' in result.stderr
    assert shop.service.stop() == EXIT_DONE


def test_json_lines_have_types_and_gzip_has_no_time(shop, out):
    at = moment(shop)
    arguments = ["--as-of", at, "--format", "jsonl", "--gzip", "--table", "t", "--wait", "20"]
    exported(shop, out, *arguments)
    day = out / "operations.t" / today(shop)
    packed = (day / "operations.t.jsonl.gz").read_bytes()
    assert packed[:10] == bytes([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3])
    lines = gzip.decompress(packed).decode().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"id": 1, "name": "two\nlines", "price": -0.10, "paid": False, "at": None, "tags": "{}",
         "doc": [], "note": "ü\\N"},
        {"id": 2, "name": "b,c", "price": 1.5, "paid": True, "at": "2026-01-02 01:04:05.678+00",
         "tags": '{x,"y z"}', "doc": {"a": 1, "b": "\n"}, "note": ""},
        {"id": 10, "name": 'quote " and \\ tab \t', "price": "NaN", "paid": None,
         "at": "infinity", "tags": None, "doc": None, "note": None}]
    manifest = json.loads((day / "manifest.json").read_text())
    assert (manifest["sha256"], manifest["compression"], manifest["rows"]) == (
        hashlib.sha256(packed).hexdigest(), "gzip", 3)
    assert not (out / "operations.bare").exists()
    assert shop.service.stop() == EXIT_DONE


def test_tables_of_one_export_belong_to_one_snapshot_under_traffic(scene, out):
    scene.source.execute("create table operations.a (id serial primary key, v integer);"
                         "create table operations.b (id serial primary key, v integer)")
    scene.publish()
    service = scene.start_streaming()
    for i in range(30):
        scene.source.execute(f"insert into operations.a (v) values ({i});"
                             f"insert into operations.b (v) values ({i})")
        if i % 10 == 5:
            exported(scene, out, "--lsn", scene.source.lsn(), "--wait", "20", "--day",
                     "2026-01-01")
            rows = [(out / f"operations.{t}" / "2026-01-01" / f"operations.{t}.csv")
                    .read_text() for t in "ab"]
            assert rows[0] == rows[1] and rows[0].count("\n") == i + 2
    assert service.stop() == EXIT_DONE


def test_a_day_is_over_only_when_the_source_is_past_it(shop, out):
    day = today(shop)
    tomorrow = (datetime.fromisoformat(day) + timedelta(days=1)).strftime("%Y-%m-%d")
    early = export(shop, out, "--as-of", tomorrow)
    assert early.returncode == EXIT_OPERATOR
    assert "has not passed" in early.stderr and "--wait" in early.stderr
    past = export(shop, out, "--as-of", "2020-02-29")
    assert past.returncode == EXIT_OPERATOR
    assert "is not known at" in past.stderr and "complete from" in past.stderr
    far = export(shop, out, "--lsn", "FFFF/0")
    assert far.returncode == EXIT_OPERATOR and "has not passed FFFF/0" in far.stderr
    assert tree(out) == {}
    # Nobody writes any more: the source's clock tells.
    at = moment(shop)
    exported(shop, out, "--as-of", at, "--wait", "20")
    assert len(tree(out)) == 6
    assert shop.service.stop() == EXIT_DONE
    shop.source.execute("insert into operations.t (id) values (99)")
    behind = export(shop, out, "--lsn", shop.source.lsn())
    assert behind.returncode == EXIT_OPERATOR and "The history reaches up to" in behind.stderr


def test_a_moment_to_come_is_waited_for(shop, out):
    at = shop.source.value("select (clock_timestamp() + interval '2 s')::text")
    exported(shop, out, "--as-of", at, "--wait", "30")
    assert shop.source.value("select clock_timestamp() > %s::timestamptz", (at,))
    assert len(tree(out)) == 6
    assert shop.service.stop() == EXIT_DONE


def test_days_have_a_time_zone(shop, out):
    at = moment(shop)
    exported(shop, out, "--as-of", at, "--wait", "20", "--time-zone", "Pacific/Kiritimati")
    there = shop.source.value(
        "select to_char(%s::timestamptz at time zone 'Pacific/Kiritimati', 'YYYY-MM-DD')", (at,))
    assert (out / "operations.t" / there / "_SUCCESS").exists()
    shop.configure(export={"time_zone": "Pacific/Pago_Pago"})
    exported(shop, out, "--as-of", at)
    here = shop.source.value(
        "select to_char(%s::timestamptz at time zone 'Pacific/Pago_Pago', 'YYYY-MM-DD')", (at,))
    assert (out / "operations.t" / here / "_SUCCESS").exists()
    assert here != there
    wrong = export(shop, out, "--as-of", at, "--time-zone", "Nowhere/At_All")
    assert wrong.returncode == EXIT_USAGE and "Nowhere/At_All" in wrong.stderr
    assert shop.service.stop() == EXIT_DONE


WRONG = [
    (["--as-of", "yesterdayish"], "yesterdayish"),
    (["--as-of", "2026-02-30"], "2026-02-30"),
    (["--as-of", "infinity"], "is no moment"),
    (["--as-of", "2026-01-01", "--lsn", "0/1"], "excludes"),
    (["--lsn", "x"], "invalid LSN"),
    ([], "--as-of or --lsn"),
    (["--lsn", "0/1", "--day", "../../x"], "invalid day"),
    (["--lsn", "0/1", "--table", "nothing"], "keeps no history of"),
    (["--lsn", "0/1", "--format", "xml"], "xml"),
]


def test_a_wrong_request_is_refused(shop, out):
    for arguments, said in WRONG:
        result = export(shop, out, *arguments)
        assert (result.returncode, said in result.stderr) == (EXIT_USAGE, True), result.stderr
        assert tree(out) == {}


@pytest.mark.parametrize("point, hit", [("export_written", 1), ("export_published", 1)])
def test_a_killed_export_leaves_whole_folders_only(shop, out, point, hit):
    folder = out / "out"
    lsn = shop.source.lsn()
    arguments = ["--lsn", lsn, "--wait", "20", "--day", "2026-01-01"]
    exported(shop, folder, *arguments)
    want = tree(folder)
    shop.source.execute("update operations.t set name = 'changed'; delete from operations.bare")
    exported(shop, folder, "--lsn", shop.source.lsn(), "--wait", "20", "--day", "2026-01-01")
    changed = tree(folder)
    killed = export(shop, folder, *arguments, env=failpoint_env(point, hit, out / "log"))
    assert killed.returncode == -9
    seen = {name: data for name, data in tree(folder).items() if "/." not in name}
    for table in ("operations.t", "operations.bare"):
        part = {name: data for name, data in seen.items() if name.startswith(table + "/")}
        assert part in ({name: data for name, data in tree_.items() if name.startswith(table + "/")}
                        for tree_ in (want, changed))
    assert (seen == changed) == (point == "export_written")
    exported(shop, folder, *arguments)
    assert tree(folder) == want
    assert shop.service.stop() == EXIT_DONE


def test_names_are_safe_as_files(scene, out):
    for name in ("../../evil", ".hidden", "a/b", "Grüße", "x" * 63):
        scene.source.execute(f'create table operations."{name}" ("a,""b" integer primary key)')
    scene.publish()
    service = scene.start_streaming()
    exported(scene, out / "in", "--lsn", scene.source.lsn(), "--wait", "20", "--day",
             "2026-01-01")
    assert {path.name for path in (out / "in").iterdir()} == {
        "operations...%2F..%2Fevil", "operations..hidden", "operations.a%2Fb",
        "operations.Gr%C3%BC%C3%9Fe", "operations." + "x" * 63}
    assert [path.name for path in out.iterdir() if path.name.startswith("operations")] == []
    assert service.stop() == EXIT_DONE


def test_gaps_and_quarantine_are_told(shop, out):
    at = moment(shop)
    lsn = shop.source.lsn()
    exported(shop, out, "--as-of", at, "--wait", "20")
    shop.source.execute("insert into operations.t (id) values (50)")
    shop.catch_up(shop.service)
    assert shop.service.stop() == EXIT_DONE
    start = shop.target.value("select slot_start::text from pgchronicle.checkpoint")
    position = shop.target.value("select position::text from pgchronicle.checkpoint")
    shop.target.execute(
        "insert into pgchronicle.gap (pipeline, source_schema, source_table, from_lsn, to_lsn, "
        f"reason) values ('{shop.name}', 'operations', 't', '{start}', '{position}', 'slot_lost'), "
        f"('{shop.name}', 'operations', 't', '{position}', 'F/0', 'slot_lost')")
    result = exported(shop, out, "--as-of", at)
    assert 'history of table "operations.t" is incomplete then' in result.stderr
    assert result.stderr.count("There is a gap") == 1 and "bare" not in result.stderr
    manifest = json.loads(
        (out / "operations.t" / today(shop) / "manifest.json").read_text())
    assert manifest["gaps"] == [
        {"reason": "slot_lost", "from_lsn": start, "to_lsn": position}]
    shop.target.execute(
        "insert into pgchronicle.quarantine (pipeline, source_schema, source_table, relation_id, "
        f"from_lsn, from_time, message) values ('{shop.name}', 'operations', 't', 1, '{start}', "
        "'2020-01-01', 'x')")
    left = export(shop, out, "--lsn", lsn, "--table", "t")
    assert left.returncode == EXIT_OPERATOR and "quarantine" in left.stderr


def test_the_reader_role_may_export(shop, out):
    """Nothing is written: a role that can only read is enough."""
    shop.target.execute("create role export_reader login password 'x';"
                        f'grant connect on database "{shop.target.name}" to export_reader;'
                        "grant usage on schema pgchronicle, analytics to export_reader;"
                        "grant select on all tables in schema pgchronicle, analytics "
                        "to export_reader")
    try:
        shop.configure(target={"dsn": shop.target_cluster.dsn(shop.target.name, "export_reader"),
                               "password": "x"})
        exported(shop, out, "--lsn", shop.source.lsn(), "--wait", "20", "--day", "2026-01-01")
        assert len(tree(out)) == 6
    finally:
        assert shop.service.stop() == EXIT_DONE
        shop.target.execute("drop owned by export_reader; drop role export_reader")

"""Tables as of a moment, page by page, against the as-of functions in the target."""

import json
import random
import subprocess
from pathlib import Path

import pytest
from support.lsn import format_lsn, parse_lsn
from support.pgchronicle import EXIT_DONE, binary
from support.roles import TARGET_PASSWORD, TARGET_USER

NOT_FOUND, AMBIGUOUS, BAD_REQUEST, TOO_EARLY, TOO_LATE, _, NOT_READY = range(7)

TABLES = """
create table operations.keyed (a integer, b text, v numeric, primary key (b, a));
create table operations.bare (v text, n integer);
alter table operations.bare replica identity full"""


class Reader:
    def __init__(self, scene):
        self.scene = scene
        self.program = Path(binary()).parent / "tests" / "read_as_of"
        self.dsn = (scene.target_cluster.dsn(scene.target.name, TARGET_USER)
                    + f" password={TARGET_PASSWORD}")

    def pages(self, table, *arguments):
        result = subprocess.run([self.program, self.dsn, self.scene.name, table, *arguments],
                                capture_output=True, text=True, check=False, timeout=30)
        assert result.returncode != 2, result.stderr
        return [json.loads(line) for line in result.stdout.splitlines()]

    def rows(self, table, *arguments):
        return [tuple(row.values()) for page in self.pages(table, *arguments)
                for row in page["rows"]]

    def refusal(self, table, *arguments):
        *_, last = self.pages(table, *arguments)
        return last["kind"], last["error"], last["detail"]


@pytest.fixture
def reader(scene):
    return Reader(scene)


def written(scene, seed=1):
    """Random changes, and the LSNs and times between them."""
    chance = random.Random(seed)
    scene.source.execute(TABLES)
    scene.source.execute("insert into operations.keyed select i % 3, 'k' || i, i from"
                         " generate_series(1, 9) i; insert into operations.bare select 'same', 1"
                         " from generate_series(1, 5)")
    scene.publish()
    service = scene.start_streaming()
    moments = []
    for step in range(12):
        scene.source.execute(chance.choice((
            f"insert into operations.keyed values ({step}, 'new', {step}.50)",
            f"update operations.keyed set v = v + 0.25 where a = {step % 3}",
            f"delete from operations.keyed where b = 'k{step % 9 + 1}'",
            "update operations.keyed set b = b || '+' where a = 1",
            "insert into operations.bare values ('same', 1), (null, null), ('', 2)",
            "delete from operations.bare where ctid in (select ctid from operations.bare limit 2)",
        )))
        scene.catch_up(service)
        lsn = scene.target.value("select position::text from pgchronicle.checkpoint")
        moments.append((lsn, scene.target.value("select clock_timestamp()::text")))
    scene.source.execute("insert into operations.bare values ('last', 0)")
    scene.catch_up(service)
    assert service.stop() == EXIT_DONE
    return moments


def import_(scene, path, text):
    """The position that the versions got, and their time."""
    path.write_text(text)
    result = scene.run("import", str(path), "--table", "goods", "--key", "id")
    assert result.returncode == EXIT_DONE, result.stderr
    return scene.target.query("select lsn::text, recorded_at::text from pgchronicle.import"
                              " order by id desc limit 1")[0]


def expected(scene, table, function, moment):
    columns, order = (("a, b, v", 'b, a') if table == "keyed"
                      else ("v, n", 'row(v, n)::text collate "C"'))
    return [tuple(row.values()) for row in scene.target.value(
        f"select coalesce(json_agg(r), '[]') from (select {columns} from"
        f" analytics.{table}_{function}(%s) order by {order}) r", (moment,))]


def test_pages_together_are_what_the_function_gives(scene, reader):
    moments = written(scene)
    for lsn, time in moments:
        for table in ("keyed", "bare"):
            by_lsn = expected(scene, table, "as_of_lsn", lsn)
            by_time = expected(scene, table, "as_of", time)
            assert by_lsn == by_time
            for limit in (0, 1, 2, 3, 100):
                assert reader.rows(table, f"lsn={lsn}", f"limit={limit}") == by_lsn, (lsn, limit)
            assert reader.rows(table, f"at={time}", "limit=2") == by_time
    sizes = {len(page["rows"]) for page in reader.pages("keyed", f"lsn={lsn}", "limit=2")[:-1]}
    assert sizes == {2}


def test_what_may_still_change_is_not_final(scene, reader):
    moments = written(scene)
    position = scene.target.value("select position::text from pgchronicle.checkpoint")
    last = scene.target.value("select last_commit_time::text from pgchronicle.checkpoint")
    lsn, time = moments[5]

    def told(*arguments):
        page, = reader.pages("bare", *arguments)
        return page["lsn"], page["at"], page["final"]

    assert told(f"lsn={lsn}") == (lsn, None, True)
    assert told(f"lsn={position}") == (position, None, True)
    assert told("lsn=FFFF/0") == (position, None, False)
    assert told() == (position, None, False)
    assert told(f"at={time}") == (None, time, True)
    # Another commit of this very time may come.
    assert told(f"at={last}") == (position, last, False)
    assert told("at=infinity") == (position, "infinity", False)
    assert reader.rows("bare", "at=infinity", "limit=2") == expected(
        scene, "bare", "as_of_lsn", position)


def test_imported_tables_are_read_by_time(scene, reader, tmp_path):
    """Several files come at one position, each at a time of its own."""
    written(scene)
    path = tmp_path / "goods.csv"
    first = import_(scene, path, "id,name\n1,one\n2,one\n")
    second = import_(scene, path, "id,name\n1,two\n2,two\n")
    assert first[0] == second[0] and first[1] < second[1]

    def told(*arguments):
        page, = reader.pages("goods", *arguments)
        return {row["name"] for row in page["rows"]}, page["final"]

    assert told(f"at={first[1]}") == ({"one"}, True)
    between, after = (scene.target.value(f"select (%s::timestamptz {by})::text", (second[1],))
                      for by in ("- interval '1 us'", "+ interval '1 us'"))
    assert told(f"at={between}") == ({"one"}, True)
    assert {name for _, name in scene.target.query(
        "select id, name from analytics.goods_as_of(%s)", (between,))} == {"one"}
    assert told(f"at={second[1]}") == ({"two"}, True)
    # The next file may have that time, and this position.
    assert told(f"at={after}") == ({"two"}, False)
    assert told(f"lsn={first[0]}") == ({"two"}, False)
    assert told() == ({"two"}, False)
    service = scene.start_streaming()
    scene.source.execute("insert into operations.bare values ('later', 0)")
    scene.catch_up(service)
    assert service.stop() == EXIT_DONE
    assert told(f"lsn={first[0]}") == ({"two"}, True)
    import_(scene, path, "id,name\n1,three\n")
    assert told(f"lsn={first[0]}") == ({"two"}, True)
    assert told(f"at={first[1]}") == ({"one"}, True)
    assert told() == ({"three"}, False)


def test_what_cannot_be_answered_is_refused(scene, reader):
    assert reader.refusal("keyed")[0] == NOT_FOUND
    (lsn, _), *_ = written(scene)
    seam, time = scene.target.query("select consistent_from::text, seam_time::text"
                                    " from pgchronicle.table_state where source_table = 'keyed'")[0]
    before = format_lsn(parse_lsn(seam) - 1)
    unknown = 'history of table "operations.keyed" is not known at '
    assert reader.refusal("keyed", f"lsn={before}") == (
        TOO_EARLY, unknown + before, f"It is complete from {seam} on.")
    assert reader.refusal("operations.keyed", "at=2001-02-03") == (
        TOO_EARLY, unknown + "2001-02-03 00:00:00+00", f"It is complete from {time} on.")
    for arguments in ([f"lsn={lsn}", "at=2001-02-03"], ["at=yes"], ["after=x"],
                      ["after=x", "after=y"], ["after=", "after=", "after=none"],
                      ["after=x", "after=1", "after=2", "after=3"]):
        assert reader.refusal("keyed", *arguments)[0] == BAD_REQUEST, arguments
    for arguments in (["after=x", "after=1"], ["after=x", "after=y", "after=-1"]):
        assert reader.refusal("bare", *arguments)[0] == BAD_REQUEST, arguments
    scene.target.execute("update pgchronicle.table_state set consistent_from = null, seam_time ="
                         " null, state = 'pending' where source_table = 'bare'")
    for moment in ([], [f"lsn={lsn}"], ["at=infinity"]):
        assert reader.refusal("bare", *moment)[0] == NOT_READY
    scene.target.execute(
        "insert into pgchronicle.quarantine (pipeline, source_schema, source_table, relation_id,"
        " from_lsn, from_time, message) select pipeline, source_schema, source_table, relation_id,"
        f" '{lsn}', clock_timestamp() - interval '1 hour', 'x' from pgchronicle.table_state"
        " where source_table = 'keyed'")
    assert reader.pages("keyed", f"lsn={lsn}")[0]["final"]
    assert reader.refusal("keyed")[0] == TOO_LATE
    assert reader.refusal("keyed", "at=infinity")[0] == TOO_LATE
    scene.target.execute(
        "insert into pgchronicle.table_state (pipeline, source_schema, source_table, relation_id,"
        " target_schema, target_table, row_key, state, begins_at, membership)"
        " select pipeline, 'other', source_table, relation_id, 'other', target_table, row_key,"
        " state, begins_at, membership from pgchronicle.table_state where source_table = 'keyed'")
    assert reader.refusal("keyed") == (AMBIGUOUS, 'table name "keyed" is ambiguous',
                                       "It may be one of operations.keyed, other.keyed.")

"""Faults planted by SQL at random rows of a true history: `verify` finds each, and names its row.

Each goes to its own row, drawn by the seed, of a history that `run` goes on writing.
"""

import contextlib
import os
import random
from types import SimpleNamespace

import pytest

from support.scene import Scene
from support.verified import QUICK, assert_equal, verify

SEED = int(os.environ.get("PGCHRONICLE_SEED", random.SystemRandom().randrange(1 << 32)))

DDL = """
create table operations.t (id integer primary key, v text, n numeric, f double precision,
    p bpchar, b boolean, ts timestamptz, a integer[], j jsonb);
create table operations.bag (v text, n integer);
alter table operations.bag replica identity full;
insert into operations.t select g, case g % 3 when 0 then null when 1 then '' else 'v' || g end,
    1.0, 0, 'x', true, '2026-01-01 00:00+00', '{1,2}', '{"a": 1}' from generate_series(1, 90) g;
insert into operations.bag select case g % 3 when 0 then null when 1 then '' else 'v' end, g % 4
    from generate_series(1, 60) g;
"""


def _work(source):
    """Rows of every fate: copied, inserted, updated several times, deleted, re-keyed, truncated."""
    source.execute(
        "create table operations.gone (id integer primary key, v text);"
        "insert into operations.gone select g, 'gone' from generate_series(1, 5) g")
    for low in range(100, 160, 10):
        source.execute("insert into operations.t (id, v, n, f, p, a) select g, case g % 3 when 0 "
                       "then null when 1 then '' else 'v' end, 1.50, 0, 'y', '{1,2}' "
                       f"from generate_series({low}, {low + 9}) g")
    for row in range(60, 130):  # One commit each.
        source.execute(f"update operations.t set b = not coalesce(b, false) where id = {row}")
    source.execute("update operations.t set j = '{\"b\": 2}' where id between 70 and 120")
    for row in (*range(80, 86), *range(101, 107)):
        source.execute(f"delete from operations.t where id = {row}")
    source.execute("update operations.t set id = id + 1000 where id between 140 and 145")
    source.execute("insert into operations.t (id, v) select g, 'again' from "
                   "generate_series(80, 82) g")
    source.execute("insert into operations.t (id, v, n) values (170, 'short', 1)")
    source.execute("delete from operations.t where id = 170")
    source.execute("truncate operations.gone")
    for value in ("x", "y", "z"):
        source.execute(f"insert into operations.bag values ('{value}', 1), ('{value}', 1)")
        source.execute(f"update operations.bag set n = 9 where ctid = (select min(ctid) from "
                       f"operations.bag where v = '{value}')")
    source.execute("delete from operations.bag where v = 'y' and n = 1")


@pytest.fixture(scope="module")
def truth(source_cluster, target_cluster, program, tmp_path_factory):
    """A true history, and a copy of it to go back to."""
    scene = Scene(source_cluster, target_cluster, tmp_path_factory.mktemp("planted"))
    scene.source.execute(DDL)
    scene.configure(**QUICK)
    scene.publish()
    service = scene.start_streaming()
    _work(scene.source)
    scene.catch_up(service)
    for table in ("t", "bag"):
        scene.target.execute(f"create table public.{table}_true as table analytics.{table}_history")
    yield SimpleNamespace(scene=scene, service=service)
    assert service.stop() == 0
    scene.close()


@contextlib.contextmanager
def _changed(target, statement, *parameters):
    """A statement changes the histories; in the end they are what they were again."""
    try:
        target.execute(statement, parameters or None)
        yield
    finally:
        for table in ("t", "bag"):
            target.execute(f"begin; truncate analytics.{table}_history; insert into "
                           f"analytics.{table}_history table public.{table}_true; commit")


H = "analytics.t_history"
BAG = "analytics.bag_history"
COLUMNS = "v, n, f, p, b, ts, a, j, valid_from, valid_to, is_current, operation_type, lsn_from, " \
          "lsn_to, change_seq"
TOMBSTONE = "operation_type in ('DELETE', 'TRUNCATE', 'REKEY')"
CLOSED = f"not is_current and not {TOMBSTONE}"
STREAMED = "operation_type in ('INSERT', 'UPDATE')"
LIVES = f"exists (select from {H} o where o.id = h.id and o.is_current)"
FOLLOWS = f"exists (select from {H} o where o.id = h.id and o.lsn_to = h.lsn_from)"
ALONE = f"(select count(*) from {H} o where o.lsn_from = h.lsn_from) = 1"
OPEN_AGAIN = "is_current = true, valid_to = null, lsn_to = null"


def _set(what):
    return f"update {H} set {what} where ctid = %s::tid"


def _again(**changed):
    """The version once more, with other values."""
    columns = ["id"] + COLUMNS.split(", ")
    return (f"insert into {H} ({', '.join(columns)}) select "
            f"{', '.join(changed.get(c, c) for c in columns)} from {H} where ctid = %s::tid")


DELETE = f"delete from {H} where ctid = %s::tid"
FIRST = f"not exists (select from {H} o where o.id = h.id and (o.lsn_from, o.change_seq) < " \
        "(h.lsn_from, h.change_seq))"
INSERTED = f"operation_type = 'INSERT' and {FIRST}"


def _has(row, what):
    return f"exists (select from {H} o where o.id = h.id and {row} and {what})"


UPDATED = _has("o.lsn_from = h.lsn_to", "o.operation_type = 'UPDATE'")
DELETED = _has("o.lsn_from = h.lsn_to", "o.operation_type = 'DELETE'")
# A version before says what its values were.
LAST_OF = _has("o.lsn_to = h.lsn_from", "o.operation_type in ('INSERT', 'UPDATE', 'SNAPSHOT')")

# fault -> where its row is drawn, what is done to it, what has to be said (more may be)
KEYED = {
    "a current version is gone": (f"is_current and {FOLLOWS}", DELETE,
                                  {"missing in history", "v04_no_hole"}),
    "a copied row is gone": ("is_current and operation_type = 'SNAPSHOT'", DELETE,
                             {"missing in history"}),
    "a value is another": ("is_current and v like 'v%%'", _set("v = v || 'x'"), {"differs"}),
    "NULL became empty": ("is_current and v is null", _set("v = ''"), {"differs"}),
    "empty became NULL": ("is_current and v = ''", _set("v = null"), {"differs"}),
    "a blank at the end": ("is_current and v = ''", _set("v = ' '"), {"differs"}),
    "a blank that bpchar does not count": ("is_current and p is not null", _set("p = 'x '"),
                                           {"differs"}),
    "a number of another scale": ("is_current and n = 1", _set("n = 1.00"), {"differs"}),
    "a negative zero": ("is_current and f = 0", _set("f = '-0'"), {"differs"}),
    "another lower bound": ("is_current and a is not null", _set("a = '[0:1]={1,2}'"), {"differs"}),
    "a microsecond": ("is_current and ts is not null", _set("ts = ts + '1 microsecond'"),
                      {"differs"}),
    "a boolean": ("is_current and b", _set("b = false"), {"differs"}),
    "a row too many": ("is_current", _again(id="id + 100000"), {"not in source"}),
    "a closed version is open again": (f"{CLOSED} and {LIVES}", _set(OPEN_AGAIN),
                                       {"several versions", "v02_one_current", "v04_no_overlap"}),
    "a deleted row is open again": (
        f"{CLOSED} and not {LIVES} and lsn_to = (select max(lsn_from) from {H} o where o.id = h.id)"
        " and lsn_from < lsn_to", _set(OPEN_AGAIN), {"not in source", "v04_no_overlap"}),
    "two are current": ("is_current", _again(change_seq="change_seq + 1"),
                        {"several versions", "v02_one_current", "v04_no_overlap"}),
    "a current version stands twice": ("is_current", _again(),
                                       {"several versions", "v06_no_duplicate"}),
    "a closed version stands twice": (CLOSED, _again(), {"v06_no_duplicate"}),
    "a version between others is gone": (f"{CLOSED} and {FOLLOWS}", DELETE, {"v04_no_hole"}),
    "a tombstone is gone": (TOMBSTONE, DELETE, {"v04_no_hole"}),
    "a second tombstone": (TOMBSTONE, _again(change_seq="change_seq + 1"),
                           {"v04_tombstone_follows"}),
    "a first version is gone before an UPDATE": (f"{FIRST} and {UPDATED}", DELETE,
                                                 {"v04_chain_begins"}),
    "a first version is gone before a DELETE": (f"{INSERTED} and {DELETED}", DELETE,
                                                {"v04_tombstone_alone"}),
    "a tombstone has another value": (f"{TOMBSTONE} and {LAST_OF} and n is not null",
                                      _set("n = n + 1"), {"v04_tombstone_values"}),
    "an UPDATE says INSERT": (f"operation_type = 'UPDATE' and {LAST_OF}",
                              _set("operation_type = 'INSERT'"), {"v04_insert_begins"}),
    "an INSERT says UPDATE": (INSERTED, _set("operation_type = 'UPDATE'"), {"v04_chain_begins"}),
    "an INSERT after a DELETE says UPDATE": (
        f"operation_type = 'INSERT' and not {FIRST}", _set("operation_type = 'UPDATE'"),
        {"v04_chain_begins"}),
    "an end is too early": (CLOSED, _set("lsn_to = lsn_to - 1"),
                            {"v04_no_hole", "v05_end_is_a_begin"}),
    "an end is too late": (CLOSED, _set("lsn_to = lsn_to + 1"), {"v04_no_overlap"}),
    "a beginning is too late": (f"{FOLLOWS} and lsn_to is null", _set("lsn_from = lsn_from + 1"),
                                {"v04_no_hole"}),
    "an end is at another time": (CLOSED, _set("valid_to = valid_to + '1 millisecond'"),
                                  {"v05_end_is_a_begin"}),
    "a beginning is at another time": (
        f"{FOLLOWS} and {ALONE} and is_current",
        _set("valid_from = valid_from - '1 hour'::interval"),
        {"times_follow_stream", "v05_end_is_a_begin"}),
    "an end before its beginning": (CLOSED, _set("valid_to = valid_from - '1 second'::interval"),
                                    {"v05_no_negative_interval"}),
    "is_current lies": (CLOSED, _set("is_current = true"), {"v03_is_current"}),
    "an operation that is none": ("is_current", _set("operation_type = 'UPSERT'"),
                                  {"known_operation"}),
    "a tombstone that is current": ("is_current", _set("operation_type = 'DELETE'"),
                                    {"tombstone_shape"}),
    "a tombstone that covers time": (TOMBSTONE, _set("valid_to = valid_to + '1 second'"),
                                     {"tombstone_shape"}),
    "a streamed change without a number": (STREAMED, _set("change_seq = 0"), {"v06_change_seq"}),
    "a row ends that goes on": ("is_current", _set(
        "is_current = false, valid_to = valid_from, lsn_to = lsn_from"),
        {"missing in history", "v04_no_hole"}),
    "a version beyond the checkpoint": (f"is_current and {STREAMED}",
                                        _set("lsn_from = 'FFFFFFFF/0'"),
                                        {"missing in history", "v07_not_beyond_checkpoint"}),
}


def _draw(target, table, where, chance):
    rows = target.query(f"select ctid::text, * from {table} h where {where.replace('%%', '%')} "
                        "order by ctid")
    assert rows, f"no version for which {where} holds"
    return chance.choice(rows)


@pytest.mark.parametrize("fault", KEYED, ids=lambda name: name.replace(" ", "_"))
def test_a_fault_is_found_at_its_row(truth, fault):
    where, change, expected = KEYED[fault]
    target = truth.scene.target
    ctid, key, *_ = _draw(target, H, where, random.Random(f"{SEED}/{fault}"))
    with _changed(target, change, ctid):
        verdict = verify(truth.scene)
    assert verdict.code == 1, f"seed {SEED}: nothing was found at {key}"
    row = str(key + 100000) if "too many" in fault else str(key)
    assert verdict.keys() == {row}, f"seed {SEED}: {verdict}"
    assert expected <= verdict.labels(), f"seed {SEED}: {verdict}"
    assert verdict.table("bag")["equal"] and verdict.table("gone")["equal"]


def test_a_rekey_that_says_delete_is_found(truth):
    target = truth.scene.target
    ctid, key, *_ = _draw(target, H, "operation_type = 'REKEY'", random.Random(SEED))
    with _changed(target, _set("operation_type = 'DELETE'"), ctid):
        verdict = verify(truth.scene)
        place = target.query(f"select lsn_from::text, change_seq::text from {H} where id = %s and "
                             "operation_type = 'DELETE'", (key,))
    assert verdict.code == 1 and verdict.labels() == {"v06_one_change"}, f"seed {SEED}: {verdict}"
    [broken] = verdict.table("t")["broken"]
    assert [(row["lsn_from"], row["change_seq"]) for row in broken["rows"]] == place


def test_a_column_that_differs_is_named(truth):
    target = truth.scene.target
    ctid, key, *_ = _draw(target, H, "is_current and b", random.Random(SEED))
    with _changed(target, _set("v = 'other', n = 77, a = null"), ctid):
        verdict = verify(truth.scene)
        text = truth.scene.run("verify")
    assert verdict.table("t")["keys"] == [
        {"kind": "differs", "key": {"id": str(key)}, "count": 1, "columns": ["v", "n", "a"]}]
    assert text.returncode == 1
    assert f"\noperations.t: 1 difference\n    id = {key}: differs in v, n, a\n" in text.stdout
    assert "NOT equal: 1 difference in" in text.stdout


def test_a_key_that_is_another_is_missing_and_too_many(truth):
    target = truth.scene.target
    ctid, key, *_ = _draw(target, H, "is_current and operation_type = 'SNAPSHOT'",
                          random.Random(SEED))
    with _changed(target, _set("id = id + 5000"), ctid):
        verdict = verify(truth.scene)
    assert {(k["key"]["id"], k["kind"]) for k in verdict.table("t")["keys"]} == {
        (str(key), "missing in history"), (str(key + 5000), "not in source")}


ONE_OF_MANY = "is_current and v = 'v' and operation_type = 'SNAPSHOT'"
BAG_INSERT = f"insert into {BAG} select * from {BAG} where ctid = %s::tid"
KEYLESS = {
    "one of identical rows is gone": (
        ONE_OF_MANY, f"delete from {BAG} where ctid = %s::tid", {"missing in history"}, ["old"]),
    "one row too many like others": (ONE_OF_MANY, BAG_INSERT, {"not in source"}, ["old"]),
    "NULL became empty": (
        "is_current and v is null", f"update {BAG} set v = '' where ctid = %s::tid",
        {"missing in history", "not in source"}, ["old", "new"]),
    "a closed version is open again": (
        "not is_current and operation_type = 'INSERT' and v in ('x', 'z')",
        f"update {BAG} set {OPEN_AGAIN} where ctid = %s::tid", {"not in source"}, ["old"]),
    "what ended a version is gone": (
        "operation_type = 'UPDATE' and is_current", f"delete from {BAG} where ctid = %s::tid",
        {"missing in history", "v05_end_is_a_begin"}, None),
    "a tombstone is gone": ("operation_type = 'DELETE'",
                            f"delete from {BAG} where ctid = %s::tid",
                            {"v05_end_is_a_begin"}, None),
}


@pytest.mark.parametrize("fault", KEYLESS, ids=lambda name: name.replace(" ", "_"))
def test_a_fault_is_found_without_a_key(truth, fault):
    where, change, expected, rows = KEYLESS[fault]
    target = truth.scene.target
    ctid, value, number, *_ = _draw(target, BAG, where, random.Random(f"{SEED}/{fault}"))
    shown = {"old": f"({value if value != '' else chr(34) * 2},{number})".replace("None", ""),
             "new": f'("",{number})'}
    with _changed(target, change, ctid):
        verdict = verify(truth.scene)
    assert verdict.code == 1, f"seed {SEED}"
    assert expected <= verdict.labels(), f"seed {SEED}: {verdict}"
    assert verdict.table("t")["equal"]
    if rows:
        table = verdict.table("bag")
        assert {key["key"]["row"] for key in table["keys"]} == {shown[row] for row in rows}, verdict
        assert table["differences"] == len(rows)


def test_many_faults_are_all_counted_and_some_are_told(truth):
    target = truth.scene.target
    with _changed(target, f"update {H} set v = coalesce(v, '') || '?' where is_current"):
        [(count,)] = target.query(f"select count(*) from {H} where is_current")
        few, none = verify(truth.scene, "--max-keys", "3"), verify(truth.scene, "--max-keys", "0")
        all_keys = verify(truth.scene, "--max-keys", "100000")
        [*ids] = target.query(f"select id from {H} where is_current order by id")
    assert [v.table("t")["differences"] for v in (few, none, all_keys)] == [count] * 3
    assert [len(v.table("t")["keys"]) for v in (few, none)] == [3, 0]
    told = [int(key["key"]["id"]) for key in all_keys.table("t")["keys"]]
    assert told == [i for i, in ids]
    assert all(key["columns"] == ["v"] for key in all_keys.table("t")["keys"])


def test_an_old_value_that_fits_its_neighbours_is_not_seen(truth):
    """What verify cannot know: documented in docs/operations.md."""
    target = truth.scene.target
    told = f"exists (select from {H} o where o.id = h.id and o.lsn_from = h.lsn_to and " \
        f"{TOMBSTONE})"
    ctid, *_ = _draw(target, H, f"{CLOSED} and not {told}", random.Random(SEED))
    with _changed(target, _set("v = 'never was'"), ctid):
        verdict = verify(truth.scene)
    assert verdict.code == 0


def test_the_true_history_is_equal_when_all_is_undone(truth):
    assert_equal(truth.scene)

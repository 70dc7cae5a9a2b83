"""Every check of set V is seen to fail on a planted fault.

The true history is written by SQL from the reference model, without the program under test; each
fault is then planted into it by SQL and has to be caught by the check that is named beside it.
Faults at random rows of a history that the program wrote are in test_130_workloads.py.
"""

import contextlib
from types import SimpleNamespace

import pytest

from support.lsn import format_lsn
from support.set_v import SetV
from support.sql_checks import CHECKS_DIR, checks_for

PIPELINE = "planted"
COLUMNS = ["id", "v", "fate"]

WORKLOAD = [
    "insert into operations.t select g, 'v' || g, 'kept' from generate_series(1, 6) g",
    "update operations.t set v = v || '+' where id <= 4",
    "update operations.t set v = v || '+' where id <= 3",
    "delete from operations.t where id = 2",
    "insert into operations.t values (2, 'again', 'kept')",
    "update operations.t set id = 40 where id = 4",
    "update operations.t set v = 'x' where id = 2; update operations.t set v = 'y' where id = 2",
    "update operations.t set v = v || '!' where id in (1, 5)",
    "delete from operations.t where id = 6",
]

TARGET = """
create table pgchronicle.checkpoint (pipeline text primary key, slot_start pg_lsn,
    last_commit_end pg_lsn, position pg_lsn);
create table pgchronicle.table_state (pipeline text, source_schema text, source_table text,
    seam pg_lsn, consistent_from pg_lsn, compared pg_lsn, compare_as text);
create table pgchronicle.gap (pipeline text, source_schema text, source_table text, reason text,
    from_lsn pg_lsn, to_lsn pg_lsn, repaired_at timestamptz);
create table analytics.t_history (id integer, v text, fate text, valid_from timestamptz not null,
    valid_to timestamptz, is_current boolean not null, operation_type text not null,
    lsn_from pg_lsn not null, lsn_to pg_lsn, change_seq bigint not null);
create function analytics.t_as_of_lsn(at pg_lsn) returns table (id integer, v text, fate text)
language sql as $$
    select id, v, fate from analytics.t_history
    where lsn_from <= at and (lsn_to is null or lsn_to > at)
$$;
"""


def _write_true_history(target, model, spec):
    """What an uninterrupted run would have written, times clamped as the contract says."""
    times, latest = {}, None
    for end, time in model.commits:
        latest = time if latest is None else max(latest, time)
        times[end] = latest
    for v in model.versions(spec.id):
        # Copied rows of this history lie before every commit.
        begin = times.get(v.lsn_from, model.commits[0][1])
        target.execute(
            "insert into analytics.t_history values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            (*(v.values.get(c) for c in COLUMNS), begin, times.get(v.lsn_to), v.open, v.op,
             format_lsn(v.lsn_from), None if v.open else format_lsn(v.lsn_to), v.change_seq))
    target.execute("insert into pgchronicle.checkpoint values (%s, %s, %s, %s)",
                   (PIPELINE, format_lsn(model.slot_start), format_lsn(model.commits[-1][0]),
                    format_lsn(model.commits[-1][0] + 8)))
    target.execute("insert into pgchronicle.table_state values (%s, 'operations', 't', %s, %s)",
                   (PIPELINE, format_lsn(model.seams[spec.id]), format_lsn(model.slot_start)))


@pytest.fixture(scope="module")
def truth(source_cluster, target_cluster, tmp_path_factory):
    """A source with a workload behind it, its oracle, and the true history."""
    from support.scene import Scene
    scene = Scene(source_cluster, target_cluster, tmp_path_factory.mktemp("planted"))
    source, target = scene.source, scene.target
    source.execute("create table operations.t (id integer primary key, v text, fate text);"
                   "alter table operations.t replica identity full;"
                   "insert into operations.t select g, 'copied', 'kept' "
                   "from generate_series(100, 102) g")
    oracle = scene.oracle("t")
    start = source.lsn()
    for statement in WORKLOAD:
        source.execute(statement)
    spec = scene.spec("t")
    from support.lsn import parse_lsn
    seams = {spec.id: parse_lsn(start)}
    model = oracle.model([spec], slot_start=parse_lsn(start), seams=seams)
    target.execute(TARGET)
    _write_true_history(target, model, spec)
    yield SimpleNamespace(scene=scene, oracle=oracle, spec=spec)
    scene.close()


class _InOneTransaction:
    """Lends set V one connection, so that a planted fault can be rolled back."""

    def __init__(self, database):
        self.connection = database.connect(autocommit=False)

    def connect(self):
        @contextlib.contextmanager
        def lent():
            yield self.connection
        return _Lent(self.connection)


class _Lent:
    def __init__(self, connection):
        self._connection = connection

    def cursor(self):
        return self._connection.cursor()

    def close(self):
        pass


def _checks_that_fail(truth, fault, side="target"):
    """The names of the checks that fail after the fault, which is then undone."""
    sides = {"source": _InOneTransaction(truth.scene.source),
             "target": _InOneTransaction(truth.scene.target)}
    try:
        if fault:
            with sides[side].connection.cursor() as cursor:
                cursor.execute(fault)
                assert cursor.rowcount != 0, "the fault changed nothing"
        found = SetV(sides["source"], sides["target"], truth.oracle, [truth.spec], PIPELINE,
                     fate_column="fate", seed=1).check()
    finally:
        for one in sides.values():
            one.connection.rollback()
            one.connection.close()
    return {problem.split(":")[0].removesuffix(" t") for problem in found}, found


def test_the_true_history_passes(truth):
    _, problems = _checks_that_fail(truth, None)
    assert problems == []


HISTORY = "analytics.t_history"
FAULTS = {
    "a current row is lost":
        (f"delete from {HISTORY} where id = 3 and is_current", {"V1", "V8", "v04_no_hole", "V9"}),
    "a row is current that the source does not have":
        (f"insert into {HISTORY} select 77, v, fate, valid_from, valid_to, is_current, "
         f"operation_type, lsn_from, lsn_to, change_seq from {HISTORY} where id = 3 and is_current",
         {"V1", "V8", "V11"}),
    "two versions of a key are current":
        (f"update {HISTORY} set is_current = true, valid_to = null, lsn_to = null "
         "where id = 3 and operation_type = 'INSERT'", {"v02_one_current", "v04_no_overlap"}),
    "is_current contradicts valid_to":
        (f"update {HISTORY} set is_current = true where id = 1 and operation_type = 'INSERT'",
         {"v03_is_current"}),
    "a version ends after its successor begins":
        (f"update {HISTORY} h set lsn_to = (select max(lsn_from) from {HISTORY}) "
         "where id = 1 and operation_type = 'INSERT'", {"v04_no_overlap", "V8", "V9"}),
    "a middle version is lost":
        (f"delete from {HISTORY} where id = 3 and v = 'v3+'", {"v04_no_hole", "V8", "V11", "V9"}),
    "a whole closed lifetime is lost":
        (f"delete from {HISTORY} where id = 6", {"V8", "V11", "V9"}),
    "a first version is lost":
        (f"delete from {HISTORY} where id = 5 and operation_type = 'INSERT'",
         {"v04_chain_begins", "V8", "V11", "V9"}),
    "a first version is an UPDATE":
        (f"update {HISTORY} set operation_type = 'UPDATE' where id = 2 and v = 'again'",
         {"v04_chain_begins", "V8"}),
    "only the tombstone of a row is left":
        (f"delete from {HISTORY} where id = 6 and operation_type <> 'DELETE'",
         {"v04_tombstone_alone", "V8", "V11", "V9"}),
    "a tombstone has another value":
        (f"update {HISTORY} set v = 'other' where id = 6 and operation_type = 'DELETE'",
         {"v04_tombstone_values", "V8"}),
    "an UPDATE says INSERT":
        (f"update {HISTORY} set operation_type = 'INSERT' where id = 5 and is_current",
         {"v04_insert_begins", "V8"}),
    "a REKEY says DELETE":
        (f"update {HISTORY} set operation_type = 'DELETE' where operation_type = 'REKEY'",
         {"v06_one_change", "v04_chain_begins", "V8"}),
    "a tombstone is lost":
        (f"delete from {HISTORY} where id = 6 and operation_type = 'DELETE'",
         {"v04_no_hole", "V8", "V11"}),
    "a tombstone stands twice with different numbers":
        (f"insert into {HISTORY} select id, v, fate, valid_from, valid_to, is_current, "
         f"operation_type, lsn_from, lsn_to, change_seq + 1 from {HISTORY} "
         "where operation_type = 'DELETE' and id = 6", {"v04_tombstone_follows", "V8", "V11"}),
    "a version ends before it begins":
        (f"update {HISTORY} set valid_to = valid_from - interval '1 second' "
         "where id = 1 and operation_type = 'INSERT'", {"v05_no_negative_interval", "V8 times"}),
    "a version ends when nothing happened":
        (f"update {HISTORY} set valid_to = valid_to + interval '1 millisecond' "
         "where id = 1 and operation_type = 'INSERT'", {"v05_end_is_a_begin", "V8 times"}),
    "a version ends where nothing happened":
        (f"update {HISTORY} set lsn_to = lsn_to - 1 where id = 1 and operation_type = 'INSERT'",
         {"v05_end_is_a_begin", "v04_no_hole", "V8"}),
    "a version ends by time but not by LSN":
        (f"update {HISTORY} set lsn_to = null where id = 1 and operation_type = 'INSERT'",
         {"v05_no_negative_interval", "v04_no_overlap", "V8"}),
    "a change is recorded twice":
        (f"insert into {HISTORY} select * from {HISTORY} where id = 6 and "
         "operation_type = 'DELETE'", {"v06_no_duplicate", "V8", "V11"}),
    "a streamed change has number 0":
        (f"update {HISTORY} set change_seq = 0 where id = 5 and operation_type = 'UPDATE'",
         {"v06_change_seq", "V8"}),
    "changes of one transaction are numbered wrongly":
        (f"update {HISTORY} set change_seq = change_seq + 1 where id = 1 "
         "and operation_type = 'UPDATE'", {"V8"}),
    "a tombstone covers time":
        (f"update {HISTORY} set valid_to = valid_to + interval '1 second' "
         "where id = 6 and operation_type = 'DELETE'", {"tombstone_shape"}),
    "an operation has no known name":
        (f"update {HISTORY} set operation_type = 'UPSERT' where id = 5 and is_current",
         {"known_operation", "V8"}),
    "an operation is NULL":
        (f"alter table {HISTORY} alter operation_type drop not null;"
         f"update {HISTORY} set operation_type = null where id = 100", {"known_operation", "V8"}),
    "a commit is recorded with an earlier time":
        (f"update {HISTORY} set valid_from = valid_from - interval '1 hour' "
         "where operation_type = 'DELETE' and id = 6", {"times_follow_stream", "V8 times"}),
    "a commit is recorded with a later time":
        (f"update {HISTORY} set valid_from = valid_from + interval '1 hour' where is_current",
         {"V8 times"}),
    "a row of an aborted subtransaction stands in the history":
        (f"update {HISTORY} set fate = 'aborted' where id = 3 and v = 'v3+'",
         {"v10_nothing_aborted", "V8", "V9"}),
    "an old value is wrong":
        (f"update {HISTORY} set v = 'v1?' where id = 1 and operation_type = 'INSERT'",
         {"V8", "V9"}),
    "an unknown value became NULL":
        (f"update {HISTORY} set v = null where id = 100", {"V1", "V8", "V9"}),
    "a version begins at another commit":
        (f"update {HISTORY} set lsn_from = lsn_from - 1 where id = 1 and is_current",
         {"V8", "V11"}),
    "a copied version has another time than its snapshot":
        (f"update {HISTORY} set valid_from = valid_from - interval '1 microsecond' "
         "where id = 100", {"V8 times"}),
    "the checkpoint is no commit":
        ("update pgchronicle.checkpoint set last_commit_end = last_commit_end - 1",
         {"V7", "v07_not_beyond_checkpoint"}),
    "the checkpoint is an earlier commit":
        ("update pgchronicle.checkpoint set last_commit_end = "
         f"(select min(lsn_from) from {HISTORY} where operation_type = 'UPDATE')",
         {"v07_not_beyond_checkpoint"}),
    "the checkpoint is lost":
        ("delete from pgchronicle.checkpoint", {"V7"}),
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda name: name.replace(" ", "_"))
def test_a_planted_fault_is_caught(truth, fault):
    sql, expected = FAULTS[fault]
    failed, problems = _checks_that_fail(truth, sql)
    assert expected <= failed, "\n".join(problems)


def test_a_source_that_differs_is_caught_both_ways(truth):
    failed, problems = _checks_that_fail(
        truth, "update operations.t set v = 'other' where id = 3", side="source")
    assert failed == {"V1"}
    assert any("only in the source" in problem for problem in problems)
    assert any("only in the history" in problem for problem in problems)


def test_every_sql_check_has_a_fault_that_it_catches(truth):
    named = set().union(*(expected for _, expected in FAULTS.values()))
    assert {path.stem for path in CHECKS_DIR.glob("*.sql")} <= named
    assert set(checks_for(truth.spec, PIPELINE, "fate")) == \
        {path.stem for path in CHECKS_DIR.glob("*.sql")}

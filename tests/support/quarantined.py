"""What the tests of quarantine ask: which tables are left behind, where, and whether their history
is exactly what it was there."""

import contextlib

from .lsn import parse_lsn
from .model import Model
from .rows import fetch_text, qualified
from .set_v import compare_keyed, read_history
from .sql_checks import run_checks

QUARANTINE = {"tables": {"on_error": "quarantine"}}


def left_behind(scene):
    """{table: (LSN, error)} of the tables in quarantine."""
    return {table: (parse_lsn(lsn), error) for table, lsn, error in scene.target.query(
        "select source_table, from_lsn::text, concat_ws(' ', message, detail) "
        "from pgchronicle.quarantine "
        "where pipeline = %s and released_at is null", (scene.name,))}


def wait_left_behind(scene, service, table, timeout=30):
    """(LSN, error) of its quarantine, once it is there."""
    return service.wait_for(lambda: left_behind(scene).get(table), timeout,
                            f"{table} to be in quarantine")


def gaps(scene, table):
    """[(from, to, repaired)] of the table's quarantines, in order."""
    return [(parse_lsn(start), parse_lsn(end), repaired) for start, end, repaired in
            scene.target.query(
                "select from_lsn::text, to_lsn::text, repaired_at is not null "
                "from pgchronicle.gap where pipeline = %s and source_table = %s "
                "and reason = 'quarantined' order by id", (scene.name, table))]


def ends_of(oracle, schema, table):
    """Ends of the transactions that changed the table, in order."""
    return [transaction.end_lsn for transaction in oracle.drain()
            if any((schema, table) in change.tables for change in transaction.changes)]


def assert_stands_at(scene, oracle, spec, lsn):
    """The history is version by version what the source's changes up to `lsn` have made."""
    set_v = scene.set_v(oracle, spec)
    with contextlib.closing(scene.target.connect()) as target:
        model = Model([spec], oracle.initial, slot_start=set_v._slot_start(target),
                      seams=set_v._seams(target))
        model.run([one for one in oracle.drain() if one.end_lsn <= lsn])
        problems = compare_keyed(spec, model.versions(spec.id), read_history(target, spec))
    assert not problems, f"{spec.name} does not stand at {lsn:X}:\n" + "\n".join(problems[:5])


def release(scene, table, *why):
    return scene.run("repair", "release", f"operations.{table}",
                     *(why or ("--reason", "the cause is gone")))


def assert_equals_source(scene, table):
    """Every current version is a row of the source, and the other way round; invariants hold."""
    spec = scene.spec(table)
    with contextlib.closing(scene.source.connect()) as source, \
            contextlib.closing(scene.target.connect()) as target:
        want = sorted(fetch_text(source, qualified(spec.schema, table), spec.columns), key=str)
        have = sorted(fetch_text(target, qualified("analytics", spec.history_table),
                                 spec.columns, "is_current"), key=str)
        assert have == want, f"{table}: {have[:5]} instead of {want[:5]}"
        assert run_checks(target, spec, scene.name) == []

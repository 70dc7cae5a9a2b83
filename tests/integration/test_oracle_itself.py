"""The oracle against real servers and against expectations written by hand."""

import contextlib

from support.decoding import UNCHANGED, parse_change
from support.lsn import parse_lsn
from support.model import Model, TableSpec
from support.pgoutput import decode
from support.rows import digest_sql, fetch_text, row_hash

HARD_WORKLOAD = """
create type operations."odd ]: type" as enum ('it''s', 'b\\c');
create table operations.plain (id bigint primary key, t text, n numeric, b boolean, a integer[],
    c char(5), bits bit(3), "Quoted "" name" text, odd operations."odd ]: type",
    "select" double precision, ts timestamptz, raw bytea);
create table operations.whole (id integer primary key, v text, w text);
alter table operations.whole replica identity full;
create table operations.keyless (v text, n integer);
alter table operations.keyless replica identity full;
create table operations.big (id integer primary key, payload text, n integer);
alter table operations.big alter payload set storage external;
create table operations."Big] one" (like operations.big including all);
alter table operations."Big] one" replica identity full;
"""

STATEMENTS = [
    "insert into operations.plain values (1, 'it''s: [x]:''y'' new-tuple: null', 1.00, true, "
    "'{1,NULL,3}', 'ab', B'101', 'q', 'it''s', 'NaN', '2026-01-01 00:00:00.000001+02', '\\x00ff')",
    "insert into operations.plain (id, t) values (2, null), (3, ''), (4, E'line\\nline\\ttab\\\\')",
    "update operations.plain set t = t, b = false, \"select\" = '-Infinity' where id = 1",
    "update operations.plain set id = 20 where id = 2",
    "delete from operations.plain where id = 3",
    "insert into operations.whole select g, 'v' || g, null from generate_series(1, 5) g",
    "update operations.whole set w = 'now' where id < 3",
    "update operations.whole set v = null where id = 2",
    "delete from operations.whole where id = 5",
    "insert into operations.keyless values ('same', 1), ('same', 1), (null, null)",
    "update operations.keyless set n = 2 where ctid = (select min(ctid) from operations.keyless)",
    "delete from operations.keyless where v is null",
    "insert into operations.big values (1, repeat('x', 10000), 1)",
    "update operations.big set n = 2",
    "update operations.big set id = 2",
    "insert into operations.\"Big] one\" values (1, repeat('y', 10000), 1)",
    "update operations.\"Big] one\" set n = 2",
    "truncate operations.whole, operations.keyless restart identity",
]


def _transactions_of_both_plugins(scene, run):
    scene.publish()
    oracle = scene.oracle()
    slot = f"peek_{scene.slot}"
    scene.source.execute("select pg_create_logical_replication_slot(%s, 'pgoutput')", (slot,))
    run()
    payloads = scene.source.query(
        "select data from pg_logical_slot_peek_binary_changes(%s, null, null, "
        "'proto_version', '1', 'publication_names', 'cdc_publication')", (slot,))
    return oracle.drain(), decode(row[0] for row in payloads)


def _comparable(transaction, from_pgoutput):
    changes = []
    for change in transaction.changes:
        old = change.old
        # test_decoding leaves NULLs of an old tuple out; pgoutput's full old tuple has them.
        if old is not None and from_pgoutput:
            old = {name: value for name, value in old.items() if value is not None}
        changes.append((change.action, tuple(change.tables), old, change.new))
    return transaction.end_lsn, transaction.commit_time, transaction.xid, changes


def test_both_plugins_tell_the_same_transactions_at_the_same_end_lsns(bare_scene):
    source = bare_scene.source

    def run():
        source.execute(HARD_WORKLOAD)
        for statement in STATEMENTS:
            source.execute(statement)
        with source.transaction() as cursor:
            cursor.execute("insert into operations.big values (7, 'kept', 1)")
            cursor.execute("savepoint s")
            cursor.execute("insert into operations.big values (8, 'aborted', 1)")
            cursor.execute("rollback to s")
            cursor.execute("update operations.big set n = 9 where id = 7")

    by_text, by_binary = _transactions_of_both_plugins(bare_scene, run)
    texts = [_comparable(t, False) for t in by_text if t.changes]
    binaries = [_comparable(t, True) for t in by_binary if t.changes]
    assert len(texts) == len(STATEMENTS) + 1
    assert texts == binaries


def test_a_commit_row_carries_the_end_of_the_commit_record(bare_scene):
    source = bare_scene.source
    source.execute("create table operations.t (id integer primary key)")
    oracle = bare_scene.oracle("t")
    source.execute("insert into operations.t values (1)")
    after = parse_lsn(source.lsn())
    [transaction] = [t for t in oracle.drain() if t.changes]
    # Nothing else was written since, so the end of the commit is where the next record begins.
    assert transaction.end_lsn <= after < transaction.end_lsn + 64


def test_a_line_with_every_kind_of_value_is_read():
    change = parse_change(
        "table public.t: UPDATE: old-key: id[integer]:1 new-tuple: id[integer]:2 "
        "\"a b\"[character varying]:'it''s ]: x' arr[integer[]]:'{1,2}' "
        "e[public.\"odd ]: t\"]:'v' n[text]:null u[text]:unchanged-toast-datum b[boolean]:true "
        "bits[bit]:B'101' f[double precision]:-Infinity")
    assert change.action == "UPDATE" and change.table == ("public", "t")
    assert change.old == {"id": "1"}
    assert change.new == {"id": "2", "a b": "it's ]: x", "arr": "{1,2}", "e": "v", "n": None,
                          "u": UNCHANGED, "b": "t", "bits": "101", "f": "-Infinity"}


def test_digests_agree_between_python_and_sql(bare_scene):
    source = bare_scene.source
    source.execute("create table operations.t (id integer, t text, c char(4), b boolean);"
                   "insert into operations.t values (1, 'ä''x', 'a', true), "
                   "(2, null, null, false), (3, '', '', null)")
    columns = ["id", "t", "c", "b"]
    with contextlib.closing(source.connect()) as connection:
        rows = fetch_text(connection, "operations.t", columns)
    [(count, total)] = source.query(digest_sql("operations.t", columns))
    assert (count, int(total)) == (3, sum(map(row_hash, rows)))


# -- the model against histories written by hand -------------------------------------------------

def _log(model, spec):
    """The versions with their commits' numbers; a SNAPSHOT begins at the slot or at the seam."""
    commits = {end: number for number, (end, _) in enumerate(model.digests, 1)}

    def begin(v):
        if v.op != "SNAPSHOT":
            return commits[v.lsn_from]
        return {model.slot_start: "slot", model.seams.get(spec.id): "seam"}[v.lsn_from]

    def version(v):
        end = None if v.lsn_to is None else commits[v.lsn_to]
        return (v.key[0], v.op, tuple(v.values.get(c) for c in spec.columns[1:]), begin(v),
                v.change_seq, end)
    return [version(v) for v in model.versions(spec.id)]


def test_the_model_writes_the_history_the_design_describes(bare_scene):
    source = bare_scene.source
    source.execute("create table operations.t (id integer primary key, v text)")
    oracle = bare_scene.oracle("t")
    for statement in [
        "insert into operations.t values (1, 'a'), (2, 'b')",                           # commit 1
        "update operations.t set v = 'c' where id = 1",                                 # commit 2
        "update operations.t set id = 3 where id = 2",                                  # commit 3
        "delete from operations.t where id = 1",                                        # commit 4
        "insert into operations.t values (1, 'd'); update operations.t set v = v "
        "where id = 1",                                                                 # commit 5
        "truncate operations.t",                                                        # commit 6
    ]:
        source.execute(statement)
    spec = bare_scene.spec("t")
    model = oracle.model([spec])
    assert _log(model, spec) == [
        ("1", "INSERT", ("a",), 1, 1, 2),
        ("2", "INSERT", ("b",), 1, 2, 3),
        ("1", "UPDATE", ("c",), 2, 1, 4),
        ("2", "REKEY", ("b",), 3, 1, 3),
        ("3", "UPDATE", ("b",), 3, 1, 6),
        ("1", "DELETE", ("c",), 4, 1, 4),
        ("1", "INSERT", ("d",), 5, 1, 5),
        ("1", "UPDATE", ("d",), 5, 2, 6),
        ("3", "TRUNCATE", ("b",), 6, 1, 6),
        ("1", "TRUNCATE", ("d",), 6, 1, 6),
    ]
    assert [digest[spec.id][0] for _, digest in model.digests] == [2, 2, 2, 1, 2, 0]


def test_the_model_opens_rows_known_only_from_the_copy_at_the_seam(bare_scene):
    source = bare_scene.source
    source.execute("create table operations.t (id integer primary key, v text);"
                   "alter table operations.t replica identity full;"
                   "insert into operations.t select g, 'old' from generate_series(1, 3) g")
    oracle = bare_scene.oracle("t")
    source.execute("update operations.t set v = 'before the slot' where id = 2")
    start = parse_lsn(source.lsn())
    source.execute("update operations.t set v = 'waiting' where id = 1")
    seam = parse_lsn(source.lsn())
    source.execute("delete from operations.t where id = 2")
    spec = bare_scene.spec("t")
    model = oracle.model([spec], slot_start=start, seams={spec.id: seam})
    assert sorted(_log(model, spec), key=lambda row: (row[0], row[5] or 9, row[4])) == [
        ("1", "SNAPSHOT", ("old",), "slot", 0, 2),
        ("1", "UPDATE", ("waiting",), 2, 1, None),
        ("2", "SNAPSHOT", ("before the slot",), "seam", 0, 3),
        ("2", "DELETE", ("before the slot",), 3, 1, 3),
        ("3", "SNAPSHOT", ("old",), "seam", 0, None),
    ]


def test_a_truncate_of_several_tables_and_an_excluded_table_count_as_published_changes(bare_scene):
    source = bare_scene.source
    source.execute("create table operations.a (id integer primary key);"
                   "create table operations.b (id integer primary key);"
                   "create table operations.unlisted (id integer)")
    oracle = bare_scene.oracle("a", "b")
    source.execute("insert into operations.unlisted values (1); insert into operations.a values"
                   " (1); truncate operations.a, operations.b; insert into operations.b values (2)")
    a, b = bare_scene.spec("a"), bare_scene.spec("b")
    model = oracle.model([a, b])
    assert [(v.op, v.change_seq) for v in model.versions(a.id)] == [("INSERT", 2), ("TRUNCATE", 3)]
    assert [(v.op, v.change_seq) for v in model.versions(b.id)] == [("INSERT", 4)]
    unpublished = oracle.model([a, b], published=lambda table, lsn: table[1] != "unlisted")
    assert [v.change_seq for v in unpublished.versions(a.id)] == [1, 2]


def test_an_unknown_key_is_an_error_of_the_model():
    spec = TableSpec("operations", "t", ["id"], key=["id"])
    change = parse_change("table operations.t: DELETE: id[integer]:1")
    model = Model([spec])
    try:
        model._change(spec, change, 1, 1, True)
    except KeyError:
        return
    raise AssertionError("a delete of an unknown row was accepted")

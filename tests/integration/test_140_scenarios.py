"""The scenarios S01 to S08: what each leaves, version by version. Their rules are stated in
docs/history_model.md, "Scenarios"; S09 to S16 are in test_141_scenarios.py.

A line of an expected log is (commit, change_seq, operation, columns ..., commit that ended it).
"""

import signal
import threading

import pytest

from support.pgchronicle import EXIT_OPERATOR
from support.story import KEYED, begin, each
from support.version_log import finish_key_by_key, log_of, logs
from support.waiting import wait_until


def _both_identities(scene, ddl, *changes, **config):
    """The same changes, in `{t}`, of a table with identity DEFAULT and one with FULL. Both have to
    leave the same log, which is returned."""
    tables = {"d": "default", "f": "full"}
    oracle, service = begin(scene, "".join(
        ddl.format(t=f"operations.{t}")
        + f"; alter table operations.{t} replica identity {identity};"
        for t, identity in tables.items()), *tables, **config)
    for change in changes:
        each(scene, *(change.format(t=f"operations.{t}") for t in tables))
        scene.catch_up(service)
    finish_key_by_key(scene, service, oracle, *map(scene.spec, tables))
    by_default, under_full = (log_of(scene, t, "id, v") for t in tables)
    assert by_default == under_full
    return by_default


TABLE = "create table {t} (id integer primary key, v text)"


# -- S01, S02: one key, one transaction -------------------------------------------------------

def test_s01_every_change_of_a_key_in_one_transaction_is_a_version(scene):
    assert _both_identities(
        scene, TABLE,
        "insert into {t} values (1, 'a'); update {t} set v = 'b'; update {t} set v = 'c';"
        "delete from {t}",
        "insert into {t} values (2, 'x'); insert into {t} values (3, 'y');"
        "update {t} set v = 'x2' where id = 2; update {t} set v = 'y2' where id = 3;"
        "delete from {t} where id = 2") == [
        (1, 1, "INSERT", 1, "a", 1),
        (1, 2, "UPDATE", 1, "b", 1),
        (1, 3, "UPDATE", 1, "c", 1),
        (1, 4, "DELETE", 1, "c", 1),
        (2, 1, "INSERT", 2, "x", 2),
        (2, 2, "INSERT", 3, "y", 2),
        (2, 3, "UPDATE", 2, "x2", 2),
        (2, 4, "UPDATE", 3, "y2", None),
        (2, 5, "DELETE", 2, "x2", 2),
    ]


def test_s02_a_delete_and_an_insert_of_one_key_in_one_transaction_are_two_lives(scene):
    assert _both_identities(
        scene, TABLE,
        "insert into {t} values (1, 'a')",
        "delete from {t}; insert into {t} values (1, 'b')",
        "delete from {t}; insert into {t} values (1, 'c'); delete from {t};"
        "insert into {t} values (1, 'c'); delete from {t}") == [
        (1, 1, "INSERT", 1, "a", 2),
        (2, 1, "DELETE", 1, "a", 2),
        (2, 2, "INSERT", 1, "b", 3),
        (3, 1, "DELETE", 1, "b", 3),
        (3, 2, "INSERT", 1, "c", 3),
        (3, 3, "DELETE", 1, "c", 3),
        (3, 4, "INSERT", 1, "c", 3),
        (3, 5, "DELETE", 1, "c", 3),
    ]


# -- S03: keys that change --------------------------------------------------------------------

def test_s03_two_keys_swapped_through_a_third_keep_their_rows(scene):
    assert _both_identities(
        scene, TABLE,
        "insert into {t} values (1, 'one'), (2, 'two')",
        "update {t} set id = -1 where id = 1; update {t} set id = 1 where id = 2;"
        "update {t} set id = 2 where id = -1",
        "update {t} set id = 7 where id = 2") == [
        (1, 1, "INSERT", 1, "one", 2),
        (1, 2, "INSERT", 2, "two", 2),
        (2, 1, "REKEY", 1, "one", 2),
        (2, 1, "UPDATE", -1, "one", 2),
        (2, 2, "REKEY", 2, "two", 2),
        (2, 2, "UPDATE", 1, "two", None),
        (2, 3, "REKEY", -1, "one", 2),
        (2, 3, "UPDATE", 2, "one", 3),
        (3, 1, "REKEY", 2, "one", 3),
        (3, 1, "UPDATE", 7, "one", None),
    ]


def test_s03_ten_thousand_keys_shifted_by_one_are_ten_thousand_new_keys(scene):
    expected = [(1, 10001 - n, "INSERT", n, f"row {n}", 2) for n in range(10000, 0, -1)]
    for n in range(10000, 0, -1):
        expected += [(2, 10001 - n, "REKEY", n, f"row {n}", 2),
                     (2, 10001 - n, "UPDATE", n + 1, f"row {n}", None)]
    assert _both_identities(
        scene, TABLE,
        # Largest first, so that id + 1 never meets a key that is still taken.
        "insert into {t} select g, 'row ' || g from generate_series(10000, 1, -1) g",
        "update {t} set id = id + 1",
        batch={"max_rows": 3000}) == expected  # In several pieces.


def test_s03_a_value_out_of_line_goes_along_with_its_key(scene):
    a, b = ("a" * 5000, "b" * 5000)
    assert _both_identities(
        scene, TABLE + "; alter table {t} alter v set storage external",
        f"insert into {{t}} values (1, '{a}'), (2, '{b}')",
        "update {t} set id = -1 where id = 1; update {t} set id = 1 where id = 2;"
        "update {t} set id = 2 where id = -1",
        "update {t} set id = id + 10") == [
        (1, 1, "INSERT", 1, a, 2),
        (1, 2, "INSERT", 2, b, 2),
        (2, 1, "REKEY", 1, a, 2),
        (2, 1, "UPDATE", -1, a, 2),
        (2, 2, "REKEY", 2, b, 2),
        (2, 2, "UPDATE", 1, b, 3),
        (2, 3, "REKEY", -1, a, 2),
        (2, 3, "UPDATE", 2, a, 3),
        (3, 1, "REKEY", 1, b, 3),
        (3, 1, "UPDATE", 11, b, None),
        (3, 2, "REKEY", 2, a, 3),
        (3, 2, "UPDATE", 12, a, None),
    ]


def test_s03_keys_that_are_unique_only_at_commit_are_no_row_keys(scene):
    """A deferrable primary key may be taken twice for a moment, so rows go by their content."""
    oracle, service = begin(
        scene, "create table operations.t (id integer primary key deferrable, v text);"
        "alter table operations.t replica identity full", "t")
    each(scene, "insert into operations.t values (1, 'one'), (2, 'two')",
         "update operations.t set id = 3 - id",  # Both are 2 after the first row.
         "update operations.t set id = id + 1")
    finish_key_by_key(scene, service, oracle, scene.spec("t", key=[]))
    assert log_of(scene, "t", "id, v") == [
        (1, 1, "INSERT", 1, "one", 2),
        (1, 2, "INSERT", 2, "two", 2),
        (2, 1, "UPDATE", 2, "one", 3),
        (2, 2, "UPDATE", 1, "two", 3),
        (3, 1, "UPDATE", 3, "one", None),
        (3, 2, "UPDATE", 2, "two", None),
    ]


# -- S04 --------------------------------------------------------------------------------------

def test_s04_an_update_that_changes_nothing_is_a_version(scene):
    assert _both_identities(
        scene, TABLE,
        "insert into {t} values (1, 'a'), (2, null)",
        "update {t} set v = v",
        "update {t} set v = v where false",
        "update {t} set id = id where id = 2; update {t} set v = v where id = 2") == [
        (1, 1, "INSERT", 1, "a", 2),
        (1, 2, "INSERT", 2, None, 2),
        (2, 1, "UPDATE", 1, "a", None),
        (2, 2, "UPDATE", 2, None, 3),
        (3, 1, "UPDATE", 2, None, 3),
        (3, 2, "UPDATE", 2, None, None),
    ]


# -- S05: values that were not sent -----------------------------------------------------------

TOASTED = {
    "default": "create table operations.t (k text primary key, big text, n integer);",
    "full": "create table operations.t (k text primary key, big text, n integer);"
            "alter table operations.t replica identity full;",
    "index": "create table operations.t (k text not null, big text, n integer);"
             "create unique index t_k on operations.t (k);"
             "alter table operations.t replica identity using index t_k;",
}
STORAGE = "alter table operations.t alter k set storage external, alter big set storage external;"
WIDE = "'W' || repeat('w', 2300)"  # A key of its own page: it is out of line itself.


def _touch(number, key):
    return f"update operations.t set n = {number} where k = {key}"


def _versions_of(scene, key):
    return [row[2:] for row in log_of(scene, "t", "left(k, 8), n, left(big, 1), length(big)")
            if row[3] == key]


def _written_together(scene, key):
    """Whether the key's versions were written by one command; a version that stood in the target
    before it was closed was written again by the close."""
    return scene.target.value("select count(distinct (xmin::text, cmin::text)) = 1 from "
                              "analytics.t_history where k = %s", (key,))


@pytest.mark.parametrize("identity", TOASTED)
def test_s05_an_unchanged_value_out_of_line_is_found(scene, identity):
    source = scene.source
    source.execute(TOASTED[identity] + STORAGE)

    def insert(key, letter):
        return f"insert into operations.t values ({key}, repeat('{letter}', 10000), 1)"
    each(scene, insert("'below'", "b"), insert("'snap'", "s"), insert("'gone'", "g"),
         insert("'S' || " + WIDE, "S"))
    scene.publish()
    oracle = scene.oracle("t")
    scene.create_slot()
    scene.configure(batch={"max_delay": "300ms"})
    each(scene, _touch(2, "'below'"))  # It waits in the slot, below the seam.
    service = scene.start_streaming()
    # The first change after the copy.
    each(scene, _touch(2, "'snap'"), _touch(2, "'S' || " + WIDE),
         "delete from operations.t where k = 'gone'")
    # In the transaction of the INSERT, and of a key that is out of line itself.
    each(scene, insert("'same'", "a") + ";" + _touch(2, "'same'"),
         insert(WIDE, "w") + ";" + _touch(2, WIDE), _touch(3, WIDE))
    scene.catch_up(service)
    # In the same batch: both have arrived when the program reads again.
    service.signal(signal.SIGSTOP)
    each(scene, insert("'batch'", "c"), _touch(2, "'batch'"))
    end = source.lsn()
    wait_until(lambda: source.value(
        "select sent_lsn >= %s::pg_lsn from pg_stat_replication join pg_replication_slots "
        "on active_pid = pid where slot_name = %s", (end, scene.slot)), 30, "both to be sent")
    service.signal(signal.SIGCONT)
    scene.catch_up(service)
    assert _written_together(scene, "batch")
    each(scene, insert("'later'", "d"))
    scene.catch_up(service)
    each(scene, _touch(2, "'later'"), _touch(4, WIDE))
    scene.catch_up(service)
    assert not _written_together(scene, "later")
    # Behind a change of the key, in its transaction, in its batch and in a later one.
    each(scene, "update operations.t set k = 'key2' where k = 'same';" + _touch(3, "'key2'"),
         _touch(4, "'key2'"), f"update operations.t set k = 'X' || k where k = {WIDE};"
         + _touch(5, "'X' || " + WIDE))
    scene.catch_up(service)
    each(scene, _touch(5, "'key2'"), "update operations.t set k = 'key3' where k = 'key2'",
         _touch(6, "'X' || " + WIDE))
    key = [] if identity == "default" else {"key": ["k"]}
    finish_key_by_key(scene, service, oracle, scene.spec("t", **dict(key)))

    below = [("UPDATE", "below", 2, "b", 10000, None)]
    if identity == "full":  # The old tuple tells what it was before.
        below.insert(0, ("SNAPSHOT", "below", 1, "b", 10000, below[0][-1]))
        assert [row[:5] for row in _versions_of(scene, "below")] == [r[:5] for r in below]
    else:
        assert _versions_of(scene, "below") == below
    ops = {key: [row[:5] for row in _versions_of(scene, key)] for key in
           ("snap", "same", "batch", "later", "gone", "key2", "key3", "W" + "w" * 7,
            "SW" + "w" * 6, "XW" + "w" * 6)}
    wide, copied, moved = "W" + "w" * 7, "SW" + "w" * 6, "XW" + "w" * 6
    assert ops == {
        "snap": [("SNAPSHOT", "snap", 1, "s", 10000), ("UPDATE", "snap", 2, "s", 10000)],
        "gone": [("SNAPSHOT", "gone", 1, "g", 10000), ("DELETE", "gone", 1, "g", 10000)],
        "same": [("INSERT", "same", 1, "a", 10000), ("UPDATE", "same", 2, "a", 10000),
                 ("REKEY", "same", 2, "a", 10000)],
        "batch": [("INSERT", "batch", 1, "c", 10000), ("UPDATE", "batch", 2, "c", 10000)],
        "later": [("INSERT", "later", 1, "d", 10000), ("UPDATE", "later", 2, "d", 10000)],
        "key2": [("UPDATE", "key2", 2, "a", 10000), ("UPDATE", "key2", 3, "a", 10000),
                 ("UPDATE", "key2", 4, "a", 10000), ("UPDATE", "key2", 5, "a", 10000),
                 ("REKEY", "key2", 5, "a", 10000)],
        "key3": [("UPDATE", "key3", 5, "a", 10000)],
        wide: [("INSERT", wide, 1, "w", 10000), ("UPDATE", wide, 2, "w", 10000),
               ("UPDATE", wide, 3, "w", 10000), ("UPDATE", wide, 4, "w", 10000),
               ("REKEY", wide, 4, "w", 10000)],
        moved: [("UPDATE", moved, 4, "w", 10000), ("UPDATE", moved, 5, "w", 10000),
                ("UPDATE", moved, 6, "w", 10000)],
        copied: [("SNAPSHOT", copied, 1, "S", 10000), ("UPDATE", copied, 2, "S", 10000)],
    }


# -- S06: keys that nobody has seen -----------------------------------------------------------

@pytest.mark.parametrize("change, identity", [
    ("update operations.t set v = 'b' where id = 1", "full"),
    ("update operations.t set id = 9 where id = 1", "default"),
    ("delete from operations.t where id = 1", "default")])
def test_s06_a_change_of_a_key_never_seen_stops_with_nothing_written(scene, change, identity):
    _, service = begin(scene, KEYED + f"; alter table operations.t replica identity {identity};"
                       "insert into operations.t values (1, 'a'), (2, 'b')", "t")
    scene.catch_up(service)
    scene.target.execute("delete from analytics.t_history where id = 1")
    before = log_of(scene, "t", "id, v")
    each(scene, change + "; update operations.t set v = 'c' where id = 2")
    assert service.wait(30) == EXIT_OPERATOR, service.tail()
    assert "operations.t" in service.tail()
    assert log_of(scene, "t", "id, v") == before == [(1, 0, "SNAPSHOT", 2, "b", None)]


def test_s06_where_it_is_allowed_an_unknown_key_is_opened_or_gets_its_tombstone(scene):
    each(scene, "create table operations.t (id integer primary key, v text, big text);"
         "alter table operations.t alter big set storage external;"
         "insert into operations.t select g, 'old', repeat('b', 5000) from "
         "generate_series(1, 4) g")
    scene.publish()
    scene.configure(snapshot="never")
    service = scene.start_streaming()
    each(scene, "update operations.t set v = 'new' where id = 1",
         "delete from operations.t where id = 2",
         "update operations.t set id = 30 where id = 3",
         "update operations.t set big = 'known' where id = 1")
    scene.catch_up(service)
    assert service.stop() == 0, service.tail()
    assert log_of(scene, "t", "id, v, left(big, 5)") == [
        (1, 1, "UPDATE", 1, "new", None, 4),
        (2, 1, "DELETE", 2, None, None, 2),
        (3, 1, "REKEY", 3, None, None, 3),
        (3, 1, "UPDATE", 30, "old", None, None),
        (4, 1, "UPDATE", 1, "new", "known", None),
    ]
    assert scene.target.query("select distinct source_table, reason from pgchronicle.gap") \
        == [("t", "value_unknown")]


# -- S07: TRUNCATE ----------------------------------------------------------------------------

def test_s07_rows_inserted_behind_a_truncate_in_its_transaction_begin_anew(scene):
    oracle, service = begin(
        scene, KEYED + "; create table operations.child (id integer primary key, "
        "t integer references operations.t)", "t", "child")
    each(scene,
         "insert into operations.t values (1, 'a'), (2, 'b'); insert into operations.child "
         "values (5, 1)",
         "insert into operations.t values (3, 'c'); truncate operations.t cascade;"
         "insert into operations.t values (1, 'again')",
         "truncate operations.t, operations.child; truncate operations.child;"
         "insert into operations.t values (1, 'third')")
    finish_key_by_key(scene, service, oracle, scene.spec("t"), scene.spec("child"))
    assert logs(scene, t="id, v", child="id, t") == {
        "t": [
            (1, 1, "INSERT", 1, "a", 2),
            (1, 2, "INSERT", 2, "b", 2),
            (2, 1, "INSERT", 3, "c", 2),
            (2, 2, "TRUNCATE", 1, "a", 2),
            (2, 2, "TRUNCATE", 2, "b", 2),
            (2, 2, "TRUNCATE", 3, "c", 2),
            (2, 3, "INSERT", 1, "again", 3),
            (3, 1, "TRUNCATE", 1, "again", 3),
            (3, 3, "INSERT", 1, "third", None)],
        "child": [
            (1, 3, "INSERT", 5, 1, 2),
            (2, 2, "TRUNCATE", 5, 1, 2)],
    }


def test_s07_a_truncate_of_many_rows_is_one_statement(scene):
    oracle, service = begin(scene, KEYED + "; insert into operations.t select g, 'v' from "
                            "generate_series(1, 10000) g", "t")
    mark = scene.target_cluster.log_mark()
    scene.target.execute(f"alter database {scene.target.name} set log_statement = 'all'")
    scene.terminate_writer()  # The setting counts from the next connection on.
    each(scene, "truncate operations.t; insert into operations.t select g, 'w' from "
                "generate_series(1, 10000) g")
    finish_key_by_key(scene, service, oracle, scene.spec("t"), as_of_samples=3)
    assert scene.target.query("select operation_type, count(*)::integer from analytics.t_history "
                              "group by 1 order by 1") \
        == [("INSERT", 10000), ("SNAPSHOT", 10000), ("TRUNCATE", 10000)]
    touching = [line for line in scene.target_cluster.log_since(mark).splitlines()
                if "t_history" in line and " pgchronicle " in line]
    assert 0 < len(touching) < 100, len(touching)


# -- S08: ways to write a row -----------------------------------------------------------------

def test_s08_on_conflict_leaves_what_was_done(scene):
    upsert = "insert into {{t}} as r values (1, '{0}'), (2, '{0}') on conflict (id) "
    assert _both_identities(
        scene, TABLE, "insert into {t} values (1, 'a')",
        upsert.format("skipped") + "do nothing",
        upsert.format("b") + "do update set v = excluded.v",
        upsert.format("c") + "do update set v = excluded.v where r.id = 2",
        upsert.format("d") + "do nothing") == [
        (1, 1, "INSERT", 1, "a", 3),
        (2, 1, "INSERT", 2, "skipped", 3),
        (3, 1, "UPDATE", 1, "b", None),
        (3, 2, "UPDATE", 2, "b", 4),
        (4, 1, "UPDATE", 2, "c", None),
    ]


def test_s08_merge_leaves_what_was_done(scene):
    if scene.source.connection.server_version < 150000:
        pytest.skip("MERGE came with PostgreSQL 15")
    oracle, service = begin(scene, KEYED, "t")
    each(scene, "insert into operations.t values (1, 'a'), (2, 'b'), (3, 'c')",
         "merge into operations.t using (values (1, 'x'), (2, null), (3, 'c'), (4, 'new')) "
         "as s (id, v) on t.id = s.id when matched and s.v is null then delete "
         "when matched and s.v = t.v then do nothing "
         "when matched then update set v = s.v when not matched then insert values (s.id, s.v)")
    finish_key_by_key(scene, service, oracle, scene.spec("t"))
    found = log_of(scene, "t", "id, v")
    assert [(commit, op, *rest) for commit, _, op, *rest in found] == [
        (1, "INSERT", 1, "a", 2), (1, "INSERT", 2, "b", 2), (1, "INSERT", 3, "c", None),
        *sorted([(2, "UPDATE", 1, "x", None), (2, "DELETE", 2, "b", 2),
                 (2, "INSERT", 4, "new", None)],
                key=lambda row: [r[3] for r in found if r[0] == 2].index(row[2]))]


def test_s08_the_rows_of_a_copy_are_numbered_in_its_order(scene, tmp_path):
    oracle, service = begin(scene, KEYED, "t")
    rows = tmp_path / "rows.txt"
    rows.write_text("3\tc\n1\t\\N\n2\tback\\\\slash\n")
    with scene.source.transaction() as cursor, rows.open() as lines:
        cursor.execute("insert into operations.t values (9, 'before')")
        cursor.copy_expert("copy operations.t from stdin", lines)
        cursor.execute("update operations.t set v = 'after' where id = 1")
    finish_key_by_key(scene, service, oracle, scene.spec("t"))
    assert log_of(scene, "t", "id, v") == [
        (1, 1, "INSERT", 9, "before", None),
        (1, 2, "INSERT", 3, "c", None),
        (1, 3, "INSERT", 1, None, 1),
        (1, 4, "INSERT", 2, "back\\slash", None),
        (1, 5, "UPDATE", 1, "after", None),
    ]


# As PostgreSQL's own test of speculative insertions: a function of the index waits for locks
# that the controller holds, first before the look for a conflict (3), then before the index entry
# is made (2).
SPECULATIVE = """
create function operations.wait_for_controller(text) returns text immutable language plpgsql as $$
begin
    if pg_try_advisory_xact_lock(current_setting('spec.session')::int, 1) then
        perform pg_advisory_xact_lock(current_setting('spec.session')::int, 2);
    else
        perform pg_advisory_xact_lock(current_setting('spec.session')::int, 3);
    end if;
    return $1;
end $$;
create table operations.t (id serial primary key, k text, v text);
create unique index on operations.t (operations.wait_for_controller(k));
"""


def test_s08_a_speculative_insert_that_was_aborted_leaves_nothing(scene):
    oracle, service = begin(scene, SPECULATIVE, "t")
    controller = scene.source.connect()
    locks = controller.cursor()

    def lock(function, session, number):
        locks.execute(f"select pg_advisory_{function}({session}, {number})")

    def upsert(session):
        connection = scene.source.connect(**{"spec.session": str(session)})
        connection.cursor().execute(
            f"insert into operations.t (k, v) values ('k', 'inserted by {session}') "
            "on conflict (operations.wait_for_controller(k)) "
            f"do update set v = t.v || ', updated by {session}'")
        connection.close()

    def waiting(count, number):
        wait_until(lambda: scene.source.value(
            "select count(*) from pg_locks where locktype = 'advisory' and not granted and "
            "objid = %s and database = (select oid from pg_database where datname = "
            "current_database())", (number,)) == count, 30, f"{count} sessions at {number}")

    for session in (1, 2):
        for number in (1, 2, 3):
            lock("lock", session, number)
    threads = {session: threading.Thread(target=upsert, args=(session,), daemon=True)
               for session in (1, 2)}
    threads[1].start()
    waiting(1, 3)
    threads[2].start()
    waiting(2, 3)
    # Both look before either has inserted, and both put their row into the table.
    for number in (1, 3):
        for session in (1, 2):
            lock("unlock", session, number)
    waiting(2, 2)
    lock("unlock", 2, 2)
    threads[2].join(30)
    lock("unlock", 1, 2)
    threads[1].join(30)
    controller.close()
    # The aborted one had taken the first number.
    assert scene.source.query("select id, v from operations.t") \
        == [(2, "inserted by 2, updated by 1")]
    finish_key_by_key(scene, service, oracle, scene.spec("t"))
    assert log_of(scene, "t", "id, v") == [
        (1, 1, "INSERT", 2, "inserted by 2", 2),
        (2, 1, "UPDATE", 2, "inserted by 2, updated by 1", None),
    ]


def test_s08_what_triggers_write_is_numbered_where_it_was_written(scene):
    oracle, service = begin(scene, KEYED + """;
        create table operations.log (n serial primary key, what text);
        create function operations.before() returns trigger language plpgsql as $$ begin
            insert into operations.log (what) values ('before ' || new.v);
            new.v := upper(new.v); return new; end $$;
        create function operations.after() returns trigger language plpgsql as $$ begin
            insert into operations.log (what) values ('after ' || new.v); return null; end $$;
        create trigger b before insert or update on operations.t for each row
            execute function operations.before();
        create trigger a after insert or update on operations.t for each row
            execute function operations.after()""", "t", "log")
    each(scene, "insert into operations.t values (1, 'a')", "update operations.t set v = 'b'")
    finish_key_by_key(scene, service, oracle, scene.spec("t"), scene.spec("log"))
    assert logs(scene, t="id, v", log="n, what") == {
        "t": [(1, 2, "INSERT", 1, "A", 2), (2, 2, "UPDATE", 1, "B", None)],
        "log": [(1, 1, "INSERT", 1, "before a", None), (1, 3, "INSERT", 2, "after A", None),
                (2, 1, "INSERT", 3, "before b", None), (2, 3, "INSERT", 4, "after B", None)],
    }


FAMILY = ("create table operations.parent (id integer primary key);"
          "create table operations.child (id integer primary key, "
          "parent integer references operations.parent {});")

CASCADES = {
    "on delete cascade": ("delete from operations.parent where id = 1", {
        "parent": [(1, 1, "INSERT", 1, 2), (1, 2, "INSERT", 2, None), (2, 1, "DELETE", 1, 2)],
        "child": [(1, 3, "INSERT", 10, 1, 2), (1, 4, "INSERT", 20, 2, None),
                  (2, 2, "DELETE", 10, 1, 2)]}),
    "on delete set null": ("delete from operations.parent where id = 1", {
        "parent": [(1, 1, "INSERT", 1, 2), (1, 2, "INSERT", 2, None), (2, 1, "DELETE", 1, 2)],
        "child": [(1, 3, "INSERT", 10, 1, 2), (1, 4, "INSERT", 20, 2, None),
                  (2, 2, "UPDATE", 10, None, None)]}),
    "on update cascade": ("update operations.parent set id = 3 where id = 1", {
        "parent": [(1, 1, "INSERT", 1, 2), (1, 2, "INSERT", 2, None), (2, 1, "REKEY", 1, 2),
                   (2, 1, "UPDATE", 3, None)],
        "child": [(1, 3, "INSERT", 10, 1, 2), (1, 4, "INSERT", 20, 2, None),
                  (2, 2, "UPDATE", 10, 3, None)]}),
    "deferrable initially deferred": (
        "insert into operations.child values (30, 3); delete from operations.parent where id = 1;"
        "insert into operations.parent values (3), (1)", {
            "parent": [(1, 1, "INSERT", 1, 2), (1, 2, "INSERT", 2, None), (2, 2, "DELETE", 1, 2),
                       (2, 3, "INSERT", 3, None), (2, 4, "INSERT", 1, None)],
            "child": [(1, 3, "INSERT", 10, 1, None), (1, 4, "INSERT", 20, 2, None),
                      (2, 1, "INSERT", 30, 3, None)]}),
}


@pytest.mark.parametrize("action", CASCADES)
def test_s08_what_foreign_keys_write_follows_its_cause(scene, action):
    change, expected = CASCADES[action]
    oracle, service = begin(scene, FAMILY.format(action), "parent", "child")
    each(scene, "insert into operations.parent values (1), (2);"
         "insert into operations.child values (10, 1), (20, 2)", change)
    finish_key_by_key(scene, service, oracle, scene.spec("parent"), scene.spec("child"))
    assert logs(scene, parent="id", child="id, parent") == expected

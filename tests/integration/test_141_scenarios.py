"""The scenarios S09 to S16: what each leaves, version by version. Their rules are stated in
docs/history_model.md, "Scenarios"; S01 to S08 are in test_140_scenarios.py.

A line of an expected log is (commit, change_seq, operation, columns ..., commit that ended it).
"""

import os
import random
from collections import Counter

import pytest

from support.pgchronicle import EXIT_OPERATOR
from support.story import KEYED, begin, each, finish
from support.versions import kept_as_text, needs
from support.version_log import finish_key_by_key, keys_open_twice, log_of, logs


# -- S09: tables without a key ----------------------------------------------------------------

def test_s09_rows_without_a_key_are_a_multiset(scene):
    oracle, service = begin(
        scene, "create table operations.t (f float8, n numeric, a integer[], v text);"
        "alter table operations.t replica identity full", "t")

    def one(condition):
        return f"ctid = (select min(ctid) from operations.t where {condition})"
    each(scene,
         "insert into operations.t values (1, 1, '{1}', 'same'), (1, 1, '{1}', 'same'), "
         "(1, 1, '{1}', 'same')",
         "delete from operations.t where " + one("v = 'same'"),
         "insert into operations.t values (null, null, null, null), (null, null, null, null)",
         "delete from operations.t where " + one("v is null"),
         # Equal, but not the same: which one goes is told by how it is written.
         "insert into operations.t values ('0', 1.0, '{}', 'z'), ('-0', 1.00, '{}', 'z'), "
         "('NaN', 'NaN', '{1,NULL}', 'nan'), ('NaN', 'NaN', '[0:1]={1,NULL}', 'nan')",
         "delete from operations.t where f::text = '-0'",
         "update operations.t set v = 'changed' where a = '{1,NULL}'",
         "update operations.t set v = 'other' where v = 'same'")
    finish(scene, service, oracle, scene.spec("t"))
    found = Counter((commit, op, *rest) for commit, _, op, *rest in
                    log_of(scene, "t", "f::text, n::text, a::text, v"))
    same, nothing = ("1", "1", "{1}", "same"), (None, None, None, None)
    nan = ("NaN", "NaN", "{1,NULL}", "nan")
    assert found == Counter([
        (1, "INSERT", *same, 2), (1, "INSERT", *same, 8), (1, "INSERT", *same, 8),
        (2, "DELETE", *same, 2),
        (3, "INSERT", *nothing, 4), (3, "INSERT", *nothing, None), (4, "DELETE", *nothing, 4),
        (5, "INSERT", "0", "1.0", "{}", "z", None), (5, "INSERT", "-0", "1.00", "{}", "z", 6),
        (5, "INSERT", *nan, 7),
        (5, "INSERT", "NaN", "NaN", "[0:1]={1,NULL}", "nan", None),
        (6, "DELETE", "-0", "1.00", "{}", "z", 6),
        (7, "UPDATE", "NaN", "NaN", "{1,NULL}", "changed", None),
        (8, "UPDATE", "1", "1", "{1}", "other", None),
        (8, "UPDATE", "1", "1", "{1}", "other", None),
    ])


# -- S10: keys --------------------------------------------------------------------------------

def test_s10_a_key_of_32_columns_in_another_order_than_theirs_is_found(scene):
    names = [f"k{n}" for n in range(32)]
    oracle, service = begin(
        scene, f"create table operations.t ({' integer, '.join(names)} integer, v text, "
        f"primary key ({', '.join(reversed(names))}))", "t")
    rows = [", ".join(str(n * row) for n in range(32)) for row in (1, 2)]
    each(scene, f"insert into operations.t values ({rows[0]}, 'a'), ({rows[1]}, 'b')",
         "update operations.t set v = 'c' where k1 = 1")
    scene.catch_up(service)
    each(scene, "update operations.t set k31 = -1 where k1 = 2",
         "update operations.t set v = 'd' where k1 = 2", "delete from operations.t where k1 = 1")
    finish_key_by_key(scene, service, oracle, scene.spec("t"))
    assert log_of(scene, "t", "k1, k30, k31, v") == [
        (1, 1, "INSERT", 1, 30, 31, "a", 2),
        (1, 2, "INSERT", 2, 60, 62, "b", 3),
        (2, 1, "UPDATE", 1, 30, 31, "c", 5),
        (3, 1, "REKEY", 2, 60, 62, "b", 3),
        (3, 1, "UPDATE", 2, 60, -1, "b", 4),
        (4, 1, "UPDATE", 2, 60, -1, "d", None),
        (5, 1, "DELETE", 1, 30, 31, "c", 5),
    ]


# type; a key, one that equals it and another one, each a text, or SQL in brackets; and equal text
# for equal keys.
EQUAL_KEYS = {
    "numeric": ("numeric", "1.0", "1.00", "2", lambda text: text.rstrip("0")),
    "char": ("char(5)", "a", "a  ", "b", lambda text: text.rstrip()),
    "float_zero": ("float8", "0", "-0", "1", lambda text: text.replace("-0", "0")),
    # The difference of infinities has the sign bit set.
    "float_nan": ("float8", "NaN", "('infinity'::float8 - 'infinity'::float8)", "1", str),
    "numeric_nan": ("numeric", "NaN", "nan", "Infinity", str),
    "citext": ("ext.citext", "A", "a", "b", str.lower),
    "collation": ("text collate operations.ignores_case", "A", "a", "b", str.lower),
    "interval": ("interval", "1 mon", "30 days", "2 days",
                 lambda text: text.replace("1 mon", "30 days")),
    "jsonb": ("jsonb", '{"n": 1.0}', '{"n": 1.00}', "{}",
              lambda text: text.replace("1.00", "1.0")),
    "numeric_array": ("numeric[]", "{1.0}", "{1.00}", "{2}",
                      lambda text: text.replace("1.00", "1.0")),
    "numrange": ("numrange", "[1.0,2)", "[1.00,2)", "[3,4)",
                 lambda text: text.replace("1.00", "1.0")),
}
# The source is asked whether these are equal.
ASKED = ["citext", "collation", "interval", "jsonb", "numeric_array", "numrange"]
CITEXT = ("create schema ext; grant usage on schema ext to public;"
          "create extension citext schema ext")


def _equal_keys(scene, kinds):
    each(scene, CITEXT, "create collation operations.ignores_case (provider = icu, "
                        "locale = 'und-u-ks-level2', deterministic = false)")
    scene.target.execute(CITEXT)
    oracle, service = begin(scene, "".join(
        f"create table operations.{kind} (id {EQUAL_KEYS[kind][0]} primary key, v text);"
        for kind in kinds), *kinds)

    def step(change, key):
        for kind in kinds:
            value = EQUAL_KEYS[kind][key]
            each(scene, change.format(f"operations.{kind}",
                                      value if value.startswith("('") else f"'{value}'"))
    step("insert into {0} values ({1}, 'a')", 1)
    step("update {0} set id = {1}, v = 'b'", 2)
    scene.catch_up(service)
    step("update {0} set id = {1}, v = 'c'; update {0} set v = 'd'", 1)
    scene.catch_up(service)
    step("update {0} set v = 'e'", 1)
    step("update {0} set id = {1}", 3)
    step("delete from {0}", 1)
    finish_key_by_key(scene, service, oracle, *(
        scene.spec(kind, key_text={"id": EQUAL_KEYS[kind][4]}) for kind in kinds))
    for kind in kinds:
        assert log_of(scene, kind, "v") == [
            (1, 1, "INSERT", "a", 2), (2, 1, "UPDATE", "b", 3), (3, 1, "UPDATE", "c", 3),
            (3, 2, "UPDATE", "d", 4), (4, 1, "UPDATE", "e", 5), (5, 1, "REKEY", "e", 5),
            (5, 1, "UPDATE", "e", 6), (6, 1, "DELETE", "e", 6)], kind


def test_s10_a_key_written_differently_but_equal_is_the_same_key(scene):
    _equal_keys(scene, [kind for kind in EQUAL_KEYS if kind not in ASKED])


def test_s10_without_the_type_in_the_target_keys_are_equal_as_texts_are(scene):
    """Its history cannot call equal what its own column tells apart."""
    scene.source.execute(CITEXT)
    oracle, service = begin(
        scene, "create table operations.t (id ext.citext primary key, v text)", "t")
    each(scene, "insert into operations.t values ('A', 'a')", "update operations.t set id = 'a'")
    scene.catch_up(service)
    # Installed later: what a column is stays.
    scene.target.execute(CITEXT)
    scene.terminate_walsender()
    each(scene, "update operations.t set v = 'b'", "delete from operations.t")
    finish_key_by_key(scene, service, oracle, scene.spec("t"))
    assert log_of(scene, "t", "id, v") == [
        (1, 1, "INSERT", "A", "a", 2), (2, 1, "REKEY", "A", "a", 2), (2, 1, "UPDATE", "a", "a", 3),
        (3, 1, "UPDATE", "a", "b", 4), (4, 1, "DELETE", "a", "b", 4)]


@pytest.mark.parametrize("kind", ASKED)
def test_s10_a_key_that_its_type_calls_equal_is_the_same_key(scene, kind):
    if kind in kept_as_text(scene.source, scene.target):
        pytest.skip(f"{kind}: kept as text in a target before 17, where keys are equal as texts")
    _equal_keys(scene, [kind])


# -- S11: NULL, and nothing sent --------------------------------------------------------------

def test_s11_a_value_that_was_not_sent_is_not_null_and_null_is(scene):
    oracle, service = begin(
        scene, "create table operations.t (id integer primary key, v text, big text);"
        "alter table operations.t alter big set storage external", "t")
    each(scene,
         "insert into operations.t values (1, 'a', repeat('b', 5000)), (2, null, null), "
         "(3, 'c', repeat('d', 5000))",
         "update operations.t set v = null where id = 1",  # `big` is not sent.
         "update operations.t set big = null where id = 1",
         "update operations.t set id = 4 where id = 2",  # The old key alone is sent.
         "delete from operations.t where id in (1, 3)")
    finish_key_by_key(scene, service, oracle, scene.spec("t"))
    assert log_of(scene, "t", "id, v, left(big, 1)") == [
        (1, 1, "INSERT", 1, "a", "b", 2),
        (1, 2, "INSERT", 2, None, None, 4),
        (1, 3, "INSERT", 3, "c", "d", 5),
        (2, 1, "UPDATE", 1, None, "b", 3),
        (3, 1, "UPDATE", 1, None, None, 5),
        (4, 1, "REKEY", 2, None, None, 4),
        (4, 1, "UPDATE", 4, None, None, None),
        (5, 1, "DELETE", 1, None, None, 5),
        (5, 2, "DELETE", 3, "c", "d", 5),
    ]


def test_s11_a_column_that_was_not_there_is_null(scene):
    _, service = begin(scene, KEYED, "t")
    each(scene, "insert into operations.t values (1, 'a')",
         "alter table operations.t add w text", "update operations.t set w = 'x'",
         "alter table operations.t drop v", "update operations.t set w = 'y'")
    scene.catch_up(service)
    assert service.stop() == 0, service.tail()
    assert log_of(scene, "t", "id, v, w") == [
        (1, 1, "INSERT", 1, "a", None, 2),
        (2, 1, "UPDATE", 1, "a", "x", 3),
        (3, 1, "UPDATE", 1, None, "y", None),
    ]


# -- S12: the snapshot's edge -----------------------------------------------------------------

@pytest.mark.parametrize("slot", ["waiting", "made by run"])
def test_s12_a_transaction_open_across_the_snapshot_appears_once(scene, slot):
    scene.source.execute(KEYED + "; insert into operations.t select g, 'old' from "
                         "generate_series(0, 9) g")
    scene.publish()
    oracle = scene.oracle("t")
    if slot == "waiting":
        scene.create_slot()

    def open_transaction(number):
        connection = scene.source.connect(autocommit=False)
        connection.cursor().execute(
            f"insert into operations.t values ({100 + number}, 'new');"
            f"update operations.t set v = 'new' where id = {number}")
        return connection

    def waits_for_transactions():
        return scene.source.query(
            "select from pg_stat_activity where backend_type = 'walsender' and "
            "wait_event = 'transactionid' and datname = current_database()")

    # A slot waits for the transactions that it meets, so there is always a younger one.
    number = 0
    current = open_transaction(number)
    service = scene.start()
    while True:
        service.wait_for(lambda: service.events("copy_done") or waits_for_transactions(), 60,
                         "the copy, or a slot that waits")
        if service.events("copy_done"):
            break
        number += 1
        younger = open_transaction(number)
        current.commit()
        current.close()
        current = younger
        service.wait_for(lambda: service.events("copy_done") or not waits_for_transactions()
                         or _waits_for(scene, younger), 60, "the next step of the slot")
    service.wait_for(lambda: scene.streams(service), 60, "the stream")
    assert number > 0, "nothing was waited for"
    across = f"id in ({number}, {100 + number})"
    assert scene.history("t", columns="id, operation_type", where=across) \
        == [(number, "SNAPSHOT")]
    current.commit()
    current.close()
    finish_key_by_key(scene, service, oracle, scene.spec("t"))
    assert scene.history("t", columns="id, operation_type, v, change_seq", where=across,
                         order="lsn_from, change_seq") == [
        (number, "SNAPSHOT", "old", 0), (100 + number, "INSERT", "new", 1),
        (number, "UPDATE", "new", 2)]


def _waits_for(scene, connection):
    """Whether a slot waits for this transaction by now."""
    return scene.source.query(
        "select from pg_locks l join pg_stat_activity a using (pid) where not granted and "
        "backend_type = 'walsender' and transactionid::text = (select backend_xid::text "
        "from pg_stat_activity where pid = %s)", (connection.get_backend_pid(),))


# -- S13: two pipelines into one target -------------------------------------------------------

def _second_pipeline(scene, make_scene, tables):
    """Another slot and pipeline between the same databases."""
    other = make_scene(scene.source_cluster, scene.target_cluster)
    other.source.drop()
    other.target.drop()
    other.source, other.target = scene.source, scene.target
    same = {side: {"dsn": scene.pipeline.config[side]["dsn"]} for side in ("source", "target")}
    other.configure(**same, tables={"include": tables})
    return other


def test_s13_two_pipelines_keep_tables_of_their_own_in_one_target(scene, make_scene):
    each(scene, "create table operations.a (id integer primary key, v text)",
         "create table operations.b (id integer primary key, v text)",
         "insert into operations.a values (1, 'old'); insert into operations.b values (1, 'old')")
    scene.publish()
    other = _second_pipeline(scene, make_scene, ["operations.b"])
    scene.configure(tables={"include": ["operations.a"]})
    oracles = [scene.oracle("a"), other.oracle("b")]
    services = [scene.start_streaming(), other.start_streaming()]
    each(scene,
         "insert into operations.a values (2, 'x'); insert into operations.b values (2, 'y')",
         "update operations.b set v = 'z'; update operations.a set v = 'z' where id = 1",
         "truncate operations.a, operations.b")
    finish_key_by_key(other, services[1], oracles[1], other.spec("b"))
    each(scene, "insert into operations.a values (3, 'last')")
    finish_key_by_key(scene, services[0], oracles[0], scene.spec("a"))
    assert log_of(scene, "a", "id, v") == [
        (1, 0, "SNAPSHOT", 1, "old", 3), (2, 1, "INSERT", 2, "x", 4), (3, 3, "UPDATE", 1, "z", 4),
        (4, 1, "TRUNCATE", 1, "z", 4), (4, 1, "TRUNCATE", 2, "x", 4),
        (5, 1, "INSERT", 3, "last", None)]
    assert log_of(scene, "b", "id, v") == [
        (1, 0, "SNAPSHOT", 1, "old", 3), (2, 2, "INSERT", 2, "y", 3), (3, 1, "UPDATE", 1, "z", 4),
        (3, 2, "UPDATE", 2, "z", 4), (4, 1, "TRUNCATE", 1, "z", 4),
        (4, 1, "TRUNCATE", 2, "z", 4)]


def test_s13_a_second_pipeline_is_refused_the_history_of_the_first(scene, make_scene):
    oracle, service = begin(scene, KEYED + "; insert into operations.t values (1, 'a')", "t")
    other = _second_pipeline(scene, make_scene, ["operations.t"])
    refused = other.start()
    assert refused.wait(30) == EXIT_OPERATOR, refused.tail()
    assert "operations.t" in refused.tail() and "belongs to another" in refused.tail()
    each(scene, "update operations.t set v = 'b'")
    finish_key_by_key(scene, service, oracle, scene.spec("t"))
    assert log_of(scene, "t", "id, v") == [(1, 0, "SNAPSHOT", 1, "a", 2),
                                           (2, 1, "UPDATE", 1, "b", None)]


# -- S14: rows that move between partitions ---------------------------------------------------

PARTITIONED = """
create table operations.p (id integer, part integer, v text, primary key (id, part))
    partition by list (part);
create table operations.p1 partition of operations.p for values in (1);
create table operations.p2 partition of operations.p for values in (2);
"""
MOVES = ["insert into operations.p values (1, 1, 'a')",
         "update operations.p set part = 2, v = 'b' where id = 1",
         "update operations.p set part = 1; update operations.p set v = 'c'"]


def test_s14_a_row_that_moves_ends_in_one_leaf_and_begins_in_another(scene):
    oracle, service = begin(scene, PARTITIONED, "p1", "p2")
    each(scene, *MOVES)
    finish_key_by_key(scene, service, oracle, scene.spec("p1"), scene.spec("p2"))
    assert logs(scene, p1="id, part, v", p2="id, part, v") == {
        "p1": [(1, 1, "INSERT", 1, 1, "a", 2), (2, 1, "DELETE", 1, 1, "a", 2),
               (3, 2, "INSERT", 1, 1, "b", 3), (3, 3, "UPDATE", 1, 1, "c", None)],
        "p2": [(2, 2, "INSERT", 1, 2, "b", 3), (3, 1, "DELETE", 1, 2, "b", 3)],
    }


def test_s14_in_the_history_of_the_root_a_row_that_moves_ends_and_begins(scene):
    each(scene, PARTITIONED)
    scene.publish("all tables with (publish_via_partition_root = true)")
    oracle = scene.oracle("p")
    oracle.root_of = {("operations", leaf): ("operations", "p") for leaf in ("p1", "p2")}
    service = scene.start_streaming()
    each(scene, *MOVES)
    finish_key_by_key(scene, service, oracle, scene.spec("p"))
    assert log_of(scene, "p", "id, part, v") == [
        (1, 1, "INSERT", 1, 1, "a", 2),
        (2, 1, "DELETE", 1, 1, "a", 2),
        (2, 2, "INSERT", 1, 2, "b", 3),
        (3, 1, "DELETE", 1, 2, "b", 3),
        (3, 2, "INSERT", 1, 1, "b", 3),
        (3, 3, "UPDATE", 1, 1, "c", None),
    ]


# -- S15: row filters -------------------------------------------------------------------------

FILTER = ("region = 'EU'", lambda row: row["region"] == "EU")


@pytest.mark.parametrize("identity", ["full", "default"])
def test_s15_leaving_a_row_filter_is_a_delete_and_entering_one_an_insert(scene, identity):
    needs(scene.source, 15, "row filters")
    each(scene, "create table operations.t (id integer, region text, v text, "
         f"primary key (id, region)); alter table operations.t replica identity {identity};"
         "insert into operations.t values (1, 'EU', 'old'), (2, 'US', 'old')")
    scene.publish(f"table operations.t where ({FILTER[0]})")
    oracle = scene.oracle("t")
    service = scene.start_streaming()
    each(scene,
         "update operations.t set region = 'US', v = 'left' where id = 1",
         "update operations.t set v = 'outside'; insert into operations.t values (3, 'US', 'x')",
         "insert into operations.t values (9, 'US', 'not sent'); update operations.t set "
         "region = 'EU', v = 'entered' where id = 2; update operations.t set v = 'inside' "
         "where id = 2",
         "delete from operations.t where id = 3; delete from operations.t where id = 2")
    finish_key_by_key(scene, service, oracle, scene.spec("t", row_filter=FILTER))
    assert log_of(scene, "t", "id, region, v") == [
        (1, 0, "SNAPSHOT", 1, "EU", "old", 2),
        (2, 1, "DELETE", 1, "EU", "old", 2),
        (3, 1, "INSERT", 2, "EU", "entered", 3),
        (3, 2, "UPDATE", 2, "EU", "inside", 4),
        (4, 1, "DELETE", 2, "EU", "inside", 4),
    ]


def _entering_with_an_unchanged_value(scene, identity):
    needs(scene.source, 15, "row filters")
    each(scene, "create table operations.t (id integer, region text, v text, big text, "
         "primary key (id, region)); alter table operations.t alter big set storage external;"
         f"alter table operations.t replica identity {identity};"
         "insert into operations.t values (1, 'US', 'a', repeat('b', 5000))")
    scene.publish(f"table operations.t where ({FILTER[0]})")
    oracle = scene.oracle("t")
    service = scene.start_streaming()
    each(scene, "update operations.t set region = 'EU'", "update operations.t set v = 'c'",
         "update operations.t set big = 'known'")
    scene.catch_up(service)
    return oracle, service


def test_s15_a_row_that_enters_under_full_has_all_its_values(scene):
    oracle, service = _entering_with_an_unchanged_value(scene, "full")
    finish_key_by_key(scene, service, oracle, scene.spec("t", row_filter=FILTER))
    assert log_of(scene, "t", "id, v, left(big, 5)") == [
        (1, 1, "INSERT", 1, "a", "bbbbb", 2), (2, 1, "UPDATE", 1, "c", "bbbbb", 3),
        (3, 1, "UPDATE", 1, "c", "known", None)]


def test_s15_a_value_that_was_not_sent_when_its_row_entered_is_null_with_a_gap(scene):
    _, service = _entering_with_an_unchanged_value(scene, "default")
    assert service.stop() == 0, service.tail()
    assert log_of(scene, "t", "id, v, left(big, 5)") == [
        (1, 1, "INSERT", 1, "a", None, 2), (2, 1, "UPDATE", 1, "c", None, 3),
        (3, 1, "UPDATE", 1, "c", "known", None)]
    assert scene.target.query("select distinct source_table, reason from pgchronicle.gap") \
        == [("t", "value_unknown")]


# -- S16: one open version a key --------------------------------------------------------------

def test_s16_no_key_is_open_twice_at_any_commit(scene):
    seed = int(os.environ.get("PGCHRONICLE_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"seed {seed}")
    chance = random.Random(seed)
    oracle, service = begin(scene, KEYED + "; insert into operations.t select g, 'old' from "
                            "generate_series(1, 20) g", "t")
    changes = [
        "update operations.t set id = -9999 where id = {a}; update operations.t set id = {a} "
        "where id = {b}; update operations.t set id = {b} where id = -9999",
        "update operations.t set id = id + 1000; update operations.t set id = id - 1000 + {shift}",
        "delete from operations.t where id = {a}; insert into operations.t values ({a}, 'new') "
        "on conflict do nothing",
        "insert into operations.t values ({a}, 'new') on conflict (id) do update set v = 'again'",
        "delete from operations.t where id in ({a}, {b})",
        "update operations.t set v = v where id > {a}",
        "truncate operations.t; insert into operations.t values ({a}, 'reborn')",
    ]
    for _ in range(60):
        one = chance.choices(changes, weights=[6, 2, 4, 4, 2, 2, 1], k=chance.randrange(1, 4))
        each(scene, "; ".join(change.format(
            a=chance.randrange(1, 21), b=chance.randrange(1, 21), shift=chance.randrange(-2, 3))
            for change in one))
        if chance.random() < 0.1:
            scene.catch_up(service)
    spec = scene.spec("t")
    model = finish_key_by_key(scene, service, oracle, spec)
    # The check itself can fail.
    scene.target.execute("update analytics.t_history set lsn_to = null where ctid = (select "
                         "ctid from analytics.t_history where operation_type = 'UPDATE' and "
                         "lsn_to > lsn_from order by lsn_from limit 1)")
    assert keys_open_twice(scene, spec, model)

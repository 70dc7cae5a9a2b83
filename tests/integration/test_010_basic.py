"""What each kind of change leaves in the history, on real servers, with set V after each."""

import psycopg2
import pytest

from support.story import KEYED, begin, each, finish
from support.waiting import wait_until


def test_each_operation_leaves_the_documented_versions(scene):
    oracle, service = begin(scene, KEYED, "t")
    each(scene,
         "insert into operations.t values (1, 'a'), (2, 'b')",
         "update operations.t set v = 'c' where id = 1",
         "update operations.t set v = v where id = 1",
         "update operations.t set id = 3 where id = 2",
         "delete from operations.t where id = 1",
         "insert into operations.t values (1, 'again')",
         "truncate operations.t")
    finish(scene, service, oracle, scene.spec("t"))
    found = scene.target.query(
        "select id, operation_type, v, change_seq, lsn_from = lsn_to, is_current "
        "from analytics.t_history order by lsn_from, change_seq, id, lsn_to")
    #    id operation  v     seq  empty  current
    assert found == [
        (1, "INSERT", "a", 1, False, False),
        (2, "INSERT", "b", 2, False, False),
        (1, "UPDATE", "c", 1, False, False),
        (1, "UPDATE", "c", 1, False, False),
        (2, "REKEY", "b", 1, True, False),
        (3, "UPDATE", "b", 1, False, False),
        (1, "DELETE", "c", 1, True, False),
        (1, "INSERT", "again", 1, False, False),
        (1, "TRUNCATE", "again", 1, True, False),
        (3, "TRUNCATE", "b", 1, True, False),
    ]


def test_changes_of_one_key_in_one_transaction_are_all_kept(scene):
    oracle, service = begin(scene, KEYED, "t")
    each(scene,
         "insert into operations.t values (1, 'a'); update operations.t set v = 'b';"
         "update operations.t set v = 'c'; delete from operations.t;"
         "insert into operations.t values (1, 'd'); update operations.t set id = 2;"
         "update operations.t set id = 1; insert into operations.t values (9, 'x');"
         "truncate operations.t; insert into operations.t values (1, 'e')",
         "update operations.t set v = 'f'; update operations.t set v = 'g'")
    finish(scene, service, oracle, scene.spec("t"))
    first = scene.target.value("select min(lsn_from)::text from analytics.t_history")
    found = scene.target.query(
        "select change_seq, id, operation_type, v, lsn_to = lsn_from from analytics.t_history "
        "where lsn_from = %s order by change_seq, operation_type, id", (first,))
    assert found == [
        (1, 1, "INSERT", "a", True), (2, 1, "UPDATE", "b", True), (3, 1, "UPDATE", "c", True),
        (4, 1, "DELETE", "c", True), (5, 1, "INSERT", "d", True),
        (6, 1, "REKEY", "d", True), (6, 2, "UPDATE", "d", True),
        (7, 2, "REKEY", "d", True), (7, 1, "UPDATE", "d", True),
        (8, 9, "INSERT", "x", True),
        (9, 1, "TRUNCATE", "d", True), (9, 9, "TRUNCATE", "x", True),
        (10, 1, "INSERT", "e", False),
    ]


def test_a_rolled_back_savepoint_leaves_nothing_and_takes_no_number(scene):
    oracle, service = begin(
        scene, "create table operations.t (id integer primary key, fate text)", "t")
    for number in range(20):
        with scene.source.transaction() as cursor:
            cursor.execute("insert into operations.t values (%s, 'kept')", (10 * number,))
            cursor.execute("savepoint s")
            cursor.execute("insert into operations.t values (%s, 'aborted')", (10 * number + 1,))
            cursor.execute("update operations.t set fate = 'aborted' where id = %s",
                           (10 * number,))
            cursor.execute("rollback to s")
            cursor.execute("insert into operations.t values (%s, 'kept')", (10 * number + 2,))
    finish(scene, service, oracle, scene.spec("t"), fate_column="fate")
    assert scene.target.query("select distinct change_seq from analytics.t_history order by 1") \
        == [(1,), (2,)]


TOAST = ("create table operations.t (id integer primary key, big text, n integer);"
         "alter table operations.t alter big set storage external;")


@pytest.mark.parametrize("identity", ["default", "full"])
def test_an_unchanged_toast_value_is_found_wherever_it_stands(scene, identity):
    oracle, service = begin(scene, TOAST + f"alter table operations.t replica identity {identity}",
                            "t", batch={"max_delay": "300ms"})
    big = "repeat('%s', 10000)"
    # In the same transaction, and then (the batch being open for 300 ms) in the same batch.
    each(scene,
         f"insert into operations.t values (1, {big % 'a'}, 1), (2, {big % 'b'}, 1);"
         "update operations.t set n = 2 where id = 1",
         "update operations.t set n = 3 where id = 1",
         "update operations.t set id = 10 where id = 2",
         "update operations.t set n = 4 where id = 10")
    scene.catch_up(service)
    # In a later batch: only the target has the value now. After a key change; and changed.
    each(scene,
         "update operations.t set n = 5 where id = 1",
         "update operations.t set id = 11 where id = 1; update operations.t set n = 6 "
         "where id = 11",
         f"update operations.t set big = {big % 'c'} where id = 10",
         "update operations.t set n = 7 where id = 10")
    scene.catch_up(service)
    each(scene, "delete from operations.t where id = 10")
    scene.catch_up(service)
    each(scene, "truncate operations.t")
    finish(scene, service, oracle, scene.spec("t"))
    assert scene.target.value("select count(*) from analytics.t_history "
                              "where big is null or length(big) <> 10000") == 0
    assert scene.history("t", columns="left(big, 1), n", where="operation_type = 'DELETE'") \
        == [("c", 7)]


def test_a_change_of_an_excluded_column_alone_makes_no_version(scene):
    scene.configure(tables={"overrides": {"operations.t": {"exclude": ["noise"]}}})
    oracle, service = begin(
        scene, "create table operations.t (id integer primary key, v text, noise text);"
        "alter table operations.t replica identity full", "t")
    each(scene,
         "insert into operations.t values (1, 'a', 'x')",
         "update operations.t set noise = 'y'",
         "update operations.t set noise = 'z', v = 'b'; update operations.t set noise = 'q';"
         "update operations.t set v = 'c'",
         "delete from operations.t")
    finish(scene, service, oracle, scene.spec("t", excluded=["noise"]))
    assert scene.history("t", columns="operation_type, v, change_seq") == [
        ("INSERT", "a", 1), ("UPDATE", "b", 1), ("UPDATE", "c", 3), ("DELETE", "c", 1)]
    columns = scene.target.query("select column_name from information_schema.columns "
                                 "where table_name = 't_history'")
    assert ("noise",) not in columns


def test_a_change_of_an_excluded_column_alone_makes_no_version_under_default_identity(scene):
    scene.configure(tables={"overrides": {"operations.t": {"exclude": ["noise"]}}})
    oracle, service = begin(
        scene, "create table operations.t (id integer primary key, v text, noise text)", "t")
    each(scene,
         "insert into operations.t values (1, 'a', 'x')",
         "update operations.t set noise = 'y'",
         "update operations.t set noise = 'z', v = 'b'")
    finish(scene, service, oracle, scene.spec("t", excluded=["noise"]))


def test_a_renamed_column_has_its_new_name_in_the_history(scene):
    scene.configure(tables={"overrides": {
        "operations.order_items": {"rename": {"quanity": "quantity"}}}})
    oracle, service = begin(
        scene, "create table operations.order_items (order_item_id bigserial primary key, "
        "order_id bigint, quanity integer);"
        "alter table operations.order_items replica identity full", "order_items")
    each(scene,
         "insert into operations.order_items (order_id, quanity) values (1, 5), (1, 6)",
         "update operations.order_items set quanity = 7 where quanity = 6",
         "delete from operations.order_items where quanity = 5")
    finish(scene, service, oracle,
           scene.spec("order_items", rename={"quanity": "quantity"}))
    assert scene.target.query("select quantity from analytics.order_items_current") == [(7,)]


def test_a_renamed_key_column_is_still_the_key(scene):
    scene.configure(tables={"overrides": {"operations.t": {"rename": {"id": "t_id"}}}})
    oracle, service = begin(scene, KEYED, "t")
    each(scene, "insert into operations.t values (1, 'a')", "update operations.t set id = 2",
         "update operations.t set v = 'b'", "delete from operations.t")
    finish(scene, service, oracle, scene.spec("t", rename={"id": "t_id"}))


def test_patterns_choose_tables_and_unchosen_changes_take_numbers(scene):
    scene.add_schema("cron")
    scene.configure(tables={"include": ["operations.*", "cron.kept"],
                            "exclude": ["operations.tmp_*"]})
    oracle, service = begin(
        scene, KEYED + "; create table operations.tmp_x (id integer primary key);"
        "create table cron.job (id integer primary key); create table cron.kept (id integer "
        "primary key)", "t")
    each(scene, "insert into operations.tmp_x values (1); insert into cron.job values (1);"
         "insert into operations.t values (1, 'a'); insert into cron.kept values (1);"
         "update operations.tmp_x set id = 2; update operations.t set v = 'b'")
    oracle.initial[("cron", "kept")] = []
    finish(scene, service, oracle, scene.spec("t"), scene.spec("kept", schema="cron"))
    assert scene.history("t", columns="change_seq") == [(3,), (6,)]
    tables = scene.target.query("select table_name from information_schema.tables where "
                                "table_schema = 'analytics' and table_type = 'BASE TABLE'")
    assert sorted(tables) == [("kept_history",), ("t_history",)]


def test_a_column_added_while_streaming_is_added_to_the_history(scene):
    oracle, service = begin(scene, KEYED, "t")
    each(scene,
         "insert into operations.t values (1, 'a'), (2, 'b'), (3, 'c')",
         "delete from operations.t where id = 3",
         "alter table operations.t add extra integer",
         "update operations.t set extra = 10 where id = 1",
         "insert into operations.t values (4, 'd', 40); alter table operations.t add more text;"
         "update operations.t set more = 'm' where id = 4")
    finish(scene, service, oracle, scene.spec("t"))
    shapes = scene.target.value("select count(*) from pgchronicle.relation_shape "
                                "where source_table = 't'")
    assert shapes >= 2


def test_the_constant_default_of_an_added_column_reaches_open_versions_only(scene):
    oracle, service = begin(scene, KEYED, "t")
    each(scene,
         "insert into operations.t values (1, 'a'), (2, 'b'), (3, 'c')",
         "delete from operations.t where id = 3; update operations.t set v = 'bb' where id = 2")
    before = scene.source.lsn()
    each(scene,
         "alter table operations.t add status text not null default 'new'",
         "update operations.t set v = 'aa' where id = 1")
    spec = scene.spec("t", fast_defaults={"status": "new"})
    # Reads of the past show the default too in versions that were open, so V9 is left out.
    finish(scene, service, oracle, spec, as_of_samples=0)
    assert scene.target.query(
        "select id, v, status from analytics.t_history where operation_type <> 'DELETE' "
        "and lsn_from <= %s order by id, lsn_from", (before,)) == [
            (1, "a", "new"), (2, "b", None), (2, "bb", "new"), (3, "c", None)]


def test_a_dropped_column_stays_and_is_null_from_then_on(scene):
    _, service = begin(
        scene, "create table operations.t (id integer primary key, v text, gone text)", "t")
    each(scene, "insert into operations.t values (1, 'a', 'x'), (2, 'b', 'y')")
    each(scene, "alter table operations.t drop gone",
         "update operations.t set v = 'c' where id = 1", "delete from operations.t where id = 2")
    scene.catch_up(service)
    assert service.stop() == 0
    # A tombstone may show the last value that was known or NULL; nothing else is open to choice.
    assert scene.history("t", columns="id, operation_type, v, gone",
                         where="operation_type <> 'DELETE'") == [
        (1, "INSERT", "a", "x"), (2, "INSERT", "b", "y"), (1, "UPDATE", "c", None)]


def test_views_and_functions_read_the_present_and_the_past(scene):
    _, service = begin(scene, KEYED + "; insert into operations.t values (0, 'old')", "t")
    for value in "abc":
        each(scene, f"insert into operations.t values (1, '{value}') on conflict (id) do update "
             "set v = excluded.v")
    scene.catch_up(service)
    assert scene.target.query("select id, v from analytics.t_current order by id") \
        == [(0, "old"), (1, "c")]
    times = scene.history("t", columns="v, valid_from, lsn_from::text", where="id = 1")
    for value, _, lsn in times:
        assert scene.target.query("select v from analytics.t_as_of_lsn(%s::pg_lsn) where id = 1",
                                  (lsn,)) == [(value,)]
    # By time the latest commit of that time counts, should two share a microsecond.
    for value, time, _ in times:
        latest = [v for v, t, _ in times if t == time][-1]
        assert scene.target.query("select v from analytics.t_as_of(%s) where id = 1", (time,)) \
            == [(latest,)]
    start = scene.checkpoint()["slot_start"]
    before = scene.target.value("select (%s::pg_lsn - 1)::text", (start,))
    with pytest.raises(psycopg2.Error, match="not known|complete"):
        scene.target.query("select * from analytics.t_as_of_lsn(%s::pg_lsn)", (before,))
    with pytest.raises(psycopg2.Error, match="not known|complete"):
        scene.target.query("select * from analytics.t_as_of('2001-01-01')")
    service.stop()


def test_a_reader_function_is_inlined_uses_the_index_and_many_processes(scene):
    _, service = begin(scene, KEYED + "; insert into operations.t select g, 'v' from "
                       "generate_series(1, 20000) g", "t")
    scene.catch_up(service)
    service.stop()
    scene.target.execute("analyze analytics.t_history")
    lsn = scene.checkpoint()["position"]
    plan = "\n".join(row[0] for row in scene.target.query(
        "explain select * from analytics.t_as_of_lsn(%s::pg_lsn) where id = 7", (lsn,)))
    assert "Function Scan" not in plan and "Index" in plan, plan
    for reader, moment in (("t_as_of_lsn(%s::pg_lsn)", lsn), ("t_as_of(%s)", "2100-01-01")):
        with scene.target.transaction() as cursor:
            cursor.execute("set local parallel_setup_cost = 0; set local parallel_tuple_cost = 0;"
                           "set local min_parallel_table_scan_size = 0")
            cursor.execute(f"explain select max(v) from analytics.{reader}", (moment,))
            plan = "\n".join(row[0] for row in cursor.fetchall())
            assert "Gather" in plan and "Function Scan" not in plan, plan


def test_a_large_transaction_and_a_copy_keep_their_order(scene, tmp_path):
    oracle, service = begin(scene, KEYED, "t", memory_limit="32MiB",
                            batch={"max_bytes": "4MiB", "max_rows": 5000})
    with scene.source.transaction() as cursor:
        cursor.execute("insert into operations.t select g, repeat('x', 200) "
                       "from generate_series(1, 60000) g")
        cursor.execute("update operations.t set v = 'short' where id % 3 = 0")
        cursor.execute("delete from operations.t where id % 5 = 0")
    rows = tmp_path / "rows.txt"
    rows.write_text("".join(f"{number}\tcopied\n" for number in range(70000, 72000)))
    with scene.source.transaction() as cursor, rows.open() as source:
        cursor.copy_expert("copy operations.t from stdin", source)
    finish(scene, service, oracle, scene.spec("t"))


def test_a_large_transaction_becomes_visible_all_at_once(scene):
    _, service = begin(scene, KEYED, "t", batch={"max_rows": 500, "max_bytes": "1MiB"})
    each(scene, "insert into operations.t select g, 'v' from generate_series(1, 20000) g")
    seen = set()

    def complete():
        count = scene.target.value("select count(*) from analytics.t_history")
        seen.add(count)
        return count == 20000
    wait_until(complete, 60, "the transaction to appear", interval=0.005)
    assert seen <= {0, 20000}
    service.stop()


def test_an_update_of_a_row_that_history_does_not_have_stops_the_pipeline(scene):
    _, service = begin(scene, KEYED + "; insert into operations.t values (1, 'a')", "t")
    scene.catch_up(service)
    scene.target.execute("delete from analytics.t_history")  # Someone tampers with the history.
    each(scene, "update operations.t set v = 'b'")
    assert service.wait(30) == 3, service.tail()
    assert "operations.t" in service.log_text()
    assert scene.target.value("select count(*) from analytics.t_history") == 0

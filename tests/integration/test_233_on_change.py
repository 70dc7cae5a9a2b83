"""`on_change`: a function of the target sees each new version exactly once, in order, in the
transaction that writes it."""

import json

import pytest

from support.pgchronicle import (EXIT_CHECK_FAILED, EXIT_DONE, EXIT_OPERATOR, Supervisor,
                                 failpoint_env)
from support.replay_scene import WHY, add_bookmark
from support.roles import TARGET_USER
from support.waiting import wait_until
from support.watching import watch_all

TABLES = ("create table operations.orders (id integer primary key, v text);"
          "create table operations.items (id integer primary key, n numeric)")
FUNCTION = ("create or replace function risk.assess(change jsonb) returns void language sql as"
            " 'insert into risk.seen (change) values (change)'")
REFUSES = """
create or replace function risk.assess(change jsonb) returns void language plpgsql as $$
begin
    if change->'values'->>'v' = 'bad' then
        raise exception 'no model for %', change->'key';
    end if;
    insert into risk.seen (change) values (change);
end $$"""
BOTH = {f"operations.{table}": {"on_change": "risk.assess"} for table in ("orders", "items")}
AT_COMMIT = ("after_rows_before_checkpoint", "after_checkpoint_before_commit",
             "commit_sent_no_reply", "after_commit_before_ack")


def prepare(scene, function=FUNCTION, overrides=None, **configuration):
    scene.source.execute(TABLES)
    scene.publish()
    scene.target.execute(
        "create schema risk; create table risk.seen (nth bigint generated always as identity,"
        f" change jsonb); grant usage on schema risk to {TARGET_USER};"
        f" grant insert on risk.seen to {TARGET_USER}; {function}")
    scene.configure(tables={"overrides": overrides or BOTH}, **configuration)


def seen(scene):
    return [row[0] for row in scene.target.query("select change from risk.seen order by nth")]


def place(change):
    return change["table"], change["op"], change["lsn"], change["seq"], change["key"]


def assert_each_once(scene):
    """What the function saw is what a follower sees, in the same order."""
    told = [place(change) for change in seen(scene)]
    assert told == [place(change) for change in watch_all(scene, "--from", "0/0")]
    return told


def test_each_new_version_is_seen_once_in_the_order_of_changes(scene):
    prepare(scene)
    scene.source.execute("insert into operations.orders values (9, 'copied')")
    service = scene.start_streaming()
    with scene.source.transaction() as cursor:
        cursor.execute("insert into operations.items values (1, 1.50), (2, 'NaN')")
        cursor.execute("insert into operations.orders values (1, 'a'), (2, 'b')")
        cursor.execute("update operations.orders set id = 0, v = 'c' where id = 1")
        cursor.execute("update operations.items set n = 2 where id = 2")
    scene.source.execute("delete from operations.orders where id = 9")
    scene.source.execute("truncate operations.items")
    scene.catch_up(service)
    told = assert_each_once(scene)
    assert [(table.split(".")[1], op, seq, key["id"]) for table, op, _, seq, key in told] == [
        ("items", "INSERT", 1, 1), ("items", "INSERT", 2, 2),
        ("orders", "INSERT", 3, 1), ("orders", "INSERT", 4, 2),
        ("orders", "REKEY", 5, 1), ("orders", "UPDATE", 5, 0), ("items", "UPDATE", 6, 2),
        ("orders", "DELETE", 1, 9),
        ("items", "TRUNCATE", 1, 1), ("items", "TRUNCATE", 1, 2)]
    first = seen(scene)[0]
    stored = scene.target.query("select to_jsonb(valid_from), lsn_from::text from"
                                " analytics.items_history where id = 1 order by lsn_from limit 1")
    assert first == {"table": "operations.items", "op": "INSERT", "lsn": stored[0][1], "seq": 1,
                     "valid_from": stored[0][0], "key": {"id": 1}, "values": {"id": 1, "n": 1.5}}
    assert service.stop() == EXIT_DONE


def test_a_transaction_that_comes_in_parts_is_seen_in_order(scene):
    prepare(scene, batch={"max_rows": 1000})
    service = scene.start_streaming()
    with scene.source.transaction() as cursor:
        cursor.execute("insert into operations.orders select g, 'x' from generate_series(1, 9000)"
                       " g")
        cursor.execute("insert into operations.items select g, g from generate_series(1, 500) g")
        cursor.execute("update operations.orders set v = 'y' where id % 3 = 0")
    scene.catch_up(service)
    told = assert_each_once(scene)
    assert [seq for _, _, _, seq, _ in told] == list(range(1, 12501))
    assert service.stop() == EXIT_DONE


def test_kills_around_the_commit_leave_each_change_seen_once(scene, tmp_path):
    prepare(scene)
    plan = [(name, 1) for name in AT_COMMIT] + [(AT_COMMIT[1], 2)]
    log = tmp_path / "failpoints"
    given = iter(plan)

    def next_env():
        point = next(given, None)
        return failpoint_env(*point, log) if point else None

    first = scene.start_streaming()
    assert first.stop() == EXIT_DONE
    supervisor = Supervisor(scene.pipeline, next_env)
    supervisor.start()
    for number in range(1, len(plan) + 1):
        supervisor.wait_started(number)
        for i in range(4):
            scene.source.execute("insert into operations.orders values (%s, 'x') on conflict (id)"
                                 " do update set v = orders.v || 'x'", (i,))
        supervisor.wait_started(number + 1)
    scene.catch_up(supervisor.current)
    assert len(log.read_text().splitlines()) == len(plan)
    assert len(assert_each_once(scene)) == 4 * len(plan)
    assert supervisor.stop() == EXIT_DONE


def test_a_function_that_fails_stops_it_and_nothing_is_written(scene):
    prepare(scene, function=REFUSES)
    service = scene.start_streaming()
    with scene.source.transaction() as cursor:
        cursor.execute("insert into operations.items values (1, 1)")
        cursor.execute("insert into operations.orders values (1, 'good'), (2, 'bad')")
    assert service.wait(60) == EXIT_OPERATOR
    said = service.log_text()
    assert ('function "risk.assess" failed for a change of table "operations.orders": '
            'no model for {"id": 2}') in said, said
    assert "PL/pgSQL function risk.assess(jsonb)" in said
    assert seen(scene) == []
    assert scene.history("orders") == [] and scene.history("items") == []
    scene.target.execute(FUNCTION)
    service = scene.start_streaming()
    scene.catch_up(service)
    assert len(assert_each_once(scene)) == 3
    assert service.stop() == EXIT_DONE


def test_a_function_that_fails_quarantines_its_table_alone(scene):
    prepare(scene, function=REFUSES)
    scene.configure(tables={"on_error": "quarantine"})
    service = scene.start_streaming()
    with scene.source.transaction() as cursor:
        cursor.execute("insert into operations.items values (1, 1)")
        cursor.execute("insert into operations.orders values (1, 'bad')")
    wait_until(lambda: scene.target.query("select source_table from pgchronicle.quarantine"),
               60, "the quarantine")
    scene.catch_up(service)
    scene.source.execute("insert into operations.items values (2, 2)")
    scene.catch_up(service)
    assert [(change["table"], change["key"]) for change in seen(scene)] == [
        ("operations.items", {"id": 1}), ("operations.items", {"id": 2})]
    assert scene.history("orders") == []
    message = scene.target.value("select message from pgchronicle.quarantine")
    assert 'function "risk.assess" failed' in message
    assert service.stop() == EXIT_DONE


def test_check_finds_functions_that_do_not_fit(scene):
    prepare(scene)
    fine = scene.run("check")
    assert "risk.assess" not in fine.stdout, fine.stdout
    scene.target.execute(f"revoke usage on schema risk from {TARGET_USER}")
    barred = scene.run("check")
    assert barred.returncode == EXIT_CHECK_FAILED
    assert f'role "{TARGET_USER}" may not call function "risk.assess"' in barred.stdout
    scene.target.execute(f"grant usage on schema risk to {TARGET_USER};"
                         " drop function risk.assess(jsonb);"
                         " create function risk.assess(change json) returns void language sql as ''"
                         )
    missing = scene.run("check")
    assert missing.returncode == EXIT_CHECK_FAILED
    assert 'function "risk.assess" does not exist with one argument of type jsonb' in missing.stdout
    assert "assess(change json)" in missing.stdout
    # The SQL that it prints mends it.
    begin = missing.stdout.index("CREATE FUNCTION")
    printed = missing.stdout[begin:missing.stdout.index("END $$;", begin) + len("END $$;")]
    scene.target.execute(printed)
    assert "risk.assess" not in scene.run("check").stdout
    service = scene.start_streaming()
    scene.source.execute("insert into operations.orders values (1, 'a')")
    scene.catch_up(service)
    assert service.stop() == EXIT_DONE


def test_a_replay_does_not_tell_it_again(scene):
    prepare(scene)
    service = scene.start_streaming()
    add_bookmark(scene, "start")
    for i in range(3):
        scene.source.execute("insert into operations.orders values (%s, 'x')", (i,))
    scene.catch_up(service)
    before = seen(scene)
    assert len(before) == 3
    assert service.stop() == EXIT_DONE
    # What comes meanwhile is new.
    scene.source.execute("insert into operations.orders values (3, 'x')")
    replayed = scene.run("replay", "--from", "start", *WHY)
    assert replayed.returncode == EXIT_DONE, replayed.stderr
    service = scene.start_streaming()
    scene.catch_up(service)
    assert seen(scene)[:3] == before
    assert len(assert_each_once(scene)) == 4
    copied = scene.run("replay", "--from", "start", "--into", "copied", *WHY)
    assert copied.returncode in (EXIT_DONE, EXIT_OPERATOR), copied.stderr
    assert len(seen(scene)) == 4
    assert service.stop() == EXIT_DONE


def test_functions_are_planned_as_elsewhere(scene):
    prepare(scene, function="create function risk.assess(change jsonb) returns integer language sql"
            " as $$ insert into risk.seen (change) select jsonb_object_agg(name,"
            " current_setting(name)) from unnest(array['enable_hashjoin', 'enable_mergejoin',"
            " 'enable_seqscan', 'enable_bitmapscan', 'plan_cache_mode']) name returning 1 $$")
    service = scene.start_streaming()
    scene.source.execute("insert into operations.orders values (1, 'a')")
    scene.catch_up(service)
    assert seen(scene) == [{"enable_hashjoin": "on", "enable_mergejoin": "on",
                            "enable_seqscan": "on", "enable_bitmapscan": "on",
                            "plan_cache_mode": "auto"}]
    assert service.stop() == EXIT_DONE


@pytest.mark.parametrize("configured", [False, True])
def test_the_index_is_made_where_it_is_needed_only(scene, configured):
    overrides = {"operations.orders": {"on_change": "risk.assess"}} if configured else {
        "operations.orders": {"on_unknown_key": "stop"}}
    prepare(scene, overrides=overrides)
    service = scene.start_streaming()
    scene.source.execute("insert into operations.orders values (1, 'a');"
                         "insert into operations.items values (1, 1)")
    scene.catch_up(service)
    made = scene.target.query("select indexrelid::regclass::text from pg_index where"
                              " indexrelid::regclass::text like '%\\_changes'")
    assert made == ([("analytics.orders_history_changes",)] if configured else [])
    assert json.loads(json.dumps(seen(scene))) == seen(scene)
    assert len(seen(scene)) == (1 if configured else 0)
    assert service.stop() == EXIT_DONE


def test_an_index_that_was_given_up_half_way_is_made_again(scene):
    prepare(scene, overrides={"operations.orders": {"on_change": "risk.assess"}})
    service = scene.start_streaming()
    scene.source.execute("insert into operations.orders values (1, 'a')")
    scene.catch_up(service)
    assert service.stop() == EXIT_DONE
    scene.target.execute("update pg_index set indisvalid = false where indexrelid ="
                         " 'analytics.orders_history_changes'::regclass")
    service = scene.start_streaming()
    scene.source.execute("insert into operations.orders values (2, 'a')")
    scene.catch_up(service)
    assert scene.target.query("select indisvalid from pg_index where indexrelid ="
                              " 'analytics.orders_history_changes'::regclass") == [(True,)]
    assert len(seen(scene)) == 2
    assert service.stop() == EXIT_DONE

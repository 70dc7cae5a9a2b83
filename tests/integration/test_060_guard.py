"""The start-up guard: what does not fit together stops with exit code 3 and says what differs."""

import os
import pty
import re
import subprocess
import threading

import pytest

from support.cluster import client
from support.lsn import parse_lsn
from support.pgchronicle import EXIT_CHECK_FAILED, EXIT_DONE, EXIT_OPERATOR
from support.waiting import wait_until

KEYED = "create table operations.t (id integer primary key, v text)"


def prepared(scene):
    """A pipeline that has run, stopped, and has one row of history."""
    scene.source.execute(KEYED)
    scene.publish()
    service = scene.start_streaming()
    scene.source.execute("insert into operations.t values (1, 'a')")
    scene.catch_up(service)
    assert service.stop() == 0, service.tail()


def stops(scene, *named, arguments=("--until-current",)):
    """`run` exits 3, says each of these, in PostgreSQL's grammar, and writes nothing; `check` says
    the same."""
    before = scene.target.value("select count(*) from analytics.t_history")
    confirmed = scene.confirmed()
    result = scene.run("run", *arguments, timeout=60)
    assert result.returncode == EXIT_OPERATOR, result.stderr
    for word in named:
        assert str(word) in result.stderr, f"{word} is not named in:\n{result.stderr}"
    assert re.search(r"^pgchronicle: error: ", result.stderr, re.M), result.stderr
    assert re.search(r"^HINT:  ", result.stderr, re.M), result.stderr
    assert scene.target.value("select count(*) from analytics.t_history") == before
    assert scene.confirmed() == confirmed
    checked = scene.run("check")
    assert checked.returncode == EXIT_CHECK_FAILED, checked.stdout + checked.stderr
    return result.stderr


def test_a_second_run_stops_and_names_the_holder(scene):
    scene.source.execute(KEYED)
    scene.publish()
    scene.configure(target={"lock_timeout": "1s"})
    first = scene.start_streaming()
    holders = [pid for pid, in scene.target_cluster.query(
        "select l.pid from pg_locks l join pg_database d on d.oid = l.database "
        "where l.locktype = 'advisory' and l.granted and d.datname = %s", (scene.target.name,))]
    assert len(holders) == 1
    result = scene.run("run", timeout=30)
    assert result.returncode == EXIT_OPERATOR, result.stderr
    assert str(holders[0]) in result.stderr and "lock_waiting" in result.stderr
    assert first.alive
    scene.source.execute("insert into operations.t values (1, 'a')")
    scene.catch_up(first)
    assert first.stop() == 0


def test_a_second_run_takes_over_when_the_first_one_is_killed(scene):
    scene.source.execute(KEYED)
    scene.publish()
    scene.configure(target={"lock_timeout": "20s"})
    first = scene.start_streaming()
    second = scene.start()
    second.wait_event("lock_waiting")
    first.kill9()
    second.wait_event("stream_started", 30)
    scene.source.execute("insert into operations.t values (1, 'a')")
    scene.catch_up(second)
    assert second.stop() == 0


def test_a_checkpoint_of_another_cluster_stops(scene):
    prepared(scene)
    real = scene.checkpoint()["system_identifier"]
    scene.target.execute("update pgchronicle.checkpoint set system_identifier = "
                         "'7000000000000000007'")
    stops(scene, "7000000000000000007", real)


@pytest.mark.parametrize("column, value", [
    ("database_name", "'elsewhere'"), ("slot", "'another_slot'"), ("timeline", "'7'")])
def test_a_checkpoint_of_another_database_slot_or_timeline_stops(scene, column, value):
    prepared(scene)
    real = scene.checkpoint()[column]
    scene.target.execute(f"update pgchronicle.checkpoint set {column} = {value}")
    stops(scene, value.strip("'"), real)


def test_a_slot_ahead_of_the_checkpoint_stops(scene):
    prepared(scene)
    scene.source.execute("insert into operations.t values (2, 'passed over')")
    scene.source.value("select pg_replication_slot_advance(%s, pg_current_wal_lsn())::text",
                       (scene.slot,))
    assert parse_lsn(scene.confirmed()) > scene.position()
    stops(scene, scene.confirmed(), scene.checkpoint()["position"])


def test_a_checkpoint_ahead_of_the_source_stops(scene):
    prepared(scene)
    scene.target.execute("update pgchronicle.checkpoint set position = '7FF/0'")
    stops(scene, "7FF/0")


def test_a_missing_checkpoint_beside_history_stops(scene):
    prepared(scene)
    scene.target.execute("delete from pgchronicle.checkpoint")
    stops(scene, scene.name)
    assert scene.checkpoint() is None


def test_a_missing_checkpoint_beside_an_empty_history_is_a_first_run(scene):
    scene.source.execute(KEYED)
    scene.publish()
    oracle = scene.oracle("t")
    scene.start_streaming().stop()
    scene.target.execute("delete from pgchronicle.checkpoint")
    scene.source.execute("insert into operations.t values (1, 'a')")
    service = scene.start_streaming()
    scene.catch_up(service)
    assert service.stop() == 0
    scene.set_v(oracle, scene.spec("t")).assert_holds()


def test_a_slot_that_is_gone_is_not_made_again(scene):
    prepared(scene)
    scene.source.execute("select pg_drop_replication_slot(%s)", (scene.slot,))
    stops(scene, scene.slot)
    assert scene.confirmed() is None


def test_a_slot_that_was_made_again_stops(scene):
    prepared(scene)
    scene.source.execute("select pg_drop_replication_slot(%s)", (scene.slot,))
    scene.source.execute("insert into operations.t values (2, 'in no slot')")
    scene.create_slot()
    stops(scene, scene.slot)


def test_a_slot_that_is_still_being_made_is_waited_for(scene):
    """As a process that was killed meanwhile leaves it: its server side goes on."""
    scene.source.execute(KEYED)
    scene.publish()
    with scene.source.transaction() as cursor:
        cursor.execute("select pg_current_xact_id()")  # A new slot waits for its end.
        maker = threading.Thread(target=scene.source_cluster.query, args=(
            "select pg_create_logical_replication_slot(%s, 'pgoutput')", (scene.slot,)),
            kwargs={"dbname": scene.source.name})
        maker.start()
        wait_until(lambda: scene.source.slots(), 30, "the slot to be seen")
        assert scene.confirmed() is None
        service = scene.start()
        seen = service.wait_event("reconnecting", sqlstate="55006")
        assert "still being made" in seen.fields["message"]
        assert scene.checkpoint() is None
    maker.join()
    service.wait_event("copy_done", 60)
    scene.source.execute("insert into operations.t values (1, 'a')")
    scene.catch_up(service)
    assert service.stop() == 0, service.tail()
    assert scene.checkpoint()["slot_start"] != "0/0"


def test_a_slot_that_may_not_be_created_and_is_missing_stops(scene):
    scene.source.execute(KEYED)
    scene.publish()
    scene.configure(source={"create_slot": "never"})
    result = scene.run("run", "--until-current")
    assert result.returncode == EXIT_OPERATOR, result.stderr
    assert scene.slot in result.stderr


@pytest.mark.parametrize("publish", ["missing", "insert only", "dropped later"])
def test_a_publication_that_would_lose_changes_stops(scene, publish):
    scene.source.execute(KEYED)
    scene.source.execute("create publication unrelated for all tables")
    if publish == "insert only":
        scene.source.execute("create publication cdc_publication for all tables "
                             "with (publish = 'insert')")
    elif publish == "dropped later":
        scene.publish()
        service = scene.start_streaming()
        assert service.stop() == 0
        scene.source.execute("drop publication cdc_publication")
    result = scene.run("run", "--until-current", timeout=60)
    assert result.returncode == EXIT_OPERATOR, result.stderr
    assert "cdc_publication" in result.stderr


def test_a_publication_that_is_not_configured_any_more_stops(scene):
    source = scene.source
    source.execute(KEYED + "; create table operations.u (id integer primary key)")
    scene.publish("table operations.t")
    scene.start_streaming().stop()
    source.execute("create publication cdc_more for table operations.u")
    scene.configure(source={"publication": ["cdc_publication", "cdc_more"]})
    service = scene.start_streaming()
    source.execute("insert into operations.u values (1)")
    scene.catch_up(service)
    assert service.stop() == 0, service.tail()
    assert scene.target.query("select id from analytics.u_current") == [(1,)]
    scene.configure(source={"publication": "cdc_publication"})
    stops(scene, "cdc_more", "source.publication")


def test_operations_that_are_split_between_publications_stop(scene):
    scene.source.execute(KEYED)
    scene.source.execute("create publication cdc_publication for all tables "
                         "with (publish = 'insert, update')")
    scene.source.execute("create publication cdc_rest for all tables "
                         "with (publish = 'delete, truncate')")
    scene.configure(source={"publication": ["cdc_publication", "cdc_rest"]})
    result = scene.run("run", "--until-current", timeout=60)
    assert result.returncode == EXIT_OPERATOR, result.stderr
    checked = scene.run("check")
    assert checked.returncode == EXIT_CHECK_FAILED, checked.stdout
    for name in ("cdc_publication", "cdc_rest"):
        assert f'publication "{name}" does not publish' in checked.stdout


def test_a_publication_that_is_narrowed_while_streaming_is_noticed(scene):
    scene.source.execute(KEYED)
    scene.publish()
    service = scene.start_streaming()
    scene.source.execute("alter publication cdc_publication set (publish = 'insert')")
    assert service.wait(90) == EXIT_OPERATOR, service.tail()
    assert "cdc_publication" in service.log_text()


def test_a_slot_in_use_by_another_client_is_not_shared(scene):
    prepared(scene)
    other = subprocess.Popen(
        [client("pg_recvlogical"), "-h", str(scene.source_cluster.socket_dir),
         "-p", str(scene.source_cluster.port), "-U", "postgres", "-d", scene.source.name,
         "--slot", scene.slot, "--start", "-o", "proto_version=1",
         "-o", "publication_names=cdc_publication", "-f", "/dev/null"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: scene.source.value(
            "select active from pg_replication_slots where slot_name = %s", (scene.slot,)),
            20, "the other client to use the slot")
        holder = scene.source.value("select active_pid from pg_replication_slots "
                                    "where slot_name = %s", (scene.slot,))
        service = scene.start()
        # It may wait for the slot or give up; either way it says who uses it.
        wait_until(lambda: str(holder) in service.log_text() or not service.alive, 30,
                   "the holder to be named")
        assert str(holder) in service.log_text(), service.tail()
    finally:
        other.kill()
        other.wait()
    if service.alive:
        service.wait_event("stream_started", 60)
        assert service.stop() == 0
    else:
        assert service.returncode == EXIT_OPERATOR


def test_a_slot_that_lost_its_wal_stops(make_scene, new_cluster, target_cluster, program):
    source = new_cluster("lost_source", max_slot_wal_keep_size="1MB", max_wal_size="32MB",
                         min_wal_size="32MB", wal_keep_size="0")
    scene = make_scene(source, target_cluster)
    prepared(scene)
    scene.source.execute("create table operations.filler (v text)")

    def lost():
        scene.source.execute("insert into operations.filler select repeat('x', 1000) "
                             "from generate_series(1, 20000)")
        scene.source.execute("checkpoint")
        return scene.source.value("select wal_status from pg_replication_slots "
                                  "where slot_name = %s", (scene.slot,)) == "lost"
    wait_until(lost, 60, "the slot to lose its WAL")
    stops(scene, scene.slot)


# -- a slot that is older than its publication ---------------------------------------------------

def _slot_before_publication(scene):
    scene.source.execute(KEYED + "; insert into operations.t values (1, 'before the slot')")
    scene.create_slot()
    scene.source.execute("insert into operations.t values (2, 'between')")
    scene.publish()
    scene.source.execute("insert into operations.t values (3, 'after')")


def test_changes_older_than_the_publication_are_passed_only_by_repair_skip(scene):
    _slot_before_publication(scene)
    start = scene.confirmed()

    checked = scene.run("check")
    assert checked.returncode == EXIT_CHECK_FAILED, checked.stdout + checked.stderr
    assert "repair skip" in checked.stdout + checked.stderr
    result = scene.run("run", "--until-current", timeout=60)
    assert result.returncode == EXIT_OPERATOR, result.stderr
    assert "repair skip" in result.stderr
    assert scene.confirmed() == start

    refused = scene.run("repair", "skip", "--yes")
    assert refused.returncode == 2, "a reason is asked for"
    repaired = scene.run("repair", "skip", "--reason", "the slot is older than its publication",
                         "--yes")
    assert repaired.returncode == EXIT_DONE, repaired.stdout + repaired.stderr
    assert parse_lsn(scene.confirmed()) > parse_lsn(start)
    gaps = scene.target.query("select from_lsn::text, to_lsn::text, source_schema, source_table "
                              "from pgchronicle.gap where pipeline = %s", (scene.name,))
    assert len(gaps) == 1
    assert parse_lsn(gaps[0][0]) <= parse_lsn(start) < parse_lsn(gaps[0][1])
    assert gaps[0][2:] == (None, None)
    audits = scene.target.query("select who, reason, from_lsn::text, to_lsn::text "
                                "from pgchronicle.audit where pipeline = %s", (scene.name,))
    assert len(audits) == 1 and audits[0][0]
    assert audits[0][1] == "the slot is older than its publication"

    checked = scene.run("check")
    assert checked.returncode == EXIT_DONE, checked.stdout + checked.stderr
    service = scene.start_streaming()
    scene.source.execute("update operations.t set v = 'streamed' where id = 2")
    scene.catch_up(service)
    assert service.stop() == 0
    # Every row is there; those of the gap are known from the copy or from later changes.
    assert scene.target.query("select id, v from analytics.t_current order by id") == [
        (1, "before the slot"), (2, "streamed"), (3, "after")]


def test_a_slot_older_than_its_publication_without_changes_between_is_fine(scene):
    scene.source.execute(KEYED)
    scene.create_slot()
    scene.publish()
    oracle = scene.oracle("t")
    scene.source.execute("insert into operations.t values (1, 'waited')")
    checked = scene.run("check")
    assert checked.returncode == EXIT_DONE, checked.stdout + checked.stderr
    service = scene.start_streaming()
    scene.catch_up(service)
    assert service.stop() == 0
    model = scene.set_v(oracle, scene.spec("t")).assert_holds()
    assert [v.op for v in model.versions(("operations", "t"))] == ["INSERT"]


def _skip_on_a_terminal(scene, answer):
    ours, theirs = pty.openpty()
    try:
        os.write(ours, answer)
        pipeline = scene.pipeline
        return subprocess.run(
            pipeline.arguments("repair", "skip", "--reason", "trying"), stdin=theirs,
            env=pipeline.environment(), capture_output=True, text=True, timeout=60)
    finally:
        os.close(ours)
        os.close(theirs)


def test_repair_skip_asks_on_a_terminal_and_does_nothing_when_it_is_not_confirmed(scene):
    _slot_before_publication(scene)
    start = scene.confirmed()
    result = _skip_on_a_terminal(scene, b"no\n")
    assert result.returncode == EXIT_OPERATOR
    assert "[y/N]" in result.stdout and "nothing was done" in result.stdout
    assert scene.confirmed() == start
    assert _skip_on_a_terminal(scene, b"y\n").returncode == EXIT_DONE
    assert scene.confirmed() != start


def test_repair_skip_without_a_terminal_asks_nobody(scene):
    _slot_before_publication(scene)
    start = scene.confirmed()
    result = scene.run("repair", "skip", "--reason", "as check says")
    assert result.returncode == EXIT_DONE, result.stdout + result.stderr
    assert "[y/N]" not in result.stdout
    assert scene.confirmed() != start


def test_repair_skip_to_a_given_position_stops_there(scene):
    prepared(scene)
    scene.source.execute("insert into operations.t values (2, 'skipped')")
    to = scene.source.lsn()
    scene.source.execute("insert into operations.t values (3, 'kept')")
    result = scene.run("repair", "skip", "--reason", "one transaction too many", "--to", to,
                       "--yes")
    assert result.returncode == EXIT_DONE, result.stdout + result.stderr
    service = scene.start_streaming()
    scene.catch_up(service)
    assert service.stop() == 0
    assert scene.target.query("select id from analytics.t_current order by id") == [(1,), (3,)]
    assert scene.target.value("select count(*) from pgchronicle.gap") == 1


def test_repair_skip_refuses_while_the_pipeline_runs(scene):
    scene.source.execute(KEYED)
    scene.publish()
    scene.configure(target={"lock_timeout": "1s"})
    service = scene.start_streaming()
    result = scene.run("repair", "skip", "--reason", "no", "--yes")
    assert result.returncode == EXIT_OPERATOR, result.stdout + result.stderr
    assert service.alive
    assert service.stop() == 0


def test_the_checkpoint_stands_before_anything_is_copied(scene):
    """A kill before the copy is done leaves a checkpoint that begins where the slot began."""
    scene.source.execute(KEYED + "; insert into operations.t select g, 'x' "
                         "from generate_series(1, 100000) g")
    scene.publish()
    scene.create_slot()
    start = scene.confirmed()
    service = scene.start()
    service.wait_event("copy_started", 60)
    service.kill9()
    assert scene.checkpoint()["slot_start"] == start


def test_a_prepared_transaction_that_holds_up_the_copy_is_named(scene, make_scene,
                                                                source_cluster, target_cluster):
    """Making the copy's slot waits for prepared transactions of every database."""
    scene.source.execute(KEYED)
    scene.publish()
    scene.create_slot()
    other = make_scene(source_cluster, target_cluster)
    gid = f"blocker_{other.number}"
    with other.source.transaction() as cursor:
        cursor.execute("create table operations.p (id integer)")
        cursor.execute(f"prepare transaction '{gid}'")
    try:
        service = scene.start()
        wait_until(lambda: gid in service.log_text() or not service.alive, 90,
                   "the prepared transaction to be named")
        assert gid in service.log_text(), service.tail()
    finally:
        other.source.execute(f"rollback prepared '{gid}'")
    if not service.alive:
        assert service.returncode == EXIT_OPERATOR
        service = scene.start()
    service.wait_event("copy_done", 60)
    assert service.stop() == 0

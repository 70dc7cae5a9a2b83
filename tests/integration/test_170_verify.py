"""`verify`: equal where it is equal, also while both sides go on; what it needs, says and leaves.

Faults at random rows are in test_171_verify_planted.py, what is no difference in
test_172_verify_no_alarm.py.
"""

import json
import os
import pty
import random
import signal
import time

import pytest

from support.pgchronicle import EXIT_CHECK_FAILED, EXIT_OPERATOR, EXIT_RETRIES, EXIT_USAGE
from support.roles import READER, READER_PASSWORD, SOURCE_USER
from support.scene import Scene
from support.traffic import Traffic
from support.verified import (BAG, KEYED, QUICK, assert_equal, each, ended, follow, sessions, start,
                              verify)
from support.waiting import wait_until

SEED = int(os.environ.get("PGCHRONICLE_SEED", random.SystemRandom().randrange(1 << 32)))


# -- on a busy source ----------------------------------------------------------------------------

def _steps():
    def change(cursor, chance):
        low = chance.randrange(1, 2000)
        cursor.execute("update operations.t set n = n + 1, v = md5(random()::text) "
                       "where id between %s and %s", (low, low + 19))

    def replace(cursor, chance):
        row = chance.randrange(1, 2000)
        cursor.execute("delete from operations.t where id = %s", (row,))
        cursor.execute("insert into operations.t values (%s, 'again', 0) on conflict do nothing",
                       (row,))
        cursor.execute("update operations.t set id = id + 100000 where id = %s", (row + 7,))
        cursor.execute("update operations.t set id = id - 100000 where id = %s", (row + 100007,))

    def bag(cursor, chance):
        cursor.execute("insert into operations.bag select 'row' from generate_series(1, 10)")
        cursor.execute("delete from operations.bag where ctid in "
                       "(select ctid from operations.bag limit 10)")

    return [change, change, replace, bag]


HISTORY = "analytics.t_history"
FAULTS = {
    f"delete from {HISTORY} where id = %(id)s": "missing in history",
    f"update {HISTORY} set is_current = false, valid_to = valid_from, lsn_to = lsn_from "
    "where id = %(id)s": "missing in history",
    f"update {HISTORY} set n = n + 1 where id = %(id)s": "differs",
    f"update {HISTORY} set v = null where id = %(id)s": "differs",
    f"insert into {HISTORY} select * from {HISTORY} where id = %(id)s": "several versions",
}


def _plant_twenty(target, chance):
    """{(key, kind)}: four faults of each kind, at random rows that the traffic leaves alone."""
    planted = set()
    for place, row in enumerate(chance.sample(range(2001, 3001), 20)):
        fault = list(FAULTS)[place % len(FAULTS)]
        target.execute(fault, {"id": row})
        planted.add((str(row), FAULTS[fault]))
    return planted


def test_a_busy_source_is_equal_at_one_lsn_and_twenty_faults_are_named(scene):
    service = follow(
        scene, "create table operations.t (id integer primary key, v text, n integer);"
        "insert into operations.t select g, 'v', 0 from generate_series(1, 3000) g;" + BAG)
    lsns = []
    with Traffic(scene.source, _steps(), SEED, pause=0.01) as traffic:
        wait_until(lambda: traffic.commits > 100, 30, "traffic")
        for _ in range(3):
            verdict = assert_equal(scene)
            lsns.append(verdict.report["lsn"])
            assert verdict.table("t")["rows"] == verdict.table("t")["versions"] > 2900
        planted = _plant_twenty(scene.target, random.Random(SEED))
        verdict = verify(scene)
        assert verdict.code == EXIT_CHECK_FAILED
        assert {(key["key"]["id"], key["kind"]) for key in verdict.table("t")["keys"]} == planted
        assert verdict.table("t")["differences"] == 20 and verdict.table("bag")["equal"], SEED
    assert len(set(lsns)) == 3
    scene.catch_up(service)
    [(versions, seconds)] = scene.target.query(
        "select count(*), extract(epoch from max(valid_from) - min(valid_from))::float from "
        "(select valid_from, lsn_from from analytics.t_history union all "
        "select valid_from, lsn_from from analytics.bag_history) h "
        "where lsn_from > %s and lsn_from <= %s", (lsns[0], lsns[-1]))
    assert versions / seconds > 1000, f"{versions} versions in {seconds} s (seed {SEED})"
    assert not scene.source.query("select from pg_replication_slots where temporary")


def test_a_finished_run_is_verified_where_nothing_of_it_came_since(scene):
    """The snapshot's own slot moves the source's LSN, and so does what is not published."""
    scene.source.execute(KEYED + "; insert into operations.t values (1, 'a')")
    scene.publish("table operations.t")
    assert scene.run("run", "--until-current").returncode == 0
    table = assert_equal(scene).table("t")
    assert (table["rows"], table["versions"]) == (1, 1)
    each(scene, "create table operations.other (id integer)",
         *["insert into operations.other values (1)"] * 3,
         "begin; update operations.t set v = 'b'; rollback",
         "select pg_logical_emit_message(true, 'prefix', 'message')")
    verdict = assert_equal(scene)
    stands = scene.target.value("select position::text from pgchronicle.checkpoint")
    assert verdict.report["note"] == (
        f"No process runs the pipeline; its checkpoint stands at {stands}, and no change waits "
        "behind that: the history is complete up to this LSN.")
    assert verdict.report["note"] in scene.run("verify").stdout.splitlines()
    scene.target.execute("update analytics.t_history set v = 'x'")
    assert verify(scene).keys() == {"1"}


CHANGES_THAT_WAIT = {
    "a row": "insert into operations.t values (2, 'b')",
    "a truncate": "truncate operations.t",
    "a row among others": "insert into operations.other values (1); update operations.t set v = ''",
}


@pytest.mark.parametrize("change", CHANGES_THAT_WAIT.values(),
                         ids=[name.replace(" ", "_") for name in CHANGES_THAT_WAIT])
def test_a_stopped_pipeline_that_lacks_changes_is_not_waited_for(scene, change):
    service = follow(scene, KEYED + "; create table operations.other (id integer primary key)",
                     "insert into operations.t values (1, 'a')")
    scene.catch_up(service)
    assert service.stop() == 0
    scene.source.execute(change)
    began = time.monotonic()
    result = scene.run("verify")
    assert result.returncode == EXIT_CHECK_FAILED
    assert 5 <= time.monotonic() - began < 15, "somebody may just be starting it"
    assert "error: the history did not reach LSN " in result.stderr
    assert " of the source within 5 s\n" in result.stderr
    stands = scene.target.value("select position::text from pgchronicle.checkpoint")
    assert f"DETAIL:  Its checkpoint stands at {stands}. No process runs the pipeline. " \
        "Nothing was compared.\n" in result.stderr
    assert 'HINT:  Start "pgchronicle run".' in result.stderr
    assert not result.stdout
    process = start(scene, "--json")
    service = scene.start_streaming()
    assert ended(process).code == 0, "it was started in time"


def test_a_slot_that_is_ahead_of_the_history_proves_nothing(scene):
    service = follow(scene, KEYED, "insert into operations.t values (1, 'a')")
    scene.catch_up(service)
    assert service.stop() == 0
    scene.source.execute("insert into operations.t values (2, 'b')")
    scene.source.execute("select pg_replication_slot_advance(%s, pg_current_wal_lsn())",
                         (scene.slot,))
    result = scene.run("verify", "--timeout", "1")
    assert result.returncode == EXIT_CHECK_FAILED and "did not reach LSN" in result.stderr


def test_a_pipeline_that_stands_still_is_named(scene):
    service = follow(scene, KEYED, "insert into operations.t values (1, 'a')")
    scene.catch_up(service)
    service.signal(19)  # SIGSTOP
    try:
        scene.source.execute("insert into operations.t values (2, 'b')")
        result = scene.run("verify", "--timeout", "1")
    finally:
        service.signal(18)
    assert result.returncode == EXIT_CHECK_FAILED
    assert 'The pipeline is run by process ' in result.stderr
    assert_equal(scene)


def test_without_a_history_there_is_nothing_to_verify(scene):
    scene.source.execute(KEYED)
    scene.publish()
    result = scene.run("verify")
    assert result.returncode == EXIT_CHECK_FAILED
    assert "has no history yet" in result.stderr and "HINT:" in result.stderr


def test_another_source_is_refused(scene):
    service = follow(scene, KEYED)
    service.stop()
    scene.target.execute("update pgchronicle.checkpoint set system_identifier = '1'")
    result = scene.run("verify")
    assert result.returncode == EXIT_OPERATOR
    assert "is another source's" in result.stderr and "DETAIL:" in result.stderr


# -- what it needs of the servers, and leaves there -----------------------------------------------

def _as_reader(scene):
    dsn = scene.target_cluster.dsn(scene.target.name, READER)
    scene.pipeline.env["READER_PASSWORD"] = READER_PASSWORD
    scene.configure(target={"dsn": dsn, "password": "${READER_PASSWORD}"})


def test_a_role_that_reads_is_enough_whatever_its_time_limits(scene):
    service = follow(scene, KEYED + "; create table operations.u (id integer primary key)",
                     "insert into operations.t select g, 'a' from generate_series(1, 20000) g",
                     "update operations.t set v = 'b' where id < 100")
    _as_reader(scene)
    for database, role in ((scene.source, SOURCE_USER), (scene.target, READER)):
        for limit in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
            database.execute(f'alter role {role} in database "{database.name}" set {limit} = 1')
    assert assert_equal(scene).table("t")["rows"] == 20000
    scene.target.execute(f"revoke select on analytics.u_history from {READER}")
    verdict = verify(scene)
    assert verdict.code == EXIT_CHECK_FAILED and verdict.table("t")["equal"]
    assert (verdict.table("u")["outcome"], verdict.table("u")["why"]) == (
        "unknown", "permission denied for table u_history")
    assert service.alive


def _while_it_takes_the_snapshot(scene, holder):
    """An open transaction of the source, which the snapshot waits for."""
    holder.execute("insert into operations.t values (999, 'open')")


def _while_it_waits(scene, holder):
    """A history that does not go on."""
    scene.pipeline.services[-1].signal(signal.SIGSTOP)
    scene.source.execute("insert into operations.t values (2, 'b')")


def _while_it_reads(scene, holder):
    """A history that somebody else has locked."""
    holder.execute("lock table analytics.t_history in access exclusive mode")


@pytest.mark.parametrize("moment, side, waits", [
    (_while_it_takes_the_snapshot, "source", lambda s: "Lock" in
     {row[2] for row in sessions(s.source)}),
    (_while_it_waits, "target", lambda s: ("idle in transaction", "Client") in
     {row[1:] for row in sessions(s.source)} and not s.source.slots_by_admin()[1:]),
    (_while_it_reads, "target", lambda s: "Lock" in {row[2] for row in sessions(s.target)}),
], ids=["snapshot", "history", "rows"])
def test_a_signal_ends_it_and_what_it_runs_on_the_servers(scene, moment, side, waits):
    service = follow(scene, KEYED, "insert into operations.t values (1, 'a')")
    scene.catch_up(service)
    connection = getattr(scene, side).connect(autocommit=False)
    try:
        moment(scene, connection.cursor())
        for number in (signal.SIGINT, signal.SIGTERM):
            process = start(scene)
            wait_until(lambda: waits(scene), 30, "verify to wait")
            process.send_signal(number)
            out, err = process.communicate(timeout=5)
            assert (process.returncode, out, err) == (-number, "", "")
            wait_until(lambda: not sessions(scene.source) and not sessions(scene.target), 5,
                       "its sessions to end")
            assert [name for name, _ in scene.source.slots_by_admin()] == [scene.slot]
    finally:
        connection.close()
        service.signal(signal.SIGCONT)
    assert_equal(scene)


def test_a_signal_that_is_ignored_stays_so(scene):
    """As under nohup, or in the background of a script."""
    service = follow(scene, KEYED, "insert into operations.t values (1, 'a')")
    scene.catch_up(service)
    with scene.target.transaction() as holder:
        holder.execute("lock table analytics.t_history in access exclusive mode")
        process = start(scene, "--json",
                        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        wait_until(lambda: "Lock" in {row[2] for row in sessions(scene.target)}, 30,
                   "verify to wait")
        process.send_signal(signal.SIGHUP)
    assert ended(process).code == 0


def test_a_history_that_is_locked_for_long_is_not_waited_for_without_end(scene):
    service = follow(scene, KEYED, "insert into operations.t values (1, 'a')")
    scene.catch_up(service)
    with scene.target.transaction() as holder:
        holder.execute("lock table analytics.t_history in access exclusive mode")
        result = scene.run("verify", "--timeout", "3")
    assert result.returncode == EXIT_RETRIES and "lock timeout" in result.stderr


def test_a_history_that_is_written_anew_meanwhile_gives_no_alarm(scene):
    """ALTER TABLE leaves nothing of a table to a snapshot that is older."""
    service = follow(scene, KEYED + "; create table operations.a (id integer primary key)",
                     "insert into operations.t values (1, 'a');"
                     "insert into operations.a values (1)")
    scene.catch_up(service)
    with scene.target.transaction() as holder:
        holder.execute("lock table analytics.a_history in access exclusive mode")
        process = start(scene, "--json")
        wait_until(lambda: "Lock" in {row[2] for row in sessions(scene.target)}, 30,
                   "verify to wait for the table before")
        scene.target.execute("alter table analytics.t_history set unlogged;"
                             "alter table analytics.t_history set logged")
    verdict = ended(process)
    assert verdict.table("a")["equal"] and verdict.table("t")["outcome"] == "unknown"
    assert "written anew meanwhile" in verdict.table("t")["why"]
    assert_equal(scene)


def test_a_table_that_is_altered_between_snapshot_and_lock_is_tried_again(scene):
    """The snapshot waits for transactions that run; the one that alters comes after those."""
    service = follow(scene, KEYED + "; create table operations.u (id integer primary key)",
                     "insert into operations.t values (1, 'a')")
    scene.catch_up(service)
    first, second, alters = (scene.source.connect(autocommit=False) for _ in range(3))

    def waits_for(connection):
        pid = connection.info.backend_pid
        return scene.source.query(
            "select from pg_stat_activity where %s = any (pg_blocking_pids(pid)) "
            "and application_name = 'pgchronicle verify'", (pid,))
    try:
        first.cursor().execute("insert into operations.u values (1)")
        process = start(scene, "--json")
        wait_until(lambda: waits_for(first), 30, "the snapshot to wait")
        second.cursor().execute("insert into operations.u values (2)")
        first.commit()
        wait_until(lambda: waits_for(second), 30, "the snapshot to wait once more")
        alters.cursor().execute("alter table operations.t rename v to w")
        second.commit()
        wait_until(lambda: waits_for(alters), 30, "the lock to wait")
        alters.commit()
        assert ended(process).code == 0
    finally:
        for connection in (first, second, alters):
            connection.close()


# -- options -------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def two_tables(source_cluster, target_cluster, program, tmp_path_factory):
    """A table that is equal, and one that is not."""
    scene = Scene(source_cluster, target_cluster, tmp_path_factory.mktemp("two_tables"))
    service = follow(
        scene, KEYED + "; create table operations.other (id integer primary key, v text);"
        "insert into operations.t select g, 'v' from generate_series(1, 5000) g;"
        "insert into operations.other values (1, 'a'); analyze")
    scene.catch_up(service)
    scene.target.execute("delete from analytics.other_history")
    yield scene
    scene.close()


def test_only_the_tables_that_are_asked_for_are_verified(two_tables):
    for pattern in ("operations.t", "t", "oper*.?"):
        assert set(assert_equal(two_tables, "--table", pattern).tables) == {"operations.t"}
    both = verify(two_tables, "--table", "t", "--table", "other")
    assert set(both.tables) == {"operations.t", "operations.other"} and both.code == 1


def test_a_table_that_is_not_there_is_wrong_usage(two_tables):
    for arguments in (["--table", "nothing"], ["--table", "t", "--table", "nothing"]):
        result = two_tables.run("verify", *arguments)
        assert result.returncode == EXIT_USAGE and result.stdout == ""
        assert 'has no table "nothing"' in result.stderr


def test_a_sample_that_means_nothing_is_wrong_usage(two_tables):
    for sample in ("0%", "101%", "-1", "0", "much", "%"):
        result = two_tables.run("verify", f"--sample={sample}")
        assert result.returncode == EXIT_USAGE and "invalid sample" in result.stderr, sample


def test_a_sample_says_that_it_is_one(two_tables):
    for sample in ("10%", "500"):
        arguments = ("--table", "t", "--sample", sample, "--seed", str(SEED))
        verdict = assert_equal(two_tables, *arguments)
        table = verdict.table("t")
        assert table["sampled"] and 300 < table["rows"] == table["versions"] < 700, SEED
        assert verdict.report["sample"] == {"asked": sample, "seed": SEED}
        text = two_tables.run("verify", *arguments)
        assert f"operations.t (sample)  {table['rows']} " in text.stdout, "the same rows again"
        assert f"A SAMPLE of {sample}" in text.stdout and f"seed {SEED}" in text.stdout
        assert "no difference in a sample" in text.stdout and "\nequal" not in text.stdout


def test_a_sample_finds_its_part_of_the_differences(two_tables):
    two_tables.target.execute("update analytics.t_history set v = 'w'")
    table = verify(two_tables, "--table", "t", "--sample", "10%").table("t")
    assert 300 < table["differences"] == table["rows"] < 700
    assert verify(two_tables, "--table", "t", "--sample", "100%").table("t")["differences"] == 5000
    two_tables.target.execute("update analytics.t_history set v = 'v'")


def test_the_text_has_a_row_for_each_table(two_tables):
    two_tables.target.execute("update analytics.t_history set v = 'w' where id in (3, 44)")
    result = two_tables.run("verify")
    two_tables.target.execute("update analytics.t_history set v = 'v'")
    lines = result.stdout.splitlines()
    assert result.returncode == EXIT_CHECK_FAILED
    assert lines[2].split() == ["table", "rows", "versions", "differences", "gaps", "invariants"]
    assert lines[3].split() == ["operations.other", "1", "0", "1", "0", "18", "hold"]
    assert lines[4].split() == ["operations.t", "5000", "5000", "2", "0", "18", "hold"]
    assert "\n    id = 1: missing in history\n" in result.stdout
    assert "\n    id = 3: differs in v\n    id = 44: differs in v\n" in result.stdout
    assert result.stderr == ""


def test_a_bar_is_shown_on_a_terminal_only(two_tables):
    ours, terminal = pty.openpty()
    try:
        process = start(two_tables, stderr=terminal)
        out, _ = process.communicate(timeout=30)
        shown = os.read(ours, 65536).decode()
    finally:
        os.close(ours)
        os.close(terminal)
    assert process.returncode == EXIT_CHECK_FAILED and "\x1b" not in out
    assert "] operations.t rows" in shown and "] operations.t invariants" in shown
    assert shown.endswith("\r\x1b[K"), "the line is left clean"
    assert two_tables.run("verify").stderr == ""


# -- memory --------------------------------------------------------------------------------------

def _peak(process):
    """VmHWM in bytes, of a process that runs; 0 once it is gone."""
    try:
        with open(f"/proc/{process.pid}/status") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def _measured(scene, *arguments):
    """(VmHWM, seconds, report) of one `verify`."""
    began = time.monotonic()
    process = start(scene, "--json", *arguments)
    peak = 0
    while process.poll() is None:
        peak = max(peak, _peak(process))
        time.sleep(0.01)
    return peak, time.monotonic() - began, json.loads(process.stdout.read())


def test_memory_does_not_grow_with_the_table(scene):
    """Also in the form of ten million rows of 110 bytes: PGCHRONICLE_VERIFY_ROWS=10000000."""
    rows = int(os.environ.get("PGCHRONICLE_VERIFY_ROWS", 200_000))
    scene.source.execute(
        "create table operations.t (id bigint primary key, v text, n integer);"
        "insert into operations.t select g, repeat(md5(g::text), 3), g "
        f"from generate_series(1, {rows}) g; analyze")
    scene.configure(**QUICK)
    scene.publish()
    service = scene.start_streaming(timeout=600 + rows / 10_000)
    differing = range(max(1, rows // 1000), rows + 1, max(1, rows // 1000))

    def change(cursor, chance):
        """Fifteen rows a commit; those that are planted at later are left alone."""
        low = chance.randrange(1, rows - 15)
        cursor.execute("update operations.t set n = n + 1 where id between %s and %s "
                       "and id %% %s <> 0", (low, low + 14, differing.step))

    with Traffic(scene.source, [change], SEED, pause=0.008) as traffic:
        wait_until(lambda: traffic.commits > 50, 30, "traffic")
        before, began = traffic.commits, time.monotonic()
        results = [_measured(scene, "--timeout", "600")]
        scene.target.execute("update analytics.t_history set n = -n - 1 where is_current "
                             f"and id % {differing.step} = 0")
        results.append(_measured(scene, "--timeout", "600"))
        rate = 15 * (traffic.commits - before) / (time.monotonic() - began)
    for (peak, seconds, report), differences in zip(results, (0, len(differing))):
        print(f"{rows} rows, {rate:.0f} changes/s, {differences} differences: "
              f"VmHWM {peak / 1e6:.1f} MB, {seconds:.1f} s")
        [table] = report["tables"]
        assert (table["rows"], table["differences"]) == (rows, differences)
        assert 0 < peak < 100_000_000
    scene.catch_up(service, timeout=600)

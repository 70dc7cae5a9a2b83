"""`on_error: quarantine`: what cannot be applied to one table leaves that table alone behind, where
it was, until `repair release` has it compared with the source."""

import contextlib
import json

import pytest

from support.lsn import parse_lsn
from support.pgchronicle import (EXIT_CHECK_FAILED, EXIT_DONE, EXIT_OPERATOR, EXIT_USAGE,
                                 failpoint_env, merge)
from support.quarantine_causes import CAUSES
from support.quarantined import (QUARANTINE, assert_equals_source, assert_stands_at, ends_of, gaps,
                                 left_behind, release, wait_left_behind)
from support.replay_scene import WHY, add_bookmark
from support.roles import grant_target
from support.scene import SOURCE_USER, Scene
from support.story import begin, each
from support.verified import assert_equal, verify
from support.waiting import wait_until
from support.whole_history import differences, whole_history

THREE = ("create table operations.a (id integer primary key, v text);"
         "create table operations.b (id integer primary key, v text);"
         "create table operations.c (id integer primary key, v text)")
REFUSE = "alter table analytics.b_history add constraint planted check (v <> 'bad') not valid"
MEND = "alter table analytics.b_history drop constraint planted"
BAD = "insert into operations.b values (1000, 'bad')"

causes = pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.table)


# -- every cause ---------------------------------------------------------------------------------

class Campaign:
    """One pipeline in which a table after the other fails, each in a transaction with changes of
    two others."""

    def __init__(self, scene):
        self.scene = scene
        self.seen = {}  # table -> (LSN, message) when it was left behind
        self.problems = {}
        scene.source.execute("create table operations.before_it (id integer primary key, v text);"
                             "create table operations.after_it (id integer primary key, v text)")
        present = [cause for cause in CAUSES if not cause.late]
        for cause in present:
            scene.source.execute(cause.sql(cause.ddl))
            scene.source.execute(cause.sql(cause.rows))
            if cause.early:
                scene.target.execute(cause.sql(cause.plant))
        scene.configure(**merge(QUARANTINE, {"tables": {"overrides": {
            "operations.key_lost": {"track": ["v"]}}}}))
        tables = ["before_it", "after_it"] + [cause.table for cause in present]
        scene.publish("table " + ", ".join(f"operations.{name}" for name in tables)
                      + " with (publish_via_partition_root = true)")
        self.oracle = scene.oracle(*tables)
        self.oracle.root_of["operations", "key_not_sent_1"] = "operations", "key_not_sent"
        self.specs = {name: scene.spec(name) for name in tables}
        self.service = scene.start_streaming()

    def more(self, n):
        """A row for each table, in a transaction of its own."""
        for cause in CAUSES:
            self.scene.source.execute(cause.sql(cause.more, n=n))
        each(self.scene, f"insert into operations.before_it values ({n}, 'more')",
             f"insert into operations.after_it values ({n}, 'more')")

    def fail(self, number, cause):
        scene = self.scene
        if cause.first:
            scene.catch_up(self.service)  # Else a start may find what is planted, first.
        if cause.plant and not cause.early:
            scene.target.execute(cause.sql(cause.plant))
        if cause.late:
            scene.source.execute(cause.sql(cause.late))
        with scene.source.transaction() as cursor:
            for table in ("before_it", "after_it"):
                cursor.execute(f"insert into operations.{table} values ({number}, 'n')")
                cursor.execute(f"update operations.{table} set v = v || '+' where id = 1")
                if table == "before_it":
                    cursor.execute(cause.sql(cause.fails))
        if cause.restart:
            scene.terminate_walsender()
        self.seen[cause.table] = wait_left_behind(scene, self.service, cause.table)

    def stands(self, cause):
        """What is wrong with its history."""
        try:
            assert_stands_at(self.scene, self.oracle, self.specs[cause.table],
                             self.seen[cause.table][0])
        except AssertionError as wrong:
            self.problems[cause.table] = str(wrong)


@pytest.fixture(scope="module")
def campaign(source_cluster, target_cluster, program, tmp_path_factory):
    """Every table has been left behind, and has changed since; nothing runs."""
    scene = Scene(source_cluster, target_cluster, tmp_path_factory.mktemp("quarantine"))
    try:
        made = Campaign(scene)
        for cause in CAUSES:
            if not cause.late:
                scene.source.execute(cause.sql(cause.more, n=2))
        each(scene, "insert into operations.before_it values (1, 'x')",
             "insert into operations.after_it values (1, 'x')")
        scene.catch_up(made.service)
        for number, cause in enumerate(CAUSES, 100):
            made.fail(number, cause)
        made.more(50)
        scene.catch_up(made.service)
        made.status = json.loads(scene.run("status", "--json").stdout)
        made.log = made.service.events("table_quarantined")
        made.tried = made.service.events("table_failed")
        assert made.service.stop() == EXIT_DONE, made.service.tail()
        for cause in CAUSES:
            if cause.stands == "always" and not cause.early:
                made.stands(cause)
        yield made
    finally:
        scene.close()


@causes
def test_what_cannot_be_applied_leaves_its_table_behind(campaign, cause):
    lsn, message = campaign.seen[cause.table]
    assert cause.says in message
    assert campaign.problems.get(cause.table) is None
    name = f"operations.{cause.table}"
    said, = [event for event in campaign.log if event.fields["table"] == name]
    assert said.level == "error"
    assert cause.says in said.fields["message"] + said.fields["detail"]
    tried = [event for event in campaign.tried if event.fields["table"] == name]
    # A look at the catalog may have come before it.
    assert not cause.first or any(text in tried[0].fields["message"]
                                  for text in (cause.first, cause.says))
    told, = [one for one in campaign.status["quarantines"] if one["table"] == name]
    assert parse_lsn(told["from_lsn"]) == lsn and not told["released"]
    assert cause.says in told["message"] + (told["detail"] or "")


def test_the_other_tables_have_every_change_once(campaign):
    campaign.scene.set_v(campaign.oracle, campaign.specs["before_it"],
                         campaign.specs["after_it"]).assert_holds()


@pytest.fixture(scope="module")
def released(campaign):
    """What could be mended was, and every table was released."""
    scene = campaign.scene
    campaign.gaps = {cause.table: gaps(scene, cause.table) for cause in CAUSES}
    for cause in CAUSES:
        if cause.mend:
            scene.target.execute(cause.sql(cause.mend))
        if cause.mend_source:
            scene.source.execute(cause.sql(cause.mend_source))
        if cause.stands == "mended":
            campaign.stands(cause)
        result = release(scene, cause.table)
        assert result.returncode == EXIT_DONE, result.stderr
    campaign.service = scene.start_streaming()
    campaign.more(51)
    scene.catch_up(campaign.service)
    assert campaign.service.stop() == EXIT_DONE, campaign.service.tail()
    return campaign


@causes
def test_a_release_follows_the_table_again_unless_its_cause_is_there_still(released, cause):
    scene = released.scene
    assert released.problems.get(cause.table) is None
    lsn, _ = released.seen[cause.table]
    assert released.gaps[cause.table] == [(lsn, lsn, False)]
    if not cause.mended:
        (first, until, _), second = gaps(scene, cause.table)
        assert first == lsn < until and second == (until, until, False)
        assert cause.says in left_behind(scene)[cause.table][1]
        return
    assert cause.table not in left_behind(scene)
    assert_equals_source(scene, cause.table)
    seam = scene.target.value("select coalesce(compared, seam)::text from pgchronicle.table_state "
                              "where source_table = %s", (cause.table,))
    assert gaps(scene, cause.table) == [(lsn, parse_lsn(seam), True)]


def test_a_release_leaves_an_audit_row(released):
    assert sorted(released.scene.target.query(
        "select action, reason, detail from pgchronicle.audit")) == sorted(
            ("repair release", "the cause is gone", f"operations.{cause.table}")
            for cause in CAUSES)


# -- exactly where it was ------------------------------------------------------------------------

def backlog(scene, **configuration):
    """A pipeline that is stopped, and transactions over three tables that wait: thirty, one of
    which a constraint refuses a row, and ten more. Returns the oracle."""
    oracle, service = begin(scene, THREE, "a", "b", "c", **merge(QUARANTINE, configuration))
    scene.catch_up(service)
    assert service.stop() == EXIT_DONE
    scene.target.execute(REFUSE)
    for n in range(1, 42):
        with scene.source.transaction() as cursor:
            for table in ("a", "b", "c"):
                cursor.execute(f"insert into operations.{table} values ({n}, 'v')")
                cursor.execute(f"update operations.{table} set v = v || {n} where id <= {n} / 2")
            if n == 31:
                cursor.execute(BAD)
                cursor.execute("insert into operations.c values (1000, 'beside it')")
    return oracle


def start_at_once(scene, env=None):
    """Starts it so that the transactions come in two batches: while a lock holds up the first one,
    all others gather in the second."""
    end = scene.source.value("select pg_current_wal_flush_lsn()::text")
    with scene.target.transaction() as cursor:
        cursor.execute("lock table analytics.a_history in share mode")
        service = scene.start(env=env)
        wait_until(lambda: not service.alive or scene.source.value(
            "select count(*) from pg_stat_replication r join pg_replication_slots s on "
            "s.active_pid = r.pid where slot_name = %s and sent_lsn >= %s::pg_lsn",
            (scene.slot, end)), 30, "all to come")
    return service


def assert_left_behind_at_31(scene, service, oracle):
    """b stands right before the transaction that fails; a and c have everything."""
    scene.catch_up(service)
    assert service.stop() == EXIT_DONE, service.tail()
    ends = ends_of(oracle, "operations", "b")
    (table, (lsn, _)), = left_behind(scene).items()
    assert table == "b" and ends[29] <= lsn < ends[30]
    assert gaps(scene, "b") == [(lsn, lsn, False)]
    assert_stands_at(scene, oracle, scene.spec("b"), lsn)
    scene.set_v(oracle, scene.spec("a"), scene.spec("c")).assert_holds()


def test_transactions_before_the_one_that_fails_are_stored(scene):
    oracle = backlog(scene)
    service = start_at_once(scene)
    failed = service.wait_event("table_failed")
    assert parse_lsn(failed.fields["one_by_one_until"]) >= ends_of(oracle, "operations", "b")[-1]
    assert_left_behind_at_31(scene, service, oracle)
    assert len(service.events("stream_started")) == 3


@pytest.mark.parametrize("point", [
    "after_connect:2", "after_connect:3", "quarantine_uncommitted:1", "between_close_and_open:2",
    "commit_sent_no_reply:15"])
def test_a_kill_at_any_moment_leaves_it_there(scene, tmp_path, point):
    oracle = backlog(scene)
    log = tmp_path / "failpoints"
    killed = start_at_once(scene, failpoint_env(*point.split(":"), log))
    assert killed.wait() == -9, killed.tail()
    assert log.read_text().startswith(point.split(":")[0])
    assert_left_behind_at_31(scene, scene.start_streaming(), oracle)


@pytest.mark.parametrize("streaming", ["off", "on"])
def test_a_large_transaction_that_fails_in_its_middle(scene, streaming):
    oracle, service = begin(scene, THREE, "a", "b", "c", source={"streaming": streaming},
                            **merge(QUARANTINE, {"batch": {"max_rows": 1000}}))
    role = f'alter role {SOURCE_USER} in database "{scene.source.name}"'
    each(scene, "insert into operations.b values (1, 'before')",
         "insert into operations.a values (100000, 'before')")
    scene.target.execute(REFUSE)
    scene.source.execute(f"{role} set logical_decoding_work_mem = '64kB'")
    scene.terminate_walsender()
    with scene.source.transaction() as cursor:
        cursor.execute("insert into operations.a select g, 'a' from generate_series(1, 9000) g")
        cursor.execute("update operations.b set v = 'in it'")
        cursor.execute(BAD)
        cursor.execute("insert into operations.c select g, 'c' from generate_series(1, 9000) g")
        cursor.execute("update operations.a set v = 'aa' where id % 3 = 0")
    each(scene, "insert into operations.b values (2, 'skipped')",
         "insert into operations.c values (100000, 'after')")
    lsn, _ = wait_left_behind(scene, service, "b")
    scene.catch_up(service)
    assert service.stop() == EXIT_DONE, service.tail()
    ends = ends_of(oracle, "operations", "b")
    assert ends[0] <= lsn < ends[1]
    assert_stands_at(scene, oracle, scene.spec("b"), lsn)
    scene.set_v(oracle, scene.spec("a"), scene.spec("c")).assert_holds()


# -- what it is to be left behind ----------------------------------------------------------------

def left(scene, *statements, **configuration):
    """Three tables, of which b is left behind; returns the oracle, the service, and where."""
    oracle, service = begin(scene, THREE, "a", "b", "c", **merge(QUARANTINE, configuration))
    each(scene, "insert into operations.a values (1, 'a')",
         "insert into operations.b values (1, 'b'), (2, 'bb')")
    scene.catch_up(service)
    scene.target.execute(REFUSE)
    each(scene, BAD, *statements)
    lsn, _ = wait_left_behind(scene, service, "b")
    scene.catch_up(service)
    return oracle, service, lsn


def mend_and_release(scene):
    scene.target.execute(MEND)
    assert release(scene, "b").returncode == EXIT_DONE


def test_its_changes_hold_nothing_back(scene):
    _, service, _ = left(scene)
    each(scene, *[f"update operations.b set v = 'skipped {n}'" for n in range(20)])
    end = scene.catch_up(service)
    service.wait_for(lambda: parse_lsn(scene.confirmed()) >= end, 30, "the acknowledgement")
    assert service.stop() == EXIT_DONE


def test_reads_beyond_it_are_errors_and_reads_before_it_are_not(scene):
    _, service, lsn = left(scene)
    each(scene, "update operations.b set v = 'unseen' where id = 1",
         "insert into operations.a values (2, 'seen')")
    scene.catch_up(service)
    assert service.stop() == EXIT_DONE
    at, end = f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}", scene.checkpoint()["last_commit_end"]

    def read(table, how, moment):
        try:
            return scene.target.value(f"select count(*) from analytics.{table}_{how}(%s)",
                                      (moment,))
        except Exception as error:
            return str(error)

    assert read("b", "as_of_lsn", at) == 2 and read("a", "as_of_lsn", end) == 2
    refused = read("b", "as_of_lsn", end)
    assert f"not known at {end}" in refused and f"ends at {at}" in refused
    assert "is not known at" in read("b", "as_of", "infinity")
    assert read("a", "as_of", "infinity") == 2
    before = scene.target.value("select from_time from pgchronicle.quarantine")
    assert read("b", "as_of", before) == 2


def test_verify_finds_its_differences_until_it_is_released(scene):
    _, service, _ = left(scene, "update operations.b set v = 'unseen' where id = 1",
                         "delete from operations.b where id = 2")
    verdict = verify(scene)
    assert verdict.code == EXIT_CHECK_FAILED and verdict.table("a")["equal"]
    assert (verdict.table("b")["differences"], verdict.table("b")["gaps"]) == (3, 0)
    assert service.stop() == EXIT_DONE
    mend_and_release(scene)
    service = scene.start_streaming()
    table = assert_equal(scene).table("b")
    assert (table["differences"], table["gaps"]) == (0, 0)
    assert service.stop() == EXIT_DONE


def test_it_stays_where_it_is_over_restarts(scene):
    oracle, service, lsn = left(scene)
    for n in range(2):
        assert service.stop() == EXIT_DONE
        service = scene.start_streaming()
        each(scene, f"update operations.b set v = 'skipped {n}' where id = 1",
             f"insert into operations.a values ({n + 10}, 'a')")
        scene.catch_up(service)
        assert [event.fields["table"] for event in service.events("table_left_behind")] \
            == ["operations.b"]
    assert service.stop() == EXIT_DONE
    assert left_behind(scene)["b"][0] == lsn and len(gaps(scene, "b")) == 1
    assert_stands_at(scene, oracle, scene.spec("b"), lsn)
    scene.set_v(oracle, scene.spec("a"), scene.spec("c")).assert_holds()


def test_a_replay_leaves_it_where_it_is(scene):
    _, service, lsn = left(scene)
    add_bookmark(scene, "here")
    each(scene, "update operations.b set v = 'skipped'", "insert into operations.a values (5, 'x')",
         "update operations.a set v = 'changed'")
    scene.catch_up(service)
    assert service.stop() == EXIT_DONE
    before = whole_history(scene.target, scene.name)
    grant_target(scene.target, schema="proof")
    for options in ((), ("--into", "proof")):
        result = scene.run("replay", "--from", "here", *WHY, *options, timeout=120)
        assert result.returncode == EXIT_DONE, result.stderr
        assert differences(before, whole_history(scene.target, scene.name)) == {}
    for table in "ab":
        assert scene.target.value(
            f"select count(*) from (table analytics.{table}_history except all "
            f"table proof.{table}_history) d") == 0
    assert left_behind(scene)["b"][0] == lsn


# -- what quarantines, and what does not ---------------------------------------------------------

def test_a_table_may_stop_everything_where_others_do_not_and_the_other_way_round(scene):
    for default, own in (("quarantine", "stop"), ("stop", "quarantine")):
        scene.configure(tables={"on_error": default,
                                "overrides": {"operations.b": {"on_error": own}}})
        if own == "stop":
            scene.source.execute(THREE)
            scene.publish()
            service = scene.start_streaming()
            scene.target.execute(REFUSE)
            scene.source.execute(BAD)
            assert service.wait() == EXIT_OPERATOR
            assert 'violates check constraint "planted"' in service.tail()
            assert "Table \"operations.b\" was being written." in service.tail()
            assert left_behind(scene) == {}
        else:
            service = scene.start_streaming()
            wait_left_behind(scene, service, "b")
            assert service.stop() == EXIT_DONE


@pytest.mark.parametrize("plant, says", [
    ("alter schema analytics owner to postgres; revoke all on schema analytics from analytics_user",
     "permission denied for schema analytics"),
    ("update pgchronicle.checkpoint set position = position - 8", "is not at"),
    ("alter table pgchronicle.checkpoint rename column position to place", "position"),
], ids=["schema", "checkpoint", "metadata"])
def test_what_concerns_no_single_table_stops_everything(scene, plant, says):
    _, service = begin(scene, THREE, "a", "b", "c", **QUARANTINE)
    scene.catch_up(service)
    scene.target.execute(plant)
    each(scene, "insert into operations.a values (1, 'a')",
         "insert into operations.b values (1, 'b')")
    assert service.wait() == EXIT_OPERATOR, service.tail()
    assert says in service.tail()
    assert scene.target.value("select count(*) from pgchronicle.quarantine") == 0


def test_errors_that_pass_are_waited_for(scene):
    oracle, service = begin(scene, THREE, "a", "b", "c", **QUARANTINE)
    scene.target.execute(
        "create function public.full(text) returns boolean language plpgsql as $$ begin "
        "raise exception 'planted' using errcode = 'disk_full'; end $$;"
        "alter table analytics.b_history add constraint planted check (public.full(v))")
    each(scene, "insert into operations.b values (1, 'b')")
    service.wait_event("reconnecting", count=3, sqlstate="53100")
    scene.target.execute(MEND)
    each(scene, "insert into operations.a values (1, 'a')")
    scene.catch_up(service)
    assert service.stop() == EXIT_DONE and left_behind(scene) == {}
    scene.set_v(oracle, *map(scene.spec, "abc")).assert_holds()


# -- release -------------------------------------------------------------------------------------

def test_release_asks_for_a_reason_a_table_in_quarantine_and_a_pipeline_that_is_stopped(scene):
    _, service, _ = left(scene)
    result = release(scene, "b")
    assert result.returncode == EXIT_OPERATOR and "is running" in result.stderr
    assert service.stop() == EXIT_DONE
    assert release(scene, "b", "--reason", " ").returncode == EXIT_USAGE
    for table in ("a", "none"):
        result = release(scene, table)
        assert result.returncode == EXIT_USAGE and "is not in quarantine" in result.stderr
    result = scene.run("repair", "reseed", "operations.b", "--reason", "instead")
    assert result.returncode == EXIT_OPERATOR and "repair release" in result.stderr
    assert scene.target.value("select count(*) from pgchronicle.audit") == 0


SKIPPED = ("update operations.b set v = 'skipped' where id = 1",
           "delete from operations.b where id = 2",
           "insert into operations.b values (2, 'again'), (3, 'new')",
           "truncate operations.b", "insert into operations.b values (1, 'back'), (4, 'four')")
AFTER = ("update operations.b set v = v || '!'", "insert into operations.b values (5, 'five')",
         "delete from operations.b where id = 4")


def assert_exact_when_started(scene, oracle, lsn):
    """Started, b is the source's at every commit from its new seam on; before, it is what it was.
    Nothing runs afterwards."""
    service = scene.start_streaming()
    each(scene, *AFTER)
    scene.catch_up(service)
    assert service.stop() == EXIT_DONE
    seam = parse_lsn(scene.target.value("select compared::text from pgchronicle.table_state "
                                        "where source_table = 'b'"))
    assert gaps(scene, "b")[-1][1:] == (seam, True) and "b" not in left_behind(scene)
    spec = scene.spec("b")
    set_v = scene.set_v(oracle, scene.spec("a"), spec)
    model = oracle.model([spec], slot_start=parse_lsn(scene.checkpoint()["slot_start"]),
                         seams={spec.id: 1 << 60})
    set_v.model = model
    with contextlib.closing(scene.target.connect()) as target:
        known = [point for point in model.digests if point[0] <= lsn or point[0] >= seam]
        assert set_v._as_of(target, known, [spec]) > 0
    assert set_v.problems == []
    assert sum(end > seam for end, _ in known) > 0
    assert_equals_source(scene, "b")


def test_a_released_table_is_exact_from_its_new_seam_on(scene):
    oracle, service, lsn = left(scene, *SKIPPED)
    assert service.stop() == EXIT_DONE
    mend_and_release(scene)
    each(scene, "update operations.b set v = 'while it is stopped' where id = 1")
    assert_exact_when_started(scene, oracle, lsn)
    scene.set_v(oracle, scene.spec("a"), scene.spec("c")).assert_holds()
    operations = scene.target.query("select id, v, operation_type from analytics.b_history "
                                    "where operation_type = 'RECONCILE' order by id, lsn_to")
    assert operations == [(1, "while it is stopped", "RECONCILE"), (2, "bb", "RECONCILE"),
                          (4, "four", "RECONCILE")]


def test_a_release_with_the_cause_still_there_leaves_it_behind_again(scene):
    oracle, service, lsn = left(scene, *SKIPPED)
    assert service.stop() == EXIT_DONE
    scene.source.execute(BAD + " on conflict do nothing")
    assert release(scene, "b").returncode == EXIT_DONE
    service = scene.start()
    service.wait_event("table_quarantined")
    wait_left_behind(scene, service, "b")
    each(scene, "insert into operations.a values (7, 'goes on')")
    scene.catch_up(service)
    assert service.stop() == EXIT_DONE
    (first, until, repaired), second = gaps(scene, "b")
    assert (first, repaired) == (lsn, False) and second == (until, until, False)
    assert left_behind(scene)["b"][0] == lsn
    assert_stands_at(scene, oracle, scene.spec("b"), lsn)
    mend_and_release(scene)
    assert_exact_when_started(scene, oracle, lsn)
    assert [repaired for _, _, repaired in gaps(scene, "b")] == [True, True]


@pytest.mark.parametrize("event", ["copy_started", "stream_started", "copy_table_done"])
def test_a_release_survives_kills(scene, event):
    oracle, service, lsn = left(scene, *SKIPPED)
    assert service.stop() == EXIT_DONE
    mend_and_release(scene)
    each(scene, "update operations.b set v = v || '?'")
    service = scene.start()
    service.wait_event(event)
    service.kill9()
    assert_exact_when_started(scene, oracle, lsn)


def test_what_happens_to_the_table_meanwhile_is_followed_at_the_seam(scene):
    _, service, _ = left(
        scene, "alter table operations.b add w integer default 7",
        "alter table operations.b rename v to text", "update operations.b set w = 8 where id = 1",
        "alter table operations.b rename to renamed",
        "insert into operations.renamed values (9, 'nine')")
    assert service.stop() == EXIT_DONE
    mend_and_release(scene)
    service = scene.start_streaming()
    each(scene, "update operations.renamed set text = text || '!'")
    scene.catch_up(service)
    assert service.stop() == EXIT_DONE
    assert_equals_source(scene, "renamed")
    assert left_behind(scene) == {} and gaps(scene, "b")[0][2]
    assert scene.target.value("select count(*) from analytics.b_current") == 0


def test_a_table_that_is_dropped_meanwhile_is_let_go(scene):
    _, service, lsn = left(scene, "drop table operations.b")
    assert service.stop() == EXIT_DONE
    assert release(scene, "b").returncode == EXIT_DONE
    service = scene.start_streaming()
    each(scene, "insert into operations.a values (7, 'goes on')")
    scene.catch_up(service)
    assert service.stop() == EXIT_DONE
    assert left_behind(scene) == {}
    (start, end, repaired), = gaps(scene, "b")
    assert start == lsn < end and not repaired


def test_a_table_left_behind_before_its_copy_is_compared_and_not_believed(scene):
    """What waited in the slot made versions that were open when it failed, and changed since."""
    scene.source.execute(THREE)
    scene.publish()
    scene.create_slot()
    scene.configure(**QUARANTINE)
    history = CAUSES[-1].sql(CAUSES[-1].plant).replace("copy_refused", "b")
    scene.target.execute(history)
    each(scene, "insert into operations.b values (1, 'one'), (2, 'two')",
         "update operations.b set v = 'changed' where id = 1", BAD,
         "insert into operations.a values (1, 'a')")
    service = scene.start_streaming()
    wait_left_behind(scene, service, "b")
    each(scene, "update operations.b set v = 'unseen' where id = 1",
         "delete from operations.b where id = 2", "insert into operations.b values (3, 'three')")
    scene.catch_up(service)
    assert service.stop() == EXIT_DONE
    assert scene.target.query("select id, v from analytics.b_current order by id") \
        == [(1, "changed"), (2, "two")]
    mend_and_release(scene)
    service = scene.start_streaming()
    each(scene, *AFTER)
    scene.catch_up(service)
    assert service.stop() == EXIT_DONE
    assert_equals_source(scene, "b")
    assert left_behind(scene) == {}
    seam, begins = scene.target.query("select seam::text, consistent_from::text from "
                                      "pgchronicle.table_state where source_table = 'b'")[0]
    assert seam == begins and gaps(scene, "b")[0][1:] == (parse_lsn(seam), True)

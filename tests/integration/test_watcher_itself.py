"""Each check of the watcher is seen to fail on a planted fault; no program is needed for that."""

import contextlib
import os

import psycopg2
import psycopg2.extras
import pytest

from support.lsn import format_lsn, parse_lsn
from support.scene import SOURCE_PASSWORD, SOURCE_USER
from support.waiting import wait_until
from support.watcher import Watcher

FIRST = parse_lsn("7F/1000")  # After anything that the source's slot can have confirmed.
COMMITS = [FIRST + 100 * n for n in range(1, 6)]


@pytest.fixture
def watched(bare_scene):
    """A slot, and a checkpoint and a history that the test writes."""
    bare_scene.create_slot()
    bare_scene.target.execute(
        "create schema if not exists pgchronicle; create schema if not exists analytics;"
        "create table pgchronicle.checkpoint (pipeline text, position pg_lsn, "
        "last_commit_end pg_lsn);"
        "create table analytics.a_history (operation_type text, lsn_from pg_lsn);"
        "create table analytics.b_history (like analytics.a_history)")
    bare_scene.target.execute("insert into pgchronicle.checkpoint values (%s, %s, %s)",
                              (bare_scene.name, format_lsn(FIRST), format_lsn(FIRST)))
    return bare_scene


@contextlib.contextmanager
def _watching(scene, **options):
    watcher = Watcher(scene.source, scene.target, scene.slot, scene.name, interval=0.01,
                      histories=["analytics.a_history", "analytics.b_history"], **options)
    watcher.start()
    try:
        _look(watcher)
        yield watcher
    finally:
        watcher.stop()


def _look(watcher):
    """Waits until it has looked at what is there now."""
    samples = watcher.samples
    wait_until(lambda: watcher.samples > samples + 1 or watcher.violations, 20, "samples")


def _commit(scene, end, *tables, checkpoint=True):
    """The versions of one source transaction, and the checkpoint, become visible at once."""
    with scene.target.transaction() as cursor:
        for table in tables:
            cursor.execute(f"insert into analytics.{table}_history values ('INSERT', %s)",
                           (format_lsn(end),))
        if checkpoint:
            cursor.execute("update pgchronicle.checkpoint set position = %s, last_commit_end = %s",
                           (format_lsn(end), format_lsn(end)))


def _kinds(violations):
    return {violation.split(":")[0] for violation in violations}


def test_where_nothing_is_wrong_nothing_is_found(watched):
    with _watching(watched, pid_of=os.getpid, rss_limit=1 << 40) as watcher:
        for end in COMMITS:
            _commit(watched, end, "a", "b")
            _look(watcher)
    assert watcher.violations == []
    assert len(watcher.seen) >= len(COMMITS)
    assert watcher.prefix_violations(COMMITS) == []
    assert watcher.seen == []


def test_w1_a_slot_that_is_ahead_of_the_checkpoint_is_found(watched):
    with _watching(watched) as watcher:
        assert watcher.violations == []
        watched.target.execute("update pgchronicle.checkpoint set position = '0/1'")
        _look(watcher)
    assert "W1" in _kinds(watcher.violations)


def test_w2_a_checkpoint_that_goes_back_is_found_unless_it_may(watched):
    for may_go_back in (True, False):
        _commit(watched, COMMITS[1])
        with _watching(watched, may_go_back=may_go_back) as watcher:
            _commit(watched, COMMITS[0])
            _look(watcher)
        assert _kinds(watcher.violations) == (set() if may_go_back else {"W2"})


def test_w3_a_second_walsender_that_streams_to_the_program_is_found(watched):
    for number in (1, 2):
        watched.source.execute("select pg_create_logical_replication_slot(%s, 'test_decoding')",
                               (f"{watched.slot}_{number}",))
    dsn = watched.source_cluster.dsn(watched.source.name, SOURCE_USER)
    with contextlib.ExitStack() as stack, _watching(watched) as watcher:
        for number in (1, 2):
            connection = stack.enter_context(contextlib.closing(psycopg2.connect(
                dsn, password=SOURCE_PASSWORD,
                connection_factory=psycopg2.extras.LogicalReplicationConnection)))
            connection.cursor().start_replication(slot_name=f"{watched.slot}_{number}")
            if number == 1:
                wait_until(lambda: watched.source.value(
                    "select count(*) from pg_stat_replication where state = 'streaming'"), 20,
                    "the first walsender")
                _look(watcher)
                assert watcher.violations == []
        wait_until(lambda: watcher.violations, 20, "the violation")
    assert _kinds(watcher.violations) == {"W3"}


def test_w4_a_process_that_is_too_large_is_found(watched):
    with _watching(watched, pid_of=os.getpid, rss_limit=1 << 20) as watcher:
        wait_until(lambda: watcher.violations, 20, "the violation")
    assert _kinds(watcher.violations) == {"W4"}


@pytest.mark.parametrize("wrong", ["lost", "torn", "early", "late", "unknown"])
def test_w5_a_history_that_is_no_prefix_of_the_commits_is_found(watched, wrong):
    with _watching(watched) as watcher:
        _commit(watched, COMMITS[0], "a", "b")
        _look(watcher)
        if wrong == "lost":  # The one after it is visible.
            _commit(watched, COMMITS[2], "a", "b")
        elif wrong == "torn":  # One table is behind the other, and the checkpoint with it.
            _commit(watched, COMMITS[1], "a", checkpoint=False)
            _look(watcher)
            _commit(watched, COMMITS[1], "b")
        elif wrong == "early":
            _commit(watched, COMMITS[1], "a", "b", checkpoint=False)
        elif wrong == "late":
            _commit(watched, COMMITS[1])
        else:
            _commit(watched, COMMITS[1] - 1, "a")
        _look(watcher)
    assert watcher.violations == []
    assert _kinds(watcher.prefix_violations(COMMITS)) == {"W5"}


def test_what_happens_while_the_watcher_is_sent_away_is_not_looked_at(watched):
    _commit(watched, COMMITS[4], "a")
    with _watching(watched) as watcher:
        with watcher.away():
            _commit(watched, COMMITS[3])
        _look(watcher)
        assert watcher.violations == []
        _commit(watched, COMMITS[2])
        _look(watcher)
    assert _kinds(watcher.violations) == {"W2"}

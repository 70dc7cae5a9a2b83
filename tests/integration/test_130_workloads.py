"""Workloads that check themselves leave an exact history, and no fault planted into it is missed.

The short form: all workloads in one database, streaming off and on, with kills in the middle. The
long form is `make workloads`.
"""

import contextlib
import os
import random
import re
from collections import Counter

import pytest

from support.campaign import Campaign, arithmetic
from support.planted import FAULTS, Borrowed, found_by, planted
from support.scene import Scene
from support.stream_proxy import StreamProxy, pgoutput_tag
from support.workloads import WORKLOADS

TRANSACTIONS = int(os.environ.get("PGCHRONICLE_WORKLOAD_TRANSACTIONS", "400"))  # of each workload
DRAWS = int(os.environ.get("PGCHRONICLE_PLANTED_DRAWS", "5"))
SEED = int(os.environ.get("PGCHRONICLE_SEED", random.SystemRandom().randrange(1 << 32)))
KILLS = [("mid_transaction", 40), ("after_rows_before_checkpoint", 5), ("commit_sent_no_reply", 5)]



@contextlib.contextmanager
def _ran(clusters, workdir, streaming):
    """A campaign that is over, its scene still there."""
    print(f"seed {SEED}")
    scene = Scene(*clusters, workdir)
    tags = Counter()

    def count(tag, payload, whole):
        tags[pgoutput_tag(tag, payload)] += 1
        return whole
    campaign = Campaign(scene, [kind() for kind in WORKLOADS.values()], streaming=streaming,
                        seed=SEED, failpoints=KILLS, points_per_round=34, witnesses_per_round=4)
    try:
        with contextlib.ExitStack() as stack:
            if streaming:
                proxy = stack.enter_context(StreamProxy(scene.source_cluster.port))
                proxy.rewrite = count
                dsn = scene.pipeline.config["source"]["dsn"]
                scene.configure(source={"dsn": proxy.dsn_through(dsn)})
            # Nothing is forgotten: faults planted later are looked for in the whole history.
            campaign.run(TRANSACTIONS, 3, kill_each_round=True, forget=False)
        campaign.stream_aborts = tags[b"A"]
        print(campaign.outcome, f"{campaign.stream_aborts} aborts of streamed transactions")
        yield campaign
    finally:
        if campaign.outcome.problems or not campaign.outcome.transactions:
            print(scene.pipeline.whole_log()[-6000:])
        scene.close()


@pytest.fixture(scope="module")
def ran_off(source_cluster, target_cluster, program, tmp_path_factory):
    with _ran((source_cluster, target_cluster), tmp_path_factory.mktemp("off"), False) as campaign:
        yield campaign


@pytest.fixture(scope="module")
def ran_on(source_cluster, target_cluster, program, tmp_path_factory):
    with _ran((source_cluster, target_cluster), tmp_path_factory.mktemp("on"), True) as campaign:
        yield campaign


@pytest.mark.parametrize("streaming", ["off", "on"])
def test_the_history_of_every_workload_is_exact_in_spite_of_kills(request, streaming):
    campaign = request.getfixturevalue(f"ran_{streaming}")
    outcome = campaign.outcome
    assert not outcome.problems, f"seed {SEED}\n" + "\n".join(outcome.problems)
    assert outcome.transactions == TRANSACTIONS * len(WORKLOADS)
    assert outcome.points >= 100
    assert campaign.judge.unmodelled_points > 0
    assert campaign.fired() == [name for name, _ in KILLS]
    assert (outcome.streamed > 0) == (streaming == "on")
    assert campaign.stream_aborts > 0 or streaming == "off"


@contextlib.contextmanager
def _changed(campaign, statement="select 1"):
    """The target with a change in it that is undone."""
    target = Borrowed(campaign.scene.target)
    try:
        with target.cursor() as cursor:
            cursor.execute(statement)
            assert cursor.rowcount > 0, "nothing was changed"
        yield target
    finally:
        target.undo()


def test_where_nothing_is_planted_nothing_is_found(ran_on):
    with _changed(ran_on) as target:
        assert found_by(ran_on, target, ran_on.judge.specs, SEED) == (set(), [])


@pytest.mark.parametrize("fault", FAULTS, ids=lambda name: name.replace(" ", "_"))
def test_a_fault_planted_at_a_random_row_is_found(ran_on, fault):
    seen = Counter()
    for draw in range(DRAWS):
        seed = f"{SEED}/{fault}/{draw}"
        with planted(ran_on.scene.target, ran_on.judge.specs, fault, seed) as planting:
            target, touched, what = planting
            checks, _ = found_by(ran_on, target, touched, seed)
        assert checks, f"seed {SEED}: nothing finds {fault}: {what}"
        seen.update(checks)
        seen["V8 alone"] += checks == {"V8"}
    print(f"{fault}: found by {dict(sorted(seen.items()))} in {DRAWS} draws")


def _one(table, where):
    return (f"ctid = (select ctid from analytics.{table}_history where {where} "
            "order by ctid desc limit 1)")


ENDED = "operation_type = 'UPDATE' and not is_current"
BREAKS = {
    "every version of la_a is the one before": f"delete from la_a where {_one('la_a', ENDED)}",
    "every version of la_b is the one before": f"delete from la_b where {_one('la_b', ENDED)}",
    "every version of la_c is the one before": f"delete from la_c where {_one('la_c', ENDED)}",
    "a number is in as many lists": "delete from la_a where "
        + _one("la_a", "operation_type = 'UPDATE' and is_current and list !~ '/1$'"),
    "the copied balances": "update bank_b set balance = balance + 1 where "
        + _one("bank_b", "operation_type = 'SNAPSHOT'"),
    "the sum of all balances": f"update bank_a set balance = balance - 1 where "
                               f"{_one('bank_a', ENDED + ' and lsn_to > lsn_from')}",
    "a commit changes each account": "update bank_ledger set amount = amount + 1 where "
        + _one("bank_ledger", "true"),
    "each row is there once": f"update tg_swap set who = who + 1 where "
                              f"{_one('tg_swap', ENDED + ' and lsn_to > lsn_from')}",
    "a shift moves every row": "update tg_shift set id = id + 1 where "
        + _one("tg_shift", "is_current"),
    "a row that comes back": "update tg_flap set n = n + 1 where "
        + _one("tg_flap", "operation_type = 'INSERT'"),
    "every life is counted": "delete from tg_count where " + _one("tg_count", ENDED),
    "the bag holds": "delete from tg_bag where "
        + _one("tg_bag", "operation_type = 'INSERT' and lsn_to is distinct from lsn_from"),
    "the digest in to_default": "update to_default set bin = bin || '\\x00' where "
        + _one("to_default", "bin is not null"),
    "the digest in to_full": "update to_full set ext = null where "
        + _one("to_full", "ext is not null"),
    "each row of to_default": "update to_default set n = n + 1 where "
        + _one("to_default", "operation_type = 'INSERT'"),
    "each row of to_full": "update to_full set n = n + 1 where "
        + _one("to_full", "operation_type = 'INSERT'"),
    "nothing large is NULL in to_default": "update to_default set ext = null where "
        "operation_type = 'UPDATE' and is_current",
    "nothing large is NULL in to_full": "update to_full set inl = null where "
        "operation_type = 'UPDATE' and is_current",
    "nothing that was to be rolled back": "update sp_rows set fate = 'aborted' where "
        + _one("sp_rows", "not is_current"),
    "each commit wrote as many rows": "delete from sp_rows where "
        + _one("sp_rows", "operation_type = 'INSERT'"),
    "a ledger's row is written once": "insert into sp_ledger select * from "
        "analytics.sp_ledger_history where " + _one("sp_ledger", "true"),
    "every value of sc_a": "update sc_a set v = -1",
    "every value of sc_b": "update sc_b set v = -1",
    "a row of sc_x counts": "update sc_x set n = 1000000 - n",
    "a row of sc_y counts": "update sc_y set n = 1000000 - n",
}


def test_each_claim_of_a_workload_can_fail(ran_on):
    for workload in ran_on.workloads:
        for claim in workload.checks():
            [begin] = [begin for begin in BREAKS if claim.startswith(begin)]
            statement = re.sub(r"^(update|delete from|insert into) (\w+)",
                               r"\1 analytics.\2_history", BREAKS[begin])
            with _changed(ran_on, statement) as target:
                broken = [what for what, _ in arithmetic(target, [workload])]
            assert f"{workload.name}: {claim}" in broken, (claim, broken)


def test_a_wrong_row_of_a_swapped_table_is_found_by_as_of_reads(ran_on):
    judge = ran_on.judge
    assert not judge.problems
    with _changed(ran_on, "update analytics.sc_x_history set n = n + 1") as target:
        judge._as_of(target, judge.points, judge.unmodelled)
    assert {problem.split(":")[0] for problem in judge.problems} == {"V9 sc_x"}
    judge.problems.clear()


def test_what_is_forgotten_between_rounds_is_still_judged(make_scene, source_cluster,
                                                          target_cluster, program):
    """The versions of a round that was right may not change later, and the oracle may not err."""
    scene = make_scene(source_cluster, target_cluster)
    campaign = Campaign(scene, [WORKLOADS["bank"]()], streaming=False, seed=SEED,
                        points_per_round=5, witnesses_per_round=2)
    assert campaign.run(150, 3).problems == []
    judge = campaign.judge
    assert all(version.open for v in judge.model.history.values() for version in v.log)
    scene.target.execute("update analytics.bank_a_history set valid_to = valid_to - "
                         "interval '1 microsecond' where ctid = (select ctid from analytics."
                         "bank_a_history where lsn_to > lsn_from order by lsn_to limit 1)")
    assert any(problem.startswith("V8 later bank_a: versions closed in (0/0")
               for problem in judge.check_end())
    judge.problems.clear()
    judge.model.digests.append((1, {("operations", "bank_a"): (25, 1)}))
    judge._compare_witnessed([(2, {("operations", "bank_a"): (25, 2)})])
    assert [problem.split(":")[0] for problem in judge.problems] == ["oracle"]

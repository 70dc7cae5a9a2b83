"""`replay --into`: a copy of the history as of an LSN, streamed on beside the history itself."""

import concurrent.futures
import contextlib
import random

from support.lsn import format_lsn, parse_lsn
from support.model import Model
from support.pgchronicle import EXIT_DONE, EXIT_OPERATOR, EXIT_USAGE
from support.replay_scene import (SEED, WHY, SchemaWithoutRewrites, add_bookmark, insert,
                                  past_bookmark, slots, streaming, wait_unlocked)
from support.roles import grant_target
from support.set_v import compare_keyed, compare_unkeyed, read_history
from support.whole_history import (differences, history_tables, rows_as_they_were,
                                   whole_history)
from support.waiting import wait_until
from support.workloads import Bank, Toggle
from support.workloads.drive import Drive


def into(scene, schema, *arguments, **options):
    return scene.run("replay", "--into", schema, *arguments, *WHY, timeout=300, **options)


def room(scene, schema):
    """A schema that the program may write to."""
    grant_target(scene.target, schema=schema)


def against_the_oracle(scene, oracle, specs, lsn):
    """What differs between the copy that `specs` describe and what the oracle decoded till then."""
    start, = scene.target.query("select slot_start::text from pgchronicle.checkpoint "
                                "where pipeline = %s", (scene.name,))[0]
    seams = {(schema, table): parse_lsn(seam) for schema, table, seam in scene.target.query(
        "select source_schema, source_table, seam::text from pgchronicle.table_state "
        "where pipeline = %s", (scene.name,))}
    model = Model(specs, oracle.initial, parse_lsn(start), seams)
    model.run(transaction for transaction in oracle.drain()
              if transaction.end_lsn <= parse_lsn(lsn))
    with contextlib.closing(scene.target.connect()) as target:
        found = {spec.name: read_history(target, spec) for spec in specs}
    assert sum(map(len, found.values())) > 300
    return {spec.name: problems for spec in specs if (problems := (
        compare_keyed if spec.key else compare_unkeyed)(
            spec, model.versions(spec.id), found[spec.name]))}


def copied(scene, schema, lsn):
    """Rows that the copy in `schema` has otherwise than the history as of `lsn`, by table."""
    found = {}
    for live, table in history_tables(scene.target, scene.name):
        copy, was = (rows_as_they_were(scene.target, name, table, lsn) for name in (schema, live))
        if copy != was:
            found[table] = [row for row in copy if row not in was], [
                row for row in was if row not in copy]
    return found


def test_a_copy_is_the_history_as_of_its_end_while_the_pipeline_goes_on(scene):
    print(f"seed {SEED}")
    workloads = [Bank(), Toggle(), SchemaWithoutRewrites()]
    for workload in workloads:
        with scene.source.transaction() as cursor:
            workload.prepare(cursor)
    scene.publish()
    oracle = scene.oracle(*(table for workload in workloads for table in workload.tables))
    specs = [scene.spec(table, target_schema="shadow",
                        **({"key": []} if table in workload.unkeyed else {}))
             for workload in workloads for table in workload.tables]
    room(scene, "shadow")
    service = scene.start_streaming()
    drive = Drive(scene.source, workloads, SEED)
    drive.run(40, witnesses=0)
    scene.catch_up(service, 120)
    position, _ = add_bookmark(scene, "here")
    workloads[-1].changed.clear()
    drive.run(60, witnesses=0)
    scene.catch_up(service, 120)
    # The end of some transaction in between.
    ends = [lsn for lsn, in scene.target.query(
        "select distinct lsn_from::text from analytics.bank_ledger_history where lsn_from > %s",
        (position,))]
    until = random.Random(SEED).choice(ends)
    drive.run(40, witnesses=0)
    before = whole_history(scene.target, scene.name)
    result = into(scene, "shadow", "--from", "here", "--until", until)
    assert result.returncode == EXIT_DONE, result.stderr[-4000:]
    scene.catch_up(service, 120)
    assert service.alive and service.stop() == EXIT_DONE
    # Where a column was added or renamed later, the history has it; the oracle judges those two.
    differing = copied(scene, "shadow", until)
    altered = {f"{table}_history" for table in SchemaWithoutRewrites.followed}
    assert differing.keys() <= altered, f"seed {SEED}: {differing}"
    assert against_the_oracle(scene, oracle, specs, until) == {}, f"seed {SEED}"
    # It can be read as the history can, and is not written any more.
    assert scene.target.value(
        "select checkpoint.position::text from pgchronicle.checkpoint where pipeline = %s",
        (scene.name + "/shadow",)) == until
    for table in ("bank_ledger", "tg_bag", "sc_a"):
        assert scene.target.value(f"select count(*) from shadow.{table}_as_of_lsn(%s)", (until,)) \
            == scene.target.value(f"select count(*) from analytics.{table}_as_of_lsn(%s)", (until,))
        assert scene.target.value(f"select count(*) from shadow.{table}_current") >= 0
    assert not [name for name in slots(scene) if "replay" in name]
    assert before.keys() == whole_history(scene.target, scene.name).keys()
    # To the end, into the same schema, after a kill in the middle.
    killed = into(scene, "shadow", "--from", "here", env=scene.failpoint(
        "after_rows_before_checkpoint"))
    assert killed.returncode == -9, killed.stderr
    wait_unlocked(scene)
    end = scene.checkpoint()["position"]
    live = whole_history(scene.target, scene.name)
    result = into(scene, "shadow", "--from", "here")
    assert result.returncode == EXIT_DONE, result.stderr[-4000:]
    differing = copied(scene, "shadow", end)
    assert differing == {}, f"seed {SEED}: {differing}"
    assert differences(live, whole_history(scene.target, scene.name)) == {}
    assert not [name for name in slots(scene) if "replay" in name]
    assert scene.target.query(
        "select from_lsn::text, to_lsn::text from pgchronicle.audit where action = 'replay into' "
        "order by id limit 1") == [(position, until)]


def test_a_column_that_is_renamed_when_the_copy_begins_is_called_as_it_was_then(scene):
    service = streaming(scene)
    insert(scene, service, 1, 3)
    add_bookmark(scene, "b")
    insert(scene, service, 2, 5)
    end = scene.checkpoint()["position"]
    room(scene, "shadow")

    def waiting(table, count):
        wait_until(lambda: scene.target.value(
            "select count(*) from pg_locks where not granted and relation = %s::regclass",
            (table,)) == count, 20, f"{count} to wait for {table}")

    with concurrent.futures.ThreadPoolExecutor() as pool, \
            contextlib.closing(scene.target.connect(autocommit=False)) as begins, \
            contextlib.closing(scene.target.connect(autocommit=False)) as alters:
        # It has looked whether it can be made, and not begun to.
        begins.cursor().execute("lock table pgchronicle.replay in share mode")
        copying = pool.submit(into, scene, "shadow", "--from", "b")
        waiting("pgchronicle.replay", 1)
        alters.cursor().execute("lock table analytics.t_history in access exclusive mode")
        scene.source.execute("alter table operations.t rename v to w")
        scene.source.execute("insert into operations.t values (6, 'w')")
        waiting("analytics.t_history", 1)
        begins.rollback()
        waiting("analytics.t_history", 2)
        alters.rollback()
        result = copying.result()
    assert result.returncode == EXIT_DONE, result.stderr
    scene.catch_up(service)
    assert service.stop() == EXIT_DONE
    assert scene.target.query("select id, v from shadow.t_history order by lsn_from, change_seq") \
        == scene.target.query("select id, w from analytics.t_history where lsn_from <= %s "
                              "order by lsn_from, change_seq", (end,))


def test_a_damaged_history_differs_from_its_copy(scene):
    past_bookmark(scene, (1, 3), (2, 5))
    end = scene.checkpoint()["position"]
    scene.target.execute("update analytics.t_history set v = 'wrong' where id = 4")
    room(scene, "proof")
    assert into(scene, "proof", "--from", "b").returncode == EXIT_DONE
    assert copied(scene, "proof", end).keys() == {"t_history"}
    assert scene.target.query("select l.v, p.v from analytics.t_history l join proof.t_history p "
                              "using (id, lsn_from, change_seq) where l.v <> p.v") \
        == [("wrong", "v4")]


def test_a_range_alone_goes_beside_the_history(scene):
    past_bookmark(scene, (1, 3), (4, 5))
    end = scene.checkpoint()["position"]
    room(scene, "analytics_replay")
    before = whole_history(scene.target, scene.name)
    result = scene.run("replay", "--from", "b", "--until", end, *WHY)
    assert result.returncode == EXIT_DONE, result.stderr
    assert 'into schema "analytics_replay"; streaming it on to ' + end in result.stdout
    assert copied(scene, "analytics_replay", end) == {}
    assert differences(before, whole_history(scene.target, scene.name)) == {}
    assert scene.target.query("select action from pgchronicle.audit where action like 'replay%'") \
        == [("replay into",)]


def test_a_copy_that_cannot_be_made_leaves_nothing_behind(scene):
    position, _ = past_bookmark(scene, (1, 3), (4, 5))
    room(scene, "taken")
    scene.target.execute("create table taken.t_history (x integer); create schema foreign_one")
    before, before_slots = whole_history(scene.target, scene.name), slots(scene)
    beyond = format_lsn(scene.position() + 1)
    for code, words, schema, arguments in [
            (EXIT_USAGE, "holds history already", "analytics", ("--from", "b")),
            (EXIT_USAGE, "cannot take the copy", "taken", ("--from", "b")),
            (EXIT_OPERATOR, "Make it beforehand", "new", ("--from", "b")),
            (EXIT_OPERATOR, "permission denied", "foreign_one", ("--from", "b")),
            (EXIT_USAGE, "cannot replay until", "new", ("--from", "b", "--until", beyond)),
            (EXIT_USAGE, "cannot replay until", "new", ("--from", "b", "--until", position)),
            (EXIT_USAGE, "invalid LSN", "new", ("--from", "b", "--until", "x")),
            (EXIT_USAGE, "neither a bookmark nor an LSN", "new", ("--from", "c"))]:
        result = into(scene, schema, *arguments)
        assert result.returncode == code, (words, result.stdout + result.stderr)
        assert words in result.stderr, result.stderr
    assert differences(before, whole_history(scene.target, scene.name)) == {}
    assert slots(scene) == before_slots
    assert scene.target.value("select count(*) from pgchronicle.checkpoint") == 1
    assert scene.target.value("select count(*) from pgchronicle.replay") == 0


def test_a_copy_that_somebody_else_is_making_is_left_alone(scene):
    past_bookmark(scene, (1, 1), (2, 2))
    room(scene, "shadow")
    with scene.target.connect() as other, other.cursor() as cursor:
        cursor.execute("select pg_advisory_lock(hashtextextended(%s, 0))",
                       (f"pgchronicle/{scene.name}/shadow",))
        result = into(scene, "shadow", "--from", "b")
    assert result.returncode == EXIT_OPERATOR and "is running" in result.stderr
    other.close()
    assert into(scene, "shadow", "--from", "b").returncode == EXIT_DONE


def test_tables_of_the_same_name_need_a_schema_each(scene):
    scene.add_schema("other")
    scene.source.execute("create table other.t (id integer primary key, v text)")
    scene.configure(target={"schema": "{schema}_hist"})
    service = streaming(scene)
    insert(scene, service, 1, 2)
    scene.source.execute("insert into other.t values (1, 'other')")
    scene.catch_up(service)
    add_bookmark(scene, "b")
    scene.source.execute("update other.t set v = 'more'")
    insert(scene, service, 3, 3)
    assert service.stop() == EXIT_DONE
    result = into(scene, "proof", "--from", "b")
    assert result.returncode == EXIT_USAGE and "would both go to" in result.stderr
    assert "{schema}" in result.stderr and not [name for name in slots(scene) if "replay" in name]
    result = into(scene, "proof_{schema}", "--from", "b")
    assert result.returncode == EXIT_DONE, result.stderr
    for name, versions in (("operations", 3), ("other", 2)):
        assert scene.target.value(f"select count(*) from proof_{name}.t_history") == versions

"""What `run` stops at with exit code 3 is red in `status`, with the same words."""

import json
import re

import pytest

from support.lost_slot import drop_slot
from support.pgchronicle import EXIT_DONE, EXIT_OPERATOR
from support.replay_scene import insert, streaming
from support.story import each
from support.waiting import wait_until


def status(scene):
    result = scene.run("status", "--json")
    assert result.returncode == EXIT_DONE, result.stderr
    return json.loads(result.stdout)


def stopped(scene, **configuration):
    service = streaming(scene, **configuration)
    insert(scene, service, 1, 3)
    assert service.stop() == EXIT_DONE, service.tail()
    seen = status(scene)
    assert (seen["health"], seen["obstacle"]) == ("green", None)


def recreate_slot(scene):
    drop_slot(scene)
    each(scene, "insert into operations.t values (9, 'missed')")
    scene.create_slot()


def with_checkpoint(change):
    return lambda scene: scene.target.execute(f"update pgchronicle.checkpoint set {change}")


def without_checkpoint(scene):
    scene.target.execute("delete from pgchronicle.checkpoint")


def without_table(scene):
    scene.source.execute("create table operations.u (id integer primary key); "
                         "drop publication cdc_publication; "
                         "create publication cdc_publication for table operations.u")


@pytest.mark.parametrize("cause, said", [
    (drop_slot, "does not exist"),
    (recreate_slot, "slot is ahead of the checkpoint"),
    (with_checkpoint("position = '0/1', last_commit_end = '0/1'"), "slot is ahead"),
    (with_checkpoint("position = '7FF/0'"), "checkpoint is ahead of the source"),
    (with_checkpoint("system_identifier = '7'"), "belongs to another source"),
    (with_checkpoint("database_name = 'elsewhere'"), "belongs to another source"),
    (without_checkpoint, "is missing beside its history"),
    (without_table, "table \"operations.t\" is not published any more"),
    (lambda scene: scene.source.execute("drop publication cdc_publication"), "does not exist")],
    ids=["dropped", "made again", "checkpoint behind", "checkpoint ahead", "another system",
         "another database", "no checkpoint", "withdrawn", "no publication"])
def test_what_stops_run_is_red(scene, cause, said):
    stopped(scene)
    cause(scene)
    seen = status(scene)
    result = scene.run("run", "--until-current", timeout=60)
    assert result.returncode == EXIT_OPERATOR, result.stderr
    primary = re.search("^pgchronicle: error: (.*)$", result.stderr, re.M)[1]
    assert said in primary
    assert (seen["state"], seen["health"], seen["obstacle"]) == ("stopped", "red", primary)
    text = scene.run("status").stdout
    assert re.search("^health +red$", text, re.M)
    assert re.search(f"^obstacle +{re.escape(primary)}$", text, re.M), text


def test_a_source_that_cannot_be_asked_is_neither_green_nor_red(make_scene, new_cluster,
                                                                target_cluster, program):
    source = new_cluster("gone_source")
    scene = make_scene(source, target_cluster)
    stopped(scene)
    source.stop("immediate")
    seen = status(scene)
    assert (seen["health"], seen["obstacle"]) == ("unknown", None)
    assert seen["source_error"]
    assert re.search("^health +unknown$", scene.run("status").stdout, re.M)
    # What the target alone tells is red nevertheless.
    without_checkpoint(scene)
    assert status(scene)["health"] == "red"


def test_run_that_waits_for_its_source_is_retrying_and_keeps_its_lock(
        make_scene, new_cluster, target_cluster, program):
    source = new_cluster("away_source")
    scene = make_scene(source, target_cluster)
    service = streaming(scene, retry={"delay_max": "500ms"})
    insert(scene, service, 1, 3)
    source.stop("immediate")
    wait_until(lambda: status(scene)["state"] == "retrying", 30, "the state to be told")
    holder = status(scene)["lock_holder"]
    for _ in range(10):  # Over several attempts.
        seen = status(scene)
        assert (seen["state"], seen["lock_holder"], seen["health"]) \
            == ("retrying", holder, "unknown")
    refused = scene.run("repair", "skip", "--reason", "none")
    assert refused.returncode != EXIT_DONE
    source.start()
    insert(scene, service, 4, 5)
    wait_until(lambda: status(scene)["state"] == "streaming", 30, "the stream")
    assert status(scene)["health"] == "green"
    assert service.stop() == EXIT_DONE, service.tail()


def test_a_target_that_goes_while_the_source_is_away_is_found_again(
        make_scene, new_cluster, program):
    source, target = new_cluster("away_source"), new_cluster("away_target")
    scene = make_scene(source, target)
    service = streaming(scene, retry={"delay_max": "500ms"})
    insert(scene, service, 1, 3)
    source.stop("immediate")
    wait_until(lambda: status(scene)["state"] == "retrying", 30, "the state to be told")
    target.stop("immediate")
    target.start()
    wait_until(lambda: status(scene)["state"] == "retrying", 30, "the state to be told again")
    source.start()
    insert(scene, service, 4, 5)
    assert service.stop() == EXIT_DONE, service.tail()

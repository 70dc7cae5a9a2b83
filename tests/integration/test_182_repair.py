"""`repair accept-source` and `repair reseed`: what an operator decides, with a trace."""

from support.pgchronicle import EXIT_DONE, EXIT_OPERATOR, EXIT_USAGE
from support.replay_scene import WHY, insert, streaming


def stopped(scene):
    service = streaming(scene)
    insert(scene, service, 1, 3)
    assert service.stop() == EXIT_DONE


def audited(scene):
    return scene.target.query("select action, reason from pgchronicle.audit order by id")


def test_a_source_of_another_identity_is_taken_over_on_request_only(scene):
    stopped(scene)
    real = scene.checkpoint()
    # As pg_upgrade leaves it: the same rows under another system identifier and timeline.
    scene.target.execute("update pgchronicle.checkpoint set system_identifier = '7', timeline = 9")
    assert scene.run("run", "--until-current").returncode == EXIT_OPERATOR
    assert scene.run("repair", "accept-source").returncode == EXIT_USAGE
    result = scene.run("repair", "accept-source", *WHY)
    assert result.returncode == EXIT_DONE, result.stderr
    assert "system 7, timeline 9" in result.stdout and real["system_identifier"] in result.stdout
    assert audited(scene) == [("repair accept-source", WHY[1])]
    service = scene.start_streaming()
    insert(scene, service, 4, 4)
    assert service.stop() == EXIT_DONE
    assert scene.target.value("select count(*) from analytics.t_history") == 4
    assert "nothing to accept" in scene.run("repair", "accept-source", *WHY).stdout
    assert len(audited(scene)) == 1


def test_a_source_that_is_behind_the_checkpoint_is_not_taken_over(scene):
    stopped(scene)
    scene.target.execute("update pgchronicle.checkpoint set system_identifier = '7', "
                         "position = '7FF/0'")
    result = scene.run("repair", "accept-source", *WHY)
    assert result.returncode == EXIT_OPERATOR and "behind the checkpoint" in result.stderr
    assert scene.checkpoint()["system_identifier"] == "7" and audited(scene) == []


def test_repairs_refuse_while_the_pipeline_runs(scene):
    service = streaming(scene)
    for command in (("accept-source",), ("reseed", "operations.t")):
        result = scene.run("repair", *command, *WHY)
        assert result.returncode == EXIT_OPERATOR and "is running" in result.stderr
    assert service.stop() == EXIT_DONE


def test_a_reseeded_table_is_compared_with_the_source_once_more(scene):
    stopped(scene)
    scene.target.execute("update analytics.t_history set v = 'wrong' where id = 1;"
                         "delete from analytics.t_history where id = 2")
    for table in ("operations.none", "t"):
        result = scene.run("repair", "reseed", table, *WHY)
        assert result.returncode == EXIT_USAGE and "is not followed" in result.stderr
    result = scene.run("repair", "reseed", "operations.t", *WHY)
    assert result.returncode == EXIT_DONE, result.stderr
    assert audited(scene) == [("repair reseed", WHY[1])]
    service = scene.start_streaming()
    insert(scene, service, 4, 4)
    assert service.stop() == EXIT_DONE
    assert scene.target.query("select id, v from analytics.t_current order by id") \
        == [(1, "v1"), (2, "v2"), (3, "v3"), (4, "v4")]
    assert scene.target.query("select id from analytics.t_history where operation_type = "
                              "'RECONCILE' order by id") == [(1,), (2,)]

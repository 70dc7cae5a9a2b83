"""Answers of the source's catalog that something swallows on the way, and goes on acknowledging
what we send: neither TCP nor the stream shows that."""

from support.faults.link import Link
from support.pgchronicle import EXIT_DONE


def test_a_lost_answer_is_noticed(scene):
    scene.source.execute("create table operations.t (id integer primary key, v text)")
    scene.publish()
    with Link(scene.source_cluster.port) as link:
        scene.configure(source={"dsn": link.dsn_through(scene.pipeline.config["source"]["dsn"]),
                                "receive_timeout": "2s"})
        service = scene.start_streaming()
        scene.catch_up(service)
        link.lose_to_client(spared=scene.source.value(
            "select client_port from pg_stat_replication r join pg_replication_slots s "
            "on s.active_pid = r.pid where slot_name = %s", (scene.slot,)))
        scene.source.execute("alter table operations.t add column w text")
        scene.source.execute("insert into operations.t values (1, 'a', 'b')")
        scene.catch_up(service)
        assert service.stop() == EXIT_DONE
    assert scene.history("t", columns="id, v, w") == [(1, "a", "b")]
    assert "source has not answered for too long" in service.log_text()

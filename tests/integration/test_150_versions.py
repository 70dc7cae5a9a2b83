"""What only some versions of PostgreSQL have or say, as source or as target."""

import shutil
import subprocess

import pytest

from support.roles import SOURCE_USER
from support.story import KEYED, begin, each, finish
from support.versions import needs, without
from support.waiting import wait_until


def _stop(service):
    assert service.stop() == 0, service.tail()


def _columns(scene, table):
    return [name for name, in scene.target.query(
        "select attname::text from pg_attribute where attrelid = %s::regclass and attnum > 0 "
        "and not attisdropped order by attnum", (f"analytics.{table}_history",))]


# -- generated columns ------------------------------------------------------------------------

GENERATED = ("create table operations.t (id integer primary key, v integer,"
             "twice integer generated always as (v * 2) stored)")


@pytest.mark.parametrize("identity", ["default", "full"])
def test_a_stored_generated_column_is_kept_where_the_source_publishes_it(scene, identity):
    needs(scene.source, 18, "generated columns in a publication")
    scene.source.execute(GENERATED + f"; alter table operations.t replica identity {identity};"
                         "insert into operations.t values (1, 1), (2, 2)")
    scene.publish("all tables with (publish_generated_columns = stored)")
    service = scene.start_streaming()
    each(scene, "insert into operations.t values (3, 3)",
         "update operations.t set v = 10 where id in (1, 3)",
         "delete from operations.t where id = 2")
    scene.catch_up(service)
    _stop(service)
    assert scene.history("t", columns="id, operation_type, v, twice", order="id, lsn_from") == [
        (1, "SNAPSHOT", 1, 2), (1, "UPDATE", 10, 20), (2, "SNAPSHOT", 2, 4), (2, "DELETE", 2, 4),
        (3, "INSERT", 3, 6), (3, "UPDATE", 10, 20)]


@pytest.mark.parametrize("kind", ["stored", "virtual"])
def test_a_generated_column_that_is_not_published_is_left_out(scene, kind):
    if kind == "virtual":
        needs(scene.source, 18, "virtual generated columns")
    scene.source.execute(GENERATED.replace("stored", kind)
                         + "; insert into operations.t values (1, 1)")
    scene.publish("all tables" if kind == "stored" else
                  "all tables with (publish_generated_columns = stored)")
    service = scene.start_streaming()
    each(scene, "update operations.t set v = 2")
    scene.catch_up(service)
    _stop(service)
    assert "twice" not in _columns(scene, "t")
    assert scene.history("t", columns="v") == [(1,), (2,)]


@pytest.mark.parametrize("running", [True, False])
def test_generated_columns_published_later_are_filled_in(scene, running):
    needs(scene.source, 18, "generated columns in a publication")
    scene.source.execute(GENERATED + "; insert into operations.t values (1, 1), (2, 2)")
    scene.publish()
    service = scene.start_streaming()
    if not running:
        _stop(service)
    each(scene, "alter publication cdc_publication set (publish_generated_columns = stored)",
         "update operations.t set v = 3 where id = 1")
    if not running:
        service = scene.start_streaming()
    scene.catch_up(service)
    wait_until(lambda: scene.target.query("select id, v, twice from analytics.t_current "
                                          "order by id") == [(1, 3, 6), (2, 2, 4)],
               30, "the generated values")
    _stop(service)


def test_a_generated_column_added_later_is_filled_in(scene):
    needs(scene.source, 18, "generated columns in a publication")
    scene.source.execute(KEYED + "; insert into operations.t values (1, 'a'), (2, 'b')")
    scene.publish("all tables with (publish_generated_columns = stored)")
    service = scene.start_streaming()
    each(scene, "alter table operations.t add upper text generated always as (upper(v)) stored",
         "update operations.t set v = 'c' where id = 1")
    scene.catch_up(service)
    wait_until(lambda: scene.target.query("select id, v, upper from analytics.t_current "
                                          "order by id") == [(1, "c", "C"), (2, "b", "B")],
               30, "the generated values")
    _stop(service)


def test_a_generated_column_in_a_column_list_is_kept(scene):
    needs(scene.source, 18, "generated columns in a publication")
    scene.source.execute(GENERATED + "; insert into operations.t values (1, 1)")
    scene.publish("table operations.t (id, twice)")
    service = scene.start_streaming()
    each(scene, "update operations.t set v = 2", "insert into operations.t values (2, 2)")
    scene.catch_up(service)
    _stop(service)
    assert "v" not in _columns(scene, "t")
    assert scene.history("t", columns="id, twice", order="id, lsn_from") == [
        (1, 2), (1, 4), (2, 4)]


# -- keys -------------------------------------------------------------------------------------

def test_a_key_without_overlaps_is_a_key(scene):
    needs(scene.source, 18, "WITHOUT OVERLAPS")
    scene.source.execute("create extension btree_gist")
    oracle, service = begin(
        scene, "create table operations.t (id integer, during daterange, v text,"
        " primary key (id, during without overlaps));"
        "insert into operations.t values (1, '[2026-01-01,2026-02-01)', 'copied')", "t")
    each(scene, "insert into operations.t values (1, '[2026-02-01,2026-03-01)', 'a'),"
                " (2, '[2026-01-01,)', 'b')",
         "update operations.t set v = 'aa' where id = 1",
         "update operations.t set during = '[2026-02-01,2026-04-01)' where lower(during) ="
         " '2026-02-01'",
         "delete from operations.t where id = 2")
    finish(scene, service, oracle, scene.spec("t"))


# -- values that only one side knows ----------------------------------------------------------

@pytest.mark.parametrize("when", ["copied", "streamed"])
@pytest.mark.parametrize("value, kind", [
    ("'infinity'", "interval"), ("'-infinity'", "interval"), ("'{infinity}'", "interval[]")])
def test_an_infinite_interval_never_becomes_a_finite_one(scene, when, value, kind):
    needs(scene.source, 17, "infinite intervals")
    without(scene.target, 17, "a target without infinite intervals")
    scene.source.execute(f"create table operations.t (id integer primary key, v {kind})")
    insert = f"insert into operations.t values (1, {value})"
    if when == "copied":
        scene.source.execute(insert)
    scene.publish()
    service = scene.start()
    if when == "streamed":
        service.wait_event("stream_started", 60)
        scene.source.execute(insert)

    def stored():
        if scene.target.value("select to_regclass('analytics.t_history')::text") is None:
            return []
        return scene.target.query("select v::text from analytics.t_history")
    # Kept as text, or refused with its reason; nothing else is true.
    wait_until(lambda: stored() or not service.alive, 60, "the value, or an error")
    assert stored() == [(value.strip("'"),)] if service.alive else service.returncode == 3
    if service.alive:
        _stop(service)


# -- slots ------------------------------------------------------------------------------------

def test_a_slot_of_ours_follows_a_failover_where_the_server_can(scene):
    needs(scene.source, 17, "failover slots")
    _, service = begin(scene, KEYED, "t")
    assert scene.source.value("select failover from pg_replication_slots where slot_name = %s",
                              (scene.slot,))
    _stop(service)


@pytest.fixture
def standby_of(factory):
    """Makes a standby of a cluster, from a copy of its stopped data folder."""
    made = []

    def make(primary):
        standby = factory.create(f"standby{len(made)}", "source")
        made.append(standby)
        primary.execute("select pg_create_physical_replication_slot('standby')")
        primary.stop()
        shutil.rmtree(standby.data)
        subprocess.run(["cp", "-a", str(primary.data), str(standby.data)], check=True)
        primary.start()
        (standby.data / "standby.signal").touch()
        standby.configure(
            primary_conninfo=f"'host={primary.socket_dir} port={primary.port} user=postgres'",
            primary_slot_name="standby", hot_standby_feedback="on")
        return standby.start()

    yield make
    for standby in made:
        standby.destroy()


def test_a_standby_can_be_the_source(new_cluster, standby_of, make_scene, target_cluster, program):
    primary = new_cluster("primary_source")
    needs(primary, 16, "logical decoding on a standby")
    scene = make_scene(primary, target_cluster)
    scene.source.execute(KEYED + "; insert into operations.t values (1, 'copied')")
    scene.publish()
    standby = standby_of(primary)
    scene.configure(source={"dsn": standby.dsn(scene.source.name, SOURCE_USER)})
    assert "source server is a standby" in scene.run("check").stdout
    service = scene.start()

    def streams():
        # A slot on a standby waits for a record that an idle primary does not write by itself.
        scene.source.query("select pg_log_standby_snapshot()::text")
        return scene.streams(service)
    service.wait_for(streams, 60, "the stream behind the copy")
    each(scene, "insert into operations.t values (2, 'b')", "update operations.t set v = 'c'")
    service.wait_for(lambda: len(scene.history("t")) == 4, 60, "the changes")
    _stop(service)
    assert scene.history("t", columns="id, v, operation_type", order="id, lsn_from") == [
        (1, "copied", "SNAPSHOT"), (1, "c", "UPDATE"), (2, "b", "INSERT"), (2, "c", "UPDATE")]


def test_two_phase_on_a_server_that_cannot_send_it_is_refused_before_a_slot_is_made(scene):
    without(scene.source, 15, "a pgoutput without prepared transactions")
    scene.source.execute(KEYED)
    scene.publish()
    scene.configure(source={"two_phase": True})
    checked = scene.run("check")
    assert checked.returncode == 1 and "two_phase" in checked.stdout + checked.stderr
    service = scene.start()
    assert service.wait(30) == 3
    assert "two_phase" in service.tail()
    assert (scene.slot,) not in scene.source.query("select slot_name::text from "
                                                   "pg_replication_slots")

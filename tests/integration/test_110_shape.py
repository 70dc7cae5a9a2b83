"""Tables that change their shape, their name or their identity while they are followed."""

import threading
from contextlib import contextmanager

import pytest

from support.roles import grant_target
from support.sql_checks import run_checks
from support.story import KEYED, each
from support.versions import needs
from support.waiting import wait_until


def _begin(scene, *ddl, **config):
    each(scene, *ddl)
    if config:
        scene.configure(**config)
    scene.publish()
    return scene.start_streaming()


def _rows(database, sql):
    return sorted(database.query(f"select r::text from ({sql}) r"))


def _holds(scene, service, *tables, columns=None):
    """What is current is what the source has, and no invariant is broken."""
    scene.catch_up(service)
    for table in tables:
        names = columns or ", ".join(
            '"' + name + '"' for name, in scene.source.query(
                "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0 "
                "and not attisdropped and attgenerated = '' order by attnum",
                (f"operations.{table}",)))
        source = _rows(scene.source, f"select {names} from operations.{table}")
        wait_until(lambda: _rows(
            scene.target, f"select {names} from analytics.{table}_current") == source
            or not service.alive, 10, "the history to be what the source is")
        assert service.alive, service.tail()
        assert run_checks(scene.target.connection, scene.spec(table), scene.name) == []


def _stop(service):
    assert service.stop() == 0, service.tail()


def _operations(scene, table, where="true"):
    return [row for row, in scene.target.query(
        f"select operation_type from analytics.{table}_history where {where} "
        "order by lsn_from, change_seq, is_current")]


# -- columns ----------------------------------------------------------------------------------

@contextmanager
def _unconfirmed(scene, sql):
    """The commit of `sql` is on disk, and nobody sees it: a standby must confirm it first."""
    set_standbys = scene.source_cluster.reload
    set_standbys(synchronous_standby_names="'nobody'")
    connection = scene.source.connect()
    commit = threading.Thread(target=lambda: connection.cursor().execute(sql))
    try:
        commit.start()
        wait_until(lambda: scene.source.value(
            "select count(*) from pg_stat_activity where wait_event = 'SyncRep'") == 1, 10,
            "the commit to wait")
        yield
    finally:
        set_standbys(synchronous_standby_names="''")
        commit.join()
        connection.close()


def test_a_commit_that_comes_before_the_source_shows_it_is_waited_for(scene):
    service = _begin(scene, KEYED, "insert into operations.t values (1, 'a')")
    scene.catch_up(service)
    with _unconfirmed(scene, "alter table operations.t add d integer default 7;"
                             "update operations.t set v = 'b'"):
        wait_until(lambda: scene.source.value(
            "select count(*) from pg_stat_activity where pid <> pg_backend_pid() "
            "and query like '%pg_visible_in_snapshot%'"), 4, "the commit to be waited for")
    scene.catch_up(service)
    each(scene, "alter table operations.t rename d to e", "update operations.t set v = 'c'")
    _holds(scene, service, "t")
    # The column's number is known, and so that it is the same one.
    assert len(service.events("column_renamed")) == 1, service.tail()
    assert scene.history("t", columns="v, e") == [("a", 7), ("b", 7), ("c", 7)]
    _stop(service)


def test_a_commit_that_nobody_confirms_is_not_waited_for_without_end(scene):
    # The catalog is asked for less than what a source that does not answer is given.
    scene.configure(source={"receive_timeout": "2s"})
    service = _begin(scene, KEYED, "insert into operations.t values (1, 'a')")
    scene.catch_up(service)
    with _unconfirmed(scene, "update operations.t set v = 'b'"):
        service.wait_event("commit_not_visible", 20)
        wait_until(lambda: scene.history("t", columns="v") == [("a",), ("b",)], 10, "the version")
    _holds(scene, service, "t")
    _stop(service)


def test_former_shapes_leave_nothing_in_the_session(scene):
    service = _begin(scene, "create table operations.t (id integer, v text);"
                            "alter table operations.t replica identity full",
                     "insert into operations.t values (1, 'a')")
    for number in range(6):
        each(scene, f"alter table operations.t add c{number} integer",
             f"update operations.t set c{number} = {number}")
        scene.catch_up(service)
    temporary, = scene.target.query("select count(*) from pg_class where relkind = 'r' and "
                                    "relpersistence = 't'")[0]
    assert 1 <= temporary <= 2  # That of the shape before goes with the next batch.
    _holds(scene, service, "t")
    _stop(service)


def test_a_renamed_column_is_renamed_in_the_history(scene):
    service = _begin(scene, KEYED)
    each(scene, "insert into operations.t values (1, 'a'), (2, 'b')",
         "alter table operations.t rename v to w",
         "update operations.t set w = 'c' where id = 1")
    _holds(scene, service, "t")
    assert scene.history("t", columns="id, w") == [(1, "a"), (2, "b"), (1, "c")]
    _stop(service)
    shapes = scene.target.query("select columns->1->>'name', lsn is not null "
                                "from pgchronicle.relation_shape order by lsn")
    assert shapes == [("v", True), ("w", True)]


@pytest.mark.parametrize("running", [True, False])
def test_swapped_column_names_are_swapped_in_the_history(scene, running):
    service = _begin(scene, "create table operations.t (id integer primary key, a text, b text)")
    if not running:
        _stop(service)
    each(scene, "insert into operations.t values (1, 'was a', 'was b'), (2, 'x', 'y')",
         "alter table operations.t rename a to c; alter table operations.t rename b to a;"
         "alter table operations.t rename c to b",
         "update operations.t set a = 'new' where id = 2")
    service = service if running else scene.start_streaming()
    _holds(scene, service, "t")
    assert scene.history("t", columns="b, a", where="id = 1") == [("was a", "was b")]
    _stop(service)


def test_a_renamed_column_with_a_constant_default_keeps_its_values(scene):
    service = _begin(scene, KEYED)
    each(scene, "insert into operations.t values (1, 'a'), (2, 'b')",
         "alter table operations.t add c integer default 7",
         "update operations.t set c = 8 where id = 1")
    scene.catch_up(service)
    each(scene, "alter table operations.t rename c to d",
         "update operations.t set v = 'bb' where id = 2")
    _holds(scene, service, "t")
    _stop(service)


@pytest.mark.parametrize("default", ["default 9", ""])
def test_a_column_that_comes_back_does_not_have_the_values_of_the_old_one(scene, default):
    service = _begin(scene, "create table operations.t (id integer primary key, v text, c integer)")
    each(scene, "insert into operations.t values (1, 'a', 1), (2, 'b', 2)",
         "alter table operations.t drop c", "update operations.t set v = 'x' where id = 1",
         f"alter table operations.t add c integer {default}",
         "update operations.t set v = 'y' where id = 1")
    _holds(scene, service, "t")
    assert scene.history("t", columns="c", where="operation_type = 'INSERT' and id = 1") == [(1,)]
    _stop(service)


@pytest.mark.parametrize("how", [
    ["drop c", "add c integer default 9"], ["drop c", "add c integer"],
    ["drop c, add d integer", "drop d", "add c integer default 9"],
    ["drop c; alter table operations.t rename b to c"], ["drop c", "rename b to c"]])
@pytest.mark.parametrize("met", ["in turn", "at once"])
def test_what_a_former_column_held_stays_in_the_past(scene, how, met):
    """A column that takes its name, and a row that does not change: as of before, it is as before."""
    service = _begin(scene, "create table operations.t (id integer primary key, v text,"
                            " b integer, c integer)",
                     "insert into operations.t values (1, 'a', 10, 1), (2, 'b', 20, 2)")
    each(scene, "update operations.t set c = 3 where id = 1")
    scene.catch_up(service)
    position = scene.target.value("select position::text from pgchronicle.checkpoint")
    before = [(1, 3), (2, 2)]
    if met == "at once":
        _stop(service)
    for ddl in how:
        each(scene, f"alter table operations.t {ddl}")
        if met == "in turn":
            each(scene, "insert into operations.t (id) select max(id) + 1 from operations.t")
            scene.catch_up(service)
    each(scene, "update operations.t set v = 'x' where id = 1")
    if met == "at once":
        service = scene.start_streaming()
    _holds(scene, service, "t")
    assert scene.target.query(f"select id, c from analytics.t_as_of_lsn('{position}') "
                              "order by id") == before
    assert "REWRITE" in _operations(scene, "t", "id = 2")
    _stop(service)


@pytest.mark.parametrize("default", ["default 9", ""])
@pytest.mark.parametrize("met", ["streamed", "copied"])
def test_a_column_made_anew_between_two_rows_is_another_one(scene, met, default):
    """The stream says the same of the table before and after."""
    table = "create table operations.t (id integer primary key, v text, c integer)"
    rows = "insert into operations.t values (1, 'a', 1), (2, 'b', 2)"
    service = _begin(scene, table, *([rows] if met == "copied" else []))
    each(scene, *([rows] if met == "streamed" else []))
    scene.catch_up(service)
    each(scene, "alter table operations.t drop c;"
                f"alter table operations.t add c integer {default}",
         "update operations.t set v = 'x' where id = 1")
    _holds(scene, service, "t")
    assert scene.history("t", columns="id, v, c", where="is_current", order="id") == [
        (1, "x", 9 if default else None), (2, "b", 9 if default else None)]
    assert service.events("column_made_anew")
    each(scene, "update operations.t set c = 5")
    _holds(scene, service, "t")
    _stop(service)


@pytest.mark.parametrize("how", ["dropped and added", "added, dropped and added"])
def test_a_column_made_anew_while_the_stream_lags_is_settled_by_comparing(scene, how):
    """The catalog tells of the last column; rows with the one before it are still to come."""
    old, made = (", c integer", ()) if how == "dropped and added" else (
        "", ("alter table operations.t add c integer",))
    service = _begin(scene, f"create table operations.t (id integer primary key, v text{old})")
    each(scene, "insert into operations.t values (1, 'a'), (2, 'b')")
    scene.catch_up(service)
    _stop(service)
    each(scene, *made, "insert into operations.t values (3, 'c', 3)",
         "update operations.t set c = 4 where id = 2",
         "alter table operations.t drop c; alter table operations.t add c integer",
         "update operations.t set v = 'x' where id = 1")
    service = scene.start_streaming()
    _holds(scene, service, "t")
    assert _operations(scene, "t", "id = 3") == ["INSERT", "REWRITE"]
    assert scene.history("t", columns="c", where="id = 3") == [(3,), (None,)]
    each(scene, "update operations.t set c = 5 where id = 3")
    _holds(scene, service, "t")
    _stop(service)


def test_a_column_that_is_only_added_needs_no_comparison(scene):
    service = _begin(scene, KEYED)
    each(scene, "insert into operations.t values (1, 'a')")
    for ddl in ["add c integer", "drop c", "add d integer default 4, add e text",
                "set (fillfactor = 90)", "drop d, add f text"]:
        each(scene, f"alter table operations.t {ddl}", "update operations.t set v = v || 'v'")
        _holds(scene, service, "t")
    assert not service.events("column_made_anew")
    assert len(service.events("copy_done")) == 1
    _stop(service)


@pytest.mark.parametrize("before, after", [
    ("integer", "bigint"), ("varchar(5)", "varchar(20)"), ("varchar(5)", "text"),
    ("numeric(6,2)", "numeric(9,2)"), ("integer[]", "bigint[]")])
def test_a_type_that_becomes_wider_is_altered_in_the_history(scene, before, after):
    value = "'{1,2}'" if before.endswith("[]") else "12"
    service = _begin(scene, f"create table operations.t (id integer primary key, v {before})")
    each(scene, f"insert into operations.t values (1, {value}), (2, {value})",
         f"alter table operations.t alter v type {after}",
         "update operations.t set v = v where id = 1")
    _holds(scene, service, "t")
    assert scene.target.value("select format_type(atttypid, atttypmod) from pg_attribute where "
                              "attrelid = 'analytics.t_history'::regclass and attname = 'v'") \
        == after.replace("varchar", "character varying")
    assert "REWRITE" not in _operations(scene, "t")
    _stop(service)


def test_a_type_that_changes_otherwise_stops_and_goes_on_when_the_history_is_altered(scene):
    service = _begin(scene, "create table operations.t (id integer primary key, v text)")
    each(scene, "insert into operations.t values (1, '1'), (2, '2')")
    scene.catch_up(service)
    each(scene, "alter table operations.t alter v type integer using v::integer * 10",
         "update operations.t set v = 11 where id = 1")
    assert service.wait(30) == 3
    assert 'column "v"' in service.tail() and "ALTER TABLE" in service.tail()
    scene.target.execute('drop view analytics.t_current;'
                         'alter table analytics.t_history alter v type integer using v::integer')
    service = scene.start_streaming()
    each(scene, "update operations.t set v = 12 where id = 1")
    _holds(scene, service, "t")
    # Row 2 was multiplied by the ALTER TABLE, which the stream does not show.
    assert _operations(scene, "t", "id = 2") == ["INSERT", "REWRITE"]
    _stop(service)


def test_a_volatile_default_is_found_and_written_as_rewrite(scene):
    service = _begin(scene, KEYED)
    each(scene, "insert into operations.t values (1, 'a'), (2, 'b'), (3, 'c')")
    scene.catch_up(service)
    each(scene, "alter table operations.t add u uuid default gen_random_uuid()",
         "update operations.t set v = 'aa' where id = 1")
    service.wait_event("copy_done", 60, count=2)
    _holds(scene, service, "t")
    assert _operations(scene, "t", "id = 2") == ["INSERT", "REWRITE"]
    _stop(service)


def test_a_rewrite_with_the_same_type_is_found_by_the_tables_new_file(scene):
    service = _begin(scene, "create table operations.t (id integer primary key, v integer)",
                     "create table operations.other (id integer primary key)")
    each(scene, "insert into operations.t values (1, 1), (2, 2)",
         "truncate operations.t", "insert into operations.t values (1, 1), (2, 2)")
    scene.catch_up(service)
    _stop(service)
    service = scene.start_streaming()  # The file of the TRUNCATE is learnt, and nothing compared.
    assert not service.events("table_rewritten")
    each(scene, "alter table operations.t alter v type integer using v + 100",
         "insert into operations.other values (1)")
    service.wait_event("table_rewritten", 60)
    _holds(scene, service, "t")
    assert _operations(scene, "t", "is_current") == ["REWRITE", "REWRITE"]
    _stop(service)


def test_ddl_and_rows_in_one_transaction_and_another_one_meanwhile(scene):
    service = _begin(scene, "create table operations.t (id integer primary key, v1 text)",
                     "create table operations.other (id integer primary key, v text)")
    first = scene.source.connect(autocommit=False)
    second = scene.source.connect(autocommit=False)
    with first.cursor() as one, second.cursor() as two:
        one.execute("insert into operations.t values (1, 'v1 of 1')")
        two.execute("insert into operations.other values (1, 'second')")
        one.execute("alter table operations.t add v2 text;"
                    "insert into operations.t values (2, 'v1 of 2', 'v2 of 2')")
        two.execute("update operations.other set v = 'again'")
        one.execute("alter table operations.t drop v1; savepoint s;"
                    "alter table operations.t add phantom text;"
                    "insert into operations.t values (3, 'x', 'y'); rollback to s;"
                    "insert into operations.t values (3, 'v2 of 3')")
        second.commit()
        one.execute("alter table operations.t rename v2 to v3;"
                    "update operations.t set v3 = 'v3 of 1' where id = 1")
        first.commit()
    first.close()
    second.close()
    _holds(scene, service, "t", "other")
    assert scene.history("t", columns="id, v1, v3") == [
        (1, "v1 of 1", None), (2, "v1 of 2", "v2 of 2"), (3, None, "v2 of 3"),
        (1, None, "v3 of 1")]
    _stop(service)


# -- names and relations ----------------------------------------------------------------------

def test_a_renamed_table_ends_under_its_old_name_and_begins_under_the_new_one(scene):
    service = _begin(scene, KEYED)
    each(scene, "insert into operations.t values (1, 'a'), (2, 'b')")
    scene.catch_up(service)
    each(scene, "alter table operations.t rename to renamed",
         "update operations.renamed set v = 'c' where id = 1")
    service.wait_event("copy_done", 60, count=2)
    _holds(scene, service, "renamed")
    assert scene.target.query("select * from analytics.t_current") == []
    assert _operations(scene, "t") == ["INSERT", "INSERT", "RECONCILE", "RECONCILE"]
    _stop(service)


def test_a_table_renamed_while_nobody_looked_is_copied_under_its_new_name(scene):
    service = _begin(scene, KEYED)
    each(scene, "insert into operations.t values (1, 'a'), (2, 'b')")
    scene.catch_up(service)
    _stop(service)
    each(scene, "update operations.t set v = 'still t' where id = 1",
         "alter table operations.t rename to renamed")
    service = scene.start_streaming()
    service.wait_event("copy_done", 30)
    _holds(scene, service, "renamed")
    assert "still t" in [v for v, in scene.history("t", columns="v")]
    assert scene.target.query("select * from analytics.t_current") == []
    _stop(service)


def test_a_table_in_another_schema_is_followed_there(scene):
    scene.source.execute("create schema moved; grant usage on schema moved to public")
    service = _begin(scene, KEYED, tables={"include": ["operations.*", "moved.*"]},
                     target={"schema": "{schema}_hist"})
    each(scene, "insert into operations.t values (1, 'a')")
    scene.catch_up(service)
    each(scene, "alter table operations.t set schema moved", "update moved.t set v = 'b'")
    service.wait_event("copy_done", 60, count=2)
    scene.catch_up(service)
    wait_until(lambda: scene.target.query("select id, v from moved_hist.t_current") == [(1, "b")],
               30, "the moved table's row")
    assert scene.target.query("select * from operations_hist.t_current") == []
    _stop(service)


@pytest.mark.parametrize("running", [True, False])
def test_a_table_dropped_and_created_again_goes_on_under_its_name(scene, running):
    service = _begin(scene, KEYED)
    each(scene, "insert into operations.t values (1, 'a'), (2, 'b')")
    scene.catch_up(service)
    if not running:
        _stop(service)
    each(scene, "update operations.t set v = 'last' where id = 2",
         "drop table operations.t", KEYED,
         "insert into operations.t values (1, 'other'), (3, 'c')",
         "update operations.t set v = 'changed' where id = 3")
    if running:
        service.wait_event("copy_done", 60, count=2)
    else:
        service = scene.start_streaming()
        service.wait_event("copy_done", 30)
    _holds(scene, service, "t")
    assert _operations(scene, "t", "id = 1") == ["INSERT", "RECONCILE", "INSERT"]
    assert "last" in [v for v, in scene.history("t", columns="v", where="id = 2")]
    _stop(service)


def test_a_table_dropped_while_changes_wait_is_written_to_its_end(scene):
    service = _begin(scene, "create table operations.t (b integer, a integer, v text,"
                            " primary key (a, b)); alter table operations.t replica identity full")
    each(scene, "insert into operations.t values (1, 2, 'a')")
    scene.catch_up(service)
    _stop(service)
    each(scene, "update operations.t set v = 'last'", "insert into operations.t values (2, 1, 'b')",
         "drop table operations.t")
    service = scene.start_streaming()
    scene.catch_up(service)
    assert scene.history("t", columns="a, b, v") == [(2, 1, "a"), (2, 1, "last"), (1, 2, "b")]
    _stop(service)


@pytest.mark.parametrize("running", [True, False])
def test_two_tables_that_swap_their_names_swap_their_histories(scene, running):
    service = _begin(scene, KEYED, "create table operations.u (id integer primary key, v text)")
    each(scene, "insert into operations.t values (1, 't1'), (2, 't2')",
         "insert into operations.u values (1, 'u1'), (3, 'u3')")
    scene.catch_up(service)
    if not running:
        _stop(service)
    each(scene, "alter table operations.t rename to between; alter table operations.u rename to t;"
                "alter table operations.between rename to u",
         "update operations.t set v = 'u1 as t' where id = 1",
         "insert into operations.u values (9, 'new in u')")
    if running:
        service.wait_event("copy_done", 60, count=2)
    else:
        service = scene.start_streaming()
        service.wait_event("copy_done", 30)
    _holds(scene, service, "t", "u")
    _stop(service)


# -- publications -----------------------------------------------------------------------------

def _publish_tables(scene, *tables):
    scene.source.execute("create publication cdc_publication for table "
                         + ", ".join(f"operations.{t}" for t in tables))


def test_a_table_that_left_the_publication_stops_the_pipeline(scene):
    each(scene, KEYED, "create table operations.u (id integer primary key)")
    _publish_tables(scene, "t", "u")
    service = scene.start_streaming()
    scene.source.execute("alter publication cdc_publication drop table operations.t")
    assert service.wait(60) == 3
    assert '"operations.t" is not published any more' in service.tail()


@pytest.mark.parametrize("how", ["left", "excluded", "filtered"])
def test_what_was_missed_is_found_by_comparing_and_recorded_as_a_gap(scene, how):
    if how == "filtered":
        needs(scene.source, 15, "row filters")
    each(scene, KEYED, "create table operations.u (id integer primary key)",
         "insert into operations.t values (1, 'a'), (2, 'b'), (3, 'c'), (5, 'same')")
    _publish_tables(scene, "t", "u")
    service = scene.start_streaming()
    each(scene, "update operations.t set v = 'aa' where id = 1")
    scene.catch_up(service)
    _stop(service)
    if how == "left":
        scene.source.execute("alter publication cdc_publication drop table operations.t")
    elif how == "filtered":
        scene.source.execute("alter publication cdc_publication set table "
                             "operations.t where (id > 100), operations.u")
    else:
        scene.configure(tables={"include": ["operations.*"], "exclude": ["operations.t"]})
    each(scene, "update operations.t set v = 'missed' where id = 1",
         "delete from operations.t where id = 2", "insert into operations.t values (4, 'd')",
         "delete from operations.t where id = 3", "insert into operations.t values (3, 'c')")
    if how == "excluded":
        service = scene.start_streaming()
        scene.catch_up(service)
        _stop(service)
        scene.configure(tables={"include": ["operations.*"], "exclude": []})
    else:
        scene.source.execute("alter publication cdc_publication set table operations.t,"
                             " operations.u")
    service = scene.start_streaming()
    _holds(scene, service, "t")
    current = dict(scene.target.query("select id, operation_type from analytics.t_current"))
    assert current == {1: "RECONCILE", 3: current[3], 4: "RECONCILE", 5: "SNAPSHOT"}
    assert _operations(scene, "t", "id = 2")[-1] == "RECONCILE"
    gaps = scene.target.query("select source_table, reason, to_lsn > from_lsn, repaired_at is "
                              "not null from pgchronicle.gap")
    assert ("t", "not_published", True, True) in gaps
    each(scene, "insert into operations.t values (2, 'again')")
    _holds(scene, service, "t")
    _stop(service)


# -- partitions -------------------------------------------------------------------------------

PARTITIONED = ("create table operations.p (id integer primary key, v text) partition by range (id);"
               "create table operations.p1 partition of operations.p for values from (0) to (10);"
               "create table operations.p2 partition of operations.p for values from (10) to (20)")


def test_a_root_published_as_one_table_streams_in_one_session(scene):
    each(scene, PARTITIONED, "insert into operations.p values (1, 'copied')")
    scene.source.execute("create publication cdc_publication for all tables "
                         "with (publish_via_partition_root = true)")
    service = scene.start_streaming()
    started = len(service.events("stream_started"))
    each(scene, "insert into operations.p values (2, 'a'), (12, 'b')",
         "update operations.p set v = 'c' where id = 2",
         "update operations.p set id = 13 where id = 2",  # Moves to the other partition.
         "truncate operations.p2", "insert into operations.p values (14, 'd')",
         "delete from operations.p where id = 1")
    scene.catch_up(service)
    assert len(service.events("stream_started")) == started
    assert scene.target.query("select table_name::text from information_schema.tables where "
                              "table_schema = 'analytics' and table_name like '%%_history'") \
        == [("p_history",)]
    _stop(service)


def test_leaves_published_apart_have_histories_of_their_own(scene):
    service = _begin(scene, PARTITIONED, "insert into operations.p values (1, 'copied')")
    each(scene, "insert into operations.p values (2, 'a'), (12, 'b')",
         "update operations.p set id = 13 where id = 2",
         "truncate operations.p2", "insert into operations.p values (14, 'd')",
         "truncate operations.p", "insert into operations.p values (3, 'e'), (15, 'f')")
    _holds(scene, service, "p1", "p2")
    assert "DELETE" in _operations(scene, "p1", "id = 2")
    _stop(service)


# -- whose history it is ----------------------------------------------------------------------

def _refused(scene, words):
    service = scene.start()
    assert service.wait(30) == 3, service.tail()
    assert words in service.tail()


def test_the_history_of_another_pipeline_is_left_alone(scene):
    service = _begin(scene, KEYED, "insert into operations.t values (1, 'a')")
    _stop(service)
    before = scene.history("t")
    scene.configure(pipeline="renamed", source={"slot": scene.slot + "_b"})
    _refused(scene, "belongs to another source table")
    assert scene.history("t") == before
    # Nothing was made that keeps WAL for nobody.
    assert scene.source.query("select 1 from pg_replication_slots where slot_name = %s",
                              (scene.slot + "_b",)) == []


def test_a_history_whose_metadata_is_lost_is_left_alone(scene):
    service = _begin(scene, KEYED, "insert into operations.t values (1, 'a')")
    _stop(service)
    before = scene.history("t")
    scene.target.execute("drop schema pgchronicle cascade")
    grant_target(scene.target)
    _refused(scene, "holds rows of nobody")
    # A checkpoint would say that there is a history, and that it is complete.
    assert scene.target.query("select 1 from pgchronicle.checkpoint") == []
    assert scene.history("t") == before


def test_a_table_sent_elsewhere_by_the_configuration_is_refused(scene):
    service = _begin(scene, KEYED, "insert into operations.t values (1, 'a')")
    _stop(service)
    scene.configure(target={"table_suffix": "_versions"})
    _refused(scene, "elsewhere than before")


def test_a_rename_added_to_the_configuration_renames_the_column(scene):
    service = _begin(scene, KEYED, "insert into operations.t values (1, 'a')")
    _stop(service)
    scene.configure(tables={"include": ["operations.*"],
                            "overrides": {"operations.t": {"rename": {"v": "value"}}}})
    service = scene.start_streaming()
    each(scene, "update operations.t set v = 'b'")
    scene.catch_up(service)
    assert scene.history("t", columns="value") == [("a",), ("b",)]
    _stop(service)

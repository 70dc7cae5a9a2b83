"""Types that change while their tables are followed."""

import re

import pytest

from support.pgchronicle import EXIT_DONE, EXIT_OPERATOR
from support.story import begin, each, finish


def _stopped(scene, service):
    scene.catch_up(service)
    assert service.stop() == 0, service.tail()


def test_labels_added_before_and_after_others_arrive(scene):
    oracle, service = begin(
        scene, "create type operations.state as enum ('new', 'done');"
        "create table operations.t (id integer primary key, v operations.state)", "t")
    each(scene, "insert into operations.t values (1, 'new')",
         "alter type operations.state add value 'first' before 'new'",
         "alter type operations.state add value 'between' after 'new'",
         "alter type operations.state add value 'last'",
         "update operations.t set v = 'first'; insert into operations.t values (2, 'between')",
         "update operations.t set v = 'last'")
    finish(scene, service, oracle, scene.spec("t"))
    assert scene.history("t", columns="id, v", order="lsn_from, change_seq") == [
        (1, "new"), (1, "first"), (2, "between"), (1, "last"), (2, "last")]


@pytest.mark.parametrize("as_key", [False, True])
def test_a_renamed_label_stays_what_it_was_where_it_was_recorded(scene, as_key):
    key = "id integer, v operations.state, primary key (id, v)" if as_key \
        else "id integer primary key, v operations.state"
    _, service = begin(scene, "create type operations.state as enum ('new', 'done');"
                       f"create table operations.t ({key}, n integer)", "t")
    each(scene, "insert into operations.t values (1, 'new', 1), (2, 'done', 1)",
         "alter type operations.state rename value 'new' to 'fresh'",
         "insert into operations.t values (3, 'fresh', 1)",
         "update operations.t set n = 2 where id = 2")
    if not as_key:
        each(scene, "update operations.t set n = 2 where id = 1")
    _stopped(scene, service)
    found = scene.history("t", columns="id, v, n", order="lsn_from, change_seq")
    assert found[:4] == [(1, "new", 1), (2, "done", 1), (3, "fresh", 1), (2, "done", 2)]
    assert found[4:] == ([] if as_key else [(1, "fresh", 2)])


def test_an_enum_that_is_renamed_and_moved_goes_on(scene):
    oracle, service = begin(
        scene, "create schema other; create type operations.state as enum ('new', 'done');"
        "create table operations.t (id integer primary key, v operations.state)", "t")
    each(scene, "insert into operations.t values (1, 'new')",
         "alter type operations.state rename to condition",
         "update operations.t set v = 'done'",
         "alter type operations.condition set schema other",
         "update operations.t set v = 'new'")
    finish(scene, service, oracle, scene.spec("t"))
    assert scene.history("t", columns="v") == [("new",), ("done",), ("new",)]


def test_a_composite_with_attributes_added_altered_and_dropped_goes_on(scene):
    _, service = begin(
        scene, "create type operations.pair as (a integer, b text);"
        "create table operations.t (id integer primary key, v operations.pair, "
        "vs operations.pair[])", "t")
    each(scene, "insert into operations.t values (1, '(1,x)', array['(2,y)'::operations.pair])",
         "alter type operations.pair add attribute c date cascade",
         "update operations.t set v.c = '2024-02-29'",
         "alter type operations.pair drop attribute a cascade",
         "insert into operations.t values (2, row('z', 'epoch'), null)",
         "alter type operations.pair rename attribute b to bb",
         "delete from operations.t where id = 1")
    _stopped(scene, service)
    # What was recorded stays; a row that is written again has the attributes of then.
    assert scene.history("t", columns="id, operation_type, v, vs") == [
        (1, "INSERT", "(1,x)", '{"(2,y)"}'),
        (1, "UPDATE", "(1,x,2024-02-29)", '{"(2,y,)"}'),
        (2, "INSERT", "(z,1970-01-01)", None),
        (1, "DELETE", "(1,x,2024-02-29)", '{"(2,y,)"}')]
    assert scene.target.query("select id, v from analytics.t_current") \
        == [(row, text) for row, text in scene.source.query("select id, v::text "
                                                            "from operations.t")]


@pytest.mark.parametrize("identity", ["full", "default"])
def test_old_rows_have_the_default_of_an_added_column_in_their_old_values(scene, identity):
    oracle, service = begin(
        scene, "create table operations.t (id integer primary key, v text);"
        f"alter table operations.t replica identity {identity};"
        "insert into operations.t select g, 'old' from generate_series(1, 4) g", "t")
    each(scene, "alter table operations.t add w numeric(6,2) not null default 1.50",
         "delete from operations.t where id = 1",
         "update operations.t set v = 'new' where id = 2",
         "update operations.t set w = 2 where id = 3", "delete from operations.t where id = 2")
    _stopped(scene, service)
    assert scene.history("t", columns="id, operation_type, v, w::text", where="id < 4",
                         order="lsn_from, change_seq, id") == [
        (1, "SNAPSHOT", "old", "1.50"),
        (2, "SNAPSHOT", "old", "1.50"), (3, "SNAPSHOT", "old", "1.50"),
        (1, "DELETE", "old", "1.50"),
        (2, "UPDATE", "new", "1.50"), (3, "UPDATE", "old", "2.00"),
        (2, "DELETE", "new", "1.50")]
    assert scene.target.query("select id, v, w from analytics.t_current order by id") \
        == scene.source.query("select id, v, w from operations.t order by id")


def _sql_in(text, begins):
    """Statements as they are printed, in one line or several."""
    return " ".join(line.strip() for line in text[text.index(begins):].split("\n\n")[0]
                    .splitlines())


@pytest.mark.parametrize("met", ["streaming", "behind"])
@pytest.mark.parametrize("on_error", ["stop", "quarantine"])
def test_what_stops_at_another_type_says_what_alters_it(scene, on_error, met):
    oracle, service = begin(scene, "create table operations.t (id integer primary key, v text)",
                            "t", tables={"on_error": on_error})
    if met == "behind":
        assert service.stop() == EXIT_DONE
    each(scene, "insert into operations.t values (1, '5')",
         "alter table operations.t alter v type integer using v::integer",
         "update operations.t set v = 6")
    if met == "behind":
        # All in one batch: what came before the change of the type has to be stored all the same.
        service = scene.start()
    if on_error == "stop":
        assert service.wait(40) == EXIT_OPERATOR, service.tail()
        hint = re.findall("^HINT:  (.*)$", service.tail(), re.M)[-1]
    else:
        service.wait_event("table_quarantined", 40)
        assert service.stop() == EXIT_DONE
        hint = scene.target.value("select hint from pgchronicle.quarantine")
    sql = hint[hint.index("DROP VIEW"):]
    checked = scene.run("check").stdout
    assert sql == _sql_in(checked, "DROP VIEW"), checked
    scene.target.execute(sql)
    if on_error == "stop":
        finish(scene, scene.start_streaming(), oracle, scene.spec("t"))
        assert scene.target.query("select v from analytics.t_current") == [(6,)]

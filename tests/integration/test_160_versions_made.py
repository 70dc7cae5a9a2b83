"""Which changes make a version: `track` and `intra_transaction: collapse`."""

import pytest

from support.story import begin, each, finish

ORDERS = ("create table operations.t (id integer primary key, state text, seen integer, big text);"
          "alter table operations.t alter big set storage external;")
TRACK_STATE = {"tables": {"overrides": {"operations.t": {"track": ["state"]}}}}
COLLAPSE = {"tables": {"intra_transaction": "collapse"}}
KEYED = "create table operations.t (id integer primary key, state text);"


def versions(scene, columns):
    """The history of t: columns, operation, number of the transaction, ordinal, open or not."""
    return scene.target.query(
        f"select {columns}, operation_type, dense_rank() over (order by lsn_from)::int, "
        f"change_seq::int, is_current from analytics.t_history order by lsn_from, change_seq, id")


def stop(scene, service, columns):
    """Stops behind everything; what is open is what the source holds."""
    scene.catch_up(service)
    assert service.stop() == 0, service.tail()
    ours = scene.target.query(f"select {columns} from analytics.t_current order by id")
    assert ours == scene.source.query(f"select {columns} from operations.t order by id")


# -- track -----------------------------------------------------------------------------------------

@pytest.mark.parametrize("identity", ["default", "full"])
@pytest.mark.parametrize("apart", [False, True], ids=["one batch", "batch by batch"])
def test_a_change_of_other_columns_overwrites_the_open_version(scene, identity, apart):
    _, service = begin(scene, ORDERS + f"alter table operations.t replica identity {identity}",
                       "t", **TRACK_STATE)
    for statement in (
            "insert into operations.t values (1, 'new', 1, repeat('x', 9000)), (2, 'new', 1, 'y')",
            "update operations.t set seen = 2 where id = 1",
            "update operations.t set seen = 3, big = repeat('z', 9000) where id = 1",
            "update operations.t set state = 'paid', seen = 4 where id = 1",
            "update operations.t set seen = 5; update operations.t set seen = 6",
            "update operations.t set id = 3 where id = 2",
            "update operations.t set seen = 7 where id = 3",
            "delete from operations.t where id = 3"):
        scene.source.execute(statement)
        if apart:
            scene.catch_up(service)
    stop(scene, service, "id, state, seen, md5(big)")
    assert versions(scene, "id, state, seen, left(big, 1)") == [
        (1, "new", 3, "z", "INSERT", 1, 1, False),
        (2, "new", 6, "y", "INSERT", 1, 2, False),
        (1, "paid", 6, "z", "UPDATE", 2, 1, True),
        (2, "new", 6, "y", "REKEY", 3, 1, False),
        (3, "new", 7, "y", "UPDATE", 3, 1, False),
        (3, "new", 7, "y", "DELETE", 4, 1, False)]


def test_a_column_may_have_the_name_of_a_place_in_our_statements(scene):
    _, service = begin(
        scene, "create table operations.t (id integer primary key, state text, row_at text,"
        " big text); alter table operations.t alter big set storage external;"
        "insert into operations.t values (1, 'new', 'a', repeat('x', 9000))", "t", **TRACK_STATE)
    each(scene, "update operations.t set row_at = 'b'")
    stop(scene, service, "id, state, row_at, md5(big)")
    assert versions(scene, "id, row_at") == [(1, "b", "SNAPSHOT", 1, 0, True)]


def test_with_nothing_tracked_only_lives_are_kept(scene):
    _, service = begin(scene, KEYED, "t",
                       tables={"overrides": {"operations.t": {"track": []}}})
    each(scene, "insert into operations.t values (1, 'a'), (2, 'a')",
         "update operations.t set state = 'b'", "delete from operations.t where id = 1")
    stop(scene, service, "id, state")
    assert versions(scene, "id, state") == [
        (1, "b", "INSERT", 1, 1, False), (2, "b", "INSERT", 1, 2, True),
        (1, "b", "DELETE", 2, 1, False)]


def test_a_table_without_a_key_cannot_leave_columns_untracked(scene):
    scene.source.execute("create table operations.t (id integer, state text);"
                         "alter table operations.t replica identity full")
    scene.configure(**TRACK_STATE)
    scene.publish()
    checked = scene.run("check")
    assert checked.returncode == 1
    assert 'columns of table "operations.t" cannot be left untracked' in checked.stdout
    ran = scene.run("run", "--until-current")
    assert ran.returncode == 3
    assert "cannot be left untracked" in ran.stderr and "HINT" in ran.stderr


# -- intra_transaction: collapse -------------------------------------------------------------------

NET = [
    # What a transaction does, and what is left of it: key, state, operation, ordinal, open.
    ("insert into operations.t values (9, 'a'); update operations.t set state = 'b' where id = 9",
     [(9, "b", "INSERT", 2, True)]),
    ("insert into operations.t values (9, 'a'); delete from operations.t where id = 9", []),
    ("update operations.t set state = 'b' where id = 1;"
     "update operations.t set state = 'c' where id = 1", [(1, "c", "UPDATE", 2, True)]),
    ("update operations.t set state = 'b' where id = 1; delete from operations.t where id = 1",
     [(1, "b", "DELETE", 2, False)]),
    ("delete from operations.t where id = 1; insert into operations.t values (1, 'b')",
     [(1, "b", "UPDATE", 2, True)]),
    ("delete from operations.t where id = 1; insert into operations.t values (1, 'b');"
     "delete from operations.t where id = 1", [(1, "b", "DELETE", 3, False)]),
    ("update operations.t set id = 9 where id = 1; update operations.t set id = 8 where id = 9",
     [(1, "old", "REKEY", 1, False), (8, "old", "UPDATE", 2, True)]),
    ("insert into operations.t values (9, 'a'); update operations.t set id = 8 where id = 9",
     [(8, "a", "INSERT", 2, True)]),
    ("update operations.t set id = -1 where id = 1; update operations.t set id = 1 where id = 2;"
     "update operations.t set id = 2 where id = -1",
     [(1, "old", "UPDATE", 2, True), (2, "old", "UPDATE", 3, True)]),
    ("insert into operations.t values (9, 'a'); truncate operations.t;"
     "insert into operations.t values (1, 'b')",
     [(2, "old", "TRUNCATE", 2, False), (1, "b", "UPDATE", 3, True)]),
]


@pytest.mark.parametrize("rows", [50_000, 1], ids=["one batch", "a batch for each row"])
def test_a_transaction_leaves_its_net_effect(scene, rows):
    """Also where it reaches the target in several parts."""
    _, service = begin(scene, KEYED, "t", **COLLAPSE, batch={"max_rows": rows})
    wrong = []
    for statements, wanted in NET:
        each(scene, "truncate operations.t",
             "insert into operations.t values (1, 'old'), (2, 'old')")
        before = scene.source.value("select pg_current_wal_insert_lsn()::text")
        each(scene, statements)
        scene.catch_up(service)
        made = scene.target.query(
            "select id, state, operation_type, change_seq::int, is_current "
            f"from analytics.t_history where lsn_from > '{before}' order by change_seq, id")
        if made != wanted:
            wrong.append((statements, made, wanted))
    assert wrong == []
    stop(scene, service, "id, state")


def test_one_table_may_keep_what_others_collapse(scene):
    _, service = begin(
        scene, KEYED + "create table operations.kept (id integer primary key);", "t",
        tables={"intra_transaction": "collapse",
                "overrides": {"operations.kept": {"intra_transaction": "keep"}}})
    each(scene, "insert into operations.t values (1, 'a'); delete from operations.t;"
                "insert into operations.kept values (1); delete from operations.kept")
    stop(scene, service, "id, state")
    assert versions(scene, "id, state") == []
    assert scene.target.value("select count(*) from analytics.kept_history") == 2


def test_without_a_key_every_change_is_kept(scene):
    oracle, service = begin(
        scene, "create table operations.t (id integer, state text);"
               "alter table operations.t replica identity full", "t", **COLLAPSE)
    each(scene, "insert into operations.t values (1, 'a'); update operations.t set state = 'b';"
                "delete from operations.t")
    finish(scene, service, oracle, scene.spec("t"))

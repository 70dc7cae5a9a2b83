"""What somebody else puts on the history tables: nothing is written through it, and `run` and
`check` name it with the SQL that takes it away."""

import re

import pytest

from support.pgchronicle import EXIT_CHECK_FAILED, EXIT_DONE, EXIT_OPERATOR
from support.story import KEYED, begin, each, finish
from support.waiting import wait_until

DROPS = ("create function public.planted() returns trigger language plpgsql as "
         "$$ begin return null; end $$;")
CHANGES = ("create function public.planted() returns trigger language plpgsql as "
           "$$ begin new.v := 'changed by a trigger'; return new; end $$;")
ON = "on analytics.t_history for each row execute function public.planted()"
TRIGGER = 'trigger "planted" on table "analytics.t_history" is not pgchronicle\'s'
SECURITY = 'row-level security is in force on table "analytics.t_history"'

# Name -> what is done to the target, what it is called.
PLANTS = {
    "a trigger that drops rows": (DROPS + f"create trigger planted before insert {ON}", TRIGGER),
    "a trigger that changes rows": (CHANGES + f"create trigger planted before insert {ON}",
                                    TRIGGER),
    "a trigger that acts afterwards": (DROPS + f"create trigger planted after update {ON}",
                                       TRIGGER),
    "a trigger of statements": (
        DROPS + "create trigger planted after insert on analytics.t_history "
        "for each statement execute function public.planted()", TRIGGER),
    "a trigger in force in replicas, too": (
        DROPS + f"create trigger planted before insert {ON};"
        "alter table analytics.t_history enable always trigger planted", TRIGGER),
    "a rule": ("create rule planted as on update to analytics.t_history do instead nothing",
               'rule "planted" on table "analytics.t_history" is not pgchronicle\'s'),
    "row-level security that is forced": (
        "alter table analytics.t_history enable row level security;"
        "alter table analytics.t_history force row level security", SECURITY),
    "row-level security of another owner": (
        "alter table analytics.t_history owner to postgres;"
        "grant select, insert, update on analytics.t_history to analytics_user;"
        "alter table analytics.t_history enable row level security", SECURITY),
    "a foreign key that deletes": (
        "create table public.referenced (id integer primary key);"
        "alter table analytics.t_history add constraint planted foreign key (id) "
        "references public.referenced on delete cascade not valid",
        'foreign key "planted" on table "analytics.t_history" is not pgchronicle\'s'),
    "a table without WAL": ("alter table analytics.t_history set unlogged",
                            'table "analytics.t_history" is unlogged'),
    "a trigger on the checkpoint": (
        DROPS + "create trigger planted before update on pgchronicle.checkpoint "
        "for each row execute function public.planted()",
        'trigger "planted" on table "pgchronicle.checkpoint" is not pgchronicle\'s'),
}
_STATEMENT = re.compile(r"((?:ALTER TABLE|DROP INDEX)\s[^;\n]*;)")
FUNCTION_GONE = "drop function if exists public.planted() cascade"


def stored(scene):
    return scene.target.query("select h::text from analytics.t_history h order by 1")


def mended(scene, text):
    """Runs the SQL that was printed."""
    statements = _STATEMENT.findall(text)
    assert statements, f"no SQL in:\n{text}"
    for sql in statements:
        scene.target.execute(sql)


def refused(scene, service, named, before):
    """It ends with exit code 3 and says this, in PostgreSQL's grammar; nothing was written."""
    assert service.wait(40) == EXIT_OPERATOR, service.tail()
    text = service.tail()
    assert f"pgchronicle: error: {named}\n" in text, text
    assert "DETAIL:  " in text and "HINT:  " in text, text
    assert stored(scene) == before
    return text


def test_what_interferes_is_refused_at_the_start_and_the_sql_that_is_printed_mends_it(scene):
    oracle, service = begin(scene, KEYED, "t")
    each(scene, "insert into operations.t values (1, 'a'), (2, 'b')")
    scene.catch_up(service)
    assert service.stop() == EXIT_DONE
    for number, (name, (plant, named)) in enumerate(PLANTS.items()):
        scene.target.execute(plant)
        each(scene, f"update operations.t set v = 'v{number}' where id = 1")
        before, confirmed = stored(scene), scene.confirmed()
        checked = scene.run("check")
        assert checked.returncode == EXIT_CHECK_FAILED, f"{name}: {checked.stdout}"
        assert named in checked.stdout, f"{name}: {checked.stdout}"
        text = refused(scene, scene.start("--until-current"), named, before)
        assert scene.confirmed() == confirmed, name
        assert set(_STATEMENT.findall(text)) <= set(_STATEMENT.findall(checked.stdout)), name
        mended(scene, text)
        # Disabled is enough.
        checked = scene.run("check")
        assert checked.returncode == EXIT_DONE, f"{name}: {checked.stdout}"
        scene.target.execute(FUNCTION_GONE)
    service = scene.start("--until-current")
    assert service.wait(40) == EXIT_DONE, service.tail()
    assert scene.target.query("select id, v from analytics.t_current order by id") == [
        (1, f"v{len(PLANTS) - 1}"), (2, "b")]
    scene.set_v(oracle, scene.spec("t")).assert_holds()


# -- while it streams ----------------------------------------------------------------------------

INSERT = "insert into operations.t values (9, 'new')"
UPDATE = "update operations.t set v = 'new' where id = 1"
LARGE = "create table operations.t (id integer primary key, v text, big text);" \
        "alter table operations.t alter big set storage external"
KEYLESS = "create table operations.t (id integer, v text);" \
          "alter table operations.t replica identity full"
STREAMED = {
    "dropped inserts": (KEYED, "a trigger that drops rows", INSERT),
    "changed inserts": (KEYED, "a trigger that changes rows", INSERT),
    "dropped tombstones": (KEYED, "a trigger that drops rows", "delete from operations.t"),
    "dropped tombstones of a truncate": (KEYED, "a trigger that drops rows",
                                         "truncate operations.t"),
    "dropped closes": (KEYED, "a rule", UPDATE),
    "dropped values that were not sent": (LARGE, "a trigger that drops rows", UPDATE),
    "dropped rows without a key": (KEYLESS, "a trigger that drops rows", UPDATE),
    "a statement's trigger": (KEYED, "a trigger of statements", INSERT),
    "the checkpoint kept where it is": (KEYED, "a trigger on the checkpoint", INSERT),
}


@pytest.mark.parametrize("what", STREAMED)
def test_not_one_version_is_written_through_what_is_put_there_while_it_streams(scene, what):
    ddl, name, change = STREAMED[what]
    plant, named = PLANTS[name]
    oracle, service = begin(scene, ddl, "t")
    large = ", repeat('x', 9000)" if ddl is LARGE else ""
    each(scene, f"insert into operations.t values (1, 'a'{large}), (2, 'b'{large})")
    scene.catch_up(service)
    before = stored(scene)
    # Within the transaction that plants it nobody writes; behind it the next change comes at once.
    scene.target.execute(plant)
    each(scene, change)
    mended(scene, refused(scene, service, named, before))
    finish(scene, scene.start_streaming(), oracle, scene.spec("t"))


def test_a_dropped_close_is_found_where_rows_may_be_unknown(scene):
    """There, too few closed versions say nothing; the catalog is looked at before the commit."""
    _, service = begin(scene, KEYED, "t", tables={"overrides": {
        "operations.t": {"on_unknown_key": "open"}}})
    each(scene, "insert into operations.t values (1, 'a')")
    scene.catch_up(service)
    before = stored(scene)
    scene.target.execute(DROPS + f"create trigger planted before update {ON}")
    each(scene, UPDATE)
    mended(scene, refused(scene, service, TRIGGER, before))
    service = scene.start_streaming()
    scene.catch_up(service)
    assert service.stop() == EXIT_DONE
    assert scene.history("t", columns="v, is_current") == [("a", False), ("new", True)]


def test_what_is_put_on_a_table_that_rests_is_found_by_looking(scene):
    _, service = begin(scene, KEYED, "t")
    plant, named = PLANTS["a trigger that changes rows"]
    scene.target.execute(plant)
    mended(scene, refused(scene, service, named, []))
    assert scene.start_streaming().stop() == EXIT_DONE


def test_rows_that_are_copied_go_through_no_trigger_either(scene):
    """Here the target's administrator has one made for every new table."""
    each(scene, KEYED, "insert into operations.t select g, 'copied' from generate_series(1, 50) g")
    scene.publish()
    oracle = scene.oracle("t")
    scene.create_slot()
    scene.target.execute(
        CHANGES + "create function public.on_create() returns event_trigger language plpgsql as $$ "
        "declare made record; begin for made in select * from pg_event_trigger_ddl_commands() "
        "where command_tag = 'CREATE TABLE' and schema_name = 'analytics' loop execute format("
        "'create trigger planted before insert on %s for each row execute function "
        "public.planted()', made.object_identity); end loop; end $$;"
        "create event trigger on_create on ddl_command_end when tag in ('CREATE TABLE') "
        "execute function public.on_create()")
    service = scene.start()
    assert service.wait(40) == EXIT_OPERATOR, service.tail()
    assert TRIGGER in service.tail() and stored(scene) == []
    mended(scene, service.tail())
    scene.target.execute("drop event trigger on_create")
    finish(scene, scene.start_streaming(), oracle, scene.spec("t"))


# -- what may be there ---------------------------------------------------------------------------

def test_what_does_not_interfere_may_stay(scene):
    oracle, service = begin(scene, KEYED, "t")
    scene.target.execute(
        DROPS + f"create trigger off before insert {ON};"
        f"create trigger of_replicas before insert {ON};"
        "alter table analytics.t_history disable trigger off;"
        "alter table analytics.t_history enable replica trigger of_replicas;"
        "create index on analytics.t_history (v);"
        "create statistics analytics.s on id, v from analytics.t_history;"
        "alter table analytics.t_history add loaded_at timestamptz default now();"
        # Not in force for the owner.
        "create policy readers on analytics.t_history using (id < 100);"
        "alter table analytics.t_history enable row level security")
    each(scene, "insert into operations.t values (1, 'a'), (2, 'b')",
         "update operations.t set v = 'c'", "delete from operations.t where id = 2")
    finish(scene, service, oracle, scene.spec("t"))
    assert scene.run("check").returncode == EXIT_DONE
    assert scene.run("run", "--until-current").returncode == EXIT_DONE


@pytest.mark.parametrize("plant, named", [
    ("alter table analytics.t_history add constraint planted check (v <> 'refused')",
     'constraint "planted"'),
    ("create unique index planted on analytics.t_history (v)", 'unique index "planted"')])
def test_a_constraint_is_warned_of_and_stops_at_the_version_that_it_refuses(scene, plant, named):
    oracle, service = begin(scene, KEYED, "t")
    scene.target.execute(plant)
    each(scene, "insert into operations.t values (1, 'a'), (2, 'refused')")
    if "unique" in plant:
        each(scene, "insert into operations.t values (3, 'a')")
    assert service.wait(40) == EXIT_OPERATOR, service.tail()
    assert '"planted"' in service.tail()
    assert "is not pgchronicle's" in service.tail() and "HINT:  " in service.tail()
    checked = scene.run("check")
    assert checked.returncode == EXIT_DONE, checked.stdout
    assert named in checked.stdout
    mended(scene, checked.stdout)
    assert named not in scene.run("check").stdout
    finish(scene, scene.start_streaming(), oracle, scene.spec("t"))


@pytest.mark.parametrize("type_name", ["bigint", "smallint"])
def test_a_column_that_was_given_another_type_stops_at_the_first_version(scene, type_name):
    oracle, service = begin(scene, KEYED + "; alter table operations.t add n integer", "t")
    scene.target.execute("drop view analytics.t_current;"
                         f"alter table analytics.t_history alter column n type {type_name}")
    each(scene, "insert into operations.t values (1, 'a', 7)")
    assert service.wait(40) == EXIT_OPERATOR, service.tail()
    assert 'Table "operations.t" was being written' in service.tail(), service.tail()
    assert "may have been given another type" in service.tail(), service.tail()
    # A narrower one is widened again at the next start.
    assert type_name == "smallint" or 'column "n"' in scene.run("check").stdout
    assert stored(scene) == []
    scene.target.execute(
        "alter table analytics.t_history alter column n type integer;"
        "create view analytics.t_current as select * from analytics.t_history where is_current;"
        "alter view analytics.t_current owner to analytics_user")
    finish(scene, scene.start_streaming(), oracle, scene.spec("t"))


# -- the checkpoint ------------------------------------------------------------------------------

@pytest.mark.parametrize("change, said, again", [
    ("delete from pgchronicle.checkpoint", "has disappeared", "is missing beside its history"),
    ("update pgchronicle.checkpoint set position = slot_start, last_commit_end = slot_start",
     "any more", "slot is ahead of the checkpoint")])
def test_a_checkpoint_that_is_deleted_or_moved_while_it_streams_is_told_apart(
        scene, change, said, again):
    oracle, service = begin(scene, KEYED, "t")
    each(scene, "insert into operations.t values (1, 'a')")
    scene.catch_up(service)
    # The slot has to stand where the checkpoint does, or the position that is set back is allowed.
    wait_until(lambda: scene.source.value(
        "select confirmed_flush_lsn = %s::pg_lsn from pg_replication_slots where slot_name = %s",
        (scene.checkpoint()["position"], scene.slot)), 20, "the acknowledgement")
    kept = "create table public.kept as select * from pgchronicle.checkpoint;"
    before = stored(scene)
    scene.target.execute("begin; lock table pgchronicle.checkpoint in exclusive mode;"
                         f"{kept} {change}; commit")
    each(scene, INSERT)
    assert service.wait(40) == EXIT_OPERATOR, service.tail()
    assert f'checkpoint of pipeline "{scene.name}" ' in service.tail()
    assert said in service.tail() and "HINT:  " in service.tail()
    assert stored(scene) == before
    refusal = scene.run("run", "--until-current")
    assert refusal.returncode == EXIT_OPERATOR and again in refusal.stderr, refusal.stderr
    scene.target.execute("delete from pgchronicle.checkpoint; insert into pgchronicle.checkpoint "
                         "select * from public.kept; drop table public.kept")
    finish(scene, scene.start_streaming(), oracle, scene.spec("t"))


@pytest.mark.parametrize("planted", [
    "insert into analytics.t_history select * from analytics.t_history where id = 1 and is_current",
    "update analytics.t_history set valid_to = null, lsn_to = null, is_current = true "
    "where id = 1 and not is_current"], ids=["a copy", "the one before"])
@pytest.mark.parametrize("change", [
    "update operations.t set v = 'changed' where id = 1", "delete from operations.t where id = 1"],
    ids=["update", "delete"])
def test_a_second_current_version_stops_at_the_next_change_of_its_key(scene, planted, change):
    oracle, service = begin(scene, KEYED, "t")
    each(scene, "insert into operations.t values (1, 'a'), (2, 'b')",
         "update operations.t set v = 'b' where id = 1")
    scene.catch_up(service)
    scene.target.execute(f"create table public.kept as table analytics.t_history; {planted}")
    before = stored(scene)
    each(scene, change + "; update operations.t set v = 'c' where id = 2")
    assert service.wait() == EXIT_OPERATOR, service.tail()
    said = service.tail()
    assert 'history of table "operations.t" holds more than one current version of a key' in said
    assert "2 versions had to be closed and 3 were open. More than one: (1)." in said
    assert "pgchronicle verify" in said
    assert stored(scene) == before
    scene.target.execute("truncate analytics.t_history; "
                         "insert into analytics.t_history table public.kept")
    service = scene.start_streaming()
    finish(scene, service, oracle, scene.spec("t"))


def test_the_newest_version_closed_and_the_one_before_open_again_stops_too(scene):
    _, service = begin(scene, KEYED, "t")
    each(scene, "insert into operations.t values (1, 'a')", "update operations.t set v = 'b'")
    scene.catch_up(service)
    scene.target.execute(
        "update analytics.t_history set is_current = not is_current, "
        "valid_to = case when is_current then now() end, "
        "lsn_to = case when is_current then lsn_from end")
    each(scene, "update operations.t set v = 'c'")
    assert service.wait() == EXIT_OPERATOR, service.tail()
    assert "does not hold every row that was changed" in service.tail()


@pytest.mark.parametrize("gone", [
    "drop table analytics.t_history cascade",
    "alter table analytics.t_history rename to t_elsewhere",
    "alter table analytics.t_history rename column v to w",
    "alter table analytics.t_history drop column v cascade"])
@pytest.mark.parametrize("change", ["insert into operations.t values (2, 'b')",
                                    "update operations.t set v = 'c'"])
def test_a_history_table_that_is_not_there_as_it_was_has_a_hint(scene, gone, change):
    _, service = begin(scene, KEYED, "t")
    each(scene, "insert into operations.t values (1, 'a')")
    scene.catch_up(service)
    scene.target.execute(gone)
    each(scene, change)
    assert service.wait() == EXIT_OPERATOR, service.tail()
    assert "does not exist" in service.tail()
    assert "HINT:  The history table was dropped, renamed or altered" in service.tail()

"""The roles of sql/*/roles.sql: they do, nothing can be taken from them, nothing is to be added."""

import re

import psycopg2
import pytest

from support.pgchronicle import EXIT_CHECK_FAILED, EXIT_DONE, EXIT_OPERATOR, REPO
from support.replay_scene import WHY, add_bookmark, insert, slots, streaming
from support.roles import (OPERATOR, OPERATOR_PASSWORD, READER, READER_PASSWORD, SOURCE_USER,
                           TARGET_USER, grant_source, grant_target)
from support.story import KEYED

# -- every grant is needed ----------------------------------------------------------------------

# What check runs as, by the words of the file: what takes it away, and what check must name.
# {db} is the side's database. Each is mended by running the file again.
NEEDED_BY_RUN = {
    "source": {
        'ALTER ROLE :"role" LOGIN REPLICATION': [
            (f"alter role {SOURCE_USER} nologin", ["not permitted to log in", SOURCE_USER]),
            (f"alter role {SOURCE_USER} noreplication",
             [f'ALTER ROLE "{SOURCE_USER}" REPLICATION'])],
        "GRANT CONNECT ON DATABASE %I TO %I": [
            (f'revoke connect on database "{{db}}" from {SOURCE_USER}',
             ['GRANT CONNECT ON DATABASE "{db}"', SOURCE_USER])],
        "GRANT USAGE ON SCHEMA %I TO %I": [
            (f"revoke usage on schema operations from {SOURCE_USER}",
             [f'GRANT USAGE ON SCHEMA "operations" TO "{SOURCE_USER}"'])],
        "GRANT SELECT ON %I.%I TO %I": [
            (f"revoke select on operations.t from {SOURCE_USER}",
             [f'GRANT SELECT ON "operations"."t" TO "{SOURCE_USER}"'])],
        'GRANT USAGE ON SCHEMA :"schema" TO :"role"': [
            (f"revoke usage on schema operations from {SOURCE_USER}",
             [f'GRANT USAGE ON SCHEMA "operations" TO "{SOURCE_USER}"'])],
        'GRANT SELECT ON ALL TABLES IN SCHEMA :"schema" TO :"role"': [
            (f"revoke select on all tables in schema operations from {SOURCE_USER}",
             [f'GRANT SELECT ON "operations"."t" TO "{SOURCE_USER}"'])],
        "ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I GRANT SELECT ON TABLES TO %I": [
            (f"alter default privileges in schema operations revoke select on tables "
             f"from {SOURCE_USER}; create table operations.later (id integer primary key)",
             [f'GRANT SELECT ON "operations"."later" TO "{SOURCE_USER}"'])],
    },
    "target": {
        'ALTER ROLE :"writer" LOGIN': [
            (f"alter role {TARGET_USER} nologin", ["not permitted to log in", TARGET_USER])],
        "GRANT CONNECT ON DATABASE %I TO %I, %I, %I": [
            (f'revoke connect on database "{{db}}" from {TARGET_USER}',
             ['GRANT CONNECT ON DATABASE "{db}"', TARGET_USER])],
        "GRANT TEMPORARY ON DATABASE %I TO %I": [
            (f'revoke temporary on database "{{db}}" from {TARGET_USER}',
             [f'GRANT TEMPORARY ON DATABASE "{{db}}" TO "{TARGET_USER}"'])],
        'ALTER SCHEMA pgchronicle OWNER TO :"writer"': [
            ("alter schema pgchronicle owner to postgres",
             [f'GRANT USAGE, CREATE ON SCHEMA "pgchronicle" TO "{TARGET_USER}"'])],
        'ALTER SCHEMA :"schema" OWNER TO :"writer"': [
            ("alter schema analytics owner to postgres",
             [f'GRANT USAGE, CREATE ON SCHEMA "analytics" TO "{TARGET_USER}"'])],
    },
}
# With target.schema: "{schema}_hist".
NEEDED_FOR_PATTERNS = {"GRANT CREATE ON DATABASE %I TO %I"}
# Taken away, the reader cannot read: test_the_reader_reads_and_nothing_else and the next.
NEEDED_BY_READER = {
    'ALTER ROLE :"reader" LOGIN', 'GRANT USAGE ON SCHEMA pgchronicle TO :"reader"',
    'GRANT USAGE ON SCHEMA :"schema" TO :"reader"',
    'GRANT SELECT ON ALL TABLES IN SCHEMA pgchronicle TO :"reader"',
    'GRANT SELECT ON ALL TABLES IN SCHEMA :"schema" TO :"reader"',
    'ALTER DEFAULT PRIVILEGES FOR ROLE :"writer" IN SCHEMA pgchronicle GRANT SELECT ON TABLES '
    'TO :"reader"',
    'ALTER DEFAULT PRIVILEGES FOR ROLE :"writer" IN SCHEMA :"schema" GRANT SELECT ON TABLES '
    'TO :"reader"',
    'ALTER DEFAULT PRIVILEGES FOR ROLE :"writer" GRANT USAGE ON SCHEMAS TO :"reader"',
    'ALTER DEFAULT PRIVILEGES FOR ROLE :"writer" GRANT SELECT ON TABLES TO :"reader"',
}
NEEDED_BY_OPERATOR = {
    'ALTER ROLE :"operator" LOGIN', 'GRANT :"writer" TO :"operator"',
    "ALTER ROLE %I IN DATABASE %I SET role = %I",
}


def rights_of(side):
    """Each right that a file gives, as its text says it."""
    text = re.sub(r"--[^\n]*", "", (REPO / "sql" / side / "roles.sql").read_text())
    quoted = re.findall(r"'((?:GRANT|ALTER)[^']*)'", text)
    plain = re.findall(r"^((?:GRANT|ALTER)[^;]*);", text, re.M)
    return {" ".join(right.split()) for right in quoted + plain} - {
        "ALTER ROLE %I IN DATABASE %I SET %s"}  # Settings of the reader: less, not more.


def test_every_right_of_the_files_has_a_test():
    assert rights_of("source") == set(NEEDED_BY_RUN["source"])
    assert rights_of("target") == (set(NEEDED_BY_RUN["target"]) | NEEDED_FOR_PATTERNS
                                   | NEEDED_BY_READER | NEEDED_BY_OPERATOR)


def said_by(result):
    return result.stdout + result.stderr


@pytest.mark.parametrize("side", ["source", "target"])
def test_check_names_each_right_that_is_missing(scene, side):
    scene.source.execute(KEYED)
    scene.publish()
    if side == "source":
        # Table by table, as for a publication of single tables.
        scene.source.execute(f"revoke all on all tables in schema operations from {SOURCE_USER}")
        grant_source(scene.source, publication="cdc_publication")
    database = getattr(scene, side)
    result = scene.run("check")
    assert result.returncode == EXIT_DONE, said_by(result)
    for right, faults in NEEDED_BY_RUN[side].items():
        for fault, words in faults:
            database.execute(fault.format(db=database.name))
            result = scene.run("check")
            assert result.returncode == EXIT_CHECK_FAILED, (right, said_by(result))
            for word in words:
                assert word.format(db=database.name) in said_by(result), (right, said_by(result))
            if side == "source":
                grant_source(database, schema="operations", publication="cdc_publication")
            else:
                grant_target(database)
            result = scene.run("check")
            assert result.returncode == EXIT_DONE, (right, said_by(result))
    if side == "target":
        scene.configure(target={"schema": "{schema}_hist"})
        assert scene.run("check").returncode == EXIT_DONE
        database.execute(f'revoke create on database "{database.name}" from {TARGET_USER}')
        result = scene.run("check")
        assert result.returncode == EXIT_CHECK_FAILED
        assert f'GRANT CREATE ON DATABASE "{database.name}" TO "{TARGET_USER}"' in said_by(result)


# -- the roles do what they are for -------------------------------------------------------------

def _with_history(scene):
    scene.source.execute(KEYED)
    scene.publish()
    service = scene.start_streaming()
    scene.source.execute("insert into operations.t values (1, 'a')")
    scene.source.execute("alter table operations.t add w text")
    scene.source.execute("insert into operations.t values (2, 'b', 'c')")
    scene.catch_up(service)
    assert service.stop() == 0, service.tail()
    assert scene.target.value("select count(*) from analytics.t_history") == 2


def _as(scene, role, password):
    """The pipeline's configuration with another role on the target."""
    scene.configure(target={"dsn": scene.target_cluster.dsn(scene.target.name, role)})
    scene.pipeline.env["TARGET_PASSWORD"] = password


def test_run_does_without_create_on_the_database_where_its_schemas_are_there(scene):
    _with_history(scene)
    assert scene.target.query(
        "select has_database_privilege(%s, current_database(), 'CREATE'), rolsuper, rolcreaterole, "
        "rolcreatedb, rolreplication, rolbypassrls, (select count(*) from pg_auth_members where "
        "member = pg_roles.oid)::integer from pg_roles where rolname = %s",
        (TARGET_USER, TARGET_USER)) == [(False,) * 6 + (0,)]
    assert scene.source.query(
        "select rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, (select count(*) from "
        "pg_auth_members where member = pg_roles.oid)::integer from pg_roles where rolname = %s",
        (SOURCE_USER,)) == [(False,) * 4 + (0,)]


def test_the_source_role_may_read_what_is_published_and_change_nothing(scene):
    scene.source.execute(
        f"{KEYED}; create table operations.private (id integer primary key);"
        "create table p (v text);"
        f"revoke all on all tables in schema operations from {SOURCE_USER};"
        "create publication cdc_publication for table operations.t")
    grant_source(scene.source, publication="cdc_publication")
    rights = scene.source.query(
        "select c.oid::regclass::text, p.name from pg_class c, unnest(array['SELECT', 'INSERT', "
        "'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) p(name) where c.relkind = 'r' "
        "and c.relnamespace in ('operations'::regnamespace, 'public'::regnamespace) "
        "and has_table_privilege(%s, c.oid, p.name)", (SOURCE_USER,))
    assert rights == [("operations.t", "SELECT")]
    service = scene.start_streaming()
    assert service.stop() == 0, service.tail()


@pytest.fixture
def reader(scene):
    _with_history(scene)
    made = []

    def connect():
        connection = psycopg2.connect(
            scene.target_cluster.dsn(scene.target.name, READER), password=READER_PASSWORD)
        connection.autocommit = True
        made.append(connection)
        return connection.cursor()

    yield connect
    for connection in made:
        connection.close()


READS = ["select id, w from analytics.t_current order by id",
         "select id, w from analytics.t_as_of(now()) order by id",
         "select id, w from analytics.t_as_of_lsn('FFFFFFFF/0') order by id"]
WRITES = ["insert into analytics.t_history (id) values (9)", "delete from analytics.t_history",
          "update pgchronicle.checkpoint set position = '0/1'", "truncate analytics.t_history",
          "drop table analytics.t_history", "create table analytics.x ()",
          "create temporary table x ()", "create schema x"]


def test_the_reader_reads_and_nothing_else(scene, reader):
    cursor = reader()
    for read in READS:
        cursor.execute(read)
        assert cursor.fetchall() == [(1, None), (2, "c")], read
    for write in WRITES:
        for mode in ("on", "off"):  # The setting is its own to change; the rights are not.
            cursor.execute(f"set default_transaction_read_only = {mode}")
            with pytest.raises(psycopg2.Error) as refused:
                cursor.execute(write)
            assert refused.value.pgcode == ("25006" if mode == "on" else "42501"), write
    service = scene.start_streaming()
    _as(scene, READER, READER_PASSWORD)
    for command in (["status", "--json"], ["history", "operations.t", "1"], ["verify"]):
        result = scene.run(*command)
        assert result.returncode == EXIT_DONE, said_by(result)
    assert service.stop() == 0, service.tail()


@pytest.mark.parametrize("fault", [
    f"alter role {READER} nologin", 'revoke connect on database "{db}" from ' + READER,
    f"revoke usage on schema pgchronicle from {READER}",
    f"revoke usage on schema analytics from {READER}",
    f"revoke select on all tables in schema pgchronicle from {READER}",
    f"revoke select on all tables in schema analytics from {READER}"])
def test_the_reader_needs_each_of_its_rights(scene, reader, fault):
    scene.target.execute(fault.format(db=scene.target.name))
    with pytest.raises(psycopg2.Error) as refused:
        cursor = reader()
        for read in READS:
            cursor.execute(read)
    assert re.search("permission denied|not permitted", str(refused.value)), refused.value
    grant_target(scene.target)
    reader().execute(READS[0])


def test_the_reader_reads_schemas_that_run_makes(scene):
    scene.configure(target={"schema": "{schema}_hist"})
    scene.source.execute(KEYED + "; insert into operations.t values (1, 'a')")
    scene.publish()
    service = scene.start_streaming()
    assert service.stop() == 0, service.tail()
    for right, allowed in (
            ("has_schema_privilege(%s, 'operations_hist', 'USAGE')", True),
            ("has_table_privilege(%s, 'operations_hist.t_current', 'SELECT')", True),
            ("has_table_privilege(%s, 'operations_hist.t_history', 'DELETE')", False)):
        assert scene.target.value(f"select {right}", (READER,)) is allowed, right


def test_a_copy_of_the_history_goes_to_a_schema_that_was_made_for_it(scene):
    service = streaming(scene)
    add_bookmark(scene, "b")
    insert(scene, service, 1, 2)
    assert service.stop() == 0, service.tail()
    _as(scene, OPERATOR, OPERATOR_PASSWORD)
    before = slots(scene)
    result = scene.run("replay", "--into", "shadow", "--from", "b", *WHY)
    assert result.returncode == EXIT_OPERATOR, said_by(result)
    assert "permission denied for database" in result.stderr and "roles.sql" in result.stderr
    assert slots(scene) == before
    grant_target(scene.target, schema="shadow")
    result = scene.run("replay", "--into", "shadow", "--from", "b", *WHY)
    assert result.returncode == EXIT_DONE, said_by(result)
    assert scene.target.query("select pg_get_userbyid(relowner), (select count(*) from "
                              "shadow.t_history) from pg_class where relname = 't_history' and "
                              "relnamespace = 'shadow'::regnamespace") == [(TARGET_USER, 2)]


def test_what_the_operator_makes_belongs_to_the_writer_and_is_told_apart(scene):
    """`repair skip` before the first run makes the metadata, and `run` goes on with it."""
    scene.source.execute(KEYED)
    scene.publish()
    scene.create_slot()
    scene.source.execute("insert into operations.t values (1, 'a')")
    end = scene.source.lsn()
    _as(scene, OPERATOR, OPERATOR_PASSWORD)
    result = scene.run("repair", "skip", "--to", end, "--reason", "a test", "--yes")
    assert result.returncode == EXIT_DONE, said_by(result)
    assert scene.target.value("select who from pgchronicle.audit").endswith(f" as {OPERATOR}")
    owners = scene.target.query(
        "select distinct pg_get_userbyid(relowner) from pg_class where relkind = 'r' and "
        "relnamespace = 'pgchronicle'::regnamespace")
    assert owners == [(TARGET_USER,)]
    # Without the membership it is nobody.
    scene.target.execute(f"revoke {TARGET_USER} from {OPERATOR}")
    result = scene.run("repair", "skip", "--to", end, "--reason", "a test", "--yes")
    assert result.returncode != EXIT_DONE and "permission denied" in said_by(result)
    result = scene.run("check")
    assert f'GRANT USAGE, CREATE ON SCHEMA "pgchronicle" TO "{OPERATOR}"' in said_by(result)
    grant_target(scene.target)

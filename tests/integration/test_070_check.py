"""`check` finds what would stop or surprise `run` and prints the SQL that mends it.

Each test runs the SQL that was printed; the next check must not report the fault any more.
"""

import re
import threading

import pytest

from support.faults.link import Link
from support.pgchronicle import EXIT_CHECK_FAILED, EXIT_DONE, EXIT_OPERATOR

KEYED = "create table operations.t (id integer primary key, v text)"
_STATEMENT = re.compile(r"((?:ALTER|CREATE|GRANT|SELECT|DROP|REVOKE)\s[^;\n]*;)")


def statements(result):
    """The SQL that a check printed, in its order."""
    return _STATEMENT.findall(result.stdout + result.stderr)


def text_of(result):
    return result.stdout + result.stderr


def fails(scene, *words):
    result = scene.run("check")
    assert result.returncode == EXIT_CHECK_FAILED, text_of(result)
    for word in words:
        assert word in text_of(result), f"{word} is not in:\n{text_of(result)}"
    return result


def passes(scene):
    result = scene.run("check")
    assert result.returncode == EXIT_DONE, text_of(result)
    return result


def mend(scene, result, pattern, database=None):
    """Runs the printed statements that match the pattern, as a superuser."""
    chosen = [sql for sql in statements(result) if re.search(pattern, sql)]
    assert chosen, f"no SQL like {pattern!r} in:\n{text_of(result)}"
    for sql in chosen:
        (database or scene.source).execute(sql)
    return chosen


def ready(scene, ddl=KEYED):
    scene.source.execute(ddl)
    scene.publish()


def test_a_sound_configuration_passes_and_changes_nothing(scene):
    ready(scene)
    passes(scene)
    assert scene.source.query("select 1 from pg_replication_slots where slot_name = %s",
                              (scene.slot,)) == []
    assert scene.target.query("select oid::regclass from pg_class where relnamespace in "
                              "('analytics'::regnamespace, 'pgchronicle'::regnamespace)") == []


def test_wal_level_below_logical(make_scene, new_cluster, target_cluster, program):
    source = new_cluster("replica_source", wal_level="replica")
    scene = make_scene(source, target_cluster)
    ready(scene)
    result = fails(scene, "wal_level", "logical", "replica")
    for sql in [s for s in statements(result) if "wal_level" in s]:
        scene.source.execute(sql)
    source.configure(wal_level=None)
    scene.source._connection.close()
    source.restart()
    passes(scene)


def test_a_missing_slot_where_it_may_not_be_created(scene):
    ready(scene)
    scene.configure(source={"create_slot": "never"})
    mend(scene, fails(scene, scene.slot), "pg_create_logical_replication_slot")
    passes(scene)


def test_a_slot_of_another_plugin(scene):
    ready(scene)
    scene.source.execute("select pg_create_logical_replication_slot(%s, 'test_decoding')",
                         (scene.slot,))
    mend(scene, fails(scene, scene.slot, "test_decoding", "pgoutput"),
         "pg_(drop|create_logical)_replication_slot")
    passes(scene)


def test_a_slot_of_another_database(scene, make_scene, source_cluster, target_cluster):
    ready(scene)
    other = make_scene(source_cluster, target_cluster)
    other.source.execute("select pg_create_logical_replication_slot(%s, 'pgoutput')",
                         (scene.slot,))
    result = fails(scene, scene.slot, other.source.name)
    # Both ways out are told: the database the slot belongs to, or a slot of one's own.
    [made] = [sql for sql in statements(result) if "pg_create_logical_replication_slot" in sql]
    scene.source.execute(made)
    name = re.search(r"slot\('([^']+)'", made).group(1)
    if name != scene.slot:
        scene.configure(source={"slot": name})
    passes(scene)


def test_a_physical_slot(scene):
    ready(scene)
    scene.source.execute("select pg_create_physical_replication_slot(%s)", (scene.slot,))
    mend(scene, fails(scene, scene.slot), "pg_(drop|create_logical)_replication_slot")
    passes(scene)


def _with_history(scene, *ddl):
    """A pipeline that has kept a history, and then found its source altered."""
    ready(scene)
    service = scene.start_streaming()
    scene.source.execute("insert into operations.t values (1, '17')")
    scene.catch_up(service)
    assert service.stop() == 0, service.tail()
    passes(scene)
    for statement in ddl:
        scene.source.execute(statement)


def test_a_history_column_that_run_will_make_wider(scene):
    _with_history(scene, "alter table operations.t alter id type bigint")
    passes(scene)


def test_a_history_column_of_another_type(scene):
    change = "alter table operations.t alter v type integer using v::integer"
    _with_history(scene, change, "insert into operations.t values (2, 18)")
    result = fails(scene, '"v"', "analytics.t_history", "text", "integer")
    service = scene.start()
    assert service.wait(60) == EXIT_OPERATOR, service.tail()
    mend(scene, result, "^(DROP|ALTER|CREATE) (VIEW|TABLE)", scene.target)
    passes(scene)
    service = scene.start_streaming()
    scene.source.execute("alter table operations.t add w text")  # The view is made once more.
    scene.source.execute("insert into operations.t values (3, 19, 'w')")
    scene.catch_up(service)
    assert service.stop() == 0, service.tail()
    assert scene.target.query("select id, v, w from analytics.t_current order by id") \
        == [(1, 17, None), (2, 18, None), (3, 19, "w")]


def test_a_row_key_that_has_changed(scene):
    _with_history(scene, "alter table operations.t drop constraint t_pkey, add primary key (v)")
    fails(scene, 'row key of table "operations.t" has changed', "(id)", "(v)")
    service = scene.start()
    scene.source.execute("insert into operations.t values (2, '18')")
    assert service.wait(60) == EXIT_OPERATOR, service.tail()


def test_a_missing_publication(scene):
    scene.source.execute(KEYED)
    mend(scene, fails(scene, "cdc_publication"), "CREATE PUBLICATION")
    passes(scene)


def test_a_misspelt_publication_is_told_what_exists(scene):
    ready(scene)
    scene.configure(source={"publication": "cdc_publicaton"})
    fails(scene, "cdc_publicaton", "cdc_publication")


@pytest.mark.parametrize("publish", ["insert", "insert, update, delete", "truncate"])
def test_a_publication_that_does_not_publish_everything(scene, publish):
    scene.source.execute(KEYED)
    scene.source.execute("create publication cdc_publication for all tables "
                         f"with (publish = '{publish}')")
    mend(scene, fails(scene, "cdc_publication"), "ALTER PUBLICATION")
    passes(scene)


@pytest.mark.parametrize("ddl, table", [
    ("create table operations.n (v text)", "operations.n"),
    ("create table operations.n (id integer primary key);"
     "alter table operations.n replica identity nothing", "operations.n"),
])
def test_a_table_without_a_usable_replica_identity(scene, ddl, table):
    ready(scene, f"{KEYED}; {ddl}")
    mend(scene, fails(scene, table), f"ALTER TABLE .*{table.split('.')[1]}.* REPLICA IDENTITY")
    passes(scene)


def _login(scene, attributes, *grants):
    """The pipeline logs in on the source as a new role."""
    role = f"reader_{scene.number}"
    scene.source_cluster.execute(f"create role {role} login {attributes} password 'p'")
    scene.source.execute(f'grant connect on database "{scene.source.name}" to {role}')
    for grant in grants:
        scene.source.execute(grant.format(role=role))
    scene.configure(source={"dsn": scene.source_cluster.dsn(scene.source.name, role)})
    scene.pipeline.env["SOURCE_PASSWORD"] = "p"
    return role


def _drop_role(scene, role):
    scene.source.execute(f"drop owned by {role}")
    scene.source_cluster.execute(f"drop role {role}")


READ = ("grant usage on schema operations to {role}",
        "grant select on all tables in schema operations to {role}")


def test_a_role_without_replication(scene):
    ready(scene)
    role = _login(scene, "", *READ)
    chosen = mend(scene, fails(scene, role, "REPLICATION"), "ALTER (ROLE|USER)")
    assert any(role in sql for sql in chosen)
    passes(scene)
    _drop_role(scene, role)


def test_a_role_that_was_granted_one_with_replication(scene):
    ready(scene)
    group = f"replicators_{scene.number}"
    scene.source_cluster.execute(f"create role {group} replication")
    role = _login(scene, f"in role {group}", *READ)
    result = fails(scene, role, group, "REPLICATION")
    assert re.search("inherit", text_of(result)), text_of(result)
    mend(scene, result, "ALTER (ROLE|USER)")
    passes(scene)
    _drop_role(scene, role)
    scene.source_cluster.execute(f"drop role {group}")


def test_the_script_that_grants_the_wrong_way_round_is_explained(scene):
    """CREATE USER cdc_user WITH ROLE cdc_replication makes the group a member of the user."""
    ready(scene)
    group = f"wrong_way_{scene.number}"
    scene.source_cluster.execute(f"create role {group} replication")
    role = _login(scene, f"role {group}", *READ)
    result = fails(scene, role, "REPLICATION")
    assert group in text_of(result), text_of(result)
    mend(scene, result, "ALTER (ROLE|USER)")
    passes(scene)
    _drop_role(scene, role)
    scene.source_cluster.execute(f"drop role {group}")


def test_a_role_without_select(scene):
    ready(scene)
    role = _login(scene, "replication", "grant usage on schema operations to {role}")
    refused = scene.run("run", "--until-current")
    assert refused.returncode == EXIT_OPERATOR, text_of(refused)
    assert '"operations.t"' in refused.stderr and "pgchronicle check" in refused.stderr
    mend(scene, fails(scene, "operations.t", role), "GRANT .*SELECT")
    passes(scene)
    _drop_role(scene, role)


def test_a_role_without_usage_of_the_schema(scene):
    ready(scene)
    role = _login(scene, "replication", "grant select on all tables in schema operations "
                  "to {role}")
    mend(scene, fails(scene, "operations", role), "GRANT .*USAGE")
    passes(scene)
    _drop_role(scene, role)


def test_a_target_role_without_create(scene):
    ready(scene)
    role = f"writer_{scene.number}"
    scene.target_cluster.execute(f"create role {role} login password 'p'")
    scene.target.execute("drop schema analytics; drop schema pgchronicle; grant connect, temporary "
                         f'on database "{scene.target.name}" to {role}')
    scene.configure(target={"dsn": scene.target_cluster.dsn(scene.target.name, role)})
    scene.pipeline.env["TARGET_PASSWORD"] = "p"
    chosen = mend(scene, fails(scene, role, "CREATE"), "GRANT .*CREATE", scene.target)
    assert any(role in sql for sql in chosen)
    passes(scene)
    service = scene.start_streaming()
    assert service.stop() == 0
    scene.target.execute(f"drop owned by {role} cascade")
    scene.target_cluster.execute(f"drop role {role}")


def test_a_source_column_with_the_name_of_a_history_column(scene):
    ready(scene, "create table operations.t (id integer primary key, valid_from date, "
          "change_seq integer)")
    result = fails(scene, "operations.t", "valid_from", "change_seq")
    assert "history_columns" in text_of(result)
    scene.configure(tables={"history_columns": {"valid_from": "v_from", "change_seq": "v_seq"}})
    passes(scene)


def test_two_source_tables_that_map_to_one_history_table(scene):
    scene.add_schema("other")
    ready(scene, KEYED + "; create table other.t (id integer primary key)")
    fails(scene, "operations.t", "other.t", "t_history")
    refused = scene.run("run", "--until-current")
    assert refused.returncode == EXIT_OPERATOR, text_of(refused)
    # A slot would keep WAL that nobody reads, and a checkpoint say that there is a history.
    assert scene.source.query("select 1 from pg_replication_slots where slot_name = %s",
                              (scene.slot,)) == []
    assert scene.target.query("select 1 from pgchronicle.checkpoint where pipeline = %s",
                              (scene.name,)) == []
    scene.configure(target={"schema": "{schema}_history"})
    passes(scene)
    scene.configure(target={"schema": "analytics"},
                    tables={"overrides": {"other.t": {"target": "other_t_history"}}})
    passes(scene)


@pytest.mark.parametrize("report, told", [
    ("-- param: n bogus\nselect :n", ["r.sql:1: ", "bogus"]),
    ("-- name: r\n-- path: /health\nselect 1", ["r.sql:2: ", "/health"])])
def test_a_report_that_nobody_can_serve(scene, tmp_path, report, told):
    ready(scene)
    (tmp_path / "r.sql").write_text(report)
    scene.configure(reports={"dir": str(tmp_path)})
    fails(scene, *told)
    (tmp_path / "r.sql").write_text("select 1")
    passes(scene)
    scene.configure(reports={"dir": str(tmp_path / "none")})
    fails(scene, "none: could not read the folder of reports")


@pytest.mark.parametrize("http, told", [
    ({"role": "nobody_has_it"}, "nobody_has_it"), ({"dsn": "host=127.0.0.1 port=1"}, "port 1")])
def test_http_that_could_not_read_the_target(scene, http, told):
    ready(scene)
    scene.configure(http={"listen": "127.0.0.1:0"})
    assert "HTTP" not in text_of(passes(scene))
    scene.configure(http={"listen": "127.0.0.1:0", **http})
    result = text_of(passes(scene))
    assert "WARNING:  HTTP could not read the target: " in result and told in result


@pytest.mark.parametrize("side", ["source", "target"])
def test_an_unreachable_server(scene, side):
    ready(scene)
    dsn = re.sub(r"port=\d+", "port=1", scene.pipeline.config[side]["dsn"])
    scene.configure(**{side: {"dsn": dsn}})
    result = fails(scene, side, "127.0.0.1")
    assert re.search(r"\b1\b", text_of(result))


@pytest.mark.parametrize("side", ["source", "target"])
def test_a_wrong_password(scene, side):
    ready(scene)
    scene.pipeline.env[f"{side.upper()}_PASSWORD"] = "not-this-one"
    result = fails(scene, side, "password")
    assert "not-this-one" not in text_of(result)


@pytest.mark.parametrize("side", ["source", "target"])
def test_a_database_that_does_not_exist(scene, side):
    ready(scene)
    dsn = re.sub(r"dbname=\S+", "dbname=nowhere", scene.pipeline.config[side]["dsn"])
    scene.configure(**{side: {"dsn": dsn}})
    fails(scene, side, "nowhere")


def test_a_pipeline_at_work_is_none(scene):
    """Its checkpoint passes what the source had written when it was asked, for the target answers
    so late."""
    ready(scene)
    direct = scene.pipeline.config["target"]["dsn"]
    service = scene.start_streaming()
    scene.catch_up(service)
    done = threading.Event()

    def traffic():
        number = 0
        while not done.is_set():
            number += 1
            scene.source_cluster.execute("insert into operations.t values (%s)", (number,),
                                         dbname=scene.source.name)

    thread = threading.Thread(target=traffic)
    with Link(scene.target_cluster.port) as link:
        scene.configure(target={"dsn": link.dsn_through(direct)})
        link.delay_seconds = 0.05
        thread.start()
        try:
            passes(scene)
        finally:
            done.set()
            thread.join()
    assert service.stop() == EXIT_DONE


def test_several_faults_are_reported_together(scene):
    scene.source.execute(f"{KEYED}; create table operations.n (v text)")
    scene.configure(source={"create_slot": "never"})
    scene.source.execute("create publication cdc_publication for all tables "
                         "with (publish = 'insert')")
    fails(scene, scene.slot, "cdc_publication", "operations.n")

"""Every session of the program pins its search path, and secrets stay where they were put."""

import os
import re
from pathlib import Path

import pytest

from support.cluster import children_of
from support.pgchronicle import EXIT_DONE
from support.recording_proxy import RecordingProxy
from support.replay_scene import WHY, add_bookmark
from support.roles import (SOURCE_PASSWORD, SOURCE_USER, TARGET_PASSWORD, TARGET_USER,
                           grant_target)
from support.statements import executed
from support.story import KEYED
from support.verified import assert_equal

# -- the search path ----------------------------------------------------------------------------


def _through(scene, source, target):
    """Both servers are reached through proxies, in clear."""
    dsns = {"source": (scene.source_cluster, scene.source, SOURCE_USER, source),
            "target": (scene.target_cluster, scene.target, TARGET_USER, target)}
    for side, (cluster, database, user, proxy) in dsns.items():
        dsn = re.sub(r"port=\d+", f"port={proxy.port}", cluster.dsn(database.name, user))
        scene.configure(**{side: {"dsn": f"{dsn} sslmode=disable gssencmode=disable"}})


def _every_command(scene):
    """Everything that opens a connection, from the first look to a repair."""
    scene.source.execute(KEYED + "; insert into operations.t select g, 'v' "
                         "from generate_series(1, 100) g")
    scene.publish()
    init = scene.pipeline.run_plain("init", scene.pipeline.config["source"]["dsn"],
                                    env={"PGPASSWORD": SOURCE_PASSWORD})
    assert init.returncode == EXIT_DONE, init.stderr
    assert scene.run("check").returncode == EXIT_DONE
    service = scene.start_streaming()
    scene.source.execute("update operations.t set v = 'w'; alter table operations.t add x text")
    scene.source.execute("delete from operations.t where id = 1")
    scene.source.execute("create table operations.later (id integer primary key); "
                         "insert into operations.later values (1)")
    scene.catch_up(service)
    for command in (["status"], ["status", "--json"], ["history", "operations.t", "1"], ["check"]):
        result = scene.run(*command)
        assert result.returncode == EXIT_DONE, result.stdout + result.stderr
    scene.terminate_walsender()
    service.wait_event("reconnecting", 20)
    scene.source.execute("insert into operations.t values (1, 'again')")
    scene.catch_up(service)
    add_bookmark(scene, "b")
    scene.source.execute("update operations.t set v = 'x' where id < 3")
    scene.catch_up(service)
    assert_equal(scene)
    assert service.stop() == 0, service.tail()
    grant_target(scene.target, schema="shadow")
    for command in (["replay", "--into", "shadow", "--from", "b", *WHY], ["bookmark", "list"],
                    ["replay", "--from", "b", *WHY], ["bookmark", "drop", "b", *WHY]):
        result = scene.run(*command)
        assert result.returncode == EXIT_DONE, result.stdout + result.stderr
    assert scene.target.query("select count(*) from shadow.t_history") \
        == scene.target.query("select count(*) from analytics.t_history")
    scene.source.execute("insert into operations.later values (2)")
    result = scene.run("repair", "skip", "--to", scene.source.lsn(), "--reason", "a test", "--yes")
    assert result.returncode == EXIT_DONE, result.stdout + result.stderr


def test_every_connection_pins_the_search_path(scene):
    statement_log = "alter database \"{}\" set log_statement = 'all'"
    with RecordingProxy(scene.source_cluster.port) as source, \
            RecordingProxy(scene.target_cluster.port) as target:
        _through(scene, source, target)
        marks = {}
        for database in (scene.source, scene.target):
            database.execute(statement_log.format(database.name))
            marks[database] = database.cluster.log_mark()
        _every_command(scene)
        kinds = set()
        for side, proxy in (("source", source), ("target", target)):
            for conversation in proxy.conversations:
                if conversation.is_cancel or not conversation.sent:
                    continue
                start_up = conversation.start_up
                assert start_up, conversation.sent[:200]
                assert conversation.settings.get("search_path") == "", start_up
                name = start_up["application_name"].replace(scene.name, "run")
                kinds.add((side, " ".join(name.split()[:2]), start_up.get("replication")))
    assert kinds >= {
        ("source", "pgchronicle init", None), ("source", "pgchronicle check", None),
        ("source", "pgchronicle check", "database"), ("source", "pgchronicle run", None),
        ("source", "pgchronicle run", "database"), ("source", "pgchronicle status", None),
        ("source", "pgchronicle repair", None), ("target", "pgchronicle check", None),
        ("source", "pgchronicle verify", None), ("source", "pgchronicle verify", "database"),
        ("source", "pgchronicle bookmark", None), ("source", "pgchronicle replay", None),
        ("target", "pgchronicle verify", None), ("target", "pgchronicle bookmark", None),
        ("target", "pgchronicle replay", None), ("target", "pgchronicle run/shadow", None),
        ("target", "pgchronicle run", None), ("target", "pgchronicle status", None),
        ("target", "pgchronicle history", None), ("target", "pgchronicle repair", None)}, kinds
    # And it stays as it was; functions of ours pin their own.
    for database, mark in marks.items():
        statements = executed(database.cluster.log_since(mark))
        assert statements
        for statement in statements:
            unpinned = re.sub(r"\bSET search_path = ''", "", statement)
            assert "search_path" not in unpinned, statement


@pytest.mark.parametrize("where", ["dsn", "environment"])
@pytest.mark.parametrize("side", ["source", "target"])
def test_neither_dsn_nor_environment_unpins_the_search_path(scene, side, where):
    scene.source.execute(KEYED)
    scene.publish()
    words, env = (" options='-c search_path=public'", {}) if where == "dsn" \
        else ("", {"PGOPTIONS": "-c search_path=public"})
    with RecordingProxy(getattr(scene, f"{side}_cluster").port) as proxy:
        dsn = re.sub(r"port=\d+", f"port={proxy.port}", scene.pipeline.config[side]["dsn"])
        scene.configure(**{side: {"dsn": dsn + " sslmode=disable" + words}})
        assert scene.run("check", env=env).returncode == EXIT_DONE
        assert proxy.conversations
        for conversation in proxy.conversations:
            assert "-c search_path=public" in conversation.start_up["options"]
            assert conversation.settings["search_path"] == ""


# Whoever may create in public lays these; all of them tell that they were called. Some fit better
# than PostgreSQL's own, so that public need not come first: CVE-2018-1058, CVE-2020-14349.
# By the server's log, where a transaction that is read-only or rolled back tells, too.
TELLS = """
grant usage, create on schema public to public;
create function public.tell(what text) returns void language plpgsql set search_path = pg_catalog
as $$ begin raise log 'called in public: %', what; end $$;
"""
OPERANDS = ["text, text", "name, text", "text, name", "name, name", "integer, integer",
            "oid, integer", "bigint, integer", "integer, bigint", "pg_lsn, pg_lsn",
            "boolean, boolean", "timestamptz, timestamptz", "text[], text[]", "varchar, varchar",
            '"char", text',
            "anyarray, anyarray", "jsonb, jsonb", "regproc, oid", "oid, regproc"]
OPERATORS = {"=": "boolean", "<>": "boolean", "<": "boolean", "<=": "boolean", ">": "boolean",
             ">=": "boolean", "||": "text"}
FUNCTIONS = ["lower(text)", "format_type(oid, integer)", "quote_ident(text)", "md5(text)", "now()",
             "hashtextextended(text, integer)", "to_regclass(text)", "to_regnamespace(text)",
             "has_table_privilege(oid, text)", "pg_get_userbyid(oid)", "array_agg(text)",
             "unnest(text[])", "current_setting(text)", "set_config(text, text, boolean)",
             "pg_current_wal_flush_lsn()", "pg_try_advisory_lock(bigint)", "host(inet)",
             "row_number()", "pg_backend_pid()", "array_length(text[], integer)",
             "clock_timestamp()", "jsonb_array_elements(jsonb)", "substr(text, integer)",
             "left(text, integer)", "replace(text, text, text)", "pg_get_indexdef(oid)",
             "to_char(timestamp, text)", "convert_to(text, text)", "format(text, text, text)"]


def _lay_traps(database):
    database.execute(TELLS)
    laid = 0
    for number, operands in enumerate(OPERANDS):
        left, right = operands.split(", ")
        for symbol, result in OPERATORS.items():
            trap = f"operator_{number}_{list(OPERATORS).index(symbol)}"
            answer = "false" if result == "boolean" else "'trap'"
            database.execute(
                f"create function public.{trap}({operands}) returns {result} language plpgsql as "
                f"$$ begin perform public.tell('{symbol} {trap}'); return {answer}; end $$;"
                f"create operator public.{symbol} (leftarg = {left}, rightarg = {right}, "
                f"function = public.{trap})")
            laid += 1
    for function in FUNCTIONS:
        database.execute(
            f"create function public.{function} returns text language plpgsql as $$ "
            f"begin perform public.tell('{function}'); return null; end $$")
        laid += 1
    for role in (SOURCE_USER, TARGET_USER):
        database.cluster.execute(f'alter role {role} in database "{database.name}" '
                                 "set search_path = public, pg_catalog")
    # The test's own sessions are not to fall into them.
    database.cluster.execute(f'alter database "{database.name}" set search_path = pg_catalog')
    database.connection.close()
    return laid


def _calls(database, mark):
    return re.findall(r"LOG:  called in public: (.*)", database.cluster.log_since(mark))


def test_nothing_in_public_is_ever_called(scene):
    marks = {}
    for database in (scene.source, scene.target):
        assert _lay_traps(database) > 100
        marks[database] = database.cluster.log_mark()
    scene.configure(tables={"include": ["operations.*"]})
    _every_command(scene)
    # Readers keep out of them even where a person's own path leads there.
    with scene.target.transaction() as cursor:
        cursor.execute("set local search_path = pg_catalog, public")
        position = scene.checkpoint()["position"]
        for reader in ("t_current", "t_as_of(now())", f"t_as_of_lsn('{position}')"):
            cursor.execute(f"select count(*) from analytics.{reader}")
            assert cursor.fetchone()[0] > 50, reader
    for database, mark in marks.items():
        assert _calls(database, mark) == []


@pytest.mark.parametrize("statement", [
    "select 'a'::text = 'b'::text", "select lower('A'::text)", "select relname = 'x' from pg_class",
    "select format_type(25, -1)"])
def test_the_traps_catch_a_session_that_pins_nothing(scene, statement):
    """Seen to fail: what the program must not do."""
    _lay_traps(scene.target)
    mark = scene.target_cluster.log_mark()
    connection = scene.target.connect(search_path="public, pg_catalog")
    with connection.cursor() as cursor:
        cursor.execute(statement)
    connection.close()
    assert _calls(scene.target, mark)


# -- secrets ------------------------------------------------------------------------------------

def _memory_of_others(pid):
    """What other users and tools see of a process without reading its memory."""
    seen = Path(f"/proc/{pid}/cmdline").read_bytes() + Path(f"/proc/{pid}/comm").read_bytes()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            seen += os.readlink(entry).encode()
        except OSError:
            continue
    return seen


@pytest.mark.parametrize("where", ["file", "environment", "literal", "dsn"])
def test_a_password_is_nowhere_but_where_it_was_put(scene, tmp_path, where):
    passwords = {"source": SOURCE_PASSWORD, "target": TARGET_PASSWORD}
    names = {"source": "SOURCE_PASSWORD", "target": "TARGET_PASSWORD"}
    for side, password in passwords.items():
        if where == "environment":
            continue
        scene.pipeline.env.pop(names[side])
        if where == "file":
            path = tmp_path / f"{side}.password"
            path.write_text(password + "\n")
            path.chmod(0o400)
            scene.configure(**{side: {"password": None, "password_file": str(path)}})
        elif where == "literal":
            scene.configure(**{side: {"password": password}})
        else:
            dsn = scene.pipeline.config[side]["dsn"]
            scene.configure(**{side: {"password": None, "dsn": f"{dsn} password={password}"}})
    scene.source.execute(KEYED)
    scene.publish()
    scene.configure(log={"level": "trace"})
    said = []
    service = scene.start_streaming()
    scene.source.execute("insert into operations.t values (1, 'a')")
    scene.catch_up(service)
    assert children_of(service.pid) == [], "a child would inherit the environment"
    said.append(_memory_of_others(service.pid).decode(errors="replace"))
    environment = Path(f"/proc/{service.pid}/environ").read_text()
    if where != "environment":
        said.append(environment)
    else:
        assert SOURCE_PASSWORD in environment  # So the look is one that would find it.
    # Both servers' sessions, as anybody sees them there.
    for database in (scene.source, scene.target):
        said.append(str(database.query("select * from pg_stat_activity")))
    looks = [["check"], ["status"], ["status", "--json"], ["history", "operations.t", "1"],
             ["verify"], ["verify", "--json"], ["bookmark", "list"]]
    for command in ([["bookmark", "add", "b"]] + looks):
        result = scene.run(*command)
        assert result.returncode == EXIT_DONE, result.stdout + result.stderr
        said += [result.stdout, result.stderr]
    scene.terminate_walsender()
    service.wait_event("reconnecting", 20)
    scene.source.execute("insert into operations.t values (2, 'b')")
    scene.catch_up(service)
    assert service.stop() == 0
    init = scene.pipeline.run_plain("init", scene.pipeline.config["source"]["dsn"],
                                    env={"PGPASSWORD": SOURCE_PASSWORD})
    replay = scene.run("replay", "--from", "b", *WHY)
    for result in (init, replay):
        assert result.returncode == EXIT_DONE, result.stdout + result.stderr
        said += [result.stdout, result.stderr]
    # Errors of connecting, on both sides.
    for side in passwords:
        for keyword, wrong in (("port", "1"), ("dbname", "nowhere"), ("host", "no.invalid")):
            dsn = scene.pipeline.config[side]["dsn"]
            broken = re.sub(rf"\b{keyword}=\S+", f"{keyword}={wrong}", dsn)
            scene.configure(**{side: {"dsn": broken}})
            for command in (["check"], ["status"], ["history", "operations.t", "1"], ["verify"],
                            ["bookmark", "list"], ["replay", "--from", "b", *WHY],
                            ["repair", "accept-source", *WHY]):
                result = scene.run(*command)
                said += [result.stdout, result.stderr]
            scene.configure(**{side: {"dsn": dsn}})
    said.append(scene.pipeline.whole_log())
    for password in passwords.values():
        for text in said:
            assert password not in text, text


"""Databases that are set up in hostile ways, other encodings, wide and narrow tables, odd names,
and large values."""

import hashlib
import os
import shutil
import subprocess

import pytest

from support.pgchronicle import EXIT_CHECK_FAILED, EXIT_OPERATOR
from support.scene import SOURCE_USER, TARGET_USER
from support.story import KEYED, begin, each, finish
from support.type_values import HOSTILE

# -- settings ---------------------------------------------------------------------------------

# Whoever looks a name up in this schema gets a wrong answer, or none.
EVIL = """
create schema evil; grant usage on schema evil to public;
create function evil.wrong(integer, integer) returns boolean immutable language sql as 'select false';
create operator evil.= (leftarg = integer, rightarg = integer, function = evil.wrong);
create function evil.wrong(text, text) returns boolean immutable language sql as 'select false';
create operator evil.= (leftarg = text, rightarg = text, function = evil.wrong);
create function evil.now() returns timestamptz language sql as $$ select '1999-01-01'::timestamptz $$;
create function evil.current_database() returns name language sql as $$ select 'evil'::name $$;
create function evil.format_type(oid, integer) returns text language sql as $$ select 'evil' $$;
create function evil.pg_current_wal_flush_lsn() returns pg_lsn language sql as $$ select '0/1'::pg_lsn $$;
create function evil.md5(text) returns text language sql as $$ select 'evil' $$;
create function evil.lower(text) returns text language sql as $$ select 'evil' $$;
create function evil.set_config(text, text, boolean) returns text language sql as $$ select 'evil' $$;
create type evil.text as (evil integer);
create table evil.pg_class (oid oid, relname name);
create table evil.t (id integer, v evil.text);
"""


@pytest.mark.parametrize("where", ["database", "role"])
def test_defaults_of_databases_and_roles_change_nothing(scene, where):
    source, target = scene.source, scene.target
    settings = [*HOSTILE, "search_path = 'evil', 'pg_catalog'", "default_transaction_isolation = "
                "'serializable'", "default_transaction_read_only = on", "row_security = off",
                "standard_conforming_strings = off", "array_nulls = off", "quote_all_identifiers = on",
                "default_toast_compression = 'pglz'", "backslash_quote = off", "client_encoding = 'LATIN1'",
                "check_function_bodies = off", "transform_null_equals = on", "synchronize_seqscans = on"]
    source.execute(EVIL)
    target.execute(EVIL)
    oracle_ddl = (
        "create table operations.t (id integer primary key, v text, at timestamptz, f float8, "
        "i interval, b bytea, d date, n integer[]);"
        "create table operations.u (v text, f float8); alter table operations.u replica identity full;")
    row = ("'it''s \\ ü', '2024-02-03 04:05:06.789', 0.1::float8 + 0.2::float8, '-1 mon 2 days', "
           "'\\x00ff', '2024-02-03', '{1,NULL}'")
    source.execute(oracle_ddl + f"insert into operations.t values (1, {row}), (2, {row});"
                   "insert into operations.u values ('u', 1e-300)")
    for database, role in ((source, SOURCE_USER), (target, TARGET_USER)):
        subject = f'database "{database.name}"' if where == "database" \
            else f'role {role} in database "{database.name}"'
        for setting in settings:
            database.cluster.execute(f"alter {subject} set {setting}")
    scene.source._connection.close()
    scene.publish()
    oracle = scene.oracle("t", "u")
    service = scene.start_streaming()
    each(scene, f"insert into operations.t values (3, {row})",
         "update operations.t set v = v || '.' where id = 1; update operations.u set v = 'w'",
         "update operations.t set id = 4 where id = 2; delete from operations.t where id = 3",
         "alter table operations.t add x interval default '1 mon'", "update operations.t set id = 5 "
         "where id = 4")
    finish(scene, service, oracle, scene.spec("t", fast_defaults={"x": "1 mon"}), scene.spec("u"),
           as_of_samples=0)

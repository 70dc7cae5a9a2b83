"""The roles that the program logs in as: made by the files that users run, with what these grant
and nothing else."""

import os
import subprocess

from .cluster import SERVER_USER, client
from .pgchronicle import REPO

SOURCE_USER, SOURCE_PASSWORD = "cdc_user", "canary-source-5e1f"
TARGET_USER, TARGET_PASSWORD = "analytics_user", "canary-target-9a7c"
OPERATOR, OPERATOR_PASSWORD = "analytics_operator", "canary-operator-31d8"
READER, READER_PASSWORD = "analytics_reader", "canary-reader-c04b"

_PASSWORDS = {SOURCE_USER: SOURCE_PASSWORD, TARGET_USER: TARGET_PASSWORD,
              OPERATOR: OPERATOR_PASSWORD, READER: READER_PASSWORD}


def create_roles(cluster):
    """The roles' names and passwords; their attributes and rights come from the files."""
    for role, password in _PASSWORDS.items():
        cluster.execute(f"create role {role} password '{password}'")


def _run_file(database, path, variables):
    options = [option for name, value in variables.items() if value is not None
               for option in ("-v", f"{name}={value}")]
    subprocess.run(
        [client("psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", str(database.cluster.socket_dir),
         "-p", str(database.cluster.port), "-U", SERVER_USER, "-d", database.name, *options,
         "-f", str(REPO / "sql" / path)], check=True, stdout=subprocess.DEVNULL,
        env={**os.environ, "PGOPTIONS": "-c client_min_messages=warning"})


def only_what_is_granted(database):
    """Takes away what everybody may do with a new database, which would hide a missing grant."""
    database.execute(f'revoke all on database "{database.name}" from public')


def grant_source(database, schema=None, publication=None):
    _run_file(database, "source/roles.sql",
              {"role": SOURCE_USER, "schema": schema, "publication": publication})


def grant_target(database, schema="analytics", create_schemas=None):
    _run_file(database, "target/roles.sql",
              {"writer": TARGET_USER, "operator": OPERATOR, "reader": READER, "schema": schema,
               "create_schemas": create_schemas})

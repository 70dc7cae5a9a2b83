"""What a server of some version has. A test that needs more is skipped, and says what for."""

import pytest


def major(database):
    """14 to 18, of the server that a Database or a Cluster is on."""
    return int(database.query("show server_version_num")[0][0]) // 10000


def needs(database, version, what):
    """Skips the test where the server is older than the first version that has `what`."""
    if major(database) < version:
        pytest.skip(f"{what}: from PostgreSQL {version} on")


def without(database, version, what):
    """Skips the test where the server is of that version or newer."""
    if major(database) >= version:
        pytest.skip(f"{what}: before PostgreSQL {version}")


def kept_as_text(source, target):
    """Built-in types that a source from 17 on has more values of than an older target knows."""
    return ("interval", "jsonpath") if major(target) < 17 <= major(source) else ()


def needs_lz4(database):
    """Skips the test where the server was built without lz4: no setting takes it then."""
    if not database.query("select 'lz4' = any (enumvals) from pg_settings "
                          "where name = 'default_toast_compression'")[0][0]:
        pytest.skip("lz4: the source was built without it")

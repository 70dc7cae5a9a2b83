"""What the tests of replay share: a pipeline of one table, bookmarks, and a workload with DDL."""

import os
import random

from .lsn import parse_lsn
from .pgchronicle import EXIT_DONE, EXIT_OPERATOR
from .waiting import wait_until
from .whole_history import differences, whole_history
from .workloads import Schema

SEED = int(os.environ.get("PGCHRONICLE_SEED", random.SystemRandom().randrange(1 << 32)))
KEYED = "create table operations.t (id integer primary key, v text)"
WHY = ("--reason", "the test wants it")


class SchemaWithoutRewrites(Schema):
    """Types that get wider without a new file, and no tables that swap their names.

    Nor a TRUNCATE, which gives a table another file, too: seen with a wider type before its time,
    that is looked at as a rewrite. Other workloads have TRUNCATE.
    """

    @staticmethod
    def _first_type(table):
        return "varchar(24)"

    @staticmethod
    def _truncate(cursor, chance):
        return False


def streaming(scene, **configuration):
    """A pipeline of one table that streams."""
    scene.source.execute(KEYED)
    scene.publish()
    scene.configure(**configuration)
    return scene.start_streaming()


def insert(scene, service, first, last):
    for number in range(first, last + 1):
        scene.source.execute("insert into operations.t values (%s, %s) on conflict (id) do update "
                             "set v = excluded.v || '+'", (number, f"v{number}"))
    scene.catch_up(service)


def confirmed(scene):
    return parse_lsn(scene.confirmed())


def acknowledge(scene, service):
    """Waits until the slot stands where the checkpoint does."""
    end = scene.position()
    service.wait_for(lambda: confirmed(scene) >= end, 30, "the acknowledgement")


def wal(scene, megabytes=1):
    """So much WAL that nobody publishes."""
    for _ in range(megabytes):
        scene.source.value("select pg_logical_emit_message(false, 'wal', repeat('x', 1048576))"
                           "::text")


def add_bookmark(scene, name):
    result = scene.run("bookmark", "add", name)
    assert result.returncode == EXIT_DONE, result.stderr
    return scene.target.query("select position::text, slot from pgchronicle.bookmark "
                              "where pipeline = %s and name = %s", (scene.name, name))[0]


def past_bookmark(scene, before, after):
    """A pipeline of one table that is stopped: rows from one number to another, the bookmark "b",
    and more rows. Returns the bookmark's position and slot."""
    service = streaming(scene)
    insert(scene, service, *before)
    bookmark = add_bookmark(scene, "b")
    insert(scene, service, *after)
    assert service.stop() == EXIT_DONE
    return bookmark


def wait_unlocked(scene):
    """A process that was killed leaves the pipeline's lock to its server side for a moment."""
    wait_until(lambda: scene.target.value(
        "select count(*) from pg_locks where locktype = 'advisory' and database = "
        "(select oid from pg_database where datname = current_database())") == 0, 10, "the lock")


def slots(scene):
    return sorted(name for name, _ in scene.source.slots())


def refused(scene, command, *named, code=EXIT_OPERATOR):
    """The command changes nothing, says each of these in PostgreSQL's grammar."""
    before = whole_history(scene.target, scene.name)
    slots_before = slots(scene)
    result = scene.run(*command)
    assert result.returncode == code, result.stdout + result.stderr
    assert "error: " in result.stderr
    for word in named:
        assert str(word) in result.stderr, f"{word} is not named in:\n{result.stderr}"
    assert differences(before, whole_history(scene.target, scene.name)) == {}
    assert slots(scene) == slots_before
    return result.stderr

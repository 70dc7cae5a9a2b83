"""Runs `verify` and reads what it says."""

import json

import subprocess

from .pgchronicle import EXIT_CHECK_FAILED, EXIT_DONE
from .story import KEYED, each  # noqa: F401 - KEYED is for the tests, too

BAG = "create table operations.bag (v text); alter table operations.bag replica identity full"

# `verify` waits for an idle position to be stored.
QUICK = {"acknowledge": {"interval": "20ms"}}


def follow(scene, ddl, *statements, **config):
    """Tables that are followed, with these statements behind their copy. Returns `run`."""
    scene.source.execute(ddl)
    scene.configure(**QUICK, **config)
    scene.publish()
    service = scene.start_streaming()
    each(scene, *statements)
    return service


class Verdict:
    """The JSON of one verification."""

    def __init__(self, result):
        assert result.returncode in (EXIT_DONE, EXIT_CHECK_FAILED) and result.stdout, \
            (result.returncode, result.stdout, result.stderr)
        self.code = result.returncode
        self.report = json.loads(result.stdout)
        self.tables = {table["source"]: table for table in self.report["tables"]}
        assert self.report["equal"] == (self.code == EXIT_DONE)

    def table(self, name, schema="operations"):
        return self.tables[f"{schema}.{name}"]

    def labels(self):
        """Kinds of differences, and checks that are broken."""
        return {key["kind"] for table in self.tables.values() for key in table["keys"]} | \
            {broken["check"] for table in self.tables.values() for broken in table["broken"]}

    def keys(self, column="id"):
        """Every value of a key's column that is told, in differences and in invariants."""
        rows = [key["key"] for table in self.tables.values() for key in table["keys"]]
        rows += [row for table in self.tables.values() for broken in table["broken"]
                 for row in broken["rows"]]
        return {row[column] for row in rows if column in row}

    def __repr__(self):
        return json.dumps(self.report, indent=1)


def verify(scene, *arguments, timeout=120):
    return Verdict(scene.run("verify", "--json", *arguments, timeout=timeout))


def assert_equal(scene, *arguments):
    verdict = verify(scene, *arguments)
    assert verdict.code == EXIT_DONE, verdict
    return verdict


def start(scene, *arguments, **options):
    """`verify` in the background, for what happens meanwhile."""
    return subprocess.Popen(scene.pipeline.arguments("verify", *arguments), text=True,
                            env=scene.pipeline.environment(), cwd=scene.pipeline.workdir,
                            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options})


def ended(process, timeout=60):
    """The Verdict of a `verify --json` that was started."""
    out, err = process.communicate(timeout=timeout)
    return Verdict(subprocess.CompletedProcess(process.args, process.returncode, out, err))


def sessions(database):
    """Server processes of `verify`, of any database of the cluster: (pid, state, wait)."""
    return database.query("select pid, state, wait_event_type from pg_stat_activity "
                          "where application_name = 'pgchronicle verify'")

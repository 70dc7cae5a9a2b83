"""The finance example as it is shipped, on servers of a test's own."""

import contextlib
import subprocess

from .cluster import client, free_port
from .database import Database
from .pgchronicle import REPO, Pipeline, Service, catch_up, tables_to_copy

EXAMPLE = REPO / "examples" / "finance"
PIPELINE = "finance"


class Existing(Database):
    """A database that a script has made."""

    def __init__(self, cluster, name):  # pylint: disable=super-init-not-called
        self.cluster = cluster
        self.name = name
        self._connection = None


def psql(cluster, dbname, script, user="postgres"):
    subprocess.run([client("psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", "-h",
                    str(cluster.socket_dir), "-p", str(cluster.port), "-U", user, "-d", dbname,
                    "-f", str(script)], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.PIPE)


class _ExamplePipeline(Pipeline):
    """Runs with the example's own configuration, where it stands."""

    def __init__(self, workdir, env):
        super().__init__(workdir, {}, env)
        self.config_path.unlink()
        self.config_path = EXAMPLE / "pgchronicle.yaml"


class Finance:
    """Source with first rows, target with roles; nothing runs yet."""

    def __init__(self, source_cluster, target_cluster, workdir):
        psql(source_cluster, "postgres", EXAMPLE / "source" / "01_roles.sql")
        for name in ("02_schema", "03_slot_and_publication", "04_traffic", "05_first_rows"):
            psql(source_cluster, "finance_db", EXAMPLE / "source" / f"{name}.sql")
        psql(target_cluster, "postgres", EXAMPLE / "target" / "01_roles.sql")
        self.source = Existing(source_cluster, "finance_db")
        self.target = Existing(target_cluster, "analytics_db")
        self.port = free_port()  # Where the history is served.
        self.pipeline = _ExamplePipeline(workdir, {
            "HTTP_LISTEN": f"127.0.0.1:{self.port}",
            "SOURCE_HOST": "127.0.0.1", "SOURCE_PORT": str(source_cluster.port),
            "SOURCE_PASSWORD": "cdc_1234", "TARGET_HOST": "127.0.0.1",
            "TARGET_PORT": str(target_cluster.port), "TARGET_PASSWORD": "1234"})
        self.name = PIPELINE

    def start_streaming(self, timeout=60) -> Service:
        service = self.pipeline.start()
        service.wait_for(lambda: service.events("stream_started")
                         and tables_to_copy(self.target, PIPELINE) == 0, timeout, "the stream")
        return service

    def create_views(self):
        psql(self.target.cluster, "analytics_db", EXAMPLE / "target" / "02_views.sql",
             user="analytics_user")

    def catch_up(self, service, timeout=60):
        return catch_up(service, self.source, self.target, PIPELINE, timeout)

    def run(self, command, *arguments, **options):
        return self.pipeline.run(command, *arguments, **options)

    def close(self):
        self.pipeline.close()
        for database in (self.source, self.target):
            with contextlib.suppress(Exception):
                database.connection.close()

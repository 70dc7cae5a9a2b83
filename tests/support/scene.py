"""A scene: one source database, one target database, one pipeline between them."""

import contextlib
import itertools
import os
import time

from .database import Database
from .oracle import Oracle, table_spec
from .pgchronicle import (Pipeline, catch_up, checkpoint, failpoint_env, merge, position,
                          tables_to_copy)
from .roles import (SOURCE_PASSWORD, SOURCE_USER, TARGET_PASSWORD, TARGET_USER, grant_source,
                    grant_target, only_what_is_granted)
from .set_v import SetV
from .waiting import WaitTimeout, wait_until

PUBLICATION = "cdc_publication"

_numbers = itertools.count(1)


class Scene:
    def __init__(self, source_cluster, target_cluster, workdir, schema="operations"):
        number = next(_numbers)
        self.number = number
        self.schema = schema
        self.source_cluster, self.target_cluster = source_cluster, target_cluster
        self.source = Database(source_cluster, f"src_{os.getpid()}_{number}")
        self.target = Database(target_cluster, f"tgt_{os.getpid()}_{number}")
        self.slot = f"cdc_pgoutput_{os.getpid()}_{number}"
        self.name = f"pipeline_{number}"
        self.pipeline = Pipeline(workdir, self._config(), env={
            "SOURCE_PASSWORD": SOURCE_PASSWORD, "TARGET_PASSWORD": TARGET_PASSWORD})
        self._oracles = []
        for database in (self.source, self.target):
            only_what_is_granted(database)
        grant_target(self.target)
        self.add_schema(schema)

    def _config(self):
        return {
            "source": {
                "dsn": self.source_cluster.dsn(self.source.name, SOURCE_USER),
                "password": "${SOURCE_PASSWORD}",
                "slot": self.slot,
                "publication": PUBLICATION,
                "create_slot": "if_missing",
            },
            "target": {
                "dsn": self.target_cluster.dsn(self.target.name, TARGET_USER),
                "password": "${TARGET_PASSWORD}",
                "schema": "analytics",
                "table_suffix": "_history",
            },
            "pipeline": self.name,
            "acknowledge": {"interval": "500ms"},  # Tests wait for idle positions.
            "spool_dir": "/tmp",
        }

    # -- preparing ---------------------------------------------------------------------------

    def add_schema(self, schema):
        self.source.execute(f"create schema {schema}")
        grant_source(self.source, schema=schema)

    def configure(self, **changes):
        schema = changes.get("target", {}).get("schema")
        if schema and "{" in schema:
            grant_target(self.target, create_schemas="yes")
        elif schema:
            grant_target(self.target, schema=schema)
        self.pipeline.set_config(merge(self.pipeline.config, changes))

    def publish(self, what="all tables"):
        self.source.execute(f"create publication {PUBLICATION} for {what}")

    def create_slot(self):
        self.source.execute("select pg_create_logical_replication_slot(%s, 'pgoutput')",
                            (self.slot,))

    def oracle(self, *tables):
        """An oracle that starts now; tables are names in the scene's schema that exist already."""
        oracle = Oracle(self.source, [(self.schema, table) for table in tables],
                        slot=f"oracle_{os.getpid()}_{self.number}_{len(self._oracles)}")
        self._oracles.append(oracle)
        return oracle

    def spec(self, table, schema=None, **options):
        return table_spec(self.source, schema or self.schema, table, **options)

    # -- running -----------------------------------------------------------------------------

    def run(self, command, *arguments, **options):
        return self.pipeline.run(command, *arguments, **options)

    def start(self, *arguments, env=None):
        return self.pipeline.start(*arguments, env=env)

    def start_streaming(self, *arguments, env=None, timeout=60):
        """Starts `run` and waits until every table is copied and the stream goes on behind."""
        service = self.start(*arguments, env=env)
        service.wait_for(lambda: self.streams(service), timeout, "the stream behind the copy")
        return service

    def streams(self, service):
        """Whether it streams and nothing is left to copy."""
        names = [event.name for event in service.events()]
        if "stream_started" not in names or tables_to_copy(self.target, self.name) != 0:
            return False
        last_copy = max((i for i, name in enumerate(names) if name.startswith("copy_")),
                        default=-1)
        return "stream_started" in names[last_copy + 1:]

    def catch_up(self, service, timeout=60):
        return catch_up(service, self.source, self.target, self.name, timeout)

    def checkpoint(self):
        return checkpoint(self.target, self.name)

    def position(self):
        return position(self.target, self.name)

    def confirmed(self):
        return self.source.value("select confirmed_flush_lsn::text from pg_replication_slots "
                                 "where slot_name = %s", (self.slot,))

    def terminate_walsender(self):
        """Breaks the replication connection, as a network or an administrator would."""
        return self.source.query(
            "select pg_terminate_backend(active_pid) from pg_replication_slots "
            "where slot_name = %s and active_pid is not null", (self.slot,))

    def terminate_writer(self):
        """The same for every connection to the target."""
        return self.target.query("select pg_terminate_backend(pid) from pg_stat_activity "
                                 "where datname = %s and usename = %s",
                                 (self.target.name, TARGET_USER))

    def failpoint(self, point, hit=1, action=None):
        """The environment of a process that is killed there."""
        return failpoint_env(point, hit, self.pipeline.workdir / "failpoints.log", action)

    def wait_for_kill(self, service, point, hit):
        """Waits until a failpoint has killed it."""
        next_break = time.monotonic() + 0.3

        def dead():
            nonlocal next_break
            if not service.alive:
                return True
            if point == "during_reconnect" and time.monotonic() >= next_break:
                self.terminate_walsender()  # Only a broken connection is made again.
                next_break = time.monotonic() + 0.3
            return False
        try:
            wait_until(dead, 60, f"failpoint {point}:{hit} to fire")
        except WaitTimeout as late:
            raise WaitTimeout(f"{late}\n{service.tail()}") from None

    # -- judging -----------------------------------------------------------------------------

    def set_v(self, oracle, *specs, **options):
        return SetV(self.source, self.target, oracle, list(specs), self.name, **options)

    def history(self, table, order="lsn_from, change_seq", columns="*", where="true"):
        return self.target.query(f"select {columns} from analytics.{table}_history "
                                 f"where {where} order by {order}")

    def close(self):
        self.pipeline.close()
        for cluster in (self.source_cluster, self.target_cluster):
            cluster.sigcont()
        with contextlib.suppress(Exception):
            self.source.drop()
        with contextlib.suppress(Exception):
            self.target.drop()

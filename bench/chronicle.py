"""pgchronicle as a contender: initial copy once, then one streaming run per slot copy."""

import os
import re
from datetime import datetime, timezone

import checks
import stored_history
from contenders import (Contender, Measurement, copy_template, drop_database, finish_template,
                        last_lines, make_template, run_process, template_name,
                        wait_until_slot_is_free)
from servers import BenchError
from stage import PUBLICATION

# Everything that is not said here has its default: the defaults are what is measured.
CONFIG = """\
source:
  dsn: {source}
  slot: {slot}
  publication: {publication}
  create_slot: {create_slot}
target:
  dsn: {target}
  schema: analytics
pipeline: bench
tables:
  include: [{table}]
snapshot: initial
"""


def write_config(stage, slot, database, create_slot="never", batch_rows=None):
    """The configuration for one run; its path."""
    path = os.path.join(stage.folder, "pgchronicle.yaml")
    with open(path, "w") as out:
        out.write(CONFIG.format(source=stage.source.dsn(stage.database), slot=slot,
                                publication=PUBLICATION, create_slot=create_slot,
                                target=stage.target.dsn(database), table=stage.table.source))
        if batch_rows:
            out.write(f"batch: {{max_rows: {batch_rows}}}\n")
    return path


def usage_of(usage):
    """What the process took, as it stands in a measurement's `extra`."""
    return {
        # Never below this program's own 25 MiB or so: the kernel counts the forked child before
        # it becomes pgchronicle.
        "memory_max_mib": round(usage.ru_maxrss / 1024, 1),
        "cpu_user_seconds": round(usage.ru_utime, 2),
        "cpu_system_seconds": round(usage.ru_stime, 2)}


class Chronicle(Contender):
    name = "pgchronicle"

    @property
    def base_slot(self):
        return self.name + "_base"

    def prepare(self, stage):
        make_template(stage, self.name, lambda cursor: None)
        stage.source.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')",
                             (self.base_slot,), stage.database)
        log = os.path.join(self.options.log_folder,
                           f"{stage.workload.name}-{self.name}-copy.log")
        until = stage.source.value("SELECT pg_current_wal_lsn()", database=stage.database)
        code, seconds, _ = self._run(stage, self.base_slot, template_name(self.name), until, log)
        if code != 0:
            raise BenchError(f"the initial copy of pgchronicle ended with exit code {code}"
                             f" ({log}): {last_lines(log)}")
        stage.copy_seconds = round(seconds, 2)
        wait_until_slot_is_free(stage, self.base_slot)
        self.versions_before = self._store_versions(stage)
        finish_template(stage, self.name)

    def _store_versions(self, stage):
        wanted = stage.workload.stored_versions.get(self.name)
        if not wanted:
            return stage.workload.rows_before
        connection = stage.target.connect(template_name(self.name))
        try:
            with connection.cursor() as cursor:
                return stored_history.build(cursor, stage.table, wanted)
        finally:
            connection.close()

    def make_slots(self, stage, runs):
        # Copies of the slot that the checkpoint belongs to: a new slot would begin behind the
        # checkpoint, which pgchronicle refuses, as it must.
        for run in range(1, runs + 1):
            stage.source.execute("SELECT pg_copy_logical_replication_slot(%s, %s)",
                                 (self.base_slot, self.slot(run)), stage.database)

    def _run(self, stage, slot, database, until_lsn, log):
        config = write_config(stage, slot, database, batch_rows=stage.workload.batch_rows)
        return run_process([self.options.binary, "run", "--config", config,
                            "--until-lsn", until_lsn], log)

    def measure(self, stage, run):
        database = copy_template(stage, self.name)
        # The history of the template, but fed from this run's own slot.
        stage.target.execute("UPDATE pgchronicle.checkpoint SET slot = %s", (self.slot(run),),
                             database)
        stage.target.execute("CHECKPOINT")
        log = self.log_path(stage, run)
        started_at = datetime.now(timezone.utc)
        code, seconds, usage = self._run(stage, self.slot(run), database, stage.end_lsn, log)
        if code != 0:
            measured = Measurement(self.name, run,
                                   faults=[f"exit code {code}: {last_lines(log)}"])
        else:
            work = stage.workload
            measured = Measurement(self.name, run, seconds, extra={
                "before_stream_seconds": before_stream(log, started_at), "changes": work.changes,
                **usage_of(usage)})
            measured.faults += checks.history_faults(
                stage, database, self.versions_before + work.changes, work.rows_after)
        drop_database(stage, database)
        return measured


class Base(Chronicle):
    """pgchronicle once more, on what a change must cost about the same: W5, S1 and S2."""

    name = "base"


def before_stream(log_path, started_at):
    """Seconds from the process's start to its event stream_started; None if it is not there."""
    with open(log_path, errors="replace") as log:
        found = re.search(r"^(\S+Z)\s+\w+\s+stream_started\b", log.read(), re.MULTILINE)
    if not found:
        return None
    moment = datetime.fromisoformat(found.group(1).replace("Z", "+00:00"))
    return round(max(0.0, (moment - started_at).total_seconds()), 3)

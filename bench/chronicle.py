"""pgchronicle as a contender: initial copy once, then one streaming run per slot copy."""

import os
import re
from datetime import datetime, timezone

import checks
from contenders import (Contender, Measurement, copy_template, drop_database, finish_template,
                        last_lines, make_template, run_process, template_name,
                        wait_until_slot_is_free)
from servers import BenchError
from workloads import PUBLICATION

BASE_SLOT = "pgchronicle_base"

# Everything that is not said here has its default: the defaults are what is measured.
CONFIG = """\
source:
  dsn: {source}
  slot: {slot}
  publication: {publication}
  create_slot: never
target:
  dsn: {target}
  schema: analytics
pipeline: bench
tables:
  include: [operations.orders]
snapshot: initial
"""


class Chronicle(Contender):
    name = "pgchronicle"

    def prepare(self, stage):
        make_template(stage, self.name, lambda cursor: None)
        stage.source.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')",
                             (BASE_SLOT,), stage.database)
        log = os.path.join(self.options.log_folder, f"{stage.workload.name}-pgchronicle-copy.log")
        until = stage.source.value("SELECT pg_current_wal_lsn()", database=stage.database)
        code, seconds, _ = self._run(stage, BASE_SLOT, template_name(self.name), until, log)
        if code != 0:
            raise BenchError(f"the initial copy of pgchronicle ended with exit code {code}"
                             f" ({log}): {last_lines(log)}")
        stage.copy_seconds = round(seconds, 2)
        wait_until_slot_is_free(stage, BASE_SLOT)
        finish_template(stage, self.name)

    def make_slots(self, stage, runs):
        # Copies of the slot that the checkpoint belongs to: a new slot would begin behind the
        # checkpoint, which pgchronicle refuses, as it must.
        for run in range(1, runs + 1):
            stage.source.execute("SELECT pg_copy_logical_replication_slot(%s, %s)",
                                 (BASE_SLOT, self.slot(run)), stage.database)

    def _run(self, stage, slot, database, until_lsn, log):
        config = os.path.join(stage.folder, "pgchronicle.yaml")
        with open(config, "w") as out:
            out.write(CONFIG.format(source=stage.source.dsn(stage.database), slot=slot,
                                    publication=PUBLICATION,
                                    target=stage.target.dsn(database)))
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
            measured = Measurement(self.name, run, seconds, extra={
                "before_stream_seconds": before_stream(log, started_at),
                # Never below this program's own 25 MiB or so: the kernel counts the forked child
                # before it becomes pgchronicle.
                "memory_max_mib": round(usage.ru_maxrss / 1024, 1),
                "cpu_user_seconds": round(usage.ru_utime, 2),
                "cpu_system_seconds": round(usage.ru_stime, 2)})
            measured.faults += checks.history_faults(stage, database)
        drop_database(stage, database)
        return measured


def before_stream(log_path, started_at):
    """Seconds from the process's start to its event stream_started; None if it is not there."""
    with open(log_path, errors="replace") as log:
        found = re.search(r"^(\S+Z)\s+\w+\s+stream_started\b", log.read(), re.MULTILINE)
    if not found:
        return None
    moment = datetime.fromisoformat(found.group(1).replace("Z", "+00:00"))
    return round(max(0.0, (moment - started_at).total_seconds()), 3)

"""Losing a slot, and what the history must be when it was reconciled with the source.

Three positions are taken from the program's own tables, since only it can choose them: the
checkpoint where the slot was lost, where the slot goes on, and each table's seam of comparison.
"""

from datetime import datetime, timezone

import psycopg2

from .lsn import parse_lsn
from .model import UNCHANGED, Model, Version
from .sql_checks import run_checks
from .waiting import wait_until

RECONCILE = {"source": {"on_slot_lost": "reconcile"}}
_NO_TIME_YET = datetime.min.replace(tzinfo=timezone.utc)
_ANY_TIME = datetime.max.replace(tzinfo=timezone.utc)


# -- ways to lose it -----------------------------------------------------------------------------

def drop_slot(scene):
    """Also from under a stream that reads it."""
    def dropped():
        scene.terminate_walsender()
        try:
            scene.source.execute("select pg_drop_replication_slot(%s)", (scene.slot,))
        except psycopg2.errors.ObjectInUse:
            return False  # The walsender is still there, or the next one already.
        except psycopg2.errors.UndefinedObject:
            return True
        return True
    wait_until(dropped, 30, "the slot to be dropped")


def invalidate_slot(scene, oracle):
    """Writes WAL until the slot is lost; the oracle's own slot keeps up. The source must have been
    started with limited()."""
    def lost():
        scene.source.execute("select pg_logical_emit_message(false, 'filler', ''), "
                             "pg_switch_wal()")
        scene.source.execute("checkpoint")
        oracle.drain()
        return scene.source.value("select wal_status from pg_replication_slots "
                                  "where slot_name = %s", (scene.slot,)) == "lost"
    wait_until(lost, 60, "the slot to lose its WAL")


def limited():
    """Settings of a source that removes WAL in spite of slots, a few segments behind."""
    return {"max_slot_wal_keep_size": "64MB", "max_wal_size": "128MB", "min_wal_size": "32MB"}


def behind_comparison(scene, service, timeout=30):
    """Waits until the slot that was lost is followed by another, and every table was compared. A
    stream that was there before is not the one behind it."""
    service.wait_event("reconciling", timeout)
    service.wait_for(lambda: scene.streams(service), timeout, "the stream behind the comparison")


# -- what the target says of it ------------------------------------------------------------------

class Loss:
    """The one gap that a lost slot has left, and what stands beside it."""

    def __init__(self, scene):
        gaps = scene.target.query(
            "select id, from_lsn::text, to_lsn::text, source_schema, source_table, repaired_at "
            "from pgchronicle.gap where pipeline = %s and reason = 'slot_lost'", (scene.name,))
        assert len(gaps) == 1, gaps
        self.id, first, last, *rest = gaps[0]
        assert rest == [None, None, None], rest
        audits = scene.target.query(
            "select who, reason, from_lsn::text, to_lsn::text from pgchronicle.audit "
            "where pipeline = %s and action = 'reconcile'", (scene.name,))
        assert len(audits) == 1, audits
        self.who, self.why, audited_from, goes_on = audits[0]
        assert audited_from == first
        self.after, self.to = parse_lsn(first), parse_lsn(goes_on)
        self.seams = {(schema, table): parse_lsn(seam) for schema, table, seam in
                      scene.target.query("select source_schema, source_table, compared::text "
                                         "from pgchronicle.table_state where pipeline = %s "
                                         "and compared is not null", (scene.name,))}
        # It ends where the last table was compared.
        self.end = parse_lsn(last)
        assert self.end == max([self.to, *self.seams.values()])
        assert self.after < self.to <= self.end

    def recorded(self, table, lsn):
        return not self.after < lsn <= self.to


class LossyModel(Model):
    """What a history is that has missed everything between two positions, and was compared."""

    def __init__(self, specs, initial, loss, **options):
        options["published"] = loss.recorded
        super().__init__(specs, initial, **options)
        self.loss = loss
        self.uncompared = dict(loss.seams)

    def finish(self):
        super().finish()
        self._compare_tables(float("inf"))
        # In between, the history shows what it knows.
        self.digests = [(end, digests) for end, digests in self.digests
                        if not self.loss.after < end < self.loss.end]
        return self

    def _apply(self, transaction):
        end = transaction.end_lsn
        self._start_tables(end)
        self._merge_copies(end)
        self._compare_tables(end)
        super()._apply(transaction)

    def _change(self, spec, change, action, end, sequence):
        uncompared = self.loss.to < end <= self.loss.seams.get(spec.id, 0)
        if action and uncompared:
            self._meet_what_was_missed(spec, change, action, end)
        before = self._large_values_known(spec, change) if action == "UPDATE" and uncompared else {}
        super()._change(spec, change, action, end, sequence)
        for version in self.history[spec.id].log[-1:] if before else []:
            version.values = {**version.values, **before}

    def _large_values_known(self, spec, change):
        """What was not sent comes from the version before, which may be older than what was missed;
        the comparison finds it."""
        key = spec.key_of(change.old if change.old is not None else change.new)
        return {name: version.values[name] for version in self.history[spec.id].open.get(key, [])
                for name, value in change.new.items()
                if value is UNCHANGED and name not in version.unknown}

    def _meet_what_was_missed(self, spec, change, action, end):
        """A key that begins ends what is open of it; one that nobody has seen is taken as met."""
        history, source = self.history[spec.id], self.source[spec.id]

        def end_open(key):
            stale = history.take_open(key)
            if stale:
                stale.lsn_to = end

        if action in ("UPDATE", "DELETE"):
            key = spec.key_of(change.old if change.old is not None else change.new)
            if spec.key and spec.full:
                end_open(key)  # The old tuple tells what the row was, whatever is open.
            if not history.open.get(key):
                values = source.peek(key)
                unseen = Version(key, "?", values, 0, 0)  # Never in the log.
                unseen.unknown = set() if spec.full else set(values) - set(spec.key)
                history.open[key] = [unseen]
        if spec.key and action == "INSERT":
            end_open(spec.key_of(change.new))
        if spec.key and action == "UPDATE" and spec.key_of(change.new) != key:
            end_open(spec.key_of(change.new))

    def _compare_tables(self, end):
        for table, seam in list(self.uncompared.items()):
            if end > seam and table in self.history:
                del self.uncompared[table]
                self.times[seam] = (self._latest_sent or _NO_TIME_YET, _ANY_TIME)
                self._compare(self.specs[table], seam)

    def _compare(self, spec, seam):
        history, source = self.history[spec.id], self.source[spec.id]
        for key in set(history.open) | set(source.rows):
            rows = [row for row in source.rows.get(key, []) if spec.passes(row)]
            known = list(history.open.get(key, []))
            if spec.key and known and rows and self._same(spec, known[0], rows[0]):
                continue
            # Without a key, rows of one key are equal: only their number can differ.
            same = 0 if spec.key else min(len(rows), len(known))
            for version in known[same:]:
                version.lsn_to = seam
                if not (spec.key and rows):
                    history.log.append(Version(key, "RECONCILE", version.values, seam, 0, seam,
                                               set(version.unknown)))
            history.open.pop(key, None)
            if known[:same]:
                history.open[key] = known[:same]
            for row in rows[same:]:
                history.open_version(Version(key, "RECONCILE", row, seam, 0))

    @staticmethod
    def _same(spec, version, row):
        """A value that nobody knew is NULL in the history."""
        return spec.kept(version.values) == spec.kept(row) \
            and all(row[column] is None for column in version.unknown)


class LossyOracle:
    """An oracle for SetV, of a pipeline whose slot was lost once."""

    def __init__(self, oracle, loss):
        self.oracle, self.loss = oracle, loss

    def model(self, specs, **options):
        options.pop("published", None)
        model = LossyModel(specs, self.oracle.initial, self.loss, **options)
        return model.run(self.oracle.drain())


# -- judging -------------------------------------------------------------------------------------

def finish(scene, service, oracle, *tables):
    """Catches up, stops, and holds all versions against the model. Returns the loss."""
    scene.catch_up(service)
    assert service.stop() == 0, service.tail()
    loss = Loss(scene)
    scene.set_v(LossyOracle(oracle, loss), *map(scene.spec, tables)).assert_holds()
    return loss


def reconciled(scene, table, columns="id"):
    """[(columns ..., whether it is a tombstone)] of the comparison's versions."""
    return scene.target.query(
        f"select {columns}, (lsn_from = lsn_to) is true from analytics.{table}_history "
        f"where operation_type = 'RECONCILE' order by {columns}, lsn_to is null")


def assert_equal_now(scene, *tables):
    """What is current is what the source has, and no invariant is broken."""
    for table in tables:
        spec = scene.spec(table)
        columns = ", ".join(f'"{column}"' for column in spec.columns)
        source = scene.source.query(f"select {columns} from operations.{table} order by {columns}")
        assert scene.target.query(f"select {columns} from analytics.{table}_current "
                                  f"order by {columns}") == source
        assert run_checks(scene.target.connection, spec, scene.name) == []

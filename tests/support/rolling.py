"""Set V for histories that are longer than memory.

Round by round the reference model is fed with what was decoded, and compared with the versions that
are open or were closed since the last round. Of closed ones that were right only a digest is kept;
at the end it is compared with that of the same versions, which nobody may have touched since.
What stays in memory is a round, and about 200 bytes for each commit.
"""

import contextlib
import random

from .lsn import format_lsn
from .model import Model
from .rows import qualified, version_digests_sql
from .set_v import SYSTEM_COLUMNS, SetV


class RollingV(SetV):
    """`check_round` after each round and `check_end` once, while the source is quiet."""

    def __init__(self, *arguments, unmodelled=(), fates=None, points_per_round=25, **options):
        super().__init__(*arguments, **options)
        self.unmodelled = list(unmodelled)  # specs of tables that go by other rules than V8's
        self.fates = fates or {}
        self.points_per_round = points_per_round
        self.chance = random.Random(self.seed)
        self.points = []  # as-of reads to be compared at the end
        self.points_compared = 0
        self.unmodelled_points = 0  # the same of tables that the model does not tell
        self.transactions = self.versions = 0  # with changes, decoded by the oracle; compared
        self._closed = {spec.id: [] for spec in self.specs}  # (count, digest) of each round
        self._rounds = []  # (LSN after which it began, LSN at which it ended)
        self.copies = {}  # table -> its seam and the time of its snapshot

    def begin(self):
        """Before anything is written: where each table was copied is known, and it stays so."""
        with self._connections() as (source, target):
            self.model = Model(self.specs, self.oracle.initial,
                               slot_start=self._slot_start(target), seams=self._seams(target))
            self.copies = {spec.id: self._copied(source, target, spec) for spec in self.specs}
        return self

    @contextlib.contextmanager
    def _connections(self):
        with contextlib.closing(self.source.connect()) as source, \
                contextlib.closing(self.target.connect()) as target:
            yield source, target

    def feed(self):
        """Takes over what the oracle can decode by now; may be called at any time."""
        for piece in self.oracle.take():
            self.transactions += sum(any(c.action != "SHAPE" for c in transaction.changes)
                                     for transaction in piece)
            self.model.feed(piece)

    def check_round(self, witnessed=(), forget=True):
        """`witnessed` are the source's own digests, which the model's have to equal as well."""
        self.feed()
        self.model.finish()
        last = self.model.commits[-1][0]
        with self._connections() as (source, target):
            self._checkpoint(target)
            for spec in self.specs:
                self._current(source, target, spec)
                self._rows_per_commit(target, spec)
                self._remember(spec, self._log(target, spec, self.copies[spec.id]))
            for spec in self.unmodelled:
                self._rows_as_in_source(source, target, spec)
        self._choose_points(witnessed)
        self._rounds.append((self.since, last))
        if forget:
            self._forget(last)
        return self.problems

    def check_end(self):
        with self._connections() as (_, target):
            for spec in self.specs + self.unmodelled:
                self.fate_column = self.fates.get(spec.name)
                self._invariants(target, spec)
            self.points_compared += self._as_of(target, self.points)
            for spec in self.unmodelled:
                self.unmodelled_points += self._as_of(target, self.points, [spec])
            for spec in self.specs:
                self._compare_closed(target, spec)
        return self.problems

    def _remember(self, spec, found):
        closed = [version.hash for version in found if version.hash is not None]
        self._closed[spec.id].append((len(closed), sum(closed)))
        began_before = self._rounds[-1][1] if self._rounds else 0
        self.versions += sum(version.lsn_from > began_before for version in found)

    def _choose_points(self, witnessed):
        digests = self.model.digests
        if len(digests) > self.points_per_round:
            digests = sorted(self.chance.sample(digests, self.points_per_round))
        self.points += digests
        self._compare_witnessed(witnessed)
        self.points += [(lsn, digest) for lsn, digest in witnessed]

    def _compare_witnessed(self, witnessed):
        """The oracle is judged, too: what it made of the WAL is what the source really held."""
        for lsn, digests in witnessed:
            known = [digest for end, digest in self.model.digests if end <= lsn]
            if known:
                self._report("oracle", [
                    f"{table} at {format_lsn(lsn)}: {known[-1][table]}, the source {digests[table]}"
                    for table in known[-1] if known[-1][table] != digests[table]])

    def _forget(self, last):
        self.model.digests.clear()
        for history in self.model.history.values():
            history.log = [version for version in history.log if version.open]
        self.since = last

    def _columns_then(self, spec, lsn):
        return spec.columns if spec in self.unmodelled else super()._columns_then(spec, lsn)

    def _rows_as_in_source(self, source, target, spec):
        self._compare_rows(source, target, spec, spec.columns, spec.columns)

    def _compare_closed(self, target, spec):
        ranges = [(format_lsn(first), format_lsn(last)) for first, last in self._rounds]
        found = dict.fromkeys(range(len(ranges)), (0, 0))
        with target.cursor() as cursor:
            cursor.execute(version_digests_sql(
                qualified(spec.target_schema, spec.history_table),
                SYSTEM_COLUMNS + spec.target_columns, ranges))
            found.update({n: (count, int(total)) for n, count, total in cursor.fetchall()})
        self._report(f"V8 later {spec.name}", [
            f"versions closed in ({first}, {last}] were right and are not any more: (rows, digest) "
            f"{found[n]} instead of {self._closed[spec.id][n]}"
            for n, (first, last) in enumerate(ranges) if found[n] != self._closed[spec.id][n]])

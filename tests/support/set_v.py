"""Set V: what must hold of every history after every scenario.

V1 current versions equal the source, both ways   V7 the checkpoint is a commit the oracle knows
V2-V6, V10 chain invariants (sql/checks)          V8 the whole version log equals the oracle's
V9 as-of reads at random commits equal the source's digest then
V11 for each commit as many rows as the oracle's
V12, `verify` agrees, is in test_170_verify.py and test_171_verify_planted.py.
"""

import bisect
import contextlib
import os
import random
from collections import Counter

from .lsn import format_lsn, parse_lsn
from .model import TOMBSTONES
from .rows import digest_sql, fetch_text, qualified, version_hash
from .sql_checks import run_checks
from .decoding import parse_timestamp

_SHOWN = 5  # differences printed for each check
SYSTEM_COLUMNS = ["operation_type", "lsn_from", "lsn_to", "change_seq", "valid_from",
                  "valid_to", "is_current"]


class Found:
    """One version as it stands in the target."""

    def __init__(self, spec, row):
        width = len(spec.columns)
        self.values = dict(zip(spec.columns, row[:width]))
        self.op = row[width]
        self.lsn_from = parse_lsn(row[width + 1])
        self.lsn_to = None if row[width + 2] is None else parse_lsn(row[width + 2])
        self.change_seq = int(row[width + 3])
        self.valid_from, self.valid_to = row[width + 4], row[width + 5]
        self.is_current = row[width + 6] == "t"
        self.key = spec.key_of(self.values)
        self.hash = version_hash(row[width:] + row[:width]) if self.lsn_to else None


def read_history(connection, spec, since=0):
    """Every version that was not closed by then."""
    rows = fetch_text(connection, qualified(spec.target_schema, spec.history_table),
                      spec.target_columns + SYSTEM_COLUMNS,
                      f"lsn_to is null or lsn_to > '{format_lsn(since)}'")
    return [Found(spec, row) for row in rows]


def _describe(version):
    end = "open" if version.lsn_to is None else format_lsn(version.lsn_to)
    values = {k: v if v is None or len(v) < 60 else v[:57] + "..."
              for k, v in version.values.items()}
    return (f"{version.key} {version.op} [{format_lsn(version.lsn_from)}, {end}) "
            f"seq {version.change_seq} {values}")


# -- V8 ------------------------------------------------------------------------------------------

def _place(version, free=False):
    # A table that joined later may begin its copied versions where the program likes.
    lsn = None if free and version.op == "SNAPSHOT" else version.lsn_from
    return version.key, lsn, version.change_seq, version.op


def compare_keyed(spec, expected, found):
    """Differences between two version logs of a table with a key."""
    free = spec.published_from > 0
    problems = []
    actual = {}
    for version in found:
        place = _place(version, free)
        if place in actual:
            problems.append(f"twice: {_describe(version)}")
        actual[place] = version
    for want in expected:
        have = actual.pop(_place(want, free), None)
        if have is None:
            problems.append(f"missing: {_describe(want)}")
            continue
        wrong = [c for c in spec.columns if have.values[c] != want.values.get(c)
                 and not (c in want.unknown and have.values[c] is None)]
        if wrong or have.lsn_to != want.lsn_to:
            problems.append(f"differs in {wrong or 'its end'}: expected {_describe(want)}, "
                            f"found {_describe(have)}")
    problems += [f"unexpected: {_describe(version)}" for version in actual.values()]
    return problems


def compare_unkeyed(spec, expected, found, since=0):
    """The same where rows may repeat: which of identical versions was closed is not told.

    So what began up to `since` was compared when it began: now another one may be left.
    """
    def begins(versions):
        return Counter((spec.kept(v.values), v.op, v.lsn_from, v.change_seq) for v in versions
                       if v.lsn_from > since)

    def ends(versions):
        return Counter((spec.kept(v.values), v.lsn_to) for v in versions
                       if v.op not in TOMBSTONES)

    problems = []
    for what, want, have in (("begins", begins(expected), begins(found)),
                             ("ends", ends(expected), ends(found))):
        problems += [f"{what}: missing {item} x{n}" for item, n in (want - have).items()]
        problems += [f"{what}: unexpected {item} x{n}" for item, n in (have - want).items()]
    return problems


def compare_times(model, found, copied=None):
    """A streamed version's time is its commit's, raised at most to the latest one before it.

    `copied` is the seam of the table and its time, which every copied version carries.
    """
    # A later version of a copied row is not earlier than the copy.
    ceiling = max((parse_timestamp(v.valid_from) for v in found if v.op == "SNAPSHOT"),
                  default=None)
    problems = []
    for version in found:
        sides = [(version.lsn_to, version.valid_to)]
        if version.op != "SNAPSHOT":
            sides.append((version.lsn_from, version.valid_from))
        elif copied and version.lsn_from == copied[0] \
                and parse_timestamp(version.valid_from) != copied[1]:
            problems.append(f"time {version.valid_from} is not the snapshot's {copied[1]}: "
                            f"{_describe(version)}")
        for lsn, text in sides:
            if lsn is None or text is None:
                continue
            if lsn not in model.times:
                ends = [end for end, _ in model.commits]
                place = bisect.bisect(ends, lsn)
                near = [format_lsn(e) for e in ends[max(0, place - 1):place + 1]]
                problems.append(f"no commit ends at {format_lsn(lsn)} (near {near}): "
                                f"{_describe(version)}")
                continue
            low, high = model.times[lsn]
            high = max(high, ceiling) if ceiling else high
            if not low <= parse_timestamp(text) <= high:
                problems.append(f"time {text} is not the commit's {low}: {_describe(version)}")
    return problems


# -- the whole set -------------------------------------------------------------------------------

class SetV:
    """Runs set V for one pipeline. The source has to be quiet and caught up with."""

    def __init__(self, source, target, oracle, specs, pipeline, *, fate_column=None,
                 as_of_samples=100, seed=None, published=None):
        self.source = source
        self.target = target
        self.oracle = oracle
        self.specs = specs
        self.pipeline = pipeline
        self.fate_column = fate_column
        self.as_of_samples = as_of_samples
        self.seed = seed if seed is not None else int(os.environ.get(
            "PGCHRONICLE_SEED", random.SystemRandom().randrange(1 << 32)))
        self.published = published
        self.since = 0  # Versions closed up to here were compared before.
        self.problems = []
        self.model = None

    def check(self):
        """Every violation as text, the check's name first."""
        self.problems = []
        with contextlib.closing(self.target.connect()) as target, \
                contextlib.closing(self.source.connect()) as source:
            self.model = self.oracle.model(
                self.specs, slot_start=self._slot_start(target), seams=self._seams(target),
                published=self.published)
            self._checkpoint(target)
            for spec in self.specs:
                self._current(source, target, spec)
                self._invariants(target, spec)
                self._log(target, spec, self._copied(source, target, spec))
                self._rows_per_commit(target, spec)
            points = self.model.digests
            if len(points) > self.as_of_samples:
                points = random.Random(self.seed).sample(points, self.as_of_samples)
            self._as_of(target, points)
        return self.problems

    def assert_holds(self):
        problems = self.check()
        assert not problems, (f"set V fails (seed {self.seed}):\n" + "\n".join(problems))
        return self.model

    def _report(self, check, problems):
        shown = problems[:_SHOWN]
        self.problems += [f"{check}: {problem}" for problem in shown]
        if len(problems) > len(shown):
            self.problems.append(f"{check}: and {len(problems) - len(shown)} more")

    def _checkpoint_value(self, target, column):
        with target.cursor() as cursor:
            cursor.execute(f"select {column}::text from pgchronicle.checkpoint "
                           "where pipeline = %s", (self.pipeline,))
            row = cursor.fetchone()
            return None if row is None or row[0] is None else parse_lsn(row[0])

    def _slot_start(self, target):
        return self._checkpoint_value(target, "slot_start") or 0

    def _table_state(self, target, column):
        with target.cursor() as cursor:
            cursor.execute(f"select source_schema, source_table, {column}::text "
                           "from pgchronicle.table_state where pipeline = %s", (self.pipeline,))
            return {(schema, name): parse_lsn(lsn) for schema, name, lsn in cursor.fetchall()
                    if lsn is not None}

    def _seams(self, target):
        return self._table_state(target, "seam")

    def _invariants(self, target, spec):
        for name, rows in run_checks(target, spec, self.pipeline, self.fate_column):
            self._report(f"{name} {spec.name}", [str(row) for row in rows])

    def _current(self, source, target, spec):
        self._compare_rows(source, target, spec, self.model.source[spec.id].live,
                           self.model.columns_at(spec.id, float("inf")))

    def _compare_rows(self, source, target, spec, columns, target_columns):
        history = qualified(spec.target_schema, spec.history_table)
        want = Counter(fetch_text(source, qualified(spec.schema, spec.name), columns,
                                  spec.row_filter[0] if spec.row_filter else "true"))
        have = Counter(fetch_text(target, history, target_columns, "is_current"))
        self._report(f"V1 {spec.name}",
                     [f"only in the source: {row} x{n}" for row, n in (want - have).items()]
                     + [f"only in the history: {row} x{n}" for row, n in (have - want).items()])

    def _checkpoint(self, target):
        last = self._checkpoint_value(target, "last_commit_end")
        position = self._checkpoint_value(target, "position")
        start = self._slot_start(target)
        known = {end for end, _ in self.model.commits}
        if position is None:
            self._report("V7", ["there is no checkpoint"])
        elif last is not None and last > position:
            self._report("V7", [f"last_commit_end {format_lsn(last)} is after position "
                                f"{format_lsn(position)}"])
        streamed = any(end > start for end, _ in self.model.digests)
        if last not in known and (streamed or last not in (None, 0, start)):
            self._report("V7", [f"last_commit_end {last and format_lsn(last)} is no commit's end"])

    def _log(self, target, spec, copied):
        """Returns the versions that were compared."""
        found = read_history(target, spec, self.since)
        expected = self.model.versions(spec.id)
        differences = compare_keyed(spec, expected, found) if spec.key else \
            compare_unkeyed(spec, expected, found, self.since)
        self._report(f"V8 {spec.name}", differences)
        self._report(f"V8 times {spec.name}", compare_times(self.model, found, copied))
        return found

    def _copied(self, source, target, spec):
        """(seam, the time of its snapshot), or None where each copied row has a time of its own.

        The time is that of most copied rows of the tables with this seam.
        """
        with source.cursor() as cursor:
            cursor.execute("show track_commit_timestamp")
            if cursor.fetchone()[0] == "on":
                return None
        seam = self._seams(target).get(spec.id)
        if seam is None:
            return None
        times = " union all ".join(
            f"select valid_from from {qualified(other.target_schema, other.history_table)} "
            f"where operation_type = 'SNAPSHOT' and lsn_from = '{format_lsn(seam)}'"
            for other in self.specs)
        with target.cursor() as cursor:
            cursor.execute("select valid_from::text from (" + times + ") as copied "
                           "group by valid_from order by count(*) desc limit 1")
            row = cursor.fetchone()
            return row and (seam, parse_timestamp(row[0]))

    def _rows_per_commit(self, target, spec):
        with target.cursor() as cursor:
            # Without parameters, for a name may hold what reads like one.
            cursor.execute("select lsn_from::text, count(*) from "
                           f"{qualified(spec.target_schema, spec.history_table)} where "
                           "operation_type <> 'SNAPSHOT' and lsn_from > "
                           f"'{format_lsn(self.since)}' group by lsn_from")
            have = {parse_lsn(lsn): count for lsn, count in cursor.fetchall()}
        want = Counter(v.lsn_from for v in self.model.versions(spec.id)
                       if v.op != "SNAPSHOT" and v.lsn_from > self.since)
        self._report(f"V11 {spec.name}",
                     [f"commit {format_lsn(lsn)} has {have.get(lsn, 0)} rows instead of "
                      f"{want.get(lsn, 0)}"
                      for lsn in sorted(want.keys() | have.keys())
                      if want.get(lsn, 0) != have.get(lsn, 0)])

    def _as_of(self, target, points, specs=None):
        """`points` are pairs of an LSN and {table: digest}. Returns how many were compared."""
        begins = self._table_state(target, "consistent_from")
        start, compared = self._slot_start(target), 0
        for end, digests in points:
            asked = False
            for spec in specs or self.specs:
                begin = max(begins.get(spec.id, 0), spec.published_from, start)
                if end < begin or spec.id not in digests:
                    continue
                asked = True
                have = self._digest_then(target, spec, end)
                if have != digests[spec.id]:
                    self._report(f"V9 {spec.name}",
                                 [f"as of {format_lsn(end)}: (rows, digest) {have} instead of "
                                  f"{digests[spec.id]}"])
            compared += asked
        return compared

    def _columns_then(self, spec, lsn):
        return self.model.columns_at(spec.id, lsn)

    def _digest_then(self, target, spec, lsn):
        function = qualified(spec.target_schema, f"{spec.name}_as_of_lsn")
        with target.cursor() as cursor:
            cursor.execute(digest_sql(f"{function}('{format_lsn(lsn)}'::pg_lsn)",
                                      self._columns_then(spec, lsn)))
            count, total = cursor.fetchone()
            return int(count), int(total)

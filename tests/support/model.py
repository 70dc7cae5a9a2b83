"""The reference model: what history a sequence of transactions must leave (all versions kept).

Slow and plain on purpose. It knows nothing of the program under test but two positions that only
the program can choose: where its slot started and where each table's copy met the stream.
"""

import bisect
from dataclasses import dataclass, field

from .decoding import UNCHANGED
from .rows import row_hash

TOMBSTONES = ("DELETE", "TRUNCATE", "REKEY")


@dataclass
class TableSpec:
    """One source table and the history that belongs to it."""

    schema: str
    name: str
    columns: list  # source columns that the history has, in order
    key: list = field(default_factory=list)  # empty: the whole row, and rows may repeat
    full: bool = False  # REPLICA IDENTITY FULL
    excluded: list = field(default_factory=list)
    rename: dict = field(default_factory=dict)
    key_text: dict = field(default_factory=dict)  # column -> function giving equal keys equal text
    fast_defaults: dict = field(default_factory=dict)  # column added later -> its constant default
    row_filter: tuple = ()  # the publication's: as SQL, and as a function of a row's texts
    published_from: int = 0  # the table joined the publication here
    target_schema: str = "analytics"
    history_table: str = ""

    def __post_init__(self):
        self.history_table = self.history_table or f"{self.name}_history"

    @property
    def id(self):
        return self.schema, self.name

    @property
    def target_columns(self):
        return [self.rename.get(column, column) for column in self.columns]

    @property
    def target_key(self):
        return [self.rename.get(column, column) for column in self.key]

    def key_of(self, values):
        names = self.key or self.columns + self.excluded
        return tuple(self.key_text.get(name, _same)(values.get(name)) for name in names)

    def kept(self, values):
        return tuple(values.get(column) for column in self.columns)

    def passes(self, values):
        return not self.row_filter or self.row_filter[1](values)


def _same(value):
    return value


def _after(before, change):
    """The row that an UPDATE made of the one before."""
    return {name: before.get(name) if value is UNCHANGED else value
            for name, value in change.new.items()}


@dataclass
class Version:
    key: tuple
    op: str
    values: dict
    lsn_from: int
    change_seq: int
    lsn_to: int | None = None
    unknown: set = field(default_factory=set)  # columns that nobody can know: NULL is right too
    lsn_from_free: bool = False  # the contract does not fix where it begins

    @property
    def open(self):
        return self.lsn_to is None


class _Source:
    """The rows of one source table as they were at a commit, and their digest."""

    def __init__(self, spec, rows):
        self.spec = spec
        self.rows = {}
        self.live = list(spec.columns)  # Those of the history's columns that the source has.
        self.count = 0
        self.sum = 0
        for row in rows:
            self.add(row)

    def _hash(self, values):
        return row_hash([values.get(column) for column in self.live])

    def known(self, values):
        """What a new version of these values holds: a dropped column is NULL in it."""
        return {name: value for name, value in values.items()
                if name in self.live or name in self.spec.excluded}

    def reshape(self, live, change):
        """Other columns, and every row as `change` makes it."""
        rows = [change(values) for found in self.rows.values() for values in found]
        self.clear()
        self.live = live
        for row in rows:
            self.add(row)

    def add(self, values):
        self.rows.setdefault(self.spec.key_of(values), []).append(values)
        self._count(values, 1)

    def _count(self, values, sign):
        if self.spec.passes(values):
            self.count += sign
            self.sum += sign * self._hash(values)

    def peek(self, key):
        found = self.rows.get(key)
        if not found:
            raise KeyError(f"{self.spec.id}: no row with key {key}")
        return found[-1]

    def remove(self, key):
        values = self.peek(key)
        self.rows[key].pop()
        if not self.rows[key]:
            del self.rows[key]
        self._count(values, -1)
        return values

    def clear(self):
        self.rows.clear()
        self.count = self.sum = 0

    @property
    def digest(self):
        return self.count, self.sum


class _History:
    """The versions of one table, being written."""

    def __init__(self, spec):
        self.spec = spec
        self.log = []
        self.open = {}
        self.unseen = {}  # key -> rows that existed before our stream and were not touched yet
        self.merged = False  # the copy has been merged: every row is known
        self.started = False
        self.columns_seen = set()

    def open_version(self, version):
        self.log.append(version)
        self.open.setdefault(version.key, []).append(version)

    def take_open(self, key):
        found = self.open.get(key)
        if not found:
            return None
        version = found.pop(0)
        if not found:
            del self.open[key]
        return version

    def take_unseen(self, key):
        found = self.unseen.get(key)
        if not found:
            raise KeyError(f"{self.spec.id}: change of an unknown key {key}")
        values = found.pop()
        if not found:
            del self.unseen[key]
        return values


class Model:
    """Feeds transactions through source states and histories."""

    def __init__(self, specs, initial=None, slot_start=0, seams=None, published=None):
        self.specs = {spec.id: spec for spec in specs}
        initial = initial or {}
        self.source = {spec.id: _Source(spec, initial.get(spec.id, [])) for spec in specs}
        self.history = {spec.id: _History(spec) for spec in specs}
        self.slot_start = slot_start
        self.seams = seams or {}
        self.published = published or (lambda table, lsn: True)
        self.commits = []  # (end_lsn, commit_time) of every transaction
        # end_lsn -> the earliest and the latest time that may be recorded: recorded times never
        # decrease along the stream, and a server may send a transaction with nothing of ours.
        self.times = {}
        self._latest_sent = self._latest = None
        self.digests = []  # (end_lsn, {table: digest}) of those that touched a known table
        # table -> (end_lsn, places in spec.columns of the columns that the source has from then)
        self.shapes = {spec.id: [(0, list(range(len(spec.columns))))] for spec in specs}

    def run(self, transactions):
        self.feed(transactions)
        return self.finish()

    def feed(self, transactions):
        """More of them, in commit order."""
        for transaction in transactions:
            self._apply(transaction)

    def finish(self):
        """Merges the copies that no transaction came after."""
        self._start_tables(float("inf"))
        self._merge_copies(float("inf"))
        return self

    def versions(self, table):
        return self.history[table].log

    # -- one transaction ---------------------------------------------------------------------

    def _apply(self, transaction):
        end = transaction.end_lsn
        self._start_tables(end)
        self._merge_copies(end)
        sequence = 0
        touched = False
        for change in transaction.changes:
            if change.action == "SHAPE":
                self._reshape(change, end)
                continue
            action = self._sent_as(change)
            published = [t for t in change.tables if self.published(t, end) and action]
            if published:
                sequence += 1
            for table in change.tables:
                spec = self.specs.get(table)
                if spec is None:
                    continue
                touched = True
                recorded = (end > max(self.slot_start, spec.published_from)
                            and table in published)
                self._change(spec, change, action if recorded else None, end, sequence)
        self._time(end, transaction.commit_time, sequence > 0 and end > self.slot_start)
        if touched:
            self.digests.append((end, {t: s.digest for t, s in self.source.items()}))

    def _time(self, end, time, sent):
        self.commits.append((end, time))
        self._latest = max(self._latest or time, time)
        if sent:
            self._latest_sent = max(self._latest_sent or time, time)
        self.times[end] = (max(self._latest_sent or time, time), self._latest)

    def columns_at(self, table, lsn):
        """The history's names, as they are now, of the columns that the source had then."""
        spec, shapes = self.specs[table], self.shapes[table]
        places = shapes[bisect.bisect(shapes, lsn, key=lambda shape: shape[0]) - 1][1]
        return [spec.target_columns[place] for place in places]

    def _sent_as(self, change):
        """The operation that the publication's row filter makes of a change; None: it is not sent.
        What the filter reads is part of the identity, so it is the same where no old tuple is."""
        spec = self.specs.get(change.table)
        if spec is None or not spec.row_filter or change.action == "TRUNCATE":
            return change.action
        if change.action == "INSERT":
            return "INSERT" if spec.passes(change.new) else None
        old_key = spec.key_of(change.old if change.old is not None else change.new)
        before = self.source[spec.id].peek(old_key)
        if change.action == "DELETE":
            return "DELETE" if spec.passes(before) else None
        return {(True, True): "UPDATE", (True, False): "DELETE", (False, True): "INSERT",
                (False, False): None}[spec.passes(before), spec.passes(_after(before, change))]

    def _start_tables(self, end):
        """Before the first change of the stream: remember which rows it has not shown."""
        for table, history in self.history.items():
            spec = self.specs[table]
            if not history.started and end > max(self.slot_start, spec.published_from):
                history.started = True
                history.unseen = {key: [row for row in rows if spec.passes(row)]
                                  for key, rows in self.source[table].rows.items()}

    def _merge_copies(self, end):
        for table, history in self.history.items():
            seam = self.seams.get(table)
            if history.started and not history.merged and (seam is None or end > seam):
                self._merge(history, seam)

    def _merge(self, history, seam):
        history.merged = True
        for key, rows in history.unseen.items():
            for values in rows:
                assert seam is not None, f"{history.spec.id}: rows before the stream but no seam"
                history.open_version(Version(key, "SNAPSHOT", values, seam, 0))
        history.unseen = {}
        for versions in history.open.values():
            for version in versions:
                version.unknown.clear()  # Still open at the seam, so the copy knows.

    def _change(self, spec, change, action, end, sequence):
        """`action` is what is recorded; None for a change that is none of our history's."""
        source = self.source[spec.id]
        history = self.history[spec.id]
        if action:
            self._column_defaults(spec, change, source, history)
        if change.action == "TRUNCATE":
            source.clear()
            if action:
                self._truncate(history, end, sequence, source.known)
            return
        if change.action == "INSERT":
            source.add(change.new)
            if action:
                history.open_version(Version(spec.key_of(change.new), "INSERT", change.new, end,
                                             sequence))
            return
        old_key = spec.key_of(change.old if change.old is not None else change.new)
        before = source.remove(old_key)
        if change.action == "UPDATE":
            after = _after(before, change)
            source.add(after)
        if action == "DELETE":
            self._delete(spec, history, change, old_key, end, sequence)
        elif action == "INSERT":  # It entered the row filter.
            unsent = {name for name, value in change.new.items() if value is UNCHANGED}
            history.open_version(Version(spec.key_of(after), "INSERT", after, end, sequence,
                                         None, set() if spec.full else unsent))
        elif action == "UPDATE":
            self._update(spec, history, change, (old_key, before, after), end, sequence)

    def _reshape(self, change, end):
        """A column that the source adds, drops or renames; the history keeps a dropped one."""
        spec = self.specs.get(change.table)
        if spec is None:
            return
        source, history = self.source[spec.id], self.history[spec.id]
        [(kind, what)] = change.shape.items()
        if kind == "add":
            column, default = what
            spec.columns.append(column)
            source.reshape(source.live + [column], lambda row: {**row, column: default})
            if default is not None:  # Reaches the open versions in place, as in the source.
                for versions in history.open.values():
                    for version in versions:
                        version.values = {**version.values, column: default}
        elif kind == "drop":
            source.reshape([name for name in source.live if name != what],
                           lambda row: {name: v for name, v in row.items() if name != what})
        else:
            names = dict([what])

            def renamed(row):
                return {names.get(name, name): value for name, value in row.items()}
            spec.columns[:] = [names.get(name, name) for name in spec.columns]
            source.reshape([names.get(name, name) for name in source.live], renamed)
            for version in history.log:
                version.values = renamed(version.values)
        self.shapes[spec.id].append((end, [spec.columns.index(name) for name in source.live]))

    @staticmethod
    def _column_defaults(spec, change, source, history):
        """A column added with a constant default reaches the open versions in place."""
        for column, default in spec.fast_defaults.items():
            if change.new and column in change.new and column not in history.columns_seen:
                history.columns_seen.add(column)
                rows = [{**row, column: default} for rows in source.rows.values() for row in rows]
                source.clear()
                for row in rows:
                    source.add(row)
                for versions in history.open.values():
                    for version in versions:
                        version.values = {**version.values, column: default}

    @staticmethod
    def _truncate(history, end, sequence, live):
        for key in list(history.open):
            for version in history.open.pop(key):
                version.lsn_to = end
                history.log.append(Version(key, "TRUNCATE", live(version.values), end, sequence,
                                           end, set(version.unknown)))
        history.unseen = {}  # A truncate names no rows: nobody can know them any more.

    def _before_our_time(self, spec, history, key, old_tuple):
        """The version of a row that the stream has not shown, or None where it cannot be known."""
        values = history.take_unseen(key)
        if not spec.full:
            return None, values
        free = spec.published_from > 0
        version = Version(key, "SNAPSHOT", {**dict.fromkeys(values), **old_tuple},
                          self.slot_start, 0, lsn_from_free=free)
        history.log.append(version)
        return version, values

    def _delete(self, spec, history, change, key, end, sequence):
        previous = history.take_open(key)
        if previous is None:
            previous, values = self._before_our_time(spec, history, key, change.old)
        if previous is None:
            unknown = {column for column in spec.columns if column not in spec.key}
        else:
            previous.lsn_to = end
            values, unknown = previous.values, set(previous.unknown)
        values = self.source[spec.id].known(values)
        history.log.append(Version(key, "DELETE", values, end, sequence, end, unknown))

    def _update(self, spec, history, change, rows, end, sequence):
        old_key, before, after = rows
        if self._only_excluded_changed(spec, before, after):
            return
        previous = history.take_open(old_key)
        unknown = set()
        if previous is None:
            previous, _ = self._before_our_time(spec, history, old_key, change.old)
            if previous is None:
                unknown = {name for name, value in change.new.items() if value is UNCHANGED}
        elif previous.unknown:
            unknown = {name for name in previous.unknown if change.new.get(name) is UNCHANGED}
        new_key = spec.key_of(after)
        if previous is not None:
            previous.lsn_to = end
        if spec.key and new_key != old_key:
            values = previous.values if previous else before
            lost = set(previous.unknown) if previous else set(spec.columns) - set(spec.key)
            values = self.source[spec.id].known(values)
            history.log.append(Version(old_key, "REKEY", values, end, sequence, end, lost))
        history.open_version(Version(new_key, "UPDATE", after, end, sequence, None, unknown))

    @staticmethod
    def _only_excluded_changed(spec, before, after):
        return (any(before.get(c) != after.get(c) for c in spec.excluded)
                and spec.kept(before) == spec.kept(after))

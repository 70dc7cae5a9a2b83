"""Faults planted by SQL at random rows of a true history, each in a transaction that is undone.

A fault function gets the Planter, whose transaction is open, and returns the tables it touched.
"""

import contextlib
import random
import re

from .campaign import arithmetic
from .rows import qualified, quote
from .set_v import SYSTEM_COLUMNS, SetV

TOMBSTONE = "operation_type in ('DELETE', 'TRUNCATE', 'REKEY')"


class Borrowed:
    """Lends one connection to code that opens and closes its own, so that all of it is undone."""

    def __init__(self, database):
        self.connection = database.connect(autocommit=False)

    def connect(self):
        return self

    def cursor(self):
        return self.connection.cursor()

    def close(self):
        """The one who lent it closes it."""

    def undo(self):
        self.connection.rollback()
        self.connection.close()


class Planter:
    """Draws rows and changes them. Everything random comes from `chance`."""

    def __init__(self, connection, specs, chance):
        self.specs = specs
        self.chance = chance
        self.cursor = connection.cursor()
        self.what = []  # what was done, for the report

    def run(self, statement, *parameters):
        self.what.append(self.cursor.mogrify(statement, parameters).decode()[:300])
        self.cursor.execute(statement, parameters)
        assert self.cursor.rowcount > 0, f"the fault changed nothing: {self.what[-1]}"

    def rows(self, statement, *parameters):
        self.cursor.execute(statement, parameters)
        return self.cursor.fetchall()

    def draw(self, where="true", specs=None):
        """(spec, ctid) of a random version for which `where` holds, of a random table."""
        specs = list(specs or self.specs)
        self.chance.shuffle(specs)
        for spec in specs:
            where_here = where(spec) if callable(where) else where
            found = self.rows(f"select ctid::text from {history(spec)} as h where {where_here} "
                              "order by ctid")
            if found:
                return spec, self.chance.choice(found)[0]
        raise AssertionError(f"no version for which {where} holds")

    def keyed(self):
        return [spec for spec in self.specs if spec.key]


def history(spec):
    return qualified(spec.target_schema, spec.history_table)


def _same_row(spec, one, other):
    """SQL: the two versions are of one row key."""
    return " and ".join(f"{one}.{quote(c)} is not distinct from {other}.{quote(c)}"
                        for c in spec.target_key or spec.target_columns)


# -- the eight faults ----------------------------------------------------------------------------

def version_removed(planter):
    spec, ctid = planter.draw()
    planter.run(f"delete from {history(spec)} where ctid = %s::tid", ctid)
    return [spec]


def closed_lifetime_removed(planter):
    """From the version that opened it up to the tombstone, nothing is left."""
    spec, ctid = planter.draw(TOMBSTONE, planter.keyed())
    after = "(tomb.lsn_from, tomb.change_seq)"
    planter.run(f"""
        delete from {history(spec)} as h using {history(spec)} as tomb
        where tomb.ctid = %s::tid and {_same_row(spec, 'h', 'tomb')}
          and (h.lsn_from, h.change_seq) <= {after}
          and not exists (select from {history(spec)} as earlier
                          where earlier.{TOMBSTONE} and {_same_row(spec, 'earlier', 'tomb')}
                            and (earlier.lsn_from, earlier.change_seq) < {after}
                            and (earlier.lsn_from, earlier.change_seq)
                                >= (h.lsn_from, h.change_seq))""", ctid)
    return [spec]


def old_value_changed(planter):
    """Any column of a version that is not current, by as little as its type allows."""
    spec, ctid = planter.draw("not is_current")
    column = planter.chance.choice(spec.target_columns)
    [(kind,)] = planter.rows(
        "select format_type(atttypid, -1) from pg_attribute where attrelid = %s::regclass "
        "and attname = %s", history(spec), column)
    name = quote(column)
    if kind in ("integer", "bigint"):
        changed = f"coalesce({name} + 1, 0)"
    elif kind == "bytea":
        changed = f"coalesce(set_byte({name}, 0, 255 - get_byte({name}, 0)), '\\x00')"
    else:
        changed = planter.chance.choice([
            f"coalesce({name} || ' ', '')", f"case when {name} is null then 'x' end",
            f"coalesce(overlay({name} placing '#' from 1 for 1), '#')"])
    planter.run(f"update {history(spec)} set {name} = {changed} where ctid = %s::tid", ctid)
    return [spec]


def two_current(planter):
    """A closed version is open again, or a current one stands there twice."""
    if planter.chance.random() < 0.5:
        spec, ctid = planter.draw("is_current")
        return _copy(planter, spec, ctid, change_seq=planter.chance.randint(1, 3))
    spec, ctid = planter.draw(
        lambda spec: f"not is_current and not {TOMBSTONE} and exists (select from {history(spec)} "
                     f"as now where now.is_current and {_same_row(spec, 'now', 'h')})",
        planter.keyed())
    planter.run(f"update {history(spec)} set is_current = true, valid_to = null, lsn_to = null "
                "where ctid = %s::tid", ctid)
    return [spec]


def moved_in_time(planter):
    """One boundary of a version, or the boundary that two share, is at another moment."""
    kind = planter.chance.choice(["valid_from", "valid_to", "change_seq", "lsn_from", "shared"])
    if kind == "shared":
        return _shared_boundary_moved(planter)
    spec, ctid = planter.draw("valid_to is not null" if kind == "valid_to" else "true")
    if kind == "lsn_from":
        [(lsn, time)] = planter.rows(
            f"select lsn_from, valid_from from {history(spec)} where lsn_from <> (select lsn_from "
            f"from {history(spec)} where ctid = %s::tid) order by md5(lsn_from::text || %s) "
            "limit 1", ctid, str(planter.chance.random()))
        planter.run(f"update {history(spec)} set lsn_from = %s, valid_from = %s "
                    "where ctid = %s::tid", lsn, time, ctid)
    elif kind == "change_seq":
        planter.run(f"update {history(spec)} set change_seq = change_seq + %s "
                    "where ctid = %s::tid", planter.chance.choice([-1, 1]), ctid)
    else:
        step = planter.chance.choice(["1 microsecond", "1 millisecond", "1 second", "1 day"])
        sign = planter.chance.choice("+-")
        planter.run(f"update {history(spec)} set {kind} = {kind} {sign} interval '{step}' "
                    "where ctid = %s::tid", ctid)
    return [spec]


def _shared_boundary_moved(planter):
    """A version ends, and the next begins, at another commit: no chain looks broken."""
    spec, ctid = planter.draw(
        lambda spec: f"h.lsn_to > h.lsn_from and exists (select from {history(spec)} as next "
                     f"where next.lsn_from = h.lsn_to and {_same_row(spec, 'next', 'h')}) and "
                     f"exists (select from {history(spec)} as other where other.lsn_from > "
                     "h.lsn_from and other.lsn_from < h.lsn_to)", planter.keyed())
    [(lsn, time, end)] = planter.rows(
        f"select other.lsn_from, other.valid_from, h.lsn_to from {history(spec)} as other, "
        f"{history(spec)} as h where h.ctid = %s::tid and other.lsn_from > h.lsn_from "
        "and other.lsn_from < h.lsn_to order by md5(other.lsn_from::text || %s) limit 1",
        ctid, str(planter.chance.random()))
    # The next one first, while the version still says where it ended.
    planter.run(f"update {history(spec)} as next set lsn_from = %s, valid_from = %s, "
                f"lsn_to = case when next.{TOMBSTONE} then %s else next.lsn_to end, "
                f"valid_to = case when next.{TOMBSTONE} then %s else next.valid_to end "
                f"from {history(spec)} as h where h.ctid = %s::tid and next.lsn_from = %s "
                f"and {_same_row(spec, 'next', 'h')}", lsn, time, lsn, time, ctid, end)
    planter.run(f"update {history(spec)} set lsn_to = %s, valid_to = %s where ctid = %s::tid",
                lsn, time, ctid)
    return [spec]


def aborted_row(planter):
    """A row that was rolled back stands in the history, whether it says so or not."""
    marked = [spec for spec in planter.specs if "fate" in spec.target_columns]
    kind = planter.chance.choice(["marked", "changed", "silent"])
    if kind == "silent":
        spec, ctid = planter.draw("operation_type = 'INSERT'", planter.keyed())
        integers = [c for (c,) in planter.rows(
            "select attname from pg_attribute where attrelid = %s::regclass and attname = any (%s)"
            " and atttypid in ('integer'::regtype, 'bigint'::regtype)",
            history(spec), spec.target_key)]
        # A key that no row has had: rolled back sequences leave such holes.
        return _copy(planter, spec, ctid, **{integers[0]: 100_000_007})
    spec, ctid = planter.draw("operation_type in ('INSERT', 'UPDATE')", marked)
    if kind == "changed":
        planter.run(f"update {history(spec)} set fate = 'aborted' where ctid = %s::tid", ctid)
        return [spec]
    return _copy(planter, spec, ctid, id=100_000_007, fate="aborted")


def half_applied(planter):
    """Of the rows that one commit changed, some have what it did and others have not."""
    commits = " union all ".join(
        f"select {number} as place, lsn_from, ctid::text as id, {_key_text(spec)} as key "
        f"from {history(spec)} where operation_type <> 'SNAPSHOT'"
        for number, spec in enumerate(planter.specs) if spec.key)
    found = planter.rows(f"with version as ({commits}) select lsn_from from version "
                         "group by lsn_from having count(distinct (place, key)) > 1 "
                         "order by lsn_from")
    lsn = planter.chance.choice(found)[0]
    rows = planter.rows(f"with version as ({commits}) select distinct place, key from version "
                        "where lsn_from = %s order by place, key", lsn)
    undone = planter.chance.sample(rows, planter.chance.randint(1, len(rows) - 1))
    for place, key in undone:
        spec = planter.specs[place]
        mine = f"{_key_text(spec)} = %s"
        planter.run(f"delete from {history(spec)} where lsn_from = %s and {mine}", lsn, key)
        # What the commit ended goes on until the row's next version.
        planter.cursor.execute(
            f"update {history(spec)} as h set lsn_to = next.lsn_from, valid_to = next.valid_from, "
            "is_current = next.lsn_from is null from (select 1) as one left join lateral "
            f"(select lsn_from, valid_from from {history(spec)} where lsn_from > %s and {mine} "
            f"order by lsn_from, change_seq limit 1) as next on true where h.lsn_to = %s "
            f"and not h.{TOMBSTONE} and {_key_text(spec, 'h')} = %s", (lsn, key, lsn, key))
    return [planter.specs[place] for place in {place for place, _ in undone}]


def version_duplicated(planter):
    spec, ctid = planter.draw()
    if planter.chance.random() < 0.5:
        return _copy(planter, spec, ctid)
    [(sequence,)] = planter.rows(f"select change_seq from {history(spec)} where ctid = %s::tid",
                                 ctid)
    return _copy(planter, spec, ctid, change_seq=sequence + 1)


def _key_text(spec, of=None):
    prefix = f"{of}." if of else ""
    return "concat_ws('/', " + ", ".join(prefix + quote(c) for c in spec.target_key) + ")"


def _copy(planter, spec, ctid, **changed):
    columns = spec.target_columns + SYSTEM_COLUMNS
    values = ["%s" if column in changed else quote(column) for column in columns]
    planter.run(f"insert into {history(spec)} ({', '.join(map(quote, columns))}) "
                f"select {', '.join(values)} from {history(spec)} where ctid = %s::tid",
                *(changed[column] for column in columns if column in changed), ctid)
    return [spec]


FAULTS = {
    "a version removed": version_removed,
    "a closed lifetime removed": closed_lifetime_removed,
    "an old value changed": old_value_changed,
    "two current versions": two_current,
    "a version moved in time": moved_in_time,
    "a row of an aborted subtransaction": aborted_row,
    "one transaction half applied": half_applied,
    "a duplicated version": version_duplicated,
}


class _Known:
    """An oracle that has done its work."""

    def __init__(self, model):
        self._model = model

    def model(self, *_, **__):
        return self._model


class _KnownV(SetV):
    """Set V with what a campaign's judge knew before anything was planted."""

    def __init__(self, judge, source, target, specs, seed):
        fates = {judge.fates.get(spec.name) for spec in specs} - {None}
        super().__init__(source, target, _Known(judge.model), specs, judge.pipeline,
                         fate_column=next(iter(fates), None), seed=seed)
        self._copies = judge.copies

    def _copied(self, source, target, spec):
        return self._copies[spec.id]


def found_by(campaign, target, specs, seed):
    """({checks that fail}, problems): set V over these tables, and the workloads' arithmetic."""
    judge = campaign.judge
    problems = _KnownV(judge, campaign.scene.source, target, specs, seed).check()
    checks = {_number(problem) for problem in problems}
    names = {spec.name for spec in specs}
    broken = arithmetic(target, [w for w in campaign.workloads if names & set(w.tables)])
    if broken:
        checks.add("workload")
    return checks, problems + [f"workload: {claim}: {rows}" for claim, rows in broken]


def _number(problem):
    """V4 of `v04_no_hole t: ...`; checks that have no number go by their name."""
    name = re.match(r"\w+", problem).group()
    number = re.match(r"[vV]0*(\d+)", name)
    return f"V{number.group(1)}" if number else name


@contextlib.contextmanager
def planted(database, specs, fault, seed):
    """(Borrowed target with the fault in it, specs of the tables it touched, what was done)."""
    target = Borrowed(database)
    try:
        planter = Planter(target.connection, specs, random.Random(seed))
        touched = FAULTS[fault](planter)
        yield target, touched, planter.what
    finally:
        target.undo()

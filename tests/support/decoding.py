"""Reads the text of PostgreSQL's `test_decoding` plugin into transactions.

Independent of pgoutput on purpose: another plugin, another form, no publication involved. Values
are the text of the type's output function. The LSN of a COMMIT row is the END of the commit record
(reorderbuffer.c sets the write location to `end_lsn` there); test_oracle_itself.py compares it
with the end_lsn of pgoutput's Commit message on a real server.
"""

import json
import re
from dataclasses import dataclass, field
from datetime import datetime, timezone

from .lsn import parse_lsn

# Empty transactions too: PostgreSQL 14 sends them, so one may be the last of a checkpoint.
SLOT_OPTIONS = ["include-xids", "1", "include-timestamp", "1", "skip-empty-xacts", "0"]


class _Unchanged:
    """An out-of-line value that the server did not send because it did not change."""

    def __repr__(self):
        return "UNCHANGED"

    def __deepcopy__(self, memo):
        return self


UNCHANGED = _Unchanged()


# Decoding shows no DDL. A workload may say in a message of this prefix what it does to a table's
# columns, as JSON: {"table": [schema, name], "add": [column, default] | "drop": column |
# "rename": [before, after]}.
SHAPE_PREFIX = "pgchronicle_shape"


@dataclass
class Change:
    action: str  # INSERT, UPDATE, DELETE, TRUNCATE or SHAPE
    tables: list  # of (schema, name); more than one only for TRUNCATE
    old: dict | None = None  # the old tuple, or the old key; a NULL is left out by the server
    new: dict | None = None
    shape: dict | None = None

    @property
    def table(self):
        return self.tables[0]


@dataclass
class Transaction:
    xid: int
    changes: list = field(default_factory=list)
    end_lsn: int = 0
    commit_time: datetime | None = None


class _Scanner:
    """A cursor over one line."""

    def __init__(self, text):
        self.text = text
        self.at = 0

    def startswith(self, prefix):
        return self.text.startswith(prefix, self.at)

    def take(self, prefix):
        if not self.startswith(prefix):
            raise ValueError(f"expected {prefix!r} at {self.at} in {self.text[:300]!r}")
        self.at += len(prefix)

    def accept(self, prefix):
        if self.startswith(prefix):
            self.at += len(prefix)
            return True
        return False

    @property
    def done(self):
        return self.at >= len(self.text)

    def quoted(self, quote):
        """The text inside quotes, where a quote is doubled; the opening one is next."""
        self.take(quote)
        start = self.at
        doubled = False
        while True:
            end = self.text.index(quote, self.at)
            if self.text.startswith(quote, end + 1):
                doubled = True
                self.at = end + 2
                continue
            self.at = end + 1
            inside = self.text[start:end]
            return inside.replace(quote * 2, quote) if doubled else inside

    def identifier(self):
        if self.startswith('"'):
            return self.quoted('"')
        match = _PLAIN_IDENTIFIER.match(self.text, self.at)
        if not match:
            raise ValueError(f"expected an identifier at {self.at} in {self.text[:300]!r}")
        self.at = match.end()
        return match.group()

    def type_name(self):
        """[type]: with the type's own brackets and quoted parts inside."""
        self.take("[")
        start = self.at
        plain = _PLAIN_TYPE.match(self.text, self.at)
        if plain:
            self.at = plain.end()
            return plain.group()[:-2]
        while True:
            if self.startswith('"'):
                self.quoted('"')
            elif self.startswith("]:"):
                name = self.text[start:self.at]
                self.at += 2
                return name
            else:
                self.at += 1

    def value(self):
        if self.startswith("'"):
            return self.quoted("'")
        if self.startswith("B'"):
            self.at += 1
            return self.quoted("'")
        match = _BARE_VALUE.match(self.text, self.at)
        self.at = match.end()
        bare = match.group()
        if bare == "null":
            return None
        if bare == "unchanged-toast-datum":
            return UNCHANGED
        # The output function of bool prints t and f; test_decoding spells them out.
        return {"true": "t", "false": "f"}.get(bare, bare)


_PLAIN_IDENTIFIER = re.compile(r"[a-z_][a-z0-9_$]*")
_PLAIN_TYPE = re.compile(r"[a-z ]+\]:")
_BARE_VALUE = re.compile(r"[^ ]*")


def _table(scanner):
    schema = scanner.identifier()
    scanner.take(".")
    return schema, scanner.identifier()


def _tuple(scanner):
    """name[type]:value ..., up to the end or to ` new-tuple:`."""
    values = {}
    while not scanner.done and not scanner.startswith(" new-tuple:"):
        scanner.take(" ")
        name = scanner.identifier()
        scanner.type_name()
        values[name] = scanner.value()
    return values


def parse_change(line):
    """One `table ...` line."""
    scanner = _Scanner(line)
    scanner.take("table ")
    tables = [_table(scanner)]
    while scanner.accept(", "):
        tables.append(_table(scanner))
    scanner.take(": ")
    for action in ("INSERT", "UPDATE", "DELETE", "TRUNCATE"):
        if scanner.accept(action + ":"):
            break
    else:
        raise ValueError(f"unknown action in {line[:300]!r}")
    if action == "TRUNCATE":
        return Change(action, tables)
    if scanner.accept(" (no-tuple-data)"):
        return Change(action, tables)
    old = None
    if scanner.accept(" old-key:"):
        old = _tuple(scanner)
        scanner.take(" new-tuple:")
    values = _tuple(scanner)
    if action == "DELETE":
        return Change(action, tables, old=values)
    return Change(action, tables, old=old, new=values)


_MESSAGE = re.compile(r"message: transactional: 1 prefix: (.*?), sz: \d+ content:(.*)", re.S)
_COMMIT = re.compile(r"COMMIT (\d+) \(at (.+)\)$")


def parse_timestamp(text):
    """2026-11-21 12:00:00.123456+00, the fraction being optional."""
    if text.endswith("+00"):
        text = text[:-3]
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


def parse_rows(rows, transactions):
    """Appends to `transactions` what (lsn, data) rows of pg_logical_slot_get_changes say."""
    current = None
    for lsn, line in rows:
        if line.startswith("table "):
            current.changes.append(parse_change(line))
        elif line.startswith("BEGIN "):
            current = Transaction(int(line[6:]))
        elif line.startswith("COMMIT "):
            match = _COMMIT.match(line)
            current.end_lsn = parse_lsn(lsn)
            current.commit_time = parse_timestamp(match.group(2))
            transactions.append(current)
            current = None
        elif line.startswith("message: "):
            message = _MESSAGE.match(line)
            if message and message.group(1) == SHAPE_PREFIX:
                shape = json.loads(message.group(2))
                current.changes.append(Change("SHAPE", [tuple(shape.pop("table"))], shape=shape))
        else:
            raise ValueError(f"unknown line {line[:300]!r}")
    if current is not None:
        raise ValueError("the last transaction has no COMMIT")

"""A tiny pgoutput decoder (protocol 1, text), only to check the other oracle against.

It reads pg_logical_slot_peek_binary_changes, so it also shows what a publication filters.
"""

import struct
from datetime import datetime, timedelta, timezone

from .decoding import UNCHANGED, Change, Transaction

_EPOCH = datetime(2000, 1, 1, tzinfo=timezone.utc)


class _Reader:
    def __init__(self, data):
        self.data = bytes(data)
        self.at = 0

    def take(self, form):
        values = struct.unpack_from(">" + form, self.data, self.at)
        self.at += struct.calcsize(">" + form)
        return values[0] if len(values) == 1 else values

    def string(self):
        end = self.data.index(b"\0", self.at)
        text = self.data[self.at:end].decode()
        self.at = end + 1
        return text

    def tuple(self, columns):
        values = {}
        count = self.take("h")
        assert count == len(columns), (count, columns)
        for name in columns:
            kind = self.take("c")
            if kind == b"n":
                values[name] = None
            elif kind == b"u":
                values[name] = UNCHANGED
            else:
                length = self.take("i")
                values[name] = self.data[self.at:self.at + length].decode()
                self.at += length
        return values


def decode(payloads):
    """Transactions with their changes. A `K` tuple keeps only the key's columns."""
    relations = {}
    transactions = []
    current = None
    for payload in payloads:
        reader = _Reader(payload)
        tag = reader.take("c")
        if tag == b"B":
            reader.take("qq")
            current = Transaction(reader.take("i"))
        elif tag == b"C":
            _, _, end_lsn, micros = reader.take("bqqq")
            current.end_lsn = end_lsn
            current.commit_time = _EPOCH + timedelta(microseconds=micros)
            transactions.append(current)
            current = None
        elif tag == b"R":
            oid = reader.take("I")
            table = (reader.string() or "pg_catalog", reader.string())
            identity = reader.take("c")
            columns = {}
            for _ in range(reader.take("h")):
                flags = reader.take("b")
                name = reader.string()
                reader.take("Ii")
                columns[name] = bool(flags & 1)
            relations[oid] = (table, identity, columns)
        elif tag in (b"I", b"U", b"D"):
            current.changes.append(_row_change(tag, reader, relations))
        elif tag == b"T":
            count, _ = reader.take("ib")
            tables = [relations[reader.take("I")][0] for _ in range(count)]
            current.changes.append(Change("TRUNCATE", tables))
        elif tag not in (b"O", b"Y", b"M"):
            raise ValueError(f"unknown message {tag!r}")
    return transactions


def _row_change(tag, reader, relations):
    table, _, columns = relations[reader.take("I")]
    old = new = None
    kind = reader.take("c")
    if kind in (b"K", b"O"):
        old = reader.tuple(columns)
        if kind == b"K":
            old = {name: value for name, value in old.items() if columns[name]}
        kind = reader.take("c") if tag == b"U" else None
    if kind == b"N":
        new = reader.tuple(columns)
    action = {b"I": "INSERT", b"U": "UPDATE", b"D": "DELETE"}[tag]
    return Change(action, [table], old=old, new=new)

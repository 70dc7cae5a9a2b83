#!/usr/bin/env python3
"""Turns recorded pgoutput messages into readable lines.

Reads "LSN xid hex" lines and writes one line a message. It knows nothing of the C++ decoder, which
has to arrive at the same lines. Source: the manual, "Logical Replication Message Formats".
"""

import struct
import sys

SHOWN_MAX = 40  # bytes of a value that are shown; what is longer gives its length instead


def printable(data):
    return "".join(
        chr(b) if 32 <= b < 127 and chr(b) not in '"\\' else f"\\x{b:02x}" for b in data
    )


def shown(data):
    if len(data) > SHOWN_MAX:
        return f'"{printable(data[:SHOWN_MAX])}"...({len(data)} bytes)'
    return f'"{printable(data)}"'


class Message:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, layout):
        (value,) = struct.unpack_from(">" + layout, self.data, self.at)
        self.at += struct.calcsize(">" + layout)
        return value

    def string(self):
        end = self.data.index(b"\0", self.at)
        text, self.at = self.data[self.at : end], end + 1
        return printable(text)

    def schema(self):
        return self.string() or "pg_catalog"

    def blob(self):
        size = self.take("i")
        blob = self.data[self.at : self.at + size]
        assert len(blob) == size
        self.at += size
        return blob

    def letter(self):
        return chr(self.take("B"))

    def lsn(self):
        value = self.take("Q")
        return f"{value >> 32:X}/{value & 0xFFFFFFFF:X}"

    def tuple(self):
        values = []
        for _ in range(self.take("h")):
            kind = self.letter()
            values.append(kind + shown(self.blob()) if kind in "tb" else kind)
        return "(" + ", ".join(values) + ")"


def describe(message, in_stream):
    m = message
    tag = m.letter()
    xid = f" xid={m.take('I')}" if in_stream and tag in "RYIUDTM" else ""
    if tag == "B":
        return f"BEGIN final_lsn={m.lsn()} time={m.take('q')} xid={m.take('I')}"
    if tag == "C":
        assert m.take("B") == 0
        return f"COMMIT commit_lsn={m.lsn()} end_lsn={m.lsn()} time={m.take('q')}"
    if tag == "O":
        return f"ORIGIN lsn={m.lsn()} name={m.string()}"
    if tag == "R":
        head = f"RELATION{xid} id={m.take('I')} name={m.schema()}.{m.string()}"
        head += f" identity={m.letter()}"
        columns = []
        for _ in range(m.take("h")):
            key = "*" if m.take("B") else ""
            columns.append(f"{m.string()}{key}:{m.take('I')}:{m.take('i')}")
        return f"{head} columns=({', '.join(columns)})"
    if tag == "Y":
        return f"TYPE{xid} id={m.take('I')} name={m.schema()}.{m.string()}"
    if tag in "IUD":
        name = {"I": "INSERT", "U": "UPDATE", "D": "DELETE"}[tag]
        line = f"{name}{xid} relation={m.take('I')}"
        while m.at < len(m.data):
            kind = m.letter()
            line += f" {dict(K='key', O='old', N='new')[kind]}={m.tuple()}"
        return line
    if tag == "T":
        count, flags = m.take("i"), m.take("B")
        ids = ", ".join(str(m.take("I")) for _ in range(count))
        options = " cascade" * bool(flags & 1) + " restart_identity" * bool(flags & 2)
        return f"TRUNCATE{xid} relations=({ids}){options}"
    if tag == "M":
        kind = " transactional" if m.take("B") else ""
        return f"MESSAGE{xid}{kind} lsn={m.lsn()} prefix={m.string()} content={shown(m.blob())}"
    if tag == "S":
        return f"STREAM START xid={m.take('I')}" + (" first" if m.take("B") else "")
    if tag == "E":
        return "STREAM STOP"
    if tag == "c":
        head = f"STREAM COMMIT xid={m.take('I')}"
        assert m.take("B") == 0
        return f"{head} commit_lsn={m.lsn()} end_lsn={m.lsn()} time={m.take('q')}"
    if tag == "A":
        line = f"STREAM ABORT xid={m.take('I')} subxid={m.take('I')}"
        return line if m.at == len(m.data) else f"{line} lsn={m.lsn()} time={m.take('q')}"
    if tag == "r":
        assert m.take("B") == 0
        return (
            f"ROLLBACK PREPARED prepare_end_lsn={m.lsn()} rollback_end_lsn={m.lsn()}"
            f" prepare_time={m.take('q')} rollback_time={m.take('q')}"
            f" xid={m.take('I')} gid={m.string()}"
        )
    names = {"b": "BEGIN PREPARE", "P": "PREPARE", "K": "COMMIT PREPARED", "p": "STREAM PREPARE"}
    name = names[tag]
    assert tag == "b" or m.take("B") == 0
    start = "commit_lsn" if tag == "K" else "prepare_lsn"
    return (
        f"{name} {start}={m.lsn()} end_lsn={m.lsn()} time={m.take('q')}"
        f" xid={m.take('I')} gid={m.string()}"
    )


def main():
    in_stream = False
    for line in sys.stdin:
        message = Message(bytes.fromhex(line.split()[2]))
        print(describe(message, in_stream))
        assert message.at == len(message.data), "bytes left over"
        in_stream = {"S": True, "E": False}.get(chr(message.data[0]), in_stream)


if __name__ == "__main__":
    main()

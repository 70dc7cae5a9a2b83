"""Stands between the program and its source, and makes a stream say what no server would.

Everything passes unchanged until a test sets `rewrite` or calls `say`. Connections must come
without TLS: dsn_through() sees to that.
"""

import contextlib
import socket
import struct
import threading

from .proxy import Proxy

HEADER_BYTES = 5  # Tag and length.


def message(tag, payload=b""):
    return tag + struct.pack(">i", len(payload) + 4) + payload


def _fields(severity, sqlstate, text):
    return b"".join(code + value.encode() + b"\0" for code, value in (
        (b"S", severity), (b"V", severity), (b"C", sqlstate), (b"M", text))) + b"\0"


def warning(sqlstate, text):
    return message(b"N", _fields("WARNING", sqlstate, text))


def error(sqlstate, text):
    return message(b"E", _fields("ERROR", sqlstate, text)) + message(b"Z", b"I")


def keepalive(wal_end):
    return message(b"d", b"k" + struct.pack(">qq?", wal_end, 0, False))


def pgoutput_tag(tag, payload):
    """The tag of the pgoutput message that a server message carries, or None."""
    xlog_header = 25
    if tag == b"d" and payload[:1] == b"w":
        return payload[xlog_header:xlog_header + 1]
    return None


class StreamProxy(Proxy):
    """Only streams (connections in COPY BOTH) are tampered with."""

    def __init__(self, server_port):
        super().__init__(server_port)
        self.rewrite = None  # Called with tag, payload and the whole message; gives what to pass.
        self._streams = []

    def say(self, data):
        """Sends messages of ours on the newest stream, between two of the server's."""
        client, lock = self._streams[-1]
        with lock:
            client.sendall(data)

    def cut(self):
        """Breaks the newest stream, as a network would."""
        client, _ = self._streams[-1]
        client.shutdown(socket.SHUT_RDWR)

    def _connected(self, client):
        server = self._reach_server()
        self._open += [client, server]
        self._thread(self._pump, client, server)
        self._thread(self._to_client, client, server)

    def _to_client(self, client, server):
        reader = server.makefile("rb")
        lock = threading.Lock()
        streaming = False
        with contextlib.suppress(OSError, ValueError):
            while len(header := reader.read(HEADER_BYTES)) == HEADER_BYTES:
                payload = reader.read(struct.unpack(">i", header[1:])[0] - 4)
                passed = header + payload
                if streaming and self.rewrite:
                    passed = self.rewrite(header[:1], payload, passed)
                with lock:
                    client.sendall(passed)
                if header[:1] == b"W" and not streaming:
                    streaming = True
                    self._streams.append((client, lock))
            client.shutdown(socket.SHUT_RDWR)

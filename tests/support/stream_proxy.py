"""Stands between the program and its source, and makes a stream say what no server would.

Everything passes unchanged until a test sets `rewrite` or calls `say`. Connections must come
without TLS: dsn_through() sees to that.
"""

import contextlib
import socket
import struct
import threading

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


class StreamProxy:
    """Use as a context manager. Only streams (connections in COPY BOTH) are tampered with."""

    def __init__(self, server_port):
        self.server_port = server_port
        self.rewrite = None  # Called with tag, payload and the whole message; gives what to pass.
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._open = []
        self._streams = []

    def dsn_through(self, dsn):
        return (dsn.replace(f"port={self.server_port}", f"port={self.port}")
                + " sslmode=disable gssencmode=disable")

    def say(self, data):
        """Sends messages of ours on the newest stream, between two of the server's."""
        client, lock = self._streams[-1]
        with lock:
            client.sendall(data)

    def cut(self):
        """Breaks the newest stream, as a network would."""
        client, _ = self._streams[-1]
        client.shutdown(socket.SHUT_RDWR)

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        for opened in [self._listener, *self._open]:
            with contextlib.suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
            opened.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self.server_port))
                self._open += [client, server]
                for pump in (self._to_server, self._to_client):
                    threading.Thread(target=pump, args=(client, server), daemon=True).start()

    @staticmethod
    def _to_server(client, server):
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                server.sendall(data)
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_WR)  # Also where a killed client has reset the connection.

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

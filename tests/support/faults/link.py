"""A TCP connection that misbehaves: bytes are lost, cut, split or slow.

Everything passes unchanged until a fault says otherwise. Connections must come without TLS:
dsn_through() sees to that.
"""

import contextlib
import ctypes
import random
import socket
import struct
import threading
import time

from ..proxy import CHUNK, Proxy

SO_ATTACH_FILTER = 26
COMMITTED = b"COMMIT\0"  # The command tag with which a server answers COMMIT.
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close() sends RST.


class _Instruction(ctypes.Structure):
    _fields_ = [("code", ctypes.c_ushort), ("jt", ctypes.c_ubyte), ("jf", ctypes.c_ubyte),
                ("k", ctypes.c_uint)]


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.POINTER(_Instruction))]


def deafen(connection):
    """The kernel drops each segment that comes for this socket: nothing is even acknowledged."""
    drop_all = _Instruction(0x06, 0, 0, 0)  # BPF_RET | BPF_K: keep 0 bytes
    program = _Program(1, ctypes.pointer(drop_all))
    connection.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, bytes(program))


class _Connection:
    def __init__(self, client, server, bytes_until_reset):
        self.client, self.server = client, server
        self.bytes_until_reset = bytes_until_reset
        self.swallows = self.deaf = False

    def reset(self):
        """Both ends get RST."""
        for end in (self.client, self.server):
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                end.shutdown(socket.SHUT_RD)  # Wakes who reads it; only then close() closes.
            end.close()


class Link(Proxy):
    """A proxy whose every connection can be made to fail."""

    def __init__(self, server_port, seed=0):
        super().__init__(server_port)
        self.piece_bytes = None  # What a server says arrives in pieces of this size.
        self.bytes_per_second = None  # The same, at this speed.
        self.delay_seconds = 0  # What either side says arrives so much later.
        self.commits_to_lose = 0  # So many answers to COMMIT are lost, and their connections.
        self.commits_lost = 0
        self.resets_left = 0  # So many connections end with RST, each after some random bytes.
        self.reset_bytes_max = 100_000
        self._chance = random.Random(seed)
        self._connections = []
        self._lock = threading.Lock()

    def __exit__(self, *_):
        super().__exit__()
        self.cut()

    # -- faults ------------------------------------------------------------------------------

    def lose_to_server(self):
        """What the program sends on the open connections is lost on the way, and so are its
        acknowledgements; what the server sends still arrives."""
        for connection in self._connections:
            with contextlib.suppress(OSError):
                deafen(connection.client)
                connection.deaf = True

    def lose_to_client(self, spared=None):
        """What the server sends on the open connections is lost behind this proxy, which goes on
        acknowledging what the program sends. `spared`: the client_port of one that stays whole."""
        for connection in self._connections:
            connection.swallows = connection.server.getsockname()[1] != spared

    def cut(self):
        """Ends all connections with RST."""
        with self._lock:
            connections, self._connections = self._connections, []
        for connection in connections:
            connection.reset()

    def end_servers(self):
        """The servers notice that nothing comes any more, as with keepalives of their own."""
        for connection in self._connections:
            if connection.deaf:
                with contextlib.suppress(OSError):
                    connection.server.shutdown(socket.SHUT_RDWR)

    # -- passing on --------------------------------------------------------------------------

    def _connected(self, client):
        try:
            server = self._reach_server()
        except OSError:  # The server is down; so is what leads to it.
            client.close()
            return
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = _Connection(client, server, self._draw_reset())
        with self._lock:
            self._connections.append(connection)
        self._thread(self._to_server, connection)
        self._thread(self._to_client, connection)

    def _draw_reset(self):
        if self.resets_left <= 0:
            return None
        # Few bytes as often as many: a handshake, a query and a stream all come to it.
        if self._chance.random() < 0.5:
            return int(self.reset_bytes_max ** self._chance.random())
        return self._chance.randrange(self.reset_bytes_max)

    def _counted(self, connection, data):
        """As much of `data` as may pass before the reset that is due."""
        if self.resets_left <= 0:
            connection.bytes_until_reset = None
        left = connection.bytes_until_reset
        if left is None:
            return data
        connection.bytes_until_reset = left - len(data)
        return data[:max(0, left)]

    def _reset_due(self, connection):
        if connection.bytes_until_reset is not None and connection.bytes_until_reset <= 0:
            connection.bytes_until_reset = None
            self.resets_left -= 1
            connection.reset()
            return True
        return False

    def _to_server(self, connection):
        with contextlib.suppress(OSError):
            while data := connection.client.recv(CHUNK):
                time.sleep(self.delay_seconds)  # The delay is the fault.
                connection.server.sendall(self._counted(connection, data))
                if self._reset_due(connection):
                    return
        with contextlib.suppress(OSError):
            connection.server.shutdown(socket.SHUT_WR)

    def _to_client(self, connection):
        with contextlib.suppress(OSError):
            while data := connection.server.recv(CHUNK):
                if connection.swallows:
                    continue
                time.sleep(self.delay_seconds)
                if self.commits_to_lose > 0 and COMMITTED in data:
                    self.commits_to_lose -= 1
                    self.commits_lost += 1
                    connection.reset()
                    return
                self._pass(connection.client, self._counted(connection, data))
                if self._reset_due(connection):
                    return
        with contextlib.suppress(OSError):
            connection.client.shutdown(socket.SHUT_WR)

    def _pass(self, client, data):
        speed, size = self.bytes_per_second, self.piece_bytes or CHUNK
        if speed:
            size = 512
        for at in range(0, len(data), size):
            client.sendall(data[at:at + size])
            if speed:
                time.sleep(size / speed)  # The speed is the fault.

"""What stands between the program and a server, whatever it does to what passes."""

import contextlib
import socket
import threading

CHUNK = 65536


class Proxy:
    """Use as a context manager. Each kind says in `_connected` what becomes of a client."""

    def __init__(self, server_port):
        self.server_port = server_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._open = []  # What is closed in the end.

    def dsn_through(self, dsn):
        return (dsn.replace(f"port={self.server_port}", f"port={self.port}")
                + " sslmode=disable gssencmode=disable")

    def __enter__(self):
        self._thread(self._accept)
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
                self._connected(client)

    def _connected(self, client):
        raise NotImplementedError

    def _reach_server(self):
        return socket.create_connection(("127.0.0.1", self.server_port))

    @staticmethod
    def _thread(target, *arguments):
        threading.Thread(target=target, args=arguments, daemon=True).start()

    @staticmethod
    def _pump(reader, writer, see=None):
        """Passes everything on unchanged; `see` is called with each piece first."""
        with contextlib.suppress(OSError):
            while data := reader.recv(CHUNK):
                if see:
                    see(data)
                writer.sendall(data)
        with contextlib.suppress(OSError):
            writer.shutdown(socket.SHUT_WR)  # Also where a killed client has reset the connection.

"""Stands between the program and a server, and keeps every byte that the program sends."""

import contextlib
import re
import socket
import struct
import threading

SSL_REQUEST = struct.pack(">ii", 8, 80877103)
_CANCEL = 80877102
_OPTION = re.compile(r"-c (\w+)=((?:\\.|\S)*)")


class Conversation:
    """One connection: what the client sent."""

    def __init__(self):
        self.sent = b""

    @property
    def start_up(self):
        """The parameters of the start-up packet, or None: a cancel request, or TLS."""
        data = self.sent.removeprefix(SSL_REQUEST)
        if len(data) < 8:
            return None
        length, version = struct.unpack(">ii", data[:8])
        if version >> 16 != 3 or len(data) < length:
            return None
        words = data[8:length].decode().split("\0")
        return dict(zip(words[0::2], words[1::2]))

    @property
    def settings(self):
        """What `options` of the start-up packet sets in the end."""
        return dict(_OPTION.findall((self.start_up or {}).get("options", "")))

    @property
    def is_cancel(self):
        return self.sent[4:8] == struct.pack(">i", _CANCEL)


class RecordingProxy:
    """Use as a context manager."""

    def __init__(self, server_port, answer=None):
        """With `answer` there is no server: it is called with each piece that a client sends, and
        gives the bytes that go back."""
        self._server_port = server_port
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.conversations = []
        self._open = []

    def sent(self):
        return b"".join(conversation.sent for conversation in self.conversations)

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
                self._open.append(client)
                conversation = Conversation()
                self.conversations.append(conversation)
                if self._answer:
                    self._thread(self._talk, client, conversation)
                    continue
                server = socket.create_connection(("127.0.0.1", self._server_port))
                self._open.append(server)
                self._thread(self._pump, client, server, conversation)
                self._thread(self._pump, server, client, None)

    @staticmethod
    def _thread(target, *arguments):
        threading.Thread(target=target, args=arguments, daemon=True).start()

    @staticmethod
    def _pump(reader, writer, conversation):
        with contextlib.suppress(OSError):
            while data := reader.recv(65536):
                if conversation:
                    conversation.sent += data
                writer.sendall(data)
        with contextlib.suppress(OSError):
            writer.shutdown(socket.SHUT_WR)

    def _talk(self, client, conversation):
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                conversation.sent += data
                client.sendall(self._answer(data))

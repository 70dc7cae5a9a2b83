"""Stands between the program and a server, and keeps every byte that the program sends."""

import contextlib
import re
import struct

from .proxy import CHUNK, Proxy

SSL_REQUEST = struct.pack(">ii", 8, 80877103)
_CANCEL = 80877102
_OPTION = re.compile(r"-c (\w+)=((?:\\.|\S)*)")


class Conversation:
    """One connection: what the client sent."""

    def __init__(self):
        self.sent = b""

    def hear(self, data):
        self.sent += data

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


class RecordingProxy(Proxy):
    """Passes everything on, and keeps a conversation for each connection."""

    def __init__(self, server_port, answer=None):
        """With `answer` there is no server: it is called with each piece that a client sends, and
        gives the bytes that go back."""
        super().__init__(server_port)
        self._answer = answer
        self.conversations = []

    def sent(self):
        return b"".join(conversation.sent for conversation in self.conversations)

    def _connected(self, client):
        self._open.append(client)
        conversation = Conversation()
        self.conversations.append(conversation)
        if self._answer:
            self._thread(self._talk, client, conversation)
            return
        server = self._reach_server()
        self._open.append(server)
        self._thread(self._pump, client, server, conversation.hear)
        self._thread(self._pump, server, client)

    def _talk(self, client, conversation):
        with contextlib.suppress(OSError):
            while data := client.recv(CHUNK):
                conversation.hear(data)
                client.sendall(self._answer(data))

"""Asks the program over HTTP: politely with `Web`, and byte by byte with `Raw`."""

import contextlib
import gzip
import http.client
import json
import re
import socket
from urllib.parse import urlencode

from .cluster import free_port
from .waiting import wait_until


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.raw = body
        if headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        """The error's message; all four fields are there."""
        error = self.json["error"]
        assert sorted(error) == ["code", "detail", "hint", "message"], error
        return error["message"]

    def __repr__(self):
        return f"<{self.status} {self.body[:300]!r}>"


class Web:
    """Where one instance listens."""

    def __init__(self, port):
        self.port = port

    def ask(self, path, method="GET", headers=None, parameters=None, timeout=30):
        if parameters:
            path += "?" + urlencode(parameters, doseq=True)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        with contextlib.closing(connection):
            connection.request(method, path, headers=headers or {})
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())

    def get(self, path, /, **parameters):
        """The JSON of an answer that has to be 200."""
        answer = self.ask(path, parameters=parameters)
        assert answer.status == 200, answer
        return answer.json

    def refused(self, path, expected, /, **parameters):
        """The message of an answer that has to have this status."""
        answer = self.ask(path, parameters=parameters)
        assert answer.status == expected, answer
        return answer.error

    def metric(self, name):
        """The value of the one sample whose name and labels begin so."""
        lines = [line for line in self.ask("/metrics").body.decode().splitlines()
                 if line.startswith("pgchronicle_" + name)]
        assert len(lines) == 1, lines
        return float(lines[0].rsplit(" ", 1)[1])

    def events(self, path="/changes", headers=None, timeout=30, **parameters):
        if parameters:
            path += "?" + urlencode(parameters, doseq=True)
        return Events(self.port, path, headers or {}, timeout)


class Events:
    """A stream of server-sent events."""

    def __init__(self, port, path, headers, timeout):
        self.raw = Raw(port, timeout)
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.raw.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n")
        head = self.raw.until(b"\r\n\r\n").decode()
        self.status = int(head.split()[1])
        self.head = head
        self.comments = 0
        self.last_id = None

    def next(self):
        """The next event with data: its id and what it holds."""
        while True:
            block = self.raw.until(b"\n\n").decode()
            data = None
            for line in block.splitlines():
                if line.startswith("id: "):
                    self.last_id = line[4:]
                elif line.startswith("data: "):
                    data = json.loads(line[6:])
                elif line.startswith(":"):
                    self.comments += 1
            if data is not None:
                return self.last_id, data

    def block(self):
        """The next block, whatever it is."""
        return self.raw.until(b"\n\n").decode()

    def take(self, count):
        return [self.next() for _ in range(count)]

    def close(self):
        self.raw.close()


class Raw:
    """A socket, for what no library would send."""

    def __init__(self, port, timeout=10):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.buffer = b""

    def send(self, data):
        self.socket.sendall(data.encode() if isinstance(data, str) else data)

    def until(self, end):
        while end not in self.buffer:
            part = self.socket.recv(65536)
            if not part:
                raise EOFError(f"the connection ended after {self.buffer[:500]!r}")
            self.buffer += part
        found, self.buffer = self.buffer.split(end, 1)
        return found + end

    def rest(self):
        """Everything until the other side ends it; b"" where it resets."""
        parts = [self.buffer]
        self.buffer = b""
        with contextlib.suppress(ConnectionResetError):
            while part := self.socket.recv(65536):
                parts.append(part)
        return b"".join(parts)

    def statuses(self):
        """The statuses of all answers until the end."""
        return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+) ", self.rest())]

    def close(self):
        self.socket.close()


def serve(scene, streaming=True, **http):
    """Starts `run` with HTTP; the process, and where it listens."""
    port = free_port()
    scene.configure(http={"listen": f"127.0.0.1:{port}", **http})
    service = scene.start_streaming() if streaming else scene.start()
    web = Web(port)
    service.wait_for(lambda: answers(web, "/ready"), 30, "HTTP to be ready")
    return service, web


def answers(web, path):
    try:
        return web.ask(path).status == 200
    except OSError:
        return False


def wait_ready(web, timeout=30):
    wait_until(lambda: answers(web, "/ready"), timeout, "HTTP to be ready")

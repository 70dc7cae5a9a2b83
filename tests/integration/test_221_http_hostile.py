"""Clients that are slow, huge, many, or up to something: they change nothing, and replication goes on."""

import contextlib
import time

import pytest

from support.pgchronicle import EXIT_DONE
from support.waiting import wait_until
from support.web import Raw, serve

REQUEST = "GET /ready HTTP/1.1\r\nHost: localhost\r\n"
MIB = 1 << 20


@pytest.fixture
def served(scene):
    scene.source.execute("create table operations.t (id integer primary key)")
    scene.publish()
    scene.service, scene.web = serve(scene, request_timeout="1s", idle_timeout="2s",
                                     max_clients=40)
    scene.next_id = 0
    yield scene
    goes_on(scene)
    assert scene.service.rss() < 200 * MIB
    assert scene.service.stop() == EXIT_DONE


def goes_on(scene):
    """What is written now reaches the history, and clients are answered."""
    scene.next_id += 1
    scene.source.execute("insert into operations.t values (%s)", (scene.next_id,))
    scene.catch_up(scene.service, 15)
    assert scene.target.value("select count(*) from analytics.t_history where id = %s",
                              (scene.next_id,)) == 1
    wait_until(lambda: answered(scene), 10, "an answer to an ordinary client")


def answered(scene):
    with contextlib.suppress(OSError):
        return scene.web.ask("/ready").status == 200
    return False


def sent(scene, data):
    """The statuses of what is answered until the connection ends."""
    raw = Raw(scene.web.port, timeout=15)
    with contextlib.closing(raw):
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            raw.send(data)
        return raw.statuses()


def ended_within(raw, seconds):
    start = time.monotonic()
    raw.rest()
    return time.monotonic() - start < seconds


OUT_OF_ORDER = [
    # One message, two lengths; a length and chunks; a length that is none.
    (REQUEST + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", [400]),
    (REQUEST + "Content-Length: 0\r\nContent-Length: 0\r\n\r\n", [400]),
    (REQUEST + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", [400]),
    (REQUEST + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + REQUEST + "\r\n", [400]),
    (REQUEST + "Transfer-Encoding: xchunked\r\n\r\n", [400]),
    (REQUEST + "Transfer-Encoding : chunked\r\n\r\n", [400]),
    (REQUEST + "Content-Length: -1\r\n\r\n", [400]),
    (REQUEST + "Content-Length: 1e3\r\n\r\n", [400]),
    (REQUEST + "Content-Length: 99999999999999999999999\r\n\r\n", [400]),
    (REQUEST + "Content-Length: +5\r\n\r\nhello", [400]),
    # A body: what follows it is no request of ours.
    (REQUEST + "Content-Length: 50\r\n\r\n" + REQUEST + "\r\n", [413]),
    ("POST /ready HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello", [413]),
    # No host, two hosts; lines that are none.
    ("GET /ready HTTP/1.1\r\n\r\n", [400]),
    (REQUEST + "Host: y\r\n\r\n", [400]),
    ("GET /ready HTTP/1.1\r\nHost x\r\n\r\n", [400]),
    ("GET  /ready HTTP/1.1\r\nHost: localhost\r\n\r\n", [400]),
    ("GET /ready\r\n\r\n", [400]),
    ("GET /ready HTTP/2.0\r\nHost: localhost\r\n\r\n", [505]),
    ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [505]),
    ("GET /rea\x00dy HTTP/1.1\r\nHost: localhost\r\n\r\n", [400]),
    (REQUEST + "X: a\x00b\r\n\r\n", [400]),
    ("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 tls \r\n\r\n", [400]),
    ("\r\n" * 4, [400]),
]

HOSTILE_PATHS = [
    "/../../etc/passwd", "/assets/../../../etc/passwd", "/assets/%2e%2e/%2e%2e/etc/passwd",
    "/assets/..%2f..%2fetc%2fpasswd", "/assets/%00", "/%00", "/assets/page.js%00.html",
    "/tables/%2e%2e/history", "/tables/..%2F/history?key=1", "/tables/a%2Fb/history?key=1",
    "/tables/%27%3B%20drop%20table%20x%3B--/history?key=1", "//etc/passwd", "/%ff",
    "/%c0%ae%c0%ae/", "/\\..\\..\\etc\\passwd", "/%5c..%5c", "/tables/t/keys?prefix=%00",
    "/tables/t/keys?prefix=%FF", "/~root", "/.git/config", "/?a=%0d%0aSet-Cookie:x",
]


def test_what_is_not_in_order_ends_the_connection(served):
    assert [(text, sent(served, text)) for text, _ in OUT_OF_ORDER] == OUT_OF_ORDER


def test_hostile_paths_lead_nowhere(served):
    for path in HOSTILE_PATHS:
        raw = Raw(served.web.port)
        raw.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = raw.rest()
        assert int(answer.split()[1]) in (400, 404), (path, answer[:200])
        assert b"root:" not in answer
        assert b"Set-Cookie" not in answer.split(b"\r\n\r\n")[0]


def test_huge_heads_are_refused_without_being_kept(served):
    """10 MB in one header, in many, and in the target."""
    large = "x" * (10 * MIB)
    assert sent(served, REQUEST + f"X-Large: {large}\r\n\r\n") == [431]
    many = "".join(f"X-{n}: {'y' * 80}\r\n" for n in range(100_000))
    assert sent(served, REQUEST + many + "\r\n") == [431]
    assert sent(served, f"GET /{large} HTTP/1.1\r\nHost: localhost\r\n\r\n") == [431]
    assert sent(served, f"GET /{'x' * 8000} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n") \
        == [414]
    assert served.service.rss_peak() < 200 * MIB


def test_slow_clients_are_cut_off(served):
    """One sends a byte now and then; one says nothing; one reads nothing."""
    silent, idle, slow = (Raw(served.web.port, timeout=15) for _ in range(3))
    idle.send(REQUEST + "\r\n")
    idle.until(b"}")
    start = time.monotonic()
    slow.send("GET /ready HTTP/1.1\r\n")
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        while time.monotonic() - start < 6:
            slow.send("x")
            slow.socket.settimeout(0.2)
            with contextlib.suppress(TimeoutError):
                if slow.socket.recv(10) == b"":
                    break
    assert time.monotonic() - start < 4
    assert ended_within(silent, 4)
    assert ended_within(idle, 4)


def test_too_many_clients_are_told_and_the_others_served(served):
    held = []
    for _ in range(60):
        held.append(Raw(served.web.port))
    refused = 0
    for raw in held:
        raw.socket.settimeout(0.05)
        with contextlib.suppress(TimeoutError, OSError):
            refused += b" 503 " in raw.socket.recv(4096)
    assert refused >= 15
    for raw in held:
        raw.close()
    goes_on(served)
    assert served.web.metric("http_refused_clients_total") >= 15


def test_requests_sent_ahead_are_answered_in_order_and_bounded(served):
    raw = Raw(served.web.port)
    raw.send((REQUEST + "\r\n") * 200 + REQUEST + "Connection: close\r\n\r\n")
    assert raw.statuses() == [200] * 201


def test_a_client_that_never_reads_holds_nothing(served):
    """It sends requests for ever, and takes no answer."""
    raw = Raw(served.web.port, timeout=3)
    raw.socket.settimeout(1)
    request = (f"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100).encode()
    total = 0
    with contextlib.suppress(OSError):
        while total < 50 * MIB:
            total += raw.socket.send(request)
    assert total < 50 * MIB
    raw.close()


def test_queries_that_take_long_end(scene):
    """A statement is ended by the target, and the next one works."""
    scene.source.execute("create table operations.t (id integer primary key)")
    scene.publish()
    reports = scene.pipeline.workdir / "reports"
    reports.mkdir()
    (reports / "slow.sql").write_text(
        "-- name: slow\n-- path: /slow\n-- description: Takes long.\n"
        "SELECT pg_sleep(60) IS NULL AS slept;\n")
    (reports / "writes.sql").write_text(
        "-- name: writes\n-- path: /writes\n-- description: Tries to.\n"
        "SELECT nextval('analytics.s') AS n;\n")
    (reports / "divides.sql").write_text(
        "-- name: divides\n-- path: /divides\n-- description: By nothing.\n"
        "-- param: by integer = 0\n"
        "SELECT 1 / (:by - :by) AS n;\n")
    scene.configure(reports={"dir": str(reports)})
    scene.target.execute("create schema if not exists analytics")
    scene.target.execute("create sequence analytics.s; grant all on analytics.s to public")
    service, web = serve(scene, statement_timeout="500ms", connections=1)
    start = time.monotonic()
    answer = web.ask("/slow")
    assert (answer.status, answer.json["error"]["code"]) == (504, "timeout")
    assert time.monotonic() - start < 5
    assert web.ask("/tables").status == 200
    # Reading is all that a report can do.
    assert web.ask("/writes").status == 500
    # What the parameters say is in order; that the query fails is not the client's affair.
    answer = web.ask("/divides", parameters={"by": "3"})
    assert (answer.status, answer.json["error"]["code"]) == (500, "target_error")
    assert web.ask("/divides", parameters={"by": "x"}).status == 400
    assert service.stop() == EXIT_DONE

"""Servers that are not what they should be are refused, and never learn the password."""

import os
import re
import shutil
import struct
import subprocess

import pytest

from support.certificates import Authority, self_signed
from support.cluster import _own
from support.pgchronicle import EXIT_CHECK_FAILED, EXIT_DONE, EXIT_OPERATOR, binary
from support.recording_proxy import SSL_REQUEST, RecordingProxy
from support.roles import SOURCE_PASSWORD, SOURCE_USER
from support.story import KEYED

# A refusal is believed the third time in a row: docs/failure_modes.md.
ATTEMPTS = 3


class Tls:
    """A source with TLS, and the certificates that it can be given."""

    def __init__(self, cluster, folder):
        folder.mkdir(mode=0o755)
        self.cluster, self.folder = cluster, folder
        self.authority = Authority(folder / "ca")
        self.other = Authority(folder / "other")
        self.root = self.authority.certificate

    def present(self, certificate, key):
        """The server shows this one from here on."""
        for path, mode in ((certificate, 0o644), (key, 0o600)):
            copy = self.cluster.data / f"shown.{path.suffix[1:]}"
            shutil.copy(path, copy)
            copy.chmod(mode)
            _own(copy)
        self.cluster.configure(ssl="on", ssl_cert_file="'shown.crt'", ssl_key_file="'shown.key'")
        self.cluster.restart()

    def admit(self, line):
        """Who connects by TCP, and how, from the next start on."""
        hba = self.cluster.data / "pg_hba.conf"
        hba.write_text(f"local all all trust\n{line}\n")


@pytest.fixture(scope="module")
def tls(factory):
    from support.roles import create_roles
    cluster = factory.create("tls_source", "source").start()
    create_roles(cluster)
    if not cluster.query("select setting from pg_settings where name = 'ssl_library'")[0][0]:
        pytest.skip("this server was built without TLS")
    yield Tls(cluster, factory.base / "tls")
    cluster.destroy()


@pytest.fixture
def scene(make_scene, tls, target_cluster, program):
    made = make_scene(tls.cluster, target_cluster)
    made.source.execute(KEYED)
    made.publish()
    made.configure(retry={"delay_min": "10ms", "delay_max": "20ms"})
    yield made
    tls.admit("host all all 127.0.0.1/32 scram-sha-256")
    tls.cluster.configure(ssl=None, ssl_cert_file=None, ssl_key_file=None)
    made.source.connection.close()


def through(scene, proxy, words):
    """The source is reached through the proxy, with these words in its DSN."""
    dsn = scene.source_cluster.dsn(scene.source.name, SOURCE_USER)
    scene.configure(source={"dsn": re.sub(r"port=\d+", f"port={proxy.port}", dsn) + " " + words})


def refused(scene, words):
    """`run` ends with exit code 3 after three attempts, and says why; `check` says it, too."""
    mark = len(scene.pipeline.whole_log())
    service = scene.start()
    assert service.wait(30) == EXIT_OPERATOR, service.tail()
    assert len(service.events("reconnecting")) == ATTEMPTS - 1, service.tail()
    said = scene.pipeline.whole_log()[mark:]
    assert words in said, said
    result = scene.run("check")
    assert result.returncode == EXIT_CHECK_FAILED and words in result.stdout, result.stdout


def _good(tls):
    return tls.authority.sign("good")


BAD = {
    "of another authority": (lambda tls: tls.other.sign("impostor"), "certificate verify failed"),
    "signed by itself": (lambda tls: self_signed(tls.folder), "certificate verify failed"),
    "expired": (lambda tls: tls.authority.sign("old", end="20200102000000Z"),
                "certificate verify failed"),
    "not valid yet": (lambda tls: tls.authority.sign("new", begin="20980101000000Z"),
                      "certificate verify failed"),
    "of another host": (lambda tls: tls.authority.sign("db2", names="DNS:db2.example,IP:127.0.0.9"),
                        "does not match host name"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_certificate_that_is_wrong_is_refused_before_anything_is_said(scene, tls, kind):
    make, words = BAD[kind]
    tls.present(*make(tls))
    mark = tls.cluster.log_mark()
    with RecordingProxy(tls.cluster.port) as proxy:
        through(scene, proxy, f"sslmode=verify-full sslrootcert={tls.root}")
        refused(scene, words)
    assert len(proxy.conversations) == ATTEMPTS + 1  # `check` is one.
    for conversation in proxy.conversations:
        # TLS was asked for, and no start-up packet followed in clear.
        assert conversation.sent.startswith(SSL_REQUEST + b"\x16\x03")
        assert conversation.start_up is None
    assert SOURCE_USER.encode() not in proxy.sent()
    assert SOURCE_USER not in tls.cluster.log_since(mark)


def test_a_certificate_that_is_right_is_taken_and_a_revoked_one_is_not(scene, tls):
    certificate, key = _good(tls)
    tls.present(certificate, key)
    words = f"sslmode=verify-full sslrootcert={tls.root} channel_binding=require"
    with RecordingProxy(tls.cluster.port) as proxy:
        through(scene, proxy, words)
        assert scene.run("check").returncode == EXIT_DONE
        service = scene.start_streaming()
        scene.source.execute("insert into operations.t values (1, 'through TLS')")
        scene.catch_up(service)
        assert scene.source.query(
            "select distinct s.ssl from pg_stat_ssl s join pg_stat_activity a using (pid) "
            "where a.usename = %s", (SOURCE_USER,)) == [(True,)]
        assert service.stop() == 0, service.tail()
        assert b"through TLS" not in proxy.sent() and SOURCE_USER.encode() not in proxy.sent()
        through(scene, proxy, f"{words} sslcrl={tls.authority.revoke(certificate)}")
        refused(scene, "certificate verify failed")


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
def test_a_server_without_tls_hears_nothing(scene, tls, mode):
    tls.cluster.restart()
    with RecordingProxy(tls.cluster.port) as proxy:
        through(scene, proxy, f"sslmode={mode} sslrootcert={tls.root}")
        refused(scene, "server does not support SSL")
    assert proxy.sent() == SSL_REQUEST * (ATTEMPTS + 1)


def test_a_root_certificate_that_is_missing_is_named(scene, tls):
    tls.present(*_good(tls))
    with RecordingProxy(tls.cluster.port) as proxy:
        through(scene, proxy, f"sslmode=verify-full sslrootcert={tls.folder}/none.crt")
        refused(scene, "none.crt")


# -- servers that ask for the password in a way that gives it away ---------------------------------

CLEARTEXT, MD5 = 3, 5


def _asks(code):
    """Stands where a server should be, has no TLS, and asks for the password."""
    def answer(data):
        if data == SSL_REQUEST:
            return b"N"
        if data[:1] == b"p":
            return b""
        salt = b"salt" if code == MD5 else b""
        return b"R" + struct.pack(">ii", 8 + len(salt), code) + salt
    return answer


@pytest.mark.parametrize("code", [CLEARTEXT, MD5])
def test_an_impostor_that_asks_for_the_password_does_not_get_it(scene, code):
    with RecordingProxy(0, _asks(code)) as proxy:
        through(scene, proxy, "sslmode=prefer channel_binding=require")
        refused(scene, "channel binding required")
        assert b"p\0\0" not in proxy.sent() and SOURCE_PASSWORD.encode() not in proxy.sent()


def test_libpq_s_own_default_gives_an_impostor_the_password(scene):
    """Why `check` warns; and the recording would show a password that was sent."""
    with RecordingProxy(0, _asks(CLEARTEXT)) as proxy:
        through(scene, proxy, "connect_timeout=2")
        assert scene.run("check").returncode == EXIT_CHECK_FAILED
        assert SOURCE_PASSWORD.encode() in proxy.sent()


def test_a_server_that_asks_for_a_clear_password_within_tls_does_not_get_it(scene, tls):
    tls.admit("hostssl all all 127.0.0.1/32 password")
    tls.present(*_good(tls))
    words = f"sslmode=verify-full sslrootcert={tls.root}"
    with RecordingProxy(tls.cluster.port) as proxy:
        through(scene, proxy, words)
        assert scene.run("check").returncode == EXIT_DONE
        through(scene, proxy, f"{words} channel_binding=require")
        refused(scene, "channel binding required")


def _libpq():
    """The version of the libpq that the program is linked with."""
    linked = subprocess.run(["ldd", binary()], capture_output=True, text=True, check=True).stdout
    library = re.search(r"libpq\.so\.5 => (\S+)", linked)[1]
    return int(os.path.realpath(library).rsplit(".", 1)[1])


@pytest.mark.parametrize("code", [CLEARTEXT, MD5])
def test_require_auth_refuses_the_same(scene, code):
    if _libpq() < 16:
        pytest.skip("require_auth: libpq 16 or newer")
    with RecordingProxy(0, _asks(code)) as proxy:
        through(scene, proxy, "sslmode=prefer require_auth=scram-sha-256")
        refused(scene, "authentication method")
        assert b"p\0\0" not in proxy.sent()


# -- what check says of a network ------------------------------------------------------------------

@pytest.mark.parametrize("words, warned", [
    ("", "prefer"), ("sslmode=require", "require"), ("sslmode=verify-ca", "verify-ca"),
    ("sslmode=verify-full", None)])
def test_check_warns_of_a_network_without_a_proven_server(scene, tls, words, warned):
    tls.admit("host all all 127.0.0.0/8 scram-sha-256")
    tls.present(*tls.authority.sign(f"net{len(words)}", names="IP:127.0.0.1,IP:127.0.0.2"))
    with RecordingProxy(tls.cluster.port) as proxy:
        through(scene, proxy, f"{words} sslrootcert={tls.root}")
        # Within one host nobody stands in between.
        result = scene.run("check")
        assert result.returncode == EXIT_DONE and "over a network" not in result.stdout
    tls.cluster.stop()
    settings = tls.cluster.data / "postgresql.conf"
    kept = settings.read_text()
    settings.write_text(kept + "\nlisten_addresses = '127.0.0.1, 127.0.0.2'\n")
    try:
        tls.cluster.start()
        # The two ends have different addresses, as where a network lies between.
        dsn = tls.cluster.dsn(scene.source.name, SOURCE_USER).replace("127.0.0.1", "127.0.0.2")
        scene.configure(source={"dsn": f"{dsn} {words} sslrootcert={tls.root}"})
        result = scene.run("check")
    finally:
        tls.cluster.stop()
        settings.write_text(kept)
        tls.cluster.start()
    assert result.returncode == EXIT_DONE, result.stdout
    said = re.findall(r'^WARNING:  the source is reached over a network with sslmode "(.*)"',
                      result.stdout, re.M)
    assert said == ([warned] if warned else []), result.stdout

"""Throw-away certificates, made with openssl."""

import shutil
import subprocess

import pytest

_CONFIG = """
[ca]
default_ca = us
[us]
database = {folder}/index.txt
serial = {folder}/serial
crlnumber = {folder}/crlnumber
new_certs_dir = {folder}
certificate = {folder}/ca.crt
private_key = {folder}/ca.key
default_md = sha256
default_crl_days = 30
policy = any
unique_subject = no
copy_extensions = copy
[any]
commonName = supplied
"""
_NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


def _openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


class Authority:
    """Signs certificates for servers."""

    def __init__(self, folder, name="a test's authority"):
        if not shutil.which("openssl"):
            pytest.skip("openssl is not installed")
        folder.mkdir(mode=0o755)
        self.folder = folder
        self.certificate = folder / "ca.crt"
        (folder / "index.txt").touch()
        (folder / "serial").write_text("01\n")
        (folder / "crlnumber").write_text("01\n")
        (folder / "ca.cnf").write_text(_CONFIG.format(folder=folder))
        _openssl("req", "-x509", *_NEW_KEY, "-keyout", folder / "ca.key", "-out", self.certificate,
                 "-subj", f"/CN={name}", "-days", "30")

    def sign(self, name, names="IP:127.0.0.1", begin="20200101000000Z", end="20991231000000Z"):
        """(certificate, key) of a server that goes by these names."""
        key, request, certificate = (
            self.folder / f"{name}.{suffix}" for suffix in ("key", "csr", "crt"))
        _openssl("req", "-new", *_NEW_KEY, "-keyout", key, "-out", request, "-subj", f"/CN={name}",
                 "-addext", f"subjectAltName={names}")
        _openssl("ca", "-batch", "-notext", "-config", self.folder / "ca.cnf", "-in", request,
                 "-out", certificate, "-startdate", begin, "-enddate", end)
        return certificate, key

    def revoke(self, certificate):
        """The list of what was revoked, with this one."""
        _openssl("ca", "-config", self.folder / "ca.cnf", "-revoke", certificate)
        revoked = self.folder / "revoked.crl"
        _openssl("ca", "-config", self.folder / "ca.cnf", "-gencrl", "-out", revoked)
        return revoked


def self_signed(folder):
    certificate, key = folder / "self.crt", folder / "self.key"
    _openssl("req", "-x509", *_NEW_KEY, "-keyout", key, "-out", certificate, "-subj",
             "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "30")
    return certificate, key

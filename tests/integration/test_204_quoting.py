"""A real server reads back what the program quotes: the corpus of tests/fuzz/identifier_fuzz."""

import subprocess
from pathlib import Path

import pytest

from support.pgchronicle import binary

CORPUS = Path(__file__).resolve().parents[1] / "fuzz" / "corpus" / "identifier"
NAME_BYTES_MAX = 63


def quoted_corpus():
    """[(content, literal, identifier)] in bytes; None for what the program refuses."""
    program = Path(binary()).parent / "tests" / "quote_corpus"
    printed = subprocess.run([str(program), str(CORPUS)], capture_output=True, text=True,
                             check=True, timeout=20).stdout
    rows = []
    for line in printed.splitlines():
        name, *quoted = line.split(" ")
        literal, identifier = (None if text == "-" else bytes.fromhex(text) for text in quoted)
        rows.append(((CORPUS / name).read_bytes(), literal, identifier))
    assert len(rows) > 20, "the corpus is not there"
    return rows


def is_text_to_a_server(content):
    try:
        return b"\0" not in content and content.decode() is not None
    except UnicodeDecodeError:
        return False


@pytest.fixture
def cursor(target_cluster):
    connection = target_cluster.connect()
    connection.set_client_encoding("UTF8")
    with connection.cursor() as cursor:
        cursor.execute("create temp table canary (id int)")
        yield cursor
        cursor.execute("select count(*) from canary")
        assert cursor.fetchone() == (0,)
    connection.close()


@pytest.mark.parametrize("standard_conforming_strings", ["on", "off"])
def test_a_server_reads_every_literal_as_it_was(cursor, standard_conforming_strings):
    cursor.execute(f"set standard_conforming_strings = {standard_conforming_strings}")
    for content, literal, _ in quoted_corpus():
        assert (literal is not None) == is_text_to_a_server(content), content
        if literal is None:
            continue
        cursor.execute(b"select " + literal)
        assert cursor.fetchall() == [(content.decode(),)]


def test_a_server_reads_every_identifier_as_it_was(cursor):
    for content, _, identifier in quoted_corpus():
        assert (identifier is not None) == (is_text_to_a_server(content) and content != b"")
        if identifier is None:
            continue
        cursor.execute(b"select 1 as " + identifier)
        read = cursor.description[0].name.encode()
        # The server cuts longer names; the program never sends one.
        wanted = content[:NAME_BYTES_MAX].decode(errors="ignore").encode()
        assert read == wanted
        assert cursor.fetchall() == [(1,)]

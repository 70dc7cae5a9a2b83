"""Runs a script that shows an example from nothing, and sees what it leaves behind."""

import os
import subprocess
from pathlib import Path

from .pgchronicle import REPO, binary


def run_example(name, timeout=240, **variables):
    """scripts/<name> with the program under test, as `make <name>` runs it."""
    # Where the caller's libpq would connect to is nothing to an example with its own servers.
    env = {key: value for key, value in os.environ.items()
           if key == "PG_BIN" or not key.startswith("PG")}
    return subprocess.run([REPO / "scripts" / name],
                          env={**env, "PGCHRONICLE_BIN": binary(), **variables},
                          capture_output=True, text=True, timeout=timeout, check=False)


def assert_ran_and_left_nothing(result, name):
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-4000:]
    assert "nothing is left running" in result.stdout
    assert _processes_of(f"/tmp/pgchronicle-{name}.") == []
    assert list(Path("/tmp").glob(f"pgchronicle-{name}.*")) == []


def _processes_of(folder):
    """The command lines that name the folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if folder in words:
            found.append(words)
    return found

"""Facts of the machine that a figure cannot be read without."""

import os
import platform
import re
import subprocess
from datetime import datetime, timezone

HERE = os.path.dirname(os.path.abspath(__file__))


def _first_match(path, pattern):
    try:
        with open(path, errors="replace") as file:
            found = re.search(pattern, file.read(), re.MULTILINE)
            return found.group(1).strip() if found else None
    except OSError:
        return None


def _output(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, cwd=HERE)
        return done.stdout.strip() if done.returncode == 0 else None
    except (OSError, subprocess.TimeoutExpired):
        return None


def facts(bindir, binary):
    memory_kib = _first_match("/proc/meminfo", r"^MemTotal:\s+(\d+)")
    return {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "cpu": (_first_match("/proc/cpuinfo", r"^model name\s*:\s*(.*)$")
                or platform.processor() or platform.machine()),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(int(memory_kib) / 1048576, 1) if memory_kib else None,
        "system": _first_match("/etc/os-release", r'^PRETTY_NAME="?([^"\n]*)'),
        "kernel": platform.release(),
        "postgresql": (_output(os.path.join(bindir, "postgres"), "--version")
                       or "").replace("postgres (PostgreSQL) ", ""),
        "pgchronicle": _output(binary, "--version") if binary else None,
        "commit": _output("git", "rev-parse", "--short=12", "HEAD"),
        "load_average_at_start": round(os.getloadavg()[0], 2),
    }

"""The files under packaging/ and docker-compose.yml are what they claim to be.

Needs no server. Checks that need a tool are skipped, and say so, where the tool is not there:
systemd-analyze, and a compose client (which needs no engine for this).
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

REPO = Path(__file__).resolve().parents[2]
UNIT = REPO / "packaging" / "pgchronicle.service"
COMPOSE = REPO / "docker-compose.yml"
EXPOSURE_MAX = 1.5


def run(*command):
    return subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=False)


def check_unit_settings():
    """What restarting and stopping rely on; systemd-analyze does not look at it."""
    lines = [line.strip() for line in UNIT.read_text().splitlines()]
    for needed in (
        "Type=notify",
        "Restart=on-failure",
        "RestartPreventExitStatus=2 3",
        "StartLimitIntervalSec=0",
        # No secret in a core file, no user of another service.
        "LimitCORE=0",
        "DynamicUser=yes",
        "NoNewPrivileges=yes",
        "ExecStart=/usr/bin/pgchronicle run --config /etc/pgchronicle/pgchronicle.yaml",
    ):
        if needed not in lines:
            yield f"{UNIT.name}: no line \"{needed}\""
    for prefix in ("WatchdogSec=", "RestartSec=", "LoadCredential=", "ExecReload="):
        if not any(line.startswith(prefix) for line in lines):
            yield f"{UNIT.name}: no line that begins with \"{prefix}\""


def check_unit_documentation():
    """What `systemctl status` points to is put there by the steps of packaging/README.md."""
    steps = (REPO / "packaging" / "README.md").read_text()
    named = re.findall(r"file://(\S+)", UNIT.read_text())
    if not named:
        yield f"{UNIT.name}: names no file in Documentation="
    for path in named:
        folder, name = path.rsplit("/", 1)
        if not (REPO / name).is_file():
            yield f"{UNIT.name}: documentation {path} is no file of the repository"
        if not re.search(rf"(?m)^install .*\b{re.escape(name)}\b.* {re.escape(folder)}/?$", steps):
            yield f"{UNIT.name}: no step of packaging/README.md installs {path}"


def check_unit_exposure():
    if shutil.which("systemd-analyze") is None:
        print("skipped: the unit's exposure (no systemd-analyze)")
        return
    result = run("systemd-analyze", "security", "--offline=true", "--no-pager", str(UNIT))
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", result.stdout)
    if found is None:
        yield f"systemd-analyze printed no exposure level: {result.stdout}{result.stderr}"
        return
    exposure = float(found.group(1))
    print(f"{UNIT.name}: exposure {exposure}")
    if exposure > EXPOSURE_MAX:
        yield f"{UNIT.name}: exposure {exposure} is above {EXPOSURE_MAX}"


def check_unit_syntax():
    if shutil.which("systemd-analyze") is None:
        return
    result = run("systemd-analyze", "verify", "--man=no", str(UNIT))
    for line in result.stderr.splitlines():
        # The program is not installed where the sources are checked.
        if UNIT.name in line and "is not executable" not in line:
            yield f"systemd-analyze verify: {line}"


def check_compose_files(compose):
    """Every file and folder that a service builds from or mounts is in the repository."""
    named_volumes = compose.get("volumes") or {}
    for name, service in compose["services"].items():
        if "build" in service:
            dockerfile = REPO / service["build"]["context"] / service["build"]["dockerfile"]
            if not dockerfile.is_file():
                yield f"{COMPOSE.name}: {name}: {dockerfile} does not exist"
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if not source.startswith((".", "/")):
                if source not in named_volumes:
                    yield f"{COMPOSE.name}: {name}: volume {source} is not declared"
            elif not (REPO / source).exists():
                yield f"{COMPOSE.name}: {name}: mounts {source}, which does not exist"


def check_compose_variables(compose):
    """The service sets exactly the variables that the mounted configuration reads."""
    text = (REPO / "examples" / "finance" / "pgchronicle.yaml").read_text()
    uncommented = re.sub(r"(?m)(^|\s)#.*$", "", text)
    read = set(re.findall(r"\$\{(\w+)\}", uncommented))
    given = set(compose["services"]["pgchronicle"]["environment"])
    if read != given:
        yield f"{COMPOSE.name}: pgchronicle's environment differs from the configuration's: " \
              f"{sorted(read ^ given)}"


def check_dockerfile_sources():
    """What packaging/Dockerfile copies from the repository exists."""
    for line in (REPO / "packaging" / "Dockerfile").read_text().splitlines():
        words = line.split()
        if words[:1] == ["COPY"] and not words[1].startswith("--"):
            for source in words[1:-1]:
                if not (REPO / source).exists():
                    yield f"packaging/Dockerfile: copies {source}, which does not exist"


def check_compose_client():
    for client in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(client[0]) and run(*client, "version").returncode == 0:
            result = run(*client, "-f", str(COMPOSE), "config", "--quiet")
            if result.returncode != 0:
                yield f"{' '.join(client)} config: {result.stderr.strip()}"
            return
    print(f"skipped: {COMPOSE.name} by a compose client (none works here)")


def main():
    compose = yaml.safe_load(COMPOSE.read_text())
    problems = [
        *check_unit_settings(),
        *check_unit_documentation(),
        *check_unit_exposure(),
        *check_unit_syntax(),
        *check_compose_files(compose),
        *check_compose_variables(compose),
        *check_dockerfile_sources(),
        *check_compose_client(),
    ]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

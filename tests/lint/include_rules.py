"""Who may include whom, and how long files and lines may be.

The folders depend on each other in one direction only; this table is where that is written down.
Prints one line per problem, `file:line: what is wrong`, and warnings about files that get long.

usage: include_rules.py [ROOT]
"""

import re
import subprocess
import sys
from pathlib import Path

FILE_LINES_MAX = 500
TEST_LINES_MAX = 600  # A test file is a list of scenes.
FILE_LINES_WARN = 400
LINE_COLUMNS_MAX = 100

# Folder -> what of ours its files may include: folders, or single headers. A folder stands for
# the files directly inside of it, and may always include itself.
PROJECT_INCLUDES = {
    "pgoutput": set(),
    "pq": set(),
    "log": set(),
    "config": set(),
    "failpoint": set(),
    # Pure: no I/O, no clock.
    "history_writer": {"pgoutput", "config/settings.hpp", "source_catalog/model.hpp"},
    "history_writer/pg": {
        "history_writer", "pgoutput", "pq", "log", "failpoint", "config/settings.hpp",
        "source_catalog/model.hpp",
    },
    "source_catalog": {"pq", "pgoutput", "config/settings.hpp"},
    # How readers see the target; keys are found as the writer indexes them.
    "reading": {
        "pq", "pgoutput", "config/settings.hpp", "history_writer/history_table.hpp",
        "history_writer/pg/key_sql.hpp", "history_writer/pg/wide_keys.hpp",
    },
    "reports": {
        "reading", "pq", "config/error.hpp", "config/read_file.hpp", "log/printable.hpp",
    },
    "following": {
        "reading", "pq", "pgoutput", "config/settings.hpp", "history_writer/table_pattern.hpp",
        "history_writer/history_table.hpp", "history_writer/pg/metadata.hpp",
    },
    # How it is served; what it knows of the replication, it is told.
    "http": {
        "reading", "reports", "following", "pq", "pgoutput", "log", "config/settings.hpp",
        "replicator/observer.hpp",
    },
    "files": {
        "reading", "history_writer", "history_writer/pg", "pq", "pgoutput", "failpoint",
        "config/settings.hpp",
    },
    "initial_copy": {
        "source_catalog", "history_writer", "history_writer/pg", "pq", "pgoutput", "log",
        "failpoint", "config/settings.hpp",
    },
    # Pure too; quoting is text.
    "replicator": {
        "pgoutput", "history_writer", "config/settings.hpp", "source_catalog/model.hpp",
        "pq/quoting.hpp",
    },
    "replicator/io": {
        "replicator", "history_writer", "pgoutput", "pq", "log", "failpoint", "source_catalog",
        "config/settings.hpp",
    },
    "verify": {
        "initial_copy", "source_catalog", "history_writer", "history_writer/pg", "pq", "pgoutput",
        "replicator/slot_commands.hpp", "config/settings.hpp",
    },
    "commands": {
        "replicator", "history_writer", "history_writer/pg", "initial_copy", "source_catalog",
        "verify", "reading", "reports", "following", "files",
        "config", "pgoutput", "pq", "log",
    },
}

# Files that put the parts together, and so see more than their folder.
COMPOSITION = {
    "replicator/main.cpp": set(PROJECT_INCLUDES),
    "replicator/serving.cpp": set(PROJECT_INCLUDES),
    "replicator/serving.hpp": {"log"},
    "replicator/io/service.hpp": {"history_writer/pg", "initial_copy"},
    "replicator/io/service.cpp": {"history_writer/pg", "initial_copy"},
    "replicator/io/service_connections.cpp": {"history_writer/pg"},
    "replicator/io/service_quarantine.cpp": {"history_writer/pg"},
    "replicator/io/service_replay.cpp": {"history_writer/pg"},
    "replicator/io/service_start.cpp": {"history_writer/pg", "initial_copy"},
    "replicator/io/pipeline_tables.hpp": {"history_writer/pg", "initial_copy"},
    "replicator/io/pipeline_tables.cpp": {"history_writer/pg", "initial_copy"},
    "replicator/io/pipeline_tables_quarantine.cpp": {"history_writer/pg"},
    "replicator/io/pipeline_tables_recheck.cpp": {"history_writer/pg"},
    "replicator/io/pipeline_tables_shape.cpp": {"history_writer/pg"},
}

# What of other people's code is spoken to in one place only: pattern of the include -> pattern of
# the files that may have it.
FOREIGN_INCLUDES = {
    r"libpq-fe\.h|libpq/.*": r"pq/.*",
    r"yaml-cpp/.*": r"config/[^/]*\.cpp",
    r"boost/.*": r"(replicator/io|http)/.*",
    r"prometheus/.*": r"http/metrics\.cpp",
    r"spdlog/.*": r"log/[^/]*\.cpp",
    r"CLI/.*": r"replicator/main\.cpp|commands/.*",
    r"systemd/.*": r"replicator/io/.*",
    r"fmt/.*":
        r"(pq|log|history_writer/pg|source_catalog|initial_copy|replicator/io|verify|reading|reports"
        r"|following|files|commands)/.*",
    r"zlib\.h": r"(files|http)/[^/]*\.cpp",
    r"openssl/.*": r"files/[^/]*\.cpp",
    # The folders that decide do nothing: no sockets, no threads.
    r"sys/.*|unistd\.h|poll\.h|netdb\.h|pthread\.h|thread|mutex|future|condition_variable|random":
        r"(pq|log|config|failpoint|source_catalog|initial_copy|replicator/io|verify|files|commands"
        r"|http)/.*"
        r"|replicator/main\.cpp",
}

# Words that name nothing.
BANNED_WORDS = ("manager", "helper", "util", "utils", "data2", "misc")

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
DECLARED_NAME = re.compile(r"\b(?:class|struct|namespace|enum(?:\s+class)?|using)\s+([\w:]+)")


def words_of(name):
    """snake_case and CamelCase apart, in lower case."""
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", name)]


def banned_in(name):
    return [word for word in words_of(name) if word in BANNED_WORDS]


def may_include(path, header):
    folder = str(Path(path).parent)
    target = str(Path(header).parent)
    allowed = PROJECT_INCLUDES[folder] | {folder} | COMPOSITION.get(path, set())
    return target in allowed or header in allowed


def check_include(root, path, kind, header):
    if (root / header).is_file():
        if kind == "<":
            return f"\"{header}\" is ours and stands in quotes"
        if not may_include(path, header):
            return f"{Path(path).parent}/ may not include \"{header}\""
        return None
    if kind == '"':
        return f"\"{header}\" is not a path from the root"
    for pattern, where in FOREIGN_INCLUDES.items():
        if re.fullmatch(pattern, header) and not re.fullmatch(where, path):
            return f"{Path(path).parent}/ may not include <{header}>"
    return None


def check_product_file(root, path, lines):
    """What holds for the program's own sources."""
    for number, line in enumerate(lines, 1):
        include = INCLUDE.match(line)
        if include:
            problem = check_include(root, path, include.group(1), include.group(2))
            if problem:
                yield number, problem
        if re.match(r"\s*using namespace \w", line) and path.endswith(".hpp"):
            yield number, "using namespace in a header"
    if path.endswith(".hpp") and "#pragma once" not in lines[:1]:
        yield 1, "a header begins with #pragma once"


def check_any_file(path, lines):
    """What holds for tests and benchmarks too."""
    for word in banned_in(str(Path(path).with_suffix(""))):
        yield 1, f"\"{word}\" in a file's name says nothing"
    lines_max = TEST_LINES_MAX if path.startswith("tests/") else FILE_LINES_MAX
    if len(lines) > lines_max:
        yield len(lines), f"the file has more than {lines_max} lines"
    for number, line in enumerate(lines, 1):
        if len(line) > LINE_COLUMNS_MAX:
            yield number, f"the line has more than {LINE_COLUMNS_MAX} columns"
        for name in DECLARED_NAME.findall(line.split("//")[0]):
            for word in banned_in(name):
                yield number, f"\"{word}\" in the name {name} says nothing"


def sources(root):
    """C++ sources that git knows or would take; every one where there is no repository."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.cpp", "*.hpp"]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if listed.returncode == 0 and listed.stdout:
        names = listed.stdout.split()
    else:
        names = [str(p.relative_to(root)) for p in root.rglob("*.?pp") if "build" not in p.parts]
    return sorted(name for name in set(names) if (root / name).is_file())


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[2]).resolve()
    problems = 0
    checked = 0
    for path in sources(root):
        lines = (root / path).read_text(encoding="utf-8").splitlines()
        folder = str(Path(path).parent)
        found = list(check_any_file(path, lines))
        if folder in PROJECT_INCLUDES:
            found += check_product_file(root, path, lines)
        elif folder.split("/")[0] in {name.split("/")[0] for name in PROJECT_INCLUDES}:
            found.append((1, f"{folder}/ is not in the table of folders"))
        for number, problem in sorted(found):
            print(f"{path}:{number}: {problem}", file=sys.stderr)
        if FILE_LINES_WARN < len(lines) <= FILE_LINES_MAX:
            print(f"{path}: warning: {len(lines)} lines, and {FILE_LINES_WARN} are plenty")
        problems += len(found)
        checked += 1
    print(f"{checked} files, {problems} problems")
    return 1 if problems or not checked else 0


if __name__ == "__main__":
    sys.exit(main())

"""What the tools that read the sources go by is in the tree, and in git.

Without .clang-tidy, clang-tidy runs its default checks and finds nothing; without .clang-format,
clang-format lays the sources out in a style of its own.

usage: tool_settings.py [ROOT]
"""

import re
import subprocess
import sys
from pathlib import Path

# File -> what it must say for the tool to do its work.
NEEDED = {
    ".clang-format": (r"(?m)^BasedOnStyle: Google$", r"(?m)^ColumnLimit: 100$"),
    ".clang-tidy": (r"(?m)^Checks: ", r"(?m)^WarningsAsErrors: '\*'$", r"(?m)^HeaderFilterRegex: "),
    ".editorconfig": (r"(?m)^root = true$",),
}


def tracked(root):
    """Files that git knows or would take; None where there is no repository."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    return set(listed.stdout.split()) if listed.returncode == 0 else None


def folders(root):
    """Folders with headers of the program's own."""
    return {path.relative_to(root).parts[0] for path in root.glob("*/**/*.hpp")
            if path.relative_to(root).parts[0] not in ("build", "tests", "bench", ".local")}


def problems_of(root):
    known = tracked(root)
    for name, patterns in NEEDED.items():
        path = root / name
        if not path.is_file():
            yield f"{name}: is missing"
            continue
        if known is not None and name not in known:
            yield f"{name}: is ignored by git"
        text = path.read_text(encoding="utf-8")
        for pattern in patterns:
            if not re.search(pattern, text):
                yield f"{name}: has nothing that matches {pattern}"
    tidy = root / ".clang-tidy"
    headers = re.search(r"(?m)^HeaderFilterRegex: '/\(([^)]*)\)", tidy.read_text()) \
        if tidy.is_file() else None
    if headers:
        for folder in sorted(folders(root) - set(headers.group(1).split("|"))):
            yield f".clang-tidy: HeaderFilterRegex leaves out {folder}/"


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[2]).resolve()
    problems = list(problems_of(root))
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

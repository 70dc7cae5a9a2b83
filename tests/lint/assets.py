"""The files of http/assets/ load nothing from elsewhere, hold no inline code, and make no markup of
values: the page's Content-Security-Policy would refuse the first two, nothing else the third.

Prints one line per problem, `file:line: what is wrong`.

usage: assets.py [ROOT]
"""

import re
import sys
from pathlib import Path

FILE_LINES_MAX = 400
LINE_COLUMNS_MAX = 100

# Pattern -> what is wrong with it.
ANYWHERE = {
    r"https?://(?!www\.w3\.org/2000/svg\b)": "names another host",
    r"\bstyle\s*=\s*[\"']": "has an inline style; use a class",
}
IN_SCRIPTS = {
    r"\b(inner|outer)HTML\s*=|\binsertAdjacentHTML\b|\bdocument\.write|\bcreateContextualFragment\b"
    r"|\bDOMParser\b": "makes markup of text; values are set with textContent",
    r"\beval\s*\(|\bnew Function\b": "makes code of text",
    r"setAttribute\(\s*[\"']style[\"']": "has an inline style; use a class",
}
IN_PAGES = {
    r"<script(?![^>]*\bsrc=)": "has an inline script",
    r"<style\b": "has an inline style sheet",
    r"\son\w+\s*=\s*[\"']": "has an inline listener",
}
REFERENCE = re.compile(r"(?:href|src)=\"assets/([^\"]+)\"|from \"\./([^\"]+)\"")


def problems_of(folder, path):
    patterns = {**ANYWHERE, **(IN_SCRIPTS if path.suffix == ".js" else {}),
                **(IN_PAGES if path.suffix == ".html" else {})}
    lines = path.read_text().splitlines()
    if len(lines) > FILE_LINES_MAX:
        yield len(lines), f"more than {FILE_LINES_MAX} lines"
    for number, line in enumerate(lines, 1):
        if len(line) > LINE_COLUMNS_MAX:
            yield number, f"more than {LINE_COLUMNS_MAX} columns"
        for pattern, wrong in patterns.items():
            if re.search(pattern, line):
                yield number, wrong
        for match in REFERENCE.finditer(line):
            name = match.group(1) or match.group(2)
            if not (folder / name).is_file():
                yield number, f"refers to \"{name}\", which does not exist"


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[2]
    folder = root / "http" / "assets"
    found = [f"http/assets/{path.name}:{line}: {wrong}" for path in sorted(folder.iterdir())
             for line, wrong in problems_of(folder, path)]
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

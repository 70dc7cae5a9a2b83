"""A binary is built as a network service should be: cmake/Hardening.cmake, seen in the binary.

Looks at what `checksec` looks at, with readelf, nm and objdump. Each check is first seen to find a
small program that was built without what it looks for.

usage: hardening.py [BINARY...]     (default: those of the presets release and dev that are there)
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
TOOLS = ("readelf", "nm", "objdump")


def output(*command):
    return subprocess.run(list(map(str, command)), capture_output=True, text=True,
                          check=True).stdout


def _is_pie(binary):
    return "DYN" in re.search(r"Type:\s+(.*)", output("readelf", "-h", binary))[1] \
        and re.search(r"FLAGS_1.*\bPIE\b", output("readelf", "-d", binary))


def _has_relro(binary):
    return "GNU_RELRO" in output("readelf", "-W", "-l", binary)


def _binds_now(binary):
    return re.search(r"\bBIND_NOW\b|FLAGS_1.*\bNOW\b", output("readelf", "-d", binary))


def _has_plain_stack(binary):
    found = re.search(r"GNU_STACK.*?\b(R[WE]*)\s+0x", output("readelf", "-W", "-l", binary))
    return found and "E" not in found[1]


def _imports(binary):
    return output("nm", "-D", "--undefined-only", binary)


def _has_canaries(binary):
    return "__stack_chk_fail" in _imports(binary)


def _is_fortified(binary):
    return re.search(r"\b__(?!stack_chk)\w+_chk\b", _imports(binary))


def _has_no_search_path_for_libraries(binary):
    return not re.search(r"\((?:RPATH|RUNPATH)\)", output("readelf", "-d", binary))


def _has_branch_targets(binary):
    """Whether our own code is built with -fcf-protection. The file's note would be the linker's
    word on all of it, and Debian 12's start-up code takes it away."""
    if "Advanced Micro Devices X86-64" not in output("readelf", "-h", binary):
        return True
    code = output("objdump", "-d", "--no-show-raw-insn", "--disassemble=main", binary)
    return "<main>:" not in code or re.search(r"<main>:\n[^\n]*\bendbr64", code)


# The check, and the options without which it finds something.
CHECKS = {
    "not a position-independent executable": (_is_pie, ["-no-pie"]),
    "no RELRO": (_has_relro, ["-Wl,-z,norelro"]),
    "symbols are not bound at start": (_binds_now, ["-Wl,-z,lazy"]),
    "the stack is executable": (_has_plain_stack, ["-Wl,-z,execstack"]),
    "no stack canaries": (_has_canaries, ["-fno-stack-protector"]),
    "not fortified": (_is_fortified, ["-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=0"]),
    "looks for libraries in a folder of its own": (
        _has_no_search_path_for_libraries, ["-Wl,-rpath,/tmp"]),
    "no control-flow protection": (_has_branch_targets, ["-fcf-protection=none"]),
}

HARDENED = ["-O2", "-fPIE", "-D_FORTIFY_SOURCE=2", "-fstack-protector-strong",
            "-fstack-clash-protection", "-fcf-protection", "-Wl,-z,relro", "-Wl,-z,now", "-pie"]
PROGRAM = """
#include <cstdio>
#include <cstring>
int main(int count, char** words) {
    char text[64];
    std::memcpy(text, words[0], static_cast<std::size_t>(count));
    return std::printf("%s", text);
}
"""


def problems_of(binary):
    return [problem for problem, (holds, _) in CHECKS.items() if not holds(binary)]


def check_itself():
    """Builds a program as it should be, and one for each fault."""
    with tempfile.TemporaryDirectory() as folder:
        source, binary = Path(folder, "program.cpp"), Path(folder, "program")
        source.write_text(PROGRAM)

        def found(options):
            output("g++", "-w", *HARDENED, *options, source, "-o", binary)
            return problems_of(binary)

        if problems := found([]):
            yield f"hardening.py: finds {problems} in a hardened program"
        for problem, (_, fault) in CHECKS.items():
            if problem not in found(fault):
                yield f"hardening.py: does not find \"{problem}\" in a program built with {fault}"


def main():
    if missing := [tool for tool in (*TOOLS, "g++") if not shutil.which(tool)]:
        print(f"skipped: hardening (no {', '.join(missing)})")
        return 0
    binaries = [Path(name) for name in sys.argv[1:]] or [
        path for path in (REPO / "build" / preset / "pgchronicle" for preset in ("release", "dev"))
        if path.exists()]
    if not binaries:
        print("skipped: hardening of the program (it is not built)")
    problems = list(check_itself())
    for binary in binaries:
        problems += [f"{binary}: {problem}" for problem in problems_of(binary)]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

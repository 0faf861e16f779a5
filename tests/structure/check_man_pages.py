#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The man pages are clean in mandoc -Tlint, and their parts that come from elsewhere are those of today:
flags, verbs, keys, methods and message kinds (packaging/man/generate.py). Usage: SOURCE_DIR BIN_DIR."""
import pathlib
import re
import shutil
import subprocess
import sys

PAGES = ("meshctl.1", "meshd.yaml.5", "meshd-protocol.7", "meshd-troubleshooting.7", "meshd.8")
# Of pages that are not installed on this machine.
HARMLESS = "referenced manual not found"


def main():
    source, programs = map(pathlib.Path, sys.argv[1:3])
    folder = source / "packaging" / "man"
    problems = []
    for name in PAGES:
        page = folder / name
        if not page.exists():
            problems.append(f"{name} is missing")
            continue
        if shutil.which("mandoc"):
            lint = subprocess.run(["mandoc", "-Tlint", str(page)], stdout=subprocess.PIPE, text=True)
            problems += [line for line in lint.stdout.splitlines() if HARMLESS not in line]
        text = page.read_text()
        # Each page is found from each other one.
        for other in PAGES:
            title, section = other.rsplit(".", 1)
            if other != name and not re.search(rf"^\.Xr {re.escape(title)} {section}( ,)?$", text, re.M):
                problems.append(f"{name}: does not refer to {title}({section})")
    check = subprocess.run([sys.executable, "-B", str(folder / "generate.py"), str(programs), "--check"],
                           stdout=subprocess.PIPE, text=True)
    problems += check.stdout.splitlines()
    # The service of keys by the table is tested beside it; here that each key is in the page.
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

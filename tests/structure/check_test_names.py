#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks the names of doctest cases.

ctest learns them by running the binary: an unpaired bracket aborts the discovery of all tests, and
a semicolon makes two names that match nothing and pass.

Usage: check_test_names.py ROOT. Exit status 1 with one line per violation.
"""

import os
import re
import sys

CASE = re.compile(r'\b(?:TEST_CASE|TEST_CASE_FIXTURE|TEST_CASE_TEMPLATE|SCENARIO)\s*\(([^"\n]*)"'
                  r'((?:[^"\\]|\\.)*)"(\s*")?')
ALLOWED = re.compile(r"^[A-Za-z0-9_ ,.:%'-]+$")


def check_text(path, text):
    """Violations in one file, as lines of text."""
    seen = set()
    for case in CASE.finditer(text):
        name = case[2]
        where = f"{path}:{text.count(chr(10), 0, case.start()) + 1}"
        if case[3]:
            yield f"{where}: a test name in pieces"
        elif not ALLOWED.match(name):
            yield f"{where}: test name beyond A-Z a-z 0-9 _ , . : % ' -: {name}"
        elif name in seen:
            yield f"{where}: a second test of this name: {name}"
        seen.add(name)


def check(root):
    problems = []
    for folder, folders, names in os.walk(os.path.join(root, "tests")):
        folders.sort()
        for name in sorted(names):
            if name.endswith((".cpp", ".h")):
                path = os.path.join(folder, name)
                with open(path, encoding="utf-8") as file:
                    problems += check_text(os.path.relpath(path, root), file.read())
    return problems


def main():
    problems = check(sys.argv[1])
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

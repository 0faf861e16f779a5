#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that every counter counts something and every limit limits something.

A counter that is never added to shows operators a reassuring 0; a limit that nobody compares with
is a bound that does not hold.

Usage: check_unused.py ROOT. Exit status 1 with one line per violation.
"""

import os
import re
import sys

COUNTERS = "proto/counters.h"
LIMITS = "proto/wire/limits.h"
COUNTER = re.compile(r"\bX\((\w+)\)")
LIMIT = re.compile(r"^\s*inline constexpr [\w:]+ (k\w+)\b", re.MULTILINE)
COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)


def code_of(root, folders=("proto", "ipc", "daemon")):
    """Path -> text without comments, of all C++ files in `folders`."""
    texts = {}
    for folder in folders:
        for path, _, names in os.walk(os.path.join(root, folder)):
            for name in names:
                if name.endswith((".h", ".cpp")):
                    full = os.path.join(path, name)
                    with open(full, encoding="utf-8") as file:
                        texts[os.path.relpath(full, root)] = COMMENT.sub("", file.read())
    return texts


def check(root):
    """All violations below `root`, as lines of text."""
    texts = code_of(root)
    elsewhere = "\n".join(text for path, text in sorted(texts.items()) if path != COUNTERS)
    problems = []
    listing = texts[COUNTERS].split("enum class")[0]
    for name in COUNTER.findall(listing):
        if name != "name" and not re.search(rf"\bCounter::{name}\b", elsewhere):
            problems.append(f"{COUNTERS}: {name} counts nothing")
    everywhere = "\n".join(texts.values())
    for name in LIMIT.findall(texts[LIMITS]):
        if len(re.findall(rf"\b{name}\b", everywhere)) < 2:
            problems.append(f"{LIMITS}: {name} limits nothing")
    return problems


def main():
    problems = check(sys.argv[1])
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

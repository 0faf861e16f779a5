#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks who includes what, and how each source file begins.

Layers: base <- crypto <- wire <- store, links, routing, search (which never include each other) <- node;
ipc uses base, the daemon the node's interface and ipc, the command line ipc alone. Each library
stays behind the one place that is meant to know it, so that it can be replaced there and costs
compile time only there.

Usage: check_includes.py ROOT. Exit status 1 with one line per violation.
"""

import os
import re
import sys

FOLDERS = ("proto", "ipc", "daemon", "cli", "clients", "tests", "scripts", ".ci")

# What the node shows to the driver. base and these headers are values; the rest of proto/ is its
# inside.
NODE_INTERFACE = ("proto/base/", "proto/node.h", "proto/view.h", "proto/config.h", "proto/counters.h", "proto/nearest.h",
                  "proto/crypto/keyring.h", "proto/crypto/mesh_key.h", "proto/store/embedding.h",
                  "proto/store/stored.h", "proto/routing/topology.h", "proto/routing/note_sender.h",
                  "proto/routing/probes.h", "proto/wire/limits.h", "proto/wire/message_kind.h",
                  "proto/wire/frame.h")
# Plain values that every machine of the core may use.
CORE_VALUES = ("proto/base/", "proto/crypto/", "proto/wire/", "proto/config.h", "proto/counters.h")

# Longest matching folder decides. None: anything.
ALLOWED_PROJECT = {
    "proto/": ("proto/",),
    "proto/base/": ("proto/base/",),
    "proto/crypto/": ("proto/base/", "proto/crypto/"),
    "proto/wire/": ("proto/base/", "proto/crypto/", "proto/wire/"),
    "proto/store/": CORE_VALUES + ("proto/store/",),
    "proto/links/": CORE_VALUES + ("proto/links/",),
    "proto/routing/": CORE_VALUES + ("proto/routing/",),
    "proto/search/": CORE_VALUES + ("proto/search/",),
    "ipc/": ("proto/base/", "ipc/"),
    "daemon/": NODE_INTERFACE + ("ipc/", "daemon/"),
    "cli/": ("proto/base/", "ipc/", "cli/"),
    "tests/": None,
}
# Exceptions to the prefixes above: (includer, included).
FORBIDDEN_PROJECT = (
    (r"ipc/(?!client/)", r"ipc/client/"),  # the server side does not know its clients
    (r"daemon/", r"ipc/client/"),
)

# Library header -> the files that may include it. Tests may exercise a library of their own.
ALLOWED_LIBRARY = (
    (r"rapidjson/", r"proto/base/json\.cpp$"),
    (r"yaml-cpp/", r"daemon/config_\w+\.(cpp|h)$"),
    (r"sqlite3\.h$", r"daemon/storage_sqlite\.h$"),
    (r"CLI/", r"(daemon/main|daemon/options|cli/main)\.cpp$"),
    (r"spdlog/", r"daemon/log\.cpp$"),
    (r"uv\.h$", r"daemon/"),
    (r"systemd/", r"daemon/"),
    (r"sodium", r"(proto/|daemon/daemon\.cpp$)"),
    (r"doctest/", r"$^"),
)
# The core has no clock, thread, file, socket or source of randomness to ask. (<cstdio> has snprintf;
# what else it has is found by check_core_symbols.py.)
FORBIDDEN_IN_CORE = re.compile(
    r"^(thread|mutex|shared_mutex|condition_variable|future|semaphore|latch|barrier|stop_token|"
    r"iostream|fstream|istream|ostream|sstream|iomanip|filesystem|random|ctime|time\.h|csignal|"
    r"signal\.h|unistd\.h|fcntl\.h|poll\.h|netdb\.h|pthread\.h|sys/.*|net/.*|netinet/.*|linux/.*)$")

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
LICENCE = "SPDX-License-Identifier: Apache-2.0"


def source_files(root):
    """Paths of all source files below `root`, relative to it, in a fixed order."""
    found = ["CMakeLists.txt"] if os.path.exists(os.path.join(root, "CMakeLists.txt")) else []
    for folder in FOLDERS:
        for path, folders, names in os.walk(os.path.join(root, folder)):
            folders[:] = sorted(f for f in folders if f != "__pycache__")
            for name in sorted(names):
                full = os.path.join(path, name)
                if is_source(full):
                    found.append(os.path.relpath(full, root))
    return found


def is_source(path):
    if path.endswith((".h", ".cpp", ".py", ".sh", ".cmake", "CMakeLists.txt")):
        return True
    if "." in os.path.basename(path):
        return False
    with open(path, "rb") as file:
        return file.read(2) == b"#!"


def allowed_project(path):
    folder = max((f for f in ALLOWED_PROJECT if path.startswith(f)), key=len, default=None)
    return ALLOWED_PROJECT[folder] if folder else None


def check_project_include(root, path, name):
    if not os.path.exists(os.path.join(root, name)):
        return f'"{name}" is no file from the root of the repository'
    allowed = allowed_project(path)
    if allowed is not None and not name.startswith(allowed):
        return f'"{name}" is beyond what {os.path.dirname(path)}/ may include'
    for includer, included in FORBIDDEN_PROJECT:
        if re.match(includer, path) and re.match(included, name):
            return f'"{name}" is beyond what {os.path.dirname(path)}/ may include'
    return None


def check_library_include(path, name):
    if path.startswith("tests/"):
        return None
    for library, includers in ALLOWED_LIBRARY:
        if re.match(library, name) and not re.match(includers, path):
            return f"<{name}> belongs elsewhere"
    if path.startswith("proto/") and FORBIDDEN_IN_CORE.match(name):
        return f"<{name}> in the core"
    return None


def check_file(root, path):
    """Violations in one file, as (line number, text)."""
    with open(os.path.join(root, path), encoding="utf-8") as file:
        lines = file.read().split("\n")
    head = lines[1:2] if lines[0].startswith("#!") else lines[:1]
    if not head or LICENCE not in head[0]:
        yield 1, f"must begin with {LICENCE}"
    if not path.endswith((".h", ".cpp")):
        return
    if path.endswith(".h") and "#pragma once" not in lines:
        yield 1, "header without #pragma once"
    for number, line in enumerate(lines, 1):
        include = INCLUDE.match(line)
        if not include:
            continue
        if include[1] == '"':
            problem = check_project_include(root, path, include[2])
        else:
            problem = check_library_include(path, include[2])
        if problem:
            yield number, problem


def check(root):
    """All violations below `root`, as lines of text."""
    return [f"{path}:{number}: {text}"
            for path in source_files(root) for number, text in check_file(root, path)]


def main():
    problems = check(sys.argv[1])
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs each check on something wrong, and on the same thing put right.

Usage: checks_test.py [--nm NM] ARCHIVE_OF_BROKEN_CORE
"""

import argparse
import os
import sys
import tempfile
import unittest

import check_core_symbols
import check_includes
import check_test_names
import check_unused

LICENCE = "// SPDX-License-Identifier: Apache-2.0\n"
OPTIONS = argparse.Namespace(nm="nm", archive="")


class Tree:
    """A small source tree, gone at the end."""

    def __init__(self, files):
        self.folder = tempfile.TemporaryDirectory()
        for path, text in files.items():
            full = os.path.join(self.folder.name, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w", encoding="utf-8") as file:
                file.write(text)

    def __enter__(self):
        return self.folder.name

    def __exit__(self, *_):
        self.folder.cleanup()


class Includes(unittest.TestCase):
    HEADERS = ("proto/base/time.h", "proto/wire/codec.h", "proto/store/store.h",
               "proto/links/link.h", "proto/routing/graph.h", "proto/node.h", "proto/config.h",
               "ipc/rpc.h", "ipc/client/client.h", "daemon/driver.h", "cli/format.h")

    def problems(self, path, include, headers=HEADERS):
        files = {header: LICENCE + "#pragma once\n" for header in headers}
        files[path] = f"{LICENCE}{'#pragma once' if path.endswith('.h') else ''}\n{include}\n"
        with Tree(files) as root:
            return check_includes.check(root)

    def assert_refused(self, path, include):
        problems = self.problems(path, f"#include {include}")
        self.assertEqual(len(problems), 1, (path, include, problems))
        self.assertTrue(problems[0].startswith(f"{path}:3: "), problems)

    def assert_fine(self, path, include):
        self.assertEqual(self.problems(path, f"#include {include}"), [], (path, include))

    def test_layers(self):
        for path, include in (
                ("proto/base/a.cpp", '"proto/wire/codec.h"'),
                ("proto/wire/a.cpp", '"proto/store/store.h"'),
                ("proto/store/a.h", '"proto/links/link.h"'),
                ("proto/links/a.cpp", '"proto/routing/graph.h"'),
                ("proto/routing/a.cpp", '"proto/node.h"'),
                ("proto/node.cpp", '"ipc/rpc.h"'),
                ("ipc/a.cpp", '"proto/wire/codec.h"'),
                ("ipc/a.cpp", '"ipc/client/client.h"'),
                ("ipc/a.cpp", '"daemon/driver.h"'),
                ("daemon/a.cpp", '"proto/links/link.h"'),
                ("daemon/a.cpp", '"ipc/client/client.h"'),
                ("cli/a.cpp", '"proto/node.h"'),
                ("cli/a.cpp", '"daemon/driver.h"'),
                ("daemon/a.cpp", '"driver.h"')):
            self.assert_refused(path, include)
        for path, include in (
                ("proto/links/a.cpp", '"proto/wire/codec.h"'),
                ("proto/store/a.cpp", '"proto/config.h"'),
                ("proto/node.cpp", '"proto/links/link.h"'),
                ("ipc/client/a.cpp", '"ipc/rpc.h"'),
                ("daemon/a.cpp", '"proto/node.h"'),
                ("cli/a.cpp", '"ipc/client/client.h"'),
                ("tests/a.cpp", '"proto/links/link.h"')):
            self.assert_fine(path, include)

    def test_libraries(self):
        for path, include in (
                ("ipc/json.cpp", "<rapidjson/reader.h>"),
                ("daemon/driver.cpp", "<yaml-cpp/yaml.h>"),
                ("cli/alert.cpp", "<CLI/CLI.hpp>"),
                ("daemon/driver.cpp", "<spdlog/spdlog.h>"),
                ("cli/main.cpp", "<uv.h>"),
                ("ipc/a.cpp", "<systemd/sd-daemon.h>"),
                ("ipc/a.cpp", "<sodium/crypto_box.h>"),
                ("proto/node.cpp", "<doctest/doctest.h>"),
                ("proto/node.cpp", "<thread>"),
                ("proto/node.cpp", "<random>"),
                ("proto/node.cpp", "<sys/socket.h>")):
            self.assert_refused(path, include)
        for path, include in (
                ("proto/base/json.cpp", "<rapidjson/reader.h>"),
                ("daemon/config_file.cpp", "<yaml-cpp/yaml.h>"),
                ("cli/main.cpp", "<CLI/CLI.hpp>"),
                ("daemon/log.cpp", "<spdlog/spdlog.h>"),
                ("daemon/udp.cpp", "<sys/socket.h>"),
                ("proto/node.cpp", "<chrono>")):
            self.assert_fine(path, include)

    def test_beginnings(self):
        with Tree({"ipc/a.cpp": "int a;\n", "ipc/b.h": LICENCE, "ipc/empty.cpp": "",
                   "scripts/run": "#!/bin/sh\nexit 0\n",
                   "scripts/good": "#!/bin/sh\n# SPDX-License-Identifier: Apache-2.0\n"}) as root:
            self.assertEqual([p.split(":")[0] for p in check_includes.check(root)],
                             ["ipc/a.cpp", "ipc/b.h", "ipc/empty.cpp", "scripts/run"])


class TestNames(unittest.TestCase):
    def test_names(self):
        for name in ("half [open", "one; two", "slash/ed", "", 'quo\\"ted'):
            text = f'TEST_CASE("{name}") {{}}\n'
            self.assertEqual(len(list(check_test_names.check_text("t.cpp", text))), 1, name)
        twice = 'TEST_CASE("a: b") {}\nTEST_CASE("a: b") {}\n'
        self.assertEqual([p.split(" ")[0] for p in check_test_names.check_text("t.cpp", twice)],
                         ["t.cpp:2:"])
        pieces = 'TEST_CASE("a: b "\n          "c") {}\n'
        self.assertEqual(len(list(check_test_names.check_text("t.cpp", pieces))), 1)
        fine = "TEST_CASE(\"max_peers: 10 % loss, and a suspect's answer - kept.\") {}\n"
        self.assertEqual(list(check_test_names.check_text("t.cpp", fine)), [])

    def test_tree(self):
        with Tree({"tests/a/a_test.cpp": 'TEST_CASE("a [b") {}\n'}) as root:
            self.assertEqual(len(check_test_names.check(root)), 1)


class Unused(unittest.TestCase):
    def test_counters_and_limits(self):
        with Tree({"proto/counters.h": "#define LIST(X) X(heard) X(drop_rate) /* X(old) */\n"
                                       "enum class Counter { heard, drop_rate };\n",
                   "proto/wire/limits.h": "inline constexpr unsigned kHopsMax = 32;\n"
                                          "inline constexpr std::size_t kBytesMax = 9;\n",
                   "proto/node.cpp": "add(Counter::heard); if (hops > kHopsMax) {}\n"
                                     "// Counter::drop_rate and kBytesMax\n"}) as root:
            self.assertEqual(check_unused.check(root),
                             ["proto/counters.h: drop_rate counts nothing",
                              "proto/wire/limits.h: kBytesMax limits nothing"])


class CoreSymbols(unittest.TestCase):
    def test_broken_core(self):
        problems = "\n".join(check_core_symbols.check(OPTIONS.nm, OPTIONS.archive))
        for call in ("time", "std::chrono::_V2::steady_clock::now()",
                     "std::chrono::_V2::system_clock::now()", "std::random_device", "socket",
                     "open", "std::thread", "std::cout", "rand", "abort"):
            self.assertIn(f"broken_core.cpp.o: {call}", problems)
        self.assertNotIn("operator delete", problems)

    def test_exceptions_hold_for_one_member_only(self):
        listing = "\nassert.cpp.o:\n                 U abort\n                 U memcpy@GLIBC_2\n"
        self.assertEqual(list(check_core_symbols.undefined_symbols(listing)),
                         [("assert.cpp.o", "abort"), ("assert.cpp.o", "memcpy")])
        self.assertIn(("assert.cpp.o", "abort"), check_core_symbols.EXCEPTIONS)
        self.assertNotIn(("node.cpp.o", "abort"), check_core_symbols.EXCEPTIONS)

    def test_c_functions(self):
        for symbol in ("memcpy", "crypto_generichash_blake2b", "log2", "snprintf", "__asan_report_load8"):
            self.assertFalse(check_core_symbols.is_forbidden(symbol, symbol), symbol)
        for symbol in ("bind", "sendmmsg", "recvfrom", "clock_gettime", "gettimeofday", "fopen",
                       "pthread_create", "getrandom", "randombytes_buf", "getenv", "printf"):
            self.assertTrue(check_core_symbols.is_forbidden(symbol, symbol), symbol)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--nm", default="nm")
    parser.add_argument("archive")
    OPTIONS = parser.parse_args()
    unittest.main(argv=sys.argv[:1])

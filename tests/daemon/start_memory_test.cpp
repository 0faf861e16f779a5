// SPDX-License-Identifier: Apache-2.0
#include "daemon/start_memory.h"

#include <doctest/doctest.h>

#include <fstream>
#include <regex>
#include <string>

namespace {

/// Pages of files, in KiB.
long resident_of_files() {
    std::ifstream status("/proc/self/status");
    std::string name;
    while (status >> name) {
        if (name == "RssFile:") {
            long kib = 0;
            status >> kib;
            return kib;
        }
    }
    return -1;
}

}  // namespace

TEST_CASE("start memory: code that only the start needed is given back, and runs again if called") {
    const auto use_much_code = [] {
        return std::regex_match("meshd 1.2", std::regex("meshd [0-9]+\\.[0-9]+"));
    };
    CHECK(use_much_code());
    const long before = resident_of_files();
    meshd::release_start_memory();
    const long after = resident_of_files();
    CHECK(after < before);
    CHECK(use_much_code());
}

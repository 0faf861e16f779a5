// SPDX-License-Identifier: Apache-2.0
#include "daemon/start_delay.h"

#include <doctest/doctest.h>

#include "tests/daemon/temporary_dir.h"

using namespace meshd;
using namespace std::chrono_literals;

TEST_CASE("start delay: doubles with each failure in a row, to a minute") {
    const auto delay = [](unsigned count) { return delay_of_start({count, 100s}, 101s); };
    CHECK(delay(0) == 0s);
    CHECK(delay(1) == 0s);
    CHECK(delay(2) == 1s);
    CHECK(delay(3) == 2s);
    CHECK(delay(7) == 32s);
    CHECK(delay(8) == 60s);
    CHECK(delay(4'000'000'000) == 60s);
}

TEST_CASE("start delay: a start that lasted ends the row") {
    CHECK(delay_of_start({9, 100s}, 699s) == 60s);
    CHECK(delay_of_start({9, 100s}, 700s) == 0s);
}

TEST_CASE("start delay: starts count as failed until they end as asked") {
    const TemporaryDir dir;
    CHECK(StartDelay(dir.path()).begin(10s) == 0s);
    CHECK(StartDelay(dir.path()).begin(11s) == 0s);
    CHECK(StartDelay(dir.path()).begin(12s) == 1s);
    CHECK(StartDelay(dir.path()).begin(14s) == 2s);
    StartDelay(dir.path()).clear();
    CHECK(StartDelay(dir.path()).begin(20s) == 0s);
    CHECK(StartDelay(dir.path()).begin(21s) == 0s);
    CHECK(StartDelay(dir.path()).begin(22s) == 1s);
    CHECK(StartDelay(dir.path()).begin(1000s) == 0s);
    CHECK(StartDelay(dir.path()).begin(1001s) == 0s);
    CHECK(StartDelay(dir.path()).begin(1002s) == 1s);
}

TEST_CASE(
    "start delay: what is no count is none, and a directory that takes nothing does no harm") {
    const TemporaryDir dir;
    dir.write("starts", "many");
    CHECK(StartDelay(dir.path()).begin(10s) == 0s);
    StartDelay nowhere(dir.path() / "none");
    CHECK(nowhere.begin(1s) == 0s);
    CHECK(nowhere.begin(1s) == 0s);
    CHECK(nowhere.begin(1s) == 0s);
}

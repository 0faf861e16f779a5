// SPDX-License-Identifier: Apache-2.0
#include "proto/base/shared_bytes.h"

#include <doctest/doctest.h>

#include <thread>
#include <utility>
#include <vector>

using namespace meshd;

TEST_CASE("shared bytes: copies are the same bytes, and outlive the first") {
    SharedBytes copy;
    {
        const SharedBytes first(as_bytes("record"));
        copy = first;
        CHECK(copy.data() == first.data());
    }
    CHECK(as_text(copy) == "record");
    CHECK(copy == as_bytes("record"));
    CHECK(!(copy == as_bytes("recor")));
    const SharedBytes& same = copy;
    copy = same;
    CHECK(as_text(copy) == "record");
}

TEST_CASE("shared bytes: what was moved from is empty, as what was made of nothing") {
    SharedBytes from(as_bytes("record"));
    const SharedBytes to = std::move(from);
    CHECK(from.empty());  // NOLINT(bugprone-use-after-move): this is what is tested
    CHECK(from.size() == 0);
    CHECK(from == Bytes());
    CHECK(to.size() == 6);
    CHECK(SharedBytes(Bytes()).empty());
    CHECK(SharedBytes().data() == nullptr);
}

TEST_CASE("shared bytes: they are given up once, whichever thread is last") {
    for (int round = 0; round < 200; ++round) {
        SharedBytes bytes(as_bytes("some bytes that are long enough for an allocation"));
        std::vector<std::thread> threads;
        for (int i = 0; i < 3; ++i) {
            threads.emplace_back([copy = bytes] {
                for (int j = 0; j < 50; ++j) {
                    SharedBytes another = copy;
                    another = SharedBytes();
                    CHECK(another.empty());
                }
            });
        }
        bytes = SharedBytes();
        for (std::thread& thread : threads) {
            thread.join();
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
#include "proto/base/table.h"

#include <doctest/doctest.h>

#include <map>
#include <string>

#include "proto/base/prng.h"

using namespace meshd;

namespace {

NodeId name(std::uint64_t number) {
    return *NodeId::parse("n" + std::to_string(number));
}

/// Both walked side by side, and each key looked up.
template <class Key>
void check_equal(const Table<Key, int>& table, const std::map<Key, int>& expected) {
    REQUIRE(table.size() == expected.size());
    auto at = table.begin();
    for (const auto& [key, value] : expected) {
        CHECK(at->first == key);
        CHECK(at->second == value);
        REQUIRE(table.find(key) != nullptr);
        CHECK(*table.find(key) == value);
        ++at;
    }
    CHECK(at == table.end());
}

}  // namespace

TEST_CASE("table: is what a map of the same keys is, in the same order") {
    Prng prng{Entropy{}};
    Table<NodeId, int> table;
    std::map<NodeId, int> expected;
    for (int i = 0; i < 3000; ++i) {
        const NodeId key = name(prng.below(200));
        if (prng.below(2) == 0) {
            table[key] = i;
            expected[key] = i;
        } else {
            CHECK(table.erase(key) == (expected.erase(key) == 1));
            CHECK(table.find(key) == nullptr);
        }
        if (i % 100 == 0) {
            check_equal(table, expected);
        }
    }
    const auto is_odd = [](const auto& entry) { return entry.second % 2 != 0; };
    table.erase_if(is_odd);
    std::erase_if(expected, is_odd);
    check_equal(table, expected);
}

TEST_CASE("table: streams of every pattern are found under every key") {
    for (const std::uint64_t key : {std::uint64_t{0}, ~std::uint64_t{0}, std::uint64_t{77}}) {
        for (const unsigned shift : {0U, 20U, 52U}) {
            Table<StreamId, int> table(key);
            std::map<StreamId, int> expected;
            for (std::uint64_t i = 1; i < 600; ++i) {
                const StreamId stream{i << shift};
                table[stream] = static_cast<int>(i);
                expected[stream] = static_cast<int>(i);
            }
            for (std::uint64_t i = 1; i < 600; i += 3) {
                CHECK(table.erase(StreamId{i << shift}) ==
                      (expected.erase(StreamId{i << shift}) == 1));
            }
            check_equal(table, expected);
        }
    }
}

TEST_CASE("table: values keep their address while others come and go") {
    Table<NodeId, int> table;
    int* const kept = table.try_emplace(name(500)).first;
    *kept = 7;
    for (std::uint64_t i = 0; i < 1000; ++i) {
        table.try_emplace(name(i));
    }
    table.erase_if([](const auto& entry) { return entry.first != name(500); });
    CHECK(table.size() == 1);
    CHECK(table.find(name(500)) == kept);
    CHECK(*kept == 7);
    CHECK_FALSE(table.try_emplace(name(500)).second);
}

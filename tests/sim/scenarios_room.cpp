// SPDX-License-Identifier: Apache-2.0
// Quotas, replicas out of room, and what it costs to catch up.
#include "proto/store/store.h"
#include "tests/sim/scene.h"

namespace meshd::sim {

namespace {

/// Of the records that `host` holds, as they travel.
std::size_t record_bytes(Scene& scene, Host host) {
    const StoreView store = scene.store(host);
    return store.memory - store.records * Store::kRecordOverhead;
}

}  // namespace

TEST_CASE("quota: an author over its quota deletes its oldest, everywhere") {
    Config config;
    config.own_entries_max = 100;
    Scene scene(813, lan(3), config);
    scene.form();
    scene.put_many(0, "hash", 150);
    scene.put_many(1, "other", 30);
    CHECK(scene.checkers.settle() == "");
    CHECK(scene.store(2).entries == 130);
    CHECK(scene.shown(2, "hash49", 0) == "");
    CHECK(scene.shown(2, "hash50", 0) != "");
    CHECK(scene.shown(2, "hash149", 0) != "");
}

TEST_CASE("room: a replica out of it drops whole streams of authors long gone, and serves none") {
    Scene scene(815, lan(5));
    // Box 4 has little room; the others hold all.
    scene.world.config(4).store_memory_max = 1'500'000;
    scene.checkers.store().allow_dropped_streams();
    scene.form();
    scene.put_many(0, "oldest", 400, 512);
    scene.world.run_for(seconds(5));
    scene.world.crash(0);
    scene.world.run_for(seconds(20));
    const std::size_t alone = scene.store(1).entries;
    CHECK(alone == 400);
    scene.put_many(1, "alive", 800, 512);
    scene.world.run_for(seconds(30));
    CHECK(scene.store(4).memory <= 1'500'000);
    CHECK(scene.store(4).streams_unheld > 0);
    CHECK(scene.has_warning(4));
    CHECK(scene.shown(4, "oldest0", 0) == "");
    CHECK(scene.shown(4, "alive799", 1) != "");
    for (const Host host : {1U, 2U, 3U}) {
        CHECK(scene.store(host).entries == 1200);
        CHECK(scene.store(host).streams_unheld == 0);
        CHECK_FALSE(scene.has_warning(host));
    }
    CHECK(scene.raise_and_wait(2));
    // There is room again once the large stream's entries are deleted.
    for (int i = 0; i < 800; ++i) {
        scene.remove(1, "alive" + std::to_string(i));
    }
    CHECK(scene.world.run_until([&] { return scene.shown(4, "oldest0", 0) != ""; }, minutes(5)));
    scene.world.run_for(seconds(5));
    CHECK(scene.store(4).entries == 400);
    CHECK_FALSE(scene.has_warning(4));
}

TEST_CASE("room: a full box where nobody is gone asks once for what it cannot hold") {
    Scene scene(821, lan(4));
    scene.world.config(3).store_memory_max = 400'000;
    scene.checkers.store().allow_dropped_streams();
    scene.form();
    scene.put_many(0, "hash", 400, 512);
    scene.world.run_for(minutes(2));
    CHECK(scene.store(3).memory <= 400'000);
    const std::size_t held = scene.store(3).entries;
    CHECK(held < 400);
    const auto received = [&] { return scene.world.node(3).counters()[Counter::bytes_received]; };
    const std::uint64_t before = received();
    scene.world.run_for(minutes(3));
    MESSAGE("at rest " << (received() - before) / 180 << " bytes a second");
    // Digests, which differ; not the records.
    CHECK((received() - before) / 180 < 2000);
    CHECK(scene.raise_and_wait(0));
    for (int i = 0; i < 400; ++i) {
        scene.remove(0, "hash" + std::to_string(i));
    }
    scene.put(0, "later");
    CHECK(scene.world.run_until([&] { return scene.shown(3, "later", 0) != ""; }, minutes(3)));
}

TEST_CASE("late joiner: 2000 entries with embeddings arrive soon, and alerts pass meanwhile") {
    Scene scene(816, lan(4));
    for (Host host = 0; host < 3; ++host) {
        scene.world.start(host);
    }
    REQUIRE(scene.checkers.settle() == "");
    scene.put_many(0, "hash", 2000, 512);
    scene.world.run_for(seconds(20));
    const std::uint64_t before = scene.total(Counter::bytes_sent);
    scene.world.start(3);
    const TimePoint begin = scene.world.time();
    scene.world.run_for(milliseconds(300));
    const auto told = scene.raise_and_wait(1);
    REQUIRE(told);
    CHECK(*told < milliseconds(200));
    REQUIRE(scene.world.run_until([&] { return scene.store(3).entries == 2000; }, minutes(1)));
    MESSAGE("2000 entries after " << print_ms(scene.world.time() - begin) << " and "
                                  << (scene.total(Counter::bytes_sent) - before) / 1000
                                  << " kB sent in all, for " << record_bytes(scene, 0) / 1000
                                  << " kB held; an alert meanwhile told after " << print_ms(*told));
    CHECK(scene.checkers.settle() == "");
    CHECK(scene.events(NodeEventKind::Offline) == 0);
}

TEST_CASE("catching up: 100 of 5000 entries missed cost at most one and a half times their size") {
    Scene scene(817, lan(3));
    scene.form();
    scene.put_many(0, "hash", 4900, 128);
    scene.world.run_for(seconds(30));
    REQUIRE(scene.checkers.settle() == "");
    scene.world.crash(2);
    scene.world.run_for(seconds(10));
    const std::size_t held = record_bytes(scene, 0);
    scene.put_many(0, "missed", 100, 128);
    const std::size_t missed = record_bytes(scene, 0) - held;
    scene.world.run_for(seconds(10));
    // A restart on an empty mesh costs the links and the node and state records: taken off.
    scene.world.start(2);
    REQUIRE(scene.world.run_until([&] { return scene.store(2).entries == 5000; }, seconds(10)));
    const Node& node = scene.world.node(2);
    MESSAGE("100 of 5000 missed: " << node.counters()[Counter::bytes_received] << " bytes received"
                                   << " for " << missed << " bytes of records, after "
                                   << print_ms(scene.world.time() - scene.world.started_at(2)));
    constexpr std::uint64_t kStartBytes = 8000;
    CHECK(node.counters()[Counter::bytes_received] <= missed * 3 / 2 + kStartBytes);
    CHECK(scene.checkers.settle() == "");
}

}  // namespace meshd::sim

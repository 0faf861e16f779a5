// SPDX-License-Identifier: Apache-2.0
// Disks: what is said to be durable survives, and a disk that fails harms nothing else.
#include "tests/sim/scene.h"

namespace meshd::sim {

namespace {

/// A durable put, answered within `limit`.
bool put_durably(Scene& scene, Host host, const std::string& hash, Duration limit = seconds(5)) {
    EntryPut entry;
    entry.hash = hash;
    entry.type = "car";
    entry.metadata = "{\"mark\":\"" + scene.world.mark() + "\"}";
    const auto request = scene.world.command(host, PutEntries{{entry}, true});
    REQUIRE(request);
    scene.world.run_until([&] { return scene.world.answer<EntriesPut>(host, *request) != nullptr; },
                          limit);
    const auto* answer = scene.world.answer<EntriesPut>(host, *request);
    return answer != nullptr && answer->is_durable;
}

/// The answer to an alert, within 5 s.
const AlertRaised* raise_and_ask(Scene& scene, Host host) {
    const auto request = scene.world.raise(host);
    REQUIRE(request);
    scene.world.run_until(
        [&] { return scene.world.answer<AlertRaised>(host, *request) != nullptr; }, seconds(5),
        milliseconds(1));
    return scene.world.answer<AlertRaised>(host, *request);
}

}  // namespace

TEST_CASE("power cut: all boxes at once, at any moment, lose nothing acknowledged as durable") {
    Scene scene(701, lan(5));
    scene.form();
    for (int round = 0; round < 20; ++round) {
        for (Host host = 0; host < 5; ++host) {
            const std::string hash = "hash" + std::to_string(round % 7);
            EntryPut entry;
            entry.hash = hash;
            entry.type = "car";
            entry.metadata = "{\"mark\":\"" + scene.world.mark() + "\"}";
            REQUIRE(scene.world.command(host, PutEntries{{entry}, true}));
            REQUIRE(scene.world.raise(host));
        }
        scene.world.run_for(scene.world.prng().between(Duration::zero(), milliseconds(60)));
        for (Host host = 0; host < 5; ++host) {
            scene.world.crash(host);
        }
        scene.start_all();
        scene.world.run_for(seconds(2));
    }
    CHECK(scene.checkers.store().durable_answers() > 50);
    CHECK(scene.checkers.settle() == "");
}

TEST_CASE("power cut: a lonely box has its own data and those of others at its start") {
    Scene scene(702, lan(3));
    scene.form();
    const std::string mine = scene.put(0, "mine");
    const std::string theirs = scene.put(1, "theirs");
    scene.share(2, "mode", "1");
    REQUIRE(scene.world.raise(1));
    scene.world.run_for(seconds(10));
    for (Host host = 0; host < 3; ++host) {
        scene.world.crash(host);
    }
    scene.world.start(0);
    CHECK(scene.shown(0, "mine", 0) == mine);
    CHECK(scene.shown(0, "theirs", 1) == theirs);
    CHECK(scene.shared(0, "mode") == "1");
    CHECK(scene.world.node(0).alerts(scene.world.now(0)).size() == 1);
    scene.world.run_for(seconds(10));
    CHECK(scene.checkers.alerts_told(0) == 0);
    scene.start_all();
    CHECK(scene.checkers.settle() == "");
}

TEST_CASE("disk full: alerts go out all the same and say that they are not durable") {
    Scene scene(703, lan(3));
    scene.form();
    CHECK(put_durably(scene, 0, "before"));
    scene.world.set_disk_fault(0, DiskFault::Failing);
    const AlertRaised* raised = raise_and_ask(scene, 0);
    REQUIRE(raised != nullptr);
    CHECK_FALSE(raised->is_durable);
    CHECK(scene.world.run_until([&] { return scene.is_told_everywhere(0); }, seconds(1)));
    CHECK_FALSE(put_durably(scene, 0, "meanwhile"));
    scene.world.run_for(minutes(2));
    CHECK(scene.store(0).unwritten > 0);
    CHECK(scene.checkers.settle() == "");
    scene.world.set_disk_fault(0, DiskFault::None);
    CHECK(scene.world.run_until([&] { return scene.store(0).unwritten == 0; }, minutes(2)));
    CHECK(put_durably(scene, 0, "after"));
    // All of it, without help.
    for (Host host = 0; host < 3; ++host) {
        scene.world.crash(host);
    }
    scene.world.start(0);
    CHECK(scene.shown(0, "meanwhile", 0) != "");
    CHECK(scene.shown(0, "after", 0) != "");
    CHECK(scene.world.node(0).alerts(scene.world.now(0)).size() == 1);
}

TEST_CASE("disk full: what does not reach the disk is lost only where nobody else has it") {
    Scene scene(704, lan(3));
    scene.form();
    scene.world.set_disk_fault(0, DiskFault::Failing);
    const std::string mark = scene.put(0, "seen");
    scene.world.run_for(seconds(10));
    scene.world.crash(0);
    scene.world.set_disk_fault(0, DiskFault::None);
    scene.world.start(0);
    CHECK(scene.checkers.settle() == "");
    CHECK(scene.shown(0, "seen", 0) == mark);
}

TEST_CASE("disk lost: a database replaced while running is written anew") {
    Scene scene(705, lan(3));
    scene.form();
    CHECK(put_durably(scene, 0, "before"));
    scene.put(1, "of another");
    REQUIRE(scene.world.raise(2));
    scene.share(1, "mode", "1");
    scene.world.run_for(seconds(10));
    scene.world.set_disk_fault(0, DiskFault::Lost);
    CHECK(put_durably(scene, 0, "after", seconds(10)));
    scene.world.run_for(seconds(10));
    for (Host host = 0; host < 3; ++host) {
        scene.world.crash(host);
    }
    scene.world.start(0);
    CHECK(scene.shown(0, "before", 0) != "");
    CHECK(scene.shown(0, "after", 0) != "");
    CHECK(scene.shown(0, "of another", 1) != "");
    CHECK(scene.shared(0, "mode") == "1");
    CHECK(scene.world.node(0).alerts(scene.world.now(0)).size() == 1);
    scene.start_all();
    CHECK(scene.checkers.settle() == "");
}

TEST_CASE("disk slow: an alert is everywhere long before it is on disk, and then is durable") {
    Scene scene(706, lan(5));
    scene.form();
    scene.world.run_for(seconds(10));
    scene.world.set_disk_fault(0, DiskFault::Slow);
    const TimePoint begin = scene.world.time();
    const auto request = scene.world.raise(0);
    REQUIRE(request);
    const auto told = scene.world.run_until([&] { return scene.is_told_everywhere(0); }, seconds(1),
                                            milliseconds(1));
    REQUIRE(told);
    CHECK(*told < milliseconds(50));
    CHECK(scene.world.answer<AlertRaised>(0, *request) == nullptr);
    REQUIRE(scene.world.run_until(
        [&] { return scene.world.answer<AlertRaised>(0, *request) != nullptr; }, seconds(10)));
    MESSAGE("told everywhere after " << print_ms(*told) << ", durable after "
                                     << print_ms(scene.world.time() - begin));
    CHECK(scene.world.answer<AlertRaised>(0, *request)->is_durable);
}

TEST_CASE("no disk: nothing is called durable, and all comes back from the others") {
    Scene scene(707, lan(3));
    scene.world.set_has_disk(0, false);
    scene.form();
    CHECK_FALSE(put_durably(scene, 0, "seen"));
    const AlertRaised* raised = raise_and_ask(scene, 0);
    REQUIRE(raised != nullptr);
    CHECK_FALSE(raised->is_durable);
    CHECK_FALSE(scene.store(0).has_disk);
    CHECK(scene.store(1).has_disk);
    scene.world.run_for(seconds(1));
    scene.world.crash(0);
    scene.world.start(0);
    CHECK(scene.checkers.settle() == "");
    CHECK(scene.shown(0, "seen", 0) != "");
    CHECK(scene.world.node(0).alerts(scene.world.now(0)).size() == 1);
}

TEST_CASE("idle: a mesh at rest writes next to nothing to its disks") {
    Scene scene(708, lan(5));
    scene.form();
    scene.put_many(0, "hash", 300);
    scene.world.run_for(minutes(1));
    std::uint64_t before = 0;
    for (Host host = 0; host < 5; ++host) {
        before += scene.world.disk(host).commits;
    }
    scene.world.run_for(minutes(60));
    std::uint64_t after = 0;
    for (Host host = 0; host < 5; ++host) {
        after += scene.world.disk(host).commits;
    }
    MESSAGE("idle: " << (after - before) / 5 << " commits per box and hour");
    CHECK((after - before) / 5 <= 60);
}

TEST_CASE("idle: equal stores exchange nothing but heartbeats") {
    Scene scene(709, lan(5));
    scene.form();
    scene.put_many(0, "hash", 200);
    scene.put(1, "one", 5000);
    REQUIRE(scene.world.raise(2));
    CHECK(scene.remove(3, "hash7") == 1);
    scene.world.run_for(minutes(1));
    const auto exchanged = [&] {
        return scene.total(Counter::digests_sent) + scene.total(Counter::pulls_sent) +
               scene.total(Counter::deltas_sent) + scene.total(Counter::pushes_sent);
    };
    const std::uint64_t before = exchanged();
    scene.world.run_for(minutes(5));
    CHECK(exchanged() == before);
}

}  // namespace meshd::sim

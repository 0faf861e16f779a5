// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/scene.h"

namespace meshd::sim {

namespace {

/// 64 KiB is the limit of the whole document.
constexpr std::size_t kLargest = limits::kPayloadBytesMax;

std::string state_of(const Scene& scene, Host viewer, Host subject) {
    const auto state =
        scene.world.node(viewer).state(scene.world.now(viewer), scene.world.id(subject));
    return state ? state->document : "";
}

}  // namespace

TEST_CASE("alert: each priority reaches all, also as many at once") {
    Scene scene(101, lan(6));
    scene.form();
    for (const Priority priority :
         {Priority::Low, Priority::Normal, Priority::High, Priority::Critical}) {
        CAPTURE(priority_name(priority));
        const auto took = scene.raise_and_wait(2, priority);
        REQUIRE(took);
        CHECK(*took < milliseconds(50));
        CHECK(scene.world.node(5).alerts(scene.world.now(5)).front().priority == priority);
    }
    for (int i = 0; i < 100; ++i) {
        for (Host host = 0; host < 6; ++host) {
            REQUIRE(scene.world.raise(host, static_cast<Priority>(i % 4)));
        }
    }
    CHECK(scene.checkers.settle(seconds(10)) == "");
    CHECK(scene.world.node(0).alerts(scene.world.now(0)).size() == 604);
}

TEST_CASE("alert: 64 KiB arrive whole, without loss and at 10 percent") {
    Scene scene(102, lan(5));
    scene.form();
    const auto clean = scene.raise_and_wait(0, Priority::Normal, kLargest);
    REQUIRE(clean);
    scene.world.network().defaults().loss = 0.1;
    Duration worst{};
    for (int i = 0; i < 10; ++i) {
        const auto lossy = scene.raise_and_wait(1, Priority::High, kLargest);
        REQUIRE(lossy);
        worst = std::max(worst, *lossy);
    }
    MESSAGE("64 KiB to 4 nodes: " << print_ms(*clean) << ", worst of 10 at 10 percent loss "
                                  << print_ms(worst));
    CHECK(worst < seconds(2));
    scene.world.network().defaults().loss = 0;
    CHECK(scene.checkers.settle() == "");
}

TEST_CASE("alert: 64 KiB cross a line of 5 at 10 percent loss") {
    Scene scene(103, line(5));
    scene.form();
    scene.world.network().defaults().loss = 0.1;
    const auto took = scene.raise_and_wait(0, Priority::Normal, kLargest);
    REQUIRE(took);
    MESSAGE("64 KiB over 4 hops at 10 percent loss: " << print_ms(*took));
}

TEST_CASE("alert: one byte more than 64 KiB is refused before any effect") {
    Scene scene(104, lan(2));
    scene.form();
    const auto refused = scene.world.raise(0, Priority::Normal, kLargest + 1);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == CommandError::Code::TooLarge);
    scene.world.run_for(seconds(1));
    CHECK(scene.world.node(1).alerts(scene.world.now(1)).empty());
}

TEST_CASE("alert: what is not a JSON object is refused") {
    Scene scene(105, lan(1));
    scene.form();
    for (const char* text : {"", "[]", "1", "{", "{\"a\":1,\"a\":2}", "{} {}"}) {
        CAPTURE(text);
        const auto refused = scene.world.command(0, RaiseAlert{text, Priority::Normal, {}});
        REQUIRE_FALSE(refused);
        CHECK(refused.error().code == CommandError::Code::InvalidParams);
    }
}

TEST_CASE("alert: raise with wait returns the complete list of who holds it") {
    Scene scene(106, line(4));
    scene.form();
    scene.world.run_for(seconds(1));
    const auto request = scene.world.raise(0, Priority::Normal, 0, seconds(2));
    REQUIRE(request);
    const TimePoint raised = scene.world.time();
    REQUIRE(scene.world.run_until(
        [&] { return scene.world.answer<AlertRaised>(0, *request) != nullptr; }, seconds(3)));
    const auto* answer = scene.world.answer<AlertRaised>(0, *request);
    CHECK(answer->delivered.size() == 3);
    CHECK(answer->pending.empty());
    MESSAGE("delivery to 3 hops reported after " << print_ms(scene.world.time() - raised));
    CHECK(scene.world.time() - raised < seconds(1));
}

TEST_CASE("alert: raise with wait lists as pending whom it does not reach") {
    Scene scene(107, lan(4));
    scene.form();
    scene.world.run_for(seconds(1));
    scene.world.pause(3);
    const auto request = scene.world.raise(0, Priority::Normal, 0, seconds(1));
    REQUIRE(request);
    scene.world.run_for(seconds(1) + milliseconds(20));
    const auto* answer = scene.world.answer<AlertRaised>(0, *request);
    REQUIRE(answer);
    CHECK(answer->delivered.size() == 2);
    CHECK(answer->pending == std::vector<NodeId>{scene.world.id(3)});
    scene.world.resume(3);
    CHECK(scene.checkers.settle() == "");
}

TEST_CASE(
    "alert: without wait the answer waits for the disk only and names all others as pending") {
    Scene scene(108, lan(3));
    scene.form();
    const auto request = scene.world.raise(0);
    REQUIRE(request);
    scene.world.run_for(World::kCommitMax);
    const auto* answer = scene.world.answer<AlertRaised>(0, *request);
    REQUIRE(answer);
    CHECK(answer->delivered.empty());
    CHECK(answer->pending.size() == 2);
    CHECK(scene.checkers.settle() == "");
    CHECK(scene.world.node(1).alerts(scene.world.now(1)).front().id == answer->id);
}

TEST_CASE("spreading: in the steady state a node gets at most 1.5 copies of an alert") {
    Scene scene(109, lan(10));
    scene.form();
    scene.world.run_for(seconds(5));
    constexpr int kAlerts = 200;
    const std::uint64_t before = scene.total(Counter::alert_copies_received);
    const std::uint64_t new_before = scene.total(Counter::alerts_received);
    std::vector<Duration> times;
    for (int i = 0; i < kAlerts; ++i) {
        const Host host = scene.world.prng().below(10);
        const auto took = scene.raise_and_wait(host, static_cast<Priority>(i % 3));
        REQUIRE(took);
        times.push_back(*took);
        scene.world.run_for(milliseconds(50));
    }
    std::sort(times.begin(), times.end());
    const double copies = static_cast<double>(scene.total(Counter::alert_copies_received) - before);
    CHECK(scene.total(Counter::alerts_received) - new_before == kAlerts * 9);
    MESSAGE("copies per node " << copies / (kAlerts * 9) << ", to the last of 9 nodes p50 "
                               << print_ms(times[times.size() / 2]) << " worst "
                               << print_ms(times.back()));
    CHECK(copies / (kAlerts * 9) <= 1.5);
}

TEST_CASE("spreading: at 10 percent loss copies stay few and nothing is lost") {
    Scene scene(110, lan(10));
    scene.form();
    scene.world.network().defaults().loss = 0.1;
    scene.world.run_for(seconds(5));
    constexpr int kAlerts = 200;
    const std::uint64_t before = scene.total(Counter::alert_copies_received);
    std::vector<Duration> times;
    for (int i = 0; i < kAlerts; ++i) {
        const auto took = scene.raise_and_wait(scene.world.prng().below(10));
        REQUIRE(took);
        times.push_back(*took);
        scene.world.run_for(milliseconds(50));
    }
    std::sort(times.begin(), times.end());
    const double copies = static_cast<double>(scene.total(Counter::alert_copies_received) - before);
    MESSAGE("at 10 percent loss: copies per node " << copies / (kAlerts * 9) << ", p50 "
                                                   << print_ms(times[times.size() / 2]) << " worst "
                                                   << print_ms(times.back()));
    CHECK(copies / (kAlerts * 9) <= 2.5);
}

TEST_CASE("state: a document of 64 KiB is replicated whole, at 10 percent loss too") {
    Scene scene(111, line(3));
    scene.form();
    scene.world.network().defaults().loss = 0.1;
    const std::string document =
        "{\"pad\":\"" + std::string(kLargest - sizeof "{\"pad\":\"\"}" + 1, 'z') + "\"}";
    REQUIRE(scene.world.command(0, UpdateState{document, Activity::Processing}));
    REQUIRE(scene.world.run_until([&] { return state_of(scene, 2, 0) == document; }, seconds(10)));
    scene.world.network().defaults().loss = 0;
    CHECK(scene.checkers.settle() == "");
    CHECK_FALSE(scene.world.command(0, UpdateState{"{\"more\":1}", std::nullopt}));
    CHECK(state_of(scene, 0, 0) == document);
}

TEST_CASE("state: patches merge into the own document, others keep theirs") {
    Scene scene(112, lan(3));
    for (Host host = 0; host < 3; ++host) {
        scene.world.config(host).initial_state = "{\"box\":" + std::to_string(host) + "}";
    }
    scene.form();
    REQUIRE(scene.world.command(1, UpdateState{"{\"a\":{\"b\":1,\"c\":2}}", std::nullopt}));
    REQUIRE(scene.world.command(1, UpdateState{"{\"a\":{\"b\":null}}", Activity::Idle}));
    CHECK(scene.checkers.settle() == "");
    CHECK(state_of(scene, 0, 1) == "{\"box\":1,\"a\":{\"c\":2}}");
    CHECK(state_of(scene, 0, 0) == "{\"box\":0}");
    CHECK(state_of(scene, 2, 2) == "{\"box\":2}");
    CHECK(scene.world.node(2).node(scene.world.now(2), scene.world.id(1))->activity ==
          Activity::Idle);
}

TEST_CASE("late joiner: gets earlier states and alerts, marked as replayed or not but once") {
    Scene scene(113, lan(5));
    for (Host host = 0; host < 4; ++host) {
        scene.world.start(host);
    }
    REQUIRE(scene.checkers.settle() == "");
    for (int i = 0; i < 50; ++i) {
        REQUIRE(scene.world.raise(static_cast<Host>(i % 4), Priority::Normal, 500));
        REQUIRE(scene.world.command(static_cast<Host>(i % 4),
                                    UpdateState{"{\"i\":" + std::to_string(i) + "}", {}}));
        scene.world.run_for(milliseconds(200));
    }
    scene.world.run_for(seconds(60));
    scene.world.start(4);
    const TimePoint joined = scene.world.time();
    CHECK(scene.checkers.settle(seconds(5)) == "");
    MESSAGE("late joiner agrees after " << print_ms(scene.world.time() - joined));
    CHECK(scene.checkers.alerts_told(4) == 50);
    CHECK(state_of(scene, 4, 3) == "{\"i\":47}");
}

}  // namespace meshd::sim

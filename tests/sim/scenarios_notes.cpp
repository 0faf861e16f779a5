// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/scene.h"

namespace meshd::sim {
namespace {

/// Runs until the command has its answer, at most for `limit`.
template <class Answer>
const Answer* wait_for(Scene& scene, Host host, RequestId request, Duration limit) {
    scene.world.run_until([&] { return scene.world.answer<Answer>(host, request) != nullptr; },
                          limit, milliseconds(1));
    return scene.world.answer<Answer>(host, request);
}

std::string letter(std::size_t bytes) {
    return "{\"text\":\"" + std::string(bytes - 11, 'x') + "\"}";
}

NoteOutcome send(Scene& scene, Host from, Host to, const std::string& note,
                 Duration timeout = seconds(5), bool wants_ack = true) {
    const auto request =
        scene.world.command(from, SendNote{scene.world.id(to), note, wants_ack, timeout});
    REQUIRE(request);
    const auto* sent = wait_for<NoteSent>(scene, from, *request, timeout + milliseconds(10));
    REQUIRE(sent != nullptr);
    CHECK(sent->node == scene.world.id(to));
    return sent->outcome;
}

}  // namespace

TEST_CASE("notes: one to a node several hops away arrives once, with its path") {
    Scene scene(3001, line(5));
    scene.form();
    scene.world.run_for(seconds(1));
    CHECK(send(scene, 0, 4, "{\"door\":3}") == NoteOutcome::Acknowledged);
    REQUIRE(scene.world.notes(4).size() == 1);
    const NoteEvent& note = scene.world.notes(4).front();
    CHECK(note.source == scene.world.id(0));
    CHECK(note.note == "{\"door\":3}");
    CHECK_FALSE(note.is_broadcast);
    CHECK(note.hops == 4);
    REQUIRE(note.path.size() == 5);
    CHECK(note.path[2] == scene.world.id(2).text());
    for (Host host = 0; host < 4; ++host) {
        CHECK(scene.world.notes(host).empty());
    }
}

TEST_CASE("notes: 64 KiB cross a line of 5 at 10 percent loss, each exactly once") {
    Scene scene(3002, line(5));
    scene.form();
    scene.world.network().defaults().loss = 0.1;
    for (int i = 0; i < 10; ++i) {
        CHECK(send(scene, 0, 4, letter(limits::kPayloadBytesMax), seconds(20)) ==
              NoteOutcome::Acknowledged);
    }
    CHECK(scene.world.notes(4).size() == 10);
    CHECK(scene.world.notes(4).back().note.size() == limits::kPayloadBytesMax);
}

TEST_CASE("notes: one to a box that is away waits for its return") {
    Scene scene(3003, lan(4));
    scene.form();
    scene.world.crash(3);
    REQUIRE(
        scene.world.run_until([&] { return scene.all_see(3, NodeStatus::Offline); }, seconds(10)));
    const auto request =
        scene.world.command(0, SendNote{scene.world.id(3), "{}", true, seconds(30)});
    REQUIRE(request);
    scene.world.run_for(seconds(5));
    CHECK(scene.world.answer<NoteSent>(0, *request) == nullptr);
    scene.world.start(3);
    const auto* sent = wait_for<NoteSent>(scene, 0, *request, seconds(5));
    REQUIRE(sent != nullptr);
    CHECK(sent->outcome == NoteOutcome::Acknowledged);
    CHECK(scene.world.notes(3).size() == 1);
}

TEST_CASE("notes: what cannot be delivered says why") {
    Scene scene(3004, lan(3));
    scene.form();
    scene.world.crash(2);
    REQUIRE(
        scene.world.run_until([&] { return scene.all_see(2, NodeStatus::Offline); }, seconds(10)));
    CHECK(send(scene, 0, 2, "{}", milliseconds(300)) == NoteOutcome::NoRoute);
    CHECK(send(scene, 0, 2, "{}", milliseconds(300), false) == NoteOutcome::NoRoute);
    // Paused, and not yet known to be: the note is on its way, and nobody says that it arrived.
    scene.world.pause(1);
    CHECK(send(scene, 0, 1, "{}", milliseconds(300)) == NoteOutcome::Silent);
    CHECK(send(scene, 0, 1, "{}", milliseconds(300), false) == NoteOutcome::Sent);
    scene.world.resume(1);
    const auto unknown =
        scene.world.command(0, SendNote{*NodeId::parse("nobody"), "{}", true, seconds(1)});
    REQUIRE_FALSE(unknown);
    CHECK(unknown.error().code == CommandError::Code::UnknownNode);
    CHECK(unknown.error().field == "node");
    const auto large = scene.world.command(
        0, SendNote{scene.world.id(1), letter(limits::kPayloadBytesMax + 1), true, seconds(1)});
    REQUIRE_FALSE(large);
    CHECK(large.error().code == CommandError::Code::TooLarge);
}

TEST_CASE("notes: to oneself arrives at once") {
    Scene scene(3005, lan(2));
    scene.form();
    CHECK(send(scene, 0, 0, "{\"me\":1}") == NoteOutcome::Acknowledged);
    REQUIRE(scene.world.notes(0).size() == 1);
    CHECK(scene.world.notes(0).front().hops == 0);
}

TEST_CASE("notes: a relay that dies on the way costs a repetition, not the note") {
    // Two ways from 0 to 3: over 1 and over 2.
    Scene scene(3006, partial_lan(4, {{0, 3}, {1, 2}}));
    scene.form();
    scene.world.run_for(seconds(1));
    for (int i = 0; i < 5; ++i) {
        const Host relay =
            scene.world.node(0).routes().back().next_peer == scene.world.id(1) ? 1 : 2;
        const auto request =
            scene.world.command(0, SendNote{scene.world.id(3), "{}", true, seconds(10)});
        REQUIRE(request);
        scene.world.crash(relay);
        const auto* sent = wait_for<NoteSent>(scene, 0, *request, seconds(10));
        REQUIRE(sent != nullptr);
        CHECK(sent->outcome == NoteOutcome::Acknowledged);
        scene.world.start(relay);
        scene.world.run_for(seconds(5));
    }
    CHECK(scene.world.notes(3).size() == 5);
}

TEST_CASE("notes: a broadcast reaches everyone once, over one copy per node") {
    Scene scene(3007, lan(25));
    scene.form();
    scene.world.run_for(seconds(2));
    const auto request = scene.world.command(7, BroadcastNote{"doors", "{\"open\":true}"});
    REQUIRE(request);
    const auto* spread = scene.world.answer<NoteSpread>(7, *request);
    REQUIRE(spread != nullptr);
    CHECK(spread->nodes == 24);
    scene.world.run_for(seconds(1));
    for (Host host = 0; host < 25; ++host) {
        REQUIRE(scene.world.notes(host).size() == 1);
        const NoteEvent& note = scene.world.notes(host).front();
        CHECK(note.topic == "doors");
        CHECK(note.is_broadcast);
        CHECK(note.source == scene.world.id(7));
        CHECK(note.hops == note.path.size() - 1);
    }
    CHECK(scene.total(Counter::notes_received) == 24);
}

TEST_CASE("notes: broadcasts at 10 percent loss reach everyone, none twice") {
    Scene scene(3008, line(6));
    scene.form();
    scene.world.network().defaults().loss = 0.1;
    for (int i = 0; i < 50; ++i) {
        REQUIRE(scene.world.command(static_cast<Host>(i % 6), BroadcastNote{"", letter(300)}));
        scene.world.run_for(milliseconds(100));
    }
    scene.world.run_for(seconds(5));
    for (Host host = 0; host < 6; ++host) {
        CHECK(scene.world.notes(host).size() == 50);
    }
}

TEST_CASE("ping: the round trip to each node, and the hops of a trace") {
    Scene scene(3009, line(5));
    scene.form();
    scene.world.run_for(seconds(1));
    const auto ping = scene.world.command(0, Probe{scene.world.id(4), false, seconds(2)});
    REQUIRE(ping);
    const auto* pinged = wait_for<Probed>(scene, 0, *ping, seconds(3));
    REQUIRE(pinged != nullptr);
    REQUIRE(pinged->rtt);
    CHECK(*pinged->rtt < milliseconds(200));
    CHECK(pinged->hops.size() == 4);

    const auto trace = scene.world.command(0, Probe{scene.world.id(4), true, seconds(2)});
    REQUIRE(trace);
    const auto* traced = wait_for<Probed>(scene, 0, *trace, seconds(3));
    REQUIRE(traced != nullptr);
    REQUIRE(traced->hops.size() == 4);
    for (Host hop = 1; hop <= 4; ++hop) {
        CHECK(traced->hops[hop - 1].node == scene.world.id(hop));
        CHECK(traced->hops[hop - 1].rtt);
    }
    CHECK(*traced->hops[0].rtt < *traced->hops[3].rtt);
}

TEST_CASE("ping: a node that is not there gives no answer, at once where that is known") {
    Scene scene(3010, lan(3));
    scene.form();
    scene.world.crash(2);
    const auto early = scene.world.command(0, Probe{scene.world.id(2), false, milliseconds(300)});
    REQUIRE(early);
    const auto* silent = wait_for<Probed>(scene, 0, *early, seconds(1));
    REQUIRE(silent != nullptr);
    CHECK_FALSE(silent->rtt);
    REQUIRE(
        scene.world.run_until([&] { return scene.all_see(2, NodeStatus::Offline); }, seconds(10)));
    const auto late = scene.world.command(0, Probe{scene.world.id(2), true, seconds(2)});
    REQUIRE(late);
    const auto* nothing = scene.world.answer<Probed>(0, *late);
    REQUIRE(nothing != nullptr);
    CHECK_FALSE(nothing->rtt);
    CHECK(nothing->hops.empty());
}

}  // namespace meshd::sim

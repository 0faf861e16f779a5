// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/scene.h"

namespace meshd::sim {
namespace {

/// Two LANs of four that do not hear each other; host 3 of the one and host 7 of the other have the
/// same name.
struct TwoMeshes : Scene {
    static constexpr Host kA = 3;
    static constexpr Host kB = 7;

    TwoMeshes(std::uint64_t seed, bool with_instance, double loss = 0)
        : Scene(seed, damaged(lan(8), loss)) {
        world.clone(kB, kA, with_instance);
        world.network().partition({0, 1, 2, 3}, {4, 5, 6, 7});
        start_all();
        world.run_for(seconds(30));
        for (const Host host : {kA, kB}) {
            REQUIRE(world.node(host).peers(world.now(host)).size() == 3);
            REQUIRE(world.command(host, UpdateState{"{\"box\":" + std::to_string(host) + "}", {}}));
            REQUIRE(world.raise(host));
        }
        world.run_for(seconds(5));
    }

    static Network damaged(Network network, double loss) {
        network.defaults().loss = loss;
        return network;
    }

    /// Plugs the cable in.
    void join() {
        for (Host a = 0; a < 4; ++a) {
            for (Host b = 4; b < 8; ++b) {
                world.network().set_up(a, b, true);
                world.network().set_up(b, a, true);
            }
        }
    }

    std::size_t links(Host host) const { return world.node(host).peers(world.now(host)).size(); }
    bool has_warning(Host host) const {
        return !world.node(host).status(world.now(host)).warnings.empty();
    }
    Host out() const { return links(kA) == 0 ? kA : kB; }
    Host in() const { return links(kA) == 0 ? kB : kA; }
    std::size_t conflicts(Host host) const {
        return checkers.events(host, NodeEventKind::Conflict, world.id(host));
    }
    /// All but the one that is out see the other one's state under the name.
    bool all_see_state_of(Host host) const {
        const std::string wanted = "{\"box\":" + std::to_string(host) + "}";
        for (Host viewer = 0; viewer < world.hosts(); ++viewer) {
            if (!world.is_running(viewer) || viewer == kA || viewer == kB) {
                continue;
            }
            const auto state = world.node(viewer).state(world.now(viewer), world.id(kA));
            const auto view = world.node(viewer).node(world.now(viewer), world.id(kA));
            if (!state || state->document != wanted || view->status != NodeStatus::Alive) {
                return false;
            }
        }
        return true;
    }
    std::size_t alerts_of_name(Host viewer) const {
        std::size_t count = 0;
        for (const AlertView& alert : world.node(viewer).alerts(world.now(viewer))) {
            count += alert.source == world.id(kA) ? 1 : 0;
        }
        return count;
    }
    /// The meshes have met: somebody of the one sees somebody of the other.
    bool have_met() const { return status(0, 4) == NodeStatus::Alive; }
};

}  // namespace

TEST_CASE("names: of two members that are joined by a cable one yields, and both say so") {
    for (const bool with_instance : {false, true}) {
        for (const double loss : {0.0, 0.1}) {
            for (std::uint64_t seed = 900; seed < 906; ++seed) {
                CAPTURE(with_instance);
                CAPTURE(loss);
                CAPTURE(seed);
                TwoMeshes scene(seed, with_instance, loss);
                scene.join();
                REQUIRE(scene.world.run_until([&] { return scene.have_met(); }, seconds(70)));
                const auto told = scene.world.run_until(
                    [&] {
                        return scene.links(TwoMeshes::kA) * scene.links(TwoMeshes::kB) == 0 &&
                               scene.links(TwoMeshes::kA) + scene.links(TwoMeshes::kB) > 0 &&
                               scene.conflicts(TwoMeshes::kA) == 1 &&
                               scene.conflicts(TwoMeshes::kB) == 1;
                    },
                    seconds(30));
                REQUIRE(told);
                MESSAGE("one of two members yields and both tell after " << print_ms(*told));
                CHECK(*told < seconds(loss > 0 ? 10 : 5));
                scene.world.run_for(seconds(10));
                const Host in = scene.in();
                const Host out = scene.out();
                const auto instance = [&](Host host) {
                    return scene.world.node(host).status(scene.world.now(host)).instance;
                };
                const auto start = [&](Host host) {
                    return scene.world.node(host).status(scene.world.now(host)).start;
                };
                CHECK(std::pair(instance(in), start(in)) < std::pair(instance(out), start(out)));
                CHECK(scene.links(out) == 0);
                CHECK(scene.all_see_state_of(in));
                CHECK(scene.has_warning(in));
                CHECK(scene.has_warning(out));
                // Durable records of both stay, and nobody was said to have left.
                for (const Host viewer : {Host{0}, Host{4}}) {
                    CHECK(scene.alerts_of_name(viewer) == 2);
                }
                CHECK(scene.events(NodeEventKind::Left) == 0);
                scene.world.run_for(minutes(3));
                CHECK(scene.links(out) == 0);
                CHECK(scene.conflicts(in) == 1);
                CHECK(scene.conflicts(out) == 1);
                CHECK(scene.all_see_state_of(in));
            }
        }
    }
}

TEST_CASE("names: who yielded is in again by itself when the other dies or leaves") {
    for (const bool leaves : {false, true}) {
        for (const double loss : {0.0, 0.1}) {
            CAPTURE(leaves);
            CAPTURE(loss);
            TwoMeshes scene(920, false, loss);
            scene.join();
            REQUIRE(scene.world.run_until(
                [&] {
                    return scene.have_met() &&
                           scene.links(TwoMeshes::kA) * scene.links(TwoMeshes::kB) == 0;
                },
                seconds(80)));
            scene.world.run_for(seconds(30));
            const Host in = scene.in();
            const Host out = scene.out();
            leaves ? scene.world.stop(in) : scene.world.crash(in);
            const auto back = scene.world.run_until(
                [&] { return scene.all_see_state_of(out) && scene.links(out) == 6; }, seconds(30));
            REQUIRE(back);
            MESSAGE("in again " << print_ms(*back) << " after the other "
                                << (leaves ? "left" : "died"));
            CHECK(*back < seconds(10));
            scene.world.run_for(seconds(60));
            CHECK(scene.links(out) == 6);
            CHECK_FALSE(scene.has_warning(out));
            CHECK(scene.conflicts(out) == 1);
            CHECK(scene.alerts_of_name(0) == 2);
            CHECK(scene.checkers.settle() == "");
            // And the other, when it is there again, is refused.
            scene.world.start(in);
            scene.world.run_for(seconds(10));
            CHECK(scene.links(in) == 0);
            CHECK(scene.links(out) == 6);
            CHECK(scene.conflicts(in) == 1);
        }
    }
}

TEST_CASE("names: a copy of a member's disk is refused and told apart within five seconds") {
    for (const bool with_instance : {false, true}) {
        for (const double loss : {0.0, 0.1}) {
            for (std::uint64_t seed = 930; seed < 936; ++seed) {
                CAPTURE(with_instance);
                CAPTURE(loss);
                CAPTURE(seed);
                Network network = lan(5);
                network.defaults().loss = loss;
                Scene scene(seed, std::move(network));
                scene.world.clone(4, 0, with_instance);
                for (Host host = 0; host < 4; ++host) {
                    scene.world.start(host);
                }
                scene.world.run_for(seconds(60));
                scene.world.start(4);
                const NodeId& name = scene.world.id(0);
                const auto told = scene.world.run_until(
                    [&] {
                        return scene.checkers.events(0, NodeEventKind::Conflict, name) == 1 &&
                               scene.checkers.events(4, NodeEventKind::Conflict, name) == 1;
                    },
                    seconds(20));
                REQUIRE(told);
                CHECK(*told < seconds(5));
                scene.world.run_for(minutes(2));
                CHECK(scene.checkers.events(0, NodeEventKind::Conflict, name) == 1);
                CHECK(scene.checkers.events(4, NodeEventKind::Conflict, name) == 1);
                const auto links = [&](Host host) {
                    return scene.world.node(host).peers(scene.world.now(host)).size();
                };
                // By chance all that asks a living start may be lost; then the copy has the links.
                CHECK(links(0) + links(4) == 3);
                if (loss == 0) {
                    CHECK(links(4) == 0);
                    CHECK(scene.events(NodeEventKind::Returned) == 0);
                }
            }
        }
    }
}

TEST_CASE("names: a box whose disk was wiped is in again when its former start is missed") {
    for (const double loss : {0.0, 0.1}) {
        for (std::uint64_t seed = 940; seed < 946; ++seed) {
            CAPTURE(loss);
            CAPTURE(seed);
            Network network = lan(5);
            network.defaults().loss = loss;
            Scene scene(seed, std::move(network));
            scene.start_all();
            scene.world.run_for(seconds(20));
            scene.world.crash(2);
            scene.world.wipe(2);
            scene.world.start(2);
            const auto back = scene.world.run_until(
                [&] { return scene.world.node(2).peers(scene.world.now(2)).size() == 4; },
                seconds(20));
            REQUIRE(back);
            MESSAGE("with a wiped disk in again after " << print_ms(*back));
            CHECK(*back < seconds(loss > 0 ? 8 : 6));
            scene.world.run_for(seconds(20));
            CHECK(scene.events(NodeEventKind::Conflict) == 0);
            CHECK(scene.checkers.settle() == "");
        }
    }
}

TEST_CASE("names: a box that restarts at once is in again at once, without a conflict") {
    for (const double loss : {0.0, 0.1}) {
        for (std::uint64_t seed = 950; seed < 956; ++seed) {
            CAPTURE(loss);
            CAPTURE(seed);
            Network network = lan(14);
            network.defaults().loss = loss;
            Scene scene(seed, std::move(network));
            scene.start_all();
            scene.world.run_for(seconds(20));
            scene.world.crash(2);
            scene.world.start(2);
            const auto back = scene.world.run_until(
                [&] {
                    return !scene.world.node(2).peers(scene.world.now(2)).empty() &&
                           scene.all_see(2, NodeStatus::Alive);
                },
                seconds(10));
            REQUIRE(back);
            MESSAGE("restarted and in again after " << print_ms(*back));
            CHECK(*back < seconds(3));
            scene.world.run_for(seconds(30));
            CHECK(scene.events(NodeEventKind::Conflict) == 0);
            CHECK(scene.total(Counter::names_yielded) == 0);
            CHECK(scene.checkers.settle() == "");
        }
    }
}

TEST_CASE("names: two that start together without anybody else both say so and go on") {
    for (const bool with_instance : {false, true}) {
        CAPTURE(with_instance);
        Scene scene(960, lan(2));
        scene.world.clone(1, 0, with_instance);
        scene.start_all();
        scene.world.run_for(seconds(5));
        for (const Host host : {Host{0}, Host{1}}) {
            CHECK(scene.checkers.events(host, NodeEventKind::Conflict, scene.world.id(0)) == 1);
            CHECK(scene.world.node(host).status(scene.world.now(host)).warnings.size() == 1);
        }
        scene.world.crash(0);
        scene.world.run_for(minutes(4));
        CHECK(scene.world.node(1).status(scene.world.now(1)).warnings.empty());
    }
}

}  // namespace meshd::sim

// SPDX-License-Identifier: Apache-2.0
// A member that is broken or hostile, in meshes of several hops: the others neither end nor grow
// beyond bounds, tell each other everything, and are as before when it has gone.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <string>

#include "tests/sim/hostile.h"
#include "tests/sim/member.h"
#include "tests/sim/scene.h"

namespace meshd::sim {
namespace {

/// Of all data of others than the hostile one; what is beyond is refused.
constexpr std::size_t kStoreBytesMax = 4 << 20;
/// Datagrams per second and link that an idle node may send.
constexpr double kIdlePerLinkMax = 20;

Config small_memory() {
    Config config;
    config.store_memory_max = kStoreBytesMax;
    return config;
}

/// No Checkers: they find fault with whatever is not true.
class Siege final : public Observer {
  public:
    Siege(std::uint64_t seed, Network network, Host hostile, Malice malice)
        : world_(seed, std::move(network), small_memory()), hostile_(hostile) {
        world_.observe(this);
        std::vector<NodeId> names;
        for (Host host = 0; host < world_.hosts(); ++host) {
            names.push_back(world_.id(host));
            world_.start(host);
        }
        member_.emplace(malice, world_.id(hostile), names, world_.prng());
        REQUIRE(world_.run_until([&] { return all_alive(); }, seconds(20)));
        world_.run_for(seconds(3));
        losses_.clear();
    }

    void on_output(Host host, const Output& output) override {
        if (host == hostile_) {
            return;
        }
        if (const auto* alert = std::get_if<AlertEvent>(&output)) {
            told_[host][alert->alert.alert] += 1;
        } else if (const auto* event = std::get_if<NodeEvent>(&output)) {
            const bool is_loss = event->kind == NodeEventKind::Offline ||
                                 event->kind == NodeEventKind::Unreachable ||
                                 event->kind == NodeEventKind::Left ||
                                 event->kind == NodeEventKind::Isolated;
            if (is_loss && is_honest(event->node)) {
                losses_.push_back(std::string(event->node.text()) + " at " +
                                  std::string(world_.id(host).text()));
            }
        }
    }
    void on_violation(std::string what) override { violations_.push_back(std::move(what)); }

    /// Five seconds of it, in which all raise alerts.
    void attack() {
        world_.set_tap([&](Delivery& delivery) {
            if (delivery.source == hostile_ && is_session(delivery.bytes)) {
                for (const EncodedMessage& item : member_->items()) {
                    delivery.bytes = with_extra_item(delivery.bytes, item.kind, item.bytes);
                }
                ++said_;
            }
            return true;
        });
        for (int step = 0; step < 250; ++step) {
            static_cast<void>(world_.raise(hostile_));
            if (step % 25 == 0) {
                raise_all();
            }
            world_.run_for(milliseconds(20));
        }
        world_.set_tap({});
        CHECK(said_ > 250);
    }
    /// What the others may hold by then, and that they know of each other.
    void check_bounds() {
        world_.run_for(seconds(5));
        for_honest([&](Host host) {
            const StatusView status = world_.node(host).status(world_.now(host));
            CHECK(status.nodes_known <= limits::kNodesMax);
            CHECK(status.store.memory <= kStoreBytesMax + (std::size_t{64} << 20));
            std::size_t of_hostile = 0;
            for (const AlertView& alert : world_.node(host).alerts(world_.now(host))) {
                of_hostile += alert.source == world_.id(hostile_) ? 1 : 0;
            }
            CHECK(of_hostile <= 2 * limits::kAlertsPerAuthorMax);
        });
        check_told();
    }
    /// Once it is gone: the others are quiet, agree where `agree`, and tell each other everything.
    void check_recovered(bool agree) {
        world_.crash(hostile_);
        world_.run_for(minutes(6));
        const std::uint64_t before = world_.network().figures().sent;
        std::size_t links = 0;
        for_honest([&](Host host) { links += world_.node(host).peers(world_.now(host)).size(); });
        world_.run_for(seconds(10));
        CHECK(static_cast<double>(world_.network().figures().sent - before) <
              10 * kIdlePerLinkMax * static_cast<double>(links));
        raise_all();
        world_.run_for(seconds(5));
        check_told();
        std::optional<DigestHashes> hashes;
        for_honest([&](Host host) {
            const DigestHashes mine = world_.node(host).status(world_.now(host)).store.hashes;
            CHECK((!agree || !hashes || *hashes == mine));
            hashes = mine;
        });
    }

  private:
    bool is_honest(const NodeId& node) const {
        for (Host host = 0; host < world_.hosts(); ++host) {
            if (host != hostile_ && world_.id(host) == node) {
                return true;
            }
        }
        return false;
    }
    template <class Do>
    void for_honest(const Do& act) {
        for (Host host = 0; host < world_.hosts(); ++host) {
            if (host != hostile_) {
                CAPTURE(host);
                act(host);
            }
        }
    }
    bool all_alive() const {
        for (Host host = 0; host < world_.hosts(); ++host) {
            if (world_.node(host).status(world_.now(host)).nodes_alive != world_.hosts()) {
                return false;
            }
        }
        return true;
    }
    void raise_all() {
        for_honest([&](Host host) {
            const std::string document = R"({"honest":)" + std::to_string(raised_.size()) + "}";
            REQUIRE(world_.command(host, RaiseAlert{document, Priority::High}));
            raised_.emplace(document, host);
        });
    }
    void check_told() {
        CHECK(violations_.empty());
        CHECK(losses_.empty());
        for_honest([&](Host host) {
            for (const auto& [document, by] : raised_) {
                const std::string& text = document;
                if (by != host && told_[host][text] != 1) {
                    CAPTURE(text);
                    CHECK(told_[host][text] == 1);
                }
            }
            for (Host other = 0; other < world_.hosts(); ++other) {
                if (other != hostile_) {
                    const auto view = world_.node(host).node(world_.now(host), world_.id(other));
                    REQUIRE(view);
                    CHECK(view->status == NodeStatus::Alive);
                }
            }
        });
    }

    World world_;
    Host hostile_;
    std::optional<Member> member_;
    std::uint64_t said_ = 0;
    std::map<std::string, Host> raised_;
    std::map<Host, std::map<std::string, int>> told_;
    std::vector<std::string> losses_;
    std::vector<std::string> violations_;
};

/// In a mesh of all, and in a line whose end it is.
void besiege(std::uint64_t seed, Malice malice, bool agree) {
    for (const bool is_lan : {true, false}) {
        CAPTURE(is_lan);
        Siege siege(seed, is_lan ? lan(5) : line(5), is_lan ? 2 : 4, malice);
        siege.attack();
        siege.check_bounds();
        siege.check_recovered(agree);
    }
}

}  // namespace

TEST_CASE("member: 64 KiB of nested JSON, over and over") {
    besiege(9101, Malice::NestedJson, true);
}

TEST_CASE("member: counters and clocks that leap, in its own and in others' names") {
    besiege(9102, Malice::Leaps, false);
}

TEST_CASE("member: a topology of thousands that are not there") {
    besiege(9103, Malice::Topologies, false);
}

TEST_CASE("member: hashes, digests and announcements that lie") {
    besiege(9104, Malice::Lies, true);
}

TEST_CASE("member: more alerts, entries and values than it may have") {
    besiege(9105, Malice::Hoard, false);
}

TEST_CASE("member: everything at once") {
    besiege(9106, Malice::All, false);
}

}  // namespace meshd::sim

// SPDX-License-Identifier: Apache-2.0
/// \file
/// Random writes, restarts, clock jumps and crashes on a few stores that exchange pushes and deltas
/// with loss, duplication and reordering; then an exchange without faults, after which all agree.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "proto/base/prng.h"
#include "tests/proto/store/store_support.h"

using namespace meshd;
using namespace meshd::test;

namespace {

struct InFlight {
    std::size_t to = 0;
    /// A push where `after` is set, else an encoded delta.
    std::optional<std::uint64_t> after;
    Buffer bytes;
};

struct Box {
    NodeId name;
    std::unique_ptr<Store> store;  ///< none after a crash for good
    std::int64_t skew_ms = 0;
    std::set<std::string> alerts_seen;  ///< since its start
};

class Swarm {
  public:
    explicit Swarm(unsigned seed)
        : prng_(Entropy{static_cast<std::uint8_t>(seed), static_cast<std::uint8_t>(seed >> 8)}) {
        const std::size_t size = 3 + prng_.below(3);
        for (std::size_t i = 0; i < size; ++i) {
            boxes_.push_back({id("box-" + std::to_string(i)), nullptr, 0, {}});
            names_.push_back(boxes_.back().name);
            start(i);
        }
    }

    void run(int steps) {
        for (int i = 0; i < steps; ++i) {
            step();
            check_coverage();
            ms_ += static_cast<std::int64_t>(prng_.below(50));
        }
        // What is still under way arrives at last, or never.
        while (!in_flight_.empty()) {
            deliver();
        }
    }

    /// Exchanges without faults until nobody lacks anything; false where that does not end.
    bool settle() {
        for (int round = 0; round < 20; ++round) {
            bool is_quiet = true;
            for (std::size_t to = 0; to < boxes_.size(); ++to) {
                for (std::size_t from = 0; from < boxes_.size(); ++from) {
                    if (to == from || !boxes_[to].store || !boxes_[from].store) {
                        continue;
                    }
                    is_quiet =
                        is_quiet && boxes_[to].store->missing(boxes_[from].store->digest()).empty();
                    pull_all(*boxes_[to].store, *boxes_[from].store, ms_);
                    look_after(to);
                    check_coverage();
                }
            }
            if (is_quiet) {
                return true;
            }
        }
        return false;
    }

    void check_agreement() const {
        const Store* first = nullptr;
        for (const Box& box : boxes_) {
            if (!box.store) {
                continue;
            }
            CHECK(box.store->hashes().coverage == hashes_from_scratch(*box.store, {}).coverage);
            CHECK(box.store->counts().refused() == 0);
            if (first == nullptr) {
                first = box.store.get();
                continue;
            }
            CHECK(box.store->hashes() == first->hashes());
            CHECK(box.store->nodes() == first->nodes());
            CHECK(box.store->records() == first->records());
            CHECK(box.store->bytes() == first->bytes());
            for (const NodeId& name : names_) {
                CHECK(bytes_of(box.store->node_record(name)) == bytes_of(first->node_record(name)));
                CHECK(bytes_of(box.store->state_record(name)) ==
                      bytes_of(first->state_record(name)));
            }
            const auto alerts = test::alerts_of(*box.store);
            const auto expected = test::alerts_of(*first);
            REQUIRE(alerts.size() == expected.size());
            for (std::size_t i = 0; i < alerts.size(); ++i) {
                CHECK(as_text(alerts[i]->record.bytes) == as_text(expected[i]->record.bytes));
            }
        }
    }

    /// A covered state record is held, or a later one of its stream: at every moment, since the
    /// node that told of it may be gone in the next.
    void check_coverage() const {
        for (const Box& box : boxes_) {
            if (!box.store) {
                continue;
            }
            for (const StreamIntervals& stream : box.store->digest()) {
                const auto written = states_written_.find(stream.stream);
                if (written == states_written_.end()) {
                    continue;
                }
                IntervalSet covered;
                for (const Interval& interval : stream.intervals) {
                    covered.insert(interval);
                }
                const HeldRecord* state = box.store->state_record(stream.author);
                const bool is_proven =
                    std::all_of(written->second.begin(), written->second.end(), [&](auto counter) {
                        return !covered.contains(counter) ||
                               (state != nullptr && (state->record.header.stream != stream.stream ||
                                                     state->record.header.counter >= counter));
                    });
                if (!is_proven) {
                    FAIL("covered without its record: ", print_hex(stream.stream.value));
                }
            }
        }
    }

    /// Every living box's own node record is the one that all hold.
    void check_own_records() const {
        for (const Box& box : boxes_) {
            if (box.store) {
                CHECK(box.store->node_record(box.name) != nullptr);
                CHECK(box.store->node_record(box.name)->record.header.author == box.name);
                CHECK_FALSE(box.store->own_records_outdated());
                CHECK_FALSE(box.store->own_stream_overtaken());
            }
        }
    }

  private:
    static Buffer bytes_of(const HeldRecord* held) {
        return held == nullptr ? Buffer{} : test::bytes_of(*held);
    }

    Now now_of(const Box& box) const { return now(ms_, box.skew_ms); }

    void start(std::size_t index) {
        Box& box = boxes_[index];
        box.store = std::make_unique<Store>(
            Store::Options{box.name, StreamId{prng_.next()}, StreamId{prng_.next()}});
        box.alerts_seen.clear();
        // Answers to a former start do not reach this one: its sessions are gone.
        std::erase_if(in_flight_, [&](const InFlight& message) {
            return message.to == index && !message.after;
        });
        constexpr std::int64_t kHour = 3'600'000;
        box.skew_ms = prng_.below(4) == 0
                          ? -kWallStart
                          : static_cast<std::int64_t>(prng_.below(kHour)) - kHour / 2;
        push(index, box.store->write_node(now_of(box), node_data()));
        push(index, box.store->write_state(now_of(box), {}));
    }

    void push(std::size_t from, const HeldRecord& held) {
        if (held.record.state) {
            states_written_[held.record.header.stream].insert(held.record.header.counter);
        }
        for (std::size_t to = 0; to < boxes_.size(); ++to) {
            if (to != from && prng_.below(10) < 7) {
                in_flight_.push_back({to, held.covers_after(), test::bytes_of(held)});
            }
        }
    }

    /// What the owner of a store does after each change.
    void look_after(std::size_t index) {
        Box& box = boxes_[index];
        if (box.store->own_records_outdated()) {
            box.store->rewrite_own_records(now_of(box));
            push(index, *box.store->node_record(box.name));
            push(index, *box.store->state_record(box.name));
        }
    }

    void applied(std::size_t index, const ApplyResult& result) {
        if (result.outcome != Applied::New) {
            return;
        }
        if (result.held->record.alert) {
            CHECK(boxes_[index]
                      .alerts_seen.insert(print_alert_id(result.held->record.header))
                      .second);
        }
        if (prng_.below(3) == 0) {
            push(index, *result.held);
        }
    }

    void deliver() {
        const std::size_t pick = prng_.below(in_flight_.size());
        const InFlight message = in_flight_[pick];
        if (prng_.below(8) != 0) {  // else it comes again
            in_flight_[pick] = in_flight_.back();
            in_flight_.pop_back();
        }
        Box& box = boxes_[message.to];
        if (!box.store || prng_.below(5) == 0) {
            return;
        }
        if (message.after) {
            applied(message.to, box.store->apply(at(ms_), message.bytes, *message.after, {}));
        } else {
            const auto delta = decode_message(MessageKind::Delta, message.bytes);
            box.store->apply_delta(at(ms_), std::get<Delta>(delta.value()),
                                   [&](const DeltaRecord&, const ApplyResult& result, RecordKind) {
                                       applied(message.to, result);
                                   });
        }
        look_after(message.to);
    }

    void ask(std::size_t to, std::size_t from) {
        const Pull pull{boxes_[to].store->missing(boxes_[from].store->digest())};
        for (const Delta& delta : boxes_[from].store->deltas(at(ms_), pull, 1 + prng_.below(3))) {
            in_flight_.push_back({to, {}, encode_message(Message(delta)).bytes});
        }
    }

    void step() {
        const std::size_t index = prng_.below(boxes_.size());
        const std::size_t other = prng_.below(boxes_.size());
        Box& box = boxes_[index];
        if (!box.store) {
            return;
        }
        const std::uint64_t action = prng_.below(100);
        if (action < 45) {
            for (int i = 0; i < 3 && !in_flight_.empty(); ++i) {
                deliver();
            }
        } else if (action < 60) {
            if (other != index && boxes_[other].store) {
                ask(index, other);
            }
        } else if (action < 70) {
            push(index, box.store->write_node(now_of(box), node_data()));
        } else if (action < 82) {
            push(index, box.store->write_state(
                            now_of(box),
                            {Activity::Idle, "{\"n\":" + std::to_string(prng_.next()) + "}"}));
        } else if (action < 94) {
            AlertData data;
            data.priority = static_cast<Priority>(prng_.below(4));
            push(index, box.store->write_alert(now_of(box), data, 0));
        } else if (action < 97) {
            box.skew_ms += static_cast<std::int64_t>(prng_.below(20'000)) - 10'000;
        } else if (action < 99) {
            start(index);
        } else if (prng_.below(3) == 0 && living() > 2) {
            box.store.reset();
        }
    }

    std::size_t living() const {
        std::size_t count = 0;
        for (const Box& box : boxes_) {
            count += box.store ? 1 : 0;
        }
        return count;
    }

    Prng prng_;
    std::vector<Box> boxes_;
    std::vector<NodeId> names_;
    std::vector<InFlight> in_flight_;
    std::map<StreamId, std::set<std::uint64_t>> states_written_;
    std::int64_t ms_ = 0;
};

}  // namespace

constexpr unsigned kSeeds = 128;

TEST_CASE("convergence: after any history, stores that exchanged all hold the same") {
    for (unsigned seed = 0; seed < kSeeds; ++seed) {
        CAPTURE(seed);
        Swarm swarm(seed);
        swarm.run(400);
        REQUIRE(swarm.settle());
        swarm.check_agreement();
        swarm.check_own_records();
        // Late traffic on settled stores, and once more.
        swarm.run(60);
        REQUIRE(swarm.settle());
        swarm.check_agreement();
        swarm.check_own_records();
    }
}

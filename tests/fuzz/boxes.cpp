// SPDX-License-Identifier: Apache-2.0
#include "tests/fuzz/boxes.h"

#include <utility>

#include "proto/base/assert.h"
#include "proto/wire/frame.h"
#include "tests/fuzz/views.h"
#include "tests/proto/links/links_support.h"

namespace meshd::fuzz {
namespace {

/// Timeouts in a row that each leave the node asking for another one at once.
constexpr int kTimeoutsMax = 1000;
/// Commits in a row without anything else happening.
constexpr int kCommitsMax = 1000;
/// 2026-07-01: a clock that nodes believe.
constexpr std::int64_t kWallBeginningMs = 1'782'864'000'000;

MeshKey first_key() {
    Prng prng(Entropy{5});
    return make_mesh_key(prng, 1);
}

std::optional<RequestId> request_of(const Output& output) {
    return std::visit(
        [](const auto& value) -> std::optional<RequestId> {
            if constexpr (requires { value.request; }) {
                return value.request;
            } else {
                return std::nullopt;
            }
        },
        output);
}

}  // namespace

Boxes::Boxes(bool is_sealed) : time_(test::at(0)) {
    for (std::size_t i = 0; i < kBoxes; ++i) {
        Box& box = boxes_[i];
        box.options.node_id = test::id(std::string("n") + static_cast<char>('0' + i));
        box.options.instance = InstanceId{i + 1};
        box.options.version = "0.1.0";
        box.config.store_memory_max = std::size_t{1} << 20;
        box.config.own_entries_max = 20;
        if (is_sealed) {
            static_cast<void>(box.options.keyring.add(first_key()));
            box.config.security = SecurityMode::Sealed;
        }
        start(i);
    }
}

Now Boxes::now(std::size_t box) const {
    return {time_,
            WallTime{kWallBeginningMs + to_ms(time_ - test::at(0)) + boxes_[box].wall_offset_ms}};
}

Endpoint Boxes::address(std::size_t box) const {
    return test::box(static_cast<std::uint8_t>(box + 1));
}

void Boxes::start(std::size_t i) {
    Box& box = boxes_[i];
    box.asked.clear();
    box.told.clear();
    box.questions.clear();
    box.writing.reset();
    box.starts = static_cast<std::uint8_t>(box.starts + 1);
    box.options.entropy = Entropy{};
    box.options.entropy[0] = static_cast<std::uint8_t>(i + 1);
    box.options.entropy[1] = box.starts;
    box.node.emplace(box.config, box.options, now(i), box.disk.open());
    box.node->handle_addresses(now(i), {address(i)});
    for (const std::string& id : box.durable) {
        MESHD_ASSERT(has_jumped_ || box.node->alert(now(i), id).has_value());
    }
    pump(i);
}

void Boxes::restart(std::size_t i, bool is_wiped, bool has_written) {
    Box& box = boxes_[i];
    if (box.writing && has_written) {
        static_cast<void>(commit(box, *box.writing));
    }
    if (is_wiped) {
        box.disk = {};
        box.durable.clear();
        box.options.instance.value += kBoxes;
    }
    start(i);
}

void Boxes::command(std::size_t i, Command command) {
    Box& box = boxes_[i];
    const bool has_answer = !std::holds_alternative<ServeSearches>(command) &&
                            !std::holds_alternative<AnswerSearch>(command);
    const auto request = box.node->handle_command(now(i), std::move(command));
    if (request && has_answer) {
        MESHD_ASSERT(box.asked.insert(*request).second);
    }
    pump(i);
}

void Boxes::jump_wall_clock(std::size_t box, std::int64_t ms) {
    boxes_[box].wall_offset_ms += ms;
    // Of three clocks that disagree one may be the mesh's time: after a restart it tells a node
    // that it was without power for days, and what lives for a day is gone.
    has_jumped_ = true;
}

void Boxes::set_addresses(std::size_t box, bool has_second) {
    std::vector<Endpoint> addresses{address(box)};
    if (has_second) {
        addresses.push_back(ipv4_endpoint({10, 0, 1, static_cast<std::uint8_t>(box + 1)}, 9999, 2));
    }
    node(box).handle_addresses(now(box), std::move(addresses));
    pump(box);
}

void Boxes::set_security(std::size_t i, SecurityMode mode, const Keyring& ring) {
    boxes_[i].config.security = mode;
    boxes_[i].options.keyring = ring;
    node(i).handle_security(now(i), mode, ring);
    pump(i);
}

PersistResult Boxes::commit(Box& box, const Persist& persist) {
    if (box.fault == 1) {
        return PersistResult::Failed;
    }
    if (std::exchange(box.fault, 0) == 2) {
        const std::uint32_t run = box.disk.run;
        box.disk = {};
        box.disk.run = run;
        box.durable.clear();
        return PersistResult::Lost;
    }
    box.disk.apply(persist);
    return PersistResult::Stored;
}

void Boxes::finish_write(std::size_t i) {
    Box& box = boxes_[i];
    if (box.writing) {
        const Persist persist = *std::exchange(box.writing, std::nullopt);
        box.node->handle_persisted(now(i), persist.token, commit(box, persist));
        pump(i);
    }
}

void Boxes::send(std::size_t from, const Transmit& transmit) {
    MESHD_ASSERT(!transmit.bytes.empty());
    MESHD_ASSERT(transmit.bytes.size() <= boxes_[from].config.datagram_bytes);
    for (std::size_t to = 0; to < kBoxes; ++to) {
        if (to != from && (transmit.is_beacon || address(to).same_address(transmit.to))) {
            if (wire_.size() == kWireMax) {
                wire_.erase(wire_.begin());
            }
            wire_.push_back({address(from), to, time_ + test::milliseconds(1), transmit.bytes});
        }
    }
}

void Boxes::on_output(std::size_t i, Output output) {
    Box& box = boxes_[i];
    if (const auto request = request_of(output);
        request && !std::holds_alternative<SearchAnswered>(output)) {
        MESHD_ASSERT(box.asked.erase(*request) == 1);
    }
    if (const auto* raised = std::get_if<AlertRaised>(&output);
        raised != nullptr && raised->is_durable && !raised->is_repeated) {
        box.durable.insert(raised->id);
    } else if (const auto* event = std::get_if<AlertEvent>(&output)) {
        MESHD_ASSERT(box.told.insert(event->alert.id).second);
    } else if (auto* scan = std::get_if<ScanWanted>(&output)) {
        scans_.push_back({i, box.starts, std::move(*scan)});
    } else if (auto* wanted = std::get_if<KeyringWanted>(&output)) {
        set_security(i, box.config.security, Keyring(wanted->ring));
    } else if (const auto* question = std::get_if<SearchRequested>(&output)) {
        box.questions.push_back(question->ticket);
    }
}

void Boxes::pump(std::size_t i) {
    Box& box = boxes_[i];
    for (int commits = 0;; ++commits) {
        MESHD_ASSERT(commits < kCommitsMax);
        while (const auto transmit = box.node->poll_transmit()) {
            send(i, *transmit);
        }
        while (auto output = box.node->poll_output()) {
            on_output(i, std::move(*output));
        }
        if (box.writing) {
            return;
        }
        box.writing = box.node->poll_persist();
        if (!box.writing || box.is_slow) {
            return;
        }
        const Persist persist = *std::exchange(box.writing, std::nullopt);
        box.node->handle_persisted(now(i), persist.token, commit(box, persist));
    }
}

void Boxes::hand_in(const Datagram& datagram) {
    node(datagram.to).handle_datagram(now(datagram.to), datagram.from, datagram.bytes);
    pump(datagram.to);
}

void Boxes::deliver(std::size_t index) {
    if (index < wire_.size()) {
        const Datagram datagram = std::move(wire_[index]);
        lose(index);
        hand_in(datagram);
    }
}

void Boxes::lose(std::size_t index) {
    if (index < wire_.size()) {
        wire_.erase(wire_.begin() + static_cast<std::ptrdiff_t>(index));
    }
}

void Boxes::repeat(std::size_t index) {
    if (index < wire_.size()) {
        hand_in(Datagram(wire_[index]));
    }
}

void Boxes::tamper(std::size_t index, std::size_t at, std::uint8_t with) {
    if (index >= wire_.size()) {
        return;
    }
    Datagram datagram = wire_[index];
    lose(index);
    const auto opened = open_datagram(datagram.bytes);
    if (!opened) {
        // Sealed: nothing gets behind the tag.
        datagram.bytes[at % datagram.bytes.size()] ^= with;
        return hand_in(datagram);
    }
    // Open: the tag is made good, so that the change arrives.
    Prng prng(Entropy{9});
    DatagramBuilder builder(opened->header, limits::kDatagramBytesMax, &prng);
    for (const Item& item : opened->items) {
        EncodedMessage message{item.kind, to_buffer(item.bytes)};
        if (at < message.bytes.size()) {
            message.bytes[at] ^= with;
        }
        at -= std::min(at, message.bytes.size());
        builder.add(message);
    }
    datagram.bytes = std::move(builder).finish();
    hand_in(datagram);
}

void Boxes::finish_scan() {
    if (scans_.empty()) {
        return;
    }
    const Scan scan = std::move(scans_.back());
    scans_.pop_back();
    if (boxes_[scan.box].starts == scan.start) {
        node(scan.box).handle_scan_done(now(scan.box), scan.wanted.ticket,
                                        scan.wanted.search.run());
        pump(scan.box);
    }
}

void Boxes::answer_search(std::size_t i, std::string results) {
    if (!boxes_[i].questions.empty()) {
        const SearchTicket ticket = boxes_[i].questions.back();
        boxes_[i].questions.pop_back();
        command(i, AnswerSearch{ticket, std::move(results)});
    }
}

void Boxes::pass(Duration duration, bool is_cut) {
    const TimePoint end = time_ + duration;
    for (int timeouts = 0; timeouts < kTimeoutsMax;) {
        TimePoint next = end;
        for (const Box& box : boxes_) {
            next = std::min(next, box.node->next_timeout().value_or(end));
        }
        const bool has_arrival = !is_cut && !wire_.empty() && wire_.front().due <= next;
        next = std::max(time_, has_arrival ? wire_.front().due : next);
        timeouts = next > time_ || has_arrival ? 0 : timeouts + 1;
        if (next >= end && !has_arrival && next > time_) {
            time_ = end;
            return;
        }
        time_ = next;
        if (has_arrival) {
            deliver(0);
        } else if (time_ == end) {
            return;
        }
        for (std::size_t i = 0; i < kBoxes; ++i) {
            if (const auto at = node(i).next_timeout(); at && *at <= time_) {
                node(i).handle_timeout(now(i));
                pump(i);
            }
        }
    }
    // A node asks for one timeout after the other, and nothing happens.
    MESHD_ASSERT(false);
}

void Boxes::look() const {
    for (std::size_t i = 0; i < kBoxes; ++i) {
        look_at(*boxes_[i].node, now(i));
    }
}

}  // namespace meshd::fuzz

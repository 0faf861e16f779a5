// SPDX-License-Identifier: Apache-2.0
// A node and a hostile member of its mesh: whatever that one sends, sealed and shaken hands as it
// should be, costs a counter, or is an ordinary message.
#include "tests/fuzz/datagrams.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/peer.h"
#include "tests/fuzz/views.h"

using namespace meshd;
using fuzz::DatagramStep;

namespace {

constexpr int kStepsMax = 64;
/// Timeouts in a row that each leave the node asking for another one at once.
constexpr int kTimeoutsMax = 1000;

MeshKey mesh_key() {
    Prng prng(Entropy{5});
    return make_mesh_key(prng, 1);
}

struct Meeting {
    Now now{test::at(0), WallTime{1'700'000'000'000}};
    Endpoint address = test::box(fuzz::kNodeNumber);
    Keyring ring;
    std::optional<Node> node;
    std::optional<fuzz::Peer> peer;

    explicit Meeting(bool is_sealed) {
        if (is_sealed) {
            static_cast<void>(ring.add(mesh_key()));
        }
        NodeOptions options = fuzz::options_of(fuzz::kNodeNumber);
        options.keyring = ring;
        Config config;
        config.security = is_sealed ? SecurityMode::Sealed : SecurityMode::Open;
        config.store_memory_max = 1 << 20;
        Restored disk;
        disk.has_disk = true;
        node.emplace(config, options, now, disk);
        node->handle_addresses(now, {address});
        peer.emplace(*node, ring, fuzz::peer_identity(), test::box(fuzz::kPeerNumber),
                     config.mesh_name);
        drain();
        MESHD_ASSERT(link());
        drain();
    }

    bool link() {
        const Identity to{node->id(), InstanceId{fuzz::kNodeNumber}, node->status(now).start};
        return peer->link(now, to, address);
    }

    void drain() {
        peer->drain(now);
        while (const auto output = node->poll_output()) {
            if (const auto* wanted = std::get_if<ScanWanted>(&*output)) {
                node->handle_scan_done(now, wanted->ticket, wanted->search.run());
            } else if (const auto* ring_wanted = std::get_if<KeyringWanted>(&*output)) {
                // The peer goes on under the key it has: the node must bear with that.
                node->handle_security(now, node->config().security, Keyring(ring_wanted->ring));
            }
        }
        while (const auto persist = node->poll_persist()) {
            node->handle_persisted(now, persist->token, PersistResult::Stored);
        }
        if (const auto transmit = node->poll_transmit()) {
            peer->drain(now);
        }
    }

    void pass(Duration duration) {
        const TimePoint end = now.monotonic + duration;
        for (int timeouts = 0; node->next_timeout() && *node->next_timeout() <= end;) {
            const TimePoint due = *node->next_timeout();
            timeouts = due > now.monotonic ? 0 : timeouts + 1;
            MESHD_ASSERT(timeouts < kTimeoutsMax);
            advance(std::max(due, now.monotonic));
            node->handle_timeout(now);
            drain();
        }
        advance(end);
    }
    void advance(TimePoint to) {
        now.wall.ms += to_ms(to - now.monotonic);
        now.monotonic = to;
    }
};

std::vector<EncodedMessage> read_items(fuzz::Input& input) {
    std::vector<EncodedMessage> items(1 + input.below(4));
    for (EncodedMessage& item : items) {
        item.kind = static_cast<MessageKind>(input.byte());
        const Bytes text = input.field();
        append_big_endian<3>(item.bytes, text.size());
        append(item.bytes, text);
        append(item.bytes, input.field());
    }
    return items;
}

void step(Meeting& meeting, fuzz::Input& input) {
    const Now now = meeting.now;
    switch (
        static_cast<DatagramStep>(input.below(static_cast<std::size_t>(DatagramStep::kCount)))) {
        case DatagramStep::Session:
            return meeting.peer->send(now, read_items(input));
        case DatagramStep::Outside:
            return meeting.peer->send_outside(now, read_items(input));
        case DatagramStep::Unsealed:
            return meeting.peer->send_outside(now, read_items(input), false);
        case DatagramStep::Content: {
            const auto kind = static_cast<MessageKind>(input.byte());
            return meeting.peer->send(now, {{kind, to_buffer(input.field())}}, 3);
        }
        case DatagramStep::Raw:
            return meeting.node->handle_datagram(now, test::box(fuzz::kPeerNumber), input.field());
        case DatagramStep::Pass: {
            const std::int64_t root = input.byte();
            return meeting.pass(std::chrono::milliseconds(root * root));
        }
        case DatagramStep::Relink:
            static_cast<void>(meeting.link());
            return;
        case DatagramStep::Command:
            static_cast<void>(
                meeting.node->handle_command(now, RaiseAlert{"{}", Priority::High, {}}));
            static_cast<void>(
                meeting.node->handle_command(now, UpdateShared{R"({"door":"open"})"}));
            return;
        case DatagramStep::kCount:
            return;
    }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Input input(data, size);
    Meeting meeting(input.flag());
    for (int i = 0; i < kStepsMax && !input.empty(); ++i) {
        step(meeting, input);
        meeting.drain();
    }
    fuzz::look_at(*meeting.node, meeting.now);
    meeting.pass(std::chrono::seconds(10));
    fuzz::look_at(*meeting.node, meeting.now);
    return 0;
}

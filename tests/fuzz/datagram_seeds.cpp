// SPDX-License-Identifier: Apache-2.0
// Writes seeds for the target of datagrams: what one real node says to another while all that a
// mesh is for goes on, taken apart into items. Usage: datagram_seeds DIRECTORY
#include <cstdio>
#include <fstream>
#include <map>
#include <string>

#include "proto/base/assert.h"
#include "proto/wire/frame.h"
#include "tests/fuzz/datagrams.h"
#include "tests/proto/links/node_pipe.h"

using namespace meshd;
using fuzz::DatagramStep;

namespace {

constexpr std::size_t kPerKindMax = 3;
constexpr std::size_t kStepsPerFile = 12;

void add_field(Buffer& to, Bytes bytes) {
    append_big_endian<2>(to, bytes.size());
    append(to, bytes);
}

/// One step of one item.
Buffer step_of(DatagramStep step, const Item& item) {
    Buffer bytes{static_cast<std::uint8_t>(step), 0, static_cast<std::uint8_t>(item.kind)};
    const auto json = static_cast<std::size_t>(load_big_endian<3>(item.bytes.data()));
    add_field(bytes, item.bytes.subspan(3, json));
    add_field(bytes, item.bytes.subspan(3 + json));
    return bytes;
}

void live(test::NodePipe& pipe) {
    for (const std::uint8_t number : {fuzz::kNodeNumber, fuzz::kPeerNumber}) {
        pipe.start(number, fuzz::options_of(number), Config{});
    }
    const std::uint8_t b = fuzz::kPeerNumber;
    MESHD_ASSERT(pipe.run_until(test::seconds(5),
                                [&] { return pipe.node(b).status(pipe.now()).nodes_alive == 2; }));
    const NodeId a = test::id("a");
    EntryPut entry;
    entry.hash = "a1b2";
    entry.type = "face";
    entry.space = "s";
    entry.embedding = {0, 0x3c, 0, 0};
    const Command commands[] = {
        RaiseAlert{R"({"what":"smoke"})", Priority::Critical, test::seconds(1), "k", 60'000},
        PutEntries{{entry}, true},
        DeleteEntries{"a1b2", {}},
        PutEntries{{entry}, true},
        UpdateShared{R"({"door":"open","lamp":{"on":true}})"},
        UpdateShared{R"({"door":null})"},
        UpdateState{R"({"location":"gate"})", Activity::Idle},
        SendNote{a, R"({"hello":1})"},
        BroadcastNote{"doors", R"({"open":3})"},
        Probe{a, true},
        Search{"hash", R"({"hash":"a1b2"})", {}},
        Search{"embedding", R"({"embedding":{"f16":"ADwAAA=="},"space":"s"})", {}},
        Search{"person", R"({"coat":"red"})", {a}},
        Forget{test::id("c")},
    };
    for (const Command& command : commands) {
        static_cast<void>(pipe.command(b, command));
        pipe.run_for(test::milliseconds(300));
    }
    // A break, and what is said about what was missed.
    pipe.hears = [](auto, auto) { return false; };
    pipe.run_for(test::seconds(4));
    for (int i = 0; i < 40; ++i) {
        entry.hash = "b" + std::to_string(i);
        static_cast<void>(pipe.command(b, PutEntries{{entry}, false}));
        static_cast<void>(pipe.command(fuzz::kNodeNumber, RaiseAlert{"{}"}));
    }
    pipe.hears = [](auto, auto) { return true; };
    pipe.run_for(test::seconds(30));
    static_cast<void>(pipe.command(b, Leave{}));
    pipe.run_for(test::seconds(1));
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
        return 2;
    }
    test::NodePipe pipe;
    live(pipe);
    std::map<std::pair<MessageKind, std::size_t>, std::size_t> seen;
    std::vector<Buffer> steps;
    for (const auto& datagram : pipe.arrived) {
        const auto opened = open_datagram(datagram.bytes);
        if (datagram.to != fuzz::kNodeNumber || !opened) {
            continue;
        }
        for (const Item& item : opened->items) {
            const auto json = static_cast<std::size_t>(load_big_endian<3>(item.bytes.data()));
            const bool is_known = static_cast<int>(item.kind) != 0;
            // Messages of a kind differ by what is in them; their length tells most of it.
            if (is_known && item.bytes.size() < 1000 &&
                ++seen[{item.kind, json / 16}] <= kPerKindMax) {
                const bool is_outside = opened->header.kind == DatagramKind::Outside;
                steps.push_back(
                    step_of(is_outside ? DatagramStep::Outside : DatagramStep::Session, item));
            }
        }
    }
    std::size_t files = 0;
    for (std::size_t first = 0; first < steps.size(); first += kStepsPerFile) {
        Buffer bytes{static_cast<std::uint8_t>(files % 2)};
        for (std::size_t i = first; i < std::min(first + kStepsPerFile, steps.size()); ++i) {
            append(bytes, steps[i]);
            if (i % 4 == 3) {
                append(bytes, Buffer{static_cast<std::uint8_t>(DatagramStep::Pass), 9});
            }
        }
        const std::string path = std::string(argv[1]) + "/life-" + std::to_string(++files);
        std::ofstream(path, std::ios::binary)
            .write(reinterpret_cast<const char*>(bytes.data()),
                   static_cast<std::streamsize>(bytes.size()));
    }
    std::printf("%zu steps in %zu files\n", steps.size(), files);
}

// SPDX-License-Identifier: Apache-2.0
// Sequences of all that can happen to three nodes: commands, time, datagrams lost, repeated, late
// and altered, restarts, disks that fail, clocks that jump, keys that come and go.
#include "tests/fuzz/boxes.h"
#include "tests/fuzz/input.h"

using namespace meshd;

namespace {

constexpr int kStepsMax = 150;
/// Virtual time in all; an alert lives for a day, so that what is durable stays.
constexpr std::chrono::minutes kTimeMax{30};

MeshKey key_of(std::uint8_t seed, std::uint32_t generation) {
    Prng prng(Entropy{seed});
    return make_mesh_key(prng, generation);
}

std::string name_of(std::size_t number) {
    return std::string(1, static_cast<char>('a' + number));
}

NodeId node_of(fuzz::Input& input) {
    return *NodeId::parse("n" + std::to_string(input.below(fuzz::Boxes::kBoxes + 1)));
}

/// JSON as drawn from a few shapes, or as it comes.
std::string document_of(fuzz::Input& input) {
    switch (input.below(6)) {
        case 0:
            return "{}";
        case 1:
            return R"({")" + name_of(input.below(4)) + R"(":)" + std::to_string(input.byte()) + "}";
        case 2:
            return R"({")" + name_of(input.below(4)) + R"(":null,"b":{"c":[1,{}]}})";
        case 3:
            return R"({"text":")" + std::string(16 * input.number<2>() % 70'000, 'x') + R"("})";
        default:
            return std::string(as_text(input.take(input.below(32))));
    }
}

EntryPut entry_of(fuzz::Input& input) {
    EntryPut entry;
    entry.hash = name_of(input.below(8));
    entry.type = name_of(input.below(3));
    const std::size_t kind = input.below(8);
    if (kind == 0) {
        entry.metadata = document_of(input);
    } else if (kind == 1) {
        entry.ttl_ms = std::uint64_t{1} << input.below(32);
    } else if (kind < 4) {
        entry.space = "s";
        entry.embedding.assign(kind == 2 ? 4 : 2 * input.below(8), 0);
        if (!entry.embedding.empty()) {
            entry.embedding[1] = 0x3c;  // 1.0
        }
    }
    return entry;
}

Duration wait_of(fuzz::Input& input) {
    const std::int64_t root = input.byte();
    return std::chrono::milliseconds(root * root);
}

std::string query_of(std::size_t type, fuzz::Input& input) {
    switch (type) {
        case 0:
            return R"({"hash":")" + name_of(input.below(8)) + R"("})";
        case 1:
            return R"({"embedding":{"f16":"ADwAAA=="},"space":"s"})";
        case 2:
            return R"({"metadata":{"a":{"min":1}},"type":"a"})";
        default:
            return document_of(input);
    }
}

Command command_of(fuzz::Input& input) {
    switch (input.below(14)) {
        case 0:
        case 1:
            return RaiseAlert{document_of(input), static_cast<Priority>(input.below(4)),
                              wait_of(input), input.flag() ? name_of(input.below(2)) : ""};
        case 2: {
            PutEntries put;
            for (std::size_t left = 1 + input.below(6); left > 0; --left) {
                put.entries.push_back(entry_of(input));
            }
            put.is_durable = input.flag();
            return put;
        }
        case 3:
            return DeleteEntries{name_of(input.below(8)), input.flag() ? node_of(input) : NodeId()};
        case 4:
            return UpdateShared{document_of(input)};
        case 5:
            return UpdateState{document_of(input), static_cast<Activity>(1 + input.below(4))};
        case 6:
            return Leave{input.flag()};
        case 7:
            return Discover{};
        case 8:
            return Forget{node_of(input)};
        case 9:
            return SendNote{node_of(input), document_of(input), input.flag(), wait_of(input)};
        case 10:
            return BroadcastNote{name_of(input.below(3)), document_of(input)};
        case 11:
            return Probe{node_of(input), input.flag(), wait_of(input)};
        case 12: {
            constexpr std::string_view kTypes[] = {"hash", "embedding", "metadata", "person"};
            const std::size_t type = input.below(4);
            Search search{std::string(kTypes[type]),
                          query_of(type, input),
                          {},
                          wait_of(input),
                          static_cast<std::uint32_t>(input.byte())};
            if (input.flag()) {
                search.nodes.push_back(node_of(input));
            }
            return search;
        }
        default:
            if (input.flag()) {
                return ServeSearches{{"person"}};
            }
            return ServeSearches{};
    }
}

Keyring ring_of(fuzz::Input& input) {
    Keyring ring;
    const std::uint8_t choices = input.byte();
    for (std::uint8_t bit = 0; bit < 3; ++bit) {
        if ((choices >> bit & 1) != 0) {
            // The first one is the mesh's; the third is of another mesh.
            static_cast<void>(ring.add(
                key_of(bit == 2 ? 99 : static_cast<std::uint8_t>(5 + bit), bit == 1 ? 2 : 1)));
        }
    }
    if ((choices & 8U) != 0 && ring.keys.size() > 1) {
        ring.activate(key_id(ring.keys.back()));
    }
    return ring;
}

// Each choice is a statement of its own: compilers differ in the order of a call's arguments, and
// an input must mean the same under all of them.
void restart(fuzz::Boxes& boxes, std::size_t box, fuzz::Input& input) {
    const bool is_wiped = input.below(8) == 0;
    boxes.restart(box, is_wiped, input.flag());
}

void step(fuzz::Boxes& boxes, fuzz::Input& input, Duration& passed) {
    const std::size_t choice = input.below(24);
    const std::size_t box = choice < 16 ? input.below(fuzz::Boxes::kBoxes) : 0;
    switch (choice) {
        case 0:
        case 1:
        case 2:
        case 3:
            return boxes.command(box, command_of(input));
        case 4:
            return restart(boxes, box, input);
        case 5:
            return boxes.set_disk(box, input.below(3));
        case 6:
            return boxes.set_slow(box, input.flag());
        case 7:
        case 8:
            return boxes.finish_write(box);
        case 9: {
            const std::int64_t ms = std::int64_t{1} << input.below(40);
            return boxes.jump_wall_clock(box, input.flag() ? ms : -ms);
        }
        case 10:
            return boxes.set_addresses(box, input.flag());
        case 11: {
            const auto mode = static_cast<SecurityMode>(input.below(3));
            return boxes.set_security(box, mode, ring_of(input));
        }
        case 12:
            return boxes.answer_search(box, input.flag() ? "[{}]" : document_of(input));
        case 13:
            return boxes.finish_scan();
        case 14:
        case 15: {
            const std::size_t index = input.below(8);
            const auto at = static_cast<std::size_t>(input.number<2>() % 2048);
            return boxes.tamper(index, at, input.byte());
        }
        case 16:
            return boxes.lose(input.below(8));
        case 17:
            return boxes.repeat(input.below(8));
        case 18:
            return boxes.deliver(input.below(8));
        default: {
            const Duration duration = wait_of(input) / (choice == 19 ? 100 : 4);
            if (passed + duration < kTimeMax) {
                passed += duration;
                boxes.pass(duration, choice == 20);
            }
        }
    }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Input input(data, size);
    const std::uint8_t how = input.byte();
    fuzz::Boxes boxes((how & 1U) != 0);
    if ((how & 2U) != 0) {
        boxes.pass(std::chrono::seconds(2), false);
    }
    Duration passed{};
    for (int i = 0; i < kStepsMax && !input.empty(); ++i) {
        step(boxes, input, passed);
    }
    boxes.look();
    boxes.pass(std::chrono::seconds(10), false);
    boxes.look();
    return 0;
}

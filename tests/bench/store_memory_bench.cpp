// SPDX-License-Identifier: Apache-2.0
// Memory and time per registry entry in a store: own writes, and the same records applied by
// another store as they come in deltas. Time is the processor's. usage: store_memory_bench
// [ENTRIES]
#include <sodium.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "proto/base/prng.h"
#include "proto/store/embedding.h"
#include "proto/store/store.h"

namespace {

using namespace meshd;

double rss_bytes() {
    std::ifstream statm("/proc/self/statm");
    long size = 0;
    long resident = 0;
    statm >> size >> resident;
    return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

/// Of this process, which has one thread: what others do meanwhile does not count.
double cpu_seconds() {
    timespec spent{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
    return static_cast<double>(spent.tv_sec) + static_cast<double>(spent.tv_nsec) * 1e-9;
}

constexpr Now kNow{TimePoint(std::chrono::hours(1)), WallTime{1'790'000'000'000}};

Store store_of(const char* name, std::uint64_t stream) {
    return Store({*NodeId::parse(name), StreamId{stream}, StreamId{stream + 1}});
}

}  // namespace

int main(int argc, char** argv) {
    if (sodium_init() < 0) {  // picks the fastest BLAKE2b for this processor
        return EXIT_FAILURE;
    }
    const std::size_t entries = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 100'000;
    Prng prng(Entropy{});
    std::vector<double> values(512);
    for (double& value : values) {
        value = static_cast<double>(prng.next() % 2001) - 1000;
    }
    const Buffer embedding = *make_embedding(values);
    RegistryData data;
    data.owner = *NodeId::parse("camera-1");
    data.type = "face";
    data.space = "arcface-512";
    data.dimension = 512;
    data.metadata = "{\"note\":\"" + std::string(188, 'x') + "\"}";

    auto author = std::make_unique<Store>(store_of("camera-1", 0x11));
    const double before_writes = rss_bytes();
    double start = cpu_seconds();
    for (std::size_t i = 0; i < entries; ++i) {
        data.hash = print_hex(prng.next()) + print_hex(prng.next());
        author->write_entry(kNow, data, embedding);
    }
    std::printf(
        "written: %.0f ns and %.0f bytes of memory per entry, of which %.0f are the record\n",
        (cpu_seconds() - start) / static_cast<double>(entries) * 1e9,
        (rss_bytes() - before_writes) / static_cast<double>(entries),
        static_cast<double>(author->bytes()) / static_cast<double>(entries));
    author->take_changes(kNow.monotonic, 0, entries);

    auto replica = store_of("camera-2", 0x21);
    const double before_applying = rss_bytes();
    start = cpu_seconds();
    double packing = 0;
    for (auto wants = replica.missing(author->digest()); !wants.empty();
         wants = replica.missing(wants)) {
        const double packed = cpu_seconds();
        const auto deltas = author->deltas(kNow.monotonic, Pull{wants}, 7);
        packing += cpu_seconds() - packed;
        for (const Delta& delta : deltas) {
            replica.apply_delta(kNow.monotonic, delta,
                                [](const DeltaRecord&, const ApplyResult&, RecordKind) {});
        }
    }
    std::printf("applied: %.0f ns (and %.0f to choose them) and %.0f bytes of memory per entry\n",
                ((cpu_seconds() - start) - packing) / static_cast<double>(entries) * 1e9,
                packing / static_cast<double>(entries) * 1e9,
                (rss_bytes() - before_applying) / static_cast<double>(entries));
    return replica.entry_count() == entries ? EXIT_SUCCESS : EXIT_FAILURE;
}

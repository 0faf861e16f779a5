// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/disk.h"

namespace meshd::sim {

void DiskImage::apply(const Persist& persist) {
    for (const StoredRecord& record : persist.records) {
        if (record.bytes.empty()) {
            records.erase({record.stream, record.counter});
        } else {
            records.insert_or_assign({record.stream, record.counter}, record);
        }
    }
    for (const StoredStream& stream : persist.streams) {
        if (stream.covered.intervals.empty()) {
            streams.erase(stream.covered.stream);
        } else {
            streams.insert_or_assign(stream.covered.stream, stream);
        }
    }
    clock = persist.clock;
}

Restored DiskImage::open() {
    Restored restored;
    restored.has_disk = true;
    restored.run = ++run;
    restored.clock = clock;
    for (const auto& [id, stream] : streams) {
        restored.streams.push_back(stream);
    }
    for (const auto& [place, record] : records) {
        restored.records.push_back(record);
    }
    return restored;
}

}  // namespace meshd::sim

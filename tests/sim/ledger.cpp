// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/ledger.h"

#include <algorithm>
#include <tuple>

namespace meshd::sim {

namespace {

bool are_equal(Bytes a, Bytes b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

std::string place(const StoredRecord& stored) {
    return print_hex(stored.stream.value) + "." + std::to_string(stored.counter);
}

/// What the checkers compare of a record; false where it is none they know.
bool describe(const Record& record, KnownRecord& known) {
    if (record.alert) {
        known.key = print_alert_id(record.header);
        known.value = record.alert->alert;
        known.ttl_ms = record.alert->ttl_ms;
    } else if (record.registry) {
        known.key = entry_key(record.registry->hash(), entry_owner(record));
        known.is_deleted = record.registry->is_deleted;
        known.ttl_ms = record.registry->ttl_ms;
        known.value = known.is_deleted ? "" : decode_registry(record).metadata;
    } else if (record.shared) {
        known.key = shared_key(record.shared->key);
        known.is_deleted = record.shared->is_deleted;
        known.value = record.shared->value;
    } else {
        return false;
    }
    return true;
}

}  // namespace

std::string entry_key(std::string_view hash, const NodeId& owner) {
    return "entry " + std::string(hash) + " of " + owner.text();
}

std::string shared_key(const std::string& key) {
    return "member " + key;
}

bool wins(const KnownRecord& a, const KnownRecord& b) {
    return std::tie(a.header.clock, a.header.stream, a.header.counter) >
           std::tie(b.header.clock, b.header.stream, b.header.counter);
}

Ledger::Ledger(std::size_t hosts, Violation violation)
    : boxes_(hosts), violation_(std::move(violation)) {}

void Ledger::on_start(Host host) {
    Box& box = boxes_[host];
    box.held = box.stored;
    box.restored = box.stored;
}

void Ledger::raise(Newest& newest, const KnownRecord& record) {
    const KnownRecord*& held = newest[record.key];
    if (held == nullptr || wins(record, *held)) {
        held = &record;
    }
}

KnownRecord* Ledger::note(Host host, const StoredRecord& stored, TimePoint now) {
    const auto found = records_.find({stored.stream, stored.counter});
    if (found != records_.end()) {
        KnownRecord& known = found->second;
        // A stub stands for the record of which it is left.
        if (!are_equal(known.bytes, stored.bytes) &&
            !are_equal(without_body(known.bytes), without_body(stored.bytes))) {
            violation_("version " + place(stored) + " has two contents");
        }
        return &known;
    }
    const std::optional<Record> record = decode_record(stored.bytes);
    KnownRecord known;
    if (!record || record->header.stream != stored.stream ||
        record->header.counter != stored.counter) {
        violation_("host " + std::to_string(host) +
                   " writes a record that is none: " + place(stored));
        return nullptr;
    }
    if (!describe(*record, known)) {
        return nullptr;
    }
    known.header = record->header;
    known.bytes = stored.bytes;
    known.since = now;
    known.disks.resize(boxes_.size());
    KnownRecord& kept =
        records_.emplace(std::pair(stored.stream, stored.counter), std::move(known)).first->second;
    if (record->alert) {
        alerts_.push_back(&kept);
    } else {
        keyed_[kept.key].push_back(&kept);
    }
    return &kept;
}

void Ledger::on_persist(Host host, const Persist& persist, TimePoint now) {
    for (const StoredRecord& stored : persist.records) {
        if (stored.bytes.empty()) {
            if (const KnownRecord* known = find(stored.stream, stored.counter)) {
                boxes_[host].dropped.insert(known);
            }
        } else if (const KnownRecord* known = note(host, stored, now)) {
            boxes_[host].dropped.erase(known);
            raise(boxes_[host].held, *known);
        }
    }
}

void Ledger::on_stored(Host host, const Persist& persist) {
    for (const StoredRecord& stored : persist.records) {
        const auto found = records_.find({stored.stream, stored.counter});
        if (found == records_.end()) {
            continue;
        }
        if (stored.bytes.empty()) {
            drop_row(host, found->second);
            continue;
        }
        found->second.disks[host] = true;
        meet(host, found->second);
        raise(boxes_[host].stored, found->second);
        raise(boxes_[host].rows, found->second);
    }
}

void Ledger::drop_row(Host host, KnownRecord& record) {
    Newest& rows = boxes_[host].rows;
    const auto row = rows.find(record.key);
    if (row == rows.end() || row->second != &record) {
        return;
    }
    rows.erase(row);
    if (record.is_deleted || record.ttl_ms != 0) {
        return;  // purged at its time
    }
    const auto found = keyed_.find(record.key);
    record.is_ended = record.is_ended ||
                      (found != keyed_.end() &&
                       std::any_of(found->second.begin(), found->second.end(),
                                   [&](const KnownRecord* other) { return wins(*other, record); }));
}

/// Where the box's disk had the winner until now, or gets it where it had the loser.
void Ledger::meet(Host host, KnownRecord& record) {
    const Box& box = boxes_[host];
    const auto former = box.rows.find(record.key);
    if (former == box.rows.end() || former->second == &record) {
        return;
    }
    const KnownRecord& other = *former->second;
    if (wins(record, other)) {
        records_.at({other.header.stream, other.header.counter}).met_end.insert(host);
    } else if (!box.dropped.contains(&other)) {
        record.met_end.insert(host);
    }
}

void Ledger::on_disk_changed(Host host, const DiskImage& image) {
    for (auto& [place, record] : records_) {
        record.disks[host] = false;
    }
    boxes_[host].stored.clear();
    boxes_[host].rows.clear();
    for (const auto& [place, stored] : image.records) {
        const auto found = records_.find(place);
        if (found != records_.end()) {
            found->second.disks[host] = true;
            raise(boxes_[host].stored, found->second);
            raise(boxes_[host].rows, found->second);
            boxes_[host].dropped.erase(&found->second);
        }
    }
}

const KnownRecord* Ledger::find(StreamId stream, std::uint64_t counter) const {
    const auto found = records_.find({stream, counter});
    return found == records_.end() ? nullptr : &found->second;
}

const KnownRecord* Ledger::find(const std::string& key, const std::string& value) const {
    const KnownRecord* best = nullptr;
    const auto found = keyed_.find(key);
    if (found != keyed_.end()) {
        for (const KnownRecord* record : found->second) {
            if (!record->is_deleted && record->value == value && (!best || wins(*record, *best))) {
                best = record;
            }
        }
    }
    return best;
}

const KnownRecord* Ledger::held(Host host, const std::string& key) const {
    const auto found = boxes_[host].held.find(key);
    return found == boxes_[host].held.end() ? nullptr : found->second;
}

const KnownRecord* Ledger::stored(Host host, const std::string& key) const {
    const auto found = boxes_[host].stored.find(key);
    return found == boxes_[host].stored.end() ? nullptr : found->second;
}

bool Ledger::has_dropped(Host host, const KnownRecord& record) const {
    return boxes_[host].dropped.contains(&record);
}

bool Ledger::was_restored(Host host, const std::string& alert_id) const {
    return boxes_[host].restored.contains(alert_id);
}

}  // namespace meshd::sim

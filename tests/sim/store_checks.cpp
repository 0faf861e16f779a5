// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/store_checks.h"

#include <algorithm>
#include <charconv>
#include <set>

namespace meshd::sim {

namespace {

constexpr std::size_t kPage = 1000;
/// Subscribers are away for every third period of so long.
constexpr Duration kSubscriberPeriod = std::chrono::seconds(11);
/// Looks at a box of which one looks at all its alerts, which takes its time.
constexpr unsigned kLooksPerFullLook = 4;
/// A row that is to go is gone after this, also where the disk was full for long.
constexpr Duration kRemovalMax = std::chrono::seconds(45);
/// Expiry may come so much earlier than by the simulator's clock: ages travel in milliseconds, and
/// add up over hops.
constexpr Duration kExpirySlack = std::chrono::seconds(1);

std::string shorten(const std::string& text) {
    constexpr std::size_t kShown = 80;
    return text.size() <= kShown ? text : text.substr(0, kShown) + "...";
}

/// A tombstone, or an entry that becomes a stub.
bool is_end(const KnownRecord& record) {
    return record.is_deleted || record.ttl_ms != 0;
}

/// "<node_id>.<stream>.<counter>".
std::optional<std::pair<StreamId, std::uint64_t>> parse_alert_id(const std::string& id) {
    const std::size_t dot = id.rfind('.');
    constexpr std::size_t kHex = 16;
    if (dot == std::string::npos || dot < kHex) {
        return std::nullopt;
    }
    const auto stream = parse_hex(std::string_view(id).substr(dot - kHex, kHex));
    std::uint64_t counter = 0;
    std::from_chars(id.data() + dot + 1, id.data() + id.size(), counter);
    return stream ? std::optional(std::pair(StreamId{*stream}, counter)) : std::nullopt;
}

}  // namespace

std::vector<EntryView> all_entries(const Node& node, Now now) {
    std::vector<EntryView> entries;
    EntryFilter filter;
    filter.limit = kPage;
    for (;;) {
        EntryPage page = node.list_entries(now, filter);
        entries.insert(entries.end(), std::make_move_iterator(page.entries.begin()),
                       std::make_move_iterator(page.entries.end()));
        if (page.is_last || page.entries.empty()) {
            return entries;
        }
        filter.after_hash = entries.back().hash;
        filter.after_node = entries.back().node;
    }
}

StoreChecks::StoreChecks(World& world, Ledger::Violation violation)
    : world_(world),
      violation_(violation),
      ledger_(world.hosts(), std::move(violation)),
      boxes_(world.hosts()) {}

void StoreChecks::on_start(Host host) {
    ledger_.on_start(host);
    Box& box = boxes_[host];
    box.put_events.clear();
    box.mortal.clear();
    const StatusView status = world_.node(host).status(world_.now(host));
    // The numbers of a box without a disk begin anew, and those of another disk, which shows as the
    // daemon sees it: a former start's run is not below this one's.
    if (!status.store.has_disk || box.subscriber.cursor() >> 40 >= status.run) {
        box.last_arrival = 0;
        box.subscriber.forget_place();
    }
    const auto held = world_.node(host).alerts(world_.now(host));
    for (const AlertView& alert : held) {
        box.last_arrival = std::max(box.last_arrival, alert.arrival);
    }
    box.subscriber.connect(held);
}

void StoreChecks::on_stop(Host host) {
    boxes_[host].subscriber.disconnect();
}

void StoreChecks::on_persist(Host host, const Persist& persist) {
    ledger_.on_persist(host, persist, world_.time());
}

void StoreChecks::on_stored(Host host, const Persist& persist) {
    ledger_.on_stored(host, persist);
}

void StoreChecks::on_disk_changed(Host host, const DiskImage& image) {
    ledger_.on_disk_changed(host, image);
    if (!world_.is_running(host)) {
        boxes_[host].subscriber.forget_place();
        boxes_[host].last_arrival = 0;
    }
}

void StoreChecks::on_command(Host host, RequestId request, const Command& command) {
    if (const auto* put = std::get_if<PutEntries>(&command)) {
        std::vector<Put> puts;
        for (const EntryPut& entry : put->entries) {
            const std::string key = entry_key(entry.hash, world_.id(host));
            puts.push_back({key, entry.metadata, world_.time()});
            puts_.insert_or_assign(entry.metadata, world_.time());
            ++put_counts_[key];
        }
        waiting_[{host, world_.starts(host), request}] = std::move(puts);
        check_own_put(host, *put);
    } else if (const auto* remove = std::get_if<DeleteEntries>(&command)) {
        check_own_delete(host, *remove);
    }
}

void StoreChecks::check_own_put(Host host, const PutEntries& put) {
    std::map<std::string, const EntryPut*> last;
    for (const EntryPut& entry : put.entries) {
        last[entry.hash] = &entry;
    }
    // What a wiped box wrote before may come back to it between two puts: each ends within it.
    EntryFilter own;
    own.node = world_.id(host);
    own.limit = std::min<std::size_t>(world_.config(host).own_entries_max, 10'000) + 1;
    const EntryPage page = world_.node(host).list_entries(world_.now(host), own);
    if (page.entries.size() > world_.config(host).own_entries_max) {
        violation_(world_.id(host).text() + " has more own entries than its quota");
    }
    if (world_.config(host).own_entries_max < put_counts_.size()) {
        return;  // the oldest of them may be gone at once
    }
    for (const auto& [hash, entry] : last) {
        const auto sightings = world_.node(host).entries(world_.now(host), hash);
        const bool is_shown = std::any_of(
            sightings.begin(), sightings.end(), [&, &put = entry](const EntryView& view) {
                return view.node == world_.id(host) && view.metadata == put->metadata;
            });
        if (!is_shown) {
            violation_(world_.id(host).text() + " does not show its own put of " + hash);
        }
    }
}

void StoreChecks::check_own_delete(Host host, const DeleteEntries& remove) {
    for (const EntryView& view : world_.node(host).entries(world_.now(host), remove.hash)) {
        if (remove.node.empty() || remove.node == view.node) {
            violation_(world_.id(host).text() + " still shows " + entry_key(view.hash, view.node) +
                       ", which it deleted");
        }
    }
}

void StoreChecks::on_output(Host host, const Output& output) {
    if (const auto* put = std::get_if<EntriesPut>(&output)) {
        const auto found = waiting_.find({host, world_.starts(host), put->request});
        if (found != waiting_.end() && put->is_durable) {
            ++durable_answers_;
            for (const Put& entry : found->second) {
                check_durable(host, entry);
            }
        }
    } else if (const auto* raised = std::get_if<AlertRaised>(&output)) {
        if (raised->is_durable) {
            ++durable_answers_;
            const auto place = parse_alert_id(raised->id);
            const KnownRecord* known = place ? ledger_.find(place->first, place->second) : nullptr;
            if (known == nullptr || !known->disks[host]) {
                violation_(world_.id(host).text() + " says that alert " + raised->id +
                           " is durable, which is not on its disk");
            }
        }
    } else if (const auto* told = std::get_if<AlertEvent>(&output)) {
        check_alert(host, told->alert);
    } else if (const auto* event = std::get_if<RegistryEvent>(&output)) {
        if (!event->is_deleted) {
            const std::string key = entry_key(event->hash, event->node);
            if (++boxes_[host].put_events[key] > put_counts_[key] && !may_drop_streams_) {
                violation_(world_.id(host).text() + " tells " + key +
                           " more often than it was put");
            }
        }
    }
}

void StoreChecks::check_durable(Host host, const Put& put) {
    const KnownRecord* itself = ledger_.find(put.key, put.value);
    const KnownRecord* stored = ledger_.stored(host, put.key);
    if (itself != nullptr && itself->disks[host]) {
        return;
    }
    if (itself == nullptr && stored != nullptr && stored->is_deleted) {
        return;  // a tombstone from a clock ahead met it before it was written
    }
    if (stored == nullptr || (stored->value != put.value && stored->since < put.when)) {
        violation_(world_.id(host).text() + " says that " + put.key + " is durable, which is not");
    }
}

void StoreChecks::check_alert(Host host, const AlertView& alert) {
    Box& box = boxes_[host];
    if (alert.arrival <= box.last_arrival) {
        violation_(world_.id(host).text() + " tells alert " + alert.id +
                   " with a place that is not the last");
    }
    box.last_arrival = std::max(box.last_arrival, alert.arrival);
    // What expired is forgotten over a restart; a box that was without power may bring it once
    // more.
    if (alert.ttl_ms == 0 && ledger_.was_restored(host, alert.id)) {
        violation_(world_.id(host).text() + " tells alert " + alert.id +
                   ", which was on its disk, as new");
    }
    box.subscriber.on_alert(alert);
    if (alert.ttl_ms != 0) {
        box.mortal.insert(alert.id);
    }
}

void StoreChecks::check_shown(Host host, const std::string& key, const std::string& value) {
    const KnownRecord* record = ledger_.find(key, value);
    const KnownRecord* held = ledger_.held(host, key);
    const std::tuple which(host, key, value);
    // What made an end of the held one may be purged, and what was written since may have an
    // earlier clock. Records of two sides of a partition that outlasted the tombstone never met:
    // what is not covered where it was purged counts as new.
    const bool may_be_new =
        record && held && (record->since > held->since || !record->met_end.contains(host));
    if (may_drop_streams_ || !record || !held || !wins(*held, *record) ||
        (may_be_new && ledger_.has_dropped(host, *held))) {
        odd_.erase(which);
        return;
    }
    // The row goes from the disk a while later.
    const TimePoint first = odd_.try_emplace(which, world_.time()).first->second;
    if (!may_be_new || world_.time() - first >= kRemovalMax) {
        violation_(world_.id(host).text() + " shows " + key + " as " + shorten(value) +
                   " again, after " + (held->is_deleted ? "its delete" : shorten(held->value)));
    }
}

void StoreChecks::look(Host host) {
    const Node& node = world_.node(host);
    const Now now = world_.now(host);
    const std::string& who = world_.id(host).text();
    for (const EntryView& entry : all_entries(node, now)) {
        check_shown(host, entry_key(entry.hash, entry.node), entry.metadata);
        if (entry.ttl_ms != 0 && entry.age_ms >= entry.ttl_ms + 1000) {
            violation_(who + " shows " + entry_key(entry.hash, entry.node) + " past its ttl");
        }
    }
    for (const SharedView& member : node.shared(now)) {
        check_shown(host, shared_key(member.key), member.value);
    }
    const StoreView store = node.status(now).store;
    // Node and state records enter always.
    constexpr std::size_t kVolatile = std::size_t{64} << 10;
    if (store.memory > world_.config(host).store_memory_max + kVolatile) {
        violation_(who + " holds " + std::to_string(store.memory) + " bytes");
    }
    Box& box = boxes_[host];
    const auto period = static_cast<std::uint64_t>(world_.elapsed() / kSubscriberPeriod);
    if ((period + host) % 3 == 0) {
        box.subscriber.disconnect();
    } else if (!box.subscriber.is_connected()) {
        box.subscriber.connect(node.alerts_after(now, box.subscriber.cursor(), SIZE_MAX));
    }
    // An alert that a subscriber never gets stays one, so that a look at all of them may wait.
    if (++box.looks % kLooksPerFullLook == 0) {
        for (const AlertView& alert : node.alerts(now)) {
            if (box.subscriber.is_connected() && !box.subscriber.has(alert.id)) {
                violation_(who + " holds alert " + alert.id + ", which its subscriber never gets");
            }
            check_age(host, alert);
        }
    }
    for (auto id = box.mortal.begin(); id != box.mortal.end();) {
        const std::optional<AlertView> alert = node.alert(now, *id);
        if (alert) {
            check_age(host, *alert);
        }
        id = alert ? std::next(id) : box.mortal.erase(id);
    }
}

void StoreChecks::check_age(Host host, const AlertView& alert) {
    if (alert.ttl_ms != 0 && alert.age_ms >= alert.ttl_ms + 1000) {
        violation_(world_.id(host).text() + " holds alert " + alert.id + " past its ttl");
    }
}

StoreChecks::Shown StoreChecks::shown(Host host, bool with_ttl) const {
    Shown shown;
    const Now now = world_.now(host);
    for (const EntryView& entry : all_entries(world_.node(host), now)) {
        if (with_ttl || entry.ttl_ms == 0) {
            shown.emplace(entry_key(entry.hash, entry.node), entry.metadata);
        }
    }
    for (const SharedView& member : world_.node(host).shared(now)) {
        shown.emplace(shared_key(member.key), member.value);
    }
    return shown;
}

bool StoreChecks::is_on_disk(const KnownRecord& record, const std::vector<Host>& members) const {
    return std::any_of(members.begin(), members.end(),
                       [&](Host host) { return record.disks[host]; });
}

bool StoreChecks::may_have_expired(const KnownRecord& record) const {
    const auto put = puts_.find(record.value);
    const TimePoint since = put == puts_.end() ? record.since : put->second;
    return record.ttl_ms != 0 &&
           world_.time() - since + kExpirySlack >= std::chrono::milliseconds(record.ttl_ms);
}

/// A dead record no disk holds any more decides only over what was written before it.
bool StoreChecks::is_purged(const KnownRecord& record, const std::vector<Host>& members) const {
    return is_end(record) && std::none_of(members.begin(), members.end(), [&](Host host) {
               return world_.disk(host).image.records.contains(
                   {record.header.stream, record.header.counter});
           });
}

std::string StoreChecks::difference_to_ledger(const std::vector<Host>& members,
                                              const Shown& shown) const {
    const std::string& who = world_.id(members.front()).text();
    for (const auto& [key, records] : ledger_.keyed()) {
        std::vector<const KnownRecord*> kept;
        std::vector<const KnownRecord*> purged;
        for (const KnownRecord* record : records) {
            if (record->is_ended) {
                purged.push_back(record);
            } else if (is_on_disk(*record, members)) {
                (is_purged(*record, members) ? purged : kept).push_back(record);
            }
        }
        const auto is_dead = [&](const KnownRecord& record) {
            return std::any_of(purged.begin(), purged.end(), [&](const KnownRecord* end) {
                return wins(*end, record) && record.since <= end->since && !record.met_end.empty();
            });
        };
        const KnownRecord* required = nullptr;
        for (const KnownRecord* record : kept) {
            if (!is_dead(*record) && (!required || wins(*record, *required))) {
                required = record;
            }
        }
        const auto found = shown.find(key);
        if (found == shown.end()) {
            // A tombstone from a box long away may have met what was written after its purge.
            const bool is_met = required != nullptr && std::any_of(purged.begin(), purged.end(),
                                                                   [&](const KnownRecord* end) {
                                                                       return wins(*end, *required);
                                                                   });
            if (required && !required->is_deleted && !may_have_expired(*required) && !is_met) {
                return who + " lost " + key + ": " + shorten(required->value);
            }
            continue;
        }
        const KnownRecord* record = ledger_.find(key, found->second);
        if (record == nullptr) {
            continue;
        }
        if (is_dead(*record) || (required && wins(*required, *record))) {
            return who + " shows " + key + " as " + shorten(found->second) + " after " +
                   (!required || required->is_deleted ? "its delete" : shorten(required->value));
        }
    }
    return {};
}

std::string StoreChecks::lost_alert(const std::vector<Host>& members) const {
    std::map<NodeId, std::size_t> written;
    for (const KnownRecord* alert : ledger_.alerts()) {
        ++written[alert->header.author];
    }
    const Host host = members.front();
    std::set<std::string> held;
    for (const AlertView& alert : world_.node(host).alerts(world_.now(host))) {
        held.insert(alert.id);
    }
    for (const KnownRecord* alert : ledger_.alerts()) {
        const bool is_kept = alert->ttl_ms == 0 &&
                             written[alert->header.author] <= limits::kAlertsPerAuthorMax &&
                             world_.time() - alert->since < std::chrono::hours(23);
        if (is_kept && is_on_disk(*alert, members) && !held.contains(alert->key)) {
            return world_.id(host).text() + " lost alert " + alert->key;
        }
    }
    return {};
}

std::string StoreChecks::difference(const std::vector<Host>& members) const {
    if (members.empty() || may_drop_streams_) {
        return {};
    }
    const Host first = members.front();
    const Shown expected = shown(first, false);
    for (const Host host : members) {
        const Shown seen = shown(host, false);
        for (const auto& [key, value] : expected) {
            const auto found = seen.find(key);
            if (found == seen.end() || found->second != value) {
                return world_.id(host).text() + " shows " + key + " as " +
                       (found == seen.end() ? "deleted" : shorten(found->second)) + " where " +
                       world_.id(first).text() + " shows " + shorten(value);
            }
        }
        if (seen.size() != expected.size()) {
            return world_.id(host).text() + " shows more entries or members than " +
                   world_.id(first).text();
        }
    }
    if (std::string different = difference_to_ledger(members, shown(first, true));
        !different.empty()) {
        return different;
    }
    return lost_alert(members);
}

}  // namespace meshd::sim

// SPDX-License-Identifier: Apache-2.0
#include "daemon/rpc_events.h"

#include <algorithm>
#include <utility>

#include "daemon/rpc_print.h"
#include "ipc/request.h"

namespace meshd {

namespace {

/// Alerts taken from the store at once: each time it is gone through as a whole. A hundred
/// kilobytes as a rule, 16 MiB where all are as large as can be.
constexpr std::size_t kStoreAlertsMax = 256;
/// Hint to who has too many subscriptions: some must end first.
constexpr std::int64_t kSubscribeRetryMs = 1000;
/// Bits of an alert's place below the number of the process start.
constexpr unsigned kRunShift = 40;

/// Half of a cursor's start is the disk's, half the process's: places of two disks have nothing in
/// common, and a subscriber may have missed the starts of a disk that began anew.
constexpr std::uint64_t kProcessMask = 0xffffffff;

StartId cursor_start(const EventFeed::Process& process) {
    return StartId{(process.instance.value & ~kProcessMask) | (process.start.value & kProcessMask)};
}

bool is_same_disk(StartId a, StartId b) {
    return ((a.value ^ b.value) & ~kProcessMask) == 0;
}

/// The notification's line around `data`.
std::string print_event(std::optional<std::uint64_t> subscription, ipc::EventKind kind,
                        const std::optional<ipc::Cursor>& cursor, std::int64_t timestamp_ms,
                        std::string_view data) {
    std::string params;
    params.reserve(data.size() + 192);
    json::Writer writer(params);
    writer.begin_object().key("subscription");
    subscription ? writer.string(std::to_string(*subscription)) : writer.null();
    writer.member("kind", ipc::event_kind_name(kind)).key("cursor");
    cursor ? writer.string(ipc::print_cursor(*cursor)) : writer.null();
    writer.member("timestamp_ms", timestamp_ms).member_raw("data", data).end_object();
    return ipc::print_notification("event", params) + "\n";
}

std::string print_alert_data(const AlertView& alert, Duration since, bool is_replayed) {
    std::string text;
    json::Writer writer(text);
    writer.begin_object();
    write_alert(writer, alert, static_cast<std::uint64_t>(std::max<std::int64_t>(0, to_ms(since))));
    writer.member("replayed", is_replayed).end_object();
    return text;
}

ipc::Error too_many(std::size_t limit, std::string_view where) {
    ipc::Error error;
    error.code = ipc::ErrorCode::Overloaded;
    error.message =
        "no more than " + std::to_string(limit) + " subscriptions " + std::string(where);
    error.retry_after_ms = kSubscribeRetryMs;
    return error;
}

/// Kinds that are not in the ring.
bool is_told_once(ipc::EventKind kind) {
    return kind == ipc::EventKind::Lagged || kind == ipc::EventKind::SearchRequest ||
           kind == ipc::EventKind::SearchAnswer;
}

bool is_registry_event(ipc::EventKind kind) {
    return kind == ipc::EventKind::RegistryPut || kind == ipc::EventKind::RegistryDeleted;
}

}  // namespace

bool EventFilter::passes(const AlertView& alert) const {
    return kinds.has(ipc::EventKind::Alert) && alert.priority >= priority;
}

bool EventFilter::passes(const Event& event) const {
    if (!kinds.has(event.kind)) {
        return false;
    }
    if (const auto* alert = std::get_if<AlertView>(&event.data)) {
        return passes(*alert) && (!event.is_late || wants_past());
    }
    if (event.kind == ipc::EventKind::Note) {
        return topic.empty() || event.label == topic;
    }
    return entry_type.empty() || event.label.empty() || !is_registry_event(event.kind) ||
           event.label == entry_type;
}

bool EventFilter::wants_more_than_alerts() const {
    for (std::size_t i = 0; i < ipc::kEventKindNames.size(); ++i) {
        const auto kind = static_cast<ipc::EventKind>(i);
        if (kinds.has(kind) && kind != ipc::EventKind::Alert && !is_told_once(kind)) {
            return true;
        }
    }
    return false;
}

EventRing& EventFeed::ring() {
    if (!ring_) {
        const Process process = callbacks_.identity();
        start_ = cursor_start(process);
        run_ = process.run;
        // Below the first alert of this start, and above all of those before.
        ring_.emplace((std::uint64_t{run_} << kRunShift) - 1);
    }
    return *ring_;
}

ipc::Cursor EventFeed::cursor_at(std::uint64_t number) {
    const EventRing& events = ring();
    return {start_, number, events.arrival_at(number)};
}

std::size_t EventFeed::subscriptions_of_user(ClientId client) const {
    std::size_t count = 0;
    for (const auto& [other, subscriptions] : subscriptions_) {
        if (!callbacks_.user_of || callbacks_.user_of(other) == callbacks_.user_of(client)) {
            count += subscriptions.size();
        }
    }
    return count;
}

tl::expected<EventFeed::Subscribed, ipc::Error> EventFeed::subscribe(ClientId client,
                                                                     EventFilter filter) {
    const auto existing = subscriptions_.find(client);
    if (existing != subscriptions_.end() && existing->second.size() >= kSubscriptionsPerClientMax) {
        return tl::unexpected(too_many(kSubscriptionsPerClientMax, "on one connection"));
    }
    if (subscriptions_of_user(client) >= kSubscriptionsPerUserMax) {
        return tl::unexpected(too_many(kSubscriptionsPerUserMax, "of one user"));
    }
    const EventRing& events = ring();
    Subscription subscription;
    subscription.filter = std::move(filter);
    subscription.began = events.newest();
    if (subscription.filter.since) {
        start_since(subscription, *subscription.filter.since);
    } else if (subscription.filter.replay) {
        subscription.seen = {start_, events.floor(), 0};
        subscription.store = StoreSpan{0, events.arrival_at(events.floor())};
        subscription.next = events.oldest();
    } else {
        subscription.seen = cursor_at(events.newest());
    }
    const Subscribed result{++last_name_, subscription.seen};
    subscriptions_[client].emplace(result.name, std::move(subscription));
    return result;
}

void EventFeed::start_since(Subscription& subscription, const ipc::Cursor& since) {
    const EventRing& events = ring();
    const bool is_ours = since.start == start_ && since.number <= events.newest();
    // Places are given in the order of process starts. One of this start or a later one in the
    // cursor of another process means that the disk began anew since, if only its database did.
    const bool is_known = is_ours || (since.start != start_ && is_same_disk(since.start, start_) &&
                                      since.arrival >> kRunShift < run_);
    subscription.seen = since;
    if (is_ours && since.number >= events.floor()) {
        subscription.next = since.number + 1;
        subscription.store = StoreSpan{since.arrival, events.arrival_at(since.number)};
        return;
    }
    subscription.next = events.oldest();
    subscription.store = StoreSpan{is_known ? since.arrival : 0, events.arrival_at(events.floor())};
    subscription.lost_to = {start_, events.floor(), subscription.store->after};
    if (!is_known) {
        subscription.lost_unknown = true;
    } else if (subscription.filter.wants_more_than_alerts()) {
        subscription.lost_unknown = !is_ours;
        subscription.lost = is_ours ? events.floor() - since.number : 0;
    }
}

bool EventFeed::unsubscribe(ClientId client, std::uint64_t name) {
    const auto found = subscriptions_.find(client);
    if (found == subscriptions_.end() || found->second.erase(name) == 0) {
        return false;
    }
    if (found->second.empty()) {
        subscriptions_.erase(found);
    }
    return true;
}

std::size_t EventFeed::listeners(Priority priority) const {
    return static_cast<std::size_t>(
        std::count_if(subscriptions_.begin(), subscriptions_.end(), [&](const auto& client) {
            return std::any_of(client.second.begin(), client.second.end(), [&](const auto& entry) {
                const EventFilter& filter = entry.second.filter;
                return filter.kinds.has(ipc::EventKind::Alert) && priority >= filter.priority;
            });
        }));
}

void EventFeed::publish(Now now, ipc::EventKind kind, std::variant<std::string, AlertView> data,
                        bool is_late, std::string label) {
    Event event;
    event.kind = kind;
    event.at = now;
    event.data = std::move(data);
    event.is_late = is_late;
    event.label = std::move(label);
    const Event& kept = ring().push(std::move(event));
    for (auto& [client, subscriptions] : subscriptions_) {
        for (auto& [name, subscription] : subscriptions) {
            offer(client, name, subscription, kept, now);
        }
    }
}

bool EventFeed::tell(Now now, ClientId client, ipc::EventKind kind, std::string_view data) const {
    const auto found = subscriptions_.find(client);
    if (found != subscriptions_.end()) {
        for (const auto& [name, subscription] : found->second) {
            if (subscription.filter.kinds.has(kind)) {
                return callbacks_.send(
                    client, print_event(name, kind, subscription.seen, now.wall.ms, data));
            }
        }
    }
    return callbacks_.send(client,
                           print_event(std::nullopt, kind, std::nullopt, now.wall.ms, data));
}

void EventFeed::offer(ClientId client, std::uint64_t name, Subscription& subscription,
                      const Event& event, Now now) {
    if (subscription.next) {
        return;  // comes from the ring, in its turn
    }
    if (!subscription.filter.passes(event)) {
        return;
    }
    if (send_lagged(client, name, subscription, now) &&
        send_event(client, name, subscription, event, now)) {
        subscription.seen = {start_, event.number, event.arrival};
    } else if (subscription.filter.wants_past()) {
        subscription.next = event.number;
    } else {
        ++subscription.lost;
        subscription.lost_to = {start_, event.number, event.arrival};
    }
}

bool EventFeed::send_event(ClientId client, std::uint64_t name, const Subscription& subscription,
                           const Event& event, Now now) {
    std::string printed;
    const auto* alert = std::get_if<AlertView>(&event.data);
    if (alert != nullptr) {
        printed = print_alert_data(*alert, now.monotonic - event.at.monotonic,
                                   event.is_late || event.number <= subscription.began);
    }
    return callbacks_.send(
        client, print_event(name, event.kind, ipc::Cursor{start_, event.number, event.arrival},
                            event.at.wall.ms,
                            alert != nullptr ? printed : std::get<std::string>(event.data)));
}

bool EventFeed::send_lagged(ClientId client, std::uint64_t name, Subscription& subscription,
                            Now now) {
    if (subscription.lost == 0 && !subscription.lost_unknown) {
        return true;
    }
    std::string data;
    json::Writer writer(data);
    writer.begin_object().key("lost");
    if (subscription.lost_unknown) {
        writer.null();
    } else {
        writer.unsigned_integer(subscription.lost);
    }
    writer.member("since", ipc::print_cursor(subscription.seen)).end_object();
    if (!callbacks_.send(client, print_event(name, ipc::EventKind::Lagged, subscription.lost_to,
                                             now.wall.ms, data))) {
        return false;
    }
    subscription.seen = subscription.lost_to;
    subscription.lost = 0;
    subscription.lost_unknown = false;
    return true;
}

bool EventFeed::send_store(ClientId client, std::uint64_t name, Subscription& subscription,
                           Now now) {
    if (!subscription.filter.kinds.has(ipc::EventKind::Alert)) {
        subscription.store.reset();
    }
    while (subscription.store && subscription.store->after < subscription.store->last) {
        StoreSpan& span = *subscription.store;
        const auto alerts = callbacks_.alerts_after(now, span.after, kStoreAlertsMax);
        for (const AlertView& alert : alerts) {
            if (alert.arrival > span.last) {
                break;
            }
            if (subscription.filter.passes(alert)) {
                // The place in the ring stays: whoever comes back here is told the rest first.
                const ipc::Cursor cursor{start_, *subscription.next - 1, alert.arrival};
                if (!callbacks_.send(client,
                                     print_event(name, ipc::EventKind::Alert, cursor, now.wall.ms,
                                                 print_alert_data(alert, Duration{}, true)))) {
                    return false;
                }
                subscription.seen = cursor;
            }
            span.after = alert.arrival;
        }
        if (alerts.empty() || alerts.back().arrival >= span.last) {
            span.after = span.last;
        }
    }
    subscription.store.reset();
    return true;
}

void EventFeed::fall_behind_ring(Subscription& subscription) {
    const EventRing& events = ring();
    const std::uint64_t told =
        subscription.store ? subscription.store->after : subscription.seen.arrival;
    subscription.store = StoreSpan{told, events.arrival_at(events.floor())};
    if (subscription.filter.wants_more_than_alerts()) {
        subscription.lost += events.oldest() - *subscription.next;
        subscription.lost_to = {start_, events.floor(), told};
    }
    subscription.next = events.oldest();
}

void EventFeed::catch_up(ClientId client, std::uint64_t name, Subscription& subscription, Now now) {
    const EventRing& events = ring();
    if (subscription.next && *subscription.next < events.oldest()) {
        fall_behind_ring(subscription);
    }
    if (!send_lagged(client, name, subscription, now) ||
        !send_store(client, name, subscription, now)) {
        return;
    }
    while (subscription.next && *subscription.next <= events.newest()) {
        const Event& event = events.at(*subscription.next);
        if (subscription.filter.passes(event)) {
            if (!send_event(client, name, subscription, event, now)) {
                return;
            }
            subscription.seen = {start_, event.number, event.arrival};
        }
        ++*subscription.next;
    }
    subscription.next.reset();
}

void EventFeed::resume(ClientId client, Now now) {
    const auto found = subscriptions_.find(client);
    if (found == subscriptions_.end()) {
        return;
    }
    for (auto& [name, subscription] : found->second) {
        catch_up(client, name, subscription, now);
    }
}

}  // namespace meshd

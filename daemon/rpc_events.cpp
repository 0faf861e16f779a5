// SPDX-License-Identifier: Apache-2.0
#include "daemon/rpc_events.h"

#include <algorithm>
#include <utility>

#include "daemon/rpc_print.h"
#include "ipc/request.h"

namespace meshd {

namespace {

/// Fixed part of an event in memory, roughly.
constexpr std::size_t kEventBytes = 256;

/// The notification's line around `data`.
std::string print_event(std::uint64_t subscription, ipc::EventKind kind, std::uint64_t cursor,
                        std::int64_t timestamp_ms, std::string_view data) {
    std::string params;
    params.reserve(data.size() + 128);
    json::Writer(params)
        .begin_object()
        .member("subscription", std::to_string(subscription))
        .member("kind", ipc::event_kind_name(kind))
        .member("cursor", std::to_string(cursor))
        .member("timestamp_ms", timestamp_ms)
        .member_raw("data", data)
        .end_object();
    return ipc::print_notification("event", params) + "\n";
}

std::string print_alert_data(const AlertView& alert, Duration since, bool is_replayed) {
    AlertView aged = alert;
    aged.age_ms += static_cast<std::uint64_t>(std::max<std::int64_t>(0, to_ms(since)));
    std::string text;
    json::Writer writer(text);
    writer.begin_object();
    write_alert(writer, aged);
    writer.member("replayed", is_replayed).end_object();
    return text;
}

}  // namespace

std::size_t Event::bytes() const {
    if (const auto* text = std::get_if<std::string>(&data)) {
        return kEventBytes + text->size();
    }
    const AlertView& alert = std::get<AlertView>(data);
    return kEventBytes + alert.alert.size() + alert.path.size() * (NodeId::kLengthMax + 1);
}

const Event& EventRing::push(Event event) {
    event.cursor = ++newest_;
    bytes_ += event.bytes();
    events_.push_back(std::move(event));
    // One event always stays, so that what was just published can be told from here.
    while (events_.size() > kEventsMax || (bytes_ > kBytesMax && events_.size() > 1)) {
        bytes_ -= events_.front().bytes();
        events_.pop_front();
    }
    return events_.back();
}

bool EventFilter::passes(const Event& event) const {
    if (!kinds.has(event.kind)) {
        return false;
    }
    const auto* alert = std::get_if<AlertView>(&event.data);
    return alert == nullptr || (alert->priority >= priority && (!event.is_late || wants_past()));
}

EventRing& EventFeed::ring(Now now) {
    if (!ring_) {
        ring_.emplace(static_cast<std::uint64_t>(std::max<std::int64_t>(0, now.wall.ms)));
    }
    return *ring_;
}

tl::expected<EventFeed::Subscribed, ipc::Error> EventFeed::subscribe(ClientId client, Now now,
                                                                     EventFilter filter) {
    const auto existing = subscriptions_.find(client);
    if (existing != subscriptions_.end() && existing->second.size() >= kSubscriptionsPerClientMax) {
        ipc::Error error;
        error.code = ipc::ErrorCode::Overloaded;
        error.message = "no more than " + std::to_string(kSubscriptionsPerClientMax) +
                        " subscriptions on one connection";
        return tl::unexpected(std::move(error));
    }
    const EventRing& events = ring(now);
    Subscription subscription;
    subscription.filter = filter;
    subscription.began = subscription.seen = events.newest();
    if (filter.since) {
        // Numbers of another process start say nothing about what was missed in between.
        const bool is_ours = *filter.since >= events.base() && *filter.since <= events.newest();
        subscription.lost_unknown = !is_ours;
        subscription.seen = *filter.since;
        subscription.next = is_ours ? *filter.since + 1 : events.oldest();
        subscription.lost_to = *subscription.next - 1;
    } else if (filter.replay) {
        subscription.seen = events.oldest() - 1;
        subscription.next = events.oldest();
    }
    const std::uint64_t name = ++last_name_;
    subscriptions_[client].emplace(name, subscription);
    return Subscribed{name, events.newest()};
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
                        bool is_late) {
    Event event;
    event.kind = kind;
    event.at = now;
    event.data = std::move(data);
    event.is_late = is_late;
    const Event& kept = ring(now).push(std::move(event));
    for (auto& [client, subscriptions] : subscriptions_) {
        for (auto& [name, subscription] : subscriptions) {
            offer(client, name, subscription, kept, now);
        }
    }
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
        subscription.seen = event.cursor;
    } else if (subscription.filter.wants_past()) {
        subscription.next = event.cursor;
    } else {
        ++subscription.lost;
        subscription.lost_to = event.cursor;
    }
}

bool EventFeed::send_event(ClientId client, std::uint64_t name, const Subscription& subscription,
                           const Event& event, Now now) {
    std::string printed;
    const auto* alert = std::get_if<AlertView>(&event.data);
    if (alert != nullptr) {
        printed = print_alert_data(*alert, now.monotonic - event.at.monotonic,
                                   event.is_late || event.cursor <= subscription.began);
    }
    return send_(client,
                 print_event(name, event.kind, event.cursor, event.at.wall.ms,
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
    writer.member("since", std::to_string(subscription.seen)).end_object();
    if (!send_(client, print_event(name, ipc::EventKind::Lagged, subscription.lost_to, now.wall.ms,
                                   data))) {
        return false;
    }
    subscription.seen = subscription.lost_to;
    subscription.lost = 0;
    subscription.lost_unknown = false;
    return true;
}

void EventFeed::catch_up(ClientId client, std::uint64_t name, Subscription& subscription, Now now) {
    const EventRing& events = ring(now);
    while (subscription.next && *subscription.next <= events.newest()) {
        if (*subscription.next < events.oldest()) {
            subscription.lost += events.oldest() - *subscription.next;
            subscription.lost_to = events.oldest() - 1;
            subscription.next = events.oldest();
        }
        if (!send_lagged(client, name, subscription, now)) {
            return;
        }
        const Event& event = events.at(*subscription.next);
        if (subscription.filter.passes(event)) {
            if (!send_event(client, name, subscription, event, now)) {
                return;
            }
            subscription.seen = event.cursor;
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
        if (!subscription.next) {
            send_lagged(client, name, subscription, now);
        }
    }
}

}  // namespace meshd

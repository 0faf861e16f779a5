// SPDX-License-Identifier: Apache-2.0
/// \file
/// Events for local subscribers: the ring of past ones, and who gets what.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <variant>

#include "ipc/error.h"
#include "ipc/event_kind.h"
#include "proto/base/time.h"
#include "proto/node.h"

namespace meshd {

/// One event with its place in the local sequence.
struct Event {
    std::uint64_t cursor = 0;
    ipc::EventKind kind = ipc::EventKind::Lagged;
    Now at;
    /// The data as JSON text; an alert is kept as a value, since its age goes on.
    std::variant<std::string, AlertView> data;
    /// An alert that came late, by repair.
    bool is_late = false;

    std::size_t bytes() const;
};

/// The last events, bounded in number and bytes: the oldest are forgotten.
class EventRing {
  public:
    static constexpr std::size_t kEventsMax = 4096;
    static constexpr std::size_t kBytesMax = std::size_t{8} << 20;

    /// `first` is the cursor before the first event. It is taken from the wall clock (ms), so that
    /// cursors grow over a restart unless more than 1 000 events a second were told all the time.
    explicit EventRing(std::uint64_t first) : base_(first), newest_(first) {}

    const Event& push(Event event);
    /// Cursor before the first event of this process.
    std::uint64_t base() const { return base_; }
    std::uint64_t newest() const { return newest_; }
    /// Cursor of the oldest event held; newest() + 1 where none is.
    std::uint64_t oldest() const { return newest_ + 1 - events_.size(); }
    /// An event held: oldest() <= cursor <= newest().
    const Event& at(std::uint64_t cursor) const { return events_[cursor - oldest()]; }

  private:
    std::uint64_t base_;
    std::uint64_t newest_;
    std::size_t bytes_ = 0;
    std::deque<Event> events_;
};

/// What a subscriber asked for.
struct EventFilter {
    ipc::EventKinds kinds = ipc::EventKinds::all();
    Priority priority = Priority::Low;  ///< alerts of this priority or a higher one
    std::optional<std::uint64_t> since;
    bool replay = false;

    bool passes(const Event& event) const;
    /// Late and past alerts come too, and a slow reader is served from the ring.
    bool wants_past() const { return since || replay; }
};

/// The subscriptions of all clients. Invariant: an event is sent to a subscription, or counted as
/// lost for it, or still ahead of it in the ring; `lagged` goes out before any event behind a gap.
class EventFeed {
  public:
    using ClientId = std::uint64_t;
    /// Queues a line; false where the client's queue is full.
    using Send = std::function<bool(ClientId, std::string line)>;

    static constexpr std::size_t kSubscriptionsPerClientMax = 16;

    explicit EventFeed(Send send) : send_(std::move(send)) {}

    struct Subscribed {
        std::uint64_t name = 0;
        std::uint64_t cursor = 0;
    };
    /// Sends nothing: past events follow with the next resume().
    tl::expected<Subscribed, ipc::Error> subscribe(ClientId client, Now now, EventFilter filter);
    bool unsubscribe(ClientId client, std::uint64_t name);
    void remove_client(ClientId client) { subscriptions_.erase(client); }
    bool has_subscriptions(ClientId client) const { return subscriptions_.count(client) > 0; }
    /// Clients that get a live alert of this priority.
    std::size_t listeners(Priority priority) const;

    /// Numbers an event, keeps it and tells it.
    void publish(Now now, ipc::EventKind kind, std::variant<std::string, AlertView> data,
                 bool is_late = false);
    /// Sends what the client's subscriptions are behind, as far as its queue takes it.
    void resume(ClientId client, Now now);

  private:
    struct Subscription {
        EventFilter filter;
        /// Newest event when it began: alerts up to it are replayed ones.
        std::uint64_t began = 0;
        /// Last event sent or passed over.
        std::uint64_t seen = 0;
        /// Next event to send from the ring, while behind it.
        std::optional<std::uint64_t> next;
        /// Events lost since `lagged` was last sent; told as unknown where `lost_unknown`.
        std::uint64_t lost = 0;
        bool lost_unknown = false;
        std::uint64_t lost_to = 0;  ///< cursor of the last event lost
    };
    using Subscriptions = std::map<std::uint64_t, Subscription>;

    EventRing& ring(Now now);
    void offer(ClientId client, std::uint64_t name, Subscription& subscription, const Event& event,
               Now now);
    bool send_event(ClientId client, std::uint64_t name, const Subscription& subscription,
                    const Event& event, Now now);
    /// True where nothing is lost any more as far as the subscriber knows.
    bool send_lagged(ClientId client, std::uint64_t name, Subscription& subscription, Now now);
    void catch_up(ClientId client, std::uint64_t name, Subscription& subscription, Now now);

    Send send_;
    std::optional<EventRing> ring_;
    std::map<ClientId, Subscriptions> subscriptions_;
    /// Never reused, so that a late unsubscribe cannot hit another subscription.
    std::uint64_t last_name_ = 0;
};

}  // namespace meshd

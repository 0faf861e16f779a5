// SPDX-License-Identifier: Apache-2.0
/// \file
/// Events for local subscribers: who gets what, live and of the past.
///
/// Past events are held in two places: all kinds by the ring, in this process; alerts by the
/// store, on disk. So a subscriber that comes back goes on where it was, over restarts: the store
/// tells the alerts between its cursor and the place where the ring takes over, in order of
/// arrival, and the ring all behind that place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <variant>
#include <vector>

#include "daemon/rpc_event_ring.h"
#include "ipc/cursor.h"
#include "ipc/error.h"
#include "ipc/event_kind.h"
#include "proto/base/time.h"
#include "proto/node.h"

namespace meshd {

/// What a subscriber asked for.
struct EventFilter {
    ipc::EventKinds kinds = ipc::EventKinds::all();
    Priority priority = Priority::Low;  ///< alerts of this priority or a higher one
    std::string entry_type;             ///< registry events of this type; empty = any
    std::string topic;                  ///< notes of this topic; empty = any
    std::optional<ipc::Cursor> since;
    bool replay = false;

    bool passes(const Event& event) const;
    bool passes(const AlertView& alert) const;
    /// Late and past alerts come too, and a slow reader is served from ring and store.
    bool wants_past() const { return since || replay; }
    /// Something is lost where only alerts can be told again.
    bool wants_more_than_alerts() const;
};

/// The subscriptions of all clients. Invariant: an event is sent to a subscription, or counted as
/// lost for it, or still ahead of it in store or ring; `lagged` goes out before any event behind a
/// gap. Alerts are never lost for one that asked for the past, while the store holds them.
class EventFeed {
  public:
    using ClientId = std::uint64_t;

    /// Which process start this is, and its number in the life of which disk.
    struct Process {
        InstanceId instance;
        StartId start;
        std::uint32_t run = 0;
    };

    struct Callbacks {
        /// Queues a line; false where the client's queue is full.
        std::function<bool(ClientId, std::string line)> send;
        std::function<Process()> identity;
        /// Alerts in the store behind a place in the order of arrival, in that order, so many at
        /// most.
        std::function<std::vector<AlertView>(Now, std::uint64_t arrival, std::size_t limit)>
            alerts_after;
        /// The user a client belongs to; all are of one where it is empty.
        std::function<std::uint32_t(ClientId)> user_of = {};
    };

    static constexpr std::size_t kSubscriptionsPerClientMax = 16;
    /// Each event is written once for each subscription: so many take about a millisecond.
    static constexpr std::size_t kSubscriptionsPerUserMax = 256;

    explicit EventFeed(Callbacks callbacks) : callbacks_(std::move(callbacks)) {}

    struct Subscribed {
        std::uint64_t name = 0;
        /// Where its events begin: to subscribe since it misses nothing.
        ipc::Cursor cursor;
    };
    /// Sends nothing: past events follow with the next resume().
    tl::expected<Subscribed, ipc::Error> subscribe(ClientId client, EventFilter filter);
    bool unsubscribe(ClientId client, std::uint64_t name);
    void remove_client(ClientId client) { subscriptions_.erase(client); }
    bool has_subscriptions(ClientId client) const { return subscriptions_.count(client) > 0; }
    /// Clients that get a live alert of this priority.
    std::size_t listeners(Priority priority) const;

    /// Numbers an event, keeps it and tells it.
    void publish(Now now, ipc::EventKind kind, std::variant<std::string, AlertView> data,
                 bool is_late = false, std::string label = {});
    /// Sends an event that is for one client alone: it is not kept and has no number. By the
    /// subscription that asked for its kind, where there is one. False where the client's queue is
    /// full.
    bool tell(Now now, ClientId client, ipc::EventKind kind, std::string_view data) const;
    /// Sends what the client's subscriptions are behind, as far as its queue takes it.
    void resume(ClientId client, Now now);

  private:
    /// Alerts of the store still to be told, before the ring goes on.
    struct StoreSpan {
        std::uint64_t after = 0;  ///< place of the last one told
        std::uint64_t last = 0;   ///< the ring tells those behind it
    };
    struct Subscription {
        EventFilter filter;
        /// Newest event when it began: alerts up to it are replayed ones.
        std::uint64_t began = 0;
        /// Last event sent or passed over.
        ipc::Cursor seen;
        std::optional<StoreSpan> store;
        /// Next event to send from the ring, while behind it.
        std::optional<std::uint64_t> next;
        /// Events lost since `lagged` was last sent; told as unknown where `lost_unknown`.
        std::uint64_t lost = 0;
        bool lost_unknown = false;
        ipc::Cursor lost_to;  ///< of the last event lost
    };
    using Subscriptions = std::map<std::uint64_t, Subscription>;

    std::size_t subscriptions_of_user(ClientId client) const;
    EventRing& ring();
    ipc::Cursor cursor_at(std::uint64_t number);
    void start_since(Subscription& subscription, const ipc::Cursor& since);
    /// The ring has forgotten what was to come next: its alerts come from the store.
    void fall_behind_ring(Subscription& subscription);
    void offer(ClientId client, std::uint64_t name, Subscription& subscription, const Event& event,
               Now now);
    bool send_event(ClientId client, std::uint64_t name, const Subscription& subscription,
                    const Event& event, Now now);
    /// True where nothing is lost any more as far as the subscriber knows.
    bool send_lagged(ClientId client, std::uint64_t name, Subscription& subscription, Now now);
    /// False where the client's queue is full.
    bool send_store(ClientId client, std::uint64_t name, Subscription& subscription, Now now);
    void catch_up(ClientId client, std::uint64_t name, Subscription& subscription, Now now);

    Callbacks callbacks_;
    StartId start_;
    std::uint32_t run_ = 0;
    std::optional<EventRing> ring_;
    std::map<ClientId, Subscriptions> subscriptions_;
    /// Never reused, so that a late unsubscribe cannot hit another subscription.
    std::uint64_t last_name_ = 0;
};

}  // namespace meshd

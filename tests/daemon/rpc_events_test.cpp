// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "daemon/rpc_events.h"

using namespace meshd;
using namespace std::chrono_literals;
using ipc::EventKind;

namespace {

constexpr EventFeed::ClientId kClient = 5;
constexpr std::int64_t kStartMs = 1'718'000'000'000;

constexpr StartId kStart{0xabcd};
constexpr StartId kOtherStart{0x1234};

/// Place of an alert in the order of arrival.
constexpr std::uint64_t place(std::uint64_t run, std::uint64_t number) {
    return (run << 40) + number;
}

/// A client's queue of so many lines, and a store of alerts.
class Fixture {
  public:
    EventFeed feed{EventFeed::Callbacks{[this](EventFeed::ClientId, std::string line) {
                                            if (lines.size() >= room) {
                                                return false;
                                            }
                                            lines.push_back(std::move(line));
                                            return true;
                                        },
                                        [this] {
                                            return EventFeed::Process{instance, kStart, run};
                                        },
                                        [this](Now, std::uint64_t arrival, std::size_t limit) {
                                            std::vector<AlertView> found;
                                            for (const AlertView& alert : store) {
                                                if (alert.arrival > arrival &&
                                                    found.size() < limit) {
                                                    found.push_back(alert);
                                                }
                                            }
                                            return found;
                                        }}};
    std::vector<std::string> lines;
    std::size_t room = 1'000'000;
    Now now{TimePoint(1s), WallTime{kStartMs}};
    std::uint32_t run = 3;
    InstanceId instance;
    std::vector<AlertView> store;  ///< by arrival

    EventFeed::Subscribed subscribe(EventFilter filter = {}, EventFeed::ClientId client = kClient) {
        const auto subscribed = feed.subscribe(client, std::move(filter));
        REQUIRE(subscribed);
        feed.resume(client, now);
        return *subscribed;
    }
    /// An event whose data is {"n":n}.
    void publish(int n, EventKind kind = EventKind::NodeJoined) {
        feed.publish(now, kind, "{\"n\":" + std::to_string(n) + "}");
    }
    AlertView& hold(std::string id, std::uint64_t arrival, Priority priority = Priority::Low) {
        AlertView alert;
        alert.id = std::move(id);
        alert.source = *NodeId::parse("box-2");
        alert.priority = priority;
        alert.alert = "{}";
        alert.age_ms = 3;
        alert.arrival = arrival;
        store.push_back(alert);
        return store.back();
    }
    /// An alert that arrives: the store has it, then the feed tells it.
    void publish_alert(std::string id, Priority priority, bool is_late = false) {
        feed.publish(now, EventKind::Alert,
                     hold(std::move(id), place(run, ++last_number), priority), is_late);
    }
    std::uint64_t last_number = 0;
    /// What the lines tell, in short: "kind:n", "alert:id" with "!" where replayed, "lagged:lost".
    std::vector<std::string> told() {
        std::vector<std::string> result;
        for (const std::string& line : lines) {
            REQUIRE(line.back() == '\n');
            const auto document = json::Document::parse(line, json::Limits{});
            REQUIRE(document);
            const json::Value params = document->root()["params"];
            const std::string kind(*params["kind"].as_string());
            const json::Value data = params["data"];
            if (kind == "alert") {
                result.push_back("alert:" + std::string(*data["id"].as_string()) +
                                 (*data["replayed"].as_bool() ? "!" : ""));
            } else if (kind == "lagged") {
                result.push_back("lagged:" + data["lost"].print());
            } else {
                result.push_back(kind + ":" + data["n"].print());
            }
        }
        lines.clear();
        return result;
    }
};

using Told = std::vector<std::string>;

ipc::Cursor cursor_of(const std::string& line) {
    const auto document = json::Document::parse(line, json::Limits{});
    REQUIRE(document);
    const auto cursor = ipc::parse_cursor(*document->root()["params"]["cursor"].as_string());
    REQUIRE(cursor);
    return *cursor;
}

EventFilter since(const ipc::Cursor& cursor) {
    EventFilter filter;
    filter.since = cursor;
    return filter;
}

/// A place in the ring of this start, with no alert before it in this start.
EventFilter since(std::uint64_t number) {
    return since({kStart, number, place(3, 0) - 1});
}

EventFilter kinds(std::initializer_list<std::string_view> names) {
    EventFilter filter;
    filter.kinds = ipc::EventKinds();
    for (const std::string_view name : names) {
        REQUIRE(filter.kinds.add(name));
    }
    return filter;
}

}  // namespace

TEST_CASE("events: a notification has subscription, kind, cursor, time and data") {
    Fixture f;
    const auto subscribed = f.subscribe();
    CHECK(subscribed.cursor == ipc::Cursor{kStart, 0, place(3, 0) - 1});
    f.publish(1);
    REQUIRE(f.lines.size() == 1);
    CHECK(
        f.lines[0] ==
        R"({"jsonrpc":"2.0","method":"event","params":{"subscription":"1",)"
        R"("kind":"node.joined","cursor":"000000000000abcd.1.3298534883327","timestamp_ms":1718000000000,)"
        R"("data":{"n":1}}})"
        "\n");
}

TEST_CASE("events: only the kinds asked for are told") {
    Fixture f;
    f.subscribe(kinds({"node", "link.up"}));
    f.publish(1);
    f.publish(2, EventKind::StateChanged);
    f.publish(3, EventKind::LinkUp);
    f.publish(4, EventKind::LinkDown);
    CHECK(f.told() == Told{"node.joined:1", "link.up:3"});
}

TEST_CASE("events: a minimum priority holds for alerts and nothing else") {
    Fixture f;
    EventFilter filter;
    filter.priority = Priority::High;
    f.subscribe(filter);
    f.publish_alert("a", Priority::Normal);
    f.publish_alert("b", Priority::High);
    f.publish_alert("c", Priority::Critical);
    f.publish(1);
    CHECK(f.told() == Told{"alert:b", "alert:c", "node.joined:1"});
}

TEST_CASE("events: a late alert goes only to subscribers that asked for the past") {
    Fixture f;
    EventFilter past;
    past.replay = true;
    f.subscribe();
    f.subscribe(past);
    f.publish_alert("late", Priority::Critical, true);
    CHECK(f.told() == Told{"alert:late!"});
    f.publish_alert("live", Priority::Low);
    CHECK(f.told() == Told{"alert:live", "alert:live"});
}

TEST_CASE("events: replay begins with all events held, alerts marked and aged") {
    Fixture f;
    f.publish_alert("old", Priority::Low);
    f.publish(2);
    f.now.monotonic += 2s;
    EventFilter past;
    past.replay = true;
    f.subscribe(past);
    REQUIRE(f.lines.size() == 2);
    CHECK(f.lines[0].find("\"age_ms\":2003,") != std::string::npos);
    CHECK(f.told() == Told{"alert:old!", "node.joined:2"});
    f.publish_alert("new", Priority::Low);
    CHECK(f.told() == Told{"alert:new"});
}

TEST_CASE("events: since begins after the cursor") {
    Fixture f;
    f.publish(1);
    f.publish(2);
    f.publish(3);
    f.subscribe(since(1));
    CHECK(f.told() == Told{"node.joined:2", "node.joined:3"});
    f.subscribe(since(3));
    CHECK(f.told().empty());
}

TEST_CASE("events: a cursor that is too old is told how many are lost") {
    Fixture f;
    const int total = static_cast<int>(EventRing::kEventsMax) + 10;
    for (int n = 1; n <= total; ++n) {
        f.publish(n);
    }
    f.subscribe(since(4));
    REQUIRE(f.lines.size() == EventRing::kEventsMax + 1);
    CHECK(f.lines[0].find(R"("data":{"lost":6,"since":"000000000000abcd.4.3298534883327"})") !=
          std::string::npos);
    const Told told = f.told();
    CHECK(told[0] == "lagged:6");
    CHECK(told[1] == "node.joined:11");
    CHECK(told.back() == "node.joined:" + std::to_string(total));
}

TEST_CASE("events: a cursor of another start is told that the loss is not known") {
    Fixture f;
    const EventFilter past = since({kOtherStart, 7, place(2, 5)});
    f.subscribe(past);
    CHECK(f.told() == Told{"lagged:null"});
    f.publish(1);
    CHECK(f.told() == Told{"node.joined:1"});
    f.subscribe(past);
    CHECK(f.told() == Told{"lagged:null", "node.joined:1"});
}

TEST_CASE("events: a cursor of this start from the future is not trusted") {
    Fixture f;
    f.hold("old", place(2, 1));
    f.subscribe(since({kStart, 100, place(3, 100)}));
    CHECK(f.told() == Told{"lagged:null", "alert:old!"});
}

TEST_CASE("events: after a restart all alerts behind the cursor are told once, in order") {
    Fixture f;
    for (const std::uint64_t n : {1U, 2U, 3U}) {
        f.hold("a" + std::to_string(n), place(2, n));
    }
    f.publish_alert("b1", Priority::Low);
    f.publish_alert("b2", Priority::Low, true);
    EventFilter alerts = kinds({"alert"});
    alerts.since = ipc::Cursor{kOtherStart, 900, place(2, 1)};
    f.subscribe(alerts);
    CHECK(f.told() == Told{"alert:a2!", "alert:a3!", "alert:b1!", "alert:b2!"});
    f.publish_alert("b3", Priority::Low);
    CHECK(f.told() == Told{"alert:b3"});
    EventFilter all = since(*alerts.since);
    f.subscribe(all);
    CHECK(f.told() ==
          Told{"lagged:null", "alert:a2!", "alert:a3!", "alert:b1!", "alert:b2!", "alert:b3!"});
}

TEST_CASE("events: whichever told alert a subscriber stops at, it goes on behind it") {
    Fixture f;
    for (const std::uint64_t n : {1U, 2U, 3U}) {
        f.hold("a" + std::to_string(n), place(2, n));
    }
    f.publish(1);
    f.publish_alert("b1", Priority::Low);
    f.publish(2);
    f.publish_alert("b2", Priority::Low);
    EventFilter alerts = kinds({"alert"});
    alerts.since = ipc::Cursor{kOtherStart, 900, place(1, 5)};
    f.subscribe(alerts);
    const std::vector<std::string> lines = f.lines;
    const Told all = f.told();
    REQUIRE(all.size() == 5);
    for (std::size_t i = 0; i < lines.size(); ++i) {
        CAPTURE(i);
        alerts.since = cursor_of(lines[i]);
        f.subscribe(alerts);
        CHECK(f.told() == Told(all.begin() + static_cast<std::ptrdiff_t>(i) + 1, all.end()));
        // And the same in the next start, where all of them are in the store alone.
        Fixture next;
        next.run = 4;
        next.store = f.store;
        alerts.since->start = kOtherStart;
        next.subscribe(alerts);
        CHECK(next.told() == Told(all.begin() + static_cast<std::ptrdiff_t>(i) + 1, all.end()));
    }
}

TEST_CASE("events: the cursor of the subscription itself misses nothing") {
    Fixture f;
    f.hold("a1", place(2, 1));
    const ipc::Cursor live = f.subscribe().cursor;
    f.publish_alert("b1", Priority::Low);
    f.told();
    f.subscribe(since(live));
    CHECK(f.told() == Told{"alert:b1!"});
    EventFilter replay;
    replay.replay = true;
    const ipc::Cursor all = f.subscribe(replay).cursor;
    CHECK(f.told() == Told{"alert:a1!", "alert:b1!"});
    f.subscribe(since(all));
    CHECK(f.told() == Told{"alert:a1!", "alert:b1!"});
}

TEST_CASE("events: a disk that began anew is noticed by places of this start or later ones") {
    for (const std::uint64_t run : {3U, 4U, 9U}) {
        CAPTURE(run);
        Fixture f;
        f.hold("a", place(1, 1));
        f.hold("b", place(2, 1));
        EventFilter alerts = kinds({"alert"});
        alerts.since = ipc::Cursor{kOtherStart, 5, place(run, 1)};
        f.subscribe(alerts);
        CHECK(f.told() == Told{"lagged:null", "alert:a!", "alert:b!"});
    }
}

TEST_CASE("events: a disk that began anew is noticed after any number of starts") {
    Fixture before;
    before.instance = InstanceId{0x1111'2222'3333'4444};
    const ipc::Cursor cursor = before.subscribe(kinds({"alert"})).cursor;
    for (const bool is_same : {true, false}) {
        CAPTURE(is_same);
        Fixture f;
        f.instance = is_same ? before.instance : InstanceId{0x5555'2222'3333'4444};
        f.run = 9;
        f.hold("a", place(2, 1));
        f.hold("b", place(8, 1));
        EventFilter alerts = kinds({"alert"});
        alerts.since = ipc::Cursor{StartId{cursor.start.value ^ 1}, cursor.number, place(3, 1)};
        f.subscribe(alerts);
        CHECK(f.told() ==
              (is_same ? Told{"alert:b!"} : Told{"lagged:null", "alert:a!", "alert:b!"}));
    }
}

TEST_CASE("events: alerts of the store pass the filter like live ones") {
    Fixture f;
    f.hold("low", place(2, 1), Priority::Low);
    f.hold("high", place(2, 2), Priority::High);
    EventFilter filter;
    filter.replay = true;
    filter.priority = Priority::Normal;
    f.subscribe(filter);
    CHECK(f.told() == Told{"alert:high!"});
    EventFilter nodes = kinds({"node"});
    nodes.replay = true;
    f.subscribe(nodes);
    CHECK(f.told().empty());
}

TEST_CASE("events: more alerts than fit the queue follow as it empties, each once") {
    Fixture f;
    constexpr std::uint64_t kAlerts = 200;
    for (std::uint64_t n = 1; n <= kAlerts; ++n) {
        f.hold(std::to_string(n), place(2, n));
    }
    f.room = 7;
    EventFilter filter;
    filter.replay = true;
    f.subscribe(filter);
    f.publish_alert("live", Priority::Low);
    std::size_t told = 0;
    while (!f.lines.empty()) {
        CHECK(f.lines.size() <= 7);
        for (const std::string& one : f.told()) {
            ++told;
            CHECK(one == (told <= kAlerts ? "alert:" + std::to_string(told) + "!" : "alert:live"));
        }
        f.feed.resume(kClient, f.now);
    }
    CHECK(told == kAlerts + 1);
}

TEST_CASE("events: one of the past so slow that the ring forgets loses no alert") {
    Fixture f;
    EventFilter filter = kinds({"alert"});
    filter.replay = true;
    f.subscribe(filter);
    f.publish_alert("a", Priority::Low);
    f.room = 1;
    f.publish_alert("b", Priority::Low);
    for (std::size_t n = 0; n <= EventRing::kEventsMax; ++n) {
        f.publish(1);
    }
    f.publish_alert("c", Priority::Low);
    f.room = 1'000'000;
    f.feed.resume(kClient, f.now);
    CHECK(f.told() == Told{"alert:a", "alert:b!", "alert:c"});
}

TEST_CASE("events: a type asked for holds for registry events and nothing else") {
    Fixture f;
    EventFilter faces;
    faces.entry_type = "face";
    f.subscribe(faces);
    f.feed.publish(f.now, EventKind::RegistryPut, R"({"n":1})", false, "face");
    f.feed.publish(f.now, EventKind::RegistryPut, R"({"n":2})", false, "plate");
    f.feed.publish(f.now, EventKind::RegistryDeleted, R"({"n":3})", false, "face");
    f.feed.publish(f.now, EventKind::RegistryDeleted, R"({"n":4})", false, "");
    f.publish(5);
    CHECK(f.told() ==
          Told{"registry.put:1", "registry.deleted:3", "registry.deleted:4", "node.joined:5"});
}

TEST_CASE("events: a slow live subscriber loses events and is told how many before the next") {
    Fixture f;
    f.room = 1;
    f.subscribe(kinds({"node"}));
    f.publish(1);
    f.publish(2);
    f.publish(3, EventKind::LinkUp);
    f.publish(4);
    f.feed.resume(kClient, f.now);
    CHECK(f.told() == Told{"node.joined:1"});
    f.room = 2;
    f.feed.resume(kClient, f.now);
    f.publish(5);
    CHECK(f.told() == Told{"lagged:2", "node.joined:5"});
    f.feed.resume(kClient, f.now);
    CHECK(f.told().empty());
}

TEST_CASE("events: the next event brings the lagged notice where no room was announced") {
    Fixture f;
    f.room = 0;
    f.subscribe();
    f.publish(1);
    f.room = 1;
    f.publish(2);
    CHECK(f.told() == Told{"lagged:1"});
    f.room = 9;
    f.publish(3);
    CHECK(f.told() == Told{"lagged:1", "node.joined:3"});
}

TEST_CASE("events: a slow subscriber that asked for the past gets all that is held") {
    Fixture f;
    f.publish(1);
    f.publish(2);
    f.room = 1;
    EventFilter past;
    past.replay = true;
    f.subscribe(past);
    f.publish(3);
    CHECK(f.told() == Told{"node.joined:1"});
    f.feed.resume(kClient, f.now);
    CHECK(f.told() == Told{"node.joined:2"});
    f.room = 9;
    f.feed.resume(kClient, f.now);
    f.publish(4);
    CHECK(f.told() == Told{"node.joined:3", "node.joined:4"});
    f.room = 0;
    f.publish(5);
    f.room = 9;
    f.publish(6);
    CHECK(f.told().empty());
    f.feed.resume(kClient, f.now);
    CHECK(f.told() == Told{"node.joined:5", "node.joined:6"});
}

TEST_CASE("events: one so slow that the ring forgets is told what is lost") {
    Fixture f;
    EventFilter past;
    past.replay = true;
    f.subscribe(past);
    f.room = 0;
    const int total = static_cast<int>(EventRing::kEventsMax) + 3;
    for (int n = 1; n <= total; ++n) {
        f.publish(n);
    }
    f.feed.resume(kClient, f.now);
    f.room = 1'000'000;
    f.feed.resume(kClient, f.now);
    const Told told = f.told();
    REQUIRE(told.size() == EventRing::kEventsMax + 1);
    CHECK(told[0] == "lagged:3");
    CHECK(told[1] == "node.joined:4");
}

TEST_CASE("events: the ring is bounded in bytes") {
    EventRing ring(7);
    for (int n = 0; n < 200; ++n) {
        Event event;
        event.data = std::string(100'000, 'x');
        ring.push(std::move(event));
    }
    CHECK(ring.newest() == 200);
    CHECK(ring.arrival_at(ring.floor()) == 7);
    CHECK(ring.newest() - ring.oldest() + 1 == EventRing::kBytesMax / 100'256);
    Event huge;
    huge.data = std::string(EventRing::kBytesMax + 1, 'x');
    CHECK(ring.push(std::move(huge)).number == 201);
    CHECK(ring.oldest() == 201);
}

TEST_CASE("events: subscriptions end by unsubscribe and with their client") {
    Fixture f;
    const auto first = f.subscribe();
    f.subscribe();
    CHECK(f.feed.has_subscriptions(kClient));
    CHECK_FALSE(f.feed.unsubscribe(kClient + 1, first.name));
    CHECK(f.feed.unsubscribe(kClient, first.name));
    CHECK_FALSE(f.feed.unsubscribe(kClient, first.name));
    f.publish(1);
    CHECK(f.told() == Told{"node.joined:1"});
    f.feed.remove_client(kClient);
    f.publish(2);
    CHECK(f.told().empty());
    CHECK_FALSE(f.feed.has_subscriptions(kClient));
}

TEST_CASE("events: subscriptions of a client are bounded") {
    Fixture f;
    for (std::size_t i = 0; i < EventFeed::kSubscriptionsPerClientMax; ++i) {
        f.subscribe();
    }
    const auto refused = f.feed.subscribe(kClient, {});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ipc::ErrorCode::Overloaded);
    CHECK(f.feed.subscribe(kClient + 1, {}));
}

TEST_CASE("events: subscriptions of a user are bounded over all connections") {
    EventFeed feed{EventFeed::Callbacks{
        [](EventFeed::ClientId, const std::string&) { return true; },
        [] {
            return EventFeed::Process{InstanceId{1}, kStart, 1};
        },
        [](Now, std::uint64_t, std::size_t) { return std::vector<AlertView>(); },
        [](EventFeed::ClientId client) { return static_cast<std::uint32_t>(client % 2); }}};
    for (std::size_t i = 0; i < EventFeed::kSubscriptionsPerUserMax; ++i) {
        REQUIRE(feed.subscribe(2 * i, {}));
    }
    const auto refused = feed.subscribe(2 * EventFeed::kSubscriptionsPerUserMax, {});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ipc::ErrorCode::Overloaded);
    CHECK(refused.error().retry_after_ms);
    CHECK(feed.subscribe(1, {}));
    feed.remove_client(0);
    CHECK(feed.subscribe(2, {}));
}

TEST_CASE("events: listeners are clients that would be told of such an alert") {
    Fixture f;
    EventFilter critical;
    critical.priority = Priority::Critical;
    f.subscribe({}, 1);
    f.subscribe({}, 1);
    f.subscribe(critical, 2);
    f.subscribe(kinds({"node"}), 3);
    CHECK(f.feed.listeners(Priority::Normal) == 1);
    CHECK(f.feed.listeners(Priority::Critical) == 2);
}

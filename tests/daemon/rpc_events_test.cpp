// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <vector>

#include "daemon/rpc_events.h"

using namespace meshd;
using namespace std::chrono_literals;
using ipc::EventKind;

namespace {

constexpr EventFeed::ClientId kClient = 5;
constexpr std::int64_t kStartMs = 1'718'000'000'000;

/// A client's queue of so many lines.
class Fixture {
  public:
    EventFeed feed{[this](EventFeed::ClientId, std::string line) {
        if (lines.size() >= room) {
            return false;
        }
        lines.push_back(std::move(line));
        return true;
    }};
    std::vector<std::string> lines;
    std::size_t room = 1'000'000;
    Now now{TimePoint(1s), WallTime{kStartMs}};

    EventFeed::Subscribed subscribe(EventFilter filter = {}, EventFeed::ClientId client = kClient) {
        const auto subscribed = feed.subscribe(client, now, filter);
        REQUIRE(subscribed);
        feed.resume(client, now);
        return *subscribed;
    }
    /// An event whose data is {"n":n}.
    void publish(int n, EventKind kind = EventKind::NodeJoined) {
        feed.publish(now, kind, "{\"n\":" + std::to_string(n) + "}");
    }
    void publish_alert(std::string id, Priority priority, bool is_late = false) {
        AlertView alert;
        alert.id = std::move(id);
        alert.source = *NodeId::parse("box-2");
        alert.priority = priority;
        alert.alert = "{}";
        alert.age_ms = 3;
        feed.publish(now, EventKind::Alert, alert, is_late);
    }
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
    CHECK(subscribed.cursor == kStartMs);
    f.publish(1);
    REQUIRE(f.lines.size() == 1);
    CHECK(f.lines[0] ==
          R"({"jsonrpc":"2.0","method":"event","params":{"subscription":"1",)"
          R"("kind":"node.joined","cursor":"1718000000001","timestamp_ms":1718000000000,)"
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
    EventFilter past;
    past.since = kStartMs + 1;
    f.subscribe(past);
    CHECK(f.told() == Told{"node.joined:2", "node.joined:3"});
    past.since = kStartMs + 3;
    f.subscribe(past);
    CHECK(f.told().empty());
}

TEST_CASE("events: a cursor that is too old is told how many are lost") {
    Fixture f;
    const int total = static_cast<int>(EventRing::kEventsMax) + 10;
    for (int n = 1; n <= total; ++n) {
        f.publish(n);
    }
    EventFilter past;
    past.since = kStartMs + 4;
    f.subscribe(past);
    REQUIRE(f.lines.size() == EventRing::kEventsMax + 1);
    CHECK(f.lines[0].find(R"("data":{"lost":6,"since":"1718000000004"})") != std::string::npos);
    const Told told = f.told();
    CHECK(told[0] == "lagged:6");
    CHECK(told[1] == "node.joined:11");
    CHECK(told.back() == "node.joined:" + std::to_string(total));
}

TEST_CASE("events: a cursor of another start is told that the loss is not known") {
    for (const std::uint64_t since : {std::uint64_t{7}, std::uint64_t{kStartMs} + 100}) {
        CAPTURE(since);
        Fixture f;
        EventFilter past;
        past.since = since;
        f.subscribe(past);
        CHECK(f.told() == Told{"lagged:null"});
        f.publish(1);
        CHECK(f.told() == Told{"node.joined:1"});
        f.subscribe(past);
        CHECK(f.told() == Told{"lagged:null", "node.joined:1"});
    }
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
    EventRing ring(100);
    for (int n = 0; n < 200; ++n) {
        Event event;
        event.data = std::string(100'000, 'x');
        ring.push(std::move(event));
    }
    CHECK(ring.newest() == 300);
    CHECK(ring.newest() - ring.oldest() + 1 == EventRing::kBytesMax / 100'256);
    Event huge;
    huge.data = std::string(EventRing::kBytesMax + 1, 'x');
    CHECK(ring.push(std::move(huge)).cursor == 301);
    CHECK(ring.oldest() == 301);
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
    const auto refused = f.feed.subscribe(kClient, f.now, {});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ipc::ErrorCode::Overloaded);
    CHECK(f.feed.subscribe(kClient + 1, f.now, {}));
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

// SPDX-License-Identifier: Apache-2.0
// A node and its disk: what is asked to be written when, and what callers are told of it.
#include <doctest/doctest.h>

#include <string>

#include "proto/node.h"
#include "tests/proto/links/links_support.h"

using namespace meshd;
using namespace meshd::test;

namespace {

/// One node without peers, whose driver writes when the test says so.
struct DiskBox {
    std::int64_t ms = 0;
    Node node;
    std::vector<Output> outputs;

    explicit DiskBox(Restored restored = empty_disk())
        : node(Config(), options(restored.run), now(), std::move(restored)) {}

    static Restored empty_disk() {
        Restored restored;
        restored.has_disk = true;
        return restored;
    }
    static NodeOptions options(std::uint32_t start) {
        NodeOptions options;
        options.node_id = id("b");
        options.instance = InstanceId{1};
        options.entropy[0] = static_cast<std::uint8_t>(start);
        options.version = "0.1.0";
        return options;
    }
    Now now() const { return {at(ms), WallTime{1'700'000'000'000 + ms}}; }

    RequestId command(Command command) {
        const auto result = node.handle_command(now(), std::move(command));
        REQUIRE(result);
        return *result;
    }
    /// What is to be written within so long; the time stands at when that was asked for, else at
    /// the end.
    std::optional<Persist> persist_within(std::int64_t limit_ms) {
        const std::int64_t end = ms + limit_ms;
        while (true) {
            while (node.poll_transmit()) {
            }
            if (auto persist = node.poll_persist()) {
                return persist;
            }
            const auto next = node.next_timeout();
            if (!next || *next > at(end)) {
                ms = end;
                return std::nullopt;
            }
            const std::int64_t due = to_ms(*next - at(0));
            ms = std::max(ms, at(due) < *next ? due + 1 : due);
            node.handle_timeout(now());
        }
    }
    /// The same at once.
    std::optional<Persist> persist() { return persist_within(0); }
    void end(const Persist& persist, PersistResult result) {
        node.handle_persisted(now(), persist.token, result);
    }
    template <class T>
    std::vector<T> take() {
        while (auto output = node.poll_output()) {
            outputs.push_back(std::move(*output));
        }
        std::vector<T> taken;
        for (const Output& output : outputs) {
            if (const auto* wanted = std::get_if<T>(&output)) {
                taken.push_back(*wanted);
            }
        }
        outputs.clear();
        return taken;
    }
};

PutEntries put(const std::string& hash, bool is_durable) {
    EntryPut entry;
    entry.hash = hash;
    entry.type = "face";
    return {{std::move(entry)}, is_durable};
}

}  // namespace

TEST_CASE("node disk: a durable put is answered when it is on disk, and written at once") {
    DiskBox box;
    const RequestId request = box.command(put("h", true));
    CHECK(box.take<EntriesPut>().empty());
    const auto persist = box.persist();
    REQUIRE(persist);
    REQUIRE(persist->records.size() == 1);
    CHECK_FALSE(persist->records[0].bytes.empty());
    REQUIRE(persist->streams.size() == 1);
    CHECK(persist->streams[0].covered.intervals == std::vector<Interval>{{1, 1}});
    box.ms += 20;
    CHECK_FALSE(box.persist());
    CHECK(box.take<EntriesPut>().empty());
    box.end(*persist, PersistResult::Stored);
    const auto answers = box.take<EntriesPut>();
    REQUIRE(answers.size() == 1);
    CHECK(answers[0].request == request);
    CHECK(answers[0].stored == 1);
    CHECK(answers[0].is_durable);
    CHECK(box.node.status(box.now()).store.unwritten == 0);
}

TEST_CASE("node disk: a put that is not durable is answered at once and written within a second") {
    DiskBox box;
    box.command(put("h", false));
    const auto answers = box.take<EntriesPut>();
    REQUIRE(answers.size() == 1);
    CHECK_FALSE(answers[0].is_durable);
    CHECK_FALSE(box.persist_within(999));
    const auto persist = box.persist_within(1);
    REQUIRE(persist);
    CHECK(persist->records.size() == 1);
}

TEST_CASE("node disk: what a caller waits for is written before what nobody waits for") {
    DiskBox box;
    for (int i = 0; i < 500; ++i) {
        box.command(put("h" + std::to_string(i), false));
    }
    const RequestId first = box.command(put("first", true));
    const auto urgent = box.persist();
    REQUIRE(urgent);
    CHECK(urgent->records.size() < 100);
    // Who waits next has their turn after the rest, which was due in the meantime.
    box.ms += 2000;
    box.command(put("second", true));
    box.end(*urgent, PersistResult::Stored);
    const auto answers = box.take<EntriesPut>();
    REQUIRE_FALSE(answers.empty());
    CHECK(answers.back().request == first);
    CHECK(answers.back().is_durable);
    const auto rest = box.persist();
    REQUIRE(rest);
    CHECK(rest->records.size() > 400);
    box.end(*rest, PersistResult::Stored);
    CHECK(box.node.status(box.now()).store.unwritten == 0);
}

TEST_CASE("node disk: what is put while a write is under way waits for the next one") {
    DiskBox box;
    box.command(put("h", true));
    const auto first = box.persist();
    REQUIRE(first);
    const RequestId late = box.command(put("g", true));
    CHECK_FALSE(box.persist());
    box.end(*first, PersistResult::Stored);
    const auto answers = box.take<EntriesPut>();
    REQUIRE(answers.size() == 1);
    CHECK_FALSE(answers[0].request == late);
    const auto second = box.persist();
    REQUIRE(second);
    CHECK(second->token != first->token);
    CHECK(second->records.size() == 1);
    // Words on a write that is over count for nothing.
    box.end(*first, PersistResult::Stored);
    CHECK(box.take<EntriesPut>().empty());
    box.end(*second, PersistResult::Stored);
    CHECK(box.take<EntriesPut>().size() == 1);
}

TEST_CASE(
    "node disk: an alert is told and spread at once, and its raiser knows when it is on disk") {
    DiskBox box;
    RaiseAlert alert;
    alert.alert = "{}";
    box.command(alert);
    CHECK(box.take<AlertEvent>().size() == 1);
    const auto persist = box.persist();
    REQUIRE(persist);
    box.end(*persist, PersistResult::Stored);
    const auto raised = box.take<AlertRaised>();
    REQUIRE(raised.size() == 1);
    CHECK(raised[0].is_durable);
}

TEST_CASE("node disk: a repeated alert is durable only when the first is") {
    DiskBox box;
    RaiseAlert alert;
    alert.alert = "{}";
    alert.dedupe_key = "door";
    box.command(alert);
    const auto first = box.persist();
    REQUIRE(first);
    box.command(alert);
    CHECK(box.take<AlertRaised>().empty());
    box.end(*first, PersistResult::Stored);
    const auto raised = box.take<AlertRaised>();
    REQUIRE(raised.size() == 2);
    CHECK(raised[1].id == raised[0].id);
    CHECK_FALSE(raised[0].is_repeated);
    CHECK(raised[1].is_repeated);
    CHECK(raised[1].is_durable);
    CHECK(box.node.alerts(box.now()).size() == 1);
}

TEST_CASE("node disk: when a write fails callers are told, and it is tried again") {
    DiskBox box;
    box.command(put("h", true));
    const auto failed = box.persist();
    REQUIRE(failed);
    box.end(*failed, PersistResult::Failed);
    auto answers = box.take<EntriesPut>();
    REQUIRE(answers.size() == 1);
    CHECK(answers[0].stored == 1);
    CHECK_FALSE(answers[0].is_durable);
    CHECK(box.node.counters()[Counter::disk_failures] == 1);
    CHECK_FALSE(box.node.entries(box.now(), "h").empty());
    // Nobody waits for a disk that just refused.
    box.ms += 10;
    box.command(put("g", true));
    answers = box.take<EntriesPut>();
    REQUIRE(answers.size() == 1);
    CHECK_FALSE(answers[0].is_durable);
    CHECK_FALSE(box.persist_within(989));
    const auto again = box.persist_within(1);
    REQUIRE(again);
    CHECK(again->records.size() == 2);
    box.end(*again, PersistResult::Stored);
    CHECK(box.node.status(box.now()).store.unwritten == 0);
    box.command(put("f", true));
    const auto last = box.persist();
    REQUIRE(last);
    box.end(*last, PersistResult::Stored);
    CHECK(box.take<EntriesPut>().at(0).is_durable);
}

TEST_CASE("node disk: a disk that goes on failing is tried again, for callers at once") {
    DiskBox box;
    box.command(put("h", false));
    for (int i = 0; i < 8; ++i) {
        const std::int64_t last = box.ms;
        const auto persist = box.persist_within(30'000);
        REQUIRE(persist);
        CHECK(box.ms - last >= 1000);
        box.end(*persist, PersistResult::Failed);
        box.command(put("h" + std::to_string(i), false));
    }
    CHECK_FALSE(box.persist_within(999));
    box.ms += 1;
    box.take<EntriesPut>();
    box.command(put("g", true));
    const auto urgent = box.persist();
    REQUIRE(urgent);
    CHECK(urgent->records.size() == 10);
    box.end(*urgent, PersistResult::Stored);
    CHECK(box.take<EntriesPut>().at(0).is_durable);
}

TEST_CASE("node disk: a caller waits 10 s for a disk that does not answer") {
    DiskBox box;
    box.command(put("h", true));
    const auto persist = box.persist();
    REQUIRE(persist);
    CHECK_FALSE(box.persist_within(9999));
    CHECK(box.take<EntriesPut>().empty());
    CHECK_FALSE(box.persist_within(1));
    const auto answers = box.take<EntriesPut>();
    REQUIRE(answers.size() == 1);
    CHECK_FALSE(answers[0].is_durable);
    // What comes of it later is no second answer.
    box.end(*persist, PersistResult::Stored);
    CHECK(box.take<EntriesPut>().empty());
}

TEST_CASE("node disk: nobody waits behind a write that does not end, and status says so") {
    DiskBox box;
    RaiseAlert raise;
    raise.alert = "{}";
    box.command(raise);
    const auto persist = box.persist();
    REQUIRE(persist);
    box.ms += 1999;
    CHECK(box.node.status(box.now()).store.has_disk);
    box.ms += 1;
    CHECK_FALSE(box.node.status(box.now()).store.has_disk);
    box.ms += 1000;
    box.command(raise);
    auto raised = box.take<AlertRaised>();
    REQUIRE(raised.size() == 1);
    CHECK_FALSE(raised[0].is_durable);
    box.command(put("h", true));
    CHECK_FALSE(box.take<EntriesPut>().at(0).is_durable);
    CHECK(box.node.alerts(box.now()).size() == 2);
    // The first caller is there still, and all is as before when the write ends.
    box.end(*persist, PersistResult::Stored);
    raised = box.take<AlertRaised>();
    REQUIRE(raised.size() == 1);
    CHECK(raised[0].is_durable);
    CHECK(box.node.status(box.now()).store.has_disk);
    box.command(raise);
    CHECK(box.take<AlertRaised>().empty());
    box.end(box.persist().value(), PersistResult::Stored);
    CHECK(box.take<AlertRaised>().at(0).is_durable);
}

TEST_CASE("node disk: when the database was lost all is written anew, and callers wait for that") {
    DiskBox box;
    box.command(put("h", true));
    box.end(box.persist().value(), PersistResult::Stored);
    CHECK(box.take<EntriesPut>().size() == 1);
    box.command(put("g", true));
    box.end(box.persist().value(), PersistResult::Lost);
    CHECK(box.take<EntriesPut>().empty());
    const auto all = box.persist();
    REQUIRE(all);
    CHECK(all->records.size() == 2);
    box.end(*all, PersistResult::Stored);
    CHECK(box.take<EntriesPut>().at(0).is_durable);
}

TEST_CASE("node disk: a flush asks for all that is not written yet, at once") {
    DiskBox box;
    box.command(put("h", false));
    CHECK_FALSE(box.persist());
    box.node.handle_flush(box.now());
    const auto persist = box.persist();
    REQUIRE(persist);
    CHECK(persist->records.size() == 1);
    box.command(put("g", false));
    box.end(*persist, PersistResult::Stored);
    // What came later waits for its time: else a box that is written to all the time never ends.
    CHECK_FALSE(box.persist());
    CHECK(box.node.status(box.now()).store.unwritten != 0);
}

TEST_CASE("node disk: a flush tries a disk that failed at once, and only once") {
    DiskBox box;
    box.command(put("h", false));
    for (int i = 0; i < 4; ++i) {
        const auto persist = box.persist_within(30'000);
        REQUIRE(persist);
        box.end(*persist, PersistResult::Failed);
    }
    CHECK_FALSE(box.persist());
    box.node.handle_flush(box.now());
    const auto failed = box.persist();
    REQUIRE(failed);
    CHECK(failed->records.size() == 1);
    box.end(*failed, PersistResult::Failed);
    CHECK_FALSE(box.persist());
    CHECK(box.node.is_flushed());
    // The same when it works again, and while it leaves.
    box.command(Leave{});
    box.node.handle_flush(box.now());
    const auto last = box.persist();
    REQUIRE(last);
    box.end(*last, PersistResult::Stored);
    CHECK(box.node.status(box.now()).store.unwritten == 0);
}

TEST_CASE("node disk: what is left when it leaves is written at once") {
    DiskBox box;
    box.command(put("h", false));
    CHECK_FALSE(box.persist());
    box.command(Leave{});
    const auto persist = box.persist();
    REQUIRE(persist);
    CHECK(persist->records.size() == 1);
}

TEST_CASE("node disk: without a disk nothing is asked for, and nothing called durable") {
    DiskBox box{Restored{}};
    box.command(put("h", true));
    RaiseAlert alert;
    alert.alert = "{}";
    box.command(alert);
    CHECK_FALSE(box.persist_within(10'000));
    while (auto output = box.node.poll_output()) {
        box.outputs.push_back(std::move(*output));
    }
    const auto outputs = box.outputs;
    CHECK_FALSE(box.take<EntriesPut>().at(0).is_durable);
    box.outputs = outputs;
    CHECK_FALSE(box.take<AlertRaised>().at(0).is_durable);
    CHECK_FALSE(box.node.status(box.now()).store.has_disk);
}

TEST_CASE("node disk: after a restart entries, members and alerts are there with their age") {
    DiskBox box;
    box.command(put("h", false));
    box.command(UpdateShared{R"({"k":1})"});
    box.ms = 900;
    RaiseAlert alert;
    alert.alert = "{}";
    box.command(alert);
    const auto persist = box.persist();
    REQUIRE(persist);
    Restored restored = DiskBox::empty_disk();
    restored.run = 2;
    restored.clock = persist->clock;
    restored.records = persist->records;
    restored.streams = persist->streams;
    CHECK(restored.clock.life_ms == 900);
    DiskBox again(std::move(restored));
    again.ms = 500;
    const auto entries = again.node.entries(again.now(), "h");
    REQUIRE(entries.size() == 1);
    CHECK(entries[0].age_ms == 1400);
    CHECK(again.node.shared(again.now(), "k")->value == "1");
    REQUIRE(again.node.alerts(again.now()).size() == 1);
    CHECK(again.node.alerts(again.now())[0].age_ms == 500);
    CHECK(again.node.status(again.now()).store.unwritten == 0);
    // It goes on in a stream of its own.
    again.command(put("g", true));
    const auto more = again.persist();
    REQUIRE(more);
    CHECK(more->records.at(0).stream != persist->records.at(0).stream);
    CHECK(more->clock.life_ms == 1400);
}

TEST_CASE("node disk: where nothing is written, the time is noted once an hour") {
    DiskBox box;
    CHECK_FALSE(box.persist_within(3'599'999));
    const auto persist = box.persist_within(1);
    REQUIRE(persist);
    CHECK(persist->records.empty());
    CHECK(persist->streams.empty());
    CHECK(persist->clock.life_ms == 3'600'000);
}

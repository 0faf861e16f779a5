// SPDX-License-Identifier: Apache-2.0
#include "proto/wire/message_kind.h"

#include <doctest/doctest.h>

using namespace meshd;

TEST_CASE("message kind: names of kinds, priorities and activities read back as they were") {
    for (const auto kind : {RecordKind::Node, RecordKind::State, RecordKind::Registry,
                            RecordKind::Alert, RecordKind::Shared}) {
        CHECK(parse_record_kind(record_kind_name(kind)) == kind);
    }
    for (const auto priority :
         {Priority::Low, Priority::Normal, Priority::High, Priority::Critical}) {
        CHECK(parse_priority(priority_name(priority)) == priority);
    }
    for (const auto activity :
         {Activity::Active, Activity::Idle, Activity::Processing, Activity::Offline}) {
        CHECK(parse_activity(activity_name(activity)) == activity);
    }
    CHECK_FALSE(parse_record_kind("").has_value());
    CHECK_FALSE(parse_priority("HIGH").has_value());
    CHECK_FALSE(parse_activity("active").has_value());
    CHECK(record_kind_name(static_cast<RecordKind>(99)).empty());
}

TEST_CASE("message kind: the predecessor's numbers are kept") {
    CHECK(static_cast<int>(MessageKind::Heartbeat) == 1);
    CHECK(static_cast<int>(MessageKind::Discovery) == 2);
    CHECK(static_cast<int>(MessageKind::StateSync) == 3);
    CHECK(static_cast<int>(MessageKind::Search) == 4);
    CHECK(static_cast<int>(MessageKind::Alert) == 5);
    CHECK(static_cast<int>(MessageKind::Registry) == 6);
    CHECK(static_cast<int>(MessageKind::Broadcast) == 7);
    CHECK(static_cast<int>(MessageKind::Ack) == 8);
    CHECK(push_kind(RecordKind::State) == MessageKind::StateSync);
    CHECK(push_kind(RecordKind::Shared) == MessageKind::StateSync);
    CHECK(push_kind(RecordKind::Alert) == MessageKind::Alert);
    CHECK(push_kind(RecordKind::Registry) == MessageKind::Registry);
}

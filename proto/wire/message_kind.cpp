// SPDX-License-Identifier: Apache-2.0
#include "proto/wire/message_kind.h"

#include <array>
#include <utility>

namespace meshd {
namespace {

template <class Enum, std::size_t Size>
using Names = std::array<std::pair<Enum, std::string_view>, Size>;

constexpr Names<RecordKind, 5> kRecordKinds = {{{RecordKind::Node, "node"},
                                                {RecordKind::State, "state"},
                                                {RecordKind::Registry, "registry"},
                                                {RecordKind::Alert, "alert"},
                                                {RecordKind::Shared, "shared"}}};
constexpr Names<Priority, 4> kPriorities = {{{Priority::Low, "low"},
                                             {Priority::Normal, "normal"},
                                             {Priority::High, "high"},
                                             {Priority::Critical, "critical"}}};
constexpr Names<Activity, 4> kActivities = {{{Activity::Active, "ACTIVE"},
                                             {Activity::Idle, "IDLE"},
                                             {Activity::Processing, "PROCESSING"},
                                             {Activity::Offline, "OFFLINE"}}};

template <class Enum, std::size_t Size>
std::string_view print(const Names<Enum, Size>& names, Enum value) {
    for (const auto& [known, name] : names) {
        if (known == value) {
            return name;
        }
    }
    return "";
}

template <class Enum, std::size_t Size>
std::optional<Enum> parse(const Names<Enum, Size>& names, std::string_view text) {
    for (const auto& [value, name] : names) {
        if (name == text) {
            return value;
        }
    }
    return std::nullopt;
}

}  // namespace

std::string_view record_kind_name(RecordKind kind) {
    return print(kRecordKinds, kind);
}

std::optional<RecordKind> parse_record_kind(std::string_view name) {
    return parse(kRecordKinds, name);
}

MessageKind push_kind(RecordKind kind) {
    switch (kind) {
        case RecordKind::Alert:
            return MessageKind::Alert;
        case RecordKind::Registry:
            return MessageKind::Registry;
        case RecordKind::Node:
        case RecordKind::State:
        case RecordKind::Shared:
            break;
    }
    return MessageKind::StateSync;
}

std::string_view priority_name(Priority priority) {
    return print(kPriorities, priority);
}

std::optional<Priority> parse_priority(std::string_view name) {
    return parse(kPriorities, name);
}

std::string_view activity_name(Activity activity) {
    return print(kActivities, activity);
}

std::optional<Activity> parse_activity(std::string_view name) {
    return parse(kActivities, name);
}

}  // namespace meshd

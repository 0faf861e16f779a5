// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "proto/base/assert.h"
#include "proto/base/json.h"
#include "proto/node_impl.h"
#include "proto/node_params.h"

namespace meshd {
namespace {

/// A caller may wait this long for delivery reports.
constexpr Duration kWaitMax = std::chrono::seconds(60);
/// Messages waiting on every link beyond which new alerts are refused rather than queued.
constexpr std::size_t kLinkBacklogMax = 4096;
/// A node that leaves waits this long until its peers have acknowledged the goodbye.
constexpr Duration kLeaveWait = std::chrono::milliseconds(500);

}  // namespace

tl::expected<RequestId, CommandError> Node::Impl::handle_command(Now now, Command command) {
    at(now);
    auto result = std::visit(
        [&](const auto& what) -> tl::expected<RequestId, CommandError> {
            using T = std::decay_t<decltype(what)>;
            if constexpr (std::is_same_v<T, RaiseAlert>) {
                return raise_alert(now, what);
            } else if constexpr (std::is_same_v<T, UpdateState>) {
                return update_state(now, what);
            } else if constexpr (std::is_same_v<T, PutEntries>) {
                return put_entries(now, what);
            } else if constexpr (std::is_same_v<T, DeleteEntries>) {
                return delete_entries(now, what);
            } else if constexpr (std::is_same_v<T, UpdateShared>) {
                return update_shared(now, what);
            } else if constexpr (std::is_same_v<T, Leave>) {
                return leave(now, what);
            } else if constexpr (std::is_same_v<T, Forget>) {
                return forget(now, what);
            } else if constexpr (std::is_same_v<T, SendNote>) {
                return send_note(now, what);
            } else if constexpr (std::is_same_v<T, BroadcastNote>) {
                return broadcast_note(now, what);
            } else if constexpr (std::is_same_v<T, Probe>) {
                return probe(now, what);
            } else if constexpr (std::is_same_v<T, Search>) {
                return search(now, what);
            } else if constexpr (std::is_same_v<T, ServeSearches>) {
                return serve_searches(what);
            } else if constexpr (std::is_same_v<T, AnswerSearch>) {
                return answer_search(now, what);
            } else {
                return discover(now);
            }
        },
        command);
    settle(now);
    return result;
}

tl::expected<RequestId, CommandError> Node::Impl::raise_alert(Now now, const RaiseAlert& command) {
    const auto document = parse_object(command.alert, "alert", limits::kPayloadBytesMax);
    if (!document) {
        return tl::unexpected(document.error());
    }
    if (command.wait < Duration{} || command.wait > kWaitMax) {
        return tl::unexpected(
            CommandError{CommandError::Code::InvalidParams,
                         "wait_ms",
                         "must be between 0 and " + std::to_string(to_ms(kWaitMax)),
                         {}});
    }
    if (has_left_ || leaving_) {
        return tl::unexpected(left_error());
    }
    if (!command.dedupe_key.empty()) {
        if (auto error = check_name(command.dedupe_key, "dedupe_key", limits::kDedupeKeyBytesMax)) {
            return tl::unexpected(*std::move(error));
        }
    }
    if (command.ttl_ms > std::uint64_t{limits::kAlertAgeMsMax}) {
        return tl::unexpected(
            CommandError{CommandError::Code::InvalidParams,
                         "ttl_ms",
                         "must be at most " + std::to_string(limits::kAlertAgeMsMax),
                         {},
                         {}});
    }
    if (const HeldRecord* former = store_.own_alert_of(command.dedupe_key)) {
        const RequestId request = next_request();
        AlertRaised answer{request, print_alert_id(former->record.header), {}, {}};
        answer.is_repeated = true;
        await_disk(now.monotonic, request, {place_of(former->record.header)}, answer);
        return request;
    }
    const bool congested = command.priority != Priority::Critical && is_congested(kLinkBacklogMax);
    if (congested || (command.wait > Duration{} && deliveries_.is_full())) {
        return tl::unexpected(CommandError{CommandError::Code::Overloaded,
                                           {},
                                           "too many alerts are on their way",
                                           std::chrono::milliseconds(100)});
    }
    const RequestId request = next_request();
    AlertData data;
    data.priority = command.priority;
    data.timestamp_ms = now.wall.ms;
    data.alert = document->root().print();
    data.ttl_ms = command.ttl_ms;
    data.dedupe_key = command.dedupe_key;
    const HeldRecord& held =
        store_.write_alert(stamp(now), data, static_cast<std::uint32_t>(to_ms(command.wait)));
    counters_.add(Counter::alerts_sent);
    const RecordHeader header = held.record.header;
    outputs_.push_back(AlertEvent{alert_view(now.monotonic, held), false});
    publish(now, held);

    publish_floors_soon();

    std::vector<NodeId> expected;
    for (const auto& [node, member] : membership_.members()) {
        if (member.status == NodeStatus::Alive) {
            expected.push_back(node);
        }
    }
    // Spreading has begun; the disk runs beside it.
    await_disk(now.monotonic, request, {place_of(header)}, std::nullopt);
    if (command.wait > Duration{}) {
        deliveries_.wait(request, header.stream, header.counter, std::move(expected),
                         now.monotonic + command.wait);
    } else {
        answer_raised({request, print_alert_id(header), {}, std::move(expected)});
    }
    return request;
}

/// One peer that does not keep up must not silence the others; repair catches it up.
bool Node::Impl::is_congested(std::size_t backlog_max) const {
    return !links_.empty() && std::all_of(links_.begin(), links_.end(), [&](const auto& entry) {
        return entry.second.egress.pending() > backlog_max;
    });
}

tl::expected<RequestId, CommandError> Node::Impl::update_state(Now now,
                                                               const UpdateState& command) {
    StateData next = own_state_;
    if (command.patch) {
        const auto patch = parse_object(*command.patch, "patch", limits::kPayloadBytesMax);
        if (!patch) {
            return tl::unexpected(patch.error());
        }
        const auto current = parse_object(own_state_.document, "state", limits::kPayloadBytesMax);
        MESHD_ASSERT(current.has_value());
        next.document = json::merge_patch(current->root(), patch->root());
        if (next.document.size() > limits::kPayloadBytesMax) {
            return tl::unexpected(CommandError{
                CommandError::Code::TooLarge,
                "patch",
                "would make the state " + std::to_string(next.document.size()) +
                    " bytes; at most " + std::to_string(limits::kPayloadBytesMax) + " are allowed",
                {}});
        }
    }
    if (command.activity) {
        if (*command.activity == Activity::Offline) {
            return tl::unexpected(CommandError{CommandError::Code::InvalidParams,
                                               "activity",
                                               "OFFLINE is shown by the mesh, never set",
                                               {}});
        }
        next.activity = *command.activity;
    }
    const RequestId request = next_request();
    const bool changed =
        next.document != own_state_.document || next.activity != own_state_.activity;
    own_state_ = std::move(next);
    if (changed) {
        outputs_.push_back(StateEvent{own_state_view()});
        if (state_allowed_at_ <= now.monotonic) {
            publish_state(now);
        } else {
            publish_state_at_ = state_allowed_at_;
        }
    }
    outputs_.push_back(StateUpdated{request, own_state_view()});
    return request;
}

tl::expected<RequestId, CommandError> Node::Impl::leave(Now now, const Leave& command) {
    const RequestId request = next_request();
    if (has_left_) {
        outputs_.push_back(meshd::HasLeft{request});
        return request;
    }
    if (leaving_) {
        return tl::unexpected(
            CommandError{CommandError::Code::HasLeft, {}, "this node is leaving already", {}});
    }
    presence_ = command.restarting ? Presence::Restarting : Presence::Left;
    discovery_.stop();
    handshake_.clear();
    leaving_ = Leaving{request, now.monotonic + kLeaveWait};
    publish_node(now);
    return request;
}

tl::expected<RequestId, CommandError> Node::Impl::discover(Now now) {
    if (leaving_) {
        return tl::unexpected(CommandError{
            CommandError::Code::HasLeft, {}, "this node is leaving; try again in a second", {}});
    }
    if (has_left_) {
        // The record that says so goes out with the first link: before, it could reach no one.
        has_left_ = false;
        is_rejoining_ = true;
        has_had_links_ = false;  // out by its own will, it is not cut off
        presence_ = Presence::Here;
        topology_dirty_ = true;
    }
    discovery_.start(now.monotonic);
    neighbours_.on_change(now.monotonic, links_.empty());
    const RequestId request = next_request();
    outputs_.push_back(Discovered{request});
    return request;
}

}  // namespace meshd

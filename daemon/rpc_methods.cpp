// SPDX-License-Identifier: Apache-2.0
#include "daemon/rpc_methods.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "daemon/rpc_keys.h"
#include "daemon/rpc_print.h"
#include "daemon/rpc_print_diagnosis.h"
#include "daemon/rpc_registry.h"
#include "ipc/call_group.h"
#include "ipc/openrpc.h"
#include "proto/wire/limits.h"

namespace meshd {

using ipc::CallReply;
using ipc::Error;
using ipc::ErrorCode;
using ipc::MethodId;

namespace {

/// Above the node's own request ids, which count from 1.
constexpr std::uint64_t kOwnRequests = std::uint64_t{1} << 63;

Error error_of(ErrorCode code, std::string message) {
    Error error;
    error.code = code;
    error.message = std::move(message);
    return error;
}

Error unknown_node(const ipc::Params& params) {
    Error error = ipc::invalid_param("node_id", params.value("node_id"), "a known node");
    error.code = ErrorCode::UnknownNode;
    error.message = "no node of this name is known";
    return error;
}

bool has_param(const ipc::Method& method, std::string_view name) {
    return std::any_of(method.params.begin(), method.params.end(),
                       [&](const ipc::Param& param) { return param.name == name; });
}

/// What the core means by TooLarge, in the error code of the method's area.
ErrorCode too_large_code(MethodId method) {
    using enum MethodId;
    return method == RegistryPut                             ? ErrorCode::EntryTooLarge
           : method == StateUpdate                           ? ErrorCode::StateTooLarge
           : method == SearchQuery                           ? ErrorCode::QueryTooLarge
           : method == NotesSend || method == NotesBroadcast ? ErrorCode::NoteTooLarge
                                                             : ErrorCode::AlertTooLarge;
}

/// Those of the sockets, and of the store: what it refused or dropped, and why.
OtherCounters other_counters(const MeshAccess& mesh, const Searches& searches) {
    OtherCounters counters = mesh.socket_counters();
    const StoreCounts& store = mesh.node().store_counts();
    const OtherCounters of_store = {
        {"store_malformed", store.malformed},
        {"store_nodes_full", store.nodes_full},
        {"store_streams_full", store.streams_full},
        {"store_states_full", store.states_full},
        {"store_opaque_full", store.opaque_full},
        {"store_foreign_stream", store.foreign_stream},
        {"store_own_stream", store.own_stream},
        {"store_alerts_dropped", store.alerts_dropped},
        {"store_no_room", store.no_room},
        {"store_dropped_for_room", store.dropped_for_room},
        {"store_purged", store.purged},
        {"store_found_dead", store.found_dead},
        {"store_found_lost", store.found_lost},
        {"store_streams_forgotten", store.streams_forgotten},
        {"store_intervals_full", store.intervals_full},
        {"store_unreadable", store.unreadable},
    };
    counters.insert(counters.end(), of_store.begin(), of_store.end());
    for (const OtherCounters& of_searches : {searches.calls.counters(), searches.desk.counters()}) {
        counters.insert(counters.end(), of_searches.begin(), of_searches.end());
    }
    return counters;
}

bool is_mesh_scope(const ipc::Params& params) {
    return params.choice("scope") == 1;  // the second of kScopeNames
}

}  // namespace

Priority priority_of(const ipc::Params& params, Priority otherwise) {
    // The table's choices stand in the order of the numbers.
    const auto choice = params.choice("priority");
    return choice ? static_cast<Priority>(*choice) : otherwise;
}

Error to_error(const CommandError& refused, const ipc::Method& method) {
    const bool is_put = method.id == MethodId::RegistryPut;
    Error error;
    error.field = refused.field;
    // The core's messages begin where its field's name ends: "has 70000 bytes …".
    error.message = error.field.empty() ? refused.message : error.field + " " + refused.message;
    switch (refused.code) {
        case CommandError::Code::InvalidParams:
            error.code = ErrorCode::InvalidParams;
            return error;
        case CommandError::Code::TooLarge:
            error.code = too_large_code(method.id);
            if (!is_put) {
                error.expected = "at most " + std::to_string(limits::kPayloadBytesMax) +
                                 " bytes and " + std::to_string(limits::kPayloadDepthMax) +
                                 " levels";
            }
            return error;
        case CommandError::Code::Dimension:
            error.code = ErrorCode::DimensionMismatch;
            return error;
        case CommandError::Code::HasLeft:
            error.code = ErrorCode::HasLeft;
            return error;
        case CommandError::Code::UnknownNode:
        case CommandError::Code::NodeAlive:
            error.code = refused.code == CommandError::Code::NodeAlive ? ErrorCode::NodeAlive
                                                                       : ErrorCode::UnknownNode;
            error.message = refused.message;
            return error;
        case CommandError::Code::Overloaded:
            error.code = ErrorCode::Overloaded;
            error.retry_after_ms = to_ms(refused.retry_after);
            return error;
        case CommandError::Code::UnknownSearch:
            error.code = ErrorCode::UnknownSearch;
            return error;
    }
    return error;
}

Error to_error(const CommandError& refused, const ipc::Method& method, const ipc::Params& params) {
    CommandError of_member = refused;
    of_member.field = entry_field(method.id == MethodId::RegistryPut && params.has("entries"),
                                  refused.index, refused.field);
    Error error = to_error(of_member, method);
    const bool shows_got = error.code == ErrorCode::InvalidParams ||
                           error.code == ErrorCode::UnknownNode ||
                           error.code == ErrorCode::NodeAlive;
    if (shows_got && has_param(method, error.field)) {
        error.got = ipc::invalid_param(error.field, params.value(error.field), "").got;
    }
    return error;
}

CallReply RpcMethods::call(const Caller& caller, const ipc::Method& method,
                           const ipc::Params& params) {
    const EventFeed::ClientId client = caller.client;
    const Now now = mesh_.now();
    const Node& self = mesh_.node();
    switch (method.id) {
        case MethodId::MeshStatus: {
            StatusView status = self.status(now);
            for (std::string& warning : mesh_.warnings()) {
                // The driver says the same with the reason.
                std::erase_if(status.warnings,
                              [&](const std::string& own) { return warning.starts_with(own); });
                status.warnings.push_back(std::move(warning));
            }
            for (std::string& warning : searches_.desk.warnings(now.monotonic)) {
                status.warnings.push_back(std::move(warning));
            }
            if (config_ != nullptr) {
                for (std::string& warning : config_->warnings()) {
                    status.warnings.push_back(std::move(warning));
                }
            }
            return CallReply::done(print_status(status));
        }
        case MethodId::MeshStats: {
            OtherCounters others = other_counters(mesh_, searches_);
            const OtherCounters of_api = counters_ ? counters_() : OtherCounters{};
            others.insert(others.end(), of_api.begin(), of_api.end());
            return CallReply::done(print_stats(self.status(now), self.counters(), others));
        }
        case MethodId::MeshNodes:
            return nodes(params);
        case MethodId::MeshNode:
            return node(params);
        case MethodId::MeshPeers:
            return CallReply::done(print_peers(self.peers(now)));
        case MethodId::MeshRoutes:
            return CallReply::done(print_routes(self.routes()));
        case MethodId::MeshTopology:
            return CallReply::done(print_topology(self.nodes(now), self.links()));
        case MethodId::MeshDiagnosis:
            return CallReply::done(print_diagnosis(self.diagnosis(now), self.status(now).security,
                                                   self.nodes(now), mesh_.host_facts()));
        case MethodId::MeshDiscover:
            return command(method, params, Discover{});
        case MethodId::MeshPing:
        case MethodId::MeshTrace:
            return probe(method, params);
        case MethodId::MeshForget:
            return command(method, params, Forget{*params.node_id("node_id")});
        case MethodId::MeshLeave:
            return command(method, params, Leave{params.boolean("restarting")});
        case MethodId::AlertsRaise:
            return raise_alert(method, params);
        case MethodId::AlertsList:
            return list_alerts(params);
        case MethodId::AlertsGet:
            return get_alert(params);
        case MethodId::RegistryPut:
            return put_entries(method, params);
        case MethodId::RegistryGet:
            return get_entries(params);
        case MethodId::RegistryDelete:
            return delete_entries(method, params);
        case MethodId::RegistryList:
            return list_entries(params);
        case MethodId::RegistryNearest:
            return nearest(method, params);
        case MethodId::SearchQuery:
            return query(method, params);
        case MethodId::SearchServe:
            return serve(client, caller.user, params);
        case MethodId::SearchAnswer:
            return answer_search(client, params);
        case MethodId::NotesSend:
            return send_note(method, params);
        case MethodId::NotesBroadcast:
            return broadcast_note(method, params);
        case MethodId::StateGet:
            return is_mesh_scope(params) ? get_shared(params) : get_state(params);
        case MethodId::StateUpdate:
            return update_state(method, params);
        case MethodId::EventsSubscribe:
            return subscribe(client, params);
        case MethodId::EventsUnsubscribe:
            return unsubscribe(client, params);
        case MethodId::StoreBackup:
            return back_up(params);
        case MethodId::ConfigGet:
            return get_config(params);
        case MethodId::ConfigReload:
            return reload_config();
        case MethodId::LogLevel:
            return log_level(params);
        case MethodId::KeysNew:
        case MethodId::KeysJoin:
        case MethodId::KeysList:
        case MethodId::KeysRotate:
        case MethodId::KeysRemove:
        case MethodId::KeysReplace:
            return keys(method, params);
        case MethodId::RpcDiscover:
            return CallReply::done(ipc::print_openrpc(MESHD_VERSION));
    }
    return CallReply::failed(error_of(ErrorCode::InternalError, "no handler"));
}

CallReply RpcMethods::nodes(const ipc::Params& params) const {
    const Now now = mesh_.now();
    const std::vector<NodeView> known = mesh_.node().nodes(now);
    std::vector<MaybeState> states;
    std::size_t bytes = 0;
    if (params.boolean("state")) {
        for (const NodeView& node : known) {
            states.push_back(mesh_.node().state(now, node.node_id));
            bytes += states.back() ? states.back()->document.size() : 0;
            if (bytes > ipc::kResultBytesMax) {
                return CallReply::failed(error_of(
                    ErrorCode::Overloaded, "the states are too large together; ask state.get"));
            }
        }
    }
    return CallReply::done(print_nodes(known, states));
}

CallReply RpcMethods::node(const ipc::Params& params) const {
    const Now now = mesh_.now();
    const NodeId id = *params.node_id("node_id");
    const auto found = mesh_.node().node(now, id);
    return found ? CallReply::done(print_node(*found, mesh_.node().state(now, id)))
                 : CallReply::failed(unknown_node(params));
}

CallReply RpcMethods::list_alerts(const ipc::Params& params) const {
    const Now now = mesh_.now();
    AlertFilter filter;
    if (const auto after = params.string("after")) {
        if (!mesh_.node().alert(now, *after)) {
            Error error =
                ipc::invalid_param("after", params.value("after"), "the next of an earlier reply");
            error.code = ErrorCode::UnknownAlert;
            error.message = "no alert of this id is held; begin without after";
            return CallReply::failed(std::move(error));
        }
        filter.before = *after;
    }
    filter.source = params.node_id("node_id");
    filter.least = priority_of(params, Priority::Low);
    if (params.has("since_ms")) {
        filter.age_ms_max = static_cast<std::uint64_t>(params.integer("since_ms"));
    }
    const auto limit = static_cast<std::size_t>(params.integer("limit"));
    filter.limit = limit + 1;  // whether there are more
    filter.bytes_max = kAlertPageBytes;
    return CallReply::done(
        print_alerts(mesh_.node().alerts(now, filter), limit, kAlertPageBytes).text);
}

CallReply RpcMethods::get_alert(const ipc::Params& params) const {
    const auto alert = mesh_.node().alert(mesh_.now(), *params.string("id"));
    if (!alert) {
        Error error = ipc::invalid_param("id", params.value("id"), "the id of an alert held here");
        error.code = ErrorCode::UnknownAlert;
        error.message = "no alert of this id is held";
        return CallReply::failed(std::move(error));
    }
    return CallReply::done(print_alert(*alert));
}

CallReply RpcMethods::get_state(const ipc::Params& params) const {
    if (params.has("key")) {
        return CallReply::failed(
            ipc::invalid_param("key", params.value("key"), "absent with scope node"));
    }
    const Now now = mesh_.now();
    const NodeId id = params.node_id("node_id").value_or(mesh_.node().id());
    const auto found = mesh_.node().node(now, id);
    if (!found) {
        return CallReply::failed(unknown_node(params));
    }
    const auto state = mesh_.node().state(now, id);
    if (!state) {
        return CallReply::failed(
            error_of(ErrorCode::StateUnknown, "the state of this node has not arrived yet"));
    }
    return CallReply::done(print_state(*state, found->status == NodeStatus::Alive));
}

CallReply RpcMethods::raise_alert(const ipc::Method& method, const ipc::Params& params) {
    RaiseAlert raise;
    raise.alert = params.value("alert").print();
    raise.priority = priority_of(params, Priority::Normal);
    raise.wait = std::chrono::milliseconds(params.integer("wait_ms"));
    raise.dedupe_key = params.string("dedupe_key").value_or("");
    raise.ttl_ms = params.has("ttl_ms") ? static_cast<std::uint64_t>(params.integer("ttl_ms")) : 0;
    return command(method, params, std::move(raise));
}

CallReply RpcMethods::update_state(const ipc::Method& method, const ipc::Params& params) {
    if (is_mesh_scope(params)) {
        if (params.has("activity")) {
            return CallReply::failed(
                ipc::invalid_param("activity", params.value("activity"), "absent with scope mesh"));
        }
        if (!params.has("patch")) {
            Error error = ipc::invalid_param("patch", json::Value(), "object");
            error.message = "patch is required with scope mesh";
            return CallReply::failed(std::move(error));
        }
        return command(method, params, UpdateShared{params.value("patch").print()});
    }
    if (!params.has("patch") && !params.has("activity")) {
        Error error = ipc::invalid_param("patch", json::Value(), "patch, activity or both");
        error.message = "one of patch and activity is required";
        return CallReply::failed(std::move(error));
    }
    UpdateState update;
    if (params.has("patch")) {
        update.patch = params.value("patch").print();
    }
    if (const auto choice = params.choice("activity")) {
        // The table's choices begin with ACTIVE and stand in the order of the numbers.
        update.activity =
            static_cast<Activity>(static_cast<std::size_t>(Activity::Active) + *choice);
    }
    return command(method, params, std::move(update));
}

CallReply RpcMethods::subscribe(EventFeed::ClientId client, const ipc::Params& params) {
    EventFilter filter;
    filter.kinds = params.event_kinds("kinds");
    filter.priority = priority_of(params, Priority::Low);
    filter.entry_type = params.string("type").value_or("");
    filter.topic = params.string("topic").value_or("");
    filter.since = params.cursor("since");
    filter.replay = params.boolean("replay");
    auto subscribed = feed_.subscribe(client, std::move(filter));
    if (!subscribed) {
        return CallReply::failed(std::move(subscribed.error()));
    }
    std::string text;
    json::Writer(text)
        .begin_object()
        .member("subscription", std::to_string(subscribed->name))
        .member("cursor", ipc::print_cursor(subscribed->cursor))
        .end_object();
    return CallReply::done(std::move(text));
}

CallReply RpcMethods::unsubscribe(EventFeed::ClientId client, const ipc::Params& params) {
    // Names are decimal numbers; any other text names nothing.
    const auto name = ipc::parse_decimal(*params.string("subscription"));
    std::string text;
    json::Writer(text)
        .begin_object()
        .member("unsubscribed", name && feed_.unsubscribe(client, *name))
        .end_object();
    return CallReply::done(std::move(text));
}

CallReply RpcMethods::keys(const ipc::Method& method, const ipc::Params& params) {
    if (keys_ == nullptr) {
        return CallReply::failed(error_of(ErrorCode::InternalError, "this process keeps no keys"));
    }
    auto plan = plan_keys(*keys_, method.id, params);
    if (!plan) {
        return CallReply::failed(std::move(plan.error()));
    }
    if (!plan->is_change) {
        return CallReply::done(std::move(plan->reply));
    }
    return elsewhere([&](const std::function<void(CallReply)>& done) {
        keys_->change_keys(std::move(plan->ring), plan->origin,
                           [done, reply = plan->reply](const std::string& trouble) {
                               done(trouble.empty() ? CallReply::done(reply)
                                                    : CallReply::failed(error_of(
                                                          ErrorCode::KeyNotKept,
                                                          "nothing has changed: " + trouble)));
                           });
    });
}

CallReply RpcMethods::command(const ipc::Method& method, const ipc::Params& params,
                              Command command) {
    const auto accepted = mesh_.command(std::move(command));
    return accepted ? CallReply::pending(*accepted)
                    : CallReply::failed(to_error(accepted.error(), method, params));
}

CallReply RpcMethods::elsewhere(
    const std::function<void(const std::function<void(CallReply)>& done)>& start) {
    /// Whether `done` was called before the call was known to wait.
    struct Call {
        bool is_starting = true;
        std::optional<CallReply> reply;
    };
    const RequestId request{kOwnRequests | ++last_own_request_};
    const auto call = std::make_shared<Call>();
    const std::weak_ptr<Answer> answer = answer_;
    start([call, answer, request](CallReply reply) {
        if (call->is_starting) {
            call->reply = std::move(reply);
        } else if (const auto alive = answer.lock()) {
            (*alive)(request, std::move(reply));
        }
    });
    call->is_starting = false;
    return call->reply ? std::move(*call->reply) : CallReply::pending(request);
}

}  // namespace meshd

// SPDX-License-Identifier: Apache-2.0
#include "daemon/rpc_service.h"

#include <chrono>
#include <map>
#include <utility>
#include <variant>

#include "daemon/rpc_events.h"
#include "daemon/rpc_methods.h"
#include "daemon/rpc_print.h"
#include "daemon/rpc_print_notes.h"
#include "daemon/rpc_print_store.h"
#include "ipc/call_group.h"
#include "ipc/framing.h"
#include "ipc/method_table.h"
#include "ipc/params.h"
#include "ipc/request.h"

namespace meshd {

namespace {

using ipc::CallReply;
using ipc::Error;
using ipc::ErrorCode;
using ipc::EventKind;

/// Hint to a client with too many calls waiting: a few round trips of the mesh.
constexpr std::int64_t kWaitingRetryMs = 100;
/// Between events that tell of overload, which must not add to it.
constexpr std::chrono::seconds kOverloadInterval{1};

EventKind event_kind(NodeEventKind kind) {
    switch (kind) {
        case NodeEventKind::Joined:
            return EventKind::NodeJoined;
        case NodeEventKind::Left:
            return EventKind::NodeLeft;
        case NodeEventKind::Restarting:
            return EventKind::NodeRestarting;
        case NodeEventKind::Offline:
            return EventKind::NodeOffline;
        case NodeEventKind::Unreachable:
            return EventKind::NodeUnreachable;
        case NodeEventKind::Returned:
            return EventKind::NodeReturned;
        case NodeEventKind::Conflict:
            return EventKind::NodeConflict;
        case NodeEventKind::Isolated:
            return EventKind::NodeIsolated;
        case NodeEventKind::Rejoined:
            return EventKind::NodeRejoined;
        case NodeEventKind::Forgotten:
            return EventKind::NodeForgotten;
    }
    return EventKind::NodeConflict;
}

std::string print_data(const NodeEvent& event) {
    std::string text;
    json::Writer writer(text);
    writer.begin_object().member("node_id", event.node.text()).key("because");
    if (event.because.empty()) {
        writer.null();
    } else {
        writer.string(event.because.text());
    }
    if (event.kind == NodeEventKind::Conflict) {
        writer.key("instance");
        event.instance ? writer.string(print_hex(event.instance.value)) : writer.null();
        writer.key("address");
        event.address ? writer.string(print_endpoint(*event.address)) : writer.null();
    }
    if (event.kind == NodeEventKind::Forgotten) {
        writer.key("by");
        event.by.empty() ? writer.null() : writer.string(event.by.text());
    }
    writer.end_object();
    return text;
}

std::string print_data(const LinkEvent& event) {
    std::string text;
    json::Writer(text)
        .begin_object()
        .member("node_id", event.peer.text())
        .member("address", print_endpoint(event.address))
        .end_object();
    return text;
}

std::string print_data(const StateEvent& event) {
    std::string text;
    json::Writer(text)
        .begin_object()
        .member("node_id", event.state.node_id.text())
        .member("activity", activity_name(event.state.activity))
        .member_raw("state", event.state.document)
        .end_object();
    return text;
}

Error unknown_method(std::string_view name) {
    Error error;
    error.code = ErrorCode::MethodNotFound;
    error.message = "there is no such method";
    error.did_you_mean = ipc::nearest_method(name);
    return error;
}

Error too_many_waiting(std::size_t limit, std::string_view whose) {
    Error error;
    error.code = ErrorCode::Overloaded;
    error.message = "no more than " + std::to_string(limit) + " calls of one " +
                    std::string(whose) + " may wait at once";
    error.retry_after_ms = kWaitingRetryMs;
    return error;
}

/// Without a hint: the same batch will be too much again.
Error batch_full() {
    Error error;
    error.code = ErrorCode::Overloaded;
    error.message = "the results of the batch so far leave no room for this call: it was not begun";
    return error;
}

Error not_permitted(const ipc::Method& method) {
    Error error;
    error.code = ErrorCode::NotPermitted;
    error.message = std::string(method.name) +
                    " is for root, the user meshd runs as, and members of group meshd-admin";
    return error;
}

bool may_wait(ipc::MethodId id) {
    using enum ipc::MethodId;
    return id == AlertsRaise || id == StateUpdate || id == MeshLeave || id == MeshDiscover ||
           id == MeshForget || id == RegistryPut || id == RegistryDelete || id == StoreBackup ||
           id == RegistryNearest || id == SearchQuery || id == NotesSend || id == NotesBroadcast ||
           id == MeshPing || id == MeshTrace || id == KeysNew || id == KeysJoin ||
           id == KeysRotate || id == KeysRemove || id == KeysReplace;
}

}  // namespace

class RpcService::Impl {
  public:
    Impl(MeshAccess& mesh, Callbacks callbacks)
        : mesh_(mesh),
          send_(std::move(callbacks.send)),
          is_admin_(std::move(callbacks.is_admin)),
          user_of_(std::move(callbacks.user_of)),
          on_write_(std::move(callbacks.on_write)),
          wake_at_(std::move(callbacks.wake_at)),
          feed_(feed_callbacks()),
          searches_{{}, SearchDesk(desk_callbacks())},
          methods_(
              mesh, feed_, searches_,
              [this](RequestId request, CallReply reply) { answer(request, std::move(reply)); },
              std::move(callbacks.counters), callbacks.config, callbacks.keys) {}

    void on_line(ClientId client, std::string_view line);
    void on_line_too_long(ClientId client);
    void on_client_gone(ClientId client);
    void on_client_writable(ClientId client) { feed_.resume(client, mesh_.now()); }
    bool is_waiting(ClientId client) const {
        return calls_.count(client) > 0 || feed_.has_subscriptions(client) ||
               searches_.desk.is_serving(client);
    }
    void on_output(const Output& output);
    void on_timeout() {
        armed_.reset();  // the timer is spent, if it came too early too
        searches_.desk.on_timeout(mesh_.now().monotonic);
    }
    /// After whatever may have changed the next deadline.
    void arm();

  private:
    void publish(Now now, const Output& output);
    /// A call that a command will answer.
    struct Waiting {
        ClientId client = 0;
        std::shared_ptr<ipc::CallGroup> group;
        std::size_t index = 0;
        std::string id;
        ipc::MethodId method = ipc::MethodId::MeshStatus;
        bool is_notification = false;
        std::size_t listeners = 0;  ///< for alerts.raise
    };

    /// What a client has under way.
    struct Calls {
        std::uint32_t user = 0;
        std::size_t waiting = 0;
        std::size_t bytes = 0;  ///< of results that wait for the rest of their batch
    };

    std::uint32_t user_of(ClientId client) const { return user_of_ ? user_of_(client) : 0; }
    std::optional<Error> refuse_waiting(ClientId client) const;
    void note_overload(const ipc::Request& request, const Error& error);
    void count_waiting(ClientId client);
    void start(ClientId client, const ipc::Request& request,
               const std::shared_ptr<ipc::CallGroup>& group, std::size_t index);
    CallReply call(ClientId client, const ipc::Request& request, std::size_t& listeners);
    EventFeed::Callbacks feed_callbacks();
    SearchDesk::Callbacks desk_callbacks();
    /// True where the output is about notes or searches.
    bool take_search(const Output& output);
    void stream(const SearchAnswered& answer);
    void answer_probe(const Probed& probed);
    void answer(RequestId request, CallReply reply);
    void answer(RequestId request, std::string result) {
        answer(request, CallReply::done(std::move(result)));
    }
    std::optional<Waiting> take_waiting(RequestId request);
    void send_if_complete(ClientId client, ipc::CallGroup& group);

    MeshAccess& mesh_;
    std::function<bool(ClientId, std::string, bool)> send_;
    std::function<bool(ClientId)> is_admin_;
    std::function<std::uint32_t(ClientId)> user_of_;
    std::function<void(ClientId, const ipc::Method&, bool)> on_write_;
    std::function<void(TimePoint)> wake_at_;
    EventFeed feed_;
    Searches searches_;
    RpcMethods methods_;
    std::optional<TimePoint> armed_;
    std::map<RequestId, Waiting> waiting_;
    std::uint64_t overloads_ = 0;  ///< since the last event that told of some
    std::optional<TimePoint> overload_told_;
    std::map<ClientId, Calls> calls_;  ///< of clients with at least one that waits
    std::map<std::uint32_t, std::size_t> waiting_per_user_;
};

EventFeed::Callbacks RpcService::Impl::feed_callbacks() {
    EventFeed::Callbacks callbacks;
    callbacks.send = [this](ClientId client, std::string line) {
        return send_(client, std::move(line), true);
    };
    callbacks.user_of = [this](ClientId client) { return user_of(client); };
    callbacks.identity = [this] {
        const StatusView status = mesh_.node().status(mesh_.now());
        return EventFeed::Process{status.instance, status.start, status.run};
    };
    callbacks.alerts_after = [this](Now now, std::uint64_t arrival, std::size_t limit) {
        return mesh_.node().alerts_after(now, arrival, limit);
    };
    return callbacks;
}

SearchDesk::Callbacks RpcService::Impl::desk_callbacks() {
    SearchDesk::Callbacks callbacks;
    callbacks.ask = [this](ClientId client, const std::string& data) {
        return feed_.tell(mesh_.now(), client, EventKind::SearchRequest, data);
    };
    callbacks.on_types = [this](const SearchDesk::Types& types) {
        static_cast<void>(mesh_.command(ServeSearches{types}));
    };
    callbacks.answer = [this](AnswerSearch answer) {
        // Refused where the node's time for it is over: its answer went without.
        static_cast<void>(mesh_.command(std::move(answer)));
    };
    return callbacks;
}

void RpcService::Impl::arm() {
    const auto next = searches_.desk.next_deadline();
    if (next && next != armed_ && wake_at_) {
        wake_at_(*next);
    }
    armed_ = next;
}

void RpcService::Impl::on_line(ClientId client, std::string_view line) {
    const ipc::Incoming incoming = ipc::Incoming::parse(line);
    // What waits already leaves less room, so that batches with one slow call each cannot pile up.
    const auto before = calls_.find(client);
    const std::size_t held = before == calls_.end() ? 0 : before->second.bytes;
    const auto group =
        std::make_shared<ipc::CallGroup>(incoming.is_batch(), incoming.items().size(), held);
    for (std::size_t i = 0; i < incoming.items().size(); ++i) {
        const auto& item = incoming.items()[i];
        if (item) {
            start(client, *item, group, i);
        } else {
            group->fail(i, item.error().id, item.error().error);
        }
    }
    send_if_complete(client, *group);
    if (const auto calls = calls_.find(client); calls != calls_.end()) {
        if (!group->is_complete()) {
            group->charge();
            calls->second.bytes += group->charged();
        }
    }
    // Past events follow the reply to the subscription that asked for them.
    feed_.resume(client, mesh_.now());
}

void RpcService::Impl::on_line_too_long(ClientId client) {
    Error error;
    error.code = ErrorCode::InvalidRequest;
    error.message =
        "a request line must not exceed " + std::to_string(ipc::kRequestBytesMax) + " bytes";
    send_(client, ipc::print_error("null", error) + "\n", false);
}

void RpcService::Impl::on_client_gone(ClientId client) {
    feed_.remove_client(client);
    searches_.desk.remove_client(client);
    if (const auto calls = calls_.find(client); calls != calls_.end()) {
        const auto user = waiting_per_user_.find(calls->second.user);
        user->second -= calls->second.waiting;
        if (user->second == 0) {
            waiting_per_user_.erase(user);
        }
        calls_.erase(calls);
        std::erase_if(waiting_, [&](const auto& entry) {
            if (entry.second.client != client) {
                return false;
            }
            searches_.calls.drop(entry.first);
            return true;
        });
    }
}

std::optional<Error> RpcService::Impl::refuse_waiting(ClientId client) const {
    const auto calls = calls_.find(client);
    if (calls != calls_.end() && calls->second.waiting >= kWaitingPerClientMax) {
        return too_many_waiting(kWaitingPerClientMax, "connection");
    }
    const auto user = waiting_per_user_.find(user_of(client));
    if (user != waiting_per_user_.end() && user->second >= kWaitingPerUserMax) {
        return too_many_waiting(kWaitingPerUserMax, "user");
    }
    return std::nullopt;
}

void RpcService::Impl::count_waiting(ClientId client) {
    Calls& calls = calls_[client];
    if (calls.waiting++ == 0) {
        calls.user = user_of(client);
    }
    ++waiting_per_user_[calls.user];
}

CallReply RpcService::Impl::call(ClientId client, const ipc::Request& request,
                                 std::size_t& listeners) {
    const ipc::Method* const method = ipc::find_method(request.method);
    if (method == nullptr) {
        return CallReply::failed(unknown_method(request.method));
    }
    const bool is_permitted =
        method->access != ipc::Access::Admin || (is_admin_ && is_admin_(client));
    if (method->access != ipc::Access::Read && on_write_) {
        on_write_(client, *method, is_permitted);
    }
    if (!is_permitted) {
        return CallReply::failed(not_permitted(*method));
    }
    auto params = ipc::Params::check(*method, request.params);
    if (!params) {
        return CallReply::failed(std::move(params.error()));
    }
    if (may_wait(method->id)) {
        if (auto refusal = refuse_waiting(client)) {
            return CallReply::failed(std::move(*refusal));
        }
    }
    if (method->id == ipc::MethodId::AlertsRaise) {
        listeners = feed_.listeners(priority_of(*params, Priority::Normal));
    }
    return methods_.call({client, user_of(client)}, *method, *params);
}

void RpcService::Impl::start(ClientId client, const ipc::Request& request,
                             const std::shared_ptr<ipc::CallGroup>& group, std::size_t index) {
    std::size_t listeners = 0;
    CallReply reply =
        group->is_full() ? CallReply::failed(batch_full()) : call(client, request, listeners);
    if (const RequestId* const pending = reply.as_pending()) {
        waiting_.emplace(*pending, Waiting{client, group, index, request.id,
                                           ipc::find_method(request.method)->id,
                                           request.is_notification, listeners});
        count_waiting(client);
    } else if (request.is_notification) {
        group->skip();
    } else if (const auto* const done = reply.as_done()) {
        group->finish(index, request.id, done->result);
    } else {
        group->fail(index, request.id, *reply.as_failed());
    }
    if (const Error* const failed = reply.as_failed();
        failed != nullptr && failed->code == ErrorCode::Overloaded && failed->retry_after_ms) {
        note_overload(request, *failed);
    }
}

void RpcService::Impl::note_overload(const ipc::Request& request, const Error& error) {
    ++overloads_;
    const Now now = mesh_.now();
    if (overload_told_ && now.monotonic - *overload_told_ < kOverloadInterval) {
        return;
    }
    std::string data;
    json::Writer(data)
        .begin_object()
        .member("method", request.method)
        .member("refused", std::exchange(overloads_, 0))
        .member("retry_after_ms", *error.retry_after_ms)
        .end_object();
    overload_told_ = now.monotonic;
    feed_.publish(now, EventKind::Overload, std::move(data));
}

std::optional<RpcService::Impl::Waiting> RpcService::Impl::take_waiting(RequestId request) {
    const auto found = waiting_.find(request);
    if (found == waiting_.end()) {
        return std::nullopt;  // its client is gone
    }
    Waiting waiting = std::move(found->second);
    waiting_.erase(found);
    const auto calls = calls_.find(waiting.client);
    const auto user = waiting_per_user_.find(calls->second.user);
    if (--user->second == 0) {
        waiting_per_user_.erase(user);
    }
    if (--calls->second.waiting == 0) {
        calls_.erase(calls);
    }
    return waiting;
}

void RpcService::Impl::answer(RequestId request, CallReply reply) {
    if (auto waiting = take_waiting(request)) {
        if (waiting->is_notification) {
            waiting->group->skip();
        } else if (const auto* const done = reply.as_done()) {
            waiting->group->finish(waiting->index, waiting->id, done->result);
        } else if (const auto* const failed = reply.as_failed()) {
            waiting->group->fail(waiting->index, waiting->id, *failed);
        }
        send_if_complete(waiting->client, *waiting->group);
    }
}

void RpcService::Impl::send_if_complete(ClientId client, ipc::CallGroup& group) {
    if (group.is_complete()) {
        if (const auto calls = calls_.find(client); calls != calls_.end()) {
            calls->second.bytes -= group.charged();
        }
        std::string line = group.take_line();
        if (!line.empty()) {
            send_(client, std::move(line), false);
        }
    }
}

void RpcService::Impl::on_output(const Output& output) {
    const Now now = mesh_.now();
    if (const auto* raised = std::get_if<AlertRaised>(&output)) {
        const auto waiting = waiting_.find(raised->request);
        const std::size_t listeners = waiting == waiting_.end() ? 0 : waiting->second.listeners;
        answer(raised->request, print_raised(*raised, listeners));
    } else if (const auto* updated = std::get_if<StateUpdated>(&output)) {
        answer(updated->request, print_state(updated->state));
    } else if (const auto* put = std::get_if<EntriesPut>(&output)) {
        answer(put->request, print_put(*put));
    } else if (const auto* deleted = std::get_if<EntriesDeleted>(&output)) {
        answer(deleted->request, R"({"deleted":)" + std::to_string(deleted->deleted) + "}");
    } else if (const auto* shared = std::get_if<SharedUpdated>(&output)) {
        answer(shared->request, print_shared_updated(shared->changed, mesh_.node().shared(now)));
    } else if (const auto* left = std::get_if<HasLeft>(&output)) {
        answer(left->request, R"({"left":true})");
    } else if (const auto* forgotten = std::get_if<Forgotten>(&output)) {
        answer(forgotten->request,
               R"({"node_id":")" + forgotten->node.text() + R"(","forgotten":true})");
    } else if (const auto* discovered = std::get_if<Discovered>(&output)) {
        answer(discovered->request, R"({"discovering":true})");
    } else if (!take_search(output)) {
        publish(now, output);
    }
}

bool RpcService::Impl::take_search(const Output& output) {
    const Now now = mesh_.now();
    if (const auto* sent = std::get_if<NoteSent>(&output)) {
        answer(sent->request, note_reply(*sent, mesh_.node().node(now, sent->node)));
    } else if (const auto* spread = std::get_if<NoteSpread>(&output)) {
        answer(spread->request, R"({"nodes":)" + std::to_string(spread->nodes) + "}");
    } else if (const auto* note = std::get_if<NoteEvent>(&output)) {
        feed_.publish(now, EventKind::Note, print_note(*note), false, note->topic);
    } else if (const auto* probed = std::get_if<Probed>(&output)) {
        answer_probe(*probed);
    } else if (const auto* answered = std::get_if<SearchAnswered>(&output)) {
        stream(*answered);
        searches_.calls.add(*answered);
    } else if (const auto* done = std::get_if<SearchDone>(&output)) {
        answer(done->request, searches_.calls.finish(*done));
    } else if (const auto* requested = std::get_if<SearchRequested>(&output)) {
        searches_.desk.on_request(now.monotonic, *requested);
    } else {
        return false;
    }
    return true;
}

void RpcService::Impl::answer_probe(const Probed& probed) {
    const auto waiting = waiting_.find(probed.request);
    if (waiting == waiting_.end()) {
        return;
    }
    const auto node = mesh_.node().node(mesh_.now(), probed.node);
    answer(probed.request, waiting->second.method == ipc::MethodId::MeshTrace
                               ? trace_reply(probed, node)
                               : ping_reply(probed, mesh_.node().id(), node));
}

/// Where the client's queue is full it is not told: all is in the reply again.
void RpcService::Impl::stream(const SearchAnswered& answer) {
    const auto waiting = waiting_.find(answer.request);
    if (waiting == waiting_.end() || waiting->second.is_notification ||
        !searches_.calls.is_streamed(answer.request)) {
        return;
    }
    std::string data;
    json::Writer writer(data);
    writer.begin_object().member_raw("request", waiting->second.id);
    write_answer(writer, answer);
    writer.end_object();
    feed_.tell(mesh_.now(), waiting->second.client, EventKind::SearchAnswer, data);
}

void RpcService::Impl::publish(Now now, const Output& output) {
    if (const auto* node = std::get_if<NodeEvent>(&output)) {
        feed_.publish(now, event_kind(node->kind), print_data(*node));
    } else if (const auto* link = std::get_if<LinkEvent>(&output)) {
        feed_.publish(now, link->up ? EventKind::LinkUp : EventKind::LinkDown, print_data(*link));
    } else if (const auto* state = std::get_if<StateEvent>(&output)) {
        feed_.publish(now, EventKind::StateChanged, print_data(*state));
    } else if (const auto* alert = std::get_if<AlertEvent>(&output)) {
        feed_.publish(now, EventKind::Alert, alert->alert, alert->replayed);
    } else if (const auto* entry = std::get_if<RegistryEvent>(&output)) {
        feed_.publish(now, entry->is_deleted ? EventKind::RegistryDeleted : EventKind::RegistryPut,
                      print_registry_event(*entry), false, entry->type);
    } else if (const auto* member = std::get_if<SharedEvent>(&output)) {
        feed_.publish(now, EventKind::SharedChanged, print_shared_event(*member));
    }
}

RpcService::RpcService(MeshAccess& mesh, Callbacks callbacks)
    : impl_(std::make_unique<Impl>(mesh, std::move(callbacks))) {}
RpcService::~RpcService() = default;

void RpcService::on_line(ClientId client, std::string_view line) {
    impl_->on_line(client, line);
    impl_->arm();
}
void RpcService::on_line_too_long(ClientId client) {
    impl_->on_line_too_long(client);
}
void RpcService::on_client_gone(ClientId client) {
    impl_->on_client_gone(client);
    impl_->arm();
}
void RpcService::on_client_writable(ClientId client) {
    impl_->on_client_writable(client);
}
bool RpcService::is_waiting(ClientId client) const {
    return impl_->is_waiting(client);
}
void RpcService::on_output(const Output& output) {
    impl_->on_output(output);
    impl_->arm();
}
void RpcService::on_timeout() {
    impl_->on_timeout();
    impl_->arm();
}

}  // namespace meshd

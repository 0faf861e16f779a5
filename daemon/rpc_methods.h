// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/config_access.h"
#include "daemon/keys_access.h"
#include "daemon/mesh_access.h"
#include "daemon/rpc_events.h"
#include "daemon/search_calls.h"
#include "daemon/search_desk.h"
#include "ipc/call_reply.h"
#include "ipc/method_table.h"
#include "ipc/params.h"

namespace meshd {

/// What is kept of searches: those asked here, and those answered here.
struct Searches {
    SearchCalls calls;
    SearchDesk desk;
};

/// The handlers behind the method table: each asks a view, gives a command or changes a
/// subscription.
class RpcMethods {
  public:
    /// A page of alerts ends beyond it.
    static constexpr std::size_t kAlertPageBytes = std::size_t{8} << 20;

    /// What a call came to that waited for something else than the node.
    using Answer = std::function<void(RequestId, ipc::CallReply)>;

    /// More counters for mesh.stats, by name.
    using Counters = std::function<std::vector<std::pair<std::string_view, std::uint64_t>>()>;

    /// `answer` is called from the loop, and only while this object lives. Without `config` the
    /// methods of the configuration fail, and without `keys` those of the mesh keys.
    RpcMethods(MeshAccess& mesh, EventFeed& feed, Searches& searches, Answer answer,
               Counters counters = {}, ConfigAccess* config = nullptr, KeysAccess* keys = nullptr)
        : mesh_(mesh),
          feed_(feed),
          searches_(searches),
          answer_(std::make_shared<Answer>(std::move(answer))),
          counters_(std::move(counters)),
          config_(config),
          keys_(keys) {}

    struct Caller {
        EventFeed::ClientId client = 0;
        std::uint32_t user = 0;
    };
    ipc::CallReply call(const Caller& caller, const ipc::Method& method, const ipc::Params& params);

  private:
    ipc::CallReply nodes(const ipc::Params& params) const;
    ipc::CallReply node(const ipc::Params& params) const;
    ipc::CallReply list_alerts(const ipc::Params& params) const;
    ipc::CallReply get_alert(const ipc::Params& params) const;
    ipc::CallReply get_state(const ipc::Params& params) const;
    ipc::CallReply get_shared(const ipc::Params& params) const;
    ipc::CallReply put_entries(const ipc::Method& method, const ipc::Params& params);
    ipc::CallReply get_entries(const ipc::Params& params) const;
    ipc::CallReply delete_entries(const ipc::Method& method, const ipc::Params& params);
    ipc::CallReply list_entries(const ipc::Params& params) const;
    ipc::CallReply nearest(const ipc::Method& method, const ipc::Params& params);
    ipc::CallReply query(const ipc::Method& method, const ipc::Params& params);
    ipc::CallReply serve(EventFeed::ClientId client, std::uint32_t user, const ipc::Params& params);
    ipc::CallReply answer_search(EventFeed::ClientId client, const ipc::Params& params);
    ipc::CallReply send_note(const ipc::Method& method, const ipc::Params& params);
    ipc::CallReply broadcast_note(const ipc::Method& method, const ipc::Params& params);
    ipc::CallReply probe(const ipc::Method& method, const ipc::Params& params);
    ipc::CallReply back_up(const ipc::Params& params);
    ipc::CallReply get_config(const ipc::Params& params) const;
    ipc::CallReply reload_config();
    ipc::CallReply log_level(const ipc::Params& params);
    ipc::CallReply keys(const ipc::Method& method, const ipc::Params& params);
    ipc::CallReply raise_alert(const ipc::Method& method, const ipc::Params& params);
    ipc::CallReply update_state(const ipc::Method& method, const ipc::Params& params);
    ipc::CallReply subscribe(EventFeed::ClientId client, const ipc::Params& params);
    ipc::CallReply unsubscribe(EventFeed::ClientId client, const ipc::Params& params);
    ipc::CallReply command(const ipc::Method& method, const ipc::Params& params, Command command);
    /// A call that is answered by whoever calls what `start` is given, once: before it returns, or
    /// later from the loop, even after the end of this object.
    ipc::CallReply elsewhere(
        const std::function<void(const std::function<void(ipc::CallReply)>& done)>& start);

    MeshAccess& mesh_;
    EventFeed& feed_;
    Searches& searches_;
    /// Shared with what is under way elsewhere and may end after this object does.
    std::shared_ptr<Answer> answer_;
    Counters counters_;
    ConfigAccess* config_;
    KeysAccess* keys_;
    std::uint64_t last_own_request_ = 0;
};

/// The priority of a `priority` param; `otherwise` where it is not given and has no default.
Priority priority_of(const ipc::Params& params, Priority otherwise);

/// A refused command as the error of the method that gave it.
ipc::Error to_error(const CommandError& refused, const ipc::Method& method,
                    const ipc::Params& params);
/// Where the params are gone: without what they were.
ipc::Error to_error(const CommandError& refused, const ipc::Method& method);

}  // namespace meshd

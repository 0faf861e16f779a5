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

#include "daemon/mesh_access.h"
#include "daemon/rpc_events.h"
#include "ipc/call_reply.h"
#include "ipc/method_table.h"
#include "ipc/params.h"

namespace meshd {

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

    /// `answer` is called from the loop, and only while this object lives.
    RpcMethods(MeshAccess& mesh, EventFeed& feed, Answer answer, Counters counters = {})
        : mesh_(mesh),
          feed_(feed),
          answer_(std::make_shared<Answer>(std::move(answer))),
          counters_(std::move(counters)) {}

    ipc::CallReply call(EventFeed::ClientId client, const ipc::Method& method,
                        const ipc::Params& params);

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
    ipc::CallReply back_up(const ipc::Params& params);
    ipc::CallReply raise_alert(const ipc::Method& method, const ipc::Params& params);
    ipc::CallReply update_state(const ipc::Method& method, const ipc::Params& params);
    ipc::CallReply subscribe(EventFeed::ClientId client, const ipc::Params& params);
    ipc::CallReply unsubscribe(EventFeed::ClientId client, const ipc::Params& params);
    ipc::CallReply command(const ipc::Method& method, const ipc::Params& params, Command command);

    MeshAccess& mesh_;
    EventFeed& feed_;
    /// Shared with backups under way, which may end after this object does.
    std::shared_ptr<Answer> answer_;
    Counters counters_;
    std::uint64_t last_own_request_ = 0;
};

/// The priority of a `priority` param; `otherwise` where it is not given and has no default.
Priority priority_of(const ipc::Params& params, Priority otherwise);

/// A refused command as the error of the method that gave it.
ipc::Error to_error(const CommandError& refused, const ipc::Method& method,
                    const ipc::Params& params);

}  // namespace meshd

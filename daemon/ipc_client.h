// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>
#include <uv.h>

#include <string>

#include "daemon/ipc_server.h"
#include "ipc/framing.h"

namespace meshd {

/// One connection of the local API. Lives until the loop turn after it was doomed, so that no call
/// on the way destroys what its caller still uses.
struct IpcServer::Client {
    IpcServer* server = nullptr;
    ClientId id = 0;
    uid_t uid = 0;
    pid_t pid = 0;
    uv_pipe_t* pipe = nullptr;
    ipc::LineSplitter lines;
    std::string pending;           ///< not yet given to the kernel
    std::string writing;           ///< under way in `write`, from `writing_from`
    std::size_t writing_from = 0;  ///< what is before it is out
    uv_write_t write{};
    std::size_t counted = 0;  ///< of held(), what its user's sum knows of
    bool is_writing = false;
    bool is_reading = false;
    bool has_lines = false;     ///< whole lines may wait in `lines`
    bool is_in_turn = false;    ///< stands in the row of those whose lines are served
    bool is_touched = false;    ///< to be looked at before the loop waits
    bool has_ended = false;     ///< sent its end of file: replies may still be awaited
    bool was_refused = false;   ///< an event: it is owed on_client_writable
    bool closes_after = false;  ///< as soon as all is written
    bool is_doomed = false;

    std::size_t queued() const { return pending.size() + writing.size() - writing_from; }
    /// Memory it costs beyond a few hundred bytes.
    std::size_t held() const { return pending.size() + writing.size() + lines.held(); }
};

}  // namespace meshd

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace meshd::ipc {

/// What decides where a client looks for the daemon.
struct SocketChoice {
    std::string option;       ///< --socket; empty = not given
    std::string environment;  ///< MESHD_SOCKET; empty = not set
    std::string runtime_dir;  ///< XDG_RUNTIME_DIR; empty = not set
};

/// Sockets to try, in this order. Whoever names a socket means that one: the option, else
/// MESHD_SOCKET, is then the only one tried, so that a stopped daemon is never mistaken for its
/// neighbour. Otherwise /run/meshd/meshd.sock, then $XDG_RUNTIME_DIR/meshd/meshd.sock.
std::vector<std::string> socket_candidates(const SocketChoice& choice);

/// Reads MESHD_SOCKET and XDG_RUNTIME_DIR of this process.
SocketChoice socket_choice_from_environment(std::string option);

/// Who may open a socket besides root.
struct SocketAccess {
    std::string user;   ///< its owner
    std::string group;  ///< empty where its group may not
};
/// Nothing where the file cannot be looked at.
std::optional<SocketAccess> access_of(const std::string& path);

/// True where something is there that is no socket.
bool is_other_file(const std::string& path);

/// The directory on the way to `path` that this process may not enter; nothing where there is none.
std::optional<std::string> closed_directory(const std::string& path);

}  // namespace meshd::ipc

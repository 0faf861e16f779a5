// SPDX-License-Identifier: Apache-2.0
/// \file
/// Who is at the other end of a Unix socket, as the kernel noted when it connected.
#pragma once

#include <sys/types.h>

#include <optional>
#include <vector>

namespace meshd {

struct IpcPeer {
    uid_t uid = 0;
    std::vector<gid_t> groups;  ///< the primary one and the others
    pid_t pid = 0;              ///< of who connected; 0 where it is in no namespace of ours
};

/// Nothing where the kernel does not tell.
std::optional<IpcPeer> read_ipc_peer(int fd);

/// Group meshd-admin; nothing where it does not exist.
std::optional<gid_t> find_admin_group();

/// True for root, for the user `own_uid`, and for members of `admin_group`.
bool is_admin_peer(const IpcPeer& peer, uid_t own_uid, std::optional<gid_t> admin_group);

}  // namespace meshd

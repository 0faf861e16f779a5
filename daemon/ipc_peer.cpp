// SPDX-License-Identifier: Apache-2.0
#include "daemon/ipc_peer.h"

#include <grp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace meshd {
namespace {

constexpr const char* kAdminGroup = "meshd-admin";
/// More than any user is in; the kernel says how many where these are too few.
constexpr std::size_t kGroupsAtFirst = 64;

}  // namespace

std::optional<IpcPeer> read_ipc_peer(int fd) {
    ucred credentials{};
    socklen_t size = sizeof credentials;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
        return std::nullopt;
    }
    IpcPeer peer{credentials.uid, std::vector<gid_t>(kGroupsAtFirst), credentials.pid};
    for (int attempt = 0; attempt < 2; ++attempt) {
        size = static_cast<socklen_t>(peer.groups.size() * sizeof(gid_t));
        const int result = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, peer.groups.data(), &size);
        const bool is_read = result == 0;
        const bool is_too_small = !is_read && errno == ERANGE;
        peer.groups.resize(is_read || is_too_small ? size / sizeof(gid_t) : 0);
        if (!is_too_small) {
            break;
        }
    }
    // The kernel leaves the primary group out of the list.
    peer.groups.push_back(credentials.gid);
    return peer;
}

std::optional<gid_t> find_admin_group() {
    const group* const found = getgrnam(kAdminGroup);
    return found == nullptr ? std::nullopt : std::optional(found->gr_gid);
}

bool is_admin_peer(const IpcPeer& peer, uid_t own_uid, std::optional<gid_t> admin_group) {
    return peer.uid == 0 || peer.uid == own_uid ||
           (admin_group &&
            std::find(peer.groups.begin(), peer.groups.end(), *admin_group) != peer.groups.end());
}

}  // namespace meshd

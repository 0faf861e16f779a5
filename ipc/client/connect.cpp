// SPDX-License-Identifier: Apache-2.0
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>

#include "ipc/client/message.h"

namespace meshd::ipc {
namespace {

using std::chrono::steady_clock;

/// A full backlog refuses at once on AF_UNIX, so connecting is tried again this often.
constexpr std::chrono::milliseconds kConnectRetry{10};

/// 0, or the errno of the last try.
int connect_until(int descriptor, const std::string& path, Deadline deadline) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) {
        return ENAMETOOLONG;
    }
    std::memcpy(address.sun_path, path.data(), path.size());
    while (::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) !=
           0) {
        if (errno == EISCONN) {
            return 0;
        }
        const bool may_pass = errno == EAGAIN || errno == EINTR || errno == EINPROGRESS;
        if (!may_pass || steady_clock::now() >= deadline) {
            return errno;
        }
        std::this_thread::sleep_for(kConnectRetry);
    }
    return 0;
}

}  // namespace

tl::expected<Descriptor, ClientError> connect_socket(const std::vector<std::string>& paths,
                                                     Deadline deadline) {
    ClientError error = failure(ClientError::Kind::NoDaemon, "no daemon answers");
    for (const std::string& path : paths) {
        Descriptor descriptor(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        if (descriptor.get() < 0) {
            error.tried.push_back({path, errno});
            continue;
        }
        const int why = connect_until(descriptor.get(), path, deadline);
        if (why == 0) {
            return descriptor;
        }
        error.tried.push_back({path, why});
    }
    return tl::unexpected(std::move(error));
}

}  // namespace meshd::ipc

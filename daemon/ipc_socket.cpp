// SPDX-License-Identifier: Apache-2.0
#include "daemon/ipc_socket.h"

#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "daemon/ipc_server.h"

namespace meshd {
namespace {

constexpr const char* kGroup = "meshd";

tl::unexpected<std::string> failure(const std::string& path, const std::string& what) {
    return tl::unexpected("socket " + path + ": " + what);
}

sockaddr_un address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    return address;
}

/// 0 where something accepts connections there, else errno.
int try_connect(const sockaddr_un& address) {
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return errno;
    }
    const int result =
        connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? 0 : errno;
    close(fd);
    // A full backlog is a sign of life.
    return result == EAGAIN ? 0 : result;
}

/// Removes what a killed daemon left. Empty, or why the path is not ours to take.
std::string clear_stale(const std::string& path, const sockaddr_un& address) {
    struct stat info {};
    if (lstat(path.c_str(), &info) != 0) {
        return errno == ENOENT || errno == ENOTDIR ? "" : std::strerror(errno);
    }
    if (!S_ISSOCK(info.st_mode)) {
        return "there is a file that is no socket; expected a free path: remove it, or say "
               "--socket PATH";
    }
    const int error = try_connect(address);
    if (error == 0) {
        return "another program answers there, probably a second meshd; expected a free path: stop "
               "that one, or give this one another --socket PATH";
    }
    if (error != ECONNREFUSED) {
        return std::strerror(error);
    }
    return unlink(path.c_str()) == 0 ? "" : std::strerror(errno);
}

/// The directory `meshd` in /run or $XDG_RUNTIME_DIR; deeper paths are the operator's to make.
void make_parent(const std::string& path) {
    const std::filesystem::path parent = std::filesystem::path(path).parent_path();
    if (!parent.empty() && parent.filename() == "meshd") {
        mkdir(parent.c_str(), 0755);
    }
}

}  // namespace

tl::expected<std::string, std::string> choose_socket_path(const std::string& configured) {
    if (!configured.empty()) {
        return configured;
    }
    if (const char* service = std::getenv("RUNTIME_DIRECTORY");
        service != nullptr && *service == '/') {
        return std::string(service) + "/meshd.sock";
    }
    if (geteuid() == 0) {
        return "/run/meshd/meshd.sock";
    }
    if (const char* runtime = std::getenv("XDG_RUNTIME_DIR");
        runtime != nullptr && *runtime == '/') {
        return std::string(runtime) + "/meshd/meshd.sock";
    }
    return tl::unexpected(std::string(
        "no place for the socket: not root, and XDG_RUNTIME_DIR is not set; say --socket PATH"));
}

tl::expected<BoundSocket, std::string> bind_ipc_socket(const std::string& path) {
    if (path.size() >= sizeof(sockaddr_un::sun_path)) {
        return failure(path, "the path is too long; expected at most " +
                                 std::to_string(sizeof(sockaddr_un::sun_path) - 1) +
                                 " bytes: say a shorter --socket PATH");
    }
    make_parent(path);
    const sockaddr_un address = address_of(path);
    if (const std::string trouble = clear_stale(path, address); !trouble.empty()) {
        return failure(path, trouble);
    }
    BoundSocket bound{socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "0600"};
    // Nobody may connect in the moment between bind and chmod.
    const mode_t mask = umask(0177);
    const int result =
        bound.fd < 0 ? -1
                     : bind(bound.fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    // At once: another daemon that starts now would take a socket that does not listen for one that
    // a killed daemon left. The server listens again, with its own backlog.
    if (result == 0) {
        static_cast<void>(listen(bound.fd, SOMAXCONN));
    }
    const int error = errno;
    umask(mask);
    if (result != 0) {
        if (bound.fd >= 0) {
            close(bound.fd);
        }
        return failure(path, std::string("cannot bind: ") + std::strerror(error) +
                                 "; expected a directory this user may write: say --socket PATH");
    }
    // A service that is in that group already may not be allowed to call chown().
    if (const group* meshd = getgrnam(kGroup);
        meshd != nullptr &&
        (meshd->gr_gid == getegid() ||
         chown(path.c_str(), static_cast<uid_t>(-1), meshd->gr_gid) == 0) &&
        chmod(path.c_str(), 0660) == 0) {
        bound.access_text = std::string("0660, group ") + kGroup;
    }
    return bound;
}

}  // namespace meshd

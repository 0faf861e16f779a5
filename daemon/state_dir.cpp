// SPDX-License-Identifier: Apache-2.0
#include "daemon/state_dir.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <utility>

#include "proto/base/json.h"

namespace meshd {
namespace {

namespace fs = std::filesystem;

constexpr json::Limits kIdentityJson{4096, 4, 64};

bool is_disk_trouble(int error) {
    return error == EROFS || error == ENOSPC || error == EDQUOT;
}

std::string failure(const fs::path& path, std::string_view what, int error) {
    return "state directory " + path.string() + ": cannot " + std::string(what) + ": " +
           std::strerror(error) + "; expected a directory this user may write (--state-dir DIR)";
}

/// mkdir -p with 0700 for what is made.
int make_directories(const fs::path& path) {
    fs::path done;
    for (const fs::path& part : path) {
        done /= part;
        if (mkdir(done.c_str(), 0700) != 0 && errno != EEXIST) {
            // On a read-only disk mkdir fails even for what is there.
            const int error = errno;
            struct stat info {};
            if (stat(done.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
                return error;
            }
        }
    }
    return 0;
}

/// The start of a small file, or errno.
tl::expected<std::string, int> read_all(int fd) {
    std::array<char, 4096> bytes{};
    const ssize_t size = pread(fd, bytes.data(), bytes.size(), 0);
    if (size < 0) {
        return tl::unexpected(errno);
    }
    return std::string(bytes.data(), static_cast<std::size_t>(size));
}

/// A card that fails to read may do it at the next try.
constexpr int kReadTries = 3;

/// The same by path; ENOENT where there is none.
tl::expected<std::string, int> read_file(const fs::path& path) {
    tl::expected<std::string, int> text = tl::unexpected(ENOENT);
    for (int tries = 0; tries < kReadTries; ++tries) {
        const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
        if (fd < 0) {
            text = tl::unexpected(errno);
        } else {
            text = read_all(fd);
            close(fd);
        }
        if (text || text.error() == ENOENT) {
            break;
        }
    }
    return text;
}

/// Written beside and renamed, so that a power cut leaves the old file or the new one. 0, or errno.
int replace_file(const fs::path& path, std::string_view text) {
    const fs::path fresh = path.string() + ".new";
    const int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        return errno;
    }
    int error = 0;
    if (write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
        error = errno != 0 ? errno : ENOSPC;
    } else if (fsync(fd) != 0) {
        error = errno;
    }
    close(fd);
    if (error == 0 && rename(fresh.c_str(), path.c_str()) != 0) {
        error = errno;
    }
    if (error != 0) {
        unlink(fresh.c_str());
        return error;
    }
    if (const int dir = ::open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        dir >= 0) {
        fsync(dir);
        close(dir);
    }
    return 0;
}

struct Stored {
    InstanceId instance;
    std::string hardware_id;
    std::string name_id;
};

std::optional<Stored> parse_identity(const std::string& text) {
    const auto document = json::Document::parse(text, kIdentityJson);
    if (!document) {
        return std::nullopt;
    }
    const auto instance = document->root()["instance"].as_string();
    const auto hardware = document->root()["hardware_id"].as_string();
    const auto value = instance ? parse_hex(*instance) : std::nullopt;
    if (!value || *value == 0 || !hardware) {
        return std::nullopt;
    }
    const auto name = document->root()["name_id"].as_string();
    return Stored{InstanceId{*value}, std::string(*hardware),
                  std::string(name.value_or(*hardware))};
}

}  // namespace

StateDir::StateDir(fs::path path, int lock, std::string why_read_only)
    : path_(std::move(path)), lock_(lock), why_read_only_(std::move(why_read_only)) {}

StateDir::StateDir(StateDir&& other) noexcept
    : path_(std::move(other.path_)),
      lock_(std::exchange(other.lock_, -1)),
      why_read_only_(std::move(other.why_read_only_)) {}

StateDir::~StateDir() {
    if (lock_ >= 0) {
        close(lock_);
    }
}

tl::expected<StateDir, std::string> StateDir::open(const fs::path& given) {
    std::error_code ignored;
    const fs::path path = fs::absolute(given, ignored);
    if (const int error = make_directories(path); error != 0) {
        if (is_disk_trouble(error)) {
            return StateDir(path, -1, std::strerror(error));
        }
        return tl::unexpected(failure(path, "create it", error));
    }
    const fs::path lock_path = path / "lock";
    std::string why_read_only;
    int fd = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 && is_disk_trouble(errno)) {
        why_read_only = std::strerror(errno);
        // A lock needs no writing; without the file there is nothing to hold.
        fd = ::open(lock_path.c_str(), O_RDONLY | O_CLOEXEC);
        if (fd < 0) {
            return StateDir(path, -1, why_read_only);
        }
    }
    if (fd < 0) {
        return tl::unexpected(failure(path, "open its file \"lock\"", errno));
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        const std::string pid = read_all(fd).value_or("");
        close(fd);
        return tl::unexpected("state directory " + path.string() + " in use by pid " +
                              (pid.empty() ? "unknown" : pid) +
                              "; expected one daemon per directory: stop that one, or give this "
                              "one another --state-dir");
    }
    if (why_read_only.empty()) {
        // Only a hint for the message above: the lock itself counts.
        const std::string pid = std::to_string(getpid());
        if (ftruncate(fd, 0) != 0 || pwrite(fd, pid.data(), pid.size(), 0) < 0) {
            why_read_only = std::strerror(errno);
        }
    }
    return StateDir(path, fd, why_read_only);
}

tl::expected<fs::path, std::string> choose_state_dir(const std::string& configured) {
    if (!configured.empty()) {
        return configured;
    }
    const auto variable = [](const char* name) -> std::string {
        const char* value = std::getenv(name);
        return value == nullptr ? "" : value;
    };
    if (const std::string given = variable("STATE_DIRECTORY"); !given.empty()) {
        return given.substr(0, given.find(':'));
    }
    if (geteuid() == 0) {
        return "/var/lib/meshd";
    }
    if (const std::string home = variable("XDG_STATE_HOME"); home.starts_with('/')) {
        return fs::path(home) / "meshd";
    }
    if (const std::string home = variable("HOME"); home.starts_with('/')) {
        return fs::path(home) / ".local/state/meshd";
    }
    return tl::unexpected(std::string(
        "no place for the state directory: none of STATE_DIRECTORY, XDG_STATE_HOME and HOME is "
        "set; say --state-dir DIR"));
}

tl::expected<Installation, std::string> load_installation(const StateDir& dir,
                                                          const HardwareMarks& hardware,
                                                          InstanceId fresh) {
    const fs::path path = dir.path() / "identity.json";
    const auto kept = read_file(path);
    if (!kept && kept.error() != ENOENT) {
        return tl::unexpected("cannot read " + path.string() + ": " + std::strerror(kept.error()) +
                              "; it says which installation this is, and nothing is put in its "
                              "place: repair the disk, or remove the file to begin as a new one");
    }
    const auto& lasting = hardware.lasting;
    const std::string first = lasting.empty() ? "" : lasting.front();
    Stored next{fresh, first, first.empty() ? hardware.passing : first};
    std::string notice;
    bool is_same = false;
    if (const auto stored = kept ? parse_identity(*kept) : std::nullopt) {
        const bool is_known =
            std::find(lasting.begin(), lasting.end(), stored->hardware_id) != lasting.end();
        // Marks that are not there say nothing: a driver may come late, or hide its address.
        is_same = is_known || lasting.empty() || stored->hardware_id.empty();
        if (is_same) {
            next.instance = stored->instance;
            next.hardware_id = stored->hardware_id.empty() ? first : stored->hardware_id;
            next.name_id = stored->name_id.empty() ? next.name_id : stored->name_id;
            if (next.hardware_id == stored->hardware_id && next.name_id == stored->name_id) {
                return Installation{next.instance, next.name_id, {}};
            }
        } else {
            notice = "identity.json comes from other hardware (" + stored->hardware_id +
                     ", this is " + first + "): this installation gets a new instance id";
        }
    } else if (kept) {
        const fs::path aside = path.string() + ".broken";
        rename(path.c_str(), aside.c_str());
        notice = path.string() + " is broken: set aside as " + aside.string() +
                 "; this installation gets a new instance id";
    }
    std::string text;
    json::Writer writer(text);
    writer.begin_object()
        .member("instance", print_hex(next.instance.value))
        .member("hardware_id", next.hardware_id);
    if (next.name_id != next.hardware_id) {
        writer.member("name_id", next.name_id);
    }
    writer.end_object();
    const int error = dir.is_writable() ? replace_file(path, text + "\n") : 0;
    if (!is_same && (!dir.is_writable() || error != 0)) {
        notice += (notice.empty() ? "" : "; ") + std::string("state directory ") +
                  dir.path().string() + ": " +
                  (dir.is_writable() ? std::strerror(error) : dir.why_read_only()) +
                  ": the instance id lasts only until this process ends";
    }
    return Installation{next.instance, next.name_id, notice};
}

}  // namespace meshd

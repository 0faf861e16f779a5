// SPDX-License-Identifier: Apache-2.0
#include "daemon/keyring_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

namespace meshd {
namespace {

namespace fs = std::filesystem;

/// Four keys take less than a tenth of it.
constexpr std::size_t kFileBytesMax = 8192;
constexpr mode_t kOthersBits = 077;

constexpr std::string_view kHeader =
    "# The keys of the mesh: whoever reads them is a member. Written by meshd; see meshctl key.\n";

class File {
  public:
    explicit File(int descriptor) : descriptor_(descriptor) {}
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    ~File() {
        if (descriptor_ >= 0) {
            close(descriptor_);
        }
    }
    int get() const { return descriptor_; }

  private:
    int descriptor_;
};

std::string octal(mode_t mode) {
    std::string text;
    for (const unsigned shift : {9U, 6U, 3U, 0U}) {
        text += static_cast<char>('0' + (mode >> shift & 7U));
    }
    return text;
}

/// What keeps the file from being trusted; empty where nothing does.
std::string distrust(const std::string& name, const struct stat& info) {
    if (!S_ISREG(info.st_mode)) {
        return name + " is no regular file; expected the keys of the mesh: move it away";
    }
    if (info.st_uid != geteuid()) {
        return name + " belongs to user " + std::to_string(info.st_uid) + ", and meshd runs as " +
               std::to_string(geteuid()) +
               ": whoever owns it may change the keys; if it is yours: sudo chown " +
               std::to_string(geteuid()) + " " + name;
    }
    if ((info.st_mode & kOthersBits) != 0) {
        return name + " has mode " + octal(info.st_mode & 07777U) +
               ": others than its owner may have read the keys; if nobody has: chmod 600 " + name +
               "; else make new ones with meshctl key rotate afterwards";
    }
    return {};
}

std::vector<std::string_view> words_of(std::string_view line) {
    constexpr std::string_view kBlanks = " \t\r";
    std::vector<std::string_view> words;
    for (std::size_t at = line.find_first_not_of(kBlanks); at != std::string_view::npos;) {
        const std::size_t end = std::min(line.find_first_of(kBlanks, at), line.size());
        words.push_back(line.substr(at, end - at));
        at = line.find_first_not_of(kBlanks, end);
    }
    return words;
}

/// Takes one line into `keys`; empty, or why not.
std::string take_line(const std::vector<std::string_view>& words, KeptKeys& keys,
                      std::optional<KeyId>& active) {
    if (words.size() != 3 || (words[0] != "active" && words[0] != "held")) {
        return "expected `active TOKEN ORIGIN` or `held TOKEN ORIGIN`";
    }
    const auto key = parse_key_token(words[1]);
    if (!key) {
        return "the token: " + key.error();
    }
    const auto origin = parse_key_origin(words[2]);
    if (!origin) {
        return "the origin is none of created, joined and received";
    }
    const auto added = keys.ring.add(*key);
    if (!added || !*added) {
        return added ? "the key is there twice" : added.error();
    }
    const KeyId id = key_id(*key);
    keys.origins[id] = *origin;
    if (words[0] == "active") {
        if (active) {
            return "a second active key";
        }
        active = id;
    }
    return {};
}

int write_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = write(fd, text.data(), text.size());
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return written < 0 ? errno : ENOSPC;
        }
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    return 0;
}

/// 0, or errno.
int write_fresh(const fs::path& path, std::string_view text) {
    // One left from a crash may have any mode.
    unlink(path.c_str());
    const File file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (file.get() < 0) {
        return errno;
    }
    if (const int error = write_all(file.get(), text); error != 0) {
        return error;
    }
    return fsync(file.get()) == 0 ? 0 : errno;
}

}  // namespace

std::string print_keyring(const KeptKeys& keys) {
    std::string text(kHeader);
    for (const MeshKey& key : keys.ring.keys) {
        const KeyId id = key_id(key);
        const auto origin = keys.origins.find(id);
        text += id == keys.ring.active ? "active " : "held ";
        text += print_key_token(key) + " ";
        text += key_origin_name(origin == keys.origins.end() ? KeyOrigin::Joined : origin->second);
        text += "\n";
    }
    return text;
}

tl::expected<KeptKeys, std::string> parse_keyring(std::string_view text) {
    KeptKeys keys;
    std::optional<KeyId> active;
    std::size_t number = 0;
    while (!text.empty()) {
        ++number;
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::vector<std::string_view> words = words_of(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        if (words.empty() || words[0].starts_with('#')) {
            continue;
        }
        if (std::string why = take_line(words, keys, active); !why.empty()) {
            return tl::unexpected(std::to_string(number) + ": " + std::move(why));
        }
    }
    if (!keys.ring.empty() && !active) {
        return tl::unexpected(std::to_string(number) + ": no key is active");
    }
    keys.ring.active = active.value_or(KeyId{});
    return keys;
}

tl::expected<KeptKeys, std::string> load_keyring(const fs::path& path) {
    const std::string name = path.string();
    // Not blocking: a pipe without a writer would hold the start up for ever.
    const File file(open(name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (file.get() < 0) {
        if (errno == ENOENT) {
            return KeptKeys{};
        }
        if (errno == ELOOP) {
            return tl::unexpected(name +
                                  " is a symbolic link: who may change what it leads to is "
                                  "unknown; put the file itself there: cp --remove-destination "
                                  "\"$(readlink -f " +
                                  name + ")\" " + name + " && chmod 600 " + name);
        }
        return tl::unexpected(name + ": " + std::strerror(errno) +
                              "; expected a file that meshd may read, or none");
    }
    struct stat info {};
    if (fstat(file.get(), &info) != 0) {
        return tl::unexpected(name + ": " + std::strerror(errno));
    }
    if (std::string trouble = distrust(name, info); !trouble.empty()) {
        return tl::unexpected(std::move(trouble));
    }
    std::string text(kFileBytesMax + 1, '\0');
    std::size_t size = 0;
    while (size < text.size()) {
        const ssize_t got = read(file.get(), text.data() + size, text.size() - size);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return tl::unexpected(name + ": " + std::strerror(errno));
        }
        if (got == 0) {
            break;
        }
        size += static_cast<std::size_t>(got);
    }
    if (size > kFileBytesMax) {
        return tl::unexpected(name + ": longer than " + std::to_string(kFileBytesMax) +
                              " bytes; expected the keys of the mesh");
    }
    text.resize(size);
    auto keys = parse_keyring(text);
    if (!keys) {
        return tl::unexpected(name + ":" + keys.error() +
                              "; mend the line, or move the file away and run meshctl key join");
    }
    return keys;
}

std::string store_keyring(const fs::path& path, const KeptKeys& keys) {
    const fs::path fresh = path.string() + ".new";
    int error = write_fresh(fresh, print_keyring(keys));
    if (error == 0 && rename(fresh.c_str(), path.c_str()) != 0) {
        error = errno;
    }
    if (error != 0) {
        unlink(fresh.c_str());
        return path.string() + " cannot be written: " + std::strerror(error);
    }
    const File dir(open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (dir.get() >= 0) {
        fsync(dir.get());
    }
    return {};
}

}  // namespace meshd

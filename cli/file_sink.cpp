// SPDX-License-Identifier: Apache-2.0
#include "cli/file_sink.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace meshd::cli {
namespace {

constexpr mode_t kModeBits = 0777;

mode_t own_umask() {
    const mode_t mask = umask(0);
    umask(mask);
    return mask;
}

}  // namespace

FileSink::~FileSink() {
    if (!temporary_.empty()) {
        unlink(temporary_.c_str());
    }
}

bool FileSink::open() {
    if (!is_file()) {
        return true;
    }
    struct stat info {};
    const bool exists = stat(path_.c_str(), &info) == 0;
    if (exists && !S_ISREG(info.st_mode)) {
        file_ = ipc::Descriptor(::open(path_.c_str(), O_WRONLY | O_CLOEXEC));
        return file_.get() >= 0 || tell(errno);
    }
    return open_temporary(target_.is_exact ? target_.mode
                          : exists         ? info.st_mode & kModeBits
                                           : target_.mode & ~own_umask());
}

/// In a directory that others write, a name known before could be a link of theirs.
bool FileSink::open_temporary(mode_t mode) {
    temporary_ = path_ + ".XXXXXX";
    file_ = ipc::Descriptor(mkostemp(temporary_.data(), O_CLOEXEC));
    if (file_.get() < 0) {
        temporary_.clear();
        return tell(errno);
    }
    return fchmod(file_.get(), mode) == 0 || tell(errno);
}

bool FileSink::write(std::string_view text) {
    if (!is_file()) {
        return context_.write(text);
    }
    while (!text.empty()) {
        const ssize_t written = ::write(file_.get(), text.data(), text.size());
        if (written < 0 && errno != EINTR) {
            return tell(errno);
        }
        text.remove_prefix(static_cast<std::size_t>(written < 0 ? 0 : written));
    }
    return true;
}

bool FileSink::close() {
    if (temporary_.empty()) {
        return true;
    }
    if (fsync(file_.get()) != 0 || std::rename(temporary_.c_str(), path_.c_str()) != 0) {
        return tell(errno);
    }
    temporary_.clear();
    return true;
}

bool FileSink::tell(int error) const {
    Context::say("cannot write " + printable(path_) + ": " + std::strerror(error));
    return false;
}

}  // namespace meshd::cli

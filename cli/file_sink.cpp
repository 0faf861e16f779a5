// SPDX-License-Identifier: Apache-2.0
#include "cli/file_sink.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace meshd::cli {

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
    const bool is_special = stat(path_.c_str(), &info) == 0 && !S_ISREG(info.st_mode);
    temporary_ = is_special ? std::string() : path_ + ".part";
    const std::string& name = is_special ? path_ : temporary_;
    file_ = ipc::Descriptor(
        ::open(name.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, target_.mode));
    if (file_.get() < 0) {
        temporary_.clear();
        return tell(errno);
    }
    // The umask, and a file left over by a crash, may have given it another mode.
    if (target_.is_exact && !is_special && fchmod(file_.get(), target_.mode) != 0) {
        return tell(errno);
    }
    return true;
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

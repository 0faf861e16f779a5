// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "cli/context.h"
#include "ipc/client/descriptor.h"

namespace meshd::cli {

/// Standard output, or a file that appears under its name once it is whole: written beside it under
/// a name that nobody else has, then renamed. What is no regular file (a pipe, /dev/…) is written
/// as it is.
class FileSink {
  public:
    struct Target {
        std::string_view path;  ///< empty and "-" are standard output
        /// Of a new file, as the umask lets it, while a file that was there keeps its own; exactly
        /// this where `is_exact`.
        mode_t mode = 0666;
        bool is_exact = false;
    };
    FileSink(Context& context, const Target& target)
        : context_(context), target_(target), path_(target.path == "-" ? "" : target.path) {}
    FileSink(const FileSink&) = delete;
    FileSink& operator=(const FileSink&) = delete;
    /// Leaves nothing behind where close() has not come.
    ~FileSink();

    bool is_file() const { return !path_.empty(); }
    const std::string& path() const { return path_; }

    /// Each is false after a failure, which has been told.
    bool open();
    bool write(std::string_view text);
    bool close();

  private:
    bool open_temporary(mode_t mode);
    bool tell(int error) const;

    Context& context_;
    Target target_;
    std::string path_;
    std::string temporary_;  ///< empty where there is none
    ipc::Descriptor file_;
};

}  // namespace meshd::cli

// SPDX-License-Identifier: Apache-2.0
#include "ipc/client/socket_path.h"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>

namespace meshd::ipc {
namespace {

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? std::string() : std::string(value);
}

}  // namespace

std::vector<std::string> socket_candidates(const SocketChoice& choice) {
    if (!choice.option.empty()) {
        return {choice.option};
    }
    if (!choice.environment.empty()) {
        return {choice.environment};
    }
    std::vector<std::string> paths = {"/run/meshd/meshd.sock"};
    if (!choice.runtime_dir.empty()) {
        paths.push_back(choice.runtime_dir + "/meshd/meshd.sock");
    }
    return paths;
}

SocketChoice socket_choice_from_environment(std::string option) {
    return {std::move(option), environment("MESHD_SOCKET"), environment("XDG_RUNTIME_DIR")};
}

std::optional<SocketAccess> access_of(const std::string& path) {
    struct stat info {};
    if (stat(path.c_str(), &info) != 0) {
        return std::nullopt;
    }
    SocketAccess access;
    const passwd* user = getpwuid(info.st_uid);
    access.user = user != nullptr ? user->pw_name : std::to_string(info.st_uid);
    if ((info.st_mode & S_IWGRP) != 0) {
        const group* entry = getgrgid(info.st_gid);
        access.group = entry != nullptr ? entry->gr_name : std::to_string(info.st_gid);
    }
    return access;
}

bool is_other_file(const std::string& path) {
    struct stat info {};
    return stat(path.c_str(), &info) == 0 && !S_ISSOCK(info.st_mode);
}

std::optional<std::string> closed_directory(const std::string& path) {
    struct stat info {};
    const auto is_hidden = [&info](const std::filesystem::path& file) {
        return stat(file.c_str(), &info) != 0 && errno == EACCES;
    };
    std::filesystem::path file = path;
    if (!is_hidden(file)) {
        return std::nullopt;
    }
    // What cannot be looked at lies in a directory that cannot be entered.
    do {
        file = file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
    } while (file.has_relative_path() && file != "." && is_hidden(file));
    return file.string();
}

}  // namespace meshd::ipc

// SPDX-License-Identifier: Apache-2.0
/// \file
/// What can be found out about a daemon that does not answer: from /proc, as far as this user may
/// look.
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>

#include "cli/doctor.h"
#include "cli/format.h"
#include "ipc/client/socket_path.h"

namespace meshd::cli {
namespace {

struct Process {
    std::string pid;
    std::string name;
    std::string command;  ///< its words, with blanks
};

std::string read_file(const std::string& path) {
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

std::vector<std::string> names_in(const std::string& directory) {
    std::vector<std::string> names;
    const std::unique_ptr<DIR, int (*)(DIR*)> opened(opendir(directory.c_str()), closedir);
    while (opened) {
        const dirent* entry = readdir(opened.get());
        if (entry == nullptr) {
            break;
        }
        names.emplace_back(entry->d_name);
    }
    return names;
}

std::vector<Process> processes() {
    std::vector<Process> out;
    for (const std::string& pid : names_in("/proc")) {
        if (pid.find_first_not_of("0123456789") != std::string::npos) {
            continue;
        }
        // Killed, and not yet waited for by its parent: nothing of it runs.
        const std::string stat = read_file("/proc/" + pid + "/stat");
        const std::size_t name_end = stat.rfind(") ");
        if (name_end != std::string::npos && stat.substr(name_end + 2, 1) == "Z") {
            continue;
        }
        Process process{pid, read_file("/proc/" + pid + "/comm"),
                        read_file("/proc/" + pid + "/cmdline")};
        process.name = process.name.substr(0, process.name.find('\n'));
        std::replace(process.command.begin(), process.command.end(), '\0', ' ');
        out.push_back(std::move(process));
    }
    return out;
}

/// The process that has the socket of this inode open; nothing where this user may not see it.
std::optional<Process> holder_of(const std::string& inode, const std::vector<Process>& all) {
    const std::string wanted = "socket:[" + inode + "]";
    for (const Process& process : all) {
        const std::string directory = "/proc/" + process.pid + "/fd";
        for (const std::string& descriptor : names_in(directory)) {
            std::array<char, 64> target{};
            const ssize_t length =
                readlink((directory + "/" + descriptor).c_str(), target.data(), target.size());
            if (length > 0 &&
                wanted == std::string_view(target.data(), static_cast<std::size_t>(length))) {
                return process;
            }
        }
    }
    return std::nullopt;
}

/// Inode of the socket listening at that path, by /proc/net/unix.
std::string unix_inode(const std::string& path) {
    std::istringstream lines(read_file("/proc/net/unix"));
    for (std::string line; std::getline(lines, line);) {
        // Num RefCount Protocol Flags Type St Inode Path
        std::istringstream words(line);
        std::array<std::string, 7> columns;
        for (std::string& column : columns) {
            words >> column;
        }
        std::string of;
        std::getline(words >> std::ws, of);
        if (of == path) {
            return columns[6];
        }
    }
    return {};
}

/// Inode of a UDP socket with that port.
std::string udp_inode(unsigned port) {
    std::array<char, 8> suffix{};
    std::snprintf(suffix.data(), suffix.size(), ":%04X", port);
    std::istringstream lines(read_file("/proc/net/udp"));
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::array<std::string, 10> columns;
        for (std::string& column : columns) {
            words >> column;
        }
        if (columns[1].ends_with(suffix.data())) {
            return columns[9];
        }
    }
    return {};
}

std::string describe(const Process& process) {
    return printable(process.name) + " (process " + process.pid + ")";
}

bool has_unit() {
    constexpr std::array<const char*, 3> kPaths = {"/etc/systemd/system/meshd.service",
                                                   "/lib/systemd/system/meshd.service",
                                                   "/usr/lib/systemd/system/meshd.service"};
    return std::any_of(kPaths.begin(), kPaths.end(),
                       [](const char* path) { return access(path, F_OK) == 0; });
}

Finding examine_path(const ipc::SocketAttempt& attempt, const std::vector<Process>& all) {
    const std::string path = printable(attempt.path);
    if (attempt.error == EACCES) {
        const auto access = ipc::access_of(attempt.path);
        const std::string group = access && !access->group.empty() ? access->group : "meshd";
        return {
            Severity::Problem, path + " is not open to this user",
            "sudo usermod -aG " + group + " \"$USER\", then log in again; or: sudo meshctl doctor"};
    }
    if (ipc::is_other_file(attempt.path)) {
        return {Severity::Problem, path + " is no socket",
                "sudo rm " + path + ", then start meshd"};
    }
    const std::string inode = unix_inode(attempt.path);
    const auto holder = inode.empty() ? std::nullopt : holder_of(inode, all);
    const std::string who = holder ? describe(*holder) : "a process of another user";
    if (attempt.error == ENOENT && !inode.empty()) {
        return {Severity::Problem,
                path + ": its socket file was deleted; " + who + " listens where nobody finds it",
                holder ? "restart process " + holder->pid + ": sudo systemctl restart meshd"
                       : "sudo meshctl doctor"};
    }
    if (attempt.error == ENOENT) {
        return {Severity::Problem, path + " does not exist: no meshd has been started there", ""};
    }
    if (inode.empty()) {
        return {Severity::Problem, path + " is left over: nobody listens there any more",
                "start meshd, which takes it over"};
    }
    return {Severity::Problem, path + " is held by " + who + ", which does not answer",
            holder ? "sudo kill -CONT " + holder->pid + "; else: sudo systemctl restart meshd"
                   : "sudo meshctl doctor"};
}

}  // namespace

Findings examine_silence(const std::vector<ipc::SocketAttempt>& tried) {
    constexpr unsigned kPort = 9999;
    Findings out;
    const std::vector<Process> all = processes();
    const bool is_named = tried.size() == 1 && tried[0].path != "/run/meshd/meshd.sock";
    bool is_start_of_use = true;
    for (const ipc::SocketAttempt& attempt : tried) {
        out.push_back(examine_path(attempt, all));
        is_start_of_use = is_start_of_use && attempt.error != EACCES &&
                          !ipc::is_other_file(attempt.path) && unix_inode(attempt.path).empty();
    }
    bool is_running = false;
    for (const Process& process : all) {
        if (process.name == "meshd") {
            is_running = true;
            out.push_back(
                {Severity::Note,
                 "a meshd runs as process " + process.pid + ": " + printable(process.command),
                 "meshctl --socket PATH doctor, with the path of its --socket"});
        }
    }
    if (!is_start_of_use || (is_running && !is_named)) {
        return out;
    }
    const std::string inode = is_running ? std::string() : udp_inode(kPort);
    if (!inode.empty() && inode != "0") {
        const auto holder = holder_of(inode, all);
        out.push_back({Severity::Warning,
                       "UDP port " + std::to_string(kPort) + " is taken by " +
                           (holder ? describe(*holder) : std::string("another program")),
                       "free it, or set mesh.udp_port in meshd.yaml"});
    }
    out.push_back(
        {Severity::Problem, is_named ? "no meshd serves that socket" : "no meshd runs on this box",
         has_unit() && !is_named
             ? "sudo systemctl start meshd; why it ended: sudo journalctl -u meshd -n 30"
             : "meshd" + (is_named ? " --socket " + printable(tried[0].path) : std::string())});
    return out;
}

Findings examine_socket(const std::string& path) {
    struct stat info {};
    if (stat(path.c_str(), &info) != 0) {
        return {};
    }
    if ((info.st_mode & S_IWOTH) != 0) {
        return {
            {Severity::Warning, printable(path) + " is open to every user of this box",
             "sudo chmod 660 " + printable(path) + "; sudo systemctl restart meshd sets it right"}};
    }
    return {};
}

}  // namespace meshd::cli

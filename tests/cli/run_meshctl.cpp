// SPDX-License-Identifier: Apache-2.0
#include "tests/cli/run_meshctl.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <thread>
#include <utility>

namespace meshd::cli {
namespace {

std::vector<char*> pointers_to(std::vector<std::string>& words) {
    std::vector<char*> out;
    for (std::string& word : words) {
        out.push_back(word.data());
    }
    out.push_back(nullptr);
    return out;
}

ipc::Descriptor memory_file(const std::string& content) {
    ipc::Descriptor file(memfd_create("meshctl", MFD_CLOEXEC));
    REQUIRE(write(file.get(), content.data(), content.size()) ==
            static_cast<ssize_t>(content.size()));
    lseek(file.get(), 0, SEEK_SET);
    return file;
}

}  // namespace

Meshctl::Meshctl(std::vector<std::string> words, const std::string& input,
                 std::vector<std::string> environment) {
    std::array<int, 2> pipe_ends{-1, -1};
    REQUIRE(pipe2(pipe_ends.data(), O_CLOEXEC) == 0);
    out_ = ipc::Descriptor(pipe_ends[0]);
    const ipc::Descriptor out_end(pipe_ends[1]);
    err_ = memory_file("");
    const ipc::Descriptor in = memory_file(input);

    words.insert(words.begin(), "meshctl");
    environment.emplace_back("TZ=UTC");
    auto arguments = pointers_to(words);
    auto variables = pointers_to(environment);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in.get(), STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out_end.get(), STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, err_.get(), STDERR_FILENO);
    REQUIRE(posix_spawn(&process_, MESHCTL_PATH, &actions, nullptr, arguments.data(),
                        variables.data()) == 0);
    posix_spawn_file_actions_destroy(&actions);
}

Meshctl::~Meshctl() {
    if (process_ > 0) {
        kill(process_, SIGKILL);
        waitpid(process_, nullptr, 0);
    }
}

std::string Meshctl::read_line() {
    std::array<char, 4096> piece{};
    while (true) {
        const std::size_t end = read_.find('\n', taken_);
        if (end != std::string::npos) {
            std::string line = read_.substr(taken_, end - taken_);
            taken_ = end + 1;
            return line;
        }
        const ssize_t got = read(out_.get(), piece.data(), piece.size());
        if (got <= 0) {
            return {};
        }
        read_.append(piece.data(), static_cast<std::size_t>(got));
    }
}

void Meshctl::wait_for_error(const std::function<void()>& cause) const {
    cause();
    struct stat info {};
    while (fstat(err_.get(), &info) == 0 && info.st_size == 0) {
        std::this_thread::yield();
    }
}

void Meshctl::send_signal(int signal) const {
    kill(process_, signal);
}

Finished Meshctl::finish() {
    std::array<char, 4096> piece{};
    while (out_.get() >= 0) {
        const ssize_t got = read(out_.get(), piece.data(), piece.size());
        if (got <= 0) {
            break;
        }
        read_.append(piece.data(), static_cast<std::size_t>(got));
    }
    int status = 0;
    waitpid(std::exchange(process_, -1), &status, 0);
    Finished out;
    out.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    out.out = read_;
    lseek(err_.get(), 0, SEEK_SET);
    for (ssize_t got = 1; got > 0;) {
        got = read(err_.get(), piece.data(), piece.size());
        out.err.append(piece.data(), static_cast<std::size_t>(got > 0 ? got : 0));
    }
    return out;
}

Finished run_meshctl(std::vector<std::string> words, const std::string& input,
                     std::vector<std::string> environment) {
    return Meshctl(std::move(words), input, std::move(environment)).finish();
}

}  // namespace meshd::cli

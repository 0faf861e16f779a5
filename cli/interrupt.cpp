// SPDX-License-Identifier: Apache-2.0
#include "cli/interrupt.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

namespace meshd::cli {
namespace {

int signal_pipe_end = -1;

}  // namespace

Interrupt::Interrupt() {
    std::array<int, 2> ends{-1, -1};
    if (pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) {
        return;
    }
    read_end_ = ipc::Descriptor(ends[0]);
    write_end_ = ipc::Descriptor(ends[1]);
    signal_pipe_end = ends[1];
    struct sigaction action {};
    action.sa_handler = [](int) {
        const char byte = 0;
        [[maybe_unused]] const ssize_t written = write(signal_pipe_end, &byte, 1);
    };
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
}

bool Interrupt::wait(std::chrono::milliseconds time) const {
    pollfd polled{read_end_.get(), POLLIN, 0};
    const int ready = poll(&polled, 1, static_cast<int>(time.count()));
    // A signal while it waits ends the waiting, after its byte has been written.
    return ready > 0 || (ready < 0 && errno == EINTR && poll(&polled, 1, 0) > 0);
}

}  // namespace meshd::cli

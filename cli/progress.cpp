// SPDX-License-Identifier: Apache-2.0
#include "cli/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "cli/format.h"

namespace meshd::cli {
namespace {

constexpr std::chrono::milliseconds kPause{100};
constexpr std::size_t kBarWidth = 20;
/// Before that much is done a guess at the rest says nothing.
constexpr double kShareForRest = 0.01;

void put(std::string_view text) {
    // Progress that cannot be shown is no failure.
    [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, text.data(), text.size());
}

}  // namespace

std::string progress_line(std::string_view what, std::uint64_t done, std::optional<double> share,
                          std::chrono::milliseconds elapsed) {
    const double seconds = static_cast<double>(elapsed.count()) / 1000;
    const double rate = seconds > 0 ? static_cast<double>(done) / seconds : 0;
    const std::string speed = std::to_string(std::llround(rate)) + "/s";
    std::string out = std::string(what) + " " + std::to_string(done);
    if (!share) {
        return out + ", " + speed;
    }
    const double part = std::clamp(*share, 0.0, 1.0);
    const auto full = static_cast<std::size_t>(part * static_cast<double>(kBarWidth));
    out += " [" + std::string(full, '#') + std::string(kBarWidth - full, '-') + "] " +
           std::to_string(static_cast<int>(part * 100)) + " %, " + speed;
    if (part >= kShareForRest) {
        out += ", " + print_duration(static_cast<double>(elapsed.count()) / part * (1 - part)) +
               " left";
    }
    return out;
}

Progress::Progress(std::string_view what) : what_(what), is_terminal_(isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
    wipe();
}

void Progress::update(std::uint64_t done, std::optional<double> share) {
    const auto now = Clock::now();
    if (!is_terminal_ || now - shown_at_ < kPause) {
        return;
    }
    shown_at_ = now;
    has_line_ = true;
    const auto elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(now - begun_);
    put("\r\x1b[K" + progress_line(what_, done, share, elapsed));
}

void Progress::wipe() {
    if (has_line_) {
        put("\r\x1b[K");
        has_line_ = false;
    }
}

}  // namespace meshd::cli

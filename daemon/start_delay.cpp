// SPDX-License-Identifier: Apache-2.0
#include "daemon/start_delay.h"

#include <signal.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <string>
#include <system_error>

#include "daemon/log.h"
#include "daemon/service_manager.h"

namespace meshd {
namespace {

using std::chrono::seconds;

constexpr seconds kDelayMax{60};
constexpr seconds kRowEnds{600};
/// For the start behind the delay: TimeoutStartSec= of the unit.
constexpr seconds kStartTime{90};
/// 2^6 s is more than the longest delay.
constexpr unsigned kDoublingsMax = 6;

seconds since_boot() {
    timespec now{};
    clock_gettime(CLOCK_BOOTTIME, &now);
    return seconds(now.tv_sec);
}

}  // namespace

seconds delay_of_start(const FailedStarts& failed, seconds now) {
    if (failed.count < 2 || now - failed.last >= kRowEnds) {
        return seconds::zero();
    }
    return std::min(seconds(1U << std::min(failed.count - 2, kDoublingsMax)), kDelayMax);
}

FailedStarts StartDelay::read() const {
    FailedStarts failed;
    seconds::rep last = 0;
    if (std::ifstream file(file_); file >> failed.count >> last) {
        failed.last = seconds(last);
        return failed;
    }
    return {};
}

seconds StartDelay::begin(seconds now) {
    const FailedStarts failed = read();
    const seconds delay = delay_of_start(failed, now);
    const unsigned in_row = now - failed.last >= kRowEnds ? 0 : failed.count;
    std::ofstream(file_) << in_row + 1 << " " << (now + delay).count() << "\n";
    return delay;
}

void StartDelay::clear() {
    std::error_code ignored;
    std::filesystem::remove(file_, ignored);
}

ServiceStart::ServiceStart() {
    const char* const directory = std::getenv("RUNTIME_DIRECTORY");
    if (directory != nullptr && std::getenv("NOTIFY_SOCKET") != nullptr) {
        delay_.emplace(directory);
    }
}

bool ServiceStart::wait() {
    const seconds delay = delay_ ? delay_->begin(since_boot()) : seconds::zero();
    if (delay == seconds::zero()) {
        return true;
    }
    const std::string text = "the last starts failed (see the lines above): the next one is in " +
                             std::to_string(delay.count()) + " s";
    log_warning(text);
    ServiceManager manager;
    manager.show_status(text);
    // Else what the delay takes is missing for the start, and one that was slow fails for ever.
    manager.ask_for_start_time(delay + kStartTime);
    // The operator's stop or restart need not wait, and begins a new row.
    sigset_t signals;
    sigset_t before;
    sigemptyset(&signals);
    for (const int number : {SIGTERM, SIGINT, SIGUSR1}) {
        sigaddset(&signals, number);
    }
    sigprocmask(SIG_BLOCK, &signals, &before);
    const timespec most{delay.count(), 0};
    int got = -1;
    do {
        got = sigtimedwait(&signals, nullptr, &most);
    } while (got < 0 && errno == EINTR);
    sigprocmask(SIG_SETMASK, &before, nullptr);
    if (got > 0) {
        delay_->clear();
    }
    return got < 0;
}

void ServiceStart::end_cleanly() {
    if (delay_) {
        delay_->clear();
    }
}

}  // namespace meshd

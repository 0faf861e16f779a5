// SPDX-License-Identifier: Apache-2.0
#include "daemon/service_manager.h"

#include <systemd/sd-daemon.h>
#include <time.h>

#include <cstdint>
#include <cstdlib>

namespace meshd {
namespace {

std::string counted(std::size_t number, const char* noun) {
    return std::to_string(number) + " " + noun + (number == 1 ? "" : "s");
}

}  // namespace

ServiceManager::ServiceManager() : is_listening_(std::getenv("NOTIFY_SOCKET") != nullptr) {
    std::uint64_t us = 0;
    if (is_listening_ && sd_watchdog_enabled(0, &us) > 0) {
        watchdog_ = std::chrono::microseconds(us);
    }
}

void ServiceManager::send(const std::string& state) {
    if (is_listening_) {
        sd_notify(0, state.c_str());
    }
}

void ServiceManager::tell_ready(std::string_view status) {
    shown_ = status;
    send("READY=1\nSTATUS=" + shown_);
}

void ServiceManager::ask_for_start_time(std::chrono::seconds time) {
    send("EXTEND_TIMEOUT_USEC=" + std::to_string(std::chrono::microseconds(time).count()));
}

void ServiceManager::tell_reload(bool is_reloading) {
    if (!is_reloading) {
        send("READY=1");
        return;
    }
    // The time tells a reload that follows from one that was under way (Type=notify-reload).
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    const std::int64_t us = std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
    send("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(us));
}

void ServiceManager::tell_stopping(std::string_view status) {
    shown_ = status;
    send("STOPPING=1\nSTATUS=" + shown_);
}

void ServiceManager::show_status(std::string_view status) {
    if (status != shown_) {
        shown_ = status;
        send("STATUS=" + shown_);
    }
}

void ServiceManager::feed_watchdog() {
    send("WATCHDOG=1");
}

std::string service_status(const StatusView& status) {
    const SecurityView& security = status.security;
    if (security.is_silent) {
        return "waiting for a mesh key: run 'meshctl key new' on the first box of a mesh, 'meshctl "
               "key join' on the others";
    }
    std::string text = std::to_string(status.nodes_alive) + " of " +
                       counted(status.nodes_known, "node") + " alive, " +
                       counted(status.peers, "link") + ", " +
                       counted(status.store.records, "record") + ", " +
                       std::string(security_mode_name(security.mode));
    if (status.has_left) {
        text = "has left the mesh (meshctl discover rejoins), " + text;
    } else if (status.isolated_for) {
        text = "cut off, " + text;
    }
    return text;
}

bool is_core_stuck(TimePoint now, std::optional<TimePoint> deadline, Duration patience) {
    return deadline && now - *deadline > patience;
}

}  // namespace meshd

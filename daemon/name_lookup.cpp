// SPDX-License-Identifier: Apache-2.0
#include "daemon/name_lookup.h"

#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "proto/base/assert.h"

namespace meshd {
namespace {

LookupResult look_up(const std::string& name) {
    addrinfo hints{};
    hints.ai_family = AF_INET;
    hints.ai_socktype = SOCK_DGRAM;
    addrinfo* head = nullptr;
    const int error = getaddrinfo(name.c_str(), nullptr, &hints, &head);
    if (error != 0) {
        return tl::unexpected(
            std::string(error == EAI_SYSTEM ? std::strerror(errno) : gai_strerror(error)));
    }
    const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> list(head, &freeaddrinfo);
    std::vector<Ipv4> addresses;
    for (const addrinfo* entry = head; entry != nullptr; entry = entry->ai_next) {
        sockaddr_in in{};
        if (entry->ai_family != AF_INET || entry->ai_addrlen < sizeof in) {
            continue;
        }
        std::memcpy(&in, entry->ai_addr, sizeof in);
        Ipv4 address{};
        std::memcpy(address.data(), &in.sin_addr, address.size());
        addresses.push_back(address);
    }
    if (addresses.empty()) {
        return tl::unexpected(std::string("no IPv4 address"));
    }
    return addresses;
}

}  // namespace

/// What the threads use. It outlives the object, as they do.
struct NameLookup::Shared {
    std::mutex mutex;
    uv_async_t* wake = nullptr;  ///< null once nobody waits for results
    std::deque<std::string> waiting;
    std::deque<std::pair<std::string, LookupResult>> results;
    std::size_t threads = 0;

    /// The life of a thread.
    void run() {
        std::unique_lock lock(mutex);
        while (wake != nullptr && !waiting.empty()) {
            const std::string name = std::move(waiting.front());
            waiting.pop_front();
            lock.unlock();
            LookupResult result = look_up(name);
            lock.lock();
            results.emplace_back(name, std::move(result));
            if (wake != nullptr) {
                uv_async_send(wake);
            }
        }
        --threads;
    }
};

NameLookup::NameLookup(uv_loop_t* loop, OnResult on_result)
    : on_result_(std::move(on_result)), shared_(std::make_shared<Shared>()) {
    shared_->wake = new uv_async_t{};
    const int result = uv_async_init(loop, shared_->wake, [](uv_async_t* wake) {
        static_cast<NameLookup*>(wake->data)->take_results();
    });
    MESHD_ASSERT(result == 0);
    shared_->wake->data = this;
}

NameLookup::~NameLookup() {
    const std::lock_guard lock(shared_->mutex);
    uv_close(reinterpret_cast<uv_handle_t*>(std::exchange(shared_->wake, nullptr)),
             [](uv_handle_t* handle) { delete reinterpret_cast<uv_async_t*>(handle); });
}

void NameLookup::start(std::string name) {
    const std::lock_guard lock(shared_->mutex);
    shared_->waiting.push_back(std::move(name));
    if (shared_->threads == kThreadsMax) {
        return;
    }
    // Signals are the loop's: a thread that took one would be interrupted in vain.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    try {
        std::thread([shared = shared_] { shared->run(); }).detach();
        ++shared_->threads;
    } catch (const std::system_error& error) {
        shared_->results.emplace_back(std::move(shared_->waiting.back()),
                                      tl::unexpected(std::string(error.what())));
        shared_->waiting.pop_back();
        uv_async_send(shared_->wake);
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void NameLookup::take_results() {
    std::deque<std::pair<std::string, LookupResult>> results;
    {
        const std::lock_guard lock(shared_->mutex);
        results.swap(shared_->results);
    }
    for (const auto& [name, result] : results) {
        on_result_(name, result);
    }
}

}  // namespace meshd

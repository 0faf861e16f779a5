// SPDX-License-Identifier: Apache-2.0
#include "daemon/network.h"

#include <algorithm>

#include "daemon/log.h"

namespace meshd {
namespace {

constexpr std::uint64_t kTickMs = 2000;
/// The kernel tells of changes, so that this finds something only where it has lost one; without
/// its news each tick lists.
constexpr Duration kListInterval = std::chrono::seconds(30);

uv_timer_t* make_timer(uv_loop_t* loop, void* data) {
    auto* timer = new uv_timer_t{};
    uv_timer_init(loop, timer);
    timer->data = data;
    return timer;
}

void close_timer(uv_timer_t* timer) {
    uv_close(reinterpret_cast<uv_handle_t*>(timer),
             [](uv_handle_t* closed) { delete reinterpret_cast<uv_timer_t*>(closed); });
}

std::string no_interface_text(const std::vector<std::string>& allowed) {
    std::string text =
        "no usable network interface: waiting for one that is up, has a carrier and an IPv4 "
        "address";
    if (allowed.empty()) {
        return text + " (loopback counts only when listed: --set mesh.interfaces=[lo])";
    }
    text += ", and is in mesh.interfaces (";
    for (const std::string& pattern : allowed) {
        text += (&pattern == &allowed.front() ? "" : ", ") + pattern;
    }
    return text + ")";
}

}  // namespace

Network::Network(uv_loop_t* loop, Options options, Callbacks callbacks)
    : options_(std::move(options)),
      callbacks_(std::move(callbacks)),
      udp_(loop, options_.udp_port, options_.beacon_silence_max, callbacks_.on_datagram,
           callbacks_.on_turn_end),
      monitor_(loop, [this] { list(); }),
      resolver_(callbacks_.now(), options_.bootstrap_hosts),
      lookup_(loop, [this](const auto& name, const auto& result) { on_lookup(name, result); }),
      tick_timer_(make_timer(loop, this)),
      resolver_timer_(make_timer(loop, this)) {}

Network::~Network() {
    close_timer(tick_timer_);
    close_timer(resolver_timer_);
}

void Network::start() {
    uv_timer_start(
        tick_timer_, [](uv_timer_t* timer) { static_cast<Network*>(timer->data)->on_tick(); },
        kTickMs, kTickMs);
    list();
    is_started_ = true;
    run_resolver();
}

void Network::reconfigure(Options options) {
    if (options.interfaces != options_.interfaces) {
        options_.interfaces = std::move(options.interfaces);
        // Anew, as it names the interfaces that count.
        no_interface_.clear();
        list();
    }
    options_.beacon_silence_max = options.beacon_silence_max;
    udp_.set_beacon_silence(options.beacon_silence_max);
    if (options.bootstrap == options_.bootstrap &&
        options.bootstrap_hosts == options_.bootstrap_hosts) {
        return;
    }
    options_.bootstrap = std::move(options.bootstrap);
    options_.bootstrap_hosts = std::move(options.bootstrap_hosts);
    resolver_.set_hosts(callbacks_.now(), options_.bootstrap_hosts);
    tell_bootstrap();
    run_resolver();
}

void Network::tell_bootstrap() {
    std::vector<Endpoint> all = options_.bootstrap;
    for (const Endpoint& endpoint : resolver_.endpoints()) {
        all.push_back(endpoint);
    }
    callbacks_.on_bootstrap(std::move(all));
}

std::vector<std::string> Network::warnings() const {
    std::vector<std::string> all = udp_.troubles();
    if (!list_trouble_.empty()) {
        all.push_back(list_trouble_);
    }
    if (!no_interface_.empty()) {
        all.insert(all.begin(), no_interface_);
    }
    for (std::string& warning : resolver_.warnings()) {
        all.push_back(std::move(warning));
    }
    return all;
}

void Network::list() {
    listed_at_ = callbacks_.now();
    const auto all = list_interfaces();
    if (!all) {
        if (list_trouble_.empty()) {
            log_warning(all.error());
        }
        list_trouble_ = all.error();
        return;
    }
    list_trouble_.clear();
    usable_ = usable_interfaces(*all, options_.interfaces);
    if (usable_.empty() != !no_interface_.empty()) {
        no_interface_ = usable_.empty() ? no_interface_text(options_.interfaces) : "";
        if (usable_.empty()) {
            log_warning(no_interface_);
        }
    }
    update_sockets();
}

void Network::update_sockets() {
    const TimePoint now = callbacks_.now();
    const std::string before = udp_.describe();
    if (!udp_.update(now, usable_)) {
        return;
    }
    if (is_started_) {
        log_info("addresses now: " + udp_.describe() + "; before: " + before);
    }
    callbacks_.on_addresses();
    resolver_.on_network_change(now);
    run_resolver();
}

void Network::on_tick() {
    const TimePoint now = callbacks_.now();
    if (!monitor_.is_working() || now - listed_at_ >= kListInterval) {
        list();
    } else {
        // Sockets that could not be opened are tried again.
        update_sockets();
    }
    udp_.watch_beacons(now, callbacks_.peers());
}

void Network::run_resolver() {
    const TimePoint now = callbacks_.now();
    for (std::string& name : resolver_.poll_due(now)) {
        lookup_.start(std::move(name));
    }
    const auto deadline = resolver_.next_deadline();
    if (!deadline) {
        uv_timer_stop(resolver_timer_);
        return;
    }
    const auto wait =
        std::chrono::ceil<std::chrono::milliseconds>(std::max(*deadline - now, Duration::zero()));
    uv_update_time(resolver_timer_->loop);
    uv_timer_start(
        resolver_timer_,
        [](uv_timer_t* timer) { static_cast<Network*>(timer->data)->run_resolver(); },
        static_cast<std::uint64_t>(wait.count()), 0);
}

void Network::on_lookup(const std::string& name, const LookupResult& result) {
    const bool is_changed = resolver_.on_result(callbacks_.now(), name, result);
    const auto known = std::find(unresolved_.begin(), unresolved_.end(), name);
    if (!result && known == unresolved_.end()) {
        unresolved_.push_back(name);
        log_warning("bootstrap address " + name + ": " + result.error() +
                    "; it is asked again and again");
    } else if (result && known != unresolved_.end()) {
        unresolved_.erase(known);
        log_info("bootstrap address " + name + " is resolved");
    }
    if (is_changed) {
        tell_bootstrap();
    }
    run_resolver();
}

}  // namespace meshd

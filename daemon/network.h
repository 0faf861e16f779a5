// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <uv.h>

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/name_lookup.h"
#include "daemon/netlink.h"
#include "daemon/resolver.h"
#include "daemon/udp.h"

namespace meshd {

/// The network as it is at the moment: follows interfaces and addresses as they come and go, keeps
/// a socket on each, and keeps the bootstrap names resolved. Whatever is missing, it says so, goes
/// on with the rest, and takes it up when it is there.
class Network {
  public:
    struct Options {
        std::uint16_t udp_port = 9999;
        /// Names or patterns; empty: usable_interfaces()'s choice.
        std::vector<std::string> interfaces;
        /// Literal bootstrap addresses, and names that are to be resolved.
        std::vector<Endpoint> bootstrap;
        std::vector<BootstrapHost> bootstrap_hosts;
        /// Peers of which no beacon came for so long: beacons are kept apart.
        Duration beacon_silence_max = std::chrono::minutes(10);
    };
    struct Callbacks {
        std::function<TimePoint()> now;
        Udp::OnDatagram on_datagram;
        Udp::OnTurnEnd on_turn_end;
        /// The addresses to speak from changed; to be asked of addresses().
        std::function<void()> on_addresses;
        /// All bootstrap addresses by now.
        std::function<void(std::vector<Endpoint> bootstrap)> on_bootstrap;
        /// Addresses of the peers.
        std::function<std::vector<Endpoint>()> peers;
    };

    Network(uv_loop_t* loop, Options options, Callbacks callbacks);
    Network(const Network&) = delete;
    Network& operator=(const Network&) = delete;
    ~Network();

    /// Opens the sockets and starts looking names up. Calls on_addresses where there are some.
    void start();

    /// Other interfaces and bootstrap addresses than before; the rest of `options` is ignored.
    void reconfigure(Options options);

    void queue(Transmit transmit) { udp_.queue(std::move(transmit)); }
    void flush() { udp_.flush(); }
    /// See Udp.
    void set_sessions(std::vector<SessionId> sessions) { udp_.set_sessions(std::move(sessions)); }
    void set_key_hints(std::vector<std::uint16_t> hints) { udp_.set_key_hints(std::move(hints)); }

    std::vector<Endpoint> addresses() const { return udp_.addresses(); }
    std::string describe() const { return udp_.describe(); }
    std::vector<std::string> warnings() const;
    std::vector<std::pair<std::string_view, std::uint64_t>> counters() const {
        return udp_.counters();
    }

  private:
    void list();
    void update_sockets();
    void on_tick();
    void run_resolver();
    void tell_bootstrap();
    void on_lookup(const std::string& name, const LookupResult& result);

    Options options_;
    Callbacks callbacks_;
    Udp udp_;
    LinkMonitor monitor_;
    Resolver resolver_;
    NameLookup lookup_;
    std::vector<LocalInterface> usable_;
    bool is_started_ = false;
    TimePoint listed_at_{};
    std::string list_trouble_;  ///< why interfaces cannot be listed; empty where they can
    std::string no_interface_;  ///< why there is none; empty where there is
    std::vector<std::string> unresolved_;  ///< as told in the log

    // On the heap because libuv closes handles later than this object ends.
    uv_timer_t* tick_timer_;
    uv_timer_t* resolver_timer_;
};

}  // namespace meshd

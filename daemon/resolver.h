// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the host names among the bootstrap addresses mean, asked again for ever: names of boxes
/// follow their addresses, and a network often comes before its name server.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "daemon/bootstrap_host.h"
#include "daemon/interfaces.h"
#include "proto/base/time.h"

namespace meshd {

/// The addresses of a name, or why there are none.
using LookupResult = tl::expected<std::vector<Ipv4>, std::string>;

/// Decides when to look which name up; looks nothing up itself.
class Resolver {
  public:
    /// A name is looked up again after 1, 2, 4 … 60 s where that failed, and every 60 s.
    static constexpr Duration kFirst = std::chrono::seconds(1);
    static constexpr Duration kInterval = std::chrono::seconds(60);
    /// Of one name; a name of more addresses is a pool, and some of it are enough.
    static constexpr std::size_t kAddressesMax = 8;

    Resolver(TimePoint now, std::vector<BootstrapHost> hosts);

    /// Other names than before; those that stay keep what is known of them, new ones are due now.
    void set_hosts(TimePoint now, std::vector<BootstrapHost> hosts);

    /// The names to look up now; each is answered by on_result().
    std::vector<std::string> poll_due(TimePoint now);
    /// True where endpoints() changed. A failure keeps the former addresses.
    bool on_result(TimePoint now, const std::string& name, const LookupResult& result);
    /// Other local addresses: every name is due now, also where it is being looked up.
    void on_network_change(TimePoint now);

    std::optional<TimePoint> next_deadline() const;
    /// By name, then in the order of the answer.
    std::vector<Endpoint> endpoints() const;
    /// One text per name whose last look-up failed.
    std::vector<std::string> warnings() const;

  private:
    struct Name {
        std::vector<std::uint16_t> ports;
        std::vector<Ipv4> addresses;
        std::string trouble;
        TimePoint next_at{};
        Duration backoff = kFirst;
        bool is_asked = false;     ///< an answer is on its way
        bool is_outdated = false;  ///< that answer may be of the former network
    };

    std::map<std::string, Name> names_;
};

}  // namespace meshd

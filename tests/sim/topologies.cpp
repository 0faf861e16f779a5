// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <set>

#include "tests/sim/network.h"

namespace meshd::sim {

Network lan(std::size_t hosts) {
    Network network;
    for (std::size_t i = 0; i < hosts; ++i) {
        network.attach(network.add_host(), 0);
    }
    return network;
}

Network line(std::size_t hosts) {
    Network network;
    for (Host host = 0; host < hosts; ++host) {
        network.add_host();
        if (host > 0) {
            network.attach(host - 1, host - 1);
            network.attach(host, host - 1);
        }
    }
    return network;
}

Network partial_lan(std::size_t hosts, const std::vector<std::pair<Host, Host>>& deaf) {
    Network network = lan(hosts);
    for (const auto& [a, b] : deaf) {
        network.make_deaf(a, b);
    }
    return network;
}

Network hub(std::size_t hosts) {
    Network network = lan(hosts);
    for (Host a = 1; a < hosts; ++a) {
        for (Host b = a + 1; b < hosts; ++b) {
            network.make_deaf(a, b);
        }
    }
    return network;
}

Network two_lans(std::size_t first, std::size_t second) {
    Network network;
    for (Host host = 0; host < first + second; ++host) {
        network.add_host();
        if (host < first) {
            network.attach(host, 0);
        }
        if (host + 1 >= first) {
            network.attach(host, 1);
        }
    }
    return network;
}

Network two_nets(std::size_t hosts, Prng& prng) {
    Network network = lan(hosts);
    for (Host host = 0; host < hosts; ++host) {
        if (prng.below(2) == 0) {
            network.attach(host, 1);
        }
    }
    return network;
}

Network random_partial_lan(std::size_t hosts, double deaf, Prng& prng) {
    Network network = lan(hosts);
    // A random tree keeps hearing; every other pair may be deaf.
    std::set<std::pair<Host, Host>> tree;
    for (Host host = 1; host < hosts; ++host) {
        tree.emplace(prng.below(host), host);
    }
    for (Host a = 0; a < hosts; ++a) {
        for (Host b = a + 1; b < hosts; ++b) {
            if (!tree.contains({a, b}) && prng.unit() < deaf) {
                network.make_deaf(a, b);
            }
        }
    }
    return network;
}

}  // namespace meshd::sim

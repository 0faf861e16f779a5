// SPDX-License-Identifier: Apache-2.0
#include "daemon/resolver.h"

#include <algorithm>
#include <utility>

namespace meshd {

Resolver::Resolver(TimePoint now, std::vector<BootstrapHost> hosts) {
    set_hosts(now, std::move(hosts));
}

void Resolver::set_hosts(TimePoint now, std::vector<BootstrapHost> hosts) {
    auto former = std::exchange(names_, {});
    for (BootstrapHost& host : hosts) {
        const auto [it, is_new] = names_.try_emplace(std::move(host.name));
        Name& name = it->second;
        if (is_new) {
            name.next_at = now;
            if (const auto known = former.find(it->first); known != former.end()) {
                name = std::move(known->second);
                name.ports.clear();
            }
        }
        if (std::find(name.ports.begin(), name.ports.end(), host.port) == name.ports.end()) {
            name.ports.push_back(host.port);
        }
    }
}

std::vector<std::string> Resolver::poll_due(TimePoint now) {
    std::vector<std::string> due;
    for (auto& [text, name] : names_) {
        if (!name.is_asked && name.next_at <= now) {
            name.is_asked = true;
            name.is_outdated = false;
            due.push_back(text);
        }
    }
    return due;
}

bool Resolver::on_result(TimePoint now, const std::string& text, const LookupResult& result) {
    const auto found = names_.find(text);
    if (found == names_.end()) {
        return false;
    }
    Name& name = found->second;
    name.is_asked = false;
    if (name.is_outdated) {
        name.next_at = now;
    } else if (result) {
        name.next_at = now + kInterval;
        name.backoff = kFirst;
    } else {
        name.next_at = now + name.backoff;
        name.backoff = std::min(2 * name.backoff, kInterval);
    }
    if (!result) {
        name.trouble = "bootstrap address " + text + ": " + result.error() +
                       (name.addresses.empty() ? "" : "; its former addresses are still tried") +
                       "; asked again, every minute in the end";
        return false;
    }
    name.trouble.clear();
    std::vector<Ipv4> addresses(
        result->begin(),
        result->begin() + static_cast<std::ptrdiff_t>(std::min(result->size(), kAddressesMax)));
    // Name servers turn the order of addresses round; that is no news.
    std::sort(addresses.begin(), addresses.end());
    addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
    const bool is_changed = addresses != name.addresses;
    name.addresses = std::move(addresses);
    return is_changed;
}

void Resolver::on_network_change(TimePoint now) {
    for (auto& [text, name] : names_) {
        name.next_at = now;
        name.backoff = kFirst;
        name.is_outdated = name.is_asked;
    }
}

std::optional<TimePoint> Resolver::next_deadline() const {
    std::optional<TimePoint> next;
    for (const auto& [text, name] : names_) {
        if (!name.is_asked && (!next || name.next_at < *next)) {
            next = name.next_at;
        }
    }
    return next;
}

std::vector<Endpoint> Resolver::endpoints() const {
    std::vector<Endpoint> all;
    for (const auto& [text, name] : names_) {
        for (const Ipv4& address : name.addresses) {
            for (const std::uint16_t port : name.ports) {
                all.push_back(ipv4_endpoint(address, port));
            }
        }
    }
    return all;
}

std::vector<std::string> Resolver::warnings() const {
    std::vector<std::string> all;
    for (const auto& [text, name] : names_) {
        if (!name.trouble.empty()) {
            all.push_back(name.trouble);
        }
    }
    return all;
}

}  // namespace meshd

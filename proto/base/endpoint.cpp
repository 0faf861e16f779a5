// SPDX-License-Identifier: Apache-2.0
#include "proto/base/endpoint.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace meshd {
namespace {

constexpr std::array<std::uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

std::optional<std::uint16_t> parse_port(std::string_view text) {
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error != std::errc{} || end != text.data() + text.size() || port == 0) {
        return std::nullopt;
    }
    return port;
}

}  // namespace

bool Endpoint::is_ipv4() const {
    return std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), address.begin());
}

Endpoint ipv4_endpoint(std::array<std::uint8_t, 4> address, std::uint16_t port,
                       std::uint32_t interface) {
    Endpoint endpoint;
    std::copy(kMappedPrefix.begin(), kMappedPrefix.end(), endpoint.address.begin());
    std::copy(address.begin(), address.end(), endpoint.address.begin() + kMappedPrefix.size());
    endpoint.port = port;
    endpoint.interface = interface;
    return endpoint;
}

std::string print_endpoint(const Endpoint& endpoint) {
    char text[INET6_ADDRSTRLEN];
    if (endpoint.is_ipv4()) {
        inet_ntop(AF_INET, endpoint.address.data() + kMappedPrefix.size(), text, sizeof text);
        return std::string(text) + ':' + std::to_string(endpoint.port);
    }
    inet_ntop(AF_INET6, endpoint.address.data(), text, sizeof text);
    return '[' + std::string(text) + "]:" + std::to_string(endpoint.port);
}

std::optional<Endpoint> parse_endpoint(std::string_view text, std::uint16_t default_port) {
    std::string_view host = text;
    std::optional<std::string_view> port_text;
    bool is_bracketed = false;
    if (!text.empty() && text.front() == '[') {
        const std::size_t close = text.find(']');
        if (close == std::string_view::npos) {
            return std::nullopt;
        }
        is_bracketed = true;
        host = text.substr(1, close - 1);
        const std::string_view rest = text.substr(close + 1);
        if (!rest.empty()) {
            if (rest.front() != ':') {
                return std::nullopt;
            }
            port_text = rest.substr(1);
        }
    } else if (const std::size_t colon = text.find(':');
               colon != std::string_view::npos && colon == text.rfind(':')) {
        host = text.substr(0, colon);
        port_text = text.substr(colon + 1);
    }

    std::uint16_t port = default_port;
    if (port_text) {
        const auto parsed = parse_port(*port_text);
        if (!parsed) {
            return std::nullopt;
        }
        port = *parsed;
    }
    if (port == 0 || host.size() >= INET6_ADDRSTRLEN || host.find('\0') != std::string_view::npos) {
        return std::nullopt;
    }

    const std::string terminated(host);
    if (!is_bracketed) {
        std::array<std::uint8_t, 4> ipv4{};
        if (inet_pton(AF_INET, terminated.c_str(), ipv4.data()) == 1) {
            return ipv4_endpoint(ipv4, port);
        }
    }
    // A bare IPv6 address has at least two colons, so that no port was split off it.
    Endpoint endpoint;
    if (inet_pton(AF_INET6, terminated.c_str(), endpoint.address.data()) != 1) {
        return std::nullopt;
    }
    endpoint.port = port;
    return endpoint;
}

}  // namespace meshd

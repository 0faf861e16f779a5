// SPDX-License-Identifier: Apache-2.0
#include "daemon/bootstrap_host.h"

#include <algorithm>
#include <charconv>

namespace meshd {
namespace {

constexpr std::size_t kNameBytesMax = 253;
constexpr std::size_t kLabelBytesMax = 63;

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool is_label(std::string_view label) {
    return !label.empty() && label.size() <= kLabelBytesMax && label.front() != '-' &&
           label.back() != '-' && std::all_of(label.begin(), label.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '-' ||
                      c == '_';
           });
}

bool is_host_name(std::string_view name) {
    if (name.ends_with('.')) {
        name.remove_suffix(1);
    }
    if (name.empty() || name.size() > kNameBytesMax) {
        return false;
    }
    std::string_view label;
    while (true) {
        const std::size_t dot = name.find('.');
        label = name.substr(0, dot);
        if (!is_label(label)) {
            return false;
        }
        if (dot == std::string_view::npos) {
            break;
        }
        name.remove_prefix(dot + 1);
    }
    // No domain is a number: "10.0.0.300" is a mistake, and "10.1" would be resolved as 10.0.0.1.
    return !std::all_of(label.begin(), label.end(), is_digit);
}

}  // namespace

std::optional<std::variant<Endpoint, BootstrapHost>> parse_bootstrap(std::string_view text,
                                                                     std::uint16_t default_port) {
    using Result = std::variant<Endpoint, BootstrapHost>;
    if (const auto endpoint = parse_endpoint(text, default_port)) {
        const bool is_usable = endpoint->is_ipv4() && endpoint->port != 0;
        return is_usable ? std::optional(Result(*endpoint)) : std::nullopt;
    }
    const std::size_t colon = text.find(':');
    BootstrapHost host{std::string(text.substr(0, colon)), default_port};
    if (colon != std::string_view::npos) {
        const std::string_view port = text.substr(colon + 1);
        const auto [end, error] =
            std::from_chars(port.data(), port.data() + port.size(), host.port);
        if (error != std::errc() || end != port.data() + port.size()) {
            return std::nullopt;
        }
    }
    return is_host_name(host.name) && host.port != 0 ? std::optional(Result(std::move(host)))
                                                     : std::nullopt;
}

}  // namespace meshd

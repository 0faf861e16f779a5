// SPDX-License-Identifier: Apache-2.0
#include "daemon/security_words.h"

#include <algorithm>
#include <utility>

#include "proto/base/endpoint.h"

namespace meshd {
namespace {

constexpr std::size_t kNamesMax = 8;

template <class List, class Print>
std::string some_of(const List& list, const Print& print) {
    std::string text;
    for (std::size_t i = 0; i < std::min(list.size(), kNamesMax); ++i) {
        text += (i == 0 ? "" : ", ") + print(list[i]);
    }
    if (list.size() > kNamesMax) {
        text += " and " + std::to_string(list.size() - kNamesMax) + " more";
    }
    return text;
}

std::string names_of(const std::vector<NodeId>& nodes) {
    return some_of(nodes, [](const NodeId& node) { return node.text(); });
}

std::string addresses_of(const std::vector<ForeignerView>& all, bool is_sealed) {
    std::vector<Endpoint> some;
    for (const ForeignerView& one : all) {
        if (one.is_sealed == is_sealed) {
            some.push_back(one.from);
        }
    }
    return some_of(some, [](const Endpoint& from) { return print_endpoint(from); });
}

std::string mode_warning(const SecurityView& view) {
    switch (view.mode) {
        case SecurityMode::Sealed:
            return view.not_sealed.empty()
                       ? ""
                       : "not yet sealed, but security.mode: mixed: " + names_of(view.not_sealed);
        case SecurityMode::Mixed:
            return "mixed: nodes without a mesh key may take part (security.mode)" +
                   (view.not_sealed.empty() ? "; all others are sealed, this one can be as well"
                                            : "; so it is at " + names_of(view.not_sealed));
        case SecurityMode::Open:
            return "open: nothing is sealed, whoever reaches the UDP port takes part "
                   "(security.mode)";
    }
    return {};
}

}  // namespace

std::vector<std::string> security_warnings(const SecurityView& view) {
    std::vector<std::string> warnings;
    const auto add = [&warnings](std::string text) {
        if (!text.empty()) {
            warnings.push_back(std::move(text));
        }
    };
    const std::string sealed_others = addresses_of(view.foreigners, true);
    const std::string open_others = addresses_of(view.foreigners, false);
    if (view.mode != SecurityMode::Open && !view.active) {
        add(std::string("no mesh key") + (view.is_silent ? ": this node speaks with nobody" : "") +
            (sealed_others.empty()
                 ? "; the first box of a mesh gets one by meshctl key new, all others by meshctl "
                   "key join"
                 : "; there are sealed ones already: meshctl key join"));
    }
    add(mode_warning(view));
    if (view.mode != SecurityMode::Open && !view.without_newest.empty() && !view.keys.empty()) {
        add("without the newest mesh key " + print_key_id(view.keys.back()) + ": " +
            names_of(view.without_newest));
    }
    if (!sealed_others.empty()) {
        add(view.mode == SecurityMode::Open
                ? "heard nodes that are sealed, and not understood: " + sealed_others
                : "heard nodes with another key, and not understood: " + sealed_others);
    }
    if (!open_others.empty()) {
        add("heard nodes that are not sealed, and ignored: " + open_others);
    }
    return warnings;
}

std::string security_words(SecurityMode mode, KeyId active) {
    const std::string key = active ? "key " + print_key_id(active) : "no key yet";
    switch (mode) {
        case SecurityMode::Sealed:
            return active ? "sealed with " + key : "sealed, " + key + ": silent";
        case SecurityMode::Mixed:
            return "mixed, " + key + ": nodes without a key may take part";
        case SecurityMode::Open:
            return "open: whoever reaches the port takes part";
    }
    return {};
}

}  // namespace meshd

// SPDX-License-Identifier: Apache-2.0
/// \file
/// What an operator has to know about keys, in words.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "proto/view.h"

namespace meshd {

/// Without those who are alive members by now: their beacons of a minute ago, when they were mixed
/// or open or had another key, are no news.
inline SecurityView without_members(SecurityView view, const std::vector<NodeView>& nodes) {
    std::erase_if(view.foreigners, [&](const ForeignerView& one) {
        return std::any_of(nodes.begin(), nodes.end(), [&](const NodeView& node) {
            return node.status == NodeStatus::Alive && node.address &&
                   print_endpoint(*node.address) == print_endpoint(one.from);
        });
    });
    return view;
}

/// What keeps the mesh from being sealed, and what to do about it: for mesh.status. Empty where all
/// is as it should be.
std::vector<std::string> security_warnings(const SecurityView& view);

/// For the line that says that the daemon is ready: "sealed with key 1a098fca".
std::string security_words(SecurityMode mode, KeyId active);

}  // namespace meshd

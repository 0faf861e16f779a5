// SPDX-License-Identifier: Apache-2.0
#include "proto/base/node_id.h"

#include "proto/base/hash.h"

namespace meshd {

std::optional<NodeId> NodeId::parse(std::string_view text) {
    if (text.empty() || text.size() > kLengthMax) {
        return std::nullopt;
    }
    for (const char c : text) {
        const bool allowed = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                             (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
        if (!allowed) {
            return std::nullopt;
        }
    }
    NodeId id;
    id.text_ = text;
    id.hash_ = hash64(as_bytes(text));
    return id;
}

}  // namespace meshd

// SPDX-License-Identifier: Apache-2.0
#include "ipc/event_kind.h"

namespace meshd::ipc {

bool EventKinds::add(std::string_view name) {
    bool is_known = false;
    for (std::size_t i = 0; i < kEventKindNames.size(); ++i) {
        const std::string_view kind = kEventKindNames[i];
        const bool is_group =
            kind.size() > name.size() && kind.starts_with(name) && kind[name.size()] == '.';
        if (kind == name || is_group) {
            bits_ |= 1U << i;
            is_known = true;
        }
    }
    return is_known;
}

}  // namespace meshd::ipc

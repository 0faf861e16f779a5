// SPDX-License-Identifier: Apache-2.0
#include "cli/entry_filter.h"

#include "proto/base/json.h"

namespace meshd::cli {

std::string list_params(const Arguments& arguments, const EntryPage& page) {
    std::string params;
    json::Writer writer(params);
    writer.begin_object();
    for (const char* name : {"type", "node", "prefix"}) {
        if (arguments.has(name)) {
            writer.member(name, arguments.text(name));
        }
    }
    if (const auto age = arguments.duration("max-age")) {
        writer.member("max_age_ms", age->count());
    }
    writer.member("limit", page.limit);
    if (!page.after.empty()) {
        writer.member("after", page.after);
    }
    if (page.has_embeddings) {
        writer.member("embedding", true);
    }
    writer.end_object();
    return params;
}

}  // namespace meshd::cli

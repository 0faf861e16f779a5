// SPDX-License-Identifier: Apache-2.0
#include "daemon/rpc_print_search.h"

#include "daemon/rpc_print_store.h"
#include "proto/base/json.h"

namespace meshd {

std::string print_nearest(const NearestResult& result, const NearestPrint& options) {
    std::string text;
    json::Writer writer(text);
    bool is_truncated = false;
    const auto write_matches = [&](const std::vector<NearestMatch>& matches) {
        writer.key("matches").begin_array();
        for (const NearestMatch& match : matches) {
            if (text.size() >= options.bytes_max) {
                is_truncated = true;
                break;
            }
            write_entry(writer, match.entry, options.with_embedding, match.score);
        }
        writer.end_array();
    };
    writer.begin_object();
    if (options.is_many) {
        writer.key("results").begin_array();
        for (const std::vector<NearestMatch>& matches : result.matches) {
            writer.begin_object();
            write_matches(matches);
            writer.end_object();
        }
        writer.end_array();
    } else {
        write_matches(result.matches.empty() ? std::vector<NearestMatch>() : result.matches[0]);
    }
    writer.member("scanned", result.searched).member("truncated", is_truncated).end_object();
    return text;
}

}  // namespace meshd

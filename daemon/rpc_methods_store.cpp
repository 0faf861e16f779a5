// SPDX-License-Identifier: Apache-2.0
// Handlers of the registry, the shared state and backups.
#include <algorithm>
#include <utility>
#include <vector>

#include "daemon/rpc_methods.h"
#include "daemon/rpc_print_store.h"
#include "daemon/rpc_registry.h"

namespace meshd {

using ipc::CallReply;
using ipc::Error;
using ipc::ErrorCode;

namespace {

/// Entries copied out of the store at once while a page is printed.
constexpr std::size_t kEntriesAtOnce = 100;

Error unknown_entry(const ipc::Params& params, std::string_view field, std::string message) {
    Error error = ipc::invalid_param(field, params.value(field), "an entry held here");
    error.code = ErrorCode::UnknownEntry;
    error.message = std::move(message);
    return error;
}

CallReply backup_reply(const tl::expected<BackupDone, std::string>& result) {
    if (result) {
        return CallReply::done(print_backup(*result));
    }
    Error error;
    error.code = ErrorCode::BackupFailed;
    error.message = result.error();
    return CallReply::failed(std::move(error));
}

}  // namespace

CallReply RpcMethods::put_entries(const ipc::Method& method, const ipc::Params& params) {
    auto put = read_put(params);
    return put ? command(method, params, std::move(*put))
               : CallReply::failed(std::move(put.error()));
}

CallReply RpcMethods::get_entries(const ipc::Params& params) const {
    const std::vector<EntryView> held = mesh_.node().entries(mesh_.now(), *params.string("hash"));
    if (held.empty()) {
        return CallReply::failed(
            unknown_entry(params, "hash", "no node has seen this hash, as far as is known here"));
    }
    auto entry = held.begin();
    if (const auto after = params.string("after")) {
        const auto key = *ipc::parse_entry_key(*after);
        entry = std::find_if(held.begin(), held.end(),
                             [&](const EntryView& one) { return one.node == key.node; });
        if (entry == held.end() || key.hash != entry->hash) {
            return CallReply::failed(
                unknown_entry(params, "after", "no such entry is held; begin without after"));
        }
        ++entry;
    }
    EntryPagePrinter page(params.boolean("embedding"));
    while (entry != held.end() && !page.is_full()) {
        page.add(*entry++);
    }
    return CallReply::done(page.finish(entry == held.end()));
}

CallReply RpcMethods::delete_entries(const ipc::Method& method, const ipc::Params& params) {
    DeleteEntries remove;
    remove.hash = *params.string("hash");
    remove.node = params.node_id("node").value_or(NodeId{});
    return command(method, params, std::move(remove));
}

CallReply RpcMethods::list_entries(const ipc::Params& params) const {
    const Now now = mesh_.now();
    EntryFilter filter;
    filter.hash_prefix = params.string("prefix").value_or("");
    filter.type = params.string("type").value_or("");
    filter.node = params.node_id("node").value_or(NodeId{});
    if (params.has("max_age_ms")) {
        filter.age_ms_max = static_cast<std::uint64_t>(params.integer("max_age_ms"));
    }
    if (const auto after = params.string("after")) {
        const auto key = *ipc::parse_entry_key(*after);
        filter.after_hash = key.hash;
        filter.after_node = key.node;
    }
    filter.with_embedding = params.boolean("embedding");
    EntryPagePrinter page(filter.with_embedding);
    auto left = static_cast<std::size_t>(params.integer("limit"));
    while (true) {
        filter.limit = std::min(left, kEntriesAtOnce);
        const EntryPage held = mesh_.node().list_entries(now, filter);
        std::size_t printed = 0;
        while (printed < held.entries.size() && !page.is_full()) {
            page.add(held.entries[printed++]);
        }
        left -= printed;
        const bool is_last = held.is_last && printed == held.entries.size();
        if (is_last || left == 0 || page.is_full() || printed == 0) {
            return CallReply::done(page.finish(is_last));
        }
        filter.after_hash = held.entries.back().hash;
        filter.after_node = held.entries.back().node;
    }
}

CallReply RpcMethods::get_shared(const ipc::Params& params) const {
    const Now now = mesh_.now();
    if (params.has("node_id")) {
        return CallReply::failed(
            ipc::invalid_param("node_id", params.value("node_id"), "absent with scope mesh"));
    }
    std::vector<SharedView> members;
    if (const auto key = params.string("key")) {
        if (auto member = mesh_.node().shared(now, *key)) {
            members.push_back(std::move(*member));
        }
    } else {
        members = mesh_.node().shared(now);
    }
    if (shared_bytes(members) > EntryPagePrinter::kBytesMax) {
        Error error;
        error.code = ErrorCode::Overloaded;
        error.message = "the shared state is too large for one reply; ask by key";
        return CallReply::failed(std::move(error));
    }
    return CallReply::done(print_shared(members));
}

CallReply RpcMethods::back_up(const ipc::Params& params) {
    return elsewhere([&](const std::function<void(CallReply)>& done) {
        mesh_.backup(std::string(params.string("path").value_or("")),
                     [done](const tl::expected<BackupDone, std::string>& result) {
                         done(backup_reply(result));
                     });
    });
}

}  // namespace meshd

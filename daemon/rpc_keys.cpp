// SPDX-License-Identifier: Apache-2.0
#include "daemon/rpc_keys.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "daemon/rpc_print.h"
#include "proto/base/assert.h"

namespace meshd {

using ipc::Error;
using ipc::ErrorCode;

namespace {

/// Draws that share their hint with a key held: 1 in 16 000 with a full ring.
constexpr int kDrawsMax = 8;

tl::unexpected<Error> refuse(ErrorCode code, std::string message) {
    Error error;
    error.code = code;
    error.message = std::move(message);
    return tl::unexpected(std::move(error));
}

/// "a, b, c and 4 more"
std::string some_of(const std::vector<std::string>& names) {
    constexpr std::size_t kNamesMax = 5;
    std::string text;
    for (std::size_t i = 0; i < std::min(names.size(), kNamesMax); ++i) {
        text += (i == 0 ? "" : ", ") + names[i];
    }
    if (names.size() > kNamesMax) {
        text += " and " + std::to_string(names.size() - kNamesMax) + " more";
    }
    return text;
}

using Holders = std::vector<KeysAccess::Holder>;

bool lacks(const KeysAccess::Holder& holder, KeyId id) {
    return std::find(holder.keys.begin(), holder.keys.end(), id) == holder.keys.end();
}

Holders lacking(const KeysAccess& keys, KeyId id) {
    Holders all = keys.key_holders();
    std::erase_if(all, [id](const KeysAccess::Holder& holder) { return !lacks(holder, id); });
    return all;
}

void write_lacking(json::Writer& writer, const Holders& holders) {
    writer.key("lacking").begin_array();
    for (const KeysAccess::Holder& holder : holders) {
        writer.begin_object()
            .member("node_id", holder.node_id.text())
            .member("status", node_status_name(holder.status))
            .end_object();
    }
    writer.end_array();
}

json::Writer& begin_reply(json::Writer& writer, const MeshKey& key) {
    return writer.begin_object()
        .member("id", print_key_id(key_id(key)))
        .member("generation", rotation_of(key.generation));
}

/// A key that the ring takes in; the first of a mesh where `generation` is 0.
tl::expected<MeshKey, Error> draw(KeysAccess& keys, Keyring& ring, std::uint32_t generation) {
    tl::expected<bool, std::string> added;
    for (int i = 0; i < kDrawsMax; ++i) {
        const MeshKey key = generation == 0 ? keys.draw_first_key() : keys.draw_key(generation);
        added = ring.add(key);
        if (added) {
            return key;
        }
    }
    return refuse(ErrorCode::KeyRefused, added.error());
}

tl::expected<MeshKey, Error> token_of(const ipc::Params& params) {
    const auto key = parse_key_token(*params.string("token"));
    if (!key) {
        return refuse(ErrorCode::KeyInvalid, "this is no token of a mesh key: " + key.error());
    }
    return *key;
}

tl::expected<KeyPlan, Error> plan_new(KeysAccess& keys) {
    KeyPlan plan;
    plan.ring = keys.kept_keys().ring;
    if (!plan.ring.empty()) {
        return refuse(ErrorCode::KeyRefused,
                      "this node has a mesh key already (" + print_key_id(plan.ring.active) +
                          "): keys.rotate makes a newer one for the whole mesh, keys.replace "
                          "begins anew");
    }
    const auto key = draw(keys, plan.ring, 0);
    if (!key) {
        return tl::unexpected(key.error());
    }
    plan.is_change = true;
    json::Writer writer(plan.reply);
    begin_reply(writer, *key)
        .member("token", print_key_token(*key))
        .member("mode", keys.security_mode())
        .end_object();
    return plan;
}

tl::expected<KeyPlan, Error> plan_join(KeysAccess& keys, const ipc::Params& params) {
    const auto key = token_of(params);
    if (!key) {
        return tl::unexpected(key.error());
    }
    KeyPlan plan;
    plan.ring = keys.kept_keys().ring;
    plan.origin = KeyOrigin::Joined;
    const MeshKey* const active = plan.ring.active_key();
    const bool is_newer = active != nullptr && key->generation > active->generation;
    const auto added = plan.ring.add(*key);
    if (!added) {
        return refuse(ErrorCode::KeyRefused,
                      added.error() + "; keys.replace leaves the keys held now for this one");
    }
    // Whoever is linked to others waits with them until all hold the newer key; whoever is alone
    // may be so because the others have left the old one behind.
    if (*added && is_newer && !keys.has_links()) {
        plan.ring.activate(key_id(*key));
    }
    plan.is_change = *added;
    json::Writer writer(plan.reply);
    begin_reply(writer, *key)
        .member("active", plan.ring.active == key_id(*key))
        .member("added", *added)
        .member("mode", keys.security_mode())
        .end_object();
    return plan;
}

KeyPlan plan_list(KeysAccess& keys, const ipc::Params& params) {
    KeyPlan plan;
    const KeptKeys& kept = keys.kept_keys();
    const Keyring& ring = kept.ring;
    const Holders holders = keys.key_holders();
    const MeshKey* const active = ring.active_key();
    json::Writer writer(plan.reply);
    writer.begin_object().member("mode", keys.security_mode()).key("active");
    active == nullptr ? writer.null() : writer.string(print_key_id(ring.active));
    writer.member("rotating", active != nullptr && ring.newest_generation() > active->generation)
        .key("keys")
        .begin_array();
    for (const MeshKey& key : ring.keys) {
        const KeyId id = key_id(key);
        const Holders without = lacking(keys, id);
        const auto origin = kept.origins.find(id);
        MESHD_ASSERT(origin != kept.origins.end());
        begin_reply(writer, key)
            .member("active", id == ring.active)
            .member("origin", key_origin_name(origin->second))
            .member("confirmed", holders.size() - without.size() + 1)
            .member("nodes", holders.size() + 1);
        write_lacking(writer, without);
        if (params.boolean("secrets")) {
            writer.member("token", print_key_token(key));
        }
        writer.end_object();
    }
    writer.end_array().end_object();
    return plan;
}

tl::expected<KeyPlan, Error> plan_rotate(KeysAccess& keys) {
    KeyPlan plan;
    plan.ring = keys.kept_keys().ring;
    const MeshKey* const active = plan.ring.active_key();
    if (active == nullptr) {
        return refuse(ErrorCode::KeyRefused,
                      "this node has no mesh key yet: keys.new makes the first one, keys.join "
                      "takes one over");
    }
    if (keys.security_mode() == "open") {
        return refuse(ErrorCode::KeyRefused,
                      "a key spreads over sealed links alone, and security.mode is open");
    }
    const std::uint32_t newest = plan.ring.newest_generation();
    if (newest > active->generation) {
        const Holders without = lacking(keys, key_id(plan.ring.keys.back()));
        std::string names;
        for (const KeysAccess::Holder& holder : without) {
            if (holder.status == NodeStatus::Alive) {
                names += (names.empty() ? ": it waits for " : ", ") + holder.node_id.text();
            }
        }
        return refuse(ErrorCode::KeyRefused, "a rotation is under way" + names);
    }
    if (rotation_of(newest) == kRotationMax) {
        return refuse(ErrorCode::KeyRefused, "no generation is left above " +
                                                 std::to_string(rotation_of(newest)) +
                                                 ": keys.replace begins anew");
    }
    const auto key = draw(keys, plan.ring, newest + 1);
    if (!key) {
        return tl::unexpected(key.error());
    }
    plan.is_change = true;
    json::Writer writer(plan.reply);
    begin_reply(writer, *key).member("token", print_key_token(*key));
    write_lacking(writer, keys.key_holders());
    writer.end_object();
    return plan;
}

tl::expected<KeyPlan, Error> plan_remove(KeysAccess& keys, const ipc::Params& params) {
    KeyPlan plan;
    plan.ring = keys.kept_keys().ring;
    const auto id = parse_key_id(*params.string("id"));
    const MeshKey* const key = id ? plan.ring.find(*id) : nullptr;
    if (key == nullptr) {
        return refuse(ErrorCode::UnknownKey,
                      "this node has no key of this id: keys.list shows those it has");
    }
    const MeshKey* const active = plan.ring.active_key();
    if (*id == plan.ring.active) {
        return refuse(ErrorCode::KeyRefused,
                      "this key is the active one: keys.rotate makes a newer one first, "
                      "keys.replace begins anew");
    }
    const bool is_forced = params.boolean("force");
    // By force it is the way out where two nodes began a rotation at once.
    if (key->generation > active->generation && !is_forced) {
        return refuse(ErrorCode::KeyRefused,
                      "this key is about to become the active one: the other nodes that hold it "
                      "would give it back, unless all of them remove it (force)");
    }
    const Holders without = lacking(keys, plan.ring.active);
    if (!without.empty() && !is_forced) {
        Error error;
        error.code = ErrorCode::KeyLacking;
        for (const KeysAccess::Holder& holder : without) {
            error.problems.push_back(holder.node_id.text() + " (" +
                                     std::string(node_status_name(holder.status)) + ")");
        }
        error.message = "without this key could not return: " + some_of(error.problems) +
                        "; the active key " + print_key_id(plan.ring.active) + " is lacking there";
        return tl::unexpected(std::move(error));
    }
    plan.ring.remove(*id);
    plan.is_change = true;
    json::Writer writer(plan.reply);
    writer.begin_object().member("id", print_key_id(*id)).member("removed", true);
    write_lacking(writer, without);
    writer.end_object();
    return plan;
}

tl::expected<KeyPlan, Error> plan_replace(KeysAccess& keys, const ipc::Params& params) {
    KeyPlan plan;
    const Keyring& before = keys.kept_keys().ring;
    std::optional<MeshKey> key;
    if (params.has("token")) {
        const auto given = token_of(params);
        if (!given) {
            return tl::unexpected(given.error());
        }
        key = *given;
        plan.origin = KeyOrigin::Joined;
        MESHD_ASSERT(plan.ring.add(*key));
    } else {
        // Of another lineage than what it replaces: where the old key is held still, keys.join of
        // this one is refused rather than keeping both.
        auto drawn = draw(keys, plan.ring, 0);
        if (!drawn) {
            return tl::unexpected(std::move(drawn.error()));
        }
        key = *drawn;
    }
    plan.is_change = plan.ring != before;
    json::Writer writer(plan.reply);
    begin_reply(writer, *key)
        .member("token", print_key_token(*key))
        .member("mode", keys.security_mode())
        .key("removed")
        .begin_array();
    for (const MeshKey& old : before.keys) {
        if (plan.ring.find(key_id(old)) == nullptr) {
            writer.string(print_key_id(key_id(old)));
        }
    }
    writer.end_array().end_object();
    return plan;
}

}  // namespace

tl::expected<KeyPlan, Error> plan_keys(KeysAccess& keys, ipc::MethodId method,
                                       const ipc::Params& params) {
    using enum ipc::MethodId;
    if (method != KeysList && keys.is_changing_keys()) {
        return refuse(ErrorCode::KeyRefused,
                      "another change of the keys is being written: try again");
    }
    if (method == KeysNew) {
        return plan_new(keys);
    }
    if (method == KeysJoin) {
        return plan_join(keys, params);
    }
    if (method == KeysRotate) {
        return plan_rotate(keys);
    }
    if (method == KeysRemove) {
        return plan_remove(keys, params);
    }
    if (method == KeysReplace) {
        return plan_replace(keys, params);
    }
    MESHD_ASSERT(method == KeysList);
    return plan_list(keys, params);
}

}  // namespace meshd

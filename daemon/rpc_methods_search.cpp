// SPDX-License-Identifier: Apache-2.0
// Handlers of searches: of the registry held here, and of all nodes.
#include <chrono>
#include <utility>
#include <vector>

#include "daemon/rpc_methods.h"
#include "daemon/rpc_print_search.h"
#include "daemon/rpc_registry.h"
#include "proto/base/base64.h"
#include "proto/base/ids.h"

namespace meshd {

using ipc::CallReply;
using ipc::Error;
using ipc::ErrorCode;

namespace {

/// Matches of all vectors of a call together: a hundred times what a caller looks at.
constexpr std::int64_t kMatchesPerCallMax = 10'000;

std::string vector_field(bool is_many, std::size_t index) {
    return is_many ? "embeddings[" + std::to_string(index) + "]" : "embedding";
}

/// The vectors of a registry.nearest.
tl::expected<std::vector<std::vector<float>>, Error> read_vectors(const ipc::Params& params) {
    const bool is_many = params.has("embeddings");
    if (is_many == params.has("embedding")) {
        Error error = ipc::invalid_param(is_many ? "embeddings" : "embedding", json::Value(),
                                         "embedding, or embeddings");
        error.message = "one of embedding and embeddings is required";
        return tl::unexpected(std::move(error));
    }
    std::vector<std::vector<float>> vectors;
    const auto add = [&](const json::Value& value) -> std::optional<Error> {
        auto vector = read_vector(value, vector_field(is_many, vectors.size()));
        if (!vector) {
            return std::move(vector.error());
        }
        vectors.push_back(std::move(*vector));
        return std::nullopt;
    };
    if (!is_many) {
        auto error = add(params.value("embedding"));
        return error ? tl::expected<std::vector<std::vector<float>>, Error>(
                           tl::unexpected(std::move(*error)))
                     : std::move(vectors);
    }
    for (const json::Value value : params.value("embeddings")) {
        if (auto error = add(value)) {
            return tl::unexpected(std::move(*error));
        }
    }
    return vectors;
}

/// The query of a search for an embedding, whatever form the caller gave it, as the core has it.
tl::expected<std::string, Error> canonical_query(const json::Value& query) {
    std::string text;
    json::Writer writer(text);
    writer.begin_object();
    for (auto it = query.begin(); it != query.end(); ++it) {
        writer.key(it.key());
        if (it.key() != "embedding") {
            writer.value(*it);
            continue;
        }
        auto embedding = read_embedding(*it, "query.embedding");
        if (!embedding) {
            return tl::unexpected(std::move(embedding.error()));
        }
        writer.begin_object().member("f16", print_base64(*embedding)).end_object();
    }
    writer.end_object();
    return text;
}

}  // namespace

CallReply RpcMethods::nearest(const ipc::Method& method, const ipc::Params& params) {
    auto vectors = read_vectors(params);
    if (!vectors) {
        return CallReply::failed(std::move(vectors.error()));
    }
    const std::int64_t k = params.integer("k");
    if (k * static_cast<std::int64_t>(vectors->size()) > kMatchesPerCallMax) {
        return CallReply::failed(ipc::invalid_param(
            "k", params.value("k"),
            "at most " + std::to_string(kMatchesPerCallMax) + " for all embeddings together"));
    }
    NearestQuery query;
    query.queries = std::move(*vectors);
    query.space = *params.string("space");
    query.type = params.string("type").value_or("");
    query.nodes = params.node_ids("nodes");
    if (const auto node = params.node_id("node")) {
        query.nodes.push_back(*node);
    }
    if (params.has("max_age_ms")) {
        query.age_ms_max = static_cast<std::uint64_t>(params.integer("max_age_ms"));
    }
    query.k = static_cast<std::size_t>(k);
    query.with_embedding = params.boolean("with_embedding");
    const bool is_many = params.has("embeddings");
    const NearestPrint options{is_many, query.with_embedding};
    return elsewhere([&](const std::function<void(CallReply)>& done) {
        mesh_.nearest(query, [done, options, is_many,
                              &method](tl::expected<NearestResult, CommandError> result) {
            if (result) {
                done(CallReply::done(print_nearest(*result, options)));
                return;
            }
            CommandError& refused = result.error();
            if (is_many && refused.field == "embedding") {
                refused.field = refused.index ? vector_field(true, *refused.index) : "embeddings";
            }
            done(CallReply::failed(to_error(refused, method)));
        });
    });
}

CallReply RpcMethods::query(const ipc::Method& method, const ipc::Params& params) {
    Search search;
    search.type = *params.string("search_type");
    if (search.type == "embedding") {
        auto canonical = canonical_query(params.value("query"));
        if (!canonical) {
            return CallReply::failed(std::move(canonical.error()));
        }
        search.query = std::move(*canonical);
    } else {
        search.query = params.value("query").print();
    }
    search.nodes = params.node_ids("nodes");
    search.timeout = std::chrono::milliseconds(params.integer("timeout_ms"));
    search.limit = static_cast<std::uint32_t>(params.integer("limit"));
    const SearchCalls::Options options{params.boolean("stream"), search.limit};
    const auto accepted = mesh_.command(std::move(search));
    if (!accepted) {
        return CallReply::failed(to_error(accepted.error(), method, params));
    }
    searches_.calls.start(*accepted, options);
    return CallReply::pending(*accepted);
}

CallReply RpcMethods::serve(EventFeed::ClientId client, std::uint32_t user,
                            const ipc::Params& params) {
    SearchDesk::Types types;
    for (const json::Value type : params.value("types")) {
        types.emplace(type.as_string().value_or(""));
    }
    std::string text;
    json::Writer writer(text);
    writer.begin_object().key("types").begin_array();
    for (const std::string& type : types) {
        writer.string(type);
    }
    writer.end_array().end_object();
    if (auto served = searches_.desk.serve(client, user, std::move(types)); !served) {
        return CallReply::failed(std::move(served.error()));
    }
    return CallReply::done(std::move(text));
}

CallReply RpcMethods::answer_search(EventFeed::ClientId client, const ipc::Params& params) {
    // Names are 16 hex digits; any other text names nothing, as 0 does.
    const SearchTicket ticket{parse_hex(*params.string("search")).value_or(0)};
    const auto accepted = searches_.desk.answer(client, ticket, params.value("results"));
    if (!accepted) {
        return CallReply::failed(accepted.error());
    }
    std::string text;
    json::Writer(text)
        .begin_object()
        .member("accepted", accepted->results)
        .member("truncated", accepted->is_truncated)
        .end_object();
    return CallReply::done(std::move(text));
}

}  // namespace meshd

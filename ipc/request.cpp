// SPDX-License-Identifier: Apache-2.0
#include "ipc/request.h"

#include "ipc/framing.h"

namespace meshd::ipc {

namespace {

/// As many values as a line of nothing but digits and commas has: a batch of embeddings is one.
constexpr std::size_t kRequestValuesMax = kRequestBytesMax / 2 + 1;
constexpr json::Limits kRequestJson{kRequestBytesMax, kRequestDepthMax, kRequestValuesMax};

tl::unexpected<Refusal> refuse(std::string id, ErrorCode code, std::string message) {
    Refusal refusal;
    refusal.id = std::move(id);
    refusal.error.code = code;
    refusal.error.message = std::move(message);
    return tl::unexpected(std::move(refusal));
}

bool is_id(const json::Value& value) {
    return value.is_string() || value.is_null() || value.type() == json::Type::Number;
}

tl::expected<Request, Refusal> read_request(const json::Value& value) {
    if (!value.is_object()) {
        return refuse("null", ErrorCode::InvalidRequest, "a request must be an object");
    }
    const json::Value id = value["id"];
    if (id.exists() && !is_id(id)) {
        return refuse("null", ErrorCode::InvalidRequest, "id must be a string, a number or null");
    }
    const std::string id_text = id.exists() ? id.print() : "null";
    if (value["jsonrpc"].as_string() != "2.0") {
        return refuse(id_text, ErrorCode::InvalidRequest, "jsonrpc must be \"2.0\"");
    }
    const auto method = value["method"].as_string();
    if (!method) {
        return refuse(id_text, ErrorCode::InvalidRequest, "method must be a string");
    }
    const json::Value params = value["params"];
    if (params.exists() && !params.is_object() && !params.is_array()) {
        return refuse(id_text, ErrorCode::InvalidRequest, "params must be an object or an array");
    }
    return Request{id_text, !id.exists(), *method, params};
}

}  // namespace

Incoming Incoming::parse(std::string_view line) {
    Incoming incoming;
    auto document = json::Document::parse(line, kRequestJson);
    if (!document) {
        incoming.items_.push_back(refuse("null", ErrorCode::ParseError,
                                         "no JSON at byte " +
                                             std::to_string(document.error().offset) + ": " +
                                             document.error().message));
        return incoming;
    }
    incoming.document_ = std::move(*document);
    const json::Value root = incoming.document_.root();
    if (!root.is_array()) {
        incoming.items_.push_back(read_request(root));
        return incoming;
    }
    if (root.size() == 0) {
        incoming.items_.push_back(
            refuse("null", ErrorCode::InvalidRequest, "a batch must not be empty"));
        return incoming;
    }
    if (root.size() > kBatchRequestsMax) {
        incoming.items_.push_back(
            refuse("null", ErrorCode::InvalidRequest,
                   "a batch must not exceed " + std::to_string(kBatchRequestsMax) + " requests"));
        return incoming;
    }
    incoming.is_batch_ = true;
    incoming.items_.reserve(root.size());
    for (const json::Value item : root) {
        incoming.items_.push_back(read_request(item));
    }
    return incoming;
}

std::string print_result(std::string_view id, std::string_view result) {
    std::string text;
    text.reserve(result.size() + id.size() + 40);
    json::Writer(text)
        .begin_object()
        .member("jsonrpc", "2.0")
        .member_raw("result", result)
        .member_raw("id", id)
        .end_object();
    return text;
}

std::string print_error(std::string_view id, const Error& error) {
    std::string text;
    json::Writer writer(text);
    writer.begin_object().member("jsonrpc", "2.0").key("error");
    write_error(writer, error);
    writer.member_raw("id", id).end_object();
    return text;
}

std::string print_notification(std::string_view method, std::string_view params) {
    std::string text;
    text.reserve(params.size() + method.size() + 48);
    json::Writer(text)
        .begin_object()
        .member("jsonrpc", "2.0")
        .member("method", method)
        .member_raw("params", params)
        .end_object();
    return text;
}

}  // namespace meshd::ipc

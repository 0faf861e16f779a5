// SPDX-License-Identifier: Apache-2.0
#include "ipc/client/message.h"

#include <utility>

#include "ipc/framing.h"

namespace meshd::ipc {
namespace {

constexpr json::Limits kReplyLimits{kReplyBytesMax, 128, std::size_t{1} << 22};

ClientError remote_error(const json::Value& error) {
    ClientError out;
    out.kind = ClientError::Kind::Remote;
    out.message = std::string(error["message"].as_string().value_or("refused without a reason"));
    out.code = static_cast<int>(error["code"].as_int().value_or(0));
    if (const json::Value data = error["data"]; data.exists()) {
        out.data = data.print();
    }
    return out;
}

}  // namespace

ClientError failure(ClientError::Kind kind, std::string message) {
    ClientError error;
    error.kind = kind;
    error.message = std::move(message);
    return error;
}

ClientError closed() {
    return failure(ClientError::Kind::Closed, "the daemon closed the connection");
}

std::string print_call(std::uint64_t id, std::string_view method, std::string_view params) {
    std::string line;
    json::Writer(line)
        .begin_object()
        .member("jsonrpc", "2.0")
        .member("id", id)
        .member("method", method)
        .member_raw("params", params)
        .end_object();
    line.push_back('\n');
    return line;
}

tl::expected<json::Document, ClientError> parse_message(std::string_view line) {
    auto document = json::Document::parse(line, kReplyLimits);
    if (!document) {
        return tl::unexpected(
            failure(ClientError::Kind::Protocol, "not JSON: " + document.error().message));
    }
    if (!document->root().is_object()) {
        return tl::unexpected(failure(ClientError::Kind::Protocol, "not a JSON-RPC message"));
    }
    return std::move(*document);
}

tl::expected<Reply, ClientError> read_reply(json::Document document) {
    const json::Value root = document.root();
    if (const json::Value error = root["error"]; error.exists()) {
        return tl::unexpected(remote_error(error));
    }
    if (!root["result"].exists()) {
        return tl::unexpected(
            failure(ClientError::Kind::Protocol, "an answer without result and error"));
    }
    return Reply(std::move(document));
}

}  // namespace meshd::ipc

// SPDX-License-Identifier: Apache-2.0
#include "ipc/openrpc.h"

#include "ipc/event_kind.h"
#include "ipc/method_table.h"
#include "proto/base/json.h"
#include "proto/base/node_id.h"

namespace meshd::ipc {

namespace {

template <class Names>
void write_enum(json::Writer& writer, const Names& names) {
    for (const std::string_view name : names) {
        writer.string(name);
    }
}

std::string node_pattern() {
    return "^[A-Za-z0-9._-]{1," + std::to_string(NodeId::kLengthMax) + "}$";
}

constexpr std::string_view kEmbeddingSchemas =
    R"([{"type":"array","items":{"type":"number"}},)"
    R"({"type":"object","properties":{"f16":{"type":"string","contentEncoding":"base64"}},)"
    R"("required":["f16"],"additionalProperties":false},)"
    R"({"type":"object","properties":{"f32":{"type":"string","contentEncoding":"base64"}},)"
    R"("required":["f32"],"additionalProperties":false}])";

void write_schema(json::Writer& writer, const Param& param);

void write_members(json::Writer& writer, std::span<const Param> members) {
    writer.begin_object().member("type", "object").key("properties").begin_object();
    for (const Param& member : members) {
        writer.key(member.name);
        write_schema(writer, member);
    }
    writer.end_object().key("required").begin_array();
    for (const Param& member : members) {
        if (member.is_required) {
            writer.string(member.name);
        }
    }
    writer.end_array().member("additionalProperties", false).end_object();
}

void begin_array_schema(json::Writer& writer, const Param& param) {
    writer.member("type", "array")
        .member("minItems", param.min)
        .member("maxItems", param.max)
        .key("items");
}

void write_schema(json::Writer& writer, const Param& param) {
    writer.begin_object();
    switch (param.type) {
        case ParamType::Boolean:
            writer.member("type", "boolean");
            break;
        case ParamType::Integer:
            writer.member("type", "integer")
                .member("minimum", param.min)
                .member("maximum", param.max);
            break;
        case ParamType::String:
            writer.member("type", "string");
            break;
        case ParamType::Object:
            writer.member("type", "object");
            break;
        case ParamType::NodeName:
            writer.member("type", "string").member("pattern", node_pattern());
            break;
        case ParamType::Choice:
            writer.member("type", "string").key("enum").begin_array();
            write_enum(writer, param.choices);
            writer.end_array();
            break;
        case ParamType::EventKinds:
            writer.member("type", "array").member("minItems", 1);
            writer.key("items").begin_object().member("type", "string").key("enum").begin_array();
            write_enum(writer, kEventKindNames);
            // "alert" is a kind and not a group, so no name comes twice.
            write_enum(writer, kEventGroupNames);
            writer.end_array().end_object();
            break;
        case ParamType::Cursor:
            writer.member("type", "string").member("pattern", "^[0-9a-f]{16}\\.[0-9]+\\.[0-9]+$");
            break;
        case ParamType::Name:
            writer.member("type", "string").member("minLength", 1).member("maxLength", param.max);
            break;
        case ParamType::Path:
            writer.member("type", "string").member("pattern", "^/");
            break;
        case ParamType::Embedding:
            writer.member_raw("oneOf", kEmbeddingSchemas);
            break;
        case ParamType::Entries:
            begin_array_schema(writer, param);
            write_members(writer, param.members);
            break;
        case ParamType::EntryKey:
            writer.member("type", "string").member("pattern", "^[A-Za-z0-9._-]+/");
            break;
        case ParamType::Embeddings:
            begin_array_schema(writer, param);
            writer.begin_object().member_raw("oneOf", kEmbeddingSchemas).end_object();
            break;
        case ParamType::NodeNames:
            begin_array_schema(writer, param);
            writer.begin_object()
                .member("type", "string")
                .member("pattern", node_pattern())
                .end_object();
            break;
        case ParamType::Names:
            begin_array_schema(writer, param);
            writer.begin_object()
                .member("type", "string")
                .member("minLength", 1)
                .member("maxLength", param.item_bytes_max)
                .end_object();
            break;
        case ParamType::Array:
            writer.member("type", "array");
            break;
        case ParamType::Token:
            writer.member("type", "string").member("format", "password");
            break;
    }
    if (!param.default_json.empty()) {
        writer.member_raw("default", param.default_json);
    }
    writer.end_object();
}

void write_params(json::Writer& writer, const Method& method) {
    writer.key("params").begin_array();
    for (const Param& param : method.params) {
        writer.begin_object()
            .member("name", param.name)
            .member("description", param.doc)
            .member("required", param.is_required)
            .key("schema");
        write_schema(writer, param);
        writer.end_object();
    }
    writer.end_array();
}

void write_field(json::Writer& writer, const Field& field) {
    writer.key(field.name).begin_object().key("type");
    const std::size_t bar = field.type.find('|');
    if (bar == std::string_view::npos) {
        writer.string(field.type);
    } else {
        writer.begin_array()
            .string(field.type.substr(0, bar))
            .string(field.type.substr(bar + 1))
            .end_array();
    }
    if (!field.doc.empty()) {
        writer.member("description", field.doc);
    }
    writer.end_object();
}

void write_result(json::Writer& writer, const Method& method) {
    writer.key("result").begin_object().member("name", "result").key("schema").begin_object();
    writer.member("type", "object").key("properties").begin_object();
    for (const Field& field : method.result) {
        write_field(writer, field);
    }
    writer.end_object().key("required").begin_array();
    for (const Field& field : method.result) {
        if (field.is_always_there) {
            writer.string(field.name);
        }
    }
    writer.end_array().end_object().end_object();
}

void write_method(json::Writer& writer, const Method& method) {
    writer.begin_object()
        .member("name", method.name)
        .member("summary", method.summary)
        .member("paramStructure", "either");
    write_params(writer, method);
    write_result(writer, method);
    writer.key("errors").begin_array();
    for (const ErrorCode code : method.errors) {
        writer.begin_object()
            .member("code", static_cast<int>(code))
            .member("message", error_name(code))
            .end_object();
    }
    writer.end_array().member("x-since", method.since);
    writer.member("x-access", access_name(method.access));
    // No `examples`: OpenRPC wants the result of each, which depends on the mesh.
    writer.member_raw("x-example", method.example.empty() ? "{}" : method.example);
    writer.end_object();
}

}  // namespace

std::string print_openrpc(std::string_view version) {
    std::string text;
    json::Writer writer(text);
    writer.begin_object().member("openrpc", "1.2.6");
    writer.key("info")
        .begin_object()
        .member("title", "meshd")
        .member("description", "Local API of the mesh daemon: JSON-RPC 2.0, one text per line")
        .member("version", version)
        .key("license")
        .begin_object()
        .member("name", "Apache-2.0")
        .end_object()
        .end_object();
    writer.key("methods").begin_array();
    for (const Method& method : methods()) {
        write_method(writer, method);
    }
    writer.end_array().end_object();
    return text;
}

}  // namespace meshd::ipc

// SPDX-License-Identifier: Apache-2.0
#include "daemon/rpc_registry.h"

#include <bit>
#include <utility>
#include <vector>

#include "ipc/method_table.h"
#include "proto/base/base64.h"
#include "proto/store/embedding.h"
#include "proto/wire/limits.h"

namespace meshd {

using ipc::Error;
using ipc::ErrorCode;

namespace {

constexpr std::size_t kHalfBytes = 2;
constexpr std::size_t kFloatBytes = 4;

std::string embedding_shape() {
    return "array of 1.." + std::to_string(limits::kDimensionMax) +
           R"( numbers, {"f16": base64} or {"f32": base64})";
}

Error wrong_embedding(const json::Value& got, std::string message) {
    Error error = ipc::invalid_param("embedding", got, embedding_shape());
    error.message = "embedding " + std::move(message);
    return error;
}

/// The error of an embedding that stands elsewhere than in `embedding`.
Error at_field(Error error, std::string_view field) {
    if (error.field != field) {
        error.message.replace(0, error.field.size(), field);
        error.field = field;
    }
    return error;
}

double load_float(const std::uint8_t* from) {
    const std::uint32_t bits = std::uint32_t{from[0]} | std::uint32_t{from[1]} << 8 |
                               std::uint32_t{from[2]} << 16 | std::uint32_t{from[3]} << 24;
    return static_cast<double>(std::bit_cast<float>(bits));
}

tl::expected<std::vector<double>, Error> read_numbers(const json::Value& value) {
    std::vector<double> numbers;
    numbers.reserve(value.size());
    for (const json::Value element : value) {
        const auto number = element.as_double();
        if (!number) {
            return tl::unexpected(wrong_embedding(
                element, "value " + std::to_string(numbers.size()) + " is not a number"));
        }
        numbers.push_back(*number);
    }
    return numbers;
}

/// Values out of base64, `width` bytes each.
tl::expected<std::vector<double>, Error> read_packed(const json::Value& value,
                                                     std::string_view text, std::size_t width) {
    const auto bytes = parse_base64(text);
    if (!bytes) {
        return tl::unexpected(
            wrong_embedding(value, "is no base64 as RFC 4648 has it, with padding"));
    }
    if (bytes->size() % width != 0) {
        return tl::unexpected(wrong_embedding(value, "has " + std::to_string(bytes->size()) +
                                                         " bytes, which is no multiple of " +
                                                         std::to_string(width)));
    }
    if (width == kHalfBytes) {
        return embedding_values(*bytes);
    }
    std::vector<double> numbers(bytes->size() / width);
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        numbers[i] = load_float(bytes->data() + i * width);
    }
    return numbers;
}

tl::expected<std::vector<double>, Error> read_values(const json::Value& value) {
    if (value.is_array()) {
        if (value.size() > limits::kDimensionMax) {
            return tl::unexpected(
                wrong_embedding(value, "has " + std::to_string(value.size()) + " values"));
        }
        return read_numbers(value);
    }
    const auto halves = value["f16"].as_string();
    return halves ? read_packed(value, *halves, kHalfBytes)
                  : read_packed(value, value["f32"].as_string().value_or(""), kFloatBytes);
}

tl::expected<EntryPut, Error> read_entry(const ipc::Params& params) {
    EntryPut entry;
    entry.hash = params.string("hash").value_or("");
    entry.type = params.string("type").value_or("");
    if (params.has("metadata")) {
        entry.metadata = params.value("metadata").print();
        if (entry.metadata.size() > limits::kMetadataBytesMax) {
            Error error = ipc::invalid_param(
                "metadata", params.value("metadata"),
                "at most " + std::to_string(limits::kMetadataBytesMax) + " bytes as compact JSON");
            error.code = ErrorCode::EntryTooLarge;
            error.message = "metadata has " + std::to_string(entry.metadata.size()) + " bytes";
            return tl::unexpected(std::move(error));
        }
    }
    if (params.has("ttl_ms")) {
        entry.ttl_ms = static_cast<std::uint64_t>(params.integer("ttl_ms"));
    }
    if (params.has("timestamp_ms")) {
        entry.timestamp_ms = params.integer("timestamp_ms");
    }
    if (params.has("embedding") != params.has("space")) {
        Error error;
        error.code = ErrorCode::InvalidParams;
        error.field = "space";
        error.message = params.has("space") ? "space is for entries with an embedding"
                                            : "space is required with an embedding";
        error.expected = params.has("space") ? "no space, or an embedding" : "name of its model";
        return tl::unexpected(std::move(error));
    }
    if (params.has("embedding")) {
        entry.space = *params.string("space");
        auto embedding = read_embedding(params.value("embedding"));
        if (!embedding) {
            return tl::unexpected(std::move(embedding.error()));
        }
        entry.embedding = std::move(*embedding);
    }
    return entry;
}

Error required(std::string_view field) {
    Error error;
    error.code = ErrorCode::InvalidParams;
    error.field = field;
    error.message = std::string(field) + " is required without entries";
    error.expected = std::string(field) + ", or entries";
    return error;
}

const ipc::Param& entries_param() {
    // The last of the row.
    return ipc::find_method("registry.put")->params.back();
}

}  // namespace

tl::expected<Buffer, Error> read_embedding(const json::Value& value, std::string_view field) {
    const auto numbers = read_values(value);
    if (!numbers) {
        return tl::unexpected(at_field(numbers.error(), field));
    }
    auto embedding = make_embedding(*numbers);
    if (!embedding) {
        return tl::unexpected(at_field(wrong_embedding(value, embedding.error()), field));
    }
    return std::move(*embedding);
}

tl::expected<std::vector<float>, Error> read_vector(const json::Value& value,
                                                    const std::string& field) {
    const auto numbers = read_values(value);
    if (!numbers) {
        return tl::unexpected(at_field(numbers.error(), field));
    }
    std::vector<float> values;
    values.reserve(numbers->size());
    for (const double number : *numbers) {
        values.push_back(static_cast<float>(number));
    }
    return values;
}

tl::expected<PutEntries, Error> read_put(const ipc::Params& params) {
    PutEntries put;
    put.is_durable = params.boolean("durable");
    if (!params.has("entries")) {
        for (const std::string_view field : {"hash", "type"}) {
            if (!params.has(field)) {
                return tl::unexpected(required(field));
            }
        }
        auto entry = read_entry(params);
        if (!entry) {
            return tl::unexpected(std::move(entry.error()));
        }
        put.entries.push_back(std::move(*entry));
        return put;
    }
    const ipc::Param& entries = entries_param();
    for (const ipc::Param& member : entries.members) {
        if (params.has(member.name)) {
            Error error =
                ipc::invalid_param(member.name, params.value(member.name), "absent beside entries");
            return tl::unexpected(std::move(error));
        }
    }
    const json::Value list = params.value("entries");
    put.entries.reserve(list.size());
    for (const json::Value element : list) {
        auto entry = read_entry(ipc::Params::element(entries, element));
        if (!entry) {
            Error error = std::move(entry.error());
            error.field = entry_field(true, put.entries.size(), error.field);
            error.message = "entries[" + std::to_string(put.entries.size()) + "]: " + error.message;
            return tl::unexpected(std::move(error));
        }
        put.entries.push_back(std::move(*entry));
    }
    return put;
}

std::string entry_field(bool is_many, std::optional<std::size_t> index, const std::string& field) {
    if (!is_many || !index) {
        return field;
    }
    const std::string path = "entries[" + std::to_string(*index) + "]";
    return field.empty() ? path : path + "." + field;
}

}  // namespace meshd

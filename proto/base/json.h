// SPDX-License-Identifier: Apache-2.0
/// \file
/// JSON (RFC 8259) for the wire, the local API and the command line: parsed in situ, iteratively
/// and within limits; written compactly. The only user of RapidJSON in the project.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <type_traits>
#include <utility>
#include <vector>

namespace meshd::json {

enum class Type { Null, Bool, Number, String, Array, Object };
/// "null", "boolean", "number", "string", "array" or "object".
std::string_view type_name(Type type);

/// Printing and merging recurse as deep as the text nests: this keeps them off the stack's end.
inline constexpr unsigned kDepthLimitMax = 1024;

struct Limits {
    std::size_t bytes_max = std::size_t{1} << 20;
    /// Arrays and objects inside each other; a scalar has depth 0, `[]` has depth 1. At most
    /// kDepthLimitMax.
    unsigned depth_max = 64;
    /// Values in all, so that `[[],[],…]` cannot multiply memory.
    std::size_t values_max = std::size_t{1} << 18;
};

struct ParseError {
    /// Byte in the text at which the parser gave up.
    std::size_t offset = 0;
    std::string message;
    /// JSON, but more of it (bytes, depth, values) than the limits allow.
    bool exceeds_limits = false;
};

namespace detail {
struct Slot;
struct Tape;
}  // namespace detail

/// A view of one value inside a Document: cheap to copy, valid while the Document lives. The
/// default one is *absent*: every question about it has an empty answer, so that look-ups chain.
class Value {
  public:
    Value() = default;

    bool exists() const { return slot_ != nullptr; }
    /// Null where absent.
    Type type() const;
    bool is_null() const { return exists() && type() == Type::Null; }
    bool is_string() const { return exists() && type() == Type::String; }
    bool is_array() const { return exists() && type() == Type::Array; }
    bool is_object() const { return exists() && type() == Type::Object; }

    std::optional<bool> as_bool() const;
    /// Whole numbers only (1.0 and 1e3 are not written as one and fail), within range.
    std::optional<std::int64_t> as_int() const;
    std::optional<std::uint64_t> as_uint() const;
    /// Any finite number.
    std::optional<double> as_double() const;
    std::optional<std::string_view> as_string() const;
    /// A number as it was written; empty for anything else.
    std::string_view number_text() const;

    /// Elements of an array, members of an object, else 0.
    std::size_t size() const;
    /// The member of that name; absent where there is none or this is no object.
    Value operator[](std::string_view key) const;

    class Iterator;
    struct Range;
    /// Elements of an array in order (key() is empty), or members of an object in the order
    /// written: `for (auto it = v.begin(); it != v.end(); ++it) it.key(), *it`, or range-for over
    /// the values alone. Empty for a scalar.
    Iterator begin() const;
    Iterator end() const;

    /// Compact text; numbers as they were written.
    std::string print() const;

  private:
    friend class Document;
    friend class Iterator;
    friend class Writer;
    Value(const detail::Tape* tape, const detail::Slot* slot) : tape_(tape), slot_(slot) {}
    const detail::Tape* tape_ = nullptr;
    const detail::Slot* slot_ = nullptr;
};

class Value::Iterator {
  public:
    Value operator*() const { return value_; }
    std::string_view key() const { return key_; }
    Iterator& operator++();
    bool operator==(const Iterator& other) const { return value_.slot_ == other.value_.slot_; }

  private:
    friend class Value;
    Value value_;
    std::string_view key_;
    bool in_object_ = false;
};

/// A parsed text, which it owns.
class Document {
  public:
    Document();
    Document(Document&&) noexcept;
    Document& operator=(Document&&) noexcept;
    ~Document();

    /// Fails on anything but one JSON text: bad syntax, bad UTF-8, a duplicate key in one object, a
    /// number beyond double, or a limit passed. Trailing white space is tolerated.
    static tl::expected<Document, ParseError> parse(std::string_view text, const Limits& limits);

    Value root() const;

  private:
    std::unique_ptr<detail::Tape> tape_;
};

/// Appends compact JSON to a string. The caller keeps begin and end paired (asserted in depth
/// only).
class Writer {
  public:
    explicit Writer(std::string& out) : out_(&out) {}

    Writer& begin_object();
    Writer& end_object();
    Writer& begin_array();
    Writer& end_array();
    Writer& key(std::string_view name);
    /// Invalid UTF-8 must not come here; control characters are escaped.
    Writer& string(std::string_view value);
    Writer& integer(std::int64_t value);
    Writer& unsigned_integer(std::uint64_t value);
    /// Shortest text that reads back as the same double; not finite → null.
    Writer& number(double value);
    Writer& boolean(bool value);
    Writer& null();
    /// Text that is already JSON.
    Writer& raw(std::string_view json);
    Writer& value(const Value& value);

    /// key() and the value in one; overloads by type, so that a call reads as one line.
    Writer& member(std::string_view name, std::string_view value) {
        return key(name).string(value);
    }
    Writer& member(std::string_view name, const char* value) { return key(name).string(value); }
    Writer& member(std::string_view name, const std::string& value) {
        return key(name).string(value);
    }
    Writer& member(std::string_view name, bool value) { return key(name).boolean(value); }
    Writer& member(std::string_view name, double value) { return key(name).number(value); }
    template <class Integer>
    requires std::is_integral_v<Integer> Writer& member(std::string_view name, Integer value) {
        key(name);
        if constexpr (std::is_signed_v<Integer>) {
            return integer(value);
        } else {
            return unsigned_integer(value);
        }
    }
    Writer& member_raw(std::string_view name, std::string_view json) { return key(name).raw(json); }

  private:
    void separate();
    std::string* out_;
    bool need_comma_ = false;
    unsigned depth_ = 0;
};

/// JSON merge patch (RFC 7396): `patch` applied to `target`, as compact text. An absent target
/// counts as null.
std::string merge_patch(const Value& target, const Value& patch);

/// How many bytes of `text`, from its start, are well-formed UTF-8.
std::size_t utf8_prefix(std::string_view text);
/// True where `text` is well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms).
bool is_utf8(std::string_view text);

}  // namespace meshd::json

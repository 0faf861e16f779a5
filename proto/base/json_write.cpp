// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <charconv>
#include <cmath>

#include "proto/base/assert.h"
#include "proto/base/json.h"

namespace meshd::json {
namespace {

/// Up to so many members a linear look-up is cheaper than an index.
constexpr std::size_t kLinearLookupsMax = 16;

constexpr bool must_escape(char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\';
}

void print_escaped(std::string& out, std::string_view text) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::size_t run_begin = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (!must_escape(text[i])) {
            continue;
        }
        out.append(text, run_begin, i - run_begin);
        run_begin = i + 1;
        const auto c = static_cast<unsigned char>(text[i]);
        switch (c) {
            case '"':
                out += "\\\"";
                break;
            case '\\':
                out += "\\\\";
                break;
            case '\b':
                out += "\\b";
                break;
            case '\f':
                out += "\\f";
                break;
            case '\n':
                out += "\\n";
                break;
            case '\r':
                out += "\\r";
                break;
            case '\t':
                out += "\\t";
                break;
            default:
                out += "\\u00";
                out += kDigits[c >> 4];
                out += kDigits[c & 15];
        }
    }
    out.append(text, run_begin, text.size() - run_begin);
}

/// The text in quotes, with `before` and `after` around it; a zero byte stands for none.
void print_string(std::string& out, std::string_view text, char before = 0, char after = 0) {
    // Most strings are short and plain: they go out in one piece, which is half the cost of a
    // reply.
    constexpr std::size_t kShort = 60;
    char piece[kShort + 4];
    std::size_t size = 0;
    if (before != 0) {
        piece[size++] = before;
    }
    piece[size++] = '"';
    if (text.size() <= kShort && std::none_of(text.begin(), text.end(), must_escape)) {
        std::copy(text.begin(), text.end(), piece + size);
        size += text.size();
    } else {
        out.append(piece, size);
        size = 0;
        print_escaped(out, text);
    }
    piece[size++] = '"';
    if (after != 0) {
        piece[size++] = after;
    }
    out.append(piece, size);
}

template <class Number>
void print_number(std::string& out, Number number) {
    char text[32];
    const auto result = std::to_chars(text, text + sizeof text, number);
    out.append(text, result.ptr);
}

/// Recursive; the depth of a Document is at most kDepthLimitMax.
void print_value(std::string& out, const Value& value) {
    switch (value.type()) {
        case Type::Null:
            out += "null";
            return;
        case Type::Bool:
            out += *value.as_bool() ? "true" : "false";
            return;
        case Type::Number:
            out += value.number_text();
            return;
        case Type::String:
            print_string(out, *value.as_string());
            return;
        case Type::Array:
        case Type::Object:
            break;
    }
    const bool is_object = value.is_object();
    out += is_object ? '{' : '[';
    bool is_first = true;
    for (auto it = value.begin(); it != value.end(); ++it) {
        if (!is_first) {
            out += ',';
        }
        is_first = false;
        if (is_object) {
            print_string(out, it.key());
            out += ':';
        }
        print_value(out, *it);
    }
    out += is_object ? '}' : ']';
}

/// Members of an object by name, without a linear search for each where there are many.
class MemberIndex {
  public:
    explicit MemberIndex(const Value& object) : object_(object) {
        if (!object.is_object() || object.size() <= kLinearLookupsMax) {
            return;
        }
        sorted_.reserve(object.size());
        for (auto it = object.begin(); it != object.end(); ++it) {
            sorted_.emplace_back(it.key(), *it);
        }
        std::sort(sorted_.begin(), sorted_.end(),
                  [](const auto& a, const auto& b) { return a.first < b.first; });
    }

    Value find(std::string_view key) const {
        if (sorted_.empty()) {
            return object_[key];
        }
        const auto it = std::lower_bound(
            sorted_.begin(), sorted_.end(), key,
            [](const auto& member, std::string_view k) { return member.first < k; });
        return it != sorted_.end() && it->first == key ? it->second : Value();
    }

  private:
    Value object_;
    std::vector<std::pair<std::string_view, Value>> sorted_;
};

void write_merged(std::string& out, const Value& target, const Value& patch) {
    if (!patch.is_object()) {
        print_value(out, patch);
        return;
    }
    const MemberIndex changes(patch);
    const MemberIndex present(target);
    bool is_first = true;
    const auto start_member = [&](std::string_view key) {
        if (!is_first) {
            out += ',';
        }
        is_first = false;
        print_string(out, key);
        out += ':';
    };
    out += '{';
    if (target.is_object()) {
        for (auto it = target.begin(); it != target.end(); ++it) {
            const Value change = changes.find(it.key());
            if (change.is_null()) {
                continue;
            }
            start_member(it.key());
            if (change.exists()) {
                write_merged(out, *it, change);
            } else {
                print_value(out, *it);
            }
        }
    }
    for (auto it = patch.begin(); it != patch.end(); ++it) {
        if ((*it).is_null() || present.find(it.key()).exists()) {
            continue;
        }
        start_member(it.key());
        write_merged(out, Value(), *it);
    }
    out += '}';
}

}  // namespace

std::string Value::print() const {
    std::string out;
    print_value(out, *this);
    return out;
}

void Writer::separate() {
    if (need_comma_) {
        *out_ += ',';
    }
    need_comma_ = true;
}

Writer& Writer::begin_object() {
    separate();
    *out_ += '{';
    need_comma_ = false;
    ++depth_;
    return *this;
}

Writer& Writer::end_object() {
    MESHD_ASSERT(depth_ > 0);
    *out_ += '}';
    need_comma_ = true;
    --depth_;
    return *this;
}

Writer& Writer::begin_array() {
    separate();
    *out_ += '[';
    need_comma_ = false;
    ++depth_;
    return *this;
}

Writer& Writer::end_array() {
    MESHD_ASSERT(depth_ > 0);
    *out_ += ']';
    need_comma_ = true;
    --depth_;
    return *this;
}

Writer& Writer::key(std::string_view name) {
    print_string(*out_, name, need_comma_ ? ',' : '\0', ':');
    need_comma_ = false;
    return *this;
}

Writer& Writer::string(std::string_view value) {
    print_string(*out_, value, need_comma_ ? ',' : '\0');
    need_comma_ = true;
    return *this;
}

Writer& Writer::integer(std::int64_t value) {
    separate();
    print_number(*out_, value);
    return *this;
}

Writer& Writer::unsigned_integer(std::uint64_t value) {
    separate();
    print_number(*out_, value);
    return *this;
}

Writer& Writer::number(double value) {
    if (!std::isfinite(value)) {
        return null();
    }
    separate();
    print_number(*out_, value);
    return *this;
}

Writer& Writer::boolean(bool value) {
    separate();
    *out_ += value ? "true" : "false";
    return *this;
}

Writer& Writer::null() {
    separate();
    *out_ += "null";
    return *this;
}

Writer& Writer::raw(std::string_view json) {
    separate();
    *out_ += json;
    return *this;
}

Writer& Writer::value(const Value& value) {
    separate();
    print_value(*out_, value);
    return *this;
}

std::string merge_patch(const Value& target, const Value& patch) {
    std::string out;
    write_merged(out, target, patch);
    return out;
}

}  // namespace meshd::json

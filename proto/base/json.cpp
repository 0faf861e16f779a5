// SPDX-License-Identifier: Apache-2.0
#include "proto/base/json.h"

#include <rapidjson/error/en.h>
#include <rapidjson/reader.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "proto/base/assert.h"

namespace meshd::json {

namespace detail {

/// One value, or the key before a member's value. Containers are followed by their content, so that
/// the whole text is one flat array in the order written.
struct Slot {
    std::uint32_t text_begin = 0;  ///< strings and numbers: where in Tape::text
    std::uint32_t size = 0;  ///< bytes of text; elements or members of a container; bool: 0, 1
    std::uint32_t span = 1;  ///< slots from here to the next sibling
    Type type = Type::Null;
};

struct Tape {
    std::string text;  ///< strings are unescaped in place
    std::vector<Slot> slots;

    std::string_view text_of(const Slot& slot) const {
        return {text.data() + slot.text_begin, slot.size};
    }
};

}  // namespace detail

namespace {

using detail::Slot;
using detail::Tape;

/// Room that a tape keeps for the next text: that of nearly every record and message.
constexpr std::size_t kSpareTextBytesMax = 16 * 1024;
constexpr std::size_t kSpareSlotsMax = 4096;

/// The tape given back last on this thread: most texts are short, and without it half of the time
/// that one takes goes to the allocator.
struct Spare {
    std::unique_ptr<Tape> tape;
    ~Spare();
};
thread_local bool is_spare_gone = false;  ///< at the thread's end, when statics may outlive it
thread_local Spare spare;

Spare::~Spare() {
    is_spare_gone = true;
}

std::unique_ptr<Tape> take_tape() {
    if (is_spare_gone || !spare.tape) {
        return std::make_unique<Tape>();
    }
    return std::move(spare.tape);
}

void give_back(std::unique_ptr<Tape> tape) {
    if (tape && !is_spare_gone && !spare.tape && tape->text.capacity() <= kSpareTextBytesMax &&
        tape->slots.capacity() <= kSpareSlotsMax) {
        tape->slots.clear();
        spare.tape = std::move(tape);
    }
}

/// Up to so many members, comparing each pair is cheaper than sorting.
constexpr std::size_t kLinearMembersMax = 16;
/// A number of fewer characters and without an exponent is below 1e300.
constexpr std::size_t kSurelyFiniteLength = 300;

std::optional<double> read_double(std::string_view text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc::result_out_of_range) {
        // Too small is zero, too large is an error; from_chars does not say which.
        const bool too_small =
            text.size() < kSurelyFiniteLength && (text.find("e-") != std::string_view::npos ||
                                                  text.find("E-") != std::string_view::npos);
        return too_small ? std::optional(text.front() == '-' ? -0.0 : 0.0) : std::nullopt;
    }
    if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) {
        return std::nullopt;
    }
    return value;
}

bool is_finite_number(std::string_view text) {
    if (text.size() < kSurelyFiniteLength && text.find_first_of("eE") == std::string_view::npos) {
        return true;
    }
    return read_double(text).has_value();
}

template <class Integer>
std::optional<Integer> read_integer(std::string_view text) {
    Integer value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}

/// Turns RapidJSON's events into the tape and stops at the first limit passed.
class TapeBuilder : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, TapeBuilder> {
  public:
    TapeBuilder(Tape& tape, const Limits& limits)
        : tape_(tape), limits_(limits), has_escapes_(tape.text.find("\\u") != std::string::npos) {}

    const char* failure() const { return failure_; }
    bool exceeds_limits() const { return exceeds_limits_; }

    bool Null() { return add(Type::Null); }
    bool Bool(bool value) { return add(Type::Bool, 0, value ? 1 : 0); }
    bool RawNumber(const char* text, rapidjson::SizeType size, bool) {
        if (!is_finite_number({text, size})) {
            return fail("number out of range");
        }
        return add(Type::Number, offset(text), size);
    }
    bool String(const char* text, rapidjson::SizeType size, bool) {
        return check_escapes({text, size}) && add(Type::String, offset(text), size);
    }
    bool Key(const char* text, rapidjson::SizeType size, bool) {
        if (!check_escapes({text, size})) {
            return false;
        }
        tape_.slots.push_back({offset(text), size, 1, Type::String});
        return true;
    }
    bool StartObject() { return open(Type::Object); }
    bool EndObject(rapidjson::SizeType members) {
        if (has_duplicate_key(open_slot_ + 1, members)) {
            return fail("duplicate key");
        }
        return close(members);
    }
    bool StartArray() { return open(Type::Array); }
    bool EndArray(rapidjson::SizeType elements) { return close(elements); }

  private:
    bool fail(const char* why) {
        failure_ = why;
        return false;
    }
    bool fail_limit(const char* why) {
        exceeds_limits_ = true;
        return fail(why);
    }

    /// RapidJSON lets a lone low surrogate pass and writes it as three bytes that are no UTF-8.
    bool check_escapes(std::string_view text) {
        return !has_escapes_ || is_utf8(text) || fail("unpaired surrogate");
    }

    std::uint32_t offset(const char* text) const {
        return static_cast<std::uint32_t>(text - tape_.text.data());
    }

    bool add(Type type, std::uint32_t text_begin = 0, std::uint32_t size = 0) {
        if (++values_ > limits_.values_max) {
            return fail_limit("too many values");
        }
        tape_.slots.push_back({text_begin, size, 1, type});
        return true;
    }

    bool open(Type type) {
        if (++depth_ > limits_.depth_max) {
            return fail_limit("nested too deeply");
        }
        if (!add(type)) {
            return false;
        }
        // While a container is open its span holds the slot of the one around it.
        tape_.slots.back().span = open_slot_;
        open_slot_ = static_cast<std::uint32_t>(tape_.slots.size() - 1);
        return true;
    }

    bool close(std::uint32_t size) {
        --depth_;
        Slot& slot = tape_.slots[open_slot_];
        const std::uint32_t self = open_slot_;
        open_slot_ = slot.span;
        slot.span = static_cast<std::uint32_t>(tape_.slots.size()) - self;
        slot.size = size;
        return true;
    }

    bool has_duplicate_key(std::size_t first_key, std::size_t members) {
        if (members < 2) {
            return false;
        }
        if (members <= kLinearMembersMax) {
            std::string_view keys[kLinearMembersMax];
            std::size_t known = 0;
            for (std::size_t at = first_key; at < tape_.slots.size();
                 at += 1 + tape_.slots[at + 1].span) {
                const std::string_view key = tape_.text_of(tape_.slots[at]);
                if (std::find(keys, keys + known, key) != keys + known) {
                    return true;
                }
                keys[known++] = key;
            }
            return false;
        }
        sorted_keys_.clear();
        for (std::size_t at = first_key; at < tape_.slots.size();
             at += 1 + tape_.slots[at + 1].span) {
            sorted_keys_.push_back(tape_.text_of(tape_.slots[at]));
        }
        std::sort(sorted_keys_.begin(), sorted_keys_.end());
        return std::adjacent_find(sorted_keys_.begin(), sorted_keys_.end()) != sorted_keys_.end();
    }

    Tape& tape_;
    const Limits& limits_;
    bool has_escapes_;
    const char* failure_ = nullptr;
    bool exceeds_limits_ = false;
    std::size_t values_ = 0;
    unsigned depth_ = 0;
    std::uint32_t open_slot_ = 0;
    std::vector<std::string_view> sorted_keys_;
};

}  // namespace

std::string_view type_name(Type type) {
    switch (type) {
        case Type::Null:
            return "null";
        case Type::Bool:
            return "boolean";
        case Type::Number:
            return "number";
        case Type::String:
            return "string";
        case Type::Array:
            return "array";
        case Type::Object:
            return "object";
    }
    return "";
}

Type Value::type() const {
    return exists() ? slot_->type : Type::Null;
}

std::optional<bool> Value::as_bool() const {
    if (!exists() || type() != Type::Bool) {
        return std::nullopt;
    }
    return slot_->size != 0;
}

std::string_view Value::number_text() const {
    return exists() && type() == Type::Number ? tape_->text_of(*slot_) : std::string_view();
}

std::optional<std::int64_t> Value::as_int() const {
    return read_integer<std::int64_t>(number_text());
}

std::optional<std::uint64_t> Value::as_uint() const {
    return read_integer<std::uint64_t>(number_text());
}

std::optional<double> Value::as_double() const {
    return read_double(number_text());
}

std::optional<std::string_view> Value::as_string() const {
    if (!is_string()) {
        return std::nullopt;
    }
    return tape_->text_of(*slot_);
}

std::size_t Value::size() const {
    return is_array() || is_object() ? slot_->size : 0;
}

Value Value::operator[](std::string_view key) const {
    if (!is_object()) {
        return {};
    }
    for (const Slot* at = slot_ + 1; at != slot_ + slot_->span; at += 1 + at[1].span) {
        if (tape_->text_of(*at) == key) {
            return {tape_, at + 1};
        }
    }
    return {};
}

Value::Iterator Value::begin() const {
    Iterator it;
    if (is_array()) {
        it.value_ = {tape_, slot_ + 1};
    } else if (is_object()) {
        it.in_object_ = true;
        it.value_ = {tape_, slot_ + 2};
        it.key_ = tape_->text_of(slot_[1]);
    }
    return it;
}

Value::Iterator Value::end() const {
    Iterator it;
    if (is_array()) {
        it.value_ = {tape_, slot_ + slot_->span};
    } else if (is_object()) {
        it.value_ = {tape_, slot_ + slot_->span + 1};
    }
    return it;
}

Value::Iterator& Value::Iterator::operator++() {
    const Slot* next = value_.slot_ + value_.slot_->span;
    if (in_object_) {
        // Behind the last member this reads what follows the object, at worst the tape's last slot.
        key_ = value_.tape_->text_of(*next);
        ++next;
    }
    value_.slot_ = next;
    return *this;
}

Document::Document() = default;
Document::Document(Document&&) noexcept = default;
Document& Document::operator=(Document&&) noexcept = default;
Document::~Document() {
    give_back(std::move(tape_));
}

tl::expected<Document, ParseError> Document::parse(std::string_view text, const Limits& limits) {
    MESHD_ASSERT(limits.depth_max <= kDepthLimitMax);
    MESHD_ASSERT(limits.bytes_max <= UINT32_MAX);
    if (text.size() > limits.bytes_max) {
        return tl::make_unexpected(ParseError{limits.bytes_max, "text too long", true});
    }
    // The in-situ stream ends at a NUL: one inside would hide what follows it.
    if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos) {
        return tl::make_unexpected(ParseError{nul, "NUL byte", false});
    }
    if (const std::size_t good = utf8_prefix(text); good != text.size()) {
        return tl::make_unexpected(ParseError{good, "not UTF-8", false});
    }

    Document document;
    document.tape_ = take_tape();
    Tape& tape = *document.tape_;
    tape.text.assign(text);
    tape.slots.reserve(16 + std::min<std::size_t>(text.size() / 8, 1024));

    TapeBuilder builder(tape, limits);
    rapidjson::InsituStringStream stream(tape.text.data());
    rapidjson::Reader reader;
    // Recursive, which is faster: the builder ends it at limits.depth_max.
    constexpr unsigned kFlags = rapidjson::kParseInsituFlag | rapidjson::kParseNumbersAsStringsFlag;
    const rapidjson::ParseResult result = reader.Parse<kFlags>(stream, builder);
    if (result.IsError()) {
        const char* message = builder.failure() != nullptr
                                  ? builder.failure()
                                  : rapidjson::GetParseError_En(result.Code());
        return tl::make_unexpected(ParseError{result.Offset(), message, builder.exceeds_limits()});
    }
    tape.slots.emplace_back();  // what an iterator behind the last member may look at
    return document;
}

Value Document::root() const {
    return tape_ ? Value(tape_.get(), tape_->slots.data()) : Value();
}

}  // namespace meshd::json

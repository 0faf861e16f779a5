// SPDX-License-Identifier: Apache-2.0
#include "cli/npy_file.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstdint>
#include <optional>
#include <vector>

namespace meshd::cli {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
/// As many as NumPy has.
constexpr std::size_t kDimensionsMax = 32;

struct Header {
    std::string_view descr;
    std::vector<std::uint64_t> shape;
};

/// Reads the header's text, a Python dictionary: {'descr': '<f4', 'fortran_order': False, 'shape':
/// (512,), }.
class HeaderReader {
  public:
    explicit HeaderReader(std::string_view text) : rest_(text) {}

    std::optional<Header> read() {
        Header header;
        if (!take('{')) {
            return std::nullopt;
        }
        while (!take('}')) {
            const auto key = text();
            if (!key || !take(':') || !value(*key, header)) {
                return std::nullopt;
            }
            // Between members, and as NumPy does it also behind the last.
            if (!take(',') && (rest_.empty() || rest_.front() != '}')) {
                return std::nullopt;
            }
        }
        return header.descr.empty() || !has_shape_ ? std::nullopt : std::optional(header);
    }

  private:
    bool value(std::string_view key, Header& header) {
        if (key == "descr") {
            const auto descr = text();
            header.descr = descr.value_or("");
            return descr.has_value();
        }
        if (key == "shape") {
            has_shape_ = true;
            return shape(header.shape);
        }
        // The order of the values of a vector is the same either way.
        return key == "fortran_order" && (take_word("True") || take_word("False"));
    }

    void skip() { rest_.remove_prefix(std::min(rest_.find_first_not_of(" \n"), rest_.size())); }

    bool take(char c) {
        skip();
        if (rest_.empty() || rest_.front() != c) {
            return false;
        }
        rest_.remove_prefix(1);
        skip();
        return true;
    }

    bool take_word(std::string_view word) {
        skip();
        if (!rest_.starts_with(word)) {
            return false;
        }
        rest_.remove_prefix(word.size());
        return true;
    }

    std::optional<std::string_view> text() {
        skip();
        if (rest_.empty() || (rest_.front() != '\'' && rest_.front() != '"')) {
            return std::nullopt;
        }
        const std::size_t end = rest_.find(rest_.front(), 1);
        if (end == std::string_view::npos) {
            return std::nullopt;
        }
        const std::string_view out = rest_.substr(1, end - 1);
        rest_.remove_prefix(end + 1);
        return out;
    }

    bool shape(std::vector<std::uint64_t>& out) {
        if (!take('(')) {
            return false;
        }
        while (!take(')')) {
            std::uint64_t size = 0;
            const auto [end, error] =
                std::from_chars(rest_.data(), rest_.data() + rest_.size(), size);
            if (error != std::errc() || out.size() == kDimensionsMax) {
                return false;
            }
            out.push_back(size);
            rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
            if (!take(',') && (rest_.empty() || rest_.front() != ')')) {
                return false;
            }
        }
        return true;
    }

    std::string_view rest_;
    bool has_shape_ = false;
};

std::uint64_t little_endian(std::string_view bytes) {
    std::uint64_t out = 0;
    for (auto byte = bytes.rbegin(); byte != bytes.rend(); ++byte) {
        out = out << 8U | static_cast<unsigned char>(*byte);
    }
    return out;
}

/// Of each value of `width` bytes, in place.
void reverse_values(std::string& bytes, std::size_t width) {
    for (auto begin = bytes.begin(); begin != bytes.end();) {
        const auto end = begin + static_cast<std::ptrdiff_t>(width);
        std::reverse(begin, end);
        begin = end;
    }
}

std::string floats_of_doubles(std::string_view bytes) {
    std::string out;
    for (; !bytes.empty(); bytes.remove_prefix(sizeof(double))) {
        const auto value = std::bit_cast<double>(little_endian(bytes.substr(0, sizeof(double))));
        const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(value));
        for (unsigned shift = 0; shift < 32; shift += 8) {
            out.push_back(static_cast<char>(bits >> shift & 0xFFU));
        }
    }
    return out;
}

/// Values in the file; nothing where these are several vectors, or none.
std::optional<std::uint64_t> vector_size(const Header& header) {
    std::uint64_t size = 1;
    for (const std::uint64_t dimension : header.shape) {
        if (dimension == 0 || (size > 1 && dimension > 1)) {
            return std::nullopt;
        }
        size *= dimension;
    }
    return header.shape.empty() ? std::nullopt : std::optional(size);
}

}  // namespace

bool is_npy(std::string_view content) {
    return content.starts_with(kMagic);
}

tl::expected<NpyVector, std::string> parse_npy(std::string_view content) {
    using Error = tl::unexpected<std::string>;
    constexpr std::size_t kVersionBytes = 2;
    const std::string_view cut_off = "ends within the header of its npy file";
    if (!is_npy(content) || content.size() < kMagic.size() + kVersionBytes) {
        return Error(std::string(cut_off));
    }
    const auto major = static_cast<unsigned char>(content[kMagic.size()]);
    if (major < 1 || major > 3) {
        return Error("is an npy file of version " + std::to_string(major) + "; known are 1 to 3");
    }
    content.remove_prefix(kMagic.size() + kVersionBytes);
    const std::size_t length_bytes = major == 1 ? 2 : 4;
    const std::uint64_t length = little_endian(content.substr(0, length_bytes));
    if (content.size() < length_bytes || content.size() - length_bytes < length) {
        return Error(std::string(cut_off));
    }
    const auto header = HeaderReader(content.substr(length_bytes, length)).read();
    if (!header) {
        return Error("is an npy file whose header makes no sense, or of structured values");
    }
    content.remove_prefix(length_bytes + length);

    const std::string_view descr = header->descr;
    const std::string_view kind = descr.substr(1);
    const bool is_known = (descr[0] == '<' || descr[0] == '>' || descr[0] == '=') &&
                          (kind == "f2" || kind == "f4" || kind == "f8");
    if (!is_known) {
        return Error("is an npy file of values '" + std::string(descr) +
                     "'; it may be float16, float32 or float64");
    }
    const auto width = static_cast<std::size_t>(kind[1] - '0');
    const auto size = vector_size(*header);
    if (!size) {
        return Error("is an npy file of no vector or several: its shape may be (n,) or (1, n)");
    }
    if (content.size() % width != 0 || content.size() / width != *size) {
        return Error("is an npy file with " + std::to_string(content.size()) + " bytes of " +
                     std::to_string(*size) + " values of " + std::to_string(width) + " bytes");
    }
    std::string bytes(content);
    if (descr[0] == '>') {
        reverse_values(bytes, width);
    }
    if (kind == "f8") {
        return NpyVector{"f32", floats_of_doubles(bytes)};
    }
    return NpyVector{kind == "f2" ? "f16" : "f32", std::move(bytes)};
}

}  // namespace meshd::cli

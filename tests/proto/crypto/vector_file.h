// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "proto/base/bytes.h"
#include "proto/base/ids.h"

namespace meshd::test {

/// The words of each line of a file in tests/vectors, comments left out.
inline std::vector<std::vector<std::string>> vector_lines(const std::string& name) {
    std::ifstream file(std::string(MESHD_VECTORS) + "/" + name);
    REQUIRE(file);
    std::vector<std::vector<std::string>> lines;
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with('#')) {
            continue;
        }
        std::istringstream words(line);
        lines.emplace_back();
        for (std::string word; words >> word;) {
            lines.back().push_back(word);
        }
    }
    return lines;
}

inline Buffer bytes_of_hex(const std::string& hex) {
    Buffer bytes(hex.size() / 2);
    REQUIRE(parse_hex_bytes(hex, bytes.data(), bytes.size()));
    return bytes;
}

template <std::size_t Size>
std::array<std::uint8_t, Size> array_of_hex(const std::string& hex) {
    std::array<std::uint8_t, Size> bytes;
    REQUIRE(parse_hex_bytes(hex, bytes.data(), bytes.size()));
    return bytes;
}

inline std::string hex_of(Bytes bytes) {
    return print_hex_bytes(bytes.data(), bytes.size());
}

}  // namespace meshd::test

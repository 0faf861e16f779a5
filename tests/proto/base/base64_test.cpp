// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <string>

#include "proto/base/base64.h"

using namespace meshd;

TEST_CASE("base64: the vectors of RFC 4648 go both ways") {
    const std::pair<std::string_view, std::string_view> vectors[] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
    };
    for (const auto& [bytes, text] : vectors) {
        const auto& shown = text;
        CAPTURE(shown);
        CHECK(print_base64(as_bytes(bytes)) == text);
        const auto parsed = parse_base64(text);
        REQUIRE(parsed);
        CHECK(as_text(*parsed) == bytes);
    }
}

TEST_CASE("base64: every byte at every place comes back") {
    for (std::size_t size = 1; size <= 7; ++size) {
        for (unsigned value = 0; value < 256; ++value) {
            Buffer bytes(size, static_cast<std::uint8_t>(255 - value));
            bytes[value % size] = static_cast<std::uint8_t>(value);
            CHECK(parse_base64(print_base64(bytes)) == bytes);
        }
    }
}

TEST_CASE("base64: what print does not write is refused") {
    for (const std::string_view text :
         {"Z", "Zg", "Zg=", "Zg===", "=", "====", "Z===", "Zm9=v", "Zm9v\n", " Zm9v", "Zm-v",
          "Zm_v", "Zg==Zg==", "Zm8=Zm8=", "Zh==", "Zm9=", "Zm9v====", "\xc3\xa9Zg"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_base64(text));
    }
    std::string text = "Zm9vYmFy";
    for (std::size_t i = 0; i < text.size(); ++i) {
        for (const char wrong : {'\0', '=', '-', '_', '.', '\x7f', '\x80', '\xff'}) {
            std::string changed = text;
            changed[i] = wrong;
            const bool is_padding = wrong == '=' && i + 1 == text.size();
            CAPTURE(i);
            if (!is_padding) {
                CHECK_FALSE(parse_base64(changed));
            }
        }
    }
}

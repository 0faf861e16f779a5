// SPDX-License-Identifier: Apache-2.0
#include "proto/crypto/mesh_key.h"

#include <algorithm>
#include <set>

#include <doctest/doctest.h>

using namespace meshd;

namespace {

MeshKey sample() {
    MeshKey key;
    for (std::size_t i = 0; i < key.secret.size(); ++i) {
        key.secret[i] = static_cast<std::uint8_t>(i * 7);
    }
    key.generation = 3;
    return key;
}

}  // namespace

TEST_CASE("mesh key: a token is read as the key it was printed from") {
    Prng prng(Entropy{1});
    for (std::uint32_t generation : {1U, 2U, 77U, 0xffffffffU}) {
        const MeshKey key = make_mesh_key(prng, generation);
        const auto read = parse_key_token(print_key_token(key));
        REQUIRE(read);
        CHECK(*read == key);
    }
}

TEST_CASE("mesh key: the token of a given key never changes") {
    // By Python's hashlib.blake2b from the same description.
    CHECK(print_key_token(sample()) ==
          "mesh1-00000-0r00w-71a71-358rk-gft69-na5pr-k9e1v-qx1cc-jeda3-a5fpt-yw9jy-jv4pb-762x");
    CHECK(print_key_id(key_id(sample())) == "1a098fca");
}

TEST_CASE("mesh key: case, blanks, dashes and look-alike letters do not matter in a token") {
    const std::string token = print_key_token(sample());
    std::string upper;
    std::string bare;
    std::string spaced = " \t";
    for (char c : token) {
        upper += static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
        bare += c == '-' ? "" : std::string(1, c == '1' ? 'l' : c == '0' ? 'O' : c);
        spaced += std::string(1, c) + (c == '-' ? "\r\n" : " ");
    }
    CHECK(parse_key_token(upper) == sample());
    CHECK(parse_key_token(bare) == sample());
    CHECK(parse_key_token(spaced + "\n") == sample());
}

TEST_CASE("mesh key: what is wrong with a token is said, and never the token") {
    const std::string token = print_key_token(sample());
    const auto error = [](const std::string& text) {
        const auto read = parse_key_token(text);
        REQUIRE_FALSE(read);
        return read.error();
    };
    CHECK(error("") == "empty");
    CHECK(error(" -\n") == "empty");
    CHECK(error("hello") == "a token begins with mesh1-");
    CHECK(error("mes") == "a token begins with mesh1-");
    CHECK(error("mesh2" + token.substr(5)) == "the token of another version");
    CHECK(error("mesh1") == "too short: 5 of 69 letters and digits");
    CHECK(error(token.substr(0, token.size() - 1)) == "too short: 68 of 69 letters and digits");
    CHECK(error(token + "0") == "too long: more than 69 letters and digits");
    CHECK(error(token + std::string(100000, 'z')) == "too long: more than 69 letters and digits");
    std::string odd = token;
    odd[20] = 'u';
    CHECK(error(odd) == "character 21 is none that a token has");
    odd[20] = '\xc3';
    CHECK(error(odd) == "character 21 is none that a token has");
}

TEST_CASE("mesh key: one wrong letter anywhere, and two swapped, are found by the checksum") {
    const std::string token = print_key_token(sample());
    for (std::size_t i = 6; i < token.size(); ++i) {
        if (token[i] == '-') {
            continue;
        }
        std::string wrong = token;
        wrong[i] = token[i] == '7' ? '8' : '7';
        CHECK_FALSE(parse_key_token(wrong));
        if (i + 1 < token.size() && token[i + 1] != '-' && token[i + 1] != token[i]) {
            wrong = token;
            std::swap(wrong[i], wrong[i + 1]);
            CHECK_FALSE(parse_key_token(wrong));
        }
    }
}

TEST_CASE("mesh key: no key has generation 0") {
    MeshKey key = sample();
    key.generation = 0;
    const auto read = parse_key_token(print_key_token(key));
    REQUIRE_FALSE(read);
    CHECK(read.error() == "generation 0, which no key has");
}

TEST_CASE("mesh key: an id is 8 hex digits, depends on the secret alone and has a hint") {
    CHECK(print_key_id(KeyId{0x0012abcd}) == "0012abcd");
    CHECK(parse_key_id("0012abcd") == KeyId{0x0012abcd});
    for (const char* text : {"", "0012abc", "0012abcd0", "0012ABCD", "0012abcg", "00000000"}) {
        CHECK_FALSE(parse_key_id(text));
    }
    CHECK(key_hint(KeyId{0x0012abcd}) == 0xabcd);
    MeshKey later = sample();
    later.generation = 9;
    CHECK(key_id(later) == key_id(sample()));
}

TEST_CASE("mesh key: of many keys every one has an id of its own and a hint that is not 0") {
    Prng prng(Entropy{5});
    std::set<KeyId> ids;
    for (int i = 0; i < 20'000; ++i) {
        const KeyId id = key_id(make_mesh_key(prng, 1));
        REQUIRE(key_hint(id) != 0);
        ids.insert(id);
    }
    CHECK(ids.size() == 20'000);
}

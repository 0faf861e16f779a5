// SPDX-License-Identifier: Apache-2.0
#include "proto/crypto/seal.h"

#include "tests/proto/crypto/vector_file.h"

using namespace meshd;
using namespace meshd::test;

namespace {

std::vector<std::string> known_answer(const std::string& name) {
    for (const auto& line : vector_lines("aead.txt")) {
        if (line[0] == name) {
            return line;
        }
    }
    FAIL("no such line");
    return {};
}

}  // namespace

TEST_CASE("seal: the session's seal gives RFC 8439's known answer, both ways") {
    const auto line = known_answer("chacha20poly1305");
    const SealKey key{array_of_hex<32>(line[1])};
    const Buffer nonce = bytes_of_hex(line[2]);
    const Buffer associated = bytes_of_hex(line[3]);
    Buffer text = bytes_of_hex(line[4]);
    std::uint64_t counter = 0;
    for (std::size_t i = 12; i > 4; --i) {
        counter = counter << 8 | nonce[i - 1];
    }
    SealTag tag;
    seal_session(key, counter, associated, text, tag);
    CHECK(hex_of(text) == line[5]);
    CHECK(hex_of(tag) == line[6]);

    Buffer opened(text.size());
    REQUIRE(open_session(key, counter, associated, text, tag, opened.data()));
    CHECK(hex_of(opened) == line[4]);
    REQUIRE(open_session(key, counter, associated, text, tag, text.data()));
    CHECK(hex_of(text) == line[4]);
}

TEST_CASE("seal: the seal outside sessions gives the XChaCha draft's known answer, both ways") {
    const auto line = known_answer("xchacha20poly1305");
    const SealKey key{array_of_hex<32>(line[1])};
    const OutsideNonce nonce = array_of_hex<24>(line[2]);
    const Buffer associated = bytes_of_hex(line[3]);
    Buffer text = bytes_of_hex(line[4]);
    SealTag tag;
    seal_outside(key, nonce, associated, text, tag);
    CHECK(hex_of(text) == line[5]);
    CHECK(hex_of(tag) == line[6]);

    Buffer opened(text.size());
    REQUIRE(open_outside(key, nonce, associated, text, tag, opened.data()));
    CHECK(hex_of(opened) == line[4]);
    REQUIRE(open_outside(key, nonce, associated, text, tag, text.data()));
    CHECK(hex_of(text) == line[4]);
}

TEST_CASE("seal: any flipped bit is refused, and so are another counter and another key") {
    SealKey key{{1, 2, 3}};
    const Buffer associated = {9, 8, 7};
    const Buffer plain = {'t', 'e', 'x', 't'};
    Buffer text = plain;
    SealTag tag;
    seal_session(key, 7, associated, text, tag);
    Buffer out(text.size());
    for (std::size_t bit = 0; bit < 8 * text.size(); ++bit) {
        Buffer damaged = text;
        damaged[bit / 8] = static_cast<std::uint8_t>(damaged[bit / 8] ^ 1U << bit % 8);
        CHECK_FALSE(open_session(key, 7, associated, damaged, tag, out.data()));
    }
    for (std::size_t bit = 0; bit < 8 * tag.size(); ++bit) {
        SealTag damaged = tag;
        damaged[bit / 8] = static_cast<std::uint8_t>(damaged[bit / 8] ^ 1U << bit % 8);
        CHECK_FALSE(open_session(key, 7, associated, text, damaged, out.data()));
    }
    CHECK_FALSE(open_session(key, 8, associated, text, tag, out.data()));
    CHECK_FALSE(open_session(key, 7, Buffer{9, 8}, text, tag, out.data()));
    key.bytes[31] = 1;
    CHECK_FALSE(open_session(key, 7, associated, text, tag, out.data()));
    key.bytes[31] = 0;
    REQUIRE(open_session(key, 7, associated, text, tag, out.data()));
    CHECK(out == plain);
}

TEST_CASE("seal: a text of no bytes is authenticated all the same") {
    const SealKey key{{4}};
    Prng prng(Entropy{1});
    const OutsideNonce nonce = make_outside_nonce(prng);
    const Buffer associated = {1};
    SealTag tag;
    seal_session(key, 0, associated, {}, tag);
    CHECK(open_session(key, 0, associated, {}, tag, nullptr));
    CHECK_FALSE(open_session(key, 0, Buffer{2}, {}, tag, nullptr));
    seal_outside(key, nonce, associated, {}, tag);
    CHECK(open_outside(key, nonce, associated, {}, tag, nullptr));
    CHECK_FALSE(open_outside(key, make_outside_nonce(prng), associated, {}, tag, nullptr));
}

TEST_CASE("seal: what is derived from a mesh key differs from it and from each other") {
    Prng prng(Entropy{2});
    const MeshKey key = make_mesh_key(prng, 1);
    const MeshKey other = make_mesh_key(prng, 1);
    CHECK(outside_key(key).bytes != key.secret);
    CHECK(psk_of(key) != key.secret);
    CHECK(psk_of(key) != outside_key(key).bytes);
    CHECK(outside_key(key) != outside_key(other));
    CHECK(psk_of(key) != psk_of(other));
    CHECK(outside_key(key) == outside_key(key));
    SealKey wiped = outside_key(key);
    wiped.wipe();
    CHECK(wiped == SealKey{});
}

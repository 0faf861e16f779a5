// SPDX-License-Identifier: Apache-2.0
// The sealed bytes that another implementation must come to: tests/vectors/sealed.tsv.
#include <doctest/doctest.h>

#include <array>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "proto/crypto/mesh_key.h"
#include "proto/crypto/noise.h"
#include "proto/wire/frame.h"
#include "tests/proto/wire/samples.h"

using namespace meshd;

namespace {

using Row = std::vector<std::string>;

/// Rows that begin with that word, without it.
std::vector<Row> rows_of(const std::string& what) {
    std::ifstream stream(std::string(MESHD_VECTORS) + "/sealed.tsv");
    REQUIRE(stream.good());
    std::vector<Row> rows;
    for (std::string line; std::getline(stream, line);) {
        std::istringstream fields(line);
        Row row;
        for (std::string field; std::getline(fields, field, '\t');) {
            row.push_back(field);
        }
        if (!row.empty() && row.front() == what) {
            rows.emplace_back(row.begin() + 1, row.end());
        }
    }
    REQUIRE(!rows.empty());
    return rows;
}

Buffer from_hex(const std::string& text) {
    Buffer bytes(text == "-" ? 0 : text.size() / 2);
    REQUIRE((bytes.empty() || parse_hex_bytes(text, bytes.data(), bytes.size())));
    return bytes;
}

template <std::size_t Size>
std::array<std::uint8_t, Size> array_of(const std::string& text) {
    std::array<std::uint8_t, Size> bytes{};
    REQUIRE(text.size() == 2 * Size);
    REQUIRE(parse_hex_bytes(text, bytes.data(), bytes.size()));
    return bytes;
}

std::string hex_of(Bytes bytes) {
    return print_hex_bytes(bytes.data(), bytes.size());
}

std::vector<std::string> names(const std::string& list) {
    std::istringstream words(list);
    std::vector<std::string> all;
    for (std::string word; std::getline(words, word, ',');) {
        all.push_back(word);
    }
    return all;
}

MeshKey mesh_key() {
    const Row row = rows_of("key").front();
    MeshKey key;
    key.generation = static_cast<std::uint32_t>(std::stoul(row[0]));
    key.secret = array_of<32>(row[1]);
    return key;
}

void check_items(const tl::expected<Datagram, FrameError>& opened, const std::string& list) {
    REQUIRE(opened);
    const auto expected = names(list);
    REQUIRE(opened->items.size() == expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
        const EncodedMessage& message = test::message_vector(expected[i]);
        CHECK(opened->items[i].kind == message.kind);
        CHECK(as_text(opened->items[i].bytes) == as_text(message.bytes));
    }
}

}  // namespace

TEST_CASE("sealed: what is derived from a mesh key") {
    const Row row = rows_of("key").front();
    const MeshKey key = mesh_key();
    REQUIRE(row.size() == 7);
    CHECK(print_key_id(key_id(key)) == row[2]);
    CHECK(std::to_string(key_hint(key_id(key))) == std::to_string(std::stoul(row[3], nullptr, 16)));
    CHECK(hex_of(outside_key(key).bytes) == row[4]);
    CHECK(hex_of(psk_of(key)) == row[5]);
    CHECK(print_key_token(key) == row[6]);
}

TEST_CASE("sealed: datagrams outside a session open to their items, and hide them") {
    const SealKey key = outside_key(mesh_key());
    for (const Row& row : rows_of("outside")) {
        REQUIRE(row.size() == 5);
        CAPTURE(row[0]);
        const Buffer bytes = from_hex(row[4]);
        CHECK(hex_of(Bytes(bytes).subspan(limits::kHeaderBytes, limits::kNonceBytes)) == row[1]);
        CHECK(bytes.size() >= std::stoul(row[2]));
        Buffer plain;
        check_items(open_datagram(bytes, key, plain), row[3]);
        CHECK(peek_header(bytes)->flags == key_hint(key_id(mesh_key())));
        for (const std::string& item : names(row[3])) {
            const std::string content(as_text(test::message_vector(item).bytes));
            CHECK(std::string(as_text(bytes)).find(content) == std::string::npos);
        }
        CHECK_FALSE(open_datagram(bytes));
    }
}

TEST_CASE("sealed: datagrams outside a session are built to their golden bytes") {
    // The nonces in the file are those that this stream gives, row by row.
    Prng prng(Entropy{});
    const SealKey key = outside_key(mesh_key());
    DatagramHeader header;
    header.kind = DatagramKind::Outside;
    header.flags = key_hint(key_id(mesh_key()));
    for (const Row& row : rows_of("outside")) {
        CAPTURE(row[0]);
        DatagramBuilder builder(header, limits::kDatagramBytesDefault, &prng);
        for (const std::string& item : names(row[3])) {
            REQUIRE(builder.add(test::message_vector(item)));
        }
        CHECK(hex_of(std::move(builder).finish(&key, std::stoul(row[2]))) == row[4]);
    }
}

TEST_CASE("sealed: the handshake's messages and keys, at both ends") {
    for (const Row& row : rows_of("handshake")) {
        REQUIRE(row.size() == 7);
        const Psk psk = psk_of(mesh_key());
        const Buffer prologue = from_hex(row[2]);
        NoiseInitiator initiator(psk, prologue, array_of<32>(row[0]));
        NoiseResponder responder(psk, prologue, array_of<32>(row[1]));
        const NoiseMessage first = initiator.write();
        CHECK(hex_of(first) == row[3]);
        REQUIRE(responder.read(first));
        const auto answer = responder.write();
        CHECK(hex_of(answer.message) == row[4]);
        const auto keys = initiator.read(answer.message);
        REQUIRE(keys);
        CHECK(hex_of(keys->send.bytes) == row[5]);
        CHECK(hex_of(keys->receive.bytes) == row[6]);
        CHECK(answer.keys.receive == keys->send);
        CHECK(answer.keys.send == keys->receive);
    }
}

TEST_CASE("sealed: datagrams of a session are built to their golden bytes, and open") {
    for (const Row& row : rows_of("session")) {
        REQUIRE(row.size() == 6);
        CAPTURE(row[0]);
        const SealKey key{array_of<32>(row[1])};
        DatagramHeader header;
        header.session = SessionId{static_cast<std::uint32_t>(std::stoul(row[2]))};
        header.counter = std::stoull(row[3]);
        DatagramBuilder builder(header, limits::kDatagramBytesDefault, nullptr);
        for (const std::string& item : names(row[4])) {
            REQUIRE(builder.add(test::message_vector(item)));
        }
        CHECK(hex_of(std::move(builder).finish(&key)) == row[5]);
        const Buffer bytes = from_hex(row[5]);
        Buffer plain;
        check_items(open_datagram(bytes, key, plain), row[4]);
        CHECK_FALSE(open_datagram(bytes));
    }
}

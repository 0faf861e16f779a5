// SPDX-License-Identifier: Apache-2.0
#include "proto/crypto/noise.h"

#include "tests/proto/crypto/vector_file.h"

using namespace meshd;
using namespace meshd::test;

namespace {

struct PublishedVector {
    Buffer prologue;
    Psk psk;
    NoiseEphemeral initiator;
    NoiseEphemeral responder;
    struct Message {
        Buffer payload;
        Buffer bytes;
    };
    std::vector<Message> messages;
};

PublishedVector published() {
    PublishedVector vector;
    for (const auto& line : vector_lines("noise_nnpsk0.txt")) {
        if (line[0] == "prologue") {
            vector.prologue = bytes_of_hex(line[1]);
        } else if (line[0] == "psk") {
            vector.psk = array_of_hex<32>(line[1]);
        } else if (line[0] == "initiator") {
            vector.initiator = array_of_hex<32>(line[1]);
        } else if (line[0] == "responder") {
            vector.responder = array_of_hex<32>(line[1]);
        } else {
            vector.messages.push_back({bytes_of_hex(line[1]), bytes_of_hex(line[2])});
        }
    }
    REQUIRE(vector.messages.size() == 6);
    return vector;
}

const Buffer kPrologue = {'m', 'e', 's', 'h'};

struct Pair {
    Prng prng{Entropy{7}};
    Psk psk{1, 2, 3};
    NoiseInitiator initiator{psk, kPrologue, prng};
    NoiseResponder responder{psk, kPrologue, prng};
};

}  // namespace

TEST_CASE("noise: the published vector's handshake and transport come out, at both ends") {
    const PublishedVector vector = published();
    NoiseInitiator initiator(vector.psk, vector.prologue, vector.initiator);
    NoiseResponder responder(vector.psk, vector.prologue, vector.responder);

    const Buffer first = initiator.write(vector.messages[0].payload);
    CHECK(hex_of(first) == hex_of(vector.messages[0].bytes));
    Buffer payload;
    REQUIRE(responder.read(first, &payload));
    CHECK(payload == vector.messages[0].payload);

    SessionKeys theirs;
    const Buffer second = responder.write(vector.messages[1].payload, theirs);
    CHECK(hex_of(second) == hex_of(vector.messages[1].bytes));
    const auto ours = initiator.read(second, &payload);
    REQUIRE(ours);
    CHECK(payload == vector.messages[1].payload);
    CHECK(ours->send == theirs.receive);
    CHECK(ours->receive == theirs.send);

    std::uint64_t forth = 0;
    std::uint64_t back = 0;
    for (std::size_t i = 2; i < vector.messages.size(); ++i) {
        const bool from_initiator = i % 2 == 0;
        const SealKey& key = from_initiator ? ours->send : theirs.send;
        Buffer text = vector.messages[i].payload;
        SealTag tag;
        seal_session(key, from_initiator ? forth++ : back++, {}, text, tag);
        append(text, Bytes(tag));
        CHECK(hex_of(text) == hex_of(vector.messages[i].bytes));
    }
}

TEST_CASE("noise: HMAC-BLAKE2b gives known answers, for short, long and no messages and keys") {
    // By Python's hmac and hashlib.blake2b, an implementation of its own.
    CHECK(hex_of(hmac_blake2b(as_bytes("key"),
                              as_bytes("The quick brown fox jumps over the lazy dog"))) ==
          "92294f92c0dfb9b00ec9ae8bd94d7e7d8a036b885a499f149dfe2fd2199394aa"
          "af6b8894a1730cccb2cd050f9bcf5062a38b51b0dab33207f8ef35ae2c9df51b");
    Buffer key(200);
    for (std::size_t i = 0; i < key.size(); ++i) {
        key[i] = static_cast<std::uint8_t>(i);
    }
    CHECK(hex_of(hmac_blake2b(key, {})) ==
          "7388546f6fc7f13d6a774d6c7ed213aafc3c82f27851f8fae9fa679c6f52eb7c"
          "c873c4a7f0b574ce29ff40e0641a436015a41a2cfbb84b9906495d4f801dbe4c");
    CHECK(hex_of(hmac_blake2b(Bytes(key).first(64), Bytes(key).first(100))) ==
          "fe45bcc7425ec3613db3f19f3d3e25de968184d0dcff1ab591b3212cddf77031"
          "1c1b141944cbbfb381db4e5419f91bd5722f326932e4e92145fcd676ec49ad2d");
}

TEST_CASE("noise: two ends of one psk and prologue agree on fresh keys") {
    Pair pair;
    const NoiseMessage first = pair.initiator.write();
    REQUIRE(pair.responder.read(first));
    const NoiseResponder::Answer answer = pair.responder.write();
    const auto keys = pair.initiator.read(answer.message);
    REQUIRE(keys);
    CHECK(keys->send == answer.keys.receive);
    CHECK(keys->receive == answer.keys.send);
    CHECK(keys->send != keys->receive);

    NoiseInitiator again(pair.psk, kPrologue, pair.prng);
    CHECK(again.write() != first);
}

TEST_CASE("noise: another psk, another prologue and any damage are refused by the responder") {
    Pair pair;
    const NoiseMessage first = pair.initiator.write();
    CHECK_FALSE(NoiseResponder(Psk{9}, kPrologue, pair.prng).read(first));
    CHECK_FALSE(NoiseResponder(pair.psk, Buffer{'m'}, pair.prng).read(first));
    for (std::size_t i = 0; i < first.size(); ++i) {
        NoiseMessage damaged = first;
        damaged[i] ^= 0x10;
        CHECK_FALSE(NoiseResponder(pair.psk, kPrologue, pair.prng).read(damaged));
        CHECK_FALSE(NoiseResponder(pair.psk, kPrologue, pair.prng).read(Bytes(first).first(i)));
    }
}

TEST_CASE("noise: forged answers leave the initiator able to read the true one") {
    Pair pair;
    REQUIRE(pair.responder.read(pair.initiator.write()));
    const NoiseResponder::Answer answer = pair.responder.write();
    for (std::size_t i = 0; i < answer.message.size(); ++i) {
        NoiseMessage damaged = answer.message;
        damaged[i] ^= 1;
        CHECK_FALSE(pair.initiator.read(damaged));
        CHECK_FALSE(pair.initiator.read(Bytes(answer.message).first(i)));
    }
    const auto keys = pair.initiator.read(answer.message);
    REQUIRE(keys);
    CHECK(keys->send == answer.keys.receive);
}

TEST_CASE(
    "noise: a public key that makes the shared secret zero is refused, with the right psk too") {
    Pair pair;
    // What a member could send that does not draw a key but takes the point of order 1: the message
    // is sealed as it should be.
    NoiseState rogue(pair.psk, kPrologue, NoiseEphemeral{});
    Buffer message(32);
    rogue.read_ephemeral(message.data());
    rogue.seal_payload(message, {});
    CHECK_FALSE(pair.responder.read(message));
}

// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <memory>

#include "proto/base/hash.h"
#include "proto/base/prng.h"
#include "proto/wire/codec.h"
#include "proto/wire/frame.h"
#include "tests/proto/wire/samples.h"

using namespace meshd;

namespace {

/// A copy that ends where its memory ends, so that a sanitizer sees each byte read beyond it.
struct ExactCopy {
    explicit ExactCopy(Bytes bytes)
        : memory(new std::uint8_t[bytes.size()]), view(memory.get(), bytes.size()) {
        std::copy(bytes.begin(), bytes.end(), memory.get());
    }
    std::unique_ptr<std::uint8_t[]> memory;
    Bytes view;
};

void damage(Prng& prng, Buffer& bytes) {
    const std::uint64_t changes = 1 + prng.below(4);
    for (std::uint64_t i = 0; i < changes && !bytes.empty(); ++i) {
        const std::size_t at = prng.below(bytes.size());
        switch (prng.below(4)) {
            case 0:
                bytes[at] = static_cast<std::uint8_t>(prng.next());
                break;
            case 1:
                bytes[at] = static_cast<std::uint8_t>("0123456789[]{},:\"-e."[prng.below(20)]);
                break;
            case 2:
                bytes.erase(bytes.begin() + static_cast<std::ptrdiff_t>(at));
                break;
            default:
                bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                             bytes[prng.below(bytes.size())]);
        }
    }
}

void fix_tag(Buffer& datagram) {
    if (datagram.size() < limits::kTagBytes) {
        return;
    }
    const std::size_t covered = datagram.size() - limits::kTagBytes;
    const Hash128 tag = hash128(Bytes(datagram).first(covered));
    std::copy(tag.begin(), tag.end(), datagram.begin() + static_cast<std::ptrdiff_t>(covered));
}

}  // namespace

TEST_CASE("damage: a message cut short at any byte is refused, unless only its free body is") {
    for (const test::MessageVector& vector : test::message_vectors()) {
        const Bytes whole = vector.encoded.bytes;
        const std::size_t json_end = 3 + load_big_endian<3>(whole.data());
        const bool free_body = vector.name.starts_with("push") || vector.name == "fragment" ||
                               vector.name == "note" || vector.name == "note_to_all" ||
                               vector.name == "note_flooded" || vector.name == "search_query" ||
                               vector.name == "search_query_to_all" ||
                               vector.name == "search_answer";
        const bool optional_body = vector.name == "heartbeat_request" ||
                                   vector.name == "digest_request_buckets" ||
                                   vector.name == "req_sealed" || vector.name == "acc_sealed";
        for (std::size_t size = 0; size < whole.size(); ++size) {
            const ExactCopy cut(whole.first(size));
            const bool may_pass =
                (free_body && size > json_end) || (optional_body && size == json_end);
            CHECK_MESSAGE(decode_message(vector.encoded.kind, cut.view).has_value() == may_pass,
                          vector.name, " cut to ", size);
        }
    }
}

TEST_CASE("damage: a datagram cut short at any byte is refused") {
    for (const test::DatagramVector& vector : test::datagram_vectors()) {
        for (std::size_t size = 0; size < vector.bytes.size(); ++size) {
            const ExactCopy cut(Bytes(vector.bytes).first(size));
            CHECK_MESSAGE(!open_datagram(cut.view).has_value(), vector.name, " cut to ", size);
        }
    }
}

TEST_CASE("damage: a datagram cut short under a right tag never reads beyond its end") {
    for (const test::DatagramVector& vector : test::datagram_vectors()) {
        for (std::size_t size = 0; size < vector.bytes.size(); ++size) {
            Buffer cut(vector.bytes.begin(),
                       vector.bytes.begin() + static_cast<std::ptrdiff_t>(size));
            fix_tag(cut);
            const ExactCopy exact(cut);
            if (const auto opened = open_datagram(exact.view)) {
                for (const Item& item : opened->items) {
                    (void)decode_message(item.kind, item.bytes);
                }
            }
        }
    }
}

TEST_CASE("damage: every single bit of a datagram is under its tag") {
    for (const test::DatagramVector& vector : test::datagram_vectors()) {
        for (std::size_t bit = 0; bit < 8 * vector.bytes.size(); ++bit) {
            Buffer flipped = vector.bytes;
            flipped[bit / 8] ^= static_cast<std::uint8_t>(1u << (bit % 8));
            CHECK_FALSE(open_datagram(flipped).has_value());
        }
    }
}

TEST_CASE("damage: random changes to a message are refused or decode to one that encodes again") {
    Prng prng(Entropy{21});
    std::size_t accepted = 0;
    for (int round = 0; round < 1000; ++round) {
        for (const test::MessageVector& vector : test::message_vectors()) {
            Buffer bytes = vector.encoded.bytes;
            damage(prng, bytes);
            // Half of them with the length that fits, or hardly any would reach the JSON parser.
            if (bytes.size() >= 3 && prng.below(2) == 0) {
                const std::size_t json_end = as_text(bytes).rfind('}');
                store_big_endian<3>(bytes.data(), json_end == std::string_view::npos || json_end < 3
                                                      ? bytes.size() - 3
                                                      : json_end - 2);
            }
            const ExactCopy exact(bytes);
            const auto message = decode_message(vector.encoded.kind, exact.view);
            if (message) {
                ++accepted;
                const EncodedMessage again = encode_message(*message);
                CHECK(again.kind == vector.encoded.kind);
                CHECK(decode_message(again.kind, again.bytes).has_value());
            }
        }
    }
    CHECK(accepted > 0);
}

TEST_CASE("damage: random changes to a datagram under a right tag are refused or open") {
    Prng prng(Entropy{22});
    std::size_t opened_count = 0;
    for (int round = 0; round < 3000; ++round) {
        for (const test::DatagramVector& vector : test::datagram_vectors()) {
            Buffer bytes = vector.bytes;
            damage(prng, bytes);
            fix_tag(bytes);
            const ExactCopy exact(bytes);
            const auto opened = open_datagram(exact.view);
            if (!opened) {
                continue;
            }
            ++opened_count;
            for (const Item& item : opened->items) {
                REQUIRE(item.bytes.data() >= exact.view.data());
                REQUIRE(item.bytes.data() + item.bytes.size() <=
                        exact.view.data() + exact.view.size());
                (void)decode_message(item.kind, item.bytes);
            }
        }
    }
    CHECK(opened_count > 0);
}

TEST_CASE("damage: random bytes are never taken for a datagram") {
    Prng prng(Entropy{23});
    for (int round = 0; round < 5000; ++round) {
        Buffer bytes(prng.below(1500));
        prng.fill(bytes.data(), bytes.size());
        if (bytes.size() > 8 && prng.below(2) == 0) {
            bytes[0] = 1;
            bytes[1] = 2;
        }
        const ExactCopy exact(bytes);
        CHECK_FALSE(open_datagram(exact.view).has_value());
    }
}

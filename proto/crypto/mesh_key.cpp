// SPDX-License-Identifier: Apache-2.0
#include "proto/crypto/mesh_key.h"

#include <sodium/crypto_generichash_blake2b.h>

#include <algorithm>
#include <vector>

#include "proto/base/assert.h"
#include "proto/base/bytes.h"

namespace meshd {
namespace {

constexpr std::string_view kPrefix = "mesh1";
/// Crockford's base32: no i, l, o (read as 1, 1, 0) and no u.
constexpr std::string_view kLetters = "0123456789abcdefghjkmnpqrstvwxyz";
constexpr std::size_t kGroupLetters = 5;
constexpr std::size_t kGenerationBytes = 4;
constexpr std::size_t kSecretBytes = 32;
constexpr std::size_t kChecksumBytes = 4;
constexpr std::size_t kTokenBytes = kGenerationBytes + kSecretBytes + kChecksumBytes;
constexpr std::size_t kTokenLetters = kTokenBytes * 8 / 5;
static_assert(kTokenBytes * 8 % 5 == 0, "no letter is half used");

using TokenBytes = std::array<std::uint8_t, kTokenBytes>;

void store_checksum(std::uint8_t* to, Bytes checked) {
    crypto_generichash_blake2b_state state;
    std::array<std::uint8_t, crypto_generichash_blake2b_BYTES> digest;
    const Bytes prefix = as_bytes(kPrefix);
    crypto_generichash_blake2b_init(&state, nullptr, 0, digest.size());
    crypto_generichash_blake2b_update(&state, prefix.data(), prefix.size());
    crypto_generichash_blake2b_update(&state, checked.data(), checked.size());
    crypto_generichash_blake2b_final(&state, digest.data(), digest.size());
    std::copy_n(digest.begin(), kChecksumBytes, to);
}

char plain_letter(char c) {
    if (c >= 'A' && c <= 'Z') {
        c = static_cast<char>(c - 'A' + 'a');
    }
    if (c == 'i' || c == 'l') {
        return '1';
    }
    return c == 'o' ? '0' : c;
}

bool is_between_letters(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '-';
}

/// A letter of the token as typed.
struct Letter {
    char letter;
    std::size_t position;  ///< in the text, from 1
};

std::vector<Letter> letters_of(std::string_view text) {
    std::vector<Letter> letters;
    for (std::size_t i = 0; i < text.size() && letters.size() <= kPrefix.size() + kTokenLetters;
         ++i) {
        if (!is_between_letters(text[i])) {
            letters.push_back({plain_letter(text[i]), i + 1});
        }
    }
    return letters;
}

std::string count_text(std::size_t letters) {
    return std::to_string(letters) + " of " + std::to_string(kPrefix.size() + kTokenLetters) +
           " letters and digits";
}

}  // namespace

MeshKey make_mesh_key(Prng& prng, std::uint32_t generation) {
    MESHD_ASSERT(generation > 0);
    MeshKey key;
    key.generation = generation;
    prng.fill(key.secret.data(), key.secret.size());
    return key;
}

MeshKey make_first_key(Prng& prng) {
    const auto lineage = static_cast<std::uint32_t>(1 + prng.below(kRotationMax));
    return make_mesh_key(prng, lineage << 16 | 1);
}

KeyId key_id(const MeshKey& key) {
    static constexpr std::string_view kContext = "meshd key id 1 ";
    for (std::uint8_t attempt = 0;; ++attempt) {
        Buffer message = to_buffer(as_bytes(kContext));
        message.push_back(attempt);
        std::uint8_t digest[crypto_generichash_blake2b_BYTES];
        crypto_generichash_blake2b(digest, sizeof digest, message.data(), message.size(),
                                   key.secret.data(), key.secret.size());
        const KeyId id{static_cast<std::uint32_t>(load_big_endian<4>(digest))};
        if (key_hint(id) != 0) {
            return id;
        }
    }
}

std::string print_key_id(KeyId id) {
    std::uint8_t bytes[4];
    store_big_endian<4>(bytes, id.value);
    return print_hex_bytes(bytes, sizeof bytes);
}

std::optional<KeyId> parse_key_id(std::string_view text) {
    std::uint8_t bytes[4];
    if (!parse_hex_bytes(text, bytes, sizeof bytes)) {
        return std::nullopt;
    }
    const KeyId id{static_cast<std::uint32_t>(load_big_endian<4>(bytes))};
    return id ? std::optional<KeyId>(id) : std::nullopt;
}

std::string print_key_token(const MeshKey& key) {
    TokenBytes bytes;
    store_big_endian<kGenerationBytes>(bytes.data(), key.generation);
    std::copy(key.secret.begin(), key.secret.end(), bytes.begin() + kGenerationBytes);
    store_checksum(bytes.data() + kTokenBytes - kChecksumBytes,
                   Bytes(bytes).first(kTokenBytes - kChecksumBytes));
    std::string text(kPrefix);
    for (std::size_t letter = 0; letter < kTokenLetters; ++letter) {
        if (letter % kGroupLetters == 0) {
            text += '-';
        }
        std::size_t index = 0;
        for (std::size_t bit = 5 * letter; bit < 5 * letter + 5; ++bit) {
            index = index << 1 | (bytes[bit / 8] >> (7 - bit % 8) & 1U);
        }
        text += kLetters[index];
    }
    return text;
}

tl::expected<MeshKey, std::string> parse_key_token(std::string_view text) {
    const std::vector<Letter> letters = letters_of(text);
    if (letters.empty()) {
        return tl::unexpected(std::string("empty"));
    }
    for (std::size_t i = 0; i < kPrefix.size(); ++i) {
        if (i >= letters.size() || letters[i].letter != plain_letter(kPrefix[i])) {
            const bool is_version = i + 1 == kPrefix.size() && i < letters.size();
            return tl::unexpected(std::string(is_version ? "the token of another version"
                                                         : "a token begins with mesh1-"));
        }
    }
    TokenBytes bytes{};
    for (std::size_t i = kPrefix.size(); i < letters.size(); ++i) {
        const std::size_t index = kLetters.find(letters[i].letter);
        if (index == std::string_view::npos) {
            return tl::unexpected("character " + std::to_string(letters[i].position) +
                                  " is none that a token has");
        }
        const std::size_t first_bit = 5 * (i - kPrefix.size());
        for (std::size_t bit = 0; bit < 5 && (first_bit + bit) / 8 < bytes.size(); ++bit) {
            const std::size_t at = first_bit + bit;
            bytes[at / 8] = static_cast<std::uint8_t>(bytes[at / 8] | (index >> (4 - bit) & 1U)
                                                                          << (7 - at % 8));
        }
    }
    if (letters.size() < kPrefix.size() + kTokenLetters) {
        return tl::unexpected("too short: " + count_text(letters.size()));
    }
    if (letters.size() > kPrefix.size() + kTokenLetters) {
        return tl::unexpected("too long: more than " + std::to_string(letters.size() - 1) +
                              " letters and digits");
    }
    std::uint8_t checksum[kChecksumBytes];
    store_checksum(checksum, Bytes(bytes).first(kTokenBytes - kChecksumBytes));
    if (!std::equal(checksum, checksum + kChecksumBytes, bytes.end() - kChecksumBytes)) {
        return tl::unexpected(std::string("the checksum differs: something is mistyped"));
    }
    MeshKey key;
    key.generation = static_cast<std::uint32_t>(load_big_endian<kGenerationBytes>(bytes.data()));
    if (key.generation == 0) {
        return tl::unexpected(std::string("generation 0, which no key has"));
    }
    std::copy_n(bytes.begin() + kGenerationBytes, kSecretBytes, key.secret.begin());
    return key;
}

}  // namespace meshd

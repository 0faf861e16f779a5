// SPDX-License-Identifier: Apache-2.0
#include "proto/crypto/noise.h"

#include <sodium/crypto_generichash_blake2b.h>
#include <sodium/crypto_scalarmult_curve25519.h>
#include <sodium/utils.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "proto/base/assert.h"

namespace meshd {
namespace {

constexpr std::string_view kProtocolName = "Noise_NNpsk0_25519_ChaChaPoly_BLAKE2b";
constexpr std::size_t kHashBytes = 64;
constexpr std::size_t kHashBlockBytes = 128;
constexpr std::size_t kPublicKeyBytes = 32;

static_assert(kNoiseMessageBytes == kPublicKeyBytes + kSealTagBytes);

using Hash = std::array<std::uint8_t, kHashBytes>;

/// BLAKE2b-512 of two strings, one after the other.
Hash hash_of(Bytes first, Bytes second) {
    crypto_generichash_blake2b_state state;
    Hash hash;
    crypto_generichash_blake2b_init(&state, nullptr, 0, hash.size());
    crypto_generichash_blake2b_update(&state, first.data(), first.size());
    crypto_generichash_blake2b_update(&state, second.data(), second.size());
    crypto_generichash_blake2b_final(&state, hash.data(), hash.size());
    sodium_memzero(&state, sizeof state);
    return hash;
}

/// The specification's HKDF: `Outputs` hashes drawn from a chaining key and new material.
template <std::size_t Outputs>
std::array<Hash, Outputs> expand(const Hash& chaining, Bytes input) {
    Hash temporary = hmac_blake2b(chaining, input);
    std::array<Hash, Outputs> outputs;
    std::array<std::uint8_t, kHashBytes + 1> block;
    std::size_t block_bytes = 0;
    for (std::size_t i = 0; i < Outputs; ++i) {
        block[block_bytes] = static_cast<std::uint8_t>(i + 1);
        outputs[i] = hmac_blake2b(temporary, Bytes(block).first(block_bytes + 1));
        std::copy(outputs[i].begin(), outputs[i].end(), block.begin());
        block_bytes = kHashBytes;
    }
    sodium_memzero(temporary.data(), temporary.size());
    sodium_memzero(block.data(), block.size());
    return outputs;
}

template <std::size_t Outputs>
void wipe(std::array<Hash, Outputs>& hashes) {
    sodium_memzero(hashes.data(), sizeof hashes);
}

SealKey first_half(const Hash& hash) {
    SealKey key;
    std::copy_n(hash.begin(), key.bytes.size(), key.bytes.begin());
    return key;
}

NoiseMessage fixed(const Buffer& message) {
    NoiseMessage fixed;
    std::copy_n(message.begin(), fixed.size(), fixed.begin());
    return fixed;
}

}  // namespace

NoiseEphemeral make_ephemeral(Prng& prng) {
    NoiseEphemeral secret;
    prng.fill(secret.data(), secret.size());
    return secret;
}

std::array<std::uint8_t, 64> hmac_blake2b(Bytes key, Bytes message) {
    std::array<std::uint8_t, kHashBlockBytes> inner{};
    if (key.size() > kHashBlockBytes) {
        const Hash shortened = hash_of(key, {});
        std::copy(shortened.begin(), shortened.end(), inner.begin());
    } else {
        std::copy(key.begin(), key.end(), inner.begin());
    }
    std::array<std::uint8_t, kHashBlockBytes> outer = inner;
    for (std::size_t i = 0; i < kHashBlockBytes; ++i) {
        inner[i] ^= 0x36;
        outer[i] ^= 0x5c;
    }
    Hash digest = hash_of(inner, message);
    digest = hash_of(outer, digest);
    sodium_memzero(inner.data(), inner.size());
    sodium_memzero(outer.data(), outer.size());
    return digest;
}

NoiseState::NoiseState(const Psk& psk, Bytes prologue, const NoiseEphemeral& ephemeral)
    : ephemeral_(ephemeral) {
    static_assert(kProtocolName.size() <= kHashBytes, "a longer name would be hashed");
    std::copy(kProtocolName.begin(), kProtocolName.end(), hash_.begin());
    chaining_ = hash_;
    mix_hash(prologue);
    mix_key_and_hash(psk);
}

NoiseState::~NoiseState() {
    sodium_memzero(chaining_.data(), chaining_.size());
    sodium_memzero(ephemeral_.data(), ephemeral_.size());
    key_.wipe();
}

void NoiseState::mix_hash(Bytes bytes) {
    hash_ = hash_of(hash_, bytes);
}

void NoiseState::take_key(const Hash& from) {
    key_ = first_half(from);
    counter_ = 0;
}

void NoiseState::mix_key(Bytes input) {
    auto outputs = expand<2>(chaining_, input);
    chaining_ = outputs[0];
    take_key(outputs[1]);
    wipe(outputs);
}

void NoiseState::mix_key_and_hash(Bytes input) {
    auto outputs = expand<3>(chaining_, input);
    chaining_ = outputs[0];
    mix_hash(outputs[1]);
    take_key(outputs[2]);
    wipe(outputs);
}

void NoiseState::write_ephemeral(std::uint8_t* to) {
    crypto_scalarmult_curve25519_base(to, ephemeral_.data());
    // With a psk, public keys go into the keys as well: otherwise two handshakes would begin alike
    // (revision 34, section 9.2).
    mix_hash({to, kPublicKeyBytes});
    mix_key({to, kPublicKeyBytes});
}

void NoiseState::read_ephemeral(const std::uint8_t* theirs) {
    std::copy_n(theirs, theirs_.size(), theirs_.begin());
    mix_hash(theirs_);
    mix_key(theirs_);
}

bool NoiseState::mix_shared() {
    std::array<std::uint8_t, 32> shared;
    if (crypto_scalarmult_curve25519(shared.data(), ephemeral_.data(), theirs_.data()) != 0) {
        return false;
    }
    mix_key(shared);
    sodium_memzero(shared.data(), shared.size());
    return true;
}

void NoiseState::seal_payload(Buffer& message, Bytes payload) {
    const std::size_t start = message.size();
    append(message, payload);
    message.resize(message.size() + kSealTagBytes);
    const std::span<std::uint8_t> text(message.data() + start, payload.size());
    const std::span<std::uint8_t, kSealTagBytes> tag(text.data() + text.size(), kSealTagBytes);
    seal_session(key_, counter_++, hash_, text, tag);
    mix_hash(Bytes(message).subspan(start));
}

bool NoiseState::open_payload(Bytes sealed, Buffer& payload) {
    if (sealed.size() < kSealTagBytes) {
        return false;
    }
    const Bytes text = sealed.first(sealed.size() - kSealTagBytes);
    payload.resize(text.size());
    if (!open_session(key_, counter_, hash_, text, sealed.last<kSealTagBytes>(), payload.data())) {
        payload.clear();
        return false;
    }
    ++counter_;
    mix_hash(sealed);
    return true;
}

NoiseState::Split NoiseState::split() {
    auto outputs = expand<2>(chaining_, {});
    Split keys{first_half(outputs[0]), first_half(outputs[1])};
    wipe(outputs);
    return keys;
}

NoiseInitiator::NoiseInitiator(const Psk& psk, Bytes prologue, Prng& prng)
    : NoiseInitiator(psk, prologue, make_ephemeral(prng)) {}

NoiseInitiator::NoiseInitiator(const Psk& psk, Bytes prologue, const NoiseEphemeral& ephemeral)
    : state_(psk, prologue, ephemeral) {}

NoiseMessage NoiseInitiator::write() {
    return fixed(write(Bytes()));
}

Buffer NoiseInitiator::write(Bytes payload) {
    Buffer message(kPublicKeyBytes);
    state_.write_ephemeral(message.data());
    state_.seal_payload(message, payload);
    return message;
}

std::optional<SessionKeys> NoiseInitiator::read(Bytes message, Buffer* payload) const {
    if (message.size() < kNoiseMessageBytes) {
        return std::nullopt;
    }
    NoiseState state = state_;
    state.read_ephemeral(message.data());
    Buffer opened;
    if (!state.mix_shared() || !state.open_payload(message.subspan(kPublicKeyBytes), opened)) {
        return std::nullopt;
    }
    if (payload != nullptr) {
        *payload = std::move(opened);
    }
    const NoiseState::Split keys = state.split();
    return SessionKeys{keys.forth, keys.back};
}

NoiseResponder::NoiseResponder(const Psk& psk, Bytes prologue, Prng& prng)
    : NoiseResponder(psk, prologue, make_ephemeral(prng)) {}

NoiseResponder::NoiseResponder(const Psk& psk, Bytes prologue, const NoiseEphemeral& ephemeral)
    : state_(psk, prologue, ephemeral) {}

bool NoiseResponder::read(Bytes message, Buffer* payload) {
    if (message.size() < kNoiseMessageBytes) {
        return false;
    }
    state_.read_ephemeral(message.data());
    Buffer opened;
    if (!state_.open_payload(message.subspan(kPublicKeyBytes), opened)) {
        return false;
    }
    // Message 2 is made of its own public key and then the shared secret; a shared secret of zero
    // is found out here, so that write() cannot fail.
    NoiseState probe = state_;
    if (!probe.mix_shared()) {
        return false;
    }
    if (payload != nullptr) {
        *payload = std::move(opened);
    }
    return true;
}

NoiseResponder::Answer NoiseResponder::write() {
    Answer answer;
    answer.message = fixed(write(Bytes(), answer.keys));
    return answer;
}

Buffer NoiseResponder::write(Bytes payload, SessionKeys& keys) {
    Buffer message(kPublicKeyBytes);
    state_.write_ephemeral(message.data());
    MESHD_ASSERT(state_.mix_shared());
    state_.seal_payload(message, payload);
    const NoiseState::Split split = state_.split();
    keys = {split.back, split.forth};
    return message;
}

}  // namespace meshd

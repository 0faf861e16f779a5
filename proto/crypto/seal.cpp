// SPDX-License-Identifier: Apache-2.0
#include "proto/crypto/seal.h"

#include <sodium/crypto_aead_chacha20poly1305.h>
#include <sodium/crypto_aead_xchacha20poly1305.h>
#include <sodium/crypto_generichash_blake2b.h>
#include <sodium/utils.h>

#include <string_view>

namespace meshd {
namespace {

static_assert(crypto_aead_chacha20poly1305_ietf_ABYTES == kSealTagBytes);
static_assert(crypto_aead_xchacha20poly1305_ietf_ABYTES == kSealTagBytes);
static_assert(crypto_aead_xchacha20poly1305_ietf_NPUBBYTES == kOutsideNonceBytes);

using SessionNonce = std::array<std::uint8_t, crypto_aead_chacha20poly1305_ietf_NPUBBYTES>;

SessionNonce session_nonce(std::uint64_t counter) {
    SessionNonce nonce{};
    for (std::size_t i = 0; i < 8; ++i) {
        nonce[4 + i] = static_cast<std::uint8_t>(counter >> (8 * i));
    }
    return nonce;
}

std::array<std::uint8_t, 32> derive(const MeshKey& key, std::string_view context) {
    std::array<std::uint8_t, 32> derived;
    const Bytes bytes = as_bytes(context);
    crypto_generichash_blake2b(derived.data(), derived.size(), bytes.data(), bytes.size(),
                               key.secret.data(), key.secret.size());
    return derived;
}

}  // namespace

void SealKey::wipe() {
    sodium_memzero(bytes.data(), bytes.size());
}

SealKey outside_key(const MeshKey& key) {
    return SealKey(derive(key, "meshd outside key 1"));
}

Psk psk_of(const MeshKey& key) {
    return derive(key, "meshd psk 1");
}

void seal_session(const SealKey& key, std::uint64_t counter, Bytes associated,
                  std::span<std::uint8_t> text, std::span<std::uint8_t, kSealTagBytes> tag) {
    std::uint8_t nothing = 0;  // libsodium wants a pointer also to no bytes
    crypto_aead_chacha20poly1305_ietf_encrypt_detached(
        text.empty() ? &nothing : text.data(), tag.data(), nullptr, text.data(), text.size(),
        associated.data(), associated.size(), nullptr, session_nonce(counter).data(),
        key.bytes.data());
}

bool open_session(const SealKey& key, std::uint64_t counter, Bytes associated, Bytes sealed,
                  std::span<const std::uint8_t, kSealTagBytes> tag, std::uint8_t* text) {
    const std::uint8_t nothing = 0;  // as above
    return crypto_aead_chacha20poly1305_ietf_decrypt_detached(
               text, nullptr, sealed.empty() ? &nothing : sealed.data(), sealed.size(), tag.data(),
               associated.data(), associated.size(), session_nonce(counter).data(),
               key.bytes.data()) == 0;
}

OutsideNonce make_outside_nonce(Prng& prng) {
    OutsideNonce nonce;
    prng.fill(nonce.data(), nonce.size());
    return nonce;
}

void seal_outside(const SealKey& key, const OutsideNonce& nonce, Bytes associated,
                  std::span<std::uint8_t> text, std::span<std::uint8_t, kSealTagBytes> tag) {
    std::uint8_t nothing = 0;  // libsodium wants a pointer also to no bytes
    crypto_aead_xchacha20poly1305_ietf_encrypt_detached(
        text.empty() ? &nothing : text.data(), tag.data(), nullptr, text.data(), text.size(),
        associated.data(), associated.size(), nullptr, nonce.data(), key.bytes.data());
}

bool open_outside(const SealKey& key, const OutsideNonce& nonce, Bytes associated, Bytes sealed,
                  std::span<const std::uint8_t, kSealTagBytes> tag, std::uint8_t* text) {
    const std::uint8_t nothing = 0;  // as above
    return crypto_aead_xchacha20poly1305_ietf_decrypt_detached(
               text, nullptr, sealed.empty() ? &nothing : sealed.data(), sealed.size(), tag.data(),
               associated.data(), associated.size(), nonce.data(), key.bytes.data()) == 0;
}

}  // namespace meshd

// SPDX-License-Identifier: Apache-2.0
/// \file
/// The handshake Noise_NNpsk0_25519_ChaChaPoly_BLAKE2b (The Noise Protocol Framework, revision 34,
/// sections 5, 7.5 and 9): `-> psk, e` and `<- e, ee`. Both ends know the psk; from two fresh
/// Curve25519 keys they draw a key per direction, which nobody can find later, not even by the psk.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "proto/base/bytes.h"
#include "proto/base/prng.h"
#include "proto/crypto/seal.h"

namespace meshd {

/// A message of the handshake, either one, beyond its payload: a public key and a tag.
inline constexpr std::size_t kNoiseMessageBytes = 48;

using NoiseMessage = std::array<std::uint8_t, kNoiseMessageBytes>;
/// The secret of a key pair that lives for one handshake.
using NoiseEphemeral = std::array<std::uint8_t, 32>;

NoiseEphemeral make_ephemeral(Prng& prng);

/// What a handshake ends in: each end's `send` is the other one's `receive`.
struct SessionKeys {
    SealKey send;
    SealKey receive;

    friend bool operator==(const SessionKeys&, const SessionKeys&) = default;
};

/// What both roles do with hash and keys (the specification's SymmetricState and CipherState).
class NoiseState {
  public:
    NoiseState(const Psk& psk, Bytes prologue, const NoiseEphemeral& ephemeral);
    NoiseState(const NoiseState&) = default;
    NoiseState& operator=(const NoiseState&) = default;
    ~NoiseState();

    /// Sends our public key: its 32 bytes to `to`.
    void write_ephemeral(std::uint8_t* to);
    void read_ephemeral(const std::uint8_t* theirs);
    /// False where the shared secret is zero, which only a key made for the purpose brings about.
    [[nodiscard]] bool mix_shared();
    void seal_payload(Buffer& message, Bytes payload);
    [[nodiscard]] bool open_payload(Bytes sealed, Buffer& payload);
    /// Keys for initiator to responder, and back.
    struct Split {
        SealKey forth;
        SealKey back;
    };
    Split split();

  private:
    using Hash = std::array<std::uint8_t, 64>;

    void mix_hash(Bytes bytes);
    void mix_key(Bytes input);
    void mix_key_and_hash(Bytes input);
    void take_key(const Hash& from);

    Hash chaining_{};
    Hash hash_{};
    SealKey key_;
    std::uint64_t counter_ = 0;
    NoiseEphemeral ephemeral_{};
    std::array<std::uint8_t, 32> theirs_{};
};

/// The end that asks. A copy of it may be kept to read several answers.
class NoiseInitiator {
  public:
    /// `prologue`: what both ends must agree on without sending it.
    NoiseInitiator(const Psk& psk, Bytes prologue, Prng& prng);
    /// With a given key pair, for known answers.
    NoiseInitiator(const Psk& psk, Bytes prologue, const NoiseEphemeral& ephemeral);

    /// Message 1; to be called once. Whoever repeats it keeps the bytes.
    NoiseMessage write();
    Buffer write(Bytes payload);

    /// Reads message 2. Nothing on bytes that are not an answer to message 1 by a holder of the
    /// psk; the state is as before, so that the right answer can still come.
    [[nodiscard]] std::optional<SessionKeys> read(Bytes message, Buffer* payload = nullptr) const;

  private:
    NoiseState state_;
};

/// The end that is asked.
class NoiseResponder {
  public:
    NoiseResponder(const Psk& psk, Bytes prologue, Prng& prng);
    NoiseResponder(const Psk& psk, Bytes prologue, const NoiseEphemeral& ephemeral);

    /// Reads message 1; to be called once, and write() only where it was true. False on bytes that
    /// no holder of the psk with this prologue wrote: one failed decryption, no key exchange.
    [[nodiscard]] bool read(Bytes message, Buffer* payload = nullptr);

    struct Answer {
        NoiseMessage message;  ///< message 2
        SessionKeys keys;
    };
    /// Message 2 and the session's keys; to be called once.
    Answer write();
    Buffer write(Bytes payload, SessionKeys& keys);

  private:
    NoiseState state_;
};

/// HMAC (RFC 2104) with BLAKE2b-512: block 128, output 64 bytes. Not libsodium's keyed hash, which
/// is another function.
std::array<std::uint8_t, 64> hmac_blake2b(Bytes key, Bytes message);

}  // namespace meshd

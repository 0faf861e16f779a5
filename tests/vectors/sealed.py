#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes sealed.tsv from messages.tsv: a sealed node's bytes as proto/PROTOCOL.md and the papers it names have them,
by nothing of the C++ code and without its libraries. With --check it compares instead.

The arithmetic is slow and leaks its keys by its time: it is for known answers only."""
import hashlib
import hmac
import pathlib
import struct
import sys

HERE = pathlib.Path(__file__).resolve().parent
HELLO_BYTES = 384
MASK = 0xFFFFFFFF


# --- ChaCha20 and Poly1305 (RFC 8439), XChaCha20 (draft-irtf-cfrg-xchacha-03), X25519 (RFC 7748)

def rotate(value, bits):
    return (value << bits | value >> (32 - bits)) & MASK


def quarter(s, a, b, c, d):
    s[a] = (s[a] + s[b]) & MASK
    s[d] = rotate(s[d] ^ s[a], 16)
    s[c] = (s[c] + s[d]) & MASK
    s[b] = rotate(s[b] ^ s[c], 12)
    s[a] = (s[a] + s[b]) & MASK
    s[d] = rotate(s[d] ^ s[a], 8)
    s[c] = (s[c] + s[d]) & MASK
    s[b] = rotate(s[b] ^ s[c], 7)


def rounds(state):
    s = list(state)
    for _ in range(10):
        for a, b, c, d in ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
                           (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)):
            quarter(s, a, b, c, d)
    return s


def matrix(key, last):
    return [*struct.unpack("<4I", b"expand 32-byte k"), *struct.unpack("<8I", key), *struct.unpack("<4I", last)]


def stream(key, nonce, counter, length):
    out = b""
    while len(out) < length:
        state = matrix(key, struct.pack("<I", counter) + nonce)
        out += struct.pack("<16I", *((a + b) & MASK for a, b in zip(state, rounds(state))))
        counter += 1
    return out[:length]


def hchacha(key, nonce):
    s = rounds(matrix(key, nonce))
    return struct.pack("<8I", *s[:4], *s[12:])


def poly1305(key, text):
    r = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    total = 0
    for at in range(0, len(text), 16):
        total = (total + int.from_bytes(text[at:at + 16] + b"\x01", "little")) * r % (2 ** 130 - 5)
    return ((total + int.from_bytes(key[16:], "little")) % 2 ** 128).to_bytes(16, "little")


def padded(text):
    return text + bytes(-len(text) % 16)


def seal(key, nonce, associated, text):
    sealed = bytes(a ^ b for a, b in zip(text, stream(key, nonce, 1, len(text))))
    tag = poly1305(stream(key, nonce, 0, 32), padded(associated) + padded(sealed)
                   + struct.pack("<QQ", len(associated), len(sealed)))
    return sealed + tag


def seal_session(key, counter, associated, text):
    return seal(key, bytes(4) + struct.pack("<Q", counter), associated, text)


def seal_outside(key, nonce, associated, text):
    return seal(hchacha(key, nonce[:16]), bytes(4) + nonce[16:], associated, text)


def x25519(scalar, point):
    p = 2 ** 255 - 19
    k = int.from_bytes(scalar, "little") & ~7 & (2 ** 255 - 1) | 2 ** 254
    x1 = int.from_bytes(point, "little") & (2 ** 255 - 1)
    x2, z2, x3, z3, swap = 1, 0, x1, 1, 0
    for bit in reversed(range(255)):
        now = k >> bit & 1
        if swap ^ now:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swap = now
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        aa, bb, da, cb = a * a, b * b, d * a, c * b
        x3, z3 = (da + cb) ** 2 % p, x1 * (da - cb) ** 2 % p
        x2, z2 = aa * bb % p, (aa - bb) * (aa + 121665 * (aa - bb)) % p
    if swap:
        x2, z2 = x3, z3
    return (x2 * pow(z2, p - 2, p) % p).to_bytes(32, "little")


# --- Noise_NNpsk0_25519_ChaChaPoly_BLAKE2b (revision 34)

class Noise:
    def __init__(self, psk, prologue):
        name = b"Noise_NNpsk0_25519_ChaChaPoly_BLAKE2b"
        self.hash = self.chaining = name + bytes(64 - len(name))
        self.key, self.counter = None, 0
        self.mix_hash(prologue)
        self.chaining, mixed, key = self.expand(psk, 3)
        self.mix_hash(mixed)
        self.key = key[:32]

    def mix_hash(self, text):
        self.hash = hashlib.blake2b(self.hash + text).digest()

    def expand(self, text, outputs):
        first = hmac.new(self.chaining, text, hashlib.blake2b).digest()
        result, block = [], b""
        for number in range(1, outputs + 1):
            block = hmac.new(first, block + bytes([number]), hashlib.blake2b).digest()
            result.append(block)
        return result

    def mix_key(self, text):
        self.chaining, key = self.expand(text, 2)
        self.key, self.counter = key[:32], 0

    def mix_ephemeral(self, public):
        self.mix_hash(public)
        self.mix_key(public)

    def empty_payload(self):
        sealed = seal_session(self.key, self.counter, self.hash, b"")
        self.counter += 1
        self.mix_hash(sealed)
        return sealed


def handshake(psk, prologue, initiator, responder):
    """The two messages, and the keys forth and back."""
    base = (9).to_bytes(32, "little")
    state = Noise(psk, prologue)
    publics = x25519(initiator, base), x25519(responder, base)
    state.mix_ephemeral(publics[0])
    first = publics[0] + state.empty_payload()
    state.mix_ephemeral(publics[1])
    state.mix_key(x25519(initiator, publics[1]))
    second = publics[1] + state.empty_payload()
    forth, back = state.expand(b"", 2)
    return first, second, forth[:32], back[:32]


# --- what PROTOCOL.md adds

def derived(secret, text):
    return hashlib.blake2b(text, key=secret, digest_size=32).digest()


def key_id(secret):
    return next(found for found in (derived(secret, b"meshd key id 1 " + bytes([i]))[:4] for i in range(256))
                if found[2:] != bytes(2))


def token(generation, secret):
    text = struct.pack("!I", generation) + secret
    text += hashlib.blake2b(b"mesh1" + text, digest_size=32).digest()[:4]
    bits = "".join(f"{byte:08b}" for byte in text)
    letters = "".join("0123456789abcdefghjkmnpqrstvwxyz"[int(bits[at:at + 5], 2)] for at in range(0, len(bits), 5))
    return "-".join(["mesh1", *(letters[at:at + 5] for at in range(0, len(letters), 5))])


def item(kind, content):
    return bytes([kind]) + len(content).to_bytes(3, "big") + content


def messages():
    found = {}
    for line in (HERE / "messages.tsv").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, kind, text, body = line.split("\t")
            body = b"" if body == "-" else bytes.fromhex(body)
            found[name] = item(int(kind), len(text.encode()).to_bytes(3, "big") + text.encode() + body)
    return found


def main():
    known = messages()
    generation, secret = 0x12340001, bytes(range(32))
    hint = key_id(secret)[2:]
    outside, psk = derived(secret, b"meshd outside key 1"), derived(secret, b"meshd psk 1")
    rows = [["key", str(generation), secret.hex(), key_id(secret).hex(), hint.hex(), outside.hex(), psk.hex(),
             token(generation, secret)]]
    nonces = stream(bytes(32), bytes(12), 0, 24 * 8)
    for number, (name, items, pad_to) in enumerate((
            ("sealed_hello", ["hello"], HELLO_BYTES), ("sealed_hello_unicast", ["hello_unicast"], HELLO_BYTES),
            ("sealed_offer", ["offer"], 0), ("sealed_req", ["req_sealed"], 0), ("sealed_acc", ["acc_sealed"], 0),
            ("sealed_refusal", ["acc_refused"], 0))):
        nonce = nonces[24 * number:24 * number + 24]
        head = bytes([1, 1]) + hint + bytes(12)
        text = b"".join(known[one] for one in items)
        gap = pad_to - len(head) - len(nonce) - len(text) - 16
        if gap > 0:
            text += item(0, bytes(max(0, gap - 4)))
        rows.append(["outside", name, nonce.hex(), str(pad_to), ",".join(items),
                     (head + nonce + seal_outside(outside, nonce, head, text)).hex()])
    def identity(node, instance, start):
        return bytes([len(node)]) + node + struct.pack("!QQ", instance, start)
    prologue = (b"\x05meshd" + b"\x01" + b"\x07default" + identity(b"box-a", 0xA1, 0xA2)
                + identity(b"box-b", 0xB1, 0xB2) + struct.pack("!I", 1))
    initiator, responder = bytes(range(32, 64)), bytes(range(64, 96))
    first, second, forth, back = handshake(psk, prologue, initiator, responder)
    rows.append(["handshake", *(one.hex() for one in (initiator, responder, prologue, first, second, forth, back))])
    for name, key, session, counter, items in (
            ("sealed_conf", forth, 5, 1, ["conf"]), ("sealed_reply", back, 1, 1, ["heartbeat_reply"]),
            ("sealed_two_items", forth, 5, 258, ["ack", "push_alert"])):
        head = bytes([1, 2, 0, 0]) + struct.pack("!IQ", session, counter)
        text = b"".join(known[one] for one in items)
        rows.append(["session", name, key.hex(), str(session), str(counter), ",".join(items),
                     (head + seal_session(key, counter, head, text)).hex()])
    text = """# A sealed node's bytes, written by sealed.py. Items are named as in messages.tsv; bytes are in hex.
# key: generation, secret, id, hint, outside key, psk of the handshakes, token
# outside: name, nonce, padded to, items, datagram; under that key
# handshake: ephemeral secrets of initiator and responder, prologue, messages 1 and 2, session keys forth and back; under that psk
# session: name, key, session, counter, items, datagram
""" + "".join("\t".join(row) + "\n" for row in rows)
    path = HERE / "sealed.tsv"
    if sys.argv[1:] == ["--check"]:
        sys.exit(path.read_text(encoding="utf-8") != text)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

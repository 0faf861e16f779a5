# SPDX-License-Identifier: Apache-2.0
"""Mesh keys as the daemon keeps them, made without it: written anew from proto/PROTOCOL.md."""
import hashlib
import os

LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"


def make_token(generation=1, secret=None):
    """The token of a key; a fresh one where no secret is given."""
    content = generation.to_bytes(4, "big") + (secret or os.urandom(32))
    content += hashlib.blake2b(b"mesh1" + content, digest_size=32).digest()[:4]
    number = int.from_bytes(content, "big")
    text = "".join(LETTERS[number >> 5 * (63 - i) & 31] for i in range(64))
    return "-".join(["mesh1", *(text[i:i + 5] for i in range(0, 64, 5))])


def write_keyring(state_dir, token):
    """Gives a daemon that does not run yet its key."""
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = state_dir / "keyring"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(f"active {token} joined\n")

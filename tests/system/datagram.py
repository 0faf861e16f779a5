# SPDX-License-Identifier: Apache-2.0
"""Datagrams as strangers make them: proto/PROTOCOL.md's framing, written anew from the page."""
import hashlib
import json
import os

OUTSIDE, SESSION = 1, 2
HEADER_BYTES, NONCE_BYTES, TAG_BYTES = 16, 24, 16


def item(kind, content):
    return bytes([kind]) + len(content).to_bytes(3, "big") + content


def message(kind, document, body=b""):
    """A message item; a document that is bytes goes out as it is, JSON or not."""
    text = document if isinstance(document, bytes) else json.dumps(
        document, separators=(",", ":"), ensure_ascii=False).encode()
    return item(kind, len(text).to_bytes(3, "big") + text + body)


def sealed(head_and_items):
    return head_and_items + hashlib.blake2b(head_and_items, digest_size=TAG_BYTES).digest()


def datagram(*items, kind=OUTSIDE, version=1, flags=0, session=0, counter=0):
    head = bytes([version, kind]) + flags.to_bytes(2, "big") + session.to_bytes(4, "big")
    head += counter.to_bytes(8, "big")
    if kind == OUTSIDE:
        head += os.urandom(NONCE_BYTES)
    return sealed(head + b"".join(items))


def items(data):
    """[(kind, content)] of a datagram from outside a session."""
    rest, result = data[HEADER_BYTES + NONCE_BYTES:-TAG_BYTES], []
    while len(rest) >= 4:
        length = int.from_bytes(rest[1:4], "big")
        result.append((rest[0], rest[4:4 + length]))
        rest = rest[4 + length:]
    return result


def document(content):
    return json.loads(content[3:3 + int.from_bytes(content[:3], "big")])

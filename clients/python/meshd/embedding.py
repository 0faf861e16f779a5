# SPDX-License-Identifier: Apache-2.0
"""Embeddings as the daemon takes and gives them: IEEE 754 half precision, little-endian, base64.

The daemon normalises an embedding to length 1 and keeps it as fp16, so that every box holds the same bytes.
Sending fp16 takes a quarter of the room of numbers written out.
"""
import base64
import binascii
import math
import struct
from typing import Any, Iterable, List, Mapping, Union

#: A list, tuple or array of numbers; bytes of little-endian fp16; a NumPy array or a tensor of one
#: dimension; or {"f16": base64} and {"f32": base64}, which go as they are.
Embedding = Union[Iterable[float], bytes, bytearray, memoryview, Mapping[str, str], Any]


def encode_embedding(value: Embedding) -> Mapping[str, str]:
    """The embedding as {"f16": base64}.

    Values that fp16 holds exactly go as they are, so that what the registry gave goes back in bit by bit.
    Others are normalised to length 1 first, and rounded. ValueError where it is empty, of more than one
    dimension, or has a NaN or infinity.
    """
    if isinstance(value, Mapping):
        return value
    if isinstance(value, memoryview) and value.format in ("f", "d", "e"):
        value = value.tolist()
    if isinstance(value, (bytes, bytearray, memoryview)):
        raw = bytes(value)
        if not raw or len(raw) % 2:
            raise ValueError(f"{len(raw)} bytes are no embedding: two bytes (fp16, little-endian) a value")
        return {"f16": base64.b64encode(raw).decode("ascii")}
    if hasattr(value, "tolist"):  # NumPy, array.array, tensors
        value = value.tolist()
    try:
        values = [float(number) for number in value]
    except TypeError as error:
        raise ValueError(f"an embedding is one list of numbers: {error}") from None
    return {"f16": base64.b64encode(_pack(values)).decode("ascii")}


def decode_embedding(value: Mapping[str, str]) -> List[float]:
    """The numbers of {"f16": base64} or {"f32": base64}; ValueError on anything else."""
    for name, code, size in (("f16", "e", 2), ("f32", "f", 4)):
        if name in value:
            try:
                raw = base64.b64decode(value[name], validate=True)
            except binascii.Error as error:
                raise ValueError(f"an embedding is no base64: {error}") from None
            if len(raw) % size:
                raise ValueError(f"{len(raw)} bytes are no embedding of type {name}")
            return list(struct.unpack(f"<{len(raw) // size}{code}", raw))
    raise ValueError(f"no embedding: {sorted(value)} instead of f16 or f32")


def _pack(values: List[float]) -> bytes:
    if not values:
        raise ValueError("an embedding has at least one value")
    if not all(map(math.isfinite, values)):
        raise ValueError("an embedding has neither NaN nor infinity")
    layout = f"<{len(values)}e"
    try:
        raw = struct.pack(layout, *values)
        if list(struct.unpack(layout, raw)) == values:
            return raw
    except OverflowError:
        pass
    # fp16 ends at 65504 and is coarse below 6e-5: only the direction counts, so it is brought to where
    # fp16 is at its best. Dividing by the largest first keeps the squares in range.
    largest = max(map(abs, values))
    values = [number / largest for number in values]
    length = math.sqrt(math.fsum(number * number for number in values))
    return struct.pack(layout, *(number / length for number in values))

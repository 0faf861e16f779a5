# SPDX-License-Identifier: Apache-2.0
"""Embeddings go in from many shapes and come back bit by bit."""
import array
import base64
import math
import struct
import unittest

from meshd import decode_embedding, encode_embedding


def raw(embedding):
    return base64.b64decode(encode_embedding(embedding)["f16"])


class FakeArray:
    """What NumPy arrays and tensors have in common."""

    def __init__(self, values):
        self.values = values

    def tolist(self):
        return self.values


class EmbeddingTest(unittest.TestCase):
    def test_a_list_of_exact_values_goes_as_it_is(self):
        self.assertEqual(raw([1, 0, -0.5]), struct.pack("<3e", 1, 0, -0.5))

    def test_other_values_are_normalised_and_rounded(self):
        values = decode_embedding(encode_embedding([0.1, 0.2, 0.3]))
        self.assertAlmostEqual(math.sqrt(sum(v * v for v in values)), 1, places=3)
        self.assertAlmostEqual(values[2] / values[0], 3, places=2)

    def test_values_beyond_half_precision_keep_their_direction(self):
        for scale in (1e9, 1e-9, 1e300):
            self.assertEqual(decode_embedding(encode_embedding([3 * scale, 4.0000001 * scale])),
                             decode_embedding(encode_embedding([0.6, 0.8])))

    def test_what_came_out_goes_in_bit_by_bit(self):
        first = encode_embedding([math.sin(i) for i in range(512)])
        self.assertEqual(encode_embedding(decode_embedding(first)), first)
        self.assertIs(encode_embedding(first), first)

    def test_bytes_are_half_precision_already(self):
        self.assertEqual(raw(b"\x00\x3c\x00\x00"), b"\x00\x3c\x00\x00")
        self.assertEqual(raw(memoryview(bytearray(b"\x00\x3c"))), b"\x00\x3c")
        with self.assertRaises(ValueError):
            encode_embedding(b"\x00")

    def test_arrays_are_lists_of_numbers(self):
        self.assertEqual(raw(array.array("f", [1, 2])), raw([1, 2]))
        self.assertEqual(raw(memoryview(array.array("f", [1, 2]))), raw([1, 2]))
        self.assertEqual(raw(FakeArray([1, 2])), raw([1, 2]))
        self.assertEqual(raw(value for value in (1, 2)), raw([1, 2]))

    def test_numpy_arrays(self):
        try:
            import numpy
        except ImportError:
            self.skipTest("NumPy is not installed")
        for dtype in ("float16", "float32", "float64"):
            self.assertEqual(raw(numpy.array([1, 2], dtype=dtype)), raw([1, 2]))

    def test_no_embedding_is_refused(self):
        for value in ([], [float("nan")], [float("inf"), 1], FakeArray([[1, 2]]), ["a"], 7):
            with self.assertRaises(ValueError, msg=str(value)):
                encode_embedding(value)

    def test_zeros_are_for_the_daemon_to_refuse(self):
        self.assertEqual(raw([0, 0]), b"\0" * 4)

    def test_single_precision_is_decoded(self):
        self.assertEqual(decode_embedding({"f32": base64.b64encode(struct.pack("<2f", 1, 2)).decode()}), [1, 2])
        for broken in ({}, {"f16": "AAA="[:3]}, {"f16": "!!!!"}, {"f32": "AAA="}):
            with self.assertRaises(ValueError, msg=str(broken)):
                decode_embedding(broken)


if __name__ == "__main__":
    unittest.main()

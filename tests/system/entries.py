# SPDX-License-Identifier: Apache-2.0
"""What scenarios and benchmarks put into the registry and find there."""
import base64
import os
import time

from lab import wait_until
from rpc import RpcError

DIMENSION = 512
PAGE = 1000
OVERLOADED = 900
# Without its highest bit an exponent is that of a small finite number.
_FINITE = bytes(byte & 0xBF for byte in range(256))


def f16_embedding(dimension=DIMENSION):
    """Random fp16 values below 2 in the form of registry.put."""
    values = bytearray(os.urandom(2 * dimension))
    values[1::2] = values[1::2].translate(_FINITE)
    return {"f16": base64.b64encode(values).decode()}


def entry(name, dimension=DIMENSION, **members):
    """A sighting as a vision pipeline would put it, with about 200 bytes of metadata."""
    metadata = {"camera": "entrance-north", "box": [412, 188, 96, 240], "confidence": 0.9731, "track": name,
                "clothes": "dark jacket, light trousers", "model": "retina-r50", "frame": 1048576,
                "zone": "loading dock"}
    return {"hash": name, "type": "person", "embedding": f16_embedding(dimension), "space": "arcface-r50",
            "metadata": metadata, **members}


def put_many(box, names, dimension=DIMENSION, batch=100, durable=False):
    """Puts an entry for each name, with an embedding unless `dimension` is 0. Waits where the daemon asks
    for it."""
    names = list(names)
    for at in range(0, len(names), batch):
        entries = [entry(name, dimension) if dimension else {"hash": name, "type": "thing"}
                   for name in names[at:at + batch]]
        while True:
            try:
                box.call("registry.put", entries=entries, durable=durable)
                break
            except RpcError as error:
                if error.code != OVERLOADED:
                    raise
                time.sleep(error.data["retry_after_ms"] / 1000)


def list_all(box, **params):
    """All entries that fit, page by page."""
    entries, after = [], None
    while True:
        page = box.call("registry.list", limit=PAGE, **({"after": after} if after else {}), **params)
        entries += page["entries"]
        after = page["next"]
        if after is None:
            return entries


def hashes(box, **params):
    return {found["hash"] for found in list_all(box, **params)}


def all_alerts(box):
    """All alerts held, newest first."""
    alerts, after = [], None
    while True:
        page = box.call("alerts.list", limit=PAGE, **({"after": after} if after else {}))
        alerts += page["alerts"]
        after = page["next"]
        if after is None:
            return alerts


def embedding_of(box, name, node=None):
    """The fp16 bytes, as text, that this box holds of a hash."""
    for found in box.call("registry.get", hash=name, embedding=True)["entries"]:
        if node is None or found["node"] == node:
            return found["embedding"]["f16"]
    return None


def wait_entries(boxes, number, timeout=20):
    """Every box holds exactly so many entries."""
    wait_until(lambda: all(box.store()["entries"] == number for box in boxes),
               lambda: f"{number} entries: { {str(box): box.store() for box in boxes} }", timeout)


def is_written(box):
    """All that this box holds is on its disk, and nothing keeps it from writing. Asked twice, since what is
    being written just now no longer waits."""
    for _ in range(2):
        status = box.call("mesh.status")
        if status["store"]["unwritten"] or any("nothing is kept" in warning for warning in status["warnings"]):
            return False
        time.sleep(0.05)
    return True


def wait_written(box, timeout=20):
    wait_until(lambda: is_written(box), lambda: f"{box} to write: {box.store()} {box.warnings()}", timeout)

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A box dies while it is asked: the call returns as soon as that is known, long before its time is up, and says
who is missing. A box that only hangs is silent until the time is up."""
import time

from checks import NodeEvents, wait_settled_lan, wait_store, wait_views
from lab import check, scenario
from search_checks import Later, answered, names, search, stale

# No box is thought alive for so long, however busy the machine is.
TIMEOUT_SECONDS = 40


def run(lab):
    boxes = lab.boxes(lab.lan("a", "b", "c", "d", "e"))
    wait_settled_lan(boxes)
    for box in boxes:
        box.call("registry.put", hash="guest", type="person")
    wait_store(boxes)
    asker, victim, *_ = boxes
    others = [box for box in boxes if box is not victim]

    for _ in range(3):
        events = NodeEvents(others)
        killed = time.time()
        victim.kill()
        call = Later(search, asker, "hash", {"hash": "guest"}, timeout_ms=1000 * TIMEOUT_SECONDS)
        reply = call.result()
        known = events.wait(asker, "node.offline", victim.node_id, timeout=TIMEOUT_SECONDS)
        print(f"known after {known.timestamp_ms / 1000 - killed:.2f} s, returned after {call.took:.2f} s")
        check(call.took < TIMEOUT_SECONDS / 2, f"it took {call.took:.1f} s, as if nobody knew of the death")
        check(reply["unreachable"] == [victim.node_id] and not reply["silent"], str(reply))
        check(reply["complete"] is False, "a box that was asked has not answered")
        check(sorted(answered(reply)) == names(others), str(reply))
        victim.start().ready()
        wait_views(boxes)
        wait_store(boxes)

    # Known to be dead when the question comes: nobody waits for it.
    events = NodeEvents(others)
    victim.kill()
    events.wait(asker, "node.offline", victim.node_id, timeout=TIMEOUT_SECONDS)
    call = Later(search, asker, "hash", {"hash": "guest"}, timeout_ms=1000 * TIMEOUT_SECONDS)
    reply = call.result()
    check(call.took < TIMEOUT_SECONDS / 2, f"it took {call.took:.1f} s")
    check(reply["unreachable"] == [victim.node_id], str(reply))
    check([r["hash"] for r in stale(reply)[victim.node_id]] == ["guest"], "its entries are known here, and marked")
    victim.start().ready()
    wait_views(boxes)

    # Stopped for a moment: alive, and silent when the time is up.
    victim.freeze()
    try:
        reply = search(asker, "hash", {"hash": "guest"}, timeout_ms=300)
    finally:
        victim.thaw()
    check(reply["silent"] == [victim.node_id] and reply["complete"] is False, str(reply))
    check(sorted(answered(reply)) == names(others), str(reply))


if __name__ == "__main__":
    scenario(run)

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Programs that hang, flood or lie harm no search but the ones they were asked in, and are shown."""
import time

from checks import wait_settled_lan, wait_store
from lab import check, scenario, wait_until
from responder import Responder
from search_checks import Later, answered, check_complete, refusal, search

# The share of a search's time after which a program counts as silent is waited for twice.
HUNG_MS = 5000
LONG_MS = 40000


def of(reply, node_id):
    return [answer for answer in reply["answers"] if answer["node_id"] == node_id][0]


def run(lab):
    boxes = lab.boxes(lab.lan("a", "b", "c"))
    wait_settled_lan(boxes)
    for box in boxes:
        box.call("registry.put", hash="guest", type="person")
    wait_store(boxes)
    a, b, c = boxes
    hung = Responder(b, ["person", "slow"], lambda _: None)
    sound = Responder(b, ["person"], lambda _: [{"name": "Eve"}])

    # While it hangs, other searches of the same boxes are answered.
    for turn in range(2):
        waiting = Later(search, a, "person", {}, timeout_ms=HUNG_MS)
        wait_until(lambda want=turn + 1: len(hung.requests) == want, "the request at the program that hangs")
        quick = [Later(search, asker, "hash", {"hash": "guest"}, timeout_ms=LONG_MS) for asker in (a, c)]
        for call in quick:
            check_complete(call.result(), boxes)
        check(not waiting.is_done(), "the search for programs still waits")
        reply = waiting.result()
        answer = of(reply, "b")
        check(answer.get("silent_responders") == 1 and not answer.get("skipped_responders"), str(answer))
        check(answer["results"] == [{"name": "Eve"}], f"what the other program said: {answer}")
        check(reply["silent"] == [] and sorted(answered(reply)) == ["a", "b", "c"], str(reply))

    # Then it is not asked any more, which is shown; what it would have been asked costs no time.
    call = Later(search, c, "person", {}, timeout_ms=LONG_MS)
    reply = call.result()
    check(call.took < LONG_MS / 2000, f"{call.took:.1f} s for a search without the one that hangs")
    check(of(reply, "b").get("skipped_responders") == 1, str(reply))
    check(of(reply, "b")["results"] == [{"name": "Eve"}], str(reply))
    check(len(hung.requests) == 2, "it was not asked again")
    done = a.meshctl("search", "person", "--wait", "20s", check=False)
    check("b: 1 program not asked" in done.stderr, done.stderr)

    # It serves anew, as after a restart: it gets another chance.
    hung.close()
    healed = Responder(b, ["person"], lambda _: [{"name": "Ada"}])
    reply = search(a, "person", {}, timeout_ms=LONG_MS)
    check(sorted(r["name"] for r in of(reply, "b")["results"]) == ["Ada", "Eve"], str(reply))
    check(not of(reply, "b").get("skipped_responders"), str(reply))
    healed.close()

    # A program that is stopped in the midst of a search is not waited for.
    dying = Responder(b, ["person"], lambda _: None)
    call = Later(search, a, "person", {}, timeout_ms=LONG_MS)
    wait_until(lambda: dying.requests, "the request at the program that ends")
    dying.close()
    reply = call.result()
    check(call.took < LONG_MS / 2000, f"{call.took:.1f} s for a program that has gone")
    check(of(reply, "b")["results"] == [{"name": "Eve"}], str(reply))

    # One that answers with more than fits is cut, and says so; the others' searches are quick beside it.
    flooding = Responder(c, ["flood"], lambda _: [{"text": "x" * 1000, "n": n} for n in range(60)])
    floods = [Later(search, a, "flood", {}, timeout_ms=LONG_MS, limit=1000) for _ in range(8)]
    started = time.monotonic()
    check_complete(search(b, "hash", {"hash": "guest"}, timeout_ms=LONG_MS), boxes)
    print(f"a search beside eight floods took {1000 * (time.monotonic() - started):.0f} ms")
    for call in floods:
        check(len(of(call.result(), "c")["results"]) == 60, "60 KB of results fit")
    reply = search(a, "flood", {}, timeout_ms=LONG_MS, limit=7)
    check(len(of(reply, "c")["results"]) == 7 and of(reply, "c")["truncated"], str(reply)[:300])

    # Answers nobody asked for.
    for ticket in ("0000000000000000", "no ticket", "ffffffffffffffff"):
        error = refusal(a.call, "search.answer", search=ticket, results=[])
        check(error.code == 500, str(error))
    for responder in (sound, flooding):
        responder.close()
    check_complete(search(a, "person", {}, timeout_ms=LONG_MS), boxes)


if __name__ == "__main__":
    scenario(run)

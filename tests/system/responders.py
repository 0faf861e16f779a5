#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Searches that local processes answer, at three boxes: one that hangs, dies or floods harms no other."""
import time

from checks import wait_settled_lan
from lab import check, scenario, wait_until
from responder import Responder
from rpc import RpcError

TOO_LARGE, UNKNOWN_SEARCH = 502, 500


def ask(box, search_type, **params):
    began = time.monotonic()
    result = box.call("search.query", query={"coat": "red"}, search_type=search_type, **params)
    return result, time.monotonic() - began


def answer_of(result, node):
    found, = [answer for answer in result["answers"] if answer["node_id"] == node]
    return found


def all_answer(a, b, c):
    responders = [Responder(box, ["person"], lambda data, score=score: [{"hash": "p", "score": score}])
                  for box, score in ((b, 0.5), (c, 0.75))]
    result, _ = ask(a, "person")
    check(result["complete"] and not result["silent"] and not result["unreachable"], str(result))
    item, = result["results"]
    check((item["node"], sorted(item["nodes"]), item["score"]) == ("c", ["b", "c"], 0.75), str(item))
    result, _ = ask(a, "nobody")
    check(result["complete"] and not result["results"], f"nobody serves it: {result}")
    return responders


def a_hung_one_is_skipped(a, c):
    hung = Responder(c, ["person"], lambda data: None)
    for _ in range(2):
        result, took = ask(a, "person", timeout_ms=1000)
        answer = answer_of(result, "c")
        check(answer["silent_responders"] == 1 and answer["results"], f"the others' results come: {answer}")
        check(result["complete"] and took < 1, f"in time: {took}")
    answer = answer_of(ask(a, "person", timeout_ms=1000)[0], "c")
    check(answer.get("skipped_responders") == 1 and "silent_responders" not in answer, str(answer))
    check(any("does not answer" in text for text in c.call("mesh.status")["warnings"]), "it is shown")
    check(len(hung.requests) == 2, f"asked {len(hung.requests)} times")
    hung.close()
    wait_until(lambda: not any("does not answer" in text for text in c.call("mesh.status")["warnings"]),
               "the warning goes with it")


def a_dying_one_is_not_waited_for(a, b):
    dying = Responder(b, ["person"], lambda data: dying.rpc.sock.shutdown(2))
    result, took = ask(a, "person", timeout_ms=20_000)
    check(answer_of(result, "b").get("silent_responders") == 1 and took < 10, f"{took}: {result}")
    dying.thread.join(5)
    check("silent_responders" not in answer_of(ask(a, "person")[0], "b"), "it is gone")


def a_flooding_one_is_cut(a, b):
    flooding = Responder(b, ["person"], lambda data: [{"text": "x" * 600, "n": n} for n in range(90)])
    result, _ = ask(a, "person", limit=5)
    answer = answer_of(result, "b")
    check(len(answer["results"]) == 5 and answer["truncated"] and result["truncated"], str(answer)[:300])
    check({"hash": "p", "score": 0.5} in answer["results"], "the other's result is among them")
    flooding.answer = lambda data: [{"text": "x" * 100_000}]
    answer = answer_of(ask(a, "person", timeout_ms=1000)[0], "b")
    check(answer["results"] == [{"hash": "p", "score": 0.5}] and answer["silent_responders"] == 1, str(answer)[:300])
    check(TOO_LARGE in flooding.errors, f"it is told: {flooding.errors}")
    try:
        b.call("search.answer", search="0123456789abcdef", results=[])
        check(False, "an answer to no search is taken")
    except RpcError as error:
        check(error.code == UNKNOWN_SEARCH, str(error))
    flooding.close()


def run(lab):
    host = lab.host("h")
    a, b, c = boxes = [lab.box(host, "--set", "mesh.interfaces=[lo]", node_id=name) for name in "abc"]
    for box in boxes:
        box.ready()
    wait_settled_lan(boxes)
    all_answer(a, b, c)
    a_hung_one_is_skipped(a, c)
    a_dying_one_is_not_waited_for(a, b)
    a_flooding_one_is_cut(a, b)


if __name__ == "__main__":
    scenario(run)

# SPDX-License-Identifier: Apache-2.0
"""What scenarios say about searches: who answered, with what."""
import threading
import time

from lab import check
from rpc import Rpc, RpcError

# Above any wait of a call, so that what ends a call is never the socket.
SOCKET_SECONDS = 75


def names(boxes):
    return sorted(box.node_id for box in boxes)


def search(box, search_type, query, **params):
    """search.query on a connection of its own; the reply."""
    rpc = Rpc(box.socket, timeout=SOCKET_SECONDS)
    try:
        return rpc.call("search.query", search_type=search_type, query=query, **params)
    finally:
        rpc.close()


def answered(reply):
    """{node id: results} of the boxes that answered themselves."""
    return {answer["node_id"]: answer["results"] for answer in reply["answers"]
            if not answer.get("stale") and not answer.get("refused")}


def stale(reply):
    return {answer["node_id"]: answer["results"] for answer in reply["answers"] if answer.get("stale")}


def check_complete(reply, boxes):
    """All of these boxes have answered, and nobody else was asked in vain."""
    check(reply["complete"] is True and not reply["silent"] and not reply["unreachable"],
          lambda: f"not complete: {reply}")
    check(sorted(answered(reply)) == names(boxes), lambda: f"{sorted(answered(reply))} answered")


class Later:
    """A call in a thread of its own. Joined by result() or error()."""

    def __init__(self, call, *arguments, **params):
        self.started = time.monotonic()
        self.value, self.failure, self.took = None, None, None

        def run():
            try:
                self.value = call(*arguments, **params)
            except (RpcError, OSError, EOFError) as failure:
                self.failure = failure
            self.took = time.monotonic() - self.started

        self.thread = threading.Thread(target=run, daemon=True)
        self.thread.start()

    def is_done(self):
        return not self.thread.is_alive()

    def result(self, timeout=SOCKET_SECONDS):
        self.thread.join(timeout)
        check(self.is_done(), "a call never returned")
        if self.failure is not None:
            raise self.failure
        return self.value


def refusal(call, *arguments, **params):
    """The RpcError of a call that must fail."""
    try:
        value = call(*arguments, **params)
    except RpcError as error:
        return error
    check(False, f"not refused: {value}")
    return None

# SPDX-License-Identifier: Apache-2.0
"""A local program that answers searches, beside one box."""
import json
import socket
import threading

from rpc import Rpc


class Responder:
    """Serves these types at a box until close(). `answer` gets the data of a search.request event and returns
    the results, or None to say nothing at all. `requests` are the requests so far, `errors` the codes of what the
    daemon refused."""

    def __init__(self, box, types, answer):
        self.answer = answer
        self.requests, self.errors = [], []
        self.rpc = Rpc(box.socket)
        self.rpc.call("search.serve", types=list(types))
        # Now it is the thread's alone, which waits for requests as long as it takes.
        self.rpc.sock.settimeout(None)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            while True:
                message = json.loads(self.rpc.read_line())
                if message.get("method") != "event":
                    self.errors += [message["error"]["code"]] if "error" in message else []
                    continue
                data = message["params"]["data"]
                self.requests.append(data)
                results = self.answer(data)
                if results is not None:
                    self.rpc.send_raw(json.dumps({
                        "jsonrpc": "2.0", "id": f"answer {len(self.requests)}", "method": "search.answer",
                        "params": {"search": data["search"], "results": results}}).encode() + b"\n")
        except (OSError, EOFError, ValueError):
            pass

    def close(self):
        """As a program that ends."""
        try:
            # Wakes the thread, so that the daemon sees the end.
            self.rpc.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.thread.join(5)
        self.rpc.close()

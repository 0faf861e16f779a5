# SPDX-License-Identifier: Apache-2.0
"""A local program that answers searches, beside one box."""
import json
import threading

from rpc import Rpc


class Responder:
    """Serves these types at a box until close(). `answer` gets the data of a search.request event and returns
    the results, or None to say nothing at all."""

    def __init__(self, box, types, answer):
        self.answer = answer
        self.requests = []
        self.rpc = Rpc(box.socket)
        self.serving = self.rpc.call("search.serve", types=list(types))["types"]
        # Now it is the thread's alone, which waits for requests as long as it takes.
        self.rpc.sock.settimeout(None)
        self.replies = []
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            while True:
                message = json.loads(self.rpc.read_line())
                if message.get("method") != "event":
                    self.replies.append(message)
                    continue
                params = message["params"]
                if params["kind"] != "search.request":
                    continue
                data = params["data"]
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
            self.rpc.sock.shutdown(2)
        except OSError:
            pass
        self.thread.join(5)
        self.rpc.close()

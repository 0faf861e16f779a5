# SPDX-License-Identifier: Apache-2.0
"""A daemon by script: answers calls as a test says, tells events, goes away and comes back."""
import json
import os
import socket
import tempfile
import threading


class Refusal(Exception):
    """Makes a call end with this error."""

    def __init__(self, code, message, data=None):
        super().__init__(message)
        self.error = {"code": code, "message": message, **({} if data is None else {"data": data})}


class Client:
    """One connection, as the daemon sees it."""

    def __init__(self, daemon, sock):
        self.daemon = daemon
        self.sock = sock
        self.subscriptions = {}  # name -> params
        self.sending = threading.Lock()

    def send(self, message):
        with self.sending:
            try:
                self.sock.sendall(json.dumps(message).encode() + b"\n")
            except OSError:
                pass

    def work(self):
        with self.sock, self.sock.makefile("rb") as lines:
            try:
                for line in lines:
                    self.daemon._answer(self, json.loads(line))
            except OSError:
                pass


class FakeDaemon:
    """`methods`: name -> function(params) that returns the result, raises Refusal, or returns None for no
    answer at all. `calls`: [(method, params)] in order. Events told are numbered and kept, so that `since` and
    `replay` find them."""

    def __init__(self, path=None, **methods):
        self.directory = tempfile.TemporaryDirectory(prefix="meshd-fake-")
        self.path = path or os.path.join(self.directory.name, "meshd.sock")
        self.methods = {name.replace("__", "."): function for name, function in methods.items()}
        self.methods.setdefault("mesh.status", lambda params: {"node_id": "fake"})
        self.calls = []
        self.changed = threading.Condition()
        self.clients = []
        self.held = []  # params of events told, oldest first
        self.start_id = 1
        self.names = 0
        self.listener = None
        self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        self.directory.cleanup()

    def start(self):
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(self.path)
        self.listener.listen(16)
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def stop(self):
        """As a daemon that ends: no socket, no connections."""
        if self.listener is None:
            return
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.listener = None
        os.unlink(self.path)
        self.cut()

    def cut(self):
        """Ends all connections; the daemon lives."""
        with self.changed:
            clients, self.clients = self.clients, []
        for client in clients:
            try:
                client.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def tell(self, kind, data, cursor=None, hold=True):
        """An event, to all that subscribed to its kind."""
        with self.changed:
            if kind.startswith("search."):
                # These are not numbered: they go to one connection alone, with the cursor of the moment.
                cursor, hold = f"c{len(self.held)}", False
            params = {"kind": kind, "cursor": cursor or f"c{len(self.held) + 1}", "timestamp_ms": 1700000000000,
                      "data": data}
            if hold:
                self.held.append(params)
            for client in self.clients:
                for name, wanted in client.subscriptions.items():
                    if _fits(kind, wanted):
                        client.send(_event(name, params))
        return params["cursor"]

    def asked(self, method):
        """Params of all calls of a method so far."""
        with self.changed:
            return [params for name, params in self.calls if name == method]

    def wait_asked(self, method, number=1, timeout=5):
        with self.changed:
            ok = self.changed.wait_for(
                lambda: sum(name == method for name, _ in self.calls) >= number, timeout)
        assert ok, f"{method} was not asked {number} times: {self.calls}"
        return self.asked(method)

    def _accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            client = Client(self, sock)
            with self.changed:
                if self.listener is not listener:  # stopped in the meantime, and nobody would cut it
                    sock.close()
                    return
                self.clients.append(client)
            threading.Thread(target=client.work, daemon=True).start()

    def _answer(self, client, request):
        method, params = request["method"], request.get("params", {})
        with self.changed:
            self.calls.append((method, params))
            self.changed.notify_all()
            if method == "events.subscribe" and method not in self.methods:
                return self._subscribe(client, request["id"], params)
            if method == "events.unsubscribe" and method not in self.methods:
                found = client.subscriptions.pop(params["subscription"], None)
                return client.send({"jsonrpc": "2.0", "id": request["id"],
                                    "result": {"unsubscribed": found is not None}})
        function = self.methods.get(method)
        try:
            if function is None:
                raise Refusal(-32601, f"no method {method}")
            result = function(params)
        except Refusal as refusal:
            return client.send({"jsonrpc": "2.0", "id": request["id"], "error": refusal.error})
        if result is not None:
            client.send({"jsonrpc": "2.0", "id": request["id"], "result": result})

    def _subscribe(self, client, request_id, params):
        self.names += 1
        name = str(self.names)
        client.subscriptions[name] = params
        cursor = self.held[-1]["cursor"] if self.held else "c0"
        client.send({"jsonrpc": "2.0", "id": request_id, "result": {"subscription": name, "cursor": cursor}})
        past = []
        if params.get("replay"):
            past = self.held
        elif "since" in params:
            cursors = [event["cursor"] for event in self.held]
            past = self.held[cursors.index(params["since"]) + 1:] if params["since"] in cursors else self.held
        for event in past:
            if _fits(event["kind"], params):
                client.send(_event(name, event))


def _fits(kind, params):
    kinds = params.get("kinds")
    return not kinds or kind == "lagged" or any(kind == k or kind.startswith(k + ".") for k in kinds)


def _event(name, params):
    return {"jsonrpc": "2.0", "method": "event", "params": {"subscription": name, **params}}


def alert(number, **more):
    """An alert event's data."""
    return {"id": f"box.0123456789abcdef.{number}", "source": "box", "seq": number, "priority": "normal",
            "timestamp_ms": 1700000000000, "age_ms": 0, "alert": {"n": number}, "hops": 1, "path": ["box", "fake"],
            "replayed": False, **more}

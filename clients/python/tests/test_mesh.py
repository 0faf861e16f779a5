# SPDX-License-Identifier: Apache-2.0
"""The synchronous client against a daemon by script."""
import logging
import os
import threading
import time
import unittest
from unittest import mock

import meshd
from meshd import Mesh
from meshd import _socket_path, events

from fake_daemon import FakeDaemon, Refusal, alert

PATIENCE = 5


def collect(subscription, number):
    """The next events; fails where they do not come."""
    got = []
    while len(got) < number:
        event = subscription.get(PATIENCE)
        assert event is not None, f"{len(got)} events instead of {number}: {got}"
        got.append(event)
    return got


class SocketTest(unittest.TestCase):
    def test_candidates(self):
        env = {"MESHD_SOCKET": "/m", "XDG_RUNTIME_DIR": "/x"}
        self.assertEqual(_socket_path.socket_candidates("/o", env), ["/o"])
        self.assertEqual(_socket_path.socket_candidates(None, env), ["/m"])
        del env["MESHD_SOCKET"]
        self.assertEqual(_socket_path.socket_candidates(None, env),
                         ["/run/meshd/meshd.sock", "/x/meshd/meshd.sock"])

    def test_the_first_that_connects(self):
        with FakeDaemon() as daemon:
            with mock.patch("meshd.mesh.socket_candidates", return_value=["/nowhere/a", daemon.path]):
                with Mesh() as mesh:
                    self.assertEqual(mesh.status()["node_id"], "fake")
            with mock.patch.dict(os.environ, MESHD_SOCKET=daemon.path), Mesh() as mesh:
                self.assertEqual(mesh.status()["node_id"], "fake")

    def test_no_daemon_names_what_was_tried(self):
        with self.assertRaises(meshd.NoDaemon) as caught:
            Mesh("/nowhere/meshd.sock")
        self.assertIn("/nowhere/meshd.sock", str(caught.exception))
        self.assertIsInstance(caught.exception, ConnectionError)


class CallTest(unittest.TestCase):
    def test_calls_carry_what_was_given(self):
        entry = {"hash": "h", "node": "a", "embedding": {"f16": "ADwAAA=="}}
        with FakeDaemon(
            mesh__nodes=lambda p: {"nodes": [{"node_id": "a"}]},
            mesh__peers=lambda p: {"peers": []},
            mesh__stats=lambda p: {"alive_peers": 2},
            alerts__raise=lambda p: {"id": "x"},
            state__get=lambda p: {"state": {"zone": "yard"}},
            state__update=lambda p: {"state": {"zone": "yard"}},
            registry__put=lambda p: {"stored": len(p.get("entries", [0])), "durable": False},
            registry__get=lambda p: {"entries": [dict(entry)], "next": None},
            registry__delete=lambda p: {"deleted": 1},
            registry__nearest=lambda p: (
                {"results": [{"matches": [dict(entry)]}]} if "embeddings" in p else {"matches": [{"hash": "h", "score": 1}]}),
            search__query=lambda p: {"answers": [], "complete": True},
            notes__send=lambda p: {}, notes__broadcast=lambda p: {},
            mesh__ping=lambda p: {"rtt_ms": 1}, mesh__trace=lambda p: {"hops": [{"node_id": "b"}]},
        ) as daemon, Mesh(daemon.path) as mesh:
            self.assertEqual(mesh.nodes(state=True), [{"node_id": "a"}])
            self.assertEqual(mesh.peers(), [])
            self.assertEqual(mesh.stats(), {"alive_peers": 2})
            self.assertEqual(mesh.alert({"what": "smoke"}, priority="high", wait_ms=10), {"id": "x"})
            self.assertEqual(mesh.state.get("a"), {"zone": "yard"})
            self.assertEqual(mesh.state.update({"zone": "yard"}, activity="IDLE"), {"zone": "yard"})
            self.assertEqual(mesh.shared["zone"], "yard")
            self.assertEqual(mesh.shared.get("other", 7), 7)
            mesh.shared["zone"] = "gate"
            del mesh.shared["zone"]
            mesh.registry.put("h", "face", [1, 0], {"camera": 2}, ttl_ms=5)
            self.assertEqual(mesh.registry.get("h", embedding=True)[0]["embedding"], [1.0, 0.0])
            self.assertEqual(mesh.registry.delete("h"), 1)
            self.assertEqual(mesh.registry.nearest([1, 0], k=1, type="face", nodes="a")[0]["hash"], "h")
            self.assertEqual(mesh.registry.nearest_many([[1, 0]], k=1)[0][0]["embedding"], [1, 0])
            mesh.search({"embedding": [1, 0]}, "embedding", timeout_ms=100)
            mesh.notes.send("b", {"hi": 1}, timeout_ms=50)
            mesh.notes.broadcast("greetings", {"hi": 1})
            self.assertEqual(mesh.ping("b"), {"rtt_ms": 1})
            self.assertEqual(mesh.trace("b")["hops"], [{"node_id": "b"}])
            self.assertEqual(mesh.call("mesh.status")["node_id"], "fake")
            asked = dict(daemon.calls)
            self.assertEqual(asked["alerts.raise"], {"alert": {"what": "smoke"}, "priority": "high", "wait_ms": 10})
            self.assertEqual(asked["registry.put"], {
                "hash": "h", "type": "face", "space": "default", "embedding": {"f16": "ADwAAA=="},
                "metadata": {"camera": 2}, "ttl_ms": 5})
            self.assertEqual(daemon.asked("state.update"), [
                {"patch": {"zone": "yard"}, "activity": "IDLE"}, {"scope": "mesh", "patch": {"zone": "gate"}},
                {"scope": "mesh", "patch": {"zone": None}}])
            self.assertEqual(daemon.asked("registry.nearest")[0], {
                "embedding": {"f16": "ADwAAA=="}, "space": "default", "k": 1, "type": "face", "nodes": ["a"]})
            self.assertEqual(asked["search.query"]["query"], {
                "embedding": {"f16": "ADwAAA=="}, "space": "default"})

    def test_many_entries_go_in_calls_that_are_small_enough(self):
        with FakeDaemon(registry__put=lambda p: {"stored": len(p["entries"]), "durable": False}) as daemon, \
                Mesh(daemon.path) as mesh:
            entries = [{"hash": str(i), "type": "face", "embedding": [1.0] * 512} for i in range(1500)]
            self.assertEqual(mesh.registry.put_many(entries), 1500)
            sizes = [len(params["entries"]) for params in daemon.asked("registry.put")]
            self.assertEqual(sum(sizes), 1500)
            self.assertGreater(len(sizes), 2)
            self.assertEqual(mesh.registry.put_many([]), 0)
            self.assertEqual(mesh.registry.put_many({"hash": str(i), "type": "a"} for i in range(2001)), 2001)
            self.assertLessEqual(max(len(p["entries"]) for p in daemon.asked("registry.put")), 1000)

    def test_listings_are_walked_page_by_page(self):
        def listing(params):
            first = int(params.get("after", 0))
            last = min(first + params["limit"], 2500)
            return {"entries": [{"hash": str(i)} for i in range(first, last)],
                    "next": None if last == 2500 else str(last)}

        with FakeDaemon(registry__list=listing) as daemon, Mesh(daemon.path) as mesh:
            self.assertEqual([e["hash"] for e in mesh.registry.list()], [str(i) for i in range(2500)])
            self.assertEqual(len(mesh.registry.list(type="a", limit=1001)), 1001)
            self.assertEqual(daemon.calls[-1][1], {"type": "a", "limit": 1, "after": "1000"})

    def test_errors_are_exceptions(self):
        def refuse(code, data=None):
            def function(_params):
                raise Refusal(code, "no", data)
            return function

        with FakeDaemon(
            mesh__node=refuse(100), registry__get=refuse(300), alerts__get=refuse(401),
            alerts__raise=refuse(900, {"retry_after_ms": 40}), mesh__leave=refuse(901),
            state__update=refuse(-32602, {"field": "patch"}), mesh__routes=refuse(777),
        ) as daemon, Mesh(daemon.path) as mesh:
            for call, error in ((lambda: mesh.node("x"), meshd.UnknownNode),
                                (lambda: mesh.registry.get("x"), meshd.UnknownEntry),
                                (lambda: mesh.alerts.get("x"), meshd.UnknownAlert),
                                (mesh.leave, meshd.NotPermitted), (mesh.routes, meshd.RpcError),
                                (lambda: mesh.call("no.such"), meshd.MethodNotFound)):
                with self.assertRaises(error):
                    call()
            with self.assertRaises(meshd.Overloaded) as caught:
                mesh.alert({})
            self.assertEqual((caught.exception.code, caught.exception.retry_after_ms), (900, 40))
            with self.assertRaises(meshd.InvalidParams) as caught:
                mesh.state.update({})
            self.assertEqual(caught.exception.field, "patch")

    def test_no_reply_is_a_timeout_and_a_late_one_harms_nobody(self):
        with FakeDaemon(mesh__stats=lambda p: None) as daemon, Mesh(daemon.path, timeout=0.05) as mesh:
            with self.assertRaises(meshd.Timeout):
                mesh.stats()
            daemon.clients[0].send({"jsonrpc": "2.0", "id": 1, "result": {}})
            mesh.timeout = PATIENCE
            self.assertEqual(mesh.status()["node_id"], "fake")

    def test_replies_find_their_callers_in_any_order(self):
        gate = threading.Event()

        def wait_for_gate(_params):
            def later():
                gate.wait(PATIENCE)
                daemon.clients[0].send({"jsonrpc": "2.0", "id": 1, "result": {"slow": True}})
            threading.Thread(target=later).start()

        with FakeDaemon(mesh__stats=wait_for_gate) as daemon, Mesh(daemon.path) as mesh:
            slow = []
            thread = threading.Thread(target=lambda: slow.append(mesh.stats()))
            thread.start()
            daemon.wait_asked("mesh.stats")
            self.assertEqual(mesh.status()["node_id"], "fake")
            gate.set()
            thread.join(PATIENCE)
            self.assertEqual(slow, [{"slow": True}])

    def test_params_that_are_no_json_are_refused_before_anything_is_sent(self):
        with FakeDaemon() as daemon, Mesh(daemon.path) as mesh:
            for value in (float("nan"), object()):
                with self.assertRaises((TypeError, ValueError)):
                    mesh.alert({"what": value})
            self.assertEqual(daemon.calls, [])


class ReconnectTest(unittest.TestCase):
    def test_a_call_finds_a_daemon_that_was_restarted(self):
        with FakeDaemon() as daemon, Mesh(daemon.path) as mesh:
            mesh.status()
            daemon.stop()
            daemon.start()
            self.assertEqual(mesh.status()["node_id"], "fake")

    def test_a_call_waits_for_a_daemon_that_is_away(self):
        with FakeDaemon() as daemon, Mesh(daemon.path) as mesh:
            daemon.stop()
            timer = threading.Timer(0.2, daemon.start)
            timer.start()
            self.assertEqual(mesh.status()["node_id"], "fake")
            timer.join()

    def test_a_daemon_that_stays_away_is_said(self):
        with FakeDaemon() as daemon, Mesh(daemon.path, reconnect=0.1) as mesh:
            daemon.stop()
            with self.assertRaises(meshd.MeshError):
                mesh.alert({})
            with self.assertRaises(meshd.NoDaemon):
                mesh.status()

    def test_a_call_that_may_have_taken_effect_is_not_repeated(self):
        def cut(_params):
            daemon.cut()

        with FakeDaemon(alerts__raise=cut) as daemon, Mesh(daemon.path) as mesh:
            with self.assertRaises(meshd.Disconnected):
                mesh.alert({"what": "smoke"})
            self.assertEqual(len(daemon.asked("alerts.raise")), 1)

    def test_a_question_is_asked_again(self):
        def cut_once(_params):
            if len(daemon.asked("mesh.stats")) == 1:
                return daemon.cut()
            return {"ok": True}

        with FakeDaemon(mesh__stats=cut_once) as daemon, Mesh(daemon.path) as mesh:
            self.assertEqual(mesh.stats(), {"ok": True})

    def test_closing_ends_waiting_calls_and_iterators(self):
        with FakeDaemon(mesh__stats=lambda p: None) as daemon:
            mesh = Mesh(daemon.path)
            subscription = mesh.subscribe("alert")
            ended = []

            def wait(what):
                try:
                    ended.append(what())
                except meshd.Disconnected as error:
                    ended.append(error)

            threads = [threading.Thread(target=wait, args=(what,))
                       for what in (mesh.stats, lambda: list(subscription))]
            for thread in threads:
                thread.start()
            daemon.wait_asked("mesh.stats")
            mesh.close()
            for thread in threads:
                thread.join(PATIENCE)
            self.assertEqual(len(ended), 2)
            with self.assertRaises(meshd.Disconnected):
                mesh.status()

    def test_garbage_ends_the_connection_not_the_client(self):
        with FakeDaemon() as daemon, Mesh(daemon.path) as mesh, self.assertLogs("meshd", logging.ERROR):
            with mesh.subscribe("alert") as subscription:
                daemon.clients[0].sock.sendall(b"no json\n")
                daemon.wait_asked("events.subscribe", 2)
                daemon.tell("alert", alert(1))
                self.assertEqual(collect(subscription, 1)[0]["seq"], 1)

    def test_a_refused_connection_says_why(self):
        with FakeDaemon(mesh__stats=lambda p: None) as daemon, Mesh(daemon.path, timeout=PATIENCE) as mesh:
            def refuse():
                daemon.wait_asked("mesh.stats")
                daemon.clients[0].send({"jsonrpc": "2.0", "id": None,
                                        "error": {"code": 900, "message": "too many connections"}})
                daemon.cut()

            thread = threading.Thread(target=refuse)
            thread.start()
            with self.assertRaises(meshd.Overloaded):
                mesh.stats()
            thread.join(PATIENCE)


class EventTest(unittest.TestCase):
    def test_a_handler_gets_events_in_order(self):
        got = []
        done = threading.Event()
        with FakeDaemon() as daemon, Mesh(daemon.path) as mesh:
            @mesh.on("alert", priority="high")
            def take(event):
                got.append(event["seq"])
                if len(got) == 100:
                    done.set()

            for i in range(100):
                daemon.tell("alert", alert(i))
            self.assertTrue(done.wait(PATIENCE))
            self.assertEqual(got, list(range(100)))
            self.assertEqual(daemon.asked("events.subscribe"), [{"kinds": ["alert"], "priority": "high"}])
            self.assertTrue(callable(take))

    def test_a_handler_may_call_and_may_fail(self):
        done = threading.Event()
        with FakeDaemon() as daemon, Mesh(daemon.path) as mesh, self.assertLogs("meshd", logging.ERROR):
            @mesh.on("alert")
            def take(event):
                mesh.status()
                if event["seq"] == 1:
                    raise ValueError("a mistake")
                done.set()

            daemon.tell("alert", alert(1))
            daemon.tell("alert", alert(2))
            self.assertTrue(done.wait(PATIENCE))

    def test_events_go_on_after_a_reconnect_each_once(self):
        with FakeDaemon() as daemon, Mesh(daemon.path) as mesh:
            subscription = mesh.subscribe("alert")
            daemon.tell("alert", alert(1))
            collect(subscription, 1)
            daemon.stop()
            daemon.tell("alert", alert(2))
            # A daemon that was restarted tells some again, under another cursor.
            daemon.tell("alert", alert(1, replayed=True))
            daemon.start()
            daemon.wait_asked("events.subscribe", 2)
            daemon.tell("alert", alert(3))
            self.assertEqual([event["seq"] for event in collect(subscription, 2)], [2, 3])
            self.assertEqual(daemon.asked("events.subscribe")[1], {"kinds": ["alert"], "since": "c1"})

    def test_nothing_is_missed_where_the_connection_ends_before_the_first_event(self):
        with FakeDaemon() as daemon, Mesh(daemon.path) as mesh:
            daemon.tell("alert", alert(1))
            subscription = mesh.subscribe("alert")
            daemon.cut()
            daemon.tell("alert", alert(2))
            self.assertEqual(collect(subscription, 1)[0]["seq"], 2)
            self.assertEqual(daemon.asked("events.subscribe")[1]["since"], "c1")

    def test_a_cursor_is_of_the_last_event_worked_off(self):
        with FakeDaemon() as daemon, Mesh(daemon.path) as mesh:
            subscription = mesh.subscribe("alert")
            self.assertEqual(subscription.cursor, "c0")
            first = daemon.tell("alert", alert(1))
            daemon.tell("alert", alert(2))
            collect(subscription, 1)
            self.assertEqual(subscription.cursor, "c0")
            collect(subscription, 1)
            self.assertEqual(subscription.cursor, first)

    def test_the_past_comes_to_who_asks(self):
        with FakeDaemon() as daemon, Mesh(daemon.path) as mesh:
            for i in range(3):
                daemon.tell("alert", alert(i))
            self.assertEqual([e["seq"] for e in collect(mesh.subscribe("alert", replay=True), 3)], [0, 1, 2])
            self.assertEqual([e["seq"] for e in collect(mesh.subscribe("alert", since="c2"), 1)], [2])

    def test_a_slow_reader_costs_no_memory_and_misses_nothing(self):
        with mock.patch.object(events, "QUEUE_MAX", 10), FakeDaemon() as daemon, Mesh(daemon.path) as mesh:
            subscription = mesh.subscribe("alert")
            for i in range(100):
                daemon.tell("alert", alert(i))
            mesh.status()
            self.assertLessEqual(len(subscription._queue), 10)
            self.assertEqual([event["seq"] for event in collect(subscription, 100)], list(range(100)))

    def test_what_the_daemon_dropped_is_asked_for(self):
        with FakeDaemon() as daemon, Mesh(daemon.path) as mesh:
            subscription = mesh.subscribe("alert")
            daemon.tell("alert", alert(1))
            collect(subscription, 1)
            daemon.tell("lagged", {"lost": 5, "since": "c1"}, cursor="c1", hold=False)
            daemon.tell("alert", alert(2))
            self.assertEqual(collect(subscription, 1)[0]["seq"], 2)
            self.assertEqual(daemon.asked("events.subscribe")[1]["since"], "c1")
            self.assertEqual(subscription.lost, 0)

    def test_what_is_lost_is_counted(self):
        with FakeDaemon() as daemon, Mesh(daemon.path) as mesh, self.assertLogs("meshd", logging.WARNING):
            subscription = mesh.subscribe("node", "lagged", since="c0")
            daemon.tell("lagged", {"lost": 5, "since": "c1"}, cursor="c1", hold=False)
            daemon.tell("node.joined", {"node_id": "b", "because": None})
            self.assertEqual([event.kind for event in collect(subscription, 2)], ["lagged", "node.joined"])
            self.assertEqual(subscription.lost, 5)

    def test_a_closed_subscription_ends_at_the_daemon_too(self):
        with FakeDaemon() as daemon, Mesh(daemon.path) as mesh:
            with mesh.subscribe("alert"):
                pass
            self.assertEqual(daemon.asked("events.unsubscribe"), [{"subscription": "1"}])
            daemon.cut()
            mesh.status()
            self.assertEqual(len(daemon.asked("events.subscribe")), 1)

    def test_a_refused_subscription_is_an_exception(self):
        def refuse(_params):
            raise Refusal(-32602, "no such kind", {"field": "kinds"})

        with FakeDaemon(events__subscribe=refuse) as daemon, Mesh(daemon.path) as mesh:
            with self.assertRaises(meshd.InvalidParams):
                mesh.subscribe("alrt")

    def test_an_event_reads_like_its_data(self):
        event = meshd.Event({"kind": "alert", "cursor": "c", "timestamp_ms": 1, "data": {"a": 1}})
        self.assertEqual((event["a"], event.get("b", 2), "a" in event, dict(event.data)), (1, 2, True, {"a": 1}))
        self.assertIn("alert", repr(event))


class ServeTest(unittest.TestCase):
    REQUEST = {"search": "s1", "search_type": "person", "query": {"colour": "red"}, "source": "b", "timeout_ms": 2000}

    def test_a_responder_answers(self):
        with FakeDaemon(search__serve=lambda p: {}, search__answer=lambda p: {}) as daemon, Mesh(daemon.path) as mesh:
            @mesh.serve("person")
            def find(request):
                return {"name": "Ann", "colour": request["colour"], "score": 0.5}

            daemon.tell("search.request", self.REQUEST)
            self.assertEqual(daemon.wait_asked("search.answer"), [
                {"search": "s1", "results": [{"name": "Ann", "colour": "red", "score": 0.5}]}])
            self.assertEqual(daemon.asked("search.serve"), [{"types": ["person"]}])
            self.assertTrue(callable(find))

    def test_it_serves_on_after_a_reconnect(self):
        with FakeDaemon(search__serve=lambda p: {}, search__answer=lambda p: {}) as daemon, Mesh(daemon.path) as mesh:
            mesh.serve("person", lambda request: None)
            mesh.serve("car", lambda request: [1, 2])
            self.assertEqual(daemon.asked("search.serve")[-1], {"types": ["car", "person"]})
            daemon.stop()
            daemon.start()
            daemon.wait_asked("search.serve", 3)
            daemon.tell("search.request", dict(self.REQUEST, search_type="car"))
            self.assertEqual(daemon.wait_asked("search.answer")[0]["results"], [{"result": 1}, {"result": 2}])

    def test_a_daemon_that_came_back_without_searches_does_not_end_the_rest(self):
        with FakeDaemon(search__serve=lambda p: {}) as daemon, Mesh(daemon.path) as mesh:
            mesh.serve("person", lambda request: None)
            alerts = mesh.subscribe("alert")
            with self.assertLogs("meshd", logging.ERROR):
                daemon.stop()
                del daemon.methods["search.serve"]
                daemon.start()
                daemon.wait_asked("search.serve", 2)
                mesh.subscribe("node")  # waits for its turn behind the others
            daemon.tell("alert", alert(1))
            self.assertEqual(collect(alerts, 1)[0]["seq"], 1)

    def test_a_failing_handler_still_answers(self):
        def fail(_request):
            raise KeyError("colour")

        with FakeDaemon(search__serve=lambda p: {}, search__answer=lambda p: {}) as daemon, \
                Mesh(daemon.path) as mesh, self.assertLogs("meshd", logging.ERROR):
            mesh.serve("person", fail)
            daemon.tell("search.request", self.REQUEST)
            self.assertEqual(daemon.wait_asked("search.answer")[0]["results"], [])

    def test_each_request_is_answered_though_their_cursors_are_equal(self):
        with FakeDaemon(search__serve=lambda p: {}, search__answer=lambda p: {}) as daemon, Mesh(daemon.path) as mesh:
            mesh.serve("person", lambda request: [])
            for search in ("s1", "s2"):
                daemon.tell("search.request", dict(self.REQUEST, search=search))
            self.assertEqual([p["search"] for p in daemon.wait_asked("search.answer", 2)], ["s1", "s2"])

    def test_an_answer_that_is_too_large_is_cut(self):
        def answer(params):
            if len(params["results"]) > 2:
                raise Refusal(502, "too large")
            return {"accepted": len(params["results"])}

        with FakeDaemon(search__serve=lambda p: {}, search__answer=answer) as daemon, \
                Mesh(daemon.path) as mesh, self.assertLogs("meshd", logging.WARNING):
            mesh.serve("person", lambda request: [{"n": i} for i in range(9)])
            daemon.tell("search.request", self.REQUEST)
            sizes = [len(params["results"]) for params in daemon.wait_asked("search.answer", 3)]
            self.assertEqual(sizes, [9, 4, 2])

    def test_a_slow_type_holds_up_no_other(self):
        gate = threading.Event()
        with FakeDaemon(search__serve=lambda p: {}, search__answer=lambda p: {}) as daemon, Mesh(daemon.path) as mesh:
            mesh.serve("person", lambda request: gate.wait(PATIENCE) and None)
            mesh.serve("car", lambda request: [])
            daemon.tell("search.request", self.REQUEST)
            daemon.tell("search.request", dict(self.REQUEST, search="s2", search_type="car"))
            self.assertEqual(daemon.wait_asked("search.answer")[0]["search"], "s2")
            gate.set()

    def test_who_gave_up_is_not_answered(self):
        request = meshd.SearchRequest(dict(self.REQUEST, timeout_ms=0))
        time.sleep(0.001)
        self.assertTrue(request.is_late)
        self.assertFalse(meshd.SearchRequest(self.REQUEST).is_late)


if __name__ == "__main__":
    unittest.main()

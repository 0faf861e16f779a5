# SPDX-License-Identifier: Apache-2.0
"""The predecessor's calls, against a daemon by script and a program by script."""
import logging
import os
import pathlib
import queue
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import warnings
from unittest import mock

import meshd
from meshd import MeshProtocol, MessageType, NodeState

from fake_daemon import FakeDaemon, Refusal, alert

PATIENCE = 5
HERE = pathlib.Path(__file__).resolve().parent

NODES = [
    {"node_id": "box-1", "status": "alive", "activity": "ACTIVE", "hops": 0, "address": None, "state": {}},
    {"node_id": "box-2", "status": "alive", "activity": "PROCESSING", "hops": 1, "address": "10.0.0.2:9999",
     "rtt_ms": 0.4, "last_seen_ms": 100, "state": {"fps": 25, "battery_level": 0.5}},
    {"node_id": "box-3", "status": "offline", "activity": "OFFLINE", "hops": None, "address": "10.0.0.3:9999",
     "state": None},
]
ENTRY = {"hash": "hash_123", "node": "box-2", "type": "person", "timestamp_ms": 1700000000000, "metadata": {"a": 1},
         "embedding": {"f16": "ADwAAA=="}}


def node(params):
    for entry in NODES:
        if entry["node_id"] == params["node_id"]:
            return {**entry, "addresses": ["10.0.0.1:9999"]}
    raise Refusal(100, "no such node")


def registry_get(params):
    if params["hash"] != "hash_123":
        raise Refusal(300, "no such entry")
    return {"entries": [dict(ENTRY)], "next": None}


def box(**more):
    methods = {
        "mesh.status": lambda p: {"node_id": "box-1", "left": False},
        "mesh.nodes": lambda p: {"nodes": NODES}, "mesh.node": node, "mesh.discover": lambda p: {},
        "mesh.stats": lambda p: {"node_id": "box-1", "alive_peers": 1, "total_peers": 2, "is_running": True,
                                 "messages_sent": 7, "alerts_sent": 1, "datagrams_sent": 9},
        "state.update": lambda p: {"state": {}},
        "state.get": lambda p: {"node_id": p.get("node_id", "box-1"), "state": {"fps": 30}, "age_ms": 1000},
        "registry.put": lambda p: {"stored": 1, "durable": False}, "registry.get": registry_get,
        "registry.list": lambda p: {"entries": [dict(ENTRY)], "next": None},
        "alerts.raise": lambda p: {"id": "x"}, "search.serve": lambda p: {}, "search.answer": lambda p: {},
        "search.query": lambda p: {"answers": [{"node_id": "box-2", "results": [1]}], "complete": True},
        "notes.broadcast": lambda p: {"sent": True}, "notes.send": lambda p: {"acknowledged": True},
    }
    methods.update({name.replace("__", "."): function for name, function in more.items()})
    return FakeDaemon(**methods)


class DropInTest(unittest.TestCase):
    def test_the_quick_start(self):
        with box() as daemon:
            protocol = MeshProtocol("box-1", port=9999, socket=daemon.path)
            protocol.start({"status": "active", "fps": 30})
            self.assertEqual(daemon.asked("state.update"), [
                {"patch": {"status": "active", "fps": 30}, "activity": "ACTIVE"}])
            peers = protocol.discover_peers()
            self.assertEqual(list(peers), ["box-2"])
            peer = peers["box-2"]
            self.assertEqual((peer.ip_address, peer.port, peer.state), ("10.0.0.2", 9999, NodeState.PROCESSING))
            self.assertEqual((peer.processing_fps, peer.battery_level, peer.embedding_dim), (25, 0.5, None))
            self.assertTrue(peer.is_alive(30))
            self.assertEqual(peer.to_dict()["node_id"], "box-2")
            protocol.add_hash("hash_123", "person", [1.0, 0.0], {"a": 1})
            self.assertEqual(daemon.asked("registry.put")[0]["embedding"], {"f16": "ADwAAA=="})
            self.assertTrue(protocol.broadcast_alert({"type": "alert"}, priority="high"))
            self.assertEqual(daemon.asked("alerts.raise"), [{"alert": {"type": "alert"}, "priority": "high"}])
            reply = protocol.broadcast_search_query({"query": "red coat"}, search_type="person")
            self.assertEqual(reply["answers"][0]["results"], [1])
            stats = protocol.get_network_stats()
            self.assertEqual(stats, {
                "node_id": "box-1", "alive_peers": 1, "total_peers": 2, "is_running": True, "messages_sent": 7,
                "messages_received": 0, "messages_routed": 0, "peers_discovered": 0, "heartbeats_sent": 0,
                "alerts_sent": 1})
            protocol.stop()
            self.assertEqual(protocol.get_network_stats()["is_running"], False)
            self.assertEqual(protocol.get_network_stats()["messages_sent"], 7)
            self.assertFalse(protocol.running)

    def test_state_and_peers(self):
        with box() as daemon, MeshProtocol("box-1", socket=daemon.path) as protocol:
            protocol.update_node_state({"zone": "yard"})
            self.assertNotIn("activity", daemon.asked("state.update")[0])
            state = protocol.get_node_state()
            self.assertEqual((state["node_id"], state["state"], state["version"]), ("box-1", {"fps": 30}, 1))
            self.assertAlmostEqual(state["timestamp"], time.time() - 1, delta=5)
            self.assertEqual(protocol.get_node_state("box-2")["version"], 0)
            self.assertEqual(protocol.get_peer_info("box-3").state, NodeState.OFFLINE)
            self.assertFalse(protocol.get_peer_info("box-3").is_alive())
            self.assertIsNone(protocol.get_peer_info("nobody"))
            self.assertEqual(list(protocol.peers), ["box-2"])

    def test_the_registry(self):
        with box() as daemon, MeshProtocol("box-1", socket=daemon.path) as protocol:
            entry = protocol.hash_registry.get_hash("hash_123")
            self.assertEqual((entry.hash_value, entry.node_id, entry.data_type), ("hash_123", "box-2", "person"))
            self.assertEqual((entry.embedding, entry.metadata, entry.timestamp), ([1, 0], {"a": 1}, 1.7e9))
            self.assertIsNone(protocol.hash_registry.get_hash("other"))
            found = protocol.hash_registry.search_hashes(data_type="person", node_id="box-2")
            self.assertEqual([entry.hash_value for entry in found], ["hash_123"])
            self.assertEqual(daemon.asked("registry.list")[0]["node"], "box-2")
            protocol.hash_registry.add_hash("h", "box-1", "person")
            with self.assertRaises(ValueError):
                protocol.hash_registry.add_hash("h", "box-2", "person")

    def test_handlers_get_messages_of_others(self):
        got = queue.Queue()
        with box() as daemon:
            protocol = MeshProtocol("box-1", socket=daemon.path)
            protocol.register_message_handler(MessageType.ALERT, got.put)
            with protocol:
                protocol.register_message_handler(MessageType.STATE_SYNC, got.put)
                protocol.register_message_handler(MessageType.REGISTRY, got.put)
                protocol.register_message_handler(MessageType.DISCOVERY, got.put)
                protocol.register_message_handler(MessageType.BROADCAST, got.put)
                daemon.tell("alert", alert(4, source="box-1"))
                daemon.tell("alert", alert(5, source="box-2", priority="high", path=["box-2", "box-1"]))
                message = got.get(timeout=PATIENCE)
                self.assertEqual((message.message_type, message.source_node_id), (MessageType.ALERT, "box-2"))
                self.assertEqual((message.sequence_number, message.timestamp), (5, 1.7e9))
                self.assertEqual(message.routing_path, ["box-2", "box-1"])
                self.assertEqual(message.payload, {"alert": {"n": 5}, "priority": "high", "timestamp": 1.7e9})
                daemon.tell("state.changed", {"node_id": "box-2", "activity": "IDLE", "state": {"fps": 1}})
                self.assertEqual(got.get(timeout=PATIENCE).payload["state"], {"fps": 1})
                daemon.tell("registry.put", {"hash": "h", "node": "box-2", "type": "person", "age_ms": 1000,
                                             "by": "box-2"})
                message = got.get(timeout=PATIENCE)
                self.assertEqual(message.payload["action"], "put")
                self.assertEqual(message.payload["entries"]["h"]["data_type"], "person")
                daemon.tell("node.joined", {"node_id": "box-2", "because": None})
                message = got.get(timeout=PATIENCE)
                self.assertEqual((message.payload["ip_address"], message.payload["port"]), ("10.0.0.2", 9999))
                daemon.tell("note", {"source": "box-2", "topic": "greetings", "note": "hello"})
                message = got.get(timeout=PATIENCE)
                self.assertEqual((message.message_type, message.payload), (MessageType.BROADCAST, {"note": "hello"}))
                daemon.tell("note", {"source": "box-2", "topic": "message.8", "note": {"a": 1}})
                self.assertEqual(got.get(timeout=PATIENCE).message_type, MessageType.ACK)
                daemon.tell("note", {"source": "box-2", "note": {"topic": "message.8", "payload": {"a": 2}}})
                self.assertEqual(got.get(timeout=PATIENCE).payload, {"a": 2})

    def test_a_search_handler_answers(self):
        with box() as daemon:
            protocol = MeshProtocol("box-1", socket=daemon.path)
            protocol.register_message_handler(
                MessageType.SEARCH, lambda message: [message.payload["query"]["query"]], search_types=["person"])
            protocol.register_message_handler(MessageType.SEARCH, lambda message: None, search_types=[])
            with protocol:
                daemon.tell("search.request", {"search": "s1", "search_type": "person", "source": "box-2",
                                               "query": {"query": "red coat"}, "timeout_ms": 2000})
                self.assertEqual(daemon.wait_asked("search.answer")[0]["results"], [{"result": "red coat"}])

    def test_messages_are_sent_as_what_they_are(self):
        with box() as daemon, MeshProtocol("box-1", socket=daemon.path) as protocol:
            for message_type, method in ((MessageType.ALERT, "alerts.raise"), (MessageType.SEARCH, "search.query"),
                                         (MessageType.BROADCAST, "notes.broadcast")):
                message = meshd.MeshMessage(message_type, "box-1", payload={"a": 1})
                self.assertTrue(protocol.broadcast_message(message))
                self.assertEqual(len(daemon.asked(method)), 1)
            self.assertTrue(protocol.send_message(message, "box-2"))
            self.assertEqual(daemon.asked("notes.send")[0]["node"], "box-2")

    def test_what_was_not_sent_is_false(self):
        def refuse(_params):
            raise Refusal(900, "overloaded", {"retry_after_ms": 100})

        with box(alerts__raise=refuse) as daemon, self.assertLogs("meshd", logging.ERROR):
            protocol = MeshProtocol("box-1", socket=daemon.path)
            self.assertFalse(protocol.broadcast_alert({}))
            with protocol:
                self.assertFalse(protocol.broadcast_alert({}))
            with self.assertRaises(meshd.MeshError):
                protocol.discover_peers()

    def test_the_daemons_own_messages_are_not_pretended(self):
        with box() as daemon, MeshProtocol("box-1", socket=daemon.path) as protocol:
            with self.assertLogs("meshd", logging.WARNING):
                protocol.register_message_handler(MessageType.HEARTBEAT, print)

    def test_the_numbers_are_the_predecessors(self):
        self.assertEqual([int(kind) for kind in MessageType], list(range(1, 9)))
        self.assertIs(MessageType.PEER_DISCOVERY, MessageType.DISCOVERY)
        self.assertIs(MessageType.HASH_REGISTRY, MessageType.REGISTRY)
        self.assertEqual([state.name for state in NodeState], ["ACTIVE", "IDLE", "PROCESSING", "OFFLINE"])


class DaemonTest(unittest.TestCase):
    """Which daemon it is."""

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(prefix="meshd-test-")
        self.addCleanup(self.directory.cleanup)
        self.trace = pathlib.Path(self.directory.name, "trace")
        binary = pathlib.Path(self.directory.name, "meshd")
        binary.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{HERE}/fake_meshd.py" "$@"\n')
        binary.chmod(0o755)
        package = pathlib.Path(meshd.__file__).parents[1]
        environment = {"MESHD_BINARY": str(binary), "FAKE_MESHD_TRACE": str(self.trace),
                       "XDG_STATE_HOME": self.directory.name, "PYTHONPATH": str(package)}
        patch = mock.patch.dict(os.environ, environment)
        patch.start()
        self.addCleanup(patch.stop)
        for name in ("MESHD_SOCKET", "XDG_RUNTIME_DIR"):
            os.environ.pop(name, None)
        # The machine that runs the test may have a meshd.
        patch = mock.patch("meshd.mesh.socket_candidates", lambda option: [option or "/nowhere/meshd.sock"])
        patch.start()
        self.addCleanup(patch.stop)

    def test_one_that_runs_is_used_and_a_mismatch_told(self):
        with box() as daemon:
            protocol = MeshProtocol("cam-7", port=9998, socket=daemon.path)
            with self.assertWarns(meshd.NameMismatch) as caught:
                protocol.start()
            self.assertIn("box-1, not cam-7", str(caught.warning))
            self.assertIn("9999, not 9998", str(caught.warning))
            self.assertEqual((protocol.node_id, protocol.port, protocol.owns_daemon), ("box-1", 9999, False))
            protocol.stop()
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                MeshProtocol("box-1", socket=daemon.path).__enter__().stop()

    def test_one_is_started_where_none_runs_and_ends_with_stop(self):
        protocol = MeshProtocol("cam-7", port=9998, heartbeat_interval=2, max_peers=6)
        protocol.start({"fps": 30})
        self.assertEqual((protocol.node_id, protocol.owns_daemon), ("cam-7", True))
        flags = self.trace.read_text()
        for flag in ("--node-id cam-7", "--set mesh.udp_port=9998", "--set mesh.heartbeat_interval=2000ms",
                     "--set mesh.max_peers=6", "--open", f"--state-dir {self.directory.name}/meshd-python/cam-7"):
            self.assertIn(flag, flags)
        self.assertNotIn("heartbeat_timeout", flags)
        socket = protocol.mesh._connection.paths[0]
        protocol.stop()
        self.assertIn("ended", self.trace.read_text())
        self.assertFalse(os.path.exists(socket))
        protocol.start()
        protocol.stop()

    def test_one_is_started_beside_another_on_request(self):
        with box() as daemon, mock.patch("meshd.mesh.socket_candidates", lambda option: [option or daemon.path]):
            with MeshProtocol("cam-7", daemon="start") as protocol:
                self.assertEqual(protocol.node_id, "cam-7")
            with self.assertWarns(meshd.NameMismatch), MeshProtocol("cam-7") as protocol:
                self.assertEqual(protocol.node_id, "box-1")

    def test_none_is_started_where_one_was_named(self):
        for protocol in (MeshProtocol("cam-7", daemon="use"), MeshProtocol("cam-7", socket="/nowhere/x")):
            with self.assertRaises(meshd.NoDaemon):
                protocol.start()
        with mock.patch.dict(os.environ, MESHD_SOCKET="/nowhere/x"), self.assertRaises(meshd.NoDaemon):
            MeshProtocol("cam-7").start()
        with self.assertRaises(ValueError):
            MeshProtocol("cam-7", daemon="maybe")
        self.assertFalse(self.trace.exists())

    def test_one_that_cannot_start_says_why(self):
        with self.assertRaises(meshd.MeshError) as caught:
            MeshProtocol("cam-7", arguments=["--fail"]).start()
        self.assertIn("port 9999 is held", str(caught.exception))
        for binary in ("/nowhere/meshd", ""):
            with mock.patch.dict(os.environ, MESHD_BINARY=binary, PATH="/nowhere"), \
                    mock.patch("meshd.process.shutil.which", return_value=None):
                with self.assertRaises(meshd.MeshError):
                    MeshProtocol("cam-7").start()

    def test_it_ends_with_a_program_that_is_killed(self):
        program = ("import os, sys, meshd\n"
                   "protocol = meshd.MeshProtocol('cam-7', daemon='start')\n"
                   "protocol.start()\n"
                   "print('ready', flush=True)\n"
                   "sys.stdin.read()\n")
        process = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdin.close()
        process.stdout.close()
        deadline = time.monotonic() + PATIENCE
        while "ended" not in self.trace.read_text():
            self.assertLess(time.monotonic(), deadline, "the daemon outlives its program")
            time.sleep(0.01)


if __name__ == "__main__":
    unittest.main()

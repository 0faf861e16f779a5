#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The predecessor's quick start, with real answers: with the daemon that runs, and with one of its own."""
import os
import pathlib
import warnings

from checks import alive, wait_settled_lan
from lab import check, scenario, wait_until
from python_box import EXAMPLES, Program

from meshd import MeshMessage, MeshProtocol, MessageType, NameMismatch, NodeState


def quick_start(a, b):
    """As in its README, beside a daemon that runs; what it tells arrives at another box's handlers."""
    told = []
    other = MeshProtocol("b", socket=b.socket)
    for message_type in (MessageType.ALERT, MessageType.STATE_SYNC, MessageType.REGISTRY, MessageType.BROADCAST):
        other.register_message_handler(message_type, told.append)
    other.register_message_handler(
        MessageType.SEARCH, lambda message: [{"name": "Ann", "asked": message.payload["query"]["query"]}])
    other.start()

    protocol = MeshProtocol("a", port=9999, socket=a.socket)
    protocol.start({"status": "active", "fps": 30})
    peers = protocol.discover_peers()
    check(sorted(peers) == ["b", "c"], f"peers: {peers}")
    check(peers["b"].ip_address == b.host.address and peers["b"].state is NodeState.ACTIVE, str(peers["b"]))
    protocol.add_hash("hash_123", "person", [0.1] * 512, {"camera": 2})
    check(protocol.broadcast_alert({"type": "alert"}, priority="high", wait_ms=5000)["pending"] == [], "pending")
    reply = protocol.broadcast_search_query({"query": "a red coat"}, search_type="person", timeout_ms=5000)
    answers = {answer["node_id"]: answer["results"] for answer in reply["answers"]}
    check(reply["complete"] and answers["b"][0]["asked"] == "a red coat", str(reply))
    protocol.broadcast_message(MeshMessage(MessageType.BROADCAST, "a", payload={"hello": "all"}))
    protocol.send_message(MeshMessage(MessageType.ACK, "a", payload={"hello": "b"}), "b")
    stats = protocol.get_network_stats()
    check((stats["node_id"], stats["alive_peers"], stats["total_peers"], stats["is_running"]) == ("a", 2, 2, True),
          str(stats))
    check(stats["alerts_sent"] == 1 and stats["messages_sent"] > 0, str(stats))

    def of(message_type):
        return [message for message in told if message.message_type is message_type]

    wait_until(lambda: of(MessageType.BROADCAST) and of(MessageType.ACK), lambda: f"notes at b: {told}")
    check(of(MessageType.BROADCAST)[0].payload == {"hello": "all"}, str(told))
    check(of(MessageType.ACK)[0].payload == {"hello": "b"}, str(told))
    wait_until(lambda: of(MessageType.ALERT) and of(MessageType.REGISTRY) and of(MessageType.STATE_SYNC),
               lambda: f"what b is told: {told}")
    alert, = of(MessageType.ALERT)
    check(alert.source_node_id == "a" and alert.payload["alert"] == {"type": "alert"}, str(alert))
    check(alert.payload["priority"] == "high" and alert.routing_path == ["a", "b"], str(alert))
    entry = other.hash_registry.get_hash("hash_123")
    check(entry.node_id == "a" and entry.data_type == "person" and entry.metadata == {"camera": 2}, str(entry))
    check(len(entry.embedding) == 512, "the embedding is there")
    check([e.hash_value for e in other.hash_registry.search_hashes("person", "a")] == ["hash_123"], "search_hashes")
    check(other.get_node_state("a")["state"] == {"status": "active", "fps": 30}, "the state at b")
    check(other.get_peer_info("a").processing_fps == 30, "what b knows of a")
    protocol.stop()
    other.stop()
    check(a.is_running() and b.is_running(), "stop() leaves a daemon alone that ran before")


def another_name(a):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with MeshProtocol("camera_9", port=9000, socket=a.socket) as protocol:
            check(protocol.node_id == "a", "the daemon's name counts")
    check([w.category for w in caught] == [NameMismatch] and "9999, not 9000" in str(caught[0].message),
          f"{[str(w.message) for w in caught]}")


def of_its_own(lab, box):
    """Two programs on hosts without a daemon, killed and stopped: their nodes go with them."""
    hosts = lab.lan("x", "y")
    programs = []
    for host in hosts:
        host.wait_up()
        programs.append(Program(
            EXAMPLES / "drop_in.py", f"cam-{host}", "stay", host=host, XDG_STATE_HOME=str(lab.directory / "own"),
            MESHD_HARDWARE_ID=f"lab-{host}", TMPDIR=str(lab.directory)))
    for program, other in zip(programs, reversed(hosts)):
        program.wait_for(f"answer cam-{other} ")
        program.wait_for(f"peer cam-{other} {other.address} ACTIVE")
        program.wait_for("alive peers: 1")
    # The first of them may have raised its alert before the other one listened.
    wait_until(lambda: any("alert from cam-" in program.text() for program in programs), "an alert to arrive")
    check(any(f"answer cam-{other} [{{'name': 'Ann'" in program.text()
              for program, other in zip(programs, reversed(hosts))), "the other's answer")
    programs[0].finish()
    programs[1].process.kill()
    wait_until(lambda: not daemons_of(lab), "the daemons to end with their programs")


def daemons_of(lab):
    """Daemons with a state directory in the lab's `own`."""
    found = []
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if f"{lab.directory}/own" in command:
            found.append(command)
    return found


def run(lab):
    boxes = lab.boxes(lab.lan("a", "b", "c"))
    wait_settled_lan(boxes)
    os.environ.pop("MESHD_SOCKET", None)
    quick_start(*boxes[:2])
    another_name(boxes[0])
    check(alive(boxes[2]) == {"a", "b", "c"}, "all are still there")
    of_its_own(lab, boxes[0])


if __name__ == "__main__":
    scenario(run)

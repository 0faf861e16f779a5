#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""SIGHUP and config.reload put into force what the files say by now; a wrong file changes nothing."""
import json
import os
import re
import signal
import socket

from lab import check, scenario, wait_until
from rpc import RpcError


class Manager:
    """The end of sd_notify that a service manager holds."""

    def __init__(self, path):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.setblocking(False)
        self.told = []

    def texts(self):
        while True:
            try:
                self.told.append(self.socket.recv(4096).decode())
            except BlockingIOError:
                return self.told


def run(lab):
    a_host, b_host = lab.lan("a", "b")
    folder = lab.directory / "etc"
    folder.mkdir()
    config = folder / "meshd.yaml"
    is_open = "security: {mode: open}\n"
    config.write_text("mesh:\n  max_peers: 6\nlog:\n  level: info\n" + is_open)
    manager = Manager(folder / "notify")
    # No beacon of either comes through: only the bootstrap address that a reload brings helps.
    for host in (a_host, b_host):
        host.hear_no_beacons()
    a = lab.box(a_host, "--config", str(config), open_mode=False, key=None,
                environment={"NOTIFY_SOCKET": str(manager.path)})
    b = lab.box(b_host, open_mode=True)
    for box in (a, b):
        box.ready()

    def key(name):
        return a.call("config.get", key=name)["keys"][0]

    check(key("mesh.max_peers")["value"] == 6, "the file counts")
    check(key("mesh.max_peers")["place"] == f"{config}:2:14", "the place in the file is told")
    check(key("state_dir")["place"] == "--state-dir", "the flag is told")
    check(a.call("config.get")["files"] == [str(config)], "the files that were read")
    check(a.call("mesh.status")["nodes_alive"] == 1, "nobody hears anybody")
    node = a.process.pid

    # A wrong file: everything that is wrong is said, nothing changes.
    config.write_text("mesh:\n  max_peers: 99\n  bootstrap: [10.0.0.300]\n")
    try:
        a.call("config.reload")
        check(False, "a wrong file is taken")
    except RpcError as error:
        print(f"wrong file: {error}")
        check(error.code == 701, f"error {error.code}")
        check(len(error.data["problems"]) == 2, f"both mistakes are told: {error.data}")
    check(key("mesh.max_peers")["value"] == 6, "a wrong file changes nothing")
    a.signal(signal.SIGHUP)
    wait_until(lambda: a.log_tail().count("configuration not taken over") == 4, "SIGHUP says why on the log")
    check(any("configuration on disk is wrong" in warning for warning in a.warnings()), f"status too: {a.warnings()}")
    found = [one for one in json.loads(a.meshctl("doctor", "--json", check=False).stdout)["findings"] if one["check"] == "configuration"]
    check(found and found[0]["severity"] == "problem" and "--check-config" in found[0]["remedy"], f"doctor: {found}")

    # A right one, by SIGHUP.
    drop_in = folder / "meshd.yaml.d"
    drop_in.mkdir()
    config.write_text("mesh:\n  max_peers: 7\n  mtu: 1300\nlog:\n  level: debug\n" + is_open)
    (drop_in / "10-gate.yaml").write_text(f"mesh:\n  bootstrap: [{b_host.address}]\n")
    a.signal(signal.SIGHUP)
    wait_until(lambda: key("mesh.max_peers")["value"] == 7, "max_peers by SIGHUP")
    check(key("log.level")["value"] == "debug", "log.level by SIGHUP")
    check(not any("on disk" in warning for warning in a.warnings()), f"right again: {a.warnings()}")
    check(key("mesh.mtu")["value"] == 1400 and key("mesh.mtu")["pending"] == 1300,
          f"mtu waits for a restart: {key('mesh.mtu')}")
    check(re.search(r"needs a restart: mesh\.mtu", a.log_tail()), "the log says what needs a restart")
    for box in (a, b):
        wait_until(lambda: box.call("mesh.status")["nodes_alive"] == 2, f"a link by bootstrap at {box}")

    # By RPC; and what a call has set lasts until then.
    check(a.call("log.level", level="error") == {"level": "error", "before": "debug"}, "log.level")
    check(key("log.level")["origin"] == "call", "a level that was set by a call is told so")
    config.write_text("mesh:\n  max_peers: 7\nlog:\n  level: info\n" + is_open)
    reload = a.call("config.reload")
    print(f"reload: {reload}")
    check(reload["applied"] == ["log.level"] and reload["restart"] == [], f"reload: {reload}")
    check(key("mesh.mtu")["pending"] is None, "the file says again what is in force")

    # A queue of the kernel holds ten; who tells waits for room.
    manager.texts()

    # Without a key a sealed node speaks with nobody; open again it is back.
    config.write_text("mesh:\n  max_peers: 7\nlog:\n  level: info\n")
    reload = a.call("config.reload")
    check(reload["applied"] == ["security.mode"], f"reload: {reload}")
    for box in (a, b):
        wait_until(lambda: box.call("mesh.status")["nodes_alive"] == 1, f"sealed: {box} is alone")
    config.write_text("mesh:\n  max_peers: 7\nlog:\n  level: info\n" + is_open)
    a.call("config.reload")
    for box in (a, b):
        wait_until(lambda: box.call("mesh.status")["nodes_alive"] == 2, f"open again: {box}")

    check(a.process.pid == node and a.is_running(), "all in one process")
    texts = manager.texts()
    begun = [text for text in texts if text.startswith("RELOADING=1\n")]
    check(len(begun) == 6, f"six reloads told to the service manager: {texts}")
    check(all(re.search(r"^MONOTONIC_USEC=\d+$", text, re.M) for text in begun), f"{begun}")
    check(sum(text.startswith("READY=1") for text in texts) == 7, f"ready at the start and after each: {texts}")
    check(os.path.exists(a.socket), "the socket is as it was")


if __name__ == "__main__":
    scenario(run)

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The lab's own faults are real: broadcast and multicast pass, loss loses, a cut cuts one direction.

Without this a green "10 % loss" scenario could mean that nothing was lost.
"""
import json
import subprocess
import sys

from lab import check, scenario, wait_until

LISTENER = """
import json, socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
s.bind(("", 7000))
s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
             socket.inet_aton("239.77.7.7") + socket.inet_aton(sys.argv[1]))
print("ready", flush=True)
counts = {}
while True:
    data = s.recv(2048).decode()
    if data == "report":
        print(json.dumps(counts), flush=True)
        counts = {}
    else:
        counts[data] = counts.get(data, 0) + 1
"""
SENDER = """
import socket, sys, time
target, word, times, own = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(own))
for i in range(times):
    s.sendto(word.encode(), (target, 7000))
    if i % 20 == 19:
        time.sleep(0.002)
"""


class Ear:
    def __init__(self, host, interface=0):
        self.host = host
        self.process = host.popen(sys.executable, "-c", LISTENER, host.interfaces[interface]["ip"],
                                  stdout=subprocess.PIPE, text=True)
        check(self.process.stdout.readline() == "ready\n", f"the listener in {host} did not start")

    def report(self):
        send(self.host, "127.0.0.1", "report", 1)
        return json.loads(self.process.stdout.readline())


def send(host, target, word, times=1, interface=0):
    own = "127.0.0.1" if target.startswith("127.") else host.interfaces[interface]["ip"]
    done = host.run(sys.executable, "-c", SENDER, target, word, str(times), own)
    check(done.returncode == 0, lambda: f"sending from {host}: {done.stderr}")


def run(lab):
    a, b, c = lab.lan("a", "b", "c")
    d = lab.host("d")
    lab.cable(c, d)
    ears = {host.name: Ear(host) for host in (a, b, c, d)}

    send(a, "10.77.1.255", "broadcast")
    send(a, "239.77.7.7", "multicast")
    send(c, "10.78.1.2", "cable", interface=1)
    heard = wait_until(lambda: ears["b"].report(), "the broadcast")
    check(heard == {"broadcast": 1, "multicast": 1}, f"b heard {heard}")
    check(ears["d"].report() == {"cable": 1}, "d hears its cable and nothing of the LAN")
    ears["c"].report()

    b.set_loss(10)
    send(a, b.address, "lossy", 5000)
    send(a, c.address, "clean", 1000)
    lossy, clean = ears["b"].report().get("lossy", 0), ears["c"].report().get("clean", 0)
    print(f"10 % loss: {lossy} of 5000 arrived; without: {clean} of 1000")
    check(4300 < lossy < 4700, f"{lossy} of 5000 is not 10 % loss")
    check(clean == 1000, f"only {clean} of 1000 arrived without loss")

    b.heal()
    b.stop_hearing(a)
    send(a, b.address, "cut", 10)
    send(c, b.address, "other", 10)
    send(b, a.address, "back", 10)
    check(ears["b"].report() == {"other": 10}, "b is deaf to a only")
    check(ears["a"].report().get("back") == 10, "a still hears b")

    b.heal()
    b.filter("meta pkttype { broadcast, multicast } ip daddr != 10.77.1.2 udp dport 7000 drop")
    send(a, "10.77.1.255", "broadcast")
    send(a, "239.77.7.7", "multicast")
    send(a, b.address, "unicast")
    check(ears["b"].report() == {"unicast": 1}, "broadcast and multicast are filtered at b")


if __name__ == "__main__":
    scenario(run)

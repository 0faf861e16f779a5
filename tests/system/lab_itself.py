#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The lab's own faults are real: broadcast and multicast pass, loss loses, a cut cuts one direction.

Without this a green "10 % loss" scenario could mean that nothing was lost.
"""
import time

from lab import GROUP, check, drain, scenario

PORT = 7000


def run(lab):
    a, b, c = lab.lan("a", "b", "c")
    d = lab.host("d")
    lab.cable(c, d)
    for host in (a, b, c, d):
        host.wait_up()
    ears = {host: host.udp(PORT) for host in (a, b, c, d)}

    def send(host, target, word, times=1, interface=0):
        with host.udp(interface=interface) as sock:
            for i in range(times):
                sock.sendto(word.encode(), (target, PORT))
                if i % 20 == 19:
                    time.sleep(0.001)

    def heard(host):
        words = [data.decode() for data, _ in drain(ears[host])]
        return {word: words.count(word) for word in words}

    send(a, "10.77.1.255", "broadcast")
    send(a, GROUP, "multicast")
    send(c, "10.78.1.2", "cable", interface=1)
    words = heard(b)
    check(words == {"broadcast": 1, "multicast": 1}, f"b heard {words}")
    words = heard(d)
    check(words == {"cable": 1}, f"d hears its cable and nothing of the LAN, but heard {words}")
    heard(c)

    b.set_loss(10)
    send(a, b.address, "lossy", 5000)
    send(a, c.address, "clean", 1000)
    lossy, clean = heard(b).get("lossy", 0), heard(c).get("clean", 0)
    print(f"10 % loss: {lossy} of 5000 arrived; without: {clean} of 1000")
    check(4300 < lossy < 4700, f"{lossy} of 5000 is not 10 % loss")
    check(clean == 1000, f"only {clean} of 1000 arrived without loss")

    b.heal()
    b.stop_hearing(a)
    send(a, b.address, "cut", 10)
    send(c, b.address, "other", 10)
    send(b, a.address, "back", 10)
    words = heard(b)
    check(words == {"other": 10}, f"b is deaf to a only, but heard {words}")
    check(heard(a).get("back") == 10, "a still hears b")

    b.heal()
    b.filter("meta pkttype { broadcast, multicast } udp dport != 0 drop")
    send(a, "10.77.1.255", "broadcast")
    send(a, GROUP, "multicast")
    send(a, b.address, "unicast")
    words = heard(b)
    check(words == {"unicast": 1}, f"broadcast and multicast are filtered at b, but it heard {words}")


if __name__ == "__main__":
    scenario(run)

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What strangers send changes nothing but a counter: no node appears, no reply goes out, no box suffers."""
import json
import random
import time

from box import SANITIZED
from checks import AlertLog, known, raise_many, wait_settled_lan
from datagram import SESSION, datagram, document, item, items, message
from lab import check, drain, scenario, wait_until

PORT = 9999
HELLO = 2
OFFER_BYTES_MAX = 384
# A shorter greeting gets no answer.
GREETING_BYTES = 384
OFFERS_PER_SECOND_MAX = 20
# What the kernel refuses by a filter, or finds no room for, never gets to the daemon.
IN_KERNEL = ("udp_links_dropped", "udp_strangers_dropped", "udp_beacons_dropped")
UNUSED_KINDS = (9, 15, 63, 127, 200, 255)


def run(lab):
    a, b, x = lab.lan("a", "b", "x")
    boxes = lab.boxes([a, b], open_mode=True)
    wait_settled_lan(boxes)
    target = boxes[0]
    log = AlertLog(boxes)
    events = target.subscribe("node", "link")
    rng = random.Random(1)

    ear = x.udp(PORT)
    target.call("mesh.discover")
    boxes[1].call("mesh.discover")
    heard = {}

    def beacons():
        heard.update({ip: data for data, (ip, _) in drain(ear)})
        return a.address in heard and b.address in heard

    wait_until(beacons, "beacons")
    beacon = heard[a.address]
    hello = next((kind, content) for kind, content in items(beacon) if kind == HELLO)
    greeting = document(hello[1])
    print(f"a beacon: {json.dumps(greeting)}")

    def drops():
        # A greeting that says nothing new is counted as a beacon and otherwise ignored.
        return {**target.drops(), "beacon": target.counter("beacons_received"), **in_kernel()}

    def in_kernel():
        return {name: target.counter(name) for name in IN_KERNEL}

    def arrived_so_far():
        return target.counter("datagrams_received") + sum(in_kernel().values())

    def storm(name, datagrams, rss_slack_kib=2048):
        """Sends them to the box; all must be dropped, counted and left unanswered."""
        time.sleep(0.3)
        before, rss = drops(), target.data_kib()
        received = arrived_so_far()
        with x.udp() as sock:
            for number, data in enumerate(datagrams):
                sock.sendto(data, (a.address, PORT))
                if number % 50 == 49:
                    time.sleep(0.002)
            replies = drain(sock)
        check(not replies, f"{name}: {len(replies)} replies, the first {replies[:1]}")
        arrived = wait_until(lambda: arrived_so_far() - received >= len(datagrams)
                             and arrived_so_far() - received, f"{name} to arrive")
        after = drops()
        counted = {k: v - before.get(k, 0) for k, v in after.items() if v != before.get(k, 0)}
        print(f"{name}: {len(datagrams)} sent, {arrived} datagrams came meanwhile, dropped as {counted}")
        check(sum(counted.values()) >= len(datagrams), f"{name}: not all were counted: {counted}")
        check(known(target) == {"a", "b"}, f"{name}: phantom nodes {known(target)}")
        grown = target.data_kib() - rss
        check(SANITIZED or grown <= rss_slack_kib, f"{name}: memory grew by {grown} KiB")

    storm("random", [rng.randbytes(rng.randrange(0, 1500)) for _ in range(2000)])
    storm("truncated", [beacon[:n] for n in range(len(beacon))])
    flipped = []
    for _ in range(1000):
        data = bytearray(beacon)
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        flipped.append(bytes(data))
    storm("one bit flipped", flipped)
    storm("other protocols", [
        b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\n\r\n",
        bytes.fromhex("123401000001000000000000076578616d706c6503636f6d0000010001"),
        b'{"type":"HEARTBEAT","source":"old-python-node","payload":{}}',
    ] * 20)
    storm("unknown message kinds", [datagram(message(kind, {"from": "ghost"})) for kind in UNUSED_KINDS] * 20)
    storm("session kinds outside a session",
          [datagram(message(kind, {"seq": 1})) for kind in (1, 3, 5, 6, 7, 8, 18, 19, 21, 22, 23, 24)] * 10)
    storm("guessed sessions",
          [datagram(message(5, {"source": "ghost"}), kind=SESSION, session=rng.getrandbits(32), counter=n)
           for n in range(500)])
    storm("broken JSON", [datagram(message(HELLO, text)) for text in (
        b"", b"{", b"[]", b"null", b'{"a":1,"a":2}', b'{"from":"\xff"}', b"[" * 900, b'{"a":' * 150,
        b'{"mesh":' + b"9" * 1000 + b"}")] * 10)
    storm("wrong lengths", [
        datagram(bytes([HELLO, 0xff, 0xff, 0xff])), datagram(bytes([HELLO, 0, 0, 200]) + b"{}"),
        datagram(item(HELLO, b"")), datagram(item(HELLO, b"\xff\xff\xff{}")), datagram(b"\2\0")] * 20)
    storm("other versions", [datagram(hello[1], version=v) for v in (0, 2, 3, 255)] * 20)
    storm("its own beacon, said again", [beacon] * 100)
    storm("another's beacon, said again from elsewhere", [heard[b.address]] * 100)

    wrong = []
    for key in greeting:
        for value in (None, -1, "", "x" * 300, [], {}, 1e300, True):
            wrong.append(datagram(message(HELLO, {**greeting, key: value})))
    with x.udp() as sock:
        for data in wrong:
            sock.sendto(data, (a.address, PORT))
            time.sleep(0.001)
        drain(sock)
    check(known(target) == {"a", "b"}, f"phantom nodes of damaged greetings: {known(target)}")

    # Well-formed greetings of nodes that do not exist: offers at most, few and small, and no node.
    with x.udp() as sock:
        port = sock.getsockname()[1]
        started = time.monotonic()
        for number in range(600):
            text = json.dumps(greeting).replace(f'"{target.node_id}"', f'"ghost-{number}"')
            forged = json.loads(text)
            for key, value in forged.items():
                if isinstance(value, str) and value.startswith(f"{a.address}:"):
                    forged[key] = f"{x.address}:{port}"
                elif isinstance(value, str) and len(value) == 16:
                    forged[key] = f"{number + 1:016x}"
            sock.sendto(datagram(message(HELLO, forged), item(0, bytes(GREETING_BYTES))), (a.address, PORT))
            time.sleep(0.002)
        replies = drain(sock)
        seconds = time.monotonic() - started
    print(f"600 forged greetings in {seconds:.1f} s: {len(replies)} offers")
    check(replies, "a greeting is answered")
    check(len(replies) <= OFFERS_PER_SECOND_MAX * (seconds + 1), f"{len(replies)} offers to one stranger")
    check(all(len(data) <= OFFER_BYTES_MAX for data, _ in replies), "no offer is longer than a greeting")
    check(known(target) == {"a", "b"}, f"greetings alone make no nodes: {known(target)}")

    log.check_exactly_once(raise_many(boxes[0], 20) + raise_many(boxes[1], 20))
    check(not events.snapshot(), f"the mesh was shaken: {events.snapshot()}")


if __name__ == "__main__":
    scenario(run)

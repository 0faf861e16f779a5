#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What was acknowledged as durable is never lost: kill -9 of random daemons during writes, also with the
state directory of a box wiped whose records others had on disk; a subscriber that resumes by cursor and
drops repeated ids has each alert exactly once.

MESHD_LAB_SEED repeats the order of kills; how they meet the writes is up to the machine."""
import os
import random
import threading
import time

from checks import wait_settled_lan, wait_store, wait_views
from entries import all_alerts, hashes, is_written
from lab import check, scenario, wait_until
from rpc import Rpc, RpcError, Subscription

SECONDS = 35
# A node's 1 000 newest alerts are kept: all that are raised here, with reserve.
ALERTS_PER_BOX_MAX = 900
PAUSE_SECONDS = 0.04
CONNECTION = (OSError, EOFError)


class Writer(threading.Thread):
    """Raises alerts and puts entries through one box, and notes what was acknowledged as durable."""

    def __init__(self, box):
        super().__init__(daemon=True)
        self.box = box
        self.gate = threading.Lock()  # held while a request is under way
        self.done = threading.Event()
        self.alerts, self.entries = {}, set()  # {id: text}
        self.raised, self.not_durable, self.unanswered = 0, 0, 0
        self.wrong = []
        self.start()

    def run(self):
        rpc, number = None, 0
        while not self.done.is_set():
            with self.gate:
                try:
                    rpc = rpc or Rpc(self.box.socket)
                    self.write(rpc, number)
                except CONNECTION:
                    if rpc is not None:
                        rpc.close()
                        self.unanswered += 1
                    rpc = None
                except RpcError as error:
                    if error.code != 900:
                        self.wrong.append(str(error))
            number += 1
            time.sleep(PAUSE_SECONDS)

    def write(self, rpc, number):
        name = f"{self.box}-{number}"
        if number % 3 and self.raised < ALERTS_PER_BOX_MAX:
            self.raised += 1
            reply = rpc.call("alerts.raise", alert={"name": name}, priority="high" if number % 5 else "critical")
            if reply["durable"]:
                self.alerts[reply["id"]] = name
        else:
            reply = rpc.call("registry.put", hash=name, type="thing", metadata={"n": number}, durable=True)
            if reply["durable"]:
                self.entries.add(name)
        self.not_durable += not reply["durable"]


class Follower(threading.Thread):
    """A careful subscriber: resumes behind the last event it has worked off, drops repeated ids."""

    def __init__(self, box):
        super().__init__(daemon=True)
        self.box = box
        self.done = threading.Event()
        self.told = {}  # {id: name}
        self.repeats = self.resumes = self.lagged = 0
        self.cursor = None
        self.since()
        self.start()

    def since(self):
        subscription = Subscription(self.box.socket, ["alert"], **({"since": self.cursor} if self.cursor else {}))
        self.cursor = self.cursor or subscription.cursor
        return subscription

    def run(self):
        subscription = None
        while not self.done.is_set():
            try:
                if subscription is None:
                    subscription = self.since()
                    self.resumes += 1
                    seen = 0
            except CONNECTION:
                time.sleep(0.05)
                continue
            events = subscription.snapshot()
            for event in events[seen:]:
                self.take(event)
            seen = len(events)
            if subscription.closed and seen == len(subscription.snapshot()):
                subscription.close()
                subscription = None
            time.sleep(0.02)

    def take(self, event):
        if event.kind == "lagged":
            self.lagged += 1
        elif event.data["id"] in self.told:
            self.repeats += 1
        else:
            self.told[event.data["id"]] = event.data["alert"]["name"]
        self.cursor = event.cursor


def has_replicated(box, others):
    """A peer has on its disk all that this box holds; nobody writes meanwhile."""
    coverage = box.store()["coverage"]
    return any(other.store()["coverage"] == coverage and is_written(other) for other in others)


def kills(boxes, writers, chance, seconds):
    count, wiped = 0, 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(chance.uniform(0.2, 1.5))
        victims = chance.sample(boxes, chance.choice([1, 1, 1, 2]))
        if len(victims) == 1 and chance.random() < 0.4:
            victim, = victims
            for writer in writers:
                writer.gate.acquire()
            try:
                wait_until(lambda v=victim: has_replicated(v, [b for b in boxes if b is not v]),
                           lambda: f"a peer with all of {victim}: { {str(b): b.store() for b in boxes} }", 30)
                victim.kill()
                victim.wipe()
            finally:
                for writer in writers:
                    writer.gate.release()
            wiped += 1
        for victim in victims:
            if victim.is_running():
                victim.kill()
        count += len(victims)
        time.sleep(chance.uniform(0, 0.5))
        for victim in victims:
            victim.start()
        for victim in victims:
            victim.ready()
    return count, wiped


def run(lab):
    seed = int(os.environ.get("MESHD_LAB_SEED", time.time_ns() % 1_000_000))
    print(f"MESHD_LAB_SEED={seed}")
    boxes = lab.boxes(lab.lan("a", "b", "c"), "--set", "store.persist_interval_others=500ms")
    wait_settled_lan(boxes)
    followers = [Follower(box) for box in boxes]
    writers = [Writer(box) for box in boxes]
    count, wiped = kills(boxes, writers, random.Random(seed), SECONDS)

    # At the very end all at once, in the middle of writing: what is left is what the disks have.
    for box in boxes:
        box.kill()
    for writer in writers:
        writer.done.set()
        writer.join(20)
        check(not writer.wrong, f"{writer.box} refused: {writer.wrong[:3]}")
    for box in boxes:
        box.start()
    for box in boxes:
        box.ready()
    wait_views(boxes)
    wait_store(boxes, 30)

    alerts = {alert_id: name for writer in writers for alert_id, name in writer.alerts.items()}
    entries = set().union(*(writer.entries for writer in writers))
    print(f"{count} kills and one of all; {wiped} state directories wiped; acknowledged as durable: "
          f"{len(alerts)} alerts, {len(entries)} entries; not durable: {sum(w.not_durable for w in writers)}, "
          f"without an answer: {sum(w.unanswered for w in writers)}")
    check(len(alerts) > 100 and len(entries) > 100, "too few writes to say anything")
    check(not any(writer.not_durable for writer in writers), "a disk without trouble keeps what it is told")
    for box in boxes:
        held = {alert["id"] for alert in all_alerts(box)}
        lost = set(alerts) - held
        check(not lost, f"{box} lacks {len(lost)} of {len(alerts)} acknowledged alerts: "
                        f"{sorted(alerts[a] for a in lost)[:10]}")
        lost = entries - hashes(box)
        check(not lost, f"{box} lacks {len(lost)} of {len(entries)} acknowledged entries: {sorted(lost)[:10]}")

    held = {alert["id"] for alert in all_alerts(boxes[0])}
    wait_until(lambda: all(held <= set(f.told) for f in followers), lambda: "subscribers; missing: " + str(
        {f.box.label: sorted(held - set(f.told))[:5] for f in followers if held - set(f.told)}), 20)
    for follower in followers:
        follower.done.set()
        names = list(follower.told.values())
        print(f"subscriber of {follower.box}: {len(names)} alerts, {follower.repeats} repeats dropped, "
              f"{follower.resumes - 1} times resumed, {follower.lagged} times lagged")
        twice = {name for name in names if names.count(name) > 1} if len(names) != len(set(names)) else ()
        check(not twice, f"{follower.box} told of one alert under two ids: {sorted(twice)[:5]}")
        check(set(alerts) <= set(follower.told), "acknowledged alerts were told")


if __name__ == "__main__":
    scenario(run, hang_seconds=140)

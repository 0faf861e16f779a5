#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What was acknowledged as durable is never lost: kill -9 of random daemons during writes, also with the
state directory of a box wiped whose records others had on disk; a subscriber that resumes by cursor and
drops repeated ids has each alert exactly once.

MESHD_LAB_SEED repeats the order of kills; how they meet the writes is up to the machine."""
import os
import random
import sys
import threading
import time

from checks import wait_settled_lan, wait_store, wait_views
from entries import all_alerts, hashes, is_written
from lab import check, scenario, wait_until
from rpc import Rpc, RpcError, Subscription

SECONDS = 35
# A slow disk gets so much longer, until enough was written.
MORE_SECONDS_MAX = 30
WRITES_MIN = 100
# An answer that a write is not durable means that the disk took this long: the daemon waits for 10 s.
NOT_DURABLE_SECONDS_MIN = 9
# A node's 1 000 newest alerts are kept: all that are raised here, with reserve.
ALERTS_PER_BOX_MAX = 900
PAUSE_SECONDS = 0.04
CONNECTION = (OSError, EOFError)


class Diary:
    """What happened when, in seconds since the start; printed where the scenario fails."""

    def __init__(self):
        self.began = time.monotonic()
        self.lines = []

    def note(self, text):
        self.lines.append(f"{time.monotonic() - self.began:8.3f} {text}")

    def __str__(self):
        return "\n".join(self.lines)


class Writer(threading.Thread):
    """Raises alerts and puts entries through one box, and notes what was acknowledged as durable."""

    def __init__(self, box, diary):
        super().__init__(daemon=True)
        self.box = box
        self.diary = diary
        self.gate = threading.Lock()  # held while a request is under way
        self.done = threading.Event()
        self.alerts, self.entries = {}, set()  # {id: text}
        self.at = {}  # {text: seconds when it was acknowledged}
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
                        self.diary.note(f"{self.box} refused a write: {error}")
            number += 1
            time.sleep(PAUSE_SECONDS)

    def write(self, rpc, number):
        began = time.monotonic()
        name = f"{self.box}-{number}"
        if number % 3 and self.raised < ALERTS_PER_BOX_MAX:
            self.raised += 1
            priority = "high" if number % 5 else "critical"
            reply = rpc.call("alerts.raise", alert={"name": name}, priority=priority)
            if reply["durable"]:
                self.alerts[reply["id"]] = name
        else:
            reply = rpc.call("registry.put", hash=name, type="thing", metadata={"n": number}, durable=True)
            if reply["durable"]:
                self.entries.add(name)
        ended = time.monotonic()
        self.at[name] = round(ended - self.diary.began, 3)
        if not reply["durable"]:
            self.not_durable += 1
            said = f"not durable after {ended - began:.3f} s: {name}"
            self.diary.note(f"{self.box} said {said}")
            if ended - began < NOT_DURABLE_SECONDS_MIN:
                self.wrong.append(said)


class Follower(threading.Thread):
    """A careful subscriber: resumes behind the last event it has worked off, drops repeated ids. It asks
    for the past from the beginning: else an alert that takes more than ten seconds to come is not told."""

    def __init__(self, box, diary):
        super().__init__(daemon=True)
        self.box = box
        self.diary = diary
        self.done = threading.Event()
        self.told = {}  # {id: name}
        self.repeats = self.resumes = self.lagged = 0
        self.wrong = None
        beginning = Subscription(self.box.socket, ["alert"])
        beginning.close()
        self.cursor = beginning.cursor
        self.start()

    def run(self):
        try:
            self.follow()
        except Exception as error:  # pylint: disable=broad-except
            self.wrong = repr(error)
            self.diary.note(f"subscriber of {self.box} ended: {self.wrong}")

    def follow(self):
        subscription = None
        while not self.done.is_set():
            try:
                if subscription is None:
                    subscription = Subscription(self.box.socket, ["alert"], since=self.cursor)
                    self.diary.note(f"subscriber of {self.box} goes on at {self.cursor}, "
                                    f"knows {len(self.told)} alerts")
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
            self.diary.note(f"subscriber of {self.box} lagged: {event.data}")
        elif event.data["id"] in self.told:
            self.repeats += 1
        else:
            self.told[event.data["id"]] = event.data["alert"]["name"]
        self.cursor = event.cursor


def has_replicated(box, others):
    """A peer has on its disk all that this box holds; nobody writes meanwhile."""
    coverage = box.store()["coverage"]
    return any(other.store()["coverage"] == coverage and is_written(other) for other in others)


def has_written_enough(writers):
    return all(sum(len(kind) for kind in kinds) > WRITES_MIN
               for kinds in ([w.alerts for w in writers], [w.entries for w in writers]))


def kills(boxes, writers, chance, diary):
    count, wiped = 0, 0
    end = time.monotonic() + SECONDS
    last_end = end + MORE_SECONDS_MAX
    while time.monotonic() < end or (time.monotonic() < last_end and not has_written_enough(writers)):
        time.sleep(chance.uniform(0.2, 1.5))
        victims = chance.sample(boxes, chance.choice([1, 1, 1, 2]))
        if len(victims) == 1 and chance.random() < 0.4:
            victim, = victims
            for writer in writers:
                writer.gate.acquire()
            try:
                wait_until(lambda v=victim: has_replicated(v, [b for b in boxes if b is not v]),
                           lambda: f"a peer with all of {victim}: { {str(b): b.store() for b in boxes} }", 30)
                diary.note(f"kill {victim} and wipe it: { {str(b): b.store() for b in boxes} }")
                victim.kill()
                victim.wipe()
            finally:
                for writer in writers:
                    writer.gate.release()
            wiped += 1
        for victim in victims:
            if victim.is_running():
                diary.note(f"kill {victim}")
                victim.kill()
        count += len(victims)
        time.sleep(chance.uniform(0, 0.5))
        for victim in victims:
            victim.start()
        for victim in victims:
            victim.ready()
            diary.note(f"{victim} is ready")
    return count, wiped


def check_kept(boxes, writers):
    """Every box holds all that was acknowledged."""
    alerts = {alert_id: name for writer in writers for alert_id, name in writer.alerts.items()}
    entries = set().union(*(writer.entries for writer in writers))
    at = {name: seconds for writer in writers for name, seconds in writer.at.items()}
    problems = []
    for box in boxes:
        held = {alert["id"] for alert in all_alerts(box)}
        for what, all_of_them, lost in (
                ("alerts", alerts, {(alerts[a], a) for a in set(alerts) - held}),
                ("entries", entries, {(name, "") for name in entries - hashes(box)})):
            if lost:
                first = sorted((at[name], name, alert_id) for name, alert_id in lost)[:10]
                problems.append(f"{box} lacks {len(lost)} of {len(all_of_them)} acknowledged {what}, the first "
                                f"(when, what): {first}; it holds {box.store()}")
    check(not problems, "\n".join(problems))


def check_told(boxes, writers, followers):
    """Every subscriber was told of each alert, also of those that nobody answered for."""
    held = {alert["id"]: alert for alert in all_alerts(boxes[0])}

    def missing():
        result = []
        for follower in followers:
            lost = set(held) - set(follower.told)
            if lost:
                here = {alert["id"]: alert for alert in all_alerts(follower.box) if alert["id"] in lost}
                result.append(f"{follower.box} lacks {len(lost)}, at {follower.cursor}: {list(here.values())[:5]}")
        return "subscribers to be told:\n" + "\n".join(result)

    wait_until(lambda: all(set(held) <= set(f.told) for f in followers), missing, 20)
    for follower in followers:
        follower.done.set()
        check(follower.wrong is None, f"subscriber of {follower.box}: {follower.wrong}")
        names = list(follower.told.values())
        print(f"subscriber of {follower.box}: {len(names)} alerts, {follower.repeats} repeats dropped, "
              f"{follower.resumes - 1} times resumed, {follower.lagged} times lagged")
        twice = {name for name in names if names.count(name) > 1} if len(names) != len(set(names)) else ()
        check(not twice, f"{follower.box} told of one alert under two ids: {sorted(twice)[:5]}")
        check(all(set(writer.alerts) <= set(follower.told) for writer in writers),
              "acknowledged alerts were told")


def run(lab):
    seed = int(os.environ.get("MESHD_LAB_SEED", time.time_ns() % 1_000_000))
    print(f"MESHD_LAB_SEED={seed}", flush=True)
    boxes = lab.boxes(lab.lan("a", "b", "c"), "--set", "store.persist_interval_others=500ms")
    wait_settled_lan(boxes)
    diary = Diary()
    try:
        kill_during_writes(boxes, random.Random(seed), diary)
    except Exception:
        print(f"--- what happened, and when\n{diary}", file=sys.stderr)
        raise


def kill_during_writes(boxes, chance, diary):
    followers = [Follower(box, diary) for box in boxes]
    writers = [Writer(box, diary) for box in boxes]
    count, wiped = kills(boxes, writers, chance, diary)

    # At the very end all at once, in the middle of writing: what is left is what the disks have.
    diary.note("kill all")
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
    diary.note("all are ready")
    wait_views(boxes)
    wait_store(boxes, 30)

    alerts, entries = sum(len(w.alerts) for w in writers), sum(len(w.entries) for w in writers)
    print(f"{count} kills and one of all; {wiped} state directories wiped; acknowledged as durable: "
          f"{alerts} alerts, {entries} entries; not durable: {sum(w.not_durable for w in writers)}, "
          f"without an answer: {sum(w.unanswered for w in writers)}")
    check(has_written_enough(writers), "too few writes to say anything")
    check_kept(boxes, writers)
    check_told(boxes, writers, followers)


if __name__ == "__main__":
    scenario(run, hang_seconds=145)

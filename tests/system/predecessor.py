#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Failures of the Python library that meshd succeeds, which need real daemons to show."""
import time

from checks import AlertLog, links, pairs, raise_ahead, raise_many, totals, wait_settled_lan
from lab import check, scenario, wait_until

# 9 pushes, 9 acknowledgements and a few announcements; the predecessor took 25 000.
# A new link is measured more often.
YOUNG_SECONDS = 8
DATAGRAMS_PER_ALERT_MAX = 60


def no_storm(boxes):
    """One alert among ten boxes is told with a few datagrams."""
    number = 50
    started = time.monotonic()
    before, = totals(boxes, "datagrams_sent")
    time.sleep(3)
    between, = totals(boxes, "datagrams_sent")
    middle = time.monotonic()
    log = AlertLog(boxes)
    log.check_exactly_once(raise_many(boxes[3], number, pause=0.02))
    after, = totals(boxes, "datagrams_sent")
    idle = (between - before) / (middle - started)
    each = (after - between - idle * (time.monotonic() - middle)) / number
    print(f"idle: {idle / len(boxes):.1f} datagrams/s per box; one alert among 10: {each:.0f} datagrams")
    check(each <= DATAGRAMS_PER_ALERT_MAX, f"{each:.0f} datagrams for one alert")


def leaving_and_returning_does_not_double(box, others):
    """The predecessor's stop left its loops running, and each start added another."""
    def rate():
        before, started = box.counter("heartbeats_sent"), time.monotonic()
        time.sleep(3)
        return (box.counter("heartbeats_sent") - before) / (time.monotonic() - started)

    time.sleep(YOUNG_SECONDS)
    first = rate()
    for _ in range(5):
        box.call("mesh.leave")
        box.call("mesh.discover")
    wait_settled_lan([box, *others])
    time.sleep(YOUNG_SECONDS)
    later = rate()
    print(f"heartbeats/s before and after leaving five times: {first:.1f}, {later:.1f}")
    check(later < first * 1.6 + 1, f"{first:.1f} heartbeats/s became {later:.1f}")


def more_than_the_old_duplicate_set(boxes):
    """The predecessor forgot all it had seen after 10 000 messages."""
    number = 10500
    log = AlertLog(boxes)
    source = boxes[0]
    ids = raise_ahead(source, number, priority="low")
    check(len(set(ids)) == number, "every alert has its own id")
    last = {ids[-1]}
    wait_until(lambda: all(last <= set(counts) for counts in log.counts().values()), "the last alert", 40)
    time.sleep(1)
    for name, counts in log.counts().items():
        check(max(counts.values()) == 1, f"{name} was told twice")
    told = {name: len(counts) for name, counts in log.counts().items()}
    print(f"told of {number}: {told}")


def run(lab):
    boxes = lab.boxes(lab.lan(*[f"n{i}" for i in range(10)]))
    wait_settled_lan(boxes)
    no_storm(boxes)
    leaving_and_returning_does_not_double(boxes[0], boxes[1:])
    for box in boxes:
        box.terminate()

    # max_peers does not count the node itself.
    three = lab.boxes(lab.lan("a", "b", "c"), "--set", "mesh.max_peers=2")
    wait_until(lambda: all(links(box) == pairs("abc") for box in three), "three boxes with two peers each")
    more_than_the_old_duplicate_set(three)


if __name__ == "__main__":
    scenario(run, hang_seconds=140)

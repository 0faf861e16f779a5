# SPDX-License-Identifier: Apache-2.0
"""The demo's story; scripts/demo builds what it needs and starts it.

    box-1, box-2, box-3   on one LAN
    box-3 ── box-4 ── box-5   by cables, each reachable from its neighbours only
"""
import json
import os
import pathlib
import signal
import statistics
import sys
import threading
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "tests/system"))

from box import MESHCTL  # noqa: E402
from checks import wait_topology, wait_views  # noqa: E402
from lab import SKIPPED, check, scenario, wait_until  # noqa: E402

KEEP = "--keep" in sys.argv[1:]
BOLD, PLAIN = ("\033[1m", "\033[0m") if sys.stdout.isatty() and not os.environ.get("NO_COLOR") else ("", "")
LINKS = frozenset({("box-1", "box-2"), ("box-1", "box-3"), ("box-2", "box-3"), ("box-3", "box-4"),
                   ("box-4", "box-5")})
ALERTS = 50


def title(text):
    print(f"\n{BOLD}{text}{PLAIN}", flush=True)


def say(text=""):
    print(f"  {text}", flush=True)


def picture(text):
    print("\n".join(f"    {line}" for line in text.rstrip().splitlines()), flush=True)


def ms(seconds):
    return f"{1000 * seconds:.1f} ms" if seconds < 0.1 else f"{1000 * seconds:.0f} ms"


def build_network(lab):
    first, second, third = lab.lan("box-1", "box-2", "box-3")
    fourth, fifth = lab.host("box-4"), lab.host("box-5")
    lab.cable(third, fourth)
    lab.cable(fourth, fifth)
    return [first, second, third, fourth, fifth]


def discovery(lab, hosts):
    title("1. Five boxes start, with no address configured anywhere; the mesh gets a key")
    for host in hosts:
        host.wait_up()
    started = time.monotonic()
    boxes = [lab.box(host, key=None) for host in hosts]
    for box in boxes:
        box.ready()
    last_ready = max(box.ready_at for box in boxes)
    say(f"the last daemon answered {ms(last_ready - started)} after the first was started, and is silent;")
    token = boxes[0].meshctl("key", "new").stdout
    say("meshctl key new, at box-1, printed the token; meshctl key join reads it at each of the others")
    for box in boxes[1:]:
        box.meshctl("key", "join", stdin=token)
    joined = time.monotonic()
    complete = wait_views(boxes)
    say(f"every box knew all five {ms(max(0.0, complete - joined))} after the last had joined")
    wait_topology(boxes, LINKS)
    return boxes


def topology(boxes):
    title("2. What they found: three on a LAN, two behind them in a line")
    say("meshctl topology --ascii, asked at box-1:")
    picture(boxes[0].meshctl("topology", "--ascii").stdout)
    say("meshctl nodes, asked at box-1:")
    picture(boxes[0].meshctl("nodes").stdout)


def alert(boxes):
    title("3. box-1 raises a critical alert; box-5 is three hops away")
    first, last = boxes[0], boxes[-1]
    subscription = last.subscribe("alert")
    raised = time.monotonic()
    reply = first.call("alerts.raise", alert={"what": "smoke", "camera": "entrance"}, priority="critical",
                       wait_ms=5000)
    reported = time.monotonic()
    event = subscription.wait_for(lambda e: e.data["id"] == reply["id"])
    check(event, "the alert did not reach box-5")
    check(event.data["hops"] == 3, f"the alert made {event.data['hops']} hops instead of 3")
    check(not reply["pending"], f"not delivered to {reply['pending']}")
    say(f"received at box-5 after {ms(event.at - raised)}, {event.data['hops']} hops, "
        f"by {' → '.join(event.data['path'])}: {json.dumps(event.data['alert'])}")
    say(f"box-1 had all {len(reply['delivered'])} confirmations after {ms(reported - raised)}: "
        f"{', '.join(sorted(reply['delivered']))}")
    times = []
    for number in range(ALERTS):
        at = time.monotonic()
        alert_id = first.call("alerts.raise", alert={"number": number})["id"]
        event = subscription.wait_for(lambda e, wanted=alert_id: e.data["id"] == wanted)
        check(event, f"alert {number} of {ALERTS} did not reach box-5")
        times.append(event.at - at)
        time.sleep(0.01)
    say(f"{ALERTS} more of normal priority: all arrived, median {ms(statistics.median(times))}, "
        f"slowest {ms(max(times))}")


def state(boxes):
    title("4. box-5 publishes its state; box-1 reads it")
    boxes[-1].meshctl("state", "set", '{"camera":{"fps":25,"night":true},"zone":"loading dock"}')
    wait_until(lambda: boxes[0].call("state.get", node_id="box-5")["state"].get("zone"), "the state")
    say("meshctl state get box-5, asked at box-1:")
    picture(boxes[0].meshctl("state", "get", "box-5").stdout)


def registry_and_shared_state(lab, boxes):
    title("5. box-1 has seen somebody; box-5 asks who, and sets what all share")
    first, last = boxes[0], boxes[-1]
    vector = lab.directory / "face.json"
    vector.write_text(json.dumps([0.12, -0.4, 0.88, 0.2]))
    first.meshctl("registry", "put", "9f86d081", "--type", "person", "--embedding", str(vector), "--space", "demo",
                  "--metadata", '{"camera":"entrance"}', "--durable")
    wait_until(lambda: last.store()["entries"], "the entry at box-5")
    say("meshctl registry get 9f86d081 --embedding, asked at box-5:")
    picture(last.meshctl("registry", "get", "9f86d081", "--embedding").stdout)
    last.meshctl("state", "set", "--mesh", "mode=night")
    wait_until(lambda: first.store()["shared"], "the shared state at box-1")
    say("meshctl state get --mesh, asked at box-1 after box-5 has set mode=night:")
    picture(first.meshctl("state", "get", "--mesh").stdout)


def death_and_return(boxes):
    title("6. box-2 dies by kill -9")
    victim = boxes[1]
    others = [box for box in boxes if box is not victim]
    events = {box: box.subscribe("node") for box in others}
    killed = victim.kill()
    for box in others:
        event = events[box].wait_for(lambda e: e.data["node_id"] == "box-2" and e.kind == "node.offline")
        check(event, f"{box} did not notice that box-2 died")
        say(f"{box} knew after {event.at - killed:.2f} s")

    title("7. It returns")
    started = time.monotonic()
    victim.start().ready()
    for box in others:
        event = events[box].wait_for(lambda e: e.at > started and e.data["node_id"] == "box-2"
                                     and e.kind == "node.returned")
        check(event, f"{box} did not notice the return of box-2")
    complete = wait_views(boxes)
    say(f"all five saw all five again {ms(complete - started)} after its start")
    wait_until(lambda: victim.store()["entries"] and victim.store()["shared"], "what box-2 knew before")
    say("and it has the registry and the shared state, as before")
    for subscription in events.values():
        subscription.close()


def keep(lab, boxes):
    title("The mesh keeps running until Ctrl-C. From another shell:")
    meshctl = os.path.relpath(MESHCTL) if MESHCTL.is_relative_to(pathlib.Path.cwd()) else MESHCTL
    socket = boxes[0].socket
    for command in ("status", "nodes", "topology --ascii", "watch"):
        say(f"{meshctl} --socket {socket} {command}")
    say(f"{meshctl} --socket {boxes[-1].socket} alert '{{\"what\":\"smoke\"}}' --priority critical")
    say("echo '{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"mesh.nodes\"}' "
        f"| socat -t5 - UNIX-CONNECT:{socket}")
    say(f"kill -9 {boxes[1].process.pid}        # box-2")
    say(f"The other sockets and all logs are in {lab.directory}/box-*/")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    stop.wait()
    print("\nstopping")
    for box in boxes:
        if box.is_running():
            box.terminate()


def run(lab):
    print(f"{BOLD}meshd: five boxes, one mesh{PLAIN}", flush=True)
    hosts = build_network(lab)
    boxes = discovery(lab, hosts)
    topology(boxes)
    alert(boxes)
    state(boxes)
    registry_and_shared_state(lab, boxes)
    death_and_return(boxes)
    if KEEP:
        signal.alarm(0)
        keep(lab, boxes)
        return
    title("8. All stop, and say goodbye")
    for box in boxes:
        box.terminate()
        check(box.process.returncode == 0, f"{box} exited with {box.process.returncode}")
    say("scripts/demo --keep leaves them running")


if __name__ == "__main__":
    try:
        scenario(run, closing="")
    except SystemExit as end:
        if end.code == SKIPPED:
            print("The demo needs network namespaces: run it as root, or where user namespaces are allowed "
                  "(sysctl kernel.unprivileged_userns_clone=1).", file=sys.stderr)
            sys.exit(1)
        raise

# SPDX-License-Identifier: Apache-2.0
"""The measures of meshd that Serf has a counterpart of, taken of Serf on the same hosts and by the same clock:
user events for alerts, acknowledged queries for searches, the members it lists for views."""
import contextlib
import statistics
import time

from measures import processor_seconds, spread, times

from lab import Failure, check, wait_until
from serf_agent import PROGRAM, Agent

LONG = 120
# A user event has 512 bytes at most, its name among them.
TEXT = b"x" * 100
RATES = (10, 25, 50, 100, 200)
RATE_SECONDS = 4
# What comes later than that is not counted as delivered.
STRAGGLER_SECONDS = 8


def peer(options, measure, *arguments):
    """Figures of Serf under names of their own; nothing where it is not wanted or not there."""
    if not options.peer:
        return {}
    if PROGRAM is None:
        return {"Serf": "not installed"}
    try:
        return {f"Serf: {name}": value for name, value in measure(*arguments).items()}
    except (Failure, OSError, EOFError) as failure:
        return {"Serf: failed": str(failure)[:200]}


@contextlib.contextmanager
def agents_of(lab, hosts):
    """Agents that all see all."""
    agents = [Agent(lab, host, hosts[0].address) for host in hosts]
    try:
        for agent in agents:
            agent.ready()
        wait_members(agents)
        yield agents
    finally:
        for agent in agents:
            agent.kill()


def wait_members(agents, timeout=LONG):
    want = {agent.name for agent in agents}
    missing = list(agents)

    def complete():
        missing[:] = [agent for agent in missing if agent.alive() != want]
        return not missing

    wait_until(complete, "Serf's members", timeout, every=0.01)
    return time.monotonic()


def cold_start(lab, hosts, starts):
    """All know the address of the first; a meshd needs none."""
    spans = []
    for _ in range(starts):
        agents = [Agent(lab, host, hosts[0].address) for host in hosts]
        try:
            for agent in agents:
                agent.ready()
            last_ready = time.monotonic()
            spans.append(max(0.0, wait_members(agents) - last_ready))
        finally:
            for agent in agents:
                agent.kill()
        time.sleep(0.5)
    return {"starts": starts, **spread("members full after the last RPC", spans)}


def told(agents, number, prefix, timeout):
    """Waits until all have been told of all events; {payload number: {agent: time}}."""
    deadline = time.monotonic() + timeout

    def arrivals():
        result = {}
        for agent in agents:
            for event in agent.stream.snapshot():
                if event.kind == "user" and event.payload and event.payload.startswith(prefix):
                    result.setdefault(event.payload[:len(prefix) + 8], {})[agent.name] = event.at
        return result

    while True:
        result = arrivals()
        if sum(map(len, result.values())) >= number * len(agents) or time.monotonic() > deadline:
            return result
        time.sleep(0.2)


def alerts(agents, number, pause=0.2, name="alert"):
    """One at a time, slower than meshd's: it gossips five times a second."""
    prefix = name.encode() + b"-"
    raised = {}
    for n in range(number):
        agent = agents[n % len(agents)]
        raised[prefix + b"%08d" % n] = time.monotonic(), agent.name
        agent.rpc.event(f"{name}{n}", prefix + b"%08d" % n + TEXT)
        time.sleep(pause)
    arrived = told(agents, number, prefix, STRAGGLER_SECONDS)
    every, last = [], []
    for key, (at, source) in raised.items():
        spans = [when - at for who, when in arrived.get(key, {}).items() if who != source]
        every += spans
        last += [max(spans)] if len(spans) == len(agents) - 1 else []
    return {f"{name}s": number, **times(f"{name} to a node", every), **times(f"{name} to the last node", last),
            f"{name}s delivered %": round(100 * len(every) / (number * (len(agents) - 1)), 2)}


def sustained(agents):
    """The highest of some rates at which all events of 200 B come to all."""
    best, figures = 0, {}
    for rate in RATES:
        prefix = b"rate%d-" % rate
        started, number = time.monotonic(), rate * RATE_SECONDS
        for n in range(number):
            agents[n % len(agents)].rpc.event(f"r{rate}-{n}", prefix + b"%08d" % n + b"y" * 180)
            time.sleep(max(0.0, started + (n + 1) / rate - time.monotonic()))
        share = sum(map(len, told(agents, number, prefix, STRAGGLER_SECONDS).values())) / number / len(agents)
        figures[f"delivered % at {rate}/s"] = round(100 * share, 1)
        if share < 1:
            break
        best = rate
    return {"events of 200 B/s, all delivered": best, **figures}


def searches(agents, number, what="query"):
    spans, complete = [], 0
    for n in range(number):
        arrivals = agents[n % len(agents)].rpc.query(f"q{n}", 2)
        if len(arrivals) == len(agents):
            complete += 1
            spans.append(max(arrivals.values()))
    return {**(times(f"{what}, all acknowledged", spans) if spans else {}),
            f"{what}: complete": f"{complete} of {number}"}


def idle(agents, rest, seconds):
    def sample():
        return (time.monotonic(), sum(agent.host.sent_bytes() for agent in agents),
                sum(processor_seconds(agent.process.pid) for agent in agents))

    time.sleep(rest)
    before = sample()
    time.sleep(seconds)
    after = sample()
    span = (after[0] - before[0]) * len(agents)
    rss = [agent.rss_kib() / 1024 for agent in agents]
    return {"idle layer 2 bytes/s": round((after[1] - before[1]) / span),
            "idle CPU %": round(100 * (after[2] - before[2]) / span, 3),
            "RSS MiB, median": round(statistics.median(rss), 1)}


def lan(lab, hosts, options, rest, seconds):
    """Alerts, searches and the cost of idling."""
    with agents_of(lab, hosts) as agents:
        return {**alerts(agents, options.samples(50, 10)), **searches(agents, options.samples(20, 5)),
                **idle(agents, rest, seconds)}


def rates(lab, hosts):
    with agents_of(lab, hosts) as agents:
        return sustained(agents)


def lossy(lab, hosts, options):
    """The hosts lose already; the agents may find each other nevertheless."""
    with agents_of(lab, hosts) as agents:
        return {**alerts(agents, options.samples(50, 10)), **searches(agents, options.samples(20, 5))}


def kills(lab, hosts, number):
    last = []
    with agents_of(lab, hosts) as agents:
        for turn in range(number):
            time.sleep(1)
            victim = agents[1 + turn * 7 % (len(agents) - 1)]
            others = [agent for agent in agents if agent is not victim]
            seen = {agent: len(agent.stream.snapshot()) for agent in others}
            killed = victim.kill()
            spans = []
            for agent in others:
                event = agent.stream.wait_for(
                    lambda e: e.kind == "member-failed" and victim.name in e.names and e.at > killed, LONG)
                check(event, f"the agent of {agent.name} did not notice, after {seen[agent]} events")
                spans.append(event.at - killed)
            last.append(max(spans))
            victim.start().ready()
            wait_members(agents)
    return {"kills": number, **spread("known by all others", last)}


def partition(lab, hosts, times_parted, seconds):
    halves = hosts[:len(hosts) // 2], hosts[len(hosts) // 2:]
    spans = []
    with agents_of(lab, hosts) as agents:
        for _ in range(times_parted):
            lab.trunk(False)
            started = time.monotonic()
            for half in halves:
                names = {host.name for host in half}
                for agent in agents:
                    if agent.name in names:
                        wait_until(lambda: agent.alive() == names, "Serf to notice the partition", LONG)
            time.sleep(max(0.0, started + seconds - time.monotonic()))
            lab.trunk(True)
            healed = time.monotonic()
            spans.append(wait_members(agents) - healed)
    return {"partitions": times_parted, **spread("members full after the heal", spans)}

# SPDX-License-Identifier: Apache-2.0
"""The table: what a mesh must reach, what was measured, what the peer did and what the machine can do at all.

Each row is made of the figures of one or more steps of tests/bench/run; a figure that was not taken leaves "–",
and a row is only called met where all of its figures are there and within their bounds."""

NONE = "–"


class Figures:
    """The figures of all steps, some of which may be missing or have failed."""

    def __init__(self, steps):
        self.steps = steps

    def get(self, step, key, default=None):
        value = self.steps.get(step, {}).get(key, default)
        return value if isinstance(value, (int, float)) and not isinstance(value, bool) else default

    def text(self, step, key, unit="", digits=None):
        value = self.steps.get(step, {}).get(key)
        if value is None:
            return NONE
        if digits is not None and isinstance(value, (int, float)):
            value = f"{value:.{digits}f}"
        return f"{value}{unit}"


class Row:
    def __init__(self, what, must, measured, peer=NONE, raw=NONE, bounds=(), note="", shorter=""):
        """`bounds`: (value, bound, whether less is better). `shorter`: how less was measured than is asked."""
        self.what, self.must, self.measured, self.peer, self.raw = what, must, measured, peer, raw
        self.note, self.is_shorter = note or shorter, bool(shorter)
        values = [value for value, _, _ in bounds]
        if not values or any(value is None for value in values):
            self.met = None
        else:
            self.met = all(value <= bound if is_less else value >= bound for value, bound, is_less in bounds)

    def verdict(self):
        is_met = "met, by what was run" if self.is_shorter else "met"
        return {None: "not judged", True: is_met, False: "**missed**"}[self.met]

    def as_dict(self):
        return {"what": self.what, "must": self.must, "measured": self.measured, "peer": self.peer,
                "raw limit": self.raw, "met": self.met, "note": self.note}


def at_most(value, bound):
    return value, bound, True


def at_least(value, bound):
    return value, bound, False


def rows(figures):
    f, t = figures.get, figures.text
    result = []

    def add(*arguments, **options):
        result.append(Row(*arguments, **options))

    full, worst = "views full after the last READY: median s", "views full after the last READY: worst s"
    add("cold start to all views full, no addresses configured", "1 s at 10, 2 s at 50; worst of 20: 5 s",
        "; ".join(f"{n}: {t(s, full)} s (worst of {t(s, 'starts')}: {t(s, worst)})"
                  for n, s in ((10, "liveness.cold_start10"), (50, "liveness.cold_start50"))),
        "; ".join(f"{n}: {t(s, 'Serf: members full after the last RPC: median s')} s "
                  f"(worst {t(s, 'Serf: members full after the last RPC: worst s')})"
                  for n, s in ((10, "liveness.cold_start10"), (50, "liveness.cold_start50"))) + ", by one seed",
        bounds=[at_most(f("liveness.cold_start10", full), 1), at_most(f("liveness.cold_start50", full), 2),
                at_most(f("liveness.cold_start10", worst), 5), at_most(f("liveness.cold_start50", worst), 5)])

    cycle, lost = "one mesh after the first start: worst s", "acknowledged alerts lost"
    add("all 20 boxes power-cycled at once", "one mesh ≤ 10 s, no acknowledged record lost",
        f"worst of {t('liveness.power_cycle20', 'cycles')}: {t('liveness.power_cycle20', cycle)} s, "
        f"{t('liveness.power_cycle20', lost)} lost",
        bounds=[at_most(f("liveness.power_cycle20", cycle), 10), at_most(f("liveness.power_cycle20", lost), 0)])

    for number, must, bounds in ((10, "3 ms p50 to a node, 30 ms p99 to the last", (3, 30)),
                                 (50, "80 ms p99 to the last node", (None, 80))):
        step = f"mesh.lan{number}"
        add(f"alert, N={number}: to a node p50 / to the last node p99", must,
            f"{t(step, 'node_p50_ms')} / {t(step, 'last_node_p99_ms')} ms "
            f"(three runs: {t(step, 'node_p50_ms, of 3 runs')} / {t(step, 'last_node_p99_ms, of 3 runs')}); "
            f"as written by the daemons {t(step, 'last_node_as_written_p99_ms')}",
            f"{t(step, 'Serf: alert to a node: p50 ms')} / {t(step, 'Serf: alert to the last node: p99 ms')} ms",
            f"UDP to all and back {t(step, 'raw echo of all: p50 ms')} / {t(step, 'raw echo of all: p99 ms')} ms",
            bounds=([at_most(f(step, "node_p50_ms"), bounds[0])] if bounds[0] else [])
            + [at_most(f(step, "last_node_p99_ms"), bounds[1]), at_least(f(step, "delivered_percent"), 100)])

    add("the same, N=10 at 10 % loss", "100 % delivered, last node p99 150 ms",
        f"{t('mesh.lossy10', 'delivered_percent')} %, {t('mesh.lossy10', 'last_node_p99_ms')} ms "
        f"(worst of {t('mesh.lossy10', 'alerts')}: {t('mesh.lossy10', 'last_node_worst_ms')})",
        f"{t('mesh.lossy10', 'Serf: alerts delivered %')} %, "
        f"{t('mesh.lossy10', 'Serf: alert to the last node: p99 ms')} ms",
        bounds=[at_least(f("mesh.lossy10", "delivered_percent"), 100),
                at_most(f("mesh.lossy10", "last_node_p99_ms"), 150)])

    best = "alerts of 200 B/s, all delivered"
    add("sustained alerts of 200 B, all delivered, N=10", "≥ 1 000/s (goal 2 000); beyond that `overloaded`, none lost",
        f"{t('mesh.sustained', best)}/s; offered more: {t('mesh.sustained', 'all they take: acknowledged/s')}/s "
        f"acknowledged, {t('mesh.sustained', 'all they take: refused as overloaded')} refused, "
        f"{t('mesh.sustained', 'all they take: delivered %')} % of the acknowledged delivered",
        f"{t('mesh.sustained', 'Serf: events of 200 B/s, all delivered')}/s",
        bounds=[at_least(f("mesh.sustained", best), 1000),
                at_least(f("mesh.sustained", "all they take: delivered %"), 100)])

    def complete_all(step, key):
        text = figures.steps.get(step, {}).get(key)
        if not isinstance(text, str):
            return None
        got, wanted = text.split(" of ")
        return int(got) - int(wanted)

    add("search, all answers, N=10; at 10 % loss", "15 ms p50; 30 of 30 complete",
        f"by hash {t('search.lan10', 'hash: p50 ms')} ms, by local programs {t('search.lan10', 'programs: p50 ms')}; "
        f"at loss {t('search.lossy10', 'hash: complete')}, p50 {t('search.lossy10', 'hash: p50 ms')} ms",
        f"{t('mesh.lan10', 'Serf: query, all acknowledged: p50 ms')} ms; "
        f"at loss {t('mesh.lossy10', 'Serf: query: complete')}",
        f"UDP to all and back {t('mesh.lan10', 'raw echo of all: p50 ms')} ms",
        bounds=[at_most(f("search.lan10", "hash: p50 ms"), 15),
                at_least(complete_all("search.lossy10", "hash: complete"), 0)])

    known, tail = "known by all others: median s", "known by all others: p99 s"
    add("kill -9 → all others know, N=10 / 50", "1.5 / 2 s median, 3 s p99",
        "; ".join(f"{n}: {t(s, known)} s, p99 {t(s, tail)} (best {t(s, 'known by all others: best s')}, "
                  f"{t(s, 'kills')} kills)" for n, s in ((10, "liveness.kill10"), (50, "liveness.kill50"))),
        "; ".join(f"{n}: {t(s, 'Serf: known by all others: median s')} s "
                  f"(worst {t(s, 'Serf: known by all others: worst s')})"
                  for n, s in ((10, "liveness.kill10"), (50, "liveness.kill50"))),
        bounds=[at_most(f("liveness.kill10", known), 1.5), at_most(f("liveness.kill50", known), 2),
                at_most(f("liveness.kill10", tail), 3), at_most(f("liveness.kill50", tail), 3)])

    minutes = f("liveness.loss10", "minutes")
    add("false offline at 20 % loss", "0 in 10 min at 10 and 25 boxes; simulator: 0 in 50 nodes × 24 h, with stalls",
        f"10 boxes: {t('liveness.loss10', 'false offline told')}, 25: {t('liveness.loss25', 'false offline told')}, "
        f"in {t('liveness.loss10', 'minutes')} min each; simulator: "
        + (f"{t('sim.weather', 'false_offline')} in {t('sim.weather', 'idle_node_hours', '', 0)} node-hours"
           if "sim.weather" in figures.steps else "see tests/sim/REPORT.md"),
        shorter="" if minutes is None or minutes >= 10 else f"{minutes:g} min instead of 10: `--full` runs 10",
        bounds=[at_most(f("liveness.loss10", "false offline told"), 0),
                at_most(f("liveness.loss25", "false offline told"), 0)])

    median, longest = "silent: the box itself knows: median s", "silent: the box itself knows: worst s"
    add("cut-off box knows it is alone", "2 s median, 3.5 s worst",
        f"{t('liveness.cut_off', median)} s, worst of {t('liveness.cut_off', 'silent: cuts')}: "
        f"{t('liveness.cut_off', longest)}", "does not say",
        bounds=[at_most(f("liveness.cut_off", median), 2), at_most(f("liveness.cut_off", longest), 3.5)])

    heal, equal = "all views full: median s", "stores equal, polled: median s"
    parted = f("liveness.partition", "seconds parted")
    add("5/5 partition, heal → all agree", "2 s, stores equal (60 s parted)",
        f"views {t('liveness.partition', heal)} s, stores equal {t('liveness.partition', equal)} s "
        f"(worst of {t('liveness.partition', 'partitions')}: {t('liveness.partition', 'stores equal, polled: worst s')})",
        f"members {t('liveness.partition', 'Serf: members full after the heal: median s')} s",
        shorter="" if parted is None or parted >= 60 else f"parted for {parted:g} s instead of 60: `--full` parts for 60",
        bounds=[at_most(f("liveness.partition", heal), 2), at_most(f("liveness.partition", equal), 2)])

    sizes = (3, 10, 25, 50)
    add("idle per node, sealed: bytes sent (layer 2), CPU, RSS with an empty store",
        "300 B/s, flat from 10 to 50; 0.2 %; 10 MB (9.54 MiB)",
        "N=3 / 10 / 25 / 50: " + " / ".join(t(f"mesh.lan{n}", "idle_layer2_bytes_per_s") for n in sizes) + " B/s; "
        + " / ".join(t(f"mesh.lan{n}", "idle_cpu_percent") for n in sizes) + " %; "
        + " / ".join(t(f"mesh.lan{n}", "rss_mib_fresh") for n in sizes) + " MiB once formed, "
        + f"{t('mesh.lan10', 'rss_mib_median')} after some hundred alerts at 10",
        "N=10 / 50: " + " / ".join(t(f"mesh.lan{n}", "Serf: idle layer 2 bytes/s") for n in (10, 50)) + " B/s; "
        + " / ".join(t(f"mesh.lan{n}", "Serf: idle CPU %") for n in (10, 50)) + " %; "
        + " / ".join(t(f"mesh.lan{n}", "Serf: RSS MiB, median") for n in (10, 50)) + " MiB",
        bounds=[bound for n in (10, 50) for bound in (
            at_most(f(f"mesh.lan{n}", "idle_layer2_bytes_per_s"), 300),
            at_most(f(f"mesh.lan{n}", "idle_cpu_percent"), 0.2),
            at_most(f(f"mesh.lan{n}", "rss_mib_fresh"), 9.54))])

    add("5 boxes in a line: alert end to end; 20 in a line", "100 %, p50 10 ms; 100 %",
        f"{t('mesh.line5', 'delivered_percent')} %, {t('mesh.line5', 'farthest_p50_ms')} ms; "
        f"{t('mesh.line20', 'delivered_percent')} %, {t('mesh.line20', 'farthest_p50_ms')} ms over "
        f"{t('mesh.line20', 'hops')} hops", "does not route",
        bounds=[at_least(f("mesh.line5", "delivered_percent"), 100), at_most(f("mesh.line5", "farthest_p50_ms"), 10),
                at_least(f("mesh.line20", "delivered_percent"), 100)])

    add("copies of a non-critical record per node, no loss", "1.1",
        " / ".join(t(f"mesh.lan{n}", "copies_per_node") for n in sizes) + " at 3 / 10 / 25 / 50", raw="1",
        bounds=[at_most(f(f"mesh.lan{n}", "copies_per_node"), 1.1) for n in (10, 50)])

    add("biggest alert", "64 KiB; at 10 % loss p99 1 s",
        f"64 KiB at 10 % loss: {t('mesh.lossy10', '64 KiB: delivered_percent')} % of "
        f"{t('mesh.lossy10', '64 KiB: alerts')}, last node p50 {t('mesh.lossy10', '64 KiB: last_node_p50_ms')}, "
        f"p99 {t('mesh.lossy10', '64 KiB: last_node_p99_ms')} ms", "512 B with its name",
        bounds=[at_least(f("mesh.lossy10", "64 KiB: delivered_percent"), 100),
                at_most(f("mesh.lossy10", "64 KiB: last_node_p99_ms"), 1000)])

    late = "store.late joiner"
    add("late joiner with embeddings", "≥ 0.4× of raw sealed UDP, until searchable; heartbeats not missed",
        f"{t(late, 'ratio to raw sealed UDP')} ({t(late, 'entries')} entries in {t(late, 'seconds')} s, "
        f"{t(late, 'links down')} links down)",
        raw=f"sealed UDP {t(late, 'raw sealed UDP datagrams/s, loss <= 0.1 %')} datagrams/s",
        bounds=[at_least(f(late, "ratio to raw sealed UDP"), 0.4), at_most(f(late, "links down"), 0)])

    loop = f("vector", "search / fp32 loop, eight sums as built for AVX2 []")
    wrong = next((value for key, value in figures.steps.get("vector", {}).items()
                  if key.startswith("mismatches")), None)
    packaged = f("vector", "search / FAISS as packaged []")
    add("exact top-10 of 100k × 512", "0.25× of FAISS FlatIP in one run, 0 mismatches",
        f"{t('vector', 'search [ms]', '', 2)} ms (best {t('vector', 'search, best [ms]', '', 2)}); "
        + (f"{packaged:.3f} of FAISS as packaged; " if packaged is not None else "")
        + (f"{loop:.2f} of a plain AVX2 loop over the same values in fp32; " if loop is not None else "")
        + f"{wrong if wrong is None else round(wrong)} mismatches",
        f"{t('vector', 'FAISS IndexFlatIP, as its package is built [ms]', '', 1)} ms (Debian's libfaiss 1.7.3)"
        if packaged is not None else "FAISS not installed",
        f"reading the codes {t('vector', 'reading the codes, prefetched [ms]', '', 2)} ms, "
        f"{t('vector', 'single-core read bandwidth [GB/s]', '', 1)} GB/s",
        bounds=[at_most(packaged if packaged is not None else loop, 0.25), at_most(wrong, 0)])

    ratio, ahead = "serial, of the echo []", "pipelined, mesh.status [/s]"
    add("RPC over the socket, one core, serial / pipelined", "≥ 0.6× of a bare libuv echo, ≥ 200k/s",
        f"{t('rpc', ratio, '', 2)} ({t('rpc', 'serial, mesh.status [/s]', '', 0)}/s; by processor time "
        f"{t('rpc', 'serial, of the echo, by processor time []', '', 2)}) / {t('rpc', ahead, '', 0)}/s",
        raw=f"Unix echo {t('rpc', 'serial, bare echo [/s]', '', 0)}/s / "
        f"{t('rpc', 'pipelined, bare echo [/s]', '', 0)}/s",
        bounds=[at_least(f("rpc", ratio), 0.6), at_least(f("rpc", ahead), 200_000)])

    memory = "store.memory"
    add("memory per entry with embedding", "2.0 KB",
        f"author {t(memory, 'author: KB per entry')}, joiner {t(memory, 'joiner: KB per entry')}, searched "
        f"{t(memory, 'joiner: KB per entry, added by searches')} more",
        raw=f"encoded {t(memory, 'KB per record, encoded')} KB",
        bounds=[at_most(f(memory, "author: KB per entry"), 2.0), at_most(f(memory, "joiner: KB per entry"), 2.0)])

    add("idle disk writes", "5 MB/day",
        f"{t('store.idle', 'disk: MB/day, most of a box')} MB/day, over {t('store.idle', 'disk: seconds watched')} s",
        bounds=[at_most(f("store.idle", "disk: MB/day, most of a box"), 5)])

    large = next((n for n in (1000, 200) if f"sim.{n}" in figures.steps), 200)
    step = f"sim.{large}"
    sent, base = f(step, "idle_bytes_per_node_s"), f("sim.50", "idle_bytes_per_node_s")
    growth = sent / base if sent and base else None
    crash = f(step, "crash_all_ms_p50")
    add("simulated 1 000 nodes, 5 % loss",
        "sent traffic ≤ 1.5× of that at 50; crash known everywhere 3 s median; 0 false offline",
        f"{large} nodes: {NONE if growth is None else f'{growth:.2f}'}× "
        f"({t('sim.50', 'idle_bytes_per_node_s', '', 0)} → {t(step, 'idle_bytes_per_node_s', '', 0)} B/s); "
        f"{NONE if crash is None else f'{crash / 1000:.2f}'} s; {t(step, 'false_offline')} false offline",
        shorter="" if large == 1000 else f"{large} nodes instead of 1 000, which take half an hour: `--full`",
        bounds=[at_most(growth, 1.5), at_most(crash, 3000), at_most(f(step, "false_offline"), 0)])

    told = "both had told of it after the clone's start: worst s"
    add("two clones of one disk image", "detected ≤ 5 s, both usable after the operator's answer",
        f"worst of {t('mesh.clones', 'clones')}: {t('mesh.clones', told)} s, usable "
        f"{t('mesh.clones', 'both usable after the answer')}",
        bounds=[at_most(f("mesh.clones", told), 5),
                at_least(complete_all("mesh.clones", "both usable after the answer"), 0)])

    floods = {name: figures.steps[f"flood.{name}"] for name in ("at nobody", "noise", "forged beacons",
                                                               "damaged sessions", "a recording",
                                                               "well-formed headers")
              if f"flood.{name}" in figures.steps}
    hostile = {name: flood for name, flood in floods.items() if name != "at nobody" and "p99 ratio" in flood}
    add("100 000 garbage datagrams/s at one box", "0 false offline, alert p99 ≤ 3×, memory flat",
        "; ".join(f"{name}: p99 {flood['quiet p99 ms']} → {flood['flood p99 ms']} ms ({flood['p99 ratio']}×), "
                  f"{flood['nodes told lost']} told lost, {flood['target grew KiB']:+} KiB"
                  for name, flood in hostile.items()) or NONE,
        raw="the same flood at nobody: " + (
            f"{floods['at nobody']['p99 ratio']}×" if "p99 ratio" in floods.get("at nobody", {}) else NONE),
        note="attacker, boxes and clients share two cores: a flood at nobody costs as shown",
        bounds=[bound for flood in hostile.values() for bound in (
            at_most(flood["p99 ratio"], 3), at_most(flood["nodes told lost"], 0),
            at_most(flood["target grew KiB"], 2048))])

    seeds = f("seeds", "seeds")
    add("swarm seeds without a violation", "10 000 by hand, 300 in `.ci/run`",
        f"{t('seeds', 'passed')} of {t('seeds', 'seeds')}",
        shorter="" if seeds is None or seeds >= 300 else f"{seeds} instead of 300: `--full` and `.ci/run` run them",
        bounds=[at_least(f("seeds", "passed"), seeds if seeds is not None else 0)])

    add("start, size", NONE,
        f"from exec to READY {t('mesh.small', 'from exec to READY: median ms')} ms "
        f"({t('mesh.small', 'from exec to READY: best ms')}..{t('mesh.small', 'from exec to READY: worst ms')}); "
        f"meshd {t('mesh.small', 'meshd, stripped MiB')} MiB, meshctl {t('mesh.small', 'meshctl, stripped MiB')} MiB; "
        f"with {t(late, 'entries')} entries {t('store.missed 100', 'restart: ready after s')} s")

    told_at = "datagram received"
    add("in the core alone: allocations, time", "none for a heartbeat",
        f"{t('core', f'at rest: allocations for each {told_at}', '', 2)} for each datagram of a mesh at rest, "
        f"{t('core', 'alerts: allocations for each alert at a node', '', 0)} and "
        f"{t('core', 'alerts: us for each alert at a node', '', 0)} µs for each alert at each box")

    dead = "both ways: way around, polled: median s"
    add("way around a link that dies silently", "2 s",
        f"{t('liveness.dead_link', dead)} s (worst {t('liveness.dead_link', 'both ways: way around, polled: worst s')})",
        bounds=[at_most(f("liveness.dead_link", dead), 2)])
    add("boxes paused: 0.5 s; 10 s", "no false offline; offline, and returns by itself",
        f"{t('liveness.pauses', 'false offline told')} in {t('liveness.pauses', 'pauses of 0.5 s')} pauses; offline "
        f"after {t('liveness.pauses', 'offline for one other: median s')} s, back for all "
        f"{t('liveness.pauses', 'returned for all others: median s')} s after waking",
        bounds=[at_most(f("liveness.pauses", "false offline told"), 0)])
    add("link that loses half", "used around (no number)",
        f"{t('liveness.lossy_link', 'way around a link that loses half s')} s"
        if "liveness.lossy_link" in figures.steps else "only by `--full`")
    return result


def markdown(table):
    lines = ["| what | must | measured | peer | raw limit | |", "|---|---|---|---|---|---|"]
    for row in table:
        measured = row.measured + (f" *({row.note})*" if row.note else "")
        lines.append(f"| {row.what} | {row.must} | {measured} | {row.peer} | {row.raw} | {row.verdict()} |")
    judged = [row for row in table if row.met is not None]
    return "\n".join(lines) + f"\n\n{sum(row.met for row in judged)} of {len(judged)} judged rows met.\n"


def plots(figures):
    """Panels for svg_plot: how cost grows."""
    f = figures.get
    meshd, serf, other = "#1b6ca8", "#c8553d", "#3f8f4f"
    sizes = [n for n in (3, 10, 25, 50) if f"mesh.lan{n}" in figures.steps]

    def over_nodes(key, step="mesh.lan{}"):
        return [(n, f(step.format(n), key)) for n in sizes if f(step.format(n), key) is not None]

    result = [
        ("Alert to the last node: p50, p99 (dashed), ms", sizes,
         [(meshd, "", over_nodes("last_node_p50_ms")), (meshd, "6 3", over_nodes("last_node_p99_ms"))]),
        ("The same with Serf, ms", sizes,
         [(meshd, "", over_nodes("last_node_p50_ms")), (serf, "", over_nodes("Serf: alert to the last node: p50 ms")),
          (serf, "6 3", over_nodes("Serf: alert to the last node: p99 ms"))]),
        ("Sent at idle, B/s per node, layer 2", sizes,
         [(meshd, "", over_nodes("idle_layer2_bytes_per_s")), (serf, "", over_nodes("Serf: idle layer 2 bytes/s"))]),
        ("Processor at idle, % of a core", sizes,
         [(meshd, "", over_nodes("idle_cpu_percent")), (serf, "", over_nodes("Serf: idle CPU %"))]),
        ("Resident memory, MiB", sizes,
         [(meshd, "", over_nodes("rss_mib_fresh")), (serf, "", over_nodes("Serf: RSS MiB, median"))]),
        ("kill -9 known by all, median, s", sizes,
         [(meshd, "", over_nodes("known by all others: median s", "liveness.kill{}")),
          (serf, "", over_nodes("Serf: known by all others: median s", "liveness.kill{}"))]),
    ]
    counts = [n for n in (10_000, 25_000, 50_000, 100_000) if vector_step(n) in figures.steps]
    label = {n: f"{n // 1000}k" for n in counts}

    def over_rows(key):
        return [(label[n], f(vector_step(n), key)) for n in counts if f(vector_step(n), key) is not None]

    result.append(("Exact top-10 over records, ms; FAISS green", list(label.values()),
                   [(meshd, "", over_rows("search [ms]")),
                    (other, "", over_rows("FAISS IndexFlatIP, as its package is built [ms]"))]))
    result.append(("Index, bytes a record", list(label.values()),
                   [(meshd, "", over_rows("index, bytes a row, searched [B]"))]))
    listeners = [n for n in (1, 10, 100, 200) if f("mesh.subscribers", f"{n} subscribers: CPU us per alert") is not None]
    result.append(("Processor per alert over local subscribers, µs", listeners,
                   [(meshd, "", [(n, f("mesh.subscribers", f"{n} subscribers: CPU us per alert"))
                                 for n in listeners])]))
    return result, [(meshd, "meshd"), (serf, "Serf"), (other, "FAISS")]


def vector_step(count):
    return "vector" if count == 100_000 else f"vector.{count}"

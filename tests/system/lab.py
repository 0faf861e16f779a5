#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A network of hosts in namespaces, without root, for real daemons.

A scenario is a function that takes a `Lab`; `scenario(run)` re-executes the script in its own user,
network and mount namespaces, builds nothing outside them, and ends every process it started. The exit
code is 0, 1, or 77 where the kernel permits no namespaces ("skipped, because …").

    def run(lab):
        boxes = lab.boxes(lab.lan("a", "b", "c"))

Every host has its own network namespace; its interfaces are named eth0, eth1, … in the order in which
they were plugged. A LAN is a bridge in the lab's own namespace, a cable is a veth pair. Loss and cuts
are nftables rules at the receiving host. `python3 lab.py --probe` says whether scenarios can run here.
"""
import contextlib
import ctypes
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

from box import BIN_DIR, MESHD, Box, Failure, clean_environment  # noqa: F401
from mesh_key import make_token

CLONE_NEWNET = 0x40000000
SKIPPED = 77
INSIDE = "MESHD_LAB_INSIDE"
# Sealing is what boxes do by default; open is for comparison.
IS_OPEN = os.environ.get("MESHD_LAB_OPEN") == "1"
GROUP = "239.77.7.7"
# All namespaces of a machine share one table of 1024 learned neighbours, and one that is full refuses new ones
# for seconds: fifty hosts that all talk to each other need 2450.
ARP_HOSTS_MAX = 12
TOOLS = ("unshare", "setpriv", "ip", "nft", "mount")
PROBE = ("mount -t tmpfs none /run && ip netns add probe && ip netns exec probe true"
         " && ip link add p0 type veth peer name eth0 netns probe && ip link add b0 type bridge"
         " && ip netns exec probe nft list ruleset")


class Skip(Exception):
    """The machine does not permit what the scenario needs."""


def _find_tools():
    # On Debian an ordinary user's PATH has no sbin, where ip and nft live.
    os.environ["PATH"] = os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin"
    for tool in TOOLS:
        if shutil.which(tool) is None:
            raise Skip(f"the program {tool} is not installed")


def _namespace_command(as_root=False):
    """The unshare command that works here. Skip where none does."""
    _find_tools()
    attempts = [] if as_root else [["unshare", "-Urnm", "--"]]
    if os.geteuid() == 0:
        attempts.append(["unshare", "-nm", "--"])
    reason = ""
    for attempt in attempts:
        done = subprocess.run([*attempt, "sh", "-c", PROBE], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return attempt
        reason = reason or (done.stderr.strip().splitlines() or ["unknown reason"])[-1]
    raise Skip(f"network namespaces are not permitted here ({reason})")


def enter_namespaces(as_root=False):
    """Returns inside namespaces of our own; from outside, replaces this process by one inside. Its
    process id stays, which tells an inherited variable from our own."""
    if os.environ.get(INSIDE) == str(os.getpid()):
        return
    command = _namespace_command(as_root)
    os.environ[INSIDE] = str(os.getpid())
    sys.stdout.flush()
    os.execvp(command[0], [*command, sys.executable, *sys.argv])


def sh(*command, stdin=None):
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failure(f"{' '.join(command)}: {done.stderr.strip()}\n{stdin or ''}")
    return done.stdout


def _set_network(namespace):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace.fileno(), CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def drain(sock):
    """All datagrams that wait, and those that follow within the socket's timeout."""
    result = []
    with contextlib.suppress(TimeoutError):
        while True:
            result.append(sock.recvfrom(65536))
    return result


class Host:
    """A network namespace with its interfaces and its faults."""

    def __init__(self, lab, name, number):
        self.lab = lab
        self.name = name
        self.number = number
        self.interfaces = []  # [{"name", "mac", "ip"}], and "outside" and "bridge" of one on a LAN
        self.was_up = False
        self.loss_percent = 0
        self.deaf_to = set()  # MAC addresses
        self.rules = []

    def __repr__(self):
        return self.name

    @property
    def address(self):
        return self.interfaces[0]["ip"]

    def plug(self, address):
        """Notes the next interface; the caller creates it. Returns its entry."""
        self.was_up = False
        index = len(self.interfaces)
        ip = address.split("/")[0]
        entry = {"name": f"eth{index}", "mac": f"02:00:00:{index:02x}:00:{self.number:02x}", "ip": ip}
        self.interfaces.append(entry)
        return entry

    def bring_up(self, entry, address):
        self.lab.ip(self, f"address add {address} brd + dev {entry['name']}",
                    f"link set {entry['name']} up")

    def wait_up(self):
        """Waits until the kernel has noticed the carrier of every interface: before that a daemon would
        rightly leave it out, and look again later."""
        def is_up():
            links = json.loads(sh("ip", "-n", self.name, "-j", "link"))
            return all(link["operstate"] == "UP" for link in links if link["ifname"] != "lo")

        if not self.was_up:
            wait_until(is_up, f"the interfaces of {self} to come up")
            self.was_up = True

    def run(self, *command, **options):
        """Runs a command in this host to its end; options as for subprocess.run."""
        options.setdefault("capture_output", True)
        options.setdefault("text", True)
        return subprocess.run(["ip", "netns", "exec", self.name, *command], check=False, **options)

    @contextlib.contextmanager
    def inside(self):
        """Sockets created in this block belong to the host, and stay there."""
        with open("/proc/thread-self/ns/net", "rb") as own, open(f"/run/netns/{self.name}", "rb") as there:
            _set_network(there)
            try:
                yield
            finally:
                _set_network(own)

    def udp(self, port=0, address="", interface=0):
        """A UDP socket in this host that hears the mesh's multicast group and may broadcast."""
        own = socket.inet_aton(self.interfaces[interface]["ip"])
        with self.inside():
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, own)
            sock.bind((address, port))
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(GROUP) + own)
        sock.settimeout(0.2)
        return sock

    def set_loss(self, percent):
        """Drops this share of the UDP datagrams that arrive from other hosts."""
        self.loss_percent = percent
        self._apply()

    def stop_hearing(self, *others):
        """Drops everything that arrives from these hosts, in this direction only."""
        for other in others:
            self.deaf_to.update(entry["mac"] for entry in other.interfaces)
        self._apply()

    def filter(self, *rules):
        """Adds nftables rules for what arrives, for instance 'meta pkttype multicast drop'."""
        self.rules += rules
        self._apply()

    def heal(self):
        self.loss_percent, self.deaf_to, self.rules = 0, set(), []
        self._apply()

    def link(self, up, interface="eth0"):
        self.lab.ip(self, f"link set {interface} {'up' if up else 'down'}")

    def unplug(self, interface=0):
        """Pulls the cable out of the switch: the interface stays up and loses its carrier."""
        self.was_up = False
        self.lab.ip(None, f"link set {self.interfaces[interface]['outside']} down")

    def plug_in(self, interface=0):
        self.lab.ip(None, f"link set {self.interfaces[interface]['outside']} up")

    def detach(self, interface=0):
        """Cuts the cable behind the switch: nothing passes either way, and the carrier stays."""
        self.lab.ip(None, f"link set {self.interfaces[interface]['outside']} nomaster")

    def attach(self, interface=0):
        entry = self.interfaces[interface]
        self.lab.ip(None, f"link set {entry['outside']} master {entry['bridge']}")

    def hear_no_beacons(self):
        """No broadcast and no multicast comes from others, as behind a switch that forwards neither; what
        this host sends itself it hears."""
        self.filter("fib saddr type != local meta pkttype { broadcast, multicast } udp dport != 0 drop")

    def sent_bytes(self):
        """Bytes sent so far at layer 2, over all interfaces but lo."""
        links = json.loads(sh("ip", "-n", self.name, "-s", "-j", "link"))
        return sum(link["stats64"]["tx"]["bytes"] for link in links if link["ifname"] != "lo")

    def _apply(self):
        lines = ["table inet lab", "delete table inet lab", "table inet lab {", "chain input {",
                 "type filter hook input priority 0"]
        lines += [f"ether saddr {mac} drop" for mac in sorted(self.deaf_to)]
        lines += self.rules
        if self.loss_percent:
            lines.append(f'iifname != "lo" meta l4proto udp numgen random mod 100 < {self.loss_percent} drop')
        lines += ["}", "}", ""]
        self.lab.nft(self, "\n".join(lines))


class Lab:
    def __init__(self):
        self.hosts = []
        self.all_boxes = []
        self.lans = 0
        self.cables = 0
        self.trunks = []
        self.key = make_token()
        sh("mount", "-t", "tmpfs", "none", "/run")
        self._ip_batch(None, ["link set lo up"])
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="meshd-lab-", dir=_temporary_root()))

    # --- network

    def ip(self, host, *lines):
        self._ip_batch(host, lines)

    def nft(self, host, text):
        sh("ip", "netns", "exec", host.name, "nft", "-f", "-", stdin=text)

    def host(self, name):
        host = Host(self, name, len(self.hosts) + 1)
        self.hosts.append(host)
        sh("ip", "netns", "add", name)
        # No waiting for duplicate address detection; a kernel without IPv6 has no such file.
        host.run("sh", "-c", "echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad")
        self.ip(host, "link set lo up")
        return host

    def lan(self, *names, snooping=False, parts=1):
        """New hosts, or hosts given, together on a new bridge; or in so many equal parts, each with a
        bridge of its own and joined with the next by a trunk. Returns the hosts."""
        hosts = [name if isinstance(name, Host) else self.host(name) for name in names]
        self.lans += 1
        bridges = [f"lan{self.lans}-{part}" for part in range(1, parts + 1)]
        for bridge in bridges:
            self._ip_batch(None, [f"link add {bridge} type bridge mcast_snooping {int(snooping)} stp_state 0",
                                  f"link set {bridge} up"])
        for number, (one, other) in enumerate(zip(bridges, bridges[1:]), 1):
            ends = f"t{self.lans}-{number}a", f"t{self.lans}-{number}b"
            self.trunks.append(ends[0])
            self._ip_batch(None, [f"link add {ends[0]} type veth peer name {ends[1]}",
                                  f"link set {ends[0]} master {one} up",
                                  f"link set {ends[1]} master {other} up"])
        for number, host in enumerate(hosts, 1):
            address = f"10.77.{self.lans}.{number}/24"
            entry = host.plug(address)
            entry["outside"] = f"l{self.lans}p{number}"
            entry["bridge"] = bridges[(number - 1) * parts // len(hosts)]
            self._ip_batch(None, [
                f"link add {entry['outside']} type veth peer name {entry['name']} "
                f"address {entry['mac']} netns {host.name}",
                f"link set {entry['outside']} master {entry['bridge']} up"])
            host.bring_up(entry, address)
        if len(hosts) > ARP_HOSTS_MAX:
            self._know_neighbours([(host, host.interfaces[-1]) for host in hosts])
        return hosts

    def _know_neighbours(self, ends):
        """Entries made by hand do not count against the kernel's limit."""
        for host, own in ends:
            self.ip(host, *[f"neigh replace {entry['ip']} lladdr {entry['mac']} dev {own['name']} nud permanent"
                            for _, entry in ends if entry is not own])

    def trunk(self, up):
        """Joins or parts the parts of all LANs; no host loses its carrier."""
        self.ip(None, *[f"link set {end} {'up' if up else 'down'}" for end in self.trunks])

    def cable(self, one, other):
        """A line between two hosts with its own subnet."""
        self.cables += 1
        ends = []
        for end, host in enumerate((one, other), 1):
            address = f"10.78.{self.cables}.{end}/30"
            ends.append((host, host.plug(address), address))
        (_, a, _), (_, b, _) = ends
        self._ip_batch(None, [
            f"link add name {a['name']} address {a['mac']} netns {one.name} type veth "
            f"peer name {b['name']} address {b['mac']} netns {other.name}"])
        for host, entry, address in ends:
            host.bring_up(entry, address)

    def line(self, *names):
        """New hosts, each connected with the next by a cable only. Returns them."""
        hosts = [name if isinstance(name, Host) else self.host(name) for name in names]
        for one, other in zip(hosts, hosts[1:]):
            self.cable(one, other)
        return hosts

    # --- daemons

    def box(self, host, *arguments, node_id=None, open_mode=None, environment=None, label=None,
            is_named=True, key=""):
        """A daemon that has been started; wait with .ready(). It has the lab's mesh key unless another one
        or None is given; `open_mode`: it has none and is open, as are all where MESHD_LAB_OPEN=1."""
        if not MESHD.exists():
            raise Failure(f"{MESHD} is missing: build first, or set MESHD_BIN_DIR")
        host.wait_up()
        is_open = IS_OPEN if open_mode is None else open_mode
        arguments = (["--open"] if is_open else []) + list(arguments)
        name = (node_id or host.name) if is_named else None
        box = Box(self, host, name, arguments, environment, label or name or host.name,
                  None if is_open else self.key if key == "" else key)
        self.all_boxes.append(box)
        return box.start()

    def boxes(self, hosts, *arguments, **options):
        """One daemon in each host, all started at once and ready; options as for box()."""
        for host in hosts:
            host.wait_up()
        boxes = [self.box(host, *arguments, **options) for host in hosts]
        for box in boxes:
            box.ready()
        return boxes

    def print_logs(self):
        for box in self.all_boxes:
            running = "running" if box.is_running() else f"exited {box.process.returncode}"
            print(f"--- log of {box} ({running}), last lines:\n{box.log_tail()}", file=sys.stderr)

    def close(self):
        for process in [box.process for box in self.all_boxes]:
            if process is not None and process.poll() is None:
                process.kill()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(5)
        shutil.rmtree(self.directory, ignore_errors=True)

    def _ip_batch(self, host, lines):
        where = ["-n", host.name] if host else []
        sh("ip", *where, "-batch", "-", stdin="\n".join(lines) + "\n")


def _temporary_root():
    # A Unix socket's path has 107 bytes at most, and /run is the lab's own from now on.
    root = tempfile.gettempdir()
    return "/tmp" if len(root) > 40 or root.startswith("/run") else root


def wait_until(predicate, what, timeout=20.0, every=0.02):
    """Returns the predicate's first true value. `what` completes "gave up waiting for …"; as a function
    it is asked then, so that it can say how far things got."""
    deadline = time.monotonic() + timeout
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failure(f"gave up after {timeout:g} s waiting for {what() if callable(what) else what}")
        time.sleep(every)


def check(condition, what):
    if not condition:
        raise Failure(what() if callable(what) else what)


def _on_alarm(_number, _frame):
    raise Failure("the scenario hangs")


def _on_terminate(_number, _frame):
    sys.exit(143)


def scenario(run, hang_seconds=110, closing="passed", as_root=False):
    """Runs a scenario in namespaces of its own and exits with its result; closing words go to stdout.
    `as_root`: the caller is root and wants the machine's users in there too."""
    try:
        enter_namespaces(as_root)
    except Skip as reason:
        print(f"skipped, because {reason}")
        sys.exit(SKIPPED)
    signal.signal(signal.SIGALRM, _on_alarm)
    signal.signal(signal.SIGTERM, _on_terminate)
    signal.alarm(hang_seconds)
    lab, code = None, 1
    try:
        lab = Lab()
        run(lab)
        died = [box for box in lab.all_boxes if box.process.poll() not in (None, 0, -signal.SIGKILL)]
        check(not died, lambda: f"ended badly: {[(b, b.process.returncode) for b in died]}")
        if closing:
            print(closing)
        code = 0
    except Skip as reason:
        print(f"skipped, because {reason}")
        code = SKIPPED
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        code = 130
    except Exception as error:  # pylint: disable=broad-except
        signal.alarm(0)
        if not isinstance(error, Failure):
            traceback.print_exc()
        else:
            frames = traceback.extract_tb(error.__traceback__)
            place = [f for f in frames if pathlib.Path(f.filename).name not in ("lab.py", "box.py")][-1:]
            where = f" ({pathlib.Path(place[0].filename).name}:{place[0].lineno})" if place else ""
            print(f"failed{where}: {error}", file=sys.stderr)
        if lab is not None:
            lab.print_logs()
    finally:
        signal.alarm(0)
        if lab is not None:
            lab.close()
    sys.stdout.flush()
    sys.exit(code)


if __name__ == "__main__":
    if sys.argv[1:] != ["--probe"]:
        sys.exit("usage: lab.py --probe")
    try:
        _namespace_command()
        print("network namespaces are permitted here")
    except Skip as because:
        print(f"skipped, because {because}")
        sys.exit(SKIPPED)

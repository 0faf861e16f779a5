#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the seeds of tests/fuzz/corpus that are made of what stands elsewhere in the repository: the
messages of tests/vectors, the calls of ipc/API.md, etc/meshd.yaml, and the token of the key tests.

Seeds keep their names, so that what fuzzing has found stays beside them. The program datagram_seeds adds
what real nodes say to each other."""
import json
import pathlib
import random
import re

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
CORPUS = HERE / "corpus"
TOKEN = "mesh1-00000-0r00w-71a71-358rk-gft69-na5pr-k9e1v-qx1cc-jeda3-a5fpt-yw9jy-jv4pb-762x"
SESSION, OUTSIDE, UNSEALED, CONTENT, RAW, PASS = range(6)
OUTSIDE_KINDS = {2, 16, 17}


def write(target, name, data):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())


def field(data):
    return len(data).to_bytes(2, "big") + data


def datagrams():
    """The vectors, six to a file: half of the files for a sealed mesh."""
    steps = []
    for line in (REPOSITORY / "tests/vectors/messages.tsv").read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        _, kind, text, body = line.split("\t")
        step = OUTSIDE if int(kind) in OUTSIDE_KINDS else SESSION
        body = b"" if body == "-" else bytes.fromhex(body)
        # The vectors name their nodes box-a and box-b; here they are a and b.
        text = text.replace("box-", "")
        steps.append(bytes([step, 0, int(kind)]) + field(text.encode()) + field(body))
    for first in range(0, len(steps), 6):
        number = first // 6
        write("datagrams", f"vectors-{number}", bytes([number % 2]) + b"".join(steps[first:first + 6]))


def rpc():
    """Each call of the API's examples, and all of them in one session."""
    text = (REPOSITORY / "ipc/API.md").read_text(encoding="utf-8")
    calls = re.findall(r"'(\{\"jsonrpc\".*?\})'", text)
    calls += re.findall(r"^(\{\"jsonrpc\":\"2\.0\",\"id\".*\"method\".*\})$", text, re.MULTILINE)
    calls = [call for call in dict.fromkeys(calls) if "mesh.leave" not in call]
    for number, first in enumerate(range(0, len(calls), 4)):
        write("rpc", f"examples-{number}", "\0" + "\n".join(calls[first:first + 4]) + "\n")
    batch = [json.loads(call) for call in calls[:6]]
    batch[1].pop("id")
    batch[2]["params"] = {"no_such": 1}
    batch[3]["params"] = []
    write("rpc", "batch", "\1" + json.dumps(batch) + "\n[]\n{\n[1]\n")
    write("rpc", "waiting", "\1" + "\n".join([
        '{"jsonrpc":"2.0","id":"a","method":"events.subscribe","params":{}}',
        '{"jsonrpc":"2.0","id":"b","method":"search.serve","params":{"search_types":["person"]}}',
        '{"jsonrpc":"2.0","id":"c","method":"search.query","params":{"query":{"coat":"red"},"search_type":"person"}}',
        '{"jsonrpc":"2.0","id":"d","method":"alerts.raise","params":{"alert":{"what":"smoke"},"wait_ms":900}}',
        '{"jsonrpc":"2.0","id":"e","method":"state.update","params":{"patch":{"a":[1,null,{"b":0.5}]}}}',
        '{"jsonrpc":"2.0","method":"state.update","params":{"shared":{"k":1}}}',
        "~~~~~~~~~~",
        '{"jsonrpc":"2.0","id":"f","method":"mesh.leave","params":{}}',
        "~~~~~~~~~~~~~~~",
        '{"jsonrpc":"2.0","id":"g","method":"mesh.discover"}',
    ]) + "\n")
    write("rpc", "vectors", "\0" + "\n".join([
        '{"jsonrpc":"2.0","id":1,"method":"registry.put","params":{"entries":[{"hash":"aa","type":"face","space":"s",'
        '"embedding":[1,0,0.5]},{"hash":"ab","type":"face","space":"s","embedding":{"f16":"ADwAAAA4"}}]}}',
        '{"jsonrpc":"2.0","id":2,"method":"registry.nearest","params":{"embedding":[1,0,0],"space":"s","k":3}}',
        '{"jsonrpc":"2.0","id":3,"method":"search.query","params":{"search_type":"embedding",'
        '"query":{"embedding":[1,0,0],"space":"s"}}}',
        '{"jsonrpc":"2.0","id":4,"method":"registry.list","params":{"limit":1}}',
    ]) + "\n")


def config():
    text = (REPOSITORY / "etc/meshd.yaml").read_text(encoding="utf-8")
    # Every key at its default, without the comments.
    lines = [re.sub(r"^(\s*)# (\w+:( \S+)?)$", r"\1\2", line) for line in text.splitlines()]
    write("config", "defaults", "\n".join(line for line in lines if line and "#" not in line) + "\n")
    write("config", "flow", "mesh: {max_peers: 6, interfaces: [eth0, 'wlan*'], bootstrap: [10.7.0.1]}\n")
    write("config", "mistakes", "mesh:\n  max_peer: 5\n  udp_port: 70000\n  udp_port: 1\nstate: [1]\n? a\n: b\n")
    write("config", "document", "state: {a: 1, b: [x, 1.5, true, null, \"7\"], c: {d: ~}}\nlog: {level: debug}\n")
    write("config", "anchors", "mesh: &m\n  name: yard\nstate:\n  <<: *m\n  x: *m\n  y: !!str 5\n--- \n...\n")
    write("config", "block", "state:\n  text: |\n    a\n    b\n  folded: >-\n    c\n    d\n  q: \"\\u00e9\\x41\"\n")
    write("config", "overrides", "mesh.max_peers 6\nmesh.interfaces [a, b]\nmesh.node_id =cam-1\nnone.such 1\n")


def keys():
    write("keys", "token", TOKEN)
    write("keys", "token-by-hand", TOKEN.upper().replace("-", " "))
    write("keys", "key-id", "0a1b2c3d")
    write("keys", "keyring", f"# kept\nactive {TOKEN} created\n\n")
    write("keys", "keyring-held", f"held {TOKEN} received\n")


def scripts(target, count, size):
    """Any bytes are a script: these are drawn once for all."""
    for number in range(count):
        write(target, f"random-{number:02}", random.Random(number).randbytes(size))


if __name__ == "__main__":
    datagrams()
    rpc()
    config()
    keys()
    scripts("operations", 12, 300)
    scripts("database", 8, 120)

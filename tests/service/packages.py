# SPDX-License-Identifier: Apache-2.0
"""The packages under test, and what the README does with them."""
import json
import os
import pathlib
import re

from boxes import SOURCE, eventually, run

PACKAGES = pathlib.Path(os.environ.get("MESHD_PACKAGES", SOURCE / "build/packages" / os.environ.get("MESHD_ARCH", "amd64")))


def package(name):
    """The file of a package that packaging/build-deb made."""
    found = sorted(PACKAGES.glob(f"{name}_*.deb"))
    if not found:
        raise AssertionError(f"no {name} package in {PACKAGES}: run packaging/build-deb")
    return found[-1]


def with_version(file, version, folder):
    """The same package under another version."""
    tree = folder / f"tree-{version}"
    run("dpkg-deb", "--raw-extract", file, tree)
    control = tree / "DEBIAN/control"
    control.write_text(re.sub(r"^Version: .*$", f"Version: {version}", control.read_text(), flags=re.M))
    made = folder / f"meshd_{version}.deb"
    run("dpkg-deb", "--build", "--root-owner-group", "-Znone", tree, made)
    return made


def install(box, *files):
    """As the README says."""
    return box.run("apt-get", "install", "--yes", *box.bring(*files))


def seal(first, others):
    """As the README says: a key on the first box, taken over on the others."""
    token = first.run("meshctl", "key", "new").strip().splitlines()[-1].strip()
    for box in others:
        box.run("meshctl", "key", "join", input=token + "\n")
    return token


def node_id(box):
    return json.loads(box.run("meshctl", "status", "--json"))["node_id"]


def nodes_alive(box):
    said = box.run("meshctl", "nodes", "--json", check=False)
    if not said:
        return {}
    return {node["node_id"]: node for node in json.loads(said)["nodes"] if node["status"] == "alive"}


def wait_for_mesh(boxes, number, within=30):
    boxes = list(boxes)
    for box in boxes:
        eventually(f"{box.name} sees {number} nodes", lambda box=box: len(nodes_alive(box)) == number, within, 0.2)


def follow_readme(boxes):
    """The README's block for three machines, line by line; what each line printed on its last box."""
    text = (SOURCE / "README.md").read_text()
    block = re.search(r"\*\*On three machines\*\*.*?```sh\n(.*?)```", text, re.S)[1]
    first, *others = boxes
    where = {"on each": boxes, "once, on the first": [first], "once, on the others": others}
    for box in boxes:
        box.bring(package("meshd"))
    said = {}
    token = ""
    for line in block.splitlines():
        command, place = re.fullmatch(r"sudo (.*?) +# (.*?):.*", line).groups()
        for box in where[place]:
            said[command] = box.run("sh", "-c", f"cd /root && {command}", input=token)
        if command.endswith("key new"):
            token = said[command].strip().splitlines()[-1] + "\n"
        if command.endswith("key join"):
            wait_for_mesh(boxes, len(boxes))
    return said

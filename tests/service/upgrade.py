# SPDX-License-Identifier: Apache-2.0
"""An upgrade with the mesh running: nobody is alarmed, the box is back in a second with what it knew."""
import json
import sys

from boxes import Site, eventually, scenario
from packages import install, node_id, nodes_alive, package, seal, wait_for_mesh, with_version

# Of the daemon: from the end of the old one to the mesh's word that the new one is there.
BACK_S = 1.0


def events(box, peer):
    """Kind and second of what a box heard of a peer."""
    lines = box.run("journalctl", "--output=json", "--quiet", f"MESHD_PEER={peer}").splitlines()
    return [(one["MESHD_EVENT"], int(one["__REALTIME_TIMESTAMP"]) / 1e6) for one in map(json.loads, lines) if "MESHD_EVENT" in one]


def test():
    with Site("cam-1", "cam-2", "cam-3") as site:
        first, second, third = site
        old = with_version(package("meshd"), "0.0.9", site.folder)
        for box in site:
            install(box, old)
        seal(first, [second, third])
        wait_for_mesh(site, 3)
        name = node_id(third)
        third.run("meshctl", "registry", "put", "ab12cd", "--type", "face", "--metadata", '{"camera":"yard"}')
        third.run("sh", "-c", "echo '# mine' >>/etc/meshd/meshd.yaml")
        heard = len(events(first, name))

        install(third, package("meshd"))
        assert third.run("dpkg-query", "--show", "--showformat=${Version}", "meshd") != "0.0.9"
        eventually("it is back", lambda: name in nodes_alive(first))
        eventually("its return is told", lambda: events(first, name)[-1][0] == "link.up" or
                   "node.returned" in [kind for kind, _ in events(first, name)[heard:]])
        seen = events(first, name)[heard:]
        kinds = [kind for kind, _ in seen]
        assert "node.restarting" in kinds, kinds
        assert "node.offline" not in kinds and "node.left" not in kinds, kinds
        gone = next(at for kind, at in seen if kind == "node.restarting")
        back = next(at for kind, at in seen if at > gone and kind in ("node.returned", "link.up"))
        print(f"away for {back - gone:.2f} s")
        assert back - gone < BACK_S, seen

        assert node_id(third) == name
        wait_for_mesh(site, 3)
        for box in site:
            assert "yard" in box.run("meshctl", "registry", "get", "ab12cd")
        assert "# mine" in third.run("cat", "/etc/meshd/meshd.yaml"), "the operator's changes are lost"


if __name__ == "__main__":
    sys.exit(scenario(test))

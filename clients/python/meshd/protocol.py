# SPDX-License-Identifier: Apache-2.0
"""`MeshProtocol`: the calls of the Python library that meshd succeeds, so that existing code changes one
import. See "Coming from MeshProtocol" in README.md for what differs."""
import logging
import os
import time
import warnings
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Union

from ._handlers import HANDLED_KINDS, message_of
from .embedding import Embedding
from .errors import InvalidParams, MeshError, MethodNotFound, NoDaemon, RpcError, UnknownEntry, UnknownNode
from .events import Event
from .mesh import Mesh
from .messages import HashRegistryEntry, MeshMessage, MessageType, NodeState, PeerInfo, entry_of, peer_of
from .process import OwnDaemon
from .search import SearchRequest, results_of

log = logging.getLogger("meshd")

Handler = Callable[[MeshMessage], Any]

HEARTBEAT_INTERVAL = 5.0
HEARTBEAT_TIMEOUT = 30.0
MAX_PEERS = 10
#: Types of searches that a SEARCH handler is asked, where it does not say.
SEARCH_TYPES = ("person", "object", "face", "vehicle")
DAEMON_CHOICES = ("auto", "use", "start")

_COUNTERS = ("messages_sent", "messages_received", "messages_routed", "peers_discovered", "heartbeats_sent",
             "alerts_sent")


class NameMismatch(UserWarning):
    """The meshd that runs on this box has another node id or port than was asked for."""


class HashRegistry:
    """The registry of all boxes, by the predecessor's calls."""

    def __init__(self, protocol: "MeshProtocol") -> None:
        self._protocol = protocol

    def add_hash(
        self,
        hash_value: str,
        node_id: str,
        data_type: str,
        embedding: Optional[Embedding] = None,
        metadata: Optional[Mapping[str, Any]] = None,
    ) -> None:
        """As `MeshProtocol.add_hash`. A node tells its own sightings only: another `node_id` is ValueError."""
        if node_id not in (self._protocol.node_id, self._protocol.requested_node_id):
            raise ValueError(f"{self._protocol.node_id} cannot tell what {node_id} has seen")
        self._protocol.add_hash(hash_value, data_type, embedding, metadata)

    def get_hash(self, hash_value: str) -> Optional[HashRegistryEntry]:
        """The newest sighting of a hash by any node; None where there is none."""
        sightings = self.get_sightings(hash_value)
        return sightings[0] if sightings else None

    def get_sightings(self, hash_value: str) -> List[HashRegistryEntry]:
        """All sightings of a hash, one of each node, newest first."""
        try:
            return [entry_of(entry) for entry in self._protocol.mesh.registry.get(hash_value, embedding=True)]
        except UnknownEntry:
            return []

    def search_hashes(
        self, data_type: Optional[str] = None, node_id: Optional[str] = None, limit: Optional[int] = None
    ) -> List[HashRegistryEntry]:
        """Entries of a type, of a node, of both or all, with their embeddings."""
        entries = self._protocol.mesh.registry.iterate(data_type, node_id, limit=limit, embedding=True)
        return [entry_of(entry) for entry in entries]


class MeshProtocol:
    """A node of the mesh, by the predecessor's calls.

    node_id, port: of the node. Where a meshd runs on this box, it is the node: this object uses it, and warns
        (NameMismatch) where it has another name or port; `node_id` is then the daemon's.
        Where none runs, start() starts one of that name and port, with a private socket and a state
        directory of its own, and stop() ends it.
    heartbeat_interval, heartbeat_timeout, max_peers: in seconds and links; for a daemon started here.
    daemon: "auto" as above, "use": never starts one, "start": always starts one of its own.
    socket: path of the socket of a running daemon, which is then the one.
    arguments: further flags of a daemon started here. The default is --open, what the predecessor did:
        whoever reaches the port takes part.
    state_dir: where a daemon started here keeps its data (process.default_state_dir).
    """

    def __init__(
        self,
        node_id: str,
        port: int = 9999,
        heartbeat_interval: float = HEARTBEAT_INTERVAL,
        heartbeat_timeout: float = HEARTBEAT_TIMEOUT,
        max_peers: int = MAX_PEERS,
        *,
        daemon: str = "auto",
        socket: Union[str, "os.PathLike[str]", None] = None,
        arguments: Sequence[str] = ("--open",),
        state_dir: Optional[str] = None,
    ) -> None:
        if daemon not in DAEMON_CHOICES:
            raise ValueError(f"daemon is one of {DAEMON_CHOICES}, not {daemon!r}")
        self.node_id = node_id
        self.requested_node_id = node_id
        self.port = port
        self.heartbeat_interval = heartbeat_interval
        self.heartbeat_timeout = heartbeat_timeout
        self.max_peers = max_peers
        self.hash_registry = HashRegistry(self)
        self._daemon_choice = daemon
        self._socket = socket
        self._arguments = arguments
        self._state_dir = state_dir
        self._daemon: Optional[OwnDaemon] = None
        self._mesh: Optional[Mesh] = None
        self._handlers: Dict[MessageType, List[Handler]] = {}
        self._search_types: List[str] = []
        self._sequence_number = 0
        self._state_version = 0
        self._last_stats: Dict[str, Any] = {}

    # --- life

    @property
    def running(self) -> bool:
        """True between start() and stop()."""
        return self._mesh is not None

    @property
    def mesh(self) -> Mesh:
        """The whole API, between start() and stop(); MeshError else."""
        if self._mesh is None:
            raise MeshError("call start() first")
        return self._mesh

    @property
    def owns_daemon(self) -> bool:
        """True while a daemon runs that start() started."""
        return self._daemon is not None

    def start(self, local_state: Optional[Mapping[str, Any]] = None) -> None:
        """Takes part in the mesh, with this state. NoDaemon or MeshError where that fails."""
        if self._mesh is not None:
            log.warning("this MeshProtocol is running already")
            return
        self._mesh = self._reach()
        try:
            status = self._mesh.status()
            self.node_id = status["node_id"]
            if not self.owns_daemon:
                self._warn_of_mismatch(status)
            if status.get("left"):
                self._mesh.discover()
            if local_state:
                self.update_node_state(local_state)
            for message_type in self._handlers:
                self._listen(message_type)
        except BaseException:
            self.stop()
            raise
        log.info("%s takes part in the mesh", self.node_id)

    def stop(self) -> None:
        """Ends taking part. A daemon started here says goodbye and ends; one that ran before goes on."""
        mesh, self._mesh = self._mesh, None
        if mesh is not None:
            try:
                self._last_stats = mesh.stats()
            except MeshError:
                pass
            mesh.close()
        daemon, self._daemon = self._daemon, None
        if daemon is not None:
            daemon.stop()

    def __enter__(self) -> "MeshProtocol":
        if self._mesh is None:
            self.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.stop()

    def _reach(self) -> Mesh:
        if self._daemon_choice != "start":
            try:
                return Mesh(self._socket)
            except NoDaemon:
                # Who names a socket means that daemon, and not a neighbour made up on the spot.
                named = self._socket is not None or bool(os.environ.get("MESHD_SOCKET"))
                if self._daemon_choice == "use" or named:
                    raise
        settings = {"mesh.udp_port": str(self.port)}
        if self.heartbeat_interval != HEARTBEAT_INTERVAL:
            settings["mesh.heartbeat_interval"] = f"{round(self.heartbeat_interval * 1000)}ms"
        if self.heartbeat_timeout != HEARTBEAT_TIMEOUT:
            settings["mesh.heartbeat_timeout"] = f"{round(self.heartbeat_timeout * 1000)}ms"
        if self.max_peers != MAX_PEERS:
            settings["mesh.max_peers"] = str(self.max_peers)
        self._daemon = OwnDaemon(self.requested_node_id, self._arguments, settings=settings,
                                 state_dir=self._state_dir)
        try:
            return self._daemon.connect()
        except BaseException:
            self._daemon.stop()
            self._daemon = None
            raise

    def _warn_of_mismatch(self, status: Mapping[str, Any]) -> None:
        differs = []
        if self.node_id != self.requested_node_id:
            differs.append(f"its node id is {self.node_id}, not {self.requested_node_id}")
        addresses = self.mesh.node(self.node_id).get("addresses") or []
        ports = {int(address.rpartition(":")[2]) for address in addresses if address.rpartition(":")[2].isdigit()}
        if ports and self.port not in ports:
            differs.append(f"its port is {min(ports)}, not {self.port}")
            self.port = min(ports)
        if differs:
            warnings.warn(
                f"a meshd runs on this box already, and is used: {', '.join(differs)}. Name it in "
                "/etc/meshd/meshd.yaml (mesh.node_id, mesh.udp_port), or pass daemon=\"start\" for a node of "
                "its own", NameMismatch, stacklevel=3)

    # --- nodes

    def discover_peers(self, timeout: float = 1.0) -> Dict[str, PeerInfo]:
        """The other nodes that are alive, by node id. Where none is known yet, waits for the first, for at
        most `timeout` seconds."""
        mesh = self.mesh
        deadline = time.monotonic() + timeout
        is_asked = False
        while True:
            peers = {node["node_id"]: peer_of(node) for node in mesh.nodes(state=True)
                     if node["node_id"] != self.node_id and node["status"] == "alive"}
            if peers or time.monotonic() >= deadline:
                return peers
            if not is_asked:
                mesh.discover()
                is_asked = True
            time.sleep(0.05)

    @property
    def peers(self) -> Dict[str, PeerInfo]:
        """As discover_peers(), without waiting."""
        return self.discover_peers(0)

    def get_peer_info(self, node_id: str) -> Optional[PeerInfo]:
        """What is known of a node, also of one that is not alive; None where there is none of this name."""
        try:
            return peer_of(self.mesh.node(node_id))
        except UnknownNode:
            return None

    def get_network_stats(self) -> Dict[str, Any]:
        """{node_id, alive_peers, total_peers, is_running, messages_sent, …}. `alive_peers` and `total_peers`
        count the other nodes alive and known, however far."""
        stats = self._last_stats if self._mesh is None else self._mesh.stats()
        return {
            **{name: stats.get(name, 0) for name in _COUNTERS},
            "node_id": self.node_id,
            "alive_peers": stats.get("alive_peers", 0) if self.running else 0,
            "total_peers": stats.get("total_peers", 0),
            "is_running": self.running and bool(stats.get("is_running", True)),
        }

    # --- state

    def update_node_state(self, updates: Mapping[str, Any]) -> None:
        """Merges into this node's state document, for all to read. A `status` of active, idle or processing
        also is the node's activity. A member of None is deleted."""
        word = str(updates.get("status", "")).upper()
        activity = word if word in ("ACTIVE", "IDLE", "PROCESSING") else None
        self.mesh.state.update(updates, activity)
        self._state_version += 1

    def get_node_state(self, node_id: Optional[str] = None) -> Dict[str, Any]:
        """{node_id, state, version, timestamp} of this node, or of another. `version` counts the updates
        made here; 0 for another node."""
        result = self.mesh.call("state.get", **({} if node_id is None else {"node_id": node_id}))
        is_own = result["node_id"] == self.node_id
        return {"node_id": result["node_id"], "state": result["state"],
                "version": self._state_version if is_own else 0,
                "timestamp": time.time() - (result.get("age_ms") or 0) / 1000}

    # --- registry

    def add_hash(
        self,
        hash_value: str,
        data_type: str,
        embedding: Optional[Embedding] = None,
        metadata: Optional[Mapping[str, Any]] = None,
        *,
        space: Optional[str] = None,
    ) -> None:
        """Tells all nodes what this one has seen. All embeddings of one type and space have one dimension;
        they are kept with length 1."""
        self.mesh.registry.put(hash_value, data_type, embedding, metadata, space=space)

    # --- messages

    def broadcast_alert(
        self, alert_data: Mapping[str, Any], priority: str = "normal", wait_ms: Optional[int] = None
    ) -> Dict[str, Any]:
        """Sends an alert to all nodes. The reply of `Mesh.alert`, which is true; {} where it could not be
        raised, which is logged. With `wait_ms` it says which nodes have it."""
        return self._tried(lambda mesh: mesh.alert(alert_data, priority, wait_ms=wait_ms))

    def broadcast_search_query(
        self,
        query: Mapping[str, Any],
        search_type: str = "embedding",
        timeout_ms: int = 2000,
        nodes: Optional[Sequence[str]] = None,
    ) -> Dict[str, Any]:
        """Asks all nodes, and waits for their answers: {answers: [{node_id, results}], silent, unreachable,
        complete}, which is true; {} where it could not be asked, which is logged."""
        return self._tried(lambda mesh: mesh.search(query, search_type, timeout_ms=timeout_ms, nodes=nodes))

    def broadcast_message(self, message: MeshMessage) -> Dict[str, Any]:
        """Sends a message to all nodes: an ALERT as broadcast_alert, a SEARCH as broadcast_search_query, all
        else as a note, which reaches the BROADCAST handlers there, with its own type."""
        payload = message.payload
        if message.message_type is MessageType.ALERT:
            return self.broadcast_alert(payload.get("alert", payload), payload.get("priority", "normal"))
        if message.message_type is MessageType.SEARCH:
            return self.broadcast_search_query(payload.get("query", payload), payload.get("search_type", "person"))
        return self._tried(lambda mesh: mesh.notes.broadcast(_topic(message.message_type), payload))

    def send_message(self, message: MeshMessage, target_node_id: str, timeout_ms: int = 2000) -> Dict[str, Any]:
        """Sends a message to one node as a note, and waits until it has it. {} where it has not."""
        note = {"topic": _topic(message.message_type), "payload": message.payload}
        return self._tried(lambda mesh: mesh.notes.send(target_node_id, note, timeout_ms=timeout_ms))

    def register_message_handler(
        self, message_type: MessageType, handler: Handler, search_types: Sequence[str] = SEARCH_TYPES
    ) -> None:
        """Calls `handler` with each MeshMessage of a type from other nodes. What a handler of SEARCH returns
        is this node's answer (None: no results); `search_types` are those it is asked. There are no messages
        of type HEARTBEAT and ACK: these the daemon keeps to itself."""
        message_type = MessageType(message_type)
        is_first = message_type not in self._handlers
        self._handlers.setdefault(message_type, []).append(handler)
        if message_type is MessageType.SEARCH:
            self._search_types += [name for name in search_types if name not in self._search_types]
        if self._mesh is not None and (is_first or message_type is MessageType.SEARCH):
            self._listen(message_type)

    # --- inside

    def _tried(self, call: Callable[[Mesh], Dict[str, Any]]) -> Dict[str, Any]:
        if self._mesh is None:
            log.error("nothing was sent: call start() first")
            return {}
        try:
            return call(self._mesh)
        except (RpcError, OSError) as error:
            log.error("nothing was sent: %s", error)
            return {}

    def _listen(self, message_type: MessageType) -> None:
        if message_type is MessageType.SEARCH:
            try:
                for search_type in self._search_types:
                    self.mesh.serve(search_type, self._answer)
            except (MethodNotFound, InvalidParams) as error:
                log.error("this meshd is too old for searches: %s", error)
            return
        kinds = HANDLED_KINDS.get(message_type)
        if kinds is None:
            log.warning("no messages of type %s reach handlers: the daemon keeps them to itself", message_type.name)
        else:
            self.mesh.on(*kinds)(lambda event: self._deliver(message_type, event))

    def _deliver(self, message_type: MessageType, event: Event) -> None:
        message = message_of(message_type, event, self._peer_or_none)
        if message is None or message.source_node_id == self.node_id:
            return
        if not message.sequence_number:
            self._sequence_number += 1
            message.sequence_number = self._sequence_number
        self._call_handlers(message_type, message)

    def _answer(self, request: SearchRequest) -> List[Any]:
        payload = {"query": request.query, "search_type": request.search_type, "timestamp": time.time()}
        self._sequence_number += 1
        message = MeshMessage(MessageType.SEARCH, request.source, sequence_number=self._sequence_number,
                              payload=payload)
        results: List[Any] = []
        for answer in self._call_handlers(MessageType.SEARCH, message):
            results += results_of(answer)
        return results

    def _call_handlers(self, message_type: MessageType, message: MeshMessage) -> List[Any]:
        answers = []
        for handler in list(self._handlers.get(message_type, [])):
            try:
                answers.append(handler(message))
            except Exception:  # one handler's mistake is not the others'
                log.exception("a handler of %s failed", message_type.name)
        return answers

    def _peer_or_none(self, node_id: str) -> Optional[PeerInfo]:
        try:
            return self.get_peer_info(node_id)
        except MeshError:
            return None


def _topic(message_type: MessageType) -> str:
    return f"message.{int(message_type)}"

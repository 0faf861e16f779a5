# SPDX-License-Identifier: Apache-2.0
"""What subscribers are told, and what keeps a subscription whole over reconnects."""
import logging
from collections import OrderedDict
from typing import Any, Dict, Iterable, Iterator, Mapping, Optional

log = logging.getLogger("meshd")

#: Events of one subscription that wait for a slow reader. Beyond it they are fetched again from the daemon
#: once the reader has caught up, so that a slow handler costs no memory without end.
QUEUE_MAX = 10_000
#: Kinds that go to one connection alone, as they happen: their cursor is that of the moment, and is no id.
UNNUMBERED = frozenset(("search.request", "search.answer"))
#: Ids kept to drop repeats, the latest ones: more than a daemon holds of a few authors.
IDS_MAX = 16_384


class Event:
    """One event. `event["node_id"]` is `event.data["node_id"]`.

    kind: as in the table of ipc/API.md, such as "alert" or "node.joined".
    data: what it tells.
    cursor: to go on behind it: `mesh.on(…, since=cursor)`.
    timestamp_ms: wall time at which the daemon told it.
    """

    __slots__ = ("kind", "data", "cursor", "timestamp_ms")

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.kind: str = params.get("kind", "")
        self.data: Dict[str, Any] = params.get("data") or {}
        self.cursor: str = params.get("cursor", "")
        self.timestamp_ms: int = params.get("timestamp_ms", 0)

    def __getitem__(self, name: str) -> Any:
        return self.data[name]

    def __contains__(self, name: object) -> bool:
        return name in self.data

    def __iter__(self) -> Iterator[str]:
        return iter(self.data)

    def get(self, name: str, default: Any = None) -> Any:
        """`data[name]`, or the default."""
        return self.data.get(name, default)

    def __repr__(self) -> str:
        return f"<{self.kind} {self.data}>"


class SubscriptionState:
    """What a subscription must remember so that each event is handed out once: no I/O, no thread.

    Live delivery is exactly once by itself. After a reconnect the daemon tells from the last cursor on, at
    least once; alerts may come again under another cursor, with the same id.
    """

    def __init__(
        self,
        kinds: Iterable[str],
        since: Optional[str] = None,
        replay: bool = False,
        filters: Optional[Mapping[str, Any]] = None,
        resumes: bool = True,
    ) -> None:
        self.kinds = list(kinds)
        self.filters = {key: value for key, value in (filters or {}).items() if value is not None}
        self.cursor = since
        self.replay = replay
        self.resumes = resumes
        #: Events the daemon could not tell any more; it does not always know how many.
        self.lost = 0
        #: True while events are left at the daemon, to be fetched by subscribing anew.
        self.is_behind = False
        self._asked_past = False
        self._ids: "OrderedDict[str, None]" = OrderedDict()

    def params(self) -> Dict[str, Any]:
        """Params of the next events.subscribe."""
        params: Dict[str, Any] = dict(self.filters)
        if self.kinds:
            params["kinds"] = self.kinds
        if self.cursor and self.resumes:
            params["since"] = self.cursor
        elif self.replay:
            params["replay"] = True
        self._asked_past = "since" in params or "replay" in params
        return params

    def started(self, result: Mapping[str, Any]) -> None:
        """Takes the reply of events.subscribe."""
        self.is_behind = False
        # A replay begins before this cursor: it must not be skipped if the connection ends now.
        if self.cursor is None and not self.replay:
            self.cursor = result.get("cursor")

    def take(self, params: Mapping[str, Any], waiting: int) -> Optional[Event]:
        """The event to hand out, or None where there is none (yet). `waiting`: how many the reader has not
        taken."""
        if self.is_behind:
            return None
        event = Event(params)
        if event.kind == "lagged":
            return self._take_gap(event)
        if waiting >= QUEUE_MAX:
            self.is_behind = True
            return None
        if event.kind in UNNUMBERED:
            return event
        name = str(event.data.get("id", "")) if event.kind == "alert" else event.cursor
        self.cursor = event.cursor or self.cursor
        if name and name in self._ids:
            return None
        self._ids[name] = None
        if len(self._ids) > IDS_MAX:
            self._ids.popitem(last=False)
        return event

    def _take_gap(self, event: Event) -> Optional[Event]:
        if not self._asked_past and self.resumes:
            # The daemon dropped what was not read in time. It holds it still, for those who ask.
            self.is_behind = True
            return None
        lost = event.data.get("lost")
        self.lost += lost or 0
        log.warning("events lost: %s of %s", "some" if lost is None else lost, self.kinds or "all kinds")
        return event if not self.kinds or "lagged" in self.kinds else None

# SPDX-License-Identifier: Apache-2.0
"""A question of another box, as a responder gets it."""
import logging
import time
from typing import Any, Dict, List, Mapping

log = logging.getLogger("meshd")


class SearchRequest:
    """A search this process is asked to answer. `request["colour"]` is `request.query["colour"]`.

    search: its id. search_type: as it was served. query: the question. source: node that asks.
    """

    __slots__ = ("search", "search_type", "query", "source", "deadline")

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.search: Any = data.get("search")
        self.search_type: str = data.get("search_type", "")
        self.query: Dict[str, Any] = data.get("query") or {}
        self.source: str = data.get("source", "")
        timeout_ms = data.get("timeout_ms")
        #: time.monotonic() after which nobody waits for the answer.
        self.deadline = time.monotonic() + (timeout_ms / 1000 if isinstance(timeout_ms, (int, float)) else 3600)

    def __getitem__(self, name: str) -> Any:
        return self.query[name]

    def get(self, name: str, default: Any = None) -> Any:
        """`query[name]`, or the default."""
        return self.query.get(name, default)

    @property
    def is_late(self) -> bool:
        """True when the asker has given up."""
        return time.monotonic() > self.deadline

    def __repr__(self) -> str:
        return f"<search {self.search_type} {self.query} from {self.source}>"


def results_of(answer: Any) -> List[Any]:
    """What a handler returned, as a list of results: None is none, one object is one. Results are objects:
    what is none becomes {"result": it}."""
    if answer is None:
        return []
    if isinstance(answer, (Mapping, str, bytes, int, float)):
        answer = [answer]
    return [dict(one) if isinstance(one, Mapping) else {"result": one} for one in answer]


#: The daemon's error where results have more than 64 KiB together.
ANSWER_TOO_LARGE = 502


def shortened(results: List[Any]) -> List[Any]:
    """The first half, to be tried where all are too large together; one alone gives way to none."""
    log.warning("an answer of %d results is too large, and is cut", len(results))
    return results[: len(results) // 2]

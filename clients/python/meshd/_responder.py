# SPDX-License-Identifier: Apache-2.0
"""Answers searches: one queue and one thread per type, so that a slow type holds up no other."""
import logging
import queue
import threading
from typing import Any, Callable, Dict, List

from .errors import Disconnected, MeshError
from .events import Event
from .search import SearchRequest, results_of

log = logging.getLogger("meshd")

#: Requests of one type that wait. Askers do not wait for long either.
WAITING_MAX = 256

Handler = Callable[[SearchRequest], Any]
Answer = Callable[[SearchRequest, List[Any]], Any]


class Responder:
    """The handlers of one Mesh."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._queues: "Dict[str, queue.Queue[SearchRequest]]" = {}
        self._handlers: Dict[str, Handler] = {}

    @property
    def types(self) -> List[str]:
        """Types that are served."""
        return sorted(self._handlers)

    def serve(self, search_type: str, handler: Handler) -> None:
        """Sets the handler of a type."""
        self._handlers[search_type] = handler
        if search_type not in self._queues:
            waiting: "queue.Queue[SearchRequest]" = queue.Queue(WAITING_MAX)
            self._queues[search_type] = waiting
            threading.Thread(target=self._work, args=(search_type, waiting), daemon=True,
                             name=f"meshd-serve-{search_type}").start()

    def remove(self, search_type: str) -> None:
        """Serves a type no longer."""
        self._handlers.pop(search_type, None)

    def take(self, event: Event) -> None:
        """A search.request event."""
        request = SearchRequest(event.data)
        waiting = self._queues.get(request.search_type)
        if waiting is None:
            return
        try:
            waiting.put_nowait(request)
        except queue.Full:
            log.warning("%s not answered: %d others wait", request, WAITING_MAX)

    def _work(self, search_type: str, waiting: "queue.Queue[SearchRequest]") -> None:
        while True:
            request = waiting.get()
            handler = self._handlers.get(search_type)
            if handler is None or request.is_late:
                continue
            try:
                results = results_of(handler(request))
            except Exception:  # silence would make the asker wait
                log.exception("the handler of searches for %s failed", search_type)
                results = []
            try:
                self._answer(request, results)
            except Disconnected as error:
                log.debug("%s not answered: %s", request, error)
            except (MeshError, TypeError, ValueError) as error:
                log.warning("%s not answered: %s", request, error)

"""`Exchange`: one HTTP request and its answer, with the JSON-RPC messages that both carry."""

from __future__ import annotations

import time
from collections.abc import Iterator

from contextframe_monitoring.mcp.ending import (
    CANCELLED,
    DECLINED,
    NO_ANSWER,
    SUCCESS,
    Ending,
    http_refusal,
    is_declined,
)
from contextframe_monitoring.mcp.http_answer import AnswerBody, answer_body
from contextframe_monitoring.mcp.http_head import RequestHead, ResponseHead
from contextframe_monitoring.mcp.http_sessions import Sessions
from contextframe_monitoring.mcp.lines import HeldBytes, LongLine
from contextframe_monitoring.mcp.observer import Posted
from contextframe_monitoring.mcp.recording import Connection

_SESSION, _VERSION = b"mcp-session-id", b"mcp-protocol-version"


class Client:
    """The client's end of a socket: the connection that requests without a session belong to."""

    def __init__(self, sessions: Sessions) -> None:
        """Nothing was asked yet."""
        self.sessions = sessions
        self._own: Connection | None = None

    def connection_of(self, session_id: str | None) -> Connection | None:
        """Return the connection of a request; None when nothing is recorded."""
        if session_id is not None:
            return self.sessions.of(session_id)
        if self._own is None:
            self._own = self.sessions.opened()
        return self._own

    def session_given(self, session_id: str) -> None:
        """Hear which session the server gave to the connection without one."""
        if self._own is not None and not self.sessions.knows(session_id):
            self.sessions.adopt(self._own, session_id)
            self._own = None

    def refused(self, ending: Ending) -> None:
        """Record bytes that did not go on: no HTTP request, or one for another host."""
        connection = self.connection_of(None)
        if connection is not None:
            now = time.perf_counter_ns()
            connection.observer.refused("refused", None, now, ending, now)

    def gone(self, ending: Ending) -> None:
        """Hear that the socket is closed; what still waits has ended like this."""
        own, self._own = self._own, None
        if own is not None:
            own.close(ending, time.perf_counter_ns())


class Exchange:
    """Watches one request and its answer. Whoever calls catches what this raises."""

    def __init__(self, client: Client | None, head: RequestHead) -> None:
        """`head` came from `client` just now; None means that it is none of MCP's."""
        self.method = head.method
        self.request_over = False
        self.interim = False
        """Whether the last head of an answer announced another one (1xx)."""
        self._client = client
        self._started_ns = time.perf_counter_ns()
        self._session_id = _text(head.headers.get(_SESSION))
        self._connection = None if client is None else client.connection_of(self._session_id)
        self._version = _text(head.headers.get(_VERSION))
        self._body = HeldBytes()
        self._body_bytes = 0
        self._posted = Posted()
        self._status: int | None = None
        self._answer: AnswerBody | None = None
        self._unread = False
        """Whether the answer was in a form that can't be read here."""

    @property
    def keys(self) -> list[str | int | float | None]:
        """The ids of the requests that were posted."""
        return self._posted.keys

    # -- the request

    def request_data(self, part: bytes) -> None:
        """Take a part of its body."""
        self._body.add(part)

    def request_end(self) -> None:
        """Look at what was posted, before its last byte goes on."""
        self.request_over = True
        self._body_bytes = self._body.size
        if self._connection is None or not self._body_bytes:
            return
        self._connection.peers.speak(self._version)
        body = self._body.take()
        now = time.perf_counter_ns()
        self._posted = self._connection.observer.see_posted(body, now)

    # -- the answer

    def answer_head(self, head: ResponseHead) -> None:
        """Take the head of the answer, before it goes on."""
        if head.status < 200:
            return
        self._status = head.status
        given = _text(head.headers.get(_SESSION))
        if self._connection is None or self._client is None:
            return
        if given is not None and self._session_id is None and head.status < 300:
            self._session_id = given
            self._client.session_given(given)
        self._answer = answer_body(head.headers)
        self._unread = self._answer is None and head.framing != 0
        if head.status < 400:
            self._connection.observer.accept(self._posted)

    def answer_data(self, part: bytes) -> None:
        """Take a part of its body."""
        if self._answer is not None:
            try:
                self._see(self._answer.feed(part))
            except ValueError:
                self._answer, self._unread = None, True

    def answer_end(self) -> None:
        """Hear that the answer is whole."""
        if self._connection is None or self._status is None:
            return
        if self._answer is not None:
            self._see(self._answer.end())
        if not self._posted and is_declined(self.method, self._status):
            self._refused(DECLINED)
        elif self._status >= 400:
            self._refused(http_refusal(self._status))
        elif not self._may_go_on():
            self._end(SUCCESS if self._unread else NO_ANSWER)
        self._session_over()

    def fail(self, ending: Ending) -> None:
        """Hear that no answer comes, or no more of it."""
        connection = self._connection
        if connection is None:
            return
        if ending is CANCELLED and self._session_id is not None:
            connection.observer.accept(self._posted)
            return  # in a session a client cancels by a message; it may come back for the answer
        if not self._posted and self._status is None and ending.status_code is not None:
            self._refused(ending)
        elif self._status is None or not self._may_go_on():
            self._end(ending)

    def _may_go_on(self) -> bool:
        """Return whether what is missing may come in another answer."""
        resumable = self._answer is not None and self._answer.resumable
        return resumable and self._session_id is not None

    def _see(self, messages: Iterator[bytes | LongLine]) -> None:
        connection = self._connection
        if connection is not None:
            now = time.perf_counter_ns()
            for message in messages:
                connection.observer.see_answer(message, now)

    def _refused(self, ending: Ending) -> None:
        if self._posted:
            self._end(ending)
        elif self._connection is not None:
            self._connection.observer.refused(
                self.method, self._body_bytes, self._started_ns, ending, time.perf_counter_ns()
            )

    def _end(self, ending: Ending) -> None:
        if self._connection is not None and self._posted:
            self._connection.observer.end(self._posted, ending, time.perf_counter_ns())

    def _session_over(self) -> None:
        if self._session_id is None or self._status is None or self._client is None:
            return
        deleted = self.method == "DELETE" and self._status < 300
        if deleted or self._status == 404:
            self._client.sessions.ended(self._session_id)


def _text(value: bytes | None) -> str | None:
    return value.decode("utf-8", "replace") if value else None

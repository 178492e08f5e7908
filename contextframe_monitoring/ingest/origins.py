"""Who acts, for facts that an application reports about itself: one `Origin` for each agent, user
and session.
"""

from __future__ import annotations

import functools
import hashlib

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.privacy import bounded_name
from contextframe_monitoring.core.records import Origin

_ORIGINS_MAX = 4096


class Origins:
    """Builds and remembers the origins of one application."""

    def __init__(self, config: MonitoringConfig, server: str | None = None) -> None:
        """`server` is the name of the application; the configuration's wins."""
        self._server = config.server or server
        self._environment = config.environment
        self._hash_users, self._hash_key = config.hash_user_ids, config.hash_key
        self.of = functools.lru_cache(maxsize=_ORIGINS_MAX)(self._of)

    def _of(
        self,
        agent_id: str | None = None,
        user_id: str | None = None,
        session_id: str | None = None,
    ) -> Origin:
        return Origin(
            server=self._server,
            environment=self._environment,
            agent_id=None if agent_id is None else bounded_name(agent_id),
            agent_source=None if agent_id is None else "application",
            user_id=None if user_id is None else self._user(user_id),
            session_id=None if session_id is None else bounded_name(session_id),
        )

    def _user(self, user_id: str) -> str:
        if not self._hash_users:
            return bounded_name(user_id)
        data = user_id.encode("utf-8", "replace")
        return hashlib.blake2b(data, digest_size=8, key=self._hash_key.encode()[:64]).hexdigest()

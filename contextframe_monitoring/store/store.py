"""`Store`: the three places of one store (tables, state, spool) found from its URI."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.errors import StoreError
from contextframe_monitoring.store.density import Density
from contextframe_monitoring.store.folds import Folds
from contextframe_monitoring.store.kept_rollups import KeptRollups
from contextframe_monitoring.store.ledger import Ledger
from contextframe_monitoring.store.machine import (
    default_store,
    is_remote,
    local_store,
    spool_folder,
)
from contextframe_monitoring.store.removals import Removals
from contextframe_monitoring.store.state import STATE_FILE, open_state
from contextframe_monitoring.store.tables import Tables


class Store:
    """Where one store keeps its bytes.

    Opening is cheap; tables and state are made by the first drain. `ledger` is None while nothing
    was ever drained.
    """

    def __init__(self, uri: str, *, spool_path: str | None = None) -> None:
        """Find the places of a store. Raises `StoreError` when its folder is a file."""
        self.uri = uri
        self.tables = Tables(uri)
        self.densities: dict[str, Density] = {}
        self.kept = KeptRollups()
        self.spool_root = spool_folder(uri, spool_path)
        if self.tables.local is not None and self.tables.local.is_file():
            raise StoreError(uri, "it is a file", "name a folder with --store")
        self._engine: sa.Engine | None = None
        self._identity: tuple[int, int] | None = None
        self._folds: Folds | None = None

    @property
    def state_folder(self) -> Path:
        """The folder of the state: the store's own when it is local, else the spool's."""
        return local_store(self.uri) if not is_remote(self.uri) else self.spool_root

    @property
    def engine(self) -> sa.Engine | None:
        """The state, None when there is none. Raises `StoreError` on a bad one.

        A state that was deleted or replaced under us is let go of, and what stands there is
        opened.
        """
        identity = self._state_identity()
        if identity != self._identity:
            if self._engine is not None:
                self._engine.dispose()
            self._engine, self._identity = None, None
        if self._engine is None and identity is not None:
            self._engine = open_state(self.state_folder, create=False)
            self._identity = identity if self._engine is not None else None
        return self._engine

    def _state_identity(self) -> tuple[int, int] | None:
        try:
            found = (self.state_folder / STATE_FILE).stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    @property
    def ledger(self) -> Ledger | None:
        """The ledger, None while nothing was ever drained."""
        engine = self.engine
        return None if engine is None else Ledger(engine)

    @property
    def removals(self) -> Removals | None:
        """What was taken out on purpose, None while nothing was ever drained."""
        engine = self.engine
        return None if engine is None else Removals(engine)

    @property
    def folds(self) -> Folds | None:
        """How far the rollups are folded, None while no keeper that folds was ever there."""
        engine = self.engine
        if engine is None:
            return None
        if self._folds is None or self._folds.engine is not engine:
            there = sa.inspect(engine).has_table("folds")
            self._folds = Folds(engine) if there else None
        return self._folds

    def make_folders(self) -> None:
        """Make the folders of spool and state. Raises `StoreError` where that is impossible."""
        for folder in (self.spool_root, self.state_folder):
            try:
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            except OSError as error:
                raise StoreError(
                    self.uri, f"{folder.name} can't be made ({error.strerror})", "choose another"
                ) from error

    def create(self) -> sa.Engine:
        """Make missing folders and state. Raises `StoreError` where that is impossible."""
        self.make_folders()
        engine = open_state(self.state_folder, create=True)
        if engine is None:
            raise StoreError(self.uri, "its state can't be made", "run doctor")
        if self._engine is not None:
            self._engine.dispose()
        self._engine, self._identity = engine, self._state_identity()
        return engine


def store_of(config: MonitoringConfig) -> Store:
    """Return the store that a configuration names, the platform's default where it names none."""
    return Store(config.store or default_store(), spool_path=config.spool_path)

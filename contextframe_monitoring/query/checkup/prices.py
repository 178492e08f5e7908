"""The prices: can they be read, and when did somebody last look at them?"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from contextframe_monitoring.core.checkup import Fact, Symptom
from contextframe_monitoring.core.pricing_config import PricingConfig
from contextframe_monitoring.query.checkup.patient import Patient
from contextframe_monitoring.store.catalogue import Catalogue, catalogue_name

CHECKED_DAYS_MAX = 180


def check_prices(patient: Patient) -> Iterator[Fact | Symptom]:
    """Look at the price files. Raises `PriceFileError` for one that can't be read."""
    path = patient.config.pricing_config_path
    catalogue = Catalogue(PricingConfig() if path is None else PricingConfig.from_path(path))
    checked = catalogue.checked()
    files = len(catalogue.status()["files"])
    when = f"checked on {checked.isoformat()}" if checked is not None else "never checked"
    yield Fact(check="prices", says=f"{catalogue_name()}, {files} files, last {when}")
    today = dt.datetime.fromtimestamp(patient.now_us / 1e6, dt.UTC).date()
    days = (today - checked).days if checked is not None else None
    if days is not None and days > CHECKED_DAYS_MAX:
        yield Symptom(
            check="prices",
            severity="warning",
            problem=f"the prices were last checked {days} days ago",
            remedy="upgrade contextframe-monitoring, or name your own files in pricing_config_path",
        )

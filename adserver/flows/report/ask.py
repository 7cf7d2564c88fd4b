"""Reports: figures of a period by any group, money from the ledger, live to the second."""

from adserver.domain.campaign import Advertiser
from adserver.domain.report import Report, ReportQuery, ReportRefused
from adserver.domain.slot import Publisher
from adserver.ports import Clock, Stores


class Reports:
    """Reads only."""

    def __init__(self, stores: Stores, clock: Clock, timezone: str) -> None:
        """`timezone` is the network's, of reports over all accounts and of publishers'."""
        self._stores = stores
        self._clock = clock
        self._timezone = timezone

    def report(self, of: Advertiser | Publisher | None, asked: ReportQuery) -> Report | ReportRefused:
        """What the account may be told; without one, the whole network."""
        raise NotImplementedError

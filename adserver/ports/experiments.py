"""What the flows ask of experiments."""

from typing import Protocol

from adserver.domain.experiment import Experiment
from adserver.domain.identity import LARGEST_KEY
from adserver.domain.participant import Sums


class Experiments(Protocol):
    """Experiments of advertisers, and what came of each arm."""

    def experiment(self, key: int) -> Experiment | None: ...
    def experiments(self, advertiser_key: int | None, after: int, limit: int) -> list[Experiment]: ...
    def sums(self, key: int, since_ms: int = 0, until_ms: int = LARGEST_KEY) -> dict[int, Sums]:
        """By arm, of the visitors who entered on the UTC days that begin within [since, until)."""
        ...

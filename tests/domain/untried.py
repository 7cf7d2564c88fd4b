"""Ranking by what is expected alone, for tests of other things: what it tries is test_ranking's matter."""

import pytest

from adserver.domain import ranking


def try_nothing(patch: pytest.MonkeyPatch) -> None:
    """What an ad may be worth is thrown as it is expected."""
    patch.setattr(ranking, "draws", lambda belief, _: [belief.mean] * ranking.THROWS)

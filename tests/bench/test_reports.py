"""What the bench fills reports with is what a roll-up would have made, and its figures say what is over the aim."""

from collections import Counter
from datetime import timedelta

from adserver.domain.report_sums import MONTHS, Sheet
from tests.bench.reports import CAMPAIGNS, LAST, PAGE_AIM_MS, Took, as_data, lines, sums_of_days


def test_every_sheet_tells_the_same_impressions() -> None:
    impressions: Counter[int] = Counter()
    for sheet, _, _, _, _, _, shown, *_ in sums_of_days(LAST - timedelta(days=19)):
        impressions[sheet] += shown
    hours = 20 * 24 * CAMPAIGNS
    assert impressions == {sheet + months: 100 * hours for sheet in Sheet for months in (0, MONTHS)}


def test_what_takes_longer_than_the_aim_says_so() -> None:
    found = {"pages": [Took("/console", 120.0, PAGE_AIM_MS), Took("/console/account", 12.0, PAGE_AIM_MS)]}
    assert [line.endswith("MORE THAN THE AIM") for line in lines(found).splitlines()] == [True, False]
    assert as_data(found) == {"pages": {"/console": 120.0, "/console/account": 12.0}}

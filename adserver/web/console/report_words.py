"""What a report's figures, groups and periods are called, and what they mean, in the reader's language."""

from enum import StrEnum
from functools import cache

import msgspec

from adserver.domain.named_period import NamedPeriod
from adserver.domain.report import Dimension, Metric
from adserver.web.console.page import translations

OWN = "own"  # dates that are told beside


class Kind(StrEnum):
    """How a figure is written."""

    MONEY = "money"
    COUNT = "count"
    SHARE = "share"
    TIMES = "times"


class Word(msgspec.Struct, frozen=True):
    """`meaning` says in a sentence what is counted; `is_sum`: parts add up to the whole."""

    label: str
    meaning: str
    kind: Kind = Kind.COUNT
    is_sum: bool = True


@cache
def metric_words(language: str) -> dict[Metric, Word]:
    return _served(language) | _sold(language) | _money(language) | _people(language)


def _served(language: str) -> dict[Metric, Word]:
    words = translations(language).gettext
    return {
        Metric.REQUESTS: Word(words("Requests"), words("How often a slot asked for an ad.")),
        Metric.FILLS: Word(words("Ads served"), words("How often a slot was given an ad.")),
        Metric.IMPRESSIONS: Word(words("Impressions"), words("Ads that began to show.")),
        Metric.VIEWABLE: Word(words("Seen"), words("Ads of which half was in view for a second.")),
        Metric.VIEWABILITY: Word(
            words("Viewability"), words("The share of impressions that were seen."), Kind.SHARE, is_sum=False
        ),
        Metric.CLICKS: Word(words("Clicks"), words("Clicks that count: one for each impression, no robots.")),
        Metric.CTR: Word(
            words("Click rate"),
            words("The share of impressions that were clicked."),
            Kind.SHARE,
            is_sum=False,
        ),
    }


def _sold(language: str) -> dict[Metric, Word]:
    words = translations(language).gettext
    return {
        Metric.CONVERSIONS: Word(words("Conversions"), words("Orders and leads that are credited to an ad.")),
        Metric.CONVERSION_RATE: Word(
            words("Conversion rate"), words("Conversions for each click."), Kind.SHARE, is_sum=False
        ),
        Metric.VALUE: Word(words("Sales"), words("What the credited orders are worth."), Kind.MONEY),
        Metric.ROAS: Word(
            words("Sales for each unit spent"),
            words("The credited sales, divided by what was spent (ROAS)."),
            Kind.TIMES,
            is_sum=False,
        ),
        Metric.IROAS: Word(
            words("Additional sales for each unit spent"),
            words("What the comparison with those who see no ads proves (iROAS)."),
            Kind.TIMES,
            is_sum=False,
        ),
    }


def _money(language: str) -> dict[Metric, Word]:
    words = translations(language).gettext
    by_part = {
        Metric.ECPM: (words("For a thousand impressions"), words("Money for each thousand of them (eCPM).")),
        Metric.ECPC: (words("For a click"), words("Money for each click (eCPC).")),
        Metric.ECPA: (words("For a conversion"), words("Money for each conversion (eCPA).")),
    }
    return {
        Metric.SPEND: Word(words("Spent"), words("What was charged, less what was given back."), Kind.MONEY),
        Metric.REVENUE: Word(words("Earned"), words("The publisher's share of the charges."), Kind.MONEY),
        **{one: Word(*said, Kind.MONEY, is_sum=False) for one, said in by_part.items()},
        Metric.UNBILLED_AT_CAP: Word(
            words("Free of charge"), words("What came after the budget was used up, and was not charged.")
        ),
    }


def _people(language: str) -> dict[Metric, Word]:
    words = translations(language).gettext
    return {
        Metric.REACH: Word(
            words("People reached"), words("Different browsers that saw an ad."), is_sum=False
        ),
        Metric.FREQUENCY: Word(
            words("Ads for each person"), words("Impressions for each browser."), is_sum=False
        ),
        Metric.REFUSALS: Word(words("Refusals"), words("How often a campaign could not compete, by reason.")),
    }


@cache
def dimension_words(language: str) -> dict[Dimension, str]:
    words = translations(language).gettext
    return {
        Dimension.HOUR: words("Hour"),
        Dimension.DAY: words("Day"),
        Dimension.WEEK: words("Week"),
        Dimension.MONTH: words("Month"),
        Dimension.QUARTER: words("Quarter"),
        Dimension.YEAR: words("Year"),
        Dimension.ADVERTISER: words("Advertiser"),
        Dimension.CAMPAIGN: words("Campaign"),
        Dimension.CREATIVE: words("Creative"),
        Dimension.PRODUCT: words("Product"),
        Dimension.PUBLISHER: words("Publisher"),
        Dimension.SITE: words("Site"),
        Dimension.SLOT: words("Slot"),
        Dimension.COUNTRY: words("Country"),
        Dimension.DEVICE: words("Device"),
        Dimension.AUDIENCE: words("Audience"),
        Dimension.REFUSAL: words("Reason of a refusal"),
        Dimension.ARM: words("Arm of an experiment"),
    }


@cache
def device_words(language: str) -> dict[str, str]:
    words = translations(language).gettext
    return {
        "desktop": words("Computer"),
        "mobile": words("Telephone"),
        "tablet": words("Tablet"),
        "tv": words("Television"),
    }


@cache
def period_words(language: str) -> dict[str, str]:
    """Dates of one's own come last."""
    words = translations(language).gettext
    return {
        NamedPeriod.TODAY: words("Today"),
        NamedPeriod.YESTERDAY: words("Yesterday"),
        NamedPeriod.WEEK: words("Last 7 days"),
        NamedPeriod.FORTNIGHT: words("Last 14 days"),
        NamedPeriod.MONTH: words("Last 30 days"),
        NamedPeriod.THIS_MONTH: words("This month"),
        NamedPeriod.LAST_MONTH: words("Last month"),
        OWN: words("Other dates"),
    }

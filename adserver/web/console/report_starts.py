"""Reports that are ready made: the questions that each side asks most."""

from collections.abc import Sequence
from datetime import date

import msgspec
from msgspec.structs import replace

from adserver.domain.experiment import Experiment
from adserver.domain.identity import write_id
from adserver.domain.named_period import NamedPeriod, days_of
from adserver.domain.report import Dimension, Metric, Side
from adserver.web.console.page import translations
from adserver.web.console.report_asked import Asked

_SHOWN = (Metric.IMPRESSIONS, Metric.CLICKS, Metric.CTR)
_SOLD = (Metric.CONVERSIONS, Metric.VALUE, Metric.ROAS)
_SPENT = (Metric.SPEND, *_SHOWN)
_EARNED = (Metric.REVENUE, Metric.IMPRESSIONS, Metric.CLICKS, Metric.ECPM)
_SERVED = (Metric.REQUESTS, Metric.FILLS, Metric.IMPRESSIONS)
_SEEN = (Metric.IMPRESSIONS, Metric.VIEWABLE, Metric.VIEWABILITY)


class Start(msgspec.Struct, frozen=True):
    """The first of a side is what its page shows unasked."""

    question: str
    metrics: tuple[Metric, ...]
    by: Dimension
    period: NamedPeriod = NamedPeriod.MONTH

    def asked(self, today: date) -> Asked:
        first, last = days_of(self.period, today)
        return Asked(period=self.period, first=first, last=last, by=(self.by,), metrics=self.metrics)


def arms_of(experiments: Sequence[Experiment], today: date, language: str) -> list[tuple[str, Asked]]:
    """The question of each experiment: which of its arms does better."""
    words = translations(language).gettext
    ask = words("Which does better: %(name)s?")
    start = Start(ask, (*_SPENT, Metric.CONVERSIONS, Metric.CONVERSION_RATE, Metric.VALUE), Dimension.ARM)
    return [
        (ask % {"name": one.name}, replace(start.asked(today), experiment=write_id("exp", one.key)))
        for one in experiments
    ]


def starts_of(side: Side, language: str) -> Sequence[Start]:
    return {Side.ADVERTISER: _advertisers, Side.PUBLISHER: _publishers, Side.NETWORK: _networks}[side](
        language
    )


def _advertisers(language: str) -> Sequence[Start]:
    words = translations(language).gettext
    return (
        Start(words("What did I spend?"), _SPENT, Dimension.DAY),
        Start(words("How is today going?"), _SPENT, Dimension.HOUR, NamedPeriod.TODAY),
        Start(words("Which campaigns sell?"), (Metric.SPEND, Metric.CLICKS, *_SOLD), Dimension.CAMPAIGN),
        Start(words("Which products are clicked?"), _SHOWN, Dimension.PRODUCT),
        Start(words("Where was I shown?"), (*_SPENT, Metric.VIEWABILITY), Dimension.SITE),
        Start(words("Who is reached?"), (*_SPENT, Metric.CONVERSIONS), Dimension.AUDIENCE),
        Start(words("On which devices?"), (*_SPENT, Metric.CONVERSIONS), Dimension.DEVICE),
        Start(words("How many people, how often?"), (Metric.REACH, Metric.FREQUENCY), Dimension.CAMPAIGN),
    )


def _publishers(language: str) -> Sequence[Start]:
    words = translations(language).gettext
    return (
        Start(words("What did I earn?"), _EARNED, Dimension.DAY),
        Start(words("How is today going?"), _EARNED, Dimension.HOUR, NamedPeriod.TODAY),
        Start(words("Which slots earn most?"), _EARNED, Dimension.SLOT),
        Start(words("Which slots stay empty?"), _SERVED, Dimension.SLOT),
        Start(words("Where are ads seen?"), _SEEN, Dimension.SLOT),
        Start(words("From which countries?"), _EARNED, Dimension.COUNTRY),
        Start(words("On which devices?"), _EARNED, Dimension.DEVICE),
    )


def _networks(language: str) -> Sequence[Start]:
    words = translations(language).gettext
    both = (Metric.SPEND, Metric.REVENUE, *_SHOWN)
    return (
        Start(words("What came in, what goes out?"), both, Dimension.DAY),
        Start(words("How is today going?"), both, Dimension.HOUR, NamedPeriod.TODAY),
        Start(words("Who spends?"), (*_SPENT, *_SOLD), Dimension.ADVERTISER),
        Start(words("Who earns?"), _EARNED, Dimension.PUBLISHER),
        Start(words("Which slots stay empty?"), _SERVED, Dimension.SLOT),
        Start(words("Where are ads seen?"), _SEEN, Dimension.SITE),
        Start(words("Why are ads refused?"), (Metric.REFUSALS,), Dimension.REFUSAL),
    )

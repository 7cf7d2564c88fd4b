"""What the templates of an advertiser's account write money and times with."""

from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

from babel.dates import format_skeleton

from adserver.domain.campaign import Advertiser
from adserver.web.console.figures import day, moment, number, price
from adserver.web.schemas.fields import write_time
from creatives.price import locale_for


def month(at_ms: int, timezone: str, language: str) -> str:
    """As in "November 2026"."""
    at = datetime.fromtimestamp(at_ms / 1000, ZoneInfo(timezone))
    return format_skeleton("yMMMM", at, tzinfo=ZoneInfo(timezone), locale=locale_for(language))


def figures_of(advertiser: Advertiser, language: str) -> dict[str, object]:
    """By name: `money` in a currency, the account's own where none is given; `at` and `on` in its zone."""

    def money(micros: int, currency: str | None = None) -> str:
        return price(micros, currency or advertiser.currency, language)

    return {
        "money": money,
        "number": partial(number, language=language),
        "at": partial(moment, timezone=advertiser.timezone, language=language),
        "on": partial(day, timezone=advertiser.timezone, language=language),
        "month": partial(month, timezone=advertiser.timezone, language=language),
        "iso": write_time,
    }

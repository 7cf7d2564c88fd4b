"""What a report's rows are called: times and places in the reader's language, the rest by their own names."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta

from babel.dates import format_date, format_datetime

from adserver.domain.report import Dimension, GroupName
from adserver.web.console.page import translations
from adserver.web.console.report_words import device_words
from creatives.price import locale_for

HOUR = timedelta(hours=1)


def name_in_words(dimension: Dimension, group: GroupName, language: str) -> str:
    written = _WRITTEN.get(dimension)
    return (group.name or group.id or _unknown(language)) if written is None else written(group, language)


def short_time(dimension: Dimension, of: str, language: str) -> str:
    """As it stands below a chart."""
    if dimension is Dimension.HOUR:
        return format_datetime(datetime.fromisoformat(of), "H:mm", locale=locale_for(language))
    if dimension in (Dimension.DAY, Dimension.WEEK):
        return format_date(date.fromisoformat(of), "d MMM", locale=locale_for(language))
    if dimension is Dimension.MONTH:
        return format_date(date.fromisoformat(f"{of}-01"), "MMM yy", locale=locale_for(language))
    return of


def times_of(dimension: Dimension, first: date, last: date, until: datetime) -> list[str]:
    """The ids of all times of a period, also of those in which nothing was; none that is still to come."""
    if dimension is Dimension.HOUR:
        return list(_hours(first, last, until))
    span = (min(last, until.date()) - first).days + 1
    days = (first + timedelta(days=number) for number in range(span))
    return list(dict.fromkeys(_ID_OF_DAY[dimension](one) for one in days))


def _hours(first: date, last: date, until: datetime) -> Iterator[str]:
    """As instants, since an hour of a zone may come twice, or not at all."""
    at = datetime(first.year, first.month, first.day, tzinfo=until.tzinfo).astimezone(UTC)
    after = last + timedelta(days=1)
    end = datetime(after.year, after.month, after.day, tzinfo=until.tzinfo).astimezone(UTC)
    while at < min(end, until):
        yield at.astimezone(until.tzinfo).isoformat(timespec="minutes")
        at += HOUR


def _quarter(day: date) -> str:
    return f"{day.year}-Q{(day.month + 2) // 3}"


_ID_OF_DAY: Mapping[Dimension, Callable[[date], str]] = {
    Dimension.DAY: date.isoformat,
    Dimension.WEEK: lambda day: (day - timedelta(days=day.weekday())).isoformat(),
    Dimension.MONTH: lambda day: day.isoformat()[:7],
    Dimension.QUARTER: _quarter,
    Dimension.YEAR: lambda day: day.isoformat()[:4],
}


def _day_in_words(group: GroupName, language: str, pattern: str = "EEE d MMM y") -> str:
    return format_date(date.fromisoformat(group.id), pattern, locale=locale_for(language))


def _hour_in_words(group: GroupName, language: str) -> str:
    return format_datetime(datetime.fromisoformat(group.id), "EEE d MMM, H:mm", locale=locale_for(language))


def _week_in_words(group: GroupName, language: str) -> str:
    words = translations(language).gettext
    return words("Week of %(day)s") % {"day": _day_in_words(group, language, "d MMM y")}


def _month_in_words(group: GroupName, language: str) -> str:
    return format_date(date.fromisoformat(f"{group.id}-01"), "MMMM y", locale=locale_for(language))


def _quarter_in_words(group: GroupName, language: str) -> str:
    year, _, number = group.id.partition("-Q")
    day = date(int(year), int(number) * 3, 1)
    return format_date(day, "QQQQ y", locale=locale_for(language))


def _country(group: GroupName, language: str) -> str:
    named: str | None = locale_for(language).territories.get(group.id)
    return named or group.name or _unknown(language)


def _device(group: GroupName, language: str) -> str:
    return device_words(language).get(group.id) or _unknown(language)


def _unknown(language: str) -> str:
    words = translations(language).gettext
    return words("Unknown")


def _reason(group: GroupName, language: str) -> str:
    """Reasons are worded where refusals are; in English where this catalogue does not know one."""
    return translations(language).gettext(group.name or group.id)


_WRITTEN: Mapping[Dimension, Callable[[GroupName, str], str]] = {
    Dimension.HOUR: _hour_in_words,
    Dimension.DAY: _day_in_words,
    Dimension.WEEK: _week_in_words,
    Dimension.MONTH: _month_in_words,
    Dimension.QUARTER: _quarter_in_words,
    Dimension.COUNTRY: _country,
    Dimension.DEVICE: _device,
    Dimension.REFUSAL: _reason,
}

"""Google Merchant's own spellings of a product's fields, read into ours before the body is checked."""

from typing import Any

from pydantic_core import PydanticCustomError

from adserver.domain.feed import read_interval
from adserver.domain.feed_price import PriceRejection, read_price
from adserver.domain.money import MICROS_PER_UNIT
from adserver.web.schemas.fields import write_time

_SALE_DATES = ("sale_from", "sale_until")


def from_google(given: Any) -> Any:
    """`price` and `sale_price` such as `15.00 EUR`, `sale_price_effective_date`, `in stock`, `id`.

    A body may use these or `price_micros` with `currency`; what it does not name is left alone.
    """
    if not isinstance(given, dict):
        return given
    _one_currency(given)
    fields = {name: value for name, value in given.items() if name not in _SPELLINGS}
    for name, read in _SPELLINGS.items():
        if given.get(name) is not None:
            fields |= read(given[name])
        elif name in given:
            fields |= dict.fromkeys(_LIFTS.get(name, (name,)))
    return fields


def _one_currency(given: dict[str, Any]) -> None:
    codes = {_amount(given[name])[1] for name in ("price", "sale_price") if isinstance(given.get(name), str)}
    if len(codes | ({given["currency"]} if isinstance(given.get("currency"), str) else set())) > 1:
        raise PydanticCustomError("bad_price", "All prices of a product are in one currency")


def write_price(micros: int, currency: str) -> str:
    """An amount in Google's spelling: a point, at least two decimals, the currency behind."""
    units, rest = divmod(micros, MICROS_PER_UNIT)
    return f"{units}.{f'{rest:06}'.rstrip('0'):0<2} {currency}"


def _price(given: Any) -> dict[str, Any]:
    micros, currency = _amount(given)
    return {"price_micros": micros, "currency": currency}


def _sale_price(given: Any) -> dict[str, Any]:
    return {"sale_price_micros": _amount(given)[0]}


def _amount(given: Any) -> tuple[int, str]:
    read = read_price(given) if isinstance(given, str) else PriceRejection.BAD_PRICE
    if isinstance(read, PriceRejection):
        raise PydanticCustomError("bad_price", "A price is an amount and a currency, such as `15.00 EUR`")
    return read


def _sale_dates(given: Any) -> dict[str, Any]:
    dates = read_interval(given) if isinstance(given, str) else None
    if dates is None:
        raise PydanticCustomError("bad_sale_dates", "Two ISO 8601 times with a slash between them")
    return {
        name: None if at_ms is None else write_time(at_ms)
        for name, at_ms in zip(_SALE_DATES, dates, strict=True)
    }


def _availability(given: Any) -> dict[str, Any]:
    return {"availability": given.strip().replace(" ", "_") if isinstance(given, str) else given}


_SPELLINGS = {
    "price": _price,
    "sale_price": _sale_price,
    "sale_price_effective_date": _sale_dates,
    "availability": _availability,
}
_LIFTS = {
    "sale_price": ("sale_price_micros",),
    "sale_price_effective_date": _SALE_DATES,
    "price": ("price_micros",),
}

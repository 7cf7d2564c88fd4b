"""A request's address, headers and site, and what its page says of itself, become a Page."""

from adserver.domain.caller import Caller, Place
from adserver.domain.identity import write_id
from adserver.domain.page import Answered, Page, categories_from, words_from
from adserver.domain.slot import Site

_UNKNOWN: frozenset[str] = frozenset()


def page_at(
    caller: Caller, site: Site, keywords: str | None, categories: str | None, answers: tuple[Answered, ...]
) -> Page:
    """What is known of it; `keywords` and `categories` are the publisher's own words for this page."""
    place = caller.place
    return Page(
        _UNKNOWN if place is None else frozenset((place.country,)),
        _UNKNOWN if place is None else _subdivisions(place),
        _UNKNOWN if caller.device is None else frozenset((caller.device,)),
        _UNKNOWN if caller.language is None else frozenset((caller.language,)),
        frozenset((write_id("site", site.key),)),
        frozenset((write_id("pub", site.publisher_key),)),
        categories_from(categories, site.categories),
        words_from(keywords),
        answers,
    )


def _subdivisions(place: Place) -> frozenset[str]:
    """The region, and the one within it that some countries have: `GB-ENG` and `GB-WBK`."""
    known = (place.region, place.within)
    return frozenset(f"{place.country}-{code}" for code in known if code)

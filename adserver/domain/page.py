"""What is known of the place that asks for an ad: where it is looked at, of what it is, what stands there."""

from collections.abc import Iterable

import msgspec

from adserver.domain.blocks import category_path
from adserver.domain.category import plain

MOST_KEYWORDS = 20
MOST_CATEGORIES = 10
LONGEST_WORD = 40
_LONGEST_CATEGORY = 120
_MOST_DIGITS = 5  # more of them are a telephone's or a customer's number, and no word of a page
_BETWEEN_LETTERS = frozenset(" -'.&+/_#")


class Answered(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An ad that the same page has already been given."""

    campaign_key: int
    advertiser_key: int
    creative_key: int
    product_keys: tuple[int, ...] = ()
    impression_id: int = 0


class Page(msgspec.Struct, frozen=True):
    """What is known of a request's place, under the names that targeting has; nothing where it is unknown.

    `categories` hold each path with all that it lies under. `answers` are the page's other slots', in order,
    `rivals` the advertisers who compete with one of those. None of it is kept with a visitor.
    """

    countries: frozenset[str] = frozenset()
    subdivisions: frozenset[str] = frozenset()
    devices: frozenset[str] = frozenset()
    languages: frozenset[str] = frozenset()
    sites: frozenset[str] = frozenset()
    publishers: frozenset[str] = frozenset()
    categories: frozenset[tuple[str, ...]] = frozenset()
    keywords: frozenset[str] = frozenset()
    answers: tuple[Answered, ...] = ()
    rivals: frozenset[int] = frozenset()

    def times_answered(self, campaign_key: int) -> int:
        """How often the page was given the campaign's ads; a cap counts them as if they had been seen."""
        return sum(one.campaign_key == campaign_key for one in self.answers)

    def products_answered(self) -> frozenset[int]:
        """What the page's other slots show of the catalogues."""
        return frozenset(key for one in self.answers for key in one.product_keys)


NO_PAGE = Page()


def word_from(text: str) -> str | None:
    """A keyword as it is compared; None for what is no word or two of a page's own subject.

    Nothing of the shape of an e-mail address passes, nor a number that could be somebody's.
    """
    word = plain(text)
    if not 0 < len(word) <= LONGEST_WORD:
        return None
    if any(not (letter.isalnum() or letter in _BETWEEN_LETTERS) for letter in word):
        return None
    if not any(letter.isalnum() for letter in word) or sum(map(str.isdigit, word)) > _MOST_DIGITS:
        return None
    return word


def words_from(text: str | None) -> frozenset[str]:
    """The keywords that a publisher states of a page, parted by commas; what is none is left out."""
    given = (text or "").split(",", MOST_KEYWORDS)[:MOST_KEYWORDS]
    return frozenset(word for one in given if (word := word_from(one)) is not None)


def category_from(text: str) -> tuple[str, ...] | None:
    """A category as it is compared: `Sport > Football`, or IAB's `IAB17-12`."""
    if len(text) > _LONGEST_CATEGORY:
        return None
    path = category_path(text)
    return path if path and all(word_from(step) for step in path) else None


def categories_from(stated: str | None, own: Iterable[str]) -> frozenset[tuple[str, ...]]:
    """What the page says of itself, and its site's own, each with all that it lies under."""
    given = (stated or "").split(",", MOST_CATEGORIES)[:MOST_CATEGORIES]
    paths = [path for one in (*given, *own) if (path := category_from(one)) is not None]
    return frozenset(path[:steps] for path in paths for steps in range(1, len(path) + 1))

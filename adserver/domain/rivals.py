"""Which advertisers do not stand side by side on a page: by their own word, or for what both of them sell."""

from collections.abc import Iterable, Sequence

from adserver.domain.blocks import category_path, lies_under
from adserver.domain.campaign import Advertiser


def rivals_of(shown: Sequence[Advertiser], others: Iterable[Advertiser], by_category: bool) -> frozenset[int]:
    """The keys of those among `others` who do not stand beside one of the `shown`."""
    if not by_category and not any(map(_says_something, shown)):
        others = filter(_says_something, others)  # of thousands on a page, few do
    return frozenset(
        other.key for other in others if any(are_rivals(one, other, by_category) for one in shown)
    )


def _says_something(one: Advertiser) -> bool:
    return bool(one.competitors or one.competitor_domains or one.competes_in)


def are_rivals(one: Advertiser, other: Advertiser, by_category: bool) -> bool:
    """Whether either names the other, or says that it competes in what the other sells.

    `by_category` is the publisher's wish: then it is enough that both sell the same.
    """
    if one.key == other.key:
        return False
    if _names(one, other) or _names(other, one):
        return True
    if _compete(one.competes_in, (*other.competes_in, *other.categories)):
        return True
    if _compete(other.competes_in, one.categories):
        return True
    return by_category and _compete(one.categories, other.categories)


def _names(one: Advertiser, other: Advertiser) -> bool:
    """By its key, or by a domain, with all that lies under it."""
    if other.key in one.competitors:
        return True
    return any(
        domain == named or domain.endswith(f".{named}")
        for named in one.competitor_domains
        for domain in other.domains
    )


def _compete(some: Iterable[str], others: Iterable[str]) -> bool:
    """Whether a category of the one side lies under, or holds, one of the other's."""
    paths = [category_path(text) for text in others]
    return any(
        lies_under(path, own) or lies_under(own, path) for own in map(category_path, some) for path in paths
    )

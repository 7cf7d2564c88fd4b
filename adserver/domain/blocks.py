"""What a publisher does not want on its pages, and whom it does."""

import re

import msgspec

from adserver.domain.category import path_of

_IAB = re.compile(r"iab[0-9]{1,2}(-[0-9]{1,3})*")


class Blocks(msgspec.Struct, frozen=True, gc=False):
    """The wishes of a publisher, or for one of its sites or slots; all that hold at a slot are added up."""

    categories: tuple[str, ...] = ()  # each with all that lies under it
    advertisers: tuple[int, ...] = ()
    domains: tuple[str, ...] = ()  # of advertisers, such as competitors; they cover their sub-domains
    only_approved: bool = False  # nobody but the advertisers below
    approved: tuple[int, ...] = ()
    approved_domains: tuple[str, ...] = ()
    separate_competitors: bool = False  # two who sell the same are not shown on one page


NO_BLOCKS = Blocks()


def category_path(text: str) -> tuple[str, ...]:
    """`Apparel & Accessories > Shoes` by its steps, however it is written; IAB's `IAB7-39` is in `IAB7`."""
    steps = path_of(text)
    return tuple(steps[0].split("-")) if len(steps) == 1 and _IAB.fullmatch(steps[0]) else steps


def lies_under(path: tuple[str, ...], category: tuple[str, ...]) -> bool:
    return path[: len(category)] == category

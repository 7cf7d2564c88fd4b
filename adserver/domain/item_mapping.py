"""Learns from ids that pages named and ids of the catalogue which rule leads from the ones to the others."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from enum import StrEnum
from itertools import chain, product

import msgspec

from adserver.domain.catalogue import Product
from adserver.domain.item_id import ItemIdRule, LetterCase

MOST_SEEN = 200
MOST_LEARNT_FROM = 2_000  # ids of the catalogue whose beginnings are counted
LEAST_GAIN = 3  # ids that a rule must find besides: two may be chance
STRIPS, ADDS = 4, 3  # beginnings that are tried
MOST_BEGINNINGS = 6  # of one id

_SEPARATORS = "_-:/"
_BOUNDARY = re.compile(r"(?<=[\W_])(?![\W_])|(?<=[^\W\d_])(?=\d)")  # after a separator, and before digits

Existing = Callable[[AbstractSet[str]], AbstractSet[str]]
"""Those of the ids that are in the catalogue."""


class MatchedBy(StrEnum):
    """How ids of pages and of the catalogue belong together."""

    RULE = "rule"  # the server can apply it
    ITEM_GROUP_ID = "item_group_id"  # pages name the group, the catalogue its variants
    MPN = "mpn"  # pages name the maker's or the shop's own number (SKU)
    ENDING = "ending"  # pages name what the catalogue's ids end with


class CatalogueIds(msgspec.Struct, frozen=True):
    """What products, all or a sample in no order, are known by."""

    ids: tuple[str, ...]
    groups: frozenset[str] = frozenset()
    mpns: frozenset[str] = frozenset()


class Proposal(msgspec.Struct, frozen=True):
    """How `matched` of `of` ids would be found; `rule` where the server can do it."""

    by: MatchedBy
    matched: int
    of: int
    rule: ItemIdRule | None = None


def ids_of(products: Iterable[Product]) -> CatalogueIds:
    """What a catalogue's products are known by."""
    kept = list(products)
    return CatalogueIds(
        tuple(one.item_id for one in kept),
        frozenset(one.item_group_id for one in kept if one.item_group_id),
        frozenset(one.mpn for one in kept if one.mpn),
    )


def propose_mapping(
    seen: Iterable[str],
    known: CatalogueIds,
    current: ItemIdRule | None = None,
    existing: Existing | None = None,
) -> Proposal | None:
    """The simplest rule that finds the most of what pages named; None where none is better than `current`.

    `existing` is asked once, about at most a few thousand ids; without it `known` is the whole catalogue.
    """
    asked = list(dict.fromkeys(seen))[:MOST_SEEN]
    present = current or ItemIdRule()
    rules = [present, *_candidates(asked, known.ids)]
    found = (existing or frozenset(known.ids).intersection)(
        {rule.apply(one) for rule in rules for one in asked}
    )
    matched = {rule: sum(rule.apply(one) in found for one in asked) for rule in rules}
    best = min(rules, key=lambda rule: (-matched[rule], _weight(rule)))
    proposals = [Proposal(MatchedBy.RULE, matched[best], len(asked), best), *_otherwise(asked, known)]
    proposal = max(proposals, key=lambda one: one.matched)  # the first, which is the rule, where equal
    return proposal if proposal.matched >= matched[present] + LEAST_GAIN else None


def _weight(rule: ItemIdRule) -> tuple[int, bool, int, tuple[str, ...]]:
    """How simple a rule is: its steps, one that cuts inside of ids last; by the alphabet where equal."""
    parts = (rule.keep_after_last, rule.strip_prefix, rule.add_prefix)
    steps = sum(map(bool, parts)) + (rule.letter_case is not LetterCase.KEPT)
    return steps, bool(rule.keep_after_last), sum(map(len, parts)), (*parts, rule.letter_case)


def _candidates(seen: Sequence[str], ids: Sequence[str]) -> Iterator[ItemIdRule]:
    heads = [("", ""), *(("", prefix) for prefix in _beginnings(seen, STRIPS))]
    heads += [(separator, "") for separator in _SEPARATORS if any(separator in one for one in seen)]
    adds = ["", *_beginnings(ids[:MOST_LEARNT_FROM], ADDS)]
    for (separator, strip), add, case in product(heads, adds, _cases(ids[:MOST_LEARNT_FROM])):
        yield ItemIdRule(keep_after_last=separator, strip_prefix=strip, add_prefix=add, letter_case=case)


def _beginnings(ids: Sequence[str], most: int) -> list[str]:
    """What ids begin with up to a separator or a number; the commonest first, the longest of equals."""
    counted = Counter(chain.from_iterable(map(_beginnings_of, ids)))
    common = [text for text, n in counted.items() if n >= max(2, len(ids) // 10)]
    return sorted(common, key=lambda text: (-counted[text], -len(text), text))[:most]


def _beginnings_of(item_id: str) -> list[str]:
    ends = [found.start() for found in _BOUNDARY.finditer(item_id)]
    return [item_id[:end] for end in ends if 0 < end < len(item_id)][:MOST_BEGINNINGS]


def _cases(ids: Sequence[str]) -> list[LetterCase]:
    """Folding helps only where the catalogue is all of one case."""
    is_lower, is_upper = all(one == one.lower() for one in ids), all(one == one.upper() for one in ids)
    if is_lower == is_upper:  # neither, or nothing but digits
        return [LetterCase.KEPT]
    return [LetterCase.KEPT, LetterCase.LOWER if is_lower else LetterCase.UPPER]


def _otherwise(seen: Sequence[str], known: CatalogueIds) -> list[Proposal]:
    """What no rule of text can do, and whoever makes the page or the feed can."""
    endings = {
        one.rpartition(separator)[2] for one in known.ids for separator in _SEPARATORS if separator in one
    }
    ways = (
        (MatchedBy.ITEM_GROUP_ID, known.groups),
        (MatchedBy.MPN, known.mpns),
        (MatchedBy.ENDING, endings),
    )
    return [Proposal(by, sum(one in texts for one in seen), len(seen)) for by, texts in ways]

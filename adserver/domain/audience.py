"""Audiences: rules over what visitors did at an advertiser's, nested if need be, and which are refused."""

from collections.abc import Iterator
from enum import StrEnum

import msgspec

from adserver.domain.doings import ITEM_KINDS, MOST_DOINGS, Reaction
from adserver.domain.retention import Retention
from adserver.domain.visitor import DAY_MS
from pixel.events import EventName

ANY_EVENT = "any_event"  # whatever the shop's pages told
MOST_RULES = 20
MOST_LEVELS = 3  # of groups in groups; an exclusion is none
MOST_COUNTED = MOST_DOINGS - 1  # so that "at most" can be told from more
USUAL_STOP_DAYS = 8
REACTIONS_TO_ADS = frozenset({Reaction.AD_SEEN, Reaction.AD_CLICKED})  # which no page of the shop tells
EVENTS_OF_RULES = (*EventName, *Reaction, ANY_EVENT)


class ItemFilter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which items an event is to name: all that is said must hold of one of them, of a list one word."""

    item_ids: tuple[str, ...] = ()
    product_set_key: int | None = None
    categories: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()

    @property
    def asks_the_catalogue(self) -> bool:
        return bool(self.product_set_key is not None or self.categories or self.brands)


class Rule(msgspec.Struct, frozen=True, omit_defaults=True):
    """That a kind of event came within so many days: so often, with such items, or for so much.

    `event` is an EventName, a Reaction or ANY_EVENT. Amounts are in the audience's currency, and an event in
    another is worth nothing there; an average is of the prices of the items that count.
    """

    event: str
    retention_days: int
    items: ItemFilter | None = None
    at_least: int = 1
    at_most: int | None = None
    total_at_least_micros: int | None = None
    one_at_least_micros: int | None = None
    average_at_least_micros: int | None = None
    average_at_most_micros: int | None = None

    @property
    def is_plain(self) -> bool:
        """Whether it asks for no more than when the shop's pages last told of such an event."""
        return self == Rule(self.event, self.retention_days) and self.event not in REACTIONS_TO_ADS

    @property
    def asks_value(self) -> bool:
        return self.total_at_least_micros is not None or self.one_at_least_micros is not None

    @property
    def asks_average(self) -> bool:
        return self.average_at_least_micros is not None or self.average_at_most_micros is not None

    @property
    def asks_the_catalogue(self) -> bool:
        """Where a page told no price, the catalogue's is taken."""
        return self.asks_average or (self.items is not None and self.items.asks_the_catalogue)


class Clause(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One of four: a rule, any of several clauses, all of several, or that a clause must not apply."""

    rule: Rule | None = None
    any: tuple["Clause", ...] = ()
    all: tuple["Clause", ...] = ()
    exclude: "Clause | None" = None

    @property
    def group(self) -> tuple["Clause", ...]:
        return self.any or self.all


class Audience(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Visitors of an advertiser to whom any of `inclusions` applies, and none of `exclusions`; or `rules`.

    They are served its ads from `wait_minutes` after the last event that made them members until `stop_days`
    after it; None is for as long as they belong to it.
    """

    key: int
    advertiser_key: int
    name: str
    inclusions: tuple[Rule, ...] = ()
    exclusions: tuple[Rule, ...] = ()
    version: int = 1
    created_at_ms: int = 0
    rules: Clause | None = None
    wait_minutes: int = 0
    stop_days: int | None = None
    currency: str = ""


class AudienceRefusal(StrEnum):
    """Why an audience is not saved."""

    SAYS_NOTHING = "audience_says_nothing"
    SAID_TWICE = "audience_said_twice"
    EMPTY_GROUP = "empty_group"
    EXCLUSION_WITHOUT_INCLUSION = "exclusion_without_inclusion"
    EXCLUSION_IN_ANY = "exclusion_in_any"
    EXCLUSION_IN_EXCLUSION = "exclusion_in_exclusion"
    TWO_EXCLUSIONS = "two_exclusions"
    TOO_DEEP = "too_deep"
    TOO_MANY_RULES = "too_many_rules"
    LIMITS_REVERSED = "limits_reversed"
    FILTER_SAYS_NOTHING = "filter_says_nothing"
    ITEMS_NOT_KEPT = "items_not_kept"
    VALUE_NOT_KEPT = "value_not_kept"
    NEVER_SERVED = "audience_never_served"


def all_rules(audience: Audience) -> list[Rule]:
    nested = [] if audience.rules is None else [rule for rule, _ in _rules_of(audience.rules, False)]
    return [*audience.inclusions, *audience.exclusions, *nested]


def _rules_of(clause: Clause, excluded: bool) -> Iterator[tuple[Rule, bool]]:
    """Each rule of a clause, and whether it keeps out."""
    if clause.rule is not None:
        yield clause.rule, excluded
    if clause.exclude is not None:
        yield from _rules_of(clause.exclude, not excluded)
    for one in clause.group:
        yield from _rules_of(one, excluded)


def is_narrowed(audience: Audience) -> bool:
    """Whether it picks by value: then its members must be many, so that nobody is meant by it."""
    return any(rule.asks_value or rule.asks_average for rule in all_rules(audience))


def days_kept_instead(audience: Audience, retention: Retention) -> int | None:
    """How long an event is kept that a rule asks for longer; None where each is kept for long enough."""
    for rule in all_rules(audience):
        kept_days = retention.of_event(rule.event) // DAY_MS
        if rule.retention_days > kept_days:
            return kept_days
    return None


def asks_for(audience: Audience, event: EventName) -> bool:
    """Whether it holds visitors for having done this."""
    return any(rule.event == event for rule in _wanted_and_kept_out(audience)[0])


# ---- which are refused ----


def check(audience: Audience) -> AudienceRefusal | None:
    """The first reason against an audience; None where it can be saved."""
    if audience.rules is None:
        no = _refusal_of_lists(audience)
    elif audience.inclusions or audience.exclusions:
        no = AudienceRefusal.SAID_TWICE
    else:
        no = _refusal_of_tree(audience.rules)
    if no is not None:
        return no
    for rule in all_rules(audience):
        no = _refusal_of_rule(rule)
        if no is not None:
            return no
    return AudienceRefusal.NEVER_SERVED if _is_never_served(audience) else None


def _refusal_of_lists(audience: Audience) -> AudienceRefusal | None:
    if max(len(audience.inclusions), len(audience.exclusions)) > MOST_RULES:
        return AudienceRefusal.TOO_MANY_RULES
    if audience.inclusions:
        return None
    said = audience.exclusions
    return AudienceRefusal.EXCLUSION_WITHOUT_INCLUSION if said else AudienceRefusal.SAYS_NOTHING


def _refusal_of_tree(root: Clause) -> AudienceRefusal | None:
    if root.exclude is not None:
        return AudienceRefusal.EXCLUSION_WITHOUT_INCLUSION
    no = _refusal_of_clause(root, 0, in_exclusion=False)
    if no is None and sum(1 for _ in _rules_of(root, False)) > MOST_RULES:
        return AudienceRefusal.TOO_MANY_RULES
    return no


def _refusal_of_clause(clause: Clause, level: int, *, in_exclusion: bool) -> AudienceRefusal | None:
    """`level` is how many groups the clause is in."""
    if clause.rule is not None:
        return None
    if clause.exclude is not None:
        if in_exclusion:
            return AudienceRefusal.EXCLUSION_IN_EXCLUSION
        return _refusal_of_clause(clause.exclude, level, in_exclusion=True)
    if level == MOST_LEVELS:
        return AudienceRefusal.TOO_DEEP
    own = _refusal_of_group(clause, in_exclusion=in_exclusion)
    inner = (_refusal_of_clause(one, level + 1, in_exclusion=in_exclusion) for one in clause.group)
    return own or next(filter(None, inner), None)


def _refusal_of_group(clause: Clause, *, in_exclusion: bool) -> AudienceRefusal | None:
    exclusions = [one for one in clause.group if one.exclude is not None]
    if not clause.group:
        return AudienceRefusal.EMPTY_GROUP
    if exclusions and in_exclusion:
        return AudienceRefusal.EXCLUSION_IN_EXCLUSION
    if exclusions and clause.any:
        return AudienceRefusal.EXCLUSION_IN_ANY
    if len(exclusions) > 1:
        return AudienceRefusal.TWO_EXCLUSIONS
    return AudienceRefusal.EXCLUSION_WITHOUT_INCLUSION if len(exclusions) == len(clause.group) else None


def _refusal_of_rule(rule: Rule) -> AudienceRefusal | None:
    if rule.items == ItemFilter():
        return AudienceRefusal.FILTER_SAYS_NOTHING
    if (rule.items is not None or rule.asks_average) and rule.event not in ITEM_KINDS:
        return AudienceRefusal.ITEMS_NOT_KEPT
    if rule.asks_value and rule.event in (*Reaction, ANY_EVENT):
        return AudienceRefusal.VALUE_NOT_KEPT
    limits = (
        (rule.at_least, rule.at_most),
        (rule.average_at_least_micros, rule.average_at_most_micros),
    )
    reversed_ = any(least is not None and most is not None and least > most for least, most in limits)
    return AudienceRefusal.LIMITS_REVERSED if reversed_ else None


def _is_never_served(audience: Audience) -> bool:
    """Whether ads stop before they begin, or before an exclusion of the same event lets anyone in."""
    if audience.stop_days is None:
        return False
    if audience.wait_minutes >= audience.stop_days * 24 * 60:
        return True
    wanted, kept_out = _wanted_and_kept_out(audience)
    for rule in wanted:
        days = [out.retention_days for out in kept_out if out == Rule(rule.event, out.retention_days)]
        if max(days, default=0) < audience.stop_days:
            return False
    return True


def _wanted_and_kept_out(audience: Audience) -> tuple[list[Rule], list[Rule]]:
    """The rules that let in, and those of which each by itself keeps out, whatever lets in."""
    if audience.rules is None:
        return list(audience.inclusions), list(audience.exclusions)
    wanted = [rule for rule, excluded in _rules_of(audience.rules, False) if not excluded]
    outermost = [one.exclude for one in audience.rules.all if one.exclude is not None]
    singly = [out for one in outermost for out in ((one,) if one.rule is not None else one.any)]
    return wanted, [out.rule for out in singly if out.rule is not None]

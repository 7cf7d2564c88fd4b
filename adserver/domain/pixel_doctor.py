"""What merchants' pages have told of late becomes findings: what is wrong with a pixel, and what to do."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from adserver.domain.arrival import Arrived
from adserver.domain.catalogue import Feed, Product, card_of
from adserver.domain.consent_hold import NO, YES
from adserver.domain.feed_advice import advice_on
from adserver.domain.finding import Finding, Severity
from adserver.domain.item_id import ItemIdRule
from adserver.domain.item_mapping import MatchedBy, Proposal
from adserver.domain.pixel_sample import Sample
from adserver.domain.pricing import CONVERSION_EVENTS
from pixel.consent import Basis
from pixel.events import EventName, Rejection

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
SILENT_MS = 2 * DAY_MS
WEEK_MS = 7 * DAY_MS
HISTORY_MS = SILENT_MS + WEEK_MS  # silence shows beside the week before it
LEAST_BEFORE_SILENCE = 20  # events of that week: fewer may pause by chance
LEAST_COUNTED = 20  # before a share says anything
LEAST_SAMPLED = 5
LEAST_CLICKS, LEAST_CLICKS_OF_PAGE = 50, 10  # in a week
MOST_NAMED_PAGES = 3
FEW, MANY = 0.05, 0.5
MATCHED_ENOUGH = 0.9
DOUBLES, REPEATED_ENOUGH = 0.1, 5
VIEWS_WITHOUT_PURCHASE = 200
PRICE_TOLERANCE = 100  # one part of so many
UPLOAD_OLD_MS = 30 * DAY_MS
FETCH_OLD_MS = DAY_MS
ITEM_EVENTS = (EventName.VIEW_ITEM, EventName.ADD_TO_CART)
UNPROVEN = (Basis.NO_USABLE_STRING, Basis.UNPROVEN_ASSERTION, Basis.NO_VENDOR_ID)

Hours = list[tuple[str, int, int]]  # name of a counter, the hour's start, how many


class Named(msgspec.Struct, frozen=True):
    """A sampled item, and the product it is under the advertiser's rule; None where there is none."""

    sample: Sample
    product: Product | None


class PixelFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a diagnosis depends on."""

    now_ms: int
    currency: str
    hours: Hours
    named: list[Named]
    products: int
    feeds: list[Feed]
    rule: ItemIdRule | None = None
    consent_held_at_ms: int | None = None
    proposal: Proposal | None = None
    pages: list[tuple[str, Arrived]] = []  # where the week's clicks led


class EventFigures(msgspec.Struct, frozen=True):
    """How one event came of late; the shares are of the item ids that were sampled."""

    event: EventName
    last_hour_ms: int
    per_hour_day: float
    per_hour_week: float
    items: int  # named in the week
    sampled_ids: int
    found_share: float | None


class Diagnosis(msgspec.Struct, frozen=True):
    events: list[EventFigures]
    consent: dict[str, float]  # requests of the day by what was allowed or why not, as shares
    findings: list[Finding]


class _Counts:
    """The counters of one advertiser, by name."""

    def __init__(self, hours: Hours, now_ms: int) -> None:
        self._now_ms = now_ms
        self._hours: dict[str, list[tuple[int, int]]] = {}
        for name, hour_ms, n in hours:
            self._hours.setdefault(name, []).append((hour_ms, n))

    def sum(self, name: str, within_ms: int, but_ms: int = 0) -> int:
        """How many in the hours of the last `within_ms`, without those of the last `but_ms`."""
        first, last = self._now_ms - within_ms, self._now_ms - but_ms
        return sum(n for hour_ms, n in self._hours.get(name, ()) if first < hour_ms <= last)

    def last_hour(self, name: str) -> int:
        return max((hour_ms for hour_ms, _ in self._hours.get(name, ())), default=0)

    def beginning(self, prefix: str) -> dict[str, str]:
        """The counters whose name begins so, by the rest of it."""
        return {name.removeprefix(prefix): name for name in sorted(self._hours) if name.startswith(prefix)}

    def events(self, within_ms: int) -> int:
        return sum(self.sum(name, within_ms) for name in self.beginning("event_").values())


class _Case(msgspec.Struct, frozen=True):
    facts: PixelFacts
    counts: _Counts
    events: list[EventFigures]


def diagnose(facts: PixelFacts) -> Diagnosis:
    """Figures by event, consent by reason, and what is wrong; errors first."""
    counts = _Counts(facts.hours, facts.now_ms)
    case = _Case(facts, counts, _figures(facts, counts))
    findings = [finding for check in _CHECKS for finding in check(case)]
    order = list(Severity)
    return Diagnosis(
        case.events, _consent(counts), sorted(findings, key=lambda one: order.index(one.severity))
    )


def _figures(facts: PixelFacts, counts: _Counts) -> list[EventFigures]:
    found_of: dict[str, dict[str, bool]] = {}
    for one in facts.named:
        found_of.setdefault(one.sample.event, {})[one.sample.item_id] = one.product is not None
    figures = []
    for event, name in counts.beginning("event_").items():
        found = found_of.get(event, {})
        figures.append(
            EventFigures(
                EventName(event),
                counts.last_hour(name),
                counts.sum(name, DAY_MS) / 24,
                counts.sum(name, WEEK_MS) / (7 * 24),
                counts.sum(f"items_{event}", WEEK_MS),
                len(found),
                sum(found.values()) / len(found) if found else None,
            )
        )
    return figures


def _consent(counts: _Counts) -> dict[str, float]:
    n_by_basis = {basis: counts.sum(name, DAY_MS) for basis, name in counts.beginning("consent_").items()}
    total = sum(n_by_basis.values())
    return {basis: n / total for basis, n in n_by_basis.items() if n}


# ---- whether events come at all ----


def _none_came(case: _Case) -> Iterator[Finding]:
    if case.events:
        return
    refused = {reason: case.counts.sum(name, WEEK_MS) for reason, name in _rejections(case).items()}
    most = max(refused, key=lambda reason: refused[reason], default=None)
    if most is None or not refused[most]:
        message = (
            "No event has come. Paste the tag with this advertiser's public_id on every page of the shop."
        )
    else:
        message = f"No event was taken; most were refused as {most}. The other findings say more."
    yield Finding("no_events", Severity.ERROR, message, dict(refused))


def _rejections(case: _Case) -> dict[str, str]:
    return case.counts.beginning("rejected_")


def _fell_silent(case: _Case) -> Iterator[Finding]:
    for event, name in case.counts.beginning("event_").items():
        before = case.counts.sum(name, HISTORY_MS, SILENT_MS)
        if before <= LEAST_BEFORE_SILENCE or case.counts.sum(name, SILENT_MS):
            continue
        severity = Severity.ERROR if event in CONVERSION_EVENTS else Severity.WARNING
        message = (
            f"{event} came {before} times in a week and has not come for 48 hours. See whether the page that"
            " sends it, or its consent tool, has changed."
        )
        yield Finding("silent", severity, message, {"week_before": before}, event)


def _no_purchase(case: _Case) -> Iterator[Finding]:
    counts = case.counts
    told = [f"event_{event}" for event in CONVERSION_EVENTS] + list(counts.beginning("hook_").values())
    views = sum(counts.sum(f"event_{event}", WEEK_MS) for event in ITEM_EVENTS)
    if views < VIEWS_WITHOUT_PURCHASE or any(counts.sum(name, HISTORY_MS) for name in told):
        return
    message = (
        "Products are viewed, and no purchase is told. Send purchase from the page that thanks for the order,"
        " or connect the shop's order webhooks; else what was bought goes on being advertised."
    )
    yield Finding("no_purchase", Severity.WARNING, message, {"views": views}, EventName.PURCHASE)


def _no_transaction_id(case: _Case) -> Iterator[Finding]:
    purchases = case.counts.sum("event_purchase", WEEK_MS)
    without = case.counts.sum("missing_transaction_id", WEEK_MS)
    if not purchases or not without:
        return
    share = min(1.0, without / purchases)
    message = (
        "Purchases come without transaction_id: they cannot be credited to a campaign, nor told apart when"
        " the page is loaded again. Put the order's number there."
    )
    severity = Severity.ERROR if share >= MANY else Severity.WARNING
    yield Finding("no_transaction_id", severity, message, {"share": share}, EventName.PURCHASE)


def _double_firing(case: _Case) -> Iterator[Finding]:
    for event, name in case.counts.beginning("double_").items():
        doubles, events = case.counts.sum(name, DAY_MS), case.counts.sum(f"event_{event}", DAY_MS)
        if doubles < REPEATED_ENOUGH or doubles < events * DOUBLES:
            continue
        message = (
            f"{event} comes twice within seconds from the same browser, under different event ids. See"
            " whether the tag is on the page twice, or both the tag and a tag manager send it."
        )
        figures = {"doubles": doubles, "share": min(1.0, doubles / max(1, events))}
        yield Finding("double_firing", Severity.WARNING, message, figures, event)


# ---- who may send ----


def _no_consent_signal(case: _Case) -> Iterator[Finding]:
    judged = sum(case.counts.sum(name, DAY_MS) for name in case.counts.beginning("consent_").values())
    refused = {basis: case.counts.sum(f"consent_{basis}", DAY_MS) for basis in UNPROVEN}
    share = sum(refused.values()) / max(1, judged)
    if judged < LEAST_COUNTED or share < FEW:
        return
    if max(refused, key=lambda basis: refused[basis]) is Basis.NO_VENDOR_ID:
        message = (
            "The consent tool sends TCF strings, and the server has no IAB vendor id: set"
            " ADSERVER_TCF_VENDOR_ID, or have the tag assert consent with the tool's name and the time."
        )
    else:
        message = (
            "Requests come without a usable consent signal from where silence is a no, and are dropped. Let"
            " the tag wait for the consent tool, or call rt('consent', {granted: true, cmp: '<its name>'})"
            " when it says yes."
        )
    figures = {"share": share} | {basis.value: float(n) for basis, n in refused.items() if n}
    yield Finding(
        "no_consent_signal", Severity.ERROR if share >= MANY else Severity.WARNING, message, figures
    )


def _consent_held(case: _Case) -> Iterator[Finding]:
    held_at_ms = case.facts.consent_held_at_ms
    if held_at_ms is None:
        return
    message = (
        "The pages say that practically nobody refuses, which is not believed any more: events that stand on"
        " their word alone are dropped. Let the tag wait for the consent tool and tell its noes too,"
        " rt('consent', {granted: false}); then ask the operator to release consent_hold."
    )
    figures = {"held_days": (case.facts.now_ms - held_at_ms) / DAY_MS}
    figures |= {name: float(case.counts.sum(name, WEEK_MS)) for name in (YES, NO)}
    yield Finding("consent_held", Severity.ERROR, message, figures)


def _foreign_origin(case: _Case) -> Iterator[Finding]:
    refused = case.counts.sum(f"rejected_{Rejection.FOREIGN_ORIGIN}", DAY_MS)
    share = refused / max(1, refused + case.counts.events(DAY_MS))
    if refused < REPEATED_ENOUGH or share < FEW / 5:
        return
    message = (
        "Events come from pages outside this advertiser's domains, and are refused. If the pages are the"
        " shop's own, have the operator add their domain; if not, somebody has copied the tag."
    )
    severity = Severity.ERROR if share >= MANY else Severity.WARNING
    yield Finding("foreign_origin", severity, message, {"share": share, "refused": refused})


# ---- what the items say ----


def _no_items(case: _Case) -> Iterator[Finding]:
    for figures in case.events:
        events = case.counts.sum(f"event_{figures.event}", WEEK_MS)
        if figures.event not in ITEM_EVENTS or figures.items or events < LEAST_SAMPLED:
            continue
        message = f"{figures.event} names no product: send items with item_id, as the feed's id says it."
        yield Finding("no_items", Severity.ERROR, message, {"events": events}, figures.event)


def _ids_unmatched(case: _Case) -> Iterator[Finding]:
    found = {one.sample.item_id: one.product is not None for one in _recent(case.facts)}
    if not case.facts.products or len(found) < LEAST_SAMPLED:
        return
    share = sum(found.values()) / len(found)
    if share >= MATCHED_ENOUGH:
        return
    figures = {"ids": float(len(found)), "share": share}
    proposal = case.facts.proposal
    if proposal is not None:
        figures["share_proposed"] = proposal.matched / proposal.of
    message = f"{share:.0%} of the item ids that pages name are in the catalogue. {_advice(proposal)}"
    severity = Severity.ERROR if share < MANY else Severity.WARNING
    yield Finding("ids_unmatched", severity, message, figures)


_ADVICE = {
    MatchedBy.RULE: "Set item_id_rule to the proposed mapping, which finds",
    MatchedBy.ITEM_GROUP_ID: "Pages name the feed's item_group_id: send the variant's id, which finds",
    MatchedBy.MPN: "Pages name the feed's mpn: send the feed's id instead, or make it its id, which finds",
    MatchedBy.ENDING: "Pages name what the feed's ids end with: send the whole id, which finds",
}


def _advice(proposal: Proposal | None) -> str:
    if proposal is None:
        return (
            "Send as item_id what the feed has as id; no rule was found that would turn one into the other."
        )
    return f"{_ADVICE[proposal.by]} {proposal.matched / proposal.of:.0%}."


def _currency_differs(case: _Case) -> Iterator[Finding]:
    given = [one.sample.currency for one in _recent(case.facts) if one.sample.currency is not None]
    others = sorted({currency for currency in given if currency != case.facts.currency})
    share = sum(currency != case.facts.currency for currency in given) / max(1, len(given))
    if len(given) < LEAST_SAMPLED or share < FEW:
        return
    message = (
        f"Pages tell prices in {', '.join(others)}, and the account is in {case.facts.currency}: orders in"
        " another currency are not billed by their value. Send the currency that the price is in."
    )
    yield Finding("currency_differs", Severity.WARNING, message, {"share": share})


def _price_differs(case: _Case) -> Iterator[Finding]:
    compared = [differs for one in _recent(case.facts) if (differs := _differs(one)) is not None]
    share = sum(compared) / max(1, len(compared))
    if len(compared) < LEAST_SAMPLED or share < FEW:
        return
    message = (
        "Prices on pages are more than 1 % off the catalogue's, so that ads show another price than the shop."
        " Import the feed more often, or see whether one of them leaves out tax or a sale."
    )
    yield Finding("price_differs", Severity.WARNING, message, {"share": share, "compared": len(compared)})


def _differs(named: Named) -> bool | None:
    """Whether the page asked another price than an ad of that moment; None where they do not compare."""
    sample, product = named.sample, named.product
    if product is None or sample.price_micros is None or sample.currency != product.currency:
        return None
    asked = card_of(product, sample.at_ms).price_micros
    return abs(asked - sample.price_micros) * PRICE_TOLERANCE > asked


def _recent(facts: PixelFacts) -> Sequence[Named]:
    """The day's samples where there are enough, so that what was mended is soon seen to be."""
    of_day = [one for one in facts.named if one.sample.at_ms > facts.now_ms - DAY_MS]
    return of_day if len({one.sample.item_id for one in of_day}) >= LEAST_COUNTED else facts.named


# ---- whether clicks arrive ----


def _clicks_do_not_land(case: _Case) -> Iterator[Finding]:
    pages = case.facts.pages
    clicks = sum(arrived.clicks for _, arrived in pages)
    landed = sum(arrived.landed for _, arrived in pages)
    if clicks < LEAST_CLICKS or landed >= clicks * MANY:
        return
    dark = [page for page, arrived in pages if arrived.clicks >= LEAST_CLICKS_OF_PAGE and not arrived.landed]
    message = f"Of {clicks:,} clicks in a week, {landed:,} landed on a page that ran the tag. "
    if dark:
        more = f" and {len(dark) - MOST_NAMED_PAGES} more" if len(dark) > MOST_NAMED_PAGES else ""
        message += (
            f"None did on {', '.join(dark[:MOST_NAMED_PAGES])}{more}: paste the tag there, and see that a"
            " redirect keeps rtclid in the address."
        )
    else:
        message += (
            "The others left before the tag ran, or refused consent: load the tag early, make the pages that"
            " take long to land faster, and see that a redirect keeps rtclid in the address."
        )
    figures = {"clicks": float(clicks), "landed": landed, "pages_without": len(dark)}
    severity = Severity.WARNING if landed else Severity.ERROR
    yield Finding("clicks_do_not_land", severity, message, figures, EventName.LANDED)


# ---- the catalogue's source ----


def _feed(case: _Case) -> Iterator[Finding]:
    facts = case.facts
    names_items = bool(facts.named) or not case.events
    if not facts.products and not facts.feeds and names_items:
        message = "There are no products to advertise: add a feed, or put products by the API."
        yield Finding("no_feed", Severity.ERROR, message)
    for feed in facts.feeds:
        trouble = feed_trouble(feed, facts.now_ms)
        if trouble is not None:
            yield trouble


def feed_trouble(feed: Feed, now_ms: int) -> Finding | None:
    """What is wrong with a feed's last import: it failed, or was long ago, or never was."""
    last = feed.last_import
    since_ms = now_ms - (feed.created_at_ms if last is None else last.finished_at_ms)
    figures = {"age_hours": round(since_ms / HOUR_MS, 1)}
    if last is not None and last.fatal is not None:
        message = (
            f"The feed could not be imported: {last.fatal}. The products of the import before it are shown."
            f" {advice_on(last.fatal)}"
        ).rstrip()
        return Finding("feed_failed", Severity.ERROR, message, figures)
    interval_ms = (feed.interval_minutes or 0) * 60_000
    if since_ms <= (max(3 * interval_ms, FETCH_OLD_MS) if interval_ms else UPLOAD_OLD_MS):
        return None
    ago = f"last imported {since_ms // HOUR_MS} hours ago" if last is not None else "never imported"
    message = f"The feed was {ago}. "
    message += "See whether the jobs run." if interval_ms else "Upload it again, or give it a schedule."
    return Finding("feed_old", Severity.WARNING, message, figures)


_CHECKS: Iterable[Callable[[_Case], Iterator[Finding]]] = (
    _none_came,
    _no_purchase,
    _fell_silent,
    _ids_unmatched,
    _no_items,
    _feed,
    _no_consent_signal,
    _consent_held,
    _foreign_origin,
    _no_transaction_id,
    _double_firing,
    _currency_differs,
    _price_differs,
    _clicks_do_not_land,
)

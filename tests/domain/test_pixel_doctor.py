"""Each thing that is wrong with a pixel is found by its name, with its figures, and a near miss is left alone."""

from collections.abc import Sequence

import pytest

from adserver.domain.arrival import Arrived
from adserver.domain.catalogue import Feed, ImportReport
from adserver.domain.finding import Finding, Severity
from adserver.domain.item_id import ItemIdRule
from adserver.domain.item_mapping import MatchedBy, Proposal
from adserver.domain.money import Micros
from adserver.domain.pixel_doctor import Diagnosis, Named, PixelFacts, diagnose, feed_trouble
from adserver.domain.pixel_sample import Sample
from pixel.events import EventName
from tests.domain.makers import ADVERTISER, DAY_MS, HOUR_MS, NOW_MS, make_product

HOUR = NOW_MS - NOW_MS % HOUR_MS
PRICE = 89_900_000

Hours = list[tuple[str, int, int]]


def hours(*days: int, **n_by_name: int) -> Hours:
    """So many of each counter in an hour of each of the days ago, today without any."""
    return [(name, HOUR - day * DAY_MS, n) for name, n in n_by_name.items() for day in days or (0,)]


def make_named(item_id: str, known: bool = True, age_ms: int = HOUR_MS, **fields: object) -> Named:
    price, currency = fields.get("price", PRICE), fields.get("currency", "EUR")
    event = EventName.VIEW_ITEM
    sample = Sample(ADVERTISER, event, item_id, price, currency, NOW_MS - age_ms)  # type: ignore[arg-type]
    return Named(sample, make_product(item_id) if known else None)


def ids(*prefixes: str, known: bool = True, count: int = 10, **fields: object) -> list[Named]:
    return [make_named(f"{one}{n}", known, **fields) for one in prefixes for n in range(count)]  # type: ignore[arg-type]


def make_import(age_ms: int = HOUR_MS, fatal: str | None = None) -> ImportReport:
    then_ms = NOW_MS - age_ms
    return ImportReport(started_at_ms=then_ms, finished_at_ms=then_ms, products=10, fatal=fatal)


def make_feed(report: ImportReport | None, minutes: int | None = 60, made_ms: int = NOW_MS - DAY_MS) -> Feed:
    return Feed(
        key=1,
        advertiser_key=ADVERTISER,
        url="https://shop.example/feed.xml",
        interval_minutes=minutes,
        created_at_ms=made_ms,
        last_import=report,
    )


def examined(counted: Hours, named: Sequence[Named] = (), products: int = 10, **fields: object) -> Diagnosis:
    facts: dict[str, object] = {"feeds": [make_feed(make_import())]} | fields
    return diagnose(
        PixelFacts(
            now_ms=NOW_MS,
            currency="EUR",
            hours=counted,
            named=list(named),
            products=products,
            **facts,  # type: ignore[arg-type]
        )
    )


def codes(diagnosis: Diagnosis) -> list[str]:
    return [finding.code for finding in diagnosis.findings]


def the(diagnosis: Diagnosis, code: str) -> Finding:
    (finding,) = [finding for finding in diagnosis.findings if finding.code == code]
    return finding


WELL = hours(
    0,
    3,
    event_view_item=300,
    items_view_item=300,
    event_purchase=4,
    items_purchase=8,
    consent_open_region=900,
)


def test_of_a_pixel_that_is_well_nothing_is_found() -> None:
    assert codes(examined(WELL, ids("sku"))) == []


def test_figures_tell_when_how_often_and_how_many_ids_are_known() -> None:
    diagnosis = examined(WELL, ids("sku") + ids("x", known=False, count=2))
    purchase, view = sorted(diagnosis.events, key=lambda one: one.event)
    assert (view.event, view.last_hour_ms, view.items) == ("view_item", HOUR, 600)
    assert (view.per_hour_day, view.per_hour_week) == (300 / 24, 600 / 168)
    assert (view.sampled_ids, view.found_share) == (12, 10 / 12)
    assert (purchase.sampled_ids, purchase.found_share) == (0, None)
    assert diagnosis.consent == {"open_region": 1.0}


FOUND: list[tuple[str, str | None, Severity, Hours]] = [
    ("silent", "purchase", Severity.ERROR, hours(3, 4, event_purchase=11)),
    ("silent", "add_to_cart", Severity.WARNING, hours(3, event_add_to_cart=21)),
    ("no_purchase", "purchase", Severity.WARNING, hours(0, event_view_item=200, items_view_item=200)),
    ("no_items", "add_to_cart", Severity.ERROR, hours(0, event_add_to_cart=5)),
    ("no_transaction_id", "purchase", Severity.ERROR, hours(0, event_purchase=4, missing_transaction_id=2)),
    ("no_transaction_id", "purchase", Severity.WARNING, hours(0, event_purchase=9, missing_transaction_id=1)),
    ("double_firing", "view_cart", Severity.WARNING, hours(0, event_view_cart=50, double_view_cart=5)),
    ("foreign_origin", None, Severity.WARNING, hours(0, event_login=95, rejected_foreign_origin=5)),
    ("foreign_origin", None, Severity.ERROR, hours(0, event_login=1, rejected_foreign_origin=5)),
    ("no_consent_signal", None, Severity.WARNING, hours(0, consent_tcf=95, consent_no_usable_string=5)),
    ("no_consent_signal", None, Severity.ERROR, hours(0, consent_unproven_assertion=20)),
]  # fmt: skip


@pytest.mark.parametrize(("code", "event", "severity", "counted"), FOUND)
def test_what_is_wrong_is_found_by_name(
    code: str, event: str | None, severity: Severity, counted: Hours
) -> None:
    finding = the(examined(counted), code)
    assert (finding.event, finding.severity) == (event, severity)
    assert finding.message and all(figure >= 0 for figure in finding.figures.values())


NEAR_MISSES: list[tuple[str, Hours]] = [
    ("silent", hours(3, event_purchase=20)),
    ("silent", hours(1, 3, event_purchase=30)),
    ("no_purchase", hours(0, event_view_item=199)),
    ("no_purchase", hours(0, event_view_item=200, event_generate_lead=1)),
    ("no_purchase", hours(0, event_view_item=200, hook_shopify_taken=1)),
    ("no_purchase", hours(0, event_view_item=200) + hours(8, event_purchase=1)),
    ("no_items", hours(0, event_add_to_cart=4)),
    ("no_items", hours(0, event_page_view=400)),
    ("no_transaction_id", hours(0, event_purchase=4)),
    ("double_firing", hours(0, event_view_cart=51, double_view_cart=5)),
    ("double_firing", hours(0, event_view_cart=4, double_view_cart=4)),
    ("foreign_origin", hours(0, event_login=4, rejected_foreign_origin=4)),
    ("foreign_origin", hours(0, event_login=1_000, rejected_foreign_origin=5)),
    ("no_consent_signal", hours(0, consent_no_usable_string=19)),
    ("no_consent_signal", hours(0, consent_tcf=96, consent_no_usable_string=4)),
    ("no_consent_signal", hours(0, consent_purpose_refused=50)),
    ("no_consent_signal", hours(1, consent_no_usable_string=50)),
]  # fmt: skip


@pytest.mark.parametrize(("code", "counted"), NEAR_MISSES)
def test_a_near_miss_is_left_alone(code: str, counted: Hours) -> None:
    assert code not in codes(examined(counted))


def test_no_events_tell_what_refused_them() -> None:
    assert "Paste the tag" in the(examined([]), "no_events").message
    refused = the(examined(hours(0, rejected_no_consent=3, rejected_robot=1)), "no_events")
    assert "no_consent" in refused.message
    assert refused.figures == {"no_consent": 3, "robot": 1}
    assert "no_events" not in codes(examined(hours(3, event_login=1)))


def test_a_held_shop_is_told_since_when_and_by_which_answers() -> None:
    answers = hours(0, 3, asserted_yes=2_000, asserted_no=1)
    held = the(examined(WELL + answers, consent_held_at_ms=NOW_MS - 2 * DAY_MS), "consent_held")
    assert held.figures == {"held_days": 2.0, "asserted_yes": 4_000.0, "asserted_no": 2.0}
    assert held.severity is Severity.ERROR
    assert "consent_held" not in codes(examined(WELL + answers))


def test_a_missing_vendor_id_is_the_operators_to_mend() -> None:
    assert (
        "ADSERVER_TCF_VENDOR_ID"
        in the(examined(hours(0, consent_no_vendor_id=20)), "no_consent_signal").message
    )


def test_unknown_ids_are_told_with_the_share_that_a_rule_would_reach() -> None:
    rule = Proposal(MatchedBy.RULE, 20, 20, ItemIdRule(strip_prefix="gla_"))
    named = ids("a") + ids("gla_", known=False)
    finding = the(examined(WELL, named, proposal=rule), "ids_unmatched")
    assert finding.figures == {"ids": 20, "share": 0.5, "share_proposed": 1.0}
    assert finding.severity is Severity.WARNING and "100%" in finding.message
    without = the(examined(WELL, ids("gla_", known=False)), "ids_unmatched")
    assert without.severity is Severity.ERROR and "share_proposed" not in without.figures


@pytest.mark.parametrize("by", MatchedBy)
def test_each_way_to_match_has_its_advice(by: MatchedBy) -> None:
    finding = the(examined(WELL, ids("x", known=False), proposal=Proposal(by, 9, 10)), "ids_unmatched")
    assert by.value in finding.message.replace("item_id_rule", "rule") or by is MatchedBy.ENDING
    assert "90%" in finding.message


def test_nine_of_ten_known_ids_are_enough() -> None:
    assert codes(examined(WELL, ids("sku", count=9) + ids("x", known=False, count=1))) == []


def test_what_was_mended_today_is_seen_to_be() -> None:
    old = ids("gla_", known=False, count=50, age_ms=3 * DAY_MS)
    assert codes(examined(WELL, ids("sku", count=20) + old)) == []
    assert codes(examined(WELL, ids("sku", count=19) + old)) == ["ids_unmatched"]


def test_prices_and_currencies_are_compared_with_the_catalogue() -> None:
    assert codes(examined(WELL, ids("sku", price=PRICE * 101 // 100))) == []
    assert the(examined(WELL, ids("sku", price=PRICE * 102 // 100)), "price_differs").figures == {
        "share": 1.0,
        "compared": 10,
    }
    assert codes(examined(WELL, ids("sku", price=None))) == []
    abroad = examined(WELL, ids("a") + ids("b", currency="USD", price=1))
    assert codes(abroad) == ["currency_differs"]  # whose prices do not compare
    assert the(abroad, "currency_differs").figures == {"share": 0.5}
    assert "USD" in the(abroad, "currency_differs").message


def test_a_price_on_sale_is_the_price() -> None:
    product = make_product("sku", sale_price_micros=Micros(50_000_000))
    named = [
        Named(Sample(ADVERTISER, EventName.VIEW_ITEM, f"sku{n}", 50_000_000, "EUR", NOW_MS), product)
        for n in range(9)
    ]
    assert codes(examined(WELL, named)) == []


def test_a_shop_without_products_is_told_unless_it_only_wants_leads() -> None:
    assert codes(examined(WELL, ids("sku", known=False), products=0, feeds=[])) == ["no_feed"]
    assert codes(examined([], products=0, feeds=[])) == ["no_events", "no_feed"]
    assert codes(examined(hours(0, event_generate_lead=3), products=0, feeds=[])) == []


@pytest.mark.parametrize(
    ("feed", "code"),
    [
        (make_feed(make_import()), None),
        (make_feed(make_import(23 * HOUR_MS)), None),
        (make_feed(make_import(25 * HOUR_MS)), "feed_old"),
        (make_feed(make_import(25 * HOUR_MS), minutes=1_440), None),
        (make_feed(make_import(73 * HOUR_MS), minutes=1_440), "feed_old"),
        (make_feed(make_import(29 * DAY_MS), minutes=None), None),
        (make_feed(make_import(31 * DAY_MS), minutes=None), "feed_old"),
        (make_feed(make_import(fatal="unreachable")), "feed_failed"),
        (make_feed(None), None),
        (make_feed(None, made_ms=NOW_MS - 2 * DAY_MS), "feed_old"),
    ],
)
def test_a_feed_that_is_old_or_failed_is_found(feed: Feed, code: str | None) -> None:
    trouble = feed_trouble(feed, NOW_MS)
    assert (trouble and trouble.code) == code


def test_a_feed_that_failed_is_told_with_what_to_do() -> None:
    waiting = make_import(fatal="shrank_by_half: 3 products of 900")
    refused = make_import(fatal="not_well_formed at line 7: mismatched tag")
    for last, advice in (
        (waiting, "If so many products have really gone, approve the import that waits."),
        (refused, "Correct the line, or have the shop's software write the file."),
        (make_import(fatal="fault"), "The products of the import before it are shown."),
    ):
        trouble = feed_trouble(make_feed(last), NOW_MS)
        assert trouble is not None and trouble.message.endswith(advice)


def make_arrived(clicks: int, landed: int) -> Arrived:
    return Arrived((clicks, 0, landed, *Arrived().figures[3:]))


def test_clicks_that_do_not_land_are_found_with_the_pages_where_none_did() -> None:
    pages = [("https://shop.example/a", make_arrived(1_000, 310))]
    pages += [(f"https://shop.example/dark{n}", make_arrived(60, 0)) for n in range(4)]
    pages += [("https://shop.example/few", make_arrived(9, 0))]
    found = the(examined(WELL, ids("sku"), pages=pages), "clicks_do_not_land")
    assert (found.severity, found.event) == (Severity.WARNING, "landed")
    assert found.figures == {"clicks": 1_249, "landed": 310, "pages_without": 4}
    assert found.message.startswith("Of 1,249 clicks in a week, 310 landed on a page that ran the tag.")
    assert "None did on https://shop.example/dark0, https://shop.example/dark1" in found.message
    assert "and 1 more: paste the tag there" in found.message


def test_where_every_page_loses_some_the_advice_is_another() -> None:
    pages = [(f"https://shop.example/{n}", make_arrived(30, 14)) for n in range(2)]
    found = the(examined(WELL, ids("sku"), pages=pages), "clicks_do_not_land")
    assert "load the tag early" in found.message and "https://shop.example" not in found.message


@pytest.mark.parametrize(
    ("clicks", "landed", "severity"),
    [(49, 0, None), (50, 0, Severity.ERROR), (50, 24, Severity.WARNING), (50, 25, None)],
)
def test_half_of_fifty_clicks_say_that_something_is_lost(
    clicks: int, landed: int, severity: Severity | None
) -> None:
    pages = [("https://shop.example/a", make_arrived(clicks, landed))]
    findings = examined(WELL, ids("sku"), pages=pages).findings
    assert [finding.severity for finding in findings] == ([severity] if severity else [])


def test_errors_come_before_warnings() -> None:
    diagnosis = examined(WELL + hours(0, event_add_to_cart=5, rejected_foreign_origin=50))
    assert [finding.severity for finding in diagnosis.findings] == [Severity.ERROR, Severity.WARNING]

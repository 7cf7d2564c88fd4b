"""What the query string of the pixel becomes."""

from urllib.parse import parse_qsl, quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixel.consent import Said
from pixel.events import Event, EventName, Flaw, Item, Rejection
from pixel.grammar import holds_email
from pixel.parse import Hit, _split, _split_encoded, from_query, said_in


def event_of(query: bytes) -> Event:
    hit = from_query(query)
    assert isinstance(hit, Hit) and hit.rejections == ()
    (event,) = hit.events
    return event


def rejection_of(query: bytes) -> Rejection:
    hit = from_query(query)
    if isinstance(hit, Rejection):
        return hit
    assert hit.events == ()
    (rejection,) = hit.rejections
    return rejection


def test_a_bare_hit_is_a_page_view() -> None:
    assert event_of(b"m=shop") == Event(EventName.PAGE_VIEW)


def test_every_field_of_the_contract_is_read() -> None:
    query = urlencode(
        {
            "m": "shop-1", "e": "purchase", "value": "37.40", "currency": "EUR", "transaction_id": "T 1",
            "lead_id": "L1", "event_id": "E1", "url": "https://Shop.Example/thanks?who=me#top",
            "rtclid": "a.b_c-~",
            "gdpr": "1", "gdpr_consent": "CPc", "gpp": "DBAA", "gpp_sid": "7", "coppa": "0",
            "us_privacy": "1YNN", "ad_storage": "granted", "ad_user_data": "denied", "ad_personalization": "?",
            "consent": "1", "consent_cmp": "Klaro", "consent_time": "1790000000", "debug": "1",
        }
    )  # fmt: skip
    hit = from_query(query.encode() + b"&id=A&id=B&q=2&q=1&p=12.5&p=12.4")
    event = Event(
        EventName.PURCHASE, "E1", (Item("A", 2, 12_500_000), Item("B", 1, 12_400_000)), 37_400_000, "EUR",
        "T 1", "L1", "a.b_c-~", "https://shop.example/thanks",
    )  # fmt: skip
    assert hit == Hit(
        "shop-1",
        (event,),
        (),
        Said("1", "CPc", "DBAA", "7", "1YNN", "0", True, "Klaro", 1_790_000_000, True, False, None),
        debug=True,
    )


def test_quantities_and_prices_belong_to_the_ids_by_their_order() -> None:
    event = event_of(b"m=s&currency=EUR&id=A&id=B&id=C&q=&q=3&p=1&p=&p=2")
    assert event.items == (Item("A", 1, 1_000_000), Item("B", 3, None), Item("C", 1, 2_000_000))


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("a+b", "a b"),
        ("a%20b", "a b"),
        ("a%2Bb", "a+b"),
        ("caf%C3%A9", "café"),
        ("50%", "50%"),
        ("%zz", "%zz"),
    ],
)
def test_percent_signs_and_pluses_are_decoded_once(written: str, read: str) -> None:
    assert event_of(b"m=s&id=" + written.encode()).items == (Item(read),)


def test_the_first_of_two_values_counts() -> None:
    assert event_of(b"m=s&transaction_id=A&transaction_id=B").order_id == "A"


@pytest.mark.parametrize(
    ("query", "rejection"),
    [
        (b"", Rejection.UNKNOWN_MERCHANT),
        (b"e=purchase", Rejection.UNKNOWN_MERCHANT),
        (b"m=no%20spaces", Rejection.UNKNOWN_MERCHANT),
        (b"m=" + b"x" * 65, Rejection.UNKNOWN_MERCHANT),
        (b"m=s&e=dance", Rejection.UNKNOWN_EVENT),
        (b"m=s&id=", Rejection.BAD_ITEM_ID),
        (b"m=s&id=a%00b", Rejection.BAD_ITEM_ID),
        (b"m=s&id=a%0Ab", Rejection.BAD_ITEM_ID),
        (b"m=s&id=%FF", Rejection.BAD_ITEM_ID),
        (b"m=s&id=" + b"x" * 101, Rejection.BAD_ITEM_ID),
        (b"m=s" + b"&id=x" * 201, Rejection.TOO_MANY_ITEMS),
        (b"m=s&url=" + b"x" * 8192, Rejection.QUERY_TOO_LONG),
    ],
)
def test_a_bad_query_has_a_named_rejection(query: bytes, rejection: Rejection) -> None:
    assert rejection_of(query) is rejection


def test_a_query_of_eight_kilobytes_and_two_hundred_items_is_read() -> None:
    query = (b"m=s" + b"&id=x" * 200 + b"&unknown=").ljust(8192, b"x")
    assert len(event_of(query).items) == 200


@pytest.mark.parametrize(
    ("fields", "flaws"),
    [
        ("value=-100&currency=EUR", [Flaw.BAD_VALUE]),
        ("value=NaN&currency=EUR", [Flaw.BAD_VALUE]),
        ("value=1e308&currency=EUR", [Flaw.BAD_VALUE]),
        ("value=0,99&currency=EUR", [Flaw.BAD_VALUE]),
        ("value=1.23456789&currency=EUR", [Flaw.BAD_VALUE]),
        ("value=1000000000&currency=EUR", [Flaw.BAD_VALUE]),
        ("value=5&currency=EURO", [Flaw.BAD_CURRENCY]),
        ("value=5", [Flaw.MISSING_CURRENCY]),
        ("id=A&p=5&value=5", [Flaw.MISSING_CURRENCY]),
        ("id=A&p=x&currency=EUR", [Flaw.BAD_PRICE]),
        ("id=A&q=0", [Flaw.BAD_QUANTITY]),
        ("id=A&q=1.5", [Flaw.BAD_QUANTITY]),
        ("id=A&q=1000001", [Flaw.BAD_QUANTITY]),
        ("id=A&id=%00", [Flaw.BAD_ITEM_ID]),
        ("transaction_id=%00", [Flaw.BAD_TRANSACTION_ID]),
        ("lead_id=" + "x" * 101, [Flaw.BAD_LEAD_ID]),
        ("event_id=%7F", [Flaw.BAD_EVENT_ID]),
        ("rtclid=a/b", [Flaw.BAD_CLICK_ID]),
        ("url=javascript:alert(1)", [Flaw.BAD_URL]),
        ("url=https://x.example/" + "x" * 300, [Flaw.BAD_URL]),
    ],
)
def test_a_bad_field_costs_the_field_and_is_named(fields: str, flaws: list[Flaw]) -> None:
    event = event_of(b"m=s&e=purchase&" + fields.encode())
    assert event.name is EventName.PURCHASE
    assert list(event.flaws) == flaws
    assert (event.value_micros, event.order_id, event.lead_id, event.event_id, event.click_id, event.url) == (
        None,
    ) * 6
    assert all(item.price_micros is None and item.quantity == 1 for item in event.items)


def test_order_ids_are_normalised_and_trimmed_and_nothing_else() -> None:
    assert event_of(b"m=s&transaction_id=" + quote(" Ｎｏ１２a ").encode()).order_id == "No12a"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://shop.example", "https://shop.example/"),
        ("HTTP://SHOP.example:8080/A/b?q=1#f", "http://shop.example:8080/A/b"),
        ("https://user:secret@localhost/p", "https://localhost/p"),
        ("https://shop.example?only=query", "https://shop.example/"),
        ("https://bücher.example/straße", "https://bücher.example/straße"),
    ],
)
def test_an_address_is_kept_without_query_fragment_and_credentials(given: str, kept: str) -> None:
    assert event_of(b"m=s&url=" + quote(given).encode()).url == kept


def test_a_tool_that_was_not_heard_yet_is_neither_a_yes_nor_a_no() -> None:
    hit = from_query(b"m=s&consent=unheard")
    assert isinstance(hit, Hit) and hit.said == Said(unheard=True)


@pytest.mark.parametrize("macro", ["${CONSENT}", "%25%25CONSENT%25%25", "", "perhaps"])
def test_only_a_plain_yes_or_no_asserts_consent(macro: str) -> None:
    hit = from_query(b"m=s&consent=" + macro.encode())
    assert isinstance(hit, Hit) and hit.said == Said()


# ---- the quick ways against the plain ones ----

NAMES = ["m", "e", "id", "q", "p", "value", "url", "event_id", "consent", "debug", "x", ""]
TEXTS = [
    "",
    "1",
    "a",
    "a b",
    "=",
    "&",
    "+",
    "%",
    "%41",
    "%2",
    "@",
    "a@b.example",
    "\u00e9",
    "\U0001f600",
    "n=1",
]


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(TEXTS)), max_size=8))
def test_a_query_is_split_as_the_standard_library_splits_it(pairs: list[tuple[str, str]]) -> None:
    fields, lists, _ = _split(urlencode(pairs).encode())
    given = parse_qsl(urlencode(pairs), keep_blank_values=True)
    first = {
        name: text
        for name, text in reversed(given)
        if name in NAMES and name not in ("id", "q", "p", "x", "")
    }
    assert fields == first
    assert lists == tuple([text for name, text in given if name == listed] for listed in ("id", "q", "p"))


@given(st.lists(st.sampled_from([*NAMES, *TEXTS, "=", "&"]), max_size=20).map("".join))
def test_a_query_of_plain_signs_is_split_as_any_other(query: str) -> None:
    *split, said = _split(query.encode())
    *plainly, all_said = _split_encoded(query)
    assert split == plainly
    assert holds_email(said) is holds_email(all_said)


def test_what_may_hold_an_address_is_looked_at() -> None:
    for text in ("a@b.example", "a%40b.example", "a%26%2364;b.example", "a\uff20b.example"):
        assert from_query(f"m=s&x={text}".encode()) == Hit("s", (), (Rejection.PERSONAL_DATA,)), text


SIGNALS = ["gdpr", "gdpr_consent", "gpp", "gpp_sid", "us_privacy", "coppa", "gpc", "granted", "consent", "cmp",
           "consent_cmp", "time", "consent_time", "ad_storage", "ad_user_data", "ad_personalization"]  # fmt: skip
SIGNAL_VALUES = [
    None,
    "",
    "1",
    "0",
    "granted",
    "unheard",
    "1790000000",
    1_790_000_000,
    1,
    0,
    True,
    [7, 8],
    {},
]


@given(st.dictionaries(st.sampled_from([*SIGNALS, "m", "e"]), st.sampled_from(SIGNAL_VALUES)))
def test_signals_do_not_depend_on_their_order_and_each_says_what_it_says_alone(
    given: dict[str, object],
) -> None:
    said = said_in(given)
    assert said == said_in(dict(reversed(given.items())))
    alone = {"gdpr", "gdpr_consent", "gpp", "gpp_sid", "us_privacy", "coppa", *SIGNALS[-3:]} & given.keys()
    for name in alone:
        assert getattr(said, name) == getattr(said_in({name: given[name]}), name)

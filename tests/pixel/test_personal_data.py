"""Nothing of e-mail shape passes, and nothing anybody sends raises."""

import json
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pixel.events import Rejection
from pixel.grammar import holds_email
from pixel.parse import Hit, events_from_records, from_body, from_query

EVENT_FIELDS = (
    "e id q p value currency transaction_id lead_id event_id url rtclid consent_cmp anything".split()
)
SIGNAL_FIELDS = (
    "gdpr gdpr_consent gpp gpp_sid us_privacy coppa gpc consent ad_storage ad_user_data ad_personalization"
).split()
BODY_FIELDS = (
    "name event_id value currency transaction_id lead_id url rtclid item_name search_term anything".split()
)


def twice(text: str) -> str:
    return quote(quote(text, safe=""), safe="")


def thrice(text: str) -> str:
    return quote(twice(text), safe="")


DISGUISES = [
    str,
    lambda email: quote(email, safe=""),
    twice,
    thrice,
    lambda email: email.replace("@", "＠"),
    lambda email: email.replace("@", "﹫").replace(".", "．"),
    lambda email: email.replace("@", "@\u200b"),
    lambda email: "mailto:" + email,
    lambda email: f"before {email} after",
    lambda email: f"https://shop.example/thanks?mail={quote(email)}",
    lambda email: f"https://shop.example/{email}/orders",
    lambda email: "".join(f"%25{byte:02x}" for byte in email.encode()),
    lambda email: email.replace("@", "%25%34%30"),
    lambda email: email.upper(),
    lambda email: email.replace("@", "&#64;"),
    lambda email: email.replace("@", "&commat;").replace(".", "&period;"),
    lambda email: quote(email.replace("@", "&#x40;"), safe=""),
    lambda email: email.replace("@", "&amp;#64;"),
]
emails = st.emails().filter(lambda email: not email.partition("@")[0].endswith("/"))


@given(emails, st.sampled_from(DISGUISES), st.sampled_from(EVENT_FIELDS))
def test_an_email_in_any_field_of_a_query_is_refused(email, disguise, field) -> None:
    hit = from_query(f"m=shop&{field}={quote(disguise(email))}".encode())
    assert isinstance(hit, Hit) and (hit.events, hit.rejections) == ((), (Rejection.PERSONAL_DATA,))


@given(emails, st.sampled_from(DISGUISES), st.sampled_from([*SIGNAL_FIELDS, "m"]))
def test_an_email_in_a_field_that_a_hit_would_carry_costs_the_whole_hit(email, disguise, field) -> None:
    hit = from_query(f"{field}={quote(disguise(email))}&m=shop".encode())
    assert hit in (Rejection.PERSONAL_DATA, Rejection.UNKNOWN_MERCHANT)
    body = json.dumps({"m": "shop", "events": [], "consent": {field: disguise(email)}}).encode()
    assert from_body(body) is Rejection.PERSONAL_DATA


@given(emails, st.sampled_from(DISGUISES), st.sampled_from(BODY_FIELDS), st.booleans(), st.booleans())
def test_an_email_in_any_field_of_a_body_is_refused(email, disguise, field, in_item, escaped) -> None:
    event = {"name": "view_item", field: disguise(email)}
    if in_item:
        event = {"name": "view_item", "items": [{"item_id": "A", field: disguise(email)}]}
    hit = from_body(json.dumps({"m": "shop", "events": [event]}, ensure_ascii=escaped).encode())
    assert isinstance(hit, Hit) and (hit.events, hit.rejections) == ((), (Rejection.PERSONAL_DATA,))


@given(emails, st.sampled_from(DISGUISES))
def test_an_email_as_the_name_of_a_field_is_refused(email, disguise) -> None:
    assert events_from_records([{"name": "login", disguise(email): 1}]) == [Rejection.PERSONAL_DATA]
    hit = from_query(f"m=shop&{quote(disguise(email))}=1".encode())
    assert isinstance(hit, Hit) and hit.rejections == (Rejection.PERSONAL_DATA,)


@pytest.mark.parametrize(
    "text",
    [
        "50% off",
        "A@B",
        "lodash@4.17.21",
        "https://blog.example/@jane.doe",
        "100%25",
        "a @ b.example",
        "naïve",
    ],
)
def test_what_only_looks_a_little_like_an_email_passes(text: str) -> None:
    assert not holds_email(text)


@given(st.binary(max_size=300))
def test_no_query_raises(query) -> None:
    assert isinstance(from_query(b"m=shop&" + query), Hit | Rejection)
    from_query(query)


@given(st.binary(max_size=300))
def test_no_body_raises(body) -> None:
    assert isinstance(from_body(body), Hit | Rejection)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda children: (
        st.lists(children, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [*BODY_FIELDS, "items", "item_id", "price", "quantity", "contents", "custom_data"]
            ),
            children,
            max_size=5,
        )
    ),
    max_leaves=15,
)


@given(st.lists(json_values, max_size=3), json_values, json_values)
def test_no_document_raises_and_what_it_yields_can_be_stored(events, consent, debug) -> None:
    body = json.dumps({"m": "shop", "events": events, "consent": consent, "debug": debug}).encode(
        errors="replace"
    )
    hit = from_body(body)
    if isinstance(hit, Hit):
        assert len(hit.events) + len(hit.rejections) == len(events)
        assert msgspec.json.decode(msgspec.json.encode(hit), type=Hit) == hit


@given(st.dictionaries(st.sampled_from([*EVENT_FIELDS, *SIGNAL_FIELDS]), st.text(max_size=60)))
def test_nothing_kept_of_a_query_holds_an_email(fields) -> None:
    assume(fields)
    hit = from_query(
        ("m=shop&" + "&".join(f"{name}={quote(text)}" for name, text in fields.items())).encode(
            errors="replace"
        )
    )
    assert not isinstance(hit, Hit) or not holds_email(msgspec.json.encode(hit).decode())

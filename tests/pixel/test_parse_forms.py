"""Forms and landings as a page tells them: names of fields and times pass a grammar, anything else is left out."""

import msgspec
import pytest

from pixel.events import Event, EventName, Flaw, Rejection
from pixel.parse import MAX_FIELDS, Hit, from_body, from_query


def event_of(fields: dict[str, object]) -> Event:
    hit = from_body(msgspec.json.encode({"m": "s", "events": [{"name": "form_start", **fields}]}))
    assert isinstance(hit, Hit)
    assert not hit.rejections
    return hit.events[0]


@pytest.mark.parametrize("name", ["form_start", "form_submit", "form_abandon", "landed", "engaged"])
def test_the_names_of_our_own_events_are_understood(name: str) -> None:
    assert event_of({"name": name}).name is EventName(name)


def test_a_form_is_known_by_its_id_and_the_names_of_its_fields() -> None:
    event = event_of({"form_id": "quote", "fields": ["first-name", "address[city]", "first-name"]})
    assert (event.form_id, event.fields, event.flaws) == ("quote", ("first-name", "address[city]"), ())


@pytest.mark.parametrize("name", ["What is your name?", "x" * 41, "naïve", "", 7, None, ["a"]])
def test_a_name_that_is_a_text_is_left_out_and_counted(name: object) -> None:
    event = event_of({"fields": ["a", name], "form_id": "a b"})
    assert (event.fields, event.form_id) == (("a",), None)
    assert set(event.flaws) == {Flaw.BAD_FIELD_NAME, Flaw.BAD_FORM_ID}


def test_no_more_names_are_kept_than_a_form_may_have() -> None:
    assert len(event_of({"fields": [f"f{i}" for i in range(99)]}).fields) == MAX_FIELDS


def test_an_address_among_the_names_ends_the_event() -> None:
    body = msgspec.json.encode({"m": "s", "events": [{"name": "form_start", "fields": ["jane@doe.example"]}]})
    assert from_body(body).rejections == (Rejection.PERSONAL_DATA,)  # type: ignore[union-attr]


@pytest.mark.parametrize(("given", "kept"), [(0, 0), (1234, 1234), ("600000", 600_000)])
def test_a_landing_tells_how_long_it_took(given: object, kept: int) -> None:
    assert event_of({"landing_ms": given}).landing_ms == kept


@pytest.mark.parametrize("given", [-1, 600_001, "1e3", "٣", 1.5, True, [1], 10**30])
def test_a_time_that_cannot_be_is_left_out_and_counted(given: object) -> None:
    event = event_of({"landing_ms": given})
    assert (event.landing_ms, event.flaws) == (None, (Flaw.BAD_LANDING_MS,))


def test_a_query_says_the_same() -> None:
    hit = from_query(b"m=s&e=form_submit&form_id=quote&fields=name%2Ccity&landing_ms=12")
    assert isinstance(hit, Hit)
    event = hit.events[0]
    assert (event.form_id, event.fields, event.landing_ms) == ("quote", ("name", "city"), 12)

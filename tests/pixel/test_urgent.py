"""What a page will not tell again is known before it is read, in whatever words it is told."""

import json

import pytest

from adserver.domain.pricing import CONVERSION_EVENTS
from pixel.aliases import EVENT_NAMES
from pixel.parse import Hit, from_body, from_query
from pixel.urgent import is_urgent


@pytest.mark.parametrize("name", EVENT_NAMES)
def test_what_may_be_billed_is_urgent_by_each_of_its_names_and_nothing_else_is(name: str) -> None:
    query = f"m=shop&e={name}&id=lead&url=/purchase".encode()
    hit = from_query(query)
    assert isinstance(hit, Hit)
    urgent = EVENT_NAMES[name] in CONVERSION_EVENTS
    assert is_urgent(query, is_known=False) == urgent
    for separators in ((",", ":"), (", ", ": ")):
        body = json.dumps({"m": "shop", "events": [{"name": name}]}, separators=separators).encode()
        assert is_urgent(body, is_known=True) == urgent


@pytest.mark.parametrize("events", [b'"events":[]', b'"events": [ ]'])
def test_a_no_is_urgent_where_there_is_something_to_take_back(events: bytes) -> None:
    body = b'{"m":"shop",' + events + b',"consent":{"granted":false}}'
    hit = from_body(body)
    assert isinstance(hit, Hit) and not hit.events
    assert is_urgent(body, is_known=True) and not is_urgent(body, is_known=False)

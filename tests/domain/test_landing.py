"""A click's address is the stored one, with the campaign's parameters and the click id."""

from collections.abc import Callable
from urllib.parse import parse_qsl, urlsplit, urlunsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adserver.domain.landing import CLICK_ID, landing_url


def land(target: str, params: str = "", site: str = "news.example", campaign: str = "Autumn") -> str:
    return landing_url(target, params, site=site, campaign=campaign, click_id="abc")


@pytest.mark.parametrize(
    ("target", "params", "expected"),
    [
        ("https://shop.example/a", "", "https://shop.example/a?rtclid=abc"),
        ("https://shop.example/a?b=1", "", "https://shop.example/a?b=1&rtclid=abc"),
        ("https://shop.example/a#top", "", "https://shop.example/a?rtclid=abc#top"),
        ("https://shop.example", "x=1", "https://shop.example?x=1&rtclid=abc"),
        (
            "https://shop.example/a?b=1#top",
            "utm_source={site}&utm_campaign={campaign}",
            "https://shop.example/a?b=1&utm_source=news.example&utm_campaign=Autumn&rtclid=abc#top",
        ),
    ],
)
def test_the_targets_query_stays_first_and_its_fragment_last(target: str, params: str, expected: str) -> None:
    assert land(target, params) == expected


@given(st.text(max_size=30), st.text(max_size=30))
def test_names_of_campaigns_and_sites_stay_within_their_parameter(site: str, campaign: str) -> None:
    url = land("https://shop.example/a?b=1", "s={site}&c={campaign}", site, campaign)
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc, parts.path, parts.fragment) == ("https", "shop.example", "/a", "")
    found = parse_qsl(parts.query, keep_blank_values=True)
    assert found == [("b", "1"), ("s", site), ("c", campaign), (CLICK_ID, "abc")]


ADDRESS_PARTS = ["https://", "HTTP://", "http:", "//", "/", "a.example", "[::1]", "]", "@", ":80", "?", "#", "&", "b=1", "\t", " ", "\u00e9", "\\"]  # fmt: skip


@given(st.lists(st.sampled_from(ADDRESS_PARTS), max_size=8).map("".join), st.sampled_from(["", "x=1"]))
def test_the_quick_way_leads_where_splitting_and_joining_leads(rest: str, params: str) -> None:
    for target in (rest, "https://" + rest, "https://a.example" + rest):
        assert outcome_of(land, target, params) == outcome_of(split_and_joined, target, params)


def split_and_joined(target: str, params: str) -> str:
    parts = urlsplit(target)
    query = "&".join(part for part in (parts.query, params, f"{CLICK_ID}=abc") if part)
    return urlunsplit(parts._replace(query=query))


def outcome_of(way: Callable[[str, str], str], target: str, params: str) -> str | type[ValueError]:
    try:
        return way(target, params)
    except ValueError:
        return ValueError

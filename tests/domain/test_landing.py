"""A click's address is the stored one, with the campaign's parameters and the click id."""

from urllib.parse import parse_qsl, urlsplit

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

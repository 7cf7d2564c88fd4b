"""Where notices may be sent: addresses that every program reads alike, and none in the open."""

import pytest

from adserver.domain.campaign import Advertiser
from adserver.flows.manage.checks import sound_advertiser
from adserver.flows.manage.desk import Why
from tests.domain.makers import make_advertiser


def webhook_of(url: str | None, *, fetch_private: bool = False) -> str | Why | None:
    sound = sound_advertiser(make_advertiser(webhook_url=url), fetch_private=fetch_private)
    return sound.webhook_url if isinstance(sound, Advertiser) else sound


@pytest.mark.parametrize("fetch_private", [False, True])
def test_a_webhook_is_an_https_address_of_any_host_or_none(fetch_private: bool) -> None:
    for url in ("https://hooks.example/a?b=c", "https://hooks.example:8443/", None):
        assert webhook_of(url, fetch_private=fetch_private) == url
    assert (
        webhook_of("https://HOOKS.example/ü", fetch_private=fetch_private) == "https://hooks.example/%C3%BC"
    )


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "10.1.2.3", "localhost", "shop", "shop.internal"])
def test_plain_http_is_for_private_networks_where_the_operator_allows_them(host: str) -> None:
    url = f"http://{host}/notices"
    assert webhook_of(url) is Why.WEBHOOK_NOT_HTTPS
    assert webhook_of(url, fetch_private=True) == url


@pytest.mark.parametrize("host", ["shop.example", "93.184.216.34", "localhost.example"])
def test_plain_http_never_goes_over_the_open_internet(host: str) -> None:
    assert webhook_of(f"http://{host}/", fetch_private=True) is Why.WEBHOOK_NOT_HTTPS


@pytest.mark.parametrize(
    "url",
    ["", "shop.example", "ftp://shop.example/", "https://a@shop.example/", "https:///x", "https://a\\b/"],
)
def test_what_can_be_misread_is_no_webhook(url: str) -> None:
    assert webhook_of(url) is Why.BAD_LINK

"""What a page says of consent reaches the decision by every road: a pixel's query and body, and a slot's query."""

import time
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from tests.pixel.consent_strings import VENDOR, make_gpp, make_tc, make_usnat
from tests.web.visiting import NEWS, Browser, Visiting

SHOP = {"Referer": "https://shop.example/"}


def tc(**fields: object) -> str:
    return make_tc(updated_ms=int(time.time() * 1_000), **fields)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visiting]:
    """A server whose operator is on the IAB's list."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ADSERVER_TCF_VENDOR_ID", str(VENDOR))
        world = Visiting(tmp_path_factory.mktemp("consent"))
    yield world
    world.close()


@pytest.fixture
def browser(world: Visiting) -> Browser:
    browser = world.browser()
    assert (browser.view(), browser.is_shown_an_ad()) == ("accepted", True)
    return browser


YES = [
    {"gdpr": "1", "gdpr_consent": tc()},
    {"gdpr": "${GDPR}", "gdpr_consent": "${GDPR_CONSENT_1234}", "gpp": "%%GPP%%"},
    {"gpp": make_gpp({2: tc()}), "gpp_sid": "2"},
    {"gpp": make_gpp({7: make_usnat()}), "gpp_sid": "7"},
    {"us_privacy": "1YNN"},
    {"ad_storage": "granted", "ad_user_data": "granted", "ad_personalization": "granted"},
]
# On the shop's own page these take back what it was told before; all others are heard for the moment.
WITHDRAWING = [
    {"gdpr": "1", "gdpr_consent": tc(vendors=())},
    {"gdpr": "1", "gdpr_consent": tc(purposes=(3, 4, 7))},
    {"gpp": make_gpp({2: tc(purposes=())}), "gpp_sid": "2"},
    {"ad_storage": "denied"},
]
NO = [
    ("no_consent", {"gdpr": "1"}),
    ("no_consent", WITHDRAWING[0]),
    ("no_consent", WITHDRAWING[1]),
    ("no_consent", {"gdpr_consent": "BOEFEAyOEFEAyAHABDENAI4AAAB9vABAASA"}),
    ("no_consent", WITHDRAWING[2]),
    ("no_consent", {"gpp": "undefined"}),
    ("privacy_signal", {"gpp": make_gpp({7: make_usnat(sharing=1)}), "gpp_sid": "7"}),
    ("privacy_signal", {"gpp": make_gpp({7: make_usnat(gpc=True)})}),
    ("privacy_signal", {"us_privacy": "1YYN"}),
    ("known_child", {"gpp": make_gpp({7: make_usnat(child=1)})}),
    ("known_child", {"coppa": "1"}),
    ("no_consent", WITHDRAWING[3]),
    ("no_consent", {"ad_user_data": "denied"}),
]


def in_a_body(world: Visiting, browser: Browser, said: dict[str, str]) -> str:
    body = {"m": world.merchant, "events": [{"name": "page_view"}], "consent": said, "debug": 1}
    return browser.ask("POST", "/m/e", json=body, headers=SHOP).headers["x-event"]


def in_a_slot(world: Visiting, browser: Browser, said: dict[str, str]) -> str:
    return browser.ask("GET", f"/slot/{world.slot}?{urlencode(said)}", headers=NEWS).headers["x-slot"]


@pytest.mark.parametrize("said", YES)
def test_a_yes_is_one_by_every_road(world: Visiting, browser: Browser, said: dict[str, str]) -> None:
    assert browser.view(event="page_view", **said) == "accepted"
    assert in_a_body(world, browser, said) == "accepted"
    assert in_a_slot(world, browser, said) == "filled"


@pytest.mark.parametrize(("name", "said"), NO)
def test_a_no_is_one_by_every_road(
    world: Visiting, browser: Browser, name: str, said: dict[str, str]
) -> None:
    assert in_a_slot(world, browser, said) == "empty"
    assert browser.view(event="page_view", **said) == name
    assert browser.is_shown_an_ad()  # the no was said elsewhere, or nobody knows where
    assert in_a_body(world, browser, said) == name
    assert browser.is_shown_an_ad() is not (said in WITHDRAWING)


def test_ads_that_may_not_be_chosen_for_somebody_do_not_stop_a_shop_from_remembering(
    world: Visiting, browser: Browser
) -> None:
    said = {"ad_personalization": "denied"}
    assert browser.view(**said) == in_a_body(world, browser, said) == "accepted"
    assert in_a_slot(world, browser, said) == "empty"

"""A user agent is reduced to the family whose cookie rules its browser obeys."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixel.browsers import device, family
from pixel.events import Device, Family
from tests.pixel.test_robots import PEOPLE, mainstream

LETTERS = {
    "c": Family.CHROME, "s": Family.SAFARI, "f": Family.FIREFOX, "e": Family.EDGE,
    "m": Family.SAMSUNG_INTERNET, "o": Family.OPERA, "a": Family.IN_APP, "x": Family.OTHER,
}  # fmt: skip
# One letter for each line of browsers.txt, as whoever reads it says.
SAID = "ceoxxfffcssssasaaaaaaasaaaacmcxxxxxxxxxoeoxxssssaaaaaaaxf"

PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0"


@pytest.mark.parametrize(("user_agent", "letter"), list(zip(PEOPLE, SAID, strict=True)))
def test_each_browser_we_know_is_of_its_family(user_agent: str, letter: str) -> None:
    assert family(user_agent) is LETTERS[letter]


@pytest.mark.parametrize(
    "name", ["Version/26.0", "CriOS/141.0.7390.41", "FxiOS/143.0", "EdgiOS/141.0.3537.57"]
)
def test_every_browser_on_ios_keeps_cookies_as_safari_does(name: str) -> None:
    assert family(f"{PHONE} {name} Mobile/15E148 Safari/604.1") is Family.SAFARI


def test_a_page_inside_an_app_is_no_browsers_page() -> None:
    assert family(f"{PHONE} Mobile/15E148") is Family.IN_APP
    assert family(f"{PHONE} Mobile/15E148 Safari/604.1 [LinkedInApp]/9.30") is Family.IN_APP


def test_no_mainstream_browser_of_five_years_is_unknown() -> None:
    assert {family(one) for one in mainstream()} == set(Family) - {Family.IN_APP, Family.OTHER}


@given(st.text(max_size=600))
def test_any_text_has_a_family_and_what_lies_beyond_512_letters_is_not_read(text: str) -> None:
    assert family(text) in Family
    padded = text.ljust(512)
    assert family(padded + "; wv) Edg/141.0") is family(padded)


@pytest.mark.parametrize("mark", [" Edg/141.0.0.0", " OPR/120.0.0.0"])
def test_a_browser_built_on_chrome_is_told_by_what_it_adds(mark: str) -> None:
    assert family(f"{WINDOWS} Safari/537.36") is Family.CHROME
    assert family(f"{WINDOWS} Safari/537.36{mark}") in (Family.EDGE, Family.OPERA)


# ---- the kind of machine ----

MACHINES = {"d": Device.DESKTOP, "m": Device.MOBILE, "t": Device.TABLET, "v": Device.TV}
# Of browsers.txt again, as whoever reads it says.
ON = "dddddddmddmmmmmmmmmmmmmmmmmmmmmmmtvvvddmddddddtmmmmmmmmmd"


@pytest.mark.parametrize(("user_agent", "letter"), list(zip(PEOPLE, ON, strict=True)))
def test_each_browser_we_know_runs_on_its_kind_of_machine(user_agent: str, letter: str) -> None:
    assert device(user_agent) is MACHINES[letter]


def test_every_mainstream_browser_of_five_years_runs_on_a_desktop_or_a_telephone() -> None:
    assert {device(one) for one in mainstream()} == {Device.DESKTOP, Device.MOBILE}


@pytest.mark.parametrize(
    ("user_agent", "kind"),
    [
        ("", None),
        ("curl/8.5", None),
        (
            "Mozilla/5.0 (Linux; Android 13; SM-X700) AppleWebKit/537.36 Chrome/130.0.0.0 Safari/537.36",
            "tablet",
        ),
        (
            "Mozilla/5.0 (Linux; Android 13; Pixel 7) AppleWebKit/537.36 Chrome/130.0.0.0 Mobile Safari/537.36",
            "mobile",
        ),
        ("Mozilla/5.0 (Android 14; Tablet; rv:132.0) Gecko/132.0 Firefox/132.0", "tablet"),
        ("Mozilla/5.0 (Windows NT 6.1; Tablet PC 2.0; Trident/7.0; rv:11.0) like Gecko", "desktop"),
        ("Mozilla/5.0 (Windows NT 10.0; Xbox; Xbox One) AppleWebKit/537.36 Edge/44.18363.8131", "tv"),
        (
            "Mozilla/5.0 (Linux; Android 11; AFTMM Build/RS8) AppleWebKit/537.36 Chrome/100 Safari/537.36",
            "tv",
        ),
        ("Mozilla/5.0 (Linux; Android 12; BRAVIA 4K VH2) AppleWebKit/537.36 Chrome/100 Safari/537.36", "tv"),
    ],
)
def test_a_machine_is_what_its_browser_says(user_agent: str, kind: str | None) -> None:
    assert device(user_agent) == kind


@given(st.text(max_size=600))
def test_any_text_has_a_kind_or_none_and_what_lies_beyond_512_letters_is_not_read(text: str) -> None:
    padded = text.ljust(512)
    assert device(padded + "iPad Mobile") is device(padded)

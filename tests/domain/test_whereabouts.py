"""What a request tells becomes what is known of its page; what it does not tell stays unknown."""

from adserver.domain.caller import Caller, Place
from adserver.domain.identity import write_id
from adserver.domain.page import Page
from adserver.domain.whereabouts import page_at
from pixel.consent import Region
from pixel.events import Device
from tests.domain.makers import PUBLISHER, SITE, make_site

HERE = Page(sites=frozenset({write_id("site", SITE)}), publishers=frozenset({write_id("pub", PUBLISHER)}))


def test_a_request_that_tells_nothing_is_of_its_site_all_the_same() -> None:
    assert page_at(Caller(Region.OPEN), make_site(), None, None, ()) == HERE


def test_a_request_from_a_telephone_in_england() -> None:
    caller = Caller(Region.STRICT, place=Place("GB", "ENG", "WBK"), device=Device.MOBILE, language="en")
    site = make_site(categories=("News > Local",))
    page = page_at(caller, site, "Boots,flood", "IAB7-39", ())
    assert (page.countries, page.subdivisions) == ({"GB"}, {"GB-ENG", "GB-WBK"})
    assert (page.devices, page.languages) == ({"mobile"}, {"en"})
    assert page.keywords == {"boots", "flood"}
    assert page.categories == {("news",), ("news", "local"), ("iab7",), ("iab7", "39")}


def test_a_country_without_regions_has_none() -> None:
    page = page_at(Caller(Region.OPEN, place=Place("MC")), make_site(), None, None, ())
    assert (page.countries, page.subdivisions) == ({"MC"}, frozenset())

"""A link is taken only if every browser would read its host as we do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adserver.domain.link import LinkRejection, domain_from, is_under, read_link

DOMAINS = ("shop.example", "münchen.test")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://shop.example/a?b=1#c", "https://shop.example/a?b=1#c"),
        ("HTTP://WWW.Shop.Example/A", "http://www.shop.example/A"),
        ("https://shop.example", "https://shop.example"),
        ("https://shop.example:8443/a", "https://shop.example:8443/a"),
        ("https://shop.example/a?b=1&amp;c=2", "https://shop.example/a?b=1&c=2"),
        ("https://shop.example/été?q=ž", "https://shop.example/%C3%A9t%C3%A9?q=%C5%BE"),
        ("https://shop.example/%C3%A9", "https://shop.example/%C3%A9"),
        ('https://shop.example/"><script>', "https://shop.example/%22%3E%3Cscript%3E"),
        ("https://münchen.test/", "https://xn--mnchen-3ya.test/"),
        ("https://xn--mnchen-3ya.test/", "https://xn--mnchen-3ya.test/"),
        ("https://shop.example./", "https://shop.example./"),
    ],
)
def test_a_link_on_the_advertisers_domains_becomes_plain_ascii(text: str, expected: str) -> None:
    assert read_link(text, DOMAINS) == expected


@pytest.mark.parametrize(
    "text",
    [
        "https://shop.example.evil.test/",
        "https://evilshop.example/",
        "https://evil.test/?https://shop.example/",
        "https://evil.test/shop.example",
        "https://127.0.0.1/",
    ],
)
def test_a_link_on_another_host_is_foreign(text: str) -> None:
    assert read_link(text, DOMAINS) is LinkRejection.FOREIGN_LINK


@pytest.mark.parametrize(
    "text",
    [
        "https://evil.test\\@shop.example/",
        "https:\\\\shop.example/",
        "https://evil.test@shop.example/",
        "https://user:secret@shop.example/",
        "//shop.example/",
        "/\\shop.example",
        "/relative",
        "shop.example/a",
        "https:shop.example",
        "https:///a",
        "javascript:alert(1)//shop.example",
        "java\tscript:alert(1)",
        "data:text/html,x",
        "ftp://shop.example/",
        "ht\ntps://shop.example/",
        "https://shop.exam\tple/",
        "https://shop.example/a b",
        "https://evil.test\u3002shop.example/",
        "https://shop.example\uff0eevil.test/",
        "https://shop%2eexample/",
        "https://shop.example:99999/",
        "https://shop.example:x/",
        "https://[::1]/",
        "https://[::1/",
        "https://a..b/",
        "https://shop.example/" + "a" * 3000,
        "https://\u200bshop.example/",
        "https://shop.example/\ud800",
        "",
    ],
)
def test_a_link_that_browsers_could_read_differently_is_bad(text: str) -> None:
    found = read_link(text, DOMAINS)
    if text == "https://\u200bshop.example/":  # an invisible letter vanishes, for browsers and for us
        assert found == "https://shop.example/"
    else:
        assert found is LinkRejection.BAD_LINK


@given(st.text())
def test_what_is_taken_is_plain_ascii_on_a_known_host(text: str) -> None:
    for written in (text, f"https://{text}", f"https://{text}.shop.example/", f"https://shop.example{text}"):
        link = read_link(written, DOMAINS)
        if not isinstance(link, LinkRejection):
            host = link.split("/")[2].partition("?")[0].partition("#")[0].partition(":")[0]
            assert link.isascii()
            assert is_under(host, DOMAINS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" WWW.Shop.Example. ", "www.shop.example"),
        ("münchen.test", "xn--mnchen-3ya.test"),
        ("localhost", "localhost"),
        ("127.0.0.1", "127.0.0.1"),
        ("com", None),
        ("", None),
        ("https://shop.example", None),
        ("shop.example/path", None),
        ("shop.example:443", None),
        ("*.shop.example", None),
        ("shop..example", None),
        ("a@shop.example", None),
    ],
)
def test_a_domain_has_one_spelling_or_is_none(text: str, expected: str | None) -> None:
    assert domain_from(text) == expected

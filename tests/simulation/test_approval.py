"""A bank without a catalogue, over real HTTP: its words wait, are approved, edited, and outlive a restart."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.simulation.browser import USER_AGENT
from tests.simulation.running_server import RunningServer
from tests.simulation.shop import NEWS_PAGE, SHOP_PAGE, Shop, consent, make_shop

FORM_PAGE = {"User-Agent": USER_AGENT, "Referer": f"https://{SHOP_PAGE}/loan"}
NEWS = {"User-Agent": USER_AGENT, "Referer": f"https://{NEWS_PAGE}/"}
WORDS = {"headline": "Your application is kept", "body": "Two questions are left.", "button": "Go on"}


class Bank:
    """The bank's own people, with an advertiser's key, and the operator beside them."""

    def __init__(self, server: RunningServer) -> None:
        self.server = server
        self.shop: Shop = make_shop(server, [], {})
        with server.api() as api:
            body = {"name": "bank", "scope": "advertiser", "owner_id": self.shop.advertiser_id}
            self._key = api.post("/keys", json=body).json()["secret"]
        campaign = {"name": "Loans", "pricing_model": "cpc", "rate_micros": 500_000, "status": "active"}
        self.campaign = self.ask("POST", "/campaigns", advertiser_id=self.shop.advertiser_id, **campaign)[
            "id"
        ]

    def ask(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._key}"}
        address = f"{self.server.url}/api/v1{path}"
        return self._answer(httpx.request(method, address, json=body, headers=headers, verify=False))

    def operator(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        with self.server.api() as api:
            return self._answer(api.request(method, path, json=body or None))

    def _answer(self, answer: httpx.Response) -> dict[str, Any]:
        assert answer.status_code < 300, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def make_message(self, **fields: Any) -> str:
        body = {
            "campaign_id": self.campaign,
            "template": "message",
            "brand": {"name": "Harbour Bank"},
            "message": WORDS,
            "link": f"https://{SHOP_PAGE}/loan",
        }
        return str(self.ask("POST", "/creatives", **(body | fields))["id"])


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[Bank]:
    with RunningServer(tmp_path) as server:
        yield Bank(server)


@pytest.fixture
def applicant(bank: Bank) -> Iterator[httpx.Client]:
    """A browser that came to the loan's page, began the form and left it."""
    with httpx.Client(base_url=bank.server.url, timeout=30, verify=False) as browser:
        for event in ("page_view", "form_start"):
            tell(bank, browser, event)
        yield browser


def tell(bank: Bank, browser: httpx.Client, event: str) -> None:
    target = f"/m/e?m={bank.shop.public_id}&e={event}&{consent()}"
    assert browser.get(target, headers=FORM_PAGE).headers["content-type"] == "image/gif"


def next_page(bank: Bank, browser: httpx.Client) -> str:
    slot = bank.shop.slots["300x250"]
    return browser.get(f"/slot/{slot}?{consent()}", headers=NEWS).text


def test_a_banks_words_wait_are_approved_edited_and_end_with_the_form(
    bank: Bank, applicant: httpx.Client
) -> None:
    creative = f"/creatives/{bank.make_message()}"
    assert WORDS["headline"] not in next_page(bank, applicant)
    (waiting,) = bank.operator("GET", "/creatives?approval=pending")["items"]
    bank.operator("POST", f"{creative}/approve", content_hash=waiting["content_hash"])
    assert WORDS["headline"] in next_page(bank, applicant)

    bank.ask("PATCH", creative, message=WORDS | {"headline": "Free money"})
    assert WORDS["headline"] in next_page(bank, applicant)
    bank.server.restart()
    assert WORDS["headline"] in next_page(bank, applicant)
    bank.operator("POST", f"{creative}/reject", reason="Nothing is free.")
    assert WORDS["headline"] in next_page(bank, applicant)
    assert bank.ask("GET", creative)["reason"] == "Nothing is free."
    bank.ask("PATCH", creative, message=WORDS | {"headline": "Two questions left"})
    bank.operator("POST", f"{creative}/approve")
    assert "Two questions left" in next_page(bank, applicant)

    tell(bank, applicant, "generate_lead")
    assert "Two questions left" not in next_page(bank, applicant)
    bank.server.assert_audit_is_clean()


def test_where_all_is_approved_nobody_waits_but_whoever_was_refused(
    bank: Bank, applicant: httpx.Client
) -> None:
    bank.server.restart(approve_creatives="auto")
    creative = f"/creatives/{bank.make_message()}"
    assert WORDS["headline"] in next_page(bank, applicant)
    (review,) = bank.ask("GET", creative)["reviews"]
    assert review["automatic"]
    bank.operator("POST", f"{creative}/reject", reason="Not this bank.")
    assert WORDS["headline"] not in next_page(bank, applicant)
    bank.ask("PATCH", creative, message=WORDS | {"headline": "Hello again"})
    assert "Hello again" not in next_page(bank, applicant)


def test_a_setting_that_means_nothing_is_named_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"(?i)approve_creatives"):
        RunningServer(tmp_path, approve_creatives="maybe").start()

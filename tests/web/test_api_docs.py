"""The API describes itself, for machines and for people, without asking another host."""

import re
from pathlib import Path

from adserver.web.app import api_addresses, openapi
from adserver.web.problems import PROBLEMS
from tests.web.api import Api

DOCS = Path(__file__).parents[2] / "docs" / "api.md"


def test_the_openapi_document_lists_every_address_and_needs_no_key(api: Api) -> None:
    document = api.call("GET", "/openapi.json", key="").json()
    described = {*document["paths"], "/api/v1/openapi.json", "/api/v1/docs"}
    assert described == {address.split(" ")[1] for address in api_addresses()}
    assert document["security"] == [{"key": []}]


def test_bodies_are_described_as_closed(api: Api) -> None:
    schemas = api.call("GET", "/openapi.json", key="").json()["components"]["schemas"]
    bodies = [name for name in schemas if name.endswith(("Draft", "Change", "Body"))]
    assert len(bodies) > 10
    assert [name for name in bodies if schemas[name].get("additionalProperties") is not False] == []


def test_fields_that_cannot_be_lifted_are_described_without_null(api: Api) -> None:
    fields = api.call("GET", "/openapi.json", key="").json()["components"]["schemas"]["CampaignChange"][
        "properties"
    ]
    assert {"type": "null"} in fields["daily_budget_micros"]["anyOf"]
    assert "anyOf" not in fields["rate_micros"]


def test_what_moves_money_is_described_as_needing_an_idempotency_key(api: Api) -> None:
    paths = api.call("GET", "/openapi.json", key="").json()["paths"]

    def need(path: str) -> list[bool]:
        parameters = paths[path]["post"]["parameters"]
        return [one["required"] for one in parameters if one["name"] == "Idempotency-Key"]

    assert need("/api/v1/campaigns") == [False]
    for path in ("conversions", "conversions/cancel", "refunds", "deposits"):
        assert need(f"/api/v1/{path}") == [True]


def test_the_page_loads_nothing_from_elsewhere(api: Api) -> None:
    page = api.call("GET", "/docs", key="")
    assert page.status_code == 200
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert re.findall(r"(?:https?:)?//[a-z]", page.text) == []
    assert "<script" not in page.text
    for address in openapi()["paths"]:
        assert f"</span>{address}</code>" in page.text


def test_every_problem_is_explained_on_both_pages(api: Api) -> None:
    page = api.call("GET", "/docs", key="").text
    written = DOCS.read_text()
    for code, kind in PROBLEMS.items():
        assert f'id="{code}"' in page
        assert re.search(rf"\| `{code}` \| {kind.status} \|", written), code

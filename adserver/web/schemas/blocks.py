"""A publisher's blocks as JSON: the same fields of a publisher, a site and a slot."""

from typing import Annotated, Any

from msgspec.structs import replace
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from adserver.domain.blocks import Blocks
from adserver.domain.identity import read_id, write_id
from adserver.domain.link import domain_from
from adserver.web.schemas.fields import Change, Domain, Flag, Line, Strict


def _advertiser(text: str) -> str:
    if read_id("adv", text) is None and domain_from(text) is None:
        raise PydanticCustomError("no_advertiser", "An advertiser is named by its id or by a domain")
    return text


def _category(text: str) -> str:
    if not all(map(str.strip, text.split(">"))):
        raise PydanticCustomError("bad_category", "A category is written like `Food > Wine`, or IAB7-39")
    return text


Category = Annotated[Line, AfterValidator(_category)]
Categories = Annotated[list[Category], Field(max_length=500)]
Advertisers = Annotated[list[Annotated[Domain, AfterValidator(_advertiser)]], Field(max_length=5_000)]
FIELDS = (
    "blocked_categories", "blocked_advertisers", "approve_advertisers", "approved_advertisers",
    "separate_competitors",
)  # fmt: skip


class BlocksFields(Strict):
    """What is not shown there; the publisher's, the site's and the slot's wishes are added up."""

    blocked_categories: Categories = Field(
        default_factory=list,
        description="of products and advertisers, with all that lies under them: `Food > Wine`, `IAB7`",
    )
    blocked_advertisers: Advertisers = Field(
        default_factory=list, description="by id, or by domain, such as a competitor's"
    )
    approve_advertisers: Flag = Field(
        default=False, description="whether only `approved_advertisers` are shown"
    )
    approved_advertisers: Advertisers = Field(default_factory=list, description="by id or by domain")
    separate_competitors: Flag = Field(
        default=False, description="whether two advertisers who sell the same are kept off one page"
    )

    def blocks(self) -> Blocks:
        return with_blocks(Blocks(), self.model_dump(include=set(FIELDS)))


class BlocksChange(Change):
    blocked_categories: Categories | None = None
    blocked_advertisers: Advertisers | None = None
    approve_advertisers: Flag | None = None
    approved_advertisers: Advertisers | None = None
    separate_competitors: Flag | None = None


class BlocksAnswer(Strict):
    blocked_categories: list[str]
    blocked_advertisers: list[str]
    approve_advertisers: bool
    approved_advertisers: list[str]
    separate_competitors: bool


def with_blocks(blocks: Blocks, given: dict[str, Any]) -> Blocks:
    """The blocks after a change; takes its fields out of `given`."""
    named = {name: given.pop(name) for name in FIELDS if name in given}
    if "blocked_categories" in named:
        blocks = replace(blocks, categories=tuple(dict.fromkeys(named["blocked_categories"])))
    if "blocked_advertisers" in named:
        keys, domains = read_parties(named["blocked_advertisers"])
        blocks = replace(blocks, advertisers=keys, domains=domains)
    if "approved_advertisers" in named:
        keys, domains = read_parties(named["approved_advertisers"])
        blocks = replace(blocks, approved=keys, approved_domains=domains)
    if "approve_advertisers" in named:
        blocks = replace(blocks, only_approved=named["approve_advertisers"])
    if "separate_competitors" in named:
        blocks = replace(blocks, separate_competitors=named["separate_competitors"])
    return blocks


def show_blocks(blocks: Blocks) -> dict[str, Any]:
    return {
        "blocked_categories": list(blocks.categories),
        "blocked_advertisers": show_parties(blocks.advertisers, blocks.domains),
        "approve_advertisers": blocks.only_approved,
        "approved_advertisers": show_parties(blocks.approved, blocks.approved_domains),
        "separate_competitors": blocks.separate_competitors,
    }


def read_parties(named: list[str]) -> tuple[tuple[int, ...], tuple[str, ...]]:
    read = [read_id("adv", text) for text in named]
    keys = [key for key in read if key is not None]
    domains = [domain_from(text) for text, key in zip(named, read, strict=True) if key is None]
    return tuple(dict.fromkeys(keys)), tuple(dict.fromkeys(domain for domain in domains if domain))


def show_parties(keys: tuple[int, ...], domains: tuple[str, ...]) -> list[str]:
    return [*(write_id("adv", key) for key in keys), *domains]

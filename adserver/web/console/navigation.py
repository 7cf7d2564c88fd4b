"""The pages of each kind of account, as the bar at their head lists them, and the accounts one works in."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from adserver.domain.identity import read_id, write_id
from adserver.domain.user import Role, User
from adserver.ports import Accounts
from adserver.web.console.page import translations

HOME = "/console"
_BESIDE = {"/identity": ("/consent",), "/health": ("/jobs", "/settings")}  # pages behind the same word
_OWNERS = {"shop": "adv", "publisher": "pub"}
_AREA = {Role.ADVERTISER: "shop", Role.WEBMASTER: "shop", Role.PUBLISHER: "publisher"}
_ADVERTISER = (Role.ADVERTISER,)
_WEBMASTER = (Role.ADVERTISER, Role.WEBMASTER)
_PUBLISHER = (Role.PUBLISHER,)
_OPERATOR = (Role.OPERATOR,)


class May(Protocol):
    """Whether one of the roles is the reader's, for an account where one is named."""

    def __call__(self, *roles: Role, owner_key: int | None = None) -> bool: ...


class Section(msgspec.Struct, frozen=True):
    address: str
    label: str
    is_current: bool


class Place(msgspec.Struct, frozen=True):
    """An account in which somebody has work to do; `address` is None where no page of it is theirs yet."""

    name: str
    role: Role
    address: str | None
    is_current: bool = False


class Frame(msgspec.Struct, frozen=True):
    """What frames a page: the network, whose page it is, its reader's other accounts, and its neighbours."""

    network: str
    account: str
    places: Sequence[Place]
    sections: Sequence[Section]


def frame_of(network: str, accounts: Accounts, user: User, path: str, may: May, language: str) -> Frame:
    """An operator, who has all accounts, finds them on a page of their own instead of in each page's head."""
    area, owner_id = _account_in(path)
    account, owner_key = "", read_id(_OWNERS[area], owner_id) if area in _OWNERS else None
    if owner_key is not None and may(*_AREA, owner_key=owner_key):
        account = _name(accounts, area, owner_key) or ""
    listed = [] if user.is_operator else places_of(accounts, user, may, language, path)
    return Frame(network, account, listed, sections(path, may, language))


def places_of(accounts: Accounts, user: User, may: May, language: str, path: str = "") -> list[Place]:
    """The accounts of somebody's roles by name, each once, with the first of its pages that is theirs."""
    owners = {(_AREA[one.role], one.owner_key): one.role for one in reversed(user.grants) if one.owner_key}
    found = [
        Place(name, role, first_address(area, key, may, language), _is_of(path, area, key))
        for (area, key), role in owners.items()
        if (name := _name(accounts, area, key)) is not None
    ]
    return sorted(found, key=lambda one: one.name)


def first_address(area: str, owner_key: int, may: May, language: str) -> str | None:
    """Where somebody's work in an account begins: the first of its pages that is theirs."""
    found = sections(f"{HOME}/{area}/{write_id(_OWNERS[area], owner_key)}", may, language)
    return found[0].address if found else None


def sections(path: str, may: May, language: str) -> list[Section]:
    """Those of the account whose page is looked at, as far as its reader `may` see them."""
    area, owner_id = _account_in(path)
    owner_key = None
    root = f"{HOME}/{area}"
    if area in _OWNERS:
        owner_key = read_id(_OWNERS[area], owner_id)
        root += f"/{owner_id}"
    else:
        area, root = "network", f"{HOME}/network"
    return [
        Section(root + suffix, label, _is_current(path, root, suffix))
        for suffix, label, roles in _listed(area, language)
        if may(*roles, owner_key=owner_key)
    ]


def _account_in(path: str) -> tuple[str, str]:
    """The kind and the id of the account that an address names."""
    _, _, area, owner_id, *_ = [*path.split("/"), "", "", "", ""]
    return area, owner_id


def _is_of(path: str, area: str, owner_key: int) -> bool:
    kind, owner_id = _account_in(path)
    return kind == area and read_id(_OWNERS[area], owner_id) == owner_key


def _name(accounts: Accounts, area: str, owner_key: int) -> str | None:
    found = accounts.advertiser(owner_key) if area == "shop" else accounts.publisher(owner_key)
    return None if found is None else found.name


def _is_current(path: str, root: str, suffix: str) -> bool:
    if not suffix:
        return path == root
    return any((path + "/").startswith(f"{root}{one}/") for one in (suffix, *_BESIDE.get(suffix, ())))


def _listed(area: str, language: str) -> Sequence[tuple[str, str, tuple[Role, ...]]]:
    """The first line that somebody may see is where their work in the account begins."""
    words = translations(language).gettext
    listed: dict[str, Sequence[tuple[str, str, tuple[Role, ...]]]] = {
        "shop": [
            ("/campaigns", words("Campaigns"), _ADVERTISER),
            ("/reports", words("Reports"), _ADVERTISER),
            ("/audiences", words("Audiences"), _ADVERTISER),
            ("/conversions", words("Conversions"), _ADVERTISER),
            ("/money", words("Money"), _ADVERTISER),
            ("/proof", words("Proof"), _ADVERTISER),
            ("/tag", words("Tag"), _WEBMASTER),
            ("/events", words("Live events"), _WEBMASTER),
            ("/doctor", words("Doctor"), _WEBMASTER),
            ("/feeds", words("Feeds"), _WEBMASTER),
            ("/keys", words("API keys"), _WEBMASTER),
        ],
        "publisher": [
            ("/sites", words("Sites and slots"), _PUBLISHER),
            ("/earnings", words("Earnings"), _PUBLISHER),
            ("/reports", words("Reports"), _PUBLISHER),
            ("/approvals", words("Approvals"), _PUBLISHER),
            ("/keys", words("API keys"), _PUBLISHER),
        ],
        "network": [
            ("", words("Overview"), _OPERATOR),
            ("/reports", words("Reports"), _OPERATOR),
            ("/accounts", words("Accounts"), _OPERATOR),
            ("/approvals", words("Approvals"), _OPERATOR),
            ("/traffic", words("Traffic"), _OPERATOR),
            ("/users", words("Users"), _OPERATOR),
            ("/audit", words("Audit log"), _OPERATOR),
            ("/identity", words("Privacy"), _OPERATOR),
            ("/health", words("Server"), _OPERATOR),
            ("/keys", words("API keys"), _OPERATOR),
        ],
    }
    return listed[area]

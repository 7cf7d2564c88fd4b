"""The pages of each kind of account, as the bar at their head lists them."""

from collections.abc import Callable, Sequence

import msgspec

from adserver.domain.identity import read_id
from adserver.domain.user import Role
from adserver.web.console.page import translations


class Section(msgspec.Struct, frozen=True):
    address: str
    label: str
    is_current: bool


def sections(path: str, may: Callable[..., bool], language: str) -> list[Section]:
    """Those of the account whose page is looked at, as far as its reader `may` see them."""
    _, _, area, *rest = [*path.split("/"), "", ""]
    root = f"/console/{area}"
    owner_key = None
    if area in _OWNERS:
        owner_key = read_id(_OWNERS[area], rest[0])
        root += f"/{rest[0]}"
    else:
        area = "network"
        root = "/console/network"
    return [
        Section(root + suffix, label, _is_current(path, root, suffix))
        for suffix, label, roles in _listed(area, language)
        if may(*roles, owner_key=owner_key)
    ]


_OWNERS = {"shop": "adv", "publisher": "pub"}
_ADVERTISER = (Role.ADVERTISER,)
_WEBMASTER = (Role.ADVERTISER, Role.WEBMASTER)
_PUBLISHER = (Role.PUBLISHER,)
_OPERATOR = (Role.OPERATOR,)


def _is_current(path: str, root: str, suffix: str) -> bool:
    return path == root if not suffix else (path + "/").startswith(f"{root}{suffix}/")


def _listed(area: str, language: str) -> Sequence[tuple[str, str, tuple[Role, ...]]]:
    words = translations(language).gettext
    listed: dict[str, Sequence[tuple[str, str, tuple[Role, ...]]]] = {
        "shop": [
            ("/campaigns", words("Campaigns"), _ADVERTISER),
            ("/tag", words("Tag"), _WEBMASTER),
            ("/events", words("Live events"), _WEBMASTER),
            ("/doctor", words("Doctor"), _WEBMASTER),
            ("/feeds", words("Feeds"), _WEBMASTER),
        ],
        "publisher": [],
        "network": [
            ("/users", words("Users"), _OPERATOR),
        ],
    }
    return listed[area]

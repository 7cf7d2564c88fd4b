"""What must be written down for operators: names go in, and those that no page mentions come out."""

import re
from collections.abc import Iterable

SETTING_NAME = re.compile(r"\bADSERVER_[A-Z0-9_]*[A-Z0-9]\b")
METHOD = re.compile(r"^[A-Z]+ ")
PARAMETER = re.compile(r"\{[^}]*\}")


def undocumented_settings(names: Iterable[str], documentation: str) -> list[str]:
    documented = set(SETTING_NAME.findall(documentation))
    return sorted(set(names) - documented)


def unknown_settings(names: Iterable[str], documentation: str) -> list[str]:
    """Settings that the documentation promises and the server does not have."""
    return sorted(set(SETTING_NAME.findall(documentation)) - set(names))


def undocumented_commands(names: Iterable[str], documentation: str) -> list[str]:
    """`names` are whole commands, such as `adserver feed check`."""
    return sorted(name for name in names if not re.search(rf"{re.escape(name)}(?![\w-])", documentation))


def undocumented_addresses(addresses: Iterable[str], documentation: str) -> list[str]:
    """Addresses that stand nowhere as a whole; their methods and the names of parameters do not matter."""
    text = _without_parameter_names(documentation)
    return sorted(address for address in addresses if not _stands_in(text, address))


def _stands_in(text: str, address: str) -> bool:
    path = _without_parameter_names(METHOD.sub("", address))
    return re.search(rf"(?<![\w}}/]){re.escape(path)}(?![\w{{-]|/\w|/\{{|\.\w)", text) is not None


def _without_parameter_names(text: str) -> str:
    return PARAMETER.sub("{}", text)

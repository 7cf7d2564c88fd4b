"""What a doctor finds: a named thing that is not as it should be, and in words what to do about it."""

from enum import StrEnum

import msgspec


class Severity(StrEnum):
    ERROR = "error"  # something does not work
    WARNING = "warning"  # something is lost, or soon will be
    INFO = "info"  # worth knowing


class Finding(msgspec.Struct, frozen=True):
    """`code` is stable, `message` is for people; `event` where it is about one."""

    code: str
    severity: Severity
    message: str
    figures: dict[str, float] = {}
    event: str | None = None

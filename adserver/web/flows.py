"""What the app was made with, handed to routes: the flows, and where publishers reach this server."""

from typing import Annotated

import msgspec
from anyio import CapacityLimiter
from fastapi import Depends, Request

from adserver.flows.bill import Bill
from adserver.flows.feed import ImportFeed
from adserver.flows.manage import Manage


class Flows(msgspec.Struct, frozen=True):
    """Everything that routes need; `import_turns` keeps imports from taking all the threads."""

    manage: Manage
    bill: Bill
    importer: ImportFeed
    base_url: str
    import_turns: CapacityLimiter


def flows_of(request: Request) -> Flows:
    flows: Flows = request.app.state.flows
    return flows


def _manage(request: Request) -> Manage:
    return flows_of(request).manage


CurrentFlows = Annotated[Flows, Depends(flows_of)]
CurrentManage = Annotated[Manage, Depends(_manage)]

"""Whoever is not known acts as nobody, whatever the connection was used for before."""

import asyncio

from starlette.types import Message, Receive, Scope, Send

from adserver.domain.audit_log import OURSELVES, Actor, ActorKind
from adserver.web.gate import API, Gate
from adserver.writes.actor import acting, acting_as


async def _hear() -> Message:
    return {"type": "http.request", "body": b""}


async def _say(message: Message) -> None:
    assert message["type"] == "http.response.start"


def test_an_actor_of_the_request_before_is_not_carried_on() -> None:
    """Event loops may run a connection's later requests in the context of an earlier one."""
    seen: list[Actor] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(acting())

    gate = Gate(
        application, identify=lambda text: None, most_body_bytes=1, most_file_bytes=1, most_feed_bytes=1
    )
    with acting_as(Actor(ActorKind.KEY, 7, "somebody")):
        for path in ("/console/login", f"{API}/hooks/shopify/adv_1"):
            scope = {"type": "http", "method": "POST", "path": path, "headers": []}
            asyncio.run(gate(scope, _hear, _say))
    assert seen == [OURSELVES, OURSELVES]

"""Requests that are repeated until somebody lives to answer them; and of those that move money, what was said."""

import asyncio
import json
import random
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from tests.simulation.browser import Answer, Connection
from tests.simulation.running_server import RunningServer

RETRY_SECONDS = 0.05


class Patience:
    """Asks until it is answered, or until it is told that enough is enough."""

    def __init__(self) -> None:
        self.is_over = False
        self.unanswered: Counter[str] = Counter()

    async def insist(self, ask: Callable[[], Awaitable[Answer]]) -> Answer | None:
        """The first answer that is no 503; None where it was over before."""
        while True:
            try:
                answer = await ask()
                if answer.status != 503:
                    return answer
                self.unanswered["503"] += 1
            except ConnectionError:
                self.unanswered["cut off"] += 1
            if self.is_over:
                return None
            await asyncio.sleep(RETRY_SECONDS)


@dataclass(frozen=True)
class Told:
    """An answer of the API, read."""

    status: int
    fields: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.fields[name]


class Letter(NamedTuple):
    """A POST that moves money, under its Idempotency-Key."""

    path: str
    key: str
    body: bytes


class Letters:
    """Sends letters with the operator's key, often twice, and holds the server to its first answer."""

    def __init__(self, server: RunningServer, patience: Patience, dice: random.Random) -> None:
        self._url = server.url
        self._authorization = f"Bearer {server.key()}"
        self._patience = patience
        self._dice = dice
        self.answers: dict[Letter, Answer] = {}
        self.repeats = 0

    async def send(self, connection: Connection, path: str, **fields: Any) -> Told | None:
        """A new letter: now and then twice in the same moment, and often once more."""
        letter = Letter(path, secrets.token_hex(8), json.dumps(fields).encode())
        if self._dice.random() < 0.2:
            async with Connection(self._url) as second:
                await asyncio.gather(self._post(connection, letter), self._post(second, letter))
        else:
            await self._post(connection, letter)
        if self._dice.random() < 0.3:
            await self._post(connection, letter)
        if self._dice.random() < 0.2:
            await self._post(connection, self._dice.choice(list(self.answers) or [letter]))
        known = self.answers.get(letter)
        return None if known is None else _read(known)

    async def ask(self, connection: Connection, method: str, path: str, **fields: Any) -> Told | None:
        """A request of the API that needs no key: it is harmless to repeat."""
        headers = {"Authorization": self._authorization, "Content-Type": "application/json"}
        body = json.dumps(fields).encode() if fields else b""
        answer = await self._patience.insist(lambda: connection.ask(method, f"/api/v1/{path}", headers, body))
        return None if answer is None else _read(answer)

    async def ask_all_again(self, most: int) -> None:
        """The newest and some of all keys once more, when the last crash is over."""
        letters = list(self.answers)
        chosen = letters[-most // 2 :] + self._dice.sample(letters, min(most // 2, len(letters)))
        async with Connection(self._url) as connection:
            for letter in chosen:
                await self._post(connection, letter)

    async def _post(self, connection: Connection, letter: Letter) -> None:
        headers = {
            "Authorization": self._authorization,
            "Content-Type": "application/json",
            "Idempotency-Key": letter.key,
        }
        answer = await self._patience.insist(
            lambda: connection.ask("POST", f"/api/v1/{letter.path}", headers, letter.body)
        )
        if answer is None:
            return
        assert answer.status in (200, 409), (letter, answer)
        first = self.answers.setdefault(letter, answer)
        self.repeats += first is not answer
        assert (first.status, first.body) == (answer.status, answer.body), (letter, first, answer)


def _read(answer: Answer) -> Told:
    return Told(answer.status, json.loads(answer.body))

"""Whether the server is reached at its own address, and how its clock there compares with ours."""

import time
from email.utils import parsedate_to_datetime

import httpx

from adserver.domain.installation import Answered

REACH_SECONDS = 5.0
HALF_SECOND_MS = 500  # a Date has whole seconds


def reach(base_url: str) -> Answered:
    """Ask for `/healthz`; the fault is a sentence's end, never an exception."""
    asked_ms = time.time_ns() // 1_000_000
    try:
        response = httpx.get(f"{base_url}/healthz", timeout=REACH_SECONDS, trust_env=False)
    except httpx.TimeoutException:
        return Answered(fault="it took too long")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Answered(fault=str(error) or type(error).__name__)
    now_ms = (asked_ms + time.time_ns() // 1_000_000) // 2
    is_ours = response.status_code == 200 and response.text == "ok"
    return Answered(is_ours, _skew(response.headers.get("date"), now_ms))


def _skew(date: str | None, now_ms: int) -> int | None:
    try:
        said = parsedate_to_datetime(date or "")
    except ValueError:
        return None
    return now_ms - int(said.timestamp() * 1000) - HALF_SECOND_MS

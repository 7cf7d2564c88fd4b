"""Debian's Chromium in both worlds: third-party cookies allowed, as four browsers in five have them, or refused."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, sync_playwright

CHROMIUM = os.environ.get("ADSERVER_TEST_CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
ARGUMENTS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync"
).split()


SENDS = {"cookie_controls_mode": 0, "block_third_party_cookies": False}
REFUSES = {"cookie_controls_mode": 1, "block_third_party_cookies": True}


@contextmanager
def sends_cookies_to_frames(folder: Path, timeout_ms: int, **options: Any) -> Iterator[BrowserContext]:
    """A browser over a new profile; only a profile's preferences let frames of other sites have cookies."""
    with _chromium(folder, SENDS, timeout_ms, **options) as context:
        yield context


@contextmanager
def refuses_cookies_to_frames(folder: Path, timeout_ms: int, **options: Any) -> Iterator[BrowserContext]:
    with _chromium(folder, REFUSES, timeout_ms, **options) as context:
        yield context


@contextmanager
def _chromium(
    folder: Path, cookies: dict[str, Any], timeout_ms: int, **options: Any
) -> Iterator[BrowserContext]:
    """Without Chromium the test is skipped, which is a failure where CI=true."""
    if not Path(CHROMIUM).exists():
        pytest.skip(f"missing: Chromium at {CHROMIUM}; name it with ADSERVER_TEST_CHROMIUM")
    (folder / "Default").mkdir(parents=True)
    (folder / "Default" / "Preferences").write_text(json.dumps({"profile": cookies}))
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            folder, executable_path=CHROMIUM, args=ARGUMENTS, **options
        )
        context.set_default_timeout(timeout_ms)
        yield context
        context.close()

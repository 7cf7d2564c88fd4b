"""Debian's Chromium in both worlds: third-party cookies allowed, as four browsers in five have them, or refused."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright

NAMED = os.environ.get("ADSERVER_TEST_CHROMIUM")
WHOLE = NAMED or shutil.which("chromium") or "/usr/bin/chromium"
# The same engine without the windows, bars and services of a browser, which take more work than our pages.
SHELL = NAMED or shutil.which("chromium-headless-shell") or WHOLE
ARGUMENTS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync"
).split()
SENDS = {"cookie_controls_mode": 0, "block_third_party_cookies": False}
REFUSES = {"cookie_controls_mode": 1, "block_third_party_cookies": True}


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser whose contexts share nothing, such as several people have."""
    executable = _found(SHELL)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def sends_cookies_to_frames(folder: Path, timeout_ms: int, **options: Any) -> Iterator[BrowserContext]:
    """A browser over a new profile that lets frames of other sites have cookies."""
    with _profile(SHELL, folder, SENDS, timeout_ms, **options) as context:
        yield context


@contextmanager
def refuses_cookies_to_frames(folder: Path, timeout_ms: int, **options: Any) -> Iterator[BrowserContext]:
    """The whole browser: only there are cookies refused by a profile's preferences."""
    with _profile(WHOLE, folder, REFUSES, timeout_ms, **options) as context:
        yield context


@contextmanager
def _profile(
    executable: str, folder: Path, cookies: dict[str, Any], timeout_ms: int, **options: Any
) -> Iterator[BrowserContext]:
    (folder / "Default").mkdir(parents=True)
    (folder / "Default" / "Preferences").write_text(json.dumps({"profile": cookies}))
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            folder, executable_path=_found(executable), args=ARGUMENTS, **options
        )
        context.set_default_timeout(timeout_ms)
        yield context
        context.close()


def _found(executable: str) -> str:
    """Without Chromium the test is skipped, which is a failure where CI=true."""
    if not Path(executable).exists():
        pytest.skip(f"missing: Chromium at {executable}; name it with ADSERVER_TEST_CHROMIUM")
    return executable

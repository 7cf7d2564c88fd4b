"""Declared robots and prefetches are recognised, so that nothing they do is stored or billed."""

import re

from pixel.events import Rejection

_LONGEST_READ = 512  # real user agents are shorter; whoever sends more does not choose how long we look

# Every browser in use begins so (Opera's old engine apart); libraries and services mostly name themselves.
_BROWSER_BEGINNINGS = ("Mozilla/", "Opera/")
_ROBOT_WORDS = re.compile(
    r"""
    (?<!cu)bot | crawl | spider | slurp | scrap | archive[r-] | mediapartners   # CUBOT makes telephones
    | headless | phantomjs | playwright | puppeteer | selenium | lighthouse | pagespeed | ptst/ | gtmetrix
    | imageproxy | mailproxy | externalhit | preview | snippet | favicon | screenshot
    | curl | wget | python | go-http | httpclient | http-client | okhttp | libwww | java/ | \(java\) | nutch
    | monitor | pingdom | uptime | uptrends | synthetic | appinsights | ghost\ inspector
    | thousandeyes | catchpoint | checker | linkcheck | validat | verif | scan | audit | zgrab | nikto
    | openvas | securityheaders | hardenize | \bagent\b | agent[/)-] | \bfetch | feed | \brss\b
    | google-?(?:other|web|site|inspection|safety|ads|agent|physical) | playstore-google
    | agent$ | finder | link(?:tiger|validator) | test(?:locally|ing\ ?tool) | abuse\. | watchtowr | scope3
    | dareboost | datanyze | silktide | sindup | foregenix | collapsify | marketgoo | newsnow | newsai
    | readable/ | splash\ | \brigor\b | \bylt\b | manus-user | electron/
    | https?: | www\. | [a-z]\.(?:com|html|io)\b | @ | \(at\) | \[at\]
    | compatible;(?!\ (?:msie|konqueror)) | ^mozilla/[0-9.]+$
    """,
    re.IGNORECASE | re.VERBOSE,
)
_PREFETCH_WORDS = ("prefetch", "prerender", "preview")


def robot(user_agent: str, purpose: str = "") -> Rejection | None:
    """ROBOT or PREFETCH where the request says so itself; `purpose` is its Sec-Purpose or Purpose header."""
    if purpose and any(word in purpose.lower() for word in _PREFETCH_WORDS):
        return Rejection.PREFETCH
    return Rejection.ROBOT if _is_declared_robot(user_agent[:_LONGEST_READ]) else None


def _is_declared_robot(user_agent: str) -> bool:
    if not user_agent.startswith(_BROWSER_BEGINNINGS):
        return True
    return _ROBOT_WORDS.search(user_agent) is not None

"""Each rule of the law is shown a small offender and a near miss, so that it cannot lose its teeth unseen."""

from textwrap import indent

import pytest

from tests.law import code_rules

IMPURE = {
    "datetime.now": "from datetime import datetime\nx = datetime.now()",
    "datetime.now under another name": "from datetime import UTC, datetime as d\nx = d.now(UTC)",
    "datetime.now through the module": "import datetime\nx = datetime.datetime.now()",
    "datetime.now as a default": "from datetime import datetime\nfield(default_factory=datetime.now)",
    "utcnow": "from datetime import datetime\nx = datetime.utcnow()",
    "date.today": "from datetime import date\nx = date.today()",
    "time": "import time",
    "time.monotonic": "from time import monotonic",
    "an import inside a function": "def f():\n    import time\n    return time.time()",
    "random": "import random",
    "random.random": "from random import random",
    "dice without a seed": "from random import Random\nx = Random()",
    "secrets": "from secrets import token_bytes",
    "uuid4": "import uuid\nx = uuid.uuid4()",
    "uuid4 alone": "from uuid import uuid4",
    "os.urandom": "from os import urandom",
    "os": "import os.path",
    "open": "def f(path):\n    return open(path)",
    "io.open": "import io\nx = io.open('a')",
    "pathlib": "from pathlib import Path",
    "read_text": "def f(path):\n    return path.read_text()",
    "write_bytes": "def f(path):\n    path.write_bytes(b'')",
    "importlib.resources": "from importlib.resources import files",
    "a template loader that reads files": "from jinja2 import FileSystemLoader",
    "socket": "import socket",
    "httpx": "import httpx as h",
    "urllib.request": "from urllib import request",
    "asyncio": "import asyncio",
}
PURE = {
    "a time that is handed in": "def f(now):\n    return now.now",
    "the type of the dice": "from random import Random\ndef f(dice: Random):\n    return dice.random()",
    "dice with a seed": "from random import Random\nx = Random(7)",
    "a time of day": "from datetime import time, timedelta\nx = time(8)",
    "urllib.parse": "from urllib.parse import quote",
    "a path without a disk": "from pathlib import PurePosixPath",
    "uuid5": "from uuid import NAMESPACE_URL, uuid5",
    "our own open": "from adserver.domain.slot import open\nx = open()",
    "bytes in memory": "from io import BytesIO",
}


@pytest.mark.parametrize("text", IMPURE.values(), ids=IMPURE)
def test_an_impure_line_is_caught_in_a_pure_room(text: str) -> None:
    assert code_rules.impurities(text)


@pytest.mark.parametrize("text", PURE.values(), ids=PURE)
def test_a_pure_line_is_left_alone_in_a_pure_room(text: str) -> None:
    assert not code_rules.impurities(text)


def test_an_impurity_is_reported_with_its_line_and_name() -> None:
    (breach,) = code_rules.impurities("x = 1\ny = open('a')")
    assert breach == (2, "open reaches for the disk; take it as an argument")


def test_an_asset_loader_may_read_the_disk_but_not_the_clock() -> None:
    text = "from pathlib import Path\nimport time"
    assert [breach.line for breach in code_rules.impurities(text, may_read_disk=True)] == [2]


@pytest.mark.parametrize(
    "call", ["eval('1')", "exec('x = 1')", "compile('1', '', 'eval')", "__import__('os')"]
)
def test_code_put_together_at_run_time_is_caught(call: str) -> None:
    assert code_rules.built_code(f"x = {call}")


def test_compiling_a_regular_expression_is_no_code() -> None:
    assert not code_rules.built_code(
        "import re\nfrom re import compile\nx = re.compile('a')\ny = compile('b')"
    )


@pytest.mark.parametrize(
    "handler",
    [
        "except: raise",
        "except Exception: pass",
        "except BaseException: ...",
        "except (ValueError, Exception): pass",
        "except Exception: return None",
        "except Exception as error: continue",
    ],
)
def test_a_swallowed_exception_is_caught(handler: str) -> None:
    text = f"def f():\n    while True:\n        try:\n            g()\n        {handler}"
    assert code_rules.swallowed_exceptions(text)


@pytest.mark.parametrize(
    "handler", ["except ValueError: pass", "except Exception: log()", "except OSError: return"]
)
def test_an_answered_exception_is_left_alone(handler: str) -> None:
    assert not code_rules.swallowed_exceptions(f"def f():\n    try:\n        g()\n    {handler}")


def test_suppressing_every_exception_is_caught() -> None:
    text = "import contextlib\nwith contextlib.suppress({}):\n    g()"
    assert code_rules.swallowed_exceptions(text.format("Exception"))
    assert not code_rules.swallowed_exceptions(text.format("OSError"))


@pytest.mark.parametrize(
    "text",
    ["", "x = 1", "'''What a click costs'''", "'''One. Two.'''", "'''A sentence that goes\non here.'''"],
    ids=["empty", "no docstring", "no full stop", "two sentences", "two lines"],
)
def test_a_module_without_one_opening_sentence_is_caught(text: str) -> None:
    assert code_rules.missing_sentence(text)


def test_a_module_that_opens_with_one_sentence_is_left_alone() -> None:
    assert not code_rules.missing_sentence(
        "'''What a click costs, e.g. nothing.\n\nAnd more. Much more.\n'''"
    )


@pytest.mark.parametrize(
    "name", ["CampaignManager", "FeedHelper", "StringUtils", "StoreBase", "AdService", "HTTPService"]
)
def test_a_class_name_that_says_nothing_is_caught(name: str) -> None:
    assert code_rules.banned_names(f"class {name}: ...", "feed")


@pytest.mark.parametrize("name", ["utils", "feed_helpers", "base", "ad_service"])
def test_a_module_name_that_says_nothing_is_caught(name: str) -> None:
    assert code_rules.banned_names("", name)


def test_a_name_of_the_trade_is_left_alone() -> None:
    assert not code_rules.banned_names("class Database: ...\nclass BasketLine: ...", "manage")
    assert not code_rules.banned_names("class _T: ...", "__main__")


def test_a_file_one_line_too_long_is_caught() -> None:
    assert not code_rules.oversized("x = 1\n" * code_rules.LONGEST_FILE_LINES)
    assert code_rules.oversized("x = 1\n" * (code_rules.LONGEST_FILE_LINES + 1))


def function_of(body_lines: int) -> str:
    signature = "def f(\n    a,\n):\n"
    docstring = '    """What it does.\n\n    Why.\n    """\n'
    return signature + docstring + "    x = 1\n" * body_lines


def test_a_function_one_line_too_long_is_caught_wherever_it_stands() -> None:
    limit = code_rules.LONGEST_FUNCTION_LINES
    assert not code_rules.long_functions(function_of(limit))
    assert [function.name for function in code_rules.long_functions(function_of(limit + 1))] == ["f"]
    inside = code_rules.long_functions("class A:\n" + indent(function_of(limit + 1), "    "))
    assert [(function.name, function.lines) for function in inside] == [("A.f", limit + 1)]


def test_a_docstring_does_not_count_as_length() -> None:
    assert not code_rules.long_functions('def f():\n    """' + "One.\n" * 99 + '"""')


def test_the_ratchet_refuses_growth_and_stale_allowances() -> None:
    assert not code_rules.ratchet({"a.py::f": 50}, {"a.py::f": 50})
    assert code_rules.ratchet({"a.py::f": 51}, {"a.py::f": 50})
    assert code_rules.ratchet({"a.py::f": 49}, {"a.py::f": 50})
    assert code_rules.ratchet({"a.py::g": 41}, {})
    assert code_rules.ratchet({}, {"a.py::gone": 50})


@pytest.mark.parametrize("name", ["test_money", "test_two_words", "test_price__of_"])
def test_a_mumbled_test_name_is_caught(name: str) -> None:
    assert code_rules.mumbled_test_names(f"class TestIt:\n    def {name}(self): ...")
    assert code_rules.mumbled_test_names(f"async def {name}(): ...")


def test_a_test_named_by_a_sentence_is_left_alone() -> None:
    assert not code_rules.mumbled_test_names("def test_no_query_raises(): ...\ndef make_campaign(): ...")


@pytest.mark.parametrize(
    "line", ["import adserver", "from adserver.storage import writer", "import pixel.events"]
)
def test_a_foreign_import_in_a_migration_is_caught(line: str) -> None:
    assert code_rules.foreign_imports(line, {"adserver", "pixel"}, {"adserver.storage.tables"})


@pytest.mark.parametrize("line", ["import sqlalchemy", "from adserver.storage import tables", "import os"])
def test_a_migrations_own_import_is_left_alone(line: str) -> None:
    assert not code_rules.foreign_imports(line, {"adserver", "pixel"}, {"adserver.storage.tables"})

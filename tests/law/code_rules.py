"""The rules of the house that can be read off the code: each takes a module's text and names its breaches."""

import ast
import re
from collections.abc import Iterator
from typing import NamedTuple

LONGEST_FUNCTION_LINES = 40
LONGEST_FILE_LINES = 500
SHORTEST_TEST_NAME_WORDS = 4  # the word test among them
BANNED_LAST_WORDS = {"manager", "helper", "helpers", "util", "utils", "base", "service", "services"}

CLOCK = "the clock"
DICE = "dice"
DISK = "the disk"
NETWORK = "the network"

# Dotted beginnings of names, and what whoever uses them reaches for. The longest match decides; None allows.
REACHES: dict[str, str | None] = {
    "time": CLOCK,
    "datetime.datetime.now": CLOCK,
    "datetime.datetime.utcnow": CLOCK,
    "datetime.datetime.today": CLOCK,
    "datetime.date.today": CLOCK,
    "random": DICE,
    "random.Random": None,  # the dice that are handed in have a type
    "secrets": DICE,
    "uuid.uuid1": DICE,
    "uuid.uuid4": DICE,
    "os.urandom": DICE,
    "numpy.random": DICE,
    "os": DISK,
    "io.open": DISK,
    "io.FileIO": DISK,
    "pathlib": DISK,
    "pathlib.PurePath": None,
    "pathlib.PurePosixPath": None,
    "shutil": DISK,
    "tempfile": DISK,
    "glob": DISK,
    "mmap": DISK,
    "sqlite3": DISK,
    "subprocess": DISK,
    "multiprocessing": DISK,
    "importlib": DISK,
    "pkgutil": DISK,
    "jinja2.FileSystemLoader": DISK,
    "jinja2.PackageLoader": DISK,
    "socket": NETWORK,
    "ssl": NETWORK,
    "selectors": NETWORK,
    "asyncio": NETWORK,
    "http.client": NETWORK,
    "http.server": NETWORK,
    "urllib.request": NETWORK,
    "smtplib": NETWORK,
    "httpx": NETWORK,
    "requests": NETWORK,
    "aiohttp": NETWORK,
}
DISK_BUILTINS = {"open", "input"}
DISK_METHODS = {"read_text", "read_bytes", "write_text", "write_bytes"}
CODE_BUILDERS = {"eval", "exec", "compile", "__import__"}
BROAD_EXCEPTIONS = {"Exception", "BaseException"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Breach(NamedTuple):
    """One place where the law is broken, and what to do about it."""

    line: int
    message: str


class LongFunction(NamedTuple):
    """A function above the limit: its dotted name within the module, and the lines of its body."""

    name: str
    line: int
    lines: int


def impurities(text: str, *, may_read_disk: bool = False) -> list[Breach]:
    """Uses of the clock, dice, disk or network in a room that is to be handed all four."""
    tree = ast.parse(text)
    found = {
        (line, name, reach)
        for line, name, reach in [*_reaching_imports(tree), *_reaching_uses(tree)]
        if not (reach == DISK and may_read_disk)
    }
    return [
        Breach(line, f"{name} reaches for {reach}; take it as an argument")
        for line, name, reach in sorted(found)
    ]


def built_code(text: str) -> list[Breach]:
    """Code that is put together at run time, which nobody can review."""
    tree = ast.parse(text)
    origins = _origins(tree)
    return [
        Breach(node.lineno, f"{node.func.id}() runs code that nobody can read here")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in CODE_BUILDERS
        and node.func.id not in origins
    ]


def swallowed_exceptions(text: str) -> list[Breach]:
    """Handlers of every exception that do nothing about it."""
    tree = ast.parse(text)
    origins = _origins(tree)
    return [
        Breach(node.lineno, "every exception is swallowed; name the one you expect, or count it")
        for node in ast.walk(tree)
        if (isinstance(node, ast.ExceptHandler) and _swallows(node))
        or (isinstance(node, ast.Call) and _suppresses_everything(node, origins))
    ]


def missing_sentence(text: str) -> list[Breach]:
    """A module that does not open with one sentence saying what it is for."""
    docstring = ast.get_docstring(ast.parse(text))
    if not docstring:
        return [Breach(1, "open the module with a docstring that says what it is for")]
    first_line, _, rest = docstring.partition("\n")
    is_sentence = first_line.endswith((".", "?", "!")) and not re.search(r"[.?!] [A-Z]", first_line)
    if not is_sentence or rest.split("\n")[0].strip():
        return [Breach(1, f"the docstring's first line is to be one whole sentence, and is: {first_line}")]
    return []


def banned_names(text: str, module_name: str) -> list[Breach]:
    """Names that end in a word which says nothing about the trade."""
    named = [(1, module_name)]
    named += [
        (node.lineno, node.name) for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ClassDef)
    ]
    return [
        Breach(line, f"{name} does not say what it is; use the field's own word")
        for line, name in named
        if _last_word(name) in BANNED_LAST_WORDS
    ]


def oversized(text: str) -> list[Breach]:
    """A file of more lines than one room holds."""
    lines = len(text.splitlines())
    if lines <= LONGEST_FILE_LINES:
        return []
    return [Breach(lines, f"{lines} lines, and a room holds {LONGEST_FILE_LINES}; is it still one room?")]


def long_functions(text: str) -> list[LongFunction]:
    """Functions whose body, without its docstring, does not fit a screen."""
    return [
        LongFunction(name, function.lineno, lines)
        for name, function in _functions(ast.parse(text))
        if (lines := _body_lines(function)) > LONGEST_FUNCTION_LINES
    ]


def ratchet(found: dict[str, int], allowed: dict[str, int]) -> list[str]:
    """Long functions beyond what is allowed, and allowances that are larger than needed."""
    grown = [
        f"{name}: {lines} lines, and a screen holds {allowed.get(name, LONGEST_FUNCTION_LINES)}"
        for name, lines in sorted(found.items())
        if lines > allowed.get(name, LONGEST_FUNCTION_LINES)
    ]
    stale = [
        f"{name}: is shorter than its allowance of {lines} lines; lower it, or strike it from the list"
        for name, lines in sorted(allowed.items())
        if found.get(name, 0) < lines
    ]
    return grown + stale


def mumbled_test_names(text: str) -> list[Breach]:
    """Tests whose name is no sentence."""
    return [
        Breach(function.lineno, f"{function.name} is no sentence of fact")
        for _, function in _functions(ast.parse(text))
        if function.name.startswith("test_")
        and len([word for word in function.name.split("_") if word]) < SHORTEST_TEST_NAME_WORDS
    ]


def foreign_imports(text: str, ours: set[str], allowed: set[str]) -> list[Breach]:
    """Imports of our own packages other than the allowed modules."""
    return [
        Breach(line, f"imports {name}; only {', '.join(sorted(allowed))} is allowed here")
        for line, name in _imports(ast.parse(text))
        if name.split(".")[0] in ours and not any(_is_within(name, module) for module in allowed)
    ]


def _reaching_imports(tree: ast.Module) -> Iterator[tuple[int, str, str]]:
    for line, name in _imports(tree):
        if reach := _reach_of(name):
            yield line, name, reach


def _reaching_uses(tree: ast.Module) -> Iterator[tuple[int, str, str]]:
    origins = _origins(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name):
            name = _dotted(node, origins)
            if name and (reach := _reach_of(name)):
                yield node.lineno, name, reach
        if isinstance(node, ast.Name) and node.id in DISK_BUILTINS and node.id not in origins:
            yield node.lineno, node.id, DISK
        if isinstance(node, ast.Attribute) and node.attr in DISK_METHODS:
            yield node.lineno, node.attr, DISK
        if isinstance(node, ast.Call) and _is_unseeded(node, origins):
            yield node.lineno, "random.Random without a seed", DICE


def _is_unseeded(call: ast.Call, origins: dict[str, str]) -> bool:
    return _dotted(call.func, origins) == "random.Random" and not (call.args or call.keywords)


def _reach_of(name: str) -> str | None:
    matches = [beginning for beginning in REACHES if _is_within(name, beginning)]
    return REACHES[max(matches, key=len)] if matches else None


def _is_within(name: str, beginning: str) -> bool:
    return name == beginning or name.startswith(f"{beginning}.")


def _imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Each imported name in full, with its line; relative imports are our own and carry no package here."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def _origins(tree: ast.Module) -> dict[str, str]:
    """The full name behind each name that an import binds."""
    origins = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.split(".")[0]
                origins[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            for alias in node.names:
                origins[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return origins


def _dotted(node: ast.expr, origins: dict[str, str]) -> str | None:
    """The full name that an expression such as `clock.now` means, if it begins with an import."""
    if isinstance(node, ast.Name):
        return origins.get(node.id)
    if isinstance(node, ast.Attribute) and (owner := _dotted(node.value, origins)):
        return f"{owner}.{node.attr}"
    return None


def _swallows(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:  # a bare except catches even the wish to stop
        return True
    return _is_broad(handler.type) and all(_ignores(statement) for statement in handler.body)


def _suppresses_everything(call: ast.Call, origins: dict[str, str]) -> bool:
    return _dotted(call.func, origins) == "contextlib.suppress" and any(_is_broad(each) for each in call.args)


def _is_broad(expression: ast.expr) -> bool:
    if isinstance(expression, ast.Tuple):
        return any(_is_broad(element) for element in expression.elts)
    return isinstance(expression, ast.Name) and expression.id in BROAD_EXCEPTIONS


def _ignores(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Pass | ast.Continue | ast.Break):
        return True
    if isinstance(statement, ast.Expr | ast.Return):
        return statement.value is None or isinstance(statement.value, ast.Constant)
    return False


def _functions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, Function]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, Function):
            yield f"{prefix}{node.name}", node
            yield from _functions(node, f"{prefix}{node.name}.")
        elif isinstance(node, ast.ClassDef):
            yield from _functions(node, f"{prefix}{node.name}.")
        else:
            yield from _functions(node, prefix)


def _body_lines(function: Function) -> int:
    body = function.body
    has_docstring = ast.get_docstring(function, clean=False) is not None
    if has_docstring and len(body) == 1:
        return 0
    first = body[1] if has_docstring else body[0]
    return (function.end_lineno or first.lineno) - first.lineno + 1


def _last_word(name: str) -> str:
    return re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+", name)[-1].lower() if name.strip("_") else ""

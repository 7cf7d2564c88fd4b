"""A script of ours as it is served: without comments and spaces, its own names shortened."""

import re
from collections import Counter
from collections.abc import Iterator
from itertools import count, pairwise, product

_TOKEN = re.compile(r"(?P<left_out>/\*.*?\*/|//[^\n]*|\s+)|'(?:[^'\\\n]|\\.)*'|[\w$]+|\.\.\.|.", re.DOTALL)
_PATTERN = re.compile(r"/(?![/*])(?:\[(?:[^\]\\\n]|\\.)*\]|\\.|[^/\\\n\[])+/[a-z]*")
_DECLARED = re.compile(r"\b(?:const|let) (\w+)|\((\w+(?:, \w+)*)\) =>")
_LETTERS = "etnasirodlcpmuhfgvbywkxqjz"  # the frequent ones first: they cost a compressor least
_RESERVED = frozenset({"as", "do", "if", "in", "of"})
_OPENING, _CLOSING = ("(", "[", "{"), (")", "]", "}")


def compact(script: str) -> str:
    """The same program in fewer bytes.

    It reads what our own scripts are written in, and no more: statements end with a semicolon, texts stand
    in single quotes. A name declared with `const`, `let` or as an arrow's parameter is shortened, unless
    it is a property's name too; each has one short name all over the script.
    """
    tokens = list(_without_idle_marks(_tokens(script)))
    declared = set(re.findall(r"\w+", " ".join(map(" ".join, _DECLARED.findall(script)))))
    ours = declared - _names_of_properties(tokens)
    used = Counter(token for token in tokens if token in ours)
    shorter = dict(
        zip([name for name, _ in used.most_common()], _free(_RESERVED.union(tokens)), strict=False)
    )
    return "".join(
        f" {token}" if _is_word(before[-1:]) and _is_word(token[0]) else token
        for before, token in pairwise(["", *(shorter.get(token, token) for token in tokens)])
    )


def _tokens(script: str) -> Iterator[str]:
    place, before = 0, ""
    while place < len(script):
        divides = before != "return" and (_is_word(before[-1:]) or before in _CLOSING)
        found = (not divides and _PATTERN.match(script, place)) or _TOKEN.match(script, place)
        assert found
        place = found.end()
        if found.lastgroup is None:
            before = found[0]
            yield before


def _without_idle_marks(tokens: Iterator[str]) -> Iterator[str]:
    """Without the comma or semicolon that stands before a closing bracket."""
    for token, after in pairwise([*tokens, ""]):
        if token not in (",", ";") or after not in ("}", "]"):
            yield token


def _names_of_properties(tokens: list[str]) -> set[str]:
    """What stands after a point, or in the braces of an object before a colon or alone."""
    names: set[str] = set()
    open_brackets = [""]
    for before, token, after in zip(["", *tokens], tokens, [*tokens[1:], ""], strict=False):
        if token in _OPENING:
            open_brackets.append(token)
        elif token in _CLOSING:
            open_brackets.pop()
        is_key = open_brackets[-1] == "{" and before in ("{", ",") and after in ("}", ",", ":")
        if before == "." or is_key:
            names.add(token)
    return names


def _free(taken: set[str] | frozenset[str]) -> Iterator[str]:
    for size in count(1):
        yield from (name for name in map("".join, product(_LETTERS, repeat=size)) if name not in taken)


def _is_word(character: str) -> bool:
    return character.isalnum() or character in ("_", "$")

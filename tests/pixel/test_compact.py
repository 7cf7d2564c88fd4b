"""A script in fewer bytes is the same program: what is shortened, and what must stay as it is."""

import pytest

from pixel.compact import compact

KEPT = {
    "comments and spaces": ("/* a\n b */ go( 1,  2 ); // c\n", "go(1,2);"),
    "what looks like a comment in a text": ("go('// no', 'it\\'s /* no');", "go('// no','it\\'s /* no');"),
    "what looks like a comment in a pattern": ("go(/[/*]\\/\\/x/g);", "go(/[/*]\\/\\/x/g);"),
    "a pattern with stars": ("const cc = 1; go(/c* cc*/g, '//');", "const e=1;go(/c* cc*/g,'//');"),
    "a pattern that is returned": (
        "const bb = 1; return /\\bb b/.test(bb);",
        "const e=1;return/\\bb b/.test(e);",
    ),
    "a division": ("const wide = 4; go(wide / 2 / wide);", "const e=4;go(e/2/e);"),
    "words that must not run together": ("return typeof thing;", "return typeof thing;"),
    "idle commas and semicolons": ("go({ a: 1, }, [1, 2,]); if (x) { go(); }", "go({a:1},[1,2]);if(x){go()}"),
    "names of our own": ("const long = (given, other) => long(given, other);", "const e=(t,n)=>e(t,n);"),
    "names of properties": ("const value = 1; go(it.value, value);", "const value=1;go(it.value,value);"),
    "keys": ("let value = 1; go({ value: 2 }, value);", "let value=1;go({value:2},value);"),
    "shorthand": ("const value = 1; go({ other, value });", "const value=1;go({other,value});"),
    "a name before a ternary's colon": ("const some = 1; go(x ? some : 0);", "const e=1;go(x?e:0);"),
    "what is spread": ("const some = {}; go({ ...some }, ...some);", "const e={};go({...e},...e);"),
    "names that are taken": ("const some = e;", "const t=e;"),
}


@pytest.mark.parametrize("what", KEPT)
def test_only_what_may_be_shortened_is(what: str) -> None:
    script, expected = KEPT[what]
    assert compact(script) == expected

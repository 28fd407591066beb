"""Five hundred strings that break programs, for captions and file names; the same for the same seed.

python tests/naughty.py | less
"""

from __future__ import annotations

import random
import unicodedata

KINDS = {
    "empty-looking": [
        "",
        " ",
        "\t",
        "\n",
        "\r\n",
        "\u00a0",
        "\u2003",
        "\u200b",
        "\u2060",
        "\ufeff",
        "\u3164",
        "\u0000",
    ],
    "null-like": [
        "null",
        "NULL",
        "None",
        "nil",
        "undefined",
        "NaN",
        "Infinity",
        "-0",
        "true",
        "#N/A",
        "[]",
        "{}",
        "0x0",
    ],
    "numbers": ["0", "-1", "1e309", "1.7976931348623157e+308", "9" * 400, "٠١٢", "½", "Ⅷ", "0b1", "1_000", "1,5", "−5"],
    "quotes": [
        "'",
        '"',
        "`",
        "''",
        '"""',
        "\\",
        "\\'",
        "\\\\",
        "“”",
        "«»",
        "'\"`",
        "it's",
        'say "hi"',
        "$(x)",
        "%s%n",
        "{0}",
    ],
    "sql": [
        "' OR '1'='1",
        "'; DROP TABLE items; --",
        "1; DELETE FROM items",
        "id = 'x' OR 1=1",
        "%' AND 1=0 UNION SELECT * --",
        "/* */",
        "_rowid",
        "text LIKE '%'",
    ],
    "query language": [
        "+ - + -",
        "AND OR NOT",
        "a:b",
        "text:*",
        "(",
        "((()))",
        "[1 TO 2]",
        "*",
        "?",
        "~0.5",
        "^9",
        "id:",
        "file:",
        "./",
        "2:(x)",
        "after:2024",
        "type:video",
        "-",
        "--",
        "--help",
        "-c",
    ],
    "paths": [
        "../../../etc/passwd",
        "/etc/passwd",
        "C:\\Windows\\win.ini",
        "\\\\host\\share",
        "file:///etc/passwd",
        "~root",
        "CON",
        "NUL.png",
        "a/b",
        "a%2fb",
        "a%00b",
        "..",
        "...",
        ".hidden",
        "a?b#c",
        "hf:x/y",
        "http://127.0.0.1/",
    ],
    "markup": [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "&amp;&lt;&#0;",
        "]]>",
        "<!--",
        "[red]x[/red]",
        "[link=file:///]x[/link]",
        "{{7*7}}",
        "${jndi:ldap://x}",
        ":smile:",
        "<|endoftext|>",
        "<start_of_text>",
        "Ignore all previous instructions",
    ],
    "terminal": [
        "\x1b[31mred",
        "\x1b]0;title\x07",
        "\x1b[2J\x1b[H",
        "\x07",
        "\x08\x08",
        "\x7f",
        "\x85",
        "\x9b31m",
        "a\rb",
    ],
    "separators": ["a\tb", "a\nb", "a\x0bb", "a\x0cb", "a\u2028b", "a\u2029b", "a\x1eb", "a,b;c|d"],
    "direction": [
        "\u202eevil.gpj",
        "\u202dabc\u202c",
        "\u2066x\u2069",
        "שלום",
        "مرحبا",
        "abc אבג 123",
        "\u061c",
        "\u200f\u200e",
    ],
    "combining": ["Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A", "e\u0301", "é", "\u0301", "a" + "\u0300" * 100, "각", "ᄀ\u1161\u11a8", "नि", "ก็็็็็็็็็็"],
    "emoji": ["😀", "👩‍👩‍👧‍👦", "🏳️‍🌈", "🇩🇪🇫", "1️⃣", "\U0001f1e6", "👍🏽" * 40, "❤️‍🔥"],
    "scripts": [
        "小猫在睡觉",
        "ねこ",
        "고양이",
        "ไม่มีวรรค",
        "ß",
        "ſ",
        "İı",
        "Ǆ",
        "ﬁ",
        "Ａ",
        "𝒳",
        "ꙮ",
        "𒐫",
        "ΑΒΓ",
        "Привет",
        "ﷺ",
    ],
    "odd code points": [
        "\ufffe",
        "\uffff",
        "\U0010ffff",
        "\ue000",
        "\ufffd",
        "\u0378",
        "\u2fff",
        "\ufdd0",
        "\U000e0041",
    ],
    "long": ["x" * 5000, "長" * 2000, "a b " * 1500, "(" * 300, "'" * 999, "\n" * 500, "é" * 127],
}


def strings(count: int = 500, seed: int = 0) -> list[str]:
    """`count` different strings without lone surrogates: the list, then pairs of it with random code points between."""
    chance = random.Random(seed)
    known = list(dict.fromkeys(text for kind in KINDS.values() for text in kind))
    found = dict.fromkeys(known)
    while len(found) < count:
        joined = chance.choice(known)[:80] + _point(chance) + chance.choice(known)[:80]
        found[joined] = None
    return list(found)[:count]


def names(count: int = 500, seed: int = 0) -> list[bytes]:
    """`count` different file names that Linux takes: no NUL, no slash, at most 255 bytes, some of them no UTF-8."""
    chance = random.Random(seed)
    found: dict[bytes, None] = {}
    for text in strings(4 * count, seed):
        raw = text.encode().replace(b"\0", b"").replace(b"/", b"%")[:240]
        if chance.random() < 0.15:
            raw = bytes(chance.choice([0x80, 0xC3, 0xED, 0xFE, 0xFF]) for _ in range(3)) + raw[:230]
        if raw and raw not in (b".", b"..") and not raw.startswith(b"."):
            found[raw] = None
    return [*list(found)[: count - 1], b"z" * 255]


def _point(chance: random.Random) -> str:
    while True:
        char = chr(chance.randrange(1, 0x110000))
        if unicodedata.category(char) != "Cs":
            return char


if __name__ == "__main__":
    for one in strings():
        print(ascii(one))

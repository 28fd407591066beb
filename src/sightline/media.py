"""Bytes of one picture -> an upright RGB image, or a reason why not. Also back: small JPEGs, crops for encoders.

Pure and thread-safe: knows nothing of files, sources, encoders or collections. Every byte is taken for hostile.
Try it: `python -c "from sightline import media; print(media.decode(open('a.jpg', 'rb').read()))"`.
"""

from __future__ import annotations

import io
import logging
import re
import struct
import threading
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

import numpy as np
from PIL import Image

from sightline.errors import BadMedia
from sightline.schema import Place, SkipReason
from sightline.signatures import FORMATS, HEAD, PNG, check_head, has_heif
from sightline.signatures import sniff as sniff  # media.sniff is where a reader looks for it

MAX_PIXELS = 89_478_485
MAX_ASPECT = 100
MAX_FRAMES = 64
MAX_SCANS = 100
PREVIEW = 1024
THUMBNAIL = 256


@dataclass(frozen=True, slots=True)
class Decoded:
    """One decoded picture. `image` is upright RGB without metadata, perhaps smaller than the original.

    `width` and `height` are the original's, upright, in pixels. `captured_at` is UTC. `format` is Pillow's word.
    `camera` and `place` are what EXIF says.
    """

    image: Image.Image
    width: int
    height: int
    captured_at: datetime | None
    format: str
    camera: str = ""
    place: Place | None = None


def decode(data: bytes, *, target: int | None = None, longest: int | None = None) -> Decoded:
    """The first frame of a picture, upright, in RGB; transparency lies on white; 16 bits are scaled to 8.

    With `target` (pixels of the side that the encoder needs) a JPEG is decoded at 1/2, 1/4 or 1/8 where that leaves
    its short side at 1.5 * target or more and, with `longest`, its long side at `longest` pixels or more (a preview
    from the same decode). Nothing is enlarged. Raises BadMedia, and only that, for anything that is not wanted.
    Colour profiles are not applied, as in the training of CLIP; a naive EXIF time is local time.
    """
    check_head(data[:HEAD])
    _hush()
    try:
        return _decode(data, target, longest)
    except BadMedia:
        raise
    except (Image.DecompressionBombError, MemoryError) as error:
        raise BadMedia(SkipReason.TOO_LARGE, _say(error)) from error
    except Exception as error:  # Pillow lets ValueError, TypeError, SyntaxError, struct.error… out of bad files
        raise BadMedia(SkipReason.UNDECODABLE, _say(error)) from error


def upright(data: bytes) -> Image.Image:
    """`decode(data).image`: for those who want the picture and nothing else. Raises BadMedia."""
    return decode(data).image


def jpeg(image: Image.Image, *, longest: int, quality: int = 85) -> bytes:
    """A JPEG without metadata whose longest side is at most `longest` pixels; never enlarged. `image` is RGB."""
    scale = min(1.0, longest / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    small = image.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0) if scale < 1 else image.copy()
    small.info = {}  # Pillow would write its comment and density
    out = io.BytesIO()
    small.save(out, "JPEG", quality=quality)
    return out.getvalue()


def fit_shortest(image: Image.Image, size: int, resample: Image.Resampling = Image.Resampling.BICUBIC) -> Image.Image:
    """The centre square, (size, size): what "resize the short side to `size`, then centre crop" gives, cheaper.

    The crop is taken first, as a box in the coordinates of `image`, and only its pixels are resized, so that a
    long strip costs no more than a square. transformers and open_clip make the long side int(size * long / short) =: L
    pixels and cut at left = (L - size) // 2; here the box is [left, left + size) * long / L. Same filter and
    phase as transformers; the levels differ by 0.25 of 255 on average where Pillow takes the axes in another order, and
    not at all elsewhere. open_clip rounds `left` half to even: at most one pixel of L off.
    """
    short, long = sorted(image.size)
    resized = int(size * long / short)
    left = (resized - size) // 2
    low, high = left * long / resized, (left + size) * long / resized
    box = (low, 0, high, short) if image.width >= image.height else (0, low, short, high)
    return image.resize((size, size), resample, box=box)


def squash(
    image: Image.Image, size: tuple[int, int], resample: Image.Resampling = Image.Resampling.BICUBIC
) -> Image.Image:
    """The whole picture in (width, height) pixels, its aspect given up: `resize_mode` squash of SigLIP models."""
    return image.resize(size, resample)


def _decode(data: bytes, target: int | None, longest: int | None) -> Decoded:
    _check_structure(data)
    image = _open(data)
    _check_size(image.size)
    _check_frames(image, data)
    size = image.size
    if target is not None and image.format in ("JPEG", "MPO"):
        _draft(image, target, longest or 1)
    image.load()
    exif = _exif(image)
    rgb = _rgb(image)
    orientation = exif.get(0x0112)
    if isinstance(orientation, int) and orientation in _TURNS:
        rgb = rgb.transpose(_TURNS[orientation])
        size = size if orientation < 5 else size[::-1]
    rgb.info = {}
    return Decoded(
        image=rgb,
        width=size[0],
        height=size[1],
        captured_at=_captured_at(exif),
        format="JPEG" if image.format == "MPO" else str(image.format),
        camera=_camera(exif),
        place=_place(exif),
    )


def _open(data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=_formats())
    except ValueError as error:
        # Pillow gives a PNG up for more than 1 MB of packed text or colour profile: neither is wanted
        if not data.startswith(PNG) or "Decompressed data too large" not in str(error):
            raise
    return Image.open(io.BytesIO(_without_text(data)), formats=_formats())


@cache
def _formats() -> tuple[str, ...]:
    # imported here so that Image.open never falls back to loading every plugin of Pillow
    from PIL import AvifImagePlugin, IcoImagePlugin, Jpeg2KImagePlugin, TiffImagePlugin, WebPImagePlugin  # noqa: F401

    if not has_heif():
        return FORMATS
    import pillow_heif

    pillow_heif.register_heif_opener()
    return (*FORMATS, "HEIF")


def _without_text(png: bytes) -> bytes:
    kept, at = [PNG], len(PNG)
    while at + 8 <= len(png):
        end = at + 12 + int.from_bytes(png[at : at + 4])
        if png[at + 4 : at + 8] not in (b"tEXt", b"zTXt", b"iTXt", b"iCCP"):
            kept.append(png[at:end])
        at = end
    return b"".join(kept)


def _check_structure(data: bytes) -> None:
    """Refuses what Pillow would decode while opening, or for hours."""
    if data.startswith(b"\x00\x00\x01\x00"):  # an icon is decoded by opening it
        for header in re.finditer(rb"IHDR(.{8})", data, re.DOTALL):
            _check_size(struct.unpack(">II", header[1]))
    if data.startswith(b"\xff\xd8") and _scans(data) > MAX_SCANS:
        raise BadMedia(SkipReason.TOO_SLOW, f"JPEG of more than {MAX_SCANS} scans")


def _scans(data: bytes) -> int:
    """Scans of a JPEG, counted up to MAX_SCANS + 1; each costs a pass over all its pixels."""
    scans, at = 0, 2
    while scans <= MAX_SCANS:
        marker = _MARKER.search(data, at)
        if marker is None or marker[0] == b"\xff\xd9":
            break
        scans += marker[0] == b"\xff\xda"
        at = marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2])
    return scans


_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]")


def _check_size(size: tuple[int, ...]) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise BadMedia(SkipReason.UNDECODABLE, f"{width} x {height} pixels")
    if width * height > MAX_PIXELS:
        raise BadMedia(SkipReason.TOO_LARGE, f"{width} x {height} pixels, more than {MAX_PIXELS:,}")
    if max(size) > MAX_ASPECT * min(size):
        raise BadMedia(SkipReason.BAD_ASPECT, f"{width} x {height} pixels, longer than {MAX_ASPECT}:1")


def _check_frames(image: Image.Image, data: bytes) -> None:
    if image.format == "GIF":
        frames = _gif_frames(data)
    elif image.format == "TIFF":
        frames = _tiff_frames(data) if getattr(image, "is_animated", False) else 1
    else:
        frames = int(getattr(image, "n_frames", 1))
    if frames > MAX_FRAMES:
        raise BadMedia(SkipReason.TOO_LARGE, f"more than {MAX_FRAMES} frames")


def _gif_frames(data: bytes) -> int:
    """Frames of a GIF, counted up to MAX_FRAMES + 1 by walking its blocks: Pillow would paint each."""
    at = 13 + _colours(data[10])
    frames = 0
    while at + 10 < len(data) and frames <= MAX_FRAMES:
        if data[at] == 0x21:
            at += 2
        elif data[at] == 0x2C:
            frames += 1
            at += 11 + _colours(data[at + 9])
        else:
            break
        while at < len(data) and data[at]:
            at += 1 + data[at]
        at += 1
    return frames


def _colours(flags: int) -> int:
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _tiff_frames(data: bytes) -> int:
    """MAX_FRAMES + 1 when there are so many, else 1; a damaged later directory does not spoil the first frame."""
    try:
        _open(data).seek(MAX_FRAMES)
    except Exception:
        return 1
    return MAX_FRAMES + 1


def _draft(image: Image.Image, target: int, longest: int) -> None:
    short, long = sorted(image.size)
    for scale in (8, 4, 2):
        if short // scale >= 1.5 * target and long // scale >= longest:
            image.draft(image.mode, (image.width // scale, image.height // scale))
            return


def _exif(image: Image.Image) -> dict[int, object]:
    """The main and the EXIF directory in one mapping; whatever cannot be read is left out."""
    found: dict[int, object] = {}
    try:
        main = image.getexif()
        found.update(main)
        found.update(main.get_ifd(0x8769))
        found[_GPS] = main.get_ifd(_GPS)
    except Exception:
        return found
    return found


_GPS = 0x8825
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _captured_at(exif: Mapping[int, object]) -> datetime | None:
    """DateTimeOriginal with OffsetTimeOriginal, in UTC; None when absent, all zeros or nonsense."""
    taken = re.match(r"\s*(\d{4})\D(\d\d)\D(\d\d)\D(\d\d)\D(\d\d)\D(\d\d)", str(exif.get(0x9003, "")))
    if taken is None:
        return None
    offset = re.match(r"\s*(?:(Z)|([+-]\d\d):?(\d\d))", str(exif.get(0x9011, "")))
    stamp = "{}-{}-{}T{}:{}:{}".format(*taken.groups())
    if offset is not None:
        stamp += "+00:00" if offset[1] else f"{offset[2]}:{offset[3]}"
    try:
        return datetime.fromisoformat(stamp).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _camera(exif: Mapping[int, object]) -> str:
    """Maker and model, the maker once: "Canon EOS 5D", "Apple iPhone 12"."""
    maker, model = (" ".join(_PRINTABLE.sub(" ", str(exif.get(tag) or "")).split())[:60] for tag in (0x010F, 0x0110))
    known = maker and model.lower().startswith(maker.split()[0].lower())
    return model if known or not maker else f"{maker} {model}".strip()


_PRINTABLE = re.compile(r"[^\x20-\x7e\xa0-\ud7ff\ue000-\U0010ffff]|[\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def _place(exif: Mapping[int, object]) -> Place | None:
    """GPSLatitude and GPSLongitude in degrees; None when absent or nonsense, also for 0, 0, which means "no signal"."""
    said = exif.get(_GPS)
    if not isinstance(said, Mapping):
        return None
    try:
        latitude, longitude = (
            (-1 if str(said[side]).strip().upper()[:1] in ("S", "W") else 1)
            * sum(float(part) / 60**power for power, part in enumerate(said[value]))
            for side, value in ((1, 2), (3, 4))
        )
    except (KeyError, TypeError, ValueError, ArithmeticError):
        return None
    if not (abs(latitude) <= 90 and abs(longitude) <= 180) or (latitude, longitude) == (0, 0):  # also NaN
        return None
    return Place(round(latitude, 6), round(longitude, 6))


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F" or image.mode.startswith("I"):
        return _levels(image).convert("RGB")
    key = image.info.get("transparency")
    if isinstance(key, tuple) and max(key) > 255:  # a 16-bit key beside pixels that Pillow has cut to 8 bits
        image.info["transparency"] = tuple(level >> 8 for level in key)
    if image.has_transparency_data:
        rgba = image.convert("LA").convert("RGBA") if image.mode == "La" else image.convert("RGBA")
        canvas = Image.new("RGB", rgba.size, "white")
        canvas.paste(rgba, mask=rgba.getchannel("A"))
        return canvas
    return image.convert("RGB")


def _levels(image: Image.Image) -> Image.Image:
    """Grey of 16 or 32 bits or floats as 8-bit grey; what is in no usual range is stretched from black to white."""
    values = np.asarray(image)  # (h, w)
    if image.mode.startswith("I;16"):
        grey = (values >> 8).astype(np.uint8)
    else:
        values = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
        low, high = float(values.min()), float(values.max())
        if image.mode == "F":
            usual = [top for top in (1.0, 255.0) if low >= 0 and high <= top]
        else:
            usual = [top for top in (255.0, 65535.0) if low >= 0 and high <= top]
            usual = [65535.0] if image.format == "PPM" else usual
        bottom, top = (0.0, usual[0]) if usual else (low, high)
        grey = ((values - bottom) * np.float32(255 / max(top - bottom, 1e-12))).clip(0, 255).round().astype(np.uint8)
    key = image.info.get("transparency")
    if isinstance(key, int):
        grey = np.where(np.asarray(image) == key, np.uint8(255), grey)
    return Image.fromarray(grey)


logging.getLogger("PIL").addHandler(logging.NullHandler())  # or its complaints of bad files reach stderr
_HUSHED = r"PIL\b"
_HUSH = threading.Lock()


def _hush() -> None:
    """Puts a filter for Pillow's own warnings first, in the whole process, and leaves it there.

    `warnings.catch_warnings` swaps a global and would race; a warning turned into an error would make a picture's
    fate depend on the caller's filters. Everything that Pillow warns of is either checked here or harmless.
    """
    first = warnings.filters[0] if warnings.filters else None
    if first is not None and getattr(first[3], "pattern", None) == _HUSHED:
        return
    with _HUSH:
        warnings.filterwarnings("ignore", module=_HUSHED)


def _say(error: BaseException) -> str:
    text = re.sub(r" <_io\.BytesIO[^>]*>", "", str(error))
    return f"{type(error).__name__}: {text}".replace("\n", " ")[:200]

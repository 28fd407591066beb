"""One hundred broken, odd and hostile files, the same for the same seed, each with what must become of it.

    python tests/odd_images.py FOLDER [SEED]

`expected` is the set of allowed outcomes: INDEXED or skip reasons; more than one only where a mutation makes it
unforeseeable. Names end in the suffix that a person would see, which is often a lie.
"""

from __future__ import annotations

import io
import random
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

from sightline.schema import SkipReason

INDEXED = "indexed"
COUNT = 100
EMPTY, NOT_IMAGE, BROKEN = SkipReason.EMPTY, SkipReason.NOT_AN_IMAGE, SkipReason.UNDECODABLE
LARGE, ASPECT, FORBIDDEN = SkipReason.TOO_LARGE, SkipReason.BAD_ASPECT, SkipReason.FORMAT_NOT_ALLOWED
ELSEWHERE, SLOW = SkipReason.UNSUPPORTED_MODALITY, SkipReason.TOO_SLOW
ANY = frozenset({INDEXED, NOT_IMAGE, BROKEN, LARGE, ASPECT, FORBIDDEN, ELSEWHERE, SLOW})


@dataclass(frozen=True, slots=True)
class Odd:
    name: str
    data: bytes
    expected: frozenset[str]


def make(folder: Path, seed: int = 0) -> dict[str, frozenset[str]]:
    """Writes the files into `folder` (made if need be); returns file name -> allowed outcomes."""
    folder.mkdir(parents=True, exist_ok=True)
    files = everything(seed)
    for odd in files:
        (folder / odd.name).write_bytes(odd.data)
    return {odd.name: odd.expected for odd in files}


def everything(seed: int = 0) -> list[Odd]:
    chance = random.Random(seed)
    found = [Odd(name, data, _set(expected)) for name, data, expected in _known(picture(seed))]
    mutants = _mutants(picture(seed), chance)
    while len(found) < COUNT:
        found.append(next(mutants))
    assert len(found) == COUNT == len({odd.name for odd in found})
    return found


def picture(seed: int, size: tuple[int, int] = (96, 64)) -> Image.Image:
    """Colour ramps with some grain: compresses like a photograph, and its corners differ."""
    width, height = size
    x, y = np.meshgrid(np.linspace(0, 200, width), np.linspace(0, 200, height))
    grain = np.random.default_rng(seed).integers(0, 40, (height, width, 3))
    return Image.fromarray((np.stack([x, y, 200 - x], -1) + grain).astype(np.uint8))


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


Known = tuple[str, bytes, "str | frozenset[str]"]


def _set(expected: str | frozenset[str]) -> frozenset[str]:
    return expected if isinstance(expected, frozenset) else frozenset({expected})


def _known(base: Image.Image) -> Iterator[Known]:
    yield from _formats(base)
    yield from _modes(base)
    yield from _jpegs(base)
    yield from _pngs(base)
    yield from _frames(base)
    yield from _tiffs(base)
    yield from _no_pictures()
    yield from _lies(base)


def _formats(base: Image.Image) -> Iterator[Known]:
    for kind, suffix in (("WEBP", "webp"), ("BMP", "bmp"), ("AVIF", "avif"), ("JPEG2000", "jp2"), ("PPM", "ppm")):
        yield f"plain.{suffix}", encoded(base, kind), INDEXED
    yield "plain.ico", encoded(base.resize((32, 32)), "ICO"), INDEXED
    yield "bitmap.pbm", encoded(base.convert("1"), "PPM"), INDEXED
    yield "one_pixel.png", encoded(base.resize((1, 1)), "PNG"), INDEXED


def _modes(base: Image.Image) -> Iterator[Known]:
    deep = np.asarray(base.convert("L")).astype(np.uint16) * 257
    yield "grey_16_bit.png", encoded(Image.fromarray(deep), "PNG"), INDEXED
    yield "grey_16_bit.tif", encoded(Image.fromarray(deep), "TIFF"), INDEXED
    yield "grey_32_bit.tif", encoded(Image.fromarray(deep.astype(np.int32) * 1000), "TIFF"), INDEXED
    yield (
        "float_with_nan.tif",
        encoded(Image.fromarray(np.where(deep > 60000, np.nan, deep / 65535.0).astype("f4")), "TIFF"),
        INDEXED,
    )
    yield "rgb_16_bit.png", _png(16, 2, deep.repeat(3, 1).astype(">u2")), INDEXED
    yield "rgb_16_bit_keyed.png", _png(16, 2, deep.repeat(3, 1).astype(">u2"), (b"tRNS", b"\xff\xff" * 3)), INDEXED
    yield "grey_16_bit_keyed.png", _png(16, 0, deep.astype(">u2"), (b"tRNS", b"\xff\xff")), INDEXED
    clear = base.copy()
    clear.putalpha(Image.linear_gradient("L").resize(base.size))
    yield "alpha.png", encoded(clear, "PNG"), INDEXED
    yield "alpha.webp", encoded(clear, "WEBP", lossless=True), INDEXED
    yield "grey_alpha.png", encoded(clear.convert("LA"), "PNG"), INDEXED
    yield "palette_clear.png", encoded(base.quantize(16), "PNG", transparency=3), INDEXED
    yield "palette_clear.gif", encoded(base.quantize(16), "GIF", transparency=3), INDEXED
    yield "palette_alphas.png", encoded(base.quantize(4), "PNG", transparency=b"\x00\x80\xff"), INDEXED
    yield "keyed.png", encoded(base, "PNG", transparency=(10, 20, 30)), INDEXED
    yield "cmyk.jpg", encoded(base.convert("CMYK"), "JPEG"), INDEXED
    yield "cmyk.tif", encoded(base.convert("CMYK"), "TIFF"), INDEXED
    lab = base.convert("LAB")
    lab.info.clear()  # its profile holds the time of day
    yield "lab.tif", encoded(lab, "TIFF"), INDEXED
    yield "ycbcr.tif", encoded(base.convert("YCbCr"), "TIFF"), INDEXED


def _jpegs(base: Image.Image) -> Iterator[Known]:
    plain = encoded(base, "JPEG")
    for turn in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = turn
        yield f"turned_{turn}.jpg", encoded(base, "JPEG", exif=exif), INDEXED
    progressive = encoded(base, "JPEG", progressive=True)
    yield "progressive.jpg", progressive, INDEXED
    last = progressive.rindex(b"\xff\xda")
    yield "endless_scans.jpg", progressive[:last] + progressive[last:-2] * 500 + b"\xff\xd9", SLOW
    yield "grey.jpg", encoded(base.convert("L"), "JPEG"), INDEXED
    yield "huge_profile.jpg", encoded(base, "JPEG", icc_profile=bytes(2**20)), INDEXED
    loop = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<HHHII", 1, 0x8769, 4, 1, 8) + struct.pack("<I", 8)
    yield "exif_loop.jpg", _with_segment(plain, 0xE1, loop), INDEXED
    yield "exif_garbage.jpg", _with_segment(plain, 0xE1, b"Exif\0\0MM\0*" + b"\xff" * 200), INDEXED
    dated = Image.Exif()
    dated.get_ifd(0x8769).update({0x9003: "9999:99:99 99:99:99", 0x9011: "+99:99"})
    yield "impossible_date.jpg", encoded(base, "JPEG", exif=dated), INDEXED
    yield "motion_photo.jpg", plain + b"\0\0\0\x18ftypmp42" + b"\xff\xda" * 5000, INDEXED
    yield "two_pictures.jpg", encoded(base, "MPO", save_all=True, append_images=[base.rotate(180)]), INDEXED
    yield "no_end.jpg", plain[:-2], frozenset({INDEXED, BROKEN})
    arithmetic = plain.replace(b"\xff\xc0", b"\xff\xc9", 1)
    yield "arithmetic.jpg", arithmetic, frozenset({INDEXED, BROKEN})
    yield "twelve_bits.jpg", _patched(plain, plain.index(b"\xff\xc0") + 4, b"\x0c"), frozenset({INDEXED, BROKEN})
    yield "giant.jpg", _patched(plain, plain.index(b"\xff\xc0") + 5, struct.pack(">HH", 65500, 65500)), LARGE
    yield "only_start.jpg", plain[:2], NOT_IMAGE
    for share in (10, 50, 95):
        yield f"cut_at_{share}.jpg", plain[: len(plain) * share // 100], BROKEN
    half = len(plain) // 2
    yield "zeros_behind.jpg", plain[:half] + bytes(len(plain) - half), frozenset({INDEXED, BROKEN})


def _pngs(base: Image.Image) -> Iterator[Known]:
    plain = encoded(base, "PNG")
    yield "one_by_65535.png", _png(8, 0, np.zeros((65535, 1), np.uint8)), ASPECT
    yield "giant.png", _patched_header(plain, 60000, 60000), LARGE
    yield "no_width.png", _patched_header(plain, 0, 10), BROKEN
    yield "interlaced.png", _interlaced(base), INDEXED
    bomb = zlib.compress(bytes(50 * 2**20), 9)
    yield "text_bomb.png", _with_chunk(plain, b"zTXt", b"Comment\0\0" + bomb), INDEXED
    yield "profile_bomb.png", _with_chunk(plain, b"iCCP", b"name\0\0" + bomb), INDEXED
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "many words " * 200_000)
    yield "long_text.png", encoded(base, "PNG", pnginfo=text), INDEXED
    yield "pixel_bomb.png", _patched_header(encoded(base, "PNG"), 9000, 9000), BROKEN
    yield "bad_sum.png", _patched(plain, 29, b"\0\0\0\0"), BROKEN
    yield "no_end.png", plain[:-12], frozenset({INDEXED, BROKEN})
    yield "cut_at_50.png", plain[: len(plain) // 2], BROKEN
    third = len(plain) // 3
    yield "zeros_within.png", plain[:third] + bytes(third) + plain[2 * third :], BROKEN


def _frames(base: Image.Image) -> Iterator[Known]:
    def many(count: int) -> list[Image.Image]:
        small = base.resize((12, 8))
        return [Image.eval(small, lambda level, n=n: (level + 3 * n) % 256) for n in range(count)]

    for kind, suffix in (("GIF", "gif"), ("PNG", "png"), ("WEBP", "webp"), ("TIFF", "tif")):
        for count, expected in ((3, INDEXED), (70, LARGE)):
            first, *rest = many(count)
            options = {"lossless": True} if kind == "WEBP" else {}
            yield (
                f"frames_{count}.{suffix}",
                encoded(first, kind, save_all=True, append_images=rest, **options),
                expected,
            )
    yield "cut_at_40.gif", (whole := encoded(base.quantize(64), "GIF"))[: len(whole) * 4 // 10], BROKEN
    yield "cut_at_60.webp", (whole := encoded(base, "WEBP"))[: len(whole) * 6 // 10], BROKEN


def _tiffs(base: Image.Image) -> Iterator[Known]:
    plain = encoded(base, "TIFF", compression="tiff_lzw")
    yield "lzw.tif", plain, INDEXED
    first = struct.unpack("<I", plain[4:8])[0]
    entries = struct.unpack("<H", plain[first : first + 2])[0]
    yield "directory_loop.tif", _patched(plain, first + 2 + 12 * entries, struct.pack("<I", first)), INDEXED
    yield "directory_nowhere.tif", _patched(plain, 4, struct.pack("<I", 2**31)), BROKEN
    yield "giant_icon.ico", _icon(_patched_header(encoded(base, "PNG"), 50000, 50000)), LARGE


def _no_pictures() -> Iterator[Known]:
    yield "empty.jpg", b"", EMPTY
    yield "one_byte.jpg", b"\xff", NOT_IMAGE
    yield "zeros.jpg", bytes(4096), NOT_IMAGE
    yield "text.jpg", b"This is no picture.\n" * 40, NOT_IMAGE
    yield "page.html", b"<!DOCTYPE html><html><body>Not found</body></html>", NOT_IMAGE
    yield "archive.zip", b"PK\x03\x04" + bytes(100), NOT_IMAGE
    yield "drawing.svg", b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>', FORBIDDEN
    yield "paper.pdf", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n" + bytes(100), FORBIDDEN
    yield "script.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n(x) run\n", FORBIDDEN
    yield "layers.psd", b"8BPS\0\x01" + bytes(6) + struct.pack(">HIIHH", 3, 10, 10, 8, 3) + bytes(40), FORBIDDEN
    yield "film.jpg", b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(400), ELSEWHERE
    yield "film.webm", b"\x1a\x45\xdf\xa3\x9fB\x86\x81\x01" + bytes(200), ELSEWHERE
    yield "sound.wav", b"RIFF\x24\x08\0\0WAVEfmt \x10\0\0\0" + bytes(200), ELSEWHERE
    yield "phone.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200), frozenset({FORBIDDEN, BROKEN})


def _lies(base: Image.Image) -> Iterator[Known]:
    yield "really_png.jpg", encoded(base, "PNG"), INDEXED
    yield "really_jpeg.mp4", encoded(base, "JPEG"), INDEXED


def _mutants(base: Image.Image, chance: random.Random) -> Iterator[Odd]:
    """Valid files of every format, a few bytes of each overwritten, taken out or doubled."""
    kinds = ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "AVIF", "JPEG2000", "PPM")
    number = 0
    while True:
        for kind in kinds:
            number += 1
            data = mutated(encoded(base, kind), chance)
            yield Odd(f"mutant_{number:02}.{kind.lower()}", data, ANY)


def mutated(data: bytes, chance: random.Random) -> bytes:
    held = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(len(held))
        change: Callable[[], object] = chance.choice(
            [
                lambda at=at: held.__setitem__(at, chance.randrange(256)),
                lambda at=at: held.__delitem__(slice(at, at + chance.randint(1, 20))),
                lambda at=at: held.__setitem__(slice(at, at), held[at : at + 30]),
            ]
        )
        if len(held) > 50:
            change()
    return bytes(held)


def _patched(data: bytes, at: int, with_: bytes) -> bytes:
    return data[:at] + with_ + data[at + len(with_) :]


def _with_segment(jpeg: bytes, marker: int, body: bytes) -> bytes:
    return jpeg[:2] + struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body + jpeg[2:]


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _with_chunk(png: bytes, kind: bytes, body: bytes) -> bytes:
    return png[:33] + _chunk(kind, body) + png[33:]  # behind the header chunk


def _patched_header(png: bytes, width: int, height: int) -> bytes:
    return png[:8] + _chunk(b"IHDR", struct.pack(">II", width, height) + png[24:29]) + png[33:]


def _png(bits: int, colour: int, samples: np.ndarray, *chunks: tuple[bytes, bytes]) -> bytes:
    """`samples` (h, w * channels), uint8 or big-endian uint16; colour 0 is grey, 2 RGB."""
    height, across = samples.shape
    header = struct.pack(">IIBBBBB", across // (3 if colour == 2 else 1), height, bits, colour, 0, 0, 0)
    body = b"".join(b"\0" + row.tobytes() for row in samples)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(body)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts)


def _interlaced(base: Image.Image) -> bytes:
    """Adam7, which Pillow reads and does not write."""
    values = np.asarray(base.convert("L"))
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    body = b"".join(b"\0" + row.tobytes() for x, y, dx, dy in passes for row in values[y::dy, x::dx])
    header = struct.pack(">IIBBBBB", base.width, base.height, 8, 0, 0, 0, 1)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(body)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts)


def _icon(png: bytes) -> bytes:
    return struct.pack("<HHHBBBBHHII", 0, 1, 1, 0, 0, 0, 0, 1, 32, len(png), 22) + png


if __name__ == "__main__":
    for name, expected in make(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0).items():
        print(name, *sorted(expected))

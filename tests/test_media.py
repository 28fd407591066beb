"""decode gives upright RGB or raises BadMedia, whatever the bytes, the warning filters and the threads."""

import io
import struct
import warnings
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from odd_images import COUNT, INDEXED, encoded, everything, make, picture
from PIL import Image

from sightline import media
from sightline.errors import BadMedia
from sightline.schema import SkipReason
from sightline.signatures import FORMATS, sniff

ODD = everything()
BASE = picture(0)


def palette_image(index: int) -> Image.Image:
    image = Image.new("P", (8, 8), index)
    image.putpalette(bytes(range(30)))
    return image


def outcome(data: bytes, target: int | None = None) -> str:
    try:
        image = media.decode(data, target=target).image
    except BadMedia as error:
        assert isinstance(error.reason, SkipReason)
        assert str(error)
        return error.reason
    assert image.mode == "RGB"
    assert image.info == {}
    return INDEXED


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: odd.name)
def test_each_odd_file_meets_its_fate(odd):
    assert outcome(odd.data) in odd.expected
    assert outcome(odd.data, target=16) in odd.expected


def test_odd_files_are_the_same_for_the_same_seed(tmp_path):
    expected = make(tmp_path / "odd", seed=3)
    assert len(expected) == COUNT
    assert [(odd.name, odd.data) for odd in everything(3)] == [
        (name, (tmp_path / "odd" / name).read_bytes()) for name in expected
    ]


@given(st.sampled_from(ODD), st.data())
@settings(max_examples=300, deadline=None)
def test_a_damaged_file_raises_nothing_but_bad_media(odd, data):
    damaged = bytearray(odd.data[:20_000])
    for _ in range(data.draw(st.integers(0, 4))):
        if damaged:
            at = data.draw(st.integers(0, len(damaged) - 1))
            damaged[at] = data.draw(st.integers(0, 255))
    damaged = damaged[: data.draw(st.integers(0, len(damaged)))]
    outcome(bytes(damaged), target=data.draw(st.sampled_from([None, 16])))


@given(st.binary(max_size=600))
@settings(deadline=None)
def test_any_bytes_at_all_are_sniffed(data):
    assert sniff(data) is None or isinstance(sniff(data), SkipReason)
    outcome(data)


@pytest.mark.parametrize("kind", FORMATS)
def test_every_allowed_format_is_decoded(kind):
    source = BASE.resize((64, 64)) if kind == "ICO" else BASE
    decoded = media.decode(encoded(source, kind))
    assert (decoded.width, decoded.height) == decoded.image.size == source.size
    assert decoded.format == kind
    lossy = 60 if kind == "GIF" else 25
    assert np.abs(np.asarray(decoded.image, float) - np.asarray(source, float)).mean() < lossy


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize(
    ("orientation", "white"),  # where the white upper left quarter (left, top) goes
    [(1, (0, 0)), (2, (1, 0)), (3, (1, 1)), (4, (0, 1)), (5, (0, 0)), (6, (1, 0)), (7, (1, 1)), (8, (0, 1))],
)
def test_orientation_is_always_applied(kind, orientation, white):
    image = Image.new("RGB", (64, 32))
    image.paste("white", (0, 0, 32, 16))
    exif = Image.Exif()
    exif[0x0112] = orientation
    decoded = media.decode(encoded(image, kind, exif=exif), target=8)
    assert (decoded.width, decoded.height) == ((64, 32) if orientation < 5 else (32, 64))
    assert (decoded.image.width > decoded.image.height) == (orientation < 5)
    corners = np.asarray(decoded.image.convert("L").resize((2, 2), Image.Resampling.BOX)) > 128
    assert [(x, y) for y in (0, 1) for x in (0, 1) if corners[y, x]] == [white]


@pytest.mark.parametrize(
    "name",
    [
        "grey_16_bit.png",
        "grey_16_bit.tif",
        "grey_32_bit.tif",
        "rgb_16_bit.png",
        "rgb_16_bit_keyed.png",
        "grey_16_bit_keyed.png",
        "cmyk.tif",
        "cmyk.jpg",
        "lab.tif",
        "ycbcr.tif",
        "interlaced.png",
    ],
)
def test_deep_and_foreign_modes_keep_their_brightness(name):
    data = next(odd.data for odd in ODD if odd.name == name)
    seen = np.asarray(media.decode(data).image.convert("L"), float)
    stretched = 20 if name == "grey_32_bit.tif" else 6
    assert np.abs(seen - np.asarray(BASE.convert("L"), float)).mean() < stretched


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.float32([[0.0, 0.5, 1.0]]), [0, 128, 255]),
        (np.float32([[0.0, 100.0, 255.0]]), [0, 100, 255]),
        (np.float32([[-1000.0, 0.0, 1000.0]]), [0, 128, 255]),
        (np.float32([[np.nan, np.inf, 1.0]]), [0, 0, 255]),
        (np.float32([[7e8, 7e8, 7e8]]), [0, 0, 0]),
        (np.int32([[0, 100, 255]]), [0, 100, 255]),
        (np.int32([[0, 25700, 65535]]), [0, 100, 255]),
        (np.int32([[-(2**31), 0, 2**31 - 1]]), [0, 128, 255]),
    ],
)
def test_floats_and_long_integers_are_scaled_by_their_range(values, expected):
    image = media.decode(encoded(Image.fromarray(values), "TIFF")).image
    assert np.asarray(image)[0, :, 0].tolist() == expected


@pytest.mark.parametrize(
    ("image", "kind", "options"),
    [
        (Image.new("RGBA", (8, 8), (200, 0, 0, 0)), "PNG", {}),
        (Image.new("RGBA", (8, 8), (200, 0, 0, 0)), "WEBP", {"lossless": True}),
        (Image.new("LA", (8, 8), (10, 0)), "PNG", {}),
        (Image.new("RGB", (8, 8), (1, 2, 3)), "PNG", {"transparency": (1, 2, 3)}),
        (Image.new("L", (8, 8), 9), "PNG", {"transparency": 9}),
        (palette_image(3), "PNG", {"transparency": 3}),
        (palette_image(3), "GIF", {"transparency": 3}),
        (Image.fromarray(np.full((8, 8), 5000, np.uint16)), "PNG", {"transparency": 5000}),
    ],
    ids=["RGBA", "webp", "LA", "RGB+key", "L+key", "P", "gif", "16 bit+key"],
)
def test_what_is_transparent_lies_on_white(image, kind, options):
    assert np.asarray(media.decode(encoded(image, kind, **options)).image).min() == 255


def test_half_transparent_is_half_white():
    image = media.decode(encoded(Image.new("RGBA", (4, 4), (0, 0, 0, 128)), "PNG")).image
    assert image.getpixel((0, 0)) == (127, 127, 127)


@pytest.mark.parametrize(
    ("taken", "offset", "expected"),
    [
        ("2024:05:06 07:08:09", "+02:00", datetime(2024, 5, 6, 5, 8, 9, tzinfo=UTC)),
        ("2024:05:06 07:08:09", "-0730", datetime(2024, 5, 6, 14, 38, 9, tzinfo=UTC)),
        ("2024-05-06T07:08:09", "Z", datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)),
        ("2024:05:06 07:08:09", None, datetime(2024, 5, 6, 7, 8, 9).astimezone(UTC)),
        ("2024:05:06 07:08:09", "noon", datetime(2024, 5, 6, 7, 8, 9).astimezone(UTC)),
        ("0000:00:00 00:00:00", None, None),
        ("0001:01:01 00:00:00", "+14:00", None),
        ("9999:12:31 23:59:59", "-14:00", None),
        ("2024:05:06 07:08:09", "+99:99", None),
        ("yesterday", None, None),
    ],
)
def test_exif_time_is_utc_or_nothing(taken, offset, expected):
    exif = Image.Exif()
    exif[0x010F] = "maker"
    exif.get_ifd(0x8769)[0x9003] = taken
    if offset is not None:
        exif.get_ifd(0x8769)[0x9011] = offset
    for kind in ("JPEG", "PNG", "WEBP"):
        assert media.decode(encoded(BASE, kind, exif=exif)).captured_at == expected


@pytest.mark.parametrize(
    ("size", "target", "longest", "expected"),
    [
        ((1280, 720), 224, None, (640, 360)),  # 720 / 4 = 180 is below 336
        ((1280, 720), 224, 1024, (1280, 720)),  # the preview needs 1024
        ((4000, 3000), 224, None, (500, 375)),
        ((4000, 3000), 224, 1024, (2000, 1500)),
        ((300, 300), 224, None, (300, 300)),
        ((100, 100), 224, None, (100, 100)),  # nothing is enlarged
        ((1281, 721), None, None, (1281, 721)),
    ],
)
def test_scaled_decoding_leaves_what_is_needed(size, target, longest, expected):
    decoded = media.decode(encoded(Image.new("RGB", size), "JPEG"), target=target, longest=longest)
    assert decoded.image.size == expected
    assert (decoded.width, decoded.height) == size


@given(st.integers(1, 5000), st.integers(1, 500))
@settings(max_examples=40, deadline=None)
def test_scaled_decoding_never_goes_below_one_and_a_half_times_the_target(width, target):
    height = max(1, width * 2 // 3)
    image = media.decode(encoded(Image.new("L", (width, height)), "JPEG"), target=target).image
    assert min(image.size) >= min(1.5 * target, min(width, height))


def test_scaled_and_full_decoding_show_the_same():
    data = encoded(picture(0, (1280, 720)), "JPEG", quality=90)
    full, scaled = (media.fit_shortest(media.decode(data, target=t).image, 224) for t in (None, 224))
    assert np.abs(np.asarray(full, float) - np.asarray(scaled, float)).mean() < 2


def jpeg_header(width: int, height: int) -> bytes:
    return encoded(BASE, "JPEG").replace(struct.pack(">HH", 64, 96), struct.pack(">HH", height, width), 1)


@pytest.mark.parametrize(
    ("size", "reason"),
    [
        ((9460, 9460), SkipReason.TOO_LARGE),
        ((65500, 65500), SkipReason.TOO_LARGE),
        ((101, 1), SkipReason.BAD_ASPECT),
        ((1, 65500), SkipReason.BAD_ASPECT),
    ],
)
def test_size_and_aspect_are_refused_before_decoding(size, reason, monkeypatch):
    data = jpeg_header(*size)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda self: pytest.fail("was decoded"))
    assert outcome(data) == reason


def test_an_aspect_of_100_is_just_allowed():
    assert outcome(encoded(Image.new("RGB", (100, 1)), "PNG")) == INDEXED


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_the_first_of_at_most_64_frames_is_used(kind):
    colours = [Image.new("RGB", (8, 8), (3 * n, 255 - 3 * n, 0)) for n in range(65)]
    options = {"lossless": True} if kind == "WEBP" else {}
    first = media.decode(encoded(colours[0], kind, save_all=True, append_images=colours[1:64], **options)).image
    assert np.abs(np.asarray(first, int)[0, 0] - (0, 255, 0)).max() < 10
    assert outcome(encoded(colours[0], kind, save_all=True, append_images=colours[1:], **options)) == "too_large"


@pytest.mark.parametrize(
    "error", [ValueError, NotImplementedError, TypeError, SyntaxError, struct.error, RecursionError]
)
def test_any_exception_of_the_decoder_is_undecodable(error, monkeypatch):
    def explode(*_, **__):
        raise error("from within")

    monkeypatch.setattr(Image, "open", explode)
    assert outcome(encoded(BASE, "PNG")) == SkipReason.UNDECODABLE


def test_want_of_memory_is_too_large(monkeypatch):
    def explode(*_, **__):
        raise MemoryError

    monkeypatch.setattr(Image, "open", explode)
    assert outcome(encoded(BASE, "PNG")) == SkipReason.TOO_LARGE


def test_a_keyboard_interrupt_goes_through(monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(Image, "open", interrupt)
    with pytest.raises(KeyboardInterrupt):
        media.decode(encoded(BASE, "PNG"))


@pytest.mark.parametrize("action", ["error", "always"])
def test_the_callers_warning_filters_change_nothing_and_nothing_escapes(action):
    icon = encoded(BASE.resize((32, 32)), "ICO")
    lying = icon[:6] + b"\x30\x30" + icon[8:]  # Pillow warns that it was not the expected size
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter(action)
        assert outcome(lying) == INDEXED
    assert caught == []


def test_many_threads_get_what_one_thread_gets():
    alone = [outcome(odd.data, target=16) for odd in ODD]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            assert list(pool.map(lambda odd: outcome(odd.data, target=16), ODD)) == alone


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (b"", SkipReason.EMPTY),
        (b"\x89PNG\r\n\x1a\n", None),
        (b"P6 10 10 255\n", None),
        (b"Portrait of a lady", SkipReason.NOT_AN_IMAGE),
        (b"\n\n%PDF-1.4", SkipReason.FORMAT_NOT_ALLOWED),
        (b"\xc5\xd0\xd3\xc6" + bytes(60), SkipReason.FORMAT_NOT_ALLOWED),
        (b"\xef\xbb\xbf<SVG width='1'>", SkipReason.FORMAT_NOT_ALLOWED),
        (b"<html><p>no vectors</html>", SkipReason.NOT_AN_IMAGE),
        (b"\0\0\0\x1cftypavif\0\0\0\0mif1miaf", None),
        (b"\0\0\0\x1cftypmif1\0\0\0\0avifmiaf", None),
        (b"\0\0\0\x1cftypqt  \0\0\0\0qt  ", SkipReason.UNSUPPORTED_MODALITY),
        (b"\0\0\0\x08wide\0\0\0\0mdat", SkipReason.UNSUPPORTED_MODALITY),
        (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", SkipReason.FORMAT_NOT_ALLOWED),
        (b"RIFF....AVI LIST", SkipReason.UNSUPPORTED_MODALITY),
        (b"RIFF....WEBPVP8 ", None),
        (b"ID3\x04\0\0", SkipReason.UNSUPPORTED_MODALITY),
        (b"\xff\xfb\x90\x64", SkipReason.UNSUPPORTED_MODALITY),
        (b"\xff\xf1\x50\x80", SkipReason.UNSUPPORTED_MODALITY),
        (b"OggS\0\x02", SkipReason.UNSUPPORTED_MODALITY),
        (b"fLaC\0\0\0\x22", SkipReason.UNSUPPORTED_MODALITY),
        (b"\x47" + bytes(187) + b"\x47", SkipReason.UNSUPPORTED_MODALITY),
        (b"\xff\xfea\0b\0", SkipReason.NOT_AN_IMAGE),  # text in UTF-16
    ],
)
def test_content_tells_what_a_file_is(head, reason):
    assert sniff(head) == reason


@pytest.mark.parametrize(
    ("size", "longest", "expected"),
    [((2000, 1000), 1024, (1024, 512)), ((300, 200), 1024, (300, 200)), ((10000, 100), 256, (256, 3))],
)
def test_small_jpegs_fit_and_are_never_enlarged(size, longest, expected):
    with Image.open(io.BytesIO(media.jpeg(Image.new("RGB", size), longest=longest))) as small:
        assert small.size == expected
        assert small.format == "JPEG"


def test_small_jpegs_carry_no_metadata():
    exif = Image.Exif()
    exif[0x010E] = "secret"
    data = encoded(BASE, "JPEG", exif=exif, comment=b"secret", icc_profile=b"secret", dpi=(301, 301))
    small = media.jpeg(media.decode(data).image, longest=media.PREVIEW)
    assert b"secret" not in small
    with Image.open(io.BytesIO(small)) as seen:
        assert not {"exif", "icc_profile", "comment", "dpi"} & set(seen.info)
    assert b"secret" not in media.jpeg(Image.open(io.BytesIO(data)), longest=media.THUMBNAIL)


def exif_of(maker="", model="", gps=None):
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = maker, model
    if gps is not None:
        exif.get_ifd(0x8825).update(gps)
    return media.decode(encoded(BASE, "JPEG", exif=exif))


@pytest.mark.parametrize(
    ("maker", "model", "camera"),
    [
        ("Canon", "Canon EOS 5D", "Canon EOS 5D"),
        ("Apple", "iPhone 12", "Apple iPhone 12"),
        ("NIKON CORPORATION", "NIKON D90\0\0", "NIKON D90"),
        ("", "X100", "X100"),
        ("Sony ", "", "Sony"),
        ("", "", ""),
        ("a\x1b[2Jb", "c\nd", "a [2Jb c d"),
    ],
)
def test_the_camera_is_maker_and_model_once_and_printable(maker, model, camera):
    assert exif_of(maker, model).camera == camera
    assert len(exif_of("m" * 500, "n" * 500).camera) <= 121


@pytest.mark.parametrize(
    ("gps", "place"),
    [
        ({1: "N", 2: (48.0, 51.0, 24.12), 3: "E", 4: (2.0, 21.0, 3.0)}, (48.8567, 2.350833)),
        ({1: "S", 2: (33.0, 51.0, 0.0), 3: "W", 4: (151.0, 12.0, 0.0)}, (-33.85, -151.2)),
        ({1: "N", 2: (0.0, 0.0, 0.0), 3: "E", 4: (0.0, 0.0, 0.0)}, None),
        ({1: "N", 2: (91.0, 0.0, 0.0), 3: "E", 4: (2.0, 0.0, 0.0)}, None),
        ({1: "N", 2: (48.0, 51.0, 24.12)}, None),
        ({2: (48.0, 51.0, 24.12), 4: (2.0, 21.0, 3.0)}, None),
        (None, None),
    ],
)
def test_the_place_is_in_degrees_or_not_there(gps, place):
    seen = exif_of(gps=gps).place
    assert (seen and (seen.latitude, seen.longitude)) == place


@given(st.integers(16, 400), st.integers(16, 400), st.integers(16, 128))
@settings(max_examples=60, deadline=None)
def test_cropping_first_equals_resizing_first(width, height, size):
    image = picture(1, (width, height))
    short, long = min(width, height), max(width, height)
    resized = int(size * long / short)
    whole = image.resize((resized, size) if width >= height else (size, resized), Image.Resampling.BICUBIC)
    cut = (resized - size) // 2
    expected = whole.crop((cut, 0, cut + size, size) if width >= height else (0, cut, size, cut + size))
    difference = np.abs(np.asarray(media.fit_shortest(image, size), int) - np.asarray(expected, int))
    assert difference.max() <= 4
    assert difference.mean() < 0.5  # in levels of 255


def test_squash_takes_the_whole_picture():
    assert media.squash(BASE, (20, 30)).size == (20, 30)

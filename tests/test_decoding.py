"""Decoding in limited child processes: the same parts, and nothing that a picture does reaches beyond its own row."""

from __future__ import annotations

import functools
import io
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import odd_images
import psutil
import pytest
from pictures import colours, png
from PIL import Image
from preparations import misbehaving, small

import sightline
from sightline.decoding import Decoders, Preparation, take_apart
from sightline.encoders import PortableEncoder, load_encoder
from sightline.errors import BadMedia, NoDecoder
from sightline.executors import LocalExecutor

pytestmark = pytest.mark.skipif(os.name != "posix", reason="children need POSIX; elsewhere threads decode")


@pytest.fixture(scope="module", autouse=True)
def importable() -> Iterator[None]:
    """Let children import tests/preparations.py."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))
        yield


@pytest.fixture(scope="module")
def children() -> Iterator[Decoders]:
    decoders = Decoders(Preparation(functools.partial(small, side=8), 8), 2)
    yield decoders
    decoders.close()


def test_a_child_gives_the_same_parts_as_this_process(children: Decoders) -> None:
    for path in sorted((Path(__file__).parent / "data" / "photos").glob("*.jpg"))[:6]:
        data = path.read_bytes()
        here = take_apart(data, preview=True, preparation=Preparation(small, 8))
        there = children.take_apart(data, preview=True)
        assert np.array_equal(here.prepared, there.prepared)
        assert (here.thumbnail, here.preview) == (there.thumbnail, there.preview)
        assert (here.width, here.height, here.captured_at) == (there.width, there.height, there.captured_at)


def test_every_odd_picture_meets_the_same_fate_there_as_here(children: Decoders) -> None:
    for odd in odd_images.everything():
        fates = []
        for decode in (functools.partial(take_apart, preparation=Preparation(small, 8)), children.take_apart):
            try:
                fates.append(decode(odd.data, preview=False).width)
            except BadMedia as error:
                fates.append(error.reason)
        if odd.name == "pixel_bomb.png":  # its header claims more pixels than a child has memory for
            assert fates[1] in ("undecodable", "too_large")
        else:
            assert fates[0] == fates[1], odd.name


@pytest.mark.parametrize(
    ("colour", "reason", "words"),
    [
        ((250, 0, 0), "undecodable", "crashed on it (SIGSEGV)"),
        ((0, 250, 0), "too_slow", "not decoded within 1 s"),
        ((0, 0, 250), "too_large", "memory"),
    ],
    ids=["crash", "hang", "memory"],
)
def test_what_a_picture_does_to_its_child_costs_its_own_row_only(
    colour: tuple[int, int, int], reason: str, words: str
) -> None:
    decoders = Decoders(Preparation(misbehaving, 8), 1, seconds=1.0)
    try:
        with pytest.raises(BadMedia) as caught:
            decoders.take_apart(png(colour), preview=False)
        assert (caught.value.reason, words in str(caught.value)) == (reason, True)
        assert decoders.take_apart(png(), preview=False).width == 40
    finally:
        decoders.close()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's account of peak memory")
@pytest.mark.parametrize("size", [(4000, 3000), (8000, 7000), (9400, 9400)], ids=str)
def test_a_child_stays_below_512_mib_whatever_it_decodes(children: Decoders, size: tuple[int, int]) -> None:
    for mode in ("RGB", "RGBA", "I;16"):
        out = io.BytesIO()
        Image.new(mode, size).save(out, "PNG", compress_level=1)
        try:
            assert children.take_apart(out.getvalue(), preview=True).width == size[0]
        except BadMedia as error:
            assert error.reason == "too_large"
            assert size[0] * size[1] > 50_000_000, "a picture of fifty megapixels has to fit"
    for child in children._children:
        status = Path(f"/proc/{child._process.pid}/status").read_text()
        peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        assert int(peak.split()[1]) < 512 * 1024, peak


def test_closing_ends_the_children() -> None:
    decoders = Decoders(Preparation(small, 8), 2)
    decoders.take_apart(png(), preview=True)
    pids = [child._process.pid for child in decoders._children]
    decoders.close()
    decoders.close()
    assert not any(psutil.pid_exists(pid) for pid in pids)


def test_children_die_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    import subprocess
    import sys

    script = (
        "import time; from sightline.decoding import *; from preparations import small; from pictures import png\n"
        "d = Decoders(Preparation(small, 8), 1); d.take_apart(png(), preview=False)\n"
        "print(d._children[0]._process.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
    deadline = time.monotonic() + 10
    while psutil.pid_exists(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not psutil.pid_exists(child)


def test_an_ingest_with_the_bundled_model_decodes_in_children_and_gives_the_same_vectors(tmp_path: Path) -> None:
    folder = colours(tmp_path / "pictures")
    rows = []
    for isolate in (True, False):
        executor = LocalExecutor(threads=2, isolate=isolate)
        collection = sightline.open(f"{tmp_path}/t#{isolate}", model="pocket", executor=executor)
        assert isinstance(collection.encoder, PortableEncoder)
        assert collection.ingest(folder).added == 4
        assert bool(executor._decoders) is isolate
        rows.append(collection._store.rows.table.to_arrow().sort_by("uri").select(["uri", "vector_digest"]).to_pylist())
    assert rows[0] == rows[1]


def test_the_preparation_is_prepare_image(tmp_path: Path) -> None:
    encoder = load_encoder("pocket", models_dir=tmp_path)
    image = Image.effect_noise((90, 50), 60).convert("RGB")
    assert np.array_equal(encoder.preparation(image), encoder.prepare_image(image))


def test_children_that_cannot_start_stop_the_run_instead_of_skipping_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection = sightline.open(f"{tmp_path}/t", model="pocket")
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(NoDecoder, match="did not start"):
        collection.ingest(colours(tmp_path / "pictures"))
    assert not collection.exists

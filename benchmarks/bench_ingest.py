"""From 720p JPEG files to rows of a LanceDB table: Sightline beside the recipe, ViT-B/32, in one run.

The recipe is the tutorial's: one picture at a time through torch in fp32, a list of dicts, one `add`. Sightline runs
with `--keep none` (the recipe keeps no pictures either) and with its default, previews of 1,024 px. Rounds are
interleaved because shared machines drift. Weights are random and of the true architecture: speed does not depend on
their values. Peak memory is that of a process of its own with the bundled model, at two sizes: the smaller the model,
the more growth would show.

    python benchmarks/bench_ingest.py [--pictures 96] [--rounds 3] [--json FILE] [--memory 1000 4000]
"""

from __future__ import annotations

import argparse
import io
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from architectures import random_folder, random_torch
from PIL import Image

import sightline
from sightline.sources import open_source

CACHE = Path(__file__).parents[1] / ".cache" / "models"


def jpegs(folder: Path, n: int) -> Path:
    """`n` different 1280 x 720 JPEGs: street scenes, enlarged; a comment segment makes each file its own."""
    folder.mkdir(parents=True)
    bases = []
    for item, _ in zip(open_source("streets"), range(24), strict=False):
        scene = Image.open(io.BytesIO(item.read())).resize((1280, 720), Image.Resampling.BICUBIC)
        noisy = np.asarray(scene, np.int16) + np.random.default_rng(1).integers(-6, 7, (720, 1280, 3))
        out = io.BytesIO()
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(out, "JPEG", quality=88)
        bases.append(out.getvalue())
    for i in range(n):
        base, comment = bases[i % len(bases)], f"{i:08}".encode()
        (folder / f"{i:05}.jpg").write_bytes(base[:2] + b"\xff\xfe" + (10).to_bytes(2, "big") + comment + base[2:])
    return folder


def recipe(pictures: Path, out: Path, model: Any) -> float:
    """Seconds for the tutorial's way."""
    import lancedb
    import torch

    from sightline import media

    mean = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
    std = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)
    started = time.perf_counter()
    rows = []
    for path in sorted(pictures.iterdir()):
        image = Image.open(path).convert("RGB")
        pixels = np.asarray(media.fit_shortest(image, 224), np.float32) / 255
        tensor = torch.from_numpy(((pixels - mean) / std).transpose(2, 0, 1)[None].copy())
        with torch.no_grad():
            features = model.get_image_features(pixel_values=tensor)
        features = getattr(features, "pooler_output", features)
        rows.append({"vector": features[0].tolist(), "text": "", "id": path.name})
    lancedb.connect(out).create_table("recipe", data=rows)
    return time.perf_counter() - started


def ours(pictures: Path, out: Path, folder: Path, keep: str) -> float:
    """Seconds for `Collection.ingest`, the model's loading included as in `sightline index`."""
    started = time.perf_counter()
    report = sightline.open(f"{out}#{keep}", model=folder).ingest(pictures, keep=keep)
    seconds = time.perf_counter() - started
    assert report.encoded == report.rows and not report.skipped, report
    return seconds


def peak_mb(pictures: int) -> float:
    """Peak resident memory of an ingest in its own process, MB."""
    command = [sys.executable, __file__, "--peak-of", str(pictures)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def one_peak(pictures: int) -> float:
    """Peak of this process and its decoding children together, MB."""
    with tempfile.TemporaryDirectory() as work:
        made = [sys.executable, "-c", f"import bench_ingest as b; b.jpegs(b.Path({work + '/p'!r}), {pictures})"]
        subprocess.run(made, check=True, cwd=Path(__file__).parent)  # making the files must not count
        collection = sightline.open(f"{work}/t", model="pocket")
        collection.ingest(f"{work}/p")
        processes = [psutil.Process(), *psutil.Process().children()]
        return sum(peak_kb(process.pid) for process in processes) / 1024


def peak_kb(pid: int) -> int:
    """Linux's account of the largest resident size."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))


def machine() -> dict[str, Any]:
    import openvino

    capabilities = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return {"cpu": platform.processor() or platform.machine(), "capabilities": capabilities, "python": sys.version[:6]}


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--pictures", type=int, default=96)
    args.add_argument("--rounds", type=int, default=3)
    args.add_argument("--json", type=Path)
    args.add_argument("--memory", type=int, nargs=2, default=[1000, 4000])
    args.add_argument("--no-memory", action="store_true")
    args.add_argument("--peak-of", type=int)
    given = args.parse_args()
    if given.peak_of:
        print(one_peak(given.peak_of))
        return
    folder = random_folder("ViT-B-32", CACHE)
    model = random_torch("ViT-B-32").eval()
    seconds: dict[str, list[float]] = {"recipe": [], "sightline, keep none": [], "sightline, keep preview": []}
    with tempfile.TemporaryDirectory() as work:
        pictures = jpegs(Path(work) / "pictures", given.pictures)
        ours(pictures, Path(work) / "warm", folder, "none")  # compiled graphs are cached from the first use on
        for turn in range(given.rounds):
            out = Path(work) / str(turn)
            seconds["recipe"].append(recipe(pictures, out, model))
            seconds["sightline, keep none"].append(ours(pictures, out, folder, "none"))
            seconds["sightline, keep preview"].append(ours(pictures, out, folder, "preview"))
    rates = {way: given.pictures / statistics.median(times) for way, times in seconds.items()}
    print(f"{given.pictures} JPEGs of 1280 x 720, ViT-B/32, median of {given.rounds} interleaved rounds\n")
    for way, rate in rates.items():
        print(f"{way:26} {rate:7.1f} pictures/s   x {rate / rates['recipe']:.1f}")
    result = {"pictures": given.pictures, "machine": machine(), "seconds": seconds, "pictures_per_second": rates}
    if not given.no_memory:
        peaks = {n: peak_mb(n) for n in given.memory}
        small, large = given.memory
        print(
            f"\npeak memory {peaks[small]:.0f} MB at {small:,}, {peaks[large]:.0f} MB at {large:,}: "
            f"x {peaks[large] / peaks[small]:.2f}"
        )
        result["peak_mb"] = peaks
    if given.json:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""How fast a model folder comes from a hub on this machine: ours (digests checked) beside huggingface_hub's download.

    python benchmarks/bench_fetch.py [ViT-B-32|ViT-L-14]

Weights are random, exported on first use. Both write to the same disk; each line names the peak memory so far.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from architectures import random_folder
from stub_hub import Hub, reserve

NAME = "ViT-L-14__openai"


def main(architecture: str) -> None:
    source = random_folder(architecture, Path(".cache/models"))
    ports = reserve()
    os.environ["HF_ENDPOINT"] = f"http://127.0.0.1:{ports[0].getsockname()[1]}"  # read when the library is imported
    with tempfile.TemporaryDirectory(dir=".cache") as scratch, Hub(ports) as hub:
        os.environ["HF_HOME"] = f"{scratch}/home"
        from huggingface_hub import snapshot_download

        from sightline.encoders import fetch_model

        repo = hub.add("models", f"immich-app/{NAME}", source, without=("model.json",))
        size = sum(repo.size(path) for path in repo.paths if repo.digests(path)) / 2**20  # digests are made beforehand
        for what, run in (
            ("huggingface_hub", lambda: snapshot_download(repo.name, local_dir=f"{scratch}/theirs", max_workers=1)),
            ("models fetch", lambda: fetch_model(NAME, Path(scratch) / "ours")),
        ):
            begun = time.perf_counter()
            run()
            rate = size / (time.perf_counter() - begun)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(f"{what:16} {size:,.0f} MiB  {rate:,.0f} MiB/s  peak {peak:,.0f} MiB")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "ViT-B-32")

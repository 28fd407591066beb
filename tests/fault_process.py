"""Commands of the command line with the N-th change of the collection's files failing, in a process of their own.

    LD_PRELOAD=faults.so python fault_process.py faults.so FOLDER SCENARIO ERRNO FOR_GOOD N...

Prints one line of JSON per N: how often the fault struck, what the command said, what was wrong afterwards (nothing).
See faults.c. One process for all N: importing takes longer than the work.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import json
import shutil
import sys
import traceback
from pathlib import Path

from fakes import FakeEncoder
from pictures import colours, paint, write_captions

import sightline
from sightline import choice, ingest
from sightline.cli import main

SCENARIOS = {
    "first index": ["index", "{pictures}"],
    "next index": ["index", "{pictures}", "--prune", "--yes"],
    "remove": ["remove", "{pictures}/red.png"],
    "optimize": ["optimize", "--older-than", "0"],
    "rebuild": ["index", "--rebuild"],
    "restore": ["restore", "3"],
}


def run(*args: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(list(args))
    return code, out.getvalue(), err.getvalue()


def prepare(root: Path) -> None:
    """A collection with a little history, and pictures that have changed since."""
    pictures = colours(root / "pictures")
    for level in range(8):
        paint(pictures / f"grey{level}.png", (level * 20 + 1, level * 20 + 1, level * 20 + 1))
    assert run("index", str(pictures), "-c", f"{root}/t")[0] == 0
    assert run("remove", f"{pictures}/blue.png", "-c", f"{root}/t")[0] == 0
    change(pictures)


def change(pictures: Path) -> None:
    paint(pictures / "grey1.png", (1, 100, 1))
    paint(pictures / "late.png", (250, 0, 250))
    (pictures / "grey2.png").unlink(missing_ok=True)
    names = sorted(path.name for path in pictures.glob("*.png"))
    write_captions(pictures, {name: f"now {name}" for name in names})


def wrong(address: str, pictures: Path) -> list[str]:
    """What is not as it must be once the next index has run; empty when all is well."""
    found = []
    code, _, err = run("index", str(pictures), "--prune", "--yes", "-c", address)
    if code:
        return [f"the next index ended {code}: {err}"]
    code, out, err = run("verify", "--sources", "--json", "-c", address)
    report = json.loads(out)
    if code or report["notices"]:
        found.append(f"verify: {report} {err}")
    rows = sightline.open(address)._store.rows.table.to_arrow().select(["name", "text"]).to_pylist()
    expected = [(path.name, f"now {path.name}") for path in sorted(pictures.glob("*.png"))]
    if sorted((row["name"], row["text"]) for row in rows) != expected:
        found.append(f"rows: {rows}")
    code, out, _ = run("search", "now late.png", "-k", "1", "-c", address)
    if code or "late.png" not in out:
        found.append(f"search: {code} {out}")
    return found


def said_badly(code: int, out: str, err: str) -> list[str]:
    lines = err.strip().splitlines()
    found = []
    if "Traceback" in err or "fault of Sightline" in err:
        found.append(f"not told plainly: {err}")
    if code not in (0, 1):
        found.append(f"ended {code}")
    if code == 1 and (out or not any(line.startswith("error: ") for line in lines)):
        found.append(f"out {out!r}, err {err!r}")
    if code == 1 and not any(line.startswith("hint: ") for line in lines):
        found.append(f"no hint: {err}")
    return found


def strike(faults: ctypes.CDLL, root: Path, base: Path, scenario: str, errno: int, sticky: bool, n: int) -> dict:
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(base, root)
    address, pictures = f"{root}/t", root / "pictures"
    if scenario == "first index":
        shutil.rmtree(root / "t")
    command = [part.format(pictures=pictures) for part in SCENARIOS[scenario]]
    faults.fault_arm(f"{root}/t".encode(), n, errno, int(sticky))
    try:
        code, out, err = run(*command, "-c", address)
    finally:
        struck, seen = faults.fault_failed(), faults.fault_seen()
        faults.fault_disarm()
    problems = said_badly(code, out, err) if struck else []
    again, _, told = run(*command, "-c", address)
    if again not in (0, 3):  # 3: what was to be removed is gone already
        problems.append(f"the same command again ended {again}: {told}")
    problems += wrong(address, pictures)
    return {"n": n, "struck": struck, "seen": seen, "code": code, "said": err.strip(), "problems": problems}


def start(library: str, folder: str, scenario: str, errno: str, sticky: str, *ns: str) -> None:
    faults = ctypes.CDLL(library)
    faults.fault_arm.argtypes = [ctypes.c_char_p, ctypes.c_long, ctypes.c_int, ctypes.c_int]
    choice.load_encoder = lambda *_args, **_kwargs: FakeEncoder()  # type: ignore[assignment]
    ingest.COMMIT_ROWS = 4
    base = Path(folder) / "at" / "x"
    prepare(base)
    shutil.move(base, Path(folder) / "base")
    for n in ns:
        try:
            print(json.dumps(strike(faults, base, Path(folder) / "base", scenario, int(errno), sticky == "1", int(n))))
        except BaseException:
            print(json.dumps({"n": int(n), "struck": -1, "code": -1, "problems": [traceback.format_exc()]}))
        sys.stdout.flush()


if __name__ == "__main__":
    start(*sys.argv[1:])

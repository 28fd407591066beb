"""A model from the hub is here whole and verified, or not at all; the real client library against a hub of our own."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from model_folders import hand_folder
from stub_hub import Hub

from sightline import hub as client
from sightline.cli import main
from sightline.encoders import describe, fetch_model, find_model, load_encoder
from sightline.encoders.fetch import STAGING
from sightline.errors import (
    AccessDenied,
    CorruptModel,
    DigestMismatch,
    HubError,
    HubUnreachable,
    ModelError,
    NotOnHub,
    Offline,
    UnknownModel,
)

CANARY = "hf_canaryDoNotPrintMe0123456789"
NAME = "ViT-B-32__laion2b-s34b-b79k"
REPO = f"immich-app/{NAME}"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(client, "WAIT", 0.01)
    for name in [name for name in os.environ if name.startswith("SIGHTLINE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SIGHTLINE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "models"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model folder with what repositories have besides: other programs' files, and some that nobody should take."""
    folder = hand_folder(tmp_path / "upload")
    (folder / "visual" / "weights_of_layer.7").write_bytes(bytes(range(256)) * 400)
    for name in ("pytorch_model.bin", "visual/evil.bin", "textual/evil.pt", "visual/run.py", "textual/vocab.json"):
        (folder / name).write_bytes(b"\x80\x04never")
    (folder / "visual" / "fp16").mkdir()
    (folder / "visual" / "fp16" / "model.armnn").write_bytes(b"other program")
    return folder


@pytest.fixture
def remote(hub: Hub, folder: Path) -> Hub:
    hub.add("models", REPO, folder, licence="mit")
    return hub


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def whole(folder: Path, upload: Path) -> bool:
    record = json.loads((folder / "fetch.json").read_text())
    files = {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()} - {"fetch.json"}
    assert files == set(record["files"])
    return all(digest(folder / name) == digest(upload / name) == record["files"][name]["sha256"] for name in files)


def raised(kind: type[Exception], name: str, models: Path, **options: object) -> Exception:
    with pytest.raises(kind) as caught:
        fetch_model(name, models, **options)  # type: ignore[arg-type]
    error = caught.value
    assert type(error) is kind
    assert "\n" not in str(error)
    assert error.hint  # type: ignore[attr-defined]
    assert not (models / NAME).exists()
    return error


# -- what comes


def test_a_fetched_model_is_whole_and_says_where_it_came_from(remote, folder, models):
    plans = []
    done = fetch_model(NAME, models, started=plans.append)
    repo = remote.repos["models", REPO]
    assert whole(models / NAME, folder)
    assert (done.repo, done.commit, done.licence) == (REPO, repo.commit, "MIT")
    assert [plan.bytes for plan in plans] == [done.bytes]
    assert done.bytes == sum((folder / name).stat().st_size for name in done.files)
    assert os.listdir(models / STAGING) == [f"{NAME}.lock"]
    record = json.loads((models / NAME / "fetch.json").read_text())
    assert (record["repo"], record["commit"], record["licence"]) == (REPO, repo.commit, "MIT")


def test_a_fetched_model_encodes(remote, models):
    fetch_model(NAME, models)
    encoder = load_encoder(NAME, models_dir=models)
    assert (encoder.name, encoder.dim) == (NAME, 4)
    assert encoder.encode_text(["red"]).shape == (1, 4)
    assert describe(find_model(NAME, models)).licence == "MIT"


def test_only_what_a_model_folder_needs_is_asked_for(remote, models):
    done = fetch_model(NAME, models)
    assert set(done.files) == {
        "config.json",
        "textual/model.onnx",
        "textual/tokenizer.json",
        "textual/tokenizer_config.json",
        "visual/model.onnx",
        "visual/preprocess_cfg.json",
        "visual/weights_of_layer.7",
    }
    asked = " ".join(one.path for one in remote.requests)
    assert not any(name in asked for name in (".bin", ".pt", ".py", ".armnn", "vocab", "README"))


@pytest.mark.parametrize("path", ["../evil", "visual/../../evil", "/etc/x", "visual/a/b", "visual/.x", "visual\\x"])
def test_a_repository_cannot_place_files_elsewhere(path):
    from sightline.encoders.fetch import _needed

    assert not _needed(path)


def test_every_request_names_the_same_commit(remote, models):
    fetch_model(NAME, models)
    commit = remote.repos["models", REPO].commit
    assert all(f"/resolve/{commit}/" in one.path for one in remote.asked("/resolve/"))


def test_progress_counts_every_byte_once(remote, models):
    seen = []
    done = fetch_model(NAME, models, progress=lambda file, now, total: seen.append((now, total)))
    assert seen == sorted(seen)
    assert seen[-1] == (done.bytes, done.bytes)


def test_what_is_here_is_not_fetched_again(remote, models):
    first = fetch_model(NAME, models)
    remote.requests.clear()
    plans = []
    assert fetch_model(NAME, models, started=plans.append) == first
    assert plans[0].here
    assert not remote.asked("/resolve/")


def test_a_new_commit_replaces_the_folder(remote, folder, models):
    first = fetch_model(NAME, models)
    remote.repos["models", REPO].seed = 1
    (folder / "visual" / "weights_of_layer.7").write_bytes(b"new" * 10_000)
    second = fetch_model(NAME, models)
    assert second.commit != first.commit
    assert whole(models / NAME, folder)
    assert os.listdir(models / STAGING) == [f"{NAME}.lock"]


def test_owner_and_name_are_known_by_both(remote, folder, models):
    remote.add("models", "someone/my-clip", folder, licence="apache-2.0")
    done = fetch_model("someone/my-clip", models)
    assert (done.name, done.licence) == ("my-clip", "apache-2.0")
    assert find_model("someone/my-clip", models) == find_model("my-clip", models) == models / "my-clip"
    assert describe(models / "my-clip").name == "my-clip"


def test_a_folder_of_somebody_else_is_not_replaced(remote, folder, models):
    hand_folder(models / "my-clip")
    remote.add("models", "someone/my-clip", folder)
    with pytest.raises(ModelError, match="was not fetched from"):
        fetch_model("someone/my-clip", models)
    assert not (models / "my-clip" / "fetch.json").exists()


def test_a_branch_is_resolved_and_an_unknown_one_said(remote, models):
    error = raised(NotOnHub, NAME, models, revision="nowhere")
    assert "no such revision" in str(error)
    assert fetch_model(NAME, models, revision="main").commit == remote.repos["models", REPO].commit


@pytest.mark.parametrize("name", ["", "a/b/c", "../x", "a b", "-x", "https://elsewhere/x", "owner/..", "x" * 200])
def test_what_cannot_be_a_name_asks_nobody(hub, models, name):
    raised(UnknownModel, name, models)
    assert not hub.requests


def test_the_bundled_model_is_not_fetched(hub, models):
    assert "comes with Sightline" in str(raised(UnknownModel, "pocket", models))


# -- what goes wrong


def test_a_model_that_is_not_there_is_said(hub, models):
    assert "127.0.0.1" in str(raised(AccessDenied, NAME, models))  # as the real hub: 401 without a token


def test_a_model_that_is_not_there_for_a_token_either(hub, models, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", CANARY)
    raised(NotOnHub, NAME, models)


def test_a_repository_of_another_kind_is_no_model(hub, models, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "config.json").write_text("{}")
    hub.add("models", REPO, tmp_path / "other")
    assert "visual/model.onnx" in str(raised(CorruptModel, NAME, models))


def test_gated_models_say_that_terms_wait(remote, models, monkeypatch):
    remote.repos["models", REPO].gated = True
    monkeypatch.setenv("HF_TOKEN", CANARY)
    assert "terms" in str(raised(AccessDenied, NAME, models))


def test_offline_forbids_every_request(remote, models):
    assert "SIGHTLINE_OFFLINE" in str(raised(Offline, NAME, models, offline=True))
    assert not remote.requests


def test_a_cut_is_gone_on_from(remote, folder, models):
    remote.fault("weights_of_layer.7", cut=30_000, times=3, on="cdn")
    done = fetch_model(NAME, models)
    assert whole(models / NAME, folder)
    ranges = [one.headers.get("range") for one in remote.asked("/cdn/") if "weights" in one.path]
    assert ranges == [None, "bytes=30000-", "bytes=60000-", "bytes=90000-"]
    assert done.files["visual/weights_of_layer.7"] == digest(folder / "visual" / "weights_of_layer.7")


def test_a_hub_without_ranges_begins_anew(remote, folder, models):
    remote.fault("weights_of_layer.7", cut=30_000, times=1, on="cdn")
    remote.fault("weights_of_layer.7", no_range=True, on="cdn")
    fetch_model(NAME, models)
    assert whole(models / NAME, folder)


def test_a_connection_that_never_holds_ends_with_a_line_and_the_next_run_goes_on(remote, folder, models):
    fault = remote.fault("weights_of_layer.7", cut=0, on="cdn")
    error = raised(HubUnreachable, NAME, models)
    assert "0 of 102,400 bytes" in str(error)
    fault.times = 0
    remote.requests.clear()
    fetch_model(NAME, models)
    assert whole(models / NAME, folder)
    assert len(remote.asked("/cdn/")) == 1  # the others were whole


@pytest.mark.parametrize("file", ["weights_of_layer.7", "preprocess_cfg.json"])
def test_other_bytes_of_the_right_size_are_thrown_away(remote, folder, models, file):
    fault = remote.fault(file, wrong=True, **({"on": "cdn"} if "weights" in file else {}))
    assert "digest" in str(raised(DigestMismatch, NAME, models))
    assert not [path for path in (models / STAGING).rglob(f"*{file}*") if path.is_file()]
    fault.times = 0
    fetch_model(NAME, models)
    assert whole(models / NAME, folder)


def test_what_rots_between_two_runs_is_found(remote, folder, models):
    remote.fault("weights_of_layer.7", cut=0)
    raised(HubUnreachable, NAME, models)
    remote.faults.clear()
    [done] = (models / STAGING).rglob("textual/model.onnx")
    done.write_bytes(b"x" * done.stat().st_size)
    raised(DigestMismatch, NAME, models)
    fetch_model(NAME, models)
    assert whole(models / NAME, folder)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_hub_is_waited_for(remote, folder, models, status):
    remote.fault("/api/models", status=status, times=2, headers={"Retry-After": "0"})
    remote.fault("config.json", status=status, times=2)
    fetch_model(NAME, models)
    assert whole(models / NAME, folder)


def test_a_hub_that_stays_busy_is_given_up(remote, models):
    remote.fault("/api/models", status=503)
    assert "503" in str(raised(HubUnreachable, NAME, models))
    assert len(remote.requests) == client.TRIES


def test_a_pause_of_an_hour_is_not_waited_for(remote, models):
    remote.fault("/api/models", status=429, headers={"Retry-After": "3600"})
    error = raised(HubUnreachable, NAME, models)
    assert error.retry_after == 3600
    assert len(remote.requests) == 1


def test_redirects_are_followed_and_circles_are_told(remote, folder, models):
    path = f"/{REPO}/resolve/{remote.repos['models', REPO].commit}/config.json"
    remote.fault("config.json", status=307, headers={"Location": f"{path}?moved"}, times=1)
    fetch_model(NAME, models)
    assert whole(models / NAME, folder)
    remote.repos["models", REPO].seed = 1
    remote.fault("/api/models", status=307, headers={"Location": f"/api/models/{REPO}?again"})
    with pytest.raises(HubUnreachable, match="TooManyRedirects"):
        fetch_model(NAME, models)
    assert whole(models / NAME, folder)


def test_more_bytes_than_announced_are_not_taken(remote, folder, models):
    fetch_model(NAME, models)
    longer = (folder / "config.json").read_bytes() + b" "
    remote.repos["models", REPO].seed = 1
    remote.fault("resolve", status=200, body=longer)
    with pytest.raises(DigestMismatch):
        fetch_model(NAME, models)
    assert whole(models / NAME, folder)


def test_a_login_page_instead_of_the_hub_is_told(remote, models):
    remote.fault("/api/models", status=200, body=b"<html>please log in</html>")
    raised(HubError, NAME, models)


def test_no_network_is_told(hub, models, monkeypatch):
    from huggingface_hub import constants

    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{nobody.getsockname()[1]}")
        assert "cannot be reached" in str(raised(HubUnreachable, NAME, models))


def test_a_file_that_vanished_from_the_hub_is_told(remote, models):
    remote.fault("tokenizer.json", status=404, headers={"X-Error-Code": "EntryNotFound"})
    raised(NotOnHub, NAME, models)


def test_a_full_disk_is_told_before_the_first_byte(remote, models, monkeypatch):
    import shutil

    usage = shutil.disk_usage(models.parents[1])._replace(free=10)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert "10 are free" in str(raised(ModelError, NAME, models))
    assert not remote.asked("/resolve/")


def test_two_fetches_at_once_do_not_meet(remote, models):
    go_on = threading.Event()
    remote.fault("weights_of_layer.7", pause=go_on, times=1, on="cdn")
    first = threading.Thread(target=fetch_model, args=(NAME, models))
    first.start()
    try:
        wait_until(lambda: remote.asked("/cdn/") and "weights" in remote.asked("/cdn/")[-1].path)
        raised(ModelError, NAME, models)
    finally:
        go_on.set()
        first.join()
    assert find_model(NAME, models)


# -- the token


def test_a_token_is_sent_to_the_hub_only_and_shown_nowhere(
    remote, folder, models, monkeypatch, capfd, caplog, tmp_path
):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("HF_TOKEN", CANARY)
    remote.repos["models", REPO].token = CANARY
    remote.fault("config.json", cut=3, times=1)
    remote.fault("visual/model.onnx", status=503, times=1)
    assert main(["models", "fetch", NAME, "--json"]) == 0
    assert main(["models", "info", NAME]) == 0
    remote.repos["models", REPO].token = CANARY[::-1]
    assert main(["models", "fetch", "ViT-B-16-SigLIP2__webli"]) == 1
    assert main(["models", "fetch", NAME]) == 1
    assert {one.token for one in remote.requests if one.origin == "hub"} == {f"Bearer {CANARY}"}
    assert {one.token for one in remote.requests if one.origin == "cdn"} == {None}
    printed = capfd.readouterr()
    assert "127.0.0.1" in printed.err
    written = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
    logged = " ".join(record.getMessage() for record in caplog.records)
    for text in (printed.out, printed.err, logged, *(data.decode("latin-1") for data in written)):
        assert CANARY not in text


def test_a_private_model_needs_the_token(remote, models, monkeypatch):
    remote.repos["models", REPO].token = CANARY
    assert "without a token" in str(raised(AccessDenied, NAME, models))
    monkeypatch.setenv("HF_TOKEN", CANARY)
    assert fetch_model(NAME, models).name == NAME


# -- the command line


def test_the_command_says_licence_and_size_before_it_fetches(remote, models, capsys):
    assert main(["models", "fetch", NAME]) == 0
    out, err = capsys.readouterr()
    assert f"name\t{NAME}\n" in out
    assert "licence\tMIT\n" in out
    assert "licence: MIT" in err
    assert "MiB" in err
    assert err.index("licence: MIT") < err.index("visual/model.onnx")


def test_json_is_one_document(remote, models, capsys):
    assert main(["models", "fetch", NAME, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["name"] == NAME
    assert document["files"]["config.json"] == digest(models / NAME / "config.json")


def test_offline_is_a_setting(remote, models, monkeypatch, capsys):
    monkeypatch.setenv("SIGHTLINE_OFFLINE", "1")
    assert main(["models", "fetch", NAME]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 2)
    assert "SIGHTLINE_OFFLINE" in err
    assert not remote.requests


def test_list_and_info_tell_what_is_here(remote, models, capsys):
    assert main(["models", "fetch", NAME]) == 0
    capsys.readouterr()
    assert main(["models", "list", "--json"]) == 0
    here = {row["name"]: row["here"] for row in json.loads(capsys.readouterr().out)["models"]}
    assert here[NAME] is True
    assert STAGING not in here
    assert main(["models", "info", NAME, "--json"]) == 0
    assert f"{REPO}@" in json.loads(capsys.readouterr().out)["fetched"]


def test_index_names_the_command_that_fetches_and_it_works(remote, models, tmp_path, capsys):
    from pictures import colours

    colours(tmp_path / "pictures")
    assert main(["index", "pictures", "--model", NAME]) == 1
    said = capsys.readouterr().err
    assert "hint: sightline " in said
    hint = said.split("hint: sightline ")[1]
    assert hint.strip() == f"models fetch {NAME}"
    assert not remote.requests
    assert main(hint.split()) == 0
    assert main(["index", "pictures", "--model", NAME, "--progress", "none"]) == 0
    capsys.readouterr()
    (models / NAME).rename(tmp_path / "elsewhere")
    assert main(["search", "red"]) == 1
    assert f"hint: sightline models fetch {NAME}" in capsys.readouterr().err


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_is_ended_in_the_middle_is_gone_on_from(remote, folder, models, ending):
    stop = threading.Event()
    remote.fault("weights_of_layer.7", pause=stop, cut=50_000, times=1, on="cdn")
    command = [sys.executable, "-m", "sightline", "models", "fetch", NAME]
    running = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a test run in the background ignores it
    )
    parts = models / STAGING
    try:
        wait_until(lambda: any(file.stat().st_size for file in parts.rglob("weights*.part")), seconds=60)
    finally:
        running.send_signal(ending)
        out, err = running.communicate()
        stop.set()
    assert out == ""
    assert "Traceback" not in err
    if ending == signal.SIGINT:
        assert running.returncode == 130
        assert "it goes on from there" in err
    assert not (models / NAME).exists()
    remote.requests.clear()
    fetch_model(NAME, models)
    assert whole(models / NAME, folder)
    [again] = remote.asked("/cdn/")
    assert again.headers["range"].startswith("bytes=")


@pytest.mark.slow
@pytest.mark.torture
def test_kills_at_random_moments_leave_a_whole_model_or_none(remote, folder, models):
    seed, rounds, kept = 7, 200, 0
    rng = random.Random(seed)
    (folder / "visual" / "weights_of_layer.7").write_bytes(rng.randbytes(2**27))
    command = [sys.executable, "-m", "sightline", "models", "fetch", NAME]
    for number in range(rounds):
        running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.wait(rng.uniform(0.4, 2.0))
        running.kill()
        running.wait()
        if (models / NAME).exists():
            assert whole(models / NAME, folder), f"round {number} of seed {seed}"
            kept += 1
            remote.repos["models", REPO].seed += 1  # a new commit: fetched anew, and put in the place of the old one
    assert 0 < kept < rounds
    fetch_model(NAME, models)
    assert whole(models / NAME, folder)
    assert os.listdir(models / STAGING) == [f"{NAME}.lock"]


def wait_until(holds, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)

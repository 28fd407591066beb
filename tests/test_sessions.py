"""One contract for both runtimes, on graphs whose result is known by hand."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_folders import picture_graph, save_graph, text_graph

from sightline.encoders import sessions
from sightline.encoders.sessions import RUNTIMES, Session, choose_runtime, open_session
from sightline.errors import CorruptModel, ModelError, UsageError

MEAN, STD = (0.5, 0.25, 0.125), (0.5, 0.25, 2.0)
PLAIN = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_graph(tmp_path_factory.mktemp("graph") / "model.onnx", picture_graph(8))


@pytest.fixture(scope="module", params=RUNTIMES)
def runtime(request: pytest.FixtureRequest) -> str:
    pytest.importorskip(request.param)
    return str(request.param)


@pytest.fixture(scope="module", params=["throughput", "latency"])
def session(request: pytest.FixtureRequest, runtime: str, graph: Path) -> Session:
    return open_session(graph, runtime=runtime, mode=request.param, normalise=(MEAN, STD))


def pixels(n: int) -> np.ndarray:
    return np.random.default_rng(n).integers(0, 256, (n, 8, 8, 3), dtype=np.uint8)


def by_hand(images: np.ndarray) -> np.ndarray:
    means = (images.astype(np.float64).mean((1, 2)) / 255 - MEAN) / STD
    return np.concatenate([means, np.ones((len(images), 1))], axis=1)


def test_session_fits_the_protocol_and_says_what_it_is(session: Session, runtime: str) -> None:
    assert isinstance(session, Session)
    assert (session.runtime, session.dim) == (runtime, 4)
    assert session.device.lower() == "cpu"
    (image,) = session.inputs
    assert (image.name, image.dtype, image.shape) == ("image", np.uint8, (None, 8, 8, 3))


@pytest.mark.parametrize("n", [1, 2, 15, 16, 17, 33, 70])
def test_rows_are_right_and_in_order_for_any_count(session: Session, n: int) -> None:
    images = pixels(n)
    vectors = session.run({"image": images})
    assert (vectors.dtype, vectors.shape) == (np.float32, (n, 4))
    np.testing.assert_allclose(vectors, by_hand(images), atol=0.02 if session.precision == "bf16" else 1e-5)


def test_a_row_does_not_depend_on_its_neighbours(session: Session) -> None:
    images = pixels(20)
    alone = np.concatenate([session.run({"image": image[None]}) for image in images])
    np.testing.assert_allclose(session.run({"image": images}), alone, atol=1e-5)


def test_many_threads_share_one_session(session: Session) -> None:
    results: dict[int, np.ndarray] = {}

    def work(n: int) -> None:
        for _ in range(5):
            results[n] = session.run({"image": pixels(n)})

    threads = [threading.Thread(target=work, args=(n,)) for n in (1, 5, 40, 33, 16, 50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    for n, vectors in results.items():
        np.testing.assert_allclose(vectors, by_hand(pixels(n)), atol=0.02 if session.precision == "bf16" else 1e-5)


def test_results_belong_to_the_caller(session: Session) -> None:
    first = session.run({"image": pixels(3)})
    kept = first.copy()
    session.run({"image": pixels(4)})
    first += 0  # writable
    np.testing.assert_array_equal(first, kept)


def test_without_normalise_the_graph_is_as_it_was_stored(runtime: str, graph: Path) -> None:
    session = open_session(graph, runtime=runtime, precision="f32")
    assert (session.inputs[0].dtype, session.inputs[0].shape) == (np.float32, (None, 3, 8, 8))
    image = np.random.default_rng(0).random((2, 3, 8, 8), np.float32)
    expected = np.concatenate([image.mean((2, 3)), np.ones((2, 1))], axis=1)
    np.testing.assert_allclose(session.run({"image": image}), expected, atol=1e-6)


def test_a_graph_of_fixed_batch_is_filled_up(runtime: str, tmp_path: Path) -> None:
    graph = save_graph(tmp_path / "fixed.onnx", picture_graph(8, batch=4))
    session = open_session(graph, runtime=runtime, precision="f32", normalise=(MEAN, STD))
    assert session.inputs[0].shape == (4, 8, 8, 3)
    for n in (1, 4, 6):
        np.testing.assert_allclose(session.run({"image": pixels(n)}), by_hand(pixels(n)), atol=1e-5)


@pytest.mark.parametrize("ids", ["int32", "int64"])
def test_integer_inputs_take_the_type_that_the_graph_declares(runtime: str, tmp_path: Path, ids: str) -> None:
    graph = save_graph(tmp_path / "text.onnx", text_graph(4, with_mask=True, ids=ids))
    session = open_session(graph, runtime=runtime, mode="latency")
    assert {port.name: port.dtype for port in session.inputs} == {"input_ids": ids, "attention_mask": ids}
    tokens = {"input_ids": np.array([[2, 2, 0, 0]]), "attention_mask": np.array([[1, 1, 0, 0]])}
    np.testing.assert_allclose(session.run(tokens), [[1, 0, 0, 1]], atol=1e-6)


def test_wrong_shapes_are_a_model_error_and_do_not_spoil_the_session(session: Session) -> None:
    for _ in range(4):  # more often than there are streams
        with pytest.raises(ModelError) as caught:
            session.run({"image": np.zeros((20, 5, 5, 3), np.uint8)})
        assert "\n" not in str(caught.value)
    np.testing.assert_allclose(session.run({"image": pixels(2)}), by_hand(pixels(2)), atol=0.02)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "an empty file"),
        (b"<!doctype html><html>Not found</html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a Git LFS pointer"),
        (b"\x89PNG\r\n\x1a\n" + bytes(200), "cut off or damaged"),
        (b"\x08\x07" * 50, "cut off or damaged"),
        (None, "cut off or damaged"),
    ],
)
def test_a_file_that_is_no_graph_is_corrupt_in_one_line(
    runtime: str, graph: Path, tmp_path: Path, content: bytes | None, said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = graph.read_bytes()
    bad = tmp_path / "visual" / "model.onnx"
    bad.parent.mkdir()
    bad.write_bytes(whole[: len(whole) // 2] if content is None else content)
    with pytest.raises(CorruptModel) as caught:
        open_session(bad, runtime=runtime)
    assert said in str(caught.value)
    assert "visual/model.onnx" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


def test_a_whole_message_with_a_damaged_graph_is_corrupt_too(runtime: str, tmp_path: Path) -> None:
    bad = tmp_path / "model.onnx"
    bad.write_bytes(b"\x08\x07\x3a\x04junk")  # OpenVINO's TensorFlow reader tries it as well, and logs that it cannot
    with pytest.raises(CorruptModel, match="not a readable ONNX graph") as caught:
        open_session(bad, runtime=runtime)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_corrupt(runtime: str, tmp_path: Path) -> None:
    with pytest.raises(CorruptModel, match=r"nothing\.onnx cannot be read"):
        open_session(tmp_path / "nothing.onnx", runtime=runtime)


@pytest.mark.parametrize(
    ("options", "seen", "choices"),
    [
        ({"runtime": "tensorflow"}, "tensorflow", "openvino, onnxruntime"),
        ({"device": "abacus"}, "abacus", "cpu"),
        ({"precision": "f8"}, "f8", "f32"),
    ],
)
def test_what_this_machine_lacks_is_a_usage_error_that_lists_the_choices(
    runtime: str, graph: Path, options: dict[str, Any], seen: str, choices: str
) -> None:
    with pytest.raises(UsageError) as caught:
        open_session(graph, **{"runtime": runtime, **options})
    assert seen in str(caught.value)
    assert choices in caught.value.hint


def test_device_names_are_read_in_any_case(runtime: str, graph: Path) -> None:
    assert open_session(graph, runtime=runtime, device="CPU").device == open_session(graph, runtime=runtime).device


def test_bf16_is_refused_where_the_processor_has_none(graph: Path) -> None:
    if has_bf16():
        pytest.skip("this processor has bf16 units")
    with pytest.raises(UsageError, match="bf16"):
        open_session(graph, runtime="openvino", precision="bf16")


def test_the_precision_is_the_best_that_the_processor_has(graph: Path) -> None:
    session = open_session(graph, runtime="openvino")
    assert session.precision == ("bf16" if has_bf16() else "f32")


def has_bf16() -> bool:
    core = sessions._openvino_core()
    return "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def test_a_device_brings_its_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose_runtime(None, "cuda") == "onnxruntime"
    assert choose_runtime(None, "CoreML") == "onnxruntime"
    assert choose_runtime(None, "gpu.0") == "openvino"
    monkeypatch.setattr(sessions.platform, "machine", lambda: "arm64")
    assert choose_runtime() == choose_runtime(None, "cpu") == "onnxruntime"
    monkeypatch.setattr(sessions.platform, "machine", lambda: "AMD64")
    assert choose_runtime() == "openvino"


def test_a_compiled_graph_is_kept_and_a_spoilt_or_impossible_cache_is_no_error(tmp_path: Path) -> None:
    graph = save_graph(tmp_path / "text.onnx", text_graph(4))
    tokens = {"text": np.array([[2, 3, 0, 0]], np.int32)}
    cache = tmp_path / "cache"
    first = open_session(graph, runtime="openvino", precision="f32", cache_dir=cache, mode="latency").run(tokens)
    (blob,) = cache.iterdir()
    blob.chmod(0o600)
    blob.write_bytes(blob.read_bytes()[:50])
    (tmp_path / "file").write_text("in the way")
    for where in (cache, tmp_path / "file" / "below"):
        again = open_session(graph, runtime="openvino", precision="f32", cache_dir=where, mode="latency").run(tokens)
        np.testing.assert_array_equal(again, first)


QUIET = """
import socket, sys, threading
from pathlib import Path
calls = []
def refuse(*args, **kwargs):
    calls.append(args)
    raise OSError("no network in this test")
socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse
from sightline.encoders.sessions import open_session
import numpy as np
session = open_session(Path(sys.argv[1]), runtime=sys.argv[2], normalise=((0, 0, 0), (1, 1, 1)))
session.run({"image": np.zeros((40, 8, 8, 3), np.uint8)})
for thread in threading.enumerate():
    if thread is not threading.main_thread() and not thread.daemon:
        thread.join(5)
assert not calls, calls
assert "openvino_telemetry" not in sys.modules
assert "torch" not in sys.modules and "transformers" not in sys.modules
"""


def test_a_session_is_silent_ends_cleanly_and_neither_calls_home_nor_leaves_files(
    runtime: str, graph: Path, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", QUIET, str(graph), runtime],
        env={"HOME": str(tmp_path), "PYTHONPATH": ":".join(sys.path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []

"""One loaded graph: OpenVINO and ONNX Runtime open the same .onnx behind one small protocol, `Session`.

Knows graphs, devices, precisions and threads; knows nothing of texts, pictures or model folders.

    session = open_session(Path("visual/model.onnx"), mode="throughput")
    session.run({"image": pixels})  # (n, dim) float32

Which runtime is the faster depends on the machine, so the default does too. x86-64: OpenVINO, for its bf16 where the
CPU has the units (ViT-B/32 on 2 cores with AMX: 106 pictures/s, ONNX Runtime 21, both at batch 16) and for its latency
where it has not (2 cores with AVX2 only, busy: 8.5 and 8.3 pictures/s, one query 96 and 167 ms, as measured by
benchmarks/bench_encoders.py). Elsewhere, Arm above all: ONNX Runtime, since OpenVINO is no dependency there.
"""

from __future__ import annotations

import os
import platform
import queue
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from sightline.errors import CorruptModel, ModelError, UsageError

RUNTIMES = ("openvino", "onnxruntime")
PRECISIONS = ("f32", "bf16", "f16")

Mode = Literal["throughput", "latency"]
Normalise = tuple[Sequence[float], Sequence[float]]
"""(mean, std) per channel, in units of pixels scaled to [0, 1]."""

_CHUNK = 16  # pictures in one forward pass: larger ones are no faster on a CPU and need more memory


@dataclass(frozen=True, slots=True)
class Input:
    """One input of a graph. `shape` has None where the graph leaves a size open."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int | None, ...]


@runtime_checkable
class Session(Protocol):
    """A graph that is ready to run; `run` may be called from several threads at once.

    `dim` is the width of the first output, None when the graph does not declare it.
    """

    runtime: str
    device: str
    precision: str
    inputs: tuple[Input, ...]
    dim: int | None

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        """Every input (n, ...), the same n; returns the first output, float32 (n, dim), rows in the same order.

        Raises ModelError when the runtime fails.
        """
        ...


def open_session(
    path: Path,
    *,
    runtime: str | None = None,
    device: str | None = None,
    precision: str | None = None,
    threads: int | None = None,
    cache_dir: Path | None = None,
    mode: Mode = "throughput",
    normalise: Normalise | None = None,
) -> Session:
    """Loads a graph. None means the best of this machine for runtime and precision, and the CPU for device.

    With `normalise` the first input becomes uint8 (n, S, S, 3), pixels as they are: scaling and transposing happen
    in the session. `mode` is what to be fast at: many rows or one. `cache_dir` keeps compiled graphs where that loads
    faster (OpenVINO without `normalise`); a cache that cannot be written is done without.
    Raises UsageError for a runtime, device or precision that this machine does not have, CorruptModel for a file
    that is no graph.
    """
    chosen = choose_runtime(runtime, device)
    _check_file(path)
    if chosen == "openvino":
        return OpenVinoSession(
            path,
            device=device,
            precision=precision,
            threads=threads,
            cache_dir=cache_dir,
            mode=mode,
            normalise=normalise,
        )
    return OnnxRuntimeSession(path, device=device, precision=precision, threads=threads, normalise=normalise)


def choose_runtime(runtime: str | None = None, device: str | None = None) -> str:
    """The runtime asked for, else the one that has this device, else the faster of this machine. UsageError if none."""
    if runtime is not None:
        if runtime not in RUNTIMES:
            raise UsageError(f"runtime {runtime!r} is unknown", hint=f"choose one of {', '.join(RUNTIMES)}")
        if find_spec(runtime) is None:
            raise UsageError(f"runtime {runtime!r} is not installed", hint=f"pip install {runtime}")
        return runtime
    if device is not None and device.lower() in _PROVIDERS and device.lower() != "cpu":
        return "onnxruntime"
    if device is not None and device.lower().split(".")[0] in ("gpu", "npu"):
        return "openvino"
    fast = platform.machine().lower() in ("x86_64", "amd64") and find_spec("openvino") is not None
    return "openvino" if fast else "onnxruntime"


class OpenVinoSession:
    """A graph compiled by OpenVINO. In throughput mode the rows of one `run` are shared out over its streams."""

    runtime = "openvino"

    def __init__(
        self,
        path: Path,
        *,
        device: str | None = None,
        precision: str | None = None,
        threads: int | None = None,
        cache_dir: Path | None = None,
        mode: Mode = "throughput",
        normalise: Normalise | None = None,
    ) -> None:
        core = _openvino_core()
        self._path = path
        self.device = _openvino_device(core, device)
        self.precision = _openvino_precision(core, self.device, precision)
        config: dict[str, Any] = {
            "PERFORMANCE_HINT": mode.upper(),
            "INFERENCE_PRECISION_HINT": self.precision,
        }
        if threads is not None and self.device == "CPU":
            config["INFERENCE_NUM_THREADS"] = threads
        if cache_dir is not None and normalise is None and _made(cache_dir):
            config["CACHE_DIR"] = str(cache_dir)
        self._compiled = _readable(path, lambda: _openvino_compile(core, path, self.device, config, normalise))
        self.inputs = tuple(
            Input(port.any_name, np.dtype(port.element_type.to_dtype()), _openvino_shape(port))
            for port in self._compiled.inputs
        )
        self.dim = _openvino_shape(self._compiled.outputs[0])[-1]
        best = int(self._compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        self.streams = best if mode == "throughput" else 1
        self._idle: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(self.streams):
            self._idle.put(self._compiled.create_infer_request())

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        arrays, count = _as_declared(self.inputs, inputs)
        size = min(_CHUNK, -(-count // self.streams))
        running: list[tuple[Any, int]] = []
        results: list[NDArray[np.float32]] = []
        try:
            for chunk, rows in _chunks(arrays, self.inputs, size):
                request = self._take(running, results)
                running.append((request, rows))
                request.start_async(chunk)
            while running:
                self._idle.put(_collect(running, results))
        except RuntimeError as error:
            raise ModelError(f"{_short(self._path)}: OpenVINO failed: {_one_line(error)}") from error
        finally:
            for request, _ in running:  # after a failure only
                with suppress(RuntimeError):
                    request.wait()
                self._idle.put(request)
        return np.concatenate(results)

    def _take(self, running: list[tuple[Any, int]], results: list[NDArray[np.float32]]) -> Any:
        """An idle request; where there is none, our own oldest. Nobody waits while holding one: no deadlock."""
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            return _collect(running, results) if running else self._idle.get()


def _collect(running: list[tuple[Any, int]], results: list[NDArray[np.float32]]) -> Any:
    request, rows = running[0]
    request.wait()
    results.append(np.array(request.get_output_tensor(0).data[:rows], dtype=np.float32))
    del running[0]
    return request


class OnnxRuntimeSession:
    """A graph loaded by ONNX Runtime. With `normalise` pixels are scaled by numpy before each run."""

    runtime = "onnxruntime"

    def __init__(
        self,
        path: Path,
        *,
        device: str | None = None,
        precision: str | None = None,
        threads: int | None = None,
        normalise: Normalise | None = None,
    ) -> None:
        onnxruntime = import_onnxruntime()
        if precision not in (None, "f32"):
            raise UsageError(
                f"onnxruntime runs a graph in the precision it was stored in, not {precision!r}",
                hint="choose f32, or --runtime openvino",
            )
        self._path = path
        self.device, providers = _onnxruntime_device(onnxruntime, device)
        self.precision = "f32"
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # it raises what it logs
        if threads is not None:
            options.intra_op_num_threads = threads
        self._session = _readable(
            path, lambda: onnxruntime.InferenceSession(str(path), sess_options=options, providers=providers)
        )
        self._declared = tuple(
            Input(port.name, _ONNX_TYPES.get(port.type, np.dtype(np.float32)), _onnxruntime_shape(port))
            for port in self._session.get_inputs()
        )
        output = self._session.get_outputs()[0]
        self.dim = _onnxruntime_shape(output)[-1] if output.shape else None
        self._output = output.name
        self._normalise = None if normalise is None else _scale_and_shift(normalise)
        self.inputs = self._declared if normalise is None else (_as_pixels(self._declared[0]), *self._declared[1:])

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        arrays, count = _as_declared(self.inputs, inputs)
        results = []
        for chunk, rows in _chunks(arrays, self.inputs, count):
            if self._normalise is not None:
                first = self._declared[0]
                chunk[first.name] = _normalised(chunk[first.name], *self._normalise).astype(first.dtype, copy=False)
            try:
                output = self._session.run([self._output], chunk)[0]
            except Exception as error:  # its exceptions have no common base below Exception
                raise ModelError(f"{_short(self._path)}: ONNX Runtime failed: {_one_line(error)}") from error
            results.append(np.asarray(output, dtype=np.float32)[:rows])
        return np.concatenate(results)


# Input arrays


def _as_declared(declared: tuple[Input, ...], given: Mapping[str, NDArray[Any]]) -> tuple[dict[str, NDArray[Any]], int]:
    arrays = {port.name: np.ascontiguousarray(given[port.name], dtype=port.dtype) for port in declared}
    return arrays, len(next(iter(arrays.values())))


def _chunks(
    arrays: dict[str, NDArray[Any]], declared: tuple[Input, ...], size: int
) -> Iterator[tuple[dict[str, NDArray[Any]], int]]:
    """Rows in runs of at most `size` with their count; a graph of fixed batch gets just that, filled up with zeros."""
    count = len(next(iter(arrays.values())))
    fixed = declared[0].shape[0] if declared[0].shape else None
    size = fixed or size
    for start in range(0, count, size):
        chunk = {name: array[start : start + size] for name, array in arrays.items()}
        rows = min(size, count - start)
        if fixed is not None and rows < fixed:
            fill = fixed - rows
            chunk = {n: np.concatenate([a, np.zeros((fill, *a.shape[1:]), a.dtype)]) for n, a in chunk.items()}
        yield chunk, rows


def _as_pixels(port: Input) -> Input:
    n, channels, height, width = port.shape
    return Input(port.name, np.dtype(np.uint8), (n, height, width, channels))


def _scale_and_shift(normalise: Normalise) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    mean, std = (np.asarray(values, dtype=np.float64) for values in normalise)
    return (1 / (255 * std)).astype(np.float32), (-mean / std).astype(np.float32)


def _normalised(
    pixels: NDArray[np.uint8], scale: NDArray[np.float32], shift: NDArray[np.float32]
) -> NDArray[np.float32]:
    """uint8 (n, S, S, 3) -> float32 (n, 3, S, S): (pixel / 255 - mean) / std."""
    out = np.empty((pixels.shape[0], 3, *pixels.shape[1:3]), np.float32)
    for channel in range(3):
        np.multiply(pixels[..., channel], scale[channel], out=out[:, channel])
        out[:, channel] += shift[channel]
    return out


# OpenVINO

_import_lock = threading.Lock()
_core: Any = None


def _openvino_core() -> Any:
    """The process's one `Core`.

    `import openvino` starts openvino-telemetry, which writes an id below the home directory and sends an event to
    Google Analytics unless the user has opted out. With that package hidden during the import, OpenVINO takes its own
    stub instead (openvino/tools/ovc/telemetry_stub.py): nothing is written, nothing is sent. Whoever has imported
    openvino before us has chosen for themselves.
    """
    global _core
    with _import_lock:
        if _core is None:
            hidden = "openvino" not in sys.modules and "openvino_telemetry" not in sys.modules
            if hidden:
                sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
            try:
                import openvino
            finally:
                if hidden:
                    del sys.modules["openvino_telemetry"]
            _core = openvino.Core()
        return _core


def _openvino_device(core: Any, device: str | None) -> str:
    seen = list(core.available_devices)
    wanted = "CPU" if device is None else device.upper()
    if wanted in seen:
        return wanted
    # OpenVINO lists GPU.0 and GPU.1 where there are two; GPU means the first of them
    if any(name.split(".")[0] == wanted for name in seen):
        return wanted
    raise UsageError(
        f"openvino has no device {device!r} here", hint=f"choose one of {', '.join(name.lower() for name in seen)}"
    )


def _openvino_precision(core: Any, device: str, precision: str | None) -> str:
    able = set(core.get_property(device, "OPTIMIZATION_CAPABILITIES"))
    choices = [name for name, word in zip(PRECISIONS, ("FP32", "BF16", "FP16"), strict=True) if word in able]
    if precision is None:
        # f16 on a CPU is slower than f32 (ViT-B/32, 2 cores with AMX); on a GPU it is the native form
        return "bf16" if "bf16" in choices else "f16" if "f16" in choices and device != "CPU" else "f32"
    if precision not in choices:
        raise UsageError(
            f"precision {precision!r} is not available on {device.lower()} with openvino",
            hint=f"choose one of {', '.join(choices)}",
        )
    return precision


def _openvino_compile(core: Any, path: Path, device: str, config: dict[str, Any], normalise: Normalise | None) -> Any:
    if normalise is None:
        # by path: from the cache without reading the graph (text side of ViT-B/32: 0.2 s instead of 0.9)
        return core.compile_model(str(path), device, config)
    # a changed graph has to be read first, and then its cached form is no faster than compiling: 0.5 s either way
    return core.compile_model(_openvino_with_pixels(core.read_model(str(path)), normalise), device, config)


def _made(cache_dir: Path) -> bool:
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return True


def _openvino_with_pixels(model: Any, normalise: Normalise) -> Any:
    """The same graph behind a uint8 NHWC input: a quarter of the bytes to copy, and the scaling is fused."""
    from openvino import Layout, Type
    from openvino.preprocess import PrePostProcessor

    mean, std = ([255 * float(value) for value in values] for values in normalise)
    steps = PrePostProcessor(model)
    steps.input(0).tensor().set_element_type(Type.u8).set_layout(Layout("NHWC"))
    steps.input(0).preprocess().convert_element_type(Type.f32).mean(mean).scale(std)
    steps.input(0).model().set_layout(Layout("NCHW"))
    return steps.build()


def _openvino_shape(port: Any) -> tuple[int | None, ...]:
    return tuple(None if size.is_dynamic else int(size.get_length()) for size in port.partial_shape)


# ONNX Runtime

_PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
    "migraphx": "MIGraphXExecutionProvider",
}
_ONNX_TYPES: dict[str, np.dtype[Any]] = {
    "tensor(float)": np.dtype(np.float32),
    "tensor(float16)": np.dtype(np.float16),
    "tensor(int32)": np.dtype(np.int32),
    "tensor(int64)": np.dtype(np.int64),
    "tensor(uint8)": np.dtype(np.uint8),
    "tensor(bool)": np.dtype(np.bool_),
}


def _onnxruntime_device(onnxruntime: Any, device: str | None) -> tuple[str, list[str]]:
    wanted = "cpu" if device is None else device.lower()
    seen = set(onnxruntime.get_available_providers())
    choices = [name for name, provider in _PROVIDERS.items() if provider in seen]
    if wanted not in choices:
        raise UsageError(f"onnxruntime has no device {device!r} here", hint=f"choose one of {', '.join(choices)}")
    # the CPU stands behind, for operators that the device lacks
    return wanted, list(dict.fromkeys([_PROVIDERS[wanted], _PROVIDERS["cpu"]]))


def _onnxruntime_shape(port: Any) -> tuple[int | None, ...]:
    return tuple(size if isinstance(size, int) else None for size in port.shape)


def import_onnxruntime() -> Any:
    """The module `onnxruntime`, with its telemetry off.

    Since 1.29 its wheels for Linux and macOS write a device id below the home directory at import and send session
    events to Microsoft (onnxruntime pull request 27379). The variable has to be set before the first import; a value
    that the user has set is left alone. On Windows the events go to the system's own tracing, as the user configured.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    return onnxruntime


# Damaged files


def _check_file(path: Path) -> None:
    """What fetching and copying usually leave of a graph, said plainly.

    The runtimes report it less well: OpenVINO, when ONNX does not fit, lets every other format try and log.
    """
    try:
        with path.open("rb") as file:
            flaw = _flaw(file, path.stat().st_size)
    except OSError as error:
        raise CorruptModel(f"{_short(path)} cannot be read: {error.strerror}", hint=_FETCH_AGAIN) from error
    if flaw:
        raise CorruptModel(f"{_short(path)} is {flaw}, not an ONNX graph", hint=_FETCH_AGAIN)


def _flaw(file: BinaryIO, size: int) -> str:
    head = file.read(64)
    if not head:
        return "an empty file"
    if head.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer"
    if head.lstrip().startswith(b"<"):
        return "a web page"
    return "" if _is_whole_onnx(file, size) else f"cut off or damaged ({size:,} bytes)"


def _is_whole_onnx(file: BinaryIO, size: int) -> bool:
    """Steps over the fields of the outermost protobuf message (ModelProto, onnx.proto): a few reads, whatever the size.

    True when the last one ends at the end of the file and field 7, the graph, is among them.
    """
    at, fields = 0, set()
    while at < size:
        file.seek(at)
        head = file.read(20)
        key, used = _varint(head)
        value, more = _varint(head[used:])
        if used == 0 or more == 0:
            return False
        fields.add(key >> 3)
        wire = key & 7
        if wire not in (0, 2):  # ModelProto has numbers and messages only
            return False
        at += used + more + (value if wire == 2 else 0)
    return at == size and 7 in fields


def _varint(data: bytes) -> tuple[int, int]:
    """The number at the head of `data` and its length in bytes; length 0 when there is none."""
    value = 0
    for place, byte in enumerate(data[:10]):
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value, place + 1
    return 0, 0


def _readable(path: Path, load: Callable[[], Any]) -> Any:
    try:
        return load()
    except MemoryError:
        raise
    except Exception as error:  # both runtimes raise many kinds; here they all mean: not a graph that can run
        raise CorruptModel(
            f"{_short(path)} is not a readable ONNX graph ({path.stat().st_size:,} bytes): {_one_line(error)}",
            hint=_FETCH_AGAIN,
        ) from error


_FETCH_AGAIN = "fetch or export the model again"


def _short(path: Path) -> str:
    return "/".join(path.parts[-3:])


def _one_line(error: BaseException) -> str:
    """The last line of a runtime's message that says something; file and line of its own source are dropped."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith(("Exception from src", "Check '"))] or lines
    return telling[-1][:200] if telling else type(error).__name__

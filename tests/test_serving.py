"""`sightline serve` and a real server: started, asked as the documentation says, overloaded, ended."""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import os
import re
import runpy
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest
from fakes import FakeEncoder
from fastapi.testclient import TestClient
from PIL import Image
from wires import heard, served, wait_for

from sightline import choice, web
from sightline.cli import main
from sightline.collection import Collection
from sightline.serving import is_loopback, shown
from sightline.web import create_app

DOCS = (Path(__file__).parents[1] / "docs" / "http.md").read_text()
HERE = Path(__file__).parent


def picture(colour: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (40, 30), colour).save(out, "PNG")
    return out.getvalue()


def filled(folder: Path) -> Collection:
    collection = Collection(f"{folder}/tables#photos", model=FakeEncoder())
    for colour in ("red", "green", "blue"):
        collection.add(picture(colour), f"a {colour} car", name=f"{colour}.png")
    return collection


# ---- the command ----------------------------------------------------------------------------------------------


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[Any, str, int]]:
    """What `serve` would have run: application, host, port."""
    runs: list[tuple[Any, str, int]] = []

    def serve(app: Any, host: str, port: int, *, started: Any) -> None:
        runs.append((app, host, port))
        started(host, port)

    monkeypatch.setattr(choice, "load_encoder", lambda *_args, **_kwargs: FakeEncoder())
    monkeypatch.setattr(web, "serve", serve)
    monkeypatch.chdir(tmp_path)
    return runs


def test_serve_listens_here_alone_and_wants_no_token(
    begun: list[tuple[Any, str, int]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve"]) == 0
    ((app, host, port),) = begun
    assert (host, port) == ("127.0.0.1", 7860)
    assert capsys.readouterr().out == "0 pictures at http://127.0.0.1:7860/\n"
    with TestClient(app, base_url="http://localhost:7860") as client:
        assert client.get("/api/stats").status_code == 200
        assert client.get("/api/stats", headers={"host": "192.168.1.5"}).status_code == 421


def test_what_others_can_reach_gets_a_token_that_is_shown_once(
    begun: list[tuple[Any, str, int]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", "--host", "0.0.0.0", "--allow-host", "Photos.example.org", "--port", "80"]) == 0  # noqa: S104
    token = re.search(r"http://127\.0\.0\.1:80/\?token=(\S{32})\n", capsys.readouterr().out)
    assert token
    with TestClient(begun[0][0], base_url="http://192.168.1.5") as client:
        assert client.get("/api/stats").status_code == 401
        bearer = {"authorization": f"Bearer {token[1]}"}
        assert client.get("/api/stats", headers=bearer).status_code == 200
        assert client.get("/api/stats", headers={**bearer, "host": "photos.example.org"}).status_code == 200
        assert client.get("/api/stats", headers={**bearer, "host": "evil.example"}).status_code == 421


def test_a_token_is_never_the_same_twice(begun: Any, capsys: pytest.CaptureFixture[str]) -> None:
    main(["serve", "--host", "0.0.0.0"])  # noqa: S104
    main(["serve", "--host", "0.0.0.0"])  # noqa: S104
    first, second = capsys.readouterr().out.splitlines()
    assert first != second


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--token", "short"], "at least 16"),
        (["--read-only"], "there is no collection"),
        (["--port", "65536"], "65535"),
    ],
)
def test_what_cannot_be_served_is_refused_before_anything_listens(
    begun: list[Any], capsys: pytest.CaptureFixture[str], args: list[str], said: str
) -> None:
    assert main(["serve", *args]) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert (captured.out, begun) == ("", [])


def test_a_port_that_is_taken_is_said_and_nothing_is_left_behind(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        app = create_app(Collection(f"{tmp_path}/t#x", model=FakeEncoder()))
        with pytest.raises(Exception, match=f"cannot serve at 127.0.0.1:{number}"):
            web.serve(app, "127.0.0.1", number)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback_counts_as_this_machine_alone(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "localhost.evil.example", "example.org"])  # noqa: S104
def test_nothing_else_does(host: str) -> None:
    assert not is_loopback(host)


def test_addresses_are_shown_so_that_a_browser_takes_them() -> None:
    assert shown("::1", 80, None) == "http://[::1]:80/"
    assert shown("::", 80, "t") == "http://[::1]:80/?token=t"


# ---- a process ------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def process(folder: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    command = [sys.executable, str(HERE / "serve_process.py"), str(folder)]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=HERE)
    try:
        assert running.stdout is not None
        port = int(running.stdout.readline())
        wait_for(lambda: status(port, "/healthz") == 200, seconds=120)
        yield running, port
    finally:
        if running.poll() is None:
            running.send_signal(signal.SIGINT)
        running.communicate(timeout=60)


def status(port: int, path: str, connection: http.client.HTTPConnection | None = None) -> int:
    asked = connection or http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    asked.request("GET", path)
    reply = asked.getresponse()
    reply.read()
    if connection is None:
        asked.close()
    return reply.status


SEARCH = "/api/search?q=red+green&min_relevance=0"


def overloaded(folder: Path, seconds: float) -> None:
    """Twice as many askers as there is room for, and a hundred sockets that never finish their request."""
    with process(folder) as (running, port):
        seen: Counter[int] = Counter()
        waits: list[float] = []
        over = threading.Event()
        lock = threading.Lock()

        def ask() -> None:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            while not over.is_set():
                got = status(port, SEARCH, connection)
                with lock:
                    seen[got] += 1
                if got == 503:
                    time.sleep(0.02)
            connection.close()

        def look() -> None:
            while not over.is_set():
                began = time.perf_counter()
                assert status(port, "/healthz") == 200
                waits.append(time.perf_counter() - began)
                time.sleep(0.02)

        def begun() -> socket.socket:
            sock = socket.create_connection(("127.0.0.1", port))
            sock.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
            return sock

        def trickle() -> None:
            """A hundred headers without an end, a byte a second; one that is cut off begins anew."""
            slow = [begun() for _ in range(100)]
            while not over.wait(1.0):
                for at, sock in enumerate(slow):
                    try:
                        sock.sendall(b"a")
                    except OSError:
                        sock.close()
                        slow[at] = begun()
            for sock in slow:
                sock.close()

        for _ in range(50):
            status(port, SEARCH)
        threads = [threading.Thread(target=ask) for _ in range(32)]
        threads += [threading.Thread(target=look), threading.Thread(target=trickle)]
        for thread in threads:
            thread.start()
        time.sleep(seconds / 3)
        before = psutil.Process(running.pid).memory_info().rss
        time.sleep(2 * seconds / 3)
        after = psutil.Process(running.pid).memory_info().rss
        over.set()
        for thread in threads:
            thread.join(60)
        assert set(seen) <= {200, 503}
        assert seen[200] > 0
        assert seen[503] > 0
        assert sorted(waits)[int(0.99 * len(waits))] < 1.0
        assert after - before < 50 * 2**20
        assert status(port, SEARCH) == 200


@pytest.mark.slow
def test_overload_and_slow_sockets_leave_a_server_that_answers(tmp_path: Path) -> None:
    overloaded(tmp_path, 5)


@pytest.mark.torture
def test_a_minute_of_overload_leaves_a_server_that_answers(tmp_path: Path) -> None:
    overloaded(tmp_path, 60)


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_ends_a_server_at_once_and_without_a_word(tmp_path: Path) -> None:
    with process(tmp_path) as (running, port):
        idle = socket.create_connection(("127.0.0.1", port))
        assert status(port, SEARCH) == 200  # and by now the idle one has been accepted
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
        assert (running.returncode, out, err) == (0, "", "")
        assert heard(idle) == b""
        idle.close()


# ---- the documentation ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    app = create_app(filled(tmp_path_factory.mktemp("documented")))
    with served(app) as port:
        wait_for(lambda: status(port, "/healthz") == 200)
        yield port


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", DOCS, re.DOTALL)


@pytest.mark.parametrize("code", blocks("python"))
def test_the_examples_in_python_run(
    code: str, port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "httpx", httpx2)  # the same interface
    script = tmp_path / "example.py"
    script.write_text(code.replace("127.0.0.1:7860", f"127.0.0.1:{port}"))
    runpy.run_path(str(script))
    assert "red" in capsys.readouterr().out


@pytest.mark.skipif(not Path("/usr/bin/curl").exists(), reason="needs curl")
def test_the_examples_with_curl_run_in_their_order(port: int, tmp_path: Path) -> None:
    (tmp_path / "dog.jpg").write_bytes(picture("yellow"))
    lines = [line for block in blocks("sh") for line in block.splitlines() if line.startswith("curl")]
    assert len(lines) == 7
    ident = ""
    for line in lines:
        command = line.replace("127.0.0.1:7860", f"127.0.0.1:{port}").replace("/ID", f"/{ident}")
        ran = subprocess.run(f"{command} -sS --fail", shell=True, cwd=tmp_path, capture_output=True, text=True)  # noqa: S602
        assert ran.returncode == 0, (command, ran.stdout, ran.stderr)
        if "text/event-stream" in line or "/api/ask" in line:
            assert "event: answer" in ran.stdout
        else:
            ident = json.loads(ran.stdout).get("id", ident)

"""Lists of addresses: pictures come in order; no address reaches a server that is not public, by whatever road."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from fakes import FakeEncoder
from odd_images import encoded, picture

import sightline
from sightline import links
from sightline.cli import main
from sightline.config import settings
from sightline.errors import BadMedia, Offline, SourceError
from sightline.links import fetch, is_public
from sightline.schema import Item, Skipped
from sightline.sources import open_source

JPEG = encoded(picture(0), "JPEG")


class Web:
    """A web server on 127.0.0.1. `asked` are the paths that came, `hosts` the Host headers."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.hosts: list[str] = []
        self.stop = threading.Event()
        web = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                web.asked.append(self.path)
                web.hosts.append(self.headers["Host"])
                with contextlib.suppress(OSError):
                    web.answer(self)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def answer(self, to: BaseHTTPRequestHandler) -> None:
        name = to.path.split("?")[0]
        if name.startswith("/to/"):
            return self.send(to, 302, b"", Location=name.removeprefix("/to/").replace("|", "/"))
        if name.startswith("/loop/"):
            return self.send(
                to,
                301,
                b"",
                Location=f"/loop/{int(name.removeprefix('/loop/')) - 1}" if name != "/loop/0" else "/a.jpg",
            )
        if name == "/slow.jpg":
            to.wfile.write(b"HTTP/1.1 200 OK\r\n")
            while not self.stop.wait(0.02):
                to.wfile.write(b"X")
        if name == "/endless.jpg":
            to.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n" + JPEG)
            while not self.stop.is_set():
                to.wfile.write(bytes(2**16))
        if name == "/cut.jpg":
            to.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + JPEG)
            return None
        if name == "/page.html":
            return self.send(to, 200, b"<html>hello</html>" * 100)
        if name == "/packed.jpg":
            return self.send(to, 200, JPEG, **{"Content-Encoding": "gzip"})
        if name == "/missing.jpg":
            return self.send(to, 404, b"")
        return self.send(to, 200, JPEG)

    @staticmethod
    def send(to: BaseHTTPRequestHandler, status: int, body: bytes, **headers: str) -> None:
        to.send_response(status)
        for name, value in headers.items():
            to.send_header(name, value)
        to.send_header("Content-Length", str(len(body)))
        to.end_headers()
        to.wfile.write(body)


@pytest.fixture
def web() -> Iterator[Web]:
    web = Web()
    threading.Thread(target=web.server.serve_forever, args=(0.01,), daemon=True).start()
    yield web
    web.stop.set()
    web.server.shutdown()
    web.server.server_close()


def why(url: str, *, allow_private: bool = True) -> str:
    with pytest.raises(BadMedia) as caught:
        fetch(url, allow_private=allow_private)
    assert "\n" not in str(caught.value)
    return f"{caught.value.reason}: {caught.value}"


def listing(tmp_path: Path, *lines: str) -> str:
    (tmp_path / "list.txt").write_text("\n".join(lines), encoding="utf-8")
    return f"urls:{tmp_path}/list.txt"


# -- where a fetch may go


_NOT_PUBLIC = (
    "127.0.0.1 127.8.9.1 10.0.0.1 172.16.5.4 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0 255.255.255.255 224.0.0.1 "
    "198.18.0.1 240.0.0.1 ::1 :: fe80::1 fe80::1%eth0 fd00:ec2::254 ff02::1 ::ffff:127.0.0.1 ::ffff:169.254.169.254 "
    "::127.0.0.1 64:ff9b::7f00:1 2002:7f00:1:: 2001:db8::1 fec0::1"
)


@pytest.mark.parametrize("address", _NOT_PUBLIC.split())
def test_addresses_that_are_not_public_are_known(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public_addresses_are_known(address):
    assert is_public(address)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "[::1]", "[::ffff:127.0.0.1]", "0"],
)
def test_no_spelling_of_this_machine_is_fetched(web, host):
    assert "private" in why(f"http://{host}:{web.port}/a.jpg", allow_private=False)
    assert not web.asked


def test_a_name_with_one_private_address_is_not_fetched(web, monkeypatch):
    both = [(2, 1, 6, "", ("8.8.8.8", web.port)), (2, 1, 6, "", ("127.0.0.1", web.port))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
    assert "private" in why("http://both.example/a.jpg", allow_private=False)
    assert not web.asked


def test_a_name_is_looked_up_once_and_the_connection_goes_there(web, monkeypatch):
    answers = iter([[(2, 1, 6, "", ("127.0.0.1", web.port))]])
    real = socket.getaddrinfo
    looked_up = []

    def once(host, *args, **kwargs):
        if host == "rebind.example":
            looked_up.append(host)
            return next(answers)
        return real(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", once)
    assert fetch(f"http://rebind.example:{web.port}/a.jpg", allow_private=True) == JPEG
    assert looked_up == ["rebind.example"]
    assert web.hosts == [f"rebind.example:{web.port}"]


def test_every_redirect_is_checked_again(web, monkeypatch):
    public = web.url.replace("127.0.0.1", "public.example")
    real = socket.getaddrinfo

    def lookup(host, *args, **kwargs):
        return real("127.0.0.1" if host == "public.example" else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    verdicts = iter([True, False])  # the first server counts as public, the one that it names does not
    monkeypatch.setattr(links, "is_public", lambda address: next(verdicts))
    assert "private" in why(f"{public}/to/http:||127.0.0.1:{web.port}|secret.jpg", allow_private=False)
    assert [path for path in web.asked if "secret" in path and not path.startswith("/to/")] == []


@pytest.mark.parametrize("target", ["file:|||etc|passwd", "ftp:||host|x", "gopher:||127.0.0.1|x", "data:,x"])
def test_a_redirect_cannot_change_to_another_kind(web, target):
    assert "only http" in why(f"{web.url}/to/{target}")


def test_three_redirects_are_followed_and_not_four(web):
    assert fetch(f"{web.url}/loop/2", allow_private=True) == JPEG
    assert "redirects" in why(f"{web.url}/loop/3")


_NO_ADDRESSES = (
    *(
        "file:///etc/passwd",
        "/etc/passwd",
        "ftp://host/a",
        "http://",
        "http://user:secret@host/a.jpg",
        "http://ho st/a",
    ),
    *(
        "http://host:99999/a.jpg",
        "http://host/a\r\nX: y",
        "http://host\\@evil/a",
        "javascript:1",
        "x" * 5000,
        "http://[::1/a",
    ),
)


@pytest.mark.parametrize("url", _NO_ADDRESSES)
def test_what_is_no_web_address_is_not_fetched(url):
    said = why(url)
    assert said.startswith("fetch_failed")
    assert "secret" not in said


# -- how much of a server is borne


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("missing.jpg", "fetch_failed: status 404"),
        ("cut.jpg", "fetch_failed: RemoteProtocolError"),
        ("packed.jpg", "fetch_failed: sent packed"),
        ("page.html", "not_an_image"),
    ],
)
def test_what_is_no_picture_says_why(web, path, message):
    assert message in why(f"{web.url}/{path}")


def test_a_slow_server_is_left_in_time(web, monkeypatch):
    monkeypatch.setattr(links, "SECONDS", 0.5)
    begun = time.monotonic()
    assert "within" in why(f"{web.url}/slow.jpg")
    assert time.monotonic() - begun < 3


def test_an_endless_picture_is_left_in_time(web, monkeypatch):
    monkeypatch.setattr(links, "MAX_BYTES", 2**20)
    assert "more than 1,048,576 bytes" in why(f"{web.url}/endless.jpg")


def test_a_server_that_is_not_there_is_told():
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        assert "fetch_failed" in why(f"http://127.0.0.1:{nobody.getsockname()[1]}/a.jpg")
    assert "not known" in why("http://nowhere.invalid/a.jpg")


def test_letters_beyond_ascii_are_escaped(web):
    assert fetch(f"{web.url}/straße.jpg?q=ü", allow_private=True) == JPEG
    assert web.asked == ["/stra%C3%9Fe.jpg?q=%C3%BC"]


# -- the list


def test_a_list_gives_pictures_in_order_with_captions(web, tmp_path):
    spec = listing(
        tmp_path,
        "\ufeff# pictures",
        f"{web.url}/a.jpg\ta red car\ta car",
        "",
        f"  {web.url}/missing.jpg  ",
        f"{web.url}/b%20c.jpg?size=2",
    )
    entries = list(open_source(spec, allow_private_urls=True))
    assert [entry.uri for entry in entries] == [f"{web.url}/{n}" for n in ("a.jpg", "missing.jpg", "b%20c.jpg?size=2")]
    first, second, third = entries
    assert isinstance(first, Item)
    assert (first.name, first.text, first.keep, first.read()) == ("a.jpg", "a red car\na car", "original", JPEG)
    assert isinstance(second, Skipped)
    assert second.reason == "fetch_failed"
    assert isinstance(third, Item)
    assert third.name == "b c.jpg"


def test_private_addresses_need_the_setting(web, tmp_path):
    [entry] = open_source(listing(tmp_path, f"{web.url}/a.jpg"))
    assert isinstance(entry, Skipped)
    assert "private" in entry.detail
    assert not web.asked


def test_an_empty_list_and_offline_are_told(web, tmp_path):
    with pytest.raises(SourceError, match="no address"):
        list(open_source(listing(tmp_path, "# nothing")))
    with pytest.raises(Offline):
        list(open_source(listing(tmp_path, f"{web.url}/a.jpg"), offline=True, allow_private_urls=True))
    assert not web.asked


def test_what_is_in_the_collection_is_not_fetched_again(web, tmp_path):
    spec = listing(tmp_path, f"{web.url}/a.jpg\tone", f"{web.url}/missing.jpg", f"{web.url}/page.html")
    given = settings(allow_private_urls=True)

    def run(**options: bool) -> sightline.IngestReport:
        return sightline.open(f"{tmp_path}/tables#t", model=FakeEncoder(), settings=given).ingest(spec, **options)

    first = run()
    assert (first.added, sorted(skip.reason for skip in first.skipped)) == (1, ["fetch_failed", "not_an_image"])
    assert web.asked.count("/a.jpg") == 1
    listing(tmp_path, f"{web.url}/a.jpg\ttwo", f"{web.url}/missing.jpg", f"{web.url}/page.html")
    web.asked.clear()
    second = run()
    assert (second.updated, second.encoded, len(second.skipped)) == (1, 0, 2)
    assert web.asked == ["/missing.jpg"]
    assert run(rehash=True).unchanged == 1
    assert "/a.jpg" in web.asked


def test_the_command_reads_the_setting(web, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SIGHTLINE_ALLOW_PRIVATE_URLS", "1")
    spec = listing(tmp_path, f"{web.url}/a.jpg\ta red car")
    assert main(["index", spec, "--model", "pocket", "--progress", "none"]) == 0
    assert "added\t1" in capsys.readouterr().out

"""The guard and the sockets: who is answered, how much is taken in, how long is waited."""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest
from wires import ask, heard, served

from sightline.errors import UsageError
from sightline.guard import HEADERS, Guard, Policy, Refusal, cookie_of
from sightline.sockets import PatientProtocol

TOKEN = "a-long-enough-token"  # noqa: S105


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Reads the whole body and says how much it was."""
    size = 0
    while True:
        message = await receive()
        size += len(message.get("body", b""))
        if not message.get("more_body"):
            break
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": str(size).encode()})


async def stubborn(scope: Any, receive: Any, send: Any) -> None:
    """As a form parser does: whatever reading the body raises becomes its own answer."""
    try:
        await receive()
        status = 200
    except Exception:
        status = 400
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": b"There was an error parsing the body"})


async def broken(scope: Any, receive: Any, send: Any) -> None:
    raise RuntimeError("secret of /home/me")


# ---- Host -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:7860", "localhost:1", "LOCALHOST", "[::1]:7860", "localhost."]
)
def test_names_of_this_machine_are_answered_on_any_port(host: str) -> None:
    assert ask(Guard(echo, Policy()), host=host).status == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost.evil.example:7860", 421),
        ("192.168.1.5", 421),
        ("2130706433", 421),
        ("evil.example#127.0.0.1", 400),
        ("127.0.0.1@evil.example", 400),
        ("evil.example/127.0.0.1", 400),
        ("127.0.0.1:99999", 400),
        ("[::1", 400),
        ("", 400),
        (None, 400),
    ],
)
def test_a_rebound_or_broken_host_is_refused_with_a_typed_error(host: str | None, status: int) -> None:
    reply = ask(Guard(echo, Policy()), host=host)
    assert reply.status == status
    assert set(reply.json()) == {"error", "message", "hint"}


def test_two_hosts_are_refused() -> None:
    assert ask(Guard(echo, Policy()), headers=[("host", "127.0.0.1")]).status == 400


def test_a_server_for_others_answers_any_address_but_no_foreign_name() -> None:
    policy = Policy(hosts=frozenset({"photos.example.org"}), any_address=True)
    answered = [
        ask(Guard(echo, policy), host=host).status for host in ("192.168.1.5:7860", "[fe80::1]", "photos.example.org")
    ]
    assert answered == [200, 200, 200]
    assert ask(Guard(echo, policy), host="evil.example").status == 421


# ---- Origin ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "method", "headers", "status"),
    [
        ("/api/search", "GET", {}, 200),
        ("/api/search", "GET", {"sec-fetch-site": "same-origin", "sec-fetch-mode": "cors"}, 200),
        ("/api/search", "GET", {"sec-fetch-site": "none", "sec-fetch-mode": "navigate"}, 200),
        ("/api/search", "GET", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "cors"}, 403),
        ("/api/search", "GET", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}, 403),
        ("/api/search", "GET", {"sec-fetch-site": "same-site"}, 403),
        ("/api/search", "GET", {"origin": "http://evil.example"}, 403),
        ("/api/search", "GET", {"origin": "http://127.0.0.1:9999"}, 403),
        ("/api/items", "POST", {"origin": "http://127.0.0.1:7860"}, 200),
        ("/api/items", "POST", {"origin": "https://127.0.0.1:7860"}, 200),  # behind a proxy that speaks TLS
        ("/api/items", "POST", {"origin": "null"}, 403),
        ("/api/items", "POST", {"origin": "file://127.0.0.1:7860"}, 403),
        ("/api/items", "POST", {"origin": "http://[::1"}, 403),
        ("/add", "POST", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}, 403),
        ("/", "GET", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}, 200),  # a link
        ("/thumb/x", "GET", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}, 403),  # an embedded picture
    ],
)
def test_other_pages_may_link_here_and_no_more(path: str, method: str, headers: dict[str, str], status: int) -> None:
    assert ask(Guard(echo, Policy()), path, method=method, headers=headers).status == status


# ---- token ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"authorization": f"Bearer {TOKEN}"}, 200),
        ({"authorization": f"bearer  {TOKEN}"}, 200),
        ({"authorization": f"Basic {TOKEN}"}, 401),
        ({"authorization": TOKEN}, 401),
        ({"authorization": "Bearer "}, 401),
        ({"authorization": f"Bearer {TOKEN}x"}, 401),
        ({"authorization": "Bearer \xff\xfe"}, 401),
        ({"cookie": f"sightline={cookie_of(TOKEN)}"}, 200),
        ({"cookie": f"other=1; sightline={cookie_of(TOKEN)}"}, 200),
        ({"cookie": f"sightline={TOKEN}"}, 401),  # the cookie is not the token
        ({"cookie": "sightline="}, 401),
        ({"cookie": "\x00=;;;"}, 401),
    ],
)
def test_the_token_opens_by_header_or_cookie_alone(headers: dict[str, str], status: int) -> None:
    assert ask(Guard(echo, Policy(token=TOKEN)), headers=headers).status == status


def test_a_visit_with_the_token_gets_a_cookie_and_an_address_without_it() -> None:
    reply = ask(Guard(echo, Policy(token=TOKEN)), "/item/x", query=f"q=a+b&token={TOKEN}")
    assert (reply.status, reply.headers["location"]) == (303, "/item/x?q=a+b")
    assert (
        reply.headers["set-cookie"]
        == f"sightline={cookie_of(TOKEN)}; HttpOnly; SameSite=Strict; Path=/; Max-Age=31536000"
    )
    assert TOKEN not in str(reply.headers)


def test_the_way_back_never_leads_to_another_server() -> None:
    reply = ask(Guard(echo, Policy(token=TOKEN)), "//evil.example/", query=f"token={TOKEN}")
    assert reply.headers["location"] == "/evil.example/"


def test_a_wrong_token_in_the_address_opens_nothing_and_posts_take_none_there() -> None:
    guard = Guard(echo, Policy(token=TOKEN))
    assert ask(guard, query="token=wrong-token-wrong").status == 401
    assert ask(guard, method="POST", query=f"token={TOKEN}").status == 401


def test_health_is_told_without_a_token() -> None:
    assert ask(Guard(echo, Policy(token=TOKEN)), "/healthz").status == 200


@pytest.mark.parametrize("token", ["", "short", "fifteen letters", "ünïcödé-ünïcödé-ünïcödé"])
def test_a_token_that_can_be_guessed_or_not_be_sent_is_refused(token: str) -> None:
    with pytest.raises(UsageError, match="at least 16"):
        Policy(token=token)


# ---- bodies ---------------------------------------------------------------------------------------------------


def test_a_body_is_counted_while_it_comes_whatever_was_announced() -> None:
    guard = Guard(echo, Policy(most_upload=100))
    for headers in ({}, {"content-length": "10"}, {"transfer-encoding": "chunked"}):
        told = headers or {"transfer-encoding": "chunked"}
        assert ask(guard, method="POST", headers=told, pieces=[b"x" * 50, b"x" * 50]).body == b"100"
        reply = ask(guard, method="POST", headers=told, pieces=[b"x" * 50, b"x" * 51])
        assert (reply.status, reply.json()["error"], reply.headers["connection"]) == (413, "TooLarge", "close")
    assert guard.uploads == 0


def test_a_body_that_is_announced_too_large_is_not_read() -> None:
    reply = ask(Guard(broken, Policy(most_upload=100)), method="POST", headers={"content-length": "101"})
    assert reply.status == 413


def test_a_body_that_stalls_ends_with_408() -> None:
    guard = Guard(echo, Policy(stall=0.05))
    reply = ask(guard, method="POST", headers={"content-length": "9"}, pieces=[b"x", b"x"], pause=5)
    assert (reply.status, reply.json()["error"]) == (408, "TooSlow")
    assert guard.uploads == 0


def test_a_body_that_trickles_ends_with_408_although_it_never_stalls() -> None:
    guard = Guard(echo, Policy(stall=0.5, pace=1_000))
    began = time.monotonic()
    reply = ask(guard, method="POST", headers={"content-length": "999"}, pieces=[b"x"] * 999, pause=0.05)
    assert reply.status == 408
    assert time.monotonic() - began < 20


def test_a_refused_body_is_answered_as_refused_whatever_a_parser_makes_of_it() -> None:
    reply = ask(
        Guard(stubborn, Policy(most_upload=3)), method="POST", headers={"content-length": "2"}, pieces=[b"four"]
    )
    assert reply.status == 413


def test_only_so_many_bodies_come_in_at_a_time() -> None:
    guard = Guard(echo, Policy(uploads=0))
    reply = ask(guard, method="POST", headers={"content-length": "1"}, pieces=[b"x"])
    assert (reply.status, reply.headers["retry-after"]) == (503, "1")
    assert ask(guard).status == 200  # what has no body takes no place


# ---- answers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("app", [echo, broken])
@pytest.mark.parametrize("host", ["127.0.0.1", "evil.example"])
def test_every_answer_tells_browsers_what_they_may_not_do(app: Any, host: str) -> None:
    reply = ask(Guard(app, Policy()), host=host)
    assert {name: reply.headers[name] for name in HEADERS} == HEADERS
    assert reply.headers["cache-control"] == "no-store"


def test_the_content_security_policy_allows_no_inline_script_and_no_other_host() -> None:
    rules = dict(one.split(" ", 1) for one in HEADERS["content-security-policy"].split("; "))
    assert rules["default-src"] == rules["base-uri"] == rules["frame-ancestors"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == "'self'"
    assert "unsafe" not in HEADERS["content-security-policy"]
    assert "http" not in HEADERS["content-security-policy"]


def test_a_fault_is_answered_without_its_words(caplog: pytest.LogCaptureFixture) -> None:
    reply = ask(Guard(broken, Policy()))
    assert reply.status == 500
    assert reply.json() == {
        "error": "InternalError",
        "message": "something failed here",
        "hint": "the server's log has the details",
    }
    assert "secret of /home/me" in caplog.text


def test_a_refusal_can_be_raised_and_seen() -> None:
    with pytest.raises(Refusal) as caught:
        raise Refusal(418, "Teapot", "short and stout")
    assert caught.value.document == {"error": "Teapot", "message": "short and stout", "hint": ""}


# ---- sockets --------------------------------------------------------------------------------------------------


class Hurried(PatientProtocol):
    header_seconds = 0.6
    unread_seconds = 0.6
    most_connections = 60


def guarded(app: Any = echo, **limits: Any) -> Guard:
    return Guard(app, Policy(**limits))


def request(port: int, text: str) -> bytes:
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(text.replace("\n", "\r\n").encode())
        return heard(sock)


def test_a_header_that_trickles_in_is_cut_off_and_others_are_answered_meanwhile() -> None:
    with served(guarded(), Hurried) as port:
        slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(40)]
        for sock in slow:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
        assert request(port, "GET / HTTP/1.1\nHost: 127.0.0.1\nConnection: close\n\n").startswith(b"HTTP/1.1 200")
        ended = time.monotonic() + 20
        for sock in slow:
            try:
                while time.monotonic() < ended:  # every byte comes well before the end of patience
                    sock.sendall(b"x")
                    time.sleep(0.02)
                raise AssertionError("the socket was never closed")
            except ConnectionError:
                sock.close()


def test_a_socket_that_says_nothing_is_closed() -> None:
    with served(guarded(), Hurried) as port, socket.create_connection(("127.0.0.1", port)) as sock:
        assert heard(sock) == b""


def test_a_second_request_on_a_connection_has_its_own_patience() -> None:
    with served(guarded(), Hurried) as port, socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        time.sleep(0.2)
        sock.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-")
        assert heard(sock).count(b"HTTP/1.1 200") == 1


def test_a_client_that_does_not_read_its_answer_is_dropped() -> None:
    sizes: list[int] = []

    async def endless(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(10_000):
            await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True})
            sizes.append(1)

    with served(guarded(endless), Hurried) as port, socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        time.sleep(2)
        assert len(heard(sock)) < 100 * 2**20  # what was in the buffers, of 625 MiB


def test_connections_beyond_the_most_are_closed_at_once() -> None:
    with served(guarded(), Hurried) as port:
        held = [socket.create_connection(("127.0.0.1", port)) for _ in range(Hurried.most_connections)]
        time.sleep(0.1)
        with socket.create_connection(("127.0.0.1", port)) as sock:
            began = time.monotonic()
            assert heard(sock) == b""
            assert time.monotonic() - began < 30
        for sock in held:
            sock.close()


@pytest.mark.parametrize("announced", ["9", "9999999"])
def test_a_lying_content_length_neither_hangs_nor_is_believed(announced: str) -> None:
    with served(guarded(stall=0.5, most_upload=1_000), Hurried) as port:
        body = f"POST / HTTP/1.1\nHost: 127.0.0.1\nContent-Length: {announced}\n\nxyz"
        reply = request(port, body)
        assert reply.split(b" ")[1] in (b"408", b"413")
        more = request(
            port, "POST / HTTP/1.1\nHost: 127.0.0.1\nContent-Length: 3\nConnection: close\n\nxyz" + "y" * 5_000
        )
        assert more.startswith(b"HTTP/1.1 200")
        assert b"3" in more.partition(b"\r\n\r\n")[2]


def test_an_endless_upload_without_a_length_ends_at_the_limit() -> None:
    with served(guarded(most_upload=100_000), Hurried) as port, socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        sent = 0
        with pytest.raises(ConnectionError):
            while sent < 200 * 2**20:
                sock.sendall(b"1000\r\n" + b"x" * 4096 + b"\r\n")
                sent += 4096
                time.sleep(0.001)
        assert sent < 20 * 2**20


@pytest.mark.parametrize(
    "text",
    [
        "GET / HTTP/1.1\n\n",
        "GET / HTTP/1.1\nHost: a\nHost: b\n\n",
        "nonsense\n\n",
    ],
)
def test_broken_requests_are_refused_and_the_server_lives(text: str) -> None:
    with served(guarded(), Hurried) as port:
        assert request(port, text)[9:10] in (b"4", b"")
        assert request(port, "GET / HTTP/1.1\nHost: 127.0.0.1\nConnection: close\n\n").startswith(b"HTTP/1.1 200")

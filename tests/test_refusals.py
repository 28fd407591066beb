"""What somebody is told who is not answered: programs a document, browsers a page that needs nothing more."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from fakes import FakeEncoder
from wires import Reply, ask

from sightline.collection import Collection
from sightline.guard import Policy
from sightline.refusals import wants_page
from sightline.web import create_app

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> object:
    folder = tmp_path_factory.mktemp("refused")
    policy = Policy(token="t" * 16, most_upload=100)
    return create_app(Collection(f"{folder}/t#x", model=FakeEncoder()), policy=policy)


IN = {"authorization": f"Bearer {'t' * 16}"}
REFUSED: list[tuple[int, str, str, Mapping[str, str], str]] = [
    (401, "/", "GET", {}, "this server wants its token"),
    (403, "/", "POST", {**IN, "origin": "http://evil.example"}, "the request comes from another web page"),
    (404, "/nowhere", "GET", IN, "there is nothing at this address"),
    (405, "/static/page.css", "POST", IN, "this address does not take that method"),
    (413, "/picture", "POST", {**IN, "content-length": "101"}, "the request is larger than 100 bytes"),
    (421, "/", "GET", {**IN, "host": "evil.example"}, "this server is not known by that name"),
]


def refused(app: object, path: str, method: str, headers: Mapping[str, str], accept: str) -> Reply:
    given = {"host": "127.0.0.1:7860", **headers, "accept": accept}
    return ask(app, path, method=method, headers=given, host=None)


@pytest.mark.parametrize(("status", "path", "method", "headers", "said"), REFUSED)
def test_a_browser_gets_a_page_and_a_program_a_document(
    app: object, status: int, path: str, method: str, headers: Mapping[str, str], said: str
) -> None:
    page = refused(app, path, method, headers, BROWSER)
    assert (page.status, page.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert f"<strong>{said[0].upper()}{said[1:]}.</strong>" in page.body.decode()
    for accept in ("*/*", "application/json"):
        document = refused(app, path, method, headers, accept)
        assert (document.status, document.headers["content-type"]) == (status, "application/json")
        assert document.json()["message"] == said


@pytest.mark.parametrize(("status", "path", "method", "headers", "said"), REFUSED)
def test_the_page_brings_its_style_and_may_load_nothing(
    app: object, status: int, path: str, method: str, headers: Mapping[str, str], said: str
) -> None:
    page = refused(app, path, method, headers, BROWSER)
    html = page.body.decode()
    (style,) = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = page.headers["content-security-policy"]
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}';")
    assert "frame-ancestors 'none'" in policy
    assert style == (Path(__file__).parents[1] / "src/sightline/static/page.css").read_text()
    assert not re.search(r"<(script|link|img|iframe)|style=|\son\w+=", html.replace(style, ""))
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["vary"] == "accept"


def test_only_who_lacks_the_token_can_give_it_there(app: object) -> None:
    for status, path, method, headers, _ in REFUSED:
        html = refused(app, path, method, headers, BROWSER).body.decode()
        assert ('name="token"' in html) == (status == 401)
        assert ('href="/"' in html) == (status not in (401, 421))


def test_what_is_refused_is_never_html_of_the_asker(app: object) -> None:
    html = refused(app, "/<script>alert(1)</script>", "GET", IN, BROWSER).body.decode()
    assert "<script" not in html


@pytest.mark.parametrize("path", ["/api/search", "/metrics", "/healthz", "/openapi.json"])
def test_where_programs_ask_the_answer_is_a_document_whoever_asks(app: object, path: str) -> None:
    reply = refused(app, path, "GET", {"host": "evil.example"}, BROWSER)
    assert (reply.status, reply.json()["error"]) == (421, "HostNotAllowed")


@pytest.mark.parametrize(
    ("accept", "page"),
    [(BROWSER, True), ("TEXT/HTML", True), ("", False), ("*/*", False), ("text/htmlish", False), ("text/*", False)],
)
def test_who_names_html_is_a_browser(accept: str, page: bool) -> None:
    assert wants_page(accept, "/") is page

"""`sightline mcp`, asked by the SDK's own client: over pipes, over HTTP, and without a transport between them."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import re
import runpy
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import httpx2
import injections
import numpy as np
import pytest
from fakes import FakeEncoder
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult, ImageContent, TextContent
from PIL import Image
from wires import ask as asked
from wires import served

from sightline import choice, mcp_server, mcp_wire, serving, web
from sightline.cli import main
from sightline.collection import Collection
from sightline.guard import Policy
from sightline.schema import Item, Vectors, visible
from sightline.sources import HeldBytes

HERE = Path(__file__).parent
TOOLS = ("search", "ask", "get_image", "collection_info")


def picture(colour: str, size: tuple[int, int] = (40, 30)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "PNG")
    return out.getvalue()


def empty(folder: Path, encoder: FakeEncoder | None = None) -> Collection:
    return Collection(f"{folder}/tables#photos", model=encoder or FakeEncoder())


def filled(folder: Path, encoder: FakeEncoder | None = None) -> Collection:
    collection = empty(folder, encoder)
    for colour in ("red", "green", "blue"):
        collection.add(picture(colour), f"a {colour} car", name=f"{colour}.png")
    return collection


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the collection of three cars is; nothing here changes it."""
    folder = tmp_path_factory.mktemp("cars")
    filled(folder)
    return folder


@pytest.fixture(scope="module")
def cars(folder: Path) -> Collection:
    return empty(folder)


def told(collection: Collection, talk: Callable[[Client], Awaitable[Any]]) -> Any:
    """What a client hears that talks to the server in this very process."""

    async def talking() -> Any:
        async with Client(mcp_server.create(mcp_server.site_of(collection))) as client:
            return await talk(client)

    return asyncio.run(talking())


def called(collection: Collection, tool: str, **arguments: Any) -> CallToolResult:
    result = told(collection, lambda client: client.call_tool(tool, arguments))
    assert isinstance(result, CallToolResult)
    return result


def refused(collection: Collection, talk: Callable[[Client], Awaitable[Any]]) -> MCPError:
    async def caught(client: Client) -> MCPError:
        with pytest.raises(MCPError) as refusal:
            await talk(client)
        return refusal.value

    error = told(collection, caught)
    assert isinstance(error, MCPError)
    return error


def words(result: CallToolResult) -> str:
    first = result.content[0]
    assert isinstance(first, TextContent)
    return first.text


def found(collection: Collection, query: str, **arguments: Any) -> dict[str, Any]:
    result = called(collection, "search", query=query, **arguments)
    assert not result.is_error, words(result)
    assert json.loads(words(result)) == result.structured_content
    document: dict[str, Any] = result.structured_content
    return document


# ---- over pipes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_over_stdio_a_client_searches_asks_and_looks_whatever_is_printed_meanwhile(
    folder: Path, tmp_path: Path, mode: str
) -> None:
    command = StdioServerParameters(command=sys.executable, args=[str(HERE / "mcp_process.py"), str(folder)])

    async def talk(errors: Any) -> None:
        async with Client(stdio_client(command, errlog=errors), mode=mode) as client:
            assert client.server_info is not None
            assert client.server_info.name == "sightline"
            assert mcp_wire.NOTE in (client.instructions or "")
            assert [tool.name for tool in (await client.list_tools()).tools] == list(TOOLS)
            hits = (await client.call_tool("search", {"query": "red", "k": 1})).structured_content["hits"]
            assert [hit["name"] for hit in hits] == ["red.png"]
            answer = (await client.call_tool("ask", {"question": "is there a red car?"})).structured_content
            assert answer["citations"] == [hits[0]["id"]]
            seen = await client.call_tool("get_image", {"id": hits[0]["id"]})
            assert [part.type for part in seen.content] == ["text", "image"]
            read = await client.read_resource(hits[0]["uri"])
            assert json.loads(read.contents[0].text)["text"] == "a red car"  # type: ignore[union-attr]

    with (tmp_path / "errors").open("w+") as errors:
        asyncio.run(talk(errors))
        errors.seek(0)
        assert "encoding red\n" in errors.read()


@pytest.mark.slow
def test_the_command_writes_nothing_but_the_protocol_on_stdout(tmp_path: Path) -> None:
    tables = f"{tmp_path}/tables#photos"
    Collection(tables, model="pocket").add(picture("red"), "a red car", name="red.png")
    told = [
        {
            "id": 1,
            "method": "initialize",
            "params": {
                "protocolVersion": "2025-06-18",
                "capabilities": {},
                "clientInfo": {"name": "test", "version": "1"},
            },
        },
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/call", "params": {"name": "search", "arguments": {"query": "a red car"}}},
    ]
    command = [sys.executable, "-m", "sightline", "mcp", "-c", tables]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        for message in told:
            running.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        running.stdin.flush()
        lines = [json.loads(running.stdout.readline()) for _ in range(2)]
        rest, errors = running.communicate(timeout=120)
    assert [line["id"] for line in lines] == [1, 2]
    assert lines[1]["result"]["structuredContent"]["hits"][0]["text"] == "a red car"
    assert (running.returncode, rest, errors) == (0, b"", b"")


# ---- over HTTP ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_over_http_a_client_with_the_token_is_answered(cars: Collection, mode: str) -> None:
    app = mcp_server.http_app(mcp_server.site_of(cars), Policy(token="t" * 16))

    async def talk(port: int) -> None:
        with_token = httpx2.AsyncClient(headers={"authorization": f"Bearer {'t' * 16}"}, timeout=60)
        async with (
            with_token,
            Client(streamable_http_client(f"http://127.0.0.1:{port}/mcp", http_client=with_token), mode=mode) as client,
        ):
            several = [client.call_tool("search", {"query": colour, "k": 1}) for colour in ("red", "green") * 4]
            names = [result.structured_content["hits"][0]["name"] for result in await asyncio.gather(*several)]
            assert names == ["red.png", "green.png"] * 4

    with served(app) as port:
        asyncio.run(talk(port))


CALL = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).encode()
JSON = {"content-type": "application/json", "accept": "application/json, text/event-stream"}


@pytest.mark.parametrize(
    ("headers", "host", "status"),
    [
        ({}, "evil.example:7861", 421),
        ({"origin": "http://evil.example"}, "127.0.0.1:7861", 403),
        ({"origin": "null"}, "127.0.0.1:7861", 403),
        ({"sec-fetch-site": "cross-site"}, "127.0.0.1:7861", 403),
        ({"authorization": "Bearer wrong"}, "127.0.0.1:7861", 401),
        ({}, "127.0.0.1:7861", 401),
    ],
)
def test_over_http_strangers_and_other_web_pages_are_not_answered(
    cars: Collection, headers: dict[str, str], host: str, status: int
) -> None:
    app = mcp_server.http_app(mcp_server.site_of(cars), Policy(token="t" * 16))
    reply = asked(app, "/mcp", method="POST", headers={**JSON, **headers}, host=host, pieces=[CALL])
    assert reply.status == status
    assert set(reply.json()) == {"error", "message", "hint"}


def test_over_http_a_request_of_more_than_a_megabyte_is_refused(cars: Collection) -> None:
    app = mcp_server.http_app(mcp_server.site_of(cars), Policy())
    with served(app) as port:
        url = f"http://127.0.0.1:{port}/mcp"
        assert httpx2.post(url, content=CALL, headers=JSON).status_code == 200
        assert httpx2.post(url, content=CALL + b" " * 2**20, headers=JSON).status_code == 413
        assert httpx2.get(f"http://127.0.0.1:{port}/").status_code == 404


# ---- what is offered ------------------------------------------------------------------------------------------


def test_every_tool_says_that_it_only_reads_and_what_it_takes_and_gives(cars: Collection) -> None:
    tools = told(cars, lambda client: client.list_tools()).tools
    assert tuple(tool.name for tool in tools) == TOOLS
    for tool in tools:
        assert (tool.annotations.read_only_hint, tool.annotations.destructive_hint) == (True, False)
        assert tool.input_schema["additionalProperties"] is False
        assert tool.output_schema["type"] == "object"
        assert tool.name == "collection_info" or tool.description.endswith(mcp_wire.NOTE)


def test_a_search_gives_relevance_captions_and_addresses_of_ours(cars: Collection) -> None:
    document = found(cars, "red", k=2, min_relevance=0)
    assert document["note"] == mcp_wire.NOTE
    first, second = document["hits"]
    assert (first["rank"], first["name"], first["text"], first["score"]) == (1, "red.png", "a red car", 1.0)
    assert first["uri"] == f"sightline://item/{first['id']}"
    assert second["score"] == 0.0


def test_an_answer_cites_hits_by_number_and_by_id(cars: Collection) -> None:
    document = called(cars, "ask", question="how many red cars are there?").structured_content
    assert document["note"] == mcp_wire.NOTE
    assert "[1]" in document["answer"]
    assert document["citations"] == [document["hits"][0]["id"]]


def test_where_nothing_shows_it_the_answer_is_empty_and_says_why(cars: Collection) -> None:
    document = called(cars, "ask", question="is there an elephant?").structured_content
    assert document["abstained"]
    assert document["reason"]
    assert document["citations"] == []


def test_nothing_that_goes_out_says_where_anything_is(tmp_path: Path) -> None:
    photos = tmp_path / "secret-folder"
    photos.mkdir()
    (photos / "red.png").write_bytes(picture("red"))
    (photos / "red.txt").write_text("a red car")
    collection = empty(tmp_path)
    collection.ingest(photos)

    async def everything(client: Client) -> str:
        search = await client.call_tool("search", {"query": "red", "min_relevance": 0})
        (hit,) = search.structured_content["hits"]
        answers = [search]
        answers += [await client.call_tool("ask", {"question": "is there a red car?"})]
        answers += [await client.call_tool("get_image", {"id": hit["id"]}), await client.call_tool("collection_info")]
        reads = [await client.read_resource(uri) for uri in (hit["uri"], "sightline://collection")]
        return "".join(one.model_dump_json() for one in (*answers, *reads))

    heard = told(collection, everything)
    assert "red.png" in heard
    assert str(tmp_path) not in heard
    assert "file:" not in heard


# ---- pictures -------------------------------------------------------------------------------------------------


def noise(width: int, height: int) -> bytes:
    out = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    image = Image.fromarray(pixels)
    exif = image.getexif()
    exif[0x010E] = "taken at home"
    image.save(out, "JPEG", quality=95, exif=exif)
    return out.getvalue()


@pytest.fixture(scope="module")
def grain(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    collection = empty(tmp_path_factory.mktemp("grain"))
    collection.add(noise(1_800, 1_200), "noise", name="noise.jpg")
    return collection


@pytest.mark.parametrize("size", [64, 256, 300, 1536])
def test_a_picture_is_made_anew_as_small_as_asked_and_as_clients_bear(grain: Collection, size: int) -> None:
    ident = found(grain, "noise", min_relevance=0)["hits"][0]["id"]
    result = called(grain, "get_image", id=ident, size=size)
    sent = result.content[1]
    assert isinstance(sent, ImageContent)
    data = base64.b64decode(sent.data)
    assert len(data) <= mcp_server.MOST_BYTES
    assert b"taken at home" not in data
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == "JPEG"
        assert max(image.size) <= size
        assert image.width / image.height == pytest.approx(1.5, abs=0.02)
        assert result.structured_content["longest"] == max(image.size)
    assert (result.structured_content["bytes"], sent.mime_type) == (len(data), "image/jpeg")


def test_a_picture_is_never_enlarged(cars: Collection) -> None:
    ident = found(cars, "red")["hits"][0]["id"]
    assert called(cars, "get_image", id=ident, size=1536).structured_content["longest"] == 40


def test_an_image_can_be_asked_for_by_the_address_of_its_item(cars: Collection) -> None:
    hit = found(cars, "red")["hits"][0]
    assert called(cars, "get_image", id=hit["uri"]).structured_content["id"] == hit["id"]


def test_items_and_their_pictures_are_resources(cars: Collection) -> None:
    hit = found(cars, "red")["hits"][0]

    async def read(client: Client) -> tuple[Any, Any, list[str]]:
        item, image = await client.read_resource(hit["uri"]), await client.read_resource(hit["uri"] + "/image")
        templates = (await client.list_resource_templates()).resource_templates
        return item.contents[0], image.contents[0], [one.uri_template for one in templates]

    item, image, templates = told(cars, read)
    document = json.loads(item.text)
    assert (document["text"], document["note"]) == ("a red car", mcp_wire.NOTE)
    assert (item.mime_type, image.mime_type) == ("application/json", "image/jpeg")
    assert Image.open(io.BytesIO(base64.b64decode(image.blob))).size == (40, 30)
    assert templates == ["sightline://item/{id}", "sightline://item/{id}/image"]


# ---- hostile and mistaken -------------------------------------------------------------------------------------


def test_hostile_captions_are_fields_of_data_without_hidden_characters(tmp_path: Path) -> None:
    collection = empty(tmp_path)
    captions = [caption for _, caption in injections.captions("http://127.0.0.1:1")]
    shown = [HeldBytes(picture(f"#{number:06x}")) for number in range(len(captions))]
    items = [Item(f"made:{at}", f"{at}.png", shown[at], f"red {caption}") for at, caption in enumerate(captions)]
    collection.ingest(items)
    document = found(collection, "red", k=100, min_relevance=0)
    assert sum(1 + len(hit["alike"]) for hit in document["hits"]) == len(captions) == 100
    assert set(document) == {"note", "query", "understood", "cutoff", "near_misses", "hits"}
    for hit in document["hits"]:
        assert set(hit) == set(mcp_wire.HitDocument.model_fields)
        assert all(visible(char) or char == "\n" for char in hit["text"] + hit["name"])


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("search", {"query": "red", "k": 10**9}, "k: Input should be less than or equal to 100, got 1000000000"),
        ("search", {"query": "red", "limit": 5}, "limit: Extra inputs are not permitted"),
        ("search", {"query": ""}, "query: String should have at least 1 character"),
        ("search", {"query": " "}, "QueryError"),
        ("search", {}, "query: Field required"),
        ("search", {"query": "red", "min_relevance": float("nan")}, "min_relevance: "),
        ("search", {"query": "./secret.jpg"}, "no file is read here"),
        ("search", {"query": "file:///etc/passwd"}, "no file is read here"),
        ("search", {"query": "after:yesterweek"}, "QueryError"),
        ("search", {"query": f"id:{'0' * 32}"}, f"'{'0' * 32}'"),
        ("search", {"query": "red", "where": "1=1"}, "where: Extra inputs are not permitted"),
        ("ask", {"question": "red?", "k": 0}, "k: Input should be greater than or equal to 1"),
        ("get_image", {"id": "../../etc/passwd"}, "NotHere: there is no item"),
        ("get_image", {"id": "0" * 32}, "NotHere: there is no item"),
        ("get_image", {"id": "0" * 32, "size": 10_000}, "size: Input should be less than or equal to 1536"),
        ("collection_info", {"verbose": True}, "verbose: Extra inputs are not permitted"),
    ],
)
def test_a_mistake_is_a_result_that_says_what_was_wrong_and_what_to_do(
    folder: Path, cars: Collection, tool: str, arguments: dict[str, Any], said: str
) -> None:
    result = called(cars, tool, **arguments)
    assert result.is_error
    assert said in words(result)
    assert "What to do: " in words(result)
    assert result.structured_content is None
    assert str(folder) not in words(result)


@pytest.mark.parametrize(
    "uri", ["sightline://item/", "sightline://item/../x", f"sightline://item/{'0' * 32}", "file:///etc/passwd"]
)
def test_a_resource_that_is_not_there_is_an_error_of_the_protocol(cars: Collection, uri: str) -> None:
    error = refused(cars, lambda client: client.read_resource(uri))
    assert (error.code, error.data["error"]) == (-32602, "NotHere")


def test_an_unknown_tool_is_an_error_that_names_those_there_are(cars: Collection) -> None:
    error = refused(cars, lambda client: client.call_tool("delete", {}))
    assert error.message == "there is no tool 'delete'; there are: search, ask, get_image, collection_info"


def test_before_there_are_pictures_it_says_so_and_afterwards_it_finds_them(tmp_path: Path) -> None:
    collection = empty(tmp_path)

    async def talk(client: Client) -> None:
        for tool, arguments in (("search", {"query": "red"}), ("ask", {"question": "is there a red car?"})):
            result = await client.call_tool(tool, arguments)
            assert result.is_error
            assert words(result) == (
                "CollectionMissing: there are no pictures here yet\n"
                "What to do: its owner adds some with `sightline index FOLDER`"
            )
        assert (await client.call_tool("collection_info")).structured_content["pictures"] == 0
        collection.add(picture("red"), "a red car", name="red.png")
        hits = (await client.call_tool("search", {"query": "red"})).structured_content["hits"]
        assert [hit["name"] for hit in hits] == ["red.png"]

    told(collection, talk)


class FailingEncoder(FakeEncoder):
    def encode_text(self, texts: Sequence[str]) -> Vectors:
        raise RuntimeError("out of luck in /home/somebody")


def test_a_fault_of_ours_is_told_without_its_details_and_logged_with_them(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    result = called(empty(folder, FailingEncoder()), "search", query="red")
    assert words(result) == "InternalError: something failed here\nWhat to do: the server's log has the details"
    assert "out of luck in /home/somebody" in caplog.text


# ---- several at once ------------------------------------------------------------------------------------------


def test_a_hundred_calls_at_once_are_all_answered(cars: Collection) -> None:
    ident = found(cars, "red")["hits"][0]["id"]

    async def crowd(client: Client) -> list[CallToolResult]:
        calls = [("search", {"query": "red"})] * 60 + [("get_image", {"id": ident})] * 30
        calls += [("ask", {"question": "is there a red car?"})] * 10
        return await asyncio.gather(*(client.call_tool(tool, arguments) for tool, arguments in calls))

    assert [words(one) for one in told(cars, crowd) if one.is_error] == []


class WaitingEncoder(FakeEncoder):
    def __init__(self) -> None:
        super().__init__()
        self.may_go = threading.Event()

    def encode_text(self, texts: Sequence[str]) -> Vectors:
        assert self.may_go.wait(60)
        return super().encode_text(texts)


def test_a_slow_search_keeps_nobody_else_waiting(folder: Path) -> None:
    encoder = WaitingEncoder()

    async def talk(client: Client) -> None:
        slow = asyncio.ensure_future(client.call_tool("search", {"query": "red"}))
        info = await client.call_tool("collection_info")
        assert info.structured_content["pictures"] == 3
        assert not slow.done()
        encoder.may_go.set()
        assert not (await slow).is_error

    told(empty(folder, encoder), talk)


# ---- the documentation ----------------------------------------------------------------------------------------

DOCS = (HERE.parent / "docs" / "mcp.md").read_text()


def block(language: str) -> str:
    match = re.search(rf"```{language}\n(.*?)```", DOCS, re.DOTALL)
    assert match
    return match[1]


def test_the_documented_configuration_is_a_command_there_is() -> None:
    server = json.loads(block("json"))["mcpServers"]["pictures"]
    assert (server["command"], server["args"][0]) == ("sightline", "mcp")
    assert main([*server["args"], "--help"]) == 0


def test_the_documented_tools_and_resources_are_those_there_are(cars: Collection) -> None:
    assert tuple(re.findall(r"^\| `(\w+)`", DOCS, re.MULTILINE)) == TOOLS
    for tool in told(cars, lambda client: client.list_tools()).tools:
        (row,) = re.findall(rf"^\| `{tool.name}` \|(.*?)\|", DOCS, re.MULTILINE)
        assert re.findall(r"`(\w+)`", row) == list(tool.input_schema["properties"])


def test_the_documented_client_runs(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = 'command="sightline", args=["mcp", "-c", "data/tables#streets"]'
    assert before in block("python")
    now = f"command={sys.executable!r}, args={[str(HERE / 'mcp_process.py'), str(folder)]!r}"
    script = tmp_path / "client.py"
    script.write_text(block("python").replace(before, now))
    runpy.run_path(str(script))
    assert "red.png" in capsys.readouterr().out


# ---- the command ----------------------------------------------------------------------------------------------


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[Any, str, int]]:
    """What `mcp --http` would have run: application, host, port."""
    runs: list[tuple[Any, str, int]] = []

    def serve(app: Any, host: str, port: int, *, started: Any) -> None:
        runs.append((app, host, port))
        started(host, port)

    monkeypatch.setattr(choice, "load_encoder", lambda *_args, **_kwargs: FakeEncoder())
    monkeypatch.setattr(web, "serve", serve)
    monkeypatch.chdir(tmp_path)
    return runs


def test_http_listens_here_alone_without_a_token(begun: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mcp", "--http"]) == 0
    ((app, host, port),) = begun
    assert (host, port) == ("127.0.0.1", 7861)
    out, err = capsys.readouterr()
    assert out == "0 pictures at http://127.0.0.1:7861/mcp\n"
    assert "there is no collection 'data/tables#items' yet" in err
    assert asked(app, "/mcp", host="192.168.1.5").status == 421


def test_http_for_others_wants_a_token_that_is_told_on_stderr(
    begun: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["mcp", "--http", "--host", "0.0.0.0", "--port", "80"]) == 0  # noqa: S104
    out, err = capsys.readouterr()
    assert out == "0 pictures at http://127.0.0.1:80/mcp\n"
    assert "Authorization: Bearer " in err
    assert asked(begun[0][0], "/mcp", host="192.168.1.5").status == 401


@pytest.mark.parametrize("flag", [["--port", "1"], ["--host", "127.0.0.1"], ["--token", "t" * 16]])
def test_flags_of_http_without_http_are_refused(
    begun: list[Any], capsys: pytest.CaptureFixture[str], flag: list[str]
) -> None:
    assert main(["mcp", *flag]) == 2
    out, err = capsys.readouterr()
    assert (out, begun) == ("", [])
    assert "add --http" in err


def test_without_its_packages_the_command_names_the_pip_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(serving, "find_spec", lambda _: None)
    assert main(["mcp"]) == 1
    assert "pip install 'sightline[mcp]'" in capsys.readouterr().err

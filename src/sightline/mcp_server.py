"""The MCP server: a collection as four tools, and its items as resources, for programs that speak the protocol.

    mcp_server.run(Site(sightline.open("data/tables#photos"), read_only=True))      over stdin and stdout

It only reads. What goes out is made in mcp_wire.py; what is asked goes through `Site`, whose queries name no file and
whose ids are opaque. The SDK's low-level server, since its other one drops arguments that it does not know and words
errors itself. Of use only where the extra `mcp` is installed.
"""

from __future__ import annotations

import base64
import contextlib
import logging
import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, TypeAlias

import anyio
from mcp import MCPError
from mcp import types as protocol
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.server.transport_security import TransportSecuritySettings
from pydantic import ValidationError

from sightline import mcp_wire as wire
from sightline import media
from sightline.answers import Answer
from sightline.errors import CollectionMissing, SightlineError
from sightline.faults import document
from sightline.guard import App, Guard, Policy
from sightline.site import NotHere, Site, is_id
from sightline.workers import Workers

if TYPE_CHECKING:
    from sightline.collection import Collection

PATH = "/mcp"
MOST_BYTES = 700_000
"""Of a picture: clients take results of about a megabyte, and it is sent as base64."""
QUALITIES = (85, 70, 50, 30)
MOST_REQUEST = 2**20
INSTRUCTIONS = (
    "A person's own pictures. `search` finds them by what they show and by what is written about them, `ask` answers a "
    "question from them and cites them, `get_image` shows one. Nothing can be changed here. " + wire.NOTE
)

Context: TypeAlias = ServerRequestContext[Any]
Made: TypeAlias = tuple[wire.Document, bytes | None]
"""What a tool gives: a document, and a JPEG with it."""

log = logging.getLogger("sightline.mcp")


def site_of(collection: Collection) -> Site:
    """A collection for programs, which ask several things at once: what has no thread yet waits for one."""
    return Site(
        collection,
        read_only=True,
        searching=Workers("search", threads=4, most=256),
        showing=Workers("show", threads=4, most=256),
        asking=Workers("ask", threads=2, most=64),
    )


def run(site: Site) -> None:
    """Serve one client over stdin and stdout until it closes them. What else is printed meanwhile goes to stderr."""

    signal.signal(signal.SIGINT, signal.SIG_DFL)  # nothing is left to finish, and what waits for stdin cannot be woken

    async def serve() -> None:
        server = create(site)
        async with stdio_server() as (incoming, outgoing):
            await server.run(incoming, outgoing, server.create_initialization_options())

    anyio.run(serve)


def http_app(site: Site, policy: Policy) -> App:
    """The server as an ASGI application: streamable HTTP at /mcp, behind the guard of the page and the API.

    Without sessions: nothing that a client says is needed later, so nothing is kept.
    """
    inner = create(site).streamable_http_app(
        streamable_http_path=PATH,
        json_response=True,
        stateless_http=True,
        max_request_body_size=MOST_REQUEST,
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),  # the guard's business
    )
    return Guard(inner, policy)


def create(site: Site) -> Server[Any]:
    """The server without a transport. It warms up when a transport starts it, and closes `site` when that ends."""
    tools = {tool.name: tool for tool in _tools(site)}
    resources = _Resources(site)

    @contextlib.asynccontextmanager
    async def alive(_: Server[Any]) -> AsyncIterator[None]:
        threading.Thread(target=_warm, args=(site,), name="sightline-warm").start()
        try:
            yield
        finally:
            site.close()

    async def list_tools(_: Context, __: protocol.PaginatedRequestParams | None) -> protocol.ListToolsResult:
        return protocol.ListToolsResult(tools=[tool.described() for tool in tools.values()])

    async def call_tool(_: Context, params: protocol.CallToolRequestParams) -> protocol.CallToolResult:
        if params.name not in tools:
            raise MCPError(
                protocol.INVALID_PARAMS, f"there is no tool '{params.name[:60]}'; there are: {', '.join(tools)}"
            )
        return await tools[params.name](site, params.arguments or {})

    return Server(
        "sightline",
        title="Sightline",
        version=version("sightline"),
        instructions=INSTRUCTIONS,
        lifespan=alive,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_resources=resources.listed,
        on_list_resource_templates=resources.templates,
        on_read_resource=resources.read,
    )


# ---- tools ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Tool:
    """`call` blocks no event loop: it hands its work to the site's threads."""

    name: str
    title: str
    description: str
    takes: type[wire.Arguments]
    gives: type[wire.Document]
    call: Callable[[Any], Awaitable[Made]]

    async def __call__(self, site: Site, given: dict[str, Any]) -> protocol.CallToolResult:
        """Whatever fails is a result that says so: the model reads it and can do better."""
        try:
            arguments = self.takes.model_validate(given)
        except ValidationError as error:
            return _failed("UsageError", _invalid(error), f"{self.name} takes {', '.join(self.takes.model_fields)}")
        try:
            told, picture = await self.call(arguments)
        except Exception as error:
            if not isinstance(error, SightlineError):
                log.exception("%s failed", self.name)
            return _failed(**_problem(error, site))
        content: list[protocol.ContentBlock] = [protocol.TextContent(text=told.model_dump_json())]
        if picture is not None:
            content.append(protocol.ImageContent(data=base64.b64encode(picture).decode(), mime_type="image/jpeg"))
        return protocol.CallToolResult(content=content, structured_content=told.model_dump(mode="json"))

    def described(self) -> protocol.Tool:
        return protocol.Tool(
            name=self.name,
            title=self.title,
            description=self.description,
            input_schema=self.takes.model_json_schema(),
            output_schema=self.gives.model_json_schema(mode="serialization"),
            annotations=protocol.ToolAnnotations(
                read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
            ),
        )


def _tools(site: Site) -> tuple[_Tool, ...]:
    async def search(given: wire.SearchArguments) -> Made:
        page = await site.searching.run(site.search, given.query, given.k, min_relevance=given.min_relevance)
        return wire.searched(page), None

    async def ask(given: wire.AskArguments) -> Made:
        return await site.asking.run(_ask, site, given), None

    async def get_image(given: wire.ImageArguments) -> Made:
        return await site.showing.run(_image, site, given.id.removeprefix(wire.ITEM), given.size)

    async def collection_info(_: wire.NoArguments) -> Made:
        return await site.showing.run(wire.collection, site), None

    return (
        _Tool(
            "search",
            "Search pictures",
            "Find pictures by words: by what they show, by their captions and by the writing in them, best first. "
            "Look at one with get_image. " + wire.NOTE,
            wire.SearchArguments,
            wire.SearchDocument,
            search,
        ),
        _Tool(
            "ask",
            "Ask about the pictures",
            "Answer a question from the pictures: whether there is something, how many, when, where, which. Counts are "
            "over the whole collection. Every citation is checked; where nothing shows it, there is no answer and a "
            "reason. " + wire.NOTE,
            wire.AskArguments,
            wire.AnswerDocument,
            ask,
        ),
        _Tool(
            "get_image",
            "Look at a picture",
            "One picture as a JPEG, with its captions. Its id comes from search or ask. " + wire.NOTE,
            wire.ImageArguments,
            wire.ImageDocument,
            get_image,
        ),
        _Tool(
            "collection_info",
            "About the collection",
            "How many pictures there are, of which kinds, and what they are found with.",
            wire.NoArguments,
            wire.CollectionDocument,
            collection_info,
        ),
    )


def _ask(site: Site, given: wire.AskArguments) -> wire.AnswerDocument:
    answer = next(piece for piece in site.ask(given.question, given.k) if isinstance(piece, Answer))
    return wire.answered(site, answer)


def _image(site: Site, ident: str, size: int) -> tuple[wire.ImageDocument, bytes]:
    item = site.get(ident)
    data, side = _small(item.thumbnail if size <= media.THUMBNAIL else site.collection.view(ident, longest=size), size)
    told = wire.ImageDocument(
        id=item.id,
        uri=f"{wire.ITEM}{item.id}/image",
        name=wire.legible(item.item.name, wire.LONGEST),
        text=wire.legible(item.item.text, wire.LONGEST),
        mime_type="image/jpeg",
        bytes=len(data),
        longest=side,
    )
    return told, data


def _small(data: bytes, size: int) -> tuple[bytes, int]:
    """A JPEG of ours as one with sides of at most `size` and at most `MOST_BYTES`, and its longest side."""
    image = media.upright(data)
    side = max(image.size)
    if side <= size and len(data) <= MOST_BYTES:
        return data, side
    side = min(side, size)
    while True:
        for quality in QUALITIES:
            data = media.jpeg(image, longest=side, quality=quality)
            if len(data) <= MOST_BYTES:
                return data, side
        side //= 2


def _warm(site: Site) -> None:
    """Loads the encoder and opens the tables, so that the first search is as quick as the second."""
    try:
        if site.collection.exists:
            site.search("a picture", 1)
    except Exception:
        log.exception("the first search failed")


# ---- errors ---------------------------------------------------------------------------------------------------


def _problem(error: Exception, site: Site) -> dict[str, str]:
    """`{error, message, hint}` as the HTTP API has it, with hints for those who have tools and no addresses."""
    told = document(error, site)
    if isinstance(error, NotHere):
        told["hint"] = "ids are in the hits of search and ask"
    if isinstance(error, CollectionMissing):
        told["hint"] = "its owner adds some with `sightline index FOLDER`"
    return told


def _failed(error: str, message: str, hint: str) -> protocol.CallToolResult:
    """As text alone: clients hold structured content to the schema of a success."""
    text = f"{error}: {message}" + (f"\nWhat to do: {hint}" if hint else "")
    return protocol.CallToolResult(content=[protocol.TextContent(text=text)], is_error=True)


def _invalid(error: ValidationError) -> str:
    """What is wrong with the first few arguments, and what they were."""
    faults = error.errors(include_url=False)[:3]
    return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}, got {one['input']!r:.60}" for one in faults)


# ---- resources ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Resources:
    """The collection, its items, their pictures. Items are not listed, since there may be a million: search finds them.

    The verbs have the SDK's shape.
    """

    site: Site

    async def listed(self, _: Context, __: protocol.PaginatedRequestParams | None) -> protocol.ListResourcesResult:
        about = protocol.Resource(
            uri=_COLLECTION, name="collection", title="About the collection", mime_type="application/json"
        )
        return protocol.ListResourcesResult(resources=[about])

    async def templates(
        self, _: Context, __: protocol.PaginatedRequestParams | None
    ) -> protocol.ListResourceTemplatesResult:
        item = protocol.ResourceTemplate(
            uri_template=wire.ITEM + "{id}",
            name="item",
            title="All that is known of a picture",
            description=wire.NOTE,
            mime_type="application/json",
        )
        image = protocol.ResourceTemplate(
            uri_template=wire.ITEM + "{id}/image",
            name="image",
            title=f"A picture, at most {wire.SIDE} pixels",
            mime_type="image/jpeg",
        )
        return protocol.ListResourceTemplatesResult(resource_templates=[item, image])

    async def read(self, _: Context, params: protocol.ReadResourceRequestParams) -> protocol.ReadResourceResult:
        try:
            return protocol.ReadResourceResult(contents=[await self._content(params.uri)])
        except Exception as error:
            if not isinstance(error, SightlineError):
                log.exception("a resource failed")
            code = protocol.INVALID_PARAMS if isinstance(error, NotHere) else protocol.INTERNAL_ERROR
            told = _problem(error, self.site)
            raise MCPError(code, told["message"], told) from error

    async def _content(self, uri: str) -> protocol.TextResourceContents | protocol.BlobResourceContents:
        if uri == _COLLECTION:
            return _as_json(uri, await self.site.showing.run(wire.collection, self.site))
        ident, _, part = uri.removeprefix(wire.ITEM).partition("/")
        if not uri.startswith(wire.ITEM) or not is_id(ident) or part not in ("", "image"):
            raise NotHere(f"there is no resource '{uri[:100]}'")
        if part:
            _, data = await self.site.showing.run(_image, self.site, ident, wire.SIDE)
            return protocol.BlobResourceContents(uri=uri, blob=base64.b64encode(data).decode(), mime_type="image/jpeg")
        return _as_json(uri, wire.item(self.site, await self.site.showing.run(self.site.get, ident)))


_COLLECTION = "sightline://collection"


def _as_json(uri: str, told: wire.Document) -> protocol.TextResourceContents:
    return protocol.TextResourceContents(uri=uri, text=told.model_dump_json(), mime_type="application/json")

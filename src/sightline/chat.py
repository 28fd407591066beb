"""`openai:MODEL`: answers by a model behind an OpenAI-compatible server: Ollama, vLLM, llama.cpp, LM Studio, a cloud.

It is shown the pictures, scaled, with what is known of them, and asked for statements with the pictures that each rests
on. A server that knows no such form is asked for prose. What is sent where: docs/generators.md.

    model = OpenAIChat.from_settings("gemma3", settings(generator_url="http://127.0.0.1:11434/v1"))
    "".join(model.generate("What colour is the bus?", photos.search("a bus")))
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sightline import media, replies
from sightline.completions import TRIES, Endpoint, Refused, pieces
from sightline.config import Settings
from sightline.errors import GeneratorError, Offline
from sightline.prompting import REWRITE, SIDE, Part, Prompt, answer_schema, prompt, query_schema, rewriting
from sightline.schema import Hit

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_QUERY = 300

_refused: dict[tuple[str, str], frozenset[str]] = {}
"""(URL, model) -> the extras it did not take, for as long as this process lives."""
_told: set[str] = set()
"""Hosts that this process gave notice of."""


@dataclass(frozen=True, slots=True)
class Sent:
    """How pictures are sent: as JPEG with a longest side of `side` pixels."""

    side: int = SIDE
    quality: int = 80


class OpenAIChat:
    """A Generator and a Rewriter. `sent` None: pictures stay here, and the model reads what is written about them.

    `notify` is told, once for each host, before anything leaves this machine.
    """

    def __init__(
        self,
        model: str,
        endpoint: Endpoint,
        *,
        sent: Sent | None = Sent(),
        notify: Callable[[str], None] | None = None,
    ) -> None:
        self.name = f"openai:{model}"
        self._model, self._endpoint, self._sent = model, endpoint, sent
        self._notify = notify

    @classmethod
    def from_settings(
        cls, model: str, settings: Settings, *, notify: Callable[[str], None] | None = None
    ) -> OpenAIChat:
        """Raises UsageError for a URL or key that cannot be used, Offline for a host that may not be reached."""
        endpoint = Endpoint(
            settings.generator_url,
            settings.generator_key,
            connect=settings.generator_connect_seconds,
            first=settings.generator_first_seconds,
            between=settings.generator_between_seconds,
        )
        if settings.offline and not endpoint.local:
            raise Offline(
                f"openai:{model} would need the network for {endpoint.host}, which SIGHTLINE_OFFLINE forbids",
                hint="unset SIGHTLINE_OFFLINE, or set SIGHTLINE_GENERATOR_URL to a server on this machine",
            )
        sent = Sent(settings.generator_side, settings.generator_quality) if settings.generator_pictures else None
        return cls(model, endpoint, sent=sent, notify=notify)

    def generate(self, question: str, hits: Sequence[Hit]) -> Iterator[str]:
        """Text as it streams, [n] citing `hits[n - 1]`. Raises GeneratorError, also after what was yielded."""
        told = self._prompt(question, hits)
        content = self._content(told)
        self._give_notice()

        def messages(structured: bool) -> list[dict[str, Any]]:
            return _messages(told.rules(structured=structured), content)

        said = False
        with closing(self._ask(messages, _form("answer", answer_schema(told.numbers)))) as reply:
            for text in replies.spoken(reply):
                said = True
                yield text
        if not said:
            raise GeneratorError(f"{self._model} at {self._endpoint.host} said nothing", hint="ask again")

    def rewrite(self, question: str, before: Sequence[tuple[str, str]]) -> str:
        """A query for `question`, at most MAX_QUERY characters on one line; empty where nothing usable came.

        One call, tried once: a fault of the server gives the empty string, and shows itself when it is to answer.
        """
        self._give_notice()
        told = rewriting(question, before)
        content = self._content(told)
        form = _form("query", query_schema())
        try:
            with closing(self._ask(lambda structured: _messages(REWRITE, content), form, tries=1)) as reply:
                query = replies.one_line("".join(reply), "query")
        except GeneratorError:
            return ""
        return query if len(query) <= MAX_QUERY else ""

    def _ask(
        self, messages: Callable[[bool], list[dict[str, Any]]], form: Mapping[str, Any], *, tries: int = TRIES
    ) -> Generator[str, None, None]:
        """Pieces of the reply; `messages` are those for an answer in `form` (True), or without one."""
        place = (self._endpoint.url, self._model)
        refused = _refused.get(place, frozenset())
        while True:
            extras = {name: value for name, value in _extras(form).items() if name not in refused}
            document = {"model": self._model, "messages": messages("response_format" in extras), "stream": True}
            with closing(pieces(self._endpoint, {**document, **extras}, tries=tries)) as reply:
                try:
                    first = next(reply, "")
                except Refused as error:
                    if not extras:
                        raise _no_more_to_leave_out(error, self._sent is not None) from None
                    refused |= {_blamed(error.said, extras)}
                    continue
                _refused[place] = refused
                yield first
                yield from reply
                return

    def _prompt(self, question: str, hits: Sequence[Hit]) -> Prompt:
        if self._sent is None:
            return prompt(question, hits, shown=0)
        return prompt(question, hits, side=self._sent.side)

    def _content(self, told: Prompt) -> str | list[dict[str, Any]]:
        """What the user's message holds; a plain text where no picture is sent, for servers that take nothing else."""
        if self._sent is None:
            return "\n\n".join(part for part in told.parts if isinstance(part, str))
        return [_part(part, self._sent) for part in told.parts]

    def _give_notice(self) -> None:
        host = self._endpoint.host
        if self._notify is None or self._endpoint.local or host in _told:
            return
        _told.add(host)
        what = "pictures, captions and names" if self._sent else "captions and names (no pictures)"
        how = ", unencrypted" if self._endpoint.url.startswith("http:") else ""
        self._notify(f"{what} of the hits are sent to {host}{how} ({self.name})")


def _form(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": name, "strict": True, "schema": schema}}


def _extras(form: Mapping[str, Any]) -> dict[str, Any]:
    """What not every server and model takes. Answers are to be the likeliest ones, not varied ones."""
    return {"response_format": form, "temperature": 0}


def _blamed(said: str, extras: Mapping[str, Any]) -> str:
    """The extra that a refusal names; the first one when it names none."""
    return next((name for name in extras if name in said), next(iter(extras)))


def _no_more_to_leave_out(error: Refused, pictures: bool) -> GeneratorError:
    hint = "a model that reads text only needs SIGHTLINE_GENERATOR_PICTURES=false" if pictures else error.hint
    return GeneratorError(str(error), hint=hint)


def _messages(rules: str, content: str | list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"role": "system", "content": rules}, {"role": "user", "content": content}]


def _part(part: Part, sent: Sent) -> dict[str, Any]:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    return {"type": "image_url", "image_url": {"url": _data_url(part, sent)}}


def _data_url(image: Image, sent: Sent) -> str:
    data = media.jpeg(image, longest=sent.side, quality=sent.quality)
    return f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"

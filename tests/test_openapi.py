"""The description of the HTTP API against the API: whatever is asked, the answer is one that the description knows."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from fakes import FakeEncoder
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from PIL import Image
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.python.asgi import shutdown_lifespans
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from sightline.collection import Collection
from sightline.web import create_app
from sightline.wire import Problem

HERE = "http://127.0.0.1:7860"
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
COLOURS = ("red", "green", "blue")


def picture(colour: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (40, 30), colour).save(out, "PNG")
    return out.getvalue()


class Described:
    """An API over three pictures, and its operations as its description has them."""

    def __init__(self, folder: str) -> None:
        self.collection = Collection(f"{folder}/tables#photos", model=FakeEncoder())
        self.restock()
        app = create_app(self.collection)
        self.schema = schemathesis.openapi.from_asgi("/openapi.json", app, headers={"host": "127.0.0.1"})

    def restock(self) -> None:
        """The pictures are there, also after others were removed."""
        self.ids = [self.collection.add(picture(colour), f"a {colour} car") for colour in COLOURS]

    @property
    def operations(self) -> list[Any]:
        return [found.ok() for found in self.schema.get_all_operations()]


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Described]:
    yield Described(str(tmp_path_factory.mktemp("described")))
    shutdown_lifespans()


def everything_is_as_described(described: Described, examples: int) -> set[tuple[str, int]]:
    """Asks each operation `examples` times what fits its description, and as often what does not."""
    seen = set()
    for operation in described.operations:
        for mode in GenerationMode:
            if mode.is_negative and not (list(operation.iter_parameters()) or list(operation.body)):
                continue  # it takes nothing, so nothing can be wrong with it
            strategy = operation.as_strategy(generation_mode=mode)

            @seed(1)
            @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
            @given(case=strategy, choice=st.integers(0, 3))
            def check(case: Any, choice: int) -> None:
                if choice < len(described.ids):  # at random, no id would be one, and no bytes a picture
                    if "id" in (case.path_parameters or {}):
                        case.path_parameters["id"] = described.ids[choice]
                    if isinstance(case.body, dict) and "image" in case.body:
                        case.body["image"] = picture(COLOURS[choice])
                answer = case.call(base_url=HERE)
                case.validate_response(answer, checks=CHECKS)
                if answer.status_code >= 400 and case.path != "/healthz":
                    Problem.model_validate(answer.json())
                seen.add((f"{case.method} {case.path}", answer.status_code))

            check()
        described.restock()
    return seen


def test_no_request_to_a_described_operation_is_a_fault_and_no_answer_a_surprise(described: Described) -> None:
    seen = everything_is_as_described(described, 8)
    asked = {name for name, _ in seen}
    assert asked == {operation.label for operation in described.operations}
    fine = {name for name, status in seen if status < 300}
    assert fine == asked - {"POST /api/items/{id}/undo"}, "every operation was also asked what it can answer"


@pytest.mark.torture
def test_no_request_of_thousands_is_a_fault(described: Described) -> None:
    everything_is_as_described(described, 400)

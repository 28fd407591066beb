"""LocalVLM on true architectures with random weights: what they say is noise, how it comes is not."""

from __future__ import annotations

import functools
import json
import re
import shutil
import threading
from contextlib import closing
from pathlib import Path

import pytest
from evidence import evidence, hit, png
from stub_hub import Hub
from tiny_vlms import idefics, llava, qwen

from sightline import prompting, vlm
from sightline.config import settings
from sightline.errors import CorruptModel, GeneratorError, MissingExtra, ModelError, UnknownModel
from sightline.generate import Generator
from sightline.vlm import LocalVLM

pytestmark = pytest.mark.slow

BUS = [hit(1, "a red bus")]


@pytest.fixture(scope="module", params=[llava, idefics, qwen])
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return request.param(tmp_path_factory.mktemp("vlm") / request.param.__name__)


@pytest.fixture(scope="module")
def model(checkpoint: Path) -> LocalVLM:
    return LocalVLM(str(checkpoint), settings(generator_tokens=12))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return llava(tmp_path_factory.mktemp("vlm") / "llava")


@pytest.fixture(autouse=True)
def same_nonce(monkeypatch: pytest.MonkeyPatch) -> None:
    """Noise depends on every character of the prompt."""
    monkeypatch.setattr(prompting.secrets, "token_hex", lambda size: "0f" * size)


def cut(model: LocalVLM, hits: list, question: str = "what?") -> tuple[list[str], GeneratorError]:
    """The pieces that came before the limit, and the error that tells of it."""
    pieces: list[str] = []
    with pytest.raises(GeneratorError) as caught:
        pieces.extend(model.generate(question, hits))
    return pieces, caught.value


def test_text_streams_and_stops_at_the_limit_with_the_answer_marked_as_unfinished(model: LocalVLM) -> None:
    pieces, error = cut(model, BUS)
    assert isinstance(model, Generator) and len(pieces) > 1
    assert "was cut at its limit of 12 tokens" in str(error) and "SIGHTLINE_GENERATOR_TOKENS" in error.hint


def test_the_same_question_gets_the_same_answer(model: LocalVLM) -> None:
    assert cut(model, BUS)[0] == cut(model, BUS)[0]


def test_what_the_model_makes_of_a_question_depends_on_the_picture(model: LocalVLM) -> None:
    import torch

    opened, processor = model._load()
    makes = []
    for colour in ((200, 30, 30), (200, 30, 30), (0, 0, 255)):
        told = prompting.prompt("what?", [hit(1, "a bus", load=functools.partial(png, colour=colour))])
        with torch.no_grad():
            makes.append(opened(**vlm._inputs(processor, told.parts)).logits[0, -1])
    assert torch.equal(makes[0], makes[1]) and not torch.equal(makes[0], makes[2])


def test_every_picture_arrives_behind_its_number(model: LocalVLM) -> None:
    _, processor = model._load()
    told = prompting.prompt("what?", evidence([hit(1, "a <image> bus"), hit(2), hit(3)], rows=9), shown=2)
    inputs = vlm._inputs(processor, told.parts)
    text = processor.tokenizer.decode(inputs["input_ids"][0])
    places = re.findall(r"Picture \d|(?:<image>|<\|image_pad\|>)+", text)
    assert [place if "Picture" in place else "pixels" for place in places] == [
        "Picture 1",
        "pixels",
        "Picture 2",
        "pixels",
        "Picture 3",
    ]
    assert "assistant:" in text[-20:]


def test_an_answer_that_ends_by_itself_is_whole(folder: Path, tmp_path: Path) -> None:
    """Every token is an end here."""
    own = shutil.copytree(folder, tmp_path / "own")
    (own / "generation_config.json").write_text(json.dumps({"eos_token_id": list(range(300)), "pad_token_id": 1}))
    assert len("".join(LocalVLM(str(own), settings(generator_tokens=300)).generate("what?", BUS))) >= 1


def test_a_reader_who_stops_listening_stops_the_model(folder: Path) -> None:
    with closing(LocalVLM(str(folder), settings(generator_tokens=3000)).generate("what?", BUS)) as answer:
        next(answer)
    assert "sightline-vlm" not in [thread.name for thread in threading.enumerate()]


def test_what_fails_while_writing_reaches_the_reader(tmp_path: Path) -> None:
    """The model knows fewer words than its tokenizer."""
    small = LocalVLM(str(llava(tmp_path / "small", vocab_size=40)), settings())
    with pytest.raises(GeneratorError, match="failed") as caught:
        list(small.generate("what?", BUS))
    assert caught.value.__cause__ is not None and "smaller k" in caught.value.hint


def test_a_question_beyond_the_models_context_is_refused_with_its_numbers(tmp_path: Path) -> None:
    short = LocalVLM(str(llava(tmp_path / "short", max_position_embeddings=64)), settings(generator_tokens=5))
    with pytest.raises(GeneratorError, match=r"\d+ tokens, the answer up to 5; the model takes 64 in all"):
        list(short.generate("what?", BUS))


def test_two_readers_at_once_get_what_each_gets_alone(folder: Path) -> None:
    made = LocalVLM(str(folder), settings(generator_tokens=12))
    questions = ["what?", "how many dogs are there?"]
    alone = [cut(made, BUS, question)[0] for question in questions]
    both: dict[str, list[str]] = {}
    readers = [
        threading.Thread(target=lambda question=question: both.update({question: cut(made, BUS, question)[0]}))
        for question in questions
    ]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert [both[question] for question in questions] == alone


def test_a_model_that_hf_download_fetched_is_found_offline(hub: Hub, folder: Path) -> None:
    from huggingface_hub import snapshot_download

    hub.add("models", "owner/tiny", folder, licence="mit")
    snapshot_download("owner/tiny")
    asked = len(hub.requests)
    pieces, _ = cut(LocalVLM("owner/tiny", settings(generator_tokens=12, offline=True)), BUS)
    assert pieces and len(hub.requests) == asked


def test_a_model_that_is_not_here_is_not_fetched(hub: Hub) -> None:
    with pytest.raises(UnknownModel, match="no folder owner/absent") as caught:
        LocalVLM("owner/absent", settings())
    assert caught.value.hint.endswith("hf download owner/absent") and hub.requests == []
    with pytest.raises(UnknownModel):
        LocalVLM("./no such folder!", settings())


def test_weights_that_are_a_pickle_are_not_opened(folder: Path, tmp_path: Path) -> None:
    own = shutil.copytree(folder, tmp_path / "own")
    (own / "model.safetensors").rename(own / "pytorch_model.bin")
    with pytest.raises(CorruptModel, match=r"no weights in safetensors; pytorch_model\.bin is a pickle"):
        LocalVLM(str(own), settings())


def test_code_of_a_checkpoint_is_not_run(folder: Path, tmp_path: Path) -> None:
    own = shutil.copytree(folder, tmp_path / "own")
    config = json.loads((own / "config.json").read_text())
    code = {"AutoConfig": "evil.Config", "AutoModelForImageTextToText": "evil.Model"}
    (own / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    (own / "config.json").write_text(json.dumps({**config, "model_type": "evil", "auto_map": code}))
    with pytest.raises(ModelError, match=r"is a evil model.*its own code, which is not run"):
        LocalVLM(str(own), settings())
    (own / "config.json").write_text(json.dumps({**config, "auto_map": code}))
    pieces, _ = cut(LocalVLM(str(own), settings(generator_tokens=3)), BUS)
    assert pieces and not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (lambda own: (own / "config.json").write_text("{"), "not readable as JSON"),
        (lambda own: (own / "model.safetensors").write_bytes(b"spoilt"), "cannot be opened"),
        (lambda own: (own / "processor_config.json").unlink(), "cannot be opened|has no"),
        (lambda own: (own / "chat_template.jinja").unlink(), "has no chat template"),
    ],
)
def test_a_spoilt_checkpoint_is_an_error_that_names_the_folder(
    folder: Path, tmp_path: Path, spoil: object, what: str
) -> None:
    own = shutil.copytree(folder, tmp_path / "own")
    spoil(own)
    with pytest.raises(ModelError, match=what) as caught:
        list(LocalVLM(str(own), settings()).generate("what?", BUS))
    assert str(own) in str(caught.value)


def test_without_its_packages_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vlm, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra) as caught:
        LocalVLM("owner/tiny", settings())
    assert caught.value.hint == "pip install 'sightline[vlm]'"

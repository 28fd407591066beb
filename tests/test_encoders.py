"""One contract for every encoder; how models are found, described and told apart; what a damaged folder says."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import FakeEncoder, FakePreparingEncoder
from model_folders import hand_folder
from pictures import colours
from PIL import Image

import sightline
from sightline import encoders
from sightline.encoders import (
    DEFAULT,
    MODELS,
    POCKET,
    Encoder,
    PreparingEncoder,
    choose_default,
    describe,
    find_model,
    load_encoder,
)
from sightline.encoders.folder import REQUIRED
from sightline.errors import BadVectors, CorruptModel, UnknownModel, UsageError
from sightline.schema import Modality

RED, GREEN, YELLOW = (Image.new("RGB", (40, 20), colour) for colour in ("red", "lime", "yellow"))


@pytest.fixture(scope="module")
def hand(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hand_folder(tmp_path_factory.mktemp("models") / "hand")


@pytest.fixture
def models_dir(hand: Path) -> Path:
    return hand.parent


@pytest.fixture(scope="module", params=["fake", "fake-preparing", "openvino", "onnxruntime"])
def encoder(request: pytest.FixtureRequest, hand: Path) -> Encoder:
    if request.param.startswith("fake"):
        return FakePreparingEncoder() if request.param.endswith("preparing") else FakeEncoder()
    pytest.importorskip(request.param)
    return load_encoder(hand, models_dir=hand.parent, runtime=request.param, batch_size=3)


# The contract


def test_an_encoder_says_what_it_is(encoder: Encoder) -> None:
    assert isinstance(encoder, Encoder)
    assert encoder.name
    assert encoder.fingerprint
    assert {Modality.IMAGE, Modality.TEXT} <= encoder.modalities


@pytest.mark.parametrize("n", [0, 1, 2, 3, 7])
def test_rows_are_unit_vectors_in_the_order_of_the_input(encoder: Encoder, n: int) -> None:
    pictures = ([RED, GREEN, YELLOW] * 3)[:n]
    texts = (["red", "green", "red green"] * 3)[:n]
    for vectors, one in (
        (encoder.encode_image(pictures), lambda i: encoder.encode_image([pictures[i]])),
        (encoder.encode_text(texts), lambda i: encoder.encode_text([texts[i]])),
    ):
        assert (vectors.shape, vectors.dtype) == ((n, encoder.dim), np.float32)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
        for i in range(n):
            np.testing.assert_allclose(vectors[i], one(i)[0], atol=1e-5)


def test_a_text_is_nearest_to_its_picture(encoder: Encoder) -> None:
    scores = encoder.encode_text(["red", "green", "red green"]) @ encoder.encode_image([RED, GREEN, YELLOW]).T
    assert scores.argmax(axis=1).tolist() == [0, 1, 2]


def test_odd_texts_have_a_vector(encoder: Encoder) -> None:
    odd = ["", " \t\n", "\0", "\ud800 lone", "\udcff", "🦊" * 50, "x" * 100_000, "red " * 25_000]
    vectors = encoder.encode_text(odd)
    assert np.isfinite(vectors).all()
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_preparing_apart_gives_the_same_vectors(encoder: Encoder) -> None:
    if not isinstance(encoder, PreparingEncoder):
        pytest.skip("this encoder prepares within encode_image")
    prepared = [encoder.prepare_image(picture) for picture in (RED, GREEN, YELLOW)]
    side = encoder.image_target
    assert {(array.shape, array.dtype) for array in prepared} == {((side, side, 3), np.dtype(np.uint8))}
    np.testing.assert_array_equal(encoder.encode_prepared(prepared), encoder.encode_image([RED, GREEN, YELLOW]))
    assert encoder.batch_size > 0


def test_the_fakes_are_what_their_docstring_says() -> None:
    fake = FakeEncoder()
    red, red_green, road = fake.encode_text(["Red", "red green", "a road"])
    np.testing.assert_allclose(red, [1, 0, 0, 0, 0, 0, 0, 0])
    np.testing.assert_allclose(red_green[:2], [0.5**0.5] * 2)
    np.testing.assert_allclose(road, [0, 0, 0, 1, 0, 0, 0, 0])
    black = fake.encode_image([Image.new("RGB", (2, 2))])[0]
    np.testing.assert_allclose(black @ road, 1)


# A model folder by hand


def test_hand_made_vectors_are_as_computed_by_hand(hand: Path) -> None:
    encoder = load_encoder(hand, models_dir=hand.parent)
    np.testing.assert_allclose(encoder.encode_image([RED])[0], np.array([1, 0, 0, 1]) / 2**0.5, atol=1e-6)
    np.testing.assert_allclose(encoder.encode_text(["red red"])[0], np.array([2, 0, 0, 1]) / 5**0.5, atol=1e-6)


def test_the_centre_is_what_the_model_sees_of_a_long_picture(hand: Path) -> None:
    picture = Image.new("RGB", (300, 100), "blue")
    picture.paste("red", (100, 0, 200, 100))
    encoder = load_encoder(hand, models_dir=hand.parent)
    assert (encoder.prepare_image(picture)[:, 1:-1] == (255, 0, 0)).all()


def test_squash_sees_the_whole_picture(tmp_path: Path) -> None:
    picture = Image.new("RGB", (200, 100), "blue")
    picture.paste("red", (0, 0, 100, 100))
    encoder = load_encoder(hand_folder(tmp_path / "siglip", resize_mode="squash"), models_dir=tmp_path)
    np.testing.assert_allclose(encoder.prepare_image(picture).mean((0, 1)), [127.5, 0, 127.5], atol=1)


def test_canonicalize_strips_case_punctuation_and_space_and_others_do_not(tmp_path: Path, hand: Path) -> None:
    siglip = load_encoder(hand_folder(tmp_path / "siglip", clean="canonicalize"), models_dir=tmp_path)
    plain, odd = ["red green blue"], ["  RED,\t gre'en_blue?! "]
    np.testing.assert_array_equal(siglip.tokenize(odd)[0], siglip.tokenize(plain)[0])
    clip = load_encoder(hand, models_dir=tmp_path)
    assert clip.tokenize(odd)[0].tolist() != clip.tokenize(plain)[0].tolist()


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("ids", ["int32", "int64"])
def test_a_text_side_with_an_attention_mask_gets_it(tmp_path: Path, ids: str, runtime: str) -> None:
    folder = hand_folder(tmp_path / "mclip", with_mask=True, ids=ids)
    encoder = load_encoder(folder, models_dir=tmp_path, runtime=runtime)
    half = 0.5**0.5
    np.testing.assert_allclose(
        encoder.encode_text(["red red", "green"]), [[half, 0, 0, half], [0, half, 0, half]], atol=1e-6
    )


def test_one_text_instead_of_a_list_is_refused(hand: Path) -> None:
    with pytest.raises(TypeError, match="sequence of texts"):
        load_encoder(hand, models_dir=hand.parent).encode_text("red")


@pytest.mark.parametrize("spoil", [np.nan, np.inf, 0.0])
def test_vectors_without_direction_are_refused_and_the_model_named(
    hand: Path, monkeypatch: pytest.MonkeyPatch, spoil: float
) -> None:
    encoder = load_encoder(hand, models_dir=hand.parent, batch_size=2)
    session = encoder.image_session()
    run = type(session).run

    def spoilt(self: Any, inputs: Any) -> Any:
        vectors = run(self, inputs)
        return np.full_like(vectors, spoil) if len(vectors) == 1 else vectors

    monkeypatch.setattr(type(session), "run", spoilt)
    with pytest.raises(BadVectors, match=r"hand gave a vector of length .* for input 2"):
        encoder.encode_image([RED, RED, RED])


def test_a_side_is_loaded_when_it_is_needed_and_not_before(tmp_path: Path) -> None:
    folder = hand_folder(tmp_path / "half")
    (folder / "visual" / "model.onnx").write_bytes(b"")
    encoder = load_encoder(folder, models_dir=tmp_path)
    assert encoder.encode_text(["red"]).shape == (1, 4)
    assert encoder.prepare_image(RED).shape == (8, 8, 3)
    with pytest.raises(CorruptModel, match=r"visual/model\.onnx is an empty file"):
        encoder.encode_image([RED])


# Damaged folders


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    folder = hand_folder(tmp_path / "hand")
    (folder / name).unlink()
    with pytest.raises(CorruptModel) as caught:
        load_encoder(folder, models_dir=tmp_path)
    assert f"{name} missing" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\0", b"<html>", b"{", b"[1]", b"[" * 100_000])
@pytest.mark.parametrize("name", [*(name for name in REQUIRED if name.endswith(".json")), "model.json"])
def test_a_garbled_json_file_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    folder = hand_folder(tmp_path / "hand")
    (folder / name).write_bytes(content)
    with pytest.raises(CorruptModel) as caught:
        load_encoder(folder, models_dir=tmp_path).encode_text(["red"])
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["visual/model.onnx", "textual/model.onnx"])
def test_a_garbled_graph_is_named(tmp_path: Path, name: str) -> None:
    folder = hand_folder(tmp_path / "hand")
    (folder / name).write_bytes((folder / name).read_bytes()[:100])
    encoder = load_encoder(folder, models_dir=tmp_path)
    with pytest.raises(CorruptModel, match=name):
        encoder.encode_image([RED]) if "visual" in name else encoder.encode_text(["red"])


def _change(file: str, key: str, value: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        seen = json.loads((folder / file).read_text())
        seen[key] = value
        (folder / file).write_text(json.dumps(seen))

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_change("config.json", "embed_dim", 512), r"output of visual/model\.onnx is \(4\).*say \(512\)"),
        (_change("config.json", "embed_dim", None), "embed_dim: seen None"),
        (_change("config.json", "embed_dim", "4"), "embed_dim: seen '4'"),
        (_change("config.json", "text_cfg", [1]), "text_cfg is"),
        (_change("config.json", "text_cfg", {"context_length": 0}), "context_length: seen 0"),
        (_change("config.json", "text_cfg", {"context_length": 77}), r"input of textual/model\.onnx is \(8\).*\(77\)"),
        (
            _change("visual/preprocess_cfg.json", "size", 16),
            r"input of visual/model\.onnx is \(8, 8, 3\).*\(16, 16, 3\)",
        ),
        (_change("visual/preprocess_cfg.json", "size", [8, 16]), "expected a square"),
        (_change("visual/preprocess_cfg.json", "size", None), "size: seen None"),
        (_change("visual/preprocess_cfg.json", "std", [1, 1, 0]), "std is"),
        (_change("visual/preprocess_cfg.json", "mean", "grey"), "mean is 'grey'"),
        (_change("visual/preprocess_cfg.json", "interpolation", "psychic"), "expected one of nearest"),
        (_change("visual/preprocess_cfg.json", "resize_mode", "longest"), "expected one of shortest, squash"),
        (_change("textual/tokenizer_config.json", "pad_token", None), "pad_token is None"),
        (
            _change("textual/tokenizer_config.json", "pad_token", "<none>"),
            "'<none>' of textual/tokenizer_config.json is not",
        ),
    ],
)
def test_files_that_contradict_each_other_are_said_so(
    tmp_path: Path, change: Callable[[Path], None], said: str
) -> None:
    folder = hand_folder(tmp_path / "hand")
    change(folder)
    with pytest.raises(CorruptModel, match=said):
        encoder = load_encoder(folder, models_dir=tmp_path)
        encoder.encode_image([RED])
        encoder.encode_text(["red"])


def test_older_spellings_are_understood(tmp_path: Path) -> None:
    folder = hand_folder(tmp_path / "hand")
    _change("visual/preprocess_cfg.json", "size", [8, 8])(folder)
    _change("visual/preprocess_cfg.json", "interpolation", "BILINEAR")(folder)
    _change("textual/tokenizer_config.json", "pad_token", {"content": "[PAD]", "lstrip": False})(folder)
    card = describe(folder)
    assert (card.image_size, card.preprocess.interpolation, card.pad_token) == (8, "bilinear", "[PAD]")


# Cards and fingerprints


def test_a_card_says_what_the_folder_says(tmp_path: Path) -> None:
    folder = hand_folder(tmp_path / "hand", name="hand-7")
    _change("model.json", "licence", "CC0")(folder)
    card = describe(folder)
    assert (card.name, card.dim, card.context_length, card.image_size, card.licence) == ("hand-7", 4, 8, 8, "CC0")
    assert card.facts == {"name": "hand-7", "licence": "CC0"}
    assert card.bytes == sum((folder / name).stat().st_size for name in REQUIRED)
    assert card.folder == folder


def test_a_folder_without_model_json_is_called_by_its_name(hand: Path) -> None:
    card = describe(hand)
    assert (card.name, card.licence, dict(card.facts)) == ("hand", None, {})


def test_the_fingerprint_changes_with_each_file_of_the_model_and_with_no_other(tmp_path: Path) -> None:
    folder = hand_folder(tmp_path / "hand", name="hand")
    before = describe(folder).fingerprint
    for name in ("README.md", "model.json", ".gitattributes"):
        (folder / name).write_text("{}")
        assert describe(folder).fingerprint == before, name
    seen = {before}
    for name in (*REQUIRED, "visual/model.onnx.data"):
        file = folder / name
        file.write_bytes((file.read_bytes() if file.exists() else b"") + b" ")
        seen.add(describe(folder).fingerprint)
    assert len(seen) == 1 + len(REQUIRED) + 1


def test_the_fingerprint_is_the_same_in_another_place(tmp_path: Path, hand: Path) -> None:
    assert describe(hand_folder(tmp_path / "elsewhere")).fingerprint == describe(hand).fingerprint


def test_hashes_are_remembered_and_a_changed_file_is_hashed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, cache = hand_folder(tmp_path / "hand"), tmp_path / "cache"
    hashed: list[str] = []
    digest = encoders.folder.hashlib.file_digest

    def counted(file: Any, kind: str) -> Any:
        hashed.append(Path(file.name).name)
        return digest(file, kind)

    monkeypatch.setattr(encoders.folder.hashlib, "file_digest", counted)
    first = describe(folder, cache_dir=cache).fingerprint
    assert len(hashed) == len(REQUIRED)
    hashed.clear()
    assert describe(folder, cache_dir=cache).fingerprint == first
    assert hashed == []
    (folder / "config.json").write_text((folder / "config.json").read_text() + " ")
    assert describe(folder, cache_dir=cache).fingerprint != first
    assert hashed == ["config.json"]


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"x": 1}', b"\xff"])
def test_a_spoilt_cache_of_hashes_is_no_error(tmp_path: Path, hand: Path, content: bytes) -> None:
    (tmp_path / "fingerprints.json").write_bytes(content)
    assert describe(hand, cache_dir=tmp_path).fingerprint == describe(hand).fingerprint
    assert str(hand / "config.json") in json.loads((tmp_path / "fingerprints.json").read_text())


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path, hand: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert describe(hand, cache_dir=tmp_path / "file").fingerprint == describe(hand).fingerprint


def test_the_preprocessing_digest_follows_the_preprocessing(tmp_path: Path, hand: Path) -> None:
    folder = hand_folder(tmp_path / "hand", resize_mode="squash")
    assert describe(folder).preprocessing != describe(hand).preprocessing == describe(hand).preprocessing


# Finding models


def test_a_model_is_found_by_name_path_and_relative_path(
    hand: Path, models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_model("hand", models_dir) == hand
    assert find_model(str(hand), Path("nowhere")) == hand
    assert find_model(hand, Path("nowhere")) == hand
    monkeypatch.chdir(models_dir)
    assert find_model("./hand", Path("nowhere")).resolve() == hand.resolve()
    assert find_model("hand", Path("nowhere")).resolve() == hand.resolve()
    assert describe(find_model("hand", Path("nowhere"))).name == "hand"


@pytest.mark.parametrize(
    ("asked", "said", "hint"),
    [
        ("ViT-L-14__openAI", "known are pocket, ViT-L-14__openai", "did you mean ViT-L-14__openai?"),
        (DEFAULT, "is not in", f"sightline models fetch {DEFAULT}"),
        ("./nothing/here", "no model folder at ./nothing/here", "folder"),
        ("", "unknown", ""),
    ],
)
def test_an_unknown_model_is_answered_with_the_known_ones(models_dir: Path, asked: str, said: str, hint: str) -> None:
    with pytest.raises(UnknownModel) as caught:
        find_model(asked, models_dir)
    assert said in str(caught.value)
    assert hint in caught.value.hint


def test_an_unknown_runtime_is_refused_before_anything_is_encoded(hand: Path) -> None:
    with pytest.raises(UsageError):
        load_encoder(hand, models_dir=hand.parent, runtime="tensorflow")


def test_pocket_is_the_bundled_folder_by_either_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundled = hand_folder(tmp_path / "pocket", name="pocket-1")
    monkeypatch.setattr(encoders, "_BUNDLED", bundled)
    assert find_model("pocket", tmp_path / "models") == find_model("pocket-1", tmp_path / "models") == bundled
    assert load_encoder("pocket", models_dir=tmp_path).name == "pocket-1"
    monkeypatch.setattr(encoders, "_BUNDLED", tmp_path / "gone")
    with pytest.raises(UnknownModel, match="not part of this installation"):
        find_model("pocket", tmp_path / "models")


def test_a_collection_of_a_former_pocket_is_told_how_to_move_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"{tmp_path}/tables#photos"
    monkeypatch.setattr(encoders, "_BUNDLED", hand_folder(tmp_path / "one", name="pocket-1"))
    colours(tmp_path / "photos")
    sightline.open(address, model="pocket").ingest(tmp_path / "photos")
    monkeypatch.setattr(encoders, "_BUNDLED", hand_folder(tmp_path / "two", name="pocket-2", context=9))
    with pytest.raises(
        UnknownModel, match=r"pocket-1 came with another version of Sightline; this one brings pocket-2"
    ) as told:
        sightline.open(address).search("red")
    assert f"sightline index --rebuild --model pocket -c {address}" in told.value.hint
    moved = sightline.open(address)
    assert moved.rebuild(model="pocket").encoded == 4
    assert sightline.open(address).search("red", 1)[0].name == "red.png"
    assert sightline.open(address).info().encoder == "pocket-2"


def test_the_default_is_used_when_it_is_whole_and_pocket_otherwise(tmp_path: Path) -> None:
    assert choose_default(tmp_path) == POCKET
    hand_folder(tmp_path / DEFAULT)
    assert choose_default(tmp_path) == DEFAULT
    (tmp_path / DEFAULT / "visual" / "model.onnx").unlink()
    assert choose_default(tmp_path) == POCKET


def test_the_table_of_models_holds_the_published_numbers() -> None:
    published = {name: (model.recall, model.relative_time) for name, model in MODELS.items() if model.recall}
    assert published == {
        "ViT-L-14__openai": (60.1, 19.9),
        "ViT-B-32__laion2b-s34b-b79k": (68.8, 2.3),
        "ViT-B-16-SigLIP2__webli": (75.2, 5.8),
    }
    assert all(model.repo == f"immich-app/{name}" for name, model in MODELS.items() if name != POCKET)


def test_importing_encoders_loads_no_runtime() -> None:
    heavy = ["torch", "transformers", "openvino", "onnxruntime", "tokenizers", "lancedb", "pyarrow"]
    code = f"import sys, sightline.encoders; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": ":".join(sys.path)}, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"

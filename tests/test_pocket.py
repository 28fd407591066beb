"""The recipe of the bundled model: what scenes answer, which words are asked, a course that goes on after a stop."""

from __future__ import annotations

import hashlib
import io
import json
import random
import shutil
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))

from pocket import course, data, images, last, photographs, recipe, sentences, texts, words
from pocket.course import Course, Plan
from pocket.facts import Facts
from pocket.scenes import FALSE, TRUE, UNKNOWN, Scenes
from pocket.teacher import Teacher
from pocket.towers import ImageTower

from sightline.checkpoints import CHECKPOINT, read
from sightline.encoders import load_encoder

BUS = {"tag": "bus", "colour": "red", "action": "driving", "facing": "towards", "box": [0.0, 0.2, 0.2, 0.6]}
LAMP = {"tag": "street lamp", "box": [0.8, 0.1, 0.9, 0.9]}
ATTRIBUTES = [
    "bus",
    "red bus",
    "bus oncoming",
    "vehicle",
    "street lamp",
    "trees",
    "2 vehicles",
    "light:night",
    "light:noon",
]


def scene(**changes: object) -> dict[str, object]:
    record = {
        "seed": 10_000, "captions": ["a red bus"], "entities": [BUS, LAMP], "doubtful": ["trees"],
        "attributes": ["bus", "red bus", "bus oncoming", "vehicle", "street lamp", "light:night"],
    }  # fmt: skip
    return record | changes


def answers(scenes: Scenes, question: str, crop: list[float] | None = None) -> float:
    needs = scenes.needs([question])
    seen = scenes.seen([0], None if crop is None else np.array([crop]))
    return float(scenes.answers(needs, seen)[0, 0])


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("bus", TRUE),
        ("bus + street lamp + light:night", TRUE),
        ("2 vehicles", FALSE),
        ("trees", UNKNOWN),
        ("bus + trees", UNKNOWN),
        ("2 vehicles + trees", FALSE),  # what is false stays so, whatever else is unknown
        ("bus + light:night or light:noon", TRUE),
    ],
)
def test_a_scene_answers_when_all_is_true_and_is_not_asked_where_the_rest_is_doubtful(
    question: str, answer: float
) -> None:
    assert answers(Scenes([scene()], ATTRIBUTES), question) == answer


@pytest.mark.parametrize(
    ("question", "crop", "answer"),
    [
        ("bus", [0.0, 0.0, 0.5, 1.0], TRUE),
        ("red bus + bus oncoming + vehicle", [0.0, 0.0, 0.5, 1.0], TRUE),
        ("bus", [0.5, 0.0, 1.0, 1.0], UNKNOWN),  # cut off: some of it may show
        ("street lamp", [0.5, 0.0, 1.0, 1.0], TRUE),
        ("2 vehicles", [0.0, 0.0, 0.5, 1.0], UNKNOWN),  # numbers are of the whole
        ("light:night", [0.0, 0.0, 0.5, 1.0], TRUE),
    ],
)
def test_a_crop_is_not_asked_for_what_it_cuts_off(question: str, crop: list[float], answer: float) -> None:
    assert answers(Scenes([scene()], ATTRIBUTES), question, crop) == answer


def test_cells_cover_the_box_also_when_the_view_is_mirrored() -> None:
    scenes = Scenes([scene()], ATTRIBUTES)
    place = scenes.located.index(ATTRIBUTES.index("bus"))
    whole = np.array([0.0, 0.0, 1.0, 1.0])
    expected = np.zeros((5, 5))
    expected[1:3, 0] = 1
    assert (scenes.cells(0, whole, False, 5, 5)[:, :, place] == expected).all()
    assert (scenes.cells(0, whole, True, 5, 5)[:, :, place] == expected[:, ::-1]).all()


def test_every_question_of_two_things_is_answered_by_a_scene_it_was_drawn_from() -> None:
    scenes = [{"bus", "red bus", "light:night", "trees", "setting:downtown"}, {"dog", "person", "weather:rain"}]
    drawn = words.compounds(random.Random(0), scenes, 200)
    assert len(drawn) == len({one.words for one in drawn}) == 200
    assert all(any(words.holds(one.needs, true) for true in scenes) for one in drawn)
    assert all(len(one.needs.split(" + ")) > 1 for one in drawn)


@pytest.mark.parametrize(
    ("attribute", "said"),
    [
        ("red any car", {"a red car", "a red automobile", "red cars"}),
        ("bus oncoming", {"an oncoming bus", "a bus coming towards us"}),
        ("2 any trucks", {"two trucks", "a pair of lorries"}),
        ("3 people", {"three people"}),
        ("blue person", {"a person in blue"}),
        ("plane", {"an airplane", "an aeroplane"}),
    ],
)
def test_attributes_are_asked_for_in_plain_words(attribute: str, said: set[str]) -> None:
    assert said <= {one.words for one in words.singles([attribute])}


def test_every_attribute_of_the_bundled_train_scenes_can_be_asked_for() -> None:
    table = pq.read_table(data.BUNDLED / "train.parquet", columns=["attributes"])
    seen = {name for row in table["attributes"].to_pylist() for name in row}
    asked = {need for one in words.singles(seen) for part in one.needs.split(" + ") for need in part.split(" or ")}
    assert seen - asked == {"light:overcast"}  # the weather says it


def test_every_thing_is_asked_for_in_every_light_weather_and_place() -> None:
    asked = {one.words: one.needs for one in words.circumstances(["any truck", "red bus", "bus"])}
    assert asked["a lorry at night"] == "any truck + light:night"
    assert asked["a bus in the fog"] == "bus + weather:fog"
    assert {needs.split(" + ")[0] for needs in asked.values()} == {"any truck", "bus"}


def test_a_question_is_the_sum_of_its_attributes_and_either_of_two_lies_between_them() -> None:
    scenes = Scenes([scene()], ATTRIBUTES)
    needs = scenes.needs(["bus", "bus + light:night", "light:night or light:noon", "red bus + bus + vehicle"])
    facts = Facts(torch.eye(len(ATTRIBUTES)), scenes.either)
    vectors, _ = facts(needs)
    assert torch.allclose(vectors.norm(dim=-1), torch.ones(4))
    of = [{ATTRIBUTES[at]: float(row[at]) for at in range(len(ATTRIBUTES)) if row[at]} for row in vectors.detach()]
    assert of[0] == {"bus": 1.0}
    assert of[1] == pytest.approx({"bus": 0.5**0.5, "light:night": 0.5**0.5})
    assert of[2] == pytest.approx({"light:night": 0.5**0.5, "light:noon": 0.5**0.5})
    assert of[3] == pytest.approx(dict.fromkeys(["bus", "red bus", "vehicle"], 3**-0.5))


@pytest.mark.parametrize(
    ("captions", "states"),
    [
        (["a dog on a bus", "the dog rides a bus", "a hound"], {"dog": TRUE, "bus": TRUE, "vehicle": TRUE}),
        (["two dogs", "snow", "a field"], {"dog": UNKNOWN, "bus": FALSE, "vehicle": FALSE, "person": FALSE}),
        (["a cart", "a sedan", "the sedan"], {"car": TRUE, "any car": TRUE, "taxi": FALSE}),
        (
            ["a car", "the cars", "a road"],
            {"any car": TRUE, "car": UNKNOWN, "taxi": UNKNOWN, "bus": FALSE, "vehicle": TRUE},
        ),
        (["a boy runs", "a child", "grass"], {"person": UNKNOWN, "dog": FALSE}),
        (["two women", "a woman"], {"person": TRUE}),
        (["a scarf", "a carton"], {"any car": FALSE, "person": FALSE}),
    ],
)
def test_captions_say_which_things_a_photograph_shows(captions: list[str], states: dict[str, float]) -> None:
    names = ["any car", "bus", "car", "dog", "person", "taxi", "vehicle"]
    seen = dict(zip(names, photographs.named([captions], names)[0].tolist(), strict=True))
    assert {name: seen[name] for name in states} == states


def test_only_what_stands_in_front_is_asked_to_be_right() -> None:
    answers = torch.tensor([[TRUE, TRUE, UNKNOWN], [TRUE, FALSE, TRUE], [FALSE, UNKNOWN, TRUE]])
    front = torch.tensor([[9.0, -9.0, 9.0], [-9.0, 9.0, 0.0], [-9.0, 9.0, 0.0]])
    first_only = images._first_loss(front[:, :1], answers[:, :1])
    assert float(first_only) == pytest.approx(0, abs=1e-4)  # one of two that answer is far ahead: enough
    assert float(images._first_loss(front[:, 1:2], answers[:, 1:2])) == pytest.approx(18, abs=1e-3)
    assert float(images._first_loss(front[:, 2:], answers[:, 2:])) == 0  # nothing known to be false: nothing asked


# ---- a whole course, tiny -------------------------------------------------------------------------------------


def jpeg(colour: tuple[int, int, int], size: tuple[int, int]) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "JPEG")
    return buffer.getvalue()


def by_letters(texts: list[str]) -> NDArray[np.float32]:
    """A teacher of our own: unit vectors that depend on the text alone."""
    seeds = [int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little") for text in texts]
    vectors = np.stack([np.random.default_rng(seed).standard_normal(384) for seed in seeds])
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> data.Sources:
    """A dozen pictures of each set, and street scenes without the bundled ones."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "train").mkdir()
    rng = np.random.default_rng(0)

    def picture(size: tuple[int, int]) -> bytes:
        return jpeg(tuple(rng.integers(0, 255, 3).tolist()), size)

    named = {
        "flickr8k_train": [f"somebody number {n} on a lawn" for n in range(12)],
        "flickr8k_dev": [f"nobody number {n} on a lawn" for n in range(12)],
        "tiny_imagenet_32k": [("goldfish, Carassius", "tabby, tabby cat")[n % 2] for n in range(40)],
        "caltech101_80": [("airplanes", "faces easy")[n % 2] for n in range(40)],
    }
    for name, captions in named.items():
        rows = [
            {"image": {"bytes": picture((64, 64)), "path": f"{name}-{n}.jpg"}, "captions": [caption]}
            for n, caption in enumerate(captions)
        ]
        pq.write_table(pa.Table.from_pylist(rows), folder / "train" / f"{name}.parquet")
    scenes = folder / "scenes"
    scenes.mkdir()
    lines = []
    for number, seed in enumerate([*range(10_000, 10_012), *range(10_017, 10_317, 10)]):
        file = f"{seed}.jpg"
        (scenes / file).write_bytes(picture((240, 135)))
        without_bus = {"attributes": ["street lamp", "light:night"], "entities": [LAMP]} if number % 2 else {}
        lines.append(json.dumps(scene(seed=seed, file=file, **without_bus)))
    (scenes / "scenes.jsonl").write_text("\n".join(lines))
    return data.Sources(folder, scenes)


def test_valid_pictures_are_never_trained_on(
    sources: data.Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "BUNDLED", sources.scenes)  # no bundled scenes here
    monkeypatch.setattr(data, "_files", lambda of, name: files_of(of, name))
    for name in data.SETS:
        train, valid = (data.load(sources, tmp_path, name, split) for split in ("train", "valid"))
        train_files, valid_files = ({record["file"] for record in part.records} for part in (train, valid))
        assert train_files and not train_files & valid_files
        assert bool(valid_files) == (name != "flickr8k_train")
    assert {record["seed"] % 10 for record in valid_of(sources, tmp_path)} == {7}


def files_of(sources: data.Sources, name: str) -> list[Path]:
    assert sources.scenes is not None
    return [sources.scenes / "scenes.jsonl"] if name == "streets" else [sources.data / "train" / f"{name}.parquet"]


def valid_of(sources: data.Sources, cache: Path) -> list[dict[str, object]]:
    return data.load(sources, cache, "streets", "valid").records


def test_shrunken_data_says_the_same(sources: data.Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "_files", files_of)
    before = {name: data.load(sources, tmp_path / "a", name, "train").records for name in data.SETS}
    assert data.shrink(sources, tmp_path / "small", part_bytes=3_000) < 1_000_000
    monkeypatch.undo()
    small = data.Sources(tmp_path / "small")
    for name in data.SETS:
        after = data.load(small, tmp_path / "b", name, "train")
        assert sorted(map(str, after.records)) == sorted(map(str, before[name]))


def tiny_course(folder: Path, steps: int = 60) -> Course:
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 1, bias=False)
    rows, wanted = torch.randn(16, 3), torch.tensor([1.0, -2.0, 0.5])

    def loss(step: int) -> torch.Tensor:
        some = rows[step % 4 :: 4]
        return (model(some)[:, 0] - some @ wanted).square().mean()

    return Course(model, loss, Plan(steps, 5e-2, average=0.9), folder)


def test_a_course_comes_nearer_and_its_average_too(tmp_path: Path) -> None:
    course, seen = tiny_course(tmp_path), []
    assert course.run(lambda _: seen.append(course.last_loss))
    assert len(seen) == 60
    assert seen[-1] < 0.5 * seen[0]
    average, last = course.average.state["weight"], course.module.weight
    assert 0 < (average - last).abs().max() < 0.5


def test_a_course_that_may_not_run_long_goes_on_later(tmp_path: Path) -> None:
    first = tiny_course(tmp_path)
    assert not first.run(lambda _: None, until=0.0)
    assert first.step == 0
    assert tiny_course(tmp_path).run(lambda _: None)


def test_a_loss_that_is_not_finite_ends_the_course(tmp_path: Path) -> None:
    model = torch.nn.Linear(1, 1)
    course = Course(model, lambda _: model.weight.sum() * float("nan"), Plan(3, 1.0), tmp_path)
    with pytest.raises(SystemExit, match="nan at step 0"):
        course.run(lambda _: None)


def test_the_teacher_reads_a_text_once(tmp_path: Path) -> None:
    read_texts: list[str] = []

    def encode(some: list[str]) -> NDArray[np.float32]:
        read_texts.extend(some)
        return by_letters(some)

    first = Teacher(["A red bus .", "a dog"], tmp_path, encode)
    second = Teacher(["a cat", "a red bus"], tmp_path, encode)
    assert read_texts == ["a dog", "a red bus", "a cat"]
    assert second.texts == ["a cat", "a red bus"]
    assert (second.vectors[second.row("a red bus")] == first.vectors[first.row("A red bus.")]).all()
    assert (Teacher(second.texts, tmp_path, encode).vectors == by_letters(second.texts)).all()


def small_stage(sources: data.Sources, cache: Path, monkeypatch: pytest.MonkeyPatch) -> images.ImageStage:
    monkeypatch.setattr(data, "_files", files_of)
    monkeypatch.setattr(texts, "COMPOUNDS", 60)
    monkeypatch.setattr(texts, "FRAGMENTS", 20)
    sets = {name: data.load(sources, cache, name, "train") for name in data.SETS}
    gathered = texts.gather(sets, seed=0)
    torch.manual_seed(0)
    return images.ImageStage(sets, gathered, Teacher(gathered.all(), cache, by_letters), dim=16, seed=0)


def test_the_last_layer_starts_where_the_tower_ended_and_learns(
    sources: data.Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = small_stage(sources, tmp_path, monkeypatch).eval()
    monkeypatch.setattr(last, "COUNTS", dict.fromkeys(data.SETS, 4))
    pictures = data.load(sources, tmp_path, "streets", "train").pixels
    with torch.no_grad():
        before = stage.vectors(pictures, 64)
        layer = last.LastLayer(stage, 64, tmp_path / "last", say=lambda _: None)
        layer.store()
        assert torch.allclose(stage.vectors(pictures, 64), before, atol=1e-5)
    frozen = stage.tower.stem[0].weight.clone()
    learning = Course(layer.train(), layer.loss, Plan(12, 1e-2, average=0.5), tmp_path / "last")
    losses: list[float] = []
    learning.run(lambda _: losses.append(learning.last_loss))
    layer.store()
    assert np.mean(losses[-3:]) < 0.9 * np.mean(losses[:3])
    assert (stage.tower.stem[0].weight == frozen).all()
    with torch.no_grad():
        assert (stage.vectors(pictures, 64) - before).abs().max() > 0.01


def test_a_text_belongs_where_its_attributes_lie_and_any_other_where_the_map_says(
    sources: data.Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = small_stage(sources, tmp_path, monkeypatch)
    stage.facts.table.data.copy_(torch.randn(stage.facts.table.shape))
    asked = [words.Question("a bus", "bus"), words.Question("a red bus at night", "red bus + light:night")]
    row = {name: at for at, name in enumerate(stage.batches.scenes.attributes)}
    bus, red, night = (stage.facts.table.detach()[row[name]] for name in ("bus", "red bus", "light:night"))
    teacher = Teacher([*(one.words for one in asked), "a woman"], tmp_path, by_letters)
    stage._teacher, stage._teacher_rows = torch.from_numpy(teacher.vectors), teacher.rows
    targets = stage.targets(asked)
    assert torch.allclose(targets.norm(dim=-1), torch.ones(3))
    assert torch.allclose(targets[teacher.row("a bus")], bus / bus.norm(), atol=1e-6)
    assert torch.allclose(targets[teacher.row("a red bus at night")], (red + night) / (red + night).norm(), atol=1e-6)
    assert torch.allclose(targets[teacher.row("a woman")], stage.texts([teacher.row("a woman")])[0], atol=1e-6)
    photographed = stage.targets(asked, {"a bus"})[teacher.row("a bus")]
    placed = stage.texts([teacher.row("a bus")])[0].detach()
    assert float(photographed @ placed) == pytest.approx(float(photographed @ (bus / bus.norm())), abs=1e-6)


def test_a_space_left_out_is_learnt_as_other_typing_errors_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentences, "MISSPELT", 0.0)
    monkeypatch.setattr(sentences, "JOINED", 1.0)
    stage = sentences.TextStage.__new__(sentences.TextStage)
    stage._texts = ["a motor car", "a car", "a stop sign at night"]
    said = [{stage._text(row, random.Random(seed)) for seed in range(40)} for row in range(3)]
    assert said == [{"a motorcar"}, {"a car"}, {"a stopsign at night", "a stop signat night", "a stop sign atnight"}]


def test_a_tower_says_where_things_are_whatever_the_size_of_the_picture() -> None:
    tower = ImageTower(8, 5).eval()
    with torch.no_grad():
        for side in (64, 96):
            pooled, cells = tower.features(torch.zeros(2, 3, side, side))
            assert cells.shape == (2, side // 16, side // 16, 5)
            assert pooled.shape == (2, tower.width)


@pytest.mark.slow
def test_a_course_that_was_stopped_ends_as_one_that_was_not(
    sources: data.Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "_files", files_of)
    monkeypatch.setattr(texts, "COMPOUNDS", 60)
    monkeypatch.setattr(texts, "FRAGMENTS", 20)
    monkeypatch.setattr(recipe, "VOCAB", 150)
    monkeypatch.setattr(recipe, "LOOKS", 1)
    monkeypatch.setattr(course, "SAVE_SECONDS", 0.0)

    monkeypatch.setattr(last, "COUNTS", dict.fromkeys(data.SETS, 4))

    def options(out: str) -> recipe.Options:
        sizes = ((0.0, 32), (0.5, 64))
        return recipe.Options(
            sources,
            tmp_path / out,
            tmp_path / "cache",
            steps=4,
            last_steps=3,
            text_steps=3,
            batch=16,
            sizes=sizes,
            threads=1,
        )

    loss, killed = images.ImageStage.loss, []

    def once_killed(stage: images.ImageStage, step: int, batch: int, side: int) -> object:
        if step == 2 and not killed:
            killed.append(step)
            raise KeyboardInterrupt
        return loss(stage, step, batch, side)

    with monkeypatch.context() as patched:
        patched.setattr(images.ImageStage, "loss", once_killed)
        with pytest.raises(KeyboardInterrupt):
            recipe.run(options("stopped"), "made by a test", by_letters)
    assert recipe.run(options("stopped"), "made by a test", by_letters)
    (tmp_path / "whole.train").mkdir()
    shutil.copy(tmp_path / "stopped.train" / "tokenizer.json", tmp_path / "whole.train")  # its trainer throws dice
    with monkeypatch.context() as patched:
        patched.setattr(recipe, "_export", lambda *_: None)
        assert recipe.run(options("whole"), "made by a test", by_letters)
    for part in ("images", "last", "texts"):
        tensors = [read(tmp_path / f"{out}.train" / part / CHECKPOINT).tensors for out in ("stopped", "whole")]
        assert tensors[0].keys() == tensors[1].keys()
        assert all(bool((tensors[0][name] == tensors[1][name]).all()) for name in tensors[0]), part
    encoder = load_encoder(str(tmp_path / "stopped"), models_dir=tmp_path)
    assert encoder.encode_text(["a red bus at night"]).shape == (1, recipe.DIM)
    assert encoder.encode_image([Image.new("RGB", (300, 200), "red")]).shape == (1, recipe.DIM)

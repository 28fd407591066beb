"""Settings: command-line flag > environment `SIGHTLINE_*` > `sightline.toml` > default. The only reader of os.environ.

from sightline.config import settings
settings(model="pocket").model
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from sightline.errors import UsageError


def _cache_home() -> Path:
    """XDG base directory specification: $XDG_CACHE_HOME, else ~/.cache; Windows keeps caches under LOCALAPPDATA."""
    home = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(home) if home else Path.home() / ".cache") / "sightline"


class Settings(BaseSettings):
    """Every setting with its default. Environment names are `SIGHTLINE_` and the upper-case field name."""

    model_config = SettingsConfigDict(env_prefix="SIGHTLINE_", toml_file="sightline.toml", extra="forbid")

    collection: str = Field(default="data/tables#items", description="address of the collection: URI[#table]")
    model: str = Field(default="auto", description="encoder: a name, a model folder, or auto")
    keep: Literal["original", "preview", "none"] | None = Field(default=None, description="which picture is stored")
    runtime: Literal["openvino", "onnxruntime"] | None = Field(default=None, description="None picks the faster")
    device: str | None = Field(default=None, description="device of the runtime, e.g. cpu, gpu, cuda, coreml")
    precision: str | None = Field(default=None, description="f32, bf16, ...; None picks by the machine")
    batch_size: int | None = Field(default=None, ge=1, le=4096, description="pictures per forward pass")
    threads: int | None = Field(default=None, ge=1, le=1024, description="decoding threads; None: one per core")
    cache: Path = Field(default_factory=_cache_home, description="fetched models and compiled graphs")
    offline: bool = Field(default=False, description="forbid every access to the network")
    allow_private_urls: bool = Field(default=False, description="let urls: reach servers on private addresses")
    previews: Literal["auto", "kitty", "iterm2", "sixel", "blocks", "none"] = Field(
        default="auto", description="how pictures are drawn in the terminal; auto asks the terminal"
    )
    history_days: float = Field(default=7.0, ge=0, description="how long former versions can be restored, in days")
    generator: str = Field(default="extractive", description="what writes answers: extractive, openai:MODEL or hf:REPO")
    generator_url: str = Field(
        default="http://127.0.0.1:11434/v1",
        description="base URL of an OpenAI-compatible server; default: Ollama's",
    )
    generator_key: SecretStr | None = Field(default=None, description="key of that server")
    generator_pictures: bool = Field(default=True, description="send pictures; false for models that read text only")
    generator_side: int = Field(default=768, ge=64, le=4096, description="longest side of a picture sent, in pixels")
    generator_quality: int = Field(default=80, ge=1, le=95, description="JPEG quality of a picture sent")
    generator_connect_seconds: float = Field(default=5.0, gt=0, description="how long connecting may take")
    generator_first_seconds: float = Field(default=120.0, gt=0, description="how long the first piece may take")
    generator_between_seconds: float = Field(default=60.0, gt=0, description="how long an answer may be silent")
    generator_tokens: int = Field(default=512, ge=1, le=32768, description="longest answer of hf:REPO, in tokens")
    snapshot_rows: int = Field(
        default=2_000_000, ge=0, description="collections of at most so many rows are searched from a snapshot; 0: none"
    )
    index_rows: int = Field(
        default=20_000, ge=0, description="collections of more rows get an index over their vectors; 0: never"
    )
    recall: float = Field(
        default=0.98, gt=0, le=1, description="share of the nearest pictures that a search by the index has to find"
    )
    lock_seconds: float = Field(default=120.0, gt=0, description="how long a writer waits for another writer")

    @property
    def models_dir(self) -> Path:
        """Where `sightline models fetch` puts model folders, one per name."""
        return self.cache / "models"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls))


def settings(**flags: Any) -> Settings:
    """The settings in force; `flags` that are None count as not given. Raises UsageError naming the bad value."""
    given = {name: value for name, value in flags.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"]) or "settings"
        raise UsageError(
            f"setting '{name}' cannot be {_shown(name, first.get('input'))}: {first['msg'].lower()}",
            hint=f"give it as a flag, as SIGHTLINE_{name.upper()} or in sightline.toml",
        ) from None
    except (OSError, ValueError) as error:
        raise UsageError(f"sightline.toml cannot be read: {error}", hint="mend or remove the file") from None


def _shown(name: str, value: object) -> str:
    return "what it is set to" if name.endswith("_key") else repr(value)

"""`sightline mcp` of a folder of coloured pictures, with an encoder that prints: mcp_process.py FOLDER."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from fakes import FakeEncoder

from sightline import mcp_server
from sightline.collection import Collection
from sightline.schema import Vectors


class ChattyEncoder(FakeEncoder):
    """As libraries do that were written for a terminal."""

    def encode_text(self, texts: Sequence[str]) -> Vectors:
        print("encoding", *texts, flush=True)
        return super().encode_text(texts)


def main(folder: str) -> None:
    mcp_server.run(mcp_server.site_of(Collection(f"{folder}/tables#photos", model=ChattyEncoder())))


if __name__ == "__main__":
    main(sys.argv[1])

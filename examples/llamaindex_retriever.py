"""A LlamaIndex retriever over a Sightline collection: a question in words, the pictures as image nodes.

    pip install sightline llama-index-core
    python examples/llamaindex_retriever.py "a red bus" data/tables#items

It goes where any retriever goes, e.g. `RetrieverQueryEngine.from_args(retriever, llm=…)`. A node's text is the captions
and what was read in the picture; its `image` is the picture, a JPEG in base64 that multimodal models take.
"""

from __future__ import annotations

import base64
import sys
from pathlib import Path

from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import ImageNode, NodeWithScore, QueryBundle

import sightline


class SightlineRetriever(BaseRetriever):
    """`k` pictures at most, each at least `min_relevance` likely to be relevant; None leaves nothing out.

    A bundle with an `image_path` asks for what is like that picture and the words.
    """

    def __init__(self, collection: sightline.Collection, k: int = 6, min_relevance: float | None = 0.5) -> None:
        super().__init__()
        self.collection, self.k, self.min_relevance = collection, k, min_relevance

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        like = [Path(query_bundle.image_path)] if query_bundle.image_path else []
        words = query_bundle.query_str or None
        # literal: what an engine passes on is no query language, and names no files
        hits = self.collection.search(
            words, self.k, like=like, literal=True, group=True, min_relevance=self.min_relevance
        )
        return [NodeWithScore(node=self._node(hit), score=hit.relevance) for hit in hits]

    def _node(self, hit: sightline.Hit) -> ImageNode:
        about = {name: value for name, value in hit.to_json().items() if name not in ("text", "why")}
        jpeg = base64.b64encode(self.collection.view(hit.id, longest=768)).decode()
        text = "\n".join(filter(None, (hit.text, self.collection.get(hit.id).ocr)))
        return ImageNode(id_=hit.id, text=text, image=jpeg, image_mimetype="image/jpeg", metadata=about)


if __name__ == "__main__":
    words, *address = sys.argv[1:]
    for found in SightlineRetriever(sightline.open(*address)).retrieve(words):
        print(
            f"{found.node.metadata['score']:.3f}", found.node.metadata["uri"], found.node.text.split("\n")[0], sep="\t"
        )

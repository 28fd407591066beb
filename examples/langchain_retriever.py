"""A LangChain retriever over a Sightline collection: a question in words, the pictures as documents.

    pip install sightline langchain-core
    python examples/langchain_retriever.py "a red bus" data/tables#items

In a chain it is used as any other: `chain = retriever | format_docs | prompt | model`. `page_content` holds the
captions and what was read in the picture; `metadata["picture"]` is the picture, a data URL that chat models take.
"""

from __future__ import annotations

import base64
import sys

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever

import sightline


class SightlineRetriever(BaseRetriever):
    """`k` pictures at most, each at least `min_relevance` likely to be relevant; None leaves nothing out.

    `pictures` False leaves the data URLs away, for models that read text only.
    """

    collection: sightline.Collection
    k: int = 6
    min_relevance: float | None = 0.5
    pictures: bool = True

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        # literal: what a chain passes on is no query language, and names no files
        hits = self.collection.search(query, self.k, literal=True, group=True, min_relevance=self.min_relevance)
        return [self._document(hit) for hit in hits]

    def _document(self, hit: sightline.Hit) -> Document:
        about = {name: value for name, value in hit.to_json().items() if name not in ("text", "why")}
        if self.pictures:
            jpeg = base64.b64encode(self.collection.view(hit.id, longest=768)).decode()
            about["picture"] = f"data:image/jpeg;base64,{jpeg}"
        read = self.collection.get(hit.id).ocr
        return Document(id=hit.id, page_content="\n".join(filter(None, (hit.text, read))), metadata=about)


if __name__ == "__main__":
    words, *address = sys.argv[1:]
    for document in SightlineRetriever(collection=sightline.open(*address)).invoke(words):
        print(
            f"{document.metadata['score']:.3f}",
            document.metadata["uri"],
            document.page_content.split("\n")[0],
            sep="\t",
        )

"""Fills a FAISS index with a vector per text, and asks it for the texts nearest to another."""
import faiss

import glassgpt

texts = ["The river flows into the sea.", "The bank raised its rates.", "A boat lay on the shore.", "河流入海。", "银行提高了利率。"]
model, options = glassgpt.load(), dict(unit="text", pool="mean", normalize=True)
vectors, query = model.embed(texts, **options), model.embed("The stream ran down to the lake.", **options)["final"]
index = faiss.IndexFlatIP(query.shape[1])
index.add(vectors["final"])
similar, found = index.search(query, 3)
print(*(f"{cosine:.3f}  {texts[text]}" for cosine, text in zip(similar[0], found[0])), sep="\n")

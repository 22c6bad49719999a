"""Fills an hnswlib index with a vector per text, and asks it for the texts nearest to another."""
import hnswlib

import glassgpt

texts = ["The river flows into the sea.", "The bank raised its rates.", "A boat lay on the shore.", "河流入海。", "银行提高了利率。"]
model, options = glassgpt.load(), dict(unit="text", pool="mean", normalize=True)
vectors, query = model.embed(texts, **options), model.embed("The stream ran down to the lake.", **options)["final"]
index = hnswlib.Index(space="cosine", dim=query.shape[1])
index.init_index(max_elements=len(texts), random_seed=1)
index.add_items(vectors["final"])
found, distances = index.knn_query(query, k=3)
print(*(f"{1 - distance:.3f}  {texts[text]}" for distance, text in zip(distances[0], found[0])), sep="\n")

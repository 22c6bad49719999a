"""A data frame in parts, embedded by worker processes: each loads the model once, and takes part after part."""
import multiprocessing
import numpy as np
import pandas as pd
import glassgpt

def start_worker(threads):
    global model, cores
    model, cores = glassgpt.load(), threads

def embed_part(part):
    return model.embed(part["text"], unit="text", normalize=True, threads=cores)["final"]

if __name__ == "__main__":
    frame = pd.DataFrame({"text": [f"The river has {n} banks." for n in range(40)] + ["银行在河边。"] * 10})
    parts = [frame.iloc[at : at + 16] for at in range(0, len(frame), 16)]
    with multiprocessing.get_context("spawn").Pool(2, start_worker, [1]) as workers:
        vectors = np.concatenate(workers.map(embed_part, parts))
    print(frame.assign(vector=list(vectors)))
    np.save("vectors.npy", vectors)

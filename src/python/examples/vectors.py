"""The vectors of two texts in three layers, the table that says whose row is whose, and every stage of one pass."""
import glassgpt

model = glassgpt.load()
vectors = model.embed(["The river bank", "银行"], layers=[0, -1, "final"])
print(vectors)
print(vectors.rows.to_pandas())
trace = model.trace("The river bank")
print(", ".join(f"{name} {trace[name].shape}" for name in ("embedding", "q", "attention", "residual", "final")))

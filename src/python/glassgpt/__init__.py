"""glassgpt: text to the vectors of every layer of a small GPT, and every step in between.

    import glassgpt

    m = glassgpt.load()                                  # the bundled model, or a directory in GPT-2's layout
    v = m.embed(["the river bank"], layers=[0, -1, "final"])
    v["final"]                                           # numpy, [rows, width]: a row per token
    v.rows                                               # whose row is whose: pandas.DataFrame(v.rows)
    m.trace("the river bank")["attention"]               # any named stage of the pass

A vector's bytes are those that the command line gives for the same text. Wrong arguments and malformed files are ValueError (TypeError for what
has the wrong type), files that cannot be reached OSError.
"""
from ._core import __version__, default_threads, isa
from ._model import Model, load
from ._results import Table, Tokens, Trace, Vectors

__all__ = ["Model", "Table", "Tokens", "Trace", "Vectors", "__version__", "default_threads", "isa", "load"]

"""The peers' tokenizers, built from the same vocabulary files as glassgpt's."""
import base64
import collections
import os
import sys

# tokenizers.py in this folder must not stand in for the package of that name.
sys.path = [path for path in sys.path if os.path.abspath(path) != os.path.dirname(os.path.abspath(__file__))]

Vocabulary = collections.namedtuple("Vocabulary", "name path specials")


def VOCABULARIES(folder):
    return [
        Vocabulary("gpt2", os.path.join(folder, "r50k_base.tiktoken"), {"<|endoftext|>": 50256}),
        Vocabulary("cl100k", os.path.join(folder, "cl100k_base.tiktoken"),
                   {"<|endoftext|>": 100257, "<|fim_prefix|>": 100258, "<|fim_middle|>": 100259, "<|fim_suffix|>": 100260,
                    "<|endofprompt|>": 100276}),
        Vocabulary("o200k", os.path.join(folder, "o200k_base.tiktoken"), {"<|endoftext|>": 199999, "<|endofprompt|>": 200018}),
    ]


def ranks(vocabulary):
    with open(vocabulary.path, "rb") as file:
        return {base64.b64decode(token): int(rank) for token, rank in (line.split() for line in file if line.strip())}


def use_ranks(vocabulary):
    """Lets tiktoken's constructors, and those who call them, read our file instead of fetching one."""
    import tiktoken_ext.openai_public as public

    public.load_tiktoken_bpe = lambda *_, **__: ranks(vocabulary)
    return public


def tiktoken_encoding(vocabulary):
    """tiktoken with its own pattern."""
    import tiktoken

    public = use_ranks(vocabulary)
    build = {"gpt2": public.r50k_base, "cl100k": public.cl100k_base, "o200k": public.o200k_base}[vocabulary.name]
    return tiktoken.Encoding(**build())




def huggingface(vocabulary):
    """Hugging Face's tokenizers with GPT-2's own pair of files, which lie beside the ranks; None for other vocabularies."""
    if vocabulary.name != "gpt2":
        return None
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    folder = os.path.dirname(vocabulary.path)
    model = models.BPE.from_file(os.path.join(folder, "encoder.json"), os.path.join(folder, "vocab.bpe"))
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken("<|endoftext|>", normalized=False)])
    return tokenizer

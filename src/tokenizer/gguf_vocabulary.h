// A tokenizer as GGUF has it: the keys tokenizer.ggml.* that llama.cpp reads, there and back.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "glassgpt/tokenizer.h"
#include "io/gguf.h"

namespace glassgpt::tokenizer {

// For a model with `rows` rows in its embedding table; rows without a token become unused tokens.
// Throws Error, naming `path`: kUnsupported where llama.cpp would give other ids, kOutOfRange for
// more ids than rows.
io::GgufMetadata gguf_vocabulary(const Tokenizer& tokenizer, std::size_t rows,
                                 const std::string& path);

// Nothing if the file says that it has none. Throws Error: kMalformed, kUnsupported for another
// kind of tokenizer or another split than those of GPT-2, cl100k and o200k.
std::optional<Tokenizer> read_gguf_vocabulary(const io::GgufContents& file);

}  // namespace glassgpt::tokenizer

// Tokenizer files: readers to a Definition, and the writer of tokenizer.json.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/definition.h"
#include "tokenizer/parts.h"

namespace glassgpt::tokenizer {

// Looks at what `path` is: a directory with tokenizer.json or vocab.json (encoder.json) +
// merges.txt (vocab.bpe), a tokenizer.json, one of the pair, or a .tiktoken file, which does not
// name its pattern. Throws Error.
Definition read_definition(const std::filesystem::path& path, SplitPattern tiktoken_pattern);

// The files that read_definition reads: one, or vocab.json and merges.txt in this order. Throws
// Error if there are none.
std::vector<std::filesystem::path> definition_files(const std::filesystem::path& path);

// tokenizer.json as Hugging Face's library writes it for byte-level BPE. Whatever would change the
// ids and is not supported (a normalizer, another model, another split) is an Error (kUnsupported)
// that names it.
Definition read_tokenizer_json(const std::filesystem::path& file);
// The same from memory; `name` stands in the messages.
Definition parse_tokenizer_json(std::string_view text, const std::string& name);

// GPT-2's own pair of files. Entries that neither are a byte nor the result of a merge and look
// like <...> are special tokens.
Definition read_vocab_and_merges(const std::filesystem::path& vocab,
                                 const std::filesystem::path& merges);

// Lines of "base64 rank". The special tokens of r50k, cl100k and o200k, which the files leave out,
// are added where the file has exactly the ranks of one of these vocabularies.
Definition read_tiktoken(const std::filesystem::path& file, SplitPattern pattern);

std::string tokenizer_json(const Tokenizer::Parts& parts);
// Whole or not at all. Throws Error (kUnwritable).
void write_tokenizer_json(const Tokenizer::Parts& parts, const std::filesystem::path& file);

}  // namespace glassgpt::tokenizer

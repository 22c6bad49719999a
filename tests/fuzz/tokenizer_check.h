// What every tokenizer promises that a file led to.
#pragma once

#include <string>

#include "glassgpt/error.h"
#include "glassgpt/tokenizer.h"
#include "tests/fuzz/memory_file.h"
#include "tokenizer/files.h"

namespace glassgpt::fuzz {

// `read` returns a Definition. What it lets through gives texts back, and replaying the merges of a
// piece leads to its tokens.
template <class Read>
void check_tokenizer(const Read& read) {
  try {
    const Tokenizer tokenizer(tokenizer::build_parts(read(), "input"));
    for (const std::string text : {"hello  world's <|endoftext|>", "\xE4\xB8\xAD\xFF\n aaaaaaaa"}) {
      try {
        require(tokenizer.decode(tokenizer.encode(text, SpecialTokens::kAll)) == text);
        for (const std::string_view piece : tokenizer.split(text)) tokenizer.merge_steps(piece);
      } catch (const Error& error) {
        require(error.code() == ErrorCode::kOutOfRange);  // a byte without a token
      }
    }
  } catch (const Error& error) {
    require(std::string_view(error.what()).find('\n') == std::string_view::npos);
  }
}

}  // namespace glassgpt::fuzz

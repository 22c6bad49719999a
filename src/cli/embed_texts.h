// From texts to batches: tokens, truncation or windows, and which rows of a pass become which rows
// of the result.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "cli/text_source.h"
#include "glassgpt/embed.h"
#include "glassgpt/model.h"
#include "glassgpt/tokenizer.h"
#include "glassgpt/words.h"

namespace glassgpt::cli {

enum class Unit { kToken, kWord, kText };
enum class Truncation { kError, kLeft, kRight, kWindow };
// "error", "left", "right", "window".
Truncation truncation_of(std::string_view name);

// Enough that a pass is worth its threads; passes four times as long are no faster and need four
// times the memory.
inline constexpr std::size_t kBatchTokens = 512;

struct EmbedOptions {
  Unit unit = Unit::kToken;
  Truncation truncation = Truncation::kError;
  std::size_t context = 0;  // of the model
  std::size_t stride = 0;   // of windows; 0: context / 2
  std::size_t batch_tokens = kBatchTokens;
  SpecialTokens special = SpecialTokens::kNone;
};

// Tokens begin .. end of a text that become one row.
struct TokenRange {
  std::size_t begin, end;
};

// The words of a text and the tokens of each: all that share a byte with it, so that a token across
// two words (Chinese has such) counts in both. A special token is part of no word, a word without
// tokens is left out.
struct WordUnits {
  std::vector<WordSpan> spans;
  std::vector<TokenRange> tokens;
};
WordUnits word_units(const Tokenizer& tokenizer, std::string_view text, const Encoding& encoding);

// A text as it is embedded: what truncation cut off is in none of its lists, nor is a word that
// lost a token to it.
struct EmbeddedText {
  std::string id;  // as JSON
  std::string bytes;
  std::vector<TokenId> ids;
  std::vector<TokenSpan> spans;
  std::vector<TokenRange> units;  // one per row; empty with Unit::kToken, where each token is a row
  std::vector<WordSpan> words;    // with Unit::kWord, one per row
  std::size_t tokens = 0;         // before truncation
  Unit unit = Unit::kToken;

  bool truncated() const noexcept { return ids.size() < tokens; }
  std::size_t rows() const noexcept { return unit == Unit::kToken ? ids.size() : units.size(); }
  // Of row r: its tokens, and their bytes in the text.
  TokenRange row_tokens(std::size_t r) const {
    return unit == Unit::kToken ? TokenRange{r, r + 1} : units[r];
  }
  WordSpan row_span(std::size_t r) const {
    if (unit == Unit::kWord) return words[r];
    const TokenRange range = row_tokens(r);
    return {spans[range.begin].byte_begin, spans[range.end - 1].byte_end};
  }
  std::string_view row_bytes(std::size_t r) const {
    const WordSpan span = row_span(r);
    return std::string_view(bytes).substr(span.begin, span.end - span.begin);
  }
};

// Throws UsageError for a stride that would leave tokens between the windows.
void check_stride(std::size_t stride, std::size_t context);

// Encodes and cuts. Throws Error (kOutOfRange) that counts the surplus for a text that is too long
// and may not be cut.
EmbeddedText prepare_text(const Tokenizer& tokenizer, const Text& text,
                          const EmbedOptions& options);

// One sequence of a pass: tokens begin .. end of the text; rows count from token `keep` on (the
// tokens before it only give context, and were counted in the window before).
struct Window {
  std::size_t begin, end, keep;
};
// One window, if the text fits; else windows of the context's length, `stride` apart.
std::vector<Window> windows_of(std::size_t tokens, const EmbedOptions& options);

// The sequences of one pass and the rows that count in it.
class BatchBuilder {
 public:
  bool fits(std::size_t tokens, std::size_t limit) const noexcept {
    return ids_.empty() || ids_.size() + tokens <= limit;
  }
  void add(const EmbeddedText& text, const Window& window);
  void clear();
  bool empty() const noexcept { return ids_.empty(); }
  Batch batch() const noexcept { return {ids_, offsets_}; }
  const std::vector<RowRange>& ranges() const noexcept { return ranges_; }

 private:
  std::vector<TokenId> ids_;
  std::vector<std::size_t> offsets_ = {0};
  std::vector<RowRange> ranges_;
};

}  // namespace glassgpt::cli

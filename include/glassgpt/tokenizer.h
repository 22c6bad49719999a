// Byte-level byte-pair encoding: text to ids and back, with offsets.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "glassgpt/types.h"

namespace glassgpt {

// How text is cut into pieces before merging. Only GPT-2's is needed to read and train GPT-2's; the
// others belong to .tiktoken files.
enum class SplitPattern { kGpt2, kCl100k, kO200k };

// What to do with the text of a special token inside ordinary text.
enum class SpecialTokens { kNone /* ordinary text */, kAll /* becomes its id */, kError };

// Half-open ranges of one token in the encoded text. Tokens that split a code point share its span
// in code points.
struct TokenSpan {
  std::size_t byte_begin, byte_end;
  std::size_t char_begin, char_end;  // code points; each invalid byte counts as one
};

struct Encoding {
  std::vector<TokenId> ids;
  std::vector<TokenSpan> spans;  // empty unless asked for
};

// One step of the merges of a piece: the pair at `position` (in the list before the step) became
// one token of this rank.
struct MergeStep {
  std::size_t position;
  TokenId left, right, merged;
  std::size_t rank;
};

// Immutable and safe to share between threads.
class Tokenizer {
 public:
  // tokenizer.json, a directory with tokenizer.json or vocab.json (encoder.json) + merges.txt
  // (vocab.bpe), or a .tiktoken file (with its pattern). Throws Error.
  static Tokenizer load(const std::filesystem::path& path,
                        SplitPattern tiktoken_pattern = SplitPattern::kGpt2);

  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  // Any bytes, valid UTF-8 or not; decode(encode(text)) == text. Linear in practice, n log n at
  // worst. SpecialTokens::kError throws std::invalid_argument naming the token and its byte offset.
  std::vector<TokenId> encode(std::string_view text,
                              SpecialTokens special = SpecialTokens::kNone) const;
  Encoding encode_with_spans(std::string_view text,
                             SpecialTokens special = SpecialTokens::kNone) const;

  // The exact bytes. Throws Error (kOutOfRange) for an id that is not in the vocabulary.
  std::string decode(std::span<const TokenId> ids) const;
  std::string_view token_bytes(TokenId id) const;
  bool is_special(TokenId id) const noexcept;
  std::optional<TokenId> id_of(std::string_view token_bytes) const;
  std::optional<TokenId> special_id(std::string_view text) const;

  std::size_t vocab_size() const noexcept;  // one past the largest id
  SplitPattern pattern() const noexcept;

  // The pieces of the split pattern, as byte ranges; and how one piece's bytes become tokens, step
  // by step.
  std::vector<std::string_view> split(std::string_view text) const;
  std::vector<MergeStep> merge_steps(std::string_view piece) const;

  // tokenizer.json as Hugging Face's library reads it; whole or not at all.
  void save(const std::filesystem::path& file) const;

  struct Parts;
  explicit Tokenizer(std::unique_ptr<Parts> parts) noexcept;
  const Parts& parts() const noexcept { return *parts_; }

 private:
  std::unique_ptr<Parts> parts_;
};

// Encodes a text that comes in parts, cut anywhere (also inside a character or a special token):
// all ids together are those of the whole text. Holds back what more text may change: about the
// last three pieces, or a long run of one kind. The tokenizer must outlive it, without moving.
class StreamingEncoder {
 public:
  explicit StreamingEncoder(const Tokenizer& tokenizer,
                            SpecialTokens special = SpecialTokens::kNone);

  // Appends the ids that are certain now. Throws as Tokenizer::encode() does; after that, the text
  // so far is lost.
  void push(std::string_view text, std::vector<TokenId>& ids);
  // The text ends here; appends the remaining ids. Another text may follow.
  void finish(std::vector<TokenId>& ids);

 private:
  void encode_certain(std::vector<TokenId>& ids, bool is_end);

  const Tokenizer* tokenizer_;
  SpecialTokens special_;
  std::string waiting_;
  std::size_t passed_ = 0;  // bytes of this text that are encoded
  std::size_t next_look_;   // bytes that must wait before it is worth looking
};

// Decodes ids as they come: all texts together are the bytes of Tokenizer::decode(), and none ends
// inside a character. Bytes that belong to no character come through as they are. The tokenizer
// must outlive it, without moving.
class StreamingDecoder {
 public:
  explicit StreamingDecoder(const Tokenizer& tokenizer);

  // Throws Error (kOutOfRange) for an id that is not in the vocabulary; it counts as not pushed.
  std::string push(std::span<const TokenId> ids);
  std::string push(TokenId id) { return push({&id, 1}); }
  // What is left of a character that was never completed: at most three bytes.
  std::string finish();

 private:
  const Tokenizer* tokenizer_;
  std::string waiting_;
};

struct TokenizerTrainingProgress {
  std::size_t bytes_read, bytes_total;
  std::size_t vocab_size, vocab_target;
};

struct TokenizerTrainingOptions {
  std::size_t vocab_size = 8192;
  std::uint64_t min_frequency = 2;
  std::vector<std::string> special_tokens = {"<|endoftext|>"};  // get the first ids, in this order
  bool initial_alphabet = true;  // all 256 bytes, so that any text can be encoded
  int threads = 0;
  std::function<void(const TokenizerTrainingProgress&)> progress;  // may be empty
};

// Byte-level BPE as Hugging Face's BpeTrainer does it (same merges, same ids): see
// src/tokenizer/README.md.
Tokenizer train_tokenizer(std::span<const std::filesystem::path> files,
                          const TokenizerTrainingOptions& options);

}  // namespace glassgpt

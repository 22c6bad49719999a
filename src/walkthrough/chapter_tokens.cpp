// The text and the model, and chapter 4: from bytes through merges to tokens.
#include <cstdint>
#include <set>

#include "cli/options.h"
#include "kernels/dispatch.h"
#include "tokenizer/parts.h"
#include "tokenizer/split.h"
#include "walkthrough/chapters.h"

namespace glassgpt::walkthrough {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

// GPT-2's pattern as JavaScript reads it with the flags g and u. \s would leave out U+0085 there.
constexpr const char* kGpt2Regex =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\p{White_Space}\\p{L}\\p{N}]+|"
    "\\p{White_Space}+(?!\\P{White_Space})|\\p{White_Space}+";

class Replay {
 public:
  Replay(const Tokenizer& tokenizer, std::set<TokenId>& seen)
      : tokenizer_(tokenizer), seen_(seen) {}

  // As `tokenize --json --merges` prints them, and each piece's bytes.
  ordered_json pieces(std::string_view text) {
    ordered_json list = ordered_json::array();
    for (const std::string_view piece : tokenizer_.split(text)) {
      const auto begin = static_cast<std::size_t>(piece.data() - text.data());
      list.push_back({{"piece", text_json(piece)},
                      {"hex", hexadecimal(piece)},
                      {"bytes", {begin, begin + piece.size()}},
                      {"start", start(piece)},
                      {"steps", steps(piece)}});
    }
    return list;
  }

 private:
  ordered_json start(std::string_view piece) {
    ordered_json ids = ordered_json::array();
    for (std::size_t i = 0; i < piece.size(); ++i) {
      const auto id = tokenizer_.id_of(piece.substr(i, 1));
      if (!id) continue;
      seen_.insert(*id);
      ids.push_back(*id);
    }
    return ids;
  }

  ordered_json steps(std::string_view piece) {
    ordered_json list = ordered_json::array();
    for (const MergeStep& step : tokenizer_.merge_steps(piece)) {
      seen_.insert(step.merged);
      list.push_back({{"position", step.position},
                      {"left", step.left},
                      {"right", step.right},
                      {"merged", step.merged},
                      {"rank", step.rank},
                      {"token", text_json(tokenizer_.token_bytes(step.merged))}});
    }
    return list;
  }

  const Tokenizer& tokenizer_;
  std::set<TokenId>& seen_;
};

// The whole tokenizer in so few bytes that the page can hold it; null for larger ones, and for
// those that merges alone do not describe.
ordered_json merges_json(const Tokenizer& tokenizer) {
  const Tokenizer::Parts& parts = tokenizer.parts();
  if (parts.whole_piece_first || tokenizer.vocab_size() > 0x10000) return nullptr;
  std::vector<std::uint16_t> numbers;
  for (const tokenizer::Merge& merge : parts.merge_list) {
    for (const TokenId id : {merge.left, merge.right, merge.merged}) {
      numbers.push_back(static_cast<std::uint16_t>(id));
    }
  }
  const std::size_t shape[] = {parts.merge_list.size(), 3};
  return encode_u16(shape, numbers);
}

}  // namespace

void add_text(Document& document, const Subject& subject) {
  ordered_json ids = ordered_json::array(), tokens = ids, bytes = ids, chars = ids, hex = ids,
               fragment = ids;
  for (std::size_t t = 0; t < subject.tokens(); ++t) {
    const TokenSpan& span = subject.encoding.spans[t];
    ids.push_back(subject.encoding.ids[t]);
    tokens.push_back(text_json(subject.token(t)));
    bytes.push_back({span.byte_begin, span.byte_end});
    chars.push_back({span.char_begin, span.char_end});
    hex.push_back(hexadecimal(subject.token(t)));
    fragment.push_back(!is_valid_utf8(subject.token(t)));
  }
  document.json["text"] = {{"command", subject.command("tokenize --json")},
                           {"text", text_json(subject.text)},
                           {"valid_utf8", is_valid_utf8(subject.text)},
                           {"bytes_total", subject.text.size()},
                           {"chars_total", subject.encoding.spans.back().char_end},
                           {"ids", ids},
                           {"tokens", tokens},
                           {"bytes", bytes},
                           {"chars", chars},
                           {"hex", hex},
                           {"fragment", fragment}};
}

void add_model(Document& document, const Subject& subject) {
  const ModelConfig& config = subject.model.config();
  const int threads = subject.common.threads > 0 ? subject.common.threads : default_threads();
  document.json["model"] = {
      {"command", subject.command("info --json", {})},
      {"name", text_json(subject.directory.filename().string())},
      {"bundled",
       is_bundled(subject.directory, "mini") || is_bundled(subject.directory, "mini-learned")},
      {"vocab_size", config.vocab_size},
      {"n_positions", config.n_positions},
      {"n_embd", config.n_embd},
      {"n_layer", config.n_layer},
      {"n_head", config.n_head},
      {"head_dim", config.head_dim()},
      {"n_inner", config.inner()},
      {"position_encoding",
       config.position_encoding == PositionEncoding::kSinusoidal ? "sinusoidal" : "learned"},
      {"embedding_scale", config.embedding_scale},
      {"layer_norm_epsilon", config.layer_norm_epsilon},
      {"activation", config.activation == ActivationFunction::kGeluTanh ? "gelu_new" : "gelu"},
      {"tied", config.tie_word_embeddings},
      {"parameters", config.parameters()},
      {"weight_bytes", subject.model.weight_bytes()},
      {"isa", kernels::active_kernels().isa},
      {"threads", threads},
      {"gemm", subject.common.gemm},
      {"dtype", subject.common.dtype}};
}

void add_bpe(Document& document, const Subject& subject, const json& examples) {
  std::set<TokenId> seen;
  Replay replay(subject.tokenizer, seen);
  const SplitPattern pattern = subject.tokenizer.pattern();
  ordered_json& chapter = document.json["bpe"];
  chapter = {{"command", subject.command("tokenize --json --merges")},
             {"pattern", tokenizer::pattern_name(pattern)},
             {"regex", pattern == SplitPattern::kGpt2 ? ordered_json(kGpt2Regex) : nullptr},
             {"pieces", replay.pieces(subject.text)},
             {"tokens", ordered_json::object()},
             {"examples", ordered_json::array()}};
  for (const json& example : examples["rare_words"]) {
    const std::string text = example["text"];
    chapter["examples"].push_back(
        {{"lang", example["lang"]}, {"text", text}, {"pieces", replay.pieces(text)}});
  }
  for (const TokenId id : seen) {
    chapter["tokens"][std::to_string(id)] = token_json(subject.tokenizer, id);
  }
  ordered_json byte_ids = ordered_json::array();
  for (const TokenId id : subject.tokenizer.parts().byte_ids) {
    byte_ids.push_back(id == tokenizer::kNoToken ? ordered_json(-1) : ordered_json(id));
  }
  chapter["byte_ids"] = byte_ids;
  chapter["merges"] = merges_json(subject.tokenizer);
  chapter["vocab_size"] = subject.tokenizer.vocab_size();
}

}  // namespace glassgpt::walkthrough

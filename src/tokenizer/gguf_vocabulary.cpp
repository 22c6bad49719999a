#include "tokenizer/gguf_vocabulary.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "glassgpt/error.h"
#include "io/json.h"
#include "tokenizer/files.h"
#include "tokenizer/merge_names.h"
#include "tokenizer/split.h"
#include "tokenizer/unicode.h"

namespace glassgpt::tokenizer {
namespace {

constexpr const char* kModelKey = "tokenizer.ggml.model";
constexpr const char* kSplitKey = "tokenizer.ggml.pre";
constexpr const char* kTokensKey = "tokenizer.ggml.tokens";
constexpr const char* kTypesKey = "tokenizer.ggml.token_type";
constexpr const char* kMergesKey = "tokenizer.ggml.merges";
constexpr const char* kSpacePrefixKey = "tokenizer.ggml.add_space_prefix";
constexpr const char* kByteLevelBpe = "gpt2";
constexpr const char* kNoVocabulary = "no_vocab";
constexpr std::string_view kEndOfText = "<|endoftext|>";
constexpr const char* kAnotherTokenizer = "import with --tokenizer PATH";

// The numbers are the file's.
enum TokenType : std::int32_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,      // special
  kUserDefined = 4,  // found in any text
  kUnused = 5,
};

// Names that llama.cpp knows for the three splits. The first that fits is written.
struct SplitName {
  std::string_view name;
  SplitPattern pattern;
  bool whole_piece_first;
};
constexpr std::array<SplitName, 6> kSplitNames{{
    {"gpt-2", SplitPattern::kGpt2, false},
    {"dbrx", SplitPattern::kCl100k, false},
    {"llama-bpe", SplitPattern::kCl100k, true},
    {"llama3", SplitPattern::kCl100k, true},
    {"llama-v3", SplitPattern::kCl100k, true},
    {"gpt-4o", SplitPattern::kO200k, false},
}};

// Whether it matters that a piece which is a token is that token: only where merges would not lead
// to it.
bool needs_whole_pieces(const Tokenizer::Parts& parts) {
  if (!parts.whole_piece_first) return false;
  for (TokenId id = 0; id < parts.vocabulary.size(); ++id) {
    if (!parts.vocabulary.contains(id) || parts.encoder.is_reachable(id)) continue;
    const std::string_view bytes = parts.vocabulary.bytes(id);
    if (!bytes.empty() && parts.vocabulary.find(bytes) == id) return true;
  }
  return false;
}

std::string_view split_name(const Tokenizer::Parts& parts, const std::string& path) {
  const bool whole = needs_whole_pieces(parts);
  for (const SplitName& split : kSplitNames) {
    if (split.pattern == parts.pattern && split.whole_piece_first == whole) return split.name;
  }
  throw Error(ErrorCode::kUnsupported, path,
              std::string("the tokenizer has tokens that no merges lead to, which llama.cpp does "
                          "not find behind the split of ") +
                  pattern_name(parts.pattern),
              "export the model without its tokenizer, from a directory that has none");
}

std::vector<std::string> merge_texts(const Tokenizer::Parts& parts, const std::string& path) {
  std::vector<std::string> merges;
  merges.reserve(parts.merge_list.size());
  for (const Merge& merge : parts.merge_list) {
    const std::string left = token_name(parts, merge.left), right = token_name(parts, merge.right);
    if (left.find(' ') != std::string::npos || right.find(' ') != std::string::npos) {
      throw Error(ErrorCode::kUnsupported, path,
                  "a merge of " + io::quote_name(left) + " and " + io::quote_name(right) +
                      " cannot be written: a blank separates the two in GGUF");
    }
    std::string& pair = merges.emplace_back(left);
    pair += ' ';
    pair += right;
  }
  return merges;
}

class Reader {
 public:
  explicit Reader(const io::GgufContents& file) : file_(file) {}

  std::optional<Definition> read() {
    const auto model = file_.text(kModelKey);
    if (!model || *model == kNoVocabulary) return std::nullopt;
    if (*model != kByteLevelBpe) {
      unsupported("the tokenizer " + io::quote_name(*model), kAnotherTokenizer);
    }
    if (file_.flag(kSpacePrefixKey).value_or(false)) {
      unsupported(kSpacePrefixKey, kAnotherTokenizer);
    }
    read_split();
    read_tokens();
    const auto merges = file_.texts(kMergesKey);
    if (!merges) malformed(kMergesKey, "is missing");
    for (const std::string_view merge : *merges) {
      const auto rank = static_cast<std::uint32_t>(definition_.merges.size());
      definition_.merges.push_back(names_.merge(merge, rank, file_.name()));
    }
    return std::move(definition_);
  }

 private:
  [[noreturn]] void malformed(const std::string& what, const std::string& detail) const {
    throw Error(ErrorCode::kMalformed, file_.name(), what + " " + detail);
  }
  [[noreturn]] void unsupported(const std::string& what, const char* hint) const {
    throw Error(ErrorCode::kUnsupported, file_.name(), what + " is not supported", hint);
  }

  // Before the key existed there was one split for byte-level BPE, GPT-2's.
  void read_split() {
    const std::string_view name = file_.text(kSplitKey).value_or(kSplitNames[0].name);
    for (const SplitName& split : kSplitNames) {
      if (split.name != name) continue;
      definition_.pattern = split.pattern;
      definition_.whole_piece_first = split.whole_piece_first;
      return;
    }
    unsupported("the split " + io::quote_name(name) + " of its tokenizer",
                "gpt-2, dbrx, llama-bpe and gpt-4o can be read; or import with --tokenizer PATH");
  }

  void read_tokens() {
    const auto tokens = file_.texts(kTokensKey);
    if (!tokens) malformed(kTokensKey, "is missing");
    if (tokens->size() > kMaxTokens) {
      throw Error(ErrorCode::kOutOfRange, file_.name(),
                  std::to_string(tokens->size()) + " tokens are more than the limit of " +
                      std::to_string(kMaxTokens));
    }
    const auto types = file_.whole_numbers(kTypesKey).value_or(
        std::vector<std::uint64_t>(tokens->size(), kNormal));
    if (types.size() != tokens->size()) {
      malformed(kTypesKey, "has " + std::to_string(types.size()) + " elements for " +
                               std::to_string(tokens->size()) + " tokens");
    }
    names_.reserve(tokens->size());
    for (std::size_t id = 0; id < tokens->size(); ++id) {
      add_token(static_cast<TokenId>(id), std::string((*tokens)[id]), types[id]);
    }
  }

  void add_token(TokenId id, const std::string& name, std::uint64_t type) {
    if (type == kUnused) return;
    const std::string where = "token " + std::to_string(id);
    if (!seen_.insert(name).second) malformed(where, "repeats " + io::quote_name(name));
    names_.add(name, id);
    switch (type) {
      case kNormal:
        definition_.tokens.push_back(token_of_name(id, name));
        return;
      case kUnknown:
      case kControl:
      case kUserDefined:
        require_utf8(where, name);
        definition_.added.push_back({id, name, type != kUserDefined});
        return;
      default:
        unsupported(where + " of type " + std::to_string(type), kAnotherTokenizer);
    }
  }

  // Such a text could not be written into a tokenizer.json.
  void require_utf8(const std::string& where, const std::string& text) const {
    const char* const end = text.data() + text.size();
    for (const char* at = text.data(); at < end;) {
      const Character character = character_at(at, end);
      if (character.value == kInvalidByte) malformed(where, "is special and not UTF-8");
      at += character.length;
    }
  }

  const io::GgufContents& file_;
  Definition definition_;
  MergeNames names_;
  std::unordered_set<std::string> seen_;
};

}  // namespace

io::GgufMetadata gguf_vocabulary(const Tokenizer& tokenizer, std::size_t rows,
                                 const std::string& path) {
  const Tokenizer::Parts& parts = tokenizer.parts();
  if (tokenizer.vocab_size() > rows) {
    throw Error(ErrorCode::kOutOfRange, path,
                "the tokenizer has " + std::to_string(tokenizer.vocab_size()) +
                    " ids, the model's embedding table only " + std::to_string(rows) + " rows");
  }
  std::vector<std::string> names;
  std::vector<std::int32_t> types;
  std::unordered_set<std::string> seen;
  for (std::size_t row = 0; row < rows; ++row) {
    const auto id = static_cast<TokenId>(row);
    const AddedToken* added = parts.find_added(id);
    const bool is_token = row < parts.vocabulary.size() && parts.vocabulary.contains(id);
    types.push_back(added != nullptr ? (added->special ? kControl : kUserDefined)
                    : is_token       ? kNormal
                                     : kUnused);
    names.push_back(is_token ? token_name(parts, id) : "[PAD" + std::to_string(id) + "]");
    // llama.cpp finds tokens by their names.
    if (!seen.insert(names.back()).second) {
      throw Error(ErrorCode::kUnsupported, path,
                  "two tokens are both written " + io::quote_name(names.back()) +
                      ", which GGUF does not allow");
    }
  }
  io::GgufMetadata keys;
  keys.add_text(kModelKey, kByteLevelBpe);
  keys.add_text(kSplitKey, split_name(parts, path));
  keys.add_texts(kTokensKey, names);
  keys.add_whole_numbers(kTypesKey, types);
  keys.add_texts(kMergesKey, merge_texts(parts, path));
  if (const auto end = tokenizer.special_id(kEndOfText)) {
    keys.add_whole_number("tokenizer.ggml.bos_token_id", *end);
    keys.add_whole_number("tokenizer.ggml.eos_token_id", *end);
  }
  keys.add_flag("tokenizer.ggml.add_bos_token", false);
  keys.add_flag(kSpacePrefixKey, false);
  return keys;
}

std::optional<Tokenizer> read_gguf_vocabulary(const io::GgufContents& file) {
  std::optional<Definition> definition = Reader(file).read();
  if (!definition) return std::nullopt;
  return Tokenizer(build_parts(std::move(*definition), file.name()));
}

}  // namespace glassgpt::tokenizer

// GPT-2's vocab.json + merges.txt, .tiktoken files, and finding out which format a path has.
#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "glassgpt/error.h"
#include "io/file.h"
#include "io/json.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/files.h"
#include "tokenizer/merge_names.h"
#include "tokenizer/vocabulary.h"

namespace glassgpt::tokenizer {
namespace {

namespace fs = std::filesystem;

// Calls visit(line, number from 1) for every line, without its line end.
template <class Visit>
void for_each_line(std::string_view text, Visit visit) {
  std::size_t number = 1;
  for (std::size_t at = 0; at < text.size(); ++number) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    if (line.ends_with('\r')) line.remove_suffix(1);
    visit(line, number);
    at = end + 1;
  }
}

// Real merges may begin with '#', so only a first line that says #version is a heading.
std::vector<Merge> read_merge_lines(const fs::path& file, const MergeNames& names) {
  const std::string text = io::read_file(file);
  std::vector<Merge> merges;
  for_each_line(text, [&](std::string_view line, std::size_t number) {
    if (line.empty() || (number == 1 && line.starts_with("#version"))) return;
    merges.push_back(names.merge(line, static_cast<std::uint32_t>(merges.size()), file.string()));
  });
  return merges;
}

bool looks_special(std::string_view name) {
  return name.size() > 2 && name.front() == '<' && name.back() == '>';
}

constexpr std::uint8_t kNoDigit = 0xFF;

constexpr std::array<std::uint8_t, 256> make_base64_digits() {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::array<std::uint8_t, 256> digits{};
  for (auto& digit : digits) digit = kNoDigit;
  for (std::size_t i = 0; i < kDigits.size(); ++i) {
    digits[static_cast<unsigned char>(kDigits[i])] = static_cast<std::uint8_t>(i);
  }
  return digits;
}
constexpr auto kBase64Digits = make_base64_digits();

// Strict base64 with padding (RFC 4648, section 4); false if it is anything else.
bool decode_base64(std::string_view text, std::string& bytes) {
  bytes.clear();
  if (text.empty() || text.size() % 4 != 0) return false;
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  for (std::size_t at = 0; at < text.size(); at += 4) {
    const bool last = at + 4 == text.size();
    const std::size_t digits = last ? 4 - padding : 4;
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      const std::uint8_t digit =
          i < digits ? kBase64Digits[static_cast<unsigned char>(text[at + i])] : std::uint8_t{0};
      if (digit == kNoDigit) return false;
      group = group << 6 | digit;
    }
    if (last && padding > 0 && (group & (padding == 2 ? 0xFFFF : 0xFF)) != 0) return false;
    for (std::size_t i = 0; i + 1 < digits; ++i) {
      bytes.push_back(static_cast<char>(group >> (16 - 8 * i)));
    }
  }
  return true;
}

// All cuts of every token are looked up, so one long token would cost its length squared; real ones
// stay below 256.
constexpr std::size_t kMaxRankedTokenBytes = 4096;

TokenId parse_rank(std::string_view text) {
  if (text.empty() || text.size() > 9) return kNoToken;
  TokenId rank = 0;
  for (const char digit : text) {
    if (digit < '0' || digit > '9') return kNoToken;
    rank = rank * 10 + static_cast<TokenId>(digit - '0');
  }
  return rank < kMaxTokens ? rank : kNoToken;
}

// Two neighbours merge where their bytes together are a token, and that token's rank is the rank of
// the merge: so every way to cut a token into two tokens is a merge.
std::vector<Merge> merges_of_ranks(const std::vector<Token>& tokens, const Vocabulary& vocabulary) {
  std::vector<Merge> merges;
  for (const Token& token : tokens) {
    const std::string_view bytes = token.bytes;
    for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
      const TokenId left = vocabulary.find(bytes.substr(0, cut));
      if (left == kNoToken) continue;
      const TokenId right = vocabulary.find(bytes.substr(cut));
      if (right != kNoToken) merges.push_back({left, right, token.id, token.id});
    }
  }
  std::sort(merges.begin(), merges.end(), [](const Merge& a, const Merge& b) {
    return std::array{a.rank, a.left, a.right} < std::array{b.rank, b.left, b.right};
  });
  return merges;
}

// The special tokens that tiktoken adds to the vocabularies of OpenAI.
std::vector<AddedToken> known_specials(std::size_t ranks) {
  switch (ranks) {
    case 50256:
      return {{50256, "<|endoftext|>", true}};
    case 100256:
      return {{100257, "<|endoftext|>", true},
              {100258, "<|fim_prefix|>", true},
              {100259, "<|fim_middle|>", true},
              {100260, "<|fim_suffix|>", true},
              {100276, "<|endofprompt|>", true}};
    case 199998:
      return {{199999, "<|endoftext|>", true}, {200018, "<|endofprompt|>", true}};
    default:
      return {};
  }
}

bool begins_like_json(const fs::path& file) {
  const io::MappedFile mapped(file);
  for (const std::byte byte : mapped.bytes()) {
    const char c = static_cast<char>(byte);
    if (c != ' ' && c != '\t' && c != '\r' && c != '\n') return c == '{';
  }
  throw Error(ErrorCode::kMalformed, file.string(), "the file is empty");
}

std::vector<fs::path> files_in(const fs::path& directory) {
  if (fs::exists(directory / "tokenizer.json")) return {directory / "tokenizer.json"};
  for (const char* vocab : {"vocab.json", "encoder.json"}) {
    for (const char* merges : {"merges.txt", "vocab.bpe"}) {
      if (fs::exists(directory / vocab) && fs::exists(directory / merges)) {
        return {directory / vocab, directory / merges};
      }
    }
  }
  throw Error(ErrorCode::kNotFound, directory.string(),
              "there is neither tokenizer.json nor vocab.json with merges.txt",
              "name a directory with one of them, or a .tiktoken file");
}

}  // namespace

std::vector<fs::path> definition_files(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::none)
    throw Error(ErrorCode::kUnreadable, path.string(), "cannot be read: " + error.message());
  if (!fs::exists(status)) {
    throw Error(ErrorCode::kNotFound, path.string(),
                "there is no such tokenizer file or directory");
  }
  if (fs::is_directory(status)) return files_in(path);
  const std::string name = path.filename().string();
  if (name == "vocab.json" || name == "encoder.json" || name == "merges.txt" ||
      name == "vocab.bpe") {
    return files_in(path.has_parent_path() ? path.parent_path() : fs::path("."));
  }
  return {path};
}

Definition read_definition(const fs::path& path, SplitPattern tiktoken_pattern) {
  const std::vector<fs::path> files = definition_files(path);
  if (files.size() == 2) return read_vocab_and_merges(files[0], files[1]);
  // Found in a directory it has its name, named by the user it may be anything.
  const bool json = files[0] != path || begins_like_json(path);
  return json ? read_tokenizer_json(files[0]) : read_tiktoken(path, tiktoken_pattern);
}

Definition read_vocab_and_merges(const fs::path& vocab, const fs::path& merges) {
  const nlohmann::json root = io::read_json(vocab);
  if (!root.is_object()) {
    throw Error(ErrorCode::kMalformed, vocab.string(), "the vocabulary is not an object");
  }
  MergeNames names;
  names.reserve(root.size());
  for (const auto& [name, value] : root.items()) {
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() >= kMaxTokens) {
      throw Error(ErrorCode::kMalformed, vocab.string(),
                  "the id of the token " + io::quote_name(name) + " is not a number from 0 to " +
                      std::to_string(kMaxTokens - 1));
    }
    names.add(name, value.get<TokenId>());
  }
  Definition definition;
  definition.merges = read_merge_lines(merges, names);
  std::unordered_set<TokenId> merged;
  for (const Merge& merge : definition.merges) merged.insert(merge.merged);
  for (const auto& [name, value] : root.items()) {
    const auto id = value.get<TokenId>();
    if (looks_special(name) && !merged.contains(id)) {
      definition.added.push_back({id, name, true});
    } else {
      definition.tokens.push_back(token_of_name(id, name));
    }
  }
  return definition;
}

Definition read_tiktoken(const fs::path& file, SplitPattern pattern) {
  const std::string text = io::read_file(file);
  Definition definition;
  definition.pattern = pattern;
  definition.whole_piece_first = true;
  Vocabulary seen;
  for_each_line(text, [&](std::string_view line, std::size_t number) {
    if (line.empty()) return;
    const std::string where = "line " + std::to_string(number);
    const std::size_t space = line.find(' ');
    Token token{kNoToken, {}};
    if (space != std::string_view::npos && decode_base64(line.substr(0, space), token.bytes)) {
      token.id = parse_rank(line.substr(space + 1));
    }
    if (token.id == kNoToken) {
      throw Error(
          ErrorCode::kMalformed, file.string(),
          where + " is not \"BASE64 RANK\" with a rank from 0 to " + std::to_string(kMaxTokens - 1),
          "this was read as a .tiktoken file");
    }
    if (token.bytes.size() > kMaxRankedTokenBytes) {
      throw Error(
          ErrorCode::kOutOfRange, file.string(),
          where + " has a token of more than " + std::to_string(kMaxRankedTokenBytes) + " bytes");
    }
    if (seen.find(token.bytes) != kNoToken) {
      throw Error(ErrorCode::kMalformed, file.string(), where + " repeats a token");
    }
    seen.add(token.id, token.bytes);
    definition.tokens.push_back(std::move(token));
  });
  definition.merges = merges_of_ranks(definition.tokens, seen);
  definition.added = known_specials(definition.tokens.size());
  return definition;
}

}  // namespace glassgpt::tokenizer

// tokenizer.json of Hugging Face's tokenizers library: reader and writer.
#include <nlohmann/json.hpp>
#include <unordered_map>
#include <utility>

#include "glassgpt/error.h"
#include "io/file.h"
#include "io/json.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/files.h"
#include "tokenizer/merge_names.h"
#include "tokenizer/split.h"

namespace glassgpt::tokenizer {
namespace {

using nlohmann::json;

class Reader {
 public:
  explicit Reader(std::string path) : path_(std::move(path)) {}

  Definition read(const json& root) {
    if (!root.is_object() || !root.contains("model")) {
      malformed("there is no \"model\": this is not a tokenizer.json");
    }
    require_absent(root, "truncation");
    require_absent(root, "padding");
    require_absent(root, "normalizer");
    require_kind(root, "post_processor", "ByteLevel");
    require_kind(root, "decoder", "ByteLevel");
    read_pre_tokenizer(member(root, "pre_tokenizer"));
    read_added(root);
    read_model(root.at("model"));
    return std::move(definition_);
  }

 private:
  [[noreturn]] void malformed(const std::string& detail) const {
    throw Error(ErrorCode::kMalformed, path_, detail);
  }
  [[noreturn]] void unsupported(const std::string& what) const {
    throw Error(ErrorCode::kUnsupported, path_, what + " is not supported",
                "glassgpt reads byte-level BPE with the split of GPT-2, cl100k or o200k");
  }

  static const json& member(const json& object, const char* key) {
    static const json nothing;
    const auto found = object.find(key);
    return found == object.end() ? nothing : *found;
  }

  static bool is_type(const json& value, const char* type) {
    return value.is_object() && member(value, "type") == type;
  }

  // For error messages.
  static std::string type_of(const json& value) {
    const json& type = value.is_object() ? member(value, "type") : value;
    return type.is_string() ? io::quote_name(type.get_ref<const std::string&>())
                            : "of an unknown type";
  }

  void require_absent(const json& root, const char* key) const {
    if (!member(root, key).is_null()) unsupported(std::string(key) + " " + type_of(root.at(key)));
  }

  void require_kind(const json& root, const char* key, const char* kind) const {
    const json& value = member(root, key);
    if (!value.is_null() && !is_type(value, kind)) {
      unsupported(std::string(key) + " " + type_of(value));
    }
  }

  bool flag(const json& object, const char* key, bool otherwise) const {
    const json& value = member(object, key);
    if (value.is_null()) return otherwise;
    if (!value.is_boolean()) malformed(std::string("\"") + key + "\" is not true or false");
    return value.get<bool>();
  }

  TokenId token_id(const json& value, const std::string& of) const {
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() >= kMaxTokens) {
      malformed("the id of " + of + " is not a number from 0 to " + std::to_string(kMaxTokens - 1));
    }
    return value.get<TokenId>();
  }

  void read_pre_tokenizer(const json& value) {
    if (is_type(value, "ByteLevel")) {
      read_byte_level(value, true);
      return;
    }
    const json& steps = value.is_object() ? member(value, "pretokenizers") : value;
    if (!is_type(value, "Sequence") || !steps.is_array()) {
      unsupported(value.is_null() ? "a file without pre_tokenizer"
                                  : "pre_tokenizer " + type_of(value));
    }
    if (steps.size() != 2 || !is_type(steps[0], "Split") || !is_type(steps[1], "ByteLevel")) {
      std::string names;
      for (const json& step : steps) names += (names.empty() ? "" : ", ") + type_of(step);
      unsupported("pre_tokenizer Sequence[" + names + "]");
    }
    read_split(steps[0]);
    read_byte_level(steps[1], false);
  }

  void read_byte_level(const json& value, bool use_regex) const {
    if (flag(value, "add_prefix_space", true)) unsupported("ByteLevel with add_prefix_space");
    if (flag(value, "use_regex", true) != use_regex) {
      unsupported(use_regex ? "ByteLevel without use_regex"
                            : "Split before ByteLevel with use_regex");
    }
  }

  void read_split(const json& split) {
    const json& pattern = member(split, "pattern");
    const json& regex = pattern.is_object() ? member(pattern, "Regex") : pattern;
    if (!regex.is_string()) unsupported("Split without a regular expression");
    if (flag(split, "invert", false) || member(split, "behavior") != "Isolated") {
      unsupported("Split that is inverted or does not isolate");
    }
    for (const auto known : {SplitPattern::kGpt2, SplitPattern::kCl100k, SplitPattern::kO200k}) {
      if (regex.get_ref<const std::string&>() == pattern_regex(known)) {
        definition_.pattern = known;
        return;
      }
    }
    unsupported("the split pattern " + io::quote_name(regex.get_ref<const std::string&>()));
  }

  void read_added(const json& root) {
    const json& list = member(root, "added_tokens");
    if (list.is_null()) return;
    if (!list.is_array()) malformed("\"added_tokens\" is not a list");
    for (const json& entry : list) {
      const json& content = entry.is_object() ? member(entry, "content") : entry;
      if (!entry.is_object() || !content.is_string()) malformed("an added token has no content");
      const std::string text = content.get<std::string>();
      const std::string name = "the added token " + io::quote_name(text);
      for (const char* rule : {"single_word", "lstrip", "rstrip"}) {
        if (flag(entry, rule, false)) unsupported(name + " with " + rule);
      }
      const TokenId id = token_id(member(entry, "id"), name);
      if (!added_ids_.emplace(text, id).second) malformed(name + " stands there twice");
      definition_.added.push_back({id, text, flag(entry, "special", false)});
    }
  }

  void read_model(const json& model) {
    if (!model.is_object()) malformed("\"model\" is not an object");
    const json& type = member(model, "type");
    if (!type.is_null() && type != "BPE") unsupported("the model " + type_of(model));
    for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
      const json& value = member(model, key);
      if (!value.is_null() && value != json("")) unsupported(std::string("the model's ") + key);
    }
    const json& dropout = member(model, "dropout");
    if (!dropout.is_null() && dropout != 0.0) unsupported("the model's dropout");
    if (flag(model, "byte_fallback", false)) unsupported("the model's byte_fallback");
    definition_.whole_piece_first = flag(model, "ignore_merges", false);
    read_vocab(member(model, "vocab"));
    read_merges(member(model, "merges"));
  }

  void read_vocab(const json& vocab) {
    if (!vocab.is_object()) malformed("the model's \"vocab\" is not an object");
    definition_.tokens.reserve(vocab.size());
    names_.reserve(vocab.size());
    for (const auto& [name, value] : vocab.items()) {
      const TokenId id = token_id(value, "the token " + io::quote_name(name));
      names_.add(name, id);
      const auto added = added_ids_.find(name);
      if (added == added_ids_.end()) {
        definition_.tokens.push_back(token_of_name(id, name));
      } else if (added->second != id) {
        malformed("the token " + io::quote_name(name) + " has the id " + std::to_string(id) +
                  " in the vocabulary and " + std::to_string(added->second) +
                  " among the added tokens");
      }
    }
  }

  void read_merges(const json& merges) {
    if (!merges.is_array()) malformed("the model's \"merges\" is not a list");
    definition_.merges.reserve(merges.size());
    for (const json& merge : merges) {
      const auto rank = static_cast<std::uint32_t>(definition_.merges.size());
      if (merge.is_string()) {
        definition_.merges.push_back(
            names_.merge(merge.get_ref<const std::string&>(), rank, path_));
      } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() &&
                 merge[1].is_string()) {
        definition_.merges.push_back(names_.merge(merge[0].get_ref<const std::string&>(),
                                                  merge[1].get_ref<const std::string&>(), rank,
                                                  path_));
      } else {
        malformed("merge " + std::to_string(rank) + " is neither \"a b\" nor [\"a\", \"b\"]");
      }
    }
  }

  std::string path_;
  Definition definition_;
  std::unordered_map<std::string, TokenId> added_ids_;
  MergeNames names_;
};

std::string quoted(const std::string& text) {
  return json(text).dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string pre_tokenizer_json(SplitPattern pattern) {
  const std::string byte_level = R"({"type": "ByteLevel", "add_prefix_space": false, )"
                                 R"("trim_offsets": true, "use_regex": )";
  if (pattern == SplitPattern::kGpt2) return byte_level + "true}";
  return R"({"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": )" +
         quoted(std::string(pattern_regex(pattern))) +
         R"(}, "behavior": "Isolated", "invert": false}, )" + byte_level + "false}]}";
}

std::string added_json(const Tokenizer::Parts& parts) {
  std::string text = "  \"added_tokens\": [";
  const char* separator = "\n";
  for (const AddedToken& added : parts.added) {
    text += separator + std::string("    {\"id\": ") + std::to_string(added.id) +
            ", \"content\": " + quoted(added.text) +
            ", \"single_word\": false, \"lstrip\": false, \"rstrip\": false, "
            "\"normalized\": false, \"special\": " +
            (added.special ? "true}" : "false}");
    separator = ",\n";
  }
  return text + "\n  ],\n";
}

std::string model_json(const Tokenizer::Parts& parts) {
  std::string text = R"(  "model": {
    "type": "BPE",
    "dropout": null,
    "unk_token": null,
    "continuing_subword_prefix": null,
    "end_of_word_suffix": null,
    "fuse_unk": false,
    "byte_fallback": false,
    "ignore_merges": )";
  text += parts.whole_piece_first ? "true,\n" : "false,\n";
  text += "    \"vocab\": {";
  const char* separator = "\n";
  for (TokenId id = 0; id < parts.vocabulary.size(); ++id) {
    if (!parts.vocabulary.contains(id)) continue;
    text += separator;
    text += "      " + quoted(token_name(parts, id)) + ": " + std::to_string(id);
    separator = ",\n";
  }
  text += "\n    },\n    \"merges\": [";
  separator = "\n";
  for (const Merge& merge : parts.merge_list) {
    text += separator;
    text += "      " + quoted(token_name(parts, merge.left) + " " + token_name(parts, merge.right));
    separator = ",\n";
  }
  return text + "\n    ]\n  }\n";
}

}  // namespace

Definition read_tokenizer_json(const std::filesystem::path& file) {
  return Reader(file.string()).read(io::read_json(file));
}

Definition parse_tokenizer_json(std::string_view text, const std::string& name) {
  return Reader(name).read(io::parse_json(text, name));
}

std::string tokenizer_json(const Tokenizer::Parts& parts) {
  std::string text = "{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n";
  text += added_json(parts);
  text +=
      "  \"normalizer\": null,\n  \"pre_tokenizer\": " + pre_tokenizer_json(parts.pattern) + ",\n";
  text += R"(  "post_processor": null,
  "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
)";
  return text + model_json(parts) + "}\n";
}

void write_tokenizer_json(const Tokenizer::Parts& parts, const std::filesystem::path& file) {
  io::write_file(file, tokenizer_json(parts));
}

}  // namespace glassgpt::tokenizer

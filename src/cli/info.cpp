// glassgpt info: what would run here, on what, with which libraries.
#include <fmt/format.h>
#include <xsimd/config/xsimd_config.hpp>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/command.h"
#include "cli/display.h"
#include "cli/output.h"
#include "cli/text_source.h"
#include "kernels/blas_info.h"
#include "kernels/dispatch.h"

namespace glassgpt::cli {
namespace {

using nlohmann::ordered_json;
using enum Table::Align;

constexpr std::size_t kLongestTokensShown = 10;

ordered_json library_versions() {
  return {{"xsimd",
           fmt::format("{}.{}.{}", XSIMD_VERSION_MAJOR, XSIMD_VERSION_MINOR, XSIMD_VERSION_PATCH)},
          {"nlohmann_json", fmt::format("{}.{}.{}", NLOHMANN_JSON_VERSION_MAJOR,
                                        NLOHMANN_JSON_VERSION_MINOR, NLOHMANN_JSON_VERSION_PATCH)},
          {"fmt", fmt::format("{}.{}.{}", FMT_VERSION / 10000, FMT_VERSION / 100 % 100,
                              FMT_VERSION % 100)},
          {"cli11", CLI11_VERSION},
          {"compiler", __VERSION__}};
}

ordered_json machine(const CommonOptions& common) {
  ordered_json supported = ordered_json::array();
  for (const kernels::KernelTable* table : kernels::supported_kernels()) {
    supported.push_back(table->isa);
  }
  const int threads = common.threads > 0 ? common.threads : default_threads();
  kernels::set_blas_threads(threads);
  const kernels::BlasInfo blas = kernels::blas_info();
  const kernels::KernelTable& active = kernels::active_kernels();
  return {{"cpu", kernels::cpu_name()},
          {"isa", active.isa},
          {"lanes", active.lanes},
          {"isas_supported", supported},
          {"isas_built", kernels::built_isas()},
          {"threads", threads},
          {"gemm", common.gemm},
          {"dtype", common.dtype},
          {"blas", {{"config", blas.config}, {"threads", blas.threads}}}};
}

ordered_json describe(const ModelConfig& config) {
  return {{"vocab_size", config.vocab_size},
          {"n_positions", config.n_positions},
          {"n_embd", config.n_embd},
          {"n_layer", config.n_layer},
          {"n_head", config.n_head},
          {"n_inner", config.inner()},
          {"activation_function",
           config.activation == ActivationFunction::kGeluTanh ? "gelu_new" : "gelu"},
          {"position_encoding",
           config.position_encoding == PositionEncoding::kSinusoidal ? "sinusoidal" : "learned"},
          {"embedding_scale", config.embedding_scale},
          {"tie_word_embeddings", config.tie_word_embeddings}};
}

// Wants the last stage before the logits: a pass for it packs what embed packs.
class FinalStage : public Observer {
 public:
  bool wants(Stage stage, std::size_t) const override { return stage == Stage::kFinal; }
  void on_stage(const StageView&) override {}
};

// Null if there is none and none was asked for.
ordered_json describe_model(const CommonOptions& common) {
  if (find_model_directory(common).empty()) return nullptr;
  const auto directory = model_directory(common);
  const Model model = Model::load(directory);
  // Weights are packed by the first pass that needs them.
  const TokenId first = 0;
  const std::size_t offsets[] = {0, 1};
  FinalStage observer;
  model.forward(Batch{{&first, 1}, offsets}, observer, common.forward());
  ordered_json about = {{"directory", directory.string()},
                        {"parameters", model.config().parameters()},
                        {"weight_bytes", model.weight_bytes()},
                        {"packed_bytes", model.packed_bytes()},
                        {"config", describe(model.config())}};
  return about;
}

// Loads the tokenizer and looks at its tokens; with a text, at how it cuts that.
ordered_json describe_tokenizer(const Tokenizer& tokenizer, const std::string& file) {
  std::size_t special = 0;
  std::vector<TokenId> ids;
  for (std::size_t id = 0; id < tokenizer.vocab_size(); ++id) {
    const TokenId token = static_cast<TokenId>(id);
    if (tokenizer.is_special(token)) {
      ++special;
    } else {
      ids.push_back(token);
    }
  }
  const std::size_t shown = std::min(kLongestTokensShown, ids.size());
  std::partial_sort(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(shown), ids.end(),
                    [&](TokenId a, TokenId b) {
                      const std::size_t x = tokenizer.token_bytes(a).size();
                      const std::size_t y = tokenizer.token_bytes(b).size();
                      return x != y ? x > y : a < b;
                    });
  ordered_json longest = ordered_json::array();
  for (std::size_t i = 0; i < shown; ++i) {
    longest.push_back({{"id", ids[i]},
                       {"bytes", tokenizer.token_bytes(ids[i]).size()},
                       {"token", readable_token(tokenizer.token_bytes(ids[i]))}});
  }
  ordered_json about = {
      {"vocab_size", tokenizer.vocab_size()}, {"special_tokens", special}, {"longest", longest}};
  if (!file.empty()) {
    const std::string text = read_all(file);
    const std::size_t tokens = tokenizer.encode(text).size();
    about["text"] = {{"bytes", text.size()}, {"tokens", tokens}};
    about["text"]["bytes_per_token"] =
        tokens > 0 ? ordered_json(static_cast<double>(text.size()) / static_cast<double>(tokens))
                   : ordered_json(nullptr);
  }
  return about;
}

std::string plain(const ordered_json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string words(const ordered_json& list) {
  std::string out;
  for (const auto& word : list) out += (out.empty() ? "" : " ") + plain(word);
  return out;
}

void add_model_rows(Table& table, const ordered_json& model) {
  if (model.is_null()) {
    table.add_row({"model", "none (name one with -m DIR or in GLASSGPT_MODEL)"});
    return;
  }
  const ordered_json& config = model["config"];
  const auto size = [&](const char* key) { return config[key].get<std::size_t>(); };
  table.add_row({"model", plain(model["directory"])});
  table.add_row(
      {"shape",
       fmt::format("{} layers, width {}, {} heads of {}, hidden width {}, vocabulary {}, "
                   "context {}",
                   size("n_layer"), size("n_embd"), size("n_head"), size("n_embd") / size("n_head"),
                   size("n_inner"), size("vocab_size"), size("n_positions"))});
  table.add_row(
      {"", fmt::format("{} positions, {}, embedding scale {:.6g}, {} output matrix",
                       plain(config["position_encoding"]), plain(config["activation_function"]),
                       config["embedding_scale"].get<double>(),
                       config["tie_word_embeddings"].get<bool>() ? "tied" : "separate")});
  table.add_row({"parameters", plain(model["parameters"])});
  table.add_row({"memory", fmt::format("weights {}, packed {}",
                                       byte_count(model["weight_bytes"].get<double>()),
                                       byte_count(model["packed_bytes"].get<double>()))});
}

void add_tokenizer_rows(Table& table, const ordered_json& tokenizer) {
  table.add_row(
      {"tokenizer", fmt::format("{} tokens, {} of them special", plain(tokenizer["vocab_size"]),
                                plain(tokenizer["special_tokens"]))});
  const char* title = "longest";
  for (const auto& token : tokenizer["longest"]) {
    table.add_row({title, fmt::format("{} bytes  {}  (id {})", plain(token["bytes"]),
                                      plain(token["token"]), plain(token["id"]))});
    title = "";
  }
  if (!tokenizer.contains("text")) return;
  const ordered_json& text = tokenizer["text"];
  std::string line =
      fmt::format("{} bytes, {} tokens", plain(text["bytes"]), plain(text["tokens"]));
  if (!text["bytes_per_token"].is_null()) {
    line += fmt::format(", {:.3f} bytes per token", text["bytes_per_token"].get<double>());
  }
  table.add_row({"text", line});
}

class Info : public Command {
 public:
  CommandInfo info() const override {
    return {"info", "model, parameters, memory, CPU, instruction sets, threads, versions", "[FILE]",
            "  glassgpt info\n"
            "  glassgpt info --tokenizer my-model corpus.txt\n"};
  }

  void add_options(CLI::App& app) override {
    app.add_option("--tokenizer", tokenizer_.path,
                   "about this tokenizer instead: size, longest tokens; with FILE, bytes per token")
        ->check(not_empty())
        ->type_name("PATH");
    app.add_option("--file", file_, "the same as FILE behind the options")->type_name("FILE");
    app.add_option("--pattern", tokenizer_.pattern, "split pattern of a .tiktoken file")
        ->check(one_of({"gpt2", "cl100k", "o200k"}))
        ->capture_default_str();
  }

  void run(const CommonOptions& common, const std::vector<std::string>& arguments) override {
    if (arguments.size() > 1) throw UsageError("info takes at most one FILE");
    if (!file_.empty() && !arguments.empty()) throw UsageError("FILE is named twice");
    const std::string file = arguments.empty() ? file_ : arguments[0];
    ordered_json about = {{"version", GLASSGPT_VERSION}};
    Table table({kLeft, kLeft});
    if (!tokenizer_.path.empty() || !file.empty()) {
      about["tokenizer"] = describe_tokenizer(tokenizer_.load(common), file);
      add_tokenizer_rows(table, about["tokenizer"]);
    } else {
      about["model"] = describe_model(common);
      about["machine"] = machine(common);
      about["libraries"] = library_versions();
      add_model_rows(table, about["model"]);
      add_machine_rows(table, about);
    }
    Output output;
    output.write(common.json
                     ? about.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n"
                     : fmt::format("glassgpt {}\n", GLASSGPT_VERSION) + table.to_string());
    output.finish();
  }

 private:
  static void add_machine_rows(Table& table, const ordered_json& about) {
    const ordered_json& machine = about["machine"];
    table.add_row({"cpu", plain(machine["cpu"])});
    table.add_row(
        {"isa", fmt::format("{} ({} floats at a time); supported here: {}; built: {}",
                            plain(machine["isa"]), plain(machine["lanes"]),
                            words(machine["isas_supported"]), words(machine["isas_built"]))});
    table.add_row({"threads", plain(machine["threads"])});
    table.add_row({"gemm", fmt::format("{}, {}", plain(machine["gemm"]), plain(machine["dtype"]))});
    table.add_row({"blas", fmt::format("{}, {} threads", plain(machine["blas"]["config"]),
                                       plain(machine["blas"]["threads"]))});
    std::string libraries;
    for (const auto& [name, version] : about["libraries"].items()) {
      libraries += fmt::format("{}{} {}", libraries.empty() ? "" : ", ", name, plain(version));
    }
    table.add_row({"libraries", libraries});
  }

  TokenizerOptions tokenizer_;
  std::string file_;
};

}  // namespace

std::unique_ptr<Command> make_info() { return std::make_unique<Info>(); }

}  // namespace glassgpt::cli

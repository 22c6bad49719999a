// glassgpt export: a model directory in another format.
#include <fmt/format.h>

#include <optional>

#include "cli/command.h"
#include "cli/model_files.h"
#include "cli/output.h"
#include "glassgpt/error.h"
#include "io/llmc.h"
#include "model/formats.h"
#include "tokenizer/files.h"
#include "tokenizer/gguf_vocabulary.h"

namespace glassgpt::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kEndOfText = "<|endoftext|>";

class Export : public Command {
 public:
  CommandInfo info() const override {
    return {"export", "a model directory in another format: gguf, llm.c, npz, directory", "",
            "  glassgpt export --to gguf -o mini.gguf\n"
            "  glassgpt export -m my-model --to gguf --storage bf16 -o my-model.gguf\n"
            "  glassgpt export -m my-model --to llm.c -o my-model.bin\n"
            "  glassgpt export -m my-model --to npz -o my-model.npz\n"
            "  glassgpt export -m sharded-model --to directory --storage f16 -o one-file\n"};
  }

  void add_options(CLI::App& app) override {
    app.add_option("--to", format_,
                   "gguf: llama.cpp, with the tokenizer; llm.c: a checkpoint, with "
                   "NAME_tokenizer.bin beside it; npz: numpy, with config.json and "
                   "tokenizer.json; directory: Hugging Face's layout, in one file")
        ->check(one_of({kGguf, kLlmc, kNpz, kDirectory}))
        ->required();
    app.add_option("-o,--output", output_, "file that is written; a folder for directory")
        ->check(not_empty())
        ->type_name("PATH")
        ->required();
    storage_.add_to(app);
    tokenizer_.add_path_to(app);
  }

  void run(const CommonOptions& common, const std::vector<std::string>& arguments) override {
    if (!arguments.empty()) {
      throw UsageError(fmt::format(
          "export takes no further argument, got '{}': -m names the model, -o the result",
          arguments[0]));
    }
    const fs::path directory = model_directory(common);
    const Model model = Model::load(directory);
    std::optional<Tokenizer> tokenizer = find_tokenizer(common, directory);
    if (tokenizer) {
      check_tokenizer_fits(*tokenizer, model, directory);
    } else {
      warn(fmt::format("{} has no tokenizer, so {} gets none", directory.string(), output_));
    }
    const bool has_tokenizer = write(model, tokenizer ? &*tokenizer : nullptr, directory);
    report(common,
           {.path = output_,
            .format = format_,
            .storage = storage_.name,
            .parameters = model.config().parameters(),
            .tokens = has_tokenizer ? std::optional(tokenizer->vocab_size()) : std::nullopt});
  }

 private:
  std::optional<Tokenizer> find_tokenizer(const CommonOptions& common,
                                          const fs::path& directory) const {
    try {
      return tokenizer_.load(common);
    } catch (const Error& error) {
      const bool has_none =
          error.code() == ErrorCode::kNotFound && error.path() == directory.string();
      if (!tokenizer_.path.empty() || !has_none) throw;
      return std::nullopt;
    }
  }

  // Whether the tokenizer was written, too.
  bool write(const Model& model, const Tokenizer* tokenizer, const fs::path& directory) const {
    if (format_ == kGguf) return write_gguf(model, tokenizer, directory);
    if (format_ == kLlmc) return write_llmc(model, tokenizer);
    if (format_ == kNpz) {
      save_npz(model, output_, storage_.type(),
               tokenizer != nullptr ? tokenizer::tokenizer_json(tokenizer->parts()) : "");
    } else {
      model.save(output_, storage_.type());
      if (tokenizer != nullptr) tokenizer->save(fs::path(output_) / "tokenizer.json");
    }
    return tokenizer != nullptr;
  }

  bool write_gguf(const Model& model, const Tokenizer* tokenizer, const fs::path& directory) const {
    std::optional<io::GgufMetadata> vocabulary;
    if (tokenizer != nullptr) {
      vocabulary =
          tokenizer::gguf_vocabulary(*tokenizer, model.config().vocab_size, directory.string());
    }
    save_gguf(model, output_, storage_.type(), vocabulary);
    if (tokenizer != nullptr && !tokenizer->special_id(kEndOfText)) {
      warn(
          fmt::format("the tokenizer has no {}: llama.cpp will take token 11 for the end of a text",
                      kEndOfText));
    }
    return tokenizer != nullptr;
  }

  bool write_llmc(const Model& model, const Tokenizer* tokenizer) const {
    save_llmc(model, output_, storage_.type());
    if (tokenizer == nullptr) return false;
    const std::string reason = not_for_llmc(*tokenizer);
    if (!reason.empty()) {
      warn(fmt::format("{} gets no tokenizer: {}", output_, reason));
      return false;
    }
    const fs::path file(output_);
    std::vector<std::string> tokens;
    for (std::size_t id = 0; id < tokenizer->vocab_size(); ++id) {
      tokens.emplace_back(tokenizer->token_bytes(static_cast<TokenId>(id)));
    }
    io::write_llmc_tokenizer(file.parent_path() / (file.stem().string() + "_tokenizer.bin"), tokens,
                             *tokenizer->special_id(kEndOfText));
    return true;
  }

  // Why llm.c's tokenizer file cannot hold this one; empty if it can.
  static std::string not_for_llmc(const Tokenizer& tokenizer) {
    if (!tokenizer.special_id(kEndOfText)) return fmt::format("it has no {}", kEndOfText);
    const auto& vocabulary = tokenizer.parts().vocabulary;
    for (std::size_t row = 0; row < tokenizer.vocab_size(); ++row) {
      const auto id = static_cast<TokenId>(row);
      if (!vocabulary.contains(id)) return fmt::format("there is no token {}", id);
      const std::size_t bytes = vocabulary.bytes(id).size();
      if (bytes == 0 || bytes > 255) {
        return fmt::format("token {} has {} bytes, llm.c allows 1 to 255", id, bytes);
      }
    }
    return {};
  }

  std::string format_, output_;
  StorageOption storage_;
  TokenizerOptions tokenizer_;
};

}  // namespace

std::unique_ptr<Command> make_export() { return std::make_unique<Export>(); }

}  // namespace glassgpt::cli

// glassgpt import: a model directory from a file of another program.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "cli/command.h"
#include "cli/model_files.h"
#include "cli/output.h"
#include "glassgpt/error.h"
#include "model/formats.h"
#include "tokenizer/files.h"
#include "tokenizer/gguf_vocabulary.h"

namespace glassgpt::cli {
namespace {

namespace fs = std::filesystem;

struct Imported {
  Model model;
  std::optional<Tokenizer> tokenizer;
};

std::string format_of(const fs::path& file) {
  std::error_code error;
  if (fs::is_directory(file, error)) {
    throw Error(ErrorCode::kUnsupported, file.string(), "is a directory, not a file",
                "a model directory needs no import; export --to directory rewrites one");
  }
  const io::MappedFile map(file);
  if (io::begins_like_gguf(map.bytes())) return kGguf;
  if (io::begins_like_llmc(map.bytes())) return kLlmc;
  if (io::begins_like_npz(map.bytes())) return kNpz;
  throw Error(ErrorCode::kUnsupported, file.string(),
              "begins like none of the formats gguf, llm.c and npz", "these are what import reads");
}

std::optional<Tokenizer> tokenizer_of(const io::NpzContents& file) {
  const auto member = file.members.find("tokenizer.json");
  if (member == file.members.end()) return std::nullopt;
  const std::string where = file.name + ": tokenizer.json";
  const std::string_view text(reinterpret_cast<const char*>(member->second.data()),
                              member->second.size());
  return Tokenizer(tokenizer::build_parts(tokenizer::parse_tokenizer_json(text, where), where));
}

class Import : public Command {
 public:
  CommandInfo info() const override {
    return {"import", "a model directory from a gguf, llm.c or npz file", "FILE",
            "  glassgpt import model.gguf -o my-model\n"
            "  glassgpt import gpt2_124M.bin --tokenizer gpt2/tokenizer.json -o gpt2\n"
            "  glassgpt import my-model.npz --storage bf16 -o my-model\n"};
  }

  void add_options(CLI::App& app) override {
    app.add_option("-o,--output", output_,
                   "folder that gets config.json, model.safetensors and tokenizer.json")
        ->check(not_empty())
        ->type_name("DIR")
        ->required();
    app.add_option("--from", format_, "the file's format (default: by its first bytes)")
        ->check(one_of({kGguf, kLlmc, kNpz}));
    storage_.add_to(app);
    tokenizer_.add_path_to(app);
  }

  void run(const CommonOptions& common, const std::vector<std::string>& arguments) override {
    if (arguments.size() != 1) {
      throw UsageError(fmt::format("import takes one FILE, got {}", arguments.size()));
    }
    const fs::path file = arguments[0], directory = output_;
    const Imported imported = read(common, file);
    if (imported.tokenizer) check_tokenizer_fits(*imported.tokenizer, imported.model, file);
    io::make_directories(directory);
    if (imported.tokenizer) {
      imported.tokenizer->save(directory / "tokenizer.json");
    } else {
      warn(fmt::format("{} holds no tokenizer: {}", file.string(),
                       has_tokenizer(directory)
                           ? fmt::format("{} keeps the one that was there", output_)
                           : "give one with --tokenizer PATH"));
    }
    imported.model.save(directory, storage_.type());
    report(common, {.path = directory,
                    .format = kDirectory,
                    .storage = storage_.name,
                    .parameters = imported.model.config().parameters(),
                    .tokens = imported.tokenizer ? std::optional(imported.tokenizer->vocab_size())
                                                 : std::nullopt});
  }

 private:
  Imported read(const CommonOptions& common, const fs::path& file) const {
    const std::string format = format_.empty() ? format_of(file) : format_;
    // The user's tokenizer may stand in for one that cannot be read.
    const bool own = !tokenizer_.path.empty();
    const auto tokenizer_or = [&](auto of_file) {
      return own ? std::optional<Tokenizer>(tokenizer_.load(common)) : of_file();
    };
    if (format == kGguf) {
      const io::GgufFile gguf(file);
      Model model = load_gguf(gguf.contents());
      return {std::move(model),
              tokenizer_or([&] { return tokenizer::read_gguf_vocabulary(gguf.contents()); })};
    }
    if (format == kLlmc) {
      const io::LlmcFile llmc(file);
      Model model = load_llmc(llmc.contents());
      return {std::move(model), tokenizer_or([] { return std::optional<Tokenizer>(); })};
    }
    const io::NpzFile npz(file);
    Model model = load_npz(npz.contents());
    return {std::move(model), tokenizer_or([&] { return tokenizer_of(npz.contents()); })};
  }

  static bool has_tokenizer(const fs::path& directory) {
    const auto names = {"tokenizer.json", "vocab.json", "encoder.json"};
    return std::any_of(names.begin(), names.end(), [&](const char* name) {
      std::error_code error;
      return fs::exists(directory / name, error);
    });
  }

  std::string format_, output_;
  StorageOption storage_;
  TokenizerOptions tokenizer_;
};

}  // namespace

std::unique_ptr<Command> make_import() { return std::make_unique<Import>(); }

}  // namespace glassgpt::cli

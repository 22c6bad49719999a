// glassgpt_embed_bench: how much of the bare forward pass's speed `embed` keeps while it reads a
// corpus and writes every layer to npy files, with checkpoints, until all is on the disk.
//   glassgpt_embed_bench MODEL_DIR TEXT_FILE TEXTS FOLDER [THREADS [BATCH_TOKENS]]
// The corpus is TEXTS pieces of TEXT_FILE that are cut to the model's context. The two take turns
// of a second, for a shared machine's speed changes all the time: after embed's passes come as many
// bare ones, over tokens of the same text in sequences as long, which hand all layers to an
// observer that does nothing with them. What embed wrote is on the disk before its turn ends, so
// that nothing of it falls into the bare passes' time. Loading and packing the model is in neither.
// FOLDER must not be there; it holds the result afterwards.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "cli/embed_pipeline.h"
#include "cli/embed_writers.h"
#include "cli/output.h"
#include "cli/profile_measurement.h"
#include "cli/text_source.h"
#include "glassgpt/embed.h"
#include "glassgpt/model.h"
#include "io/file.h"
#include "model/parallel.h"

namespace {

using namespace glassgpt;
namespace fs = std::filesystem;

// The bare pass over the same number of tokens.
class BarePass {
 public:
  // `text`: ids, at least as many as the context.
  BarePass(const Model& model, const ForwardOptions& options, std::size_t tokens,
           std::span<const TokenId> text)
      : model_(model), options_(options) {
    const std::size_t context = model.config().n_positions;
    for (std::size_t i = 0; i < std::max<std::size_t>(1, tokens / context); ++i) {
      ids_.insert(ids_.end(), text.begin(), text.begin() + static_cast<std::ptrdiff_t>(context));
      offsets_.push_back(ids_.size());
    }
  }

  void run() {
    const double begin = cli::seconds_now();
    cli::AllLayers all;
    model_.forward({.ids = ids_, .offsets = offsets_}, all, options_);
    seconds_ += cli::seconds_now() - begin;
    ++passes_;
  }

  void restart() noexcept { seconds_ = 0, passes_ = 0; }
  double seconds() const noexcept { return seconds_; }
  std::size_t tokens() const noexcept { return passes_ * ids_.size(); }
  std::size_t tokens_per_pass() const noexcept { return ids_.size(); }

 private:
  const Model& model_;
  ForwardOptions options_;
  std::vector<TokenId> ids_;
  std::vector<std::size_t> offsets_ = {0};
  double seconds_ = 0;
  std::size_t passes_ = 0;
};

// The folder's writer, with the bare passes' turns.
class WriterInTurns : public cli::EmbedWriter {
 public:
  WriterInTurns(cli::EmbedWriter& writer, BarePass& bare, const fs::path& folder)
      : writer_(writer), bare_(bare), folder_(::open(folder.c_str(), O_RDONLY | O_DIRECTORY)) {}
  WriterInTurns(const WriterInTurns&) = delete;
  WriterInTurns& operator=(const WriterInTurns&) = delete;
  ~WriterInTurns() override { ::close(folder_); }

  void add_text(cli::EmbeddedText text) override { writer_.add_text(std::move(text)); }
  void on_rows(std::size_t kind, const float* rows, std::size_t count,
               std::size_t stride) override {
    writer_.on_rows(kind, rows, count, stride);
  }
  float* room(std::size_t kind, std::size_t count) override { return writer_.room(kind, count); }
  void end_batch() override { writer_.end_batch(); }
  void mark(const cli::EmbedProgress& progress) override {
    writer_.mark(progress);
    ++passes_;
    if (cli::seconds_now() - turn_began_ < 1) return;
    if (::syncfs(folder_) != 0) throw std::runtime_error("the file system cannot be synced");
    for (; passes_ > 0; --passes_) bare_.run();
    turn_began_ = cli::seconds_now();
  }
  void finish(const cli::EmbedProgress& progress) override { writer_.finish(progress); }

 private:
  cli::EmbedWriter& writer_;
  BarePass& bare_;
  int folder_;
  std::size_t passes_ = 0;
  double turn_began_ = cli::seconds_now();
};

// Returns the first text.
std::string write_texts(const fs::path& from, std::size_t texts, std::size_t context,
                        const fs::path& to) {
  std::string words = io::read_file(from);
  std::ranges::replace_if(
      words, [](char c) { return c == '\n' || c == '\r'; }, ' ');
  // Each begins elsewhere.
  const std::size_t bytes = 10 * context;
  if (words.size() < bytes)
    throw std::invalid_argument(
        fmt::format("{}: has {} bytes, {} are needed", from.string(), words.size(), bytes));
  std::string lines;
  for (std::size_t i = 0; i < texts; ++i) {
    lines.append(words, i * 37 % (words.size() - bytes + 1), bytes);
    lines += '\n';
  }
  io::write_file(to, lines);
  return words.substr(0, bytes);
}

void run(const fs::path& directory, const fs::path& text_file, std::size_t texts,
         const fs::path& folder, int threads, std::size_t batch_tokens) {
  const Model model = Model::load(directory);
  const Tokenizer tokenizer = Tokenizer::load(directory);
  if (fs::exists(folder)) throw std::invalid_argument(folder.string() + ": is there already");
  fs::create_directories(folder);
  const fs::path corpus = folder / "texts.txt";
  const std::string first = write_texts(text_file, texts, model.config().n_positions, corpus);
  const std::vector<TokenId> ids = tokenizer.encode(first);
  if (ids.size() < model.config().n_positions)
    throw std::invalid_argument(fmt::format("{}: {} bytes of it have {} tokens, {} are needed",
                                            text_file.string(), first.size(), ids.size(),
                                            model.config().n_positions));

  cli::EmbedOptions options;
  options.truncation = cli::Truncation::kRight;
  options.context = model.config().n_positions;
  if (batch_tokens > 0) options.batch_tokens = batch_tokens;
  const std::vector<VectorKind> kinds = parse_layers(model.config(), "all");
  const cli::EmbedTarget target{folder.string(), kinds, false, &tokenizer, {}};
  ForwardOptions forward;
  forward.threads = threads;
  BarePass bare(model, forward, options.batch_tokens, ids);
  bare.run();
  bare.restart();

  const double begin = cli::seconds_now();
  cli::FolderOptions folder_options;
  folder_options.threads = threads;
  folder_options.checkpoint_seconds = 2;
  const cli::FolderStart start = cli::open_folder(target, folder_options);
  WriterInTurns writer(*start.writer, bare, folder);
  VectorExtractor extractor(kinds, {Pooling::kNone, {}, false, threads}, writer);
  cli::EmbedPipeline pipeline(model, tokenizer, options, forward, extractor, writer);
  cli::TextSource source({.input = corpus.string()}, {}, false);
  cli::Progress quiet(true);
  const cli::EmbedProgress done = pipeline.run(source, quiet);
  const double seconds = cli::seconds_now() - begin - bare.seconds();

  if (bare.seconds() == 0)
    throw std::invalid_argument("more texts are needed: embed took less than a second");
  const double bare_speed = static_cast<double>(bare.tokens()) / bare.seconds();
  const double speed = static_cast<double>(done.counts.tokens) / seconds;
  fmt::print(
      "{} texts of {} tokens, {} threads, passes of {} tokens\n"
      "bare forward pass: {:.0f} tokens/s\n"
      "embed:             {:.0f} tokens/s, {:.1f}% ({:.1f}% of its time in the model)\n",
      done.counts.texts, options.context, threads, bare.tokens_per_pass(), bare_speed, speed,
      100 * speed / bare_speed, 100 * pipeline.forward_seconds() / seconds);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5 || argc > 7) {
    fmt::print(stderr,
               "usage: glassgpt_embed_bench MODEL_DIR TEXT_FILE TEXTS FOLDER [THREADS "
               "[BATCH_TOKENS]]\n");
    return 2;
  }
  try {
    run(argv[1], argv[2], std::stoul(argv[3]), argv[4],
        argc > 5 ? std::stoi(argv[5]) : default_threads(), argc > 6 ? std::stoul(argv[6]) : 0);
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "glassgpt_embed_bench: {}\n", error.what());
    return 1;
  }
}

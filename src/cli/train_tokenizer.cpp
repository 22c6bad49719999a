// glassgpt train-tokenizer: a byte-level BPE vocabulary from text files.
#include <fmt/format.h>

#include <filesystem>
#include <new>
#include <span>

#include "cli/command.h"
#include "cli/json_text.h"
#include "cli/output.h"
#include "glassgpt/error.h"

namespace glassgpt::cli {
namespace {

// Two phases, each with its own rate and time left: reading (bytes), then merging (tokens).
class TrainingLine {
 public:
  explicit TrainingLine(Progress& progress) : progress_(progress) {}

  void operator()(const TokenizerTrainingProgress& now) {
    throw_if_interrupted();
    const bool merging = now.vocab_size > 0 && now.bytes_read >= now.bytes_total;
    const double seconds = seconds_now();
    if (!begun_ || merging != merging_) {
      begun_ = true;
      merging_ = merging;
      phase_start_ = seconds;
      phase_first_ = static_cast<double>(merging ? now.vocab_size : now.bytes_read);
    }
    if (!progress_.due()) return;
    const double done = static_cast<double>(merging ? now.vocab_size : now.bytes_read);
    const double total = static_cast<double>(merging ? now.vocab_target : now.bytes_total);
    const double elapsed = seconds - phase_start_;
    const double rate = elapsed > 0 ? (done - phase_first_) / elapsed : 0;
    const std::string left = rate > 0 ? clock_time((total - done) / rate) : "?";
    if (merging) {
      progress_.update(fmt::format("merging: {} of {} tokens, {} tokens/s, {} left", now.vocab_size,
                                   now.vocab_target, short_count(rate), left));
    } else {
      progress_.update(fmt::format("counting: {} of {}, {}/s, {} left", byte_count(done),
                                   byte_count(total), byte_count(rate), left));
    }
  }

 private:
  Progress& progress_;
  bool begun_ = false, merging_ = false;
  double phase_start_ = 0, phase_first_ = 0;
};

class TrainTokenizer : public Command {
 public:
  CommandInfo info() const override {
    return {"train-tokenizer", "a byte-level BPE vocabulary from text files", "FILES...",
            "  glassgpt train-tokenizer --vocab-size 8192 -o my-model corpus/*.txt\n"};
  }

  void add_options(CLI::App& app) override {
    app.add_option("--vocab-size", options_.vocab_size,
                   "tokens in all: special ones, the 256 bytes, and merges")
        ->check(CLI::Range(1, 1 << 24).description(""))
        ->type_name("N")
        ->capture_default_str();
    app.add_option("--min-frequency", options_.min_frequency,
                   "pairs that occur less often are not merged")
        ->check(CLI::NonNegativeNumber.description(""))
        ->type_name("N")
        ->capture_default_str();
    app.add_option("--special", special_,
                   "special token, gets the first ids; repeat for more (default: <|endoftext|>)")
        ->type_name("TEXT")
        ->expected(1)
        ->allow_extra_args(false)  // or CLI11 takes "[PAD]" for a list
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    app.add_option("-o,--output", output_, "directory that gets tokenizer.json, or a .json file")
        ->type_name("DIR")
        ->required();
  }

  void run(const CommonOptions& common, const std::vector<std::string>& arguments) override {
    if (arguments.empty()) throw UsageError("no files to train on");
    namespace fs = std::filesystem;
    std::vector<fs::path> files;
    for (const std::string& name : arguments) add_files(name, files);
    if (!special_.empty()) options_.special_tokens = special_;
    options_.threads = common.threads;
    const bool names_file = fs::path(output_).extension() == ".json";
    const fs::path target = names_file ? fs::path(output_) : fs::path(output_) / "tokenizer.json";
    // Before the work, so that a place that cannot be written is told at once.
    if (!target.parent_path().empty()) io::make_directories(target.parent_path());
    io::AtomicFile probe(target);

    Progress progress(common.quiet);
    const double start = seconds_now();
    options_.progress = TrainingLine(progress);
    const Tokenizer tokenizer = train(files);
    tokenizer.save(target);
    if (tokenizer.vocab_size() < options_.vocab_size) {
      warn(fmt::format("the files gave {} tokens, not {}: {}", tokenizer.vocab_size(),
                       options_.vocab_size,
                       options_.min_frequency > 1
                           ? fmt::format("no further pair occurs {} times", options_.min_frequency)
                           : "no further pair is left"));
    }
    const double seconds = seconds_now() - start;
    if (common.json) {
      Output output;
      output.write(fmt::format("{{\"file\":{},\"vocab_size\":{},\"seconds\":{}}}\n",
                               json_string(target.string()), tokenizer.vocab_size(),
                               json_number(seconds)));
      output.finish();
    } else {
      progress.line(fmt::format("{}: {} tokens from {} file{} in {:.1f} s", target.string(),
                                tokenizer.vocab_size(), files.size(), files.size() == 1 ? "" : "s",
                                seconds));
    }
  }

 private:
  // Memory grows with the number of different pieces and the longest of them, not with the text.
  Tokenizer train(std::span<const std::filesystem::path> files) const {
    try {
      return train_tokenizer(files, options_);
    } catch (const std::bad_alloc&) {
      throw Error(ErrorCode::kUnavailable, "",
                  "not enough memory for the different words of these files",
                  "train on a part of the text, or take out words that never repeat");
    }
  }

  // A folder stands for its .txt files, in the order of their names.
  static void add_files(const std::filesystem::path& path,
                        std::vector<std::filesystem::path>& files) {
    namespace fs = std::filesystem;
    std::error_code error;
    if (!fs::is_directory(path, error)) {
      files.push_back(path);
      return;
    }
    std::vector<fs::path> found;
    for (const auto& entry : fs::recursive_directory_iterator(path)) {
      if (entry.is_regular_file() && entry.path().extension() == ".txt") {
        found.push_back(entry.path());
      }
    }
    if (found.empty()) {
      throw Error(ErrorCode::kNotFound, path.string(), "no .txt file in this folder",
                  "name the files themselves");
    }
    std::sort(found.begin(), found.end());
    files.insert(files.end(), found.begin(), found.end());
  }

  TokenizerTrainingOptions options_;
  std::vector<std::string> special_;
  std::string output_;
};

}  // namespace

std::unique_ptr<Command> make_train_tokenizer() { return std::make_unique<TrainTokenizer>(); }

}  // namespace glassgpt::cli

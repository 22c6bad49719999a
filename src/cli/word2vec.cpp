// glassgpt word2vec: trains word vectors by skip-gram, and asks the written file for neighbours and
// analogies.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <new>

#include "cli/bundled_words.h"
#include "cli/command.h"
#include "cli/display.h"
#include "cli/json_text.h"
#include "cli/layer_vectors.h"
#include "cli/output.h"
#include "glassgpt/error.h"
#include "glassgpt/word2vec.h"
#include "io/file.h"

namespace glassgpt::cli {
namespace {

// Two phases, each with its own rate and time left: reading (bytes), then training (words).
class Word2VecLine {
 public:
  explicit Word2VecLine(Progress& progress) : progress_(progress) {}

  void operator()(const Word2VecProgress& now) {
    throw_if_interrupted();
    if (now.words_total > 0 && start_ == 0) start_ = seconds_now();
    if (!progress_.due()) return;
    if (now.words_total == 0) {
      progress_.update(fmt::format("reading: {} of {}",
                                   byte_count(static_cast<double>(now.bytes_read)),
                                   byte_count(static_cast<double>(now.bytes_total))));
      return;
    }
    const double done = static_cast<double>(now.words_done);
    const double total = static_cast<double>(now.words_total);
    const double elapsed = seconds_now() - start_;
    const double rate = elapsed > 0 ? done / elapsed : 0;
    progress_.update(fmt::format("training: {:.1f}%, {} words, {} words/s, loss {:.3f}, {} left",
                                 100 * done / total, now.vocabulary, short_count(rate), now.loss,
                                 rate > 0 ? clock_time((total - done) / rate) : "?"));
  }

 private:
  Progress& progress_;
  double start_ = 0;
};

class Word2Vec : public Command {
 public:
  CommandInfo info() const override {
    return {
        "word2vec", "word vectors from text files by skip-gram, their neighbours and analogies",
        "FILES...",
        "  glassgpt word2vec -o words.vec corpus/*.txt\n"
        "  glassgpt word2vec --nearest river --nearest 北京 words.vec\n"
        "  glassgpt word2vec --analogy man king woman    # without a file: the bundled vectors\n"
        "  glassgpt word2vec --keep 5000 --binary -o small.bin corpus/*.txt\n"
        "  glassgpt word2vec --split space --binary -o words.bin words-between-blanks.txt\n"};
  }

  void add_options(CLI::App& app) override {
    add_counts(app);
    app.add_option("--lr", options_.learning_rate, "learning rate at the start; falls to 0")
        ->check(CLI::PositiveNumber.description(""))
        ->type_name("X")
        ->capture_default_str();
    app.add_option("--sample", options_.sample,
                   "words more frequent than this are seen more rarely; 0: not")
        ->check(CLI::NonNegativeNumber.description(""))
        ->type_name("X")
        ->capture_default_str();
    app.add_option("--seed", options_.seed, "of all that is drawn")
        ->type_name("N")
        ->capture_default_str();
    app.add_option(
           "--split", split_,
           "text: Unicode's words, in lower case, Chinese by dictionary; space: what stands "
           "between white space")
        ->check(one_of({"text", "space"}))
        ->capture_default_str();
    app.add_flag("--keep-case", keep_case_, "no lower case with --split text");
    app.add_flag("--binary", binary_, "word2vec's binary format instead of text");
    app.add_option("-o,--output", output_, "file for the vectors")
        ->type_name("FILE")
        ->check(not_empty());
    app.add_option("--keep", keep_, "write the N most frequent words alone; 0: all")
        ->check(CLI::Range(0, 1 << 30).description(""))
        ->type_name("N")
        ->capture_default_str();
    app.add_option("--nearest", nearest_,
                   "instead of training: neighbours of a word in FILE, or in the bundled English "
                   "and Chinese vectors; repeat")
        ->type_name("WORD")
        ->expected(1)
        ->allow_extra_args(false)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    app.add_option("--analogy", analogy_, "instead of training: what is to C as B is to A, in FILE")
        ->type_name("A B C")
        ->expected(3)
        ->allow_extra_args(false);
    app.add_option("--top", top_, "how many neighbours")
        ->check(CLI::Range(1, 1 << 20).description(""))
        ->type_name("K")
        ->capture_default_str();
  }

  void run(const CommonOptions& common, const std::vector<std::string>& arguments) override {
    const bool asks = !nearest_.empty() || !analogy_.empty();
    if (asks && !output_.empty()) {
      throw UsageError("-o is for training, --nearest and --analogy read a file that is there");
    }
    if (asks) {
      if (arguments.size() > 1) throw UsageError("name one file of vectors to look in");
      ask(common, arguments.empty() ? bundled_word_vectors() : load(arguments.front()));
      return;
    }
    if (output_.empty()) throw UsageError("-o FILE is needed: where the vectors go");
    if (arguments.empty()) throw UsageError("no files to train on");
    train(common, {arguments.begin(), arguments.end()});
  }

 private:
  void add_counts(CLI::App& app) {
    const auto add = [&](const char* name, std::size_t& value, std::size_t least, std::size_t most,
                         const char* what) {
      app.add_option(name, value, what)
          ->check(CLI::Range(least, most).description(""))
          ->type_name("N")
          ->capture_default_str();
    };
    add("--dim", options_.dim, 1, 1 << 16, "numbers of a vector");
    add("--window", options_.window, 1, 1 << 10, "words to either side, at most");
    add("--negative", options_.negative, 1, 1 << 10, "drawn words for each word");
    add("--epochs", options_.epochs, 1, 1 << 20, "passes over the text");
    add("--min-count", options_.min_count, 1, std::size_t{1} << 40, "rarer words are left out");
    add("--parts", options_.parts, 1, 1 << 12,
        "parts of the text learned side by side: the most threads that help; changes the result");
  }

  void train(const CommonOptions& common, const std::vector<std::filesystem::path>& files) {
    options_.threads = common.threads;
    options_.split = split_ == "space" ? WordSplit::kSpace : WordSplit::kText;
    options_.lower_case = !keep_case_;
    // Before the work, so that a place that cannot be written is told at once.
    { io::AtomicFile probe(output_); }
    Progress progress(common.quiet);
    options_.progress = Word2VecLine(progress);
    const Word2VecSummary done = train_word2vec(files);
    const WordVectors kept = most_frequent(done.vectors);
    const WordVectors& written = kept.size() > 0 ? kept : done.vectors;
    if (binary_) {
      written.save_binary(output_);
    } else {
      written.save_text(output_);
    }
    const double trained = static_cast<double>(done.words * options_.epochs);
    const double rate = done.training_seconds > 0 ? trained / done.training_seconds : 0;
    if (common.json) {
      Output output;
      output.write(fmt::format(
          R"({{"file":{},"vocabulary":{},"dim":{},"words":{},"rare":{},"loss":{},"reading_seconds":{},"training_seconds":{},"words_per_second":{}}})"
          "\n",
          json_string(output_), done.vectors.size(), options_.dim, done.words, done.rare,
          json_number(done.loss), json_number(done.reading_seconds),
          json_number(done.training_seconds), json_number(rate)));
      output.finish();
    } else {
      progress.line(fmt::format(
          "{}: {} words from {} of text; {:.1f} s reading, {:.1f} s training, {} words/s, loss "
          "{:.3f}",
          output_, done.vectors.size(), short_count(static_cast<double>(done.words + done.rare)),
          done.reading_seconds, done.training_seconds, short_count(rate), done.loss));
    }
  }

  // Memory grows with the text and with the different words.
  Word2VecSummary train_word2vec(const std::vector<std::filesystem::path>& files) const {
    try {
      return glassgpt::train_word2vec(files, options_);
    } catch (const std::bad_alloc&) {
      throw Error(ErrorCode::kUnavailable, "", "not enough memory for the words of these files",
                  "a part of the text, a larger --min-count or a smaller --dim");
    }
  }

  // The first words of the file, which is sorted by count; none where all are kept.
  WordVectors most_frequent(const WordVectors& vectors) const {
    if (keep_ == 0 || keep_ >= vectors.size()) return {};
    std::vector<std::string> words;
    std::vector<float> values;
    for (std::size_t i = 0; i < keep_; ++i) {
      words.push_back(vectors.word(i));
      values.insert(values.end(), vectors.vector(i).begin(), vectors.vector(i).end());
    }
    return {std::move(words), vectors.dim(), std::move(values)};
  }

  static std::vector<NamedWordVectors> load(const std::string& file) {
    std::vector<NamedWordVectors> files;
    files.push_back({file, "", WordVectors::load(file)});
    return files;
  }

  // The first of the files that has all these words, and the words' places in it.
  struct Found {
    const WordVectors* vectors;
    std::vector<std::size_t> words;
  };
  static Found find(const std::vector<NamedWordVectors>& files,
                    const std::vector<std::string>& words) {
    for (const NamedWordVectors& file : files) {
      Found found{&file.vectors, {}};
      for (const std::string& word : words) {
        if (const auto at = file.vectors.find(word)) found.words.push_back(*at);
      }
      if (found.words.size() == words.size()) return found;
    }
    std::string names, missing;
    for (const NamedWordVectors& file : files) {
      names += (names.empty() ? "" : ", ") + file.path.string();
    }
    for (const std::string& word : words) {
      const bool known = std::any_of(files.begin(), files.end(), [&](const auto& file) {
        return file.vectors.find(word).has_value();
      });
      if (!known && missing.empty()) missing = word;
    }
    if (missing.empty()) {
      throw Error(ErrorCode::kOutOfRange, names, "no file has all the words of the analogy",
                  "all three must be of one language");
    }
    throw Error(ErrorCode::kOutOfRange, names, "has no word " + readable_token(missing),
                "rare words have no vector, and words are in lower case unless --keep-case or "
                "--split space was given");
  }

  void ask(const CommonOptions& common, const std::vector<NamedWordVectors>& files) const {
    if (files.empty()) {
      throw Error(ErrorCode::kNotFound, "", "there are no bundled word vectors in weights/words",
                  "name a file of vectors, which word2vec -o FILE writes");
    }
    Output output;
    for (const std::string& word : nearest_) {
      const auto [vectors, words] = find(files, {word});
      const auto found = vectors->nearest(vectors->vector(words[0]), top_, words);
      output.write(common.json
                       ? json_line(fmt::format(R"("query":{})", json_string(word)), *vectors, found)
                       : word + "\n" + table(*vectors, found));
    }
    if (!analogy_.empty()) {
      const auto [vectors, words] = find(files, analogy_);
      const auto found = vectors->analogy(words[0], words[1], words[2], top_);
      if (common.json) {
        output.write(json_line(fmt::format(R"("analogy":[{},{},{}])", json_string(analogy_[0]),
                                           json_string(analogy_[1]), json_string(analogy_[2])),
                               *vectors, found));
      } else {
        output.write(fmt::format("{} : {} = {} : ?\n", analogy_[0], analogy_[1], analogy_[2]) +
                     table(*vectors, found));
      }
    }
    output.finish();
  }

  static std::string table(const WordVectors& vectors,
                           const std::vector<WordVectors::Neighbour>& found) {
    using enum Table::Align;
    Table table({kLeft, kRight, kRight});
    table.add_row({"word", "cosine", "angle"});
    for (const auto& neighbour : found) {
      table.add_row(
          {readable_excerpt(vectors.word(neighbour.word), 60),
           fmt::format("{:.3f}", neighbour.cosine),
           fmt::format("{:.1f}°", angle_in_degrees(static_cast<double>(neighbour.cosine)))});
    }
    return table.to_string("  ");
  }

  static std::string json_line(const std::string& question, const WordVectors& vectors,
                               const std::vector<WordVectors::Neighbour>& found) {
    std::string list;
    for (const auto& neighbour : found) {
      list += fmt::format(R"({}{{"word":{},"cosine":)", list.empty() ? "" : ",",
                          json_string(vectors.word(neighbour.word)));
      append_json_float(list, neighbour.cosine);
      list += "}";
    }
    return fmt::format("{{{},\"nearest\":[{}]}}\n", question, list);
  }

  Word2VecOptions options_;
  std::string split_ = "text", output_;
  bool keep_case_ = false, binary_ = false;
  std::vector<std::string> nearest_, analogy_;
  std::size_t top_ = 10, keep_ = 0;
};

}  // namespace

std::unique_ptr<Command> make_word2vec() { return std::make_unique<Word2Vec>(); }

}  // namespace glassgpt::cli

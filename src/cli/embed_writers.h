// The forms of embed's result.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cli/embed_texts.h"
#include "glassgpt/embed.h"
#include "io/npy.h"
#include "nlohmann/json.hpp"

namespace glassgpt::cli {

struct EmbedCounts {
  std::uint64_t texts = 0, empty_texts = 0, truncated_texts = 0;
  std::uint64_t tokens = 0;  // embedded, each once
  std::uint64_t rows = 0;

  void add(const EmbeddedText& text) {
    ++texts;
    if (text.ids.empty()) ++empty_texts;
    if (text.truncated()) ++truncated_texts;
    tokens += text.ids.size();
    rows += text.rows();
  }
};

// How far a run has come.
struct EmbedProgress {
  EmbedCounts counts;       // of the texts that were begun
  std::uint64_t rows = 0;   // that are written, of each kind
  std::size_t windows = 0;  // of the last of these texts that are done; 0: all of it is
  std::string texts_sha256;
};

nlohmann::ordered_json counts_json(const EmbedCounts& counts);

// Gets the texts in their order, each before its rows, and the rows of each kind in the same order.
class EmbedWriter : public VectorSink {
 public:
  virtual void add_text(EmbeddedText text) = 0;
  virtual void end_batch() = 0;  // the rows of all kinds are there, as far as they go
  virtual void finish(const EmbedProgress& progress) = 0;

  // For writers whose work outlives the process. mark(): no row or text beyond `progress` was
  // handed over, and a later run can go on from here. suspend(): nothing more will come; true if a
  // later run finds something to go on from.
  virtual void mark(const EmbedProgress& progress) { static_cast<void>(progress); }
  virtual bool suspend() noexcept { return false; }
};

// What files say about where they come from.
struct EmbedProvenance {
  nlohmann::ordered_json model;    // hashes
  nlohmann::ordered_json options;  // those that decide the numbers
};

struct EmbedTarget {
  std::string path;  // empty: standard output
  std::vector<VectorKind> kinds;
  bool half = false;  // float16 instead of float32
  const Tokenizer* tokenizer;
  EmbedProvenance provenance;
};

// Of an array's elements and rows.
io::NpyType npy_type(const EmbedTarget& target);
std::uint64_t row_bytes(const EmbedTarget& target, std::size_t kind);

nlohmann::ordered_json manifest_of(const EmbedTarget& target, const EmbedProgress& progress,
                                   const char* format);
// Finite values that float16 rounds to infinity, and what is said of them at the end.
std::uint64_t beyond_half(const float* values, std::size_t count);
void warn_beyond_half(const std::string& output, std::uint64_t values);

// One line of rows.jsonl for each row of the arrays, in their order.
std::string row_lines(const Tokenizer& tokenizer, const EmbeddedText& text);

std::unique_ptr<EmbedWriter> make_table_writer(const EmbedTarget& target, std::size_t values);
std::unique_ptr<EmbedWriter> make_jsonl_writer(const EmbedTarget& target);
std::unique_ptr<EmbedWriter> make_csv_writer(const EmbedTarget& target);

// A folder with an array per kind. With `resume`, where an interrupted run stopped is in
// `progress`; `complete` says that there is nothing left to do (but to compare the texts, of which
// progress has the hash).
struct FolderOptions {
  bool resume = false;
  double checkpoint_seconds = 10;
  int threads = 1;  // that write
};
struct FolderStart {
  std::unique_ptr<EmbedWriter> writer;  // null when complete
  EmbedProgress progress;
  bool complete = false;
  std::uint64_t abandoned_texts = 0;  // of an interrupted run that was not resumed
};
FolderStart open_folder(const EmbedTarget& target, const FolderOptions& options);

std::unique_ptr<EmbedWriter> make_npz_writer(const EmbedTarget& target);
std::unique_ptr<EmbedWriter> make_safetensors_writer(const EmbedTarget& target);

}  // namespace glassgpt::cli

// The forms of embed's result.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cli/embed_texts.h"
#include "glassgpt/embed.h"
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

// Gets the texts in their order, each before its rows, and the rows of each kind in the same order.
class EmbedWriter : public VectorSink {
 public:
  virtual void add_text(EmbeddedText text) = 0;
  virtual void end_batch() = 0;  // the rows of all kinds are there, as far as they go
  virtual void finish(const EmbedCounts& counts) = 0;
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

std::unique_ptr<EmbedWriter> make_table_writer(const EmbedTarget& target, std::size_t values);
std::unique_ptr<EmbedWriter> make_jsonl_writer(const EmbedTarget& target);
std::unique_ptr<EmbedWriter> make_csv_writer(const EmbedTarget& target);
std::unique_ptr<EmbedWriter> make_npy_writer(const EmbedTarget& target);
std::unique_ptr<EmbedWriter> make_npz_writer(const EmbedTarget& target);
std::unique_ptr<EmbedWriter> make_safetensors_writer(const EmbedTarget& target);

}  // namespace glassgpt::cli

// The passes of `embed`: texts in, rows out, in order, memory for one batch.
#pragma once

#include "cli/embed_texts.h"
#include "cli/embed_writers.h"
#include "cli/output.h"
#include "cli/text_source.h"
#include "glassgpt/embed.h"
#include "glassgpt/model.h"

namespace glassgpt::cli {

class EmbedPipeline {
 public:
  // All must outlive it.
  EmbedPipeline(const Model& model, const Tokenizer& tokenizer, const EmbedOptions& options,
                const ForwardOptions& forward, VectorExtractor& extractor, EmbedWriter& writer)
      : model_(model),
        tokenizer_(tokenizer),
        options_(options),
        forward_(forward),
        extractor_(extractor),
        writer_(writer) {}

  // Before run(): reads past what an interrupted run had done. Throws Error (kMalformed) if the
  // texts are not the same.
  void skip_done(TextSource& source, const EmbedProgress& done, const std::string& output);
  // All texts that are left.
  EmbedProgress run(TextSource& source, Progress& progress);
  // Of run(), what the model's passes took (the first packs its weights), without what extractor
  // and writer did meanwhile.
  double forward_seconds() const noexcept { return forward_seconds_; }

 private:
  void add_windows(const EmbeddedText& text, std::size_t first);
  void pass();
  void show() const;

  const Model& model_;
  const Tokenizer& tokenizer_;
  EmbedOptions options_;
  ForwardOptions forward_;
  VectorExtractor& extractor_;
  EmbedWriter& writer_;
  BatchBuilder batch_;
  EmbedProgress done_;
  EmbeddedText begun_;          // the text that the interrupted run had begun, if any
  bool group_is_open_ = false;  // the last row of the next pass goes on in a further pass
  double start_ = 0, forward_seconds_ = 0;
  std::uint64_t texts_at_start_ = 0;
  std::uint64_t bytes_at_start_ = 0;
  // Of this run, each once: tokens of the texts so far, of those in the batch, and of those that
  // passes are done with.
  std::uint64_t tokens_read_ = 0, tokens_waiting_ = 0, tokens_done_ = 0;
  const TextSource* source_ = nullptr;
  Progress* progress_ = nullptr;
};

// Reads all texts and throws Error (kMalformed) unless they are those of a finished result.
void check_same_texts(TextSource& source, const EmbedProgress& finished, const std::string& output);

}  // namespace glassgpt::cli

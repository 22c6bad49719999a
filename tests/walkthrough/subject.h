// A walkthrough's data made in the test's own process, without the chapter that measures time.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "../cli/program.h"
#include "data.h"
#include "io/json.h"
#include "walkthrough/chapters.h"
#include "walkthrough/resources.h"

namespace glassgpt::testing {

inline const char* bundled_directory() { return GLASSGPT_SOURCE_DIR "/weights/mini"; }

class Exporter {
 public:
  explicit Exporter(std::filesystem::path directory)
      : directory_(std::move(directory)),
        model_(Model::load(directory_)),
        tokenizer_(Tokenizer::load(directory_)),
        progress_(true) {
    common_.threads = 1;
  }

  walkthrough::Document document(const std::string& text,
                                 const walkthrough::ReaderContexts& contexts = {}) {
    walkthrough::Subject subject{common_,  directory_, model_,    tokenizer_, text,
                                 contexts, "",         progress_, {},         {}};
    subject.encoding = tokenizer_.encode_with_spans(text);
    subject.recording = walkthrough::record(model_, subject.encoding.ids, common_.forward());
    const auto examples = io::parse_json(walkthrough::resource("examples.json"), "examples.json");
    walkthrough::Document document;
    document.json = {{"command", "glassgpt walkthrough"}};
    walkthrough::add_text(document, subject);
    walkthrough::add_model(document, subject);
    walkthrough::add_counts(document, examples);
    walkthrough::add_one_hot(document, subject, examples);
    walkthrough::add_skip_gram(document, examples);
    walkthrough::add_corpora(document, examples);
    walkthrough::add_bpe(document, subject, examples);
    walkthrough::add_embedding(document, subject);
    walkthrough::add_formation(document, subject, examples);
    walkthrough::add_positions(document, subject);
    walkthrough::add_attention(document, subject);
    walkthrough::add_layers(document, subject);
    walkthrough::add_contexts(document, subject, examples);
    walkthrough::add_uses(document, subject, examples);
    return document;
  }

  // Every number exactly, read back from the JSON that users get.
  nlohmann::json data(const std::string& text, const walkthrough::ReaderContexts& contexts = {}) {
    return nlohmann::json::parse(document(text, contexts).dump());
  }

  const Model& model() const { return model_; }
  const Tokenizer& tokenizer() const { return tokenizer_; }

 private:
  std::filesystem::path directory_;
  cli::CommonOptions common_;
  Model model_;
  Tokenizer tokenizer_;
  cli::Progress progress_;
};

}  // namespace glassgpt::testing

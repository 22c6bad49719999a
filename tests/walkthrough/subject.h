// A walkthrough's data made in the test's own process, without the chapter that measures time.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "../cli/program.h"
#include "data.h"
#include "walkthrough/chapters.h"

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
    return walkthrough::make_document(subject, false);
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

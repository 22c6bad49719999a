// A user's program: every public header, a model, its last vectors, and an error that crosses the
// library's border.
#include <glassgpt/config.h>
#include <glassgpt/error.h>
#include <glassgpt/model.h>
#include <glassgpt/observer.h>
#include <glassgpt/tokenizer.h>
#include <glassgpt/types.h>

#include <cmath>
#include <cstdio>
#include <vector>

namespace {

class LastVectors : public glassgpt::Observer {
 public:
  bool wants(glassgpt::Stage stage, std::size_t) const override {
    return stage == glassgpt::Stage::kFinal;
  }
  void on_stage(const glassgpt::StageView& view) override {
    for (std::size_t row = 0; row < view.rows; ++row) {
      const float* begin = view.data + row * view.stride;
      values.insert(values.end(), begin, begin + view.cols);
    }
  }
  std::vector<float> values;
};

bool vectors_are_numbers() {
  glassgpt::ModelConfig config;
  config.vocab_size = 50;
  config.n_positions = 8;
  config.n_embd = 16;
  config.n_head = 2;
  config.n_layer = 2;
  const auto model = glassgpt::Model::random(config, 1);
  const std::vector<glassgpt::TokenId> ids{3, 1, 4};
  const std::vector<std::size_t> offsets{0, ids.size()};
  LastVectors last;
  model.forward({ids, offsets}, last);
  bool sound = last.values.size() == ids.size() * config.n_embd;
  float sum = 0;
  for (const float value : last.values) {
    sound = sound && std::isfinite(value);
    sum += std::fabs(value);
  }
  return sound && sum > 0;
}

bool error_is_caught() {
  try {
    glassgpt::Tokenizer::load("no/such/tokenizer.json");
  } catch (const glassgpt::Error& error) {
    return error.code() == glassgpt::ErrorCode::kNotFound;
  }
  return false;
}

}  // namespace

int main() {
  const bool vectors = vectors_are_numbers(), caught = error_is_caught();
  std::printf("vectors: %s, error: %s\n", vectors ? "yes" : "NO", caught ? "yes" : "NO");
  return vectors && caught ? 0 : 1;
}

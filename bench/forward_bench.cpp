// glassgpt_forward_bench: times whole forward passes that hand out the hidden states of all layers.
// A worker of bench/peers/forward.py, and usable by hand:
//   echo 'time 128 20' | glassgpt_forward_bench MODEL_DIR IDS_FILE THREADS f32
// Requests come one a line on standard input, replies are one JSON object a line:
//   time T PASSES    one pass to warm up, then PASSES timed ones over the first T ids
//   layers T FILE    writes layers 0 .. L and final, [L + 2, T, C] float32 without a header
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <nlohmann/json.hpp>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "glassgpt/model.h"
#include "io/file.h"
#include "kernels/dispatch.h"

namespace {

using glassgpt::Stage;
using glassgpt::TokenId;
using Clock = std::chrono::steady_clock;

// Keeps the rows of every layer in the caller's memory, as a peer with preallocated outputs does.
class AllLayers : public glassgpt::Observer {
 public:
  AllLayers(const glassgpt::ModelConfig& config, std::size_t rows)
      : layer_floats_(rows * config.n_embd), values_((config.n_layer + 2) * layer_floats_) {}

  bool wants(Stage stage, std::size_t /*layer*/) const override {
    return stage == Stage::kEmbedding || stage == Stage::kResidual || stage == Stage::kFinal;
  }
  void on_stage(const glassgpt::StageView& view) override {
    float* out = values_.data() + place(view) * layer_floats_;
    for (std::size_t row = 0; row < view.rows; ++row, out += view.cols) {
      const float* source = view.data + row * view.stride;
      std::copy(source, source + view.cols, out);
    }
  }
  std::span<const float> values() const { return values_; }

 private:
  std::size_t place(const glassgpt::StageView& view) const {
    if (view.stage == Stage::kEmbedding) return 0;
    if (view.stage == Stage::kResidual) return view.layer + 1;
    return values_.size() / layer_floats_ - 1;
  }

  std::size_t layer_floats_;
  std::vector<float> values_;
};

class Worker {
 public:
  Worker(const std::string& directory, const std::string& ids_file, int threads,
         std::string_view dtype)
      : model_(glassgpt::Model::load(directory)), ids_(read_ids(ids_file)) {
    options_.threads = threads;
    if (dtype == "bf16")
      options_.compute = glassgpt::ComputeType::kBFloat16;
    else if (dtype != "f32")
      throw std::invalid_argument("dtype: got " + std::string(dtype) + ", expected f32 or bf16");
  }

  std::string serve(const std::string& request) const {
    std::istringstream words(request);
    std::string verb, argument;
    std::size_t tokens = 0;
    if (!(words >> verb >> tokens >> argument) || tokens == 0 || tokens > ids_.size())
      throw std::invalid_argument("request: got '" + request +
                                  "', expected 'time T PASSES' or 'layers T FILE' with T up to " +
                                  std::to_string(ids_.size()));
    if (verb == "time") return time_passes(tokens, std::stoul(argument)).dump();
    if (verb == "layers") return write_layers(tokens, argument).dump();
    throw std::invalid_argument("request: there is no '" + verb + "'");
  }

 private:
  static std::vector<TokenId> read_ids(const std::string& file) {
    std::istringstream words(glassgpt::io::read_file(file));
    std::vector<TokenId> ids;
    for (TokenId id = 0; words >> id;) ids.push_back(id);
    return ids;
  }

  void pass(std::size_t tokens, AllLayers& layers) const {
    const std::size_t offsets[] = {0, tokens};
    model_.forward({std::span(ids_).first(tokens), offsets}, layers, options_);
  }

  nlohmann::json time_passes(std::size_t tokens, std::size_t passes) const {
    AllLayers layers(model_.config(), tokens);
    pass(tokens, layers);
    std::vector<double> ms(passes);
    for (double& one : ms) {
      const auto begin = Clock::now();
      pass(tokens, layers);
      one = std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
    }
    return {{"tokens", tokens}, {"ms", ms}};
  }

  nlohmann::json write_layers(std::size_t tokens, const std::string& file) const {
    AllLayers layers(model_.config(), tokens);
    pass(tokens, layers);
    const auto bytes = std::as_bytes(layers.values());
    glassgpt::io::write_file(file, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    return {{"tokens", tokens}, {"file", file}};
  }

  glassgpt::Model model_;
  std::vector<TokenId> ids_;
  glassgpt::ForwardOptions options_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::cerr << "usage: glassgpt_forward_bench MODEL_DIR IDS_FILE THREADS f32|bf16\n";
    return 2;
  }
  try {
    const Worker worker(argv[1], argv[2], std::atoi(argv[3]), argv[4]);
    std::cout << nlohmann::json({{"ready", std::string("glassgpt ") + GLASSGPT_VERSION},
                                 {"detail", glassgpt::kernels::active_kernels().isa}})
              << std::endl;
    for (std::string request; std::getline(std::cin, request);)
      std::cout << worker.serve(request) << std::endl;
  } catch (const std::exception& error) {
    std::cerr << "glassgpt_forward_bench: error: " << error.what() << '\n';
    return 1;
  }
  return 0;
}

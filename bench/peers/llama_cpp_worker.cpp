// llama.cpp through its C interface: a worker of forward.py, see bench/forward_bench.cpp for the
// requests. Built by forward.sh against the headers and libraries of one release.
// usage: llama_cpp_worker MODEL.gguf IDS_FILE THREADS f32|bf16 BACKEND_DIR
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "ggml-backend.h"
#include "llama.h"

namespace {

using Clock = std::chrono::steady_clock;
using ModelHandle = std::unique_ptr<llama_model, decltype(&llama_model_free)>;

// Copies the tensors that are layers into the caller's memory while the graph runs.
class LayerCopies {
 public:
  LayerCopies(std::size_t layers, std::size_t width) : layers_(layers), width_(width) {}

  static bool on_tensor(ggml_tensor* tensor, bool ask, void* self) {
    return static_cast<LayerCopies*>(self)->see(tensor, ask);
  }
  void resize(std::size_t rows) {
    rows_ = rows;
    values_.resize((layers_ + 2) * rows * width_);
  }
  const std::vector<float>& values() const { return values_; }
  std::size_t seen = 0;

 private:
  bool see(ggml_tensor* tensor, bool ask) {
    const long place = place_of(tensor->name);
    if (ask) return place >= 0;
    const std::size_t floats = rows_ * width_;
    if (ggml_nbytes(tensor) != floats * sizeof(float))
      throw std::runtime_error(std::string(tensor->name) + " has another size than expected");
    ggml_backend_tensor_get(tensor, values_.data() + static_cast<std::size_t>(place) * floats, 0,
                            floats * sizeof(float));
    ++seen;
    return true;
  }
  long place_of(const std::string& name) const {
    if (name == "inpL") return 0;
    if (name.rfind("l_out-", 0) == 0) return std::stol(name.substr(6)) + 1;
    // The output of the last layer norm, under the name that asking for embeddings gives it.
    if (name == "result_embd_pooled") return static_cast<long>(layers_) + 1;
    return -1;
  }

  std::size_t layers_, width_, rows_ = 0;
  std::vector<float> values_;
};

// A context with or without flash attention: which is faster depends on T.
class Engine {
 public:
  Engine(llama_model* model, int threads, bool bf16, bool flash)
      : layers_(static_cast<std::size_t>(llama_model_n_layer(model)),
                static_cast<std::size_t>(llama_model_n_embd(model))) {
    llama_context_params params = llama_context_default_params();
    params.n_ctx = params.n_batch = params.n_ubatch =
        static_cast<std::uint32_t>(llama_model_n_ctx_train(model));
    params.n_threads = params.n_threads_batch = threads;
    params.embeddings = true;
    params.pooling_type = LLAMA_POOLING_TYPE_NONE;
    params.flash_attn_type = flash ? LLAMA_FLASH_ATTN_TYPE_ENABLED : LLAMA_FLASH_ATTN_TYPE_DISABLED;
    // Its default, float16, would be no float32 pass; beside bf16 matrices it is the better
    // precision.
    params.type_k = params.type_v = bf16 ? GGML_TYPE_F16 : GGML_TYPE_F32;
    params.cb_eval = LayerCopies::on_tensor;
    params.cb_eval_user_data = &layers_;
    context_ = llama_init_from_model(model, params);
    if (context_ == nullptr) throw std::runtime_error("llama.cpp makes no context");
  }
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  ~Engine() { llama_free(context_); }

  const std::vector<float>& pass(const std::vector<llama_token>& ids, std::size_t tokens) {
    layers_.resize(tokens);
    layers_.seen = 0;
    llama_memory_clear(llama_get_memory(context_), false);
    llama_batch batch = llama_batch_init(static_cast<int>(tokens), 0, 1);
    batch.n_tokens = static_cast<int>(tokens);
    for (std::size_t i = 0; i < tokens; ++i) {
      batch.token[i] = ids[i];
      batch.pos[i] = static_cast<llama_pos>(i);
      batch.n_seq_id[i] = 1;
      batch.seq_id[i][0] = 0;
      batch.logits[i] = 1;
    }
    const int status = llama_decode(context_, batch);
    llama_batch_free(batch);
    if (status != 0) throw std::runtime_error("llama_decode fails with " + std::to_string(status));
    return layers_.values();
  }
  std::size_t seen() const { return layers_.seen; }

  std::vector<double> time(const std::vector<llama_token>& ids, std::size_t tokens,
                           std::size_t passes) {
    pass(ids, tokens);
    std::vector<double> ms(passes);
    for (double& one : ms) {
      const auto begin = Clock::now();
      pass(ids, tokens);
      one = std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
    }
    return ms;
  }

 private:
  LayerCopies layers_;
  llama_context* context_ = nullptr;
};

class Worker {
 public:
  Worker(const std::string& file, const std::string& ids_file, int threads, bool bf16)
      : model_(llama_model_load_from_file(file.c_str(), model_params()), llama_model_free) {
    if (model_ == nullptr) throw std::runtime_error(file + ": llama.cpp does not load it");
    std::ifstream text(ids_file);
    for (llama_token id = 0; text >> id;) ids_.push_back(id);
    for (const bool flash : {false, true})
      engines_.push_back(std::make_unique<Engine>(model_.get(), threads, bf16, flash));
  }

  std::string serve(const std::string& request) {
    std::istringstream words(request);
    std::string verb, argument;
    std::size_t tokens = 0;
    if (!(words >> verb >> tokens >> argument) || tokens == 0 || tokens > ids_.size())
      throw std::runtime_error("unknown request: " + request);
    std::ostringstream reply;
    reply << "{\"tokens\": " << tokens;
    if (verb == "time") {
      reply << ", \"ms\": [";
      const char* separator = "";
      for (const double ms : fastest(tokens).time(ids_, tokens, std::stoul(argument))) {
        reply << separator << ms;
        separator = ", ";
      }
      reply << "]";
    } else {
      Engine& engine = fastest(tokens);
      const auto& values = engine.pass(ids_, tokens);
      if (engine.seen() != static_cast<std::size_t>(llama_model_n_layer(model_.get())) + 2)
        throw std::runtime_error("not all layers were seen");
      std::ofstream(argument, std::ios::binary)
          .write(reinterpret_cast<const char*>(values.data()),
                 static_cast<std::streamsize>(values.size() * sizeof(float)));
      reply << ", \"file\": \"" << argument << '"';
    }
    reply << "}";
    return reply.str();
  }

 private:
  static llama_model_params model_params() {
    llama_model_params params = llama_model_default_params();
    params.n_gpu_layers = 0;
    return params;
  }
  Engine& fastest(std::size_t tokens) {
    if (const auto known = fastest_.find(tokens); known != fastest_.end())
      return *engines_[known->second];
    std::vector<double> medians;
    for (const auto& engine : engines_) {
      std::vector<double> ms = engine->time(ids_, tokens, tokens < 256 ? 5 : 1);
      std::nth_element(ms.begin(), ms.begin() + static_cast<long>(ms.size() / 2), ms.end());
      medians.push_back(ms[ms.size() / 2]);
    }
    std::fprintf(stderr, "llama.cpp: T=%zu: %.2f ms, with flash attention %.2f ms\n", tokens,
                 medians[0], medians[1]);
    fastest_[tokens] = medians[1] < medians[0] ? 1 : 0;
    return *engines_[fastest_[tokens]];
  }

  ModelHandle model_;
  std::vector<llama_token> ids_;
  std::vector<std::unique_ptr<Engine>> engines_;
  std::map<std::size_t, std::size_t> fastest_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::cerr << "usage: llama_cpp_worker MODEL.gguf IDS_FILE THREADS f32|bf16 BACKEND_DIR\n";
    return 2;
  }
  try {
    llama_log_set([](ggml_log_level, const char*, void*) {}, nullptr);
    ggml_backend_load_all_from_path(argv[5]);
    Worker worker(argv[1], argv[2], std::stoi(argv[3]), std::string(argv[4]) == "bf16");
    std::string features = llama_print_system_info();
    std::replace(features.begin(), features.end(), '"', '\'');
    features.erase(std::remove(features.begin(), features.end(), '\n'), features.end());
    std::cout << R"({"ready": "llama.cpp", "detail": ")" << features << "\"}" << std::endl;
    for (std::string request; std::getline(std::cin, request);)
      std::cout << worker.serve(request) << std::endl;
  } catch (const std::exception& error) {
    std::cerr << "llama_cpp_worker: error: " << error.what() << '\n';
    return 1;
  }
  return 0;
}

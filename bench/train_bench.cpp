// glassgpt_train_bench: times whole training steps over batches of ids from a file.
// A worker of bench/peers/training.py, and usable by hand:
//   echo 'train 20' | glassgpt_train_bench MODEL_DIR BATCHES SEQUENCES TOKENS LEARNING_RATE WARMUP
//   THREADS [bf16]
// BATCHES holds [steps, SEQUENCES, TOKENS + 1] ids, 32 bits each, little endian. Requests come one
// a line on standard input, replies are one JSON object a line:
//   train N      the next N steps (the file's batches, again and again): loss, gradient norm, ms
//   profile N    likewise, and the median time of each stage of the step
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "glassgpt/model.h"
#include "io/file.h"
#include "kernels/dispatch.h"
#include "train/initial_state.h"
#include "train/learner.h"

namespace {

using glassgpt::TokenId;
using glassgpt::training::kStepStageNames;
using glassgpt::training::StepProfile;
using Clock = std::chrono::steady_clock;

struct Arguments {
  std::string model, batches;
  std::size_t sequences, tokens;
  double learning_rate;
  std::size_t warmup;
  int threads;
  glassgpt::kernels::NumberType type;
};

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

class Worker {
 public:
  explicit Worker(const Arguments& arguments)
      : arguments_(arguments),
        model_(glassgpt::Model::load(arguments.model)),
        learner_(model_.config(), glassgpt::training::flat_parameters(model_), {},
                 {.threads = arguments.threads, .type = arguments.type}) {
    schedule_.schedule = glassgpt::LearningRateSchedule::kConstant;
    schedule_.learning_rate = static_cast<float>(arguments.learning_rate);
    schedule_.warmup_steps = arguments.warmup;
    const std::string bytes = glassgpt::io::read_file(arguments.batches);
    const std::size_t batch = arguments.sequences * (arguments.tokens + 1);
    if (bytes.empty() || bytes.size() % (batch * sizeof(TokenId)) != 0)
      throw std::invalid_argument("batches: got " + std::to_string(bytes.size()) +
                                  " bytes, expected a multiple of " + std::to_string(4 * batch));
    ids_.resize(bytes.size() / sizeof(TokenId));
    std::memcpy(ids_.data(), bytes.data(), bytes.size());
  }

  std::string serve(const std::string& request) {
    std::istringstream words(request);
    std::string verb;
    std::size_t steps = 0;
    if (!(words >> verb >> steps) || steps == 0 || (verb != "train" && verb != "profile"))
      throw std::invalid_argument("request: got '" + request +
                                  "', expected 'train N' or 'profile N'");
    return train(steps, verb == "profile").dump();
  }

 private:
  struct Step {
    double loss, norm, ms;
  };

  Step step(StepProfile* profile) {
    const std::size_t length = arguments_.tokens + 1,
                      rows = arguments_.sequences * arguments_.tokens;
    const std::size_t batch = arguments_.sequences * length;
    const TokenId* at = ids_.data() + done_ * batch % ids_.size();
    std::vector<TokenId> inputs, targets;
    std::vector<std::size_t> offsets{0};
    for (std::size_t s = 0; s < arguments_.sequences; ++s, at += length) {
      inputs.insert(inputs.end(), at, at + length - 1);
      targets.insert(targets.end(), at + 1, at + length);
      offsets.push_back(inputs.size());
    }
    const auto begin = Clock::now();
    const double nats = learner_.accumulate({inputs, offsets}, targets,
                                            1.0f / static_cast<float>(rows), nullptr, profile);
    ++done_;
    const double norm =
        learner_.update(done_, glassgpt::training::learning_rate_at(schedule_, done_), profile);
    const double ms = std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
    return {nats / static_cast<double>(rows), norm, ms};
  }

  nlohmann::json train(std::size_t steps, bool profiled) {
    nlohmann::json reply{{"losses", nlohmann::json::array()},
                         {"norms", nlohmann::json::array()},
                         {"ms", nlohmann::json::array()}};
    std::array<std::vector<double>, kStepStageNames.size()> stage_ms;
    StepProfile profile;
    for (std::size_t i = 0; i < steps; ++i) {
      profile = {};
      const Step one = step(profiled ? &profile : nullptr);
      reply["losses"].push_back(one.loss);
      reply["norms"].push_back(one.norm);
      reply["ms"].push_back(one.ms);
      for (std::size_t s = 0; s < stage_ms.size(); ++s)
        stage_ms[s].push_back(1e3 * profile.seconds[s]);
    }
    for (std::size_t s = 0; profiled && s < stage_ms.size(); ++s)
      reply["stages"].push_back(
          {{"name", kStepStageNames[s]}, {"ms", median(stage_ms[s])}, {"flops", profile.flops[s]}});
    // The forward pass of the last step, its blocks together.
    std::map<glassgpt::TimedStage, std::pair<double, double>> forward;
    for (const glassgpt::StageTime& time : glassgpt::stage_times(profile.forward)) {
      forward[time.stage].first += 1e-6 * static_cast<double>(time.nanoseconds);
      forward[time.stage].second += time.cost.flops;
    }
    for (const auto& [stage, sum] : forward)
      reply["forward"].push_back(
          {{"name", glassgpt::timed_stage_name(stage)}, {"ms", sum.first}, {"flops", sum.second}});
    return reply;
  }

  Arguments arguments_;
  glassgpt::Model model_;
  glassgpt::training::Learner learner_;
  glassgpt::TrainingOptions schedule_;
  std::vector<TokenId> ids_;
  std::size_t done_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  const bool bf16 = argc == 9 && std::strcmp(argv[8], "bf16") == 0;
  if (argc != 8 && !bf16) {
    std::cerr << "usage: glassgpt_train_bench MODEL_DIR BATCHES SEQUENCES TOKENS LEARNING_RATE "
                 "WARMUP THREADS [bf16]\n";
    return 2;
  }
  try {
    Worker worker({argv[1], argv[2], std::stoul(argv[3]), std::stoul(argv[4]), std::stod(argv[5]),
                   std::stoul(argv[6]), std::atoi(argv[7]),
                   bf16 ? glassgpt::kernels::NumberType::kBFloat16
                        : glassgpt::kernels::NumberType::kFloat32});
    std::cout << nlohmann::json({{"ready", std::string("glassgpt ") + GLASSGPT_VERSION},
                                 {"detail", glassgpt::kernels::active_kernels().isa}})
              << std::endl;
    for (std::string request; std::getline(std::cin, request);)
      std::cout << worker.serve(request) << std::endl;
  } catch (const std::exception& error) {
    std::cerr << "glassgpt_train_bench: error: " << error.what() << '\n';
    return 1;
  }
  return 0;
}

// Models that we save, loaded and computed by the genuine Transformers. Optional: needs a Python
// that has it, named by GLASSGPT_TRANSFORMERS_PYTHON; scripts/test_transformers.sh makes one.
#include <gtest/gtest.h>

#include <cstdlib>

#include "io/file.h"
#include "io/safetensors.h"
#include "model/parts.h"
#include "support.h"
#include "tests/io/temporary_directory.h"

namespace glassgpt::testing {
namespace {

struct Saved {
  std::string name;
  StorageType type;
};
void PrintTo(const Saved& saved, std::ostream* out) { *out << saved.name; }

std::string type_name(StorageType type) {
  return type == StorageType::kFloat32   ? "Float32"
         : type == StorageType::kFloat16 ? "Float16"
                                         : "BFloat16";
}

const char* transformers_python() { return std::getenv("GLASSGPT_TRANSFORMERS_PYTHON"); }

// Every layer of as many tokens as the context holds, computed by both.
void expect_transformers_computes_the_same(const std::filesystem::path& saved) {
  const Model model = Model::load(saved);
  const ModelConfig& config = model.config();
  const std::vector<TokenId> ids = random_ids(config.n_positions, config.vocab_size, 12);
  Collector collector({Stage::kEmbedding, Stage::kResidual, Stage::kFinal, Stage::kLogits});
  model.forward(make_batch({{ids}}).batch(), collector);
  const TemporaryDirectory directory;
  std::string list;
  for (const TokenId id : ids) list += std::to_string(id) + " ";
  io::write_file(directory / "ids.txt", list);
  const std::string command = std::string(transformers_python()) + " " + GLASSGPT_SOURCE_DIR +
                              "/tests/model/transformers_states.py " + saved.string() + " " +
                              directory.path().string();
  ASSERT_EQ(std::system(command.c_str()), 0) << command;

  const io::SafetensorsFile states(directory / "states.safetensors");
  ASSERT_EQ(states.tensors().size(), collector.seen.size());
  for (const auto& [key, found] : collector.seen) {
    const auto& [stage, block, unused_sequence, unused_head] = key;
    const std::string layer = stage == Stage::kResidual    ? std::to_string(block + 1)
                              : stage == Stage::kEmbedding ? "0"
                                                           : std::string(stage_name(stage));
    const io::TensorView* tensor = states.find(layer);
    ASSERT_NE(tensor, nullptr) << layer;
    std::vector<float> values(tensor->elements());
    io::to_float(*tensor, values.data());
    EXPECT_LE(relative_error(found.values, std::vector<double>(values.begin(), values.end())), 1e-5)
        << "layer " << layer;
  }
}

class TransformersPeer : public ::testing::TestWithParam<Saved> {};

TEST_P(TransformersPeer, ComputesTheSameFromWhatWeSave) {
  if (transformers_python() == nullptr)
    GTEST_SKIP() << "needs transformers: scripts/test_transformers.sh";
  const TemporaryDirectory directory;
  make_test_model(config_named(GetParam().name), 11).model.save(directory.path(), GetParam().type);
  expect_transformers_computes_the_same(directory.path());
}

TEST(TransformersPeer, ComputesTheSameFromTheBundledWeights) {
  if (transformers_python() == nullptr)
    GTEST_SKIP() << "needs transformers: scripts/test_transformers.sh";
  expect_transformers_computes_the_same(std::filesystem::path(GLASSGPT_SOURCE_DIR) / "weights" /
                                        "mini");
}

INSTANTIATE_TEST_SUITE_P(Saved, TransformersPeer,
                         ::testing::Values(Saved{"LearnedTied", StorageType::kFloat32},
                                           Saved{"SinusoidalOddHeads", StorageType::kFloat32},
                                           Saved{"SinusoidalOddHeads", StorageType::kFloat16},
                                           Saved{"ScaledByLayer", StorageType::kFloat32},
                                           Saved{"UnscaledAttention", StorageType::kFloat16},
                                           Saved{"UntiedSevenWideHeads", StorageType::kBFloat16}),
                         [](const auto& instance) {
                           return instance.param.name + type_name(instance.param.type);
                         });

}  // namespace
}  // namespace glassgpt::testing

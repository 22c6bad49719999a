// Models written and read: round trips, what other programs will compute, and files that are wrong.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <functional>

#include "io/file.h"
#include "io/safetensors.h"
#include "model/parts.h"
#include "support.h"
#include "tests/io/temporary_directory.h"

namespace glassgpt::testing {
namespace {

constexpr double kTolerance = 1e-5;

Seen everything(const Model& model, const std::vector<TokenId>& ids) {
  Collector collector;
  model.forward(make_batch({{ids}}).batch(), collector, {.threads = 1});
  return collector.seen;
}

std::vector<TokenId> some_ids(const ModelConfig& config) {
  return random_ids(std::min<std::size_t>(23, config.n_positions), config.vocab_size, 3);
}

class SavedModel : public ::testing::TestWithParam<NamedConfig> {
 protected:
  TemporaryDirectory directory_;
};

TEST_P(SavedModel, Float32KeepsEveryByteOfEveryStage) {
  ModelConfig config = GetParam().config;
  config.embedding_scale = 1.0f;
  const TestModel test = make_test_model(config, 5);
  test.model.save(directory_.path());
  const Model loaded = Model::load(directory_.path());
  expect_same_bytes(everything(loaded, some_ids(config)), everything(test.model, some_ids(config)));
  EXPECT_EQ(loaded.config().inner(), config.inner());
  EXPECT_EQ(loaded.config().activation, config.activation);
  EXPECT_EQ(loaded.config().position_encoding, config.position_encoding);
  EXPECT_EQ(loaded.config().layer_norm_epsilon, config.layer_norm_epsilon);
  EXPECT_EQ(loaded.config().tie_word_embeddings, config.tie_word_embeddings);
  EXPECT_EQ(loaded.config().parameters(), config.parameters());
  EXPECT_EQ(loaded.weight_bytes(), test.model.weight_bytes());
}

TEST_P(SavedModel, SixteenBitStorageComputesWithTheRoundedWeights) {
  ModelConfig config = GetParam().config;
  config.embedding_scale = 1.0f;
  for (const StorageType type : {StorageType::kFloat16, StorageType::kBFloat16}) {
    TestModel test = make_test_model(config, 6);
    test.model.save(directory_.path(), type);
    for (auto& [name, tensor] : test.plain.tensors)
      for (double& value : tensor) {
        const float single = static_cast<float>(value);
        value = static_cast<double>(type == StorageType::kFloat16
                                        ? io::half_to_float(io::float_to_half(single))
                                        : io::bfloat16_to_float(io::float_to_bfloat16(single)));
      }
    const Seen found = everything(Model::load(directory_.path()), some_ids(config));
    for (const auto& [key, expected] : reference_forward(test.plain, some_ids(config)))
      EXPECT_LE(relative_error(found.at(key).values, expected.values), kTolerance)
          << stage_name(std::get<Stage>(key));
  }
}

// What is written must be plain GPT-2: a program that knows nothing of embedding_scale gets the
// same layers and logits.
TEST_P(SavedModel, TheEmbeddingScaleIsFoldedIntoTheTensors) {
  ModelConfig config = GetParam().config;
  for (const float scale : {16.0f, 6.7082f}) {
    config.embedding_scale = scale;
    const TestModel test = make_test_model(config, 7);
    test.model.save(directory_.path());
    const Model loaded = Model::load(directory_.path());
    EXPECT_EQ(loaded.config().embedding_scale, 1.0f);
    const std::vector<TokenId> ids = some_ids(config);
    const Seen found = everything(loaded, ids);
    for (auto [key, expected] : reference_forward(test.plain, ids)) {
      if (std::get<Stage>(key) == Stage::kFinal && config.tie_word_embeddings)
        for (double& value : expected.values) value /= static_cast<double>(scale);
      EXPECT_LE(relative_error(found.at(key).values, expected.values), kTolerance)
          << stage_name(std::get<Stage>(key)) << " with scale " << scale;
    }
    if (scale == 16.0f) {  // exact: nothing but exponents changes
      EXPECT_EQ(found.at({Stage::kLogits, 0, 0, 0}),
                everything(test.model, ids).at({Stage::kLogits, 0, 0, 0}));
    }
  }
}

TEST_P(SavedModel, RescalingThereAndBackByAPowerOfTwoIsExact) {
  ModelConfig config = GetParam().config;
  config.embedding_scale = 1.0f;
  const TestModel test = make_test_model(config, 8);
  std::vector<float> buffer = test.buffer;
  rescale_embedding(config, buffer.data(), 32.0f);
  EXPECT_EQ(config.embedding_scale, 32.0f);
  EXPECT_NE(buffer, test.buffer);
  rescale_embedding(config, buffer.data(), 1.0f);
  EXPECT_EQ(buffer, test.buffer);
}

INSTANTIATE_TEST_SUITE_P(Shapes, SavedModel, ::testing::ValuesIn(test_configs()),
                         [](const auto& instance) { return instance.param.name; });

TEST(RandomModel, TheSeedDecidesEveryByte) {
  const ModelConfig config = config_named("SinusoidalOddHeads");
  const TensorLayout layout(config);
  std::vector<float> one(layout.size), two(layout.size), other(layout.size);
  initialize_parameters(config, 42, one.data(), 1);
  initialize_parameters(config, 42, two.data(), 4);
  initialize_parameters(config, 43, other.data(), 1);
  EXPECT_EQ(std::memcmp(one.data(), two.data(), one.size() * sizeof(float)), 0);
  EXPECT_NE(std::memcmp(one.data(), other.data(), one.size() * sizeof(float)), 0);
  const std::vector<TokenId> ids = some_ids(config);
  EXPECT_EQ(
      everything(Model::random(config, 42), ids),
      everything(make_model(config, layout.tensors(static_cast<const float*>(one.data())), nullptr),
                 ids));
}

TEST(RandomModel, WeightsHaveTheMomentsOfTheInitialisation) {
  const ModelConfig config{
      .vocab_size = 500, .n_positions = 64, .n_embd = 64, .n_layer = 8, .n_head = 4};
  const TensorLayout layout(config);
  std::vector<float> buffer(layout.size);
  initialize_parameters(config, 1, buffer.data());
  for (const TensorLayout::Entry& entry : layout.entries) {
    double sum = 0.0, squares = 0.0;
    for (std::size_t i = 0; i < entry.size; ++i) {
      const double value = static_cast<double>(buffer[entry.offset + i]);
      sum += value;
      squares += value * value;
    }
    const double n = static_cast<double>(entry.size), mean = sum / n;
    const double deviation = std::sqrt(squares / n - mean * mean);
    const bool matrix = entry.shape.size() == 2;
    const double expected = !matrix ? 0.0 : entry.name.ends_with("c_proj.weight") ? 0.005 : 0.02;
    const double expected_mean = !matrix && entry.name.ends_with("weight") ? 1.0 : 0.0;
    EXPECT_NEAR(deviation, expected, 0.04 * expected) << entry.name;
    EXPECT_NEAR(mean, expected_mean, 5.0 * expected / std::sqrt(n)) << entry.name;
  }
}

// A saved model whose tensors a test may change before it is written again.
class WrongFiles : public ::testing::Test {
 protected:
  struct Tensor {
    std::vector<std::uint64_t> shape;
    std::vector<float> values;
  };

  explicit WrongFiles(const std::string& config = "LearnedTied")
      : test_(make_test_model(config_named(config))) {
    test_.model.save(directory_.path());
    const io::SafetensorsFile file(weights());
    for (const auto& [name, view] : file.tensors()) {
      Tensor& tensor = tensors_[name];
      tensor.shape = view.shape;
      tensor.values.resize(view.elements());
      io::to_float(view, tensor.values.data());
    }
  }

  std::filesystem::path weights() const { return directory_ / "model.safetensors"; }

  void write() {
    std::vector<io::TensorToWrite> list;
    for (const auto& [name, tensor] : tensors_)
      list.push_back({.name = name, .shape = tensor.shape, .data = tensor.values.data()});
    io::write_safetensors(weights(), list, io::DType::kF32, {{"format", "pt"}});
  }

  void replace_in_config(const std::string& found, const std::string& replacement) {
    const std::filesystem::path file = directory_ / "config.json";
    std::string text = io::read_file(file);
    const std::size_t at = text.find(found);
    ASSERT_NE(at, std::string::npos) << text;
    io::write_file(file, text.replace(at, found.size(), replacement));
  }

  void expect_load_error(ErrorCode code, const std::string& part) {
    expect_error([&] { Model::load(directory_.path()); }, code, part);
  }

  TemporaryDirectory directory_;
  TestModel test_;
  std::map<std::string, Tensor> tensors_;
};

TEST_F(WrongFiles, AMissingTensorIsNamed) {
  tensors_.erase("transformer.h.1.mlp.c_fc.bias");
  write();
  expect_load_error(ErrorCode::kMalformed,
                    "the tensor transformer.h.1.mlp.c_fc.bias is missing, expected shape [128]");
}

TEST_F(WrongFiles, AMissingLearnedPositionTableIsNamed) {
  tensors_.erase("transformer.wpe.weight");
  write();
  expect_load_error(ErrorCode::kMalformed, "the tensor transformer.wpe.weight is missing");
}

TEST_F(WrongFiles, AWrongShapeIsShownBesideTheExpectedOne) {
  tensors_["transformer.h.0.attn.c_attn.weight"].shape = {96, 32};
  write();
  expect_load_error(ErrorCode::kMalformed,
                    "transformer.h.0.attn.c_attn.weight has shape [96, 32], expected [32, 96]");
}

TEST_F(WrongFiles, AFlattenedTensorIsAWrongShape) {
  tensors_["transformer.ln_f.weight"].shape = {1, 32};
  write();
  expect_load_error(ErrorCode::kMalformed, "ln_f.weight has shape [1, 32], expected [32]");
}

TEST_F(WrongFiles, ATensorThatNoModelHasIsNamed) {
  tensors_["transformer.h.0.crossattention.c_attn.weight"] = {{2}, {1.0f, 2.0f}};
  write();
  expect_load_error(ErrorCode::kMalformed, "transformer.h.0.crossattention.c_attn.weight");
}

TEST_F(WrongFiles, MoreLayersThanTheConfigurationSaysAreNamed) {
  replace_in_config("\"n_layer\": 3", "\"n_layer\": 2");
  expect_load_error(ErrorCode::kMalformed, "transformer.h.2.");
}

TEST_F(WrongFiles, AConfigurationForAnotherWidthShowsTheFirstTensorThatDiffers) {
  replace_in_config("\"n_embd\": 32", "\"n_embd\": 64");
  expect_load_error(ErrorCode::kMalformed, "wte.weight has shape [61, 32], expected [61, 64]");
}

TEST_F(WrongFiles, OtherDataTypesAreNamed) {
  std::string bytes = io::read_file(weights());
  const std::size_t name = bytes.find("\"transformer.ln_f.bias\"");
  ASSERT_NE(name, std::string::npos);
  const std::size_t type = bytes.find("\"F32\"", name);
  bytes.replace(type, 5, "\"I32\"");
  io::write_file(weights(), bytes);
  expect_load_error(ErrorCode::kUnsupported,
                    "transformer.ln_f.bias has type I32, expected F32, F16 or BF16");
}

TEST_F(WrongFiles, ATruncatedFileIsRefusedAtEveryLength) {
  const std::string bytes = io::read_file(weights());
  for (std::size_t length = 0; length < bytes.size(); length += 1 + length / 3) {
    std::ofstream(weights(), std::ios::binary)
        .write(bytes.data(), static_cast<std::streamsize>(length));
    EXPECT_THROW(Model::load(directory_.path()), Error) << length;
  }
  std::ofstream(weights(), std::ios::binary)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  EXPECT_NO_THROW(Model::load(directory_.path()));
}

TEST_F(WrongFiles, DirectoriesWithoutTheirFilesAreExplained) {
  std::filesystem::remove(weights());
  expect_load_error(ErrorCode::kNotFound, "there is no model.safetensors in it");
  for (const std::string name :
       {"tf_model.h5", "flax_model.msgpack", "pytorch_model.bin.index.json", "pytorch_model.bin"}) {
    io::write_file(directory_ / name, "x");
    expect_load_error(ErrorCode::kNotFound, name + " is not read");
    expect_load_error(ErrorCode::kNotFound, "safe_serialization=True");
    if (name != "pytorch_model.bin") std::filesystem::remove(directory_ / name);
  }
  std::filesystem::remove(directory_ / "config.json");
  expect_load_error(ErrorCode::kNotFound, "config.json");
  expect_error([&] { Model::load(directory_ / "nowhere"); }, ErrorCode::kNotFound,
               "there is no such model directory");
  expect_error([&] { Model::load(directory_ / "pytorch_model.bin"); }, ErrorCode::kNotFound,
               "is a file, not a model directory");
}

TEST_F(WrongFiles, AnUnwritableDirectoryIsAnError) {
  io::write_file(directory_ / "file", "x");
  expect_error([&] { test_.model.save(directory_ / "file" / "model"); }, ErrorCode::kUnwritable,
               "file");
}

TEST_F(WrongFiles, BuffersOfOldFilesAreIgnored) {
  for (int k = 0; k < 3; ++k) {
    const std::string attention = "transformer.h." + std::to_string(k) + ".attn.";
    tensors_[attention + "bias"] = {{1, 1, 2, 2}, {1.0f, 0.0f, 1.0f, 1.0f}};
    tensors_[attention + "masked_bias"] = {{}, {-10000.0f}};
  }
  tensors_["lm_head.weight"] = tensors_["transformer.wte.weight"];
  write();
  const std::vector<TokenId> ids = some_ids(test_.plain.config);
  expect_same_bytes(everything(Model::load(directory_.path()), ids), everything(test_.model, ids));
}

TEST_F(WrongFiles, NamesWithoutThePrefixAreUnderstood) {
  std::map<std::string, Tensor> renamed;
  for (const auto& [name, tensor] : tensors_)
    renamed[name.substr(std::strlen("transformer."))] = tensor;
  tensors_ = renamed;
  write();
  const std::vector<TokenId> ids = some_ids(test_.plain.config);
  expect_same_bytes(everything(Model::load(directory_.path()), ids), everything(test_.model, ids));
}

TEST_F(WrongFiles, SavingIntoItsOwnDirectoryLeavesAMappedModelWhole) {
  const Model mapped = Model::load(directory_.path());
  const std::vector<TokenId> ids = some_ids(test_.plain.config);
  mapped.save(directory_.path(), StorageType::kBFloat16);
  expect_same_bytes(everything(mapped, ids), everything(test_.model, ids));
  EXPECT_EQ(directory_.names(), (std::vector<std::string>{"config.json", "model.safetensors"}));
}

class WrongSinusoidalFiles : public WrongFiles {
 protected:
  WrongSinusoidalFiles() : WrongFiles("SinusoidalOddHeads") {}
};

TEST_F(WrongSinusoidalFiles, AMissingPositionTableIsComputed) {
  const std::vector<TokenId> ids = some_ids(test_.plain.config);
  const Seen expected = everything(Model::load(directory_.path()), ids);
  tensors_.erase("transformer.wpe.weight");
  write();
  const Seen found = everything(Model::load(directory_.path()), ids);
  for (const auto& [key, data] : expected)
    EXPECT_LE(relative_error(found.at(key).values,
                             std::vector<double>(data.values.begin(), data.values.end())),
              kTolerance)
        << stage_name(std::get<Stage>(key));
}

TEST_F(WrongSinusoidalFiles, APositionTableThatIsNotSinusoidalIsRefused) {
  Tensor& table = tensors_["transformer.wpe.weight"];
  for (const float wrong : {0.5f, std::numeric_limits<float>::quiet_NaN()}) {
    table.values[149 * 45 + 44] = wrong;
    write();
    expect_load_error(ErrorCode::kMalformed,
                      "is not the sinusoidal table: at position 149, column 44");
  }
}

class WrongUntiedFiles : public WrongFiles {
 protected:
  WrongUntiedFiles() : WrongFiles("UntiedSevenWideHeads") {}
};

TEST_F(WrongUntiedFiles, AMissingOutputMatrixIsNamed) {
  tensors_.erase("lm_head.weight");
  write();
  expect_load_error(ErrorCode::kMalformed, "the tensor lm_head.weight is missing");
}

// GPT2Model saves no lm_head: everything but logits can be had, and saved again.
TEST_F(WrongUntiedFiles, AModelWithoutAHeadHasVectorsAndNoLogits) {
  std::map<std::string, Tensor> renamed;
  for (const auto& [name, tensor] : tensors_)
    if (name != "lm_head.weight") renamed[name.substr(std::strlen("transformer."))] = tensor;
  tensors_ = renamed;
  write();
  const std::vector<TokenId> ids = some_ids(test_.plain.config);
  for (int round = 0; round < 2; ++round) {
    const Model headless = Model::load(directory_.path());
    Collector final({Stage::kFinal}), logits({Stage::kLogits});
    headless.forward(make_batch({{ids}}).batch(), final, {.threads = 1});
    EXPECT_EQ(final.seen.at({Stage::kFinal, 0, 0, 0}),
              everything(test_.model, ids).at({Stage::kFinal, 0, 0, 0}));
    EXPECT_THROW(headless.forward(make_batch({{ids}}).batch(), logits), std::invalid_argument);
    headless.save(directory_.path());
  }
}

}  // namespace
}  // namespace glassgpt::testing

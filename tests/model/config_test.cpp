// config.json: what is read, what is written, what is refused by name.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "glassgpt/config.h"
#include "io/file.h"
#include "io/json.h"
#include "tests/io/temporary_directory.h"

namespace glassgpt::testing {
namespace {

using nlohmann::json;

class Config : public ::testing::Test {
 protected:
  ModelConfig read(const json& object) {
    io::write_file(file_, object.dump());
    return read_config(file_);
  }
  void expect_refused(const json& changes, ErrorCode code, const std::string& part) {
    json object = minimal_;
    object.update(changes);
    expect_error([&] { read(object); }, code, part, file_.string());
  }

  TemporaryDirectory directory_;
  std::filesystem::path file_ = directory_ / "config.json";
  json minimal_ = {{"vocab_size", 100}, {"n_embd", 24}, {"n_layer", 2}, {"n_head", 3}};
};

TEST_F(Config, WhatIsWrittenIsReadAgain) {
  const ModelConfig config{.vocab_size = 8192,
                           .n_positions = 256,
                           .n_embd = 252,
                           .n_layer = 6,
                           .n_head = 7,
                           .n_inner = 1000,
                           .layer_norm_epsilon = 3e-6f,
                           .activation = ActivationFunction::kGeluErf,
                           .position_encoding = PositionEncoding::kSinusoidal,
                           .embedding_scale = 15.8745f,
                           .tie_word_embeddings = false,
                           .scale_attn_weights = false,
                           .scale_attn_by_inverse_layer_idx = true};
  write_config(config, file_);
  const ModelConfig read = read_config(file_);
  EXPECT_EQ(read.vocab_size, config.vocab_size);
  EXPECT_EQ(read.n_positions, config.n_positions);
  EXPECT_EQ(read.n_embd, config.n_embd);
  EXPECT_EQ(read.n_layer, config.n_layer);
  EXPECT_EQ(read.n_head, config.n_head);
  EXPECT_EQ(read.n_inner, config.n_inner);
  EXPECT_EQ(read.layer_norm_epsilon, config.layer_norm_epsilon);
  EXPECT_EQ(read.activation, config.activation);
  EXPECT_EQ(read.position_encoding, config.position_encoding);
  EXPECT_EQ(read.embedding_scale, config.embedding_scale);
  EXPECT_EQ(read.tie_word_embeddings, config.tie_word_embeddings);
  EXPECT_EQ(read.scale_attn_weights, config.scale_attn_weights);
  EXPECT_EQ(read.scale_attn_by_inverse_layer_idx, config.scale_attn_by_inverse_layer_idx);
}

TEST_F(Config, HasTheKeysThatTransformersReads) {
  write_config({.vocab_size = 10, .n_positions = 20, .n_embd = 8, .n_layer = 1, .n_head = 2},
               file_);
  const json object = io::read_json(file_);
  EXPECT_EQ(object.at("model_type"), "gpt2");
  EXPECT_EQ(object.at("architectures"), json({"GPT2LMHeadModel"}));
  EXPECT_EQ(object.at("activation_function"), "gelu_new");
  EXPECT_EQ(object.at("n_ctx"), 20);
  EXPECT_TRUE(object.at("n_inner").is_null());
  EXPECT_EQ(object.at("layer_norm_epsilon").dump(), "1e-05");
  EXPECT_EQ(object.at("torch_dtype"), "float32");
}

TEST_F(Config, WhatIsLeftOutHasGpt2sDefaults) {
  const ModelConfig config = read(minimal_);
  EXPECT_EQ(config.n_positions, 1024u);
  EXPECT_EQ(config.inner(), 96u);
  EXPECT_EQ(config.layer_norm_epsilon, 1e-5f);
  EXPECT_EQ(config.activation, ActivationFunction::kGeluTanh);
  EXPECT_EQ(config.position_encoding, PositionEncoding::kLearned);
  EXPECT_EQ(config.embedding_scale, 1.0f);
  EXPECT_TRUE(config.tie_word_embeddings);
  EXPECT_TRUE(config.scale_attn_weights);
  EXPECT_FALSE(config.scale_attn_by_inverse_layer_idx);
}

TEST_F(Config, TheFormsOfGeluAreTold) {
  const auto activation = [&](const char* name) {
    json object = minimal_;
    object["activation_function"] = name;
    return read(object).activation;
  };
  for (const char* name : {"gelu_new", "gelu_pytorch_tanh", "gelu_fast", "gelu_accurate"})
    EXPECT_EQ(activation(name), ActivationFunction::kGeluTanh) << name;
  for (const char* name : {"gelu", "gelu_python"})
    EXPECT_EQ(activation(name), ActivationFunction::kGeluErf) << name;
}

TEST_F(Config, TheScalesOfAttentionAreReadAndAppliedByBlock) {
  json object = minimal_;  // heads of 8
  EXPECT_FLOAT_EQ(read(object).attention_scale(1), 0.35355339f);
  object["scale_attn_by_inverse_layer_idx"] = true;
  EXPECT_FLOAT_EQ(read(object).attention_scale(0), 0.35355339f);
  EXPECT_FLOAT_EQ(read(object).attention_scale(3), 0.08838835f);
  object["scale_attn_weights"] = false;
  EXPECT_EQ(read(object).attention_scale(3), 0.25f);
}

// Another order of the same operations, and what only training or other heads look at.
TEST_F(Config, KeysThatDoNotChangeTheVectorsAreAccepted) {
  json object = minimal_;
  object.update({{"reorder_and_upcast_attn", true},
                 {"attn_pdrop", 0.1},
                 {"summary_type", "cls_index"},
                 {"use_cache", true},
                 {"pruned_heads", json::object()},
                 {"transformers_version", "4.40.2"}});
  EXPECT_EQ(read(object).n_embd, 24u);
}

TEST_F(Config, WhatIsNotComputedIsRefusedByName) {
  const auto unsupported = ErrorCode::kUnsupported;
  // The other names that Transformers has for activation functions.
  for (const std::string name : {"gelu_10", "laplace", "leaky_relu", "linear", "mish", "quick_gelu",
                                 "relu", "relu2", "relu6", "sigmoid", "silu", "swish", "tanh"})
    expect_refused({{"activation_function", name}}, unsupported,
                   "activation_function is \"" + name +
                       "\", which glassgpt does not compute; supported: gelu_new, ");
  expect_refused({{"model_type", "llama"}}, unsupported, "model_type is \"llama\"");
  expect_refused({{"add_cross_attention", true}}, unsupported, "add_cross_attention is true");
  expect_refused({{"is_encoder_decoder", true}}, unsupported, "is_encoder_decoder is true");
  expect_refused({{"pruned_heads", {{"0", {1, 2}}}}}, unsupported, "pruned_heads is {");
  expect_refused({{"quantization_config", {{"bits", 4}}}}, unsupported, "quantization_config");
  expect_refused({{"position_encoding", "rotary"}}, unsupported, "position_encoding is \"rotary\"");
}

TEST_F(Config, WrongTypesAreNamed) {
  const auto malformed = ErrorCode::kMalformed;
  expect_refused({{"n_embd", "24"}}, malformed, "n_embd is \"24\", expected a whole number");
  expect_refused({{"n_embd", -24}}, malformed, "n_embd is -24, expected a whole number");
  expect_refused({{"n_embd", 24.5}}, malformed, "n_embd is 24.5");
  expect_refused({{"vocab_size", 1e300}}, malformed, "vocab_size");
  expect_refused({{"vocab_size", {1, 2}}}, malformed, "vocab_size is [1,2]");
  expect_refused({{"layer_norm_epsilon", "small"}}, malformed, "layer_norm_epsilon");
  expect_refused({{"tie_word_embeddings", 1}}, malformed,
                 "tie_word_embeddings is 1, expected true or false");
  expect_refused({{"scale_attn_weights", "no"}}, malformed, "scale_attn_weights is \"no\"");
  expect_refused({{"reorder_and_upcast_attn", 1}}, malformed, "reorder_and_upcast_attn is 1");
  expect_refused({{"activation_function", std::string(1000, 'x')}}, ErrorCode::kUnsupported, "...");
  expect_refused({{"n_layer", nullptr}}, malformed, "the key \"n_layer\" is missing");
}

TEST_F(Config, SizesBeyondReasonAreRefused) {
  const auto out_of_range = ErrorCode::kOutOfRange;
  expect_refused({{"n_embd", 0}}, out_of_range, "n_embd is 0");
  expect_refused({{"n_layer", 0}}, out_of_range, "n_layer is 0");
  expect_refused({{"n_inner", 0}}, out_of_range, "n_inner is 0");
  expect_refused({{"n_head", 5}}, out_of_range, "expected a multiple of n_head, which is 5");
  expect_refused({{"n_head", 48}}, out_of_range, "n_head is 48");
  expect_refused({{"vocab_size", 18446744073709551615u}}, out_of_range,
                 "vocab_size is 18446744073709551615");
  expect_refused({{"n_positions", 1u << 30}}, out_of_range, "n_positions");
  expect_refused({{"n_embd", 3 << 16}, {"n_layer", 4096}}, out_of_range, "parameters");
  expect_refused({{"layer_norm_epsilon", 0}}, out_of_range, "layer_norm_epsilon");
  expect_refused({{"embedding_scale", -1}}, out_of_range, "embedding_scale");
  expect_refused({{"embedding_scale", 1e300}}, out_of_range, "embedding_scale");
}

TEST_F(Config, FilesThatAreNoConfigurationAreRefused) {
  const auto refused = [&](const std::string& text, ErrorCode code, const std::string& part) {
    io::write_file(file_, text);
    expect_error([&] { read_config(file_); }, code, part);
  };
  refused("", ErrorCode::kMalformed, "config.json");
  refused("{\"vocab_size\": 1", ErrorCode::kMalformed, "config.json");
  refused("[]", ErrorCode::kMalformed, "expected a JSON object");
  refused("{}", ErrorCode::kMalformed, "the key \"vocab_size\" is missing");
  refused(std::string(100000, '['), ErrorCode::kOutOfRange, "config.json");
  expect_error([&] { read_config(directory_ / "none.json"); }, ErrorCode::kNotFound, "none.json");
}

TEST_F(Config, WritingAnImpossibleOneIsRefused) {
  EXPECT_THROW(write_config({.n_embd = 10, .n_head = 3}, file_), std::invalid_argument);
  EXPECT_FALSE(std::filesystem::exists(file_));
}

TEST_F(Config, ParametersOfGpt2) { EXPECT_EQ(ModelConfig{}.parameters(), 124439808u); }

}  // namespace
}  // namespace glassgpt::testing

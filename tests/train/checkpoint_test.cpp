// Checkpoints: what comes back is what went in, and nothing else is accepted.
#include "train/checkpoint.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>

#include "io/file.h"
#include "io/safetensors.h"
#include "tests/io/temporary_directory.h"
#include "tests/train/tiny_models.h"

namespace glassgpt::testing {
namespace {

namespace fs = std::filesystem;
using namespace training;

constexpr RunIdentity kIdentity{.config = 11, .tokenizer = 22, .data = 33, .seed = 44};

class CheckpointTest : public ::testing::Test {
 protected:
  CheckpointTest() {
    const TinyBatch batch = random_batch(config_, {9, 4}, 1);
    learner_.accumulate(batch.batch(), batch.targets, 0.1f);
    learner_.update(1, 0.01);
    state_ = {.step = 12,
              .windows = 34,
              .tokens = 56,
              .interval_loss = 0.1 + 0.2,
              .interval_tokens = 7,
              .best_bits_per_byte = 1.0 / 3,
              .arithmetic = {"abacus", "by hand", "fractions"}};
    write_checkpoint(file_, learner_, state_, kIdentity);
  }

  static std::vector<float> everything(Learner& learner) {
    std::vector<float> all = learner.parameters();
    const std::size_t size = all.size();
    all.insert(all.end(), learner.moment1(), learner.moment1() + size);
    all.insert(all.end(), learner.moment2(), learner.moment2() + size);
    return all;
  }

  // A fresh learner must refuse the file and be left as it was.
  void expect_refused(ErrorCode code, const std::string& part,
                      const RunIdentity& identity = kIdentity) {
    Learner fresh(config_, random_parameters(config_, 9), {}, {});
    const std::vector<float> before = everything(fresh);
    expect_error([&] { read_checkpoint(file_, fresh, identity); }, code, part, file_.string());
    EXPECT_EQ(everything(fresh), before);
  }

  TemporaryDirectory directory_;
  ModelConfig config_ = tiny_sinusoidal();
  Learner learner_{config_, random_parameters(config_, 3), {}, {}};
  RunState state_;
  fs::path file_ = checkpoint_path(directory_.path(), 12);
};

TEST_F(CheckpointTest, ComesBackBitForBit) {
  Learner fresh(config_, random_parameters(config_, 9), {}, {});
  const RunState state = read_checkpoint(file_, fresh, kIdentity);
  EXPECT_EQ(everything(fresh), everything(learner_));
  EXPECT_EQ(state.step, 12u);
  EXPECT_EQ(state.windows, 34u);
  EXPECT_EQ(state.tokens, 56u);
  EXPECT_EQ(state.interval_loss, 0.1 + 0.2);
  EXPECT_EQ(state.interval_tokens, 7u);
  EXPECT_EQ(state.best_bits_per_byte, 1.0 / 3);
  EXPECT_EQ(state.arithmetic.isa, "abacus");
  EXPECT_EQ(state.arithmetic.gemm, "by hand");
  EXPECT_EQ(state.arithmetic.compute, "fractions");
  // The packed weights follow: the same loss.
  const TinyBatch batch = random_batch(config_, {5}, 2);
  std::vector<float> a(5), b(5);
  learner_.losses(batch.batch(), batch.targets, a.data());
  fresh.losses(batch.batch(), batch.targets, b.data());
  EXPECT_EQ(a, b);
}

TEST_F(CheckpointTest, OneThatDoesNotSayWhatComputedItIsReadAsWell) {
  state_.arithmetic = {};
  write_checkpoint(file_, learner_, state_, kIdentity);
  EXPECT_EQ(io::read_file(file_).find("isa"), std::string::npos);
  const RunState state = read_checkpoint(file_, learner_, kIdentity);
  EXPECT_EQ(state.step, 12u);
  EXPECT_EQ(state.arithmetic.isa + state.arithmetic.gemm + state.arithmetic.compute, "");
}

TEST_F(CheckpointTest, AnyTruncationIsAnError) {
  const std::string good = io::read_file(file_);
  for (std::size_t size = 0; size < good.size(); size += 1 + size / 6) {
    io::write_file(file_, good.substr(0, size));
    Learner fresh(config_, random_parameters(config_, 9), {}, {});
    EXPECT_THROW(read_checkpoint(file_, fresh, kIdentity), Error) << size;
  }
}

TEST_F(CheckpointTest, AFlippedBitInATensorIsFound) {
  const std::string good = io::read_file(file_);
  std::uint64_t header = 0;
  std::memcpy(&header, good.data(), 8);
  for (std::size_t at = 8 + header; at < good.size(); at += 1009) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    io::write_file(file_, bad);
    expect_refused(ErrorCode::kMalformed, "damaged");
  }
}

TEST_F(CheckpointTest, AnotherRunsCheckpointIsRefusedByName) {
  const auto with = [](auto change) {
    RunIdentity identity = kIdentity;
    change(identity);
    return identity;
  };
  expect_refused(ErrorCode::kUnsupported, "model configuration",
                 with([](RunIdentity& i) { i.config = 1; }));
  expect_refused(ErrorCode::kUnsupported, "tokenizer",
                 with([](RunIdentity& i) { i.tokenizer = 1; }));
  expect_refused(ErrorCode::kUnsupported, "corpus", with([](RunIdentity& i) { i.data = 1; }));
  expect_refused(ErrorCode::kUnsupported, "seed", with([](RunIdentity& i) { i.seed = 1; }));
}

TEST(ConfigHash, TellsEveryFieldApartAndIsThatOfCheckpointsThatExist) {
  using Change = void (*)(ModelConfig&);
  const Change changes[] = {
      [](ModelConfig& c) { c.vocab_size = 20; },
      [](ModelConfig& c) { c.n_positions = 8; },
      [](ModelConfig& c) { c.n_embd = 12; },
      [](ModelConfig& c) { c.n_layer = 3; },
      [](ModelConfig& c) { c.n_head = 1; },
      [](ModelConfig& c) { c.n_inner = 28; },
      [](ModelConfig& c) { c.layer_norm_epsilon = 1e-6f; },
      [](ModelConfig& c) { c.activation = ActivationFunction::kGeluTanh; },
      [](ModelConfig& c) { c.position_encoding = PositionEncoding::kSinusoidal; },
      [](ModelConfig& c) { c.embedding_scale = 2.0f; },
      [](ModelConfig& c) { c.tie_word_embeddings = true; },
      [](ModelConfig& c) { c.scale_attn_weights = false; },
      [](ModelConfig& c) { c.scale_attn_by_inverse_layer_idx = true; },
  };
  std::set<std::uint64_t> hashes{config_hash(tiny_learned())};
  // SplitMix64 over the fields in their order, computed elsewhere.
  EXPECT_EQ(*hashes.begin(), 0x3661573fb69738dau);
  for (const Change change : changes) {
    ModelConfig config = tiny_learned();
    change(config);
    EXPECT_TRUE(hashes.insert(config_hash(config)).second) << hashes.size();
  }
}

TEST_F(CheckpointTest, OtherFilesAreRefused) {
  const std::vector<float> values(4, 0.0f);
  const std::vector<io::TensorToWrite> tensors{{"x", {4}, values.data()}};
  io::write_safetensors(file_, tensors, io::DType::kF32);
  expect_refused(ErrorCode::kMalformed, "not a checkpoint");
  io::write_safetensors(file_, tensors, io::DType::kF32, {{"format", "something"}});
  expect_refused(ErrorCode::kMalformed, "another format");
  for (const char* state : {"", "[", "{}", "[1]", "{\"step\": -1}", "{\"config\": 3}",
                            "{\"step\":1e99,\"config\":\"b\",\"tokenizer\":\"16\","
                            "\"data\":\"21\",\"seed\":\"2c\"}"}) {
    io::write_safetensors(file_, tensors, io::DType::kF32,
                          {{"format", "glassgpt-checkpoint-1"}, {"state", state}, {"hash", "0"}});
    expect_refused(ErrorCode::kMalformed, "");
  }
}

TEST_F(CheckpointTest, AnotherShapeIsRefused) {
  ModelConfig other = config_;
  other.n_inner = 24;
  Learner fresh(other, random_parameters(other, 9), {}, {});
  expect_error([&] { read_checkpoint(file_, fresh, kIdentity); }, ErrorCode::kMalformed,
               "h.0.mlp.c_fc.weight");
}

TEST_F(CheckpointTest, OnlyTheNewestAreKeptAndStrangersAreLeftAlone) {
  for (const std::uint64_t step : {5u, 100000000u, 20u})
    io::write_file(checkpoint_path(directory_.path(), step), "x");
  const fs::path folder = directory_ / "checkpoints";
  for (const char* name : {"step_.safetensors", "step_1x.safetensors", "notes.txt"})
    io::write_file(folder / name, "x");
  const std::vector<fs::path> all = list_checkpoints(directory_.path());
  ASSERT_EQ(all.size(), 4u);
  EXPECT_EQ(all[0].filename(), "step_100000000.safetensors");
  EXPECT_EQ(all[3].filename(), "step_00000005.safetensors");
  remove_old_checkpoints(directory_.path(), 2);
  EXPECT_EQ(list_checkpoints(directory_.path()).size(), 2u);
  EXPECT_TRUE(fs::exists(all[1]));
  EXPECT_FALSE(fs::exists(all[2]));
  EXPECT_TRUE(fs::exists(folder / "notes.txt"));
}

}  // namespace
}  // namespace glassgpt::testing

// Models in the formats of other programs: every bit comes back, each weight lies where the other
// program looks for it, and what a format cannot say is refused by name.
#include "model/formats.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <map>
#include <optional>
#include <tuple>

#include "io/file.h"
#include "io/half.h"
#include "model/parts.h"
#include "support.h"
#include "tests/io/gguf_bytes.h"
#include "tests/io/safetensors_bytes.h"
#include "tests/io/temporary_directory.h"

namespace glassgpt::testing {
namespace {

// What all three formats can say; odd sizes, so that no two extents are equal.
ModelConfig plain_config() {
  return {.vocab_size = 61, .n_positions = 40, .n_embd = 21, .n_layer = 2, .n_head = 3};
}
ModelConfig sinusoidal_config() {
  ModelConfig config = plain_config();
  config.position_encoding = PositionEncoding::kSinusoidal;
  config.embedding_scale = 4.0f;
  return config;
}
ModelConfig untied_config() {
  ModelConfig config = plain_config();
  config.n_inner = 50;
  config.layer_norm_epsilon = 1e-3f;
  config.tie_word_embeddings = false;
  return config;
}
ModelConfig erf_config() {
  ModelConfig config = plain_config();
  config.activation = ActivationFunction::kGeluErf;
  return config;
}

bool same_bits(const float* a, const float* b, std::size_t floats) {
  return std::memcmp(a, b, floats * sizeof(float)) == 0;
}

// All tensors and the configuration, as the model directory would have them.
void expect_same_model(const Model& found, const Model& expected) {
  const TemporaryDirectory directory;
  expected.save(directory / "expected");
  found.save(directory / "found");
  for (const char* name : {"config.json", "model.safetensors"}) {
    EXPECT_EQ(io::read_file(directory / "found" / name),
              io::read_file(directory / "expected" / name))
        << name;
  }
}

class Formats : public ::testing::Test {
 protected:
  std::filesystem::path file() const { return directory_ / "f"; }
  std::string bytes() const { return io::read_file(file()); }

  Model gguf_back(const Model& model, StorageType type = StorageType::kFloat32) {
    save_gguf(model, file(), type, std::nullopt);
    return load_gguf(io::GgufFile(file()).contents());
  }
  Model llmc_back(const Model& model, StorageType type = StorageType::kFloat32) {
    save_llmc(model, file(), type);
    return load_llmc(io::LlmcFile(file()).contents());
  }
  Model npz_back(const Model& model, StorageType type = StorageType::kFloat32) {
    save_npz(model, file(), type, "");
    return load_npz(io::NpzFile(file()).contents());
  }

  template <class Save>
  void expect_unsupported(Save save, const std::string& part) {
    expect_error(save, ErrorCode::kUnsupported, part, file().string());
    EXPECT_TRUE(directory_.names().empty());
  }

  TemporaryDirectory directory_;
};

TEST_F(Formats, EveryBitComesBackFromEachFormat) {
  const TestModel plain = make_test_model(plain_config());
  expect_same_model(gguf_back(plain.model), plain.model);
  expect_same_model(llmc_back(plain.model), plain.model);
  expect_same_model(npz_back(plain.model), plain.model);
  const TestModel untied = make_test_model(untied_config());
  expect_same_model(gguf_back(untied.model), untied.model);
  expect_same_model(npz_back(untied.model), untied.model);
  const TestModel erf = make_test_model(erf_config());
  expect_same_model(npz_back(erf.model), erf.model);
}

TEST_F(Formats, ASinusoidalTableIsWrittenAsPositionsAndTheScaleIsFoldedIn) {
  const TestModel test = make_test_model(sinusoidal_config());
  expect_same_model(gguf_back(test.model), test.model);
  expect_same_model(npz_back(test.model), test.model);
  // llm.c has no place for the name of the table: it comes back as positions like others.
  const Model back = llmc_back(test.model);
  EXPECT_EQ(back.config().position_encoding, PositionEncoding::kLearned);
  const std::vector<TokenId> ids = random_ids(20, 61, 3);
  const TemporaryDirectory saved;
  test.model.save(saved.path());
  Collector found, expected;
  back.forward(make_batch({{ids}}).batch(), found, {.threads = 1});
  Model::load(saved.path()).forward(make_batch({{ids}}).batch(), expected, {.threads = 1});
  expect_same_bytes(found.seen, expected.seen);
}

TEST_F(Formats, GgufHasEachWeightWhereLlamaCppLooksForIt) {
  const TestModel test = make_test_model(untied_config());
  save_gguf(test.model, file(), StorageType::kFloat32, std::nullopt);
  const io::GgufFile gguf(file());
  const io::GgufContents& contents = gguf.contents();
  EXPECT_EQ(contents.text("general.architecture"), "gpt2");
  EXPECT_EQ(contents.whole_number("general.file_type"), 0u);
  EXPECT_EQ(contents.whole_number("gpt2.context_length"), 40u);
  EXPECT_EQ(contents.whole_number("gpt2.embedding_length"), 21u);
  EXPECT_EQ(contents.whole_number("gpt2.feed_forward_length"), 50u);
  EXPECT_EQ(contents.whole_number("gpt2.block_count"), 2u);
  EXPECT_EQ(contents.whole_number("gpt2.attention.head_count"), 3u);
  EXPECT_EQ(contents.number("gpt2.attention.layer_norm_epsilon"), 1e-3f);
  EXPECT_EQ(contents.text("tokenizer.ggml.model"), "no_vocab");
  EXPECT_FALSE(contents.text("glassgpt.position_encoding"));
  ASSERT_EQ(contents.tensors().size(), 2 * 12 + 5u);

  // The tensor in Hugging Face's layout, [in, out], beside the file's [out, in].
  const auto expect_transposed = [&](const char* theirs, const char* ours, std::size_t in,
                                     std::size_t out) {
    const io::TensorView* view = contents.find(theirs);
    ASSERT_NE(view, nullptr) << theirs;
    EXPECT_EQ(view->shape, (std::vector<std::uint64_t>{out, in})) << theirs;
    std::vector<float> values(in * out);
    io::to_float(*view, values.data());
    const std::vector<double>& expected = test.plain.tensors.at(ours);
    for (std::size_t i = 0; i < in; ++i)
      for (std::size_t o = 0; o < out; ++o)
        ASSERT_EQ(static_cast<double>(values[o * in + i]), expected[i * out + o])
            << theirs << " " << i << " " << o;
  };
  expect_transposed("blk.1.attn_qkv.weight", "h.1.attn.c_attn.weight", 21, 63);
  expect_transposed("blk.0.attn_output.weight", "h.0.attn.c_proj.weight", 21, 21);
  expect_transposed("blk.0.ffn_up.weight", "h.0.mlp.c_fc.weight", 21, 50);
  expect_transposed("blk.1.ffn_down.weight", "h.1.mlp.c_proj.weight", 50, 21);

  const auto expect_same = [&](const char* theirs, const char* ours) {
    const io::TensorView* view = contents.find(theirs);
    ASSERT_NE(view, nullptr) << theirs;
    std::vector<float> values(view->elements());
    io::to_float(*view, values.data());
    const std::vector<double>& expected = test.plain.tensors.at(ours);
    EXPECT_TRUE(std::equal(values.begin(), values.end(), expected.begin(), expected.end(),
                           [](float a, double b) { return static_cast<double>(a) == b; }))
        << theirs;
  };
  expect_same("token_embd.weight", "wte.weight");
  expect_same("position_embd.weight", "wpe.weight");
  expect_same("output.weight", "lm_head.weight");
  expect_same("output_norm.weight", "ln_f.weight");
  expect_same("output_norm.bias", "ln_f.bias");
  expect_same("blk.0.attn_norm.weight", "h.0.ln_1.weight");
  expect_same("blk.1.attn_norm.bias", "h.1.ln_1.bias");
  expect_same("blk.0.attn_qkv.bias", "h.0.attn.c_attn.bias");
  expect_same("blk.0.attn_output.bias", "h.0.attn.c_proj.bias");
  expect_same("blk.1.ffn_norm.weight", "h.1.ln_2.weight");
  expect_same("blk.1.ffn_norm.bias", "h.1.ln_2.bias");
  expect_same("blk.1.ffn_up.bias", "h.1.mlp.c_fc.bias");
  expect_same("blk.1.ffn_down.bias", "h.1.mlp.c_proj.bias");
}

TEST_F(Formats, SixteenBitGgufKeepsNormsBiasesAndPositionsInFloat32) {
  const TestModel test = make_test_model(plain_config());
  const std::tuple<StorageType, const char*, std::uint64_t> types[] = {
      {StorageType::kFloat16, "F16", 1}, {StorageType::kBFloat16, "BF16", 32}};
  for (const auto& [type, name, number] : types) {
    save_gguf(test.model, file(), type, std::nullopt);
    const io::GgufFile gguf(file());
    EXPECT_EQ(gguf.contents().whole_number("general.file_type"), number);
    for (const auto& [tensor, view] : gguf.contents().tensors()) {
      const bool is_matrix = view.shape.size() == 2 && tensor != "position_embd.weight";
      EXPECT_EQ(view.dtype_name, is_matrix ? name : "F32") << tensor;
    }
    // What comes back is the rounded model, and rounding it again changes nothing.
    const Model back = load_gguf(gguf.contents());
    const float* table = back.parts().tensors.token_embedding;
    for (std::size_t i = 0; i < 61 * 21; ++i) {
      const float value = test.buffer[i];
      ASSERT_EQ(table[i], type == StorageType::kFloat16
                              ? io::half_to_float(io::float_to_half(value))
                              : io::bfloat16_to_float(io::float_to_bfloat16(value)));
    }
    const std::string first = bytes();
    save_gguf(back, file(), type, std::nullopt);
    EXPECT_EQ(bytes(), first);
  }
}

// Offsets counted from llm.c's own list of its parameters.
TEST_F(Formats, LlmcHasEachWeightWhereItsProgramsLookForIt) {
  const TestModel test = make_test_model(plain_config());
  save_llmc(test.model, file(), StorageType::kFloat32);
  const std::string content = bytes();
  constexpr std::size_t kC = 21, kPadded = 128;
  std::vector<float> floats((content.size() - 1024) / sizeof(float));
  std::memcpy(floats.data(), content.data() + 1024, floats.size() * sizeof(float));
  std::int32_t header[8];
  std::memcpy(header, content.data(), sizeof header);
  EXPECT_EQ(std::vector<std::int32_t>(header, header + 8),
            (std::vector<std::int32_t>{20240326, 3, 40, 61, 2, 3, 21, 128}));
  const auto value = [&](const char* name, std::size_t index) {
    return static_cast<float>(test.plain.tensors.at(name)[index]);
  };
  std::size_t at = 0;
  EXPECT_EQ(floats[at + 60 * kC + 20], value("wte.weight", 60 * kC + 20));
  for (std::size_t i = 61 * kC; i < kPadded * kC; ++i) ASSERT_EQ(floats[at + i], 0.0f);
  at += kPadded * kC;
  EXPECT_EQ(floats[at + 5], value("wpe.weight", 5));
  at += 40 * kC;
  EXPECT_EQ(floats[at + kC + 3], value("h.1.ln_1.weight", 3));
  at += 2 * kC;
  EXPECT_EQ(floats[at + 3], value("h.0.ln_1.bias", 3));
  at += 2 * kC;
  // qkvw is [L, 3C, C]: row o of layer 1 has what feeds output o.
  EXPECT_EQ(floats[at + 3 * kC * kC + 7 * kC + 4], value("h.1.attn.c_attn.weight", 4 * 3 * kC + 7));
  at += 2 * 3 * kC * kC;
  EXPECT_EQ(floats[at + 3 * kC + 1], value("h.1.attn.c_attn.bias", 1));
  at += 2 * 3 * kC;
  EXPECT_EQ(floats[at + 2 * kC + 6], value("h.0.attn.c_proj.weight", 6 * kC + 2));
  at += 2 * kC * kC;
  EXPECT_EQ(floats[at + 8], value("h.0.attn.c_proj.bias", 8));
  at += 2 * kC;
  EXPECT_EQ(floats[at + kC + 1], value("h.1.ln_2.weight", 1));
  at += 2 * kC;
  EXPECT_EQ(floats[at + kC], value("h.1.ln_2.bias", 0));
  at += 2 * kC;
  // fcw is [L, 4C, C], fcprojw [L, C, 4C].
  EXPECT_EQ(floats[at + 80 * kC + 2], value("h.0.mlp.c_fc.weight", 2 * 4 * kC + 80));
  at += 2 * 4 * kC * kC;
  EXPECT_EQ(floats[at + 4 * kC + 9], value("h.1.mlp.c_fc.bias", 9));
  at += 2 * 4 * kC;
  EXPECT_EQ(floats[at + 4 * kC * kC + 3 * 4 * kC + 70],
            value("h.1.mlp.c_proj.weight", 70 * kC + 3));
  at += 2 * 4 * kC * kC;
  EXPECT_EQ(floats[at + kC + 20], value("h.1.mlp.c_proj.bias", 20));
  at += 2 * kC;
  EXPECT_EQ(floats[at + 1], value("ln_f.weight", 1));
  EXPECT_EQ(floats[at + kC + 1], value("ln_f.bias", 1));
  EXPECT_EQ(floats.size(), at + 2 * kC);
}

TEST_F(Formats, SixteenBitLlmcAndNpzComeBackRounded) {
  const TestModel test = make_test_model(plain_config());
  const Model llmc = llmc_back(test.model, StorageType::kBFloat16);
  const Model npz = npz_back(test.model, StorageType::kFloat16);
  for (std::size_t i = 0; i < 61 * 21; ++i) {
    const float value = test.buffer[i];
    ASSERT_EQ(llmc.parts().tensors.token_embedding[i],
              io::bfloat16_to_float(io::float_to_bfloat16(value)));
    ASSERT_EQ(npz.parts().tensors.token_embedding[i], io::half_to_float(io::float_to_half(value)));
  }
}

TEST_F(Formats, NpzHasTheNamesThatHuggingFaceHas) {
  const TestModel test = make_test_model(plain_config());
  save_npz(test.model, file(), StorageType::kFloat32, "{}");
  const io::NpzFile npz(file());
  const auto& members = npz.contents().members;
  EXPECT_EQ(members.size(), 2 + 4 + 2 * 12u);
  EXPECT_TRUE(members.contains("config.json"));
  EXPECT_TRUE(members.contains("tokenizer.json"));
  const io::NpyArray array =
      io::parse_npy(members.at("transformer.h.1.mlp.c_fc.weight.npy"), "array");
  EXPECT_EQ(array.shape, (std::vector<std::uint64_t>{21, 84}));
  EXPECT_EQ(static_cast<double>(array.data[85]), test.plain.tensors.at("h.1.mlp.c_fc.weight")[85]);
}

TEST_F(Formats, AModelWithoutAHeadKeepsItsNamesInNpz) {
  const TestModel test = make_test_model(untied_config());
  ModelTensors<const float> tensors = test.model.parts().tensors;
  tensors.lm_head = nullptr;
  const Model headless = make_model(test.model.config(), tensors, test.model.parts().storage);
  expect_unsupported([&] { save_gguf(headless, file(), StorageType::kFloat32, std::nullopt); },
                     "no lm_head.weight");
  const Model back = npz_back(headless);
  EXPECT_EQ(back.parts().tensors.lm_head, nullptr);
  expect_same_model(back, headless);
}

TEST_F(Formats, WhatAFormatCannotSayIsRefusedByName) {
  const auto gguf = [&](const ModelConfig& config) {
    return [this, config] {
      save_gguf(make_test_model(config).model, file(), StorageType::kFloat32, std::nullopt);
    };
  };
  const auto llmc = [&](const ModelConfig& config, StorageType type = StorageType::kFloat32) {
    return [this, config, type] { save_llmc(make_test_model(config).model, file(), type); };
  };
  const ModelConfig unscaled = config_named("UnscaledAttention");
  const ModelConfig by_layer = config_named("ScaledByLayer");
  expect_unsupported(gguf(erf_config()), "activation function gelu");
  expect_unsupported(gguf(unscaled), "scale_attn_weights");
  expect_unsupported(gguf(by_layer), "scale_attn_by_inverse_layer_idx");
  expect_unsupported(llmc(erf_config()), "activation function gelu");
  expect_unsupported(llmc(unscaled), "scale_attn_weights");
  expect_unsupported(llmc(by_layer), "scale_attn_by_inverse_layer_idx");
  expect_unsupported(llmc(untied_config()), "not tied");
  ModelConfig config = plain_config();
  expect_unsupported(llmc(config, StorageType::kFloat16), "float16");
  config.n_inner = 50;
  expect_unsupported(llmc(config), "n_inner = 50");
  config = plain_config();
  config.layer_norm_epsilon = 1e-6f;
  expect_unsupported(llmc(config), "layer_norm_epsilon");
  expect_unsupported(
      [&] { save_npz(make_test_model(plain_config()).model, file(), StorageType::kBFloat16, ""); },
      "bfloat16");
}

TEST_F(Formats, ANumberThatSixteenBitsCannotHoldLeavesNoFile) {
  TestModel test = make_test_model(plain_config());
  test.buffer[5] = 1e6f;
  const TensorLayout layout(plain_config());
  const Model model = make_model(
      plain_config(), layout.tensors(static_cast<const float*>(test.buffer.data())), nullptr);
  EXPECT_THROW(save_gguf(model, file(), StorageType::kFloat16, std::nullopt),
               std::invalid_argument);
  EXPECT_THROW(save_npz(model, file(), StorageType::kFloat16, ""), std::invalid_argument);
  EXPECT_TRUE(directory_.names().empty());
}

// A GGUF file of the plain model, whose parts a test may change.
class WrongGguf : public Formats {
 protected:
  WrongGguf() {
    save_gguf(make_test_model(plain_config()).model, file(), StorageType::kFloat32, std::nullopt);
    bytes_ = bytes();
  }

  // All occurrences.
  void replace(const std::string& found, const std::string& with) {
    ASSERT_EQ(found.size(), with.size());
    std::size_t at = bytes_.find(found);
    ASSERT_NE(at, std::string::npos) << found;
    for (; at != std::string::npos; at = bytes_.find(found, at + 1)) {
      bytes_.replace(at, found.size(), with);
    }
  }
  // The value of a key, four bytes long, or the fields of a tensor behind its name.
  void patch(const std::string& name, std::size_t offset, std::uint32_t value) {
    const std::size_t at = bytes_.find(gguf_string(name));
    ASSERT_NE(at, std::string::npos) << name;
    std::memcpy(bytes_.data() + at + 8 + name.size() + offset, &value, sizeof value);
  }
  void expect_refused(ErrorCode code, const std::string& part) {
    expect_error([&] { load_gguf(io::parse_gguf(as_bytes(bytes_), "f")); }, code, part, "f");
  }

  std::string bytes_;
};

TEST_F(WrongGguf, OtherArchitecturesAreNamed) {
  replace("gpt2", "bert");
  expect_refused(ErrorCode::kUnsupported, "architecture \"bert\"");
}

TEST_F(WrongGguf, MissingValuesAreNamed) {
  replace("gpt2.block_count", "gpt2.block_c0unt");
  expect_refused(ErrorCode::kMalformed, "gpt2.block_count is missing");
}

TEST_F(WrongGguf, QuantizedTensorsSayWhatToDo) {
  patch("blk.0.ffn_up.weight", 4 + 16, 12);
  expect_refused(ErrorCode::kUnsupported, "blk.0.ffn_up.weight has type Q4_K");
  expect_refused(ErrorCode::kUnsupported, "quantized weights are not read");
}

TEST_F(WrongGguf, TensorsOfAnotherShapeOrNameAreNamed) {
  const std::string whole = bytes_;
  patch("blk.1.ffn_down.bias", 4, 20);
  expect_refused(ErrorCode::kMalformed, "blk.1.ffn_down.bias has shape [20], expected [21]");
  bytes_ = whole;
  replace("blk.1.ffn_down.bias", "blk.1.ffn_d0wn.bias");
  expect_refused(ErrorCode::kMalformed, "\"blk.1.ffn_d0wn.bias\" with shape [21]");
  bytes_ = whole;
  replace("token_embd.weight", "token_embX.weight");
  expect_refused(ErrorCode::kMalformed, "token_embd.weight is missing");
}

TEST_F(WrongGguf, SizesBeyondTheFileTakeNoMemory) {
  const std::string whole = bytes_;
  patch("gpt2.block_count", 4, 4096);
  expect_refused(ErrorCode::kMalformed, "has 28 tensors, expected 49156 for 4096 layers");
  patch("gpt2.block_count", 4, 0xFFFFFFFF);
  expect_refused(ErrorCode::kOutOfRange, "n_layer");
  bytes_ = whole;
  patch("gpt2.embedding_length", 4, 1 << 16);
  patch("gpt2.attention.head_count", 4, 1 << 16);
  expect_refused(ErrorCode::kMalformed, "has shape");
  bytes_ = whole;
  patch("gpt2.feed_forward_length", 4, 0);
  expect_refused(ErrorCode::kOutOfRange, "hidden width is 0");
  bytes_ = whole;
  patch("gpt2.attention.head_count", 4, 0);
  expect_refused(ErrorCode::kOutOfRange, "n_head");
}

TEST_F(Formats, AnOutputMatrixThatIsTheTableAgainIsTied) {
  ModelConfig config = plain_config();
  config.tie_word_embeddings = false;
  TestModel test = make_test_model(config);
  const std::size_t table = 61 * 21;
  std::copy_n(test.buffer.begin(), table, test.buffer.end() - static_cast<long>(table));
  const TensorLayout layout(config);
  const Model model =
      make_model(config, layout.tensors(static_cast<const float*>(test.buffer.data())), nullptr);
  const Model back = gguf_back(model);
  EXPECT_TRUE(back.config().tie_word_embeddings);
  EXPECT_TRUE(same_bits(back.parts().tensors.token_embedding, test.buffer.data(), table));
  expect_same_model(back, make_test_model(plain_config()).model);
}

TEST_F(Formats, FilesThatAreCutOffAreRefusedByEveryLoader) {
  ModelConfig config = plain_config();
  config.n_layer = 1;
  const TestModel test = make_test_model(config);
  save_gguf(test.model, directory_ / "g", StorageType::kFloat32, std::nullopt);
  save_llmc(test.model, directory_ / "l", StorageType::kFloat32);
  save_npz(test.model, directory_ / "n", StorageType::kFloat32, "");
  for (const char* name : {"g", "l", "n"}) {
    const std::string whole = io::read_file(directory_ / name);
    const std::size_t padding = 32;  // that may be missing behind GGUF's last tensor
    for (std::size_t size = 0; size < whole.size() - padding; size += 1 + size / 7) {
      const std::string cut = whole.substr(0, size);
      const auto load = [&] {
        if (*name == 'g') load_gguf(io::parse_gguf(as_bytes(cut), "f"));
        if (*name == 'l') load_llmc(io::parse_llmc(as_bytes(cut), "f"));
        if (*name == 'n') load_npz(io::parse_npz(as_bytes(cut), "f"));
      };
      expect_error(load, ErrorCode::kMalformed, "", "f");
    }
  }
}

// An npz file of the plain model, with members of the test's own.
class WrongNpz : public Formats {
 protected:
  std::string file_with(const std::function<void(std::map<std::string, std::string>&)>& change) {
    save_npz(make_test_model(plain_config()).model, file(), StorageType::kFloat32, "");
    const io::NpzFile npz(file());
    std::map<std::string, std::string> members;
    for (const auto& [name, bytes] : npz.contents().members)
      members[name] = {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    change(members);
    io::NpzWriter writer(directory_ / "changed");
    for (const auto& [name, bytes] : members) writer.add_bytes(name, bytes);
    writer.finish();
    return io::read_file(directory_ / "changed");
  }
  void expect_refused(const std::function<void(std::map<std::string, std::string>&)>& change,
                      ErrorCode code, const std::string& part) {
    const std::string bytes = file_with(change);
    expect_error([&] { load_npz(io::parse_npz(as_bytes(bytes), "f")); }, code, part);
  }
};

TEST_F(WrongNpz, MembersThatAreNotTheModelsAreNamed) {
  const std::string bias = "transformer.ln_f.bias.npy";
  EXPECT_NO_THROW(load_npz(io::parse_npz(as_bytes(file_with([](auto& /*members*/) {})), "f")));
  expect_refused([](auto& members) { members.erase("config.json"); }, ErrorCode::kMalformed,
                 "has no member config.json");
  expect_refused([](auto& members) { members["config.json"] = "{"; }, ErrorCode::kMalformed,
                 "config.json");
  expect_refused([&](auto& members) { members.erase(bias); }, ErrorCode::kMalformed,
                 "ln_f.bias is missing");
  expect_refused([&](auto& members) { members["x.npy"] = members[bias]; }, ErrorCode::kMalformed,
                 "\"x.npy\"");
  expect_refused([&](auto& members) { members[bias] = members["transformer.wpe.weight.npy"]; },
                 ErrorCode::kMalformed, "has shape [40, 21], expected [21]");
  expect_refused([&](auto& members) { members[bias].resize(100); }, ErrorCode::kMalformed,
                 "transformer.ln_f.bias");
}

}  // namespace
}  // namespace glassgpt::testing

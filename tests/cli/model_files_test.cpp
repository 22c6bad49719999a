// Model directories that are missing, broken or hostile: one clear error each, from the real
// program.
#include <cstring>

#include "program.h"

namespace glassgpt::testing {
namespace {

using nlohmann::json;

class BrokenModel : public Program {
 protected:
  ProgramRun embed() const { return run_glassgpt({"embed", "The cat"}); }

  // The header of model.safetensors, changed by `change`; the data stays.
  template <class Change>
  void change_header(Change change) const {
    const std::string file = read("model/model.safetensors");
    std::uint64_t length = 0;
    std::memcpy(&length, file.data(), 8);
    json header = json::parse(file.substr(8, length));
    change(header);
    const std::string text = header.dump();
    length = text.size();
    std::string prefix(8, '\0');
    std::memcpy(prefix.data(), &length, 8);
    write("model/model.safetensors", prefix + text + file.substr(8 + json_bytes(file)));
  }

 private:
  static std::size_t json_bytes(const std::string& file) {
    std::uint64_t length = 0;
    std::memcpy(&length, file.data(), 8);
    return length;
  }
};

TEST_F(BrokenModel, NoModelAtAll) {
  expect_failure(run_glassgpt({"embed", "-m", path("none"), "text"}), 1, "none");
  expect_failure(run_glassgpt({"tokenize", "-m", path("none"), "text"}), 1, "none");
}

TEST_F(BrokenModel, DirectoryWithoutWeights) {
  std::filesystem::remove(path("model/model.safetensors"));
  expect_failure(embed(), 1, "safetensors");
}

TEST_F(BrokenModel, DirectoryWithoutConfigOrTokenizer) {
  std::filesystem::rename(path("model/config.json"), path("config.json"));
  expect_failure(embed(), 1, "config.json");
  std::filesystem::rename(path("config.json"), path("model/config.json"));
  std::filesystem::remove(path("model/tokenizer.json"));
  expect_failure(embed(), 1, "model");
}

TEST_F(BrokenModel, TruncatedWeights) {
  const std::string file = read("model/model.safetensors");
  for (const std::size_t bytes :
       {std::size_t{0}, std::size_t{7}, std::size_t{100}, file.size() / 2, file.size() - 1}) {
    write("model/model.safetensors", file.substr(0, bytes));
    expect_failure(embed(), 1, "model.safetensors");
  }
}

TEST_F(BrokenModel, OversizedHeader) {
  std::string file = read("model/model.safetensors");
  std::memset(file.data(), 0xFF, 7);
  write("model/model.safetensors", file);
  expect_failure(embed(), 1, "header");
}

TEST_F(BrokenModel, OverlappingTensors) {
  change_header([](json& header) {
    header["transformer.h.0.ln_1.bias"]["data_offsets"] =
        header["transformer.h.0.ln_1.weight"]["data_offsets"];
  });
  expect_failure(embed(), 1, "h.0.ln_1");
}

TEST_F(BrokenModel, WrongType) {
  change_header([](json& header) { header["transformer.h.0.ln_1.bias"]["dtype"] = "I32"; });
  expect_failure(embed(), 1, "I32");
}

TEST_F(BrokenModel, WrongShape) {
  change_header([](json& header) {
    header["transformer.h.1.attn.c_attn.weight"]["shape"] = {72, 24};
  });
  expect_failure(embed(), 1, "h.1.attn.c_attn.weight");
}

TEST_F(BrokenModel, MissingTensor) {
  change_header([](json& header) {
    header["transformer.h.1.attn.other"] = header["transformer.h.1.attn.c_proj.bias"];
    header.erase("transformer.h.1.attn.c_proj.bias");
  });
  expect_failure(embed(), 1, "h.1.attn.c_proj.bias");
}

TEST_F(BrokenModel, DeepOrBrokenJson) {
  const std::string valid = read("model/config.json");
  write("model/config.json", std::string(100000, '['));
  expect_failure(embed(), 1, "config.json");
  write("model/config.json", "{\"n_layer\": 3");
  expect_failure(embed(), 1, "config.json");
  json config = json::parse(valid);
  config["n_layer"] = 1e30;
  write("model/config.json", config.dump());
  expect_failure(embed(), 1, "n_layer");
}

TEST_F(BrokenModel, TokenizerWithMoreIdsThanTheModel) {
  ASSERT_EQ(run_glassgpt({"train-tokenizer", "--vocab-size", "330", "--min-frequency", "1", "-o",
                          path("tok"), path("corpus.txt")})
                .code,
            0);
  expect_failure(run_glassgpt({"embed", "--tokenizer", path("tok"), "The cat"}), 1, "330");
  expect_failure(run_glassgpt({"generate", "--tokenizer", path("tok"), "The cat"}), 1, "330");
}

TEST_F(Program, InfoWorksWithoutAModel) {
  RunOptions options;
  options.environment = {"GLASSGPT_MODEL="};
  const ProgramRun run = run_glassgpt({"info", "--json"}, options);
  ASSERT_EQ(run.code, 0) << run.err;
  const json info = json::parse(run.out);
  EXPECT_TRUE(info["model"].is_null() || info["model"]["directory"].is_string());
  EXPECT_FALSE(info["machine"]["isas_supported"].empty());
  EXPECT_TRUE(info["libraries"].contains("xsimd"));
}

TEST_F(Program, InfoDescribesTheModel) {
  const json info = json::parse(output_of({"info", "--json", "--threads", "2"}));
  EXPECT_EQ(info["model"]["config"]["n_layer"], kLayers);
  EXPECT_EQ(info["model"]["config"]["position_encoding"], "sinusoidal");
  // Embeddings, and per block two norms, four products with biases; the last norm.
  const std::size_t block = 4 * kWidth + 12 * kWidth * kWidth + 9 * kWidth;
  EXPECT_EQ(info["model"]["parameters"], 320 * kWidth + kLayers * block + 2 * kWidth);
  EXPECT_GE(info["model"]["weight_bytes"].get<std::size_t>(),
            4 * info["model"]["parameters"].get<std::size_t>());
  // The products of the blocks are packed, and padded to whole tiles.
  const json packed = json::parse(output_of({"info", "--json", "--gemm", "simd"}));
  EXPECT_GE(packed["model"]["packed_bytes"].get<std::size_t>(), 4 * kLayers * 12 * kWidth * kWidth);
  EXPECT_EQ(info["machine"]["threads"], 2);
  EXPECT_NE(output_of({"info"}).find("3 layers, width 24, 3 heads of 8"), std::string::npos);
}

}  // namespace
}  // namespace glassgpt::testing

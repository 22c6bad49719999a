// export and import as a user runs them: there and back, what is refused, and nothing half written.
#include <cstring>

#include "program.h"

namespace glassgpt::testing {
namespace {

using nlohmann::json;

class Exchange : public Program {
 protected:
  // A directory whose folding is done: the model as its first export has it.
  void SetUp() override {
    Program::SetUp();
    output_of({"export", "-q", "--to", "directory", "-o", path("plain")});
  }

  void expect_same_directory(const std::string& found, const std::string& expected) const {
    for (const char* name : {"config.json", "model.safetensors", "tokenizer.json"}) {
      EXPECT_EQ(read(found + "/" + name), read(expected + "/" + name)) << name;
    }
  }
  std::vector<json> embedded(const std::string& directory) const {
    return json_of({"embed", "-m", path(directory), "--json", "-q", "--layers", "all"},
                   "The cat sat.\n\xE9\x93\xB6\xE8\xA1\x8C\n");
  }
};

TEST_F(Exchange, GgufAndNpzGiveTheDirectoryBackByteForByte) {
  for (const std::string format : {"gguf", "npz"}) {
    output_of({"export", "-q", "-m", path("plain"), "--to", format, "-o", path("file")});
    output_of({"import", "-q", path("file"), "-o", path(format)});
    expect_same_directory(format, "plain");
    EXPECT_EQ(embedded(format), embedded("plain"));
  }
  EXPECT_EQ(embedded("plain").size(), 2u);
}

TEST_F(Exchange, LlmcGivesTheTensorsBackAndTakesATokenizer) {
  output_of({"export", "-q", "-m", path("plain"), "--to", "llm.c", "-o", path("mini.bin")});
  ASSERT_TRUE(exists("mini_tokenizer.bin"));
  const std::string tokens = read("mini_tokenizer.bin");
  std::int32_t header[4];
  std::memcpy(header, tokens.data(), sizeof header);
  EXPECT_EQ(header[0], 20240328);
  EXPECT_EQ(header[2], 320);
  EXPECT_EQ(header[3], 0);  // <|endoftext|> got the first id
  output_of({"import", "-q", path("mini.bin"), "--tokenizer", path("plain"), "-o", path("back")});
  EXPECT_EQ(read("back/model.safetensors"), read("plain/model.safetensors"));
  EXPECT_EQ(read("back/tokenizer.json"), read("plain/tokenizer.json"));
  EXPECT_EQ(embedded("back"), embedded("plain"));
  // Its table has no name there, so it comes back as positions like others.
  EXPECT_EQ(json::parse(read("back/config.json"))["position_encoding"], "learned");
}

TEST_F(Exchange, ADirectoryCanBeStoredInOtherTypesAndInOneFile) {
  output_of({"export", "-q", "--to", "directory", "--storage", "bf16", "-o", path("small")});
  EXPECT_LT(read("small/model.safetensors").size(),
            read("plain/model.safetensors").size() * 6 / 10);
  const json info = json::parse(output_of({"info", "--json", "-m", path("small")}));
  EXPECT_EQ(info["model"]["config"]["n_layer"], kLayers);
  // vocab.json + merges.txt become a tokenizer.json.
  const json tokenizer = json::parse(read("plain/tokenizer.json"));
  std::filesystem::create_directories(path("pair"));
  std::string merges;
  for (const auto& merge : tokenizer["model"]["merges"]) merges += merge.get<std::string>() + "\n";
  write("pair/vocab.json", tokenizer["model"]["vocab"].dump());
  write("pair/merges.txt", merges);
  write("pair/config.json", read("plain/config.json"));
  write("pair/model.safetensors", read("plain/model.safetensors"));
  output_of({"export", "-q", "-m", path("pair"), "--to", "directory", "-o", path("joined")});
  expect_same_directory("joined", "plain");
}

TEST_F(Exchange, ShardsAreJoined) {
  const std::string shards = GLASSGPT_SOURCE_DIR "/tests/golden/gpt2_untied_sharded";
  const ProgramRun run =
      run_glassgpt({"export", "-q", "-m", shards, "--to", "directory", "-o", path("joined")});
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_NE(run.err.find("has no tokenizer"), std::string::npos) << run.err;
  EXPECT_TRUE(exists("joined/model.safetensors"));
  EXPECT_FALSE(exists("joined/model.safetensors.index.json"));
}

TEST_F(Exchange, WhatWasWrittenIsSaid) {
  const json exported = one_json_of(
      {"export", "-q", "--json", "--to", "gguf", "--storage", "f16", "-o", path("file")});
  EXPECT_EQ(exported["format"], "gguf");
  EXPECT_EQ(exported["storage"], "f16");
  EXPECT_EQ(exported["path"], path("file"));
  EXPECT_EQ(exported["tokens"], 320);
  const json imported =
      one_json_of({"import", "-q", "--json", "--from", "gguf", path("file"), "-o", path("back")});
  EXPECT_EQ(imported["format"], "directory");
  EXPECT_EQ(imported["parameters"], exported["parameters"]);
  EXPECT_EQ(imported["tokens"], 320);
  const ProgramRun run = run_glassgpt({"export", "--to", "npz", "-o", path("file.npz")});
  EXPECT_NE(run.err.find("file.npz: npz, "), std::string::npos) << run.err;
  EXPECT_NE(run.err.find("a tokenizer of 320 tokens"), std::string::npos) << run.err;
}

TEST_F(Exchange, WithoutATokenizerItIsSaid) {
  std::filesystem::remove(path("plain/tokenizer.json"));
  for (const std::string format : {"gguf", "llm.c", "npz"}) {
    const ProgramRun out =
        run_glassgpt({"export", "-q", "-m", path("plain"), "--to", format, "-o", path("file")});
    EXPECT_EQ(out.code, 0) << out.err;
    EXPECT_NE(out.err.find("has no tokenizer"), std::string::npos) << out.err;
    const ProgramRun in = run_glassgpt({"import", "-q", path("file"), "-o", path(format)});
    EXPECT_EQ(in.code, 0) << in.err;
    EXPECT_NE(in.err.find("give one with --tokenizer"), std::string::npos) << in.err;
    EXPECT_FALSE(exists(format + "/tokenizer.json"));
  }
  write("gguf/tokenizer.json", read("model/tokenizer.json"));
  const ProgramRun again = run_glassgpt({"import", "-q", path("file"), "-o", path("gguf")});
  EXPECT_NE(again.err.find("keeps the one that was there"), std::string::npos) << again.err;
}

TEST_F(Exchange, WhatLlmcsTokenizerCannotHoldIsSaid) {
  json tokenizer = json::parse(read("plain/tokenizer.json"));
  tokenizer["added_tokens"][0]["content"] = "<other>";
  json& vocabulary = tokenizer["model"]["vocab"];
  vocabulary.erase("<|endoftext|>");
  vocabulary["<other>"] = 0;
  write("other.json", tokenizer.dump());
  const ProgramRun run = run_glassgpt(
      {"export", "-q", "--tokenizer", path("other.json"), "--to", "llm.c", "-o", path("mini.bin")});
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_NE(run.err.find("gets no tokenizer: it has no <|endoftext|>"), std::string::npos)
      << run.err;
  EXPECT_TRUE(exists("mini.bin"));
  EXPECT_FALSE(exists("mini_tokenizer.bin"));
}

TEST_F(Exchange, WrongUsageIsExplained) {
  expect_failure(run_glassgpt({"export", "-o", path("f")}), 2, "--to");
  expect_failure(run_glassgpt({"export", "--to", "gguf"}), 2, "--output");
  expect_failure(run_glassgpt({"export", "--to", "onnx", "-o", path("f")}), 2, "'onnx'");
  expect_failure(run_glassgpt({"export", "--to", "gguf", "-o", path("f"), "more"}), 2, "'more'");
  expect_failure(run_glassgpt({"export", "--to", "gguf", "--storage", "q4", "-o", path("f")}), 2,
                 "'q4'");
  expect_failure(run_glassgpt({"import", "-o", path("d")}), 2, "one FILE");
  expect_failure(run_glassgpt({"import", "a", "b", "-o", path("d")}), 2, "one FILE");
  expect_failure(run_glassgpt({"import", "a"}), 2, "--output");
  EXPECT_FALSE(exists("f"));
  EXPECT_FALSE(exists("d"));
}

TEST_F(Exchange, FilesThatAreNotWhatTheyShouldBeAreOneErrorAndLeaveNothing) {
  const auto refused = [&](const std::string& file, const std::string& part,
                           const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"import", "-q", file, "-o", path("d")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    expect_failure(run_glassgpt(arguments), 1, part);
    EXPECT_FALSE(exists("d"));
  };
  refused(path("nowhere"), "nowhere");
  refused(path("plain"), "is a directory");
  refused(write("text", "some text"), "begins like none of the formats");
  refused(write("empty", ""), "begins like none of the formats");
  refused(write("text", "some text"), "GGUF's magic bytes", {"--from", "gguf"});
  refused(write("zip", "PK\x03\x04 and no more"), "no directory of a zip archive");
  refused(write("bin", std::string("\xC6\xD7\x34\x01", 4)), "the header alone has 1024");
  output_of({"export", "-q", "--to", "gguf", "-o", path("whole")});
  const std::string whole = read("whole");
  for (const std::size_t bytes : {std::size_t{4}, std::size_t{30}, whole.size() / 2}) {
    refused(write("cut", whole.substr(0, bytes)), "cut: ");
  }
}

TEST_F(Exchange, WhatAFormatCannotSayIsOneErrorAndLeavesNothing) {
  json config = json::parse(read("plain/config.json"));
  config["activation_function"] = "gelu";
  write("plain/config.json", config.dump());
  expect_failure(run_glassgpt({"export", "-m", path("plain"), "--to", "gguf", "-o", path("f")}), 1,
                 "activation function gelu");
  expect_failure(run_glassgpt({"export", "-m", path("plain"), "--to", "llm.c", "-o", path("f")}), 1,
                 "activation function gelu");
  expect_failure(run_glassgpt({"export", "--to", "npz", "--storage", "bf16", "-o", path("f")}), 1,
                 "bfloat16");
  expect_failure(run_glassgpt({"export", "--to", "gguf", "-o", path("no/such/folder")}), 1,
                 "no/such/folder");
  EXPECT_FALSE(exists("f"));
  EXPECT_EQ(directory_.names(), (std::vector<std::string>{"corpus.txt", "model", "plain"}));
}

// The genuine package for GGUF; scripts/test_gguf.sh makes a Python that has it.
const char* gguf_python() { return std::getenv("GLASSGPT_GGUF_PYTHON"); }

std::string run_peer(const std::string& arguments) {
  const std::string command = std::string(gguf_python()) + " " + GLASSGPT_SOURCE_DIR +
                              "/tests/cli/gguf_peer.py " + arguments;
  return std::system(command.c_str()) == 0 ? std::string() : command;
}

TEST_F(Exchange, TheGenuineGgufPackageReadsWhatWeWrite) {
  if (gguf_python() == nullptr) {
    GTEST_SKIP() << "Debian has no package gguf: scripts/test_gguf.sh gets PyPI's and runs this";
  }
  output_of({"export", "-q", "--to", "gguf", "-o", path("file.gguf")});
  EXPECT_EQ(run_peer("check " + path("plain") + " " + path("file.gguf")), "");
}

TEST_F(Exchange, WeReadWhatTheGenuineGgufPackageWrites) {
  if (gguf_python() == nullptr) {
    GTEST_SKIP() << "Debian has no package gguf: scripts/test_gguf.sh gets PyPI's and runs this";
  }
  ASSERT_EQ(run_peer("write " + path("plain") + " " + path("file.gguf")), "");
  output_of({"import", "-q", path("file.gguf"), "-o", path("back")});
  EXPECT_EQ(read("back/model.safetensors"), read("plain/model.safetensors"));
  EXPECT_EQ(read("back/tokenizer.json"), read("plain/tokenizer.json"));
}

}  // namespace
}  // namespace glassgpt::testing

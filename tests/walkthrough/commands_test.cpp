// The numbers of a walkthrough are those that the commands print.
#include <array>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <set>
#include <sstream>

#include "subject.h"

namespace glassgpt::testing {
namespace {

using nlohmann::json;

class WalkthroughCommands : public Program {};

// The JSON values that a shell prints for a command which a walkthrough names.
std::vector<json> printed_by(const json& command) {
  const TemporaryDirectory directory;
  const std::filesystem::path script = directory / "command.sh";
  const std::filesystem::path folder = std::filesystem::path(GLASSGPT_PROGRAM).parent_path();
  std::ofstream(script) << "PATH='" << folder.string() << "':$PATH\n"
                        << command.get<std::string>() << "\n";
  std::FILE* pipe = ::popen(("bash '" + script.string() + "'").c_str(), "r");
  std::string out;
  std::array<char, 65536> chunk;
  for (std::size_t got; (got = std::fread(chunk.data(), 1, chunk.size(), pipe)) > 0;) {
    out.append(chunk.data(), got);
  }
  EXPECT_EQ(::pclose(pipe), 0) << command;
  std::istringstream in(out);
  std::vector<json> values;
  while (in >> std::ws && !in.eof()) in >> values.emplace_back();
  EXPECT_FALSE(values.empty()) << command;
  return values.empty() ? std::vector<json>(1) : values;
}

// Rows of `embed --json`, number for number.
void expect_rows(const json& printed, const Array& tensor, std::size_t first_row) {
  const std::size_t cols = tensor.shape.back();
  ASSERT_FALSE(printed.empty());
  for (std::size_t t = 0; t < printed.size(); ++t) {
    ASSERT_EQ(printed[t].size(), cols);
    for (std::size_t c = 0; c < cols; ++c) {
      EXPECT_EQ(static_cast<float>(tensor.values[(first_row + t) * cols + c]),
                printed[t][c].get<float>());
    }
  }
}

void expect_text_as_tokenize_prints_it(const json& data, const std::string& text) {
  const json printed = one_json_of({"tokenize", "--json", "--", text});
  for (const char* key : {"ids", "tokens", "bytes", "chars"}) {
    EXPECT_EQ(data["text"][key], printed[key]) << key;
  }
  json pieces = data["bpe"]["pieces"];
  for (json& piece : pieces) piece.erase("hex");
  EXPECT_EQ(pieces, one_json_of({"tokenize", "--json", "--merges", "--", text})["pieces"]);
  std::string hex;
  for (const json& bytes : data["text"]["hex"]) hex += bytes.get<std::string>();
  EXPECT_EQ(hex, walkthrough::hexadecimal(text));
}

TEST_F(WalkthroughCommands, TokensAndMergesAreThoseOfTokenize) {
  Exporter exporter(model());
  for (const std::string text :
       {"The cat sat on the mat.", "猫坐在垫子上。", "-x \xFF\xE7\x8C \"q\"\n"}) {
    expect_text_as_tokenize_prints_it(exporter.data(text), text);
  }
}

TEST_F(WalkthroughCommands, VectorsAreThoseOfEmbed) {
  const std::string text = "The cat sat. 猫坐";
  const json data = Exporter(model()).data(text);
  const json printed =
      one_json_of({"embed", "--json", "--threads", "1", "--layers", "all", "--taps",
                   "q,k,v,attention_heads,attention_out,mlp_out,position", text});
  const json &layers = printed.at("layers"), &taps = printed.at("taps");
  const json& attention = data["attention"];
  const std::size_t tokens = data["text"]["ids"].size();
  for (std::size_t k = 0; k < kLayers; ++k) {
    const std::string block = "_0" + std::to_string(k);
    expect_rows(taps.at("q" + block), Array(attention["q"]), k * tokens);
    expect_rows(taps.at("k" + block), Array(attention["k"]), k * tokens);
    expect_rows(taps.at("v" + block), Array(attention["v"]), k * tokens);
    expect_rows(taps.at("attention_heads" + block), Array(attention["heads"]), k * tokens);
    expect_rows(taps.at("attention_out" + block), Array(data["layers"]["attention_out"]),
                k * tokens);
    expect_rows(taps.at("mlp_out" + block), Array(data["layers"]["mlp_out"]), k * tokens);
  }
  for (std::size_t k = 0; k <= kLayers; ++k) {
    expect_rows(layers.at(std::to_string(k)), Array(data["layers"]["residual"]), k * tokens);
  }
  expect_rows(layers.at("final"), Array(data["layers"]["final"]), 0);
  expect_rows(taps.at("position"), Array(data["positions"]["text"]), 0);
}

TEST_F(WalkthroughCommands, NeighboursAreThoseOfNearest) {
  const json data = Exporter(model()).data("The cat");
  const json& embedding = data["embedding"];
  std::size_t compared = 0;
  for (std::size_t u = 0; u < embedding["ids"].size(); ++u) {
    const json printed = one_json_of({"nearest", "--json", "--top", "8", "--",
                                      embedding["tokens"][u]["text"].get<std::string>()});
    // A token that is not its own encoding cannot be asked for as text.
    if (printed["ids"] != json::array({embedding["ids"][u]})) continue;
    ++compared;
    ASSERT_EQ(printed["nearest"].size(), embedding["neighbours"][u].size());
    for (std::size_t i = 0; i < printed["nearest"].size(); ++i) {
      EXPECT_EQ(printed["nearest"][i]["id"], embedding["neighbours"][u][i]["id"]);
      EXPECT_EQ(printed["nearest"][i]["cosine"].get<float>(),
                embedding["neighbours"][u][i]["cosine"].get<float>());
    }
  }
  EXPECT_GE(compared, 2u);
}

// What word2vec prints is what the page has, in both languages.
TEST_F(WalkthroughCommands, NearestWordsAndAnalogiesAreThoseOfWord2vec) {
  const json data = Exporter(model()).data("The cat");
  const json& corpora = data["skip_gram"]["corpora"];
  ASSERT_EQ(corpora.size(), 2u);
  const auto expect_printed = [](const json& entry, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"word2vec", "--json", "--top", "8"});
    std::string command = "glassgpt";
    for (const std::string& argument : arguments) {
      const bool word = argument[0] != '-' && argument != "word2vec" && argument != "8";
      command += " " + (word ? "'" + argument + "'" : argument);
    }
    EXPECT_EQ(entry["command"], command);
    const json printed = one_json_of(arguments)["nearest"];
    ASSERT_EQ(printed.size(), entry["nearest"].size());
    for (std::size_t i = 0; i < printed.size(); ++i) {
      EXPECT_EQ(printed[i]["word"], entry["nearest"][i]["word"]) << command;
      EXPECT_EQ(printed[i]["cosine"].get<float>(), entry["nearest"][i]["cosine"].get<float>());
    }
  };
  for (const json& corpus : corpora) {
    EXPECT_GE(corpus["nearest"].size(), 8u);
    EXPECT_GE(corpus["analogies"].size(), 8u);
    const json& nearest = corpus["nearest"][0];
    expect_printed(nearest, {"--nearest", nearest["word"].get<std::string>()});
    for (const std::size_t i : {std::size_t{0}, corpus["analogies"].size() - 1}) {
      auto words = corpus["analogies"][i]["words"].get<std::vector<std::string>>();
      words.insert(words.begin(), "--analogy");
      expect_printed(corpus["analogies"][i], words);
    }
  }
}

TEST_F(WalkthroughCommands, AWordInTwoContextsComparesAsSimilarSays) {
  const std::string a = "The cat sat.", b = "The dog sat on the cat.";
  const json data = Exporter(model()).data("The mat", {"cat", a, b});
  const json& word = data["contexts"]["words"][0];
  EXPECT_EQ(word["reader"], true);
  EXPECT_EQ(word["senses"], nullptr);
  const json printed = one_json_of({"similar", "--json", "--threads", "1", "--word", "cat", a, b});
  EXPECT_EQ(word["layers"], printed["layers"]);
  EXPECT_EQ(word["reference_tokens"], printed["reference_tokens"]);
  std::string found;
  for (const json& t : word["a"]["word"])
    found += word["a"]["tokens"][t.get<std::size_t>()]["text"];
  EXPECT_NE(found.find("cat"), std::string::npos);
  for (const char* side : {"a", "b"}) {
    for (const json& layer : word["neighbours"][side]) {
      double previous = 1.1;
      for (const json& one : layer) {
        EXPECT_LE(one["cosine"], previous);
        previous = one["cosine"];
      }
    }
  }
}

TEST_F(WalkthroughCommands, PrintedCommandsRunAsTheRunThatPrintedThem) {
  const std::string a = "The cat sat.", b = "The dog sat on the cat.";
  const json data = one_json_of({"walkthrough", "--json", "-q", "--threads", "1", "--isa", "scalar",
                                 "--dtype", "bf16", "--word", "cat", "--contexts", a, b,
                                 "--reference", path("corpus.txt"), "The cat's mat; \"猫\" $x"});
  // Where they are run nothing is set: they name the model.
  ::unsetenv("GLASSGPT_MODEL");
  const json again = printed_by(data["command"])[0];
  for (const auto& [name, chapter] : data.items()) {
    if (name == "cost") continue;  // its times are new every time
    EXPECT_EQ(again[name], chapter) << name;
  }
  const json layers = printed_by(data["layers"]["command"])[0]["layers"];
  expect_rows(layers["final"], Array(data["layers"]["final"]), 0);
  const json& word = data["contexts"]["words"][0];
  EXPECT_EQ(printed_by(word["command"])[0]["layers"], word["layers"]);
  const json profile = printed_by(data["cost"]["command"])[0];
  for (const char* key : {"tokens", "isa", "threads", "dtype"}) {
    EXPECT_EQ(profile[key], data["cost"]["profile"][key]) << key;
  }
  for (const char* chapter :
       {"text", "model", "one_hot", "bpe", "embedding", "positions", "attention", "uses"}) {
    printed_by(data[chapter]["command"]);
  }
}

TEST_F(WalkthroughCommands, TheComparisonCanBeRunWhicheverProductWasAskedFor) {
  const json data = one_json_of({"walkthrough", "--json", "-q", "--gemm", "simd", "The cat"});
  const json& cost = data["cost"];
  EXPECT_NE(cost["command"].get<std::string>().find("--gemm simd"), std::string::npos);
  const json printed = printed_by(cost["compare_command"])[0]["compare"];
  ASSERT_EQ(printed.size(), cost["implementations"].size());
  for (std::size_t i = 0; i < printed.size(); ++i) {
    EXPECT_EQ(printed[i]["gemm"], cost["implementations"][i]["gemm"]);
  }
}

// The bundled model's: examples, and characters that are cut into fragments.
class WalkthroughOfTheBundledModel : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { ::unsetenv("GLASSGPT_MODEL"); }
};

TEST_F(WalkthroughOfTheBundledModel, FragmentsOfCharactersAreBytes) {
  const json data = Exporter(bundled_directory()).data("他吃了一个苹果。");
  const json& text = data["text"];
  bool found = false;
  for (std::size_t t = 0; t < text["ids"].size(); ++t) {
    const bool fragment = text["fragment"][t];
    EXPECT_EQ(fragment,
              text["tokens"][t].get<std::string>().find("\xEF\xBF\xBD") != std::string::npos);
    found = found || fragment;
  }
  EXPECT_TRUE(found);
  EXPECT_EQ(text["chars_total"], 8);
  EXPECT_EQ(text["bytes_total"], 24);
}

TEST_F(WalkthroughOfTheBundledModel, ExamplesSayWhatSimilarEmbedAndGenerateSay) {
  const json data = Exporter(bundled_directory()).data("The river.");
  for (const json& word : data["contexts"]["words"]) {
    const json printed = one_json_of({"similar", "--json", "--threads", "1", "--word", word["word"],
                                      word["a"]["text"], word["b"]["text"]});
    EXPECT_EQ(word["layers"], printed["layers"]);
    // The word stands at the same place in both: they begin as one vector.
    EXPECT_NEAR(word["layers"]["0"]["cosine"], 1.0, 1e-9);
    const json& senses = word["senses"];
    EXPECT_GE(senses["sentences"].size(), 8u);
    EXPECT_GT(senses["same"].back(), senses["different"].back());
  }
  ASSERT_EQ(data["uses"]["generation"].size(), 2u);
  for (const json& one : data["uses"]["generation"]) {
    std::string bytes = one["prompt"];
    for (const json& token : one["tokens"]) {
      const std::string hex = token["hex"];
      for (std::size_t i = 0; i < hex.size(); i += 2) {
        bytes += static_cast<char>(std::stoul(hex.substr(i, 2), nullptr, 16));
      }
    }
    EXPECT_EQ(output_of({"generate", "-q", "--threads", "1", "--max-tokens", "24", "--temperature",
                         "0.8", "--top-k", "40", "--seed", "1", one["prompt"]}),
              bytes + "\n");
  }
}

TEST_F(WalkthroughOfTheBundledModel, ClassificationAndSearchFollowFromTheVectors) {
  const json data = Exporter(bundled_directory()).data("The river.");
  const json& uses = data["uses"];
  const Array vectors(uses["vectors"]);
  const auto dot = [&](std::size_t a, std::size_t b) {
    double sum = 0;
    for (std::size_t c = 0; c < vectors.shape[1]; ++c)
      sum += vectors.row({a})[c] * vectors.row({b})[c];
    return sum;
  };
  for (const json& list : uses["classification"]) {
    std::size_t correct = 0;
    for (const json& query : list["queries"]) {
      std::vector<double> sums(list["labels"].size(), 0.0);
      for (std::size_t i = 0; i < list["examples"].size(); ++i) {
        const double cosine = dot(query["text"], list["examples"][i][0]);
        EXPECT_NEAR(query["cosines"][i], cosine, 1e-6);
        sums[list["examples"][i][1].get<std::size_t>()] += cosine;
      }
      const std::size_t predicted = query["predicted"];
      EXPECT_EQ(std::max_element(sums.begin(), sums.end()) - sums.begin(),
                static_cast<std::ptrdiff_t>(predicted));
      correct += query["predicted"] == query["label"] ? 1 : 0;
    }
    EXPECT_EQ(list["correct"], correct);
    EXPECT_GE(2 * correct, list["queries"].size());  // better than the third that chance gives
  }
  for (const json& list : uses["classification"]) {
    const std::vector<json> printed = printed_by(list["command"]);
    ASSERT_EQ(printed.size(), list["queries"].size());
    for (std::size_t i = 0; i < printed.size(); ++i) {
      const json& query = list["queries"][i];
      const auto name = [&](std::size_t label) {
        return list["labels"][label][list["lang"].get<std::string>()].get<std::string>();
      };
      EXPECT_EQ(printed[i]["label"], name(query["predicted"]));
      for (std::size_t label = 0; label < list["labels"].size(); ++label) {
        EXPECT_NEAR(printed[i]["scores"][name(label)], query["label_cosines"][label], 1e-5);
      }
    }
  }
  for (const json& list : uses["search"]) {
    for (const json& query : list["queries"]) {
      double previous = 1.1;
      for (const json& one : query["ranking"]) {
        EXPECT_NEAR(one[1], dot(query["text"], one[0]), 1e-6);
        EXPECT_LE(one[1], previous);
        previous = one[1];
      }
      EXPECT_EQ(query["ranking"].size(), list["documents"].size());
    }
  }
  // A vector is what embed prints, less the mean, of length 1.
  const json& list = uses["classification"][0];
  const std::size_t first = list["queries"][0]["text"];
  const json printed = one_json_of({"embed", "--json", "--threads", "1", "--unit", "text", "--pool",
                                    "mean", uses["texts"][first]["text"]})["layers"]["final"];
  const json& row = printed[0].is_array() ? printed[0] : printed;
  const Array mean(uses["means"]["en"]["classification"]);
  double squares = 0;
  for (std::size_t c = 0; c < row.size(); ++c) {
    squares += std::pow(row[c].get<double>() - mean.values[c], 2);
  }
  for (std::size_t c = 0; c < row.size(); ++c) {
    EXPECT_NEAR(vectors.row({first})[c],
                (row[c].get<double>() - mean.values[c]) / std::sqrt(squares), 1e-5);
  }
}

}  // namespace
}  // namespace glassgpt::testing

// Numbers, documents and pages: what the exporter's parts promise.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "data.h"
#include "walkthrough/document.h"
#include "walkthrough/mathematics.h"
#include "walkthrough/page.h"
#include "walkthrough/resources.h"
#include "walkthrough/story_text.h"
#include "walkthrough/subject.h"
#include "walkthrough/tensor.h"

namespace glassgpt::walkthrough {
namespace {

using nlohmann::json;
using testing::Array;

Array array(const nlohmann::ordered_json& tensor) { return Array(json::parse(tensor.dump())); }

TEST(WalkthroughTensor, Base64IsThatOfRfc4648) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64("\xFB\xFF\xFE"), "+//+");
}

TEST(WalkthroughTensor, Float32KeepsEveryBit) {
  const Tensor tensor{{2, 3}, Layout::kFull, {0.1f, -0.0f, 1e-45f, 3.4e38f, -1.0f, 7.0f}};
  const Array back = array(encode(tensor, NumberFormat::kFloat32));
  for (std::size_t i = 0; i < 6; ++i) {
    const auto value = static_cast<float>(back.values[i]);
    EXPECT_EQ(std::memcmp(&value, &tensor.values[i], 4), 0) << i;
  }
}

TEST(WalkthroughTensor, ShorterFormatsStayWithinTheirErrors) {
  Tensor tensor{{1000}, Layout::kFull, {}};
  for (int i = 0; i < 1000; ++i) tensor.values.push_back(std::sin(static_cast<float>(i)) * 50.0f);
  const Array f24 = array(encode(tensor, NumberFormat::kFloat24));
  const Array f16 = array(encode(tensor, NumberFormat::kHalf));
  EXPECT_EQ(f24.dtype, "f24");
  EXPECT_EQ(f16.dtype, "f16");
  for (std::size_t i = 0; i < 1000; ++i) {
    const auto value = static_cast<double>(tensor.values[i]);
    EXPECT_LE(std::abs(f24.values[i] - value), std::ldexp(std::abs(value), -16)) << value;
    EXPECT_LE(std::abs(f16.values[i] - value), std::ldexp(std::abs(value), -11) + 1e-7) << value;
  }
}

TEST(WalkthroughTensor, BytesAreWithinHalfAStep) {
  const Tensor tensor{{2, 3}, {}, {-0.5f, 0.25f, 0.1f, 0.0f, 0.4999f, -0.031f}};
  const json packed = encode(tensor, NumberFormat::kByte);
  EXPECT_EQ(packed["dtype"], "i8");
  const double step = packed["step"];
  EXPECT_NEAR(step, 0.5 / 127, 1e-9);
  const std::string bytes = testing::from_base64(packed["data"]);
  ASSERT_EQ(bytes.size(), 6u);
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_NEAR(step * static_cast<signed char>(bytes[i]), double{tensor.values[i]}, 0.5001 * step);
  }
  EXPECT_EQ(static_cast<signed char>(bytes[0]), -127);
  EXPECT_EQ(encode({{1}, {}, {0.0f}}, NumberFormat::kByte)["data"], "AA==");
}

TEST(WalkthroughTensor, Float24RoundsToNearestEvenAndKeepsWhatIsNoNumber) {
  EXPECT_EQ(round_to_float24(0x1.0001p0f), 0x1.0p0f);     // half way, to even
  EXPECT_EQ(round_to_float24(0x1.0003p0f), 0x1.0004p0f);  // half way, to even
  EXPECT_EQ(round_to_float24(0x1.00011p0f), 0x1.0002p0f);
  EXPECT_EQ(round_to_float24(-0x1.fffep0f), -0x1.fffep0f);
  EXPECT_EQ(round_to_float24(-0x1.fffffep0f), -0x1.0p1f);
  EXPECT_TRUE(std::isnan(round_to_float24(std::numeric_limits<float>::quiet_NaN())));
  EXPECT_TRUE(std::isinf(round_to_float24(-std::numeric_limits<float>::infinity())));
}

TEST(WalkthroughTensor, ACausalSquareHasItsLowerTriangleAlone) {
  const std::size_t shape[] = {2, 3, 4, 4};
  EXPECT_EQ(value_count(shape, Layout::kFull), 96u);
  EXPECT_EQ(value_count(shape, Layout::kLower), 60u);
  const Tensor short_one{{2, 2}, Layout::kLower, {1, 2}};
  EXPECT_THROW(encode(short_one, NumberFormat::kFloat32), std::logic_error);
}

Document document_of(std::size_t numbers) {
  Document document;
  document.json = {{"attention", {{"q", nullptr}, {"scores", nullptr}, {"heads", nullptr}}},
                   {"layers", {{"residual", nullptr}}}};
  for (const char* pointer :
       {"/attention/q", "/attention/scores", "/attention/heads", "/layers/residual"}) {
    document.put(pointer, {{numbers}, Layout::kFull, std::vector<float>(numbers, 1.5f)});
  }
  return document;
}

TEST(WalkthroughDocument, WithoutABudgetEveryNumberIsExact) {
  const json data = json::parse(document_of(3000).dump());
  for (const char* pointer :
       {"/attention/q", "/attention/scores", "/attention/heads", "/layers/residual"}) {
    EXPECT_EQ(data.at(json::json_pointer(pointer))["dtype"], "f32") << pointer;
  }
}

TEST(WalkthroughDocument, GivesUpWhatIsNeededLeastFirst) {
  // 16000 characters each as f32, 12000 as f24, 8000 as f16.
  const Document document = document_of(3000);
  const auto formats = [&](std::size_t budget) {
    const std::string text = document.dump(budget);
    const json data = json::parse(text);
    std::string all;
    for (const char* pointer :
         {"/attention/q", "/attention/scores", "/attention/heads", "/layers/residual"}) {
      const json& one = data.at(json::json_pointer(pointer));
      all += (one.is_null() ? "none" : one["dtype"].get<std::string>()) + " ";
    }
    EXPECT_LE(text.size(), budget);
    return all;
  };
  EXPECT_EQ(formats(70000), "f32 f32 f32 f32 ");
  EXPECT_EQ(formats(60000), "f32 f32 f16 f32 ");
  EXPECT_EQ(formats(50000), "f32 f32 f16 f16 ");
  EXPECT_EQ(formats(45000), "f32 f24 f16 f16 ");
  EXPECT_EQ(formats(41000), "f24 f24 f16 f16 ");
  EXPECT_EQ(formats(37000), "f24 f16 f16 f16 ");
  EXPECT_EQ(formats(30000), "f24 f16 none f16 ");
  EXPECT_EQ(formats(25000), "f16 f16 none f16 ");
}

TEST(WalkthroughMathematics, PrincipalComponentsOfALineAreThatLine) {
  // Points (i, 2 i, 0) around their mean, and a little of the third direction.
  std::vector<double> rows;
  for (int i = -5; i <= 5; ++i)
    rows.insert(rows.end(), {1.0 * i, 2.0 * i, i % 2 == 0 ? 0.1 : -0.1});
  const Components components = principal_components(rows, 3, 2);
  EXPECT_NEAR(components.explained[0], 550.0 / (550.0 + 0.11 - 0.01 / 11), 1e-3);
  for (int i = -5; i <= 5; ++i) {
    EXPECT_NEAR(components.coordinates[2 * static_cast<std::size_t>(i + 5)], i * std::sqrt(5.0),
                1e-2);
  }
}

TEST(WalkthroughMathematics, ComponentsOfEqualRowsAreZero) {
  const std::vector<double> rows(12, 3.0);
  const Components components = principal_components(rows, 4, 3);
  EXPECT_EQ(components.coordinates, std::vector<float>(9, 0.0f));
  EXPECT_EQ(components.explained, std::vector<double>(3, 0.0));
}

TEST(WalkthroughMathematics, NineDigitsReadBackAsTheSameFloat) {
  for (int i = 1; i < 10000; ++i) {
    const float value = std::exp(static_cast<float>(i) / 200.0f - 25.0f);
    EXPECT_EQ(static_cast<float>(nine_digits(static_cast<double>(value))), value);
  }
  EXPECT_EQ(nine_digits(-0.25), -0.25);
}

TEST(WalkthroughMathematics, SoftmaxAndEntropyAreTheirDefinitions) {
  const std::vector<float> scores = {1000.0f, 1000.0f, 0.0f};
  const std::vector<double> p = softmax(scores);
  EXPECT_DOUBLE_EQ(p[0], 0.5);
  EXPECT_DOUBLE_EQ(p[2], 0.0);
  EXPECT_DOUBLE_EQ(entropy_bits(p), 1.0);
  EXPECT_EQ(largest(std::vector<double>{1, 3, 3, 2}, 3), (std::vector<std::size_t>{1, 2, 3}));
}

TEST(WalkthroughPage, DataCannotEndItsElement) {
  const std::string hostile = R"(</script><script>alert(1)</script><!-- ]]> &lt; )"
                              "\xE2\x80\xA8\xE2\x80\xA9";
  const std::string text = json(hostile).dump();
  const std::string escaped = escape_for_script(text);
  EXPECT_EQ(escaped.find('<'), std::string::npos);
  EXPECT_EQ(escaped.find("\xE2\x80"), std::string::npos);
  EXPECT_EQ(json::parse(escaped), hostile);
  const std::string page = make_page(text);
  EXPECT_EQ(page.find("alert(1)</script>"), std::string::npos);
}

TEST(WalkthroughPage, HoldsEveryFileAndNothingThatCouldEndOneEarly) {
  const std::string page = make_page("{}");
  for (const char* marker : {"<!-- styles -->", "<!-- data -->", "<!-- scripts -->"}) {
    EXPECT_EQ(page.find(marker), std::string::npos) << marker;
  }
  for (const Resource& file : resources()) {
    if (file.name.ends_with(".js") || file.name.ends_with(".css")) {
      EXPECT_NE(page.find(file.bytes), std::string::npos) << file.name;
      EXPECT_EQ(file.bytes.find("</s"), std::string_view::npos) << file.name;
    }
  }
  EXPECT_NE(page.find(R"(<script type="application/json" id="walkthrough-data">{}</script>)"),
            std::string::npos);
}

TEST(WalkthroughPage, AsksTheNetworkForNothing) {
  const std::string page = make_page("{}");
  for (const char* mark : {"src=\"http", "href=\"http", "url(http", "@import", "fetch("}) {
    EXPECT_EQ(page.find(mark), std::string::npos) << mark;
  }
}

TEST(WalkthroughStory, BothLanguagesHaveTheSameTextsAndPlaces) {
  const auto places = [](const std::string& text) {
    std::multiset<std::string> found;
    for (std::size_t at = 0; (at = text.find('{', at)) != std::string::npos; ++at) {
      found.insert(text.substr(at, text.find('}', at) - at));
    }
    return found;
  };
  const json en = json::parse(resource("story/en.json")),
             zh = json::parse(resource("story/zh.json"));
  ASSERT_EQ(en.size(), zh.size());
  for (const auto& [key, text] : en.items()) {
    ASSERT_TRUE(zh.contains(key)) << key;
    EXPECT_EQ(places(text), places(zh[key])) << key;
  }
}

TEST(WalkthroughStory, LinesBreakBetweenChineseCharactersButNotBeforePunctuation) {
  EXPECT_EQ(wrapped("one two three", 7, "  "), "  one two\n  three\n");
  EXPECT_EQ(wrapped("她坐在河边。", 10, ""), "她坐在河\n边。\n");
  EXPECT_EQ(wrapped("说：“好”。", 6, ""), "说：\n“好”。\n");
}

// A GPT reads from left to right: what stands behind a word cannot change its vector.
TEST(WalkthroughExamples, TheWordEndsItsSentence) {
  const json examples = json::parse(resource("examples.json"));
  ASSERT_EQ(examples["contexts"].size(), 2u);
  for (const json& example : examples["contexts"]) {
    const std::string word = example["word"];
    std::vector<std::string> texts = {example["a"], example["b"]};
    std::vector<std::size_t> of_sense(example["names"].size(), 0);
    for (const json& sentence : example["sentences"]) {
      texts.push_back(sentence[0]);
      ++of_sense.at(sentence[1]);
    }
    for (const std::string& text : texts) {
      const std::size_t at = text.find(word);
      ASSERT_NE(at, std::string::npos) << text;
      EXPECT_GT(at, 8u) << text;
      const std::string behind = text.substr(at + word.size());
      EXPECT_TRUE(behind == "." || behind == "。") << text;
    }
    for (const std::size_t count : of_sense) EXPECT_GE(count, 4u) << word;
  }
}

TEST(WalkthroughSubject, TheBundledModelIsKnownByAnyPathToIt) {
  const std::filesystem::path bundled = GLASSGPT_SOURCE_DIR "/weights/mini";
  EXPECT_TRUE(is_bundled(bundled, "mini"));
  EXPECT_TRUE(is_bundled(bundled / ".." / "mini" / "", "mini"));
  EXPECT_TRUE(is_bundled(std::filesystem::relative(bundled), "mini"));
  EXPECT_FALSE(is_bundled(bundled, "mini-learned"));
  EXPECT_FALSE(is_bundled("nowhere", "mini"));
}

TEST(WalkthroughSubject, CommandsCanBePastedIntoAShell) {
  EXPECT_EQ(shell_quoted("it's"), R"('it'\''s')");
  EXPECT_EQ(shell_quoted("银行 $HOME `x`"), "'银行 $HOME `x`'");
  EXPECT_EQ(shell_quoted("a\n'\\\xFF"), R"($'a\x0a\'\\\xff')");
}

}  // namespace
}  // namespace glassgpt::walkthrough

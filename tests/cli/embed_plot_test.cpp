// embed --plot: a panel per layer, a point per row.
#include "program.h"

namespace glassgpt::testing {
namespace {

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

TEST_F(Program, PlotDrawsEveryRowInAPanelForEachLayer) {
  const std::vector<std::string> words = {"embed",       "--layers",           "all",  "--plot",
                                          path("p.svg"), "The <cat> sat & 猫", "A dog"};
  const std::string table = output_of(words);
  const std::string svg = read("p.svg");
  const std::size_t rows = nlohmann::json::parse(
      output_of({"embed", "--json", "--dry-run", words[5], words[6]}))["rows"];
  EXPECT_EQ(count(svg, "<circle"), rows * (kLayers + 2));
  EXPECT_EQ(count(svg, "of the variance"), kLayers + 2);
  EXPECT_NE(svg.find("layer 3"), std::string::npos);
  EXPECT_EQ(count(svg, "&amp;"), 2 * (kLayers + 2));  // in the tooltip and the label
  EXPECT_EQ(svg.find("<cat"), std::string::npos);
  // Drawing changes nothing else, and the drawing is always the same.
  EXPECT_EQ(output_of({"embed", "--layers", "all", words[5], words[6]}), table);
  output_of(words);
  EXPECT_EQ(read("p.svg"), svg);
  expect_failure(
      run_glassgpt({"embed", "-o", path("out"), "--resume", "--plot", path("p.svg"), "x"}), 2,
      "--plot");
}

}  // namespace
}  // namespace glassgpt::testing

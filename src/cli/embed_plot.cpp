#include "cli/embed_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "cli/display.h"
#include "cli/output.h"
#include "io/file.h"
#include "search/pca.h"

namespace glassgpt::cli {
namespace {

constexpr std::size_t kMostPoints = 400, kMostLabels = 60, kPanelsAcross = 3;
constexpr double kPanel = 320, kMargin = 34, kTitle = 40;

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else {
      out += c;
    }
  }
  return out;
}

// From blue over green to orange, as bright as each other.
std::string colour_along(double share) {
  return fmt::format("hsl({:.0f},65%,42%)", 230 - 200 * share);
}

std::string colour_of_text(std::size_t text) {
  constexpr std::array kColours = {"#1f6feb", "#d1570a", "#1a7f37", "#8250df",
                                   "#bf3989", "#7d6b00", "#0b7285", "#57606a"};
  return kColours[text % kColours.size()];
}

class PlottingWriter : public EmbedWriter {
 public:
  PlottingWriter(std::unique_ptr<EmbedWriter> inner, const EmbedTarget& target,
                 const std::string& file)
      : inner_(std::move(inner)),
        target_(target),
        file_(file),
        svg_(file),
        rows_(target.kinds.size()) {}

  void add_text(EmbeddedText text) override {
    for (std::size_t r = 0; r < text.rows() && labels_.size() < kMostPoints; ++r) {
      labels_.push_back(readable_excerpt(text.row_bytes(r), 14));
      texts_of_.push_back(texts_);
    }
    ++texts_;
    inner_->add_text(std::move(text));
  }

  void on_rows(std::size_t kind, const float* rows, std::size_t count,
               std::size_t stride) override {
    const std::size_t cols = target_.kinds[kind].cols;
    for (std::size_t r = 0; r < count && rows_[kind].size() < kMostPoints * cols; ++r) {
      rows_[kind].insert(rows_[kind].end(), rows + r * stride, rows + r * stride + cols);
    }
    inner_->on_rows(kind, rows, count, stride);
  }

  void end_batch() override { inner_->end_batch(); }
  void mark(const EmbedProgress& progress) override { inner_->mark(progress); }
  bool suspend() noexcept override { return inner_->suspend(); }

  void finish(const EmbedProgress& progress) override {
    inner_->finish(progress);
    svg_.write(drawing());
    svg_.commit();
    if (progress.counts.rows > labels_.size()) {
      warn(fmt::format("{} shows the first {} of {} rows", file_, labels_.size(),
                       progress.counts.rows));
    }
  }

 private:
  std::string drawing() const {
    const std::size_t panels = rows_.size(), across = std::min(kPanelsAcross, panels);
    const double width = kPanel * static_cast<double>(across);
    const std::size_t rows = (panels + across - 1) / across;
    const double height = kPanel * static_cast<double>(rows);
    std::string svg = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" "
        "height=\"{1}\" font-family=\"sans-serif\" font-size=\"10\">\n"
        "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
        width, height);
    for (std::size_t kind = 0; kind < panels; ++kind) {
      const std::size_t row = kind / across, column = kind % across;
      svg += fmt::format("<g transform=\"translate({},{})\">\n{}</g>\n",
                         kPanel * static_cast<double>(column), kPanel * static_cast<double>(row),
                         panel(kind));
    }
    return svg + "</svg>\n";
  }

  std::string panel(std::size_t kind) const {
    const std::size_t cols = target_.kinds[kind].cols;
    std::vector<float> finite;
    std::vector<std::size_t> shown;
    for (std::size_t r = 0; r < labels_.size(); ++r) {
      const float* row = rows_[kind].data() + r * cols;
      if (!std::all_of(row, row + cols, [](float value) { return std::isfinite(value); })) continue;
      finite.insert(finite.end(), row, row + cols);
      shown.push_back(r);
    }
    const PrincipalPlane plane = principal_plane(finite, cols);
    const std::string key = target_.kinds[kind].key;
    const bool layer = key.find_first_not_of("0123456789") == std::string::npos;
    std::string svg = fmt::format(
        "<text x=\"{}\" y=\"22\" font-size=\"14\" font-weight=\"bold\">{}{}</text>"
        "<text x=\"{}\" y=\"22\" text-anchor=\"end\" fill=\"#57606a\">{:.0f}% + {:.0f}% of the "
        "variance</text>\n",
        kMargin / 2, layer ? "layer " : "", key, kPanel - kMargin / 2, 100 * plane.share[0],
        100 * plane.share[1]);
    // One scale for both axes, so that distances can be compared.
    double reach = 0;
    for (const auto& point : plane.points) {
      reach = std::max({reach, std::abs(point[0]), std::abs(point[1])});
    }
    const double scale = reach > 0 ? (kPanel - kTitle - 2 * kMargin) / 2 / reach : 0;
    const double x0 = kPanel / 2, y0 = kTitle + (kPanel - kTitle) / 2;
    for (std::size_t i = 0; i < shown.size(); ++i) {
      svg += point_of(shown[i], x0 + scale * plane.points[i][0], y0 - scale * plane.points[i][1]);
    }
    return svg;
  }

  std::string point_of(std::size_t row, double x, double y) const {
    const std::string colour =
        texts_ > 1
            ? colour_of_text(texts_of_[row])
            : colour_along(static_cast<double>(row) /
                           static_cast<double>(std::max<std::size_t>(2, labels_.size()) - 1));
    const std::string label = escaped(labels_[row]);
    std::string svg = fmt::format(
        "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\" fill=\"{}\"><title>{}, row {}, text {}</title>"
        "</circle>",
        x, y, colour, label, row, texts_of_[row]);
    if (labels_.size() <= kMostLabels) {
      svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" fill=\"{}\">{}</text>", x + 4, y + 3,
                         colour, label);
    }
    return svg + "\n";
  }

  std::unique_ptr<EmbedWriter> inner_;
  EmbedTarget target_;
  std::string file_;
  io::AtomicFile svg_;  // opened first: a place that cannot be written is an error at once
  std::vector<std::vector<float>> rows_;  // per kind
  std::vector<std::string> labels_;       // per row
  std::vector<std::size_t> texts_of_;
  std::size_t texts_ = 0;
};

}  // namespace

std::unique_ptr<EmbedWriter> make_plotting_writer(std::unique_ptr<EmbedWriter> inner,
                                                  const EmbedTarget& target,
                                                  const std::string& file) {
  return std::make_unique<PlottingWriter>(std::move(inner), target, file);
}

}  // namespace glassgpt::cli

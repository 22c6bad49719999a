#include "train/curve.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "io/file.h"
#include "io/json.h"

namespace glassgpt::training {
namespace {

using nlohmann::json;

std::vector<json> read_log(const std::filesystem::path& file) {
  std::vector<json> rows;
  const std::string text = io::read_file(file);
  for (std::size_t at = 0, end = 0; at < text.size(); at = end + 1) {
    end = std::min(text.find('\n', at), text.size());
    json row = json::parse(std::string_view(text).substr(at, end - at), nullptr, false);
    if (row.is_object() && row.contains("step")) rows.push_back(std::move(row));
  }
  return rows;
}

std::string csv(const std::vector<json>& rows) {
  constexpr std::array kColumns = {"step",
                                   "tokens",
                                   "loss",
                                   "lr",
                                   "tokens_per_second",
                                   "gradient_norm",
                                   "valid_nats_per_token",
                                   "valid_bits_per_byte"};
  std::string text;
  for (const char* column : kColumns) text += (text.empty() ? "" : ",") + std::string(column);
  text += "\n";
  for (const json& row : rows) {
    std::string line;
    for (const char* column : kColumns) {
      if (column != kColumns.front()) line += ",";
      if (row.contains(column)) line += row[column].dump();
    }
    text += line + "\n";
  }
  return text;
}

struct Point {
  double x, y;
};

std::vector<Point> series(const std::vector<json>& rows, const char* key) {
  std::vector<Point> points;
  for (const json& row : rows) {
    if (!row.contains(key) || !row[key].is_number()) continue;
    points.push_back({row["step"].get<double>(), row[key].get<double>()});
  }
  return points;
}

std::string number(double value, const char* format = "%.4g") {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), format, value);
  return text.data();
}

// Tick marks at multiples of 1, 2 or 5 times a power of ten, about `wanted` of them.
double tick_distance(double range, double wanted) {
  const double raw = range / wanted, power = std::pow(10.0, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= raw) return factor * power;
  }
  return 10 * power;
}

class Plot {
 public:
  Plot(double steps, double low, double high)
      : steps_(std::max(steps, 1.0)), low_(low), high_(std::max(high, low + 1e-3)) {}

  void axes() {
    svg_ += "<g fill=\"none\" stroke=\"currentColor\" stroke-opacity=\"0.15\">\n";
    std::string labels;
    for (double y = std::ceil(low_ / y_tick()) * y_tick(); y <= high_; y += y_tick()) {
      svg_ += "<path d=\"M" + x_text(0) + " " + y_text(y) + "H" + x_text(steps_) + "\"/>\n";
      labels += "<text x=\"" + number(kLeft - 8) + "\" y=\"" + number(place_y(y) + 4) +
                "\" text-anchor=\"end\">" + number(y) + "</text>\n";
    }
    for (double x = 0; x <= steps_; x += tick_distance(steps_, 8)) {
      labels += "<text x=\"" + x_text(x) + "\" y=\"" + number(kHeight - kBottom + 18) +
                "\" text-anchor=\"middle\">" + number(x, "%.0f") + "</text>\n";
    }
    svg_ += "</g>\n<g fill=\"currentColor\">\n" + labels + "<text x=\"" + x_text(steps_ / 2) +
            "\" y=\"" + number(kHeight - 6) + "\" text-anchor=\"middle\">step</text>\n</g>\n";
  }

  void line(const std::vector<Point>& points, const char* color, const char* name) {
    if (points.empty()) return;
    std::string path;
    for (const Point& point : points) {
      path += (path.empty() ? "M" : "L") + x_text(point.x) + " " + y_text(point.y);
    }
    svg_ += std::string("<path fill=\"none\" stroke-width=\"1.5\" stroke=\"") + color + "\" d=\"" +
            path + "\"/>\n<text x=\"" + number(kWidth - kRight) + "\" y=\"" +
            number(kTop + 16 * ++lines_) + "\" text-anchor=\"end\" fill=\"" + color + "\">" + name +
            ": " + number(points.back().y) + "</text>\n";
  }

  std::string text() const {
    return "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " + number(kWidth) + " " +
           number(kHeight) + "\" font-family=\"sans-serif\" font-size=\"12\">\n" + svg_ +
           "</svg>\n";
  }

 private:
  static constexpr double kWidth = 720, kHeight = 360;
  static constexpr double kLeft = 52, kRight = 16, kTop = 12, kBottom = 44;

  double y_tick() const { return tick_distance(high_ - low_, 6); }
  double place_y(double y) const {
    return kTop + (high_ - y) / (high_ - low_) * (kHeight - kTop - kBottom);
  }
  std::string x_text(double x) const {
    return number(kLeft + x / steps_ * (kWidth - kLeft - kRight), "%.1f");
  }
  std::string y_text(double y) const { return number(place_y(y), "%.1f"); }

  double steps_, low_, high_;
  int lines_ = 0;
  std::string svg_;
};

std::string svg(const std::vector<json>& rows) {
  const std::vector<Point> loss = series(rows, "loss"), held = series(rows, "valid_nats_per_token");
  double low = 1e30, high = -1e30, steps = 0;
  for (const std::vector<Point>* points : {&loss, &held}) {
    for (const Point& point : *points) {
      low = std::min(low, point.y);
      high = std::max(high, point.y);
      steps = std::max(steps, point.x);
    }
  }
  if (low > high) low = high = 0;
  Plot plot(steps, low, high);
  plot.axes();
  plot.line(loss, "#4477aa", "training, nats per token");
  plot.line(held, "#cc6677", "held out, nats per token");
  return plot.text();
}

}  // namespace

void write_curve(const std::filesystem::path& run) {
  std::error_code ignored;
  if (!std::filesystem::exists(run / "log.jsonl", ignored)) return;
  const std::vector<json> rows = read_log(run / "log.jsonl");
  if (rows.empty()) return;
  io::write_file(run / "loss.csv", csv(rows));
  io::write_file(run / "loss.svg", svg(rows));
}

}  // namespace glassgpt::training

#include "walkthrough/page.h"

#include <stdexcept>

#include "walkthrough/resources.h"

namespace glassgpt::walkthrough {
namespace {

constexpr std::string_view kFolder = "page/";

bool starts_with(std::string_view text, std::string_view start) {
  return text.substr(0, start.size()) == start;
}

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

std::string json_element(std::string_view id, std::string_view json) {
  return "<script type=\"application/json\" id=\"" + std::string(id) + "\">" +
         escape_for_script(json) + "</script>\n";
}

struct Parts {
  std::string styles, texts, scripts;
};

void add_file(Parts& parts, std::string_view name) {
  const std::string bytes(resource(std::string(kFolder) + std::string(name)));
  if (ends_with(name, ".css")) {
    parts.styles += "<style>\n" + bytes + "</style>\n";
  } else if (ends_with(name, ".js")) {
    // A function of its own, so that no file's names meet another's.
    parts.scripts += "<script>\n(() => {\n" + bytes + "})();\n</script>\n";
  } else if (starts_with(name, "text/") && ends_with(name, ".json")) {
    const std::string_view language = name.substr(5, name.size() - 10);
    parts.texts += json_element("text-" + std::string(language), bytes);
  } else {
    throw std::logic_error("page/files.txt names a file of no known kind: " + std::string(name));
  }
}

Parts read_parts() {
  Parts parts;
  std::string_view names = resource("page/files.txt");
  while (!names.empty()) {
    const std::size_t end = std::min(names.find('\n'), names.size());
    if (end > 0) add_file(parts, names.substr(0, end));
    names.remove_prefix(std::min(end + 1, names.size()));
  }
  return parts;
}

void replace_line(std::string& page, std::string_view marker, std::string_view with) {
  const std::size_t at = page.find(marker);
  if (at == std::string::npos) {
    throw std::logic_error("page/index.html has no line " + std::string(marker));
  }
  page.replace(at, marker.size() + 1, with);
}

}  // namespace

std::string escape_for_script(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  for (std::size_t i = 0; i < json.size(); ++i) {
    const std::string_view next = json.substr(i, 3);
    if (json[i] == '<') {
      out += "\\u003c";
    } else if (next == "\xE2\x80\xA8" || next == "\xE2\x80\xA9") {
      out += next[2] == '\xA8' ? "\\u2028" : "\\u2029";
      i += 2;
    } else {
      out += json[i];
    }
  }
  return out;
}

std::string make_page(std::string_view data) {
  const Parts parts = read_parts();
  std::string page(resource("page/index.html"));
  replace_line(page, "<!-- styles -->", parts.styles);
  replace_line(page, "<!-- scripts -->", parts.scripts);
  // The last one, for the data may hold anything.
  replace_line(page, "<!-- data -->", parts.texts + json_element("walkthrough-data", data));
  return page;
}

std::size_t page_overhead() { return make_page("").size(); }

}  // namespace glassgpt::walkthrough

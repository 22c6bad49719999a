// Files of src/walkthrough that are part of the program: the page and its texts.
#pragma once

#include <span>
#include <string_view>

namespace glassgpt::walkthrough {

struct Resource {
  std::string_view name;  // "page/index.html", "examples.json"
  std::string_view bytes;
};

// Generated at build time (cmake/EmbedFiles.cmake).
std::span<const Resource> resources() noexcept;

// Throws std::logic_error for a name that was not built in.
std::string_view resource(std::string_view name);

}  // namespace glassgpt::walkthrough

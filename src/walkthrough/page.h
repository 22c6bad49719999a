// One HTML file out of the page's files and a walkthrough's data.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace glassgpt::walkthrough {

// JSON as a script element may hold it: no "<" that could end the element or begin another, no
// line separators that old parsers of scripts trip over. The same JSON value.
std::string escape_for_script(std::string_view json);

// page/README.md says how the files are joined.
std::string make_page(std::string_view data);

// Bytes of the page without its data.
std::size_t page_overhead();

}  // namespace glassgpt::walkthrough

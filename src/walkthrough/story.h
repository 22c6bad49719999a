// A walkthrough for the terminal: the page's chapters as text, from the same data.
#pragma once

#include <string>
#include <string_view>

#include "walkthrough/document.h"

namespace glassgpt::walkthrough {

// language: "en" or "zh".
std::string tell_story(const Document& document, std::string_view language);

// "zh" where LC_ALL, LC_MESSAGES or LANG (the first that is set) begins with it, else "en".
std::string language_of_environment();

}  // namespace glassgpt::walkthrough

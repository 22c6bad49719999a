#include "walkthrough/resources.h"

#include <stdexcept>
#include <string>

namespace glassgpt::walkthrough {

std::string_view resource(std::string_view name) {
  for (const Resource& one : resources()) {
    if (one.name == name) return one.bytes;
  }
  throw std::logic_error("not built in: " + std::string(name));
}

}  // namespace glassgpt::walkthrough

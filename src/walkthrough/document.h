// The data of one walkthrough while it is put together: JSON, and tensors that become JSON at the
// end, when it is known how much room there is.
#pragma once

#include <cstddef>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "walkthrough/tensor.h"

namespace glassgpt::walkthrough {

class Document {
 public:
  nlohmann::ordered_json json;

  // Puts a tensor where a JSON pointer says ("/attention/q"). It is null there until dump().
  void put(const std::string& pointer, Tensor tensor);
  const Tensor& tensor(const std::string& pointer) const { return tensors_.at(pointer); }
  bool has(const std::string& pointer) const { return tensors_.contains(pointer); }

  // One line of JSON, at most `budget` bytes if the steps of SCHEMA.md can do it; 0: every number
  // exactly.
  std::string dump(std::size_t budget = 0) const;

 private:
  std::map<std::string, Tensor> tensors_;
};

}  // namespace glassgpt::walkthrough

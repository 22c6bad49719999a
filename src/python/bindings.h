// What the files of the extension module glassgpt._core share. The classes that users see are
// Python: src/python/glassgpt/.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "glassgpt/model.h"
#include "glassgpt/tokenizer.h"

namespace glassgpt::python {

namespace py = pybind11;

// A model and the tokenizer that makes its ids. Immutable, so any number of Python's threads may
// use it at the same time.
struct Engine {
  std::filesystem::path directory;
  Model model;
  Tokenizer tokenizer;
};

// Reads the names that the command line has for the same choices; throws std::invalid_argument.
ForwardOptions forward_options(int threads, const std::string& gemm, const std::string& dtype);
SpecialTokens special_tokens(const std::string& name);

// Numbers that become a numpy array without being copied: `owner` lives in a capsule that the array
// holds, and goes when the last array that looks at it is gone.
template <class T, class Owner>
py::array_t<T> array_of(std::unique_ptr<Owner> owner, T* data, std::vector<std::size_t> shape) {
  const py::capsule capsule(owner.get(), [](void* held) { delete static_cast<Owner*>(held); });
  owner.release();
  return py::array_t<T>(std::vector<py::ssize_t>(shape.begin(), shape.end()), data, capsule);
}

template <class T>
py::array_t<T> array_of(std::vector<T> values) {
  auto owner = std::make_unique<std::vector<T>>(std::move(values));
  T* const data = owner->data();
  const std::size_t size = owner->size();
  return array_of(std::move(owner), data, {size});
}

// Floats of a size that is known before they are written.
class FloatArray {
 public:
  explicit FloatArray(std::vector<std::size_t> shape);
  float* data() noexcept { return values_->get(); }
  py::array_t<float> release();

 private:
  std::vector<std::size_t> shape_;
  std::unique_ptr<std::unique_ptr<float[]>> values_;  // the inner one is what the capsule holds
};

// Each defines its part of the module.
void define_tokens(py::class_<Engine>& engine);
void define_embed(py::class_<Engine>& engine);
void define_trace(py::class_<Engine>& engine);

}  // namespace glassgpt::python

// What the tests of the elementwise and row kernels share: which implementations and which sizes.
#pragma once

#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/dispatch.h"
#include "kernels/reference_table.h"
#include "tests/kernels/compare.h"

namespace glassgpt::test {

using kernels::reference_table;

// The references and every ISA that this CPU has.
inline std::vector<const kernels::KernelTable*> all_tables() {
  std::vector<const kernels::KernelTable*> tables = kernels::supported_kernels();
  tables.push_back(&reference_table());
  return tables;
}
inline void for_each_isa(const std::function<void(const kernels::KernelTable&)>& f) {
  for (const kernels::KernelTable* table : all_tables()) {
    SCOPED_TRACE(std::string("ISA ") + table->isa);
    f(*table);
  }
}

// Every tail, the unrolled loops' edges, and the model's own widths.
inline std::vector<std::size_t> small_sizes(std::size_t lanes) {
  std::vector<std::size_t> sizes;
  for (std::size_t n = 0; n <= 2 * lanes + 1; ++n) sizes.push_back(n);
  for (std::size_t n : {4 * lanes - 1, 4 * lanes, 5 * lanes + 1, 9 * lanes + 3}) sizes.push_back(n);
  return sizes;
}
inline std::vector<std::size_t> all_sizes(std::size_t lanes) {
  std::vector<std::size_t> sizes = small_sizes(lanes);
  for (std::size_t n : {256, 768, 1024, 8192, 50257}) sizes.push_back(n);
  return sizes;
}

// Tests over all 2^32 floats take minutes and run only where the environment variable
// GLASSGPT_LONG_TESTS is set: to the name of an ISA ("reference" is one) for that one alone, to
// anything else for all.
inline bool long_tests() { return std::getenv("GLASSGPT_LONG_TESTS") != nullptr; }
inline std::vector<const kernels::KernelTable*> long_test_tables() {
  const std::vector<const kernels::KernelTable*> tables = all_tables();
  const std::string_view wanted = long_tests() ? std::getenv("GLASSGPT_LONG_TESTS") : "";
  for (const kernels::KernelTable* table : tables)
    if (wanted == table->isa) return {table};
  return tables;
}

inline std::vector<double> to_double(const std::vector<float>& values) {
  return {values.begin(), values.end()};
}

// Bit for bit, NaN included: for results that must not depend on layout.
inline testing::AssertionResult same_bytes(const std::vector<float>& a,
                                           const std::vector<float>& b) {
  if (a.size() != b.size()) return testing::AssertionFailure() << a.size() << " and " << b.size();
  for (std::size_t i = 0; i < a.size(); ++i)
    if (std::bit_cast<std::uint32_t>(a[i]) != std::bit_cast<std::uint32_t>(b[i]))
      return testing::AssertionFailure()
             << "element " << i << " of " << a.size() << ": " << a[i] << " and " << b[i];
  return testing::AssertionSuccess();
}

// An elementwise y[i] = f(x[i]) gives element i the bytes that it gives the element alone: whatever
// the length, the alignment and the neighbours; in place too; and touches nothing else.
inline void expect_elementwise(kernels::UnaryFn* f, std::size_t lanes, float low, float high) {
  for (std::size_t n : all_sizes(lanes)) {
    SCOPED_TRACE("n = " + std::to_string(n));
    const std::vector<float> x = random_floats(n, static_cast<std::uint32_t>(n), low, high);
    std::vector<float> alone(n);
    for (std::size_t i = 0; i < n; ++i) f(1, &x[i], &alone[i]);
    for (std::size_t offset : {0, 1, 3, 7}) {
      GuardedBuffer<> in(n, offset, x);
      GuardedBuffer<> out(n, offset + 2);
      f(n, in.data(), out.data());
      ASSERT_TRUE(same_bytes(out.values(), alone));
      ASSERT_TRUE(same_bytes(in.values(), x));
      f(n, in.data(), in.data());
      ASSERT_TRUE(same_bytes(in.values(), alone));
      ASSERT_TRUE(in.intact() && out.intact());
    }
  }
}

// The same for y[i] = f(a[i], b[i]), in place on either.
using BinaryFn = std::function<void(std::size_t, const float*, const float*, float*)>;
inline void expect_elementwise(const BinaryFn& f, std::size_t lanes) {
  for (std::size_t n : all_sizes(lanes)) {
    SCOPED_TRACE("n = " + std::to_string(n));
    const std::vector<float> a = random_floats(n, static_cast<std::uint32_t>(n), -4.0f, 4.0f);
    const std::vector<float> b = random_floats(n, static_cast<std::uint32_t>(n) + 1);
    std::vector<float> alone(n);
    for (std::size_t i = 0; i < n; ++i) f(1, &a[i], &b[i], &alone[i]);
    for (std::size_t offset : {0, 1, 3, 7}) {
      GuardedBuffer<> in_a(n, offset, a);
      GuardedBuffer<> in_b(n, offset + 1, b);
      GuardedBuffer<> out(n, offset + 2);
      f(n, in_a.data(), in_b.data(), out.data());
      ASSERT_TRUE(same_bytes(out.values(), alone));
      ASSERT_TRUE(same_bytes(in_a.values(), a) && same_bytes(in_b.values(), b));
      f(n, in_a.data(), in_b.data(), in_b.data());
      ASSERT_TRUE(same_bytes(in_b.values(), alone));
      GuardedBuffer<> again_b(n, offset, b);
      f(n, in_a.data(), again_b.data(), in_a.data());
      ASSERT_TRUE(same_bytes(in_a.values(), alone));
      ASSERT_TRUE(in_a.intact() && in_b.intact() && out.intact());
    }
  }
}

}  // namespace glassgpt::test

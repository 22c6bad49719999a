#include "kernels/dispatch.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "glassgpt/error.h"
#include "kernels/blas_info.h"
#include "kernels/gemm/gemm.h"

namespace glassgpt::kernels {
namespace {

// The choice is made once per process, so each way to make it runs in a process of its own: it ends
// with 0 and the chosen ISA, or with 3 and the error, on standard error.
[[noreturn]] void report_choice(const char* environment, const char* forced_before,
                                const char* forced_after) {
  if (environment != nullptr)
    setenv("GLASSGPT_ISA", environment, 1);
  else
    unsetenv("GLASSGPT_ISA");
  try {
    if (forced_before != nullptr) force_isa(forced_before);
    const std::string isa = active_kernels().isa;
    if (forced_after != nullptr) force_isa(forced_after);
    std::fprintf(stderr, "chose %s\n", isa.c_str());
  } catch (const Error& error) {
    std::fprintf(stderr, "%s%s\n", error.code() == ErrorCode::kUnavailable ? "unavailable: " : "",
                 error.what());
    std::exit(3);
  }
  std::exit(0);
}

class DispatchDeathTest : public testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
  const std::string best_ = std::string("chose ") + supported_kernels().back()->isa + "\n";
};

TEST_F(DispatchDeathTest, TakesTheBestByDefault) {
  EXPECT_EXIT(report_choice(nullptr, nullptr, nullptr), testing::ExitedWithCode(0), best_);
  EXPECT_EXIT(report_choice("", nullptr, nullptr), testing::ExitedWithCode(0), best_);
}

TEST_F(DispatchDeathTest, HonoursTheEnvironment) {
  for (const KernelTable* table : supported_kernels())
    EXPECT_EXIT(report_choice(table->isa, nullptr, nullptr), testing::ExitedWithCode(0),
                std::string("chose ") + table->isa + "\n");
}

TEST_F(DispatchDeathTest, TheForcedIsaGoesBeforeTheEnvironment) {
  EXPECT_EXIT(report_choice("no-such-isa", "scalar", nullptr), testing::ExitedWithCode(0),
              "chose scalar\n");
}

TEST_F(DispatchDeathTest, AnUnknownNameIsAnErrorOnFirstUse) {
  EXPECT_EXIT(report_choice("mmx", nullptr, nullptr), testing::ExitedWithCode(3),
              "unavailable: GLASSGPT_ISA asks for the unknown instruction set 'mmx'; this CPU "
              "supports scalar");
  EXPECT_EXIT(report_choice(nullptr, "AVX2", nullptr), testing::ExitedWithCode(3),
              "unavailable: --isa asks for the unknown instruction set 'AVX2'");
}

TEST_F(DispatchDeathTest, TheChoiceIsMadeOnce) {
  const std::vector<const KernelTable*> tables = supported_kernels();
  if (tables.size() < 2) GTEST_SKIP() << "this CPU runs one ISA alone";
  EXPECT_EXIT(report_choice(nullptr, nullptr, "scalar"), testing::ExitedWithCode(3),
              "unavailable: the instruction set '.*' is already in use");
  EXPECT_EXIT(report_choice(nullptr, "scalar", "scalar"), testing::ExitedWithCode(0),
              "chose scalar\n");
}

TEST(Dispatch, TellsUnsupportedFromUnknown) {
  const KernelTable* scalar = supported_kernels().front();
  KernelTable future = *scalar;
  future.isa = "avx1024";
  const std::vector<const KernelTable*> built = {scalar, &future}, supported = {scalar};
  EXPECT_EQ(&find_kernels("scalar", "GLASSGPT_ISA", built, supported), scalar);
  const auto message = [&](std::string_view name) -> std::string {
    try {
      find_kernels(name, "GLASSGPT_ISA", built, supported);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUnavailable);
      return error.what();
    }
    return "no error";
  };
  EXPECT_EQ(message("avx1024"),
            "GLASSGPT_ISA asks for the instruction set 'avx1024', which this CPU does not support; "
            "this CPU supports scalar");
  EXPECT_EQ(message("avx"),
            "GLASSGPT_ISA asks for the unknown instruction set 'avx'; this CPU supports scalar");
}

TEST(Dispatch, EveryBuiltTableIsCompleteAndScalarIsAlwaysThere) {
  const std::vector<const KernelTable*> tables = supported_kernels();
  ASSERT_FALSE(tables.empty());
  EXPECT_STREQ(tables.front()->isa, "scalar");
  EXPECT_GE(built_isas().size(), tables.size());
  for (const KernelTable* table : tables) {
    SCOPED_TRACE(table->isa);
    EXPECT_GE(table->lanes, 1u);
    EXPECT_EQ(table->gemm.nr % table->lanes, 0u);
    // Behind the ISA's name, the lanes and the tile's shape the table is function pointers to its
    // end.
    const auto* begin = reinterpret_cast<void* const*>(&table->gemm.pack_a);
    const auto* end = reinterpret_cast<void* const*>(table + 1);
    for (const auto* entry = begin; entry != end; ++entry)
      EXPECT_NE(*entry, nullptr) << "entry " << entry - begin;
  }
}

TEST(Blas, IsHeldToTheThreadsItIsTold) {
  const BlasInfo before = blas_info();
  EXPECT_FALSE(before.config.empty());
  if (!before.controllable) GTEST_SKIP() << "this BLAS has no control of its threads";
  set_blas_threads(1);
  EXPECT_EQ(blas_info().threads, 1);
  set_blas_threads(2);
  // A build without threads stays at 1.
  EXPECT_LE(blas_info().threads, 2);
  EXPECT_GE(blas_info().threads, 1);
}

TEST(Blas, AProductSetsItsThreads) {
  if (!blas_info().controllable) GTEST_SKIP() << "this BLAS has no control of its threads";
  set_blas_threads(2);
  const float a = 2.0f, b = 3.0f;
  float c = 0.0f;
  gemm(false, false, 1, 1, 1, &a, 1, &b, 1, false, &c, 1,
       {.backend = GemmBackend::kBlas, .threads = 1});
  EXPECT_EQ(c, 6.0f);
  EXPECT_EQ(blas_info().threads, 1);
}

}  // namespace
}  // namespace glassgpt::kernels

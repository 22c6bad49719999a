#include "kernels/dispatch.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <fstream>
#include <mutex>

#include "glassgpt/error.h"
#include "kernels/built_isas.h"

namespace glassgpt::kernels {

#define GLASSGPT_DECLARE_TABLE(name) extern const KernelTable kernel_table_##name;
GLASSGPT_FOR_EACH_ISA(GLASSGPT_DECLARE_TABLE)
#undef GLASSGPT_DECLARE_TABLE

namespace {

#if defined(__x86_64__) && defined(__linux__)
// Linux saves the tile registers of a process only once it has asked for them. Refused where the
// kernel is older than 5.16, or an alternate signal stack too small for them.
bool may_use_tiles() {
  constexpr long kRequestPermission = 0x1023,
                 kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  static const bool granted = syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  return granted;
}

// CPUID leaf 7: AMX-BF16 and AMX-TILE. __builtin_cpu_supports of Debian's Clang does not know them.
bool cpu_has_amx() {
  constexpr unsigned kBits = (1u << 22) | (1u << 24);
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && (edx & kBits) == kBits;
}
#endif

// __builtin_cpu_supports knows what the operating system saves, which a bare CPUID test does not.
bool cpu_supports(std::string_view isa) {
  if (isa == "scalar" || isa == "neon64") return true;
#if defined(__x86_64__)
  if (isa == "sse2") return __builtin_cpu_supports("sse2");
  if (isa == "avx2") return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (isa == "avx512")
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512cd");
  if (isa == "avx512bf16") return cpu_supports("avx512") && __builtin_cpu_supports("avx512bf16");
#if defined(__linux__)
  if (isa == "amx") return cpu_supports("avx512bf16") && cpu_has_amx() && may_use_tiles();
#endif
#endif
  return false;
}

// Slowest first, as CMake lists them.
const std::vector<const KernelTable*>& built_tables() {
#define GLASSGPT_TABLE_ADDRESS(name) &kernel_table_##name,
  static const std::vector<const KernelTable*> tables = {
      GLASSGPT_FOR_EACH_ISA(GLASSGPT_TABLE_ADDRESS)};
#undef GLASSGPT_TABLE_ADDRESS
  return tables;
}

std::string joined_names(const std::vector<const KernelTable*>& tables) {
  std::string names;
  for (const KernelTable* table : tables) {
    if (!names.empty()) names += ", ";
    names += table->isa;
  }
  return names;
}

const KernelTable& find(std::string_view name, std::string_view source) {
  return find_kernels(name, source, built_tables(), supported_kernels());
}

std::mutex choice_mutex;
std::atomic<const KernelTable*> choice{nullptr};

}  // namespace

const KernelTable& find_kernels(std::string_view name, std::string_view source,
                                const std::vector<const KernelTable*>& built,
                                const std::vector<const KernelTable*>& supported) {
  for (const KernelTable* table : supported)
    if (table->isa == name) return *table;
  const bool known = std::any_of(built.begin(), built.end(),
                                 [&](const KernelTable* table) { return table->isa == name; });
  throw Error(ErrorCode::kUnavailable, {},
              std::string(source) + " asks for the " + (known ? "" : "unknown ") +
                  "instruction set '" + std::string(name) + "'" +
                  (known ? ", which this CPU does not support" : ""),
              "this CPU supports " + joined_names(supported));
}

const KernelTable& active_kernels() {
  if (const KernelTable* table = choice.load(std::memory_order_acquire)) return *table;
  const std::lock_guard lock(choice_mutex);
  if (choice.load() == nullptr) {
    const char* forced = std::getenv("GLASSGPT_ISA");
    choice.store(forced != nullptr && *forced != '\0' ? &find(forced, "GLASSGPT_ISA")
                                                      : supported_kernels().back(),
                 std::memory_order_release);
  }
  return *choice.load();
}

void force_isa(std::string_view name) {
  const std::lock_guard lock(choice_mutex);
  const KernelTable& table = find(name, "--isa");
  if (const KernelTable* used = choice.load(); used != nullptr && used != &table)
    throw Error(ErrorCode::kUnavailable, {},
                "the instruction set '" + std::string(used->isa) + "' is already in use",
                "choose before the first computation");
  choice.store(&table, std::memory_order_release);
}

std::vector<const KernelTable*> supported_kernels() {
  std::vector<const KernelTable*> tables;
  for (const KernelTable* table : built_tables())
    if (cpu_supports(table->isa)) tables.push_back(table);
  return tables;
}

std::string cpu_name() {
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  while (std::getline(file, line)) {
    if (line.rfind("model name", 0) != 0 && line.rfind("Model", 0) != 0) continue;
    const std::size_t colon = line.find(": ");
    if (colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

std::vector<std::string> built_isas() {
  std::vector<std::string> names;
  for (const KernelTable* table : built_tables()) names.emplace_back(table->isa);
  return names;
}

}  // namespace glassgpt::kernels

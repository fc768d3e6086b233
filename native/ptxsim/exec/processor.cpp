#include "exec/processor.h"

#include <cstdio>
#include <cstring>

namespace ptxsim {
namespace {

struct Feature {
  const char* name;
  int level;  // the lowest that asks for it
};

constexpr Feature Features[] = {{"ssse3", 2},   {"sse4.2", 2},   {"popcnt", 2},   {"avx2", 3},     {"bmi", 3},     {"bmi2", 3},
                                {"fma", 3},     {"avx512f", 4},  {"avx512bw", 4}, {"avx512cd", 4}, {"avx512dq", 4}, {"avx512vl", 4}};

}  // namespace

unsigned processorFeatures() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  // The built-in function takes literals only; in the order of the table.
  bool has[] = {__builtin_cpu_supports("ssse3") != 0,   __builtin_cpu_supports("sse4.2") != 0,   __builtin_cpu_supports("popcnt") != 0,
                __builtin_cpu_supports("avx2") != 0,    __builtin_cpu_supports("bmi") != 0,      __builtin_cpu_supports("bmi2") != 0,
                __builtin_cpu_supports("fma") != 0,     __builtin_cpu_supports("avx512f") != 0,  __builtin_cpu_supports("avx512bw") != 0,
                __builtin_cpu_supports("avx512cd") != 0, __builtin_cpu_supports("avx512dq") != 0, __builtin_cpu_supports("avx512vl") != 0};
  static_assert(sizeof has / sizeof *has == sizeof Features / sizeof *Features);
  unsigned features = 0;
  for (unsigned i = 0; i < sizeof has / sizeof *has; i++) features |= has[i] ? 1u << i : 0;
  return features;
#else
  return ~0u;
#endif
}

const char* missingFeature(const char* level, unsigned features) {
  const char* digit = std::strstr(level, "-v");
  int wanted = digit ? digit[2] - '0' : 1;
  for (unsigned i = 0; i < sizeof Features / sizeof *Features; i++)
    if (Features[i].level <= wanted && !(features >> i & 1)) return Features[i].name;
  return nullptr;
}

const char* refusalOfProcessor() {
  static char text[320];
  const char* missing = missingFeature(PTXSIM_ARCHITECTURE, processorFeatures());
  if (!missing) return nullptr;
  std::snprintf(text, sizeof text,
                "the libcuda stand-in was built for %s and this processor has no %s; build it here (cmake -S . -B build && cmake --build build), or for "
                "all of your machines with -DPTXSIM_ARCHITECTURE=x86-64-v2 or -v3",
                PTXSIM_ARCHITECTURE, missing);
  return text;
}

}  // namespace ptxsim

// What a kernel did: the profile that can be read without a GPU.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace ptxsim {

enum class Count : uint8_t {
  WarpInstructions,      // issued, whatever the number of active lanes
  ThreadInstructions,    // active lanes summed over them
  IntegerInstructions,
  FloatInstructions,
  ConversionInstructions,
  ControlInstructions,
  MemoryInstructions,
  BarrierInstructions,
  ExchangeInstructions,  // shfl, vote, match, redux
  MmaInstructions,
  DivergentBranches,
  GlobalLoadBytes,       // that lanes asked for
  GlobalStoreBytes,
  GlobalLoadSectors,     // 32-byte sectors that they touch: times 32 against the bytes shows what coalescing loses
  GlobalStoreSectors,
  SharedLoadBytes,
  SharedStoreBytes,
  SharedWavefronts,      // passes over the 32 banks
  SharedIdealWavefronts, // that the same bytes need without a conflict
  LocalBytes,
  AtomicInstructions,
  AsyncCopyBytes,
  Number,
};

// Compiled out to measure what counting costs: bench/ptxsim/run.sh --counters.
#if defined(PTXSIM_WITHOUT_COUNTERS)
constexpr bool IsCounting = false;
#else
constexpr bool IsCounting = true;
#endif

struct Counters {
  std::array<uint64_t, static_cast<std::size_t>(Count::Number)> values{};

  void add(Count count, uint64_t amount = 1) { if constexpr (IsCounting) values[static_cast<std::size_t>(count)] += amount; }
  uint64_t operator[](Count count) const { return values[static_cast<std::size_t>(count)]; }
  void merge(const Counters& other) {
    for (size_t i = 0; i < values.size(); i++) values[i] += other.values[i];
  }
};

// "global_load_bytes": as reports and JSON write them.
const char* nameOf(Count count);

}  // namespace ptxsim

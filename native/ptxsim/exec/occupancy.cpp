#include "exec/occupancy.h"

#include <algorithm>

namespace ptxsim {

Occupancy occupancy(const Kernel& kernel, int blockSize, uint32_t dynamicShared, int computeCapability) {
  constexpr int Registers = 65536, Warps = 64, Blocks = 32, ReservedShared = 1024;
  int sharedBytes = (computeCapability >= 90 ? 228 : 164) * 1024;
  int warps = std::max(1, (blockSize + 31) / 32);
  int registers = std::max(kernel.footprint().liveRegisters, 16);
  // Where setmaxnreg moves them about, a launch needs no more than a block can have.
  if (kernel.setRegisters > 0) registers = std::min(registers, Registers / (warps * 32) / 8 * 8);
  // Registers are handed out to warps in units of 256.
  int perWarp = (registers * 32 + 255) / 256 * 256;
  int shared = static_cast<int>(kernel.usesDynamicShared ? kernel.dynamicOffset() + dynamicShared : kernel.sharedBytes + dynamicShared) + ReservedShared;
  struct { int blocks; const char* limit; } limits[] = {
      {Warps / warps, "threads"}, {Blocks, "blocks"}, {Registers / perWarp / warps, "registers"}, {sharedBytes / shared, "shared memory"}};
  auto least = *std::min_element(std::begin(limits), std::end(limits), [](const auto& a, const auto& b) { return a.blocks < b.blocks; });
  return {least.blocks, static_cast<double>(least.blocks * warps) / Warps, least.limit};
}

}  // namespace ptxsim

// ptxsim stat: what the PTX alone says of each kernel. Fails where a kernel cannot keep its launch bounds without spilling.
#include <algorithm>
#include <cstdio>
#include <map>

#include "cli/cli.h"
#include "exec/image.h"
#include "exec/memory.h"
#include "exec/occupancy.h"

namespace ptxsim::cli {
namespace {

constexpr int MaxThreadRegisters = 255, MultiprocessorRegisters = 65536, DefaultBlock = 256;

// Registers that a thread may have: .maxnreg, or what .maxntid and .minnctapersm leave; 255 without either; where setmaxnreg moves them
// from warp to warp, the most that it gives one.
int registerBound(const Kernel& kernel, int blockThreads) {
  if (kernel.setRegisters > 0) return std::min(kernel.setRegisters, MaxThreadRegisters);
  if (kernel.maxRegisters > 0) return std::min(kernel.maxRegisters, MaxThreadRegisters);
  if (kernel.maxThreads[0] == 0 && kernel.requiredThreads[0] == 0) return MaxThreadRegisters;
  // Handed out in units of 8 a thread.
  int bound = MultiprocessorRegisters / (std::max(1, kernel.minBlocks) * ((blockThreads + 31) / 32 * 32)) / 8 * 8;
  return std::min(bound, MaxThreadRegisters);
}

int boundOf(const int (&threads)[3]) { return threads[0] * std::max(1, threads[1]) * std::max(1, threads[2]); }

// False where the live registers exceed the bound.
bool print(const Kernel& kernel, int block, uint32_t dynamicShared) {
  int declared = std::max(boundOf(kernel.maxThreads), boundOf(kernel.requiredThreads));
  int threads = block > 0 ? block : declared > 0 ? declared : DefaultBlock;
  int bound = registerBound(kernel, threads);
  bool isWithin = kernel.footprint().liveRegisters <= bound;
  std::printf("%s\n", kernel.name.c_str());
  std::printf("  live registers      %d of %d, predicates %d\n", kernel.footprint().liveRegisters, bound, kernel.footprint().livePredicates);
  std::printf("  shared memory       %u bytes%s\n", kernel.sharedBytes, kernel.usesDynamicShared ? " and dynamic" : "");
  std::printf("  local memory        %u bytes a thread\n", kernel.localBytes);
  std::printf("  parameters          %u bytes in %zu\n", kernel.parameterBytes, kernel.parameters.size());
  if (declared > 0) std::printf("  .maxntid            %d threads\n", declared);
  for (int capability : {80, 90}) {
    auto found = occupancy(kernel, threads, dynamicShared, capability);
    std::printf("  occupancy on sm_%d   %.0f %% with blocks of %d: %d blocks, limited by %s\n", capability, 100 * found.share, threads, found.blocks,
                found.limit);
  }

  std::map<Count, size_t> mix;
  for (const auto& instruction : kernel.code) mix[instruction.kind]++;
  std::printf("  instructions        %zu\n", kernel.code.size());
  for (const auto& [kind, count] : mix) {
    std::string name = nameOf(kind);
    std::printf("    %-17s %zu\n", name.substr(0, name.find('_')).c_str(), count);
  }

  if (!isWithin)
    std::printf("  OVER THE BOUND: %d registers live at once, %d for each thread: the assembler must spill; use smaller tiles or blocks\n",
                kernel.footprint().liveRegisters, bound);
  return isWithin;
}

}  // namespace

int stat(Words words) {
  std::string path = words.take("a PTX file"), only;
  int block = 0;
  uint32_t dynamicShared = 0;
  while (!words.isEmpty()) {
    std::string option = words.take("an option");
    if (option == "--kernel") only = words.valueOf(option);
    else if (option == "--block") block = static_cast<int>(wholeNumber(words.valueOf(option), option, 1024));
    else if (option == "--shared") dynamicShared = static_cast<uint32_t>(wholeNumber(words.valueOf(option), option, 227 * 1024));
    else unknownOption(option, {"--kernel", "--block", "--shared"});
  }

  DeviceMemory memory;
  auto image = load(readFile(path), memory);
  bool isAnyOver = false;
  size_t printed = 0;
  for (const auto& [name, kernel] : image->kernels) {
    if (!only.empty() && only != name) continue;
    isAnyOver |= !print(*kernel, block, dynamicShared);
    printed++;
  }

  if (printed == 0) throw UsageError(only.empty() ? "'" + path + "' has no kernel" : "'" + path + "' has no kernel '" + only + "'");
  return isAnyOver ? KernelFailed : Good;
}

}  // namespace ptxsim::cli

// Runs the warps of one block: lanes in lockstep as far as they agree, the lowest program counter first where they do not.
#pragma once

#include <functional>
#include <random>

#include "exec/launch.h"
#include "exec/tally.h"

namespace ptxsim {

class Scheduler {
 public:
  // `grid` may be null; `onSlice` is called now and then while a warp runs on and on.
  Scheduler(const Kernel& kernel, const LaunchShape& shape, DeviceMemory& memory, const ExecutorOptions& options, uint32_t firstToken, GridOrder* grid,
            std::function<void()> onSlice);

  // Throws KernelFault.
  void run(uint64_t blockNumber);
  // Of all blocks that have run to their end.
  Counters counters() const;

 private:
  void begin(uint64_t blockNumber);
  void fillSpecials(Warp& warp);
  uint32_t registersAtLaunch() const;
  void runWarp(Warp& warp);
  // Picks the lanes at the lowest program counter.
  static void regroup(Warp& warp);
  bool releaseBarriers();
  bool releaseBarrier(int id);
  void release(Barrier& barrier, int id, bool isWhole);
  // All that the warps did is ordered before what they do now.
  void orderAll();
  [[noreturn]] void reportStuck();
  [[noreturn]] void report(const Warp& warp, const Fault& fault) const;

  const Kernel& kernel_;
  const LaunchShape& shape_;
  const ExecutorOptions& options_;
  SharedMemory shared_;
  std::vector<uint8_t> registers_, local_;
  std::vector<int> order_;
  std::mt19937_64 random_;
  std::function<void()> onSlice_;
  ThreadBlock block_;
  Tally tally_;
  uint64_t steps_ = 0;
};

}  // namespace ptxsim

// Runs the warps of one block: lanes in lockstep as far as they agree, the lowest program counter first where they do not.
#pragma once

#include <functional>
#include <random>

#include "exec/cluster.h"
#include "exec/launch.h"
#include "exec/tally.h"

namespace ptxsim {

class Scheduler {
 public:
  // `grid` may be null; `onSlice` is called now and then while a warp runs on and on.
  Scheduler(const Kernel& kernel, const LaunchShape& shape, DeviceMemory& memory, const ExecutorOptions& options, uint32_t firstToken, GridOrder* grid,
            std::function<void()> onSlice);

  // `rank`: of the block in `cluster`, null where blocks are alone. Others of it begin before any goes on.
  void begin(uint64_t blockNumber, Cluster* cluster, int rank);
  // Lets each warp run until it waits, or for a slice.
  enum class Progress { Ended, Stuck, Some };
  Progress pass();
  // The block has ended, and those of its cluster. This and pass throw KernelFault.
  void finish();
  // Nothing goes on any more.
  [[noreturn]] void reportStuck() const;
  // Of all blocks that have run to their end.
  Counters counters() const;

  ThreadBlock& block() { return block_; }

 private:
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
  void joinAll();
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

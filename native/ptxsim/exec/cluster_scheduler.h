// Runs the blocks of one cluster by turns on one thread of the host, so that each can wait for the others; a block without a cluster is one of one.
#pragma once

#include <memory>

#include "exec/scheduler.h"

namespace ptxsim {

class ClusterScheduler {
 public:
  // As Scheduler.
  ClusterScheduler(const Kernel& kernel, const LaunchShape& shape, DeviceMemory& memory, const ExecutorOptions& options, uint32_t firstToken, GridOrder* grid,
                   const std::function<void()>& onSlice);

  // Throws KernelFault.
  void run(uint64_t number);
  Counters counters() const;

 private:
  uint64_t blockNumber(uint64_t cluster, uint32_t rank) const;

  const LaunchShape& shape_;
  uint64_t seed_;
  std::array<uint32_t, 3> size_;
  Cluster cluster_;
  bool isCluster_;
  std::vector<std::unique_ptr<Scheduler>> blocks_;  // by rank
  std::vector<size_t> order_;
};

}  // namespace ptxsim

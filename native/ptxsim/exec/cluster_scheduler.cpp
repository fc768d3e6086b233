#include "exec/cluster_scheduler.h"

#include <algorithm>
#include <numeric>

namespace ptxsim {

ClusterScheduler::ClusterScheduler(const Kernel& kernel, const LaunchShape& shape, DeviceMemory& memory, const ExecutorOptions& options, uint32_t firstToken,
                                   GridOrder* grid, const std::function<void()>& onSlice)
    : shape_(shape), seed_(options.seed), size_(clusterOf(kernel, shape)) {
  size_t count = size_[0] * size_[1] * size_[2];
  isCluster_ = count > 1 || kernel.usesClusters;
  for (size_t rank = 0; rank < count; rank++) {
    blocks_.push_back(std::make_unique<Scheduler>(kernel, shape, memory, options, firstToken, grid, onSlice));
    cluster_.blocks.push_back(&blocks_.back()->block());
  }

  order_.resize(count);
  std::iota(order_.begin(), order_.end(), size_t{0});
}

// Clusters and their blocks are numbered as blocks of a grid are: x first (PTX ISA, sections 10.11 to 10.16).
uint64_t ClusterScheduler::blockNumber(uint64_t cluster, uint32_t rank) const {
  if (blocks_.size() == 1) return cluster;
  uint64_t number = 0, stride = 1;
  for (int axis = 0; axis < 3; axis++) {
    uint64_t clusters = shape_.grid[axis] / size_[static_cast<size_t>(axis)], size = size_[static_cast<size_t>(axis)];
    number += stride * (cluster % clusters * size + rank % size);
    stride *= shape_.grid[axis];
    cluster /= clusters;
    rank /= static_cast<uint32_t>(size);
  }

  return number;
}

void ClusterScheduler::run(uint64_t number) {
  for (size_t rank = 0; rank < blocks_.size(); rank++)
    blocks_[rank]->begin(blockNumber(number, static_cast<uint32_t>(rank)), isCluster_ ? &cluster_ : nullptr, static_cast<int>(rank));
  if (isCluster_) cluster_.begin();
  if (seed_ != 0 && blocks_.size() > 1) {
    std::mt19937_64 random(seed_ ^ ((number + 1) * 0xD1342543DE82EF95));
    std::shuffle(order_.begin(), order_.end(), random);
  }

  for (;;) {
    bool isAlive = false, hasRun = false;
    for (size_t rank : order_) {
      auto progress = blocks_[rank]->pass();
      isAlive |= progress != Scheduler::Progress::Ended;
      hasRun |= progress == Scheduler::Progress::Some;
    }

    if (!isAlive) break;
    if (hasRun) continue;
    for (size_t rank : order_)
      if (blocks_[rank]->pass() == Scheduler::Progress::Stuck) blocks_[rank]->reportStuck();
  }

  for (auto& block : blocks_) block->finish();
}

Counters ClusterScheduler::counters() const {
  Counters total;
  for (const auto& block : blocks_) total.merge(block->counters());
  return total;
}

}  // namespace ptxsim

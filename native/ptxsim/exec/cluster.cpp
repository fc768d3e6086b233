#include "exec/cluster.h"

#include <algorithm>

namespace ptxsim {
namespace {

bool hasEnded(const ThreadBlock& block) {
  return std::none_of(block.warps.begin(), block.warps.end(), [](const Warp& warp) { return warp.live != 0; });
}

}  // namespace

void Cluster::begin() {
  size_t count = blocks.size();
  uses.assign(count, std::vector<Clock>(count, Clock{}));
  ends.resize(count);
  for (auto& phase : released) phase.reset(0, count);
  for (size_t rank = 0; rank < count; rank++) {
    ends[rank].reset(static_cast<int>(rank), count);
    for (auto& warp : blocks[rank]->warps) {
      for (size_t other = 0; other < count; other++) {
        // Everybody's first clock is the same, and one below stands for what was before.
        uint32_t before = blocks[other]->warps[0].now() - 1;
        auto& known = warp.past.peers[other];
        known.clock.fill(before);
        known.fenced.fill(before);
      }
    }
  }
}

uint32_t mapped(const Warp& w, uint64_t address, uint32_t rank, int lane) {
  size_t blocks = w.block->cluster->blocks.size();
  if (rank >= blocks)
    throw Fault{FaultKind::IllegalAddress, "mapa to block " + std::to_string(rank) + " of a cluster of " + std::to_string(blocks), lane, address};
  auto offset = static_cast<uint32_t>(address & ((uint64_t{1} << PeerShift) - 1));
  return rank == static_cast<uint32_t>(w.block->rank) ? offset : (rank + 1) << PeerShift | offset;
}

ThreadBlock& peerOf(Warp& w, uint32_t rank, int lane, const char* what) {
  size_t blocks = w.block->cluster ? w.block->cluster->blocks.size() : 1;
  if (rank >= blocks)
    throw Fault{FaultKind::IllegalAddress, std::string(what) + " names block " + std::to_string(rank) + " of a cluster of " + std::to_string(blocks), lane};
  if (static_cast<int>(rank) == w.block->rank) return *w.block;
  auto& cluster = *w.block->cluster;
  auto& block = *cluster.blocks[rank];
  if (hasEnded(block))
    throw Fault{FaultKind::IllegalAddress, std::string(what) + " reaches into the shared memory of block " + std::to_string(rank) +
                                               " of the cluster, which has ended: it needs barrier.cluster before it does", lane};
  cluster.uses[rank][static_cast<size_t>(w.block->rank)][static_cast<size_t>(w.index)] = w.now();
  return block;
}

PeerPlace peerAt(Warp& w, uint64_t address, int lane, const char* what) {
  auto tag = static_cast<uint32_t>(address >> PeerShift);
  if (tag == 0) return {w.block, address};
  return {&peerOf(w, tag - 1, lane, what), address & ((uint64_t{1} << PeerShift) - 1)};
}

void leaveCluster(Warp& w) {
  auto& cluster = *w.block->cluster;
  auto rank = static_cast<size_t>(w.block->rank);
  auto& end = cluster.ends[rank];
  join(end, w.past);
  if (!w.block->checks || !hasEnded(*w.block)) return;
  for (size_t other = 0; other < cluster.blocks.size(); other++)
    for (size_t warp = 0; warp < MaxWarps && other != rank; warp++)
      if (cluster.uses[rank][other][warp] > end.peers[other].clock[warp])
        throw Fault{FaultKind::Race, "the block ends, and with it its shared memory, which block " + std::to_string(other) + " of the cluster (warp " +
                                         std::to_string(warp) + ") has used with nothing that orders it before: both need barrier.cluster at their ends"};
}

}  // namespace ptxsim

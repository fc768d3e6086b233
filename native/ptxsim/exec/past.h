// What has happened before a point of a warp: vector clocks of the warps of its block and, in a cluster, of the other blocks.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace ptxsim {

constexpr int MaxWarps = 32;
using Clock = std::array<uint32_t, MaxWarps>;

inline void join(Clock& into, const Clock& from) {
  for (size_t i = 0; i < into.size(); i++) into[i] = into[i] > from[i] ? into[i] : from[i];
}

// Of one block's warps: up to which of its clocks each is known, and up to which of them a fence between the proxies lies between (PTX ISA,
// chapter 8, proxy-preserved base causality order: the fence may be anywhere on the way).
struct Known {
  Clock clock{}, fenced{};
};

inline void join(Known& into, const Known& from) {
  join(into.clock, from.clock);
  join(into.fenced, from.fenced);
}

struct Past : Known {
  int rank = 0;              // of the block in its cluster
  std::vector<Known> peers;  // of the cluster's blocks, by rank, the own one's unused; empty where the block is alone

  Known& of(int block) { return block == rank ? *this : peers[static_cast<size_t>(block)]; }
  const Known& of(int block) const { return block == rank ? *this : peers[static_cast<size_t>(block)]; }

  // Knows nothing, beside `blocks` blocks (0: no cluster).
  void reset(int ownRank, size_t blocks) {
    static_cast<Known&>(*this) = {};
    rank = ownRank;
    peers.assign(blocks, {});
  }
};

// Between points of one block, or of two of a cluster.
inline void join(Past& into, const Past& from) {
  if (from.peers.empty()) {
    join(static_cast<Known&>(into), from);
    return;
  }

  for (size_t block = 0; block < from.peers.size(); block++) join(into.of(static_cast<int>(block)), from.of(static_cast<int>(block)));
}

}  // namespace ptxsim

// Blocks that run together and reach into each other's shared memory (PTX ISA, sections 2.2.2 "Cluster of Cooperative Thread Arrays" and 9.7.12.3).
#pragma once

#include <vector>

#include "exec/warp.h"

namespace ptxsim {

struct Cluster {
  std::vector<ThreadBlock*> blocks;  // by rank
  Past released[2];                  // joined of those that have arrived at barrier.cluster: phases take turns, as nobody can be two ahead
  // Of each block, by rank: the last clock at which each warp of each block used its shared memory, and what its warps knew when they ended.
  std::vector<std::vector<Clock>> uses;
  std::vector<Past> ends;

  // Its blocks have begun: nobody knows of anything that another has done since.
  void begin();
};

// An address in the window of shared::cluster: that of shared::cta for the block's own memory, and what mapa makes of it for another's.
struct PeerPlace {
  ThreadBlock* block;
  uint64_t address;  // in its shared memory
};
constexpr int PeerShift = 24;
uint32_t mapped(const Warp& warp, uint64_t address, uint32_t rank, int lane);
// Throws Fault for a block that is not there, or has ended; a use is noted.
PeerPlace peerAt(Warp& warp, uint64_t address, int lane, const char* what);
ThreadBlock& peerOf(Warp& warp, uint32_t rank, int lane, const char* what);

// All lanes of a warp have left. Throws Fault where the block ends before what others do with its shared memory.
void leaveCluster(Warp& warp);

}  // namespace ptxsim

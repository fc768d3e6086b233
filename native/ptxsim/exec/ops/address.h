// Addresses of the state spaces, and what a warp's accesses cost a GPU.
#pragma once

#include "exec/warp.h"

namespace ptxsim {

struct Place {
  Space space;       // Global, Shared, Local, Const or Param, never Generic
  uint64_t address;  // in that space
};

// The address operand at `operand`, the `which`-th address of the instruction, for one lane.
Place placeOf(const Warp& warp, const Instruction& instruction, int operand, int which, int lane);

// A thread's own memory; throws Fault outside of it or misaligned.
uint8_t* local(const Warp& warp, uint64_t address, uint32_t bytes, const char* what, int lane);

// Throws Fault where an address is no multiple of `bytes`.
inline void aligned(uint64_t address, uint32_t bytes, const char* what, int lane) {
  if (address % bytes != 0)
    throw Fault{FaultKind::Misaligned, std::string(what) + " of " + std::to_string(bytes) + " bytes at an address that is no multiple of that", lane, address};
}

// Counts the traffic of one warp instruction: sectors of 32 bytes in global memory, passes over the 32 banks of shared memory. A warp
// reads 4 bytes a lane in one pass, 8 in two halves, 16 in four quarters (CUDA C++ programming guide, shared memory).
class Traffic {
 public:
  Traffic(Warp& warp, uint32_t bytes, bool isStore) : counters_(warp.block->counters), bytes_(bytes), isStore_(isStore) {}
  ~Traffic();
  Traffic(const Traffic&) = delete;
  Traffic& operator=(const Traffic&) = delete;

  void shared(uint64_t address) { shared_[sharedCount_++] = static_cast<uint32_t>(address); }
  void global(uint64_t address);
  void local() { localCount_++; }
  // `lanes` lanes at consecutive addresses: 32 words side by side lie in 32 banks.
  void sharedInOrder(uint32_t lanes);
  void globalInOrder(uint64_t begin, uint32_t lanes);
  // Any addresses, aligned, of the lanes that the mask names.
  void sharedScattered(const uint64_t (&addresses)[Lanes], uint32_t lanes);
  // All of `lanes` lanes at one address, which is read once.
  void sharedAtOnce(uint32_t lanes) { sharedInOrder(lanes); }
  void globalAtOnce(uint64_t address, uint32_t lanes);

 private:
  uint32_t wavefronts(uint32_t begin, uint32_t end) const;
  uint32_t together() const { return bytes_ <= 4 ? 32 : bytes_ <= 8 ? 16 : 8; }

  Counters& counters_;
  uint32_t bytes_;
  bool isStore_;
  uint32_t sharedCount_ = 0, localCount_ = 0, globalCount_ = 0, sectorCount_ = 0;
  uint32_t shared_[Lanes];
  uint64_t sectors_[2 * Lanes], highestSector_ = 0;
};

}  // namespace ptxsim

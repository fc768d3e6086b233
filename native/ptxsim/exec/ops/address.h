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

// Where some lanes of a warp access, in one space.
struct Addresses {
  uint64_t at[Lanes];  // of the other lanes: the first one's
  uint64_t lowest, highest;
  uint32_t lanes, count;
  int first;
  Space space;
  bool isInOrder;  // side by side, in the order of the lanes
  bool isOne;      // all the same

  // The address operand at `operand`, the `which`-th of the instruction, of `lanes`, of which there is one at least. False where one is no
  // multiple of `bytes`, a power of two, or the spaces differ.
  bool gather(const Warp& warp, const Instruction& instruction, int operand, int which, uint32_t bytes, uint32_t lanes);

  // Bits of a lane's number that its address does not depend on: lanes that differ in them alone share a place, as in the rows and columns
  // of a tile. None where not all lanes are there.
  uint32_t repeats() const;
};

// The lanes whose number has none of the bits.
constexpr uint32_t lanesWithout(uint32_t bits) {
  constexpr uint32_t Clear[] = {0x55555555, 0x33333333, 0x0F0F0F0F, 0x00FF00FF, 0x0000FFFF};
  uint32_t lanes = AllLanes;
  for (int bit = 0; bit < 5; bit++)
    if (bits >> bit & 1) lanes &= Clear[bit];
  return lanes;
}

// Whether every lane may read (or write) its bytes of global memory; then they are marked. False: going lane by lane tells why not.
bool passGlobal(const Warp& warp, const Addresses& addresses, uint32_t bytes, bool isStore, bool isVolatile);

// A thread's own memory; throws Fault outside of it or misaligned.
uint8_t* local(const Warp& warp, uint64_t address, uint32_t bytes, const char* what, int lane);

// Throws Fault where an address is no multiple of `bytes`.
inline void aligned(uint64_t address, uint32_t bytes, const char* what, int lane) {
  if (address % bytes != 0)
    throw Fault{FaultKind::Misaligned, std::string(what) + " of " + std::to_string(bytes) + " bytes at an address that is no multiple of that", lane, address};
}

// What the banks of shared memory, or the sectors of global memory, make of the access of one warp instruction; `which` as for gather.
struct Banks {
  uint32_t passes;
  uint32_t repeats;  // as Addresses gives it
};
Banks banksOf(const Warp& warp, const Instruction& instruction, const Addresses& addresses, uint32_t bytes);
uint32_t sectorsOf(const Warp& warp, const Instruction& instruction, int which, const Addresses& addresses, uint32_t bytes);

// Counts it. A warp reads 4 bytes a lane in one pass over the 32 banks, 8 in two halves, 16 in four quarters (CUDA C++ programming guide,
// shared memory).
void countShared(Warp& warp, uint32_t bytes, bool isStore, uint32_t lanes, uint32_t passes);
void countGlobal(Warp& warp, uint32_t bytes, bool isStore, uint32_t lanes, uint32_t sectors);

// Counts lanes that access memory one by one, perhaps in several spaces.
class Traffic {
 public:
  Traffic(Warp& warp, uint32_t bytes, bool isStore) : warp_(warp), bytes_(bytes), isStore_(isStore) {}
  ~Traffic();
  Traffic(const Traffic&) = delete;
  Traffic& operator=(const Traffic&) = delete;

  void shared(uint64_t address) { if constexpr (IsCounting) shared_[sharedCount_++] = address; }
  void global(uint64_t address) { if constexpr (IsCounting) global_[globalCount_++] = address; }
  void local() { localCount_++; }

 private:
  Warp& warp_;
  uint32_t bytes_;
  bool isStore_;
  uint32_t sharedCount_ = 0, localCount_ = 0, globalCount_ = 0;
  uint64_t shared_[Lanes], global_[Lanes];
};

}  // namespace ptxsim

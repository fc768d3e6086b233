// Shared memory of one block with the shadow that finds races, reads of what nobody wrote and reads of copies still in flight.
//
// Order is known exactly: each warp has a vector clock, which barriers join (FastTrack: Flanagan and Freund, PLDI 2009). Two accesses to
// a byte, one of them a write, race unless one happens before the other. Within a warp the lanes are ordered only by the warp's own
// barriers (bar.warp.sync, shfl.sync, ...), because lanes of a GPU since sm_70 need not run in step. A warp barrier of some lanes counts
// for all of the warp. Of the last reads and writes of a word two of each are remembered: a third can hide a race, never invent one.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

#include "exec/fault.h"

namespace ptxsim {

constexpr int MaxWarps = 32;
using Clock = std::array<uint32_t, MaxWarps>;

class SharedMemory {
 public:
  // `checks` false: bounds and alignment alone.
  SharedMemory(uint32_t bytes, bool checks);

  // A block begins: contents are poison, the shadow is forgotten.
  void reset();
  const uint8_t* data() const { return bytes_.data(); }
  uint32_t size() const { return static_cast<uint32_t>(bytes_.size()); }

  // Who accesses: the warp, its lane, its clock, and how many of the warp's own barriers it has passed since its clock moved.
  struct Access {
    int warp;
    int lane;
    const Clock* clock;
    uint32_t step;
    const char* what;  // "ld.shared": for the message
    bool isAtomic = false;
    uint64_t stamp = 0;  // stampOf the rest but the lane: the same for all lanes of an instruction
  };
  static constexpr uint32_t MaxStep = (1 << 20) - 1;

  // Bounds, alignment (a power of two) and order are checked; the pointer is good for `bytes`. Throws Fault.
  uint8_t* read(uint64_t address, uint32_t bytes, uint32_t alignment, const Access& access) {
    if (address > bytes_.size() || address + bytes > bytes_.size() || (address & (alignment - 1)) != 0) refuse(address, bytes, alignment, access);
    if (checks_)
      for (uint64_t at = address & ~uint64_t{3}; at < address + bytes; at += 4) readWord(at, maskOf(at, address, bytes), access);
    return bytes_.data() + address;
  }

  // Call before storing. With `value`, storing what is there already is no race: lanes may agree.
  uint8_t* write(uint64_t address, uint32_t bytes, uint32_t alignment, const Access& access, const void* value = nullptr) {
    if (address > bytes_.size() || address + bytes > bytes_.size() || (address & (alignment - 1)) != 0) refuse(address, bytes, alignment, access);
    if (checks_) {
      auto isSame = [&] { return value && std::memcmp(bytes_.data() + address, value, bytes) == 0; };
      for (uint64_t at = address & ~uint64_t{3}; at < address + bytes; at += 4) writeWord(at, maskOf(at, address, bytes), access, isSame);
    }
    return bytes_.data() + address;
  }

  // True where no address up to `highest` can be out of bounds.
  bool isInside(uint64_t highest, uint32_t bytes) const { return highest <= bytes_.size() && highest + bytes <= bytes_.size(); }

  static uint64_t stampOf(uint32_t clock, uint32_t step, int warp, bool isAtomic) { return pack(clock, step, warp, 0, isAtomic, 0); }

  // cp.async: from issue until its wait nothing may touch the bytes. The waiting thread's write counts from the wait.
  uint8_t* beginCopy(uint64_t address, uint32_t bytes, const Access& access);
  void endCopy(uint64_t address, uint32_t bytes, const Access& access);

 private:
  // One access, packed: clock of its warp 24 bits, step 20, warp 5, lane 6 (63: several), atomic 1, bytes of the word 4.
  using Touch = uint64_t;
  static constexpr int SeveralLanes = 63;
  static constexpr Touch LaneBits = Touch{63} << 5;
  static Touch pack(uint32_t clock, uint32_t step, int warp, int lane, bool isAtomic, uint64_t mask) {
    return static_cast<uint64_t>(clock) << 36 | static_cast<uint64_t>(step) << 16 | static_cast<uint64_t>(warp) << 11 |
           static_cast<uint64_t>(lane) << 5 | static_cast<uint64_t>(isAtomic) << 4 | mask;
  }
  static Touch pack(const Access& a, uint64_t mask) {
    return a.stamp | static_cast<uint64_t>(a.lane) << 5 | mask;
  }
  static uint32_t clockOf(Touch t) { return static_cast<uint32_t>(t >> 36); }
  static uint32_t stepOf(Touch t) { return static_cast<uint32_t>(t >> 16) & MaxStep; }
  static int warpOf(Touch t) { return static_cast<int>(t >> 11 & 31); }
  static int laneOf(Touch t) { return static_cast<int>(t >> 5 & 63); }
  static bool isAtomicOf(Touch t) { return t >> 4 & 1; }

  struct Cell {  // of four bytes
    Touch writes[2];
    Touch reads[2];
    uint32_t generation;
    uint8_t isWritten, isInFlight;  // a bit a byte
  };

  static uint64_t maskOf(uint64_t word, uint64_t address, uint32_t bytes) {
    uint64_t begin = address > word ? address - word : 0, end = address + bytes - word;
    return (uint64_t{0xF} << begin & 0xF) & ((uint64_t{1} << (end < 4 ? end : 4)) - 1);
  }

  Cell& cell(uint64_t address) {
    Cell& found = cells_[address / 4];
    if (found.generation != generation_) found = Cell{{0, 0}, {0, 0}, generation_, 0, 0};
    return found;
  }

  static bool isOrdered(Touch before, const Access& now) {
    int warp = warpOf(before);
    uint32_t known = (*now.clock)[static_cast<size_t>(warp)];
    if (warp != now.warp) return clockOf(before) <= known;
    return clockOf(before) < known || stepOf(before) < now.step || laneOf(before) == now.lane;
  }

  void readWord(uint64_t at, uint64_t mask, const Access& access) {
    Cell& c = cell(at);
    // Read already in this step, by this lane or by several: a write since would have taken the mark away.
    Touch now = pack(access, mask);
    if (((c.reads[0] ^ now) & ~LaneBits) == 0 && (c.reads[0] == now || laneOf(c.reads[0]) == SeveralLanes)) return;
    if ((c.isInFlight & mask) != 0 || (c.isWritten & mask) != mask) refuseRead(at, c, mask, access);
    for (Touch t : c.writes)
      if ((t & mask) != 0 && !isOrdered(t, access) && !(access.isAtomic && isAtomicOf(t))) race("a write", t, at, access);
    remember(c.reads, now, access);
  }

  // `isSame` is asked only where there would be a race: does the place hold the value already?
  template <typename IsSame>
  void writeWord(uint64_t at, uint64_t mask, const Access& access, const IsSame& isSame) {
    Cell& c = cell(at);
    if ((c.isInFlight & mask) != 0) refuseRead(at, c, mask, access);
    auto check = [&](Touch t, const char* kind) {
      if ((t & mask) == 0 || isOrdered(t, access) || (access.isAtomic && isAtomicOf(t))) return;
      if ((c.isWritten & mask) != mask || !isSame()) race(kind, t, at, access);
    };
    for (Touch t : c.writes) check(t, "a write");
    for (Touch t : c.reads) check(t, "a read");
    c.isWritten |= static_cast<uint8_t>(mask);
    // Reads of these bytes are now ordered before this write, which stands for them.
    for (Touch& t : c.reads) t = (t & 0xF & ~mask) == 0 ? 0 : t & ~mask;
    remember(c.writes, pack(access, mask), access);
  }

  static void remember(Touch (&touches)[2], Touch now, const Access& access) {
    constexpr Touch WithoutLaneAndMask = ~(uint64_t{63} << 5 | 0xF);
    for (Touch& t : touches) {
      if (((t ^ now) & WithoutLaneAndMask) == 0 && t != 0) {
        // The same warp in the same step: several lanes, which only a barrier orders.
        if ((t & 0xF) == (now & 0xF)) {
          t = laneOf(t) == laneOf(now) ? now : (now | uint64_t{SeveralLanes} << 5);
          return;
        }
      } else if (t == 0 || isOrdered(t, access)) {
        t = now;
        return;
      }
    }

    touches[1] = now;
  }

  [[noreturn]] void refuse(uint64_t address, uint32_t bytes, uint32_t alignment, const Access& access) const;
  [[noreturn]] void refuseRead(uint64_t at, const Cell& cell, uint64_t mask, const Access& access) const;
  [[noreturn]] void race(const char* kind, Touch before, uint64_t address, const Access& now) const;

  std::vector<uint8_t> bytes_;
  std::vector<Cell> cells_;
  uint32_t generation_ = 1;
  bool checks_;
};

}  // namespace ptxsim

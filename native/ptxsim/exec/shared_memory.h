// Shared memory of one block with the shadow that finds races, reads of what nobody wrote and reads of copies still in flight.
//
// Order is known exactly: each warp has a vector clock, which barriers join (FastTrack: Flanagan and Freund, PLDI 2009). Two accesses to
// a byte, one of them a write, race unless one happens before the other. Within a warp the lanes are ordered only by the warp's own
// barriers (bar.warp.sync, shfl.sync, ...), because lanes of a GPU since sm_70 need not run in step. A warp barrier of some lanes counts
// for all of the warp. Of the last reads and writes of a word two of each are remembered: a third can hide a race, never invent one.
//
// A barrier of the whole block raises the floor: what came before is ordered before everything that follows, which one comparison tells.
// The shadow is one array a kind of mark, so that four words at a time can be compared.
//
// Bulk copies and wgmma access it by the async proxy, all else by the generic one (PTX ISA, section 8.2). What the generic proxy wrote, the async one may
// read or overwrite only where a fence between the proxies lies on the way that orders the two: shared_proxies.cpp.
#pragma once

#include <cstdint>
#include <cstring>
#include <map>
#include <utility>
#include <vector>

#include "exec/fault.h"
#include "exec/past.h"

namespace ptxsim {

class SharedMemory {
 public:
  // `checks` false: bounds and alignment alone.
  SharedMemory(uint32_t bytes, bool checks);

  // A block begins: contents are poison, nothing is written. Its first clock comes from `order`.
  void reset();
  const uint8_t* data() const { return bytes_.data(); }
  uint32_t size() const { return static_cast<uint32_t>(bytes_.size()); }

  // Every access so far happens before every access from now on. `highest` is the highest clock of any warp; what is returned is higher
  // than all clocks before, and where every warp goes on: its own entry at it, the others' one below.
  uint32_t order(uint32_t highest);

  // Who accesses: the warp, its lane, what it knows of the block's warps, and how many of the warp's own barriers it has passed since its clock moved.
  struct Access {
    int warp;
    int lane;
    const Known* known;
    uint32_t step;
    const char* what;  // "ld.shared": for the message
    bool isAtomic = false;
    uint64_t stamp = 0;  // stampOf the rest but the lane: the same for all lanes of an instruction
  };
  static constexpr uint32_t MaxStep = (1 << 20) - 1;
  // Stands for several lanes of one instruction: only a barrier orders them.
  static constexpr int SeveralLanes = 63;
  // As which warp of this block copies count that other blocks of the cluster send; none that is its own may have the number. They themselves access as
  // Elsewhere: the floor tells them nothing.
  static constexpr int PeerWarp = MaxWarps - 1, Elsewhere = MaxWarps;

  // Bounds, alignment (a power of two) and order are checked; the pointer is good for `bytes`. Throws Fault.
  uint8_t* read(uint64_t address, uint32_t bytes, uint32_t alignment, const Access& access);
  // Call before storing. With `value`, storing what is there already is no race: lanes may agree.
  uint8_t* write(uint64_t address, uint32_t bytes, uint32_t alignment, const Access& access, const void* value = nullptr);

  // Throws where the bytes are misaligned (for their size) or out of bounds.
  void check(uint64_t address, uint32_t bytes, const Access& access) const {
    if (!isInside(address, bytes) || (address & (bytes - 1)) != 0) refuse(address, bytes, bytes, access);
  }
  // True where no address up to `highest` can be out of bounds.
  bool isInside(uint64_t highest, uint32_t bytes) const { return highest <= bytes_.size() && highest + bytes <= bytes_.size(); }

  // The same for whole words that lie inside and are aligned: `wordsPerLane` (1, 2 or 4) of each lane side by side, from access.lane on.
  void readRow(uint64_t address, uint32_t words, uint32_t wordsPerLane, Access access);
  // Stores the row too.
  void writeRow(uint64_t address, uint32_t words, uint32_t wordsPerLane, Access access, const void* values);
  // `words` at each lane's address, for lanes that the mask names. Lanes whose numbers differ in bits of `repeats` alone, if there are
  // any, have one address.
  void readScattered(const uint64_t (&addresses)[32], uint32_t lanes, uint32_t repeats, uint32_t words, Access access);
  // All those lanes, of which there are at least two, read one place.
  void readTogether(uint64_t address, uint32_t lanes, uint32_t words, Access access);

  static uint64_t stampOf(uint32_t clock, uint32_t step, int warp, bool isAtomic) { return pack(clock, step, warp, 0, isAtomic, 0); }
  static uint32_t clockOfStamp(uint64_t stamp) { return clockOf(static_cast<Touch>(stamp)); }

  // cp.async: from issue until its wait nothing may touch the bytes (4, 8 or 16, aligned). The waiting thread's write counts from the wait.
  void beginCopy(uint64_t address, uint32_t bytes, const Access& access);
  void endCopy(uint64_t address, uint32_t bytes, const Access& access, const void* values);
  // The same for 16 bytes of a bulk copy, whose write counts from its issue, by the stamp of then.
  void beginBulkCopy(uint64_t address, const Access& access);
  void endBulkCopy(uint64_t address, int lane, uint64_t stamp, const void* values);
  // wgmma reads 16 bytes.
  void readBulk(uint64_t address, Access access);
  // Only some lanes of the warp have fenced the proxies, at its clock: the others' accesses since their last barrier are not covered.
  void fenceOfSome(int warp, uint32_t clock, uint32_t step, uint32_t lanes) { partialFences_[{warp, clock}] = {step, lanes}; }

 private:
  // One access, packed: clock of its warp 24 bits, step 20, warp 5, lane 6 (63: several), atomic 1, bytes of the word 4. 0 for none.
  using Touch = int64_t;
  static constexpr int ClockShift = 36, StepShift = 16, WarpShift = 11, LaneShift = 5;
  static constexpr uint32_t MaxClock = (1 << 24) - (1 << 10);
  static constexpr Touch WarpBits = Touch{31} << WarpShift, LaneBits = Touch{63} << LaneShift, WholeWord = 0xF;
  static constexpr Touch MomentBits = ~(LaneBits | 0x1F);  // clock, step and warp
  static constexpr uint8_t InFlight = 0xF0;                // of marks_, a bit a byte; those written are in the low half

  static uint64_t pack(uint32_t clock, uint32_t step, int warp, int lane, bool isAtomic, uint64_t mask) {
    return static_cast<uint64_t>(clock) << ClockShift | static_cast<uint64_t>(step) << StepShift | static_cast<uint64_t>(warp) << WarpShift |
           static_cast<uint64_t>(lane) << LaneShift | static_cast<uint64_t>(isAtomic) << 4 | mask;
  }
  static Touch pack(const Access& a, Touch mask) { return static_cast<Touch>(a.stamp) | Touch{a.lane} << LaneShift | mask; }
  static uint32_t clockOf(Touch t) { return static_cast<uint32_t>(t >> ClockShift); }
  static uint32_t stepOf(Touch t) { return static_cast<uint32_t>(t >> StepShift) & MaxStep; }
  static int warpOf(Touch t) { return static_cast<int>(t >> WarpShift & 31); }
  static int laneOf(Touch t) { return static_cast<int>(t >> LaneShift & 63); }
  static bool isAtomicOf(Touch t) { return t >> 4 & 1; }
  static Touch maskOf(uint64_t word, uint64_t address, uint32_t bytes);

  // Does the place hold already what is to be stored? Then lanes agree, and it does not matter who comes first.
  struct Agreement {
    const uint8_t* place = nullptr;
    const void* value = nullptr;
    uint32_t bytes = 0;
    bool holds() const { return value && std::memcmp(place, value, bytes) == 0; }
  };

  bool isOrdered(Touch before, const Access& now) const;
  void readWord(size_t word, Touch mask, const Access& access);
  void writeWord(size_t word, Touch mask, const Access& access, const Agreement& agreement);
  void remember(Touch* first, Touch* second, Touch now, const Access& access) const;

  // shared_rows.cpp: the frequent cases, one word or four side by side. False where only the general functions can tell; then nothing
  // has been marked. `now` names the first word's lane.
  struct Four;
  bool readOne(size_t word, Touch now);
  bool writeOne(size_t word, Touch now);
  bool readFour(size_t word, const Four& now);
  bool readFourAgain(size_t word, const Four& now);  // where not all marks are below the floor
  bool writeFour(size_t word, const Four& now);
  bool writeFour(size_t word, const Access& access);  // all by one lane

  bool isFenced(Touch write, const Known& known) const;
  void checkProxies(size_t word, const Access& access) const;

  [[noreturn]] void refuse(uint64_t address, uint32_t bytes, uint32_t alignment, const Access& access) const;
  [[noreturn]] void refuseRead(size_t word, Touch mask, const Access& access) const;
  [[noreturn]] void race(const char* kind, Touch before, size_t word, const Access& now) const;

  std::vector<uint8_t> bytes_;
  // One a word of four bytes. A second one above the floor implies a first one above it.
  std::vector<Touch> firstWrite_, secondWrite_, firstRead_, secondRead_;
  std::vector<Touch> bulkWrite_;  // the last by a bulk copy; empty before the first
  std::vector<uint8_t> marks_;
  struct PartialFence {
    uint32_t step, lanes;
  };
  std::map<std::pair<int, uint32_t>, PartialFence> partialFences_;  // by warp and clock
  Touch floor_ = 0;  // whatever is below is ordered before everything
  bool hasPeers_ = false;  // another block has sent a copy
  bool checks_;
};

}  // namespace ptxsim

// A warp and its block while they run: what handlers work on.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <map>
#include <vector>

#include "exec/access_pattern.h"
#include "exec/counters.h"
#include "exec/fault.h"
#include "exec/grid_order.h"
#include "exec/memory.h"
#include "exec/program.h"
#include "exec/shared_memory.h"
#include "exec/tensor_map.h"

namespace ptxsim {

constexpr int Lanes = 32;
constexpr uint32_t AllLanes = ~uint32_t{0};

struct ThreadBlock;
struct Cluster;

// What one cp.async of a warp began and no wait has completed.
struct PendingCopies {
  uint32_t lanes;               // that still wait
  uint32_t bytes;
  uint64_t source[Lanes];
  uint64_t shared[Lanes];
  uint32_t sourceBytes[Lanes];  // what the source lacks is zero
  uint32_t group[Lanes];
};

// A wgmma that no wgmma.wait_group has covered, and the sixteen bytes of shared memory that it reads, one after the other.
struct PendingProduct {
  uint64_t group;
  std::vector<uint64_t> places;
};

// Why a warp does not run on.
enum class Wait : uint8_t { None, Barrier };

struct Warp {
  ThreadBlock* block = nullptr;
  int index = 0;
  uint8_t* registers = nullptr;
  uint32_t live = 0;      // lanes that have not exited
  uint32_t active = 0;    // lanes that execute the instruction at hand, its guard applied
  uint32_t running = 0;   // lanes at `pc`
  uint32_t pc = 0;
  uint32_t next = 0;      // where `running` goes next; a branch of all of them changes it
  uint32_t nearest = 0;   // smallest pc of the live lanes that are not running
  std::array<uint32_t, Lanes> lanePc{};  // of the lanes that are not running
  uint32_t parked = 0;    // lanes that wait at their pc for others: of the warp, or of the block
  Wait wait = Wait::None; // of a warp none of whose lanes can run
  bool yields = false;    // the instruction at hand polls: let the other warps run
  std::array<int8_t, Lanes> barrier{};  // that a parked lane waits at; -1: for lanes of its own warp
  uint32_t barrierThreads = 0;          // that the barrier it waits at is to count; 0 for the whole block
  uint32_t vote = 0;      // predicates brought to bar.red
  uint32_t step = 0;      // warp barriers passed since the clock moved
  Past past;
  std::array<uint32_t, Lanes> carry{};     // of add.cc
  std::array<uint32_t, Lanes> group{};     // cp.async groups committed by each lane
  std::vector<PendingCopies> copies;
  std::vector<PendingProduct> products;
  uint64_t productGroups = 0;              // wgmma groups committed
  uint32_t registersHeld = 0;              // by each thread, as setmaxnreg counts them
  uint64_t clusterArrivals = 0;            // barrier.cluster.arrive so far, of which it has waited for all but the last
  bool awaitsCluster = false;              // and for that one it has not

  template <typename T>
  T* slot(Slot at) const { return reinterpret_cast<T*>(registers + at); }
  uint32_t& mask(Slot at) const { return *reinterpret_cast<uint32_t*>(registers + at); }
  // A predicate that is read, its '!' applied; all ones for an operand that is absent.
  uint32_t test(const Instruction& i, int operand) const {
    if (i.at[operand] == NoSlot) return AllLanes;
    uint32_t value = mask(i.at[operand]);
    return i.isNegated[operand] ? ~value : value;
  }
  void setMask(Slot at, uint32_t value) const {
    if (at != NoSlot) mask(at) = (mask(at) & ~active) | (value & active);
  }
  SharedMemory::Access access(int lane, const char* what, bool isAtomic = false) const {
    return {index, lane, &past, step, what, isAtomic, SharedMemory::stampOf(now(), step, index, isAtomic)};
  }
  // Its own clock.
  uint32_t now() const { return past.clock[static_cast<size_t>(index)]; }
  // What it does from here on, nobody knows who has heard of it so far.
  void tick() {
    past.clock[static_cast<size_t>(index)]++;
    step = 0;
  }
  // It may rely on what others know.
  void learn(const Past& from) {
    uint32_t own = now();
    join(past, from);
    past.clock[static_cast<size_t>(index)] = own;
  }
  // Lanes stay at the instruction at hand until others arrive; the rest of the running lanes go on.
  void park(uint32_t lanes, int barrierId) {
    for (uint32_t left = lanes; left != 0; left &= left - 1) {
      auto lane = static_cast<size_t>(std::countr_zero(left));
      lanePc[lane] = pc;
      barrier[lane] = static_cast<int8_t>(barrierId);
    }
    parked |= lanes;
    running &= ~lanes;
  }
  // For operations of several lanes: waits until every live lane of `members` is here. False: not yet, the lanes are parked. True: they
  // all are in `active`, and what each did before the others may rely on.
  bool gather(uint32_t members, const char* what);
  // All lanes of the warp have met: what one did before, the others may rely on.
  void meet() {
    if (step < SharedMemory::MaxStep) step++;
    else tick();
  }
};

struct LaunchShape {
  uint32_t grid[3] = {1, 1, 1}, block[3] = {1, 1, 1};
  uint32_t cluster[3] = {0, 0, 0};  // blocks of a cluster; zeros: as the kernel says, one where it says nothing
  uint32_t dynamicShared = 0;
  const uint8_t* parameters = nullptr;
  uint64_t id = 0;  // counts launches: %gridid
};

// One of a block's sixteen barriers: warps that have arrived without waiting (bar.arrive). Those that wait know it themselves.
struct Barrier {
  uint32_t arrived = 0;   // warps
  uint32_t threads = 0;   // that they said the barrier is to count
  Past past;              // joined of those that have arrived

  void take(const Past& from) {
    if (past.peers.size() != from.peers.size()) past.reset(from.rank, from.peers.size());
    join(past, from);
  }
};

// A box on its way to shared memory.
struct BulkCopy {
  TensorMap map;
  int32_t x, y;
  uint64_t shared;
  int lane;
  uint64_t stamp;  // of the warp that started it, or of those of other blocks
};

// An mbarrier object, kept beside the eight bytes of shared memory that name it.
struct Mbarrier {
  uint32_t expected = 0, pending = 0;
  uint64_t phase = 0;     // completed phases
  int maker = 0;          // the warp that initialised it, and that warp's clock then
  uint32_t madeAt = 0;
  bool isKnownToCopies = false;          // by fence.mbarrier_init
  int64_t missingBytes = 0;              // that the phase expects and no copy brings yet
  std::vector<BulkCopy> underWay, due;   // of the phase at hand; of completed ones that no warp has waited for
  Past past;              // joined of those that have arrived in this phase and those before
};

struct ThreadBlock {
  const Kernel* kernel = nullptr;
  const LaunchShape* launch = nullptr;
  DeviceMemory* memory = nullptr;
  SharedMemory* shared = nullptr;
  uint8_t* local = nullptr;         // localBytes of each thread
  uint64_t number = 0;              // in the grid
  Visitor visitor{};                // who it is for the shadow of global memory
  uint32_t index[3] = {0, 0, 0};
  uint32_t threads = 0;
  std::vector<Warp> warps;
  std::array<Barrier, 16> barriers;
  std::map<uint64_t, Mbarrier> mbarriers;
  uint32_t spareRegisters = 0;      // that setmaxnreg.dec gave up
  Counters counters;                // all but those of instructions, which the scheduler tallies
  std::vector<AccessPattern> patterns;
  bool checks = true;
  GridOrder* grid = nullptr;        // null where the kernel has no fence that orders blocks
  uint64_t seen = 0;                // when the block last looked at what others do
  Cluster* cluster = nullptr;       // null where the block is alone
  int rank = 0;                     // in its cluster
  std::array<Allocation*, 4> cached{};  // of the last global accesses: kernels read a few buffers in turn
  size_t nextCached = 0;

  // The allocation that holds [address, address + bytes); throws Fault where there is none.
  Allocation& allocation(uint64_t address, uint32_t bytes, const char* what, int lane);
  // Global memory, checked; `order` false for atomics and volatile accesses, which blocks may share.
  uint8_t* globalRead(uint64_t address, uint32_t bytes, const char* what, int lane, bool ordered);
  uint8_t* globalWrite(uint64_t address, uint32_t bytes, const char* what, int lane, bool ordered);
  // What the block has written, other blocks may rely on; and it on what they have made known so far.
  void publish() { if (grid) grid->publish(number); }
  void look() { if (grid) seen = grid->now(); }
  // Whether fences order the access with the one that it clashes with.
  bool isOrdered(const Clash& clash) const {
    if (!grid || clash.kind == Clash::Kind::Unwritten) return false;
    return clash.block == Clash::Several ? seen != 0 : grid->hasPublished(clash.block, seen);
  }
  // The allocation, or null: no fault.
  Allocation* lookUp(uint64_t address, uint64_t bytes) {
    for (Allocation* known : cached)
      if (known && address >= known->begin && address < known->end() && bytes <= known->end() - address) return known;
    return find(address, bytes);
  }
  Allocation* find(uint64_t address, uint64_t bytes);
};

// Lanes do not depend on each other, even where a result takes the place of an operand: the compiler need not check that slots differ.
#if defined(__clang__)
#define PTXSIM_LANE_BY_LANE _Pragma("clang loop vectorize(assume_safety)")
#else
#define PTXSIM_LANE_BY_LANE _Pragma("GCC ivdep")
#endif

// The active lanes, one after the other.
template <typename F>
inline void forLanes(const Warp& warp, F&& body) {
  if (warp.active == AllLanes) {
    for (int lane = 0; lane < Lanes; lane++) body(lane);
  } else {
    for (uint32_t left = warp.active; left != 0; left &= left - 1) body(std::countr_zero(left));
  }
}

// d[lane] = value(lane) for the active lanes, all of them at once as vector code. `value` is evaluated for the others too: it must do
// nothing else.
template <typename D, typename F>
inline void assignLanes(const Warp& warp, D* d, F&& value) {
  if (warp.active == AllLanes) {
    PTXSIM_LANE_BY_LANE
    for (int lane = 0; lane < Lanes; lane++) d[lane] = value(lane);
    return;
  }

  D values[Lanes];
  for (int lane = 0; lane < Lanes; lane++) values[lane] = value(lane);
  for (int lane = 0; lane < Lanes; lane++) d[lane] = warp.active >> lane & 1 ? values[lane] : d[lane];
}

}  // namespace ptxsim

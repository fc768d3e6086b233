// cp.async and mbarrier (PTX ISA, sections 9.7.8.22 and 9.7.12.15). A copy's bytes arrive at the latest moment that the program allows:
// at the wait that covers its group. Until then they are poison, and touching them is a fault.
#include <algorithm>
#include <cstring>

#include "exec/cluster.h"
#include "exec/mbarrier.h"
#include "exec/ops/address.h"
#include "exec/ops/lanes.h"

namespace ptxsim {
namespace {

constexpr const char* CopyName = "cp.async";

void complete(Warp& w, const PendingCopies& copies, uint32_t lanes) {
  auto access = w.access(0, CopyName);
  for (uint32_t left = lanes; left != 0; left &= left - 1) {
    auto lane = static_cast<size_t>(std::countr_zero(left));
    access.lane = static_cast<int>(lane);
    uint8_t values[16] = {};
    std::memcpy(values, reinterpret_cast<const void*>(copies.source[lane]), copies.sourceBytes[lane]);
    w.block->shared->endCopy(copies.shared[lane], copies.bytes, access, values);
  }
}

// Whether the lanes may read what they copy: at once where each copies all of its bytes, else lane by lane, which throws.
void passSources(Warp& w, const Instruction& i, const PendingCopies& copies) {
  uint32_t whole = 0;
  for (uint32_t lane = 0; lane < Lanes; lane++) whole |= static_cast<uint32_t>(copies.sourceBytes[lane] == copies.bytes) << lane;
  whole &= w.active;
  Addresses from;
  if (whole != 0 && from.gather(w, i, 1, 1, copies.bytes, whole) && passGlobal(w, from, copies.bytes, false, false)) {
    countGlobal(w, copies.bytes, false, from.count, sectorsOf(w, i, 1, from, copies.bytes));
    if (whole == w.active) return;
  } else {
    whole = 0;
  }

  Traffic load(w, copies.bytes, false);
  for (uint32_t left = w.active & ~whole; left != 0; left &= left - 1) {
    int lane = std::countr_zero(left);
    auto place = static_cast<size_t>(lane);
    aligned(placeOf(w, i, 1, 1, lane).address, copies.bytes, CopyName, lane);
    if (copies.sourceBytes[place] == 0) continue;
    w.block->globalRead(copies.source[place], copies.sourceBytes[place], CopyName, lane, true);
    load.global(copies.source[place]);
  }
}

// cp.async [shared], [global], bytes, sourceBytes.
void copy(Warp& w, const Instruction& i) {
  auto bytes = static_cast<uint32_t>(i.immediate);
  auto& copies = w.copies.emplace_back();
  copies.lanes = w.active;
  copies.bytes = bytes;
  auto access = w.access(0, CopyName);
  Addresses to;
  to.gather(w, i, 0, 0, bytes, w.active);  // what it refuses, beginCopy does
  std::copy_n(to.at, Lanes, copies.shared);
  std::copy_n(w.group.begin(), Lanes, copies.group);
  uint64_t copied = 0;
  for (uint32_t left = w.active; left != 0; left &= left - 1) {
    int lane = std::countr_zero(left);
    auto place = static_cast<size_t>(lane);
    uint32_t sourceBytes = i.at[3] == NoSlot ? bytes : w.slot<uint32_t>(i.at[3])[lane];
    if (sourceBytes > bytes) throw Fault{FaultKind::IllegalInstruction, "cp.async of " + std::to_string(bytes) + " bytes with a source of " + std::to_string(sourceBytes), lane};
    access.lane = lane;
    w.block->shared->beginCopy(to.at[lane], bytes, access);
    copies.source[place] = placeOf(w, i, 1, 1, lane).address;
    copies.sourceBytes[place] = sourceBytes;
    copied += sourceBytes;
  }

  if constexpr (IsCounting) countShared(w, bytes, true, to.count, banksOf(w, i, to, bytes).passes);
  passSources(w, i, copies);
  w.block->counters.add(Count::AsyncCopyBytes, copied);
}

void commit(Warp& w, const Instruction&) {
  forLanes(w, [&](int lane) { w.group[static_cast<size_t>(lane)]++; });
}

// Completes every copy of the active lanes but those in each lane's last `pending` groups (and, with `uncommitted`, those in none yet).
void completeGroups(Warp& w, uint32_t pending, bool uncommitted) {
  for (auto& copies : w.copies) {
    uint32_t due = 0;
    for (uint32_t lane = 0; lane < Lanes; lane++) due |= static_cast<uint32_t>(uncommitted || copies.group[lane] + pending < w.group[lane]) << lane;
    due &= copies.lanes & w.active;
    complete(w, copies, due);
    copies.lanes &= ~due;
  }

  std::erase_if(w.copies, [](const PendingCopies& copies) { return copies.lanes == 0; });
}

void waitGroup(Warp& w, const Instruction& i) { completeGroups(w, static_cast<uint32_t>(i.immediate), false); }
void waitAll(Warp& w, const Instruction&) { completeGroups(w, 0, true); }

Mbarrier& barrierAt(Warp& w, const Instruction& i, int operand, int lane) {
  uint64_t address = placeOf(w, i, operand, 0, lane).address;
  if (!i.isClusterWide) return mbarrierAt(w, *w.block, address, lane);
  auto place = peerAt(w, address, lane, "mbarrier.arrive");
  return mbarrierAt(w, *place.block, place.address, lane);
}

void init(Warp& w, const Instruction& i) {
  forLanes(w, [&](int lane) {
    Place place = placeOf(w, i, 0, 0, lane);
    uint32_t count = w.slot<uint32_t>(i.at[1])[lane];
    if (count == 0 || count > (1 << 20) - 1)
      throw Fault{FaultKind::IllegalInstruction, "mbarrier.init with a count of " + std::to_string(count), lane, place.address};
    uint8_t* bytes = w.block->shared->write(place.address, 8, 8, w.access(lane, "mbarrier.init"));
    std::memset(bytes, 0, 8);
    auto& barrier = w.block->mbarriers[place.address] = Mbarrier();
    barrier.expected = barrier.pending = count;
    barrier.maker = w.index;
    barrier.madeAt = w.now();
    barrier.past.reset(w.past.rank, w.past.peers.size());
  });
}

void invalidate(Warp& w, const Instruction& i) {
  forLanes(w, [&](int lane) {
    barrierAt(w, i, 0, lane);
    w.block->mbarriers.erase(placeOf(w, i, 0, 0, lane).address);
  });
}

// What the warp did before is what whoever waits may rely on; what it does after is not.
void arrive(Warp& w, const Instruction& i) {
  if (i.releases) w.block->publish();
  forLanes(w, [&](int lane) {
    auto& barrier = barrierAt(w, i, 1, lane);
    uint32_t given = i.at[2] == NoSlot ? 1 : w.slot<uint32_t>(i.at[2])[lane];
    bool expects = i.mode == 2;
    if (expects) expectBytes(barrier, given);
    uint64_t state = arriveAt(w, barrier, expects ? 1 : given, i.mode == 1, lane);
    if (i.at[0] != NoSlot) w.slot<uint64_t>(i.at[0])[lane] = state;
  });
  w.tick();
}

// True where the phase that the state (or the parity) names is complete. Whoever finds it so sees what came before the arrivals.
template <bool Parity>
void test(Warp& w, const Instruction& i) {
  uint32_t result = 0;
  forLanes(w, [&](int lane) {
    auto& barrier = barrierAt(w, i, 1, lane);
    bool isDone = Parity ? (barrier.phase & 1) != (w.slot<uint32_t>(i.at[2])[lane] & 1) : barrier.phase > w.slot<uint64_t>(i.at[2])[lane];
    if (isDone) {
      observe(w, barrier);
      if (w.block->cluster) w.block->look();
      result |= 1u << lane;
    }
  });
  w.setMask(i.at[0], result);
  w.yields = result != w.active;
}

// Arrives once the lane's earlier copies are complete; here they complete now, the earliest wait that a program could observe.
void copyArrive(Warp& w, const Instruction& i) {
  completeGroups(w, 0, true);
  forLanes(w, [&](int lane) {
    auto& barrier = barrierAt(w, i, 0, lane);
    if (i.mode == 1) arriveAt(w, barrier, 1, false, lane);  // .noinc: counted by init
    else join(barrier.past, w.past);                        // adds one to the pending count and takes it away
  });
  w.tick();
}

}  // namespace

Handler asyncHandler(const Shape& s) {
  auto op = s.form->opcode;
  if (op == "cp") {
    if (s.has(".mbarrier")) return &copyArrive;
    if (s.has(".commit_group")) return &commit;
    if (s.has(".wait_group")) return &waitGroup;
    if (s.has(".wait_all")) return &waitAll;
    return &copy;
  }

  if (op != "mbarrier") return nullptr;
  if (s.has(".init")) return &init;
  if (s.has(".inval")) return &invalidate;
  if (s.has(".arrive") || s.has(".arrive_drop")) return &arrive;
  return s.has(".parity") ? &test<true> : &test<false>;
}

}  // namespace ptxsim

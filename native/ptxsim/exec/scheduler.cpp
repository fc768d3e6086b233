#include "exec/scheduler.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "exec/mbarrier.h"

namespace ptxsim {
namespace {

constexpr uint32_t Nowhere = ~uint32_t{0};
// A warp that spins on what another warp will write must let it run.
constexpr uint64_t Slice = 1 << 16;
// What a look at a barrier in vain counts for. Whoever looks lets all others run for a slice first.
constexpr uint64_t PollSteps = 8 * Slice;

void fill(Warp& warp, Slot at, Class slotClass, uint64_t bits) {
  if (slotClass == Class::Predicate) warp.mask(at) = bits ? AllLanes : 0;
  else if (slotClass == Class::Double) std::fill_n(warp.slot<uint64_t>(at), Lanes, bits);
  else std::fill_n(warp.slot<uint32_t>(at), Lanes, static_cast<uint32_t>(bits));
}

}  // namespace

bool Warp::gather(uint32_t members, const char* what) {
  uint32_t arriving = active;
  for (uint32_t left = live & parked; left != 0; left &= left - 1) {
    auto lane = static_cast<size_t>(std::countr_zero(left));
    if (lanePc[lane] == pc && barrier[lane] < 0 && (members >> lane & 1)) arriving |= 1u << lane;
  }

  if ((active & ~members) != 0)
    throw Fault{FaultKind::Convergence, std::string(what) + ": lane " + std::to_string(std::countr_zero(active & ~members)) +
                                            " executes it and is not in its own member mask", std::countr_zero(active & ~members)};
  if ((members & live & ~arriving) != 0) {
    park(active, -1);
    return false;
  }

  parked &= ~arriving;
  running |= arriving;
  active = arriving;
  meet();
  return true;
}

Scheduler::Scheduler(const Kernel& kernel, const LaunchShape& shape, DeviceMemory& memory, const ExecutorOptions& options, uint32_t firstToken, GridOrder* grid,
                     std::function<void()> onSlice)
    : kernel_(kernel),
      shape_(shape),
      options_(options),
      shared_(kernel.usesDynamicShared ? kernel.dynamicOffset() + shape.dynamicShared : kernel.sharedBytes + shape.dynamicShared, options.checks),
      onSlice_(std::move(onSlice)),
      tally_(kernel.code.size()) {
  uint32_t threads = shape.block[0] * shape.block[1] * shape.block[2];
  size_t warps = (threads + Lanes - 1) / Lanes;
  registers_.resize(warps * kernel.registerFileBytes + 64);
  local_.resize(size_t{threads} * kernel.localBytes);
  auto base = reinterpret_cast<uint8_t*>((reinterpret_cast<uintptr_t>(registers_.data()) + 63) / 64 * 64);
  block_.kernel = &kernel;
  block_.launch = &shape;
  block_.memory = &memory;
  block_.shared = &shared_;
  block_.local = local_.data();
  block_.threads = threads;
  block_.checks = options.checks;
  block_.patterns.resize(kernel.patterns);
  block_.grid = grid;
  block_.visitor = {firstToken, 0};
  block_.warps.resize(warps);
  for (size_t i = 0; i < warps; i++) {
    auto& warp = block_.warps[i];
    warp.block = &block_;
    warp.index = static_cast<int>(i);
    warp.registers = base + i * kernel.registerFileBytes;
    for (const auto& constant : kernel.constants) fill(warp, constant.slot, constant.slotClass, constant.bits);
    order_.push_back(static_cast<int>(i));
  }
}

void Scheduler::begin(uint64_t blockNumber, Cluster* cluster, int rank) {
  block_.number = blockNumber;
  block_.cluster = cluster;
  block_.rank = rank;
  block_.visitor.block = block_.visitor.launch + Visitor::FirstBlock + static_cast<uint32_t>(blockNumber);
  block_.index[0] = static_cast<uint32_t>(blockNumber % shape_.grid[0]);
  block_.index[1] = static_cast<uint32_t>(blockNumber / shape_.grid[0] % shape_.grid[1]);
  block_.index[2] = static_cast<uint32_t>(blockNumber / shape_.grid[0] / shape_.grid[1]);
  block_.barriers.fill(Barrier());
  block_.mbarriers.clear();
  shared_.reset();
  std::fill(local_.begin(), local_.end(), uint8_t{0xFF});
  block_.seen = 0;
  block_.spareRegisters = 0;
  steps_ = 0;
  for (auto& warp : block_.warps) {
    uint32_t first = static_cast<uint32_t>(warp.index) * Lanes, count = std::min<uint32_t>(Lanes, block_.threads - first);
    warp.live = count == Lanes ? AllLanes : (1u << count) - 1;
    warp.running = warp.live;
    warp.pc = 0;
    warp.nearest = Nowhere;
    warp.parked = 0;
    warp.wait = Wait::None;
    warp.group.fill(0);
    warp.copies.clear();
    warp.products.clear();
    warp.productGroups = 0;
    warp.registersHeld = registersAtLaunch();
    warp.clusterArrivals = 0;
    warp.awaitsCluster = false;
    fillSpecials(warp);
  }

  orderAll();
  for (auto& warp : block_.warps) {
    warp.past.rank = rank;
    warp.past.peers.assign(cluster ? cluster->blocks.size() : 0, {});
    warp.past.fenced.fill(warp.now() - 1);
  }

  if (options_.seed != 0) {
    random_.seed(options_.seed ^ (blockNumber * 0x9E3779B97F4A7C15));
    std::shuffle(order_.begin(), order_.end(), random_);
  }
}

void Scheduler::fillSpecials(Warp& warp) {
  const auto& b = shape_.block;
  auto c = clusterOf(kernel_, shape_);
  for (const auto& [slot, special] : kernel_.specials) {
    auto all = [&, at = slot](uint32_t value) { fill(warp, at, Class::Word, value); };
    auto each = [&, at = slot](auto value) {
      for (uint32_t lane = 0; lane < Lanes; lane++) warp.slot<uint32_t>(at)[lane] = value(static_cast<uint32_t>(warp.index) * Lanes + lane, lane);
    };
    switch (special) {
      case Special::TidX: each([&](uint32_t t, uint32_t) { return t % b[0]; }); break;
      case Special::TidY: each([&](uint32_t t, uint32_t) { return t / b[0] % b[1]; }); break;
      case Special::TidZ: each([&](uint32_t t, uint32_t) { return t / b[0] / b[1]; }); break;
      case Special::NtidX: all(b[0]); break;
      case Special::NtidY: all(b[1]); break;
      case Special::NtidZ: all(b[2]); break;
      case Special::CtaidX: all(block_.index[0]); break;
      case Special::CtaidY: all(block_.index[1]); break;
      case Special::CtaidZ: all(block_.index[2]); break;
      case Special::NctaidX: all(shape_.grid[0]); break;
      case Special::NctaidY: all(shape_.grid[1]); break;
      case Special::NctaidZ: all(shape_.grid[2]); break;
      case Special::LaneId: each([](uint32_t, uint32_t lane) { return lane; }); break;
      case Special::WarpId: all(static_cast<uint32_t>(warp.index)); break;
      case Special::NWarpId: all(static_cast<uint32_t>(block_.warps.size())); break;
      case Special::SmId: all(static_cast<uint32_t>(block_.number % 108)); break;
      case Special::NSmId: all(108); break;
      case Special::GridId: fill(warp, slot, Class::Double, shape_.id); break;
      case Special::LaneMaskEq: each([](uint32_t, uint32_t lane) { return 1u << lane; }); break;
      case Special::LaneMaskLt: each([](uint32_t, uint32_t lane) { return (1u << lane) - 1; }); break;
      case Special::LaneMaskLe: each([](uint32_t, uint32_t lane) { return (2u << lane) - 1; }); break;
      case Special::LaneMaskGt: each([](uint32_t, uint32_t lane) { return ~((2u << lane) - 1); }); break;
      case Special::LaneMaskGe: each([](uint32_t, uint32_t lane) { return ~((1u << lane) - 1); }); break;
      case Special::DynamicSharedSize: all(shape_.dynamicShared); break;
      case Special::TotalSharedSize: all(shared_.size()); break;
      case Special::ClusterIdX: all(block_.index[0] / c[0]); break;
      case Special::ClusterIdY: all(block_.index[1] / c[1]); break;
      case Special::ClusterIdZ: all(block_.index[2] / c[2]); break;
      case Special::NClusterIdX: all(shape_.grid[0] / c[0]); break;
      case Special::NClusterIdY: all(shape_.grid[1] / c[1]); break;
      case Special::NClusterIdZ: all(shape_.grid[2] / c[2]); break;
      case Special::ClusterCtaidX: all(block_.index[0] % c[0]); break;
      case Special::ClusterCtaidY: all(block_.index[1] % c[1]); break;
      case Special::ClusterCtaidZ: all(block_.index[2] % c[2]); break;
      case Special::ClusterNctaidX: all(c[0]); break;
      case Special::ClusterNctaidY: all(c[1]); break;
      case Special::ClusterNctaidZ: all(c[2]); break;
      case Special::ClusterCtarank: all(static_cast<uint32_t>(block_.rank)); break;
      case Special::ClusterNctarank: all(c[0] * c[1] * c[2]); break;
      case Special::Clock: all(0); break;       // time stands still within a block: a kernel that waits for it is reported as stuck
      case Special::Clock64: case Special::GlobalTimer: fill(warp, slot, Class::Double, 0); break;
    }
  }
}

Scheduler::Progress Scheduler::pass() {
  bool isAlive = false, hasRun = false;
  for (int index : order_) {
    auto& warp = block_.warps[static_cast<size_t>(index)];
    if (warp.live == 0) continue;
    isAlive = true;
    if (warp.wait != Wait::None) continue;
    hasRun = true;
    try {
      runWarp(warp);
    } catch (const Fault& fault) {
      report(warp, fault);
    }
  }

  if (!isAlive) return Progress::Ended;
  return releaseBarriers() || hasRun ? Progress::Some : Progress::Stuck;
}

void Scheduler::finish() {
  try {
    checkArrived(block_);
  } catch (const Fault& fault) {
    report(block_.warps[0], fault);
  }
}

// What an assembler that may use a multiprocessor's registers for one block gives each thread.
uint32_t Scheduler::registersAtLaunch() const {
  if (kernel_.maxRegisters > 0) return static_cast<uint32_t>(kernel_.maxRegisters) / 8 * 8;
  return std::min(248u, 65536 / block_.threads / 8 * 8);
}

void Scheduler::regroup(Warp& warp) {
  for (uint32_t left = warp.running; left != 0; left &= left - 1) warp.lanePc[static_cast<size_t>(std::countr_zero(left))] = warp.pc;
  uint32_t lowest = Nowhere, second = Nowhere, chosen = 0;
  for (uint32_t left = warp.live & ~warp.parked; left != 0; left &= left - 1) {
    int lane = std::countr_zero(left);
    uint32_t pc = warp.lanePc[static_cast<size_t>(lane)];
    if (pc < lowest) second = lowest, lowest = pc, chosen = 1u << lane;
    else if (pc == lowest) chosen |= 1u << lane;
    else second = std::min(second, pc);
  }

  warp.running = chosen;
  warp.pc = lowest;
  warp.nearest = second;
}

Counters Scheduler::counters() const {
  Counters result = block_.counters;
  tally_.addTo(result, kernel_.code);
  return result;
}

void Scheduler::runWarp(Warp& warp) {
  const Instruction* code = kernel_.code.data();
  uint64_t issued = 0;
  bool yields = false;
  // `running` lanes have run one instruction after the other from `first` on.
  uint32_t first = warp.pc, running = warp.running;
  while (issued < Slice) {
    uint32_t pc = warp.pc;
    const Instruction& instruction = code[pc];
    warp.next = pc + 1;
    warp.active = running;
    if (instruction.predicate != NoSlot) {
      uint32_t guard = warp.mask(instruction.predicate);
      if (instruction.isPredicateNegated) guard = ~guard;
      warp.active &= guard;
      tally_.skipped(running & ~guard);
    }

    issued++;
    if (warp.active != 0) instruction.run(warp, instruction);
    warp.pc = warp.next;
    bool goesOn = warp.running != 0 && warp.pc < warp.nearest && !warp.yields;
    if (goesOn && warp.running == running && warp.pc == pc + 1) continue;
    tally_.ran(first, pc + 1, running);
    if (!goesOn) {
      yields = std::exchange(warp.yields, false);
      regroup(warp);
    }

    first = warp.pc;
    running = warp.running;
    if (running == 0 || yields) break;
  }

  if (issued >= Slice) tally_.ran(first, warp.pc, running);
  // Whoever polls in vain is stuck sooner than whoever computes.
  steps_ += yields ? PollSteps : issued;
  if (steps_ > options_.maxSteps) reportStuck();
  if (issued >= Slice) onSlice_();
  if (warp.running == 0 && warp.live != 0) warp.wait = Wait::Barrier;
}

void Scheduler::orderAll() {
  if (kernel_.usesProxies) joinAll();
  uint32_t sent = block_.warps[0].past.clock[SharedMemory::PeerWarp];
  uint32_t highest = 0;
  for (const auto& warp : block_.warps) highest = std::max(highest, warp.now());
  uint32_t now = shared_.order(highest);
  for (auto& warp : block_.warps) {
    warp.past.clock.fill(now - 1);
    // Copies that other blocks have sent have a clock of their own, which the barrier does not move.
    if (block_.cluster) warp.past.clock[SharedMemory::PeerWarp] = std::max(now - 1, sent);
    warp.past.clock[static_cast<size_t>(warp.index)] = now;
    warp.step = 0;
  }
}

// What one of the warps knows of fences between the proxies, of other blocks and of what they have sent, all do.
void Scheduler::joinAll() {
  Past all = block_.warps[0].past;
  for (const auto& warp : block_.warps) join(all, warp.past);
  for (auto& warp : block_.warps) {
    warp.past.fenced = all.fenced;
    warp.past.peers = all.peers;
    if (block_.cluster) warp.past.clock[SharedMemory::PeerWarp] = all.clock[SharedMemory::PeerWarp];
  }
}

// Releases every barrier at which enough warps have arrived; false where there is none.
bool Scheduler::releaseBarriers() {
  uint32_t ids = 0;
  for (const auto& warp : block_.warps)
    if (warp.live != 0 && warp.wait == Wait::Barrier)
      if (int id = warp.barrier[static_cast<size_t>(std::countr_zero(warp.live))]; id >= 0) ids |= 1u << id;
  bool any = false;
  for (; ids != 0; ids &= ids - 1) any |= releaseBarrier(std::countr_zero(ids));
  return any;
}

bool Scheduler::releaseBarrier(int id) {
  auto& barrier = block_.barriers[static_cast<size_t>(id)];
  uint32_t waiting = 0, alive = 0, threads = barrier.threads;
  bool isMixed = false;
  const Warp* anyWaiting = nullptr;
  for (const auto& warp : block_.warps) {
    if (warp.live == 0) continue;
    alive++;
    if (warp.wait != Wait::Barrier) continue;
    // All live lanes are parked; they must stand at one instruction, and at this barrier.
    auto first = static_cast<size_t>(std::countr_zero(warp.live));
    if (warp.barrier[first] == id) anyWaiting = &warp;
    bool isHere = true;
    for (uint32_t left = warp.live; left != 0; left &= left - 1) {
      auto lane = static_cast<size_t>(std::countr_zero(left));
      isHere &= warp.lanePc[lane] == warp.lanePc[first] && warp.barrier[lane] == id;
    }

    if (!isHere) continue;
    isMixed |= waiting + barrier.arrived > 0 && threads != warp.barrierThreads;
    threads = warp.barrierThreads;
    waiting++;
  }

  if (waiting == 0) return false;
  if (isMixed) report(*anyWaiting, {FaultKind::Barrier, "warps arrive at barrier " + std::to_string(id) + " with different thread counts"});
  uint32_t wanted = threads == 0 ? alive : threads / Lanes;
  if (waiting + barrier.arrived > wanted)
    report(*anyWaiting, {FaultKind::Barrier, "more warps arrive at barrier " + std::to_string(id) + " than the " + std::to_string(wanted) + " it counts"});
  if (waiting + barrier.arrived < wanted) return false;
  release(barrier, id, waiting == block_.warps.size());
  return true;
}

// `isWhole`: every warp that the block began with waits at it.
void Scheduler::release(Barrier& barrier, int id, bool isWhole) {
  uint32_t votes = 0, voters = 0;
  auto isWaiting = [&](const Warp& warp) {
    return warp.live != 0 && warp.wait == Wait::Barrier && warp.barrier[static_cast<size_t>(std::countr_zero(warp.live))] == id;
  };
  for (const auto& warp : block_.warps) {
    if (!isWaiting(warp)) continue;
    if (!isWhole) barrier.take(warp.past);
    votes += static_cast<uint32_t>(std::popcount(warp.vote & warp.live));
    voters += static_cast<uint32_t>(std::popcount(warp.live));
  }

  for (auto& warp : block_.warps) {
    if (!isWaiting(warp)) continue;
    uint32_t pc = warp.lanePc[static_cast<size_t>(std::countr_zero(warp.live))];
    const auto& instruction = kernel_.code[pc];
    warp.active = warp.live;
    // bar.red: modes 1 popc, 2 and, 3 or.
    if (instruction.mode == 1) std::fill_n(warp.slot<uint32_t>(instruction.at[0]), Lanes, votes);
    else if (instruction.mode == 2) warp.setMask(instruction.at[0], votes == voters ? AllLanes : 0);
    else if (instruction.mode == 3) warp.setMask(instruction.at[0], votes != 0 ? AllLanes : 0);
    if (!isWhole) {
      warp.past = barrier.past;
      warp.tick();
    }

    warp.parked = 0;
    warp.running = warp.live;
    warp.pc = pc + 1;
    warp.nearest = Nowhere;
    warp.wait = Wait::None;
  }

  if (isWhole) orderAll();
  barrier = Barrier();
}

}  // namespace ptxsim

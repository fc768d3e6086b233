#include "exec/mbarrier.h"

#include <algorithm>
#include <cstring>

namespace ptxsim {
namespace {

// visit(address in shared memory, offset within the box) for every 16 bytes.
template <typename F>
void eachPiece(const BulkCopy& copy, F visit) {
  for (uint32_t offset = 0; offset < copy.map.boxBytes(); offset += 16)
    visit(copy.map.isSwizzled ? swizzled128(copy.shared + offset) : copy.shared + offset, offset);
}

// The columns of a row of the box that the matrix has: from the first to one past the last; none where they are equal.
std::pair<int64_t, int64_t> columnsOf(const BulkCopy& copy, int64_t row) {
  const auto& map = copy.map;
  if (row < 0 || row >= static_cast<int64_t>(map.rows)) return {0, 0};
  int64_t first = std::max<int64_t>(copy.x, 0), last = std::min<int64_t>(int64_t{copy.x} + map.boxColumns, static_cast<int64_t>(map.columns));
  return first < last ? std::pair{first, last} : std::pair<int64_t, int64_t>{0, 0};
}

uint64_t addressOf(const TensorMap& map, int64_t row, int64_t column) {
  return map.address + static_cast<uint64_t>(row) * map.rowBytes + static_cast<uint64_t>(column) * map.elementBytes;
}

void arrive(ThreadBlock& block, const BulkCopy& copy) {
  std::vector<uint8_t> box(copy.map.boxBytes());
  for (uint32_t r = 0; r < copy.map.boxRows; r++) {
    auto [first, last] = columnsOf(copy, int64_t{copy.y} + r);
    if (first == last) continue;
    std::memcpy(&box[r * copy.map.boxRowBytes() + static_cast<size_t>(first - copy.x) * copy.map.elementBytes],
                reinterpret_cast<const void*>(addressOf(copy.map, int64_t{copy.y} + r, first)), static_cast<size_t>(last - first) * copy.map.elementBytes);
  }

  eachPiece(copy, [&](uint64_t at, uint32_t offset) { block.shared->endBulkCopy(at, copy.lane, copy.stamp, &box[offset]); });
}

// A phase is complete once all have arrived and all of its bytes are on their way: they arrive where somebody waits for them.
void completeIfDone(Mbarrier& barrier, int lane) {
  if (barrier.pending > 0) return;
  if (barrier.missingBytes < 0)
    throw Fault{FaultKind::Barrier, "bulk copies bring " + std::to_string(-barrier.missingBytes) + " bytes more than the mbarrier's phase expects", lane};
  if (barrier.missingBytes > 0) return;
  barrier.phase++;
  barrier.pending = barrier.expected;
  barrier.due.insert(barrier.due.end(), barrier.underWay.begin(), barrier.underWay.end());
  barrier.underWay.clear();
}

// The copy engine reads the box once, however many blocks it goes to.
void readBox(Warp& w, const BulkCopy& copy) {
  auto& block = *w.block;
  const auto& map = copy.map;
  if (map.mark != TensorMap::Mark)
    throw Fault{FaultKind::IllegalInstruction, std::string(CopyName) + " with a tensor map that cuTensorMapEncodeTiled did not make", copy.lane};
  if (copy.shared % 128 != 0)
    throw Fault{FaultKind::Misaligned, std::string(CopyName) + " to shared address " + std::to_string(copy.shared) + ", which is no multiple of 128", copy.lane,
                copy.shared};
  for (uint32_t r = 0; r < map.boxRows; r++) {
    auto [first, last] = columnsOf(copy, int64_t{copy.y} + r);
    if (first == last) continue;
    auto bytes = static_cast<uint32_t>(last - first) * map.elementBytes;
    block.globalRead(addressOf(map, int64_t{copy.y} + r, first), bytes, CopyName, copy.lane, true);
    block.counters.add(Count::GlobalLoadBytes, bytes);
    block.counters.add(Count::GlobalLoadSectors, (bytes + 31) / 32);
  }
}

// Who writes to the block's shared memory: its own warp, or a copy that another block sends, whose clock is above all of the block's.
SharedMemory::Access accessTo(const ThreadBlock& block, const Warp& w, int lane) {
  if (&block == w.block) return w.access(lane, CopyName);
  if (block.warps.size() > SharedMemory::PeerWarp)
    throw Fault{FaultKind::IllegalInstruction, std::string(CopyName) + " to another block of 32 warps is not modelled", lane};
  uint32_t highest = 0;
  for (const auto& warp : block.warps) highest = std::max(highest, warp.now());
  return {SharedMemory::Elsewhere, lane, &w.past.of(block.rank), 0, CopyName, false, SharedMemory::stampOf(highest + 1, 0, SharedMemory::PeerWarp, false)};
}

void refuseOperandsInUse(const ThreadBlock& block, const BulkCopy& copy) {
  for (const auto& other : block.warps)
    for (const auto& product : other.products)
      for (uint64_t at : product.places)
        if (at >= copy.shared && at < copy.shared + copy.map.boxBytes())
          throw Fault{FaultKind::Race, std::string(CopyName) + " to shared address " + std::to_string(at) + ", which a wgmma of warp " + std::to_string(other.index) +
                                           " may still read: it needs wgmma.wait_group before the mbarrier", copy.lane, at};
}

}  // namespace

Mbarrier& mbarrierAt(Warp& w, ThreadBlock& block, uint64_t address, int lane) {
  auto found = block.mbarriers.find(address);
  auto where = [&] {
    return "shared address " + std::to_string(address) + (&block == w.block ? "" : " of block " + std::to_string(block.rank) + " of the cluster");
  };
  if (found == block.mbarriers.end())
    throw Fault{FaultKind::IllegalAddress, "there is no mbarrier at " + where() + ": mbarrier.init comes first", lane, address};
  auto& barrier = found->second;
  bool isMaker = &block == w.block && barrier.maker == w.index;
  if (block.checks && !isMaker && w.past.of(block.rank).clock[static_cast<size_t>(barrier.maker)] < barrier.madeAt)
    throw Fault{FaultKind::Race, "the mbarrier at " + where() + " was initialised by warp " + std::to_string(barrier.maker) + ", with no barrier between", lane,
                address};
  return barrier;
}

uint64_t arriveAt(Warp& w, Mbarrier& barrier, uint32_t count, bool drops, int lane) {
  if (count > barrier.pending)
    throw Fault{FaultKind::Barrier, "more arrivals at an mbarrier than the " + std::to_string(barrier.expected) + " it expects", lane};
  uint64_t state = barrier.phase;
  join(barrier.past, w.past);
  barrier.pending -= count;
  if (drops) barrier.expected -= count;
  completeIfDone(barrier, lane);
  return state;
}

void expectBytes(Mbarrier& barrier, uint32_t bytes) { barrier.missingBytes += bytes; }

void startCopy(Warp& w, const std::vector<ThreadBlock*>& blocks, uint64_t address, const BulkCopy& copy) {
  readBox(w, copy);
  for (auto* block : blocks) {
    auto& barrier = mbarrierAt(w, *block, address, copy.lane);
    auto& known = w.past.of(block->rank);
    // A fence between the proxies after mbarrier.init does what fence.mbarrier_init does.
    if (block->checks && !barrier.isKnownToCopies && known.fenced[static_cast<size_t>(barrier.maker)] < barrier.madeAt)
      throw Fault{FaultKind::Race, "a bulk copy counts on an mbarrier that it need not know yet: mbarrier.init needs fence.mbarrier_init", copy.lane};
    if (block->checks) refuseOperandsInUse(*block, copy);
    auto access = accessTo(*block, w, copy.lane);
    eachPiece(copy, [&](uint64_t at, uint32_t) { block->shared->beginBulkCopy(at, access); });
    w.block->counters.add(Count::AsyncCopyBytes, copy.map.boxBytes());
    barrier.missingBytes -= copy.map.boxBytes();
    barrier.underWay.push_back(copy);
    barrier.underWay.back().stamp = access.stamp;
    join(barrier.past, w.past);
    if (block != w.block) {
      auto& sent = barrier.past.clock[SharedMemory::PeerWarp];
      sent = std::max(sent, SharedMemory::clockOfStamp(access.stamp));
    }

    completeIfDone(barrier, copy.lane);
  }
}

void observe(Warp& w, Mbarrier& barrier) {
  for (const auto& copy : barrier.due) arrive(*w.block, copy);
  barrier.due.clear();
  w.learn(barrier.past);
}

void checkArrived(const ThreadBlock& block) {
  for (const auto& [address, barrier] : block.mbarriers)
    if (!barrier.underWay.empty() || !barrier.due.empty())
      throw Fault{FaultKind::Race, "the block ends before a bulk copy has arrived that the mbarrier at shared address " + std::to_string(address) + " counts"};
}

}  // namespace ptxsim

#include "exec/mbarrier.h"

#include <algorithm>
#include <cstring>

namespace ptxsim {
namespace {

constexpr const char* CopyName = "cp.async.bulk.tensor";

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

}  // namespace

Mbarrier& mbarrierAt(Warp& w, uint64_t address, int lane) {
  auto found = w.block->mbarriers.find(address);
  if (found == w.block->mbarriers.end())
    throw Fault{FaultKind::IllegalAddress, "there is no mbarrier at shared address " + std::to_string(address) + ": mbarrier.init comes first", lane, address};
  auto& barrier = found->second;
  if (w.block->checks && barrier.maker != w.index && w.clock[static_cast<size_t>(barrier.maker)] < barrier.madeAt)
    throw Fault{FaultKind::Race, "the mbarrier at shared address " + std::to_string(address) + " was initialised by warp " + std::to_string(barrier.maker) +
                                     ", with no barrier between", lane, address};
  return barrier;
}

uint64_t arriveAt(Warp& w, Mbarrier& barrier, uint32_t count, bool drops, int lane) {
  if (count > barrier.pending)
    throw Fault{FaultKind::Barrier, "more arrivals at an mbarrier than the " + std::to_string(barrier.expected) + " it expects", lane};
  uint64_t state = barrier.phase;
  join(barrier.clock, w.clock);
  barrier.pending -= count;
  if (drops) barrier.expected -= count;
  completeIfDone(barrier, lane);
  return state;
}

void expectBytes(Mbarrier& barrier, uint32_t bytes) { barrier.missingBytes += bytes; }

void startCopy(Warp& w, Mbarrier& barrier, const TensorMap& map, int32_t x, int32_t y, uint64_t shared, int lane) {
  auto& block = *w.block;
  if (block.checks && !barrier.isKnownToCopies)
    throw Fault{FaultKind::Race, "a bulk copy counts on an mbarrier that it need not know yet: mbarrier.init needs fence.mbarrier_init", lane};
  if (map.mark != TensorMap::Mark)
    throw Fault{FaultKind::IllegalInstruction, std::string(CopyName) + " with a tensor map that cuTensorMapEncodeTiled did not make", lane};
  if (shared % 128 != 0)
    throw Fault{FaultKind::Misaligned, std::string(CopyName) + " to shared address " + std::to_string(shared) + ", which is no multiple of 128", lane, shared};
  auto access = w.access(lane, CopyName);
  BulkCopy copy{map, x, y, shared, lane, access.stamp};
  for (uint32_t r = 0; r < map.boxRows; r++) {
    auto [first, last] = columnsOf(copy, int64_t{y} + r);
    if (first == last) continue;
    auto bytes = static_cast<uint32_t>(last - first) * map.elementBytes;
    block.globalRead(addressOf(map, int64_t{y} + r, first), bytes, CopyName, lane, true);
    block.counters.add(Count::GlobalLoadBytes, bytes);
    block.counters.add(Count::GlobalLoadSectors, (bytes + 31) / 32);
  }

  if (block.checks) {
    for (const auto& other : block.warps)
      for (const auto& product : other.products)
        for (uint64_t at : product.places)
          if (at >= shared && at < shared + map.boxBytes())
            throw Fault{FaultKind::Race, std::string(CopyName) + " to shared address " + std::to_string(at) + ", which a wgmma of warp " + std::to_string(other.index) +
                                             " may still read: it needs wgmma.wait_group before the mbarrier", lane, at};
  }

  eachPiece(copy, [&](uint64_t at, uint32_t) { block.shared->beginCopy(at, 16, access); });
  block.counters.add(Count::AsyncCopyBytes, map.boxBytes());
  barrier.missingBytes -= map.boxBytes();
  barrier.underWay.push_back(copy);
  join(barrier.clock, w.clock);
  completeIfDone(barrier, lane);
}

void observe(Warp& w, Mbarrier& barrier) {
  for (const auto& copy : barrier.due) arrive(*w.block, copy);
  barrier.due.clear();
  uint32_t own = w.clock[static_cast<size_t>(w.index)];
  join(w.clock, barrier.clock);
  w.clock[static_cast<size_t>(w.index)] = own;
}

void checkArrived(const ThreadBlock& block) {
  for (const auto& [address, barrier] : block.mbarriers)
    if (!barrier.underWay.empty() || !barrier.due.empty())
      throw Fault{FaultKind::Race, "the block ends before a bulk copy has arrived that the mbarrier at shared address " + std::to_string(address) + " counts"};
}

}  // namespace ptxsim

// What the async proxy does in shared memory, and what it may find there (PTX ISA, sections 8.2 and 9.7.12.4, fence.proxy.async).
//
// Reported is what it reads or overwrites although the generic proxy wrote it and no fence between the proxies lies between. Not reported are bulk copies
// over what threads have read with ld.shared or ldmatrix: the ISA orders those too only by a fence, but kernels that NVIDIA ships (CUTLASS, whose consumers
// release a stage by an arrival at its mbarrier alone) rely on a load being over once its value was there. The other way round needs none: a
// copy's end, as its mbarrier shows it, and wgmma.wait_group have the fence built in.
#include "exec/shared_memory.h"

namespace ptxsim {

bool SharedMemory::isFenced(Touch write, const Known& known) const {
  int warp = warpOf(write);
  uint32_t fenced = known.fenced[static_cast<size_t>(warp)];
  if (clockOf(write) != fenced) return clockOf(write) < fenced;
  auto partial = partialFences_.find({warp, fenced});
  if (partial == partialFences_.end() || laneOf(write) == SeveralLanes) return true;
  return (partial->second.lanes >> laneOf(write) & 1) != 0 || stepOf(write) < partial->second.step;
}

void SharedMemory::checkProxies(size_t word, const Access& access) const {
  if ((marks_[word] & 0xF) == 0) return;
  // A bulk copy's own write is the last of the word, and alone.
  if (!bulkWrite_.empty() && firstWrite_[word] == bulkWrite_[word]) return;
  for (Touch write : {firstWrite_[word], secondWrite_[word]})
    if (write != 0 && !isFenced(write, *access.known))
      throw Fault{FaultKind::Race, std::string(access.what) + " at shared address " + std::to_string(4 * word) + ", which warp " + std::to_string(warpOf(write)) +
                                       " has written in the generic proxy: the writing thread needs fence.proxy.async before the barrier", access.lane, 4 * word};
}

void SharedMemory::beginBulkCopy(uint64_t address, const Access& access) {
  check(address, 16, access);
  bool isOpen = checks_ && (marks_[address / 4] & InFlight) == 0;
  if (isOpen)
    for (size_t word = address / 4; word < address / 4 + 4; word++) checkProxies(word, access);
  hasPeers_ |= access.warp == Elsewhere;
  beginCopy(address, 16, access);
}

void SharedMemory::endBulkCopy(uint64_t address, int lane, uint64_t stamp, const void* values) {
  if (checks_) {
    if (bulkWrite_.empty()) bulkWrite_.resize(firstWrite_.size());
    Touch now = static_cast<Touch>(stamp) | Touch{lane} << LaneShift | WholeWord;
    for (size_t word = address / 4; word < address / 4 + 4; word++) {
      marks_[word] = 0xF;
      firstWrite_[word] = bulkWrite_[word] = now;
      secondWrite_[word] = 0;
    }
  }

  std::memcpy(bytes_.data() + address, values, 16);
}

void SharedMemory::readBulk(uint64_t address, Access access) {
  if (!checks_) return;
  readRow(address, 4, 4, access);
  for (size_t word = address / 4; word < address / 4 + 4; word++) checkProxies(word, access);
}

}  // namespace ptxsim

// Bulk copies of boxes of a matrix, described by a tensor map (PTX ISA, sections 5.5 and 9.7.8.22.5).
#include <cstring>

#include "exec/cluster.h"
#include "exec/mbarrier.h"
#include "exec/ops/address.h"
#include "exec/ops/lanes.h"

namespace ptxsim {
namespace {

// Maps are parameters of the kernel: others would have to be made known to the copy engine, which is not modelled.
TensorMap mapAt(const Warp& w, uint64_t address, int lane) {
  uint64_t offset = address & (WindowSize - 1);
  if ((address & ~(WindowSize - 1)) != ParamWindow)
    throw Fault{FaultKind::AddressSpace, "a tensor map that is no parameter of the kernel (.grid_constant) is not modelled", lane, address};
  if (offset % 64 != 0) throw Fault{FaultKind::Misaligned, "a tensor map at an address that is no multiple of 64", lane, address};
  if (offset + sizeof(TensorMap) > w.block->kernel->parameterBytes)
    throw Fault{FaultKind::IllegalAddress, "a tensor map past the end of the parameters", lane, address};
  TensorMap map;
  std::memcpy(&map, w.block->launch->parameters + offset, sizeof map);
  return map;
}

// cp.async.bulk.tensor [shared], [map, {x, y}], [mbarrier], blocks: each thread that executes it starts a copy of its own; without `blocks` to the
// place that the address names, with it to the same place in each of those.
void copyBox(Warp& w, const Instruction& i) {
  bool isMulticast = i.count == 6;
  forLanes(w, [&](int lane) {
    auto map = mapAt(w, w.slot<uint64_t>(i.at[1])[lane], lane);
    auto to = peerAt(w, placeOf(w, i, 0, 0, lane).address, lane, CopyName), barrier = peerAt(w, placeOf(w, i, 4, 1, lane).address, lane, CopyName);
    BulkCopy copy{map, static_cast<int32_t>(w.slot<uint32_t>(i.at[2])[lane]), static_cast<int32_t>(w.slot<uint32_t>(i.at[3])[lane]), to.address, lane, 0};
    std::vector<ThreadBlock*> blocks;
    if (isMulticast) {
      uint32_t mask = w.slot<uint32_t>(i.at[5])[lane] & 0xFFFF;
      if (mask == 0) throw Fault{FaultKind::IllegalInstruction, std::string(CopyName) + " to no block of the cluster", lane};
      for (; mask != 0; mask &= mask - 1) blocks.push_back(&peerOf(w, static_cast<uint32_t>(std::countr_zero(mask)), lane, CopyName));
    } else {
      if (to.block != barrier.block) throw Fault{FaultKind::IllegalAddress, std::string(CopyName) + " to one block, counted on an mbarrier of another", lane};
      blocks.push_back(to.block);
    }

    startCopy(w, blocks, barrier.address, copy);
  });
  // What the warp does from here on, whoever waits for the copies may not rely on.
  w.tick();
}

// What this warp's threads initialised, bulk copies may count on.
void makeKnown(Warp& w, const Instruction&) {
  for (auto& [address, barrier] : w.block->mbarriers)
    if (barrier.maker == w.index) barrier.isKnownToCopies = true;
}

}  // namespace

Handler bulkHandler(const Shape& s) {
  if (s.form->opcode == "cp" && s.has(".bulk")) return &copyBox;
  if (s.form->opcode == "fence" && s.has(".mbarrier_init")) return &makeKnown;
  return nullptr;
}

}  // namespace ptxsim

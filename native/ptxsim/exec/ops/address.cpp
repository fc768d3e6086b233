#include "exec/ops/address.h"

#include <algorithm>

namespace ptxsim {

Place placeOf(const Warp& w, const Instruction& i, int operand, int which, int lane) {
  auto address = static_cast<uint64_t>(i.displacement[which]);
  if (Slot base = i.at[operand]; base != NoSlot) address += i.isWideAddress[which] ? w.slot<uint64_t>(base)[lane] : w.slot<uint32_t>(base)[lane];
  // Only the first address of an instruction is in the space it names: cp.async.shared.global has one of each.
  Space space = which == 0 ? i.space : Space::Global;
  if (space != Space::Generic) return {space, address};
  uint64_t window = address & ~(WindowSize - 1), offset = address & (WindowSize - 1);
  if (window == SharedWindow) return {Space::Shared, offset};
  if (window == LocalWindow) return {Space::Local, offset};
  if (window == ParamWindow) return {Space::Param, offset};
  return {Space::Global, address};
}

uint8_t* local(const Warp& w, uint64_t address, uint32_t bytes, const char* what, int lane) {
  uint32_t size = w.block->kernel->localBytes;
  if (address + bytes > size || address > size)
    throw Fault{FaultKind::IllegalAddress, std::string(what) + " of " + std::to_string(bytes) + " bytes at local address " + std::to_string(address) +
                                               ": the thread has " + std::to_string(size) + " bytes", lane, address};
  aligned(address, bytes, what, lane);
  return w.block->local + (static_cast<size_t>(w.index) * Lanes + static_cast<size_t>(lane)) * size + address;
}

void Traffic::global(uint64_t address) {
  globalCount_++;
  for (uint64_t sector = address / 32; sector <= (address + bytes_ - 1) / 32; sector++) {
    // Most warps go upwards through memory.
    bool isNew = sectorCount_ == 0 || sector > highestSector_;
    if (!isNew && (sector == sectors_[sectorCount_ - 1] || std::find(sectors_, sectors_ + sectorCount_, sector) != sectors_ + sectorCount_)) continue;
    if (sectorCount_ < 2 * Lanes) sectors_[sectorCount_++] = sector;
    if (isNew) highestSector_ = sector;
  }
}

// Passes that lanes [begin, end) need: the largest number of different places in one bank. An access of 8 or 16 bytes takes 2 or 4 banks
// side by side, and being aligned never half of another's.
uint32_t Traffic::wavefronts(uint32_t begin, uint32_t end) const {
  uint32_t unit = std::max(bytes_, 4u), banks = 128 / unit, taken = 0, most = begin < end ? 1 : 0;
  uint32_t places[32], next[32], count[32];  // of each bank its first place, then a list through the lanes
  uint8_t first[32];
  for (uint32_t lane = begin; lane < end; lane++) {
    uint32_t place = shared_[lane] / unit, bank = place % banks;
    places[lane] = place;
    next[lane] = Lanes;
    if (!(taken >> bank & 1)) {
      taken |= 1u << bank;
      first[bank] = static_cast<uint8_t>(lane);
      count[bank] = 1;
      continue;
    }

    uint32_t known = first[bank];
    while (places[known] != place && next[known] != Lanes) known = next[known];
    if (places[known] == place) continue;
    next[known] = lane;
    most = std::max(most, ++count[bank]);
  }

  return most;
}

void Traffic::sharedScattered(const uint64_t (&addresses)[Lanes], uint32_t lanes) {
  for (uint32_t left = lanes; left != 0; left &= left - 1) shared(addresses[std::countr_zero(left)]);
}

void Traffic::sharedInOrder(uint32_t lanes) {
  uint32_t passes = (lanes + together() - 1) / together();
  counters_.add(isStore_ ? Count::SharedStoreBytes : Count::SharedLoadBytes, uint64_t{lanes} * bytes_);
  counters_.add(Count::SharedWavefronts, passes);
  counters_.add(Count::SharedIdealWavefronts, passes);
}

void Traffic::globalInOrder(uint64_t begin, uint32_t lanes) {
  globalCount_ = lanes;
  sectorCount_ = static_cast<uint32_t>((begin + uint64_t{lanes} * bytes_ - 1) / 32 - begin / 32 + 1);
}

void Traffic::globalAtOnce(uint64_t address, uint32_t lanes) {
  globalCount_ = lanes;
  sectorCount_ = static_cast<uint32_t>((address + bytes_ - 1) / 32 - address / 32 + 1);
}

Traffic::~Traffic() {
  if (globalCount_ > 0) {
    counters_.add(isStore_ ? Count::GlobalStoreBytes : Count::GlobalLoadBytes, uint64_t{globalCount_} * bytes_);
    counters_.add(isStore_ ? Count::GlobalStoreSectors : Count::GlobalLoadSectors, sectorCount_);
  }

  if (sharedCount_ > 0) {
    counters_.add(isStore_ ? Count::SharedStoreBytes : Count::SharedLoadBytes, uint64_t{sharedCount_} * bytes_);
    for (uint32_t begin = 0; begin < sharedCount_; begin += together()) {
      counters_.add(Count::SharedWavefronts, wavefronts(begin, std::min(begin + together(), sharedCount_)));
      counters_.add(Count::SharedIdealWavefronts);
    }
  }

  if (localCount_ > 0) counters_.add(Count::LocalBytes, uint64_t{localCount_} * bytes_);
}

}  // namespace ptxsim

#include "exec/ops/address.h"

#include <algorithm>
#include <type_traits>

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

bool Addresses::gather(const Warp& w, const Instruction& i, int operand, int which, uint32_t bytes, uint32_t wanted) {
  auto displacement = static_cast<uint64_t>(i.displacement[which]);
  Slot base = i.at[operand];
  if (base == NoSlot) std::fill_n(at, Lanes, displacement);
  else if (i.isWideAddress[which])
    for (int l = 0; l < Lanes; l++) at[l] = w.slot<uint64_t>(base)[l] + displacement;
  else
    for (int l = 0; l < Lanes; l++) at[l] = w.slot<uint32_t>(base)[l] + displacement;

  lanes = wanted;
  first = std::countr_zero(lanes) % Lanes;
  count = static_cast<uint32_t>(std::popcount(lanes));
  uint64_t origin = at[first], bits = 0, others = 0, strays = 0;
  uint32_t run = lanes >> first;
  if (lanes != AllLanes)
    for (int l = 0; l < Lanes; l++) at[l] = wanted >> l & 1 ? at[l] : origin;
  for (int l = 0; l < Lanes; l++) {
    bits |= at[l];
    others |= at[l] ^ origin;
    strays |= wanted >> l & 1 ? at[l] ^ (origin + static_cast<uint64_t>(l - first) * bytes) : 0;
  }

  if ((bits & (bytes - 1)) != 0) return false;
  isOne = others == 0;
  isInOrder = strays == 0 && (run & (run + 1)) == 0;
  lowest = highest = origin;
  if (isInOrder) highest = origin + uint64_t{count - 1} * bytes;
  else if (!isOne)
    for (uint64_t one : at) lowest = std::min(lowest, one), highest = std::max(highest, one);
  // Only the first address of an instruction is in the space it names.
  space = which == 0 ? i.space : Space::Global;
  if (space != Space::Generic) return true;
  if (highest < SharedWindow) {
    space = Space::Global;
    return true;
  }

  if (lowest < SharedWindow || highest >= SharedWindow + WindowSize) return false;
  for (auto& one : at) one -= SharedWindow;
  lowest -= SharedWindow;
  highest -= SharedWindow;
  space = Space::Shared;
  return true;
}

uint32_t Addresses::repeats() const {
  if (lanes != AllLanes || highest - lowest > ~uint32_t{0}) return 0;
  uint32_t offsets[Lanes], result = 0;
  for (int l = 0; l < Lanes; l++) offsets[l] = static_cast<uint32_t>(at[l] - lowest);
  auto isRepeated = [&](auto bit) {
    uint32_t difference = 0;
    for (int l = 0; l < Lanes; l++) difference |= offsets[l] ^ offsets[l ^ bit()];
    return difference == 0;
  };
  result |= isRepeated(std::integral_constant<int, 1>()) ? 1 : 0;
  result |= isRepeated(std::integral_constant<int, 2>()) ? 2 : 0;
  result |= isRepeated(std::integral_constant<int, 4>()) ? 4 : 0;
  result |= isRepeated(std::integral_constant<int, 8>()) ? 8 : 0;
  result |= isRepeated(std::integral_constant<int, 16>()) ? 16 : 0;
  return result;
}

bool passGlobal(const Warp& w, const Addresses& a, uint32_t bytes, bool isStore, bool isVolatile) {
  auto& block = *w.block;
  Allocation* allocation = block.lookUp(a.lowest, a.highest - a.lowest + bytes);
  if (!allocation || (isStore && allocation->isConstant)) return false;
  if (!block.checks || !allocation->shadow) return true;
  // Single bytes are not looked at: see GlobalShadow.
  bool isOrdered = !isVolatile && bytes >= 2;
  auto pass = [&](uint64_t address, uint64_t length) {
    uint64_t offset = address - allocation->begin;
    return !(isStore ? allocation->shadow->write(offset, length, isOrdered, block.visitor) : allocation->shadow->read(offset, length, isOrdered, block.visitor));
  };
  if (a.isInOrder || a.isOne) return pass(a.lowest, a.highest - a.lowest + bytes);
  // Lanes side by side, and lanes at one place, as one.
  uint64_t begin = a.at[a.first], end = begin + bytes;
  for (uint32_t left = a.lanes & (a.lanes - 1); left != 0; left &= left - 1) {
    uint64_t at = a.at[std::countr_zero(left)];
    if (at == end) {
      end += bytes;
    } else if (at < begin || at + bytes > end) {
      if (!pass(begin, end - begin)) return false;
      begin = at;
      end = at + bytes;
    }
  }

  return pass(begin, end - begin);
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
  if constexpr (!IsCounting) return;
  globalCount_++;
  for (uint64_t sector = address / 32; sector <= (address + bytes_ - 1) / 32; sector++) {
    // Most warps go upwards through memory.
    bool isNew = sectorCount_ == 0 || sector > highestSector_;
    if (!isNew && (sector == sectors_[sectorCount_ - 1] || std::find(sectors_, sectors_ + sectorCount_, sector) != sectors_ + sectorCount_)) continue;
    if (sectorCount_ < 2 * Lanes) sectors_[sectorCount_++] = sector;
    if (isNew) highestSector_ = sector;
  }
}

void Traffic::global(const Addresses& a) {
  if constexpr (!IsCounting) return;
  if (a.isInOrder) globalInOrder(a.lowest, a.count);
  else if (a.isOne) globalAtOnce(a.lowest, a.count);
  else
    for (uint32_t left = a.lanes; left != 0; left &= left - 1) global(a.at[std::countr_zero(left)]);
}

// Passes that the lanes need: the largest number of different places in one bank. An access of 8 or 16 bytes takes 2 or 4 banks side by
// side, and being aligned never half of another's.
uint32_t Traffic::wavefronts(const uint64_t* addresses, uint32_t lanes) const {
  auto shift = static_cast<uint32_t>(std::countr_zero(std::max(bytes_, 4u)));
  uint32_t lastBank = (128u >> shift) - 1, taken = 0;
  uint64_t places[32];
  bool isPlain = true;
  for (uint32_t left = lanes; left != 0; left &= left - 1) {
    uint64_t place = addresses[std::countr_zero(left)] >> shift;
    auto bank = static_cast<uint32_t>(place) & lastBank;
    if (!(taken >> bank & 1)) places[bank] = place;
    isPlain &= places[bank] == place;
    taken |= 1u << bank;
  }

  if (isPlain) return lanes != 0;
  uint32_t most = 0, count[32] = {};
  uint64_t known[32][32];
  for (uint32_t left = lanes; left != 0; left &= left - 1) {
    uint64_t place = addresses[std::countr_zero(left)] >> shift;
    auto bank = static_cast<uint32_t>(place) & lastBank;
    auto* end = known[bank] + count[bank];
    if (std::find(known[bank], end, place) != end) continue;
    *end = place;
    most = std::max(most, ++count[bank]);
  }

  return most;
}

void Traffic::shared(const Addresses& a, uint32_t repeats) {
  if constexpr (!IsCounting) return;
  if (a.isInOrder || a.isOne) {
    sharedInOrder(a.count);
    return;
  }

  if (a.lanes != AllLanes) {
    for (uint32_t left = a.lanes; left != 0; left &= left - 1) shared(a.at[std::countr_zero(left)]);
    return;
  }

  // Different words of 128 bytes side by side lie in different banks.
  if (a.highest - a.lowest + bytes_ <= 128) {
    sharedInOrder(Lanes);
    return;
  }

  // Passes repeat themselves with the addresses, and within one pass the first of those that share a place stands for them.
  counters_.add(isStore_ ? Count::SharedStoreBytes : Count::SharedLoadBytes, uint64_t{Lanes} * bytes_);
  counters_.add(Count::SharedIdealWavefronts, Lanes / together());
  uint32_t within = repeats & (together() - 1), across = repeats & ~within, group = together() == Lanes ? AllLanes : (1u << together()) - 1;
  uint64_t passes = 0;
  for (uint32_t first = 0; first < Lanes; first += together())
    if ((first & across) == 0) passes += wavefronts(a.at, (group << first) & lanesWithout(within));
  counters_.add(Count::SharedWavefronts, passes << std::popcount(across));
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
  if constexpr (!IsCounting) return;
  if (globalCount_ > 0) {
    counters_.add(isStore_ ? Count::GlobalStoreBytes : Count::GlobalLoadBytes, uint64_t{globalCount_} * bytes_);
    counters_.add(isStore_ ? Count::GlobalStoreSectors : Count::GlobalLoadSectors, sectorCount_);
  }

  if (sharedCount_ > 0) {
    counters_.add(isStore_ ? Count::SharedStoreBytes : Count::SharedLoadBytes, uint64_t{sharedCount_} * bytes_);
    for (uint32_t begin = 0; begin < sharedCount_; begin += together()) {
      uint32_t count = std::min(together(), sharedCount_ - begin);
      counters_.add(Count::SharedWavefronts, wavefronts(shared_ + begin, AllLanes >> (Lanes - count)));
      counters_.add(Count::SharedIdealWavefronts);
    }
  }

  if (localCount_ > 0) counters_.add(Count::LocalBytes, uint64_t{localCount_} * bytes_);
}

}  // namespace ptxsim

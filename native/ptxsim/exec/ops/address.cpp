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

namespace {

// Lanes that one pass over the banks can serve.
uint32_t together(uint32_t bytes) { return bytes <= 4 ? 32 : bytes <= 8 ? 16 : 8; }
uint32_t groups(uint32_t lanes, uint32_t bytes) { return (lanes + together(bytes) - 1) / together(bytes); }

// Passes that lanes served together need: the largest number of different places in one bank. An access of 8 or 16 bytes takes 2 or 4
// banks side by side, and being aligned never half of another's.
template <typename Address>
uint32_t passesOf(const Address* addresses, uint32_t count, uint32_t bytes) {
  auto shift = static_cast<uint32_t>(std::countr_zero(std::max(bytes, 4u)));
  uint32_t lastBank = (128u >> shift) - 1, most = 0, places[32] = {};
  Address known[32][32];
  for (uint32_t n = 0; n < count; n++) {
    Address place = addresses[n] >> shift;
    auto bank = static_cast<uint32_t>(place) & lastBank;
    auto* end = known[bank] + places[bank];
    if (std::find(known[bank], end, place) != end) continue;
    *end = place;
    most = std::max(most, ++places[bank]);
  }

  return most;
}

template <typename Address>
uint32_t allPassesOf(const Address* addresses, uint32_t count, uint32_t bytes) {
  uint32_t passes = 0;
  for (uint32_t begin = 0; begin < count; begin += together(bytes)) passes += passesOf(addresses + begin, std::min(together(bytes), count - begin), bytes);
  return passes;
}

// Different sectors.
template <typename Address>
uint32_t allSectorsOf(const Address* addresses, uint32_t count, uint32_t bytes) {
  Address sectors[2 * Lanes], highest = 0;
  uint32_t found = 0;
  for (uint32_t n = 0; n < count; n++)
    for (Address sector = addresses[n] / 32; sector <= (addresses[n] + bytes - 1) / 32; sector++) {
      // Most warps go upwards through memory.
      bool isNew = found == 0 || sector > highest;
      if (!isNew && std::find(sectors, sectors + found, sector) != sectors + found) continue;
      sectors[found++] = sector;
      if (isNew) highest = sector;
    }

  return found;
}

// What is known of the access, its lanes' addresses counted from `origin`; `cost` is asked for where they lie differently than last time.
template <typename Cost>
const AccessPattern& patternOf(AccessPattern& known, const Addresses& a, uint64_t origin, Cost cost) {
  uint32_t offsets[Lanes], differences = known.lanes ^ a.lanes;
  for (int l = 0; l < Lanes; l++) offsets[l] = static_cast<uint32_t>(a.at[l] - origin);
  for (int l = 0; l < Lanes; l++) differences |= offsets[l] ^ known.offsets[l];
  if (differences == 0 && known.space == a.space) return known;
  uint32_t present[Lanes], count = 0;
  for (uint32_t left = a.lanes; left != 0; left &= left - 1) present[count++] = offsets[std::countr_zero(left)];
  std::copy_n(offsets, Lanes, known.offsets);
  known.lanes = a.lanes;
  known.space = a.space;
  known.repeats = a.repeats();
  known.cost = IsCounting ? cost(present, count) : 0;
  return known;
}

}  // namespace

Banks banksOf(const Warp& w, const Instruction& i, const Addresses& a, uint32_t bytes) {
  // 32 words side by side lie in 32 banks, and one place is read once.
  if (a.isInOrder || a.isOne) return {groups(a.count, bytes), 0};
  const auto& pattern = patternOf(w.block->patterns[i.pattern], a, a.lowest & ~uint64_t{3},
                                  [&](const uint32_t* offsets, uint32_t count) { return allPassesOf(offsets, count, bytes); });
  return {pattern.cost, pattern.repeats};
}

uint32_t sectorsOf(const Warp& w, const Instruction& i, int which, const Addresses& a, uint32_t bytes) {
  if constexpr (!IsCounting) return 0;
  if (a.isInOrder || a.isOne) return static_cast<uint32_t>((a.highest + bytes - 1) / 32 - a.lowest / 32 + 1);
  uint64_t origin = a.lowest & ~uint64_t{31};
  if (a.highest + bytes - origin <= ~uint32_t{0})
    return patternOf(w.block->patterns[i.pattern + static_cast<uint32_t>(which)], a, origin,
                     [&](const uint32_t* offsets, uint32_t count) { return allSectorsOf(offsets, count, bytes); }).cost;
  uint64_t present[Lanes];
  uint32_t count = 0;
  for (uint32_t left = a.lanes; left != 0; left &= left - 1) present[count++] = a.at[std::countr_zero(left)];
  return allSectorsOf(present, count, bytes);
}

void countShared(Warp& w, uint32_t bytes, bool isStore, uint32_t lanes, uint32_t passes) {
  auto& counters = w.block->counters;
  counters.add(isStore ? Count::SharedStoreBytes : Count::SharedLoadBytes, uint64_t{lanes} * bytes);
  counters.add(Count::SharedWavefronts, passes);
  counters.add(Count::SharedIdealWavefronts, groups(lanes, bytes));
}

void countGlobal(Warp& w, uint32_t bytes, bool isStore, uint32_t lanes, uint32_t sectors) {
  auto& counters = w.block->counters;
  counters.add(isStore ? Count::GlobalStoreBytes : Count::GlobalLoadBytes, uint64_t{lanes} * bytes);
  counters.add(isStore ? Count::GlobalStoreSectors : Count::GlobalLoadSectors, sectors);
}

Traffic::~Traffic() {
  if constexpr (!IsCounting) return;
  if (globalCount_ > 0) countGlobal(warp_, bytes_, isStore_, globalCount_, allSectorsOf(global_, globalCount_, bytes_));
  if (sharedCount_ > 0) countShared(warp_, bytes_, isStore_, sharedCount_, allPassesOf(shared_, sharedCount_, bytes_));
  if (localCount_ > 0) warp_.block->counters.add(Count::LocalBytes, uint64_t{localCount_} * bytes_);
}

}  // namespace ptxsim

#include "exec/ops/warp_access.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "exec/ops/address.h"

namespace ptxsim {
namespace {

constexpr int MaxVector = 4;  // elements of ld.v4 and st.v4

// Where the active lanes access, in one space.
struct Addresses {
  uint64_t at[Lanes];
  uint64_t lowest = ~uint64_t{0}, highest = 0;
  uint32_t count = 0;
  int first = 0;
  Space space = Space::Generic;
  bool isInOrder = false;  // side by side, in the order of the lanes
  bool isOne = false;      // all the same
};

// False where a lane is misaligned or the spaces differ.
bool gather(const Warp& w, const Instruction& i, int operand, uint32_t bytes, Addresses& a) {
  auto displacement = static_cast<uint64_t>(i.displacement[0]);
  Slot base = i.at[operand];
  if (base == NoSlot) std::fill_n(a.at, Lanes, displacement);
  else if (i.isWideAddress[0])
    for (int l = 0; l < Lanes; l++) a.at[l] = w.slot<uint64_t>(base)[l] + displacement;
  else
    for (int l = 0; l < Lanes; l++) a.at[l] = w.slot<uint32_t>(base)[l] + displacement;

  a.first = std::countr_zero(w.active);
  a.count = static_cast<uint32_t>(std::popcount(w.active));
  uint64_t bits = 0, origin = a.at[a.first];
  bool isInOrder = true;
  for (int l = 0; l < Lanes; l++) {
    bool isActive = w.active >> l & 1;
    bits |= isActive ? a.at[l] : 0;
    a.lowest = std::min(a.lowest, isActive ? a.at[l] : ~uint64_t{0});
    a.highest = std::max(a.highest, isActive ? a.at[l] : 0);
    isInOrder &= !isActive || a.at[l] == origin + static_cast<uint64_t>(l - a.first) * bytes;
  }

  if ((bits & (bytes - 1)) != 0) return false;
  uint32_t run = w.active >> a.first;
  a.isInOrder = isInOrder && (run & (run + 1)) == 0;
  a.isOne = a.lowest == a.highest;
  a.space = i.space;
  if (i.space != Space::Generic) return true;
  if (a.highest < SharedWindow) {
    a.space = Space::Global;
    return true;
  }

  if (a.lowest < SharedWindow || a.highest >= SharedWindow + WindowSize) return false;
  for (auto& at : a.at) at -= SharedWindow;
  a.lowest -= SharedWindow;
  a.highest -= SharedWindow;
  a.space = Space::Shared;
  return true;
}

// The type as it lies in memory, passed as a value to `use`.
template <typename Use>
void withStored(Type type, Use use) {
  switch (type) {
    case Type::S8: use(int8_t{}); return;
    case Type::S16: use(int16_t{}); return;
    case Type::S32: use(int32_t{}); return;
    default: break;
  }

  switch (sizeOf(type)) {
    case 1: use(uint8_t{}); return;
    case 2: use(uint16_t{}); return;
    case 4: use(uint32_t{}); return;
    default: use(uint64_t{}); return;
  }
}

template <typename M>
M peek(uint64_t address) {
  M value;
  std::memcpy(&value, reinterpret_cast<const void*>(address), sizeof value);
  return value;
}

// Element `e` of every lane's vector from memory at `base` + address: signed types extend to the register's width.
template <typename M, typename S>
void fetch(const Warp& w, const Instruction& i, int e, uint64_t base, const Addresses& a) {
  using Extended = std::conditional_t<std::is_signed_v<M>, int64_t, uint64_t>;
  auto* to = w.slot<S>(i.at[e]);
  base += static_cast<uint64_t>(e) * sizeof(M);
  if (a.isOne) {
    auto value = static_cast<S>(static_cast<Extended>(peek<M>(base + a.lowest)));
    forLanes(w, [&](int l) { to[l] = value; });
  } else {
    forLanes(w, [&](int l) { to[l] = static_cast<S>(static_cast<Extended>(peek<M>(base + a.at[l]))); });
  }
}

template <typename M>
void deposit(const Warp& w, const Instruction& i, int lane, uint8_t* to) {
  for (int e = 0; e < std::min<int>(i.vector, MaxVector); e++) {
    Slot from = i.at[1 + e];
    auto value = static_cast<M>(i.wide >> (1 + e) & 1 ? w.slot<uint64_t>(from)[lane] : w.slot<uint32_t>(from)[lane]);
    std::memcpy(to + static_cast<size_t>(e) * sizeof(M), &value, sizeof value);
  }
}

void countShared(Traffic& traffic, const Warp& w, const Addresses& a) {
  if (a.isInOrder || a.isOne) traffic.sharedInOrder(a.count);
  else forLanes(w, [&](int l) { traffic.shared(a.at[l]); });
}

void countGlobal(Traffic& traffic, const Warp& w, const Addresses& a) {
  if (a.isInOrder) traffic.globalInOrder(a.lowest, a.count);
  else if (a.isOne) traffic.globalAtOnce(a.lowest, a.count);
  else forLanes(w, [&](int l) { traffic.global(a.at[l]); });
}

// Whether every lane may read (or write) global memory; marks it done.
template <bool IsStore>
bool passGlobal(Warp& w, const Instruction& i, const Addresses& a, uint32_t bytes) {
  auto& block = *w.block;
  uint64_t extent = a.highest - a.lowest + bytes;
  if (extent > ~uint32_t{0}) return false;
  Allocation* allocation = block.lookUp(a.lowest, static_cast<uint32_t>(extent));
  if (!allocation || (IsStore && allocation->isConstant)) return false;
  if (!block.checks) return true;
  // Single bytes are not looked at: see Toucher.
  bool isOrdered = !i.isVolatile && bytes >= 2;
  auto pass = [&](uint64_t address, uint64_t length) {
    return IsStore ? block.mayWrite(*allocation, address, length, isOrdered) : block.mayRead(*allocation, address, length, isOrdered);
  };
  if (a.isInOrder || a.isOne) return pass(a.lowest, extent);
  bool passes = true;
  for (uint32_t left = w.active; left != 0 && passes; left &= left - 1) passes = pass(a.at[std::countr_zero(left)], bytes);
  return passes;
}

// Reads by many lanes of one word leave the same mark as reads by two, and two find every race that many do: one of them is not the writer.
uint32_t readers(const Warp& w, const Addresses& a) {
  if (!a.isOne || a.count < 3) return w.active;
  uint32_t rest = w.active & (w.active - 1);
  return (w.active ^ rest) | (rest & ~(rest - 1));
}

}  // namespace

const char* nameOfAccess(bool isStore, Space space) {
  switch (space) {
    case Space::Global: return isStore ? "st.global" : "ld.global";
    case Space::Shared: return isStore ? "st.shared" : "ld.shared";
    case Space::Local: return isStore ? "st.local" : "ld.local";
    case Space::Const: return "ld.const";
    case Space::Param: return isStore ? "st.param" : "ld.param";
    default: return isStore ? "st" : "ld";
  }
}

bool loadTogether(Warp& w, const Instruction& i) {
  auto bytes = static_cast<uint32_t>(sizeOf(i.type)) * i.vector;
  Addresses a;
  if (!gather(w, i, i.vector, bytes, a)) return false;
  uint64_t base = 0;
  if (a.space == Space::Shared) {
    auto& shared = *w.block->shared;
    if (!shared.isInside(a.highest, bytes)) return false;
    auto access = w.access(a.first, nameOfAccess(false, a.space), i.isVolatile);
    for (uint32_t left = readers(w, a); left != 0; left &= left - 1) {
      access.lane = std::countr_zero(left);
      shared.read(a.at[access.lane], bytes, bytes, access);
    }

    Traffic traffic(w, bytes, false);
    countShared(traffic, w, a);
    base = reinterpret_cast<uint64_t>(shared.data());
  } else if (a.space == Space::Param) {
    if (!a.isOne || a.lowest > w.block->kernel->parameterBytes || a.lowest + bytes > w.block->kernel->parameterBytes) return false;
    base = reinterpret_cast<uint64_t>(w.block->launch->parameters);
  } else if (a.space == Space::Global || a.space == Space::Const) {
    if (!passGlobal<false>(w, i, a, bytes)) return false;
    Traffic traffic(w, bytes, false);
    countGlobal(traffic, w, a);
  } else {
    return false;
  }

  withStored(i.type, [&](auto stored) {
    using M = decltype(stored);
    for (int e = 0; e < i.vector; e++)
      if (i.wide >> e & 1) fetch<M, uint64_t>(w, i, e, base, a);
      else fetch<M, uint32_t>(w, i, e, base, a);
  });
  return true;
}

bool storeTogether(Warp& w, const Instruction& i) {
  auto bytes = static_cast<uint32_t>(sizeOf(i.type)) * i.vector;
  Addresses a;
  if (!gather(w, i, 0, bytes, a)) return false;
  Traffic traffic(w, bytes, true);
  if (a.space == Space::Shared) {
    auto& shared = *w.block->shared;
    if (!shared.isInside(a.highest, bytes)) return false;
    auto access = w.access(a.first, nameOfAccess(true, a.space), i.isVolatile);
    // Lane by lane: whether two of them agree on one place shows only once the first has stored.
    withStored(i.type, [&](auto stored) {
      forLanes(w, [&](int lane) {
        uint8_t values[MaxVector * sizeof(uint64_t)];
        deposit<decltype(stored)>(w, i, lane, values);
        access.lane = lane;
        std::memcpy(shared.write(a.at[lane], bytes, bytes, access, values), values, bytes);
      });
    });
    countShared(traffic, w, a);
    return true;
  }

  if (a.space != Space::Global || !passGlobal<true>(w, i, a, bytes)) return false;
  countGlobal(traffic, w, a);
  withStored(i.type, [&](auto stored) {
    forLanes(w, [&](int lane) { deposit<decltype(stored)>(w, i, lane, reinterpret_cast<uint8_t*>(a.at[lane])); });
  });
  return true;
}

}  // namespace ptxsim

#include "exec/ops/warp_access.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "exec/ops/address.h"

namespace ptxsim {
namespace {

constexpr int MaxVector = 4;  // elements of ld.v4 and st.v4

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
  auto extend = [](M value) { return static_cast<S>(static_cast<Extended>(value)); };
  auto* to = w.slot<S>(i.at[e]);
  base += static_cast<uint64_t>(e) * sizeof(M);
  if (a.isOne) {
    S value = extend(peek<M>(base + a.lowest));
    assignLanes(w, to, [&](int) { return value; });
    return;
  }

  if (!a.isInOrder || w.active != AllLanes) {
    assignLanes(w, to, [&](int l) { return extend(peek<M>(base + a.at[l])); });
    return;
  }

  // A stride that the compiler knows.
  auto row = [&](auto stride) {
    for (int l = 0; l < Lanes; l++) to[l] = extend(peek<M>(base + a.lowest + static_cast<uint64_t>(l) * stride() * sizeof(M)));
  };
  if (i.vector == 1) row(std::integral_constant<uint64_t, 1>());
  else if (i.vector == 2) row(std::integral_constant<uint64_t, 2>());
  else row(std::integral_constant<uint64_t, 4>());
}

template <typename M>
void deposit(const Warp& w, const Instruction& i, int lane, uint8_t* to) {
  for (int e = 0; e < std::min<int>(i.vector, MaxVector); e++) {
    Slot from = i.at[1 + e];
    auto value = static_cast<M>(i.wide >> (1 + e) & 1 ? w.slot<uint64_t>(from)[lane] : w.slot<uint32_t>(from)[lane]);
    std::memcpy(to + static_cast<size_t>(e) * sizeof(M), &value, sizeof value);
  }
}

// The checks of loads from shared memory, which throw.
void passShared(const Warp& w, SharedMemory& shared, const Addresses& a, uint32_t repeats, uint32_t bytes, SharedMemory::Access access) {
  uint32_t words = bytes / 4;
  if (words == 0) {
    forLanes(w, [&](int lane) {
      access.lane = lane;
      shared.read(a.at[lane], bytes, bytes, access);
    });
  } else if (a.isInOrder) {
    shared.readRow(a.lowest, a.count * words, words, access);
  } else if (a.isOne) {
    shared.readTogether(a.lowest, w.active, words, access);
  } else {
    shared.readScattered(a.at, w.active, repeats, words, access);
  }
}

// The values of a store as they lie in memory, lane after lane from the first active one on. `room` is where they go if they do not
// lie so in the registers.
const uint8_t* row(const Warp& w, const Instruction& i, const Addresses& a, uint32_t bytes, uint8_t* room) {
  if (i.vector == 1 && sizeOf(i.type) == 4 && (i.wide >> 1 & 1) == 0) return reinterpret_cast<const uint8_t*>(w.slot<uint32_t>(i.at[1]) + a.first);
  if (i.vector == 1 && sizeOf(i.type) == 8) return reinterpret_cast<const uint8_t*>(w.slot<uint64_t>(i.at[1]) + a.first);
  withStored(i.type, [&](auto stored) {
    for (uint32_t n = 0; n < a.count; n++) deposit<decltype(stored)>(w, i, a.first + static_cast<int>(n), room + n * bytes);
  });
  return room;
}

void storeShared(const Warp& w, const Instruction& i, const Addresses& a, uint32_t bytes) {
  auto& shared = *w.block->shared;
  auto access = w.access(a.first, nameOfAccess(true, a.space), i.isVolatile);
  uint32_t words = bytes / 4;
  if (words != 0 && a.isInOrder) {
    uint8_t room[Lanes * MaxVector * sizeof(uint64_t)];
    shared.writeRow(a.lowest, a.count * words, words, access, row(w, i, a, bytes, room));
    return;
  }

  // Lane by lane: whether two of them agree on one place shows only once the first has stored.
  withStored(i.type, [&](auto stored) {
    forLanes(w, [&](int lane) {
      uint8_t values[MaxVector * sizeof(uint64_t)];
      deposit<decltype(stored)>(w, i, lane, values);
      access.lane = lane;
      if (words != 0) shared.writeRow(a.at[lane], words, words, access, values);
      else std::memcpy(shared.write(a.at[lane], bytes, bytes, access, values), values, bytes);
    });
  });
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
  if (!a.gather(w, i, i.vector, 0, bytes, w.active)) return false;
  uint64_t base = 0;
  if (a.space == Space::Shared) {
    auto& shared = *w.block->shared;
    if (!shared.isInside(a.highest, bytes)) return false;
    Banks banks = banksOf(w, i, a, bytes);
    passShared(w, shared, a, banks.repeats, bytes, w.access(a.first, nameOfAccess(false, a.space), i.isVolatile));
    countShared(w, bytes, false, a.count, banks.passes);
    base = reinterpret_cast<uint64_t>(shared.data());
  } else if (a.space == Space::Param) {
    if (!a.isOne || a.lowest > w.block->kernel->parameterBytes || a.lowest + bytes > w.block->kernel->parameterBytes) return false;
    base = reinterpret_cast<uint64_t>(w.block->launch->parameters);
  } else if (a.space == Space::Global || a.space == Space::Const) {
    if (!passGlobal(w, a, bytes, false, i.isVolatile)) return false;
    countGlobal(w, bytes, false, a.count, sectorsOf(w, i, 0, a, bytes));
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
  if (!a.gather(w, i, 0, 0, bytes, w.active)) return false;
  if (a.space == Space::Shared) {
    if (!w.block->shared->isInside(a.highest, bytes)) return false;
    storeShared(w, i, a, bytes);
    if constexpr (IsCounting) countShared(w, bytes, true, a.count, banksOf(w, i, a, bytes).passes);
    return true;
  }

  if (a.space != Space::Global || !passGlobal(w, a, bytes, true, i.isVolatile)) return false;
  countGlobal(w, bytes, true, a.count, sectorsOf(w, i, 0, a, bytes));
  if (a.isInOrder) {
    uint8_t room[Lanes * MaxVector * sizeof(uint64_t)];
    std::memcpy(reinterpret_cast<void*>(a.lowest), row(w, i, a, bytes, room), uint64_t{a.count} * bytes);
  } else {
    withStored(i.type, [&](auto stored) {
      forLanes(w, [&](int lane) { deposit<decltype(stored)>(w, i, lane, reinterpret_cast<uint8_t*>(a.at[lane])); });
    });
  }

  return true;
}

}  // namespace ptxsim

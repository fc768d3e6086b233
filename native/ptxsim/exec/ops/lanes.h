// What handlers share: reading and writing typed values of all lanes, and choosing a template by type.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "exec/handlers.h"
#include "exec/warp.h"

namespace ptxsim {

__extension__ typedef __int128 Int128;
__extension__ typedef unsigned __int128 UInt128;

// 16-bit floats are computed in float and rounded once: every operation that PTX has on them is exact that way or defined so.
struct Half { uint16_t bits; };
struct Brain { uint16_t bits; };

// Without a branch, so that loops over lanes become vector code: a half's bits at a float's place are its value over 2^112.
inline float toFloat(Half value) {
  float magnitude = std::bit_cast<float>(static_cast<uint32_t>(value.bits & 0x7FFF) << 13) * 0x1p112f;
  uint32_t special = magnitude >= 0x1p16f ? 0x7F800000 : 0;  // infinity and NaN
  return std::bit_cast<float>(std::bit_cast<uint32_t>(magnitude) | special | static_cast<uint32_t>(value.bits & 0x8000) << 16);
}
Half toHalf(float value);               // round to nearest even
inline float toFloat(Brain value) { return std::bit_cast<float>(static_cast<uint32_t>(value.bits) << 16); }
inline Brain toBrain(float value) {    // likewise
  auto bits = std::bit_cast<uint32_t>(value);
  return {static_cast<uint16_t>((bits & 0x7FFF'FFFF) > 0x7F80'0000 ? 0x7FFF : (bits + 0x7FFF + (bits >> 16 & 1)) >> 16)};
}
Half toHalf(double value);
Half toHalfTowardZero(double value);
Brain toBrainTowardZero(float value);

template <typename T>
using SlotOf = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;

template <typename T>
inline T fromSlot(SlotOf<T> raw) {
  if constexpr (std::is_same_v<T, float> || std::is_same_v<T, double>) return std::bit_cast<T>(raw);
  else if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, Brain>) return T{static_cast<uint16_t>(raw)};
  else return static_cast<T>(raw);
}

template <typename T>
inline SlotOf<T> toSlot(T value) {
  if constexpr (std::is_same_v<T, float> || std::is_same_v<T, double>) return std::bit_cast<SlotOf<T>>(value);
  else if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, Brain>) return value.bits;
  else return static_cast<std::make_unsigned_t<T>>(value);
}

// d = Op(a), Op(a, b), Op(a, b, c) for every active lane. Op::apply sees the instruction for its flags.
template <typename D, typename A, typename Op>
void unary(Warp& warp, const Instruction& i) {
  auto* d = warp.slot<SlotOf<D>>(i.at[0]);
  const auto* a = warp.slot<SlotOf<A>>(i.at[1]);
  assignLanes(warp, d, [&](int l) { return toSlot<D>(Op::apply(i, fromSlot<A>(a[l]))); });
}

template <typename D, typename A, typename B, typename Op>
void binary(Warp& warp, const Instruction& i) {
  auto* d = warp.slot<SlotOf<D>>(i.at[0]);
  const auto* a = warp.slot<SlotOf<A>>(i.at[1]);
  const auto* b = warp.slot<SlotOf<B>>(i.at[2]);
  assignLanes(warp, d, [&](int l) { return toSlot<D>(Op::apply(i, fromSlot<A>(a[l]), fromSlot<B>(b[l]))); });
}

template <typename D, typename A, typename B, typename C, typename Op>
void ternary(Warp& warp, const Instruction& i) {
  auto* d = warp.slot<SlotOf<D>>(i.at[0]);
  const auto* a = warp.slot<SlotOf<A>>(i.at[1]);
  const auto* b = warp.slot<SlotOf<B>>(i.at[2]);
  const auto* c = warp.slot<SlotOf<C>>(i.at[3]);
  assignLanes(warp, d, [&](int l) { return toSlot<D>(Op::apply(i, fromSlot<A>(a[l]), fromSlot<B>(b[l]), fromSlot<C>(c[l]))); });
}

// The handler for a type: `make` is a generic lambda that is called with a value of the type that stands for it.
template <typename Make>
Handler forInteger(Type type, Make make) {
  switch (type) {
    case Type::U16: case Type::B16: return make(uint16_t{});
    case Type::S16: return make(int16_t{});
    case Type::U32: case Type::B32: return make(uint32_t{});
    case Type::S32: return make(int32_t{});
    case Type::U64: case Type::B64: return make(uint64_t{});
    case Type::S64: return make(int64_t{});
    default: return nullptr;
  }
}

}  // namespace ptxsim

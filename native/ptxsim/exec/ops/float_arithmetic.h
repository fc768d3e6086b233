// Floating point in f32 and f64: what rounds to nearest and what rounds otherwise share. Two files include this: compilers take
// arithmetic out of a RoundingScope unless told not to (-frounding-math), and told so write no vector code for fma.
#pragma once

#include "exec/ops/lanes.h"
#include "exec/ops/rounding.h"

namespace ptxsim {
namespace {

template <typename T>
T flush(const Instruction& i, T value) {
  if (i.ftz) return std::fabs(value) < std::numeric_limits<T>::min() ? std::copysign(T{0}, value) : value;
  return value;
}

// NaN as GPUs return it.
template <typename T>
T canonical(T value) {
  if constexpr (std::is_same_v<T, float>) return value == value ? value : std::bit_cast<float>(0x7FFFFFFFu);
  else return value == value ? value : std::bit_cast<double>(0x7FF8000000000000ull);
}

// Results: flushed, saturated to [0, 1] (NaN becomes 0), NaN canonical.
template <typename T>
T finish(const Instruction& i, T value) {
  value = flush(i, value);
  if (i.saturate) value = value > 1 ? T{1} : value >= 0 ? value : T{0};
  return canonical(value);
}

struct Add { template <typename T> static T apply(T a, T b) { return a + b; } };
struct Sub { template <typename T> static T apply(T a, T b) { return a - b; } };
struct Mul { template <typename T> static T apply(T a, T b) { return a * b; } };
struct Div { template <typename T> static T apply(T a, T b) { return a / b; } };
struct Fma { template <typename T> static T apply(T a, T b, T c) { return std::fma(a, b, c); } };
struct Rcp { template <typename T> static T apply(T a) { return T{1} / a; } };
struct Sqrt { template <typename T> static T apply(T a) { return std::sqrt(a); } };

// Plain: without .ftz and .sat, and to nearest.
template <typename T, typename Op, bool IsPlain>
void float1(Warp& w, const Instruction& i) {
  auto *d = w.slot<T>(i.at[0]), *a = w.slot<T>(i.at[1]);
  RoundingScope scope(IsPlain ? Rounding::Nearest : i.rounding);
  if constexpr (IsPlain) assignLanes(w, d, [&](int l) { return canonical(Op::apply(a[l])); });
  else assignLanes(w, d, [&](int l) { return finish(i, Op::apply(flush(i, a[l]))); });
}

template <typename T, typename Op, bool IsPlain>
void float2(Warp& w, const Instruction& i) {
  auto *d = w.slot<T>(i.at[0]), *a = w.slot<T>(i.at[1]), *b = w.slot<T>(i.at[2]);
  RoundingScope scope(IsPlain ? Rounding::Nearest : i.rounding);
  if constexpr (IsPlain) assignLanes(w, d, [&](int l) { return canonical(Op::apply(a[l], b[l])); });
  else assignLanes(w, d, [&](int l) { return finish(i, Op::apply(flush(i, a[l]), flush(i, b[l]))); });
}

template <typename T, typename Op, bool IsPlain>
void float3(Warp& w, const Instruction& i) {
  auto *d = w.slot<T>(i.at[0]), *a = w.slot<T>(i.at[1]), *b = w.slot<T>(i.at[2]), *c = w.slot<T>(i.at[3]);
  RoundingScope scope(IsPlain ? Rounding::Nearest : i.rounding);
  if constexpr (IsPlain) assignLanes(w, d, [&](int l) { return canonical(Op::apply(a[l], b[l], c[l])); });
  else assignLanes(w, d, [&](int l) { return finish(i, Op::apply(flush(i, a[l]), flush(i, b[l]), flush(i, c[l]))); });
}

template <typename Op, bool IsPlain> Handler one(Type t) { return t == Type::F64 ? &float1<double, Op, IsPlain> : &float1<float, Op, IsPlain>; }
template <typename Op, bool IsPlain> Handler two(Type t) { return t == Type::F64 ? &float2<double, Op, IsPlain> : &float2<float, Op, IsPlain>; }
template <typename Op, bool IsPlain> Handler three(Type t) { return t == Type::F64 ? &float3<double, Op, IsPlain> : &float3<float, Op, IsPlain>; }

// The operations that round as they are told.
template <bool IsPlain>
Handler arithmetic(std::string_view op, Type t) {
  if (op == "add") return two<Add, IsPlain>(t);
  if (op == "sub") return two<Sub, IsPlain>(t);
  if (op == "mul") return two<Mul, IsPlain>(t);
  if (op == "div") return two<Div, IsPlain>(t);
  if (op == "fma" || op == "mad") return three<Fma, IsPlain>(t);
  if (op == "rcp") return one<Rcp, IsPlain>(t);
  if (op == "sqrt") return one<Sqrt, IsPlain>(t);
  return nullptr;
}

}  // namespace
}  // namespace ptxsim

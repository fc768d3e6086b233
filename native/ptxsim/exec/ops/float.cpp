// Floating point in f32 and f64 (PTX ISA, section 9.7.3). Compiled without contraction: every operation rounds once. Approximations
// (.approx, .full) are computed as exactly as double allows: a GPU's differ in the last bits, which no test here can tell.
#include "exec/ops/float_arithmetic.h"

namespace ptxsim {
namespace {

struct Rsqrt { template <typename T> static T apply(T a) { return static_cast<T>(1 / std::sqrt(static_cast<double>(a))); } };
struct Sin { template <typename T> static T apply(T a) { return static_cast<T>(std::sin(static_cast<double>(a))); } };
struct Cos { template <typename T> static T apply(T a) { return static_cast<T>(std::cos(static_cast<double>(a))); } };
struct Lg2 { template <typename T> static T apply(T a) { return static_cast<T>(std::log2(static_cast<double>(a))); } };
struct Ex2 { template <typename T> static T apply(T a) { return static_cast<T>(std::exp2(static_cast<double>(a))); } };
struct Tanh { template <typename T> static T apply(T a) { return static_cast<T>(std::tanh(static_cast<double>(a))); } };

// Functions that cost more than the lanes that are not active save.
template <typename T, typename Op>
void function(Warp& w, const Instruction& i) {
  auto *d = w.slot<T>(i.at[0]), *a = w.slot<T>(i.at[1]);
  forLanes(w, [&](int l) { d[l] = finish(i, Op::apply(flush(i, a[l]))); });
}

// Signs are bits: abs and neg leave NaN's payload, and ftz flushes.
template <typename T, bool Absolute>
void sign(Warp& w, const Instruction& i) {
  auto *d = w.slot<T>(i.at[0]), *a = w.slot<T>(i.at[1]);
  assignLanes(w, d, [&](int l) { return Absolute ? std::fabs(flush(i, a[l])) : -flush(i, a[l]); });
}

// NaN loses against a number unless .NaN; -0 is less than +0.
template <typename T, bool Max>
void extreme(Warp& w, const Instruction& i) {
  auto *d = w.slot<T>(i.at[0]), *a = w.slot<T>(i.at[1]), *b = w.slot<T>(i.at[2]);
  assignLanes(w, d, [&](int l) {
    T x = flush(i, a[l]), y = flush(i, b[l]);
    bool isNegative = std::signbit(x) != std::signbit(y);
    if (i.xorSign) x = std::fabs(x), y = std::fabs(y);
    T result;
    if (x != x || y != y) result = i.propagateNan || (x != x && y != y) ? canonical(x + y) : x != x ? y : x;
    else if (x == y) result = std::signbit(x) == Max ? y : x;
    else result = (x < y) == Max ? y : x;
    return i.xorSign && result == result ? std::copysign(result, isNegative ? T{-1} : T{1}) : result;
  });
}

template <typename T>
void copysign(Warp& w, const Instruction& i) {
  auto *d = w.slot<T>(i.at[0]), *a = w.slot<T>(i.at[1]), *b = w.slot<T>(i.at[2]);
  assignLanes(w, d, [&](int l) { return std::copysign(b[l], a[l]); });  // the sign of a, the magnitude of b
}

// mode: 0 finite, 1 infinite, 2 number, 3 notanumber, 4 normal, 5 subnormal
template <typename T>
void testp(Warp& w, const Instruction& i) {
  auto* a = w.slot<T>(i.at[1]);
  uint32_t result = 0;
  for (int l = 0; l < Lanes; l++) {
    int kind = std::fpclassify(a[l]);
    bool is = i.mode == 0   ? kind != FP_NAN && kind != FP_INFINITE
              : i.mode == 1 ? kind == FP_INFINITE
              : i.mode == 2 ? kind != FP_NAN
              : i.mode == 3 ? kind == FP_NAN
              : i.mode == 4 ? kind == FP_NORMAL
                            : kind == FP_SUBNORMAL;
    result |= static_cast<uint32_t>(is) << l;
  }
  w.setMask(i.at[0], result);
}

}  // namespace

Handler floatHandler(const Shape& s) {
  auto op = s.form->opcode;
  Type t = s.type();
  if (t != Type::F32 && t != Type::F64) return nullptr;
  bool isDouble = t == Type::F64;
  bool isDirected = s.has(".rz") || s.has(".rm") || s.has(".rp");
  if (isDirected)
    if (Handler handler = directedHandler(s)) return handler;
  if (Handler handler = s.has(".ftz") || s.has(".sat") ? arithmetic<false>(op, t) : arithmetic<true>(op, t)) return handler;
  auto call = [&](auto of) -> Handler { return isDouble ? &function<double, decltype(of)> : &function<float, decltype(of)>; };
  if (op == "rsqrt") return isDouble ? &float1<double, Rsqrt, false> : &float1<float, Rsqrt, false>;
  if (op == "sin") return call(Sin());
  if (op == "cos") return call(Cos());
  if (op == "lg2") return call(Lg2());
  if (op == "ex2") return call(Ex2());
  if (op == "tanh") return call(Tanh());
  if (op == "abs") return isDouble ? &sign<double, true> : &sign<float, true>;
  if (op == "neg") return isDouble ? &sign<double, false> : &sign<float, false>;
  if (op == "max") return isDouble ? &extreme<double, true> : &extreme<float, true>;
  if (op == "min") return isDouble ? &extreme<double, false> : &extreme<float, false>;
  if (op == "copysign") return isDouble ? &copysign<double> : &copysign<float>;
  if (op == "testp") return isDouble ? &testp<double> : &testp<float>;
  return nullptr;
}

}  // namespace ptxsim

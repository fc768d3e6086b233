// Floating point in f32 and f64 (PTX ISA, section 9.7.3). Compiled with -frounding-math and without contraction: every operation rounds
// once, as its .rn, .rz, .rm or .rp says. Approximations (.approx, .full) are computed as exactly as double allows: a GPU's differ in
// the last bits, which no test here can tell.
#include <cfenv>

#include "exec/ops/lanes.h"

namespace ptxsim {
namespace {

class RoundingScope {
 public:
  explicit RoundingScope(Rounding rounding) : before_(std::fegetround()) {
    constexpr int Modes[] = {FE_TONEAREST, FE_TOWARDZERO, FE_DOWNWARD, FE_UPWARD};
    std::fesetround(Modes[static_cast<int>(rounding)]);
  }
  ~RoundingScope() { std::fesetround(before_); }
  RoundingScope(const RoundingScope&) = delete;
  RoundingScope& operator=(const RoundingScope&) = delete;

 private:
  int before_;
};

template <typename T>
T flush(const Instruction& i, T value) {
  if constexpr (std::is_same_v<T, float>)
    if (i.ftz && std::fpclassify(value) == FP_SUBNORMAL) return std::copysign(0.0f, value);
  return value;
}

// Results: flushed, saturated to [0, 1] (NaN becomes 0), NaN canonical as GPUs return it.
template <typename T>
T finish(const Instruction& i, T value) {
  value = flush(i, value);
  if (i.saturate) value = value > 1 ? T{1} : value >= 0 ? value : T{0};
  if (value != value) {
    if constexpr (std::is_same_v<T, float>) return std::bit_cast<float>(0x7FFFFFFFu);
    else return std::bit_cast<double>(0x7FF8000000000000ull);
  }
  return value;
}

struct Add { template <typename T> static T apply(T a, T b) { return a + b; } };
struct Sub { template <typename T> static T apply(T a, T b) { return a - b; } };
struct Mul { template <typename T> static T apply(T a, T b) { return a * b; } };
struct Div { template <typename T> static T apply(T a, T b) { return a / b; } };
struct Fma { template <typename T> static T apply(T a, T b, T c) { return std::fma(a, b, c); } };
struct Rcp { template <typename T> static T apply(T a) { return T{1} / a; } };
struct Sqrt { template <typename T> static T apply(T a) { return std::sqrt(a); } };
struct Rsqrt { template <typename T> static T apply(T a) { return static_cast<T>(1 / std::sqrt(static_cast<double>(a))); } };
struct Sin { template <typename T> static T apply(T a) { return static_cast<T>(std::sin(static_cast<double>(a))); } };
struct Cos { template <typename T> static T apply(T a) { return static_cast<T>(std::cos(static_cast<double>(a))); } };
struct Lg2 { template <typename T> static T apply(T a) { return static_cast<T>(std::log2(static_cast<double>(a))); } };
struct Ex2 { template <typename T> static T apply(T a) { return static_cast<T>(std::exp2(static_cast<double>(a))); } };
struct Tanh { template <typename T> static T apply(T a) { return static_cast<T>(std::tanh(static_cast<double>(a))); } };

// The plain case, vectorized: round to nearest, no flags.
bool isPlain(const Instruction& i) { return i.rounding == Rounding::Nearest && !i.ftz && !i.saturate; }

template <typename T>
T canonical(T value) {
  if constexpr (std::is_same_v<T, float>) return value == value ? value : std::bit_cast<float>(0x7FFFFFFFu);
  else return value == value ? value : std::bit_cast<double>(0x7FF8000000000000ull);
}

template <typename T, typename Op>
void float1(Warp& w, const Instruction& i) {
  auto *d = w.slot<T>(i.at[0]), *a = w.slot<T>(i.at[1]);
  RoundingScope scope(i.rounding);
  forLanes(w, [&](int l) { d[l] = finish(i, Op::apply(flush(i, a[l]))); });
}

template <typename T, typename Op>
void float2(Warp& w, const Instruction& i) {
  auto *d = w.slot<T>(i.at[0]), *a = w.slot<T>(i.at[1]), *b = w.slot<T>(i.at[2]);
  if (isPlain(i)) {
    forLanes(w, [&](int l) { d[l] = canonical(Op::apply(a[l], b[l])); });
    return;
  }
  RoundingScope scope(i.rounding);
  forLanes(w, [&](int l) { d[l] = finish(i, Op::apply(flush(i, a[l]), flush(i, b[l]))); });
}

template <typename T, typename Op>
void float3(Warp& w, const Instruction& i) {
  auto *d = w.slot<T>(i.at[0]), *a = w.slot<T>(i.at[1]), *b = w.slot<T>(i.at[2]), *c = w.slot<T>(i.at[3]);
  if (isPlain(i)) {
    forLanes(w, [&](int l) { d[l] = canonical(Op::apply(a[l], b[l], c[l])); });
    return;
  }
  RoundingScope scope(i.rounding);
  forLanes(w, [&](int l) { d[l] = finish(i, Op::apply(flush(i, a[l]), flush(i, b[l]), flush(i, c[l]))); });
}

// Signs are bits: abs and neg leave NaN's payload, and ftz flushes.
template <typename T, bool Absolute>
void sign(Warp& w, const Instruction& i) {
  auto *d = w.slot<T>(i.at[0]), *a = w.slot<T>(i.at[1]);
  forLanes(w, [&](int l) { d[l] = Absolute ? std::fabs(flush(i, a[l])) : -flush(i, a[l]); });
}

// NaN loses against a number unless .NaN; -0 is less than +0.
template <typename T, bool Max>
void extreme(Warp& w, const Instruction& i) {
  auto *d = w.slot<T>(i.at[0]), *a = w.slot<T>(i.at[1]), *b = w.slot<T>(i.at[2]);
  forLanes(w, [&](int l) {
    T x = flush(i, a[l]), y = flush(i, b[l]);
    bool isNegative = std::signbit(x) != std::signbit(y);
    if (i.xorSign) x = std::fabs(x), y = std::fabs(y);
    T result;
    if (x != x || y != y) result = i.propagateNan || (x != x && y != y) ? canonical(x + y) : x != x ? y : x;
    else if (x == y) result = std::signbit(x) == Max ? y : x;
    else result = (x < y) == Max ? y : x;
    d[l] = i.xorSign && result == result ? std::copysign(result, isNegative ? T{-1} : T{1}) : result;
  });
}

template <typename T>
void copysign(Warp& w, const Instruction& i) {
  auto *d = w.slot<T>(i.at[0]), *a = w.slot<T>(i.at[1]), *b = w.slot<T>(i.at[2]);
  forLanes(w, [&](int l) { d[l] = std::copysign(b[l], a[l]); });  // the sign of a, the magnitude of b
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

template <typename Op> Handler one(Type t) { return t == Type::F64 ? &float1<double, Op> : &float1<float, Op>; }
template <typename Op> Handler two(Type t) { return t == Type::F64 ? &float2<double, Op> : &float2<float, Op>; }
template <typename Op> Handler three(Type t) { return t == Type::F64 ? &float3<double, Op> : &float3<float, Op>; }

}  // namespace

Handler floatHandler(const Shape& s) {
  auto op = s.form->opcode;
  Type t = s.type();
  if (t != Type::F32 && t != Type::F64) return nullptr;
  bool isDouble = t == Type::F64;
  if (op == "add") return two<Add>(t);
  if (op == "sub") return two<Sub>(t);
  if (op == "mul") return two<Mul>(t);
  if (op == "div") return two<Div>(t);
  if (op == "fma" || op == "mad") return three<Fma>(t);
  if (op == "rcp") return one<Rcp>(t);
  if (op == "sqrt") return one<Sqrt>(t);
  if (op == "rsqrt") return one<Rsqrt>(t);
  if (op == "sin") return one<Sin>(t);
  if (op == "cos") return one<Cos>(t);
  if (op == "lg2") return one<Lg2>(t);
  if (op == "ex2") return one<Ex2>(t);
  if (op == "tanh") return one<Tanh>(t);
  if (op == "abs") return isDouble ? &sign<double, true> : &sign<float, true>;
  if (op == "neg") return isDouble ? &sign<double, false> : &sign<float, false>;
  if (op == "max") return isDouble ? &extreme<double, true> : &extreme<float, true>;
  if (op == "min") return isDouble ? &extreme<double, false> : &extreme<float, false>;
  if (op == "copysign") return isDouble ? &copysign<double> : &copysign<float>;
  if (op == "testp") return isDouble ? &testp<double> : &testp<float>;
  return nullptr;
}

}  // namespace ptxsim

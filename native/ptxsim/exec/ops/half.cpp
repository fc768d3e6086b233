// f16, bf16 and their pairs (PTX ISA, section 9.7.4): computed in float or double, rounded once.
#include "exec/ops/lanes.h"

namespace ptxsim {

namespace {

// Rounds a double to a float format of few bits: `digits` of fraction, `bias`, to nearest even or (zero) toward zero.
uint16_t roundTo(double value, int digits, int bias, int maxExponent, bool towardZero) {
  auto sign = static_cast<uint16_t>(std::signbit(value) ? 0x8000 : 0);
  if (value != value) return 0x7FFF;
  double magnitude = std::fabs(value);
  auto infinity = static_cast<uint16_t>((maxExponent + bias + 1) << digits);
  if (std::isinf(magnitude)) return sign | infinity;
  if (magnitude == 0) return sign;
  int exponent = std::max(std::ilogb(magnitude), 1 - bias);
  double scaled = std::ldexp(magnitude, digits - exponent);
  double rounded = towardZero ? std::trunc(scaled) : std::nearbyint(scaled);
  auto integer = static_cast<uint32_t>(rounded);
  // A carry out of the fraction moves into the exponent by itself; subnormals have exponent field 0.
  uint32_t field = integer < (1u << digits) ? 0 : static_cast<uint32_t>(exponent + bias);
  uint32_t bits = field == 0 ? integer : (field << digits) + (integer - (1u << digits));
  if (bits >= infinity) return towardZero ? static_cast<uint16_t>(sign | (infinity - 1)) : static_cast<uint16_t>(sign | infinity);
  return static_cast<uint16_t>(sign | bits);
}

}  // namespace

Half toHalf(float value) { return {roundTo(value, 10, 15, 15, false)}; }
Half toHalf(double value) { return {roundTo(value, 10, 15, 15, false)}; }
Half toHalfTowardZero(double value) { return {roundTo(value, 10, 15, 15, true)}; }
Brain toBrainTowardZero(float value) {
  return {value == value ? static_cast<uint16_t>(std::bit_cast<uint32_t>(value) >> 16) : uint16_t{0x7FFF}};
}

namespace {

// Sums and products of two 16-bit floats are exact in double but for the far apart; fma of three is rounded once to 53 bits, whose
// second rounding to 11 or 8 bits cannot be wrong unless the exact value is within 2^-53 of a tie: kept exact by std::fma.
Half roundHalf(double value) { return toHalf(value); }
Brain roundBrain(double value) {
  return {roundTo(value, 7, 127, 127, false)};
}

template <typename T> T rounded(double value) {
  if constexpr (std::is_same_v<T, Half>) return roundHalf(value);
  else return roundBrain(value);
}

template <typename T> double flush(const Instruction& i, T value) {
  double x = toFloat(value);
  if constexpr (std::is_same_v<T, Half>)
    if (i.ftz && x != 0 && std::fabs(x) < 0x1p-14) return std::copysign(0.0, x);
  return x;
}

template <typename T> T finish(const Instruction& i, double value) {
  if (i.saturate) value = value > 1 ? 1 : value >= 0 ? value : 0;
  if (i.relu) value = value != value ? value : value > 0 ? value : 0;
  T result = rounded<T>(value);
  if constexpr (std::is_same_v<T, Half>)
    if (i.ftz && (result.bits & 0x7C00) == 0) result.bits &= 0x8000;
  return result;
}

struct Add { static double apply(double a, double b) { return a + b; } };
struct Sub { static double apply(double a, double b) { return a - b; } };
struct Mul { static double apply(double a, double b) { return a * b; } };

// One or two values in a register: `Pack` of them, low bits first.
template <typename T, int Pack, typename F>
void each(Warp& w, const Instruction& i, int operands, F f) {
  auto* d = w.slot<uint32_t>(i.at[0]);
  assignLanes(w, d, [&](int l) {
    uint32_t result = 0;
    for (int part = 0; part < Pack; part++) {
      T x[3] = {};
      for (int o = 0; o < operands; o++) x[o] = {static_cast<uint16_t>(w.slot<uint32_t>(i.at[1 + o])[l] >> (16 * part))};
      result |= static_cast<uint32_t>(f(x).bits) << (16 * part);
    }
    return result;
  });
}

template <typename T, int Pack, typename Op>
void arithmetic(Warp& w, const Instruction& i) {
  each<T, Pack>(w, i, 2, [&](const T* x) { return finish<T>(i, Op::apply(flush(i, x[0]), flush(i, x[1]))); });
}

template <typename T, int Pack>
void fma(Warp& w, const Instruction& i) {
  each<T, Pack>(w, i, 3, [&](const T* x) { return finish<T>(i, std::fma(flush(i, x[0]), flush(i, x[1]), flush(i, x[2]))); });
}

template <typename T, int Pack, bool Absolute>
void sign(Warp& w, const Instruction& i) {
  each<T, Pack>(w, i, 1, [&](const T* x) {
    uint16_t bits = x[0].bits;
    if (std::is_same_v<T, Half> && i.ftz && (bits & 0x7C00) == 0) bits &= 0x8000;
    return T{static_cast<uint16_t>(Absolute ? bits & 0x7FFF : bits ^ 0x8000)};
  });
}

template <typename T, int Pack, bool Max>
void extreme(Warp& w, const Instruction& i) {
  each<T, Pack>(w, i, 2, [&](const T* v) {
    double x = flush(i, v[0]), y = flush(i, v[1]);
    bool isNegative = std::signbit(x) != std::signbit(y);
    if (i.xorSign) x = std::fabs(x), y = std::fabs(y);
    double result;
    if (x != x || y != y) result = i.propagateNan || (x != x && y != y) ? std::numeric_limits<double>::quiet_NaN() : x != x ? y : x;
    else if (x == y) result = std::signbit(x) == Max ? y : x;
    else result = (x < y) == Max ? y : x;
    return rounded<T>(i.xorSign && result == result ? std::copysign(result, isNegative ? -1.0 : 1.0) : result);
  });
}

template <typename T, int Pack>
void tanh(Warp& w, const Instruction& i) { each<T, Pack>(w, i, 1, [&](const T* x) { return finish<T>(i, std::tanh(flush(i, x[0]))); }); }

template <typename T, int Pack>
void ex2(Warp& w, const Instruction& i) { each<T, Pack>(w, i, 1, [&](const T* x) { return finish<T>(i, std::exp2(flush(i, x[0]))); }); }

template <typename T, int Pack>
Handler find(std::string_view op) {
  if (op == "add") return &arithmetic<T, Pack, Add>;
  if (op == "sub") return &arithmetic<T, Pack, Sub>;
  if (op == "mul") return &arithmetic<T, Pack, Mul>;
  if (op == "fma") return &fma<T, Pack>;
  if (op == "neg") return &sign<T, Pack, false>;
  if (op == "abs") return &sign<T, Pack, true>;
  if (op == "min") return &extreme<T, Pack, false>;
  if (op == "max") return &extreme<T, Pack, true>;
  if (op == "tanh") return &tanh<T, Pack>;
  if (op == "ex2") return &ex2<T, Pack>;
  return nullptr;
}

}  // namespace

Handler halfHandler(const Shape& s) {
  switch (s.type()) {
    case Type::F16: return find<Half, 1>(s.form->opcode);
    case Type::F16x2: return find<Half, 2>(s.form->opcode);
    case Type::BF16: return find<Brain, 1>(s.form->opcode);
    case Type::BF16x2: return find<Brain, 2>(s.form->opcode);
    default: return nullptr;
  }
}

}  // namespace ptxsim

// cvt (PTX ISA, section 9.7.8.20): between integers by truncation or clamping, to integers by the rounding asked for and always clamped,
// between floats by one rounding.
#include "exec/ops/lanes.h"
#include "exec/ops/rounding.h"

namespace ptxsim {
namespace {

struct IntegerRange {
  Int128 low, high;
};

IntegerRange rangeOf(Type type) {
  int bits = 8 * sizeOf(type);
  if (isSigned(type)) return {-(Int128{1} << (bits - 1)), (Int128{1} << (bits - 1)) - 1};
  return {0, (Int128{1} << bits) - 1};
}

Int128 readInteger(Type type, uint64_t raw) {
  int bits = 8 * sizeOf(type);
  if (bits < 64) raw &= (uint64_t{1} << bits) - 1;
  if (!isSigned(type)) return raw;
  int shift = 64 - bits;
  return static_cast<int64_t>(raw << shift) >> shift;
}

double readFloat(Type type, uint64_t raw) {
  switch (type) {
    case Type::F16: return toFloat(Half{static_cast<uint16_t>(raw)});
    case Type::BF16: return toFloat(Brain{static_cast<uint16_t>(raw)});
    case Type::F32: return std::bit_cast<float>(static_cast<uint32_t>(raw));
    default: return std::bit_cast<double>(raw);
  }
}

double roundToIntegral(double value, Rounding rounding) {
  switch (rounding) {
    case Rounding::Nearest: return std::nearbyint(value);  // the environment rounds to nearest even
    case Rounding::Zero: return std::trunc(value);
    case Rounding::Down: return std::floor(value);
    default: return std::ceil(value);
  }
}

// NaN becomes zero, or from f64 and in 64 bits the top bit alone.
uint64_t clampFloat(Type type, Type from, double value) {
  auto [low, high] = rangeOf(type);
  if (value != value) return from == Type::F64 || sizeOf(type) == 8 ? uint64_t{1} << (8 * sizeOf(type) - 1) : 0;
  if (value >= static_cast<double>(high)) return static_cast<uint64_t>(high);
  if (value <= static_cast<double>(low)) return static_cast<uint64_t>(low);
  return static_cast<uint64_t>(static_cast<Int128>(value));
}

float flushed(const Instruction& i, float value) { return i.ftz && std::fpclassify(value) == FP_SUBNORMAL ? std::copysign(0.0f, value) : value; }

// Away from zero from where it is not exact, .rm of negative numbers and .rp of positive ones.
uint64_t directedHalf(double value, Rounding rounding) {
  Half inner = toHalfTowardZero(value);
  bool isAway = rounding == Rounding::Down ? value < 0 : rounding == Rounding::Up && value > 0;
  return inner.bits + (isAway && static_cast<double>(toFloat(inner)) != value ? 1u : 0u);
}

uint64_t writeFloat(const Instruction& i, Type type, double value) {
  if (i.saturate) value = value > 1 ? 1 : value >= 0 ? value : 0;
  if (i.relu) value = value != value ? value : value > 0 ? value : 0;
  switch (type) {
    case Type::F16: return i.rounding == Rounding::Nearest ? toHalf(value).bits : directedHalf(value, i.rounding);
    case Type::BF16: {
      auto single = static_cast<float>(value);
      return i.rounding == Rounding::Zero ? toBrainTowardZero(single).bits : toBrain(single).bits;
    }
    case Type::F32: {
      RoundingScope scope(i.rounding);
      volatile double source = value;  // or the compiler rounds before the mode is set
      return std::bit_cast<uint32_t>(flushed(i, static_cast<float>(source)));
    }
    default: return std::bit_cast<uint64_t>(value);
  }
}

uint64_t fromInteger(const Instruction& i, Type to, Type from, uint64_t raw) {
  Int128 value = readInteger(from, raw);
  if (isFloat(to)) {
    RoundingScope scope(to == Type::F16 ? Rounding::Nearest : i.rounding);
    volatile int64_t asSigned = static_cast<int64_t>(raw);
    volatile uint64_t asUnsigned = static_cast<uint64_t>(value);
    // One rounding, straight to the format.
    if (to == Type::F32) {
      float result = isSigned(from) ? static_cast<float>(static_cast<int64_t>(value)) : static_cast<float>(asUnsigned);
      return std::bit_cast<uint32_t>(i.saturate ? (result > 1 ? 1.0f : result < 0 ? 0.0f : result) : result);
    }

    (void)asSigned;
    double result = isSigned(from) ? static_cast<double>(static_cast<int64_t>(value)) : static_cast<double>(asUnsigned);
    return to == Type::F64 ? std::bit_cast<uint64_t>(i.saturate ? (result > 1 ? 1.0 : result < 0 ? 0.0 : result) : result) : writeFloat(i, to, result);
  }

  if (i.saturate) {
    auto [low, high] = rangeOf(to);
    value = value < low ? low : value > high ? high : value;
  }

  return static_cast<uint64_t>(value);
}

uint64_t fromFloat(const Instruction& i, Type to, Type from, uint64_t raw) {
  double value = readFloat(from, raw);
  if (from == Type::F32) value = flushed(i, static_cast<float>(value));
  if (!isFloat(to)) return clampFloat(to, from, roundToIntegral(value, i.rounding));
  if (i.mode == 1) value = roundToIntegral(value, i.rounding);  // cvt.rni.f32.f32
  return writeFloat(i, to, value);
}

// A result narrower than its register is extended as its type says (section 9.4.1).
uint64_t extend(Type type, uint64_t value) {
  if (isSigned(type)) return static_cast<uint64_t>(static_cast<int64_t>(readInteger(type, value)));
  int bits = 8 * sizeOf(type);
  return bits < 64 ? value & ((uint64_t{1} << bits) - 1) : value;
}

void convert(Warp& w, const Instruction& i) {
  Type to = i.type, from = i.second;
  bool isWideTo = (i.wide & 1) != 0, isWideFrom = (i.wide >> 1 & 1) != 0;
  forLanes(w, [&](int l) {
    uint64_t raw = isWideFrom ? w.slot<uint64_t>(i.at[1])[l] : w.slot<uint32_t>(i.at[1])[l];
    uint64_t value = isFloat(from) ? fromFloat(i, to, from, raw) : fromInteger(i, to, from, raw);
    if (!isFloat(to)) value = extend(to, value);
    if (isWideTo) w.slot<uint64_t>(i.at[0])[l] = value;
    else w.slot<uint32_t>(i.at[0])[l] = static_cast<uint32_t>(value);
  });
}

// The frequent conversions, vectorized.
template <typename D, typename A>
void plain(Warp& w, const Instruction& i) {
  auto* d = w.slot<SlotOf<D>>(i.at[0]);
  auto* a = w.slot<SlotOf<A>>(i.at[1]);
  assignLanes(w, d, [&](int l) { return toSlot<D>(static_cast<D>(fromSlot<A>(a[l]))); });
}

// Rounds to nearest. A NaN keeps its sign and the top of its payload, as an H100 was seen to do.
void doubleToFloat(Warp& w, const Instruction& i) {
  auto* d = w.slot<uint32_t>(i.at[0]);
  auto* a = w.slot<double>(i.at[1]);
  assignLanes(w, d, [&](int l) { return std::bit_cast<uint32_t>(static_cast<float>(a[l])); });
}

void brainToFloat(Warp& w, const Instruction& i) {
  auto *d = w.slot<uint32_t>(i.at[0]), *a = w.slot<uint32_t>(i.at[1]);
  assignLanes(w, d, [&](int l) { return a[l] << 16; });
}

// cvt.rn.bf16x2.f32 d, a, b: a goes into the upper half.
template <bool IsBrain>
void pair(Warp& w, const Instruction& i) {
  auto* d = w.slot<uint32_t>(i.at[0]);
  auto *a = w.slot<float>(i.at[1]), *b = w.slot<float>(i.at[2]);
  // What attention does most: vector code.
  if (IsBrain && i.rounding == Rounding::Nearest && !i.relu) {
    assignLanes(w, d, [&](int l) { return static_cast<uint32_t>(toBrain(a[l]).bits) << 16 | toBrain(b[l]).bits; });
    return;
  }

  Type type = IsBrain ? Type::BF16 : Type::F16;
  assignLanes(w, d, [&](int l) { return static_cast<uint32_t>(writeFloat(i, type, a[l]) << 16 | writeFloat(i, type, b[l])); });
}

// 10 bits of fraction, ties away from zero; the low 13 bits are clear.
void toTf32(Warp& w, const Instruction& i) {
  auto* d = w.slot<uint32_t>(i.at[0]);
  auto* a = w.slot<uint32_t>(i.at[1]);
  assignLanes(w, d, [&](int l) {
    bool isFinite = (a[l] & 0x7F800000) != 0x7F800000;
    uint32_t rounded = isFinite ? (a[l] + 0x1000) & ~0x1FFFu : a[l] & ~0x1FFFu;
    if ((a[l] & 0x7FFFFFFF) > 0x7F800000) rounded = 0x7FFFFFFF;
    if (i.saturate && (a[l] & 0x7FFFFFFF) <= 0x7F800000 && (rounded & 0x7F800000) == 0x7F800000) rounded = (a[l] & 0x80000000) | 0x7F7FE000;
    return rounded;
  });
}

Handler frequent(const Shape& s) {
  if (s.has(".sat") || s.has(".ftz")) return nullptr;
  Type to = s.type(), from = s.second();
  if (to == Type::F32 && from == Type::BF16) return &brainToFloat;
  if (to == Type::F64 && from == Type::F32 && !s.has(".rni") && !s.has(".rzi") && !s.has(".rmi") && !s.has(".rpi")) return &plain<double, float>;
  if (to == Type::F32 && from == Type::F64 && s.has(".rn")) return &doubleToFloat;
  if (isUnsigned(to) && from == Type::U32) return to == Type::U64 ? &plain<uint64_t, uint32_t> : nullptr;
  if (to == Type::S64 && from == Type::S32) return &plain<int64_t, int32_t>;
  if (to == Type::U32 && from == Type::U64) return &plain<uint32_t, uint64_t>;
  if (s.has(".rn") && to == Type::F32 && from == Type::S32) return &plain<float, int32_t>;
  if (to == Type::S32 && (from == Type::S64 || from == Type::U64)) return &plain<int32_t, uint64_t>;
  if (to == Type::S64 && from == Type::U32) return &plain<uint64_t, uint32_t>;
  if (s.has(".rn") && to == Type::F32 && from == Type::U32) return &plain<float, uint32_t>;
  return nullptr;
}

}  // namespace

Handler generalConversion() { return &convert; }

Handler convertHandler(const Shape& s) {
  if (s.form->opcode != "cvt") return nullptr;
  Type to = s.type();
  if (to == Type::F16x2) return &pair<false>;
  if (to == Type::BF16x2) return &pair<true>;
  if (to == Type::TF32) return &toTf32;
  if (Handler handler = frequent(s)) return handler;
  return &convert;
}

}  // namespace ptxsim

// Integer arithmetic (PTX ISA, sections 9.7.1 and 9.7.2): wraps around unless .sat; division by zero gives all ones, as GPUs do.
#include "exec/ops/lanes.h"

namespace ptxsim {
namespace {

template <typename T> using Unsigned = std::make_unsigned_t<T>;
template <typename T>
using Wide = std::conditional_t<sizeof(T) == 2, std::conditional_t<std::is_signed_v<T>, int32_t, uint32_t>,
                                std::conditional_t<sizeof(T) == 4, std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>,
                                                   std::conditional_t<std::is_signed_v<T>, Int128, UInt128>>>;

// C++ leaves signed overflow undefined: go through the unsigned type, wide enough that 16 bits are not promoted to int.
template <typename T> T wrapAdd(T a, T b) { return static_cast<T>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b)); }
template <typename T> T wrapSub(T a, T b) { return static_cast<T>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b)); }
template <typename T> T wrapMul(T a, T b) { return static_cast<T>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b)); }

int32_t clamp(int64_t value) {
  constexpr int64_t Low = std::numeric_limits<int32_t>::min(), High = std::numeric_limits<int32_t>::max();
  return static_cast<int32_t>(value < Low ? Low : value > High ? High : value);
}

struct Add { template <typename T> static T apply(const Instruction&, T a, T b) { return wrapAdd(a, b); } };
struct Sub { template <typename T> static T apply(const Instruction&, T a, T b) { return wrapSub(a, b); } };
struct AddSat { static int32_t apply(const Instruction&, int32_t a, int32_t b) { return clamp(int64_t{a} + b); } };
struct SubSat { static int32_t apply(const Instruction&, int32_t a, int32_t b) { return clamp(int64_t{a} - b); } };
struct MulLo { template <typename T> static T apply(const Instruction&, T a, T b) { return wrapMul(a, b); } };
struct MulHi {
  template <typename T> static T apply(const Instruction&, T a, T b) { return static_cast<T>((static_cast<Wide<T>>(a) * static_cast<Wide<T>>(b)) >> (8 * sizeof(T))); }
};
struct MulWide { template <typename T> static Wide<T> apply(const Instruction&, T a, T b) { return static_cast<Wide<T>>(a) * static_cast<Wide<T>>(b); } };
struct MadLo { template <typename T> static T apply(const Instruction&, T a, T b, T c) { return wrapAdd(wrapMul(a, b), c); } };
struct MadHi { template <typename T> static T apply(const Instruction& i, T a, T b, T c) { return wrapAdd(MulHi::apply(i, a, b), c); } };
struct MadHiSat {
  static int32_t apply(const Instruction& i, int32_t a, int32_t b, int32_t c) { return clamp(int64_t{MulHi::apply(i, a, b)} + c); }
};
struct MadWide { template <typename T> static Wide<T> apply(const Instruction& i, T a, T b, Wide<T> c) { return wrapAdd(MulWide::apply(i, a, b), c); } };

template <typename T> int64_t low24(T a) { return std::is_signed_v<T> ? int64_t{static_cast<int32_t>(static_cast<uint32_t>(a) << 8) >> 8} : int64_t{a & 0xFF'FFFF}; }
struct Mul24Lo { template <typename T> static T apply(const Instruction&, T a, T b) { return static_cast<T>(low24(a) * low24(b)); } };
struct Mul24Hi { template <typename T> static T apply(const Instruction&, T a, T b) { return static_cast<T>((low24(a) * low24(b)) >> 16); } };
struct Mad24Lo { template <typename T> static T apply(const Instruction& i, T a, T b, T c) { return wrapAdd(Mul24Lo::apply(i, a, b), c); } };
struct Mad24Hi { template <typename T> static T apply(const Instruction& i, T a, T b, T c) { return wrapAdd(Mul24Hi::apply(i, a, b), c); } };
struct Sad { template <typename T> static T apply(const Instruction&, T a, T b, T c) { return wrapAdd(c, a < b ? wrapSub(b, a) : wrapSub(a, b)); } };
struct Div {
  template <typename T> static T apply(const Instruction&, T a, T b) {
    if (b == 0) return static_cast<T>(~T{0});
    if constexpr (std::is_signed_v<T>)
      if (b == -1) return wrapSub(T{0}, a);
    return static_cast<T>(a / b);
  }
};
struct Rem {
  template <typename T> static T apply(const Instruction&, T a, T b) {
    if (b == 0) return a;
    if constexpr (std::is_signed_v<T>)
      if (b == -1) return 0;
    return static_cast<T>(a % b);
  }
};
struct Abs { template <typename T> static T apply(const Instruction&, T a) { return a < 0 ? wrapSub(T{0}, a) : a; } };
struct Neg { template <typename T> static T apply(const Instruction&, T a) { return wrapSub(T{0}, a); } };
struct Min { template <typename T> static T apply(const Instruction&, T a, T b) { return a < b ? a : b; } };
struct Max { template <typename T> static T apply(const Instruction&, T a, T b) { return a < b ? b : a; } };
struct Popc { template <typename T> static uint32_t apply(const Instruction&, T a) { return static_cast<uint32_t>(std::popcount(a)); } };
struct Clz { template <typename T> static uint32_t apply(const Instruction&, T a) { return static_cast<uint32_t>(std::countl_zero(a)); } };
struct Brev {
  template <typename T> static T apply(const Instruction&, T a) {
    T result = 0;
    for (size_t bit = 0; bit < 8 * sizeof(T); bit++) result |= (a >> bit & 1) << (8 * sizeof(T) - 1 - bit);
    return result;
  }
};
// Most significant bit that differs from the sign; all ones where there is none.
struct Bfind {
  template <typename T> static uint32_t apply(const Instruction& i, T a) {
    auto bits = static_cast<Unsigned<T>>(std::is_signed_v<T> && a < 0 ? ~a : a);
    if (bits == 0) return ~uint32_t{0};
    auto zeros = static_cast<uint32_t>(std::countl_zero(bits));
    return i.mode == 1 ? zeros : static_cast<uint32_t>(8 * sizeof(T)) - 1 - zeros;
  }
};
struct Bfe {
  template <typename T> static T apply(const Instruction&, T a, uint32_t position, uint32_t length) {
    constexpr uint32_t Width = 8 * sizeof(T);
    uint32_t pos = position & 0xFF, len = length & 0xFF;
    if (len == 0) return 0;
    // The sign is the field's top bit, or the operand's where the field reaches past it.
    uint32_t signBit = pos + len - 1 < Width - 1 ? pos + len - 1 : Width - 1;
    bool isNegative = std::is_signed_v<T> && (static_cast<Unsigned<T>>(a) >> signBit & 1) != 0;
    Unsigned<T> result = 0;
    for (uint32_t bit = 0; bit < Width; bit++) {
      bool isSet = bit < len && pos + bit < Width ? (static_cast<Unsigned<T>>(a) >> (pos + bit) & 1) != 0 : isNegative;
      result |= static_cast<Unsigned<T>>(isSet) << bit;
    }
    return static_cast<T>(result);
  }
};

template <typename T>
void bfi(Warp& w, const Instruction& i) {
  auto *d = w.slot<T>(i.at[0]), *a = w.slot<T>(i.at[1]), *b = w.slot<T>(i.at[2]);
  auto *position = w.slot<uint32_t>(i.at[3]), *length = w.slot<uint32_t>(i.at[4]);
  assignLanes(w, d, [&](int l) {
    uint32_t pos = position[l] & 0xFF, len = length[l] & 0xFF;
    T result = b[l], field = a[l];
    for (uint32_t bit = 0; bit < len && pos + bit < 8 * sizeof(T); bit++) {
      T mask = T{1} << (pos + bit);
      result = (field >> bit & 1) ? result | mask : result & ~mask;
    }
    return result;
  });
}

// Position of the offset-th set bit at or above base (or below, for a negative offset).
struct Fns {
  static uint32_t find(uint32_t mask, uint32_t base, int32_t offset) {
    if (offset == 0) return base < 32 && (mask >> base & 1) ? base : ~uint32_t{0};
    int step = offset > 0 ? 1 : -1, left = offset > 0 ? offset : -offset;
    for (int bit = static_cast<int>(base); bit >= 0 && bit < 32; bit += step)
      if ((mask >> bit & 1) && --left == 0) return static_cast<uint32_t>(bit);
    return ~uint32_t{0};
  }
  static uint32_t apply(const Instruction&, uint32_t mask, uint32_t base, int32_t offset) { return find(mask, base, offset); }
};
struct Szext {
  template <typename T> static T apply(const Instruction& i, T a, uint32_t b) {
    uint32_t n = i.wrap ? b & 31 : b > 32 ? 32 : b;
    if (n == 0) return 0;
    if (n >= 32) return a;
    uint32_t shift = 32 - n;
    auto up = static_cast<uint32_t>(a) << shift;
    return std::is_signed_v<T> ? static_cast<T>(static_cast<int32_t>(up) >> shift) : static_cast<T>(up >> shift);
  }
};
struct Bmsk {
  static uint32_t apply(const Instruction& i, uint32_t a, uint32_t b) {
    uint64_t from = i.wrap ? a & 31 : a > 32 ? 32 : a, length = i.wrap ? b & 31 : b > 32 ? 32 : b;
    return static_cast<uint32_t>(((uint64_t{1} << length) - 1) << from);
  }
};
template <bool SignedA, bool SignedB>
struct Dp4a {
  static int32_t apply(const Instruction&, uint32_t a, uint32_t b, int32_t c) {
    auto sum = static_cast<uint32_t>(c);
    for (int byte = 0; byte < 4; byte++) {
      auto x = a >> (8 * byte) & 0xFF, y = b >> (8 * byte) & 0xFF;
      int32_t left = SignedA ? int32_t{static_cast<int8_t>(x)} : static_cast<int32_t>(x);
      int32_t right = SignedB ? int32_t{static_cast<int8_t>(y)} : static_cast<int32_t>(y);
      sum += static_cast<uint32_t>(left * right);
    }
    return static_cast<int32_t>(sum);
  }
};

// The carry is one flag a lane: mode 1 sets it, mode 2 reads it, mode 3 does both.
template <typename T, int Mode, bool Subtract>
void addCarry(Warp& w, const Instruction& i) {
  auto *d = w.slot<T>(i.at[0]), *a = w.slot<T>(i.at[1]), *b = w.slot<T>(i.at[2]);
  forLanes(w, [&](int l) {
    auto& carry = w.carry[static_cast<size_t>(l)];
    using Big = UInt128;
    Big in = (Mode & 2) != 0 ? carry : 0;
    Big result = Subtract ? static_cast<Big>(a[l]) - b[l] - in : static_cast<Big>(a[l]) + b[l] + in;
    if ((Mode & 1) != 0) carry = static_cast<uint32_t>(result >> (8 * sizeof(T))) & 1;
    d[l] = static_cast<T>(result);
  });
}

template <typename T, int Mode, bool High>
void madCarry(Warp& w, const Instruction& i) {
  auto *d = w.slot<Unsigned<T>>(i.at[0]), *a = w.slot<Unsigned<T>>(i.at[1]), *b = w.slot<Unsigned<T>>(i.at[2]), *c = w.slot<Unsigned<T>>(i.at[3]);
  forLanes(w, [&](int l) {
    auto x = static_cast<T>(a[l]), y = static_cast<T>(b[l]);
    auto product = static_cast<Unsigned<T>>(High ? MulHi::apply(i, x, y) : wrapMul(x, y));
    auto& carry = w.carry[static_cast<size_t>(l)];
    using Big = UInt128;
    Big result = static_cast<Big>(product) + c[l] + ((Mode & 2) != 0 ? carry : 0);
    if ((Mode & 1) != 0) carry = static_cast<uint32_t>(result >> (8 * sizeof(T))) & 1;
    d[l] = static_cast<Unsigned<T>>(result);
  });
}

template <typename Op> Handler same1(Type t) { return forInteger(t, [](auto v) -> Handler { using T = decltype(v); return &unary<T, T, Op>; }); }
template <typename Op> Handler same2(Type t) { return forInteger(t, [](auto v) -> Handler { using T = decltype(v); return &binary<T, T, T, Op>; }); }
template <typename Op> Handler same3(Type t) { return forInteger(t, [](auto v) -> Handler { using T = decltype(v); return &ternary<T, T, T, T, Op>; }); }
template <typename Op> Handler count(Type t) { return t == Type::B64 ? &unary<uint32_t, uint64_t, Op> : &unary<uint32_t, uint32_t, Op>; }

template <int Mode, bool Subtract>
Handler carrying(Type t) { return sizeOf(t) == 8 ? &addCarry<uint64_t, Mode, Subtract> : &addCarry<uint32_t, Mode, Subtract>; }

template <int Mode>
Handler madCarrying(Type t, bool isHigh) {
  return forInteger(t, [&](auto v) -> Handler {
    using T = decltype(v);
    if constexpr (sizeof(T) < 4) return nullptr;
    else return isHigh ? &madCarry<T, Mode, true> : &madCarry<T, Mode, false>;
  });
}

template <typename Op>
Handler wide2(Type t) {
  switch (t) {
    case Type::U16: return &binary<uint32_t, uint16_t, uint16_t, Op>;
    case Type::S16: return &binary<int32_t, int16_t, int16_t, Op>;
    case Type::U32: return &binary<uint64_t, uint32_t, uint32_t, Op>;
    default: return &binary<int64_t, int32_t, int32_t, Op>;
  }
}

Handler madWide(Type t) {
  switch (t) {
    case Type::U16: return &ternary<uint32_t, uint16_t, uint16_t, uint32_t, MadWide>;
    case Type::S16: return &ternary<int32_t, int16_t, int16_t, int32_t, MadWide>;
    case Type::U32: return &ternary<uint64_t, uint32_t, uint32_t, uint64_t, MadWide>;
    default: return &ternary<int64_t, int32_t, int32_t, int64_t, MadWide>;
  }
}

Handler dp4a(const Shape& s) {
  bool a = isSigned(s.type()), b = isSigned(s.second());
  if (a) return b ? &ternary<int32_t, uint32_t, uint32_t, int32_t, Dp4a<true, true>> : &ternary<int32_t, uint32_t, uint32_t, int32_t, Dp4a<true, false>>;
  return b ? &ternary<int32_t, uint32_t, uint32_t, int32_t, Dp4a<false, true>> : &ternary<int32_t, uint32_t, uint32_t, int32_t, Dp4a<false, false>>;
}

Handler bfe(Type t) {
  return forInteger(t, [](auto v) -> Handler { using T = decltype(v); return &ternary<T, T, uint32_t, uint32_t, Bfe>; });
}

Handler product(const Shape& s) {
  auto op = s.form->opcode;
  Type t = s.type();
  bool isMad = op == "mad", isHigh = s.has(".hi");
  if (op == "mul24") return t == Type::U32 ? (isHigh ? &binary<uint32_t, uint32_t, uint32_t, Mul24Hi> : &binary<uint32_t, uint32_t, uint32_t, Mul24Lo>)
                                           : (isHigh ? &binary<int32_t, int32_t, int32_t, Mul24Hi> : &binary<int32_t, int32_t, int32_t, Mul24Lo>);
  if (op == "mad24") return t == Type::U32 ? (isHigh ? &ternary<uint32_t, uint32_t, uint32_t, uint32_t, Mad24Hi> : &ternary<uint32_t, uint32_t, uint32_t, uint32_t, Mad24Lo>)
                                           : (isHigh ? &ternary<int32_t, int32_t, int32_t, int32_t, Mad24Hi> : &ternary<int32_t, int32_t, int32_t, int32_t, Mad24Lo>);
  if (s.has(".wide")) return isMad ? madWide(t) : wide2<MulWide>(t);
  if (isMad && s.has(".sat")) return &ternary<int32_t, int32_t, int32_t, int32_t, MadHiSat>;
  if (isMad) return isHigh ? same3<MadHi>(t) : same3<MadLo>(t);
  return isHigh ? same2<MulHi>(t) : same2<MulLo>(t);
}

}  // namespace

Handler integerHandler(const Shape& s) {
  auto op = s.form->opcode;
  Type t = s.type();
  if (isFloat(t)) return nullptr;
  bool setsCarry = s.has(".cc");
  if (op == "add") return setsCarry ? carrying<1, false>(t) : s.has(".sat") ? &binary<int32_t, int32_t, int32_t, AddSat> : same2<Add>(t);
  if (op == "sub") return setsCarry ? carrying<1, true>(t) : s.has(".sat") ? &binary<int32_t, int32_t, int32_t, SubSat> : same2<Sub>(t);
  if (op == "addc") return setsCarry ? carrying<3, false>(t) : carrying<2, false>(t);
  if (op == "subc") return setsCarry ? carrying<3, true>(t) : carrying<2, true>(t);
  if (op == "mad" && setsCarry) return madCarrying<1>(t, s.has(".hi"));
  if (op == "madc") return setsCarry ? madCarrying<3>(t, s.has(".hi")) : madCarrying<2>(t, s.has(".hi"));
  if (op == "mul" || op == "mad" || op == "mul24" || op == "mad24") return product(s);
  if (op == "sad") return same3<Sad>(t);
  if (op == "div") return same2<Div>(t);
  if (op == "rem") return same2<Rem>(t);
  if (op == "abs") return same1<Abs>(t);
  if (op == "neg") return same1<Neg>(t);
  if (op == "min") return same2<Min>(t);
  if (op == "max") return same2<Max>(t);
  if (op == "popc") return count<Popc>(t);
  if (op == "clz") return count<Clz>(t);
  if (op == "brev") return t == Type::B64 ? &unary<uint64_t, uint64_t, Brev> : &unary<uint32_t, uint32_t, Brev>;
  if (op == "bfind") return forInteger(t, [](auto v) -> Handler { using T = decltype(v); return &unary<uint32_t, T, Bfind>; });
  if (op == "fns") return &ternary<uint32_t, uint32_t, uint32_t, int32_t, Fns>;
  if (op == "bfe") return bfe(t);
  if (op == "bfi") return t == Type::B64 ? &bfi<uint64_t> : &bfi<uint32_t>;
  if (op == "szext") return t == Type::U32 ? &binary<uint32_t, uint32_t, uint32_t, Szext> : &binary<int32_t, int32_t, uint32_t, Szext>;
  if (op == "bmsk") return &binary<uint32_t, uint32_t, uint32_t, Bmsk>;
  if (op == "dp4a") return dp4a(s);
  return nullptr;
}

}  // namespace ptxsim

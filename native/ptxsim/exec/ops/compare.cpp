// Comparison and selection (PTX ISA, sections 9.7.5 and 9.7.6). Ordered comparisons are false with a NaN, the ...u forms true.
#include "exec/ops/lanes.h"

namespace ptxsim {
namespace {

template <typename T>
bool isNan(T value) {
  if constexpr (std::is_floating_point_v<T>) return value != value;
  else return false;
}

template <typename T>
[[gnu::always_inline]] inline bool holds(Compare compare, T a, T b) {
  bool unordered = isNan(a) || isNan(b);
  switch (compare) {
    case Compare::Eq: return !unordered && a == b;
    case Compare::Ne: return !unordered && a != b;
    case Compare::Lt: return a < b;
    case Compare::Le: return a <= b;
    case Compare::Gt: return a > b;
    case Compare::Ge: return a >= b;
    case Compare::Equ: return unordered || a == b;
    case Compare::Neu: return unordered || a != b;
    case Compare::Ltu: return unordered || a < b;
    case Compare::Leu: return unordered || a <= b;
    case Compare::Gtu: return unordered || a > b;
    case Compare::Geu: return unordered || a >= b;
    case Compare::Num: return !unordered;
    case Compare::Nan: return unordered;
  }
  return false;
}

// What is compared: 16-bit floats as float, subnormals of .ftz as zero.
template <typename T>
auto comparable(const Instruction& i, T value) {
  if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, Brain>) {
    constexpr float LeastHalf = 0x1p-14f;  // that is normal
    float number = toFloat(value);
    return i.ftz && std::fabs(number) < LeastHalf ? std::copysign(0.0f, number) : number;
  } else {
    if constexpr (std::is_same_v<T, float>)
      if (i.ftz && std::fpclassify(value) == FP_SUBNORMAL) return std::copysign(0.0f, value);
    return value;
  }
}

// A bit for each lane of which `test` holds; the comparison is chosen outside the loop, which becomes vector code.
template <typename C, typename F>
uint32_t lanesWhere(const C* a, const C* b, F test) {
  uint32_t result = 0;
  for (int l = 0; l < Lanes; l++) result |= static_cast<uint32_t>(test(a[l], b[l])) << l;
  return result;
}

template <typename C>
uint32_t lanesThatHold(Compare compare, const C* a, const C* b) {
  switch (compare) {
    case Compare::Eq: return lanesWhere(a, b, [](C x, C y) { return holds(Compare::Eq, x, y); });
    case Compare::Ne: return lanesWhere(a, b, [](C x, C y) { return holds(Compare::Ne, x, y); });
    case Compare::Lt: return lanesWhere(a, b, [](C x, C y) { return holds(Compare::Lt, x, y); });
    case Compare::Le: return lanesWhere(a, b, [](C x, C y) { return holds(Compare::Le, x, y); });
    case Compare::Gt: return lanesWhere(a, b, [](C x, C y) { return holds(Compare::Gt, x, y); });
    case Compare::Ge: return lanesWhere(a, b, [](C x, C y) { return holds(Compare::Ge, x, y); });
    default: return lanesWhere(a, b, [compare](C x, C y) { return holds(compare, x, y); });
  }
}

template <typename T>
void setp(Warp& w, const Instruction& i) {
  auto *a = w.slot<SlotOf<T>>(i.at[2]), *b = w.slot<SlotOf<T>>(i.at[3]);
  using C = decltype(comparable(i, fromSlot<T>(*a)));
  C left[Lanes], right[Lanes];
  for (int l = 0; l < Lanes; l++) left[l] = comparable(i, fromSlot<T>(a[l])), right[l] = comparable(i, fromSlot<T>(b[l]));
  uint32_t result = lanesThatHold(i.compare, left, right);
  uint32_t complement = ~result;
  if (i.combine != Combine::None) {
    uint32_t other = w.test(i, 4);
    auto combined = [&](uint32_t value) { return i.combine == Combine::And ? value & other : i.combine == Combine::Or ? value | other : value ^ other; };
    result = combined(result);
    complement = combined(complement);
  }
  w.setMask(i.at[0], result);
  w.setMask(i.at[1], complement);
}

// mode 1: the result is f32 1.0 or 0.0; else all ones or zero.
template <typename T>
void set(Warp& w, const Instruction& i) {
  auto* d = w.slot<uint32_t>(i.at[0]);
  auto *a = w.slot<SlotOf<T>>(i.at[1]), *b = w.slot<SlotOf<T>>(i.at[2]);
  assignLanes(w, d, [&](int l) {
    bool is = holds(i.compare, comparable(i, fromSlot<T>(a[l])), comparable(i, fromSlot<T>(b[l])));
    return i.type == Type::F32 ? (is ? std::bit_cast<uint32_t>(1.0f) : 0) : (is ? AllLanes : 0);
  });
}

template <typename S>
void selp(Warp& w, const Instruction& i) {
  auto *d = w.slot<S>(i.at[0]), *a = w.slot<S>(i.at[1]), *b = w.slot<S>(i.at[2]);
  uint32_t chosen = w.test(i, 3);
  assignLanes(w, d, [&](int l) { return chosen >> l & 1 ? a[l] : b[l]; });
}

// a where c >= 0; an f32 c that is NaN chooses b, and -0 chooses a.
template <typename S>
void slct(Warp& w, const Instruction& i) {
  auto *d = w.slot<S>(i.at[0]), *a = w.slot<S>(i.at[1]), *b = w.slot<S>(i.at[2]);
  auto* c = w.slot<uint32_t>(i.at[3]);
  assignLanes(w, d, [&](int l) {
    bool first = i.second == Type::F32 ? comparable(i, std::bit_cast<float>(c[l])) >= 0 : static_cast<int32_t>(c[l]) >= 0;
    return first ? a[l] : b[l];
  });
}

template <typename Make>
Handler forAny(Type type, Make make) {
  switch (type) {
    case Type::F32: return make(float{});
    case Type::F64: return make(double{});
    case Type::F16: return make(Half{});
    case Type::BF16: return make(Brain{});
    default: return forInteger(type, make);
  }
}

}  // namespace

Handler compareHandler(const Shape& s) {
  auto op = s.form->opcode;
  bool isWide = sizeOf(s.type()) == 8;
  if (op == "setp") return forAny(s.type(), [](auto v) -> Handler { return &setp<decltype(v)>; });
  if (op == "set") return forAny(s.second(), [](auto v) -> Handler { return &set<decltype(v)>; });
  if (op == "selp") return isWide ? &selp<uint64_t> : &selp<uint32_t>;
  if (op == "slct") return isWide ? &slct<uint64_t> : &slct<uint32_t>;
  return nullptr;
}

}  // namespace ptxsim

// Logic and shifts (PTX ISA, section 9.7.7). Shift amounts above the width act like the width.
#include "exec/ops/lanes.h"

namespace ptxsim {
namespace {

struct And { template <typename T> static T apply(const Instruction&, T a, T b) { return a & b; } };
struct Or { template <typename T> static T apply(const Instruction&, T a, T b) { return a | b; } };
struct Xor { template <typename T> static T apply(const Instruction&, T a, T b) { return a ^ b; } };
struct Not { template <typename T> static T apply(const Instruction&, T a) { return static_cast<T>(~a); } };
struct Cnot { template <typename T> static T apply(const Instruction&, T a) { return a == 0; } };
struct Shl { template <typename T> static T apply(const Instruction&, T a, uint32_t b) { return b >= 8 * sizeof(T) ? T{0} : static_cast<T>(a << b); } };
struct Shr {
  template <typename T> static T apply(const Instruction&, T a, uint32_t b) {
    constexpr uint32_t Last = 8 * sizeof(T) - 1;
    if (b > Last) return std::is_signed_v<T> ? static_cast<T>(a >> Last) : T{0};
    return static_cast<T>(a >> b);
  }
};

void predicates(Warp& w, const Instruction& i) {
  uint32_t a = w.test(i, 1), b = i.count > 2 ? w.test(i, 2) : 0;
  w.setMask(i.at[0], i.mode == 0 ? a & b : i.mode == 1 ? a | b : i.mode == 2 ? a ^ b : ~a);
}

// The table's bit at (a, b, c) of each bit: of the rows that are set, or the complement of the others.
void lop3(Warp& w, const Instruction& i) {
  auto *d = w.slot<uint32_t>(i.at[0]), *a = w.slot<uint32_t>(i.at[1]), *b = w.slot<uint32_t>(i.at[2]), *c = w.slot<uint32_t>(i.at[3]);
  auto table = static_cast<uint32_t>(i.immediate & 0xFF);
  bool isComplement = std::popcount(table) > 4;
  uint32_t result[Lanes] = {};
  for (uint32_t left = isComplement ? ~table & 0xFF : table; left != 0; left &= left - 1) {
    int row = std::countr_zero(left);
    uint32_t notA = row & 4 ? 0 : AllLanes, notB = row & 2 ? 0 : AllLanes, notC = row & 1 ? 0 : AllLanes;
    for (int l = 0; l < Lanes; l++) result[l] |= (a[l] ^ notA) & (b[l] ^ notB) & (c[l] ^ notC);
  }

  uint32_t flip = isComplement ? AllLanes : 0;
  assignLanes(w, d, [&](int l) { return result[l] ^ flip; });
}

// Funnel shift of the 64 bits b:a; the left form gives the upper half.
template <bool Left>
void shf(Warp& w, const Instruction& i) {
  auto *d = w.slot<uint32_t>(i.at[0]), *a = w.slot<uint32_t>(i.at[1]), *b = w.slot<uint32_t>(i.at[2]), *c = w.slot<uint32_t>(i.at[3]);
  assignLanes(w, d, [&](int l) {
    uint32_t n = i.wrap ? c[l] & 31 : std::min(c[l], 32u);
    uint64_t both = static_cast<uint64_t>(b[l]) << 32 | a[l];
    return static_cast<uint32_t>(Left ? both << n >> 32 : both >> n);
  });
}

template <typename Op>
Handler two(Type t) {
  return sizeOf(t) == 8 ? &binary<uint64_t, uint64_t, uint64_t, Op> : sizeOf(t) == 4 ? &binary<uint32_t, uint32_t, uint32_t, Op> : &binary<uint16_t, uint16_t, uint16_t, Op>;
}
template <typename Op>
Handler one(Type t) {
  return sizeOf(t) == 8 ? &unary<uint64_t, uint64_t, Op> : sizeOf(t) == 4 ? &unary<uint32_t, uint32_t, Op> : &unary<uint16_t, uint16_t, Op>;
}
template <typename Op>
Handler shift(Type t) {
  return forInteger(t, [](auto v) -> Handler { using T = decltype(v); return &binary<T, T, uint32_t, Op>; });
}

}  // namespace

Handler logicHandler(const Shape& s) {
  auto op = s.form->opcode;
  Type t = s.type();
  bool isLogic = op == "and" || op == "or" || op == "xor" || op == "not";
  if (isLogic && t == Type::Pred) return &predicates;
  if (op == "and") return two<And>(t);
  if (op == "or") return two<Or>(t);
  if (op == "xor") return two<Xor>(t);
  if (op == "not") return one<Not>(t);
  if (op == "cnot") return one<Cnot>(t);
  if (op == "lop3") return &lop3;
  if (op == "shf") return s.has(".l") ? &shf<true> : &shf<false>;
  if (op == "shl") return shift<Shl>(t);
  if (op == "shr") return shift<Shr>(t);
  return nullptr;
}

}  // namespace ptxsim

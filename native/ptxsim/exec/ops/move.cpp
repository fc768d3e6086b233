// mov with and without braces, prmt, cvta, isspacep (PTX ISA, section 9.7.8).
#include "exec/ops/lanes.h"

namespace ptxsim {
namespace {

template <typename S>
void mov(Warp& w, const Instruction& i) {
  auto *d = w.slot<S>(i.at[0]), *a = w.slot<S>(i.at[1]);
  assignLanes(w, d, [&](int l) { return a[l]; });
}

// A 16-bit move leaves the upper half of the slot clear, whatever the source register held.
void mov16(Warp& w, const Instruction& i) {
  auto *d = w.slot<uint32_t>(i.at[0]), *a = w.slot<uint32_t>(i.at[1]);
  assignLanes(w, d, [&](int l) { return a[l] & 0xFFFF; });
}

void movPredicate(Warp& w, const Instruction& i) { w.setMask(i.at[0], w.test(i, 1)); }

uint64_t load(const Warp& w, Slot at, int lane, bool isWide) { return isWide ? w.slot<uint64_t>(at)[lane] : w.slot<uint32_t>(at)[lane]; }
void store(const Warp& w, Slot at, int lane, bool isWide, uint64_t value) {
  if (isWide) w.slot<uint64_t>(at)[lane] = value;
  else w.slot<uint32_t>(at)[lane] = static_cast<uint32_t>(value);
}

// Elements of 8 * sizeOf(second) bits, the first in the lowest bits.
void pack(Warp& w, const Instruction& i) {
  int bits = 8 * sizeOf(i.second), count = i.vector;
  uint64_t mask = bits == 64 ? ~uint64_t{0} : (uint64_t{1} << bits) - 1;
  forLanes(w, [&](int l) {
    uint64_t value = 0;
    for (int e = 0; e < count; e++) value |= (load(w, i.at[1 + e], l, false) & mask) << (bits * e);
    store(w, i.at[0], l, sizeOf(i.type) == 8, value);
  });
}

void unpack(Warp& w, const Instruction& i) {
  int bits = 8 * sizeOf(i.second), count = i.vector;
  uint64_t mask = (uint64_t{1} << bits) - 1;
  forLanes(w, [&](int l) {
    uint64_t value = load(w, i.at[count], l, sizeOf(i.type) == 8);
    for (int e = 0; e < count; e++) store(w, i.at[e], l, false, value >> (bits * e) & mask);
  });
}

// mode: 0 by selector; 1 f4e, 2 b4e, 3 rc8, 4 ecl, 5 ecr, 6 rc16
void prmt(Warp& w, const Instruction& i) {
  auto *d = w.slot<uint32_t>(i.at[0]), *a = w.slot<uint32_t>(i.at[1]), *b = w.slot<uint32_t>(i.at[2]), *c = w.slot<uint32_t>(i.at[3]);
  static constexpr uint16_t Tables[6][4] = {
      {0x3210, 0x4321, 0x5432, 0x6543}, {0x5670, 0x6701, 0x7012, 0x0123}, {0x0000, 0x1111, 0x2222, 0x3333},
      {0x3210, 0x3211, 0x3222, 0x3333}, {0x0000, 0x1110, 0x2210, 0x3210}, {0x1010, 0x3232, 0x1010, 0x3232},
  };
  assignLanes(w, d, [&](int l) {
    uint64_t bytes = static_cast<uint64_t>(b[l]) << 32 | a[l];
    uint32_t selector = i.mode == 0 ? c[l] : Tables[i.mode - 1][c[l] & 3], result = 0;
    for (int byte = 0; byte < 4; byte++) {
      uint32_t choice = selector >> (4 * byte) & 15;
      auto value = static_cast<uint8_t>(bytes >> (8 * (choice & 7)));
      if (choice & 8) value = static_cast<int8_t>(value) < 0 ? 0xFF : 0;
      result |= static_cast<uint32_t>(value) << (8 * byte);
    }
    return result;
  });
}

uint64_t windowOf(Space space) {
  return space == Space::Shared ? SharedWindow : space == Space::Local ? LocalWindow : space == Space::Param ? ParamWindow : 0;
}

template <typename S>
void cvta(Warp& w, const Instruction& i) {
  auto *d = w.slot<S>(i.at[0]), *a = w.slot<S>(i.at[1]);
  auto window = static_cast<S>(windowOf(i.space));
  assignLanes(w, d, [&](int l) { return i.toGeneric ? a[l] + window : a[l] - window; });
}

void isspacep(Warp& w, const Instruction& i) {
  auto* a = w.slot<uint64_t>(i.at[1]);
  uint32_t result = 0;
  for (int l = 0; l < Lanes; l++) {
    uint64_t window = a[l] & ~(WindowSize - 1);
    bool isWindow = window == SharedWindow || window == LocalWindow || window == ParamWindow;
    bool is = i.space == Space::Global || i.space == Space::Const ? !isWindow : window == windowOf(i.space);
    result |= static_cast<uint32_t>(is) << l;
  }
  w.setMask(i.at[0], result);
}

}  // namespace

Handler moveHandler(const Shape& s) {
  auto op = s.form->opcode;
  bool isWide = sizeOf(s.type()) == 8;
  if (op == "mov") {
    if (s.form->operands == "d:T,{a}") return &pack;
    if (s.form->operands == "{d},a:T") return &unpack;
    if (s.type() == Type::Pred) return &movPredicate;
    return isWide ? &mov<uint64_t> : sizeOf(s.type()) == 2 ? &mov16 : &mov<uint32_t>;
  }

  if (op == "prmt") return &prmt;
  if (op == "cvta") return isWide ? &cvta<uint64_t> : &cvta<uint32_t>;
  if (op == "isspacep") return &isspacep;
  return nullptr;
}

}  // namespace ptxsim

// Operations between the lanes of a warp (PTX ISA, sections 9.7.8.6, 9.7.12.2 and 9.7.12.9 to 9.7.12.12). All live lanes that the member
// mask names must come to the instruction; whoever comes first waits.
#include "exec/ops/lanes.h"

namespace ptxsim {
namespace {

uint32_t members(const Warp& w, Slot at, const char* what) {
  auto* masks = w.slot<uint32_t>(at);
  int first = std::countr_zero(w.active);
  for (uint32_t left = w.active; left != 0; left &= left - 1)
    if (masks[std::countr_zero(left)] != masks[first])
      throw Fault{FaultKind::Convergence, std::string(what) + ": lanes name different member masks", std::countr_zero(left)};
  return masks[first];
}

void warpBarrier(Warp& w, const Instruction& i) { w.gather(members(w, i.at[0], "bar.warp.sync"), "bar.warp.sync"); }

// mode: 0 up, 1 down, 2 bfly, 3 idx. c holds the clamp in bits 0 to 4, the segment mask in bits 8 to 12.
void shfl(Warp& w, const Instruction& i) {
  if (!w.gather(members(w, i.at[5], "shfl.sync"), "shfl.sync")) return;
  auto *d = w.slot<uint32_t>(i.at[0]), *a = w.slot<uint32_t>(i.at[2]), *b = w.slot<uint32_t>(i.at[3]), *c = w.slot<uint32_t>(i.at[4]);
  uint32_t values[Lanes], inRange = 0;
  for (int l = 0; l < Lanes; l++) values[l] = a[l];
  forLanes(w, [&](int l) {
    uint32_t lane = static_cast<uint32_t>(l), by = b[l] & 31, clamp = c[l] & 31, segment = c[l] >> 8 & 31;
    int32_t low = static_cast<int32_t>(lane & segment), high = static_cast<int32_t>((lane & segment) | (clamp & ~segment)), from = l;
    bool is = false;
    switch (i.mode) {
      case 0: from = l - static_cast<int32_t>(by), is = from >= high; break;  // the clamp is the lower bound here
      case 1: from = l + static_cast<int32_t>(by), is = from <= high; break;
      case 2: from = l ^ static_cast<int32_t>(by), is = from <= high; break;
      default: from = low | static_cast<int32_t>(by & ~segment), is = from <= high; break;
    }
    if (!is) from = l;
    else inRange |= 1u << l;
    if (!(w.active >> from & 1))
      throw Fault{FaultKind::Convergence, "shfl.sync reads lane " + std::to_string(from) + ", which does not take part", l};
    d[l] = values[from];
  });
  w.setMask(i.at[1], inRange);
}

// mode: 0 all, 1 any, 2 uni, 3 ballot
void vote(Warp& w, const Instruction& i) {
  if (!w.gather(members(w, i.at[2], "vote.sync"), "vote.sync")) return;
  uint32_t yes = w.test(i, 1) & w.active;
  if (i.mode == 3) {
    auto* d = w.slot<uint32_t>(i.at[0]);
    assignLanes(w, d, [&](int) { return yes; });
    return;
  }

  bool is = i.mode == 0 ? yes == w.active : i.mode == 1 ? yes != 0 : yes == 0 || yes == w.active;
  w.setMask(i.at[0], is ? AllLanes : 0);
}

// mode: 0 any: who has my value; 1 all: everybody, if all agree, and the predicate says so
template <typename S>
void match(Warp& w, const Instruction& i) {
  int value = i.mode == 1 ? 2 : 1;
  if (!w.gather(members(w, i.at[value + 1], "match.sync"), "match.sync")) return;
  auto* d = w.slot<uint32_t>(i.at[0]);
  auto* a = w.slot<S>(i.at[value]);
  uint32_t result[Lanes] = {};
  bool agree = true;
  forLanes(w, [&](int l) {
    for (uint32_t left = w.active; left != 0; left &= left - 1) {
      int other = std::countr_zero(left);
      if (a[other] == a[l]) result[l] |= 1u << other;
      else agree = false;
    }
  });
  assignLanes(w, d, [&](int l) { return i.mode == 0 ? result[l] : agree ? w.active : 0; });
  if (i.mode == 1) w.setMask(i.at[1], agree ? AllLanes : 0);
}

void activemask(Warp& w, const Instruction& i) {
  auto* d = w.slot<uint32_t>(i.at[0]);
  assignLanes(w, d, [&](int) { return w.active; });
}

// mode: 0 add, 1 min, 2 max, 3 and, 4 or, 5 xor
template <typename T>
void redux(Warp& w, const Instruction& i) {
  if (!w.gather(members(w, i.at[2], "redux.sync"), "redux.sync")) return;
  auto *d = w.slot<uint32_t>(i.at[0]), *a = w.slot<uint32_t>(i.at[1]);
  auto total = static_cast<T>(a[std::countr_zero(w.active)]);
  for (uint32_t left = w.active & (w.active - 1); left != 0; left &= left - 1) {
    auto x = static_cast<T>(a[std::countr_zero(left)]);
    switch (i.mode) {
      case 0: total = static_cast<T>(static_cast<uint32_t>(total) + static_cast<uint32_t>(x)); break;
      case 1: total = std::min(total, x); break;
      case 2: total = std::max(total, x); break;
      case 3: total &= x; break;
      case 4: total |= x; break;
      default: total ^= x; break;
    }
  }
  assignLanes(w, d, [&](int) { return static_cast<uint32_t>(total); });
}

}  // namespace

Handler exchangeHandler(const Shape& s) {
  auto op = s.form->opcode;
  if (op == "bar" && s.has(".warp")) return &warpBarrier;
  if (op == "shfl") return &shfl;
  if (op == "vote") return &vote;
  if (op == "match") return s.type() == Type::B64 ? &match<uint64_t> : &match<uint32_t>;
  if (op == "activemask") return &activemask;
  if (op == "redux") return s.type() == Type::S32 ? &redux<int32_t> : &redux<uint32_t>;
  return nullptr;
}

}  // namespace ptxsim

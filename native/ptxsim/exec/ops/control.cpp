// Branches, barriers of the block, fences and the rest (PTX ISA, sections 9.7.11, 9.7.12 and 9.7.17).
#include <cinttypes>
#include <cstdio>
#include <cstring>

#include "exec/cluster.h"
#include "exec/ops/address.h"
#include "exec/ops/lanes.h"

namespace ptxsim {
namespace {

// Lanes of `taken` go to `target`, the other running lanes to the next instruction.
void diverge(Warp& w, uint32_t taken, uint32_t target) {
  if (taken == w.running) {
    w.next = target;
    return;
  }

  w.block->counters.add(Count::DivergentBranches);
  for (uint32_t left = taken; left != 0; left &= left - 1) w.lanePc[static_cast<size_t>(std::countr_zero(left))] = target;
  w.running &= ~taken;
  w.nearest = std::min(w.nearest, target);
}

// .uni is a promise that ILGPU's compiler breaks and assemblers do not rely on: it is not checked.
void bra(Warp& w, const Instruction& i) { diverge(w, w.active, i.target); }

void brx(Warp& w, const Instruction& i) {
  const auto& table = w.block->kernel->tables[i.target];
  auto* index = w.slot<uint32_t>(i.at[0]);
  uint32_t left = w.active, rest = w.running & ~w.active;
  while (left != 0) {
    int lane = std::countr_zero(left);
    uint32_t choice = index[lane], together = 0;
    if (choice >= table.size())
      throw Fault{FaultKind::IllegalAddress, "brx.idx with index " + std::to_string(choice) + " of " + std::to_string(table.size()) + " targets", lane};
    for (uint32_t other = left; other != 0; other &= other - 1)
      if (index[std::countr_zero(other)] == choice) together |= other & -other;
    left &= ~together;
    if (left == 0 && rest == 0) w.next = table[choice];
    else diverge(w, together, table[choice]);
  }
}

void leave(Warp& w, const Instruction&) {
  if (!w.products.empty())
    throw Fault{FaultKind::Race, "a warp ends while a wgmma.mma_async of it may still run: it needs wgmma.wait_group", std::countr_zero(w.active)};
  w.live &= ~w.active;
  w.running &= ~w.active;
  if (w.block->cluster && w.live == 0) leaveCluster(w);
}

uint32_t uniform(const Warp& w, Slot at, const char* what) {
  auto* values = w.slot<uint32_t>(at);
  int first = std::countr_zero(w.active);
  for (uint32_t left = w.active; left != 0; left &= left - 1)
    if (values[std::countr_zero(left)] != values[first])
      throw Fault{FaultKind::Barrier, std::string(what) + " differs between the lanes of a warp", std::countr_zero(left)};
  return values[first];
}

// bar.sync, bar.red: the lanes wait where they are; the scheduler lets the block go on when all have come.
void barrier(Warp& w, const Instruction& i) {
  bool reduces = i.mode >= 1 && i.mode <= 3;
  int first = reduces ? 1 : 0;
  uint32_t id = uniform(w, i.at[first], "the barrier's number");
  uint32_t threads = i.at[first + 1] == NoSlot ? 0 : uniform(w, i.at[first + 1], "the barrier's thread count");
  if (id > 15) throw Fault{FaultKind::Barrier, "barrier " + std::to_string(id) + "; there are 16, from 0"};
  if (threads % Lanes != 0) throw Fault{FaultKind::Barrier, "a barrier of " + std::to_string(threads) + " threads; the count must be a multiple of 32"};
  if (i.mode == 4) {
    auto& arrived = w.block->barriers[id];
    if (arrived.arrived > 0 && arrived.threads != threads)
      throw Fault{FaultKind::Barrier, "warps arrive at barrier " + std::to_string(id) + " with different thread counts"};
    arrived.threads = threads;
    arrived.arrived++;
    arrived.take(w.past);
    w.tick();
    return;
  }

  w.barrierThreads = threads;
  if (reduces) w.vote = (w.vote & ~w.active) | (w.test(i, 3) & w.active);
  w.park(w.active, static_cast<int>(id));
}

// Blocks and warps run in an order that every fence allows: a fence only says what others may rely on.
void fence(Warp& w, const Instruction& i) {
  if (!i.releases) return;
  w.block->publish();
  w.block->look();
}

// Between the generic proxy and the async one. What the active lanes know of, or have done, is covered; global memory's order is that of other fences.
void fenceProxies(Warp& w, const Instruction& i) {
  if (i.space == Space::Global) return;
  for (size_t block = 0; block < std::max<size_t>(w.past.peers.size(), 1); block++) {
    auto& known = w.past.peers.empty() ? w.past : w.past.of(static_cast<int>(block));
    join(known.fenced, known.clock);
  }
  if (w.active != w.live) w.block->shared->fenceOfSome(w.index, w.now(), w.step, w.active);
  w.tick();
}

void trap(Warp& w, const Instruction&) { throw Fault{FaultKind::IllegalInstruction, "trap", std::countr_zero(w.active)}; }

// The calls that the device's runtime answers. Arguments lie in the thread's memory at the offsets of the instruction's table.
template <typename T>
T argument(const Warp& w, const Instruction& i, size_t number, int lane) {
  T value;
  std::memcpy(&value, local(w, w.block->kernel->tables[i.target][number], sizeof(T), "a call's argument", lane), sizeof(T));
  return value;
}

std::string textAt(const Warp& w, uint64_t address, uint32_t step, int lane) {
  std::string text;
  for (; text.size() < 4096; address += step) {
    uint64_t window = address & ~(WindowSize - 1);
    const uint8_t* place = window == LocalWindow ? local(w, address & (WindowSize - 1), 1, "a string", lane)
                                                 : w.block->globalRead(address, 1, "a string", lane, false);
    if (*place == 0) break;
    text += static_cast<char>(*place);
  }
  return text;
}

// printf's arguments are packed in memory, each aligned to its size.
std::string formatted(const Warp& w, const std::string& format, uint64_t arguments, int lane) {
  std::string result;
  auto take = [&](uint32_t bytes) {
    arguments = (arguments + bytes - 1) / bytes * bytes;
    uint64_t value = 0;
    const uint8_t* place = (arguments & ~(WindowSize - 1)) == LocalWindow ? local(w, arguments & (WindowSize - 1), bytes, "printf's argument", lane)
                                                                       : w.block->globalRead(arguments, bytes, "printf's argument", lane, false);
    std::memcpy(&value, place, bytes);
    arguments += bytes;
    return value;
  };
  for (size_t at = 0; at < format.size(); at++) {
    if (format[at] != '%') {
      result += format[at];
      continue;
    }

    std::string flags = "%";
    bool isLong = false;
    while (++at < format.size() && std::strchr("-+ #0123456789.lh", format[at])) {
      isLong |= format[at] == 'l';
      if (format[at] != 'l' && format[at] != 'h') flags += format[at];
    }

    char kind = at < format.size() ? format[at] : '%', buffer[400];
    if (kind == '%') result += '%';
    else if (kind == 's') result += textAt(w, take(8), 1, lane);
    else if (std::strchr("eEfFgGaA", kind)) std::snprintf(buffer, sizeof buffer, (flags + kind).c_str(), std::bit_cast<double>(take(8))), result += buffer;
    else if (kind == 'p') std::snprintf(buffer, sizeof buffer, "0x%" PRIx64, take(8)), result += buffer;
    else if (isLong) std::snprintf(buffer, sizeof buffer, (flags + "ll" + kind).c_str(), take(8)), result += buffer;
    else std::snprintf(buffer, sizeof buffer, (flags + kind).c_str(), static_cast<uint32_t>(take(4))), result += buffer;
  }

  return result;
}

// mode 0: __assertfail(message, file, line, function, size of a character); 1: vprintf(format, arguments)
void call(Warp& w, const Instruction& i) {
  int lane = std::countr_zero(w.active);
  if (i.mode == 0) {
    auto step = std::max<uint32_t>(1, static_cast<uint32_t>(argument<uint64_t>(w, i, 4, lane)));
    throw Fault{FaultKind::Assert, "assertion failed: " + textAt(w, argument<uint64_t>(w, i, 0, lane), step, lane) + ", " +
                                       textAt(w, argument<uint64_t>(w, i, 1, lane), step, lane) + ":" + std::to_string(argument<uint32_t>(w, i, 2, lane)), lane};
  }

  for (uint32_t left = w.active; left != 0; left &= left - 1) {
    lane = std::countr_zero(left);
    std::string text = formatted(w, textAt(w, argument<uint64_t>(w, i, 0, lane), 1, lane), argument<uint64_t>(w, i, 1, lane), lane);
    std::fwrite(text.data(), 1, text.size(), stdout);
  }
}

void nothing(Warp&, const Instruction&) {}

}  // namespace

Handler controlHandler(const Shape& s) {
  auto op = s.form->opcode;
  if (op == "bra") return &bra;
  if (op == "brx") return &brx;
  if (op == "ret" || op == "exit") return &leave;
  if ((op == "bar" && !s.has(".warp")) || op == "barrier") return &barrier;
  if (op == "fence" && s.has(".proxy")) return &fenceProxies;
  if (op == "membar" || op == "fence") return &fence;
  if (op == "trap" || op == "brkpt") return &trap;
  if (op == "call") return &call;
  if (op == "nanosleep" || op == "pmevent") return &nothing;
  return nullptr;
}

}  // namespace ptxsim

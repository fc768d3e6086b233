// What went wrong in a block, in words: where its warps stand, the instruction and its source, the thread.
#include <algorithm>
#include <cstdio>

#include "exec/scheduler.h"
#include "syntax/spell.h"

namespace ptxsim {
namespace {

std::string triple(const uint32_t (&index)[3]) {
  return "(" + std::to_string(index[0]) + ", " + std::to_string(index[1]) + ", " + std::to_string(index[2]) + ")";
}

std::string lanesOf(uint32_t mask) {
  std::string text;
  for (uint32_t left = mask; left != 0; left &= left - 1) text += (text.empty() ? "" : ", ") + std::to_string(std::countr_zero(left));
  return text;
}

}  // namespace

void Scheduler::reportStuck() const {
  std::string text = "the block cannot go on:";
  const Warp* culprit = nullptr;
  auto kind = FaultKind::Deadlock;
  std::vector<const Warp*> warps;
  for (const auto& warp : block_.warps) warps.push_back(&warp);
  if (block_.cluster)
    for (const auto* other : block_.cluster->blocks)
      for (const auto& warp : other->warps)
        if (other != &block_) warps.push_back(&warp);
  for (const auto* one : warps) {
    const auto& warp = *one;
    if (warp.live == 0) continue;
    if (!culprit) culprit = &warp;
    for (uint32_t left = warp.live; left != 0;) {
      auto first = static_cast<size_t>(std::countr_zero(left));
      uint32_t together = 0;
      for (uint32_t rest = left; rest != 0; rest &= rest - 1) {
        auto lane = static_cast<size_t>(std::countr_zero(rest));
        if (warp.lanePc[lane] == warp.lanePc[first]) together |= 1u << lane;
      }

      if (together != warp.live && warp.block == &block_) kind = FaultKind::Barrier, culprit = &warp;
      const auto& instruction = kernel_.code[std::min<size_t>(warp.lanePc[first], kernel_.code.size() - 1)];
      text += (warp.block == &block_ ? "\n    warp " : "\n    block " + triple(warp.block->index) + ", warp ") + std::to_string(warp.index) + (together == warp.live ? "" : ", lanes " + lanesOf(together)) + " waits at line " +
              std::to_string(instruction.line) + ": " + spell(*instruction.statement);
      left &= ~together;
    }
  }

  report(*culprit, {kind, text + (kind == FaultKind::Barrier ? "\n    lanes of one warp wait at different places: a barrier in divergent code" : "")});
}

void Scheduler::report(const Warp& warp, const Fault& fault) const {
  int lane = fault.lane >= 0 ? fault.lane : std::countr_zero(warp.active ? warp.active : warp.live ? warp.live : 1u);
  uint32_t pc = warp.wait == Wait::Barrier ? warp.lanePc[static_cast<size_t>(lane)] : warp.pc;
  const auto& instruction = kernel_.code[std::min<size_t>(pc, kernel_.code.size() - 1)];
  uint32_t thread = static_cast<uint32_t>(warp.index) * Lanes + static_cast<uint32_t>(lane);
  uint32_t threadIndex[3] = {thread % shape_.block[0], thread / shape_.block[0] % shape_.block[1], thread / shape_.block[0] / shape_.block[1]};
  std::string text = "kernel '" + kernel_.name + "': " + fault.message + "\n  at PTX line " + std::to_string(instruction.line) + ": " +
                     spell(*instruction.statement);
  if (instruction.sourceLine != 0) {
    auto file = static_cast<size_t>(instruction.file);
    text += "\n  from " + (file < kernel_.files.size() ? kernel_.files[file] : "file " + std::to_string(file)) + ":" + std::to_string(instruction.sourceLine);
  }

  char address[32];
  std::snprintf(address, sizeof address, "0x%llx", static_cast<unsigned long long>(fault.address.value_or(0)));
  text += "\n  thread " + triple(threadIndex) + " of block " + triple(block_.index) + ", warp " + std::to_string(warp.index) + ", lane " +
          std::to_string(lane) + (fault.address ? ", address " + std::string(address) : "");
  throw KernelFault(fault.kind, text);
}

}  // namespace ptxsim

// How often each instruction of a kernel has run. Instructions run in a row, so only where a row begins and ends is written down: counting
// costs nothing in between.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

#include "exec/counters.h"
#include "exec/program.h"

namespace ptxsim {

class Tally {
 public:
  explicit Tally(size_t instructions) : changes_(instructions + 1) {}

  // Instructions [begin, end) were issued for `lanes`, one after the other.
  void ran(uint32_t begin, uint32_t end, uint32_t lanes) {
    if constexpr (!IsCounting) return;
    changes_[begin]++;
    changes_[end]--;
    threads_ += static_cast<uint64_t>(std::popcount(lanes)) * (end - begin);
  }
  // A guard kept `lanes` from executing one of them.
  void skipped(uint32_t lanes) { if constexpr (IsCounting) threads_ -= static_cast<uint64_t>(std::popcount(lanes)); }

  // Instructions by class, and all of them.
  void addTo(Counters& counters, const std::vector<Instruction>& code) const;

 private:
  std::vector<int64_t> changes_;  // entry i: executions of instruction i less those of i - 1
  uint64_t threads_ = 0;
};

}  // namespace ptxsim

// What orders the blocks of one launch: a block that writes, fences the device and then tells another by an atomic (PTX ISA, chapter 8:
// release and acquire patterns). Whoever looks after the fence may rely on what was written before it. A block's first fence stands for all
// of its writes, and any atomic or volatile access for the one that tells: a pattern that is right is never reported, a wrong one may pass.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

namespace ptxsim {

class GridOrder {
 public:
  explicit GridOrder(uint64_t blocks) : fenced_(blocks) {}

  void publish(uint64_t block) {
    uint64_t never = 0;
    if (fenced_[block].load() == 0) fenced_[block].compare_exchange_strong(never, now_.fetch_add(1) + 1);
  }
  uint64_t now() const { return now_.load(); }
  // Whether one who last looked at `seen` may rely on what the block wrote.
  bool hasPublished(uint64_t block, uint64_t seen) const {
    uint64_t when = fenced_[block].load();
    return when != 0 && when <= seen;
  }

 private:
  std::vector<std::atomic<uint64_t>> fenced_;  // when each block first did; 0: not yet
  std::atomic<uint64_t> now_{0};
};

}  // namespace ptxsim

// Device memory: allocations with a shadow that knows which bytes were written, and by whom in the launch at hand.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <vector>

namespace ptxsim {

// Who last touched two bytes of global memory, the smallest unit that blocks share (rows of bf16; single bytes are not looked at): the launch, and the block in it. Blocks of one launch run in any order on a GPU, so
// two of them must not write the same place, nor one read what another writes, unless atomically.
struct Toucher {
  std::atomic<uint64_t> writer{0};  // launch << 32 | block + 1; 0 for none
  std::atomic<uint64_t> reader{0};
};

// Memory from calloc: shadows of large allocations take room only where they are touched.
struct FreeZeroed {
  void operator()(void* memory) const { std::free(memory); }
};
template <typename T>
using Zeroed = std::unique_ptr<T[], FreeZeroed>;

// Memory handed out by cuMemAlloc, a module's variable, or pinned memory of the host.
struct Allocation {
  uint64_t begin = 0;
  uint64_t bytes = 0;
  bool isHost = false;                  // the host writes it too: nothing is known about its contents
  bool isConstant = false;              // kernels must not write it
  std::string name;                     // of a variable
  std::unique_ptr<uint8_t[]> storage;   // with guard bytes on both sides
  Zeroed<uint8_t> written;   // one a byte: has anything been stored there? null where everything counts as written
  Zeroed<Toucher> touchers;  // one for two bytes; null without checks

  uint64_t end() const { return begin + bytes; }
};

class DeviceMemory {
 public:
  // Zero bytes give a valid address that nothing may be read from. Throws std::bad_alloc above the device's size.
  uint64_t allocate(uint64_t bytes, const std::string& name = "", bool isConstant = false);
  // False where no allocation begins there.
  bool release(uint64_t address);
  // Memory of the host that kernels may reach (pinned).
  void attach(uint64_t address, uint64_t bytes);
  bool detach(uint64_t address);

  // The allocation that holds the address, or null. What it returns lives until it is released: no launch outlives a release.
  Allocation* find(uint64_t address) const;
  // True where [address, address + bytes) lies in one allocation, or touches none (memory of the host).
  bool isWhole(uint64_t address, uint64_t bytes) const;
  void markWritten(uint64_t address, uint64_t bytes);
  // "64 bytes past the end of an allocation of 4096 bytes at 0x..": for reports.
  std::string describe(uint64_t address) const;

  uint64_t capacity() const { return capacity_; }
  uint64_t used() const { return used_; }
  void setChecks(bool on) { checks_ = on; }

 private:
  static constexpr uint64_t Guard = 4096;  // so that a neighbour is never one element away
  uint64_t capacity_ = uint64_t{8} << 30;
  uint64_t used_ = 0;
  bool checks_ = true;
  mutable std::shared_mutex mutex_;
  std::map<uint64_t, std::unique_ptr<Allocation>> allocations_;  // by begin
};

}  // namespace ptxsim

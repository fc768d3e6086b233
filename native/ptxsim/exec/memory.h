// Device memory: allocations, each with a shadow.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>

#include "exec/global_shadow.h"

namespace ptxsim {

// Memory handed out by cuMemAlloc, a module's variable, or pinned memory of the host.
struct Allocation {
  uint64_t begin = 0;
  uint64_t bytes = 0;
  bool isHost = false;                  // the host writes it too: nothing is known about its contents
  bool isConstant = false;              // kernels must not write it
  std::string name;                     // of a variable
  std::unique_ptr<uint8_t[]> storage;   // with guard bytes on both sides
  std::unique_ptr<GlobalShadow> shadow; // null without checks, and where everything counts as written

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
  // A launch of so many blocks begins; none other may run. The first of its blocks' tokens: see Visitor.
  uint32_t beginLaunch(uint64_t blocks);
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
  uint64_t nextToken_ = 1;
  mutable std::shared_mutex mutex_;
  std::map<uint64_t, std::unique_ptr<Allocation>> allocations_;  // by begin
};

}  // namespace ptxsim

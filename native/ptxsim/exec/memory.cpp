#include "exec/memory.h"

#include <cstdio>
#include <cstring>
#include <new>
#include <stdexcept>

namespace ptxsim {

namespace {

constexpr uint64_t MaxToken = ~uint32_t{0};

}  // namespace

uint64_t DeviceMemory::allocate(uint64_t bytes, const std::string& name, bool isConstant) {
  std::unique_lock lock(mutex_);
  if (bytes > capacity_ - used_) throw std::bad_alloc();
  auto allocation = std::make_unique<Allocation>();
  allocation->storage = std::make_unique<uint8_t[]>(bytes + 2 * Guard + 256);
  auto raw = reinterpret_cast<uint64_t>(allocation->storage.get());
  allocation->begin = (raw + Guard + 255) / 256 * 256;
  allocation->bytes = bytes;
  allocation->name = name;
  allocation->isConstant = isConstant;
  if (checks_) allocation->shadow = std::make_unique<GlobalShadow>(bytes);
  // Fresh memory holds NaNs in every float format, not the zeros that hide a missing write.
  std::memset(reinterpret_cast<void*>(allocation->begin), 0xFF, bytes);
  used_ += bytes;
  uint64_t begin = allocation->begin;
  allocations_[begin] = std::move(allocation);
  return begin;
}

bool DeviceMemory::release(uint64_t address) {
  std::unique_lock lock(mutex_);
  auto found = allocations_.find(address);
  if (found == allocations_.end() || found->second->isHost) return false;
  used_ -= found->second->bytes;
  allocations_.erase(found);
  return true;
}

void DeviceMemory::attach(uint64_t address, uint64_t bytes) {
  std::unique_lock lock(mutex_);
  auto allocation = std::make_unique<Allocation>();
  allocation->begin = address;
  allocation->bytes = bytes;
  allocation->isHost = true;
  allocation->name = "pinned host memory";
  allocations_[address] = std::move(allocation);
}

bool DeviceMemory::detach(uint64_t address) {
  std::unique_lock lock(mutex_);
  auto found = allocations_.find(address);
  if (found == allocations_.end() || !found->second->isHost) return false;
  allocations_.erase(found);
  return true;
}

Allocation* DeviceMemory::find(uint64_t address) const {
  std::shared_lock lock(mutex_);
  auto after = allocations_.upper_bound(address);
  if (after == allocations_.begin()) return nullptr;
  Allocation* candidate = std::prev(after)->second.get();
  return address < candidate->end() ? candidate : nullptr;
}

bool DeviceMemory::isWhole(uint64_t address, uint64_t bytes) const {
  std::shared_lock lock(mutex_);
  auto after = allocations_.upper_bound(address);
  if (after != allocations_.end() && after->first < address + bytes) return false;
  if (after == allocations_.begin()) return true;
  const auto& before = *std::prev(after)->second;
  return address >= before.end() + Guard || address + bytes <= before.end();
}

void DeviceMemory::markWritten(uint64_t address, uint64_t bytes) {
  Allocation* allocation = find(address);
  if (allocation && allocation->shadow) allocation->shadow->markWritten(address - allocation->begin, bytes);
}

uint32_t DeviceMemory::beginLaunch(uint64_t blocks) {
  std::unique_lock lock(mutex_);
  uint64_t tokens = blocks + Visitor::FirstBlock;
  if (tokens > MaxToken) throw std::invalid_argument("a grid of " + std::to_string(blocks) + " blocks; 2^32 are too many");
  if (nextToken_ + tokens > MaxToken) {
    for (const auto& [begin, allocation] : allocations_)
      if (allocation->shadow) allocation->shadow->forgetVisitors();
    nextToken_ = 1;
  }

  auto first = static_cast<uint32_t>(nextToken_);
  nextToken_ += tokens;
  return first;
}

std::string DeviceMemory::describe(uint64_t address) const {
  std::shared_lock lock(mutex_);
  auto after = allocations_.upper_bound(address);
  const Allocation* nearest = nullptr;
  if (after != allocations_.begin()) nearest = std::prev(after)->second.get();
  if (after != allocations_.end() && (!nearest || after->first - address < address - nearest->end())) nearest = after->second.get();
  if (!nearest) return "and no memory is allocated";
  char text[160];
  bool isBefore = address < nearest->begin;
  uint64_t distance = isBefore ? nearest->begin - address : address - nearest->begin;
  bool isInside = !isBefore && distance < nearest->bytes;
  if (isInside) {
    std::snprintf(text, sizeof text, "byte %llu of the %llu bytes", static_cast<unsigned long long>(distance),
                  static_cast<unsigned long long>(nearest->bytes));
  } else {
    std::snprintf(text, sizeof text, "%llu bytes %s the %llu bytes", static_cast<unsigned long long>(isBefore ? distance : distance - nearest->bytes),
                  isBefore ? "before" : "past the end of", static_cast<unsigned long long>(nearest->bytes));
  }

  char place[40];
  std::snprintf(place, sizeof place, " at 0x%llx", static_cast<unsigned long long>(nearest->begin));
  return std::string(text) + (nearest->name.empty() ? " allocated" : " of " + nearest->name) + place;
}

}  // namespace ptxsim

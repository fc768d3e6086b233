#include "exec/shared_memory.h"

#include <cstdio>

namespace ptxsim {

SharedMemory::SharedMemory(uint32_t bytes, bool checks) : bytes_(bytes), cells_(checks ? bytes / 4 + 4 : 0), checks_(checks) {}

void SharedMemory::reset() {
  if (!bytes_.empty()) std::memset(bytes_.data(), 0xFF, bytes_.size());
  generation_++;
}

void SharedMemory::refuse(uint64_t address, uint32_t bytes, uint32_t alignment, const Access& access) const {
  char text[160];
  auto place = static_cast<unsigned long long>(address);
  if (address > bytes_.size() || address + bytes > bytes_.size()) {
    std::snprintf(text, sizeof text, "%s of %u bytes at shared address %llu: the block has %zu bytes of shared memory", access.what, bytes, place,
                  bytes_.size());
    throw Fault{FaultKind::IllegalAddress, text, access.lane, address};
  }

  std::snprintf(text, sizeof text, "%s at shared address %llu, which is no multiple of %u", access.what, place, alignment);
  throw Fault{FaultKind::Misaligned, text, access.lane, address};
}

void SharedMemory::refuseRead(uint64_t at, const Cell& cell, uint64_t mask, const Access& access) const {
  auto place = std::to_string(at);
  if ((cell.isInFlight & mask) != 0) {
    throw Fault{FaultKind::Race,
                std::string(access.what) + " at shared address " + place +
                    ", to which a cp.async is still in flight: it needs cp.async.wait_group, then a barrier",
                access.lane, at};
  }

  throw Fault{FaultKind::Uninitialized, std::string(access.what) + " at shared address " + place + ", which nothing has written", access.lane, at};
}

void SharedMemory::race(const char* kind, Touch before, uint64_t address, const Access& now) const {
  char lane[24] = "several lanes";
  if (laneOf(before) != SeveralLanes) std::snprintf(lane, sizeof lane, "lane %d", laneOf(before));
  char text[200];
  std::snprintf(text, sizeof text, "race in shared memory at address %llu: %s after %s by %s of warp %d, with no barrier between",
                static_cast<unsigned long long>(address), now.what, kind, lane, warpOf(before));
  throw Fault{FaultKind::Race, text, now.lane, address};
}

uint8_t* SharedMemory::beginCopy(uint64_t address, uint32_t bytes, const Access& access) {
  uint8_t* place = write(address, bytes, bytes, access);
  if (!checks_) return place;
  for (uint64_t at = address; at < address + bytes; at += 4) cell(at).isInFlight = 0xF;
  return place;
}

void SharedMemory::endCopy(uint64_t address, uint32_t bytes, const Access& access) {
  if (!checks_) return;
  for (uint64_t at = address; at < address + bytes; at += 4) {
    Cell& c = cell(at);
    c.isInFlight = 0;
    c.writes[0] = pack(access, 0xF);
    c.writes[1] = 0;
  }
}

}  // namespace ptxsim

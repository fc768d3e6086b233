#include "exec/shared_memory.h"

#include <algorithm>
#include <cstdio>

namespace ptxsim {

SharedMemory::SharedMemory(uint32_t bytes, bool checks) : bytes_(bytes), checks_(checks) {
  if (!checks) return;
  size_t words = bytes / 4 + 4;
  for (auto* touches : {&firstWrite_, &secondWrite_, &firstRead_, &secondRead_}) touches->resize(words);
  marks_.resize(words);
}

void SharedMemory::reset() {
  std::fill(bytes_.begin(), bytes_.end(), uint8_t{0xFF});
  std::fill(marks_.begin(), marks_.end(), uint8_t{0});
  partialFences_.clear();
}

uint32_t SharedMemory::order(uint32_t highest) {
  if (highest >= MaxClock) {
    // All that is remembered is ordered before what follows, so it can be forgotten, and clocks begin anew.
    for (auto* touches : {&firstWrite_, &secondWrite_, &firstRead_, &secondRead_}) std::fill(touches->begin(), touches->end(), Touch{0});
    highest = 0;
  }

  if (highest == 0) std::fill(bulkWrite_.begin(), bulkWrite_.end(), Touch{0});
  floor_ = static_cast<Touch>(highest + 1) << ClockShift;
  return highest + 1;
}

SharedMemory::Touch SharedMemory::maskOf(uint64_t word, uint64_t address, uint32_t bytes) {
  uint64_t begin = address > word ? address - word : 0, end = address + bytes - word;
  return static_cast<Touch>((uint64_t{0xF} << begin & 0xF) & ((uint64_t{1} << std::min<uint64_t>(end, 4)) - 1));
}

bool SharedMemory::isOrdered(Touch before, const Access& now) const {
  if (before < floor_ && now.warp != Elsewhere) return true;
  int warp = warpOf(before);
  uint32_t known = now.known->clock[static_cast<size_t>(warp)];
  if (warp != now.warp) return clockOf(before) <= known;
  return clockOf(before) < known || stepOf(before) < now.step || laneOf(before) == now.lane;
}

uint8_t* SharedMemory::read(uint64_t address, uint32_t bytes, uint32_t alignment, const Access& access) {
  if (!isInside(address, bytes) || (address & (alignment - 1)) != 0) refuse(address, bytes, alignment, access);
  if (checks_)
    for (uint64_t at = address & ~uint64_t{3}; at < address + bytes; at += 4) readWord(at / 4, maskOf(at, address, bytes), access);
  return bytes_.data() + address;
}

uint8_t* SharedMemory::write(uint64_t address, uint32_t bytes, uint32_t alignment, const Access& access, const void* value) {
  if (!isInside(address, bytes) || (address & (alignment - 1)) != 0) refuse(address, bytes, alignment, access);
  if (checks_) {
    Agreement agreement{bytes_.data() + address, value, bytes};
    for (uint64_t at = address & ~uint64_t{3}; at < address + bytes; at += 4) writeWord(at / 4, maskOf(at, address, bytes), access, agreement);
  }
  return bytes_.data() + address;
}

void SharedMemory::readWord(size_t word, Touch mask, const Access& access) {
  // Read already in this step, by this lane or by several: a write since would have taken the mark away.
  Touch now = pack(access, mask), &first = firstRead_[word];
  if (((first ^ now) & ~LaneBits) == 0 && (first == now || laneOf(first) == SeveralLanes)) return;
  if ((marks_[word] & (mask | mask << 4)) != mask) refuseRead(word, mask, access);
  for (Touch t : {firstWrite_[word], secondWrite_[word]})
    if ((t & mask) != 0 && !isOrdered(t, access) && !(access.isAtomic && isAtomicOf(t))) race("a write", t, word, access);
  remember(&first, &secondRead_[word], now, access);
}

// The agreement is asked for only where there would be a race.
void SharedMemory::writeWord(size_t word, Touch mask, const Access& access, const Agreement& agreement) {
  uint8_t& marks = marks_[word];
  if ((marks & mask << 4) != 0) refuseRead(word, mask, access);
  auto check = [&](Touch t, const char* kind) {
    if ((t & mask) == 0 || isOrdered(t, access) || (access.isAtomic && isAtomicOf(t))) return;
    if ((marks & mask) != mask || !agreement.holds()) race(kind, t, word, access);
  };
  Touch *reads[] = {&firstRead_[word], &secondRead_[word]}, *writes[] = {&firstWrite_[word], &secondWrite_[word]};
  for (Touch* t : writes) check(*t, "a write");
  for (Touch* t : reads) check(*t, "a read");
  marks |= static_cast<uint8_t>(mask);
  // Reads of these bytes are now ordered before this write, which stands for them.
  for (Touch* t : reads) *t = (*t & 0xF & ~mask) == 0 ? 0 : *t & ~mask;
  if (*reads[0] == 0) std::swap(*reads[0], *reads[1]);
  remember(writes[0], writes[1], pack(access, mask), access);
}

void SharedMemory::remember(Touch* first, Touch* second, Touch now, const Access& access) const {
  constexpr Touch WithoutLaneAndMask = ~(LaneBits | 0xF);
  for (Touch* t : {first, second}) {
    if (*t >= floor_ && ((*t ^ now) & WithoutLaneAndMask) == 0) {
      // The same warp in the same step: several lanes, which only a barrier orders.
      if ((*t & 0xF) == (now & 0xF)) {
        *t = laneOf(*t) == laneOf(now) ? now : (now | Touch{SeveralLanes} << LaneShift);
        return;
      }
    } else if (isOrdered(*t, access)) {
      *t = now;
      return;
    }
  }

  *second = now;
}

void SharedMemory::refuse(uint64_t address, uint32_t bytes, uint32_t alignment, const Access& access) const {
  char text[160];
  auto place = static_cast<unsigned long long>(address);
  if (!isInside(address, bytes)) {
    std::snprintf(text, sizeof text, "%s of %u bytes at shared address %llu: the block has %zu bytes of shared memory", access.what, bytes, place,
                  bytes_.size());
    throw Fault{FaultKind::IllegalAddress, text, access.lane, address};
  }

  std::snprintf(text, sizeof text, "%s at shared address %llu, which is no multiple of %u", access.what, place, alignment);
  throw Fault{FaultKind::Misaligned, text, access.lane, address};
}

void SharedMemory::refuseRead(size_t word, Touch mask, const Access& access) const {
  auto place = std::to_string(4 * word);
  if ((marks_[word] & mask << 4) != 0) {
    throw Fault{FaultKind::Race,
                std::string(access.what) + " at shared address " + place +
                    ", to which a copy is still in flight: cp.async needs cp.async.wait_group, then a barrier; a bulk copy a wait for its mbarrier",
                access.lane, 4 * word};
  }

  throw Fault{FaultKind::Uninitialized, std::string(access.what) + " at shared address " + place + ", which nothing has written", access.lane, 4 * word};
}

void SharedMemory::race(const char* kind, Touch before, size_t word, const Access& now) const {
  std::string lane = laneOf(before) == SeveralLanes ? "several lanes" : "lane " + std::to_string(laneOf(before));
  std::string who = hasPeers_ && warpOf(before) == PeerWarp ? "a copy of another block" : lane + " of warp " + std::to_string(warpOf(before));
  throw Fault{FaultKind::Race, "race in shared memory at address " + std::to_string(4 * word) + ": " + now.what + (now.warp == Elsewhere ? " of another block" : "") +
                                   " after " + kind + " by " + who + ", with no barrier between", now.lane, 4 * word};
}

void SharedMemory::beginCopy(uint64_t address, uint32_t bytes, const Access& access) {
  check(address, bytes, access);
  // What was there is gone the moment the copy is issued, so a value that agrees is no excuse.
  if (checks_) {
    size_t word = address / 4;
    if (bytes != 16 || access.warp == Elsewhere || !writeFour(word, access))
      for (size_t i = word; i < word + bytes / 4; i++) writeWord(i, WholeWord, access, {});
    std::memset(&marks_[word], InFlight | 0xF, bytes / 4);
  }

  std::memset(bytes_.data() + address, 0xFF, bytes);
}

void SharedMemory::endCopy(uint64_t address, uint32_t bytes, const Access& access, const void* values) {
  if (checks_) {
    Touch now = pack(access, WholeWord);
    for (size_t word = address / 4; word < (address + bytes) / 4; word++) {
      marks_[word] = 0xF;
      firstWrite_[word] = now;
      secondWrite_[word] = 0;
    }
  }

  std::memcpy(bytes_.data() + address, values, bytes);
}

}  // namespace ptxsim

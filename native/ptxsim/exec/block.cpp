#include <cstring>

#include "exec/warp.h"

namespace ptxsim {
namespace {

const char* kindOf(const char* what, bool isWrite) { return what ? what : isWrite ? "st.global" : "ld.global"; }

}  // namespace

Allocation* ThreadBlock::lookUp(uint64_t address, uint32_t bytes) {
  for (Allocation* known : cached)
    if (known && address >= known->begin && address < known->end() && bytes <= known->end() - address) return known;
  Allocation* found = memory->find(address);
  if (!found || bytes > found->end() - address) return nullptr;
  cached[nextCached++ % cached.size()] = found;
  return found;
}

bool ThreadBlock::mayRead(Allocation& a, uint64_t address, uint64_t bytes, bool ordered) {
  uint64_t offset = address - a.begin;
  if (a.written && std::memchr(a.written.get() + offset, 0, bytes)) return false;
  if (!a.touchers || !ordered) return true;
  uint64_t me = launch->id << 32 | (number + 1);
  bool isClean = true;
  for (uint64_t pair = offset / 2; pair <= (offset + bytes - 1) / 2; pair++) {
    auto& t = a.touchers[pair];
    uint64_t writer = t.writer.load(std::memory_order_relaxed);
    isClean &= writer >> 32 != launch->id || writer == me;
    if (t.reader.load(std::memory_order_relaxed) != me) t.reader.store(me, std::memory_order_relaxed);
  }

  return isClean;
}

bool ThreadBlock::mayWrite(Allocation& a, uint64_t address, uint64_t bytes, bool ordered) {
  uint64_t offset = address - a.begin;
  if (a.touchers && ordered) {
    uint64_t me = launch->id << 32 | (number + 1);
    for (uint64_t pair = offset / 2; pair <= (offset + bytes - 1) / 2; pair++) {
      auto& t = a.touchers[pair];
      uint64_t writer = t.writer.load(std::memory_order_relaxed), reader = t.reader.load(std::memory_order_relaxed);
      // Left unmarked: the report wants who came before.
      if ((writer >> 32 == launch->id && writer != me) || (reader >> 32 == launch->id && reader != me)) return false;
      if (writer != me) t.writer.store(me, std::memory_order_relaxed);
    }
  }

  if (a.written) std::memset(a.written.get() + offset, 1, bytes);
  return true;
}

Allocation& ThreadBlock::allocation(uint64_t address, uint32_t bytes, const char* what, int lane) {
  if (Allocation* found = lookUp(address, bytes)) return *found;
  char place[40];
  std::snprintf(place, sizeof place, "0x%llx", static_cast<unsigned long long>(address));
  throw Fault{FaultKind::IllegalAddress, std::string(what) + " of " + std::to_string(bytes) + " bytes at " + place + ", " + memory->describe(address),
              lane, address};
}

uint8_t* ThreadBlock::globalRead(uint64_t address, uint32_t bytes, const char* what, int lane, bool ordered) {
  what = kindOf(what, false);
  Allocation& a = allocation(address, bytes, what, lane);
  uint64_t offset = address - a.begin;
  if (!checks || mayRead(a, address, bytes, ordered && bytes >= 2)) return reinterpret_cast<uint8_t*>(address);
  if (a.written) {
    for (uint32_t i = 0; i < bytes; i++)
      if (a.written[offset + i] == 0)
        throw Fault{FaultKind::Uninitialized, std::string(what) + " of memory that nothing has written: " + memory->describe(address + i), lane, address + i};
  }

  if (a.touchers && ordered && bytes >= 2) {
    uint64_t me = launch->id << 32 | (number + 1);
    for (uint64_t pair = offset / 2; pair <= (offset + bytes - 1) / 2; pair++) {
      auto& t = a.touchers[pair];
      uint64_t writer = t.writer.load(std::memory_order_relaxed);
      if (writer >> 32 == launch->id && writer != me)
        throw Fault{FaultKind::Race, std::string(what) + " of what block " + std::to_string((writer & 0xFFFF'FFFF) - 1) +
                                         " of the same launch has written, without an atomic: " + memory->describe(address), lane, address};
    }
  }

  return reinterpret_cast<uint8_t*>(address);
}

uint8_t* ThreadBlock::globalWrite(uint64_t address, uint32_t bytes, const char* what, int lane, bool ordered) {
  what = kindOf(what, true);
  Allocation& a = allocation(address, bytes, what, lane);
  if (a.isConstant) throw Fault{FaultKind::AddressSpace, std::string(what) + " to constant memory: " + memory->describe(address), lane, address};
  if (!checks || mayWrite(a, address, bytes, ordered && bytes >= 2)) return reinterpret_cast<uint8_t*>(address);
  uint64_t offset = address - a.begin;
  if (a.touchers && ordered && bytes >= 2) {
    uint64_t me = launch->id << 32 | (number + 1);
    for (uint64_t pair = offset / 2; pair <= (offset + bytes - 1) / 2; pair++) {
      auto& t = a.touchers[pair];
      uint64_t writer = t.writer.load(std::memory_order_relaxed), reader = t.reader.load(std::memory_order_relaxed);
      bool isOthers = writer >> 32 == launch->id && writer != me, isRead = reader >> 32 == launch->id && reader != me;
      if (isOthers || isRead)
        throw Fault{FaultKind::Race, std::string(what) + " to what block " + std::to_string(((isOthers ? writer : reader) & 0xFFFF'FFFF) - 1) +
                                         " of the same launch has " + (isOthers ? "written" : "read") + ": " + memory->describe(address), lane, address};
    }
  }

  return reinterpret_cast<uint8_t*>(address);
}

}  // namespace ptxsim

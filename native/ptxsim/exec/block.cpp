#include <cstdio>

#include "exec/warp.h"

namespace ptxsim {
namespace {

[[noreturn]] void reportClash(const Clash& clash, const std::string& access, const Allocation& a, const DeviceMemory& memory, int lane) {
  uint64_t address = a.begin + clash.offset;
  std::string who = clash.block == Clash::Several ? "another block" : "block " + std::to_string(clash.block);
  if (clash.kind == Clash::Kind::Unwritten)
    throw Fault{FaultKind::Uninitialized, access + " memory that nothing has written: " + memory.describe(address), lane, address};
  throw Fault{FaultKind::Race, access + " what " + who + " of the same launch has " + (clash.kind == Clash::Kind::Written ? "written" : "read") +
                                   ", without an atomic: " + memory.describe(address), lane, address};
}

}  // namespace

Allocation* ThreadBlock::find(uint64_t address, uint64_t bytes) {
  Allocation* found = memory->find(address);
  if (!found || bytes > found->end() - address) return nullptr;
  cached[nextCached++ % cached.size()] = found;
  return found;
}

Allocation& ThreadBlock::allocation(uint64_t address, uint32_t bytes, const char* what, int lane) {
  if (Allocation* found = lookUp(address, bytes)) return *found;
  char place[40];
  std::snprintf(place, sizeof place, "0x%llx", static_cast<unsigned long long>(address));
  throw Fault{FaultKind::IllegalAddress, std::string(what) + " of " + std::to_string(bytes) + " bytes at " + place + ", " + memory->describe(address),
              lane, address};
}

uint8_t* ThreadBlock::globalRead(uint64_t address, uint32_t bytes, const char* what, int lane, bool ordered) {
  what = what ? what : "ld.global";
  Allocation& a = allocation(address, bytes, what, lane);
  if (!checks || !a.shadow) return reinterpret_cast<uint8_t*>(address);
  Clash clash = a.shadow->read(address - a.begin, bytes, ordered && bytes >= 2, visitor);
  if (clash && isOrdered(clash)) clash = a.shadow->read(address - a.begin, bytes, false, visitor);
  if (clash) reportClash(clash, std::string(what) + " of", a, *memory, lane);
  return reinterpret_cast<uint8_t*>(address);
}

uint8_t* ThreadBlock::globalWrite(uint64_t address, uint32_t bytes, const char* what, int lane, bool ordered) {
  what = what ? what : "st.global";
  Allocation& a = allocation(address, bytes, what, lane);
  if (a.isConstant) throw Fault{FaultKind::AddressSpace, std::string(what) + " to constant memory: " + memory->describe(address), lane, address};
  if (!checks || !a.shadow) return reinterpret_cast<uint8_t*>(address);
  Clash clash = a.shadow->write(address - a.begin, bytes, ordered && bytes >= 2, visitor);
  if (clash && isOrdered(clash)) clash = a.shadow->write(address - a.begin, bytes, false, visitor);
  if (clash) reportClash(clash, std::string(what) + " to", a, *memory, lane);
  return reinterpret_cast<uint8_t*>(address);
}

}  // namespace ptxsim

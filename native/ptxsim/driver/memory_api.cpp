// Memory (CUDA driver API, "Memory Management").
#include <cstdlib>
#include <cstring>
#include <new>

#include "driver/driver.h"

using namespace ptxsim;

namespace {

uint64_t addressOf(const void* pointer) { return reinterpret_cast<uint64_t>(pointer); }

// Both ends lie in one allocation each, or in the host's own memory; what is read has been written.
int checkCopy(Driver& driver, const void* to, const void* from, size_t bytes) {
  auto& memory = driver.memory();
  for (const void* end : {to, from})
    if (!memory.isWhole(addressOf(end), bytes))
      return driver.fail(InvalidValue, "a copy of " + std::to_string(bytes) + " bytes runs out of an allocation: " + memory.describe(addressOf(end) + bytes));
  return Success;
}

void copyNow(Driver& driver, void* to, const void* from, size_t bytes) {
  std::memcpy(to, from, bytes);
  // What was never written stays so on the other side.
  auto& memory = driver.memory();
  Allocation* source = memory.find(addressOf(from));
  Allocation* target = memory.find(addressOf(to));
  if (!target || !target->shadow) return;
  uint64_t offset = addressOf(to) - target->begin;
  if (source && source->shadow) target->shadow->copyWritten(offset, *source->shadow, addressOf(from) - source->begin, bytes);
  else target->shadow->markWritten(offset, bytes);
}

bool isPinned(Driver& driver, const void* pointer) {
  Allocation* allocation = driver.memory().find(addressOf(pointer));
  return allocation && allocation->isHost;
}

bool isDevice(Driver& driver, const void* pointer) {
  Allocation* allocation = driver.memory().find(addressOf(pointer));
  return allocation && !allocation->isHost;
}

int placesOf(Driver& driver, const void* to, const void* from) { return (isDevice(driver, to) ? 1 : 0) | (isDevice(driver, from) ? 2 : 0); }

// Asynchronous for the device's and pinned memory; pageable memory of the host is read or written before the call returns, and cannot be
// captured.
int copyAsync(Driver& driver, void* to, const void* from, size_t bytes, void* stream) {
  if (int refused = checkCopy(driver, to, from, bytes)) return refused;
  bool isAsync = (isDevice(driver, to) || isPinned(driver, to)) && (isDevice(driver, from) || isPinned(driver, from));
  auto& queue = driver.streamOf(stream);
  if (!isAsync)
    if (int refused = driver.refuseWaiting(queue, "a copy from or to pageable memory")) return refused;
  int places = placesOf(driver, to, from);
  int result = driver.submit(queue, {NodeKind::Copy, nullptr, places, [&driver, to, from, bytes, places] {
    // A graph's copy may run long after it was checked.
    if (checkCopy(driver, to, from, bytes) || placesOf(driver, to, from) != places)
      driver.failForGood(IllegalAddress, "a copy of " + std::to_string(bytes) + " bytes in memory that has been freed");
    else copyNow(driver, to, from, bytes);
  }});
  if (!isAsync && result == Success) driver.drain(queue);
  return result != Success ? result : driver.sticky();
}

int fillAsync(Driver& driver, void* to, const void* pattern, size_t size, size_t count, void* stream) {
  if (!driver.memory().isWhole(addressOf(to), size * count))
    return driver.fail(InvalidValue, "a fill of " + std::to_string(size * count) + " bytes runs out of an allocation: " +
                                         driver.memory().describe(addressOf(to) + size * count));
  uint32_t value = 0;
  std::memcpy(&value, pattern, size);
  return driver.submit(driver.streamOf(stream), {NodeKind::Fill, nullptr, 0, [&driver, to, value, size, count] {
    if (!driver.memory().find(addressOf(to))) {
      driver.failForGood(IllegalAddress, "a fill of " + std::to_string(size * count) + " bytes in memory that has been freed");
      return;
    }

    for (size_t i = 0; i < count; i++) std::memcpy(static_cast<uint8_t*>(to) + i * size, &value, size);
    driver.memory().markWritten(addressOf(to), size * count);
  }});
}

}  // namespace

PTXSIM_API cuMemGetInfo_v2(size_t* free, size_t* total) {
  PTXSIM_ENTER;
  *total = driver.memory().capacity();
  *free = *total - driver.memory().used();
  return Success;
}

PTXSIM_API cuMemAlloc_v2(void** pointer, size_t bytes) {
  PTXSIM_ENTER;
  if (int refused = driver.refuseUnsafe("cuMemAlloc")) return refused;
  if (bytes == 0) return driver.fail(InvalidValue, "an allocation of 0 bytes");
  try {
    *pointer = reinterpret_cast<void*>(driver.memory().allocate(bytes));
  } catch (const std::bad_alloc&) {
    return driver.fail(OutOfMemory, std::to_string(bytes) + " bytes asked for, " + std::to_string(driver.memory().capacity() - driver.memory().used()) + " free");
  }

  return Success;
}

PTXSIM_API cuMemFree_v2(void* pointer) {
  auto& driver = Driver::instance();
  std::lock_guard lock(driver.mutex());
  driver.count(__func__);
  if (int refused = driver.refuseUnsafe("cuMemFree")) return refused;
  driver.drainAll();
  if (!pointer || driver.memory().release(addressOf(pointer))) return driver.sticky();
  return driver.fail(InvalidValue, "cuMemFree of an address that no allocation begins at");
}

PTXSIM_API cuMemAllocHost_v2(void** pointer, size_t bytes) {
  PTXSIM_ENTER;
  if (int refused = driver.refuseUnsafe("cuMemAllocHost")) return refused;
  *pointer = std::aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
  if (!*pointer) return OutOfMemory;
  driver.memory().attach(addressOf(*pointer), bytes);
  return Success;
}

PTXSIM_API cuMemFreeHost(void* pointer) {
  auto& driver = Driver::instance();
  std::lock_guard lock(driver.mutex());
  driver.count(__func__);
  if (int refused = driver.refuseUnsafe("cuMemFreeHost")) return refused;
  driver.drainAll();
  if (!driver.memory().detach(addressOf(pointer))) return driver.fail(InvalidValue, "cuMemFreeHost of memory that is not pinned");
  std::free(pointer);
  return driver.sticky();
}

PTXSIM_API cuMemHostAlloc(void** pointer, size_t bytes, unsigned) { return cuMemAllocHost_v2(pointer, bytes); }

PTXSIM_API cuMemHostRegister_v2(void* pointer, size_t bytes, unsigned) {
  PTXSIM_ENTER;
  if (int refused = driver.refuseUnsafe("cuMemHostRegister")) return refused;
  driver.memory().attach(addressOf(pointer), bytes);
  return Success;
}

PTXSIM_API cuMemHostUnregister(void* pointer) {
  auto& driver = Driver::instance();
  std::lock_guard lock(driver.mutex());
  driver.count(__func__);
  if (int refused = driver.refuseUnsafe("cuMemHostUnregister")) return refused;
  driver.drainAll();
  return driver.memory().detach(addressOf(pointer)) ? driver.sticky() : driver.fail(InvalidValue, "memory that is not registered");
}

PTXSIM_API cuMemHostGetDevicePointer_v2(void** device, void* host, unsigned) {
  *device = host;
  return Success;
}

PTXSIM_API cuPointerGetAttribute(void* value, int attribute, void* pointer) {
  PTXSIM_ENTER;
  constexpr int MemoryType = 2, DevicePointer = 3, HostPointer = 4, Host = 1, Device = 2;
  if (attribute == MemoryType) {
    *static_cast<unsigned*>(value) = isDevice(driver, pointer) ? Device : Host;
    return Success;
  }

  if (attribute != DevicePointer && attribute != HostPointer) return driver.fail(InvalidValue, "pointer attribute " + std::to_string(attribute) + " is not modelled");
  *static_cast<void**>(value) = pointer;
  return Success;
}

PTXSIM_API cuMemcpyAsync(void* to, const void* from, size_t bytes, void* stream) {
  PTXSIM_ENTER;
  return copyAsync(driver, to, from, bytes, stream);
}

PTXSIM_API cuMemcpyHtoDAsync_v2(void* to, const void* from, size_t bytes, void* stream) { return cuMemcpyAsync(to, from, bytes, stream); }
PTXSIM_API cuMemcpyDtoHAsync_v2(void* to, const void* from, size_t bytes, void* stream) { return cuMemcpyAsync(to, from, bytes, stream); }
PTXSIM_API cuMemcpyDtoDAsync_v2(void* to, const void* from, size_t bytes, void* stream) { return cuMemcpyAsync(to, from, bytes, stream); }

// The synchronous forms are in the default stream and wait for it.
PTXSIM_API cuMemcpy(void* to, const void* from, size_t bytes) {
  PTXSIM_ENTER;
  if (int refused = driver.refuseUnsafe("a synchronous copy")) return refused;
  if (int refused = copyAsync(driver, to, from, bytes, nullptr)) return refused;
  driver.drain(driver.streamOf(nullptr));
  return driver.sticky();
}

PTXSIM_API cuMemcpyHtoD_v2(void* to, const void* from, size_t bytes) { return cuMemcpy(to, from, bytes); }
PTXSIM_API cuMemcpyDtoH_v2(void* to, const void* from, size_t bytes) { return cuMemcpy(to, from, bytes); }
PTXSIM_API cuMemcpyDtoD_v2(void* to, const void* from, size_t bytes) { return cuMemcpy(to, from, bytes); }

PTXSIM_API cuMemsetD8Async(void* to, uint8_t value, size_t count, void* stream) {
  PTXSIM_ENTER;
  return fillAsync(driver, to, &value, 1, count, stream);
}

PTXSIM_API cuMemsetD16Async(void* to, uint16_t value, size_t count, void* stream) {
  PTXSIM_ENTER;
  return fillAsync(driver, to, &value, 2, count, stream);
}

PTXSIM_API cuMemsetD32Async(void* to, uint32_t value, size_t count, void* stream) {
  PTXSIM_ENTER;
  return fillAsync(driver, to, &value, 4, count, stream);
}

PTXSIM_API cuMemsetD8_v2(void* to, uint8_t value, size_t count) { return cuMemsetD8Async(to, value, count, nullptr); }
PTXSIM_API cuMemsetD32_v2(void* to, uint32_t value, size_t count) { return cuMemsetD32Async(to, value, count, nullptr); }

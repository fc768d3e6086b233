// Devices, contexts, errors (CUDA driver API, "Device Management", "Context Management", "Error Handling").
#include <dlfcn.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "driver/driver.h"
#include "exec/processor.h"

using namespace ptxsim;

namespace {

constexpr int DriverVersion = 12080;
constexpr const char* DeviceName = "ptxsim: PTX on the CPU";

// CUdevice_attribute by number; what is not listed is 0.
int attribute(int number, int capability) {
  switch (number) {
    case 1: case 2: case 3: return 1024;          // threads a block, block x, block y
    case 4: return 64;                            // block z
    case 5: return 2147483647;                    // grid x
    case 6: case 7: return 65535;                 // grid y, z
    case 8: return 48 * 1024;                     // shared memory a block
    case 9: return 64 * 1024;                     // constant memory
    case 10: return 32;                           // warp size
    case 11: return 2147483647;                   // pitch
    case 12: case 82: return 65536;               // registers a block, a multiprocessor
    case 13: case 36: return 1000000;             // clock rates, kHz
    case 16: return 4;                            // multiprocessors
    case 19: case 40: case 41: return 1;          // maps host memory, concurrent kernels' engines, unified addressing
    case 31: return 1;                            // concurrent kernels
    case 37: return 256;                          // bus width
    case 38: return 1 << 20;                      // L2 bytes
    case 39: return 2048;                         // threads a multiprocessor
    case 75: return capability / 10;
    case 76: return capability % 10;
    case 81: return 228 * 1024;                   // shared memory a multiprocessor
    case 97: return 227 * 1024;                   // shared memory a block with opt-in
    default: return 0;
  }
}

}  // namespace

// The first call of every program, and therefore the one that a processor without the executor's instructions must end at.
PTXSIM_API cuInit(unsigned) {
  const char* refusal = refusalOfProcessor();
  if (!refusal) return Success;
  std::fprintf(stderr, "ptxsim: %s\n", refusal);
  return NotSupported;
}

PTXSIM_API cuDriverGetVersion(int* version) {
  *version = DriverVersion;
  return Success;
}

PTXSIM_API cuDeviceGetCount(int* count) {
  *count = 1;
  return Success;
}

PTXSIM_API cuDeviceGet(int* device, int ordinal) {
  *device = ordinal;
  return ordinal == 0 ? Success : InvalidDevice;
}

PTXSIM_API cuDeviceGetName(char* name, int length, int) {
  std::snprintf(name, static_cast<size_t>(std::max(length, 0)), "%s", DeviceName);
  return Success;
}

PTXSIM_API cuDeviceGetUuid_v2(unsigned char* uuid, int) {
  std::memcpy(uuid, "ptxsim-device-00", 16);
  return Success;
}

PTXSIM_API cuDeviceTotalMem_v2(size_t* bytes, int) {
  *bytes = Driver::instance().memory().capacity();
  return Success;
}

PTXSIM_API cuDeviceGetAttribute(int* value, int number, int) {
  *value = attribute(number, Driver::instance().settings().computeCapability);
  return Success;
}

PTXSIM_API cuDeviceCanAccessPeer(int* can, int, int) {
  *can = 0;
  return Success;
}

PTXSIM_API cuDeviceGetP2PAttribute(int* value, int, int, int) {
  *value = 0;
  return Success;
}

PTXSIM_API cuCtxEnablePeerAccess(void*, unsigned) { return 217; }
PTXSIM_API cuCtxDisablePeerAccess(void*) { return 705; }

PTXSIM_API cuCtxCreate_v2(void** context, unsigned, int device) {
  if (device != 0) return InvalidDevice;
  *context = new int(0);
  return Success;
}

// A new context starts clean: this is how a program goes on after a kernel's error.
PTXSIM_API cuCtxDestroy_v2(void* context) {
  auto& driver = Driver::instance();
  std::lock_guard lock(driver.mutex());
  driver.drainAll();
  driver.forget();
  delete static_cast<int*>(context);
  return Success;
}

PTXSIM_API cuCtxSetCurrent(void*) {
  auto& driver = Driver::instance();
  std::lock_guard lock(driver.mutex());
  driver.count(__func__);
  return Success;
}

PTXSIM_API cuCtxGetCurrent(void** context) {
  static int current;
  *context = &current;
  return Success;
}

PTXSIM_API cuCtxSynchronize() {
  PTXSIM_ENTER;
  if (int refused = driver.refuseWaitingForAll("cuCtxSynchronize")) return refused;
  driver.drainAll();
  return driver.sticky();
}

PTXSIM_API cuCtxGetCacheConfig(int* config) {
  *config = 0;
  return Success;
}

PTXSIM_API cuCtxSetCacheConfig(int) { return Success; }

PTXSIM_API cuCtxGetSharedMemConfig(int* config) {
  *config = 1;
  return Success;
}

PTXSIM_API cuCtxSetSharedMemConfig(int) { return Success; }

// The text names the fault and its place: managed callers put it into their exception.
PTXSIM_API cuGetErrorString(int result, const char** text) {
  // Before anything of the executor runs.
  if ((*text = refusalOfProcessor()) != nullptr) return Success;
  static thread_local std::string kept;
  auto& driver = Driver::instance();
  std::lock_guard lock(driver.mutex());
  kept = driver.messageOf(result);
  *text = kept.c_str();
  return Success;
}

PTXSIM_API cuGetErrorName(int result, const char** text) {
  static thread_local std::string kept;
  kept = "CUDA_ERROR_" + std::to_string(result);
  *text = kept.c_str();
  return Success;
}

PTXSIM_API cuGetProcAddress_v2(const char* name, void** function, int, uint64_t, int* status) {
  // Of this library, whoever else is in the process, and the newest version that it has.
  static const char inside = 0;
  Dl_info self{};
  void* library = dladdr(&inside, &self) ? dlopen(self.dli_fname, RTLD_NOW | RTLD_NOLOAD) : nullptr;
  *function = nullptr;
  for (const char* suffix : {"_v3", "_v2", ""})
    if (library && !*function) *function = dlsym(library, (std::string(name) + suffix).c_str());
  if (status) *status = *function ? 0 : 1;
  return *function ? Success : NotFound;
}

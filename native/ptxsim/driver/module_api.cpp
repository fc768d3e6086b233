// Modules, functions, launches, occupancy (CUDA driver API, "Module Management", "Execution Control", "Occupancy").
#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstring>

#include "driver/driver.h"
#include "exec/occupancy.h"
#include "syntax/error.h"

using namespace ptxsim;

namespace {

constexpr int ErrorLogBuffer = 5, ErrorLogBytes = 6;  // CUjit_option
constexpr int MaxDynamicSharedBytes = 8;              // CUfunction_attribute
constexpr uint32_t MaxSharedBytes = 227 * 1024;

void dump(const Settings& settings, const char* text) {
  if (settings.dump.empty()) return;
  static int count = 0;
  std::string path = settings.dump + "/module" + std::to_string(count++) + ".ptx";
  if (FILE* file = std::fopen(path.c_str(), "w")) {
    std::fputs(text, file);
    std::fclose(file);
  }
}

int loadModule(void** handle, const char* text, unsigned options, const int* names, void** values) {
  PTXSIM_ENTER;
  if (int refused = driver.refuseUnsafe("a module is loaded")) return refused;
  *handle = nullptr;
  char* log = nullptr;
  size_t capacity = 0;
  for (unsigned i = 0; i < options; i++) {
    if (names[i] == ErrorLogBuffer) log = static_cast<char*>(values[i]);
    if (names[i] == ErrorLogBytes) capacity = reinterpret_cast<size_t>(values[i]);
  }

  // ELF and fat binaries hold machine code, which nothing here can run.
  if (text[0] == '\x7F' || text[0] == '\x50') return driver.fail(NoBinaryForGpu, "a binary image; this device takes PTX text only");
  dump(driver.settings(), text);
  try {
    auto module = std::make_unique<DriverModule>();
    module->image = driver.images().load(text, driver.memory());
    *handle = module.release();
    return Success;
  } catch (const PtxError& error) {
    if (log && capacity > 0) std::snprintf(log, capacity, "%s", error.what());
    return driver.fail(InvalidPtx, error.what());
  } catch (const std::bad_alloc&) {
    return driver.fail(OutOfMemory, "the module's variables do not fit");
  }
}

// CU_LAUNCH_PARAM_BUFFER_POINTER (1), CU_LAUNCH_PARAM_BUFFER_SIZE (2), ended by 0; or one pointer a parameter.
int gatherParameters(Driver& driver, const Kernel& kernel, void** pointers, void** extra, std::vector<uint8_t>& bytes) {
  bytes.assign(std::max<size_t>(kernel.parameterBytes, 1), 0);
  if (pointers) {
    for (size_t i = 0; i < kernel.parameters.size(); i++) std::memcpy(bytes.data() + kernel.parameters[i].offset, pointers[i], kernel.parameters[i].size);
    return Success;
  }

  const void* buffer = nullptr;
  size_t size = 0;
  for (; extra && extra[0]; extra += 2) {
    if (reinterpret_cast<size_t>(extra[0]) == 1) buffer = extra[1];
    else if (reinterpret_cast<size_t>(extra[0]) == 2) size = *static_cast<size_t*>(extra[1]);
  }

  if (kernel.parameterBytes == 0) return Success;
  // A buffer may be padded to the alignment of its largest member.
  if (!buffer || size < kernel.parameterBytes || size > kernel.parameterBytes + size_t{8})
    return driver.fail(InvalidValue, "kernel '" + kernel.name + "' takes " + std::to_string(kernel.parameterBytes) + " bytes of parameters, the launch gives " +
                                         std::to_string(size));
  std::memcpy(bytes.data(), buffer, kernel.parameterBytes);
  return Success;
}

}  // namespace

PTXSIM_API cuModuleLoadDataEx(void** module, const char* text, unsigned options, const int* names, void** values) {
  return loadModule(module, text, options, names, values);
}

PTXSIM_API cuModuleLoadData(void** module, const char* text) { return loadModule(module, text, 0, nullptr, nullptr); }

PTXSIM_API cuModuleUnload(void* module) {
  auto& driver = Driver::instance();
  std::lock_guard lock(driver.mutex());
  if (int refused = driver.refuseUnsafe("cuModuleUnload")) return refused;
  driver.drainAll();
  delete static_cast<DriverModule*>(module);
  return driver.sticky();
}

PTXSIM_API cuModuleGetFunction(void** function, void* module, const char* name) {
  PTXSIM_ENTER;
  auto& owner = *static_cast<DriverModule*>(module);
  auto found = owner.image->kernels.find(name);
  if (found == owner.image->kernels.end()) return driver.fail(NotFound, "the module has no entry '" + std::string(name) + "'");
  auto& kept = owner.functions[name];
  if (!kept) kept = std::make_unique<DriverFunction>(DriverFunction{{owner.image, found->second.get()}});
  *function = kept.get();
  return Success;
}

PTXSIM_API cuModuleGetGlobal_v2(void** address, size_t* bytes, void* module, const char* name) {
  PTXSIM_ENTER;
  auto& variables = static_cast<DriverModule*>(module)->image->variables;
  auto found = variables.find(name);
  if (found == variables.end() || found->second.space == Space::Shared) return driver.fail(NotFound, "the module has no variable '" + std::string(name) + "'");
  if (address) *address = reinterpret_cast<void*>(found->second.address);
  if (bytes) *bytes = found->second.bytes;
  return Success;
}

PTXSIM_API cuFuncSetAttribute(void* function, int attribute, int value) {
  PTXSIM_ENTER;
  if (attribute != MaxDynamicSharedBytes) return Success;
  auto& f = *static_cast<DriverFunction*>(function);
  if (value < 0 || static_cast<uint32_t>(value) + f.kernel->sharedBytes > MaxSharedBytes)
    return driver.fail(InvalidValue, "kernel '" + f.kernel->name + "': " + std::to_string(value) + " bytes of dynamic shared memory beside " +
                                         std::to_string(f.kernel->sharedBytes) + " static ones exceed " + std::to_string(MaxSharedBytes));
  f.maxDynamicShared = static_cast<uint32_t>(value);
  return Success;
}

PTXSIM_API cuFuncGetAttribute(int* value, int attribute, void* function) {
  PTXSIM_ENTER;
  const auto& f = *static_cast<DriverFunction*>(function);
  switch (attribute) {
    case 0: *value = 1024; break;
    case 1: *value = static_cast<int>(f.kernel->sharedBytes); break;
    case 3: *value = static_cast<int>(f.kernel->localBytes); break;
    case 4: *value = f.kernel->footprint().liveRegisters; break;
    case 8: *value = static_cast<int>(f.maxDynamicShared); break;
    default: *value = 0;
  }

  return Success;
}

PTXSIM_API cuFuncSetCacheConfig(void*, int) { return Success; }

namespace {

int launchKernel(Driver& driver, void* function, LaunchShape shape, void* stream, void** parameters, void** extra) {
  if (!function) return driver.fail(InvalidHandle, "a launch without a function");
  auto& f = *static_cast<DriverFunction*>(function);
  std::vector<uint8_t> bytes;
  if (int refused = gatherParameters(driver, *f.kernel, parameters, extra, bytes)) return refused;
  return driver.launch(f, shape, std::move(bytes), driver.streamOf(stream));
}

// CUlaunchAttribute and CUlaunchConfig.
struct LaunchAttribute {
  static constexpr int32_t Ignore = 0, ClusterDimension = 4, ClusterSchedulingPolicy = 5, Priority = 8;
  int32_t id, unused;
  uint32_t value[16];
};
static_assert(sizeof(LaunchAttribute) == 72);

struct LaunchConfig {
  uint32_t grid[3], block[3];
  uint32_t sharedBytes;
  void* stream;
  const LaunchAttribute* attributes;
  uint32_t count;
};
static_assert(offsetof(LaunchConfig, stream) == 32 && sizeof(LaunchConfig) == 56);

}  // namespace

PTXSIM_API cuLaunchKernel(void* function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX, unsigned blockY, unsigned blockZ,
                          unsigned sharedBytes, void* stream, void** parameters, void** extra) {
  PTXSIM_ENTER;
  return launchKernel(driver, function, {{gridX, gridY, gridZ}, {blockX, blockY, blockZ}, {}, sharedBytes}, stream, parameters, extra);
}

PTXSIM_API cuLaunchKernelEx(const LaunchConfig* config, void* function, void** parameters, void** extra) {
  PTXSIM_ENTER;
  if (!config) return driver.fail(InvalidValue, "a launch without a configuration");
  LaunchShape shape;
  std::copy(config->grid, config->grid + 3, shape.grid);
  std::copy(config->block, config->block + 3, shape.block);
  shape.dynamicShared = config->sharedBytes;
  for (uint32_t i = 0; i < config->count; i++) {
    const auto& attribute = config->attributes[i];
    switch (attribute.id) {
      case LaunchAttribute::Ignore: case LaunchAttribute::ClusterSchedulingPolicy: case LaunchAttribute::Priority: break;
      case LaunchAttribute::ClusterDimension: std::copy(attribute.value, attribute.value + 3, shape.cluster); break;
      default: return driver.fail(NotSupported, "launch attribute " + std::to_string(attribute.id) + " is not modelled: of those cluster sizes are");
    }
  }

  if (shape.cluster[0] != 0 && driver.settings().computeCapability < 90)
    return driver.fail(InvalidValue, "clusters of blocks need compute capability 9.0; PTXSIM_SM=90 gives it");
  return launchKernel(driver, function, shape, config->stream, parameters, extra);
}

PTXSIM_API cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, void* function, int blockSize, size_t dynamicShared) {
  PTXSIM_ENTER;
  const auto& kernel = *static_cast<DriverFunction*>(function)->kernel;
  *blocks = occupancy(kernel, blockSize, static_cast<uint32_t>(dynamicShared), driver.settings().computeCapability).blocks;
  return Success;
}

PTXSIM_API cuOccupancyMaxPotentialBlockSize(int* minGrid, int* blockSize, void*, void*, size_t, int limit) {
  *blockSize = limit > 0 ? std::min(limit, 256) : 256;
  *minGrid = 4;
  return Success;
}

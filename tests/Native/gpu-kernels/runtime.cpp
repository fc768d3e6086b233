// The CUDA runtime's calls that the programs of bench/gpu-kernels make, over the driver API of the libcuda that is loaded: the stand-in. So these
// programs, which nvcc compiles on a machine with a GPU, are compiled and run where there is neither.
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

#include "cuda_runtime.h"

namespace {

[[noreturn]] void fail(const char* what, const char* name) {
  std::printf("{\"error\": \"%s %s\"}\n", what, name);
  std::exit(3);
}

// The driver's library, with a context of the first device.
void* driver() {
  static void* library = [] {
    void* loaded = dlopen("libcuda.so.1", RTLD_NOW);
    if (!loaded) fail("dlopen:", dlerror());
    void* context;
    auto init = reinterpret_cast<int (*)(unsigned)>(dlsym(loaded, "cuInit"));
    auto create = reinterpret_cast<int (*)(void**, unsigned, int)>(dlsym(loaded, "cuCtxCreate_v2"));
    if (!init || !create || init(0) != 0 || create(&context, 0, 0) != 0) fail("no context", "of device 0");
    return loaded;
  }();
  return library;
}

template <typename... Args>
cudaError_t call(const char* name, Args... args) {
  auto function = reinterpret_cast<int (*)(Args...)>(dlsym(driver(), name));
  if (!function) fail("the driver has no", name);
  return static_cast<cudaError_t>(function(args...));
}

// What clang registers of a translation unit: its PTX, loaded at the first launch, and the stub of each kernel.
struct Binary {
  const void* image;
  void* module = nullptr;
};

struct Kernel {
  Binary* binary;
  std::string name;
};

std::map<const void*, Kernel>& kernels() {
  static std::map<const void*, Kernel> all;
  return all;
}

struct Configuration {
  dim3 grid, block;
  size_t sharedBytes;
  void* stream;
} configuration;

}  // namespace

extern "C" {
cudaError_t cudaMalloc(void** to, size_t bytes) { return call("cuMemAlloc_v2", to, bytes); }

// Of nothing it makes the context.
cudaError_t cudaFree(void* memory) {
  driver();
  return memory ? call("cuMemFree_v2", memory) : cudaSuccess;
}

cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  const char* name = kind == cudaMemcpyHostToDevice ? "cuMemcpyHtoD_v2" : kind == cudaMemcpyDeviceToHost ? "cuMemcpyDtoH_v2" : "cuMemcpyDtoD_v2";
  return call(name, to, from, bytes);
}

cudaError_t cudaMemset(void* memory, int value, size_t bytes) { return call("cuMemsetD8_v2", memory, static_cast<unsigned char>(value), bytes); }
cudaError_t cudaDeviceSynchronize() { return call("cuCtxSynchronize"); }
cudaError_t cudaEventCreate(cudaEvent_t* event) { return call("cuEventCreate", event, 0u); }
cudaError_t cudaEventDestroy(cudaEvent_t event) { return call("cuEventDestroy_v2", event); }
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) { return call("cuEventRecord", event, stream); }
cudaError_t cudaEventSynchronize(cudaEvent_t event) { return call("cuEventSynchronize", event); }
cudaError_t cudaEventElapsedTime(float* ms, cudaEvent_t begin, cudaEvent_t end) { return call("cuEventElapsedTime", ms, begin, end); }
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  return call("cuDeviceGetAttribute", value, static_cast<int>(attribute), device);
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  std::strcpy(properties->name, "stand-in");
  return cudaDeviceGetAttribute(&properties->multiProcessorCount, cudaDevAttrMultiProcessorCount, device);
}

cudaError_t cudaDriverGetVersion(int* version) { return call("cuDriverGetVersion", version); }

const char* cudaGetErrorName(cudaError_t error) {
  const char* name = "?";
  call("cuGetErrorName", static_cast<int>(error), &name);
  return name;
}

unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, size_t sharedBytes, void* stream) {
  configuration = {grid, block, sharedBytes, stream};
  return 0;
}

cudaError_t __cudaPopCallConfiguration(dim3* grid, dim3* block, size_t* sharedBytes, void* stream) {
  *grid = configuration.grid;
  *block = configuration.block;
  *sharedBytes = configuration.sharedBytes;
  std::memcpy(stream, &configuration.stream, sizeof(void*));
  return cudaSuccess;
}

// The PTX lies behind two words that say what it is.
void** __cudaRegisterFatBinary(void* wrapper) { return reinterpret_cast<void**>(new Binary{static_cast<const void* const*>(wrapper)[1]}); }
void __cudaRegisterFatBinaryEnd(void**) {}
void __cudaUnregisterFatBinary(void** binary) { delete reinterpret_cast<Binary*>(binary); }
void __cudaRegisterFunction(void** binary, const char* stub, char*, const char* name, int, void*, void*, void*, void*, int*) {
  kernels()[stub] = {reinterpret_cast<Binary*>(binary), name};
}

cudaError_t cudaLaunchKernel(const void* stub, dim3 grid, dim3 block, void** arguments, size_t sharedBytes, cudaStream_t stream) {
  auto& [binary, name] = kernels().at(stub);
  if (!binary->module && call("cuModuleLoadData", &binary->module, binary->image) != cudaSuccess) fail("cannot load the module of", name.c_str());
  void* function;
  if (call("cuModuleGetFunction", &function, binary->module, name.c_str()) != cudaSuccess) fail("no kernel", name.c_str());
  return call("cuLaunchKernel", function, grid.x, grid.y, grid.z, block.x, block.y, block.z, static_cast<unsigned>(sharedBytes), stream, arguments,
              static_cast<void**>(nullptr));
}
}

// Memory, modules, launches and time for the programs of this folder.
#pragma once

#include <cuda.h>
#include <cuda_runtime.h>
#include <dlfcn.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <initializer_list>
#include <sstream>
#include <string>
#include <vector>

using Bf16 = uint16_t;

// Checks without times.
extern bool checkOnly;

[[noreturn]] inline void fail(const std::string& what) {
  std::printf("{\"error\": \"%s\"}\n", what.c_str());
  std::exit(1);
}

// A function of a library that is loaded at run time, so that no machine's folders need be known to the linker.
inline void* symbol(void* library, const char* name) {
  void* found = library ? dlsym(library, name) : nullptr;
  if (!found) fail(std::string("no ") + name);
  return found;
}

inline void* driver_symbol(const char* name) {
  static void* library = dlopen("libcuda.so.1", RTLD_NOW);
  return symbol(library, name);
}

#define DRIVER(name) reinterpret_cast<decltype(&name)>(driver_symbol(#name))

inline void check(CUresult result, const char* what) {
  const char* name = nullptr;
  if (result != CUDA_SUCCESS) {
    DRIVER(cuGetErrorName)(result, &name);
    fail(std::string(what) + ": " + (name ? name : "?"));
  }
}

inline void check(cudaError_t result, const char* what) {
  if (result != cudaSuccess) fail(std::string(what) + ": " + cudaGetErrorName(result));
}

#define CHECK(call) check(call, #call)

// ---- Memory and plain kernels -----------------------------------------------------------------------------------------

template <typename T>
struct DeviceArray {
  T* data = nullptr;
  size_t count;
  explicit DeviceArray(size_t n) : count(n) { CHECK(cudaMalloc(&data, std::max<size_t>(n, 1) * sizeof(T))); }
  ~DeviceArray() { cudaFree(data); }
  DeviceArray(const DeviceArray&) = delete;
};

template <typename T>
std::vector<T> to_host(const DeviceArray<T>& from) {
  std::vector<T> values(from.count);
  CHECK(cudaMemcpy(values.data(), from.data, values.size() * sizeof(T), cudaMemcpyDeviceToHost));
  return values;
}

inline float host_float(Bf16 value) {
  uint32_t bits = static_cast<uint32_t>(value) << 16;
  float f;
  std::memcpy(&f, &bits, 4);
  return f;
}

inline __device__ float to_float(float value) { return value; }
inline __device__ float to_float(Bf16 value) { return __uint_as_float(static_cast<uint32_t>(value) << 16); }
inline __device__ void from_float(float& to, float value) { to = value; }
inline __device__ void from_float(Bf16& to, float value) {
  uint32_t bits = __float_as_uint(value);
  to = static_cast<Bf16>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

// Values of about a standard normal distribution from a hash of their index.
template <typename T>
__global__ void fill(T* values, size_t count, uint32_t seed, float scale) {
  for (size_t i = blockIdx.x * static_cast<size_t>(blockDim.x) + threadIdx.x; i < count; i += static_cast<size_t>(gridDim.x) * blockDim.x) {
    uint32_t h = static_cast<uint32_t>(i) * 0x9E3779B9u + seed;
    float sum = 0;
    for (int k = 0; k < 4; ++k) {
      h ^= h >> 16;
      h *= 0x7feb352du;
      h ^= h >> 15;
      h *= 0x846ca68bu;
      h ^= h >> 16;
      sum += (h >> 8) * (1.f / 16777216.f) - 0.5f;
    }
    from_float(values[i], sum * 1.7320508f * scale);
  }
}

template <typename T>
void fill_array(DeviceArray<T>& a, uint32_t seed, float scale = 1.f) {
  fill<<<1024, 256>>>(a.data, a.count, seed, scale);
}

// ---- Modules, launches, time ------------------------------------------------------------------------------------------

struct Module {
  CUmodule handle = nullptr;
  std::string path;

  explicit Module(const std::string& file) : path(file) {
    std::ifstream in(file, std::ios::binary);
    if (!in) fail("no module " + file);
    std::stringstream text;
    text << in.rdbuf();
    std::string image = text.str();
    check(DRIVER(cuModuleLoadData)(&handle, image.c_str()), file.c_str());
  }

  CUfunction function(const std::string& name, int sharedBytes) const {
    CUfunction f;
    check(DRIVER(cuModuleGetFunction)(&f, handle, name.c_str()), name.c_str());
    check(DRIVER(cuFuncSetAttribute)(f, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, sharedBytes), name.c_str());
    return f;
  }
};

template <typename... Args>
void launch(CUfunction f, dim3 grid, int threads, int sharedBytes, Args... args) {
  void* pointers[] = {static_cast<void*>(&args)...};
  check(DRIVER(cuLaunchKernel)(f, grid.x, grid.y, grid.z, threads, 1, 1, sharedBytes, nullptr, pointers, nullptr), "launch");
}

// The same in clusters of blocks.
template <typename... Args>
void launch_cluster(CUfunction f, int cluster, dim3 grid, int threads, int sharedBytes, Args... args) {
  void* pointers[] = {static_cast<void*>(&args)...};
  CUlaunchAttribute attribute = {};
  attribute.id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION;
  attribute.value.clusterDim.x = cluster;
  attribute.value.clusterDim.y = attribute.value.clusterDim.z = 1;
  CUlaunchConfig config = {};
  config.gridDimX = grid.x, config.gridDimY = grid.y, config.gridDimZ = grid.z;
  config.blockDimX = threads, config.blockDimY = config.blockDimZ = 1;
  config.sharedMemBytes = sharedBytes;
  config.attrs = &attribute;
  config.numAttrs = 1;
  check(DRIVER(cuLaunchKernelEx)(&config, f, pointers, nullptr), "launch");
}

// Median milliseconds of one call, after a warm-up.
inline double milliseconds(const std::function<void()>& work) {
  cudaEvent_t begin, end;
  CHECK(cudaEventCreate(&begin));
  CHECK(cudaEventCreate(&end));
  auto timed = [&](int repeats) {
    CHECK(cudaEventRecord(begin));
    for (int i = 0; i < repeats; ++i) work();
    CHECK(cudaEventRecord(end));
    CHECK(cudaEventSynchronize(end));
    float ms;
    CHECK(cudaEventElapsedTime(&ms, begin, end));
    return static_cast<double>(ms) / repeats;
  };
  work();
  double first = timed(1);
  int repeats = std::max(1, std::min(50, static_cast<int>(4.0 / std::max(first, 1e-3))));
  std::vector<double> samples;
  for (int i = 0; i < 5; ++i) samples.push_back(timed(repeats));
  std::sort(samples.begin(), samples.end());
  CHECK(cudaEventDestroy(begin));
  CHECK(cudaEventDestroy(end));
  return samples[2];
}

inline int multiprocessors() {
  int count;
  CHECK(cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, 0));
  return count;
}

// The part of the runtime API that bench/gpu-kernels uses, and what clang makes of <<< >>>; runtime.cpp has it over the driver API.
#pragma once
#include <cstddef>
#ifdef __CUDA__
#define __global__ __attribute__((global))
#define __device__ __attribute__((device))
#define __host__ __attribute__((host))
#else
#define __device__
#define __host__
#endif
struct dim3 {
  unsigned x, y, z;
  __host__ __device__ constexpr dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c) {}
};
typedef enum cudaError { cudaSuccess = 0 } cudaError_t;

typedef struct CUstream_st* cudaStream_t;
typedef struct CUevent_st* cudaEvent_t;
enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost = 2, cudaMemcpyDeviceToDevice = 3 };
enum cudaDeviceAttr { cudaDevAttrMultiProcessorCount = 16 };
struct cudaDeviceProp {
  char name[256];
  int multiProcessorCount;
};
extern "C" {
cudaError_t cudaMalloc(void**, size_t);
cudaError_t cudaFree(void*);
cudaError_t cudaMemcpy(void*, const void*, size_t, cudaMemcpyKind);
cudaError_t cudaMemset(void*, int, size_t);
cudaError_t cudaDeviceSynchronize();
cudaError_t cudaEventCreate(cudaEvent_t*);
cudaError_t cudaEventDestroy(cudaEvent_t);
cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t = nullptr);
cudaError_t cudaEventSynchronize(cudaEvent_t);
cudaError_t cudaEventElapsedTime(float*, cudaEvent_t, cudaEvent_t);
cudaError_t cudaDeviceGetAttribute(int*, cudaDeviceAttr, int);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp*, int);
cudaError_t cudaDriverGetVersion(int*);
const char* cudaGetErrorName(cudaError_t);
cudaError_t cudaLaunchKernel(const void*, dim3, dim3, void**, size_t, cudaStream_t);
unsigned __cudaPushCallConfiguration(dim3, dim3, size_t = 0, void* = nullptr);
cudaError_t __cudaPopCallConfiguration(dim3*, dim3*, size_t*, void*);
}
template <typename T>
cudaError_t cudaMalloc(T** p, size_t n) {
  return cudaMalloc(reinterpret_cast<void**>(p), n);
}

// Functions of device code that plain kernels call.
#ifdef __CUDA__
#include <__clang_cuda_builtin_vars.h>
static __device__ inline float __uint_as_float(unsigned v) { return __builtin_bit_cast(float, v); }
static __device__ inline unsigned __float_as_uint(float v) { return __builtin_bit_cast(unsigned, v); }
static __device__ inline double fabs(double v) { return __builtin_fabs(v); }
static __device__ inline double fmax(double a, double b) { return a > b ? a : b; }
static __device__ inline int max(int a, int b) { return a > b ? a : b; }
static __device__ inline int min(int a, int b) { return a < b ? a : b; }
static __device__ inline double sqrt(double v) { return __builtin_sqrt(v); }

// e^v = 2^n e^r, e^r by its series: within a few ulp.
static __device__ inline double exp(double v) {
  double n = __builtin_rint(v * 1.4426950408889634), r = __builtin_fma(n, -1.9082149292705877e-10, __builtin_fma(n, -0.6931471803691238, v)), sum = 1;
  if (v < -700) return 0;
  for (int i = 14; i > 0; --i) sum = 1 + sum * r / i;
  return sum * __builtin_bit_cast(double, (static_cast<long long>(n) + 1023) << 52);
}

// log(2^n m) = n log 2 + 2 artanh((m - 1) / (m + 1)), of positive numbers.
static __device__ inline double log(double v) {
  long long bits = __builtin_bit_cast(long long, v), n = ((bits - 0x3fe6a09e667f3bcd) >> 52);
  double m = __builtin_bit_cast(double, bits - (n << 52)), s = (m - 1) / (m + 1), sum = 0;
  for (int i = 25; i > 0; i -= 2) sum = sum * s * s + 1.0 / i;
  return n * 0.6931471805599453 + 2 * s * sum;
}
#endif

// What the kernels of this folder need to compile as CUDA with clang alone: no toolkit, no library.
#pragma once

#include <__clang_cuda_builtin_vars.h>
#define __global__ __attribute__((global))
#define __device__ __attribute__((device))
#define __shared__ __attribute__((shared))
#define __constant__ __attribute__((constant))
#define __launch_bounds__(...) __attribute__((launch_bounds(__VA_ARGS__)))
#define DEVICE __device__ inline __attribute__((always_inline))
#define APART __device__ __attribute__((noinline))  // a call in the PTX, at every level
#define KERNEL(threads) extern "C" __global__ void __launch_bounds__(threads)
#define UNROLL _Pragma("unroll")

using uint8_t = unsigned char;
using uint16_t = unsigned short;
using uint32_t = unsigned int;
using uint64_t = unsigned long;
using int8_t = signed char;
using int16_t = short;
using int32_t = int;
using int64_t = long;
using size_t = decltype(sizeof(0));

extern __shared__ __attribute__((aligned(1024))) unsigned char dynamicShared[];

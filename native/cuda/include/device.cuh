// What the kernels need from the machine: the only file with inline PTX.
//
// The same sources compile under nvcc 12 and 13, and under clang 20 or later with no CUDA toolkit at all
// (-nocudainc -nocudalib), so nothing here or in the kernels may use CUDA's headers, libdevice or host functions.
// Every wrapper is one documented instruction of the PTX ISA (7.x, sm_80) under a name that says what it does.
//
// Rounding: the build forbids contraction of `+` and `*` to fma. Where a sum must have one value even when these files are
// compiled without that flag, use fma_rn, mul_rn, add_rn and sub_rn, which no compiler touches.
#pragma once

#if defined(__clang__) && !defined(__NVCC__)
#include <__clang_cuda_builtin_vars.h>  // threadIdx and the like; comes with clang and needs no toolkit
#define __global__ __attribute__((global))
#define __device__ __attribute__((device))
#define __shared__ __attribute__((shared))
#define __constant__ __attribute__((constant))
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...) __attribute__((launch_bounds(__VA_ARGS__)))
#define __grid_constant__ __attribute__((grid_constant))
using uint8_t = unsigned char;
using uint16_t = unsigned short;
using uint32_t = unsigned int;
using uint64_t = unsigned long;
using int32_t = int;
using int64_t = long;
using size_t = decltype(sizeof(0));
#else
#include <cstddef>
#include <cstdint>
#endif

#define UNROLL _Pragma("unroll")
#define NO_UNROLL _Pragma("unroll 1")
#define DEVICE __device__ __forceinline__

// A kernel: its symbol is its name, launched through the driver API. `minBlocks` blocks share a multiprocessor.
#define KERNEL(threads, minBlocks, name) extern "C" __global__ void __launch_bounds__(threads, minBlocks) name

constexpr int WarpSize = 32;
constexpr uint32_t AllLanes = 0xffffffffu;
constexpr float Log2E = 1.4426950408889634f;
constexpr float Ln2 = 0.6931471805599453f;

// A bfloat16 in memory. Arithmetic is done in float.
struct alignas(2) bf16 {
  uint16_t bits;
};

// 16 bytes, the widest access of a thread: four floats or eight bf16.
struct alignas(16) Words4 {
  uint32_t word[4];
};

struct alignas(8) Words2 {
  uint32_t word[2];
};

// ---- Where am I -------------------------------------------------------------------------------------------------------

DEVICE int lane_id() { return static_cast<int>(threadIdx.x) & (WarpSize - 1); }
DEVICE int warp_id() { return static_cast<int>(threadIdx.x) / WarpSize; }

// The thread's number, read anew: what is made of it need not stay in registers for those who asked before or will ask again.
DEVICE uint32_t thread_again() {
  uint32_t thread;
  asm volatile("mov.u32 %0, %%tid.x;" : "=r"(thread));
  return thread;
}

// ---- Bits and numbers -------------------------------------------------------------------------------------------------

DEVICE uint32_t float_bits(float value) {
  uint32_t bits;
  __builtin_memcpy(&bits, &value, 4);
  return bits;
}

DEVICE float bits_float(uint32_t bits) {
  float value;
  __builtin_memcpy(&value, &bits, 4);
  return value;
}

DEVICE double bits_double(uint64_t bits) {
  double value;
  __builtin_memcpy(&value, &bits, 8);
  return value;
}

DEVICE float bf16_to_float(bf16 value) { return bits_float(static_cast<uint32_t>(value.bits) << 16); }

// The two halves of a word of two bf16, the first in memory being the low one.
DEVICE float bf16x2_low(uint32_t pair) { return bits_float(pair << 16); }
DEVICE float bf16x2_high(uint32_t pair) { return bits_float(pair & 0xffff0000u); }

// To nearest, ties to even; NaN becomes the canonical NaN.
DEVICE bf16 float_to_bf16(float value) {
  uint16_t bits;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(value));
  return bf16{bits};
}

// The instruction takes the high half first.
DEVICE uint32_t floats_to_bf16x2(float low, float high) {
  uint32_t pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
}

// The tf32 (10 bits of mantissa) nearest to a float, ties away from zero, as the bits of a float.
DEVICE uint32_t float_to_tf32(float value) {
  uint32_t bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(value));
  return bits;
}

DEVICE float fma_rn(float a, float b, float c) {
  float d;
  asm("fma.rn.f32 %0, %1, %2, %3;" : "=f"(d) : "f"(a), "f"(b), "f"(c));
  return d;
}

DEVICE double fma_rn(double a, double b, double c) {
  double d;
  asm("fma.rn.f64 %0, %1, %2, %3;" : "=d"(d) : "d"(a), "d"(b), "d"(c));
  return d;
}

DEVICE float mul_rn(float a, float b) {
  float c;
  asm("mul.rn.f32 %0, %1, %2;" : "=f"(c) : "f"(a), "f"(b));
  return c;
}

DEVICE float add_rn(float a, float b) {
  float c;
  asm("add.rn.f32 %0, %1, %2;" : "=f"(c) : "f"(a), "f"(b));
  return c;
}

DEVICE float sub_rn(float a, float b) {
  float c;
  asm("sub.rn.f32 %0, %1, %2;" : "=f"(c) : "f"(a), "f"(b));
  return c;
}

DEVICE float div_rn(float a, float b) {
  float c;
  asm("div.rn.f32 %0, %1, %2;" : "=f"(c) : "f"(a), "f"(b));
  return c;
}

DEVICE float sqrt_rn(float a) {
  float b;
  asm("sqrt.rn.f32 %0, %1;" : "=f"(b) : "f"(a));
  return b;
}

DEVICE double sqrt_rn(double a) {
  double b;
  asm("sqrt.rn.f64 %0, %1;" : "=d"(b) : "d"(a));
  return b;
}

// 2^x, 2 ulp; 0 below -126 (results that small are flushed).
DEVICE float exp2_approx(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

// log2(x); absolute error below 2^-22 near 1.
DEVICE float log2_approx(float x) {
  float y;
  asm("lg2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

// 1 / sqrt(x), relative error below 2^-22.
DEVICE float rsqrt_approx(float x) {
  float y;
  asm("rsqrt.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

// 1 / x, 1 ulp.
DEVICE float reciprocal_approx(float x) {
  float y;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

// An empty instruction that reads and writes a register.
DEVICE void pin_register(uint32_t& value) { asm volatile("" : "+r"(value)); }
DEVICE void pin_register(int32_t& value) { asm volatile("" : "+r"(value)); }
DEVICE void pin_register(int64_t& value) { asm volatile("" : "+l"(value)); }

template <typename T>
DEVICE void pin_register(T*& pointer) {
  asm volatile("" : "+l"(pointer));
}

DEVICE float maximum(float a, float b) { return a > b ? a : b; }

DEVICE uint32_t multiply_high(uint32_t a, uint32_t b) {
  return static_cast<uint32_t>((static_cast<unsigned long long>(a) * b) >> 32);
}

// ---- Threads of a warp and of a block ---------------------------------------------------------------------------------

DEVICE void block_sync() { __syncthreads(); }

// Orders the memory accesses of a warp's lanes.
DEVICE void warp_sync() { asm volatile("bar.warp.sync 0xffffffff;" ::: "memory"); }

DEVICE float shuffle_xor(float value, int mask) {
  float other;
  asm volatile("shfl.sync.bfly.b32 %0, %1, %2, 31, 0xffffffff;" : "=f"(other) : "f"(value), "r"(mask));
  return other;
}

DEVICE float shuffle_from(float value, int lane) {
  float other;
  asm volatile("shfl.sync.idx.b32 %0, %1, %2, 31, 0xffffffff;" : "=f"(other) : "f"(value), "r"(lane));
  return other;
}

DEVICE uint32_t shuffle_from(uint32_t value, int lane) {
  uint32_t other;
  asm volatile("shfl.sync.idx.b32 %0, %1, %2, 31, 0xffffffff;" : "=r"(other) : "r"(value), "r"(lane));
  return other;
}

DEVICE int shuffle_from(int value, int lane) { return static_cast<int>(shuffle_from(static_cast<uint32_t>(value), lane)); }

DEVICE uint32_t shuffle_xor(uint32_t value, int mask) {
  uint32_t other;
  asm volatile("shfl.sync.bfly.b32 %0, %1, %2, 31, 0xffffffff;" : "=r"(other) : "r"(value), "r"(mask));
  return other;
}

DEVICE double shuffle_xor(double value, int mask) {
  uint32_t half[2];
  __builtin_memcpy(half, &value, 8);
  half[0] = shuffle_xor(half[0], mask);
  half[1] = shuffle_xor(half[1], mask);
  __builtin_memcpy(&value, half, 8);
  return value;
}

// The lanes whose predicate holds, one bit each. All lanes take part.
DEVICE uint32_t lanes_where(bool predicate) {
  uint32_t lanes;
  asm volatile(
      "{\n\t"
      ".reg .pred p;\n\t"
      "setp.ne.u32 p, %1, 0;\n\t"
      "vote.sync.ballot.b32 %0, p, 0xffffffff;\n\t"
      "}"
      : "=r"(lanes)
      : "r"(static_cast<uint32_t>(predicate)));
  return lanes;
}

// The lowest of some lanes, of which there is one at least.
DEVICE int lowest_lane(uint32_t lanes) {
  int lane;
  asm("{\n\t"
      ".reg .b32 reversed;\n\t"
      "brev.b32 reversed, %1;\n\t"
      "clz.b32 %0, reversed;\n\t"
      "}"
      : "=r"(lane)
      : "r"(lanes));
  return lane;
}

// ---- Global memory ----------------------------------------------------------------------------------------------------

// 16 bytes that no thread writes while the kernel runs; the address is a multiple of 16.
DEVICE Words4 load_readonly16(const void* from) {
  Words4 v;
  asm("ld.global.nc.v4.b32 {%0, %1, %2, %3}, [%4];"
      : "=r"(v.word[0]), "=r"(v.word[1]), "=r"(v.word[2]), "=r"(v.word[3])
      : "l"(from));
  return v;
}

DEVICE Words4 load16(const void* from) {
  Words4 v;
  asm volatile("ld.global.v4.b32 {%0, %1, %2, %3}, [%4];"
               : "=r"(v.word[0]), "=r"(v.word[1]), "=r"(v.word[2]), "=r"(v.word[3])
               : "l"(from)
               : "memory");
  return v;
}

DEVICE void store16(void* to, const Words4& v) {
  asm volatile("st.global.v4.b32 [%0], {%1, %2, %3, %4};"
               :
               : "l"(to), "r"(v.word[0]), "r"(v.word[1]), "r"(v.word[2]), "r"(v.word[3])
               : "memory");
}

DEVICE Words2 load8(const void* from) {
  Words2 v;
  asm volatile("ld.global.v2.b32 {%0, %1}, [%2];" : "=r"(v.word[0]), "=r"(v.word[1]) : "l"(from) : "memory");
  return v;
}

DEVICE void store8(void* to, const Words2& v) {
  asm volatile("st.global.v2.b32 [%0], {%1, %2};" : : "l"(to), "r"(v.word[0]), "r"(v.word[1]) : "memory");
}

DEVICE bool is_aligned(const void* pointer, int bytes) { return (reinterpret_cast<size_t>(pointer) & (bytes - 1)) == 0; }

// ---- Shared memory ----------------------------------------------------------------------------------------------------
// Kernels that use the tensor cores address shared memory by 32-bit offsets, as ldmatrix and cp.async do.

// The block's dynamic shared memory, sized at launch.
extern __shared__ __attribute__((aligned(1024))) unsigned char dynamicShared[];

DEVICE uint32_t shared_address(const void* pointer) {
  uint64_t address;
  asm("cvta.to.shared.u64 %0, %1;" : "=l"(address) : "l"(pointer));
  return static_cast<uint32_t>(address);
}

DEVICE Words4 load_shared16(uint32_t from) {
  Words4 v;
  asm volatile("ld.shared.v4.b32 {%0, %1, %2, %3}, [%4];"
               : "=r"(v.word[0]), "=r"(v.word[1]), "=r"(v.word[2]), "=r"(v.word[3])
               : "r"(from)
               : "memory");
  return v;
}

DEVICE void store_shared16(uint32_t to, const Words4& v) {
  asm volatile("st.shared.v4.b32 [%0], {%1, %2, %3, %4};"
               :
               : "r"(to), "r"(v.word[0]), "r"(v.word[1]), "r"(v.word[2]), "r"(v.word[3])
               : "memory");
}

DEVICE float load_shared(uint32_t from) {
  float v;
  asm volatile("ld.shared.f32 %0, [%1];" : "=f"(v) : "r"(from) : "memory");
  return v;
}

DEVICE void store_shared(uint32_t to, float v) { asm volatile("st.shared.f32 [%0], %1;" : : "r"(to), "f"(v) : "memory"); }

DEVICE void store_shared8(uint32_t to, float v0, float v1) {
  asm volatile("st.shared.v2.f32 [%0], {%1, %2};" : : "r"(to), "f"(v0), "f"(v1) : "memory");
}

DEVICE void store_shared(uint32_t to, uint32_t v) { asm volatile("st.shared.b32 [%0], %1;" : : "r"(to), "r"(v) : "memory"); }

DEVICE void store_shared(uint32_t to, bf16 v) { asm volatile("st.shared.b16 [%0], %1;" : : "r"(to), "h"(v.bits) : "memory"); }

// ---- Asynchronous copies, global to shared ----------------------------------------------------------------------------

// Copies the first `bytes` (0 to 16) of 16 and fills the rest with zeros; both addresses are multiples of 16.
DEVICE void copy_async16(uint32_t to, const void* from, int bytes) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" : : "r"(to), "l"(from), "r"(bytes) : "memory");
}

// Closes a group of copies.
DEVICE void copy_async_commit() { asm volatile("cp.async.commit_group;" : : : "memory"); }

// Waits until at most `Pending` of this thread's newest groups are unfinished; a barrier must follow before other threads read.
template <int Pending>
DEVICE void copy_async_wait() {
  asm volatile("cp.async.wait_group %0;" : : "n"(Pending) : "memory");
}

// ---- Tensor cores of sm_80 --------------------------------------------------------------------------------------------
// Fragments of mma.m16n8k16, for lane = 4 g + t: A holds rows g and g + 8 at columns 2t, 2t+1 and 2t+8, 2t+9 in the order
// (g, 2t), (g + 8, 2t), (g, 2t + 8), (g + 8, 2t + 8); B holds column g at rows 2t, 2t+1 and 2t+8, 2t+9; C and D hold rows
// g and g + 8 at columns 2t, 2t+1.

// Four 8 x 8 matrices of 16-bit values; lanes 8 i to 8 i + 7 give the row addresses of matrix i.
DEVICE void load_matrix_x4(uint32_t (&m)[4], uint32_t row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(m[0]), "=r"(m[1]), "=r"(m[2]), "=r"(m[3])
               : "r"(row)
               : "memory");
}

// The same, each matrix transposed on the way.
DEVICE void load_matrix_x4_transposed(uint32_t (&m)[4], uint32_t row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(m[0]), "=r"(m[1]), "=r"(m[2]), "=r"(m[3])
               : "r"(row)
               : "memory");
}

// D (16, 8) += A (16, 16) B (16, 8), bf16 with fp32 sums.
DEVICE void mma_bf16(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// D (16, 8) += A (16, 8) B (8, 8), tf32 with fp32 sums. A: (g, t), (g + 8, t), (g, t + 4), (g + 8, t + 4); B: (t, g), (t + 4, g).
DEVICE void mma_tf32(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

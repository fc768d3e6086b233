// Kernels without instructions of their own, which must give the same results at -O0, -O1 and -O3. At -O0 every variable lies in local
// memory, every function is a call and every pointer is generic.
#include "device.cuh"
#include "threads.h"

#define PER_THREAD(name)                                                     \
  KERNEL(64) name(uint32_t* out, const uint32_t* in) {                       \
    uint32_t thread = blockIdx.x * 64 + threadIdx.x;                         \
    out[thread] = threads::name(thread, in);                                 \
  }
PER_THREAD(sorts)
PER_THREAD(structures)
PER_THREAD(integers)
PER_THREAD(floats)
PER_THREAD(bytes)

__constant__ const uint32_t primes[8] = {2, 3, 5, 7, 11, 13, 17, 19};
__device__ const uint16_t squares[8] = {0, 1, 4, 9, 16, 25, 36, 49};
__device__ uint32_t visits;

// Tables in constant and global memory, and one of them chosen at run time; a counter that all blocks share.
KERNEL(64) tables(uint32_t* out, const uint32_t* in) {
  static __device__ const uint8_t letters[] = "ptxsim!";
  uint32_t thread = blockIdx.x * 64 + threadIdx.x, at = in[thread] % 8;
  const uint32_t* words = thread % 2 ? primes : in;
  __atomic_fetch_add(&visits, 1, __ATOMIC_RELAXED);
  out[thread] = primes[at] * 65536 + squares[at] * 256 + letters[at % 7] + words[at];
}

// Reversed within a block through shared memory; a pointer that is shared or global by the thread.
KERNEL(64) shared(uint32_t* out, const uint32_t* in) {
  __shared__ uint32_t tile[64];
  __shared__ uint32_t sum;
  uint32_t thread = blockIdx.x * 64 + threadIdx.x;
  tile[threadIdx.x] = in[thread];
  if (threadIdx.x == 0) sum = 0;
  __syncthreads();
  __atomic_fetch_add(&sum, in[thread] & 255, __ATOMIC_RELAXED);
  const uint32_t* from = threadIdx.x % 3 == 0 ? &tile[63 - threadIdx.x] : &in[thread];
  uint32_t value = *from;
  __syncthreads();
  out[thread] = value + sum;
}

// A scan of each warp by shuffles, votes and a lane that leaves early.
KERNEL(64) warps(uint32_t* out, const uint32_t* in) {
  uint32_t thread = blockIdx.x * 64 + threadIdx.x, lane = threadIdx.x % 32, value = in[thread] & 1023, sum = value;
  for (uint32_t step = 1; step < 32; step *= 2) {
    uint32_t below = static_cast<uint32_t>(__nvvm_shfl_sync_up_i32(0xffffffff, static_cast<int>(sum), static_cast<int>(step), 0));
    if (lane >= step) sum += below;
  }
  uint32_t odd = __nvvm_vote_ballot_sync(0xffffffff, value % 2 == 1);
  uint32_t largest = static_cast<uint32_t>(__nvvm_redux_sync_umax(static_cast<int>(value), -1));
  if (value < 100) {
    out[thread] = 0;
    return;
  }
  out[thread] = sum * 64 + static_cast<uint32_t>(__builtin_popcount(odd)) + largest;
}

// Atomics on 32 and 64 bits and a compare-and-swap loop on a float; only what no order changes.
KERNEL(64) atomics(uint32_t* out, const uint32_t* in) {
  uint32_t thread = blockIdx.x * 64 + threadIdx.x, value = in[thread];
  auto* wide = reinterpret_cast<uint64_t*>(out) + 4;
  __atomic_fetch_add(&out[0], value, __ATOMIC_RELAXED);
  __atomic_fetch_xor(&out[1], value, __ATOMIC_RELAXED);
  __nvvm_atom_max_gen_ui(&out[2], value);
  __nvvm_atom_min_gen_i(reinterpret_cast<int*>(&out[3]), static_cast<int>(value));
  __atomic_fetch_add(wide, uint64_t{value} << 16, __ATOMIC_RELAXED);
  auto* sum = reinterpret_cast<uint32_t*>(&out[4]);
  uint32_t old = __atomic_load_n(sum, __ATOMIC_RELAXED), next;
  do {
    float now;
    __builtin_memcpy(&now, &old, 4);
    now += static_cast<float>(value & 7);
    __builtin_memcpy(&next, &now, 4);
  } while (!__atomic_compare_exchange_n(sum, &old, next, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
}

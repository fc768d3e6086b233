// Sums and maxima over a warp or a block, in an order that depends on the lanes alone, so that repeats give the same bits.
#pragma once

#include "device.cuh"

// The sum of all lanes' values, the same bits on every lane: the tree is symmetric and addition commutes.
template <typename T>
DEVICE T warp_sum(T value) {
  UNROLL for (int mask = WarpSize / 2; mask > 0; mask /= 2) value += shuffle_xor(value, mask);
  return value;
}

DEVICE float warp_max(float value) {
  UNROLL for (int mask = WarpSize / 2; mask > 0; mask /= 2) value = maximum(value, shuffle_xor(value, mask));
  return value;
}

// The sum over a block of `Threads` threads, the same bits on every thread. `scratch` has Threads / 32 values in shared
// memory; consecutive calls may share it.
template <int Threads, typename T>
DEVICE T block_sum(T value, T* scratch) {
  value = warp_sum(value);
  if (lane_id() == 0) scratch[warp_id()] = value;
  block_sync();
  T total = scratch[0];
  UNROLL for (int warp = 1; warp < Threads / WarpSize; ++warp) total += scratch[warp];
  block_sync();
  return total;
}

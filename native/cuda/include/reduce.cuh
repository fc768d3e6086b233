// Sums and maxima over a warp or a block, in an order that depends on the lanes alone, so that repeats give the same bits.
#pragma once

#include "device.cuh"

// The sum of all lanes' values, the same bits on every lane: the tree is symmetric and addition commutes.
template <typename T>
DEVICE T warp_sum(T value) {
  UNROLL for (int mask = WarpSize / 2; mask > 0; mask /= 2) value += shuffle_xor(value, mask);
  return value;
}

// Lane l gets the sum of all lanes' values[l], of 32: with each step there are half as many values, each the sum of twice as many lanes.
template <int Count>
DEVICE float warp_sums(const float (&values)[Count]) {
  if constexpr (Count == 1) {
    return values[0];
  } else {
    constexpr int Half = Count / 2;
    bool upper = (lane_id() & Half) != 0;
    float left[Half];
    UNROLL for (int i = 0; i < Half; ++i) {
      float kept = upper ? values[i + Half] : values[i], given = upper ? values[i] : values[i + Half];
      left[i] = kept + shuffle_xor(given, Half);
    }
    return warp_sums(left);
  }
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

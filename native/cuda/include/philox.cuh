// Philox 4x32-10, a function from a key and a counter to 128 random bits: src/Kernels/Random/Philox.cs.
#pragma once

#include "device.cuh"

struct PhiloxBlock {
  uint32_t x, y, z, w;
};

constexpr uint32_t PhiloxKeyStep0 = 0x9E3779B9u, PhiloxKeyStep1 = 0xBB67AE85u;

// The two products of a round.
DEVICE uint64_t philox_product_x(uint32_t x) { return static_cast<uint64_t>(0xD2511F53u) * x; }
DEVICE uint64_t philox_product_z(uint32_t z) { return static_cast<uint64_t>(0xCD9E8D57u) * z; }
DEVICE uint32_t high_word(uint64_t value) { return static_cast<uint32_t>(value >> 32); }
DEVICE uint32_t low_word(uint64_t value) { return static_cast<uint32_t>(value); }

// The counter itself, or what the first `Done` rounds have made of it.
template <int Done = 0>
DEVICE PhiloxBlock philox(uint32_t key0, uint32_t key1, PhiloxBlock c) {
  UNROLL for (int round = Done; round < 10; ++round) {
    uint64_t a = philox_product_x(c.x), b = philox_product_z(c.z);
    c = {high_word(b) ^ c.y ^ (key0 + round * PhiloxKeyStep0), low_word(b), high_word(a) ^ c.w ^ (key1 + round * PhiloxKeyStep1), low_word(a)};
  }
  return c;
}

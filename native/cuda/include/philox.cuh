// Philox 4x32-10, a function from a key and a counter to 128 random bits: src/Kernels/Random/Philox.cs.
#pragma once

#include "device.cuh"

struct PhiloxBlock {
  uint32_t x, y, z, w;
};

DEVICE PhiloxBlock philox(uint32_t key0, uint32_t key1, PhiloxBlock c) {
  UNROLL for (int round = 0; round < 10; ++round) {
    uint64_t a = static_cast<uint64_t>(0xD2511F53u) * c.x, b = static_cast<uint64_t>(0xCD9E8D57u) * c.z;
    c = {static_cast<uint32_t>(b >> 32) ^ c.y ^ key0, static_cast<uint32_t>(b), static_cast<uint32_t>(a >> 32) ^ c.w ^ key1,
         static_cast<uint32_t>(a)};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return c;
}

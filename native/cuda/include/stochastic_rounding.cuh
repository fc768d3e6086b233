// Stochastic rounding to bf16, bit for bit as src/Kernels/Random/StochasticRounding.cs does it.
#pragma once

#include "matrix.cuh"
#include "philox.cuh"

// The stream of random bits; layout of the host's struct RoundingBits.
struct RoundingBits {
  uint32_t key0, key1;
  uint32_t tensor;
  uint32_t step;
};

enum RoundedValue { RoundedWeight = 0, RoundedMean = 1, RoundedSquare = 2 };

// Upwards in magnitude for the share of 16 random bits that the part cut off is of 2^16.
DEVICE float round_stochastic(float value, uint32_t random) {
  uint32_t bits = float_bits(value);
  uint32_t rounded = value != value ? bits | 0x400000u : bits + random;
  return bits_float(rounded & 0xffff0000u);
}

// Rounds the pack that starts at a row's column `first`, a multiple of eight.
DEVICE void round_stochastic(Pack& pack, const RoundingBits& stream, RoundedValue value, int row, int first) {
  PhiloxBlock random = philox(stream.key0, stream.key1,
                              {static_cast<uint32_t>(first / PackSize) | static_cast<uint32_t>(value) << 28, static_cast<uint32_t>(row),
                               stream.tensor, stream.step});
  const uint32_t words[4] = {random.x, random.y, random.z, random.w};
  UNROLL for (int i = 0; i < PackSize; ++i) pack.v[i] = round_stochastic(pack.v[i], i % 2 == 0 ? words[i / 2] & 0xffffu : words[i / 2] >> 16);
}

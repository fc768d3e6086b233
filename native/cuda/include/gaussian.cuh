// The noise of the MMD term: Philox 4x32-10 and Box-Muller with fixed polynomials, bit for bit as src/Kernels/Random does it
// (Philox.cs, Gaussian.cs and GaussianNoise.cs say what each step is and where its constants come from).
#pragma once

#include "device.cuh"
#include "numeric.cuh"
#include "philox.cuh"

// Two Gaussians from two words: radius sqrt(-2 ln u), angle 2 pi v from its nearest quarter turn.
DEVICE void gaussian_pair(uint32_t first, uint32_t second, float& a, float& b) {
  int bits = static_cast<int>(float_bits(static_cast<float>((first >> 8) + 1)));  // exact
  float radius = sqrt_rn(mul_rn(-2.f, log_of_parts((bits >> 23) - 127 - 24, bits & 0x7FFFFF)));
  uint32_t k = second >> 8, quadrant = (k + (1u << 21)) >> 22;
  float t = mul_rn(static_cast<float>(static_cast<int>(k - (quadrant << 22))), 1.f / (1 << 22)), square = mul_rn(t, t);
  float s = fma_rn(0.00016044118478735982f, square, -0.0046817541353186881f);
  s = fma_rn(s, square, 0.079692626246167046f);
  s = fma_rn(s, square, -0.64596409750624625f);
  s = mul_rn(fma_rn(s, square, 1.5707963267948966f), t);
  float c = fma_rn(-2.5202042373060605e-5f, square, 0.00091926027483942659f);
  c = fma_rn(c, square, -0.020863480763352961f);
  c = fma_rn(c, square, 0.25366950790104802f);
  c = fma_rn(c, square, -1.2337005501361698f);
  c = fma_rn(c, square, 1.f);
  bool swap = (quadrant & 1) != 0;
  float sine = swap ? c : s, cosine = swap ? s : c;
  a = mul_rn(radius, ((quadrant + 1) & 2) != 0 ? -cosine : cosine);
  b = mul_rn(radius, (quadrant & 2) != 0 ? -sine : sine);
}

// Where a draw comes from; layout of the host's struct NoiseArgument.
struct CounterNoise {
  uint32_t key0, key1;
  uint32_t step;
  int layer;
};

// The counter of a draw is (channels and layer, position, pair, step), and Philox is made so that each word meets the others late: of its first
// two rounds, all products depend either on pair and position or on the channels. Here is what they leave, to be made once for many draws.
struct VectorNoise {
  uint32_t x, z, w;
};

struct ChannelNoise {
  uint32_t x, y, z;
};

DEVICE VectorNoise vector_noise(const CounterNoise& noise, int pair, int position) {
  uint64_t b = philox_product_z(static_cast<uint32_t>(pair));
  uint64_t a = philox_product_x(high_word(b) ^ static_cast<uint32_t>(position) ^ noise.key0);
  return {low_word(b) ^ (noise.key0 + PhiloxKeyStep0), high_word(a) ^ (noise.key1 + PhiloxKeyStep1), low_word(a)};
}

// Of channels 4 * quadruple to 4 * quadruple + 3.
DEVICE ChannelNoise channel_noise(const CounterNoise& noise, int quadruple) {
  uint64_t a = philox_product_x(static_cast<uint32_t>(quadruple) | (static_cast<uint32_t>(noise.layer) << 20));
  uint64_t b = philox_product_z(high_word(a) ^ noise.step ^ noise.key1);
  return {high_word(b), low_word(b), low_word(a)};
}

// The draw of four channels of a pair's position.
DEVICE void gaussians(const CounterNoise& noise, const VectorNoise& vector, const ChannelNoise& channels, float (&v)[4]) {
  PhiloxBlock bits = philox<2>(noise.key0, noise.key1, {channels.x ^ vector.x, channels.y, channels.z ^ vector.z, vector.w});
  gaussian_pair(bits.x, bits.y, v[0], v[1]);
  gaussian_pair(bits.z, bits.w, v[2], v[3]);
}

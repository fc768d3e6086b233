// exp and log from multiplications and explicit fused multiply-adds, so that every compiler and device gets the same bits.
// Within 2 ulp of the type over the ranges used; NaN passes through.
#pragma once

#include "device.cuh"

// exp(x) = 2^n exp(r) with |r| <= ln(2) / 2 and exp(r) by the minimax polynomial of Cephes expf (S. Moshier).
DEVICE float exp_accurate(float x) {
  // Beyond these bounds the result is 0 or infinity anyway. A comparison with NaN is false and keeps it.
  x = x < -104.f ? -104.f : x;
  x = x > 89.f ? 89.f : x;
  constexpr float Round = 12582912.f;  // 1.5 * 2^23: adding it leaves the nearest integer in the low bits
  float shifted = fma_rn(x, Log2E, Round);
  float n = add_rn(shifted, -Round);
  int exponent = static_cast<int>(float_bits(shifted)) - static_cast<int>(float_bits(Round));
  float r = fma_rn(n, -0.693359375f, x);  // ln 2 in two parts: n times the first is exact
  r = fma_rn(n, 2.12194440e-4f, r);
  float p = fma_rn(1.9875691500e-4f, r, 1.3981999507e-3f);
  p = fma_rn(p, r, 8.3334519073e-3f);
  p = fma_rn(p, r, 4.1665795894e-2f);
  p = fma_rn(p, r, 1.6666665459e-1f);
  p = fma_rn(p, r, 5.0000001201e-1f);
  p = add_rn(fma_rn(p, mul_rn(r, r), r), 1.f);
  int half = exponent >> 1;  // two factors, so that neither overflows where the result does not
  float low = bits_float(static_cast<uint32_t>(127 + half) << 23), high = bits_float(static_cast<uint32_t>(127 + exponent - half) << 23);
  return mul_rn(mul_rn(p, low), high);
}

// ln((1 + mantissa 2^-23) 2^exponent) by Cephes logf: the mantissa is brought to sqrt(1/2) .. sqrt(2).
DEVICE float log_of_parts(int exponent, int mantissa) {
  int high = mantissa >= 0x3504F3 ? 1 : 0;
  float f = add_rn(bits_float(static_cast<uint32_t>(mantissa | ((127 - high) << 23))), -1.f);
  float e = static_cast<float>(exponent + high);
  float p = fma_rn(7.0376836292e-2f, f, -1.1514610310e-1f);
  p = fma_rn(p, f, 1.1676998740e-1f);
  p = fma_rn(p, f, -1.2420140846e-1f);
  p = fma_rn(p, f, 1.4249322787e-1f);
  p = fma_rn(p, f, -1.6668057665e-1f);
  p = fma_rn(p, f, 2.0000714765e-1f);
  p = fma_rn(p, f, -2.4999993993e-1f);
  p = fma_rn(p, f, 3.3333331174e-1f);
  float square = mul_rn(f, f);
  float tail = fma_rn(mul_rn(p, f), square, mul_rn(e, -2.12194440e-4f));
  tail = fma_rn(-0.5f, square, tail);
  return fma_rn(e, 0.693359375f, add_rn(f, tail));
}

// ln(x) of a positive normal number, infinity or NaN.
DEVICE float log_accurate(float x) {
  if (!(x < 3.4028235e38f)) return x;
  int bits = static_cast<int>(float_bits(x));
  return log_of_parts((bits >> 23) - 127, bits & 0x7FFFFF);
}

// exp(x) for x <= 0 in double: Taylor to the 13th power on |r| <= ln(2) / 2, whose first term left out is below 1e-17.
DEVICE double exp_accurate(double x) {
  x = x < -745.2 ? -745.2 : x;
  int exponent = static_cast<int>(x * 1.4426950408889634 - 0.5);
  double n = exponent;
  double r = fma_rn(n, -0.693147180369123816490, x);  // ln 2 in two parts
  r = fma_rn(n, -1.90821492927058770002e-10, r);
  constexpr double InverseFactorials[] = {1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320, 1.0 / 5040,
                                          1.0 / 720,       1.0 / 120,      1.0 / 24,      1.0 / 6,      0.5,         1.0, 1.0};
  double p = 1.0 / 6227020800;
  UNROLL for (int i = 0; i < 13; ++i) p = fma_rn(p, r, InverseFactorials[i]);
  int half = exponent / 2;  // two factors: results down to the smallest subnormal
  return p * bits_double(static_cast<uint64_t>(1023 + half) << 52) * bits_double(static_cast<uint64_t>(1023 + exponent - half) << 52);
}

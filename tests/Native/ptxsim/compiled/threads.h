// What one thread of each kernel in threads.cu computes from its number and the inputs: plain C++, which clang compiles for the device at
// several levels and the host's compiler for the test, so that four compilations must agree. No result depends on how floats are contracted.
#pragma once

namespace threads {

constexpr uint32_t Inputs = 1024;

inline APART uint32_t mixed(uint32_t x) {
  x ^= x >> 16;
  x *= 0x7feb352du;
  x ^= x >> 15;
  x *= 0x846ca68bu;
  return x ^ x >> 16;
}

template <typename T>
DEVICE uint32_t folded(T value) {
  uint32_t words[2] = {0, 0};
  static_assert(sizeof(T) <= 8);
  __builtin_memcpy(words, &value, sizeof(T));
  return words[0] * 31 + words[1];
}

// Local memory that is indexed at run time, with a call for each comparison.
inline APART bool before(const uint32_t* a, const uint32_t* b) { return *a < *b; }
inline APART void swapped(uint32_t& a, uint32_t& b) {
  uint32_t kept = a;
  a = b;
  b = kept;
}
DEVICE uint32_t sorts(uint32_t thread, const uint32_t* in) {
  uint32_t values[12];
  for (uint32_t i = 0; i < 12; i++) values[i] = in[(thread * 7 + i * 13) % Inputs];
  for (uint32_t i = 1; i < 12; i++)
    for (uint32_t j = i; j > 0 && before(&values[j], &values[j - 1]); j--) swapped(values[j], values[j - 1]);
  uint32_t sum = 0;
  for (uint32_t i = 0; i < 12; i++) sum = sum * 33 + values[i];
  return sum + values[thread % 12];
}

// Structures by value, as arguments and as results.
struct Pair {
  uint64_t wide;
  float narrow;
  int8_t small[3];
};
inline APART Pair joined(Pair a, Pair b, int16_t shift) {
  Pair result = a;
  result.wide = a.wide << (shift & 15) ^ b.wide >> (shift & 7);
  result.narrow = a.narrow - b.narrow;
  for (int i = 0; i < 3; i++) result.small[i] = static_cast<int8_t>(a.small[i] * b.small[2 - i]);
  return result;
}
DEVICE uint32_t structures(uint32_t thread, const uint32_t* in) {
  Pair a{in[thread] * uint64_t{0x100000001}, static_cast<float>(thread), {1, -2, static_cast<int8_t>(thread)}};
  Pair b{~uint64_t{in[thread + 1]}, 0.5f, {static_cast<int8_t>(in[thread]), 5, -7}};
  for (int i = 0; i < 3; i++) {
    Pair c = joined(a, b, static_cast<int16_t>(thread + static_cast<uint32_t>(i)));
    a = b;
    b = c;
  }
  return folded(b.wide) ^ (folded(b.narrow) + static_cast<uint32_t>(b.small[0] + 3 * b.small[1] + 5 * b.small[2]));
}

// Integers of every width, with division, remainder, shifts, and a switch wide enough for a table.
inline APART uint32_t chosen(uint32_t which, uint32_t x, uint32_t y) {
  switch (which) {
    case 0: return x + y;
    case 1: return x - y;
    case 2: return x * y;
    case 3: return x / (y | 1);
    case 4: return x % (y | 1);
    case 5: return x << (y & 31);
    case 6: return x >> (y & 31);
    case 7: return static_cast<uint32_t>(__builtin_popcount(x)) + (x ? static_cast<uint32_t>(__builtin_clz(x)) : 32u);
    case 8: return x ? static_cast<uint32_t>(__builtin_ctz(x)) : 77u;
    case 9: return x << 7 | x >> 25;
    case 10: return __builtin_bswap32(x);
    default: return ~x;
  }
}
DEVICE uint32_t integers(uint32_t thread, const uint32_t* in) {
  uint32_t x = in[thread], y = in[(thread * 5 + 3) % Inputs], result = 0;
  for (uint32_t i = 0; i < 12; i++) result = result * 17 + chosen((thread + i) % 13, x, y);
  auto wide = static_cast<int64_t>(uint64_t{x} << 32 | y);
  int64_t divisor = static_cast<int32_t>(y) | 1;
  result ^= folded(wide / divisor) + folded(wide % divisor) + folded(static_cast<uint64_t>(wide) / (uint64_t{x} | 1)) + folded(static_cast<uint64_t>(wide) % 1000003);
  result += folded(wide >> (y & 63)) + folded(static_cast<uint64_t>(wide) >> (x & 63)) + folded(wide << (x & 63));
  auto h = static_cast<int16_t>(x), g = static_cast<int16_t>(y);
  auto c = static_cast<uint8_t>(x >> 8), d = static_cast<uint8_t>(y >> 3);
  result = result * 3 + static_cast<uint32_t>(static_cast<int16_t>(h * g) / static_cast<int16_t>(g | 1)) + static_cast<uint8_t>(c * d) + static_cast<uint32_t>(c < d) * 5;
  result += static_cast<uint32_t>(static_cast<int8_t>(x) >> (y & 7)) + static_cast<uint32_t>(h < g ? h : g) + (static_cast<uint16_t>(x) >> (y & 15));
  bool flag = (x & 4) != 0 ? (y & 8) == 0 : wide < 0;
  return flag ? result : result + mixed(result);
}

// Floats and doubles: one rounding an operation, conversions both ways, comparisons with NaN.
DEVICE uint32_t floats(uint32_t thread, const uint32_t* in) {
  float a = static_cast<float>(static_cast<int32_t>(in[thread])) * 0x1p-20f, b = static_cast<float>(in[thread + 2]) * 0x1p-24f + 1.0f;
  double c = static_cast<double>(a) / static_cast<double>(b), d = c * 1e-3 - static_cast<double>(in[thread]);
  float q = a / b, nan = thread % 5 == 0 ? __builtin_nanf("") : q;
  uint32_t result = folded(q) + folded(a * b - q) + folded(c) * 3 + folded(d - c * c);
  result += (nan < a) + 2u * (nan != nan) + 4u * !(nan >= a) + 8u * (a > b ? 1u : 0u);
  result ^= static_cast<uint32_t>(static_cast<int32_t>(q)) + static_cast<uint32_t>(static_cast<int64_t>(d)) + static_cast<uint32_t>(static_cast<int16_t>(static_cast<int32_t>(a) / 65536));
  result += folded(static_cast<float>(d)) + folded(-a) + folded(__builtin_fabsf(a)) + folded(static_cast<double>(static_cast<int64_t>(d)) + 0.5);
  return result + folded(static_cast<float>(uint64_t{in[thread]} << 20)) + folded(static_cast<float>(static_cast<int8_t>(in[thread])));
}

// Memory by bytes, unions, pointers to pointers, volatile.
DEVICE uint32_t bytes(uint32_t thread, const uint32_t* in) {
  union {
    uint32_t word[4];
    uint16_t half[8];
    uint8_t byte[16];
  } u{}, v{};
  __builtin_memcpy(&u, in + thread, 16);
  __builtin_memset(&v, static_cast<int>(thread) & 255, 16);
  __builtin_memcpy(v.byte + 3, u.byte + (thread % 8), 5);
  uint8_t* places[3] = {&v.byte[thread % 16], &u.byte[(thread / 2) % 16], &v.byte[15]};
  volatile uint32_t kept = 0;
  for (uint32_t i = 0; i < 7; i++) {
    *places[i % 3] = static_cast<uint8_t>(*places[(i + 1) % 3] + i);
    kept = kept + *places[i % 3];
  }
  return kept * 7 + u.half[thread % 8] + v.word[thread % 4] + v.half[3];
}

}  // namespace threads

// Three kernels that use what is easy to get wrong: a bf16 matrix product on tensor cores with a ring of two asynchronous copies, causal
// attention with running maxima, and a sum of random numbers over blocks. Each takes one mistake as a parameter.
#pragma once

#include "device.cuh"

enum class Bug {
  None,
  // of a kernel
  WaitsForTooFewCopies, NoBarrierAfterWait, NoBarrierBeforeRefill, BarrierInOneWarp, ReadsPastRows, WritesPastColumns,
  // of a wrapper around one instruction
  MatrixRowOffByEight, CopyIgnoresItsLength, CopyOfFourBytes, SumIsNotAtomic, SumInWrongSpace,
};

DEVICE uint32_t sharedAddress(const void* pointer) {
  uint64_t address;
  asm("cvta.to.shared.u64 %0, %1;" : "=l"(address) : "l"(pointer));
  return static_cast<uint32_t>(address);
}

// `bytes` (0 to 16) of 16 from global to shared memory, the rest zeros.
template <Bug bug>
DEVICE void copy16(uint32_t to, const void* from, uint32_t bytes) {
  if constexpr (bug == Bug::CopyIgnoresItsLength) asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to), "l"(from) : "memory");
  else if constexpr (bug == Bug::CopyOfFourBytes) asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(to), "l"(from), "r"(bytes / 4) : "memory");
  else asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(bytes) : "memory");
}
DEVICE void commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int Pending>
DEVICE void waitForCopies() { asm volatile("cp.async.wait_group %0;" ::"n"(Pending) : "memory"); }

template <Bug bug>
DEVICE void loadMatrices(uint32_t (&m)[4], uint32_t row) {
  if constexpr (bug == Bug::MatrixRowOffByEight) row += 8;
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];" : "=r"(m[0]), "=r"(m[1]), "=r"(m[2]), "=r"(m[3]) : "r"(row) : "memory");
}
DEVICE void loadTransposed(uint32_t (&m)[4], uint32_t row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];" : "=r"(m[0]), "=r"(m[1]), "=r"(m[2]), "=r"(m[3]) : "r"(row) : "memory");
}
DEVICE void multiply(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
DEVICE float fromLane(float value, int mask) {
  float other;
  asm volatile("shfl.sync.bfly.b32 %0, %1, %2, 31, 0xffffffff;" : "=f"(other) : "f"(value), "r"(mask));
  return other;
}
DEVICE uint32_t toBf16x2(float low, float high) {
  uint32_t pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
}
DEVICE float exp2Of(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
DEVICE float log2Of(float x) {
  float y;
  asm("lg2.approx.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
template <Bug bug>
DEVICE void addTo(float* sum, float value) {
  if constexpr (bug == Bug::SumIsNotAtomic) *sum = *sum + value;
  else if constexpr (bug == Bug::SumInWrongSpace) asm volatile("red.shared.add.f32 [%0], %1;" ::"l"(sum), "f"(value) : "memory");
  else asm volatile("red.global.add.f32 [%0], %1;" ::"l"(sum), "f"(value) : "memory");
}

// ---- C (M, N) = A (M, K) B (N, K)^T. Tiles of 64 x 64 x 32, 4 warps of 32 x 32; a row of a tile has 40 values, against bank conflicts.
constexpr uint32_t Tile = 64, Depth = 32, TileRow = 40 * 2, TileBytes = Tile * TileRow;

template <Bug bug>
DEVICE void loadTile(uint32_t to, const uint16_t* from, uint32_t rows, uint32_t row0, uint32_t columns, uint32_t column0) {
  UNROLL for (uint32_t i = 0; i < 2; i++) {
    uint32_t chunk = threadIdx.x + i * 128, row = chunk / 4, column = chunk % 4 * 8;
    bool isInside = (bug == Bug::ReadsPastRows || row0 + row < rows) && column0 + column < columns;
    // Where nothing is inside the address stands for nothing, unless the copy ignores its length.
    bool isNear = isInside || bug == Bug::CopyIgnoresItsLength;
    copy16<bug>(to + row * TileRow + column * 2, isNear ? from + size_t{row0 + row} * columns + column0 + column : from, isInside ? 16 : 0);
  }
}

template <Bug bug>
DEVICE void product(const uint16_t* a, const uint16_t* b, float* c, uint32_t m, uint32_t n, uint32_t k) {
  uint32_t base = sharedAddress(dynamicShared), lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  uint32_t row0 = blockIdx.y * Tile, column0 = blockIdx.x * Tile, warpRow = warp / 2 * 32, warpColumn = warp % 2 * 32;
  float sums[2][4][4] = {};
  uint32_t steps = (k + Depth - 1) / Depth;
  auto load = [&](uint32_t step) {
    uint32_t to = base + step % 2 * 2 * TileBytes;
    loadTile<bug>(to, a, m, row0, k, step * Depth);
    loadTile<bug>(to + TileBytes, b, n, column0, k, step * Depth);
  };
  load(0);
  commit();
  for (uint32_t step = 0; step < steps; step++) {
    if (step + 1 < steps) load(step + 1);
    commit();
    waitForCopies<bug == Bug::WaitsForTooFewCopies ? 2 : 1>();
    if (bug != Bug::NoBarrierAfterWait) __syncthreads();
    uint32_t tileA = base + step % 2 * 2 * TileBytes, tileB = tileA + TileBytes;
    UNROLL for (uint32_t d = 0; d < Depth; d += 16) {
      uint32_t partA[2][4], partB[2][4];
      UNROLL for (uint32_t i = 0; i < 2; i++) {
        loadMatrices<bug>(partA[i], tileA + (warpRow + i * 16 + lane % 16) * TileRow + (d + lane / 16 * 8) * 2);
        loadMatrices<Bug::None>(partB[i], tileB + (warpColumn + i * 16 + lane % 8 + lane / 16 * 8) * TileRow + (d + lane / 8 % 2 * 8) * 2);
      }
      UNROLL for (uint32_t i = 0; i < 2; i++)
        UNROLL for (uint32_t j = 0; j < 4; j++) multiply(sums[i][j], partA[i], partB[j / 2][j % 2 * 2], partB[j / 2][j % 2 * 2 + 1]);
    }
    if (bug != Bug::NoBarrierBeforeRefill) __syncthreads();
    if (bug == Bug::BarrierInOneWarp && lane < 16 && step == 0) __syncthreads();
  }
  UNROLL for (uint32_t i = 0; i < 2; i++)
    UNROLL for (uint32_t j = 0; j < 4; j++)
      UNROLL for (uint32_t e = 0; e < 4; e++) {
        uint32_t row = row0 + warpRow + i * 16 + lane / 4 + e / 2 * 8, column = column0 + warpColumn + j * 8 + lane % 4 * 2 + e % 2;
        if (row < m && (column < n || bug == Bug::WritesPastColumns)) c[size_t{row} * n + column] = sums[i][j][e];
      }
}

// ---- Causal attention of one head of 64: 64 queries and 64 keys at a time, 4 warps of 16 queries. q, k, v, o (S, 64), lse (S).
DEVICE void loadRows(uint32_t to, const uint16_t* from, uint32_t row0, uint32_t rows) {
  UNROLL for (uint32_t i = 0; i < 4; i++) {
    uint32_t chunk = threadIdx.x + i * 128, row = chunk / 8, column = chunk % 8 * 8;
    bool isInside = row0 + row < rows;
    copy16<Bug::None>(to + row * 144 + column * 2, isInside ? from + size_t{row0 + row} * 64 + column : from, isInside ? 16 : 0);
  }
}

DEVICE void attend(const uint16_t* q, const uint16_t* k, const uint16_t* v, uint16_t* o, float* lse, uint32_t rows) {
  constexpr uint32_t Part = 64 * 144;
  constexpr float Lowest = -1e30f;
  uint32_t shared = sharedAddress(dynamicShared), lane = threadIdx.x % 32, warp = threadIdx.x / 32, first = blockIdx.x * 64;
  loadRows(shared, q, first, rows);
  float highest[2] = {Lowest, Lowest}, total[2] = {0, 0}, out[8][4] = {};
  for (uint32_t key0 = 0; key0 <= first; key0 += 64) {
    loadRows(shared + Part, k, key0, rows);
    loadRows(shared + 2 * Part, v, key0, rows);
    commit();
    waitForCopies<0>();
    __syncthreads();
    float scores[8][4] = {};
    UNROLL for (uint32_t d = 0; d < 4; d++) {
      uint32_t query[4];
      loadMatrices<Bug::None>(query, shared + (warp * 16 + lane % 16) * 144 + (d * 16 + lane / 16 * 8) * 2);
      UNROLL for (uint32_t n = 0; n < 4; n++) {
        uint32_t keys[4];
        loadMatrices<Bug::None>(keys, shared + Part + (n * 16 + lane % 8 + lane / 16 * 8) * 144 + (d * 16 + lane / 8 % 2 * 8) * 2);
        multiply(scores[2 * n], query, keys[0], keys[1]);
        multiply(scores[2 * n + 1], query, keys[2], keys[3]);
      }
    }
    UNROLL for (uint32_t h = 0; h < 2; h++) {
      uint32_t row = first + warp * 16 + lane / 4 + h * 8;
      float most = highest[h];
      UNROLL for (uint32_t n = 0; n < 8; n++)
        UNROLL for (uint32_t e = 0; e < 2; e++) {
          float& score = scores[n][2 * h + e];
          score = key0 + n * 8 + lane % 4 * 2 + e > row ? Lowest : score * 0.18033688f;  // log2(e) / sqrt(64)
          most = score > most ? score : most;
        }
      UNROLL for (int step = 1; step < 4; step *= 2) {
        float other = fromLane(most, step);
        most = other > most ? other : most;
      }
      float factor = exp2Of(highest[h] - most);
      highest[h] = most;
      total[h] *= factor;
      UNROLL for (uint32_t n = 0; n < 8; n++)
        UNROLL for (uint32_t e = 0; e < 2; e++) {
          out[n][2 * h + e] *= factor;
          total[h] += scores[n][2 * h + e] = exp2Of(scores[n][2 * h + e] - most);
        }
    }
    UNROLL for (uint32_t j = 0; j < 4; j++) {
      float(&s)[4] = scores[2 * j], (&t)[4] = scores[2 * j + 1];
      uint32_t weights[4] = {toBf16x2(s[0], s[1]), toBf16x2(s[2], s[3]), toBf16x2(t[0], t[1]), toBf16x2(t[2], t[3])};
      UNROLL for (uint32_t n = 0; n < 4; n++) {
        uint32_t values[4];
        loadTransposed(values, shared + 2 * Part + (j * 16 + lane % 16) * 144 + (n * 16 + lane / 16 * 8) * 2);
        multiply(out[2 * n], weights, values[0], values[1]);
        multiply(out[2 * n + 1], weights, values[2], values[3]);
      }
    }
    __syncthreads();
  }
  UNROLL for (uint32_t h = 0; h < 2; h++) {
    UNROLL for (int step = 1; step < 4; step *= 2) total[h] += fromLane(total[h], step);
    uint32_t row = first + warp * 16 + lane / 4 + h * 8;
    if (row >= rows) continue;
    if (lane % 4 == 0) lse[row] = (highest[h] + log2Of(total[h])) * 0.6931471805599453f;
    UNROLL for (uint32_t n = 0; n < 8; n++)
      *reinterpret_cast<uint32_t*>(o + size_t{row} * 64 + n * 8 + lane % 4 * 2) = toBf16x2(out[n][2 * h] / total[h], out[n][2 * h + 1] / total[h]);
  }
}

// ---- The sum of n numbers below 2^-16 that Philox 4x32-10 gives: whole multiples of 2^-24 with an exact sum, in whatever order.
template <Bug bug>
DEVICE void randomSum(float* sum, uint32_t seed, uint32_t n) {
  auto* parts = reinterpret_cast<float*>(dynamicShared);
  uint32_t i = blockIdx.x * 256 + threadIdx.x, c[4] = {i, 0, 0, 0}, k[2] = {seed, 0x1234567u};
  UNROLL for (int round = 0; round < 10; round++) {
    uint64_t p = uint64_t{0xD2511F53u} * c[0], q = uint64_t{0xCD9E8D57u} * c[2];
    uint32_t mixed[4] = {static_cast<uint32_t>(q >> 32) ^ c[1] ^ k[0], static_cast<uint32_t>(q), static_cast<uint32_t>(p >> 32) ^ c[3] ^ k[1], static_cast<uint32_t>(p)};
    UNROLL for (int w = 0; w < 4; w++) c[w] = mixed[w];
    k[0] += 0x9E3779B9u;
    k[1] += 0xBB67AE85u;
  }
  float value = i < n ? static_cast<float>(c[0] >> 24) * 0x1p-24f : 0.0f;
  UNROLL for (int step = 16; step > 0; step /= 2) value += fromLane(value, step);
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = value;
  __syncthreads();
  if (threadIdx.x != 0) return;
  float all = 0;
  for (int w = 0; w < 8; w++) all += parts[w];
  addTo<bug>(sum, all);
}

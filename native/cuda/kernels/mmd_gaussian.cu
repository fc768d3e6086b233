// Family mmd_gaussian: squared distances between the vectors of a batch and a Gaussian draw that is made in registers wherever
// it is needed and never stored, the MMD of five Gaussian kernels from them, and its gradient. Formulas and conventions:
// src/Kernels/Contract/Device.MmdGaussian.cs.
//
// There are 2B vectors: B of x, then B of noise. Their entries lie sorted by position; the entries of one position are a run.
// distances: vectors are cut into tiles of eight, x apart from noise, and a block takes one pair of tiles, one part of the runs
// and all channels: 64 sums of squared differences in registers, fp32 within a run, double across runs. finish: one block adds
// the parts in order and makes bandwidth, MMD and coefficients. backward: a block per run and part of the channels; a thread
// makes each vector of its four channels once and adds it to eight gradients at a time.
#include "gaussian.cuh"
#include "matrix.cuh"
#include "reduce.cuh"

namespace {
constexpr int Threads = 128;
constexpr int Tile = 8;
constexpr int Sums = Tile * Tile;
constexpr int FinishThreads = 256;
constexpr int KernelCount = 5;

// The plan's entries and where the draw comes from: `buffer` (R, C) where its data is not null, else the counter.
struct Entries {
  const int* pairs;      // (R)
  const int* positions;  // (R), ascending
  const int* pairIds;    // (B)
  int rows, pairCount;   // R, B
  CounterNoise counter;
  Matrix<const float> buffer;
};

struct alignas(16) Quad {
  float v[4];
};

template <typename T>
DEVICE Quad load_quad(const Matrix<const T>& m, int r, int first) {
  Quad quad;
  const T* from = m.row(r) + first;
  UNROLL for (int i = 0; i < 4; ++i) quad.v[i] = first + i < m.columns ? to_float(from[i]) : 0.f;
  return quad;
}

// Channels 4q to 4q + 3 of the draw of entry r; those past the last channel are zero.
DEVICE Quad noise_quad(const Entries& e, int r, int q, int columns) {
  if (e.buffer.data != nullptr) return load_quad(e.buffer, r, 4 * q);
  Quad quad;
  gaussians(e.counter, e.pairIds[e.pairs[r]], e.positions[r], q, quad.v);
  UNROLL for (int i = 0; i < 4; ++i) quad.v[i] = 4 * q + i < columns ? quad.v[i] : 0.f;
  return quad;
}

// The four channels of vector v, of x or of the noise, whose entry is r; zero where the pair has none at this position.
template <typename T>
DEVICE Quad vector_quad(const Matrix<const T>& x, const Entries& e, bool isNoise, int r, int q) {
  if (r < 0) return Quad{};
  return isNoise ? noise_quad(e, r, q, x.columns) : load_quad(x, r, 4 * q);
}

// First entry of a run at or after r.
DEVICE int run_start(const int* positions, int r, int rows) {
  while (r > 0 && r < rows && positions[r] == positions[r - 1]) ++r;
  return r < rows ? r : rows;
}

DEVICE int run_end(const int* positions, int r, int rows) {
  int position = positions[r];
  while (r < rows && positions[r] == position) ++r;
  return r;
}

// partials (tile pairs, parts, 64). Grid: parts along x, pairs of tiles (a <= b) along y.
template <typename T>
DEVICE void distances(double* partials, const Matrix<const T>& x, const Entries& e, int tiles) {
  // A thread's own vectors: kept here because the loop that makes them is too long to repeat for each.
  __shared__ Quad vectors[2 * Tile][Threads];
  __shared__ int entryA[Tile], entryB[Tile];
  __shared__ float warpSums[Threads / WarpSize][Sums];
  int a = 0, b = static_cast<int>(blockIdx.y), width = 2 * tiles;
  while (b >= width - a) b -= width - a++;
  b += a;
  bool noiseA = a >= tiles, noiseB = b >= tiles;
  int firstA = (noiseA ? a - tiles : a) * Tile, firstB = (noiseB ? b - tiles : b) * Tile;
  int64_t part = blockIdx.x;
  int first = run_start(e.positions, static_cast<int>(part * e.rows / gridDim.x), e.rows);
  int last = run_start(e.positions, static_cast<int>((part + 1) * e.rows / gridDim.x), e.rows);
  int thread = static_cast<int>(threadIdx.x), quads = (x.columns + 3) / 4;
  double total = 0;  // of sum `thread`, where thread < 64
  for (int begin = first, end; begin < last; begin = end) {
    end = run_end(e.positions, begin, e.rows);
    if (thread < Tile) entryA[thread] = entryB[thread] = -1;
    block_sync();
    for (int r = begin + thread; r < end; r += Threads) {
      int slotA = e.pairs[r] - firstA, slotB = e.pairs[r] - firstB;
      if (slotA >= 0 && slotA < Tile) entryA[slotA] = r;
      if (slotB >= 0 && slotB < Tile) entryB[slotB] = r;
    }
    block_sync();
    float sums[Tile][Tile] = {};
    for (int q = thread; q < quads; q += Threads) {
      NO_UNROLL for (int i = 0; i < Tile; ++i) {
        vectors[i][thread] = vector_quad(x, e, noiseA, entryA[i], q);
        vectors[Tile + i][thread] = vector_quad(x, e, noiseB, entryB[i], q);
      }
      Quad rows[Tile];
      UNROLL for (int i = 0; i < Tile; ++i) rows[i] = vectors[i][thread];
      UNROLL for (int j = 0; j < Tile; ++j) {
        Quad other = vectors[Tile + j][thread];
        UNROLL for (int i = 0; i < Tile; ++i) {
          UNROLL for (int k = 0; k < 4; ++k) {
            float difference = add_rn(rows[i].v[k], -other.v[k]);
            sums[i][j] = fma_rn(difference, difference, sums[i][j]);
          }
        }
      }
    }
    UNROLL for (int i = 0; i < Tile; ++i) {
      UNROLL for (int j = 0; j < Tile; ++j) {
        float sum = warp_sum(sums[i][j]);
        if (lane_id() == 0) warpSums[warp_id()][i * Tile + j] = sum;
      }
    }
    block_sync();
    if (thread < Sums) {
      UNROLL for (int w = 0; w < Threads / WarpSize; ++w) total += static_cast<double>(warpSums[w][thread]);
    }
  }
  if (thread < Sums) partials[(static_cast<size_t>(blockIdx.y) * gridDim.x + blockIdx.x) * Sums + thread] = total;
}

// sum over the kernels of exp(-d / width), and of minus its slope in d.
DEVICE double kernel_sum(double distance, double bandwidth, double& slope) {
  double sum = 0;
  slope = 0;
  double width = bandwidth;
  NO_UNROLL for (int m = 0; m < KernelCount; ++m, width *= 2) {
    double value = exp_accurate(-distance / width);
    sum += value;
    slope -= value / width;
  }
  return sum;
}

// dX[r] = factor * sum over j of coefficients[pair(r), j] (x[r] - z_j). Grid: entries along x, of which those that begin a run
// work, and parts of the channels along y.
template <typename T>
DEVICE void backward(const Matrix<T>& dX, const Matrix<const double>& coefficients, const Matrix<const T>& x, const Entries& e,
                     float factor) {
  int begin = static_cast<int>(blockIdx.x);
  if (begin > 0 && e.positions[begin] == e.positions[begin - 1]) return;
  int end = run_end(e.positions, begin, e.rows), quads = (x.columns + 3) / 4, pairs = e.pairCount;
  for (int q = static_cast<int>(blockIdx.y * Threads + threadIdx.x); q < quads; q += static_cast<int>(gridDim.y * Threads)) {
    NO_UNROLL for (int base = begin; base < end; base += Tile) {
      Quad own[Tile], sum[Tile] = {};
      UNROLL for (int i = 0; i < Tile; ++i) own[i] = base + i < end ? load_quad(x, base + i, 4 * q) : Quad{};
      // Pairs without an entry here stand at zero; entries follow the order of pairs.
      for (int half = 0, r = begin; half < 2; ++half, r = begin) {
        NO_UNROLL for (int pair = 0; pair < pairs; ++pair) {
          bool present = r < end && e.pairs[r] == pair;
          Quad other = vector_quad(x, e, half != 0, present ? r : -1, q);
          if (present) ++r;
          UNROLL for (int i = 0; i < Tile; ++i) {
            if (base + i >= end) continue;
            float c = static_cast<float>(coefficients.row(e.pairs[base + i])[half * pairs + pair]);
            UNROLL for (int k = 0; k < 4; ++k) sum[i].v[k] = fma_rn(c, add_rn(own[i].v[k], -other.v[k]), sum[i].v[k]);
          }
        }
      }
      UNROLL for (int i = 0; i < Tile; ++i) {
        if (base + i >= end) continue;
        T* to = dX.row(base + i) + 4 * q;
        UNROLL for (int k = 0; k < 4; ++k)
          if (4 * q + k < x.columns) assign(to[k], factor * sum[i].v[k]);
      }
    }
  }
}
}  // namespace

#define MMD(name, T)                                                                                                         \
  KERNEL(Threads, 1, mmd_gaussian_distances_##name)(double* partials, Matrix<const T> x, Entries entries, int tiles) {       \
    distances(partials, x, entries, tiles);                                                                                  \
  }                                                                                                                          \
  KERNEL(Threads, 1, mmd_gaussian_backward_##name)                                                                           \
  (Matrix<T> dX, Matrix<const double> coefficients, Matrix<const T> x, Entries entries, float factor) {                      \
    backward(dX, coefficients, x, entries, factor);                                                                          \
  }
MMD(bf16, bf16)
MMD(f32, float)

// One block. distances (2B, 2B) is workspace; partials are those of mmd_gaussian_distances with `parts` parts.
KERNEL(FinishThreads, 1, mmd_gaussian_finish)
(double* mmd, Matrix<double> coefficients, double* distances, const double* partials, int pairs, int tiles, int parts) {
  __shared__ double scratch[FinishThreads / WarpSize];
  int count = 2 * pairs, width = 2 * tiles;
  double sum = 0;
  for (int cell = static_cast<int>(threadIdx.x); cell < count * count; cell += FinishThreads) {
    int i = cell / count, j = cell - i * count;
    if (j < i) continue;
    // Vector v lies in tile v / 8 of x, or behind the tiles of x in that of the noise; tile pairs (a, b) follow row by row.
    int a = i < pairs ? i / Tile : tiles + (i - pairs) / Tile, b = j < pairs ? j / Tile : tiles + (j - pairs) / Tile;
    int rowInTile = (i < pairs ? i : i - pairs) % Tile, columnInTile = (j < pairs ? j : j - pairs) % Tile;
    int tilePair = a * width - a * (a - 1) / 2 + b - a;
    double distance = 0;
    for (int part = 0; part < parts; ++part)
      distance += partials[(static_cast<size_t>(tilePair) * parts + part) * Sums + rowInTile * Tile + columnInTile];
    distances[i * count + j] = distances[j * count + i] = distance;
    sum += i == j ? distance : 2 * distance;
  }
  sum = block_sum<FinishThreads>(sum, scratch);  // and the distances of all threads are written
  double n = count, bandwidth = pairs == 0 ? 0 : sum / (n * n - n) / 4, squared = static_cast<double>(pairs) * pairs;
  double total = 0;
  for (int cell = static_cast<int>(threadIdx.x); cell < count * count; cell += FinishThreads) {
    int i = cell / count, j = cell - i * count;
    double slope, value = kernel_sum(distances[cell], bandwidth, slope);
    total += (i < pairs) == (j < pairs) ? value : -value;
    if (i < pairs) coefficients.row(i)[j] = bandwidth == 0 ? 0 : (j < pairs ? 4 : -4) * slope / squared;
  }
  total = block_sum<FinishThreads>(total, scratch);
  if (threadIdx.x == 0) *mmd = bandwidth == 0 ? 0 : total / squared;
}

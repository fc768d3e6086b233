// Family mmd_gaussian: squared distances between the vectors of a batch and a Gaussian draw that is made in registers wherever
// it is needed and never stored, the MMD of five Gaussian kernels from them, and its gradient. Formulas and conventions:
// src/Kernels/Contract/Device.MmdGaussian.cs.
//
// There are 2B vectors: B of x, then B of noise. Their entries lie sorted by position; the entries of one position are a run. Eight pairs are
// a tile, of 16 vectors: x of the eight, then their noise. Channels go in quads, as the noise is drawn.
// distances: a block takes a tile, or two different ones, a part of the runs and a slice of the channels. Its warps load and draw each vector once
// and share them in shared memory, 32 quads at a time; then each sums squared differences between four vectors and eight others, or 16. fp32
// within a slice of a run, double across runs.
// finish: one block adds what the blocks found, in order, and makes bandwidth, MMD and coefficients.
// backward: a block takes a tile's gradients, likewise; a thread keeps eight vectors of x and their gradients in registers and meets each other
// vector once.
#include "mmd_runs.cuh"
#include "reduce.cuh"

namespace {
constexpr int Threads = 128;
constexpr int Warps = Threads / WarpSize;
constexpr int Vectors = 2 * Tile;  // of a tile
constexpr int WarpRows = Vectors / Warps;
constexpr int WithinSums = Vectors * Tile;      // of a tile: every vector with the eight that follow it, round the tile
constexpr int AcrossSums = Vectors * Vectors;   // of two tiles: every vector of the first with every one of the second
constexpr int FinishThreads = 512;
constexpr int KernelCount = 5;

DEVICE void add_square(float& sum, const Quad& a, const Quad& b) {
  UNROLL for (int k = 0; k < 4; ++k) {
    float difference = sub_rn(a.v[k], b.v[k]);
    sum = fma_rn(difference, difference, sum);
  }
}

// A warp's sums of squared differences, one each of `Totals` times 32: lane l has number 32 h + l of them in total[h].
template <bool Within>
struct WarpSums;

// Within a tile: of each of four vectors with the eight that follow it, number row * 8 + distance - 1. Of vectors eight apart both are the same.
template <>
struct WarpSums<true> {
  static constexpr int Tiles = 1, Totals = 1;
  float sums[Totals][WarpSize];

  DEVICE void add(const Quad (*vectors)[WarpSize]) {
    int lane = lane_id(), warp = warp_id();
    Quad rows[WarpRows];
    UNROLL for (int at = 0; at < WarpRows + Tile; ++at) {
      Quad other = vectors[(warp + at / WarpRows) % Warps * WarpRows + at % WarpRows][lane];
      UNROLL for (int i = 0; i < WarpRows; ++i) {
        if (at > i && at - i <= Tile) add_square(sums[0][i * Tile + at - i - 1], rows[i], other);
      }
      if (at < WarpRows) rows[at] = other;
    }
  }
};

// Of two tiles: of each of four vectors of the first with all of the second, number row * 16 + column.
template <>
struct WarpSums<false> {
  static constexpr int Tiles = 2, Totals = 2;
  float sums[Totals][WarpSize];

  DEVICE void add(const Quad (*vectors)[WarpSize]) {
    int lane = lane_id(), first = warp_id() * WarpRows;
    Quad rows[WarpRows];
    UNROLL for (int i = 0; i < WarpRows; ++i) rows[i] = vectors[first + i][lane];
    UNROLL for (int j = 0; j < Vectors; ++j) {
      Quad other = vectors[Vectors + j][lane];
      UNROLL for (int i = 0; i < WarpRows; ++i) add_square(sums[i / 2][i % 2 * Vectors + j], rows[i], other);
    }
  }
};

// partials (tiles or pairs of them, slices, parts, sums). Grid: parts along x, slices along y; along z tiles, or pairs of them in the order
// (0, 1), (0, 2), (1, 2), (0, 3) ...
template <bool Within, typename T>
DEVICE void distances(double* partials, const Matrix<const T>& matrix, const Entries& e) {
  using Sums = WarpSums<Within>;
  constexpr int Made = Tile / Warps;  // entries of a tile whose vectors a warp makes
  // Two, so that one barrier a step will do: a warp that writes the next may overtake one that reads this.
  __shared__ Quad vectors[2][Sums::Tiles * Vectors][WarpSize];
  Quads<const T> x(matrix);
  Quads<const float> buffer(e.buffer);
  int lane = lane_id(), warp = warp_id(), turn = 0, last = static_cast<int>(blockIdx.z), tile = last;
  if constexpr (!Within) {
    for (last = 1; tile >= last; ++last) tile -= last;
  }
  TileLane tiles[Sums::Tiles];
  tiles[0] = TileLane(e, tile);
  if constexpr (!Within) tiles[1] = TileLane(e, last);
  Part part(e);
  int columns = matrix.columns, quads = (columns + 3) / 4;
  Slice<WarpSize> slice(quads);
  // Of a tile with four pairs or less, half of the warps have no vectors to compare.
  bool works = !Within || tiles[0].first + warp * WarpRows % Tile < e.pairCount;
  double total[Sums::Totals] = {};
  for (int begin = part.begin, position; begin < part.end;) {
    begin = find_run(e, begin, tiles, position);
    int entry[Sums::Tiles][Made];
    VectorNoise noise[Sums::Tiles][Made];
    UNROLL for (int t = 0; t < Sums::Tiles; ++t) {
      UNROLL for (int i = 0; i < Made; ++i) {
        entry[t][i] = shuffle_from(tiles[t].entry, warp * Made + i);
        noise[t][i] = vector_noise(e.counter, shuffle_from(tiles[t].id, warp * Made + i), position);
      }
    }
    Sums sums = {};
    for (int q = slice.begin + lane; q < slice.end; q += WarpSize, turn ^= 1) {
      ChannelNoise channels = channel_noise(e.counter, q);
      UNROLL for (int t = 0; t < Sums::Tiles; ++t) {
        UNROLL for (int i = 0; i < Made; ++i) {
          Quad value = {}, drawn = {};
          if (entry[t][i] >= 0 && q < quads) {
            value = x.load(entry[t][i], q);
            drawn = noise_quad(e, buffer, entry[t][i], q, noise[t][i], channels, columns);
          }
          int at = t * Vectors + warp * Made + i;
          vectors[turn][at][lane] = value;
          vectors[turn][at + Tile][lane] = drawn;
        }
      }
      block_sync();
      if (works) sums.add(vectors[turn]);
    }
    UNROLL for (int h = 0; h < Sums::Totals; ++h) total[h] += static_cast<double>(warp_sums(sums.sums[h]));
  }
  size_t block = (static_cast<size_t>(blockIdx.z) * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  double* to = partials + (block * Warps + warp) * Sums::Totals * WarpSize + lane;
  UNROLL for (int h = 0; h < Sums::Totals; ++h) to[h * WarpSize] = total[h];
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

// Where the sum of vectors i and j, two different ones of the 2B, lies: those within tiles first, tile by tile, then those of two tiles.
DEVICE size_t sum_index(int i, int j, int pairs, int tiles) {
  int pairI = i < pairs ? i : i - pairs, pairJ = j < pairs ? j : j - pairs;
  int tileI = pairI / Tile, tileJ = pairJ / Tile;
  int u = pairI % Tile + (i < pairs ? 0 : Tile), v = pairJ % Tile + (j < pairs ? 0 : Tile);
  if (tileI == tileJ) {
    int after = (v - u) & (Vectors - 1);
    int row = after <= Tile ? u : v, distance = after <= Tile ? after : Vectors - after;
    return static_cast<size_t>(tileI) * WithinSums + row * Tile + distance - 1;
  }
  int low = tileI < tileJ ? tileI : tileJ, high = tileI < tileJ ? tileJ : tileI;
  int row = tileI < tileJ ? u : v, column = tileI < tileJ ? v : u;
  size_t pair = static_cast<size_t>(high) * (high - 1) / 2 + low;
  return static_cast<size_t>(tiles) * WithinSums + pair * AcrossSums + row * Vectors + column;
}

// What eight gradients need of the vectors of a tile, in quads, which a thread reads at once. Of two vectors of the tile whose gradients they are, both
// coefficients go with one difference: the second is negated.
struct Coefficients {
  Quad others[2][Tile][Tile / 4];    // of x or noise: other vector, gradient
  Quad pairs[Tile * (Tile - 1) / 4]; // vectors i < j of the tile: the coefficient of i's gradient, then of j's

  static DEVICE int pair(int i, int j, int which) { return 2 * (j * (j - 1) / 2 + i) + which; }
  DEVICE float& within(int i, int j, int which) { return pairs[pair(i, j, which) / 4].v[pair(i, j, which) % 4]; }

  // By all threads of a block. c (B, 2B).
  DEVICE void read(const Matrix<const double>& c, int own, int other, int pairCount) {
    static_assert(Threads == 2 * Tile * Tile, "one coefficient a thread");
    uint32_t pinned = threadIdx.x;
    pin_register(pinned);  // so that no address is kept in registers for the next time
    int thread = static_cast<int>(pinned), half = thread / (Tile * Tile), i = thread / Tile % Tile, j = thread % Tile;
    int row = own * Tile + i, column = other * Tile + j;
    float value = row < pairCount && column < pairCount ? static_cast<float>(c.row(row)[half * pairCount + column]) : 0.f;
    if (half == 1 || own != other) {
      others[half][j][i / 4].v[i % 4] = value;
    } else if (i < j) {
      within(i, j, 0) = value;
    } else if (i > j) {
      within(j, i, 1) = -value;
    }
  }
};

DEVICE void add_scaled(Quad& sum, float c, const Quad& value) {
  UNROLL for (int k = 0; k < 4; ++k) sum.v[k] = fma_rn(c, value.v[k], sum.v[k]);
}

DEVICE Quad difference(const Quad& a, const Quad& b) {
  return {{sub_rn(a.v[0], b.v[0]), sub_rn(a.v[1], b.v[1]), sub_rn(a.v[2], b.v[2]), sub_rn(a.v[3], b.v[3])}};
}

// One of a tile's vectors in the current run.
struct alignas(16) RunVector {
  int entry;  // or -1
  VectorNoise noise;
};

// By a whole warp. Returns the run's end.
DEVICE int find_vectors(const Entries& e, int begin, int tile, RunVector (&vectors)[Tile]) {
  TileLane lanes[1] = {TileLane(e, tile)};
  int position, end = find_run(e, begin, lanes, position), lane = lane_id();
  if (lane < Tile) vectors[lane] = {lanes[0].entry, vector_noise(e.counter, lanes[0].id, position)};
  return end;
}

// Adds to eight gradients what they have of a tile: of its noise, and of its x, which are `value` where the tile is their own. other(half, j) is vector j
// of `count` of x (half 0) or of the noise.
template <typename F>
DEVICE void add_tile(Quad (&sum)[Tile], const Quad (&value)[Tile], const Coefficients& c, bool isOwn, int count, F other) {
  if (isOwn) {
    UNROLL for (int j = 1; j < Tile; ++j) {
      UNROLL for (int i = 0; i < j; ++i) {
        Quad apart = difference(value[i], value[j]), factors = c.pairs[Coefficients::pair(i, j, 0) / 4];
        add_scaled(sum[i], factors.v[Coefficients::pair(i, j, 0) % 4], apart);
        add_scaled(sum[j], factors.v[Coefficients::pair(i, j, 1) % 4], apart);
      }
    }
  }
  for (int half = isOwn ? 1 : 0; half < 2; ++half) {
    // A draw is too long to repeat for each.
    NO_UNROLL for (int j = 0; j < count; ++j) {
      Quad that = other(half, j);
      UNROLL for (int four = 0; four < Tile; four += 4) {
        Quad factors = c.others[half][j][four / 4];
        UNROLL for (int i = 0; i < 4; ++i) add_scaled(sum[four + i], factors.v[i], difference(value[four + i], that));
      }
    }
  }
}

// dX[r] = factor * sum over j of coefficients[pair(r), j] (x[r] - z_j). Grid: parts along x, slices along y, tiles of gradients along z.
template <typename T>
DEVICE void backward(const Matrix<T>& dX, const Matrix<const double>& c, const Matrix<const T>& matrix, const Entries& e, float factor) {
  // Tiles come in groups. Where there is one, its coefficients are read once; else each group's anew for each step, and its vectors found anew.
  constexpr int Group = 8;
  // Two of each, so that one barrier will do: a warp that writes the next may overtake one that reads these.
  __shared__ Coefficients coefficients[2][Group];
  __shared__ RunVector others[2][Group][Tile], owns[2][Tile];
  __shared__ int ends[2];
  Quads<const T> x(matrix);
  Quads<T> gradients(dX);
  Quads<const float> buffer(e.buffer);
  int own = static_cast<int>(blockIdx.z), tiles = static_cast<int>(gridDim.z), columns = matrix.columns, quads = (columns + 3) / 4;
  int thread = static_cast<int>(threadIdx.x), runTurn = 0, groupTurn = 0;
  bool isOne = tiles <= Group;
  auto read_coefficients = [&](int group) {
    for (int tile = group; tile < tiles && tile < group + Group; ++tile) coefficients[groupTurn][tile - group].read(c, own, tile, e.pairCount);
  };
  auto find_others = [&](int group, int begin, int turn) {
    for (int tile = group + warp_id(); tile < tiles && tile < group + Group; tile += Warps) find_vectors(e, begin, tile, others[turn][tile - group]);
  };
  if (isOne) read_coefficients(0);
  Part part(e);
  Slice<Threads> slice(quads);
  for (int begin = part.begin, end; begin < part.end; begin = end, runTurn ^= 1) {
    if (warp_id() == 0) ends[runTurn] = find_vectors(e, begin, own, owns[runTurn]);
    if (isOne) find_others(0, begin, runTurn);
    block_sync();
    end = ends[runTurn];
    for (int step = slice.begin; step < slice.end; step += Threads) {
      int q = step + thread;
      ChannelNoise channels = channel_noise(e.counter, q);
      Quad value[Tile], sum[Tile] = {};
      UNROLL for (int i = 0; i < Tile; ++i) {
        int r = owns[runTurn][i].entry;
        value[i] = r >= 0 && q < quads ? x.load(r, q) : Quad{};
      }
      NO_UNROLL for (int group = 0; group < tiles; group += Group) {
        if (!isOne) {
          groupTurn ^= 1;
          read_coefficients(group);
          find_others(group, begin, groupTurn);
          block_sync();
        }
        NO_UNROLL for (int tile = group; tile < tiles && tile < group + Group; ++tile) {
          const Coefficients& factors = coefficients[groupTurn][tile - group];
          const RunVector(&vectors)[Tile] = others[isOne ? runTurn : groupTurn][tile - group];
          int count = e.pairCount - tile * Tile < Tile ? e.pairCount - tile * Tile : Tile;
          add_tile(sum, value, factors, tile == own, count, [&](int half, int j) {
            RunVector vector = vectors[j];
            if (vector.entry < 0 || q >= quads) return Quad{};  // zero where the pair has no entry here
            return half == 0 ? x.load(vector.entry, q) : noise_quad(e, buffer, vector.entry, q, vector.noise, channels, columns);
          });
        }
      }
      UNROLL for (int i = 0; i < Tile; ++i) {
        int r = owns[runTurn][i].entry;
        if (r < 0 || q >= quads) continue;
        UNROLL for (float& v : sum[i].v) v *= factor;
        gradients.store(r, q, sum[i]);
      }
    }
  }
}
}  // namespace

#define MMD(name, T)                                                                                                                   \
  KERNEL(Threads, 1, mmd_gaussian_distances_within_##name)(double* partials, Matrix<const T> x, Entries entries) {                     \
    distances<true>(partials, x, entries);                                                                                             \
  }                                                                                                                                    \
  KERNEL(Threads, 1, mmd_gaussian_distances_across_##name)(double* partials, Matrix<const T> x, Entries entries) {                     \
    distances<false>(partials, x, entries);                                                                                            \
  }                                                                                                                                    \
  KERNEL(Threads, 1, mmd_gaussian_backward_##name)                                                                                     \
  (Matrix<T> dX, Matrix<const double> coefficients, Matrix<const T> x, Entries entries, float factor) {                                \
    backward(dX, coefficients, x, entries, factor);                                                                                    \
  }
MMD(bf16, bf16)
MMD(f32, float)

// One block. totals (sums) is workspace; partials are those of both kernels of distances, within tiles first, by so many blocks for each tile and
// each pair of tiles.
KERNEL(FinishThreads, 1, mmd_gaussian_finish)
(double* mmd, Matrix<double> coefficients, double* totals, const double* partials, int pairs, int withinBlocks, int acrossBlocks) {
  constexpr int Groups = FinishThreads / WithinSums;
  static_assert(AcrossSums == 2 * WithinSums, "sums are added in groups of one size");
  __shared__ double groupSums[Groups][WithinSums];
  __shared__ double scratch[FinishThreads / WarpSize];
  int count = 2 * pairs, tiles = (pairs + Tile - 1) / Tile, thread = static_cast<int>(threadIdx.x);
  int group = thread / WithinSums, column = thread % WithinSums;
  for (int chunk = 0; chunk < tiles * tiles; ++chunk) {  // of a tile one, of two different ones two
    bool within = chunk < tiles;
    int blocks = within ? withinBlocks : acrossBlocks, sums = within ? WithinSums : AcrossSums, across = chunk - tiles;
    const double* from = within ? partials + static_cast<size_t>(chunk) * blocks * WithinSums
                                : partials + static_cast<size_t>(tiles) * withinBlocks * WithinSums +
                                      static_cast<size_t>(across / 2) * blocks * AcrossSums + across % 2 * WithinSums;
    double sum = 0;
    _Pragma("unroll 8") for (int block = group; block < blocks; block += Groups) sum += from[static_cast<size_t>(block) * sums + column];
    groupSums[group][column] = sum;
    block_sync();
    if (group == 0) {
      UNROLL for (int g = 1; g < Groups; ++g) sum += groupSums[g][column];
      totals[static_cast<size_t>(chunk) * WithinSums + column] = sum;
    }
    block_sync();
  }
  double sum = 0;
  for (int cell = thread; cell < count * count; cell += FinishThreads) {
    int i = cell / count, j = cell - i * count;
    if (i != j) sum += totals[sum_index(i, j, pairs, tiles)];
  }
  sum = block_sum<FinishThreads>(sum, scratch);
  double n = count, bandwidth = pairs == 0 ? 0 : sum / (n * n - n) / 4, squared = static_cast<double>(pairs) * pairs;
  double total = 0;
  for (int cell = thread; cell < count * count; cell += FinishThreads) {
    int i = cell / count, j = cell - i * count;
    double slope, value = kernel_sum(i == j ? 0 : totals[sum_index(i, j, pairs, tiles)], bandwidth, slope);
    total += (i < pairs) == (j < pairs) ? value : -value;
    if (i < pairs) coefficients.row(i)[j] = bandwidth == 0 ? 0 : (j < pairs ? 4 : -4) * slope / squared;
  }
  total = block_sum<FinishThreads>(total, scratch);
  if (thread == 0) *mmd = bandwidth == 0 ? 0 : total / squared;
}

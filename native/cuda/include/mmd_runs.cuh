// Entries of an MMD: runs of them, a block's share, and the draw that belongs to each.
//
// Entries are sorted by position, then pair; those of one position are a run. B pairs, R entries, C channels.
#pragma once

#include "gaussian.cuh"
#include "quads.cuh"

constexpr int Tile = 8;  // pairs

// The plan's entries and where the draw comes from: `buffer` (R, C) where its data is not null, else the counter.
struct Entries {
  const int* pairs;      // (R)
  const int* positions;  // (R), ascending
  const int* pairIds;    // (B)
  int rows, pairCount;   // R, B
  CounterNoise counter;
  Matrix<const float> buffer;
};

// The draw of entry r at quad q, of which `vector` and `channels` are the halves; zero past the last column.
DEVICE Quad noise_quad(const Entries& e, const Quads<const float>& buffer, int r, int q, const VectorNoise& vector, const ChannelNoise& channels,
                       int columns) {
  if (buffer.m.data != nullptr) return buffer.load(r, q);
  Quad quad;
  gaussians(e.counter, vector, channels, quad.v);
  if (4 * q + 4 > columns) {
    UNROLL for (int i = 1; i < 4; ++i) quad.v[i] = 4 * q + i < columns ? quad.v[i] : 0.f;
  }
  return quad;
}

// Warps look for runs by themselves, each lane at one entry. Lane 0's is one that the next entries are compared with, so that searches that take more than
// one look overlap by it. No run is longer than there are pairs: lanes past these need not look.
constexpr int Ahead = WarpSize - 1;

// First entry of a run at or after r.
DEVICE int run_start(const Entries& e, int r) {
  int lane = lane_id();
  if (r == 0) return 0;
  for (; r < e.rows; r += Ahead) {
    int at = r - 1 + lane;
    int position = at < e.rows && lane <= e.pairCount ? e.positions[at] : -1;
    int before = shuffle_from(position, lane - 1);
    uint32_t starts = lanes_where(position != before) >> 1;
    if (starts != 0) return r + lowest_lane(starts);
  }
  return e.rows;
}

// This block's share of the entries, whole runs: part blockIdx.x of gridDim.x.
struct Part {
  int begin, end;

  DEVICE explicit Part(const Entries& e)
      : begin(run_start(e, share(e, blockIdx.x))), end(run_start(e, share(e, blockIdx.x + 1))) {}

 private:
  static DEVICE int share(const Entries& e, uint32_t part) { return static_cast<int>(static_cast<int64_t>(part) * e.rows / gridDim.x); }
};

// This block's share of the channels in steps of `Step` quads: slice blockIdx.y of gridDim.y.
template <int Step>
struct Slice {
  int begin, end;

  DEVICE explicit Slice(int quads) {
    int64_t steps = (quads + Step - 1) / Step;
    begin = static_cast<int>(steps * blockIdx.y / gridDim.y) * Step;
    end = static_cast<int>(steps * (blockIdx.y + 1) / gridDim.y) * Step;
  }
};

// Lane i < 8 has what belongs to pair 8 tile + i.
struct TileLane {
  int first;  // pair of lane 0
  int id;
  int entry;  // in the current run, or -1

  DEVICE TileLane() = default;
  DEVICE TileLane(const Entries& e, int tile) : first(tile * Tile), entry(-1) {
    int lane = lane_id();
    id = lane < Tile && first + lane < e.pairCount ? e.pairIds[first + lane] : 0;
  }
};

// Finds the entries of tiles in the run that begins at `begin`. Returns the run's end.
template <int Tiles>
DEVICE int find_run(const Entries& e, int begin, TileLane (&tiles)[Tiles], int& position) {
  int lane = lane_id();
  UNROLL for (TileLane& tile : tiles) tile.entry = -1;
  for (int base = begin; base < e.rows; base += Ahead) {
    int r = base + lane;
    int at = r < e.rows && r - begin < e.pairCount ? e.positions[r] : -1;
    position = shuffle_from(at, 0);
    bool inside = at == position;
    int pair = inside ? e.pairs[r] : -1;
    UNROLL for (TileLane& tile : tiles) {
      int slot = inside ? pair - tile.first : -1;
      UNROLL for (int i = 0; i < Tile; ++i) {
        uint32_t found = lanes_where(slot == i);
        if (lane == i && found != 0) tile.entry = base + lowest_lane(found);
      }
    }
    uint32_t outside = lanes_where(!inside) >> 1;
    if (outside != 0) return base + 1 + lowest_lane(outside);
  }
  return e.rows;
}

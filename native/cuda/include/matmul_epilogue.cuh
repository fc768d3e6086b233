// The way from a block's sums to C: through a warp's own part of shared memory, so that global memory is read and written
// in runs of 16 bytes a lane.
#pragma once

#include "device.cuh"

// Flags of a product's kernels.
constexpr int FlagAccumulate = 1;  // C += instead of C =
constexpr int FlagFloat = 2;       // C holds floats; else bf16

// Where a product goes. `Element` is the operands' type, the bias has it too.
template <typename Element>
struct MatmulOutput {
  void* c;              // (M, N), bf16 or float
  const Element* bias;  // (N) or null
  int64_t stride;       // elements between rows of C
  int M, N;
  bool accumulate;      // += instead of =
};

DEVICE float load_value(const float* from) { return *from; }
DEVICE float load_value(const bf16* from) { return bf16_to_float(*from); }

DEVICE void store_value(float* to, float value) { *to = value; }
DEVICE void store_value(bf16* to, float value) { *to = float_to_bf16(value); }

// 16 bytes of C: four floats or eight bf16.
DEVICE void unpack(const Words4& words, float (&values)[4]) {
  UNROLL for (int i = 0; i < 4; ++i) values[i] = bits_float(words.word[i]);
}

DEVICE void unpack(const Words4& words, float (&values)[8]) {
  UNROLL for (int i = 0; i < 4; ++i) {
    values[2 * i] = bf16x2_low(words.word[i]);
    values[2 * i + 1] = bf16x2_high(words.word[i]);
  }
}

DEVICE Words4 pack(const float (&values)[4]) {
  Words4 words;
  UNROLL for (int i = 0; i < 4; ++i) words.word[i] = float_bits(values[i]);
  return words;
}

DEVICE Words4 pack(const float (&values)[8]) {
  Words4 words;
  UNROLL for (int i = 0; i < 4; ++i) words.word[i] = floats_to_bf16x2(values[2 * i], values[2 * i + 1]);
  return words;
}

// One value of a product, wherever it lies.
template <typename Out, typename Element>
DEVICE void store_element(const MatmulOutput<Element>& out, int row, int column, float value) {
  Out* to = static_cast<Out*>(out.c) + row * out.stride + column;
  if (out.bias) value += load_value(out.bias + column);
  store_value(to, out.accumulate ? load_value(to) + value : value);
}

// Writes sums of one warp, 16 rows by `Columns` at a time: whole tiles 16 bytes a lane, tiles at an edge or with odd strides
// value by value.
template <int Columns, typename Out, typename Element>
struct SumsWriter {
  static constexpr int Width = 16 / sizeof(Out);
  // Eight floats of padding put the rows that a half-warp writes into different banks.
  static constexpr int RowBytes = (Columns + 8) * 4;
  static constexpr int ScratchBytes = 16 * RowBytes;
  static constexpr int LanesPerRow = Columns / Width, RowsPerPass = WarpSize / LanesPerRow, Passes = 16 / RowsPerPass;
  static_assert(LanesPerRow <= WarpSize && 16 % RowsPerPass == 0, "a warp stores whole rows");

  const MatmulOutput<Element>& out;
  uint32_t scratch;  // this warp's ScratchBytes of shared memory
  int lane;
  bool aligned;

  // Lane and scratch are as if new for each tile: no address made of them waits in registers from one to the next, and none for the main loop.
  DEVICE SumsWriter(const MatmulOutput<Element>& to, uint32_t warpScratch)
      : out(to), scratch(warpScratch), lane(static_cast<int>(thread_again() % WarpSize)), aligned(is_aligned(to.c, 16) && to.stride % Width == 0) {
    pin_register(scratch);
  }

  // Sums in the layout of mma's D, Columns / 8 blocks of 16 x 8, for the rows of C from `row` and the columns from `column`.
  DEVICE void store(const float (*sums)[4], int row, int column) const {
    // Nor those of one run of columns for the next.
    pin_register(column);
    warp_sync();
    stage(sums);
    warp_sync();
    if (aligned && row + 16 <= out.M && column + Columns <= out.N) {
      store_whole(row, column);
    } else {
      store_edge(row, column);
    }
  }

 private:
  DEVICE void stage(const float (*sums)[4]) const {
    uint32_t to = scratch + (lane >> 2) * RowBytes + (lane & 3) * 8;
    UNROLL for (int j = 0; j < Columns / 8; ++j) {
      store_shared8(to + j * 32, sums[j][0], sums[j][1]);
      store_shared8(to + j * 32 + 8 * RowBytes, sums[j][2], sums[j][3]);
    }
  }

  DEVICE void store_whole(int row0, int column0) const {
    int row = lane / LanesPerRow, column = lane % LanesPerRow * Width;
    Out* to = static_cast<Out*>(out.c) + (row0 + row) * out.stride + column0 + column;
    float bias[Width] = {};
    if (out.bias) {
      UNROLL for (int e = 0; e < Width; ++e) bias[e] = load_value(out.bias + column0 + column + e);
    }
    // All reads of C are under way before the first is needed.
    Words4 old[Passes] = {};
    if (out.accumulate) {
      Out* from = to;
      UNROLL for (int pass = 0; pass < Passes; ++pass) {
        old[pass] = load16(from);
        from += RowsPerPass * out.stride;
        pin_register(from);
      }
    }
    UNROLL for (int pass = 0; pass < Passes; ++pass) {
      float values[Width], before[Width];
      unpack(old[pass], before);
      UNROLL for (int part = 0; part < Width / 4; ++part) {
        Words4 words = load_shared16(scratch + (pass * RowsPerPass + row) * RowBytes + (column + part * 4) * 4);
        UNROLL for (int e = 0; e < 4; ++e) values[part * 4 + e] = bits_float(words.word[e]);
      }
      UNROLL for (int e = 0; e < Width; ++e) values[e] = before[e] + (values[e] + bias[e]);
      store16(to, pack(values));
      to += RowsPerPass * out.stride;
      pin_register(to);
    }
  }

  DEVICE void store_edge(int row0, int column0) const {
    NO_UNROLL for (int row = 0; row < 16 && row0 + row < out.M; ++row) {
      NO_UNROLL for (int column = lane; column < Columns && column0 + column < out.N; column += WarpSize)
        store_element<Out>(out, row0 + row, column0 + column, load_shared(scratch + row * RowBytes + column * 4));
    }
  }
};

// Writes a warp's part of a tile, BlocksM runs of 16 rows, RowStep apart, by 8 BlocksN columns: `Columns` at a time through `scratch`.
template <int Columns, int RowStep, typename Out, typename Element, int BlocksM, int BlocksN>
DEVICE void store_sums(const MatmulOutput<Element>& out, const float (&sums)[BlocksM][BlocksN][4], int row, int column, uint32_t scratch) {
  SumsWriter<Columns, Out, Element> writer(out, scratch);
  UNROLL for (int i = 0; i < BlocksM; ++i) {
    UNROLL for (int j = 0; j < BlocksN; j += Columns / 8) writer.store(&sums[i][j], row + i * RowStep, column + j * 8);
  }
}

// One value of C = or += the sum of `parts` matrices of a workspace, in order, plus bias: the end of a product that was split
// along K. One thread for four columns; the workspace's rows are padded to multiples of four floats.
template <typename Element>
DEVICE void combine_parts(const float* workspace, const MatmulOutput<Element>& out, int parts, int64_t workspaceStride, int64_t partStride,
                          int flags) {
  int column = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x) * 4, row = static_cast<int>(blockIdx.y);
  if (column >= out.N) return;
  const float* from = workspace + row * workspaceStride + column;
  float values[4];
  unpack(load_readonly16(from), values);
  for (int part = 1; part < parts; ++part) {
    float more[4];
    unpack(load_readonly16(from + part * partStride), more);
    UNROLL for (int i = 0; i < 4; ++i) values[i] += more[i];
  }
  UNROLL for (int i = 0; i < 4; ++i) {
    if (column + i >= out.N) break;
    if (flags & FlagFloat) {
      store_element<float>(out, row, column + i, values[i]);
    } else {
      store_element<bf16>(out, row, column + i, values[i]);
    }
  }
}

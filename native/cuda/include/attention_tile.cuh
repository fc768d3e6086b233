// Tiles of one head's rows in shared memory, and their products on the tensor cores: what the bf16 attention is made of.
#pragma once

#include "attention_plan.cuh"

// `Rows` rows of one head in shared memory, padded with 16 bytes: the eight rows that an ldmatrix reads then lie in eight
// different banks of 16 bytes. Columns from the real head size up to HS are zeros.
template <int Rows, int HS, int Threads>
struct HeadTile {
  static constexpr int Chunks = HS / 8;
  static constexpr int RowBytes = HS * 2 + 16;
  static constexpr int Bytes = Rows * RowBytes;

  // Starts the copy; `rowOf` gives the global row of a tile's row, or -1 for a row of zeros.
  template <typename RowOf>
  static DEVICE void copy(uint32_t tile, const bf16* head, int64_t stride, int headSize, bool aligned, RowOf rowOf) {
    if constexpr (Threads % Chunks == 0) {
      int chunk = static_cast<int>(threadIdx.x) % Chunks, bytes = chunk_bytes(headSize, chunk);
      NO_UNROLL for (int row = static_cast<int>(threadIdx.x) / Chunks; row < Rows; row += Threads / Chunks)
        copy_chunk(tile, head, stride, aligned, row, chunk, rowOf(row), bytes);
    } else {
      NO_UNROLL for (uint32_t i = thread_again(); i < Rows * Chunks; i += Threads) {
        int row = static_cast<int>(i / Chunks), chunk = static_cast<int>(i % Chunks);
        copy_chunk(tile, head, stride, aligned, row, chunk, rowOf(row), chunk_bytes(headSize, chunk));
      }
    }
  }

  static DEVICE int chunk_bytes(int headSize, int chunk) {
    int left = headSize - chunk * 8;
    return left <= 0 ? 0 : left >= 8 ? 16 : left * 2;
  }

  // The first `bytes` of a chunk from row `from`; zeros where that is -1.
  static DEVICE void copy_chunk(uint32_t tile, const bf16* head, int64_t stride, bool aligned, int row, int chunk, int from, int bytes) {
    bytes = from < 0 ? 0 : bytes;
    const bf16* source = head + (bytes > 0 ? from * stride + chunk * 8 : 0);
    uint32_t to = tile + row * RowBytes + chunk * 16;
    if (aligned) {
      copy_async16(to, source, bytes);
    } else {
      for (int e = 0; e < 8; ++e) store_shared(to + e * 2, e * 2 < bytes ? source[e] : bf16{0});
    }
  }

  // Where a lane's part of the fragments begins: of 16 rows by 16 columns, or, for B from rows, of the same in another order of its quarters.
  static DEVICE uint32_t lane_rows(uint32_t tile) { return tile + (lane_id() & 15) * RowBytes + (lane_id() >> 4) * 16; }
  static DEVICE uint32_t lane_quarters(uint32_t tile) {
    return tile + ((lane_id() & 7) + ((lane_id() >> 4) << 3)) * RowBytes + ((lane_id() >> 3) & 1) * 16;
  }

  // Fragment of A: 16 rows from `row` on, 16 columns from 16 * step on; `at` is lane_rows.
  static DEVICE void load_a(uint32_t (&a)[4], uint32_t at, int row, int step) { load_matrix_x4(a, at + row * RowBytes + step * 32); }

  // Two fragments of B for a product with the transposed tile: columns are 16 of its rows, K its columns; `at` is lane_quarters.
  static DEVICE void load_b_rows(uint32_t (&b)[4], uint32_t at, int row, int step) { load_matrix_x4(b, at + row * RowBytes + step * 32); }

  // Two fragments of B for a product with the tile itself: columns are 16 of its columns, K 16 of its rows; `at` is lane_rows.
  static DEVICE void load_b_columns(uint32_t (&b)[4], uint32_t at, int row, int block) {
    load_matrix_x4_transposed(b, at + row * RowBytes + block * 32);
  }
};

// C (16, 8 * Blocks) += A (16, HS) B, where A and B are the rows of two tiles, B's transposed: dot products of rows. Done
// for BlocksM runs of 16 rows of A at once, so that B is read once.
template <typename TileA, typename TileB, int HS, int BlocksM, int Blocks>
DEVICE void multiply_rows(float (&c)[BlocksM][Blocks][4], uint32_t tileA, int rowA, uint32_t tileB) {
  uint32_t atA = TileA::lane_rows(tileA + rowA * TileA::RowBytes), atB = TileB::lane_quarters(tileB);
  // One address each, and the compiler must not keep those of all fragments from tile to tile.
  pin_register(atA);
  pin_register(atB);
  UNROLL for (int step = 0; step < HS / 16; ++step) {
    uint32_t a[BlocksM][4];
    UNROLL for (int i = 0; i < BlocksM; ++i) TileA::load_a(a[i], atA, i * 16, step);
    UNROLL for (int j = 0; j < Blocks / 2; ++j) {
      uint32_t b[4];
      TileB::load_b_rows(b, atB, j * 16, step);
      UNROLL for (int i = 0; i < BlocksM; ++i) {
        mma_bf16(c[i][2 * j], a[i], b[0], b[1]);
        mma_bf16(c[i][2 * j + 1], a[i], b[2], b[3]);
      }
    }
  }
}

// C (16, HS) += P (16, 8 * Blocks) T, where P stands in the layout of mma's D and T are the rows of a tile; BlocksM at once.
template <typename Tile, int HS, int BlocksM, int Blocks>
DEVICE void multiply_weights(float (&c)[BlocksM][HS / 8][4], const float (&p)[BlocksM][Blocks][4], uint32_t tile) {
  uint32_t at = Tile::lane_rows(tile);
  pin_register(at);
  UNROLL for (int j = 0; j < Blocks / 2; ++j) {
    uint32_t a[BlocksM][4];
    UNROLL for (int i = 0; i < BlocksM; ++i) {
      // D's layout of two blocks of 8 columns is A's of 16.
      UNROLL for (int part = 0; part < 4; ++part)
        a[i][part] = floats_to_bf16x2(p[i][2 * j + part / 2][part % 2 * 2], p[i][2 * j + part / 2][part % 2 * 2 + 1]);
    }
    UNROLL for (int block = 0; block < HS / 16; ++block) {
      uint32_t b[4];
      Tile::load_b_columns(b, at, j * 16, block);
      UNROLL for (int i = 0; i < BlocksM; ++i) {
        mma_bf16(c[i][2 * block], a[i], b[0], b[1]);
        mma_bf16(c[i][2 * block + 1], a[i], b[2], b[3]);
      }
    }
  }
}

template <int Blocks>
DEVICE void clear(float (&values)[Blocks][4]) {
  UNROLL for (int j = 0; j < Blocks; ++j) {
    UNROLL for (int e = 0; e < 4; ++e) values[j][e] = 0.f;
  }
}

// Writes 16 rows of a warp to global memory, scaled, by way of the warp's own rows of a tile. `rows` of them exist.
template <typename Tile, int HS>
DEVICE void store_rows(bf16* head, int64_t stride, int headSize, bool aligned, const float (&values)[HS / 8][4], float scale0, float scale1,
                       uint32_t tile, int rows) {
  int lane = static_cast<int>(thread_again() % WarpSize);
  uint32_t to = tile + (lane >> 2) * Tile::RowBytes + (lane & 3) * 4;
  warp_sync();
  UNROLL for (int j = 0; j < HS / 8; ++j) {
    store_shared(to + j * 16, floats_to_bf16x2(values[j][0] * scale0, values[j][1] * scale0));
    store_shared(to + j * 16 + 8 * Tile::RowBytes, floats_to_bf16x2(values[j][2] * scale1, values[j][3] * scale1));
  }
  warp_sync();
  for (int i = lane; i < 16 * Tile::Chunks; i += WarpSize) {
    int row = i / Tile::Chunks, chunk = i % Tile::Chunks;
    if (row >= rows || chunk * 8 >= headSize) continue;
    Words4 words = load_shared16(tile + row * Tile::RowBytes + chunk * 16);
    bf16* target = head + row * stride + chunk * 8;
    if (aligned) {
      store16(target, words);
    } else {
      UNROLL for (int e = 0; e < 8; ++e) {
        uint32_t word = words.word[e / 2];
        if (chunk * 8 + e < headSize) target[e] = bf16{static_cast<uint16_t>(e % 2 ? word >> 16 : word & 0xffffu)};
      }
    }
  }
}

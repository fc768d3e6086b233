// What the attention kernels share: segments, which keys a query sees, and tiles of rows in shared memory.
//
// Dimensions: NQ query rows, NK key rows, NH heads, NKV key/value heads, HS head size. q, output and their gradients are
// (NQ, NH * HS), k and v (NK, NKV * HS), each with a row stride of its own; lse is (NQ, NH).
#pragma once

#include "device.cuh"

// The engine's AttentionSegment: a run of query rows and the keys they may see, the context's first, then their own.
struct Segment {
  int queryRow, queryCount, keyRow, keyCount, contextRow, contextCount, firstPosition, family;

  DEVICE Segment(const int* segments, int index) {
    const int* words = segments + index * 8;
    queryRow = words[0], queryCount = words[1], keyRow = words[2], keyCount = words[3];
    contextRow = words[4], contextCount = words[5], firstPosition = words[6], family = words[7];
  }

  DEVICE int visible_count() const { return contextCount + keyCount; }

  // Row of k and v of a key in the joint order.
  DEVICE int key_row(int key) const { return key < contextCount ? contextRow + key : keyRow + key - contextCount; }
};

// The keys in joint order that a query at a position sees: first to last, both counted; none where last < first.
struct VisibleKeys {
  int first, last;

  DEVICE VisibleKeys(const Segment& segment, int position, int window) {
    first = position - window + 1 - segment.firstPosition;
    first = first > 0 ? first : 0;
    last = position - segment.firstPosition;
    last = last < segment.visible_count() - 1 ? last : segment.visible_count() - 1;
  }
};

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
    NO_UNROLL for (int i = static_cast<int>(threadIdx.x); i < Rows * Chunks; i += Threads) {
      int row = i / Chunks, chunk = i % Chunks, from = rowOf(row), left = headSize - chunk * 8;
      int bytes = from < 0 || left <= 0 ? 0 : left >= 8 ? 16 : left * 2;
      const bf16* source = head + (bytes > 0 ? from * stride + chunk * 8 : 0);
      uint32_t to = tile + row * RowBytes + chunk * 16;
      if (aligned) {
        copy_async16(to, source, bytes);
      } else {
        for (int e = 0; e < 8; ++e) store_shared(to + e * 2, e * 2 < bytes ? source[e] : bf16{0});
      }
    }
  }

  // Fragment of A: 16 rows from `row` on, 16 columns from 16 * step on.
  static DEVICE void load_a(uint32_t (&a)[4], uint32_t tile, int row, int step) {
    int lane = lane_id();
    load_matrix_x4(a, tile + (row + (lane & 15)) * RowBytes + (step * 16 + (lane >> 4) * 8) * 2);
  }

  // Two fragments of B for a product with the transposed tile: columns are 16 of its rows, K its columns.
  static DEVICE void load_b_rows(uint32_t (&b)[4], uint32_t tile, int row, int step) {
    int lane = lane_id();
    load_matrix_x4(b, tile + (row + (lane & 7) + ((lane >> 4) << 3)) * RowBytes + (step * 16 + ((lane >> 3) & 1) * 8) * 2);
  }

  // Two fragments of B for a product with the tile itself: columns are 16 of its columns, K 16 of its rows.
  static DEVICE void load_b_columns(uint32_t (&b)[4], uint32_t tile, int row, int block) {
    int lane = lane_id();
    load_matrix_x4_transposed(b, tile + (row + (lane & 15)) * RowBytes + (block * 16 + (lane >> 4) * 8) * 2);
  }
};

// C (16, 8 * Blocks) += A (16, HS) B, where A and B are the rows of two tiles, B's transposed: dot products of rows. Done
// for BlocksM runs of 16 rows of A at once, so that B is read once.
template <typename TileA, typename TileB, int HS, int BlocksM, int Blocks>
DEVICE void multiply_rows(float (&c)[BlocksM][Blocks][4], uint32_t tileA, int rowA, uint32_t tileB) {
  UNROLL for (int step = 0; step < HS / 16; ++step) {
    uint32_t a[BlocksM][4];
    UNROLL for (int i = 0; i < BlocksM; ++i) TileA::load_a(a[i], tileA, rowA + i * 16, step);
    UNROLL for (int j = 0; j < Blocks / 2; ++j) {
      uint32_t b[4];
      TileB::load_b_rows(b, tileB, j * 16, step);
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
  UNROLL for (int j = 0; j < Blocks / 2; ++j) {
    uint32_t a[BlocksM][4];
    UNROLL for (int i = 0; i < BlocksM; ++i) {
      // D's layout of two blocks of 8 columns is A's of 16.
      UNROLL for (int part = 0; part < 4; ++part)
        a[i][part] = floats_to_bf16x2(p[i][2 * j + part / 2][part % 2 * 2], p[i][2 * j + part / 2][part % 2 * 2 + 1]);
    }
    UNROLL for (int block = 0; block < HS / 16; ++block) {
      uint32_t b[4];
      Tile::load_b_columns(b, tile, j * 16, block);
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
  int lane = lane_id();
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

// A tile of one operand of a matrix product on its way from global memory through shared memory into the fragments of
// mma.m16n8k16. Used by every kernel that multiplies bf16 matrices.
//
// An operand is Outer (rows of A, columns of B) by Inner (K). Memory holds it with either of the two contiguous: rows of
// A and of B^T have K contiguous, B and A^T have Outer contiguous. A tile is stored as it lies in memory, in 16-byte chunks
// of eight values; chunk c of stored row r goes to place c ^ (r & 7), so that the eight rows that an ldmatrix reads at one
// column lie in eight different banks of 16 bytes, and the copies fill whole rows.
#pragma once

#include "device.cuh"

template <bool InnerContiguous_, int Outer, int Inner, int Threads>
struct OperandTile {
  static constexpr bool InnerContiguous = InnerContiguous_;
  static constexpr int Columns = InnerContiguous ? Inner : Outer;
  static constexpr int Rows = InnerContiguous ? Outer : Inner;
  static constexpr int Chunks = Columns / 8;
  static constexpr int RowBytes = Columns * 2;
  static constexpr int Bytes = Rows * RowBytes;
  static constexpr int RowsPerPass = Threads / Chunks;
  static constexpr int Passes = Rows / RowsPerPass;
  static_assert(Chunks == 4 || Chunks % 8 == 0, "a stored row is 64 bytes or a multiple of 128");
  static_assert(Threads % Chunks == 0 && Rows % RowsPerPass == 0, "every thread copies the same number of chunks");

  // Rows of 64 bytes share a line of 128 in pairs, so their row number counts from its second bit.
  static DEVICE int swizzle(int row, int chunk) { return Chunks == 4 ? chunk ^ ((row >> 1) & 3) : chunk ^ (row & 7); }
};

// One thread's share of the copies of successive tiles along K.
template <typename Tile, int Inner, bool Aligned>
struct OperandCopier {
  const bf16* source;   // this thread's first chunk of the next tile
  int64_t passStride;   // elements between the chunks of successive passes
  uint32_t target;      // byte offset of the first chunk in the ring's first tile
  int outerLeft;        // values of Outer from this thread's first row or chunk on; 0 or less: none
  int innerLeft;        // values of K from this thread's first row or chunk of the next tile on

  // `origin` is the operand's element (outer, inner) = (0, innerBegin); `stride` its row stride in memory; `tile` this operand's first
  // in the ring.
  DEVICE OperandCopier(const bf16* operand, int64_t stride, int outerBegin, int outerCount, int innerBegin, int innerEnd, uint32_t tile,
                       uint32_t thread) {
    int row = static_cast<int>(thread / Tile::Chunks), chunk = static_cast<int>(thread % Tile::Chunks);
    int outer = Tile::InnerContiguous ? row : chunk * 8, inner = Tile::InnerContiguous ? chunk * 8 : row;
    outerLeft = outerCount - outerBegin - outer;
    innerLeft = innerEnd - innerBegin - inner;
    source = Tile::InnerContiguous ? operand + (outerBegin + outer) * stride + innerBegin + inner
                                   : operand + (innerBegin + inner) * stride + outerBegin + outer;
    passStride = Tile::RowsPerPass * stride;
    target = tile + static_cast<uint32_t>(row * Tile::RowBytes + Tile::swizzle(row, chunk) * 16);
    // Passes must not change the swizzle, or the target would not advance by whole rows.
    static_assert(Tile::RowsPerPass % 8 == 0 || Tile::Passes == 1, "a pass covers a multiple of 8 rows");
  }

  // Starts the copy of the next tile to the stage at `offset` of the ring; values outside the operand become zeros.
  DEVICE void copy(uint32_t offset) {
    const bf16* from = source;
    int contiguousLeft = Tile::InnerContiguous ? innerLeft : outerLeft;
    int rowsLeft = Tile::InnerContiguous ? outerLeft : innerLeft;
    int bytes = contiguousLeft >= 8 ? 16 : contiguousLeft > 0 ? contiguousLeft * 2 : 0;
    uint32_t to = target + offset;
    UNROLL for (int pass = 0; pass < Tile::Passes; ++pass) {
      int rowBytes = pass * Tile::RowsPerPass < rowsLeft ? bytes : 0;
      if constexpr (Aligned) {
        copy_async16(to + pass * Tile::RowsPerPass * Tile::RowBytes, from, rowBytes);
        // One address that walks, instead of one for each pass.
        pin_register(from);
      } else {
        store_shared16(to + pass * Tile::RowsPerPass * Tile::RowBytes, gather(from, rowBytes));
      }
      from += passStride;
    }
    // All passes together go over the whole of a tile whose rows are of K.
    source = Tile::InnerContiguous ? source + Inner : from;
    innerLeft -= Inner;
  }

  // The same 16 bytes one value at a time, for operands whose rows do not start at multiples of 16 bytes.
  static DEVICE Words4 gather(const bf16* from, int bytes) {
    Words4 chunk;
    UNROLL for (int i = 0; i < 4; ++i) {
      uint32_t low = i * 4 < bytes ? from[2 * i].bits : 0u;
      uint32_t high = i * 4 + 2 < bytes ? from[2 * i + 1].bits : 0u;
      chunk.word[i] = low | high << 16;
    }
    return chunk;
  }
};

// Where one lane's ldmatrix addresses of a warp's part of a tile begin. `IsA` chooses between the fragments of A (16 rows
// by 16 of K) and of B (two fragments: 16 columns by 16 of K).
template <typename Tile, bool IsA>
struct FragmentReader {
  uint32_t base;  // address in the ring's first tile

  DEVICE FragmentReader(int outerBegin, uint32_t tile, int lane) {
    // Two orders of the four 8 x 8 matrices: by 8 stored rows first, or by the chunk first.
    constexpr bool RowsFirst = IsA == Tile::InnerContiguous;
    int lineRow = RowsFirst ? lane & 15 : (lane & 7) + ((lane >> 4) << 3);
    int lineChunk = RowsFirst ? lane >> 4 : (lane >> 3) & 1;
    int chunk = lineChunk + (Tile::InnerContiguous ? 0 : outerBegin / 8);
    base = tile + static_cast<uint32_t>((lineRow + (Tile::InnerContiguous ? outerBegin : 0)) * Tile::RowBytes + Tile::swizzle(lineRow, chunk) * 16);
  }

  // 16 values of Outer from 16 * block on, 16 of K from 16 * step on, of the stage that this reader's base was moved to. Chunk
  // numbers have these bits clear, so that adding two chunks a block (or step) is an exclusive or, which the swizzle lets through;
  // and so has the rest of the address, as stored rows and tiles are multiples of 64 or 128 bytes.
  static DEVICE void load(uint32_t (&fragment)[4], uint32_t at, int block, int step) {
    if constexpr (Tile::InnerContiguous) {
      load_matrix_x4(fragment, (at ^ (step * 32)) + block * 16 * Tile::RowBytes);
    } else {
      load_matrix_x4_transposed(fragment, (at ^ (block * 32)) + step * 16 * Tile::RowBytes);
    }
  }
};

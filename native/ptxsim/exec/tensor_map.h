// What cuTensorMapEncodeTiled makes here: a matrix in global memory, and the boxes of it that bulk copies take. On a GPU the 128 bytes are
// opaque; programs pass them on as they are.
#pragma once

#include <cstdint>

namespace ptxsim {

struct alignas(64) TensorMap {
  static constexpr uint64_t Mark = 0x70616D2D78747031;  // that it was encoded at all

  uint64_t address;      // of the first element; first, where programs that move buffers look for addresses
  uint64_t mark;
  uint64_t columns, rows;
  uint64_t rowBytes;     // from one row to the next
  uint32_t boxColumns, boxRows;
  uint32_t elementBytes;
  uint32_t isSwizzled;   // over 128 bytes
  uint64_t unused[8];

  uint32_t boxRowBytes() const { return boxColumns * elementBytes; }
  uint32_t boxBytes() const { return boxRowBytes() * boxRows; }
};
static_assert(sizeof(TensorMap) == 128);

// Where 16 bytes lie that would lie at `address`: within 1024 bytes of shared memory the eights of a row of 128 bytes change places with the row's number
// (PTX ISA, section 5.5.7; the same for wgmma, section 9.7.14.5.1).
constexpr uint64_t swizzled128(uint64_t address) { return address ^ (address >> 7 & 7) << 4; }

}  // namespace ptxsim

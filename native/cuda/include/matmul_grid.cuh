// What every kernel of the family matmul shares: the forms, and which tile of C a block takes.
#pragma once

#include "device.cuh"

// Which operand is read transposed; numbered as in the engine's contract.
enum MatmulForm { FormNN = 0, FormNT = 1, FormTN = 2 };

// The block's place in the grid: blocks that run at the same time share rows of A and columns of B in the L2 cache when
// they form squares, so tiles are numbered down strips of `Strip` tile rows.
struct TilePlace {
  int m, n;

  DEVICE TilePlace(int tile, int tilesM, int tilesN) {
    constexpr int Strip = 8;
    int perStrip = Strip * tilesN, strip = tile / perStrip, inStrip = tile - strip * perStrip;
    int height = tilesM - strip * Strip < Strip ? tilesM - strip * Strip : Strip;
    n = inStrip / height;
    m = strip * Strip + inStrip - n * height;
  }
};

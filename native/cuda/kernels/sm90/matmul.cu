// Family matmul, bf16, for sm_90a: the same products as kernels/matmul.cu by warpgroups (include/matmul_warpgroup.cuh). A module of
// its own: the engine uses it only where it agrees with kernels/matmul.cu.
//
// Variants: wide (128 x 256 tile, 4 stages), square (128 x 128, 6 stages).
#include "matmul_warpgroup.cuh"

using WarpGroupWide = WarpGroupConfig<256, 4, 1, false>;
using WarpGroupSquare = WarpGroupConfig<128, 6, 1, false>;

MATMUL_FORMS(wide, WarpGroupWide)
MATMUL_FORMS(square, WarpGroupSquare)

MATMUL_LOGITS(wide, WarpGroupWide)
MATMUL_LOGITS(square, WarpGroupSquare)

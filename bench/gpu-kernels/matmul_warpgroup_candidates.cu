// The engine's warpgroup product in tiles that do not ship, to be timed beside those that do: pair (128 x 256 in clusters of two
// blocks), turns (128 x 128, consumers take turns), turns_pair (both).
#include "matmul_warpgroup.cuh"

using WarpGroupPair = WarpGroupConfig<256, 4, 2, false>;
using WarpGroupTurns = WarpGroupConfig<128, 6, 1, true>;
using WarpGroupTurnsPair = WarpGroupConfig<128, 6, 2, true>;

MATMUL_FORMS(pair, WarpGroupPair)
MATMUL_FORMS(turns, WarpGroupTurns)
MATMUL_FORMS(turns_pair, WarpGroupTurnsPair)

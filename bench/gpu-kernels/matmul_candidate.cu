// The bf16 matrix product of the engine in one more tile shape; those that ship were chosen from such. Compiled once for each,
// with NAME, BLOCK_M, BLOCK_N, BLOCK_K, WARPS_M, WARPS_N, STAGES and BLOCKS (a multiprocessor) defined.
#include "matmul_kernel.cuh"

using Candidate = MatmulConfig<BLOCK_M, BLOCK_N, BLOCK_K, WARPS_M, WARPS_N, STAGES>;

// Another macro, so that NAME is expanded before it becomes part of the kernels' names.
#define CANDIDATE(name) MATMUL_FORMS(name, Candidate, BLOCKS, true)
CANDIDATE(NAME)

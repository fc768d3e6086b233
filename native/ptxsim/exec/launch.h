// Runs a kernel over its grid.
#pragma once

#include <array>
#include <functional>

#include "exec/counters.h"
#include "exec/image.h"
#include "exec/warp.h"

namespace ptxsim {

struct ExecutorOptions {
  bool checks = true;
  int threads = 0;          // of the host; 0 takes all cores
  uint64_t seed = 0;        // of the order of blocks and warps; 0 runs them in order
  uint64_t maxSteps = uint64_t{1} << 36;  // warp instructions of a block before it counts as stuck
};

// Blocks of a cluster along each axis.
std::array<uint32_t, 3> clusterOf(const Kernel& kernel, const LaunchShape& shape);

// Throws std::invalid_argument for a launch that a driver refuses: sizes, shared memory, .maxntid and .reqntid, clusters.
void check(const Kernel& kernel, const LaunchShape& shape);

// Throws KernelFault, whose text says everything, or std::invalid_argument for a launch that a driver refuses.
Counters launch(const Kernel& kernel, const LaunchShape& shape, DeviceMemory& memory, const ExecutorOptions& options);

}  // namespace ptxsim

// Theoretical occupancy (CUDA C++ programming guide, "Technical Specifications per Compute Capability").
#pragma once

#include "exec/program.h"

namespace ptxsim {

struct Occupancy {
  int blocks;          // resident on one multiprocessor
  double share;        // of its warps
  const char* limit;   // "registers", "shared memory", "threads", "blocks"
};

// With the registers that are live at once: a lower bound for what the assembler takes, hence an upper bound of the occupancy.
Occupancy occupancy(const Kernel& kernel, int blockSize, uint32_t dynamicShared, int computeCapability);

}  // namespace ptxsim

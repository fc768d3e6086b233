// Register pressure from the PTX alone: a lower bound for what the assembler needs, and the figure that tells a kernel that cannot fit.
#pragma once

#include "exec/program.h"

namespace ptxsim {

// Largest number of 32-bit registers (and of predicates) live at once, by backward data flow over the control-flow graph.
Footprint measure(const Kernel& kernel);

// The control-flow graph's edges: the instructions that may follow `at`.
std::vector<uint32_t> successors(const Kernel& kernel, uint32_t at);

}  // namespace ptxsim

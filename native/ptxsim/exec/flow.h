// The control-flow graph of a kernel.
#pragma once

#include "exec/program.h"

namespace ptxsim {

// The instructions that may follow the one at `at`.
std::vector<uint32_t> successors(const Kernel& kernel, uint32_t at);

}  // namespace ptxsim

// Loads and stores of a whole warp at once: the same checks and counts as lane by lane, made once where the lanes' addresses allow it.
#pragma once

#include "exec/warp.h"

namespace ptxsim {

// False where a lane must be refused, or the addresses lie in several spaces or allocations: then nothing has been moved, and going lane
// by lane gives the result or the report.
bool loadTogether(Warp& warp, const Instruction& instruction);
bool storeTogether(Warp& warp, const Instruction& instruction);

// "ld.global": for reports.
const char* nameOfAccess(bool isStore, Space space);

}  // namespace ptxsim

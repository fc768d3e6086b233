// Whether a kernel leaves the registers of wgmma alone while products are under way (PTX ISA, section 9.7.14.1 and wgmma.fence).
#pragma once

#include "exec/program.h"

namespace ptxsim {

// Follows every path: an instruction that touches a register of a product before a wgmma.wait_group covers it, or a product whose registers were written
// with no wgmma.fence between, is replaced by one that reports it when it is executed. Copies from register to register pass the state on: compilers write
// them around products, and assemblers take them out.
void checkProductRegisters(Kernel& kernel);

}  // namespace ptxsim

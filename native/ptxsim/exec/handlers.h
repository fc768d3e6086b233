// Which function executes a shape. One file a section of the manual; each answers for its own opcodes.
#pragma once

#include "exec/program.h"

namespace ptxsim {

// Null where the file does not own the opcode.
Handler integerHandler(const Shape& shape);   // 9.7.1, 9.7.2
Handler floatHandler(const Shape& shape);     // 9.7.3
Handler directedHandler(const Shape& shape);  // the same with .rz, .rm and .rp; null for what rounds to nearest alone
Handler halfHandler(const Shape& shape);      // 9.7.4
Handler compareHandler(const Shape& shape);   // 9.7.5, 9.7.6
Handler logicHandler(const Shape& shape);     // 9.7.7
Handler moveHandler(const Shape& shape);      // 9.7.8: mov, prmt, cvta, isspacep
Handler convertHandler(const Shape& shape);   // 9.7.8.20
Handler generalConversion();                  // cvt that looks at the width of each register
Handler memoryHandler(const Shape& shape);    // 9.7.8: ld, st, prefetch; 9.7.12: atom, red
Handler asyncHandler(const Shape& shape);     // 9.7.8.22 cp.async, 9.7.12.15 mbarrier
Handler controlHandler(const Shape& shape);   // 9.7.11, 9.7.12: bra, bar, membar; 9.7.17
Handler exchangeHandler(const Shape& shape);  // shfl, vote, match, redux, activemask
Handler matrixHandler(const Shape& shape);    // 9.7.13
Handler bulkHandler(const Shape& shape);      // 9.7.8.22.5: copies of boxes
Handler clusterHandler(const Shape& shape);   // 9.7.12.3: barriers of a cluster; mapa
Handler warpgroupHandler(const Shape& shape); // 9.7.14, setmaxnreg

// Every form of the table has one: a test asks for all.
Handler handlerOf(const Shape& shape);

}  // namespace ptxsim

// Arithmetic in f32 and f64 that does not round to nearest: .rz, .rm, .rp (PTX ISA, section 9.7.3). Compiled with -frounding-math.
#include "exec/ops/float_arithmetic.h"

namespace ptxsim {

Handler directedHandler(const Shape& s) { return arithmetic<false>(s.form->opcode, s.type()); }

}  // namespace ptxsim

// The rounding mode of an instruction, while it is computed. Threads run in round-to-nearest-even, the default of C++, in between.
#pragma once

#include <cfenv>

#include "exec/program.h"

namespace ptxsim {

// Its users are compiled with -frounding-math, or the compiler would take arithmetic out of the scope.
class RoundingScope {
 public:
  explicit RoundingScope(Rounding rounding) : isDirected_(rounding != Rounding::Nearest) {
    constexpr int Modes[] = {FE_TONEAREST, FE_TOWARDZERO, FE_DOWNWARD, FE_UPWARD};
    if (isDirected_) std::fesetround(Modes[static_cast<int>(rounding)]);
  }
  ~RoundingScope() {
    if (isDirected_) std::fesetround(FE_TONEAREST);
  }
  RoundingScope(const RoundingScope&) = delete;
  RoundingScope& operator=(const RoundingScope&) = delete;

 private:
  bool isDirected_;
};

}  // namespace ptxsim

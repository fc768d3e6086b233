// What the addresses of a warp's lanes cost a GPU: passes over the 32 banks of shared memory, sectors of 32 bytes of global memory. Both
// follow from how the addresses lie to each other, and an instruction mostly meets the same each time: the last of each is kept.
#pragma once

#include <cstdint>

#include "isa/types.h"

namespace ptxsim {

struct AccessPattern {
  uint32_t offsets[32];  // of the lanes' addresses from where a word (shared memory) or sector (global memory) begins; of absent lanes: the first one's
  uint32_t lanes = 0;    // that access; 0: nothing is known yet
  Space space = Space::Generic;
  uint32_t repeats = 0;  // as Addresses::repeats
  uint32_t cost = 0;     // passes or sectors
};

}  // namespace ptxsim

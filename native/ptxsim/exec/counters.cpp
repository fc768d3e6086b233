#include "exec/counters.h"

namespace ptxsim {

const char* nameOf(Count count) {
  static constexpr const char* Names[] = {
      "warp_instructions", "thread_instructions", "integer_instructions", "float_instructions", "conversion_instructions", "control_instructions",
      "memory_instructions", "barrier_instructions", "exchange_instructions", "mma_instructions", "divergent_branches", "global_load_bytes",
      "global_store_bytes", "global_load_sectors", "global_store_sectors", "shared_load_bytes", "shared_store_bytes", "shared_wavefronts",
      "shared_ideal_wavefronts", "local_bytes", "atomic_instructions", "async_copy_bytes",
  };
  static_assert(sizeof Names / sizeof *Names == static_cast<size_t>(Count::Number));
  return Names[static_cast<size_t>(count)];
}

}  // namespace ptxsim

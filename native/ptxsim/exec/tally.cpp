#include "exec/tally.h"

namespace ptxsim {

void Tally::addTo(Counters& counters, const std::vector<Instruction>& code) const {
  int64_t executions = 0;
  for (size_t i = 0; i < code.size(); i++) {
    executions += changes_[i];
    counters.add(code[i].kind, static_cast<uint64_t>(executions));
    counters.add(Count::WarpInstructions, static_cast<uint64_t>(executions));
  }

  counters.add(Count::ThreadInstructions, threads_);
}

}  // namespace ptxsim

// Register pressure from the PTX alone: a lower bound for what the assembler needs, and the figure that tells a kernel that cannot fit.
#include <algorithm>
#include <unordered_map>

#include "exec/flow.h"

namespace ptxsim {

std::vector<uint32_t> successors(const Kernel& kernel, uint32_t at) {
  const auto& instruction = kernel.code[at];
  auto opcode = instruction.form->opcode;
  bool isGuarded = instruction.predicate != NoSlot;
  std::vector<uint32_t> next;
  if (opcode == "bra" || opcode == "ret" || opcode == "exit" || opcode == "trap") {
    if (opcode == "bra" || (opcode == "ret" && instruction.target != 0)) next.push_back(instruction.target);
    if (isGuarded) next.push_back(at + 1);
    return next;
  }

  if (opcode == "brx") {
    next = kernel.tables[instruction.target];
    if (isGuarded) next.push_back(at + 1);
    return next;
  }

  return {at + 1};
}

namespace {

using Bits = std::vector<uint64_t>;

// A straight run of instructions that is entered at its first and left at its last.
struct Run {
  uint32_t begin, end;
  std::vector<uint32_t> next;
  Bits in, out;
};

class Liveness {
 public:
  explicit Liveness(const Kernel& kernel) : kernel_(kernel) {
    numberRegisters();
    findRuns();
  }

  Footprint run() {
    flow();
    Footprint result;
    for (const auto& run : runs_) {
      auto live = run.out;
      auto [registers, predicates] = weigh(live);
      for (uint32_t at = run.end; at-- > run.begin;) {
        step(kernel_.code[at], live, registers, predicates);
        result.liveRegisters = std::max(result.liveRegisters, registers);
        result.livePredicates = std::max(result.livePredicates, predicates);
      }
    }

    return result;
  }

 private:
  // Only slots that some instruction writes are registers; constants and special registers cost nothing here.
  void numberRegisters() {
    for (const auto& instruction : kernel_.code)
      for (int i = 0; i < instruction.count; i++)
        if (instruction.written >> i & 1) numbers_.try_emplace(instruction.at[i], static_cast<uint32_t>(numbers_.size()));
    for (const auto& list : kernel_.registerLists)
      for (Slot slot : list) numbers_.try_emplace(slot, static_cast<uint32_t>(numbers_.size()));
    weights_.resize(numbers_.size());
    for (const auto& instruction : kernel_.code)
      for (int i = 0; i < instruction.count; i++)
        if (auto found = numbers_.find(instruction.at[i]); found != numbers_.end()) weights_[found->second] = weightOf(instruction.at[i]);
    for (const auto& list : kernel_.registerLists)
      for (Slot slot : list) weights_[numbers_[slot]] = weightOf(slot);
  }

  int weightOf(Slot slot) const {
    auto found = std::lower_bound(kernel_.slots.begin(), kernel_.slots.end(), std::pair{slot, Class::Word},
                                  [](const auto& a, const auto& b) { return a.first < b.first; });
    Class slotClass = found == kernel_.slots.end() ? Class::Word : found->second;
    return slotClass == Class::Double ? 2 : slotClass == Class::Word ? 1 : 0;
  }

  void findRuns() {
    size_t size = kernel_.code.size();
    std::vector<bool> isLeader(size + 1, false);
    isLeader[0] = true;
    for (uint32_t at = 0; at < size; at++) {
      auto next = successors(kernel_, at);
      if (next.size() == 1 && next[0] == at + 1) continue;
      isLeader[at + 1] = true;
      for (uint32_t to : next) isLeader[to] = true;
    }

    std::vector<uint32_t> runAt(size + 1, 0);
    for (uint32_t at = 0; at < size; at++) {
      if (isLeader[at]) runs_.push_back({at, at, {}, {}, {}});
      runs_.back().end = at + 1;
      runAt[at] = static_cast<uint32_t>(runs_.size() - 1);
    }

    for (auto& run : runs_) {
      for (uint32_t to : successors(kernel_, run.end - 1))
        if (to < size) run.next.push_back(runAt[to]);
      run.in.assign(words(), 0);
      run.out.assign(words(), 0);
    }
  }

  size_t words() const { return numbers_.size() / 64 + 1; }

  void flow() {
    for (bool changed = true; changed;) {
      changed = false;
      for (size_t i = runs_.size(); i-- > 0;) {
        auto& run = runs_[i];
        for (uint32_t next : run.next)
          for (size_t w = 0; w < words(); w++) run.out[w] |= runs_[next].in[w];
        auto live = run.out;
        int unused = 0;
        for (uint32_t at = run.end; at-- > run.begin;) step(kernel_.code[at], live, unused, unused);
        if (live == run.in) continue;
        run.in = std::move(live);
        changed = true;
      }
    }
  }

  void set(Bits& live, Slot slot, bool on, int& registers, int& predicates) const {
    auto found = numbers_.find(slot);
    if (found == numbers_.end()) return;
    uint64_t bit = uint64_t{1} << (found->second % 64);
    uint64_t& word = live[found->second / 64];
    if (((word & bit) != 0) == on) return;
    word ^= bit;
    int weight = weights_[found->second];
    (weight ? registers : predicates) += (on ? 1 : -1) * std::max(weight, 1);
  }

  // Backwards over one instruction. A guarded write may leave the old value, which therefore stays live.
  void step(const Instruction& instruction, Bits& live, int& registers, int& predicates) const {
    if (instruction.predicate == NoSlot)
      for (int i = 0; i < instruction.count; i++)
        if (instruction.written >> i & 1) set(live, instruction.at[i], false, registers, predicates);
    for (int i = 0; i < instruction.count; i++)
      if (!(instruction.written >> i & 1)) set(live, instruction.at[i], true, registers, predicates);
    if (instruction.form->opcode == "wgmma" && instruction.count > 1)
      for (Slot slot : kernel_.registerLists[instruction.target]) set(live, slot, true, registers, predicates);
    if (instruction.predicate != NoSlot) set(live, instruction.predicate, true, registers, predicates);
  }

  std::pair<int, int> weigh(const Bits& live) const {
    int registers = 0, predicates = 0;
    for (const auto& [slot, number] : numbers_)
      if (live[number / 64] >> (number % 64) & 1) (weights_[number] ? registers : predicates) += std::max(weights_[number], 1);
    return {registers, predicates};
  }

  const Kernel& kernel_;
  std::unordered_map<Slot, uint32_t> numbers_;
  std::vector<int> weights_;
  std::vector<Run> runs_;
};

}  // namespace

const Footprint& Kernel::footprint() const {
  std::call_once(isMeasured_, [this] {
    if (!code.empty()) footprint_ = Liveness(*this).run();
  });
  return footprint_;
}

}  // namespace ptxsim

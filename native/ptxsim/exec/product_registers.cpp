#include "exec/product_registers.h"

#include <algorithm>
#include <unordered_map>

#include "exec/flow.h"
#include "exec/warp.h"

namespace ptxsim {
namespace {

// Of one register: written since the last fence; and 0, or how its newest product stands: 1 in no group yet, 2 in the newest group, 3 in the one before, ...
struct State {
  bool isUnfenced = false;
  uint8_t product = 0;
  bool operator==(const State&) const = default;
};
constexpr uint8_t Oldest = 250;
using States = std::vector<State>;

void unfenced(Warp&, const Instruction&) {
  throw Fault{FaultKind::Race, "wgmma.mma_async adds to registers that were written with no wgmma.fence between"};
}

void underWay(Warp&, const Instruction&) {
  throw Fault{FaultKind::Race, "a register of wgmma.mma_async is touched before a wgmma.wait_group that covers it"};
}

class ProductRegisters {
 public:
  explicit ProductRegisters(Kernel& kernel) : kernel_(kernel), before_(kernel.code.size()) { number(); }

  void run() {
    std::vector<uint32_t> open{0};
    before_[0].assign(numbers_.size(), State());
    while (!open.empty()) {
      uint32_t at = open.back();
      open.pop_back();
      States after = before_[at];
      step(kernel_.code[at], after);
      for (uint32_t next : successors(kernel_, at))
        if (next < before_.size() && merge(before_[next], after)) open.push_back(next);
    }

    // Flagged once all is known: a handler tells what an instruction is.
    for (size_t at = 0; at < before_.size(); at++) {
      if (before_[at].empty()) continue;
      States after = before_[at];
      if (Handler found = step(kernel_.code[at], after)) kernel_.code[at].run = found;
    }
  }

 private:
  static bool isProduct(const Instruction& i) { return i.form->opcode == "wgmma" && i.form->modifiers.starts_with(".mma_async"); }
  static bool isCopy(const Instruction& i) { return i.form->opcode == "mov" && i.count == 2 && i.predicate == NoSlot && (i.written & 3) == 1; }

  // Accumulators, and the registers that they are copied to and from.
  void number() {
    auto add = [&](Slot slot) { return numbers_.try_emplace(slot, numbers_.size()).second; };
    for (const auto& i : kernel_.code)
      if (isProduct(i))
        for (Slot slot : kernel_.registerLists[i.target]) add(slot);
    for (bool grows = true; grows;) {
      grows = false;
      for (const auto& i : kernel_.code)
        if (isCopy(i) && numbers_.contains(i.at[0]) != numbers_.contains(i.at[1]) && !isConstant(i.at[1])) grows |= add(i.at[0]) | add(i.at[1]);
    }
  }

  bool isConstant(Slot slot) const {
    return std::any_of(kernel_.constants.begin(), kernel_.constants.end(), [&](const auto& constant) { return constant.slot == slot; });
  }

  State* find(States& states, Slot slot) const {
    auto found = numbers_.find(slot);
    return found == numbers_.end() ? nullptr : &states[found->second];
  }

  static bool merge(States& into, const States& from) {
    if (into.empty() && !from.empty()) {
      into = from;
      return true;
    }

    bool changed = false;
    for (size_t n = 0; n < into.size(); n++) {
      // The product least far, which is the one that touching it can hit.
      State& to = into[n];
      State both{to.isUnfenced || from[n].isUnfenced, to.product == 0 || (from[n].product != 0 && from[n].product < to.product) ? from[n].product : to.product};
      changed |= !(both == to);
      to = both;
    }

    return changed;
  }

  // What the instruction makes of the states; the handler that reports it where it may not stand there.
  Handler step(const Instruction& i, States& states) const {
    Handler found = nullptr;
    if (i.form->opcode == "wgmma") {
      if (isProduct(i)) {
        for (Slot slot : kernel_.registerLists[i.target]) {
          State* state = find(states, slot);
          if (state->isUnfenced) found = &unfenced;
          *state = {false, 1};
        }
      } else if (i.form->modifiers.starts_with(".fence")) {
        for (auto& state : states) state.isUnfenced = false;
      } else if (i.form->modifiers.starts_with(".commit_group")) {
        for (auto& state : states) state.product = state.product == 0 ? uint8_t{0} : std::min<uint8_t>(static_cast<uint8_t>(state.product + 1), Oldest);
      } else {
        for (auto& state : states)
          if (state.product >= 2 + std::min<uint64_t>(i.immediate, Oldest - 3)) state.product = 0;
      }

      return found;
    }

    if (isCopy(i)) {
      State *to = find(states, i.at[0]), *from = find(states, i.at[1]);
      if (to) *to = from ? *from : State{true, 0};
      return found;
    }

    for (int n = 0; n < i.count; n++) {
      State* state = find(states, i.at[n]);
      if (!state) continue;
      if (state->product != 0) found = &underWay;
      if (i.written >> n & 1) *state = {true, 0};
    }

    return found;
  }

  Kernel& kernel_;
  std::unordered_map<Slot, size_t> numbers_;
  std::vector<States> before_;
};

}  // namespace

void checkProductRegisters(Kernel& kernel) {
  bool hasProducts = std::any_of(kernel.code.begin(), kernel.code.end(), [](const auto& i) { return i.form->opcode == "wgmma"; });
  if (hasProducts && !kernel.registerLists.empty()) ProductRegisters(kernel).run();
}

}  // namespace ptxsim

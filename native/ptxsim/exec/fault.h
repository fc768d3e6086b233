// What stops a kernel: the diagnosis, and the error that a GPU's driver would give.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>

namespace ptxsim {

enum class FaultKind : uint8_t {
  IllegalAddress,     // out of bounds, not allocated                      700
  Misaligned,         // address no multiple of the access's size          716
  AddressSpace,       // an address outside the instruction's space        717
  IllegalInstruction, // trap, unsupported use                             715
  Assert,             // __assertfail                                      710
  Deadlock,           // a barrier that cannot complete                    702 (launch timeout)
  Uninitialized,      // no error on a GPU: garbage                        719
  Race,               // no error on a GPU: any result                     719
  Barrier,            // divergent or unmatched barrier                    719
  Convergence,        // .aligned or full-mask operation without its lanes 719
};

constexpr int cudaError(FaultKind kind) {
  switch (kind) {
    case FaultKind::IllegalAddress: return 700;
    case FaultKind::Misaligned: return 716;
    case FaultKind::AddressSpace: return 717;
    case FaultKind::IllegalInstruction: return 715;
    case FaultKind::Assert: return 710;
    case FaultKind::Deadlock: return 702;
    default: return 719;
  }
}

// Thrown where an instruction finds it, completed with its place by the executor.
struct Fault {
  FaultKind kind;
  std::string message;
  int lane = -1;
  std::optional<uint64_t> address = std::nullopt;
};

// A fault with its place: kernel, PTX line, source line, thread, block.
class KernelFault : public std::runtime_error {
 public:
  KernelFault(FaultKind kind, const std::string& report) : std::runtime_error(report), kind_(kind) {}
  FaultKind kind() const { return kind_; }

 private:
  FaultKind kind_;
};

}  // namespace ptxsim

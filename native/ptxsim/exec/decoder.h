// From syntax to a kernel: resolves names, checks operands against their forms, inlines calls.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "exec/image.h"

namespace ptxsim {

// What an opcode with its modifiers stands for: each of its forms with an instruction that lacks nothing but operands. Modules use few.
struct KnownForm {
  Shape shape;
  Instruction prototype;
};
using KnownForms = std::unordered_map<std::string, std::vector<KnownForm>>;

class Decoder {
 public:
  // `known` grows with what is met, and serves all kernels of a module.
  Decoder(const Image& image, Kernel& kernel, KnownForms& known) : image_(image), kernel_(kernel), known_(known) {}

  void run(const Function& entry);

 private:
  static constexpr int MaxCallDepth = 32;
  static constexpr size_t MaxInstructions = size_t{1} << 22;

  struct Symbol {
    enum class Kind : uint8_t { Register, Family, Shared, Local, Parameter, CallParameter };
    Kind kind;
    Type type = Type::None;
    uint64_t value = 0;    // slot, offset or number of registers
    bool isDynamic = false;  // dynamic shared memory
  };
  using Scope = std::map<std::string, Symbol, std::less<>>;

  // One function being inlined: its labels, and where its ret goes.
  struct Frame {
    const Function* function = nullptr;
    std::map<std::string, uint32_t> labels;
    std::map<std::string, std::vector<std::string>> branchTargets;
    std::vector<std::pair<uint32_t, std::string>> branches;  // instructions whose target is not yet known
    std::vector<std::pair<uint32_t, std::string>> tables;    // likewise brx and their lists
    std::vector<uint32_t> returns;
  };

  // decoder.cpp
  void body(const Function& function);
  void resolve(const Frame& frame);
  void block(const Block& block);
  void declare(const Variable& variable);
  void declareParameters(const Function& entry);
  void instruction(const Statement& statement);
  const std::vector<KnownForm>& formsOf(const std::string& text);
  Instruction begin(const Statement& statement, const KnownForm& form);
  void append(const Instruction& instruction);

  // operands.cpp
  bool fits(const Statement& statement, const Shape& shape) const;
  void operands(Instruction& instruction, const Statement& statement, const Shape& shape);
  void role(Instruction& instruction, const Operand& operand, std::string_view role, const Shape& shape);
  void vectorRole(Instruction& instruction, const Operand& operand, std::string_view role, const Shape& shape);
  void packedRole(Instruction& instruction, const Operand& operand, std::string_view role, const Shape& shape);
  void mapRole(Instruction& instruction, const Operand& operand);
  void addressRole(Instruction& instruction, const Operand& operand, const Shape& shape);
  void put(Instruction& instruction, Slot slot, bool isWritten, bool isNegated = false);
  Slot written(const Operand& operand, Type type, bool mayBeWider);
  Slot read(const Operand& operand, Type type, bool mayBeWider, bool takesAddresses);
  Slot addressOf(const Operand& operand, Type type);
  Slot predicate(const Operand& operand, bool isWritten);
  Slot constant(uint64_t bits, Class slotClass);
  Slot literal(const Operand& operand, Type type);
  std::optional<Slot> special(std::string_view name);
  Slot allocate(Class slotClass);
  Symbol* find(std::string_view name);
  void checkType(const Operand& operand, Type declared, Type wanted, bool mayBeWider) const;
  static Type typeIn(std::string_view name, const Shape& shape);

  // calls.cpp
  void call(const Statement& statement, const KnownForm& form);
  void builtin(const Statement& statement, const KnownForm& form, const std::string& name, const std::vector<Operand>& arguments);
  void bindParameters(const std::vector<Variable>& parameters, const std::vector<Operand>& arguments, Scope& scope, const char* what);

  [[noreturn]] void fail(const std::string& message) const;

  const Image& image_;
  Kernel& kernel_;
  KnownForms& known_;
  std::vector<Scope> scopes_;
  std::vector<Frame> frames_;
  std::map<std::pair<uint64_t, Class>, Slot> constants_;
  std::map<Special, Slot> specials_;
  std::map<std::pair<Class, uint64_t>, Slot> dynamicBases_;  // by width and by the offset added to it
  std::map<std::string, uint64_t, std::less<>> sharedOffsets_;  // of module-level shared variables
  std::string lastLabel_;
  int line_ = 0, file_ = 0, sourceLine_ = 0;
  const Statement* current_ = nullptr;  // null in a declaration
  int addresses_ = 0;  // of the instruction at hand
};

}  // namespace ptxsim

// A PTX module as its text says it: names are not resolved, opcodes not understood.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "isa/types.h"

namespace ptxsim {

// A value in an initializer: a number, or the address of a variable plus an offset.
struct InitialValue {
  std::string symbol;       // empty for a number
  bool isGeneric = false;   // generic(symbol)
  uint64_t bits = 0;        // the number, or the offset
  bool isDouble = false;    // `bits` are those of an f64 literal, to be narrowed to the variable's type
  int line = 0;
};

// A variable, parameter or register: ".shared .align 16 .b8 tile[4096]" and ".reg .b32 %r<12>".
struct Variable {
  Space space = Space::Reg;
  Type type = Type::None;
  int vector = 1;           // .v2, .v4
  int align = 0;            // 0: natural
  std::string name;
  int64_t count = 1;        // elements; 0 for an array of unknown size (.extern .shared)
  int64_t copies = -1;      // %r<12>: 12 registers %r0 to %r11; -1 without angle brackets
  bool isArray = false;
  bool isExtern = false;
  bool isPointer = false;   // .param .u64 .ptr ...
  std::vector<InitialValue> initial;
  int line = 0;

  int64_t bytes() const { return static_cast<int64_t>(sizeOf(type)) * vector * count; }
  int alignment() const { return align ? align : sizeOf(type) * vector; }
};

struct Operand {
  enum class Kind : uint8_t {
    Name,       // register, variable, label or function: name (+ offset for a variable)
    Integer,    // bits
    Float32,    // bits
    Float64,    // bits
    Address,    // [name + offset], [offset]
    Vector,     // { parts }
    Group,      // ( parts ): arguments and results of a call
    Sink,       // _
  };
  Kind kind = Kind::Name;
  std::string name;
  uint64_t bits = 0;
  int64_t offset = 0;
  bool isNegated = false;          // !%p
  std::vector<Operand> parts;
  std::shared_ptr<Operand> second; // a|b: two results
};

struct Statement;

struct Block {
  std::vector<Statement> statements;
};

struct Statement {
  enum class Kind : uint8_t { Instruction, Label, Declaration, Block, BranchTargets, Location };
  Kind kind = Kind::Instruction;
  int line = 0;
  std::string text;                  // opcode with modifiers, or the label's name
  std::string predicate;             // empty without @%p
  bool isPredicateNegated = false;   // @!%p
  std::vector<Operand> operands;
  std::vector<Variable> variables;   // of a declaration
  std::vector<std::string> targets;  // of .branchtargets, whose own name is `text`
  std::unique_ptr<Block> block;
  int file = 0, sourceLine = 0;      // of .loc
};

struct Function {
  bool isEntry = false;
  bool isDeclaration = false;
  std::string name;
  std::vector<Variable> results, parameters;
  int maxThreads[3] = {0, 0, 0};      // .maxntid; zeros where absent
  int requiredThreads[3] = {0, 0, 0}; // .reqntid
  int maxRegisters = 0;               // .maxnreg
  int minBlocks = 0;                  // .minnctapersm
  int requiredCluster[3] = {0, 0, 0}; // .reqnctapercluster
  bool needsCluster = false;          // .explicitcluster
  int maxCluster = 0;                 // .maxclusterrank
  Block body;
  int line = 0;
};

struct Module {
  int version = 0;              // 80 for .version 8.0
  int target = 0;               // 80 for sm_80
  bool isArchSpecific = false;  // sm_90a
  int addressSize = 32;
  std::vector<Variable> variables;
  std::vector<Function> functions;
  std::vector<std::string> files;   // .file, by number
};

// Throws PtxError. Limits on size and nesting keep hostile text from exhausting memory or stack.
Module parse(std::string_view text);

}  // namespace ptxsim

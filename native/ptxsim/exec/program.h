// A kernel ready to run: names resolved to offsets, each instruction with the function that executes it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "exec/counters.h"
#include "isa/shape.h"
#include "isa/types.h"

namespace ptxsim {

struct Warp;
struct Instruction;
struct Statement;

// Executes one instruction for the warp's active lanes.
using Handler = void (*)(Warp& warp, const Instruction& instruction);

// A register file is one array of bytes per warp. Every register has a slot of 32 lanes: 4 or 8 bytes a lane, or one 32-bit mask for a
// predicate. Constants and special registers have slots too, filled when a block begins, so that operands are offsets and nothing else.
using Slot = uint32_t;
constexpr Slot NoSlot = ~Slot{0};

enum class Class : uint8_t { Word, Double, Predicate };  // 8- and 16-bit values live in a Word

constexpr Class classOf(Type type) {
  return type == Type::Pred ? Class::Predicate : sizeOf(type) == 8 ? Class::Double : Class::Word;
}
constexpr uint32_t bytesOf(Class c) { return c == Class::Predicate ? 4 : c == Class::Double ? 256 : 128; }

enum class Rounding : uint8_t { Nearest, Zero, Down, Up };
enum class Compare : uint8_t { Eq, Ne, Lt, Le, Gt, Ge, Equ, Neu, Ltu, Leu, Gtu, Geu, Num, Nan };
enum class Combine : uint8_t { None, And, Or, Xor };

constexpr int MaxOperands = 14;  // mma.m16n8k16: 4 results, 4 + 2 + 4 operands

// What every execution looks at lies in the first cache line.
struct alignas(64) Instruction {
  Handler run = nullptr;
  Slot predicate = NoSlot;
  bool isPredicateNegated = false;
  Count kind = Count::IntegerInstructions;  // what it is counted as
  uint8_t count = 0;             // operands
  uint8_t vector = 1;
  Type type = Type::None, second = Type::None;
  Space space = Space::Generic;
  Rounding rounding = Rounding::Nearest;
  Compare compare = Compare::Eq;
  Combine combine = Combine::None;
  uint8_t mode = 0;              // of shfl, vote, prmt, bar.red, lop3 (its table), atom (its operation)
  bool ftz = false, saturate = false, propagateNan = false, relu = false, xorSign = false, transpose = false;
  bool isVolatile = false, toGeneric = false, wrap = false, isUniform = false;
  bool isClusterWide = false;    // its addresses are of the window of shared::cluster
  bool releases = false;         // what the block wrote before, other blocks may rely on
  uint16_t written = 0;          // bit i: at[i] is a result
  uint16_t wide = 0;             // bit i: at[i] has 64 bits a lane
  Slot at[MaxOperands];          // in the order of the text
  bool isNegated[MaxOperands] = {};  // of predicates that are read
  bool isWideAddress[2] = {true, true};  // the base register has 64 bits
  int64_t displacement[2] = {0, 0};  // of its addresses, in order
  uint64_t immediate = 0;        // of lop3, cp.async: also in a slot
  uint32_t target = 0;           // of a branch; the index into `tables` of brx; into `registerLists` of wgmma
  uint32_t pattern = 0;          // of an access to memory: its index into the block's patterns; cp.async has a second one for its source
  int line = 0;                  // in the PTX
  int file = 0, sourceLine = 0;  // from .loc; 0 without
  const Form* form = nullptr;
  const Statement* statement = nullptr;  // what it was made from, for reports
};
static_assert(sizeof(Instruction) <= 192);

struct SlotValue {
  Slot slot;
  Class slotClass;
  uint64_t bits;  // of every lane
};

enum class Special : uint8_t {
  TidX, TidY, TidZ, NtidX, NtidY, NtidZ, CtaidX, CtaidY, CtaidZ, NctaidX, NctaidY, NctaidZ, LaneId, WarpId, NWarpId, SmId, NSmId, GridId,
  LaneMaskEq, LaneMaskLe, LaneMaskLt, LaneMaskGe, LaneMaskGt, DynamicSharedSize, TotalSharedSize, Clock, Clock64, GlobalTimer,
  ClusterIdX, ClusterIdY, ClusterIdZ, NClusterIdX, NClusterIdY, NClusterIdZ, ClusterCtaidX, ClusterCtaidY, ClusterCtaidZ, ClusterNctaidX, ClusterNctaidY,
  ClusterNctaidZ, ClusterCtarank, ClusterNctarank,
};

struct Parameter {
  uint32_t offset, size, alignment;
};

// Static figures of a kernel, by backward data flow over its control-flow graph.
struct Footprint {
  int liveRegisters = 0;    // largest number of 32-bit registers live at one instruction; predicates apart
  int livePredicates = 0;
};

struct Kernel {
  std::string name;
  std::vector<Parameter> parameters;
  uint32_t parameterBytes = 0;
  uint32_t sharedBytes = 0;        // static; dynamic memory begins at its end, aligned to dynamicAlignment
  uint32_t dynamicAlignment = 16;
  bool usesDynamicShared = false;
  int setRegisters = 0;            // the most that a setmaxnreg asks for, which says then how many a thread has, not the launch; 0: there is none
  bool hasDeviceFences = false;    // its blocks may hand data to each other
  bool usesProxies = false;        // shared memory by the async proxy, or beyond the block: fences and clusters are followed
  bool usesClusters = false;       // also where a cluster is one block
  bool mayWaitForBlocks = false;   // it looks at what others do: by atomics or volatile loads
  uint32_t localBytes = 0;         // per thread
  uint32_t registerFileBytes = 0;  // per warp
  std::vector<std::pair<Slot, Class>> slots;  // all of them, by offset
  std::vector<SlotValue> constants;
  std::vector<std::pair<Slot, Special>> specials;
  std::vector<Instruction> code;
  std::vector<std::vector<uint32_t>> tables;
  std::vector<std::vector<Slot>> registerLists;  // accumulators of wgmma, which are more than an instruction holds
  uint32_t patterns = 0;           // that its accesses to memory have
  std::vector<std::string> files;
  int maxThreads[3] = {0, 0, 0}, requiredThreads[3] = {0, 0, 0};
  int maxRegisters = 0, minBlocks = 0;
  int requiredCluster[3] = {0, 0, 0};  // .reqnctapercluster; zeros where absent
  bool needsCluster = false;           // .explicitcluster: launched with one, or not at all
  int maxCluster = 8;                  // .maxclusterrank: blocks; what every device of sm_90 takes

  // Worked out when first asked for.
  const Footprint& footprint() const;

  uint32_t dynamicOffset() const { return (sharedBytes + dynamicAlignment - 1) / dynamicAlignment * dynamicAlignment; }

 private:
  mutable std::once_flag isMeasured_;
  mutable Footprint footprint_;
};

// Windows of the generic address space; global addresses are the host's own.
constexpr uint64_t SharedWindow = 0x7000'0000'0000'0000;
constexpr uint64_t LocalWindow = 0x7100'0000'0000'0000;
constexpr uint64_t ParamWindow = 0x7200'0000'0000'0000;
constexpr uint64_t WindowSize = uint64_t{1} << 32;

}  // namespace ptxsim

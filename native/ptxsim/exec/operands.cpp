// Operands of an instruction against the roles of its form (PTX ISA, sections 6.4 and 9.4).
#include <algorithm>
#include <bit>

#include "exec/decoder.h"
#include "syntax/error.h"

namespace ptxsim {
namespace {

constexpr std::pair<std::string_view, Special> Specials[] = {
    {"%tid.x", Special::TidX}, {"%tid.y", Special::TidY}, {"%tid.z", Special::TidZ},
    {"%ntid.x", Special::NtidX}, {"%ntid.y", Special::NtidY}, {"%ntid.z", Special::NtidZ},
    {"%ctaid.x", Special::CtaidX}, {"%ctaid.y", Special::CtaidY}, {"%ctaid.z", Special::CtaidZ},
    {"%nctaid.x", Special::NctaidX}, {"%nctaid.y", Special::NctaidY}, {"%nctaid.z", Special::NctaidZ},
    {"%laneid", Special::LaneId}, {"%warpid", Special::WarpId}, {"%nwarpid", Special::NWarpId},
    {"%smid", Special::SmId}, {"%nsmid", Special::NSmId}, {"%gridid", Special::GridId},
    {"%lanemask_eq", Special::LaneMaskEq}, {"%lanemask_le", Special::LaneMaskLe}, {"%lanemask_lt", Special::LaneMaskLt},
    {"%lanemask_ge", Special::LaneMaskGe}, {"%lanemask_gt", Special::LaneMaskGt},
    {"%dynamic_smem_size", Special::DynamicSharedSize}, {"%total_smem_size", Special::TotalSharedSize},
    {"%clusterid.x", Special::ClusterIdX}, {"%clusterid.y", Special::ClusterIdY}, {"%clusterid.z", Special::ClusterIdZ},
    {"%nclusterid.x", Special::NClusterIdX}, {"%nclusterid.y", Special::NClusterIdY}, {"%nclusterid.z", Special::NClusterIdZ},
    {"%cluster_ctaid.x", Special::ClusterCtaidX}, {"%cluster_ctaid.y", Special::ClusterCtaidY}, {"%cluster_ctaid.z", Special::ClusterCtaidZ},
    {"%cluster_nctaid.x", Special::ClusterNctaidX}, {"%cluster_nctaid.y", Special::ClusterNctaidY}, {"%cluster_nctaid.z", Special::ClusterNctaidZ},
    {"%cluster_ctarank", Special::ClusterCtarank}, {"%cluster_nctarank", Special::ClusterNctarank},
    {"%clock", Special::Clock}, {"%clock64", Special::Clock64}, {"%globaltimer", Special::GlobalTimer},
};

bool isWideSpecial(Special special) { return special == Special::GridId || special == Special::Clock64 || special == Special::GlobalTimer; }

std::string_view inner(std::string_view role) { return role.substr(1, role.find_last_of(")}") - 1); }

int countOf(std::string_view role, const Instruction& instruction) {
  size_t star = role.find('*');
  return star == std::string_view::npos ? instruction.vector : std::atoi(std::string(role.substr(star + 1)).c_str());
}

Type bitsOf(int bytes) { return bytes == 1 ? Type::B8 : bytes == 2 ? Type::B16 : bytes == 4 ? Type::B32 : bytes == 8 ? Type::B64 : Type::None; }

}  // namespace

Type Decoder::typeIn(std::string_view name, const Shape& shape) {
  if (name == "T") return shape.type();
  if (name == "U") return shape.second();
  if (name == "2T") {
    Type narrow = shape.type();
    return narrow == Type::U16 ? Type::U32 : narrow == Type::S16 ? Type::S32 : narrow == Type::U32 ? Type::U64 : Type::S64;
  }

  return parseType(name).value_or(Type::None);
}

// Whether braces stand where the form wants them; types are checked later, with better messages.
bool Decoder::fits(const Statement& statement, const Shape& shape) const {
  auto roles = rolesOf(*shape.form);
  if (shape.form->opcode != "mov") return true;
  if (statement.operands.size() != roles.size()) return false;
  for (size_t i = 0; i < roles.size(); i++)
    if ((roles[i][0] == '{') != (statement.operands[i].kind == Operand::Kind::Vector)) return false;
  bool isPredicate = shape.type() == Type::Pred;
  return isPredicate == (statement.text.ends_with(".pred"));
}

void Decoder::operands(Instruction& instruction, const Statement& statement, const Shape& shape) {
  auto roles = rolesOf(*shape.form);
  size_t given = statement.operands.size();
  auto required = static_cast<size_t>(std::count_if(roles.begin(), roles.end(), [](auto role) { return role[0] != '?'; }));
  if (given < required || given > roles.size())
    fail("'" + statement.text + "' takes " + std::to_string(required) +
         (required == roles.size() ? "" : " to " + std::to_string(roles.size())) + " operands, found " + std::to_string(given));
  addresses_ = 0;
  size_t next = 0;
  // Optional operands are given from the left; those that are left out leave their place empty.
  size_t spare = given - required;
  for (auto role : roles) {
    if (role[0] == '?') {
      if (spare == 0) {
        put(instruction, NoSlot, false);
        continue;
      }

      spare--;
      role.remove_prefix(1);
    }

    this->role(instruction, statement.operands[next++], role, shape);
  }
}

void Decoder::put(Instruction& instruction, Slot slot, bool isWritten, bool isNegated) {
  if (instruction.count >= MaxOperands) fail("too many operands");
  if (isWritten && slot != NoSlot) instruction.written |= static_cast<uint16_t>(1u << instruction.count);
  if (slot != NoSlot) {
    auto found = std::lower_bound(kernel_.slots.begin(), kernel_.slots.end(), slot, [](const auto& entry, Slot wanted) { return entry.first < wanted; });
    if (found->second == Class::Double) instruction.wide |= static_cast<uint16_t>(1u << instruction.count);
  }

  instruction.isNegated[instruction.count] = isNegated;
  instruction.at[instruction.count++] = slot;
}

void Decoder::role(Instruction& instruction, const Operand& operand, std::string_view role, const Shape& shape) {
  switch (role[0]) {
    case '(': vectorRole(instruction, operand, role, shape); return;
    case '{': packedRole(instruction, operand, role, shape); return;
    case '@': addressRole(instruction, operand, shape); return;
    case 'M': mapRole(instruction, operand); return;
    case '_':
      if (operand.kind != Operand::Kind::Sink) fail("expected '_': an arrival in another block gives no state");
      put(instruction, NoSlot, false);
      return;
    case 'L': case 'B':
      if (operand.kind != Operand::Kind::Name) fail("expected a label");
      return;
    default: break;
  }

  size_t bar = role.find('|');
  auto first = role.substr(0, bar);
  if (operand.second && bar == std::string_view::npos) fail("the first operand is one register, not two");
  if (operand.isNegated && first != "q") fail("only a predicate that is read may be negated with '!'");
  if (first == "p" || first == "q") {
    put(instruction, predicate(operand, first == "p"), first == "p", operand.isNegated);
  } else {
    Type type = typeIn(first.substr(2), shape);
    bool mayBeWider = first[0] == 'm' || first[0] == 'n';
    if (first[0] == 'd' || first[0] == 'm') put(instruction, written(operand, type, mayBeWider), true);
    else if (first[0] == 'i' && operand.kind != Operand::Kind::Integer) fail("expected a constant");
    else if (first[0] == 'r' && operand.kind != Operand::Kind::Name) fail("expected a register");
    else put(instruction, read(operand, type, mayBeWider, first[0] == 's' || first[0] == 'n'), false);
    if (first[0] == 'i') instruction.immediate = operand.bits;
  }

  if (bar != std::string_view::npos) put(instruction, operand.second ? predicate(*operand.second, true) : NoSlot, true);
}

void Decoder::vectorRole(Instruction& instruction, const Operand& operand, std::string_view role, const Shape& shape) {
  int count = countOf(role, instruction);
  auto element = inner(role);
  if (operand.kind != Operand::Kind::Vector) {
    if (count != 1) fail("expected " + std::to_string(count) + " registers in braces");
    this->role(instruction, operand, element, shape);
    return;
  }

  if (operand.parts.size() != static_cast<size_t>(count))
    fail("expected " + std::to_string(count) + " registers in braces, found " + std::to_string(operand.parts.size()));
  if (element[0] == 'u') {
    instruction.target = static_cast<uint32_t>(kernel_.registerLists.size());
    auto& list = kernel_.registerLists.emplace_back();
    for (const auto& part : operand.parts) list.push_back(written(part, typeIn(element.substr(2), shape), false));
    return;
  }

  for (const auto& part : operand.parts) this->role(instruction, part, element, shape);
}

void Decoder::packedRole(Instruction& instruction, const Operand& operand, std::string_view role, const Shape& shape) {
  size_t count = operand.parts.size();
  int bytes = count ? sizeOf(shape.type()) / static_cast<int>(count) : 0;
  Type element = bitsOf(bytes);
  if ((count != 2 && count != 4) || element == Type::None)
    fail("'" + std::string(nameOf(shape.type())) + "' does not split into " + std::to_string(count) + " registers");
  bool isWritten = inner(role) == "d";
  instruction.vector = static_cast<uint8_t>(count);
  instruction.second = element;
  for (const auto& part : operand.parts)
    put(instruction, isWritten ? written(part, element, false) : read(part, element, false, false), isWritten);
}

void Decoder::mapRole(Instruction& instruction, const Operand& operand) {
  if (operand.kind != Operand::Kind::Address || operand.name.empty() || operand.offset != 0 || operand.parts.size() != 1 ||
      operand.parts[0].kind != Operand::Kind::Vector || operand.parts[0].parts.size() != 2)
    fail("expected a tensor map's address in a register and two coordinates: [map, {x, y}]");
  Operand base;
  base.name = operand.name;
  put(instruction, read(base, Type::U64, false, false), false);
  for (const auto& coordinate : operand.parts[0].parts) put(instruction, read(coordinate, Type::S32, false, false), false);
}

void Decoder::addressRole(Instruction& instruction, const Operand& operand, const Shape& shape) {
  if (operand.kind != Operand::Kind::Address) fail("expected an address in brackets");
  if (!operand.parts.empty()) fail("coordinates of a tensor are not modelled");
  int index = addresses_++;
  auto& displacement = instruction.displacement[index];
  displacement = operand.offset;
  if (operand.name.empty()) {
    put(instruction, NoSlot, false);
    return;
  }

  // The second address of cp.async is in global memory; a variable's name says its space where the instruction does not.
  auto inSpace = [&](Space space) {
    Space wanted = index == 0 || shape.has(".bulk") ? instruction.space : Space::Global;
    if (wanted != space && wanted != Space::Generic) fail("'" + operand.name + "' is not in the instruction's state space");
    if (index == 0) instruction.space = space;
  };
  if (Symbol* symbol = find(operand.name)) {
    switch (symbol->kind) {
      case Symbol::Kind::Register:
        if (symbol->type == Type::Pred || sizeOf(symbol->type) < 4 || isFloat(symbol->type))
          fail("'" + operand.name + "' is no register for an address");
        instruction.isWideAddress[index] = sizeOf(symbol->type) == 8;
        put(instruction, static_cast<Slot>(symbol->value), false);
        return;
      case Symbol::Kind::Shared:
        inSpace(Space::Shared);
        if (symbol->isDynamic) put(instruction, addressOf(operand, Type::U64), false), displacement = 0;
        else put(instruction, NoSlot, false), displacement += static_cast<int64_t>(symbol->value);
        return;
      case Symbol::Kind::Local: inSpace(Space::Local); break;
      case Symbol::Kind::Parameter: inSpace(Space::Param); break;
      case Symbol::Kind::CallParameter:
        inSpace(Space::Param);
        instruction.space = Space::Local;
        break;
      case Symbol::Kind::Family: fail("'" + operand.name + "' is a family of registers");
    }

    put(instruction, NoSlot, false);
    displacement += static_cast<int64_t>(symbol->value);
    return;
  }

  // A variable of the module: its address is a constant.
  (void)shape;
  if (auto found = image_.variables.find(operand.name); found != image_.variables.end()) inSpace(found->second.space);
  put(instruction, addressOf(operand, Type::U64), false);
  displacement = 0;
}

Decoder::Symbol* Decoder::find(std::string_view name) {
  size_t digits = name.size();
  while (digits > 0 && name[digits - 1] >= '0' && name[digits - 1] <= '9') digits--;
  for (size_t i = scopes_.size(); i-- > 0;) {
    auto& scope = scopes_[i];
    if (auto found = scope.find(name); found != scope.end()) return &found->second;
    auto family = digits < name.size() ? scope.find(name.substr(0, digits)) : scope.end();
    if (family == scope.end() || family->second.kind != Symbol::Kind::Family) continue;
    auto number = name.substr(digits);
    if (number.size() > 9 || (number.size() > 1 && number[0] == '0')) continue;
    if (std::stoul(std::string(number)) >= family->second.value) continue;
    // Registers get their place when first named: compilers declare many and use few.
    Type type = family->second.type;
    return &scope.emplace(std::string(name), Symbol{Symbol::Kind::Register, type, allocate(classOf(type))}).first->second;
  }

  return nullptr;
}

void Decoder::checkType(const Operand& operand, Type declared, Type wanted, bool mayBeWider) const {
  int have = sizeOf(declared), want = sizeOf(wanted);
  bool isRightSize = mayBeWider ? have >= want : have == want;
  bool isRightKind = isBits(declared) || isBits(wanted) || isFloat(declared) == isFloat(wanted) || mayBeWider || isPacked(wanted) ||
                     wanted == Type::BF16 || wanted == Type::TF32;
  if (declared != Type::Pred && isRightSize && isRightKind) return;
  fail("'" + operand.name + "' is declared " + std::string(nameOf(declared)) + ", and the instruction wants " + std::string(nameOf(wanted)));
}

Slot Decoder::written(const Operand& operand, Type type, bool mayBeWider) {
  if (operand.kind == Operand::Kind::Sink) return allocate(classOf(type));
  if (operand.kind != Operand::Kind::Name) fail("the result must be a register");
  Symbol* symbol = find(operand.name);
  if (!symbol || symbol->kind != Symbol::Kind::Register) fail("there is no register '" + operand.name + "'");
  checkType(operand, symbol->type, type, mayBeWider);
  return static_cast<Slot>(symbol->value);
}

Slot Decoder::read(const Operand& operand, Type type, bool mayBeWider, bool takesAddresses) {
  switch (operand.kind) {
    case Operand::Kind::Integer: case Operand::Kind::Float32: case Operand::Kind::Float64: return literal(operand, type);
    case Operand::Kind::Name: break;
    case Operand::Kind::Sink: return constant(0, classOf(type));  // an element of a vector store that is not stored: no compiler emits it
    default: fail("expected a register or a constant");
  }

  if (operand.name == "WARP_SZ") return constant(32, classOf(type));
  Symbol* symbol = find(operand.name);
  if (symbol && symbol->kind == Symbol::Kind::Register) {
    checkType(operand, symbol->type, type, mayBeWider);
    return static_cast<Slot>(symbol->value);
  }

  if (takesAddresses) {
    if (auto slot = special(operand.name)) {
      bool isWide = std::any_of(std::begin(Specials), std::end(Specials), [&](const auto& entry) { return entry.first == operand.name && isWideSpecial(entry.second); });
      if (isWide != (sizeOf(type) == 8)) fail("special register '" + operand.name + "' has " + (isWide ? "64" : "32") + " bits");
      return *slot;
    }

    return addressOf(operand, type);
  }

  if (special(operand.name)) fail("special register '" + operand.name + "' may only be read by mov and cvt");
  fail("there is no register '" + operand.name + "'");
}

// The address of a variable in its own state space.
Slot Decoder::addressOf(const Operand& operand, Type type) {
  Class slotClass = classOf(type);
  auto offset = static_cast<uint64_t>(operand.offset);
  auto dynamic = [&](uint64_t plus) {
    kernel_.usesDynamicShared = true;
    auto [found, isNew] = dynamicBases_.try_emplace({slotClass, plus}, NoSlot);
    if (isNew) found->second = allocate(slotClass);
    return found->second;
  };
  if (Symbol* symbol = find(operand.name)) {
    switch (symbol->kind) {
      case Symbol::Kind::Shared: return constant(symbol->value + offset, slotClass);
      case Symbol::Kind::Local: case Symbol::Kind::CallParameter: case Symbol::Kind::Parameter: return constant(symbol->value + offset, slotClass);
      default: fail("'" + operand.name + "' has no address");
    }
  }

  auto found = image_.variables.find(operand.name);
  if (found == image_.variables.end()) fail("there is no register or variable '" + operand.name + "'");
  if (found->second.space != Space::Shared) return constant(found->second.address + offset, slotClass);
  const auto& variable = image_.module.variables[found->second.address];
  uint64_t alignment = static_cast<uint64_t>(std::max(1, variable.alignment()));
  if (variable.count == 0 || variable.isExtern) {
    kernel_.dynamicAlignment = std::max(kernel_.dynamicAlignment, static_cast<uint32_t>(alignment));
    return dynamic(offset);
  }

  auto [place, isNew] = sharedOffsets_.try_emplace(operand.name, 0);
  if (isNew) {
    uint64_t begin = (kernel_.sharedBytes + alignment - 1) / alignment * alignment;
    place->second = begin;
    kernel_.sharedBytes = static_cast<uint32_t>(begin + static_cast<uint64_t>(variable.bytes()));
  }

  return constant(place->second + offset, slotClass);
}

Slot Decoder::predicate(const Operand& operand, bool isWritten) {
  if (isWritten && operand.kind == Operand::Kind::Sink) return allocate(Class::Predicate);
  if (!isWritten && operand.kind == Operand::Kind::Integer) return constant(operand.bits != 0, Class::Predicate);
  if (operand.kind != Operand::Kind::Name) fail("expected a predicate register");
  Symbol* symbol = find(operand.name);
  if (!symbol || symbol->kind != Symbol::Kind::Register || symbol->type != Type::Pred) fail("there is no predicate register '" + operand.name + "'");
  return static_cast<Slot>(symbol->value);
}

Slot Decoder::literal(const Operand& operand, Type type) {
  bool isFloatLiteral = operand.kind != Operand::Kind::Integer;
  if (!isFloatLiteral) {
    if (isFloat(type)) fail("expected a floating-point constant");
    return constant(operand.bits, classOf(type));
  }

  if (!isFloat(type) && !isBits(type)) fail("expected an integer constant");
  if (sizeOf(type) == 2) fail("constants of 16 bits must be written as integers of type .b16");
  // 0d and decimal literals are f64 and are rounded where an f32 is wanted; 0f is exact.
  bool isSingle = operand.kind == Operand::Kind::Float32;
  uint64_t bits = operand.bits;
  if (sizeOf(type) == 4 && !isSingle) bits = std::bit_cast<uint32_t>(static_cast<float>(std::bit_cast<double>(bits)));
  if (sizeOf(type) == 8 && isSingle) bits = std::bit_cast<uint64_t>(static_cast<double>(std::bit_cast<float>(static_cast<uint32_t>(bits))));
  return constant(bits, classOf(type));
}

Slot Decoder::constant(uint64_t bits, Class slotClass) {
  if (slotClass == Class::Word) bits &= 0xFFFF'FFFF;
  auto [found, isNew] = constants_.try_emplace({bits, slotClass}, NoSlot);
  if (isNew) {
    found->second = allocate(slotClass);
    kernel_.constants.push_back({found->second, slotClass, bits});
  }

  return found->second;
}

std::optional<Slot> Decoder::special(std::string_view name) {
  for (const auto& [spelling, special] : Specials) {
    if (spelling != name) continue;
    auto [found, isNew] = specials_.try_emplace(special, NoSlot);
    if (isNew) {
      // Read as 64 bits where the register is narrower: the slot has room for both.
      found->second = allocate(isWideSpecial(special) ? Class::Double : Class::Word);
      kernel_.specials.emplace_back(found->second, special);
    }

    return found->second;
  }

  return std::nullopt;
}

Slot Decoder::allocate(Class slotClass) {
  uint32_t bytes = bytesOf(slotClass);
  // Lanes of one register start on a cache line.
  if (slotClass != Class::Predicate) kernel_.registerFileBytes = (kernel_.registerFileBytes + 63) / 64 * 64;
  Slot slot = kernel_.registerFileBytes;
  kernel_.registerFileBytes += bytes;
  kernel_.slots.emplace_back(slot, slotClass);
  return slot;
}

}  // namespace ptxsim

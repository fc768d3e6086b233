// Fundamental types and state spaces (PTX ISA, sections 5.1 "State Spaces" and 5.2 "Types").
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace ptxsim {

enum class Type : uint8_t {
  None, B8, U8, S8, B16, U16, S16, F16, BF16, B32, U32, S32, F32, TF32, F16x2, BF16x2, B64, U64, S64, F64, B128, Pred,
};

enum class Space : uint8_t { Generic, Reg, Global, Shared, Local, Const, Param };

constexpr int sizeOf(Type type) {
  switch (type) {
    case Type::None: return 0;
    case Type::B8: case Type::U8: case Type::S8: case Type::Pred: return 1;
    case Type::B16: case Type::U16: case Type::S16: case Type::F16: case Type::BF16: return 2;
    case Type::B64: case Type::U64: case Type::S64: case Type::F64: return 8;
    case Type::B128: return 16;
    default: return 4;
  }
}

constexpr bool isSigned(Type type) { return type == Type::S8 || type == Type::S16 || type == Type::S32 || type == Type::S64; }
constexpr bool isUnsigned(Type type) { return type == Type::U8 || type == Type::U16 || type == Type::U32 || type == Type::U64; }
constexpr bool isBits(Type type) {
  return type == Type::B8 || type == Type::B16 || type == Type::B32 || type == Type::B64 || type == Type::B128;
}
constexpr bool isPacked(Type type) { return type == Type::F16x2 || type == Type::BF16x2; }
constexpr bool isFloat(Type type) {
  return type == Type::F16 || type == Type::BF16 || type == Type::F32 || type == Type::TF32 || type == Type::F64 || isPacked(type);
}

// ".u32" or "u32" to its type.
std::optional<Type> parseType(std::string_view text);

// With the dot: ".u32".
std::string_view nameOf(Type type);

// ".global" or "global"; "shared::cta" is shared.
std::optional<Space> parseSpace(std::string_view text);
std::string_view nameOf(Space space);

}  // namespace ptxsim

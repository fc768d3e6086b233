#include "isa/types.h"

#include <array>
#include <utility>

namespace ptxsim {
namespace {

constexpr std::array<std::pair<std::string_view, Type>, 21> Types{{
    {".b8", Type::B8}, {".u8", Type::U8}, {".s8", Type::S8}, {".b16", Type::B16}, {".u16", Type::U16}, {".s16", Type::S16},
    {".f16", Type::F16}, {".bf16", Type::BF16}, {".b32", Type::B32}, {".u32", Type::U32}, {".s32", Type::S32}, {".f32", Type::F32},
    {".tf32", Type::TF32}, {".f16x2", Type::F16x2}, {".bf16x2", Type::BF16x2}, {".b64", Type::B64}, {".u64", Type::U64},
    {".s64", Type::S64}, {".f64", Type::F64}, {".b128", Type::B128}, {".pred", Type::Pred},
}};

constexpr std::array<std::pair<std::string_view, Space>, 8> Spaces{{
    {".reg", Space::Reg}, {".global", Space::Global}, {".shared", Space::Shared}, {".local", Space::Local},
    {".const", Space::Const}, {".param", Space::Param}, {".shared::cta", Space::Shared}, {".shared::cluster", Space::Shared},
}};

template <typename Table>
auto find(const Table& table, std::string_view text) -> std::optional<decltype(table[0].second)> {
  for (const auto& [name, value] : table)
    if (name == text || name.substr(1) == text) return value;
  return std::nullopt;
}

}  // namespace

std::optional<Type> parseType(std::string_view text) { return find(Types, text); }
std::optional<Space> parseSpace(std::string_view text) { return find(Spaces, text); }

std::string_view nameOf(Type type) {
  for (const auto& [name, value] : Types)
    if (value == type) return name;
  return "no type";
}

std::string_view nameOf(Space space) {
  for (const auto& [name, value] : Spaces)
    if (value == space) return name;
  return "generic";
}

}  // namespace ptxsim

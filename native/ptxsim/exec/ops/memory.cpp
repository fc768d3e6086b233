// Loads, stores and atomics (PTX ISA, sections 9.7.8.8 to 9.7.8.11, 9.7.12.5 and 9.7.12.6), with every check of the shadows.
#include <algorithm>
#include <atomic>
#include <cstring>

#include "exec/ops/address.h"
#include "exec/ops/lanes.h"
#include "exec/ops/warp_access.h"

namespace ptxsim {
namespace {

uint64_t element(const uint8_t* source, Type type) {
  uint64_t raw = 0;
  std::memcpy(&raw, source, std::min<size_t>(sizeof raw, static_cast<size_t>(sizeOf(type))));
  switch (type) {
    case Type::S8: return static_cast<uint64_t>(static_cast<int64_t>(static_cast<int8_t>(raw)));
    case Type::S16: return static_cast<uint64_t>(static_cast<int64_t>(static_cast<int16_t>(raw)));
    case Type::S32: return static_cast<uint64_t>(static_cast<int64_t>(static_cast<int32_t>(raw)));
    default: return raw;
  }
}

void put(const Warp& w, const Instruction& i, int operand, int lane, uint64_t value) {
  if (i.wide >> operand & 1) w.slot<uint64_t>(i.at[operand])[lane] = value;
  else w.slot<uint32_t>(i.at[operand])[lane] = static_cast<uint32_t>(value);
}

uint64_t get(const Warp& w, const Instruction& i, int operand, int lane) {
  return i.wide >> operand & 1 ? w.slot<uint64_t>(i.at[operand])[lane] : w.slot<uint32_t>(i.at[operand])[lane];
}

// Where a kernel's parameters lie; every lane reads the same.
const uint8_t* parameter(const Warp& w, uint64_t address, uint32_t bytes, int lane) {
  if (address > w.block->kernel->parameterBytes || address + bytes > w.block->kernel->parameterBytes)
    throw Fault{FaultKind::IllegalAddress, "ld.param of " + std::to_string(bytes) + " bytes at " + std::to_string(address) + " of " +
                                               std::to_string(w.block->kernel->parameterBytes) + " bytes of parameters", lane, address};
  return w.block->launch->parameters + address;
}

// One handler for all spaces: the address says which, where the instruction does not. Lane by lane only where the warp's lanes cannot
// go together.
template <bool IsStore>
void accessChecked(Warp& w, const Instruction& i) {
  if (IsStore ? storeTogether(w, i) : loadTogether(w, i)) return;
  int addressOperand = IsStore ? 0 : i.vector, first = IsStore ? 1 : 0;
  auto size = static_cast<uint32_t>(sizeOf(i.type)), bytes = size * i.vector;
  Traffic traffic(w, bytes, IsStore);
  for (uint32_t left = w.active; left != 0; left &= left - 1) {
    int lane = std::countr_zero(left);
    Place place = placeOf(w, i, addressOperand, 0, lane);
    const char* what = nameOfAccess(IsStore, place.space);
    uint8_t values[32];
    if constexpr (IsStore)
      for (int e = 0; e < i.vector; e++) {
        uint64_t value = get(w, i, first + e, lane);
        std::memcpy(values + static_cast<uint32_t>(e) * size, &value, size);
      }

    uint8_t* memory = nullptr;
    switch (place.space) {
      case Space::Shared:
        memory = IsStore ? w.block->shared->write(place.address, bytes, bytes, w.access(lane, what, i.isVolatile), values)
                         : w.block->shared->read(place.address, bytes, bytes, w.access(lane, what, i.isVolatile));
        traffic.shared(place.address);
        break;
      case Space::Local: memory = local(w, place.address, bytes, what, lane); traffic.local(); break;
      case Space::Param: memory = const_cast<uint8_t*>(parameter(w, place.address, bytes, lane)); break;
      default:
        aligned(place.address, bytes, what, lane);
        memory = IsStore ? w.block->globalWrite(place.address, bytes, what, lane, !i.isVolatile)
                         : w.block->globalRead(place.address, bytes, what, lane, !i.isVolatile);
        traffic.global(place.address);
        break;
    }

    if constexpr (IsStore) {
      if (place.space == Space::Param) throw Fault{FaultKind::AddressSpace, "a store to the kernel's parameters", lane, place.address};
      std::memcpy(memory, values, bytes);
    } else {
      for (int e = 0; e < i.vector; e++) put(w, i, e, lane, element(memory + static_cast<uint32_t>(e) * size, i.type));
    }
  }
}

template <bool IsStore>
void access(Warp& w, const Instruction& i) {
  if (IsStore && i.releases) w.block->publish();
  accessChecked<IsStore>(w, i);
  if (!IsStore && i.isVolatile) w.block->look();
}

void prefetch(Warp&, const Instruction&) {}

// mode: 0 add, 1 min, 2 max, 3 and, 4 or, 5 xor, 6 inc, 7 dec, 8 exch, 9 cas
template <typename T>
T combine(const Instruction& i, T old, T value, T swap) {
  switch (i.mode) {
    case 0:
      if constexpr (std::is_floating_point_v<T>) return old + value;
      else if constexpr (std::is_integral_v<T>) return static_cast<T>(static_cast<uint64_t>(old) + static_cast<uint64_t>(value));
      else return T{};
    case 1: return old < value ? old : value;
    case 2: return old < value ? value : old;
    case 8: return value;
    case 9: return old == value ? swap : old;
    default: break;
  }

  if constexpr (std::is_integral_v<T>) {
    if (i.mode == 3) return old & value;
    if (i.mode == 4) return old | value;
    if (i.mode == 5) return old ^ value;
    if (i.mode == 6) return old >= value ? T{0} : static_cast<T>(old + 1);
    if (i.mode == 7) return old == 0 || old > value ? value : static_cast<T>(old - 1);
  }

  return old;
}

// A pair or one of 16-bit floats.
template <typename H, int Pack>
uint32_t addHalves(uint32_t old, uint32_t value) {
  uint32_t result = 0;
  for (int part = 0; part < Pack; part++) {
    float sum = toFloat(H{static_cast<uint16_t>(old >> (16 * part))}) + toFloat(H{static_cast<uint16_t>(value >> (16 * part))});
    uint16_t bits;
    if constexpr (std::is_same_v<H, Half>) bits = toHalf(sum).bits;
    else bits = toBrain(sum).bits;
    result |= static_cast<uint32_t>(bits) << (16 * part);
  }
  return result;
}

uint64_t combineBits(const Instruction& i, uint64_t old, uint64_t value, uint64_t swap) {
  auto as = [&](auto type) -> uint64_t {
    using T = decltype(type);
    return toSlot<T>(combine<T>(i, fromSlot<T>(static_cast<SlotOf<T>>(old)), fromSlot<T>(static_cast<SlotOf<T>>(value)), fromSlot<T>(static_cast<SlotOf<T>>(swap))));
  };
  switch (i.type) {
    case Type::F16: return addHalves<Half, 1>(static_cast<uint32_t>(old), static_cast<uint32_t>(value));
    case Type::F16x2: return addHalves<Half, 2>(static_cast<uint32_t>(old), static_cast<uint32_t>(value));
    case Type::BF16: return addHalves<Brain, 1>(static_cast<uint32_t>(old), static_cast<uint32_t>(value));
    case Type::BF16x2: return addHalves<Brain, 2>(static_cast<uint32_t>(old), static_cast<uint32_t>(value));
    case Type::F32: return as(float{});
    case Type::F64: return as(double{});
    case Type::S32: return as(int32_t{});
    case Type::S64: return as(int64_t{});
    case Type::B16: return as(uint16_t{});
    case Type::B64: case Type::U64: return as(uint64_t{});
    default: return as(uint32_t{});
  }
}

// Blocks run on several threads of the host, so global atomics are atomic here too.
template <typename S>
uint64_t update(uint8_t* memory, const Instruction& i, uint64_t value, uint64_t swap) {
  std::atomic_ref<S> place(*reinterpret_cast<S*>(memory));
  S old = place.load();
  while (!place.compare_exchange_weak(old, static_cast<S>(combineBits(i, old, value, swap)))) {
  }
  return old;
}

template <bool Returns>
void atomic(Warp& w, const Instruction& i) {
  int addressOperand = Returns ? 1 : 0, valueOperand = addressOperand + 1;
  auto bytes = static_cast<uint32_t>(sizeOf(i.type));
  const char* what = Returns ? "atom" : "red";
  if (i.releases) w.block->publish();
  for (uint32_t left = w.active; left != 0; left &= left - 1) {
    int lane = std::countr_zero(left);
    Place place = placeOf(w, i, addressOperand, 0, lane);
    uint8_t* memory = nullptr;
    if (place.space == Space::Shared) {
      w.block->shared->read(place.address, bytes, bytes, w.access(lane, what, true));
      memory = w.block->shared->write(place.address, bytes, bytes, w.access(lane, what, true));
    } else if (place.space == Space::Global || place.space == Space::Generic) {
      aligned(place.address, bytes, what, lane);
      w.block->globalRead(place.address, bytes, what, lane, false);
      memory = w.block->globalWrite(place.address, bytes, what, lane, false);
    } else {
      throw Fault{FaultKind::AddressSpace, "an atomic outside global and shared memory", lane, place.address};
    }

    uint64_t value = get(w, i, valueOperand, lane), swap = i.mode == 9 ? get(w, i, valueOperand + 1, lane) : 0, old;
    switch (bytes) {
      case 2: old = update<uint16_t>(memory, i, value, swap); break;
      case 8: old = update<uint64_t>(memory, i, value, swap); break;
      default: old = update<uint32_t>(memory, i, value, swap); break;
    }

    if constexpr (Returns) put(w, i, 0, lane, old);
  }

  if (Returns) w.block->look();
}

}  // namespace

Handler memoryHandler(const Shape& s) {
  auto op = s.form->opcode;
  if (op == "ld" || op == "ldu") return &access<false>;
  if (op == "st") return &access<true>;
  if (op == "prefetch" || op == "prefetchu") return &prefetch;
  if (op == "atom") return &atomic<true>;
  if (op == "red") return &atomic<false>;
  return nullptr;
}

}  // namespace ptxsim

#include "exec/global_shadow.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <new>
#include <thread>

namespace ptxsim {
namespace {

constexpr uint64_t PairsPerLine = 32;

// Memory from calloc: shadows of large allocations take room only where they are touched. Zero bytes are a valid T.
template <typename T>
T* zeroed(uint64_t count) {
  auto* memory = static_cast<T*>(std::calloc(std::max<uint64_t>(count, 1), sizeof(T)));
  if (!memory) throw std::bad_alloc();
  return memory;
}

// Lines share a few locks: a lock is held for some tens of instructions.
class LineLock {
 public:
  explicit LineLock(const void* line) : flag_(flags()[reinterpret_cast<uintptr_t>(line) / 32 % Count]) {
    while (flag_.test_and_set(std::memory_order_acquire)) std::this_thread::yield();
  }
  ~LineLock() { flag_.clear(std::memory_order_release); }
  LineLock(const LineLock&) = delete;
  LineLock& operator=(const LineLock&) = delete;

 private:
  static constexpr size_t Count = 256;
  static std::array<std::atomic_flag, Count>& flags() {
    static std::array<std::atomic_flag, Count> all;
    return all;
  }
  std::atomic_flag& flag_;
};

// `count` bits from bit `first` on; count 1 to 64.
uint64_t bitsFrom(uint64_t first, uint64_t count) { return ~uint64_t{0} >> (64 - count) << first; }

constexpr auto Relaxed = std::memory_order_relaxed;

}  // namespace

GlobalShadow::GlobalShadow(uint64_t bytes) : lines_(bytes / LineBytes + 1), line_(zeroed<Line>(lines_)) {}

GlobalShadow::~GlobalShadow() { std::free(pairs_.load()); }

void GlobalShadow::markWritten(uint64_t offset, uint64_t bytes) {
  for (uint64_t end = offset + bytes; offset < end;) {
    uint64_t first = offset % LineBytes, count = std::min(LineBytes - first, end - offset);
    line_[offset / LineBytes].written.fetch_or(bitsFrom(first, count), Relaxed);
    offset += count;
  }
}

uint64_t GlobalShadow::writtenFrom(uint64_t offset) const {
  uint64_t line = offset / LineBytes, first = offset % LineBytes, low = line_[line].written.load(Relaxed) >> first;
  return first == 0 || line + 1 == lines_ ? low : low | line_[line + 1].written.load(Relaxed) << (LineBytes - first);
}

void GlobalShadow::copyWritten(uint64_t offset, const GlobalShadow& source, uint64_t from, uint64_t bytes) {
  for (uint64_t end = offset + bytes; offset < end;) {
    uint64_t first = offset % LineBytes, count = std::min(LineBytes - first, end - offset), mask = bitsFrom(first, count);
    auto& written = line_[offset / LineBytes].written;
    written.store((written.load(Relaxed) & ~mask) | (source.writtenFrom(from) << first & mask), Relaxed);
    offset += count;
    from += count;
  }
}

void GlobalShadow::forgetVisitors() {
  for (uint64_t i = 0; i < lines_; i++)
    for (auto* word : {&line_[i].writer, &line_[i].reader, &line_[i].shared}) word->store(0, Relaxed);
  std::free(pairs_.exchange(nullptr));
}

Clash GlobalShadow::unwritten(uint64_t offset, uint64_t bytes) const {
  while (bytes > 0 && (line_[offset / LineBytes].written.load(Relaxed) >> offset % LineBytes & 1)) offset++, bytes--;
  return {Clash::Kind::Unwritten, 0, offset};
}

Clash GlobalShadow::read(uint64_t offset, uint64_t bytes, bool ordered, Visitor who) {
  for (uint64_t end = offset + bytes; offset < end;) {
    uint64_t first = offset % LineBytes, count = std::min(LineBytes - first, end - offset), mask = bitsFrom(first, count);
    Line& line = line_[offset / LineBytes];
    if ((line.written.load(Relaxed) & mask) != mask) return unwritten(offset, count);
    if (ordered) {
      auto pairs = static_cast<uint32_t>(bitsFrom(first / 2, (first + count - 1) / 2 - first / 2 + 1));
      uint64_t writer = line.writer.load(Relaxed), reader = line.reader.load(Relaxed), shared = line.shared.load(Relaxed);
      uint32_t known = (tokenOf(reader) == who.block ? pairsOf(reader, who.launch) : 0) | (tokenOf(shared) == who.launch ? pairsOf(shared, who.launch) : 0);
      bool isMarked = (pairs & ~known) == 0 && (tokenOf(writer) < who.launch || tokenOf(writer) == who.block);
      if (!isMarked)
        if (Clash clash = enter(offset / LineBytes, pairs, who, false)) return clash;
    }

    offset += count;
  }

  return {};
}

Clash GlobalShadow::write(uint64_t offset, uint64_t bytes, bool ordered, Visitor who) {
  for (uint64_t end = offset + bytes; offset < end;) {
    uint64_t first = offset % LineBytes, count = std::min(LineBytes - first, end - offset), mask = bitsFrom(first, count);
    Line& line = line_[offset / LineBytes];
    if (ordered) {
      auto pairs = static_cast<uint32_t>(bitsFrom(first / 2, (first + count - 1) / 2 - first / 2 + 1));
      uint64_t writer = line.writer.load(Relaxed), reader = line.reader.load(Relaxed);
      bool isMarked = tokenOf(writer) == who.block && (pairs & ~pairsOf(writer, who.launch)) == 0 &&
                      (tokenOf(reader) < who.launch || tokenOf(reader) == who.block) && tokenOf(line.shared.load(Relaxed)) < who.launch;
      if (!isMarked)
        if (Clash clash = enter(offset / LineBytes, pairs, who, true)) return clash;
    }

    // Neighbours may be written by other threads: no bit of theirs may be lost.
    if ((line.written.load(Relaxed) & mask) != mask) line.written.fetch_or(mask, Relaxed);
    offset += count;
  }

  return {};
}

Clash GlobalShadow::enter(uint64_t index, uint32_t pairs, Visitor who, bool isWrite) {
  Line& line = line_[index];
  LineLock lock(&line);
  uint64_t writer = line.writer.load(Relaxed), reader = line.reader.load(Relaxed), shared = line.shared.load(Relaxed);
  if (tokenOf(shared) == who.launch + 1) return enterPairs(index, pairs, who, isWrite);
  bool isOwnWriter = tokenOf(writer) == who.block, isOwnReader = tokenOf(reader) == who.block;
  uint32_t written = pairsOf(writer, who.launch), read = pairsOf(reader, who.launch), readByMany = pairsOf(shared, who.launch);
  if (isWrite) {
    bool isFree = (readByMany & pairs) == 0 && (isOwnReader || (read & pairs) == 0) && (isOwnWriter || written == 0);
    if (isFree) {
      line.writer.store(join(written | pairs, who.block), Relaxed);
      return {};
    }
  } else if (isOwnWriter || (written & pairs) == 0) {
    if (isOwnReader || read == 0) {
      line.reader.store(join(read | (pairs & ~readByMany), who.block), Relaxed);
      return {};
    }

    if ((pairs & ~(read | readByMany)) == 0) {
      line.shared.store(join(readByMany | pairs, who.launch), Relaxed);
      return {};
    }
  }

  split(index, who);
  return enterPairs(index, pairs, who, isWrite);
}

void GlobalShadow::split(uint64_t index, Visitor who) {
  if (!pairs_.load(std::memory_order_acquire)) {
    Pair *fresh = zeroed<Pair>(lines_ * PairsPerLine), *none = nullptr;
    if (!pairs_.compare_exchange_strong(none, fresh)) std::free(fresh);
  }

  Line& line = line_[index];
  uint64_t writer = line.writer.load(Relaxed), reader = line.reader.load(Relaxed), shared = line.shared.load(Relaxed);
  for (uint64_t i = 0; i < PairsPerLine; i++) {
    Pair& pair = pairs_.load()[index * PairsPerLine + i];
    pair.writer = pairsOf(writer, who.launch) >> i & 1 ? tokenOf(writer) : 0;
    pair.reader = pairsOf(shared, who.launch) >> i & 1 ? who.launch : pairsOf(reader, who.launch) >> i & 1 ? tokenOf(reader) : 0;
  }

  line.shared.store(join(0, who.launch + 1), Relaxed);
  line.writer.store(0, Relaxed);
  line.reader.store(0, Relaxed);
}

Clash GlobalShadow::enterPairs(uint64_t index, uint32_t pairs, Visitor who, bool isWrite) {
  for (uint32_t left = pairs; left != 0; left &= left - 1) {
    auto i = static_cast<uint64_t>(std::countr_zero(left));
    Pair& pair = pairs_.load(std::memory_order_acquire)[index * PairsPerLine + i];
    bool isOthers = pair.writer >= who.launch && pair.writer != who.block, isRead = pair.reader >= who.launch && pair.reader != who.block;
    uint64_t offset = index * LineBytes + 2 * i;
    if (isOthers) return {Clash::Kind::Written, pair.writer - who.launch - Visitor::FirstBlock, offset};
    if (!isWrite) {
      pair.reader = isRead ? who.launch : who.block;
    } else {
      if (isRead) return {Clash::Kind::Read, pair.reader == who.launch ? Clash::Several : pair.reader - who.launch - Visitor::FirstBlock, offset};
      pair.writer = who.block;
    }
  }

  return {};
}

}  // namespace ptxsim

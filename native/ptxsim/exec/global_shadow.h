// What is known of the bytes of one allocation: which were ever written, and which blocks of the launch at hand have read or written
// them. Blocks of one launch run in any order on a GPU, so two of them must not write the same place, nor one read what another writes,
// unless atomically. Two bytes are the smallest unit that blocks share (rows of bf16); single bytes are not looked at.
//
// A line of 64 bytes, in which most launches have one writer or any number of readers of the same places, is one record; where blocks
// meet within a line it is split into records of two bytes. A mark that is already there is seen without a lock; whoever adds one holds
// the line's lock, so that of two blocks that clash the second finds the first.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>

namespace ptxsim {

// A block of a launch, by a number that no other block before has had.
struct Visitor {
  uint32_t launch;  // tokens below belong to earlier launches
  uint32_t block;

  static constexpr uint32_t FirstBlock = 2;  // launch and launch + 1 have meanings of their own
};

// Why an access must be reported.
struct Clash {
  enum class Kind : uint8_t { None, Unwritten, Written, Read } kind = Kind::None;
  uint32_t block = 0;   // number in the grid of who was there first
  uint64_t offset = 0;  // of the first byte concerned
  static constexpr uint32_t Several = ~uint32_t{0};  // as the block
  explicit operator bool() const { return kind != Kind::None; }
};

class GlobalShadow {
 public:
  explicit GlobalShadow(uint64_t bytes);
  ~GlobalShadow();
  GlobalShadow(const GlobalShadow&) = delete;
  GlobalShadow& operator=(const GlobalShadow&) = delete;

  // The host has written.
  void markWritten(uint64_t offset, uint64_t bytes);
  // The host has copied: what was never written stays so on the other side. No kernel runs.
  void copyWritten(uint64_t offset, const GlobalShadow& source, uint64_t from, uint64_t bytes);
  // Tokens begin anew: forgets every visitor.
  void forgetVisitors();

  // Marks the bytes as read (as written) by the block; `ordered` false for atomics and volatile accesses, which blocks may share.
  Clash read(uint64_t offset, uint64_t bytes, bool ordered, Visitor who);
  Clash write(uint64_t offset, uint64_t bytes, bool ordered, Visitor who);

 private:
  static constexpr uint64_t LineBytes = 64;

  // The upper half of a word has a bit for each pair of bytes, the lower half the token that they belong to. A token below the launch's
  // first: nothing.
  struct Line {
    std::atomic<uint64_t> written;  // a bit a byte
    std::atomic<uint64_t> writer;
    std::atomic<uint64_t> reader;   // what one block has read
    std::atomic<uint64_t> shared;   // the launch's token: what several have read; the one after: the line is split
  };
  struct Pair {
    uint32_t writer, reader;  // the launch's token as reader: several
  };

  static uint32_t tokenOf(uint64_t word) { return static_cast<uint32_t>(word); }
  static uint32_t pairsOf(uint64_t word, uint32_t least) { return tokenOf(word) >= least ? static_cast<uint32_t>(word >> 32) : 0; }
  static uint64_t join(uint32_t pairs, uint32_t token) { return uint64_t{pairs} << 32 | token; }

  Clash enter(uint64_t line, uint32_t pairs, Visitor who, bool isWrite);
  void split(uint64_t line, Visitor who);
  Clash enterPairs(uint64_t line, uint32_t pairs, Visitor who, bool isWrite);
  Clash unwritten(uint64_t offset, uint64_t bytes) const;
  uint64_t writtenFrom(uint64_t offset) const;  // the bits of 64 bytes

  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };
  uint64_t lines_;
  std::unique_ptr<Line[], Free> line_;
  std::atomic<Pair*> pairs_{nullptr};  // made when the first line is split
};

}  // namespace ptxsim

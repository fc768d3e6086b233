// Whole words of shared memory by lanes in order: the checks of shared_memory.cpp, four words at a time where what is remembered of them
// is simple. Everything else goes word by word through the general functions, which also write the reports.
#include "exec/shared_memory.h"

#include <bit>
#include <utility>

namespace ptxsim {

// Marks of four words side by side; comparisons give -1 where they hold.
struct SharedMemory::Four {
  typedef Touch Vector __attribute__((vector_size(32)));
  Vector v;

  // Four neighbouring words, of which a lane has `wordsPerLane`; `now` is the first lane's.
  static Four ofLanes(Touch now, uint32_t wordsPerLane) {
    constexpr Touch Lane = Touch{1} << LaneShift;
    return {wordsPerLane == 1 ? Vector{now, now + Lane, now + 2 * Lane, now + 3 * Lane}
            : wordsPerLane == 2 ? Vector{now, now, now + Lane, now + Lane} : Vector{now, now, now, now}};
  }

  // Not returned: how vectors are, depends on what a file is compiled for.
  static void load(Vector& to, const Touch* from) { std::memcpy(&to, from, sizeof to); }
  static void store(Touch* to, const Vector& v) { std::memcpy(to, &v, sizeof v); }
  static bool any(const Vector& v) {
#ifdef __AVX__
    typedef double Doubles __attribute__((vector_size(32)));
    return __builtin_ia32_movmskpd256(reinterpret_cast<Doubles>(v)) != 0;
#else
    return (v[0] | v[1] | v[2] | v[3]) != 0;
#endif
  }
};

namespace {

constexpr uint32_t AllWritten = 0x0F0F0F0F, AnyInFlight = 0xF0F0F0F0;

uint32_t fourMarks(const uint8_t* from) {
  uint32_t marks;
  std::memcpy(&marks, from, sizeof marks);
  return marks;
}

}  // namespace

bool SharedMemory::readOne(size_t word, Touch now) {
  if (marks_[word] != 0xF || firstWrite_[word] >= floor_) return false;
  Touch& first = firstRead_[word];
  if (first < floor_) {
    first = now;
    return true;
  }

  Touch difference = first ^ now;
  if ((difference & ~LaneBits) == 0) {
    if (difference != 0) first = now | Touch{SeveralLanes} << LaneShift;
    return true;
  }

  if ((difference & WarpBits) != 0 || (difference & MomentBits) == 0) return false;
  first = now;  // an earlier step of the same warp
  return true;
}

bool SharedMemory::writeOne(size_t word, Touch now) {
  if ((marks_[word] & InFlight) != 0 || firstWrite_[word] >= floor_ || firstRead_[word] >= floor_) return false;
  marks_[word] = 0xF;
  firstWrite_[word] = now;
  return true;
}

// Nothing of the four words has been touched since the whole block met.
[[gnu::always_inline]] inline bool SharedMemory::readFour(size_t word, const Four& now) {
  Four::Vector write, read;
  Four::load(write, &firstWrite_[word]);
  Four::load(read, &firstRead_[word]);
  if (fourMarks(&marks_[word]) != AllWritten || Four::any((write >= floor_) | (read >= floor_))) return readFourAgain(word, now);
  Four::store(&firstRead_[word], now.v);
  return true;
}

bool SharedMemory::readFourAgain(size_t word, const Four& now) {
  using Vector = Four::Vector;
  if (fourMarks(&marks_[word]) != AllWritten) return false;
  Vector write, read, second;
  Four::load(write, &firstWrite_[word]);
  Four::load(read, &firstRead_[word]);
  Vector isRecent = write >= floor_;
  if (Four::any(isRecent)) {
    // Writes by the lane itself, or before a barrier of its warp, are ordered too. Several lanes are not one and the same.
    Vector difference = write ^ now.v, isOwnLane = (difference & LaneBits) == 0;
    if ((now.v[0] & LaneBits) == LaneBits) isOwnLane = Vector{};
    Vector isOwn = ((difference & WarpBits) == 0) & (((write & MomentBits) < (now.v & MomentBits)) | isOwnLane);
    Four::load(second, &secondWrite_[word]);
    if (Four::any((isRecent & ~isOwn) | (second >= floor_))) return false;
  }

  isRecent = read >= floor_;
  Vector difference = read ^ now.v, isSame = (difference & ~LaneBits) == 0, isOwn = (difference & WarpBits) == 0;
  if (Four::any(isRecent & ~isSame & ((difference & MomentBits) == 0))) return false;
  constexpr Touch Several = Touch{SeveralLanes} << LaneShift;
  Vector joined = isSame & (difference != 0) ? now.v | Several : now.v;
  Vector isOther = isRecent & ~isOwn;
  Four::store(&firstRead_[word], isOther ? read : joined);
  if (!Four::any(isOther)) return true;
  // Another warp has read it too: the second place is ours.
  Four::load(second, &secondRead_[word]);
  difference = second ^ now.v;
  joined = ((difference & ~LaneBits) == 0) & (difference != 0) ? now.v | Several : now.v;
  Four::store(&secondRead_[word], isOther ? joined : second);
  return true;
}

bool SharedMemory::writeFour(size_t word, const Four& now) {
  using Vector = Four::Vector;
  if ((fourMarks(&marks_[word]) & AnyInFlight) != 0) return false;
  Vector write, read, second;
  Four::load(write, &firstWrite_[word]);
  Four::load(read, &firstRead_[word]);
  Vector writeIsRecent = write >= floor_, readIsRecent = read >= floor_;
  if (Four::any(writeIsRecent | readIsRecent)) {
    Vector otherRead, isNotOwn{};
    Four::load(second, &secondWrite_[word]);
    Four::load(otherRead, &secondRead_[word]);
    for (auto [t, isRecent] : {std::pair{write, writeIsRecent}, std::pair{read, readIsRecent}}) {
      Vector difference = t ^ now.v;
      isNotOwn |= isRecent & ~(((difference & WarpBits) == 0) & (((t & MomentBits) < (now.v & MomentBits)) | ((difference & LaneBits) == 0)));
    }

    if (Four::any(isNotOwn | (second >= floor_) | (otherRead >= floor_))) return false;
    // The write stands for the reads before it.
    Four::store(&firstRead_[word], Vector{});
  }

  std::memcpy(&marks_[word], &AllWritten, sizeof AllWritten);
  Four::store(&firstWrite_[word], now.v);
  return true;
}

bool SharedMemory::writeFour(size_t word, const Access& access) {
  Touch now = pack(access, WholeWord);
  return writeFour(word, Four{{now, now, now, now}});
}

void SharedMemory::readRow(uint64_t address, uint32_t words, uint32_t wordsPerLane, Access access) {
  if (!checks_) return;
  size_t word = address / 4;
  Touch now = pack(access, WholeWord);
  Four four = Four::ofLanes(now, wordsPerLane);
  int lane = access.lane;
  uint32_t done = 0;
  auto general = [&](uint32_t from, uint32_t to) {
    for (uint32_t i = from; i < to; i++) {
      access.lane = lane + static_cast<int>(i / wordsPerLane);
      if (!readOne(word + i, pack(access, WholeWord))) readWord(word + i, WholeWord, access);
    }
  };
  for (; done + 4 <= words; done += 4, four.v += Touch{4 / wordsPerLane} << LaneShift)
    if (!readFour(word + done, four)) general(done, done + 4);
  general(done, words);
}

void SharedMemory::readScattered(const uint64_t (&addresses)[32], uint32_t lanes, uint32_t repeats, uint32_t words, Access access) {
  if (!checks_) return;
  if (repeats == 0) {
    Touch now = pack(access, WholeWord) & ~LaneBits;
    for (uint32_t left = lanes; left != 0; left &= left - 1) {
      int lane = std::countr_zero(left);
      size_t word = addresses[lane] / 4;
      Touch touch = now | Touch{lane} << LaneShift;
      if (words == 4 && readFour(word, Four{{touch, touch, touch, touch}})) continue;
      access.lane = lane;
      for (size_t i = word; i < word + words; i++)
        if (!readOne(i, touch)) readWord(i, WholeWord, access);
    }

    return;
  }

  // One of the lanes that share a place stands for them.
  uint32_t partner = 1u << std::countr_zero(repeats);
  for (uint32_t lane = 0; lane < 32; lane++)
    if ((lane & repeats) == 0) readTogether(addresses[lane], 1u << lane | 1u << (lane | partner), words, access);
}

void SharedMemory::readTogether(uint64_t address, uint32_t lanes, uint32_t words, Access access) {
  if (!checks_) return;
  int first = std::countr_zero(lanes), second = std::countr_zero(lanes & (lanes - 1));
  access.lane = SeveralLanes;
  Touch now = pack(access, WholeWord);
  size_t word = address / 4;
  if (words == 4 && readFour(word, Four{{now, now, now, now}})) return;
  for (size_t i = word; i < word + words; i++) {
    if (readOne(i, now)) continue;
    // Two of them find every race that all do: one is not the writer.
    for (int lane : {first, second}) {
      access.lane = lane;
      readWord(i, WholeWord, access);
    }
  }
}

void SharedMemory::writeRow(uint64_t address, uint32_t words, uint32_t wordsPerLane, Access access, const void* values) {
  uint8_t* place = bytes_.data() + address;
  if (checks_) {
    size_t word = address / 4;
    Touch now = pack(access, WholeWord);
    Four four = Four::ofLanes(now, wordsPerLane);
    int lane = access.lane;
    uint32_t done = 0;
    auto general = [&](uint32_t from, uint32_t to) {
      for (uint32_t i = from; i < to; i++) {
        access.lane = lane + static_cast<int>(i / wordsPerLane);
        // A lane agrees with what is there where all of its words do.
        uint32_t own = i / wordsPerLane * wordsPerLane * 4;
        if (!writeOne(word + i, pack(access, WholeWord)))
          writeWord(word + i, WholeWord, access, {place + own, static_cast<const uint8_t*>(values) + own, 4 * wordsPerLane});
      }
    };
    for (; done + 4 <= words; done += 4, four.v += Touch{4 / wordsPerLane} << LaneShift)
      if (!writeFour(word + done, four)) general(done, done + 4);
    general(done, words);
  }

  std::memcpy(place, values, size_t{4} * words);
}

}  // namespace ptxsim

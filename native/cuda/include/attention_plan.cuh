// Which keys the queries of an attention see: segments, and walks over what one block has to do.
//
// Dimensions of all attention kernels: NQ query rows, NK key rows, NH heads, NKV key/value heads, HS head size. q, output and
// their gradients are (NQ, NH * HS), k and v (NK, NKV * HS), each with a row stride of its own; lse is (NQ, NH).
#pragma once

#include "device.cuh"

// The engine's AttentionSegment: a run of query rows and the keys they may see, the context's first, then their own.
struct Segment {
  int queryRow, queryCount, keyRow, keyCount, contextRow, contextCount, firstPosition, family;

  DEVICE Segment(const int* segments, int index) {
    const int* words = segments + index * 8;
    queryRow = words[0], queryCount = words[1], keyRow = words[2], keyCount = words[3];
    contextRow = words[4], contextCount = words[5], firstPosition = words[6], family = words[7];
  }

  DEVICE int visible_count() const { return contextCount + keyCount; }

  // Row of k and v of a key in the joint order.
  DEVICE int key_row(int key) const { return key < contextCount ? contextRow + key : keyRow + key - contextCount; }
};

// The keys in joint order that a query at a position sees: first to last, both counted; none where last < first.
struct VisibleKeys {
  int first, last;

  DEVICE VisibleKeys(const Segment& segment, int position, int window) {
    first = position - window + 1 - segment.firstPosition;
    first = first > 0 ? first : 0;
    last = position - segment.firstPosition;
    last = last < segment.visible_count() - 1 ? last : segment.visible_count() - 1;
  }
};

// The tiles of queries that see some of `KeyTile` key rows, in order: segments, in each the context's part and its own, tiles of
// queries, heads of the group.
template <int QueryTile, int KeyTile, typename Arguments>
struct QueryTiles {
  const Arguments& x;
  int keyRow0, headBegin;
  int segmentIndex = 0, part = 0, begin = 0, head = 0;
  Segment segment;
  bool done = false;

  DEVICE QueryTiles(const Arguments& arguments, int firstKeyRow, int keyHead)
      : x(arguments), keyRow0(firstKeyRow), headBegin(keyHead * arguments.groupSize), segment(arguments.segments, 0) {
    seek();
  }

  // Key rows of the current part, and its first key in joint order.
  DEVICE int part_row() const { return part == 0 ? segment.contextRow : segment.keyRow; }
  DEVICE int part_count() const { return part == 0 ? segment.contextCount : segment.keyCount; }
  DEVICE int part_key() const { return part == 0 ? 0 : segment.contextCount; }

  // Joint key of a row of the key tile, or -1 where the part does not hold it.
  DEVICE int key_of(int r) const {
    int inPart = keyRow0 + r - part_row();
    return keyRow0 + r < x.keyRows && inPart >= 0 && inPart < part_count() ? part_key() + inPart : -1;
  }

  DEVICE int rows() const { return segment.queryCount - begin < QueryTile ? segment.queryCount - begin : QueryTile; }

  DEVICE void advance() {
    if (++head < x.groupSize) return;
    head = 0;
    begin += QueryTile;
    seek();
  }

 private:
  // Moves on, from the current place, to the first that has work.
  DEVICE void seek() {
    while (true) {
      int low = keyRow0 > part_row() ? keyRow0 : part_row();
      int high = keyRow0 + KeyTile < part_row() + part_count() ? keyRow0 + KeyTile : part_row() + part_count();
      if (low < high && seek_tile(part_key() + low - part_row(), part_key() + high - 1 - part_row())) return;
      begin = 0;
      if (part == 0) {
        part = 1;
      } else {
        part = 0;
        if (++segmentIndex == x.segmentCount) {
          done = true;
          return;
        }
        segment = Segment(x.segments, segmentIndex);
      }
    }
  }

  // The next tile of this segment with a query that sees a key from first to last. Positions ascend.
  DEVICE bool seek_tile(int first, int last) {
    for (; begin < segment.queryCount; begin += QueryTile) {
      const int* positions = x.positions + segment.queryRow + begin;
      if (VisibleKeys(segment, positions[rows() - 1], x.window).last < first) continue;
      return VisibleKeys(segment, positions[0], x.window).first <= last;
    }
    return false;
  }
};

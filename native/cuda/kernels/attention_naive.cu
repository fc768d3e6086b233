// Family attention, variant `naive`: a warp per query row and head, or per key row and key/value head, keys one by one. What the
// faster variants are compared with; any head size up to 256.
//
// q, output and dOutput are (NQ, NH HS), k and v (NK, NKV HS), lse (NQ, NH), segments eight words each as AttentionPlan lays
// them out, positions (NQ). A key j of a segment, its context's first, is visible to a query at position p when
// 0 <= p - (first position + j) < window. Sums over queries run in the order of segments.
#include "matrix.cuh"
#include "numeric.cuh"
#include "reduce.cuh"

namespace {
constexpr int Threads = 128;
constexpr int Warps = Threads / WarpSize;
constexpr int PerLane = 256 / WarpSize;  // channels of a head that a lane holds

struct Segment {
  int queryRow, queryCount, keyRow, keyCount, contextRow, contextCount, firstPosition, family;

  DEVICE int visible_count() const { return contextCount + keyCount; }
  DEVICE int key_row(int key) const { return key < contextCount ? contextRow + key : keyRow + key - contextCount; }

  // The joint number of a row of k, or -1 where the segment does not read it.
  DEVICE int key_of(int row) const {
    if (row >= contextRow && row < contextRow + contextCount) return row - contextRow;
    return row >= keyRow && row < keyRow + keyCount ? contextCount + row - keyRow : -1;
  }
};

struct Plan {
  const Segment* segments;
  const int* positions;
  int count, window;  // a window of 0 is none
  int heads, keyValueHeads, headSize;
  float scale;
};

template <typename T>
struct HeadRow {
  float v[PerLane];

  DEVICE HeadRow() {
    UNROLL for (int i = 0; i < PerLane; ++i) v[i] = 0;
  }
  DEVICE HeadRow(const Matrix<const T>& m, int row, int head, int size) {
    const T* from = m.row(row) + head * size;
    UNROLL for (int i = 0; i < PerLane; ++i) {
      int c = lane_id() + i * WarpSize;
      v[i] = c < size ? to_float(from[c]) : 0.f;
    }
  }
  DEVICE void store(const Matrix<T>& m, int row, int head, int size, float factor) const {
    T* to = m.row(row) + head * size;
    UNROLL for (int i = 0; i < PerLane; ++i) {
      int c = lane_id() + i * WarpSize;
      if (c < size) assign(to[c], factor * v[i]);
    }
  }
  DEVICE void add(const HeadRow& other, float factor) {
    UNROLL for (int i = 0; i < PerLane; ++i) v[i] = fma_rn(factor, other.v[i], v[i]);
  }
  DEVICE float dot(const HeadRow& other) const {
    float sum = 0;
    UNROLL for (int i = 0; i < PerLane; ++i) sum = fma_rn(v[i], other.v[i], sum);
    return warp_sum(sum);
  }
};

DEVICE const Segment& segment_of(const Plan& plan, int row) {
  int s = 0;
  while (row >= plan.segments[s].queryRow + plan.segments[s].queryCount) ++s;
  return plan.segments[s];
}

DEVICE int first_key(const Plan& plan, const Segment& segment, int position) {
  int first = plan.window > 0 ? position - plan.window + 1 - segment.firstPosition : 0;
  return first > 0 ? first : 0;
}

DEVICE int last_key(const Segment& segment, int position) {
  int last = position - segment.firstPosition, count = segment.visible_count();
  return last < count ? last : count - 1;
}

template <typename T>
DEVICE void forward(const Matrix<T>& output, const Matrix<float>& lse, const Matrix<const T>& q, const Matrix<const T>& k,
                    const Matrix<const T>& v, const Plan& plan) {
  int task = static_cast<int>(blockIdx.x) * Warps + warp_id(), row = task / plan.heads, head = task - row * plan.heads;
  if (row >= q.rows) return;
  const Segment& segment = segment_of(plan, row);
  int position = plan.positions[row], size = plan.headSize, shared = head / (plan.heads / plan.keyValueHeads);
  int last = last_key(segment, position);
  HeadRow<T> query(q, row, head, size), sum;
  float largest = -3.4028235e38f, total = 0;
  for (int key = first_key(plan, segment, position); key <= last; ++key) {
    int keyRow = segment.key_row(key);
    float score = plan.scale * query.dot(HeadRow<T>(k, keyRow, shared, size));
    float before = largest;
    largest = score > largest ? score : largest;
    float shrink = exp_accurate(before - largest), p = exp_accurate(score - largest);
    total = fma_rn(total, shrink, p);
    UNROLL for (int i = 0; i < PerLane; ++i) sum.v[i] *= shrink;
    sum.add(HeadRow<T>(v, keyRow, shared, size), p);
  }
  sum.store(output, row, head, size, 1.f / total);
  if (lane_id() == 0) lse.row(row)[head] = largest + log_accurate(total);
}

// p and ds / scale of one query and key: ds = p (dOutput . v - dOutput . output).
template <typename T>
DEVICE float slope(const HeadRow<T>& query, const HeadRow<T>& key, const HeadRow<T>& value, const HeadRow<T>& d, const HeadRow<T>& out,
                   float lse, float scale, float& p) {
  p = exp_accurate(scale * query.dot(key) - lse);
  return p * (d.dot(value) - d.dot(out));
}

template <typename T>
DEVICE void backward_query(const Matrix<T>& dQ, const Matrix<const T>& dOutput, const Matrix<const T>& output,
                           const Matrix<const float>& lse, const Matrix<const T>& q, const Matrix<const T>& k, const Matrix<const T>& v,
                           const Plan& plan) {
  int task = static_cast<int>(blockIdx.x) * Warps + warp_id(), row = task / plan.heads, head = task - row * plan.heads;
  if (row >= q.rows) return;
  const Segment& segment = segment_of(plan, row);
  int position = plan.positions[row], size = plan.headSize, shared = head / (plan.heads / plan.keyValueHeads);
  int last = last_key(segment, position);
  HeadRow<T> query(q, row, head, size), d(dOutput, row, head, size), out(output, row, head, size), sum;
  for (int j = first_key(plan, segment, position); j <= last; ++j) {
    int keyRow = segment.key_row(j);
    HeadRow<T> key(k, keyRow, shared, size), value(v, keyRow, shared, size);
    float p, ds = slope(query, key, value, d, out, lse.row(row)[head], plan.scale, p);
    sum.add(key, ds);
  }
  sum.store(dQ, row, head, size, plan.scale);
}

template <typename T>
DEVICE void backward_key(const Matrix<T>& dK, const Matrix<T>& dV, const Matrix<const T>& dOutput, const Matrix<const T>& output,
                         const Matrix<const float>& lse, const Matrix<const T>& q, const Matrix<const T>& k, const Matrix<const T>& v,
                         const Plan& plan) {
  int task = static_cast<int>(blockIdx.x) * Warps + warp_id(), keyRow = task / plan.keyValueHeads;
  int shared = task - keyRow * plan.keyValueHeads, size = plan.headSize, group = plan.heads / plan.keyValueHeads;
  if (keyRow >= k.rows) return;
  HeadRow<T> key(k, keyRow, shared, size), value(v, keyRow, shared, size), keySum, valueSum;
  for (int s = 0; s < plan.count; ++s) {
    const Segment& segment = plan.segments[s];
    int j = segment.key_of(keyRow);
    if (j < 0) continue;
    for (int row = segment.queryRow; row < segment.queryRow + segment.queryCount; ++row) {
      int distance = plan.positions[row] - segment.firstPosition - j;
      if (distance < 0 || (plan.window > 0 && distance >= plan.window)) continue;
      for (int head = shared * group; head < (shared + 1) * group; ++head) {
        HeadRow<T> query(q, row, head, size), d(dOutput, row, head, size), out(output, row, head, size);
        float p, ds = slope(query, key, value, d, out, lse.row(row)[head], plan.scale, p);
        keySum.add(query, ds);
        valueSum.add(d, p);
      }
    }
  }
  keySum.store(dK, keyRow, shared, size, plan.scale);
  valueSum.store(dV, keyRow, shared, size, 1.f);
}
}  // namespace

#define ATTENTION(name, T)                                                                                                    \
  KERNEL(Threads, 1, attention_forward_naive_##name)                                                                          \
  (Matrix<T> output, Matrix<float> lse, Matrix<const T> q, Matrix<const T> k, Matrix<const T> v, Plan plan) {                 \
    forward(output, lse, q, k, v, plan);                                                                                      \
  }                                                                                                                           \
  KERNEL(Threads, 1, attention_backward_query_naive_##name)                                                                   \
  (Matrix<T> dQ, Matrix<const T> dOutput, Matrix<const T> output, Matrix<const float> lse, Matrix<const T> q, Matrix<const T> k, \
   Matrix<const T> v, Plan plan) {                                                                                            \
    backward_query(dQ, dOutput, output, lse, q, k, v, plan);                                                                  \
  }                                                                                                                           \
  KERNEL(Threads, 1, attention_backward_key_naive_##name)                                                                     \
  (Matrix<T> dK, Matrix<T> dV, Matrix<const T> dOutput, Matrix<const T> output, Matrix<const float> lse, Matrix<const T> q,   \
   Matrix<const T> k, Matrix<const T> v, Plan plan) {                                                                         \
    backward_key(dK, dV, dOutput, output, lse, q, k, v, plan);                                                                \
  }
ATTENTION(bf16, bf16)
ATTENTION(f32, float)

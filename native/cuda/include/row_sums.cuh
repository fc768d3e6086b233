// What softmax needs of a row of logits, made by the product that makes them: for the columns that a warp has, the largest and the sum of
// exp(value - largest) (Milakov and Gimelshein, arXiv 1805.02867), and the target's logit. All of it of the values as they are stored.
//
// A product takes it as a policy: `take` sees the sums of a warp's part of the tile before they go to C.
#pragma once

#include "matrix.cuh"
#include "numeric.cuh"

constexpr float Lowest = -3.4028235e38f;

// exp of a number of at most 0, or a little above: as exact as the type of the logits deserves. Of bf16 logits the hardware's exp2; what it lacks
// to exp_accurate, 2 ulp and the rounding of x log2(e), is far below a rounding of a logit.
template <typename T>
DEVICE float softmax_exp(float x) {
  return sizeof(T) == 2 ? exp2_approx(x * Log2E) : exp_accurate(x);
}

// The largest of some values and the sum of exp(value - largest).
struct ExpSum {
  float largest, sum;
};

DEVICE void store_sum(Words2* to, ExpSum value) { store8(to, {{float_bits(value.largest), float_bits(value.sum)}}); }

DEVICE ExpSum load_sum(const Words2* from) {
  Words2 words = load8(from);
  return {bits_float(words.word[0]), bits_float(words.word[1])};
}

// NaN is passed on: no comparison with it holds, so it ends in the sum.
DEVICE ExpSum join(ExpSum a, ExpSum b) {
  float largest = a.largest > b.largest ? a.largest : b.largest;
  return {largest, a.sum * exp_accurate(a.largest - largest) + b.sum * exp_accurate(b.largest - largest)};
}

// Of the values of `Lanes` neighbouring lanes, the same bits on each.
template <typename T, int Lanes, int Count>
DEVICE ExpSum exp_sum(const float (&values)[Count]) {
  float largest = Lowest, sum = 0;
  UNROLL for (int i = 0; i < Count; ++i) largest = maximum(values[i], largest);
  UNROLL for (int mask = 1; mask < Lanes; mask *= 2) largest = maximum(shuffle_xor(largest, mask), largest);
  UNROLL for (int i = 0; i < Count; ++i) sum += softmax_exp<T>(values[i] - largest);
  UNROLL for (int mask = 1; mask < Lanes; mask *= 2) sum += shuffle_xor(sum, mask);
  return {largest, sum};
}

// Two neighbouring values as they will be stored.
DEVICE void round_pair(float&, float&, float) {}
DEVICE void round_pair(float& first, float& second, bf16) {
  uint32_t pair = floats_to_bf16x2(first, second);
  first = bf16x2_low(pair);
  second = bf16x2_high(pair);
}

// Products whose rows nobody sums.
struct NoRowSums {
  static constexpr bool NeedsC = true;

  template <typename T, int RowStep, typename Sums>
  DEVICE void take(const Sums&, int, int, int, int) const {}
  template <typename Sums>
  DEVICE void take_fours(const Sums&, int, int, int, int, int) const {}
};

// A row's columns are divided in strips, one a warp; the host knows how wide they are (MatmulTile.StripColumns). C may be null: nothing is stored then.
struct RowSums {
  static constexpr bool NeedsC = false;

  Words2* pairs;       // (M, strips): the largest and the sum
  float* chosen;       // (M), the logits of the targets
  const int* targets;  // (M)
  int strips;

  // Sums in the layout of mma's D: BlocksM runs of 16 rows, RowStep apart, from `row` on; the columns from `column` on are one strip.
  // They become what is stored, in place, as no register is free for a second copy.
  template <typename T, int RowStep, int BlocksM, int BlocksN>
  DEVICE void take(float (&sums)[BlocksM][BlocksN][4], int row, int column, int M, int N) const {
    if (column >= N) return;
    int lane = lane_id(), left = N - column - lane % 4 * 2;
    if (column + BlocksN * 8 > N) {
      UNROLL for (int j = 0; j < BlocksN; ++j) {
        UNROLL for (int i = 0; i < BlocksM; ++i) {
          UNROLL for (int e = 0; e < 4; ++e) leave_out(sums[i][j][e], j * 8 + e % 2 >= left);
        }
      }
    }
    // Before the first is needed: one wait for all rows.
    int at[BlocksM][2];
    UNROLL for (int i = 0; i < BlocksM; ++i) {
      UNROLL for (int half = 0; half < 2; ++half) at[i][half] = target_from(row + i * RowStep + half * 8 + lane / 4, column + lane % 4 * 2, M);
    }
    UNROLL for (int i = 0; i < BlocksM; ++i) {
      UNROLL for (int half = 0; half < 2; ++half) {
        float values[BlocksN * 2];
        UNROLL for (int j = 0; j < BlocksN; ++j) {
          round_pair(sums[i][j][2 * half], sums[i][j][2 * half + 1], T{});
          values[2 * j] = sums[i][j][2 * half];
          values[2 * j + 1] = sums[i][j][2 * half + 1];
        }
        take_strip<T, 2, 8>(values, row + i * RowStep + half * 8 + lane / 4, column, lane % 4, M, at[i][half]);
      }
    }
  }

  // The same of a thread's rows of `Count` floats, in runs of four columns, 64 apart. Rows too: fours, 64 apart.
  template <int Rows, int Count>
  DEVICE void take_fours(float (&sums)[Rows][Count], int row, int column, int lane, int M, int N) const {
    int left = N - column - lane * 4;
    if (column + Count * 16 > N) {
      UNROLL for (int j = 0; j < Count; ++j) {
        UNROLL for (int i = 0; i < Rows; ++i) leave_out(sums[i][j], offset<4, 64>(j) >= left);
      }
    }
    int at[Rows];
    UNROLL for (int i = 0; i < Rows; ++i) at[i] = target_from(row + offset<4, 64>(i), column + lane * 4, M);
    UNROLL for (int i = 0; i < Rows; ++i) take_strip<float, 4, 64>(sums[i], row + offset<4, 64>(i), column, lane, M, at[i]);
  }

 private:
  template <int Run, int Step>
  static DEVICE constexpr int offset(int i) {
    return i / Run * Step + i % Run;
  }

  // Columns that there are not: minus infinity leaves no trace in a maximum, and none in a sum.
  static DEVICE void leave_out(float& value, bool beyond) {
    if (beyond) value = bits_float(0xff800000u);
  }

  // A row's target, counted from a column on; none is below 0.
  DEVICE int target_from(int row, int first, int M) const { return row < M ? targets[row] - first : -1; }

  // The part of a row that Step / Run lanes have, of which this is number `lane`: runs of `Run` columns, `Step` apart. Its
  // target is `at` columns from its first on.
  template <typename T, int Run, int Step, int Count>
  DEVICE void take_strip(const float (&values)[Count], int row, int column, int lane, int M, int at) const {
    constexpr int Lanes = Step / Run, Columns = Lanes * Count;  // of the strip
    ExpSum sum = exp_sum<T, Lanes>(values);
    if (row < M && lane == 0) store_sum(pairs + static_cast<int64_t>(row) * strips + column / Columns, sum);
    // Selected, not branched to: clang would make a table of jumps.
    if (at < 0 || at >= Columns || at % Step >= Run) return;
    float logit = values[0];
    UNROLL for (int i = 1; i < Count; ++i) logit = at == offset<Run, Step>(i) ? values[i] : logit;
    chosen[row] = logit;
  }
};

using ILGPU;

namespace RepNoise.Kernels.Ilgpu.Code;

/// <summary>
/// Family linear_cross_entropy: what happens to a chunk of logits between the matrix products. A group of threads per row:
/// the maximum, the sum of exponentials, the loss, and in place dz = factor * (softmax(z) - onehot(target)); loss and dz as often as the entry repeats.
/// </summary>
internal static class LinearCrossEntropyCode
{
    /// <param name="losses">R values from the chunk's first on.</param>
    /// <param name="logits">(R, V); becomes dz where gradients follow.</param>
    /// <param name="targets">R token ids.</param>
    /// <param name="repeats">R counts of equal entries.</param>
    /// <param name="hasRepeats">0 takes each entry once.</param>
    /// <param name="factor">Scales dz.</param>
    /// <param name="hasGradients">0 leaves the logits as they are.</param>
    public static void Rows(ArrayView<float> losses, Matrix logits, ArrayView<int> targets, ArrayView<int> repeats, int hasRepeats, float factor, int hasGradients)
    {
        var scratch = SharedMemory.Allocate<float>(GroupReduce.MaxThreads);
        for (int row = Grid.IdxX; row < logits.Rows; row += Grid.DimX)
        {
            int target = targets[row];
            float entries = hasRepeats == 0 ? 1f : repeats[row];
            float chosen = logits[row, target], max = float.NegativeInfinity, sum = 0f;
            for (int i = Group.IdxX; i < logits.Columns; i += Group.DimX) max = FloatMax.Combine(max, logits[row, i]);
            max = GroupReduce.All<float, FloatMax>(scratch, max);
            for (int i = Group.IdxX; i < logits.Columns; i += Group.DimX) sum += DeviceMath.Exp(logits[row, i] - max);
            sum = GroupReduce.All<float, FloatSum>(scratch, sum);
            if (Group.IdxX == 0) losses[row] = entries * (DeviceMath.Log(sum) + (max - chosen));
            if (hasGradients == 0) continue;
            float reciprocal = 1f / sum;
            for (int i = Group.IdxX; i < logits.Columns; i += Group.DimX)
            {
                float p = DeviceMath.Exp(logits[row, i] - max) * reciprocal;
                logits[row, i] = factor * entries * (i == target ? p - 1f : p);
            }
        }
    }
}

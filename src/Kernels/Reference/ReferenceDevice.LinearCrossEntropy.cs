namespace RepNoise.Kernels.Reference;

public sealed partial class ReferenceDevice<TReal, TRounding>
{
    protected override void LinearCrossEntropyCore(
        Tensor losses, Tensor x, Tensor weight, Indices targets, Indices repeats, double gradientFactor, Tensor dX, Tensor dWeight, Tensor workspace)
    {
        var numbers = RowNumbers(nameof(LinearCrossEntropy), targets, weight.Rows);
        for (int start = 0; start < x.Rows; start += workspace.Rows)
        {
            int count = Math.Min(workspace.Rows, x.Rows - start);
            var (rows, logits) = (x.RowRange(start, count), workspace.RowRange(0, count));
            MatmulCore(logits, rows, weight, MatmulForm.NT, accumulate: false, bias: default);
            LossesOfLogits(losses.ColumnRange(start, count), logits, numbers.Slice(start, count),
                repeats.IsEmpty ? default : Values(repeats).Slice(start, count), !dX.IsEmpty);
            if (!dX.IsEmpty) GradientsOfLogits(dX.RowRange(start, count), dWeight, logits, rows, weight, ToReal(gradientFactor));
        }
    }

    /// <summary>losses = logsumexp(z) - z[target]; where gradients follow, z becomes dz = softmax(z) - onehot(target); both times a row's repeats.</summary>
    private static void LossesOfLogits(Tensor losses, Tensor logits, ReadOnlySpan<int> targets, ReadOnlySpan<int> repeats, bool gradients)
    {
        var (to, z) = (Real(losses), Real(logits));
        var row = new TReal[logits.Columns];
        for (int r = 0; r < logits.Rows; r++)
        {
            for (int i = 0; i < row.Length; i++) row[i] = z[r, i];
            var logSumExp = LogSumExp(row);
            var entries = repeats.IsEmpty ? TReal.One : TReal.CreateChecked(repeats[r]);
            to[0, r] = entries * (logSumExp - row[targets[r]]);
            for (int i = 0; gradients && i < row.Length; i++)
                z[r, i] = entries * (TReal.Exp(row[i] - logSumExp) - (i == targets[r] ? TReal.One : TReal.Zero));
        }
    }

    /// <summary>dX = factor * dz W and, where asked for, dWeight += factor * dz^T x, for one chunk of rows.</summary>
    private static void GradientsOfLogits(Tensor dX, Tensor dWeight, Tensor dLogits, Tensor x, Tensor weight, TReal factor)
    {
        var (toX, dz, w) = (Real(dX), Real(dLogits), Real(weight));
        for (int c = 0; c < x.Columns; c++)
        {
            for (int r = 0; r < x.Rows; r++)
            {
                var sum = TReal.Zero;
                for (int i = 0; i < weight.Rows; i++) sum += dz[r, i] * w[i, c];
                toX[r, c] = factor * sum;
            }
        }

        if (dWeight.IsEmpty) return;
        var (toWeight, rows) = (Real(dWeight), Real(x));
        for (int c = 0; c < x.Columns; c++)
        {
            for (int i = 0; i < weight.Rows; i++)
            {
                var sum = TReal.Zero;
                for (int r = 0; r < x.Rows; r++) sum += dz[r, i] * rows[r, c];
                toWeight[i, c] += factor * sum;
            }
        }
    }
}
